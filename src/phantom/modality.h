/*
 * modality.h - what turns a field of physical values into a picture: film, CT, ultrasound, camera.
 *
 * A family fills a one-channel Canvas with attenuation (film), Hounsfield units (CT) or echo strength (ultrasound),
 * then lets the modality add its blur, its noise and its grey scale.  A Scanner says how good the machine is; it is
 * drawn per case, from another range for a shifted distribution.
 *
 *   Scanner s = scanner_draw(rng, shift);
 *   canvas_init(&c, size, 1, GRAY(0));
 *   canvas_place(&c, s.angle, s.zoom, 0, 0);
 *   film_ellipsoid(&c, &(Ellipsoid){.x = 56, .y = 60, .rx = 40, .ry = 50, .rz = 30}, 0.02);
 *   film_develop(&c, &s, 0.6, 2.4, rng);              the attenuation that shows black, and white
 */
#ifndef OSLER_PHANTOM_MODALITY_H
#define OSLER_PHANTOM_MODALITY_H

#include <stdbool.h>

#include "base/rng.h"
#include "phantom/canvas.h"

typedef struct Scanner {
    double noise;      /* 1: usual */
    double blur;       /* units */
    double contrast;   /* 1: usual; of the grey scale about its middle */
    double brightness; /* added to the grey value, 0 .. 1 */
    double zoom, angle;
} Scanner;

Scanner scanner_draw(Rng *rng, bool shift);

/* Uniform in [lo, hi). */
double draw_between(Rng *rng, double lo, double hi);
/* About normal, mean 0, variance 1: the sum of four bytes of one random word; never beyond 3.5. */
double draw_normal(Rng *rng);

/* Line integral through an ellipsoid seen from the front; boxy: its faces are flatter, its edge falls later. */
typedef struct Ellipsoid {
    double x, y, rx, ry, rz; /* centre, half axes (rz in depth) */
    bool boxy;
    double cs, sn; /* of the angle from x to the axis rx; set by ellipsoid_turn, both 0: not turned */
} Ellipsoid;
void ellipsoid_turn(Ellipsoid *e, double degrees);
/* Adds 2 * mu * depth. */
void film_ellipsoid(Canvas *c, const Ellipsoid *e, double mu);
/* 1 inside the ellipse's middle, 0 at its edge: the depth at (x, y) as a part of the greatest. */
double ellipsoid_depth(const Ellipsoid *e, double x, double y);

/* Beer-Lambert with counting noise: n = n0 e^-a, and the grey value is linear in -log of what was counted. */
void film_develop(Canvas *c, const Scanner *s, double black, double white, Rng *rng);
/* Hounsfield units, Gaussian noise (12 HU for noise 1) of a reconstruction's grain, and a window. */
void ct_develop(Canvas *c, const Scanner *s, double centre, double width, Rng *rng);
/* Echo strength (amplitude, 0 = no echo) to Rayleigh speckle with a point-spread function wider across than along the
   beam, attenuation with depth (y), and logarithmic compression over range_db. */
void ultrasound_develop(Canvas *c, const Scanner *s, double range_db, Rng *rng);
/* A photograph or a scan of paper, any number of channels: blur, contrast, brightness, a little noise. */
void camera_develop(Canvas *c, const Scanner *s, double noise, Rng *rng);

#endif
