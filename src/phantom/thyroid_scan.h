/*
 * thyroid_scan.h - a transverse ultrasound of one lobe of the thyroid with a nodule.
 *
 * From the probe (top) inwards: skin, fat with septa, strap muscles, the lobe and the isthmus over the windpipe, the
 * carotid artery and the jugular vein on the other side, deep muscles and spine.  Tissue is painted as echo strength
 * in decibels and gets its speckle from the modality; calcium and tissue borders reflect like mirrors, without
 * speckle, and are painted on top.
 *
 *   ThyroidScan scan = thyroid_scan_draw(14, rng);     a nodule of 14 mm, position and depth scale as they come
 *   scan.composition = 2, scan.echo = 2;               solid, hypoechoic
 *   thyroid_scan_render(&canvas, &scan, scanner, rng);
 *
 * The nodule is `size` mm in its longer direction: along the beam (down) where it is tall, else across.
 */
#ifndef OSLER_PHANTOM_THYROID_SCAN_H
#define OSLER_PHANTOM_THYROID_SCAN_H

#include <stdbool.h>

#include "phantom/canvas.h"
#include "phantom/modality.h"

enum { FOCI_NONE, FOCI_LARGE, FOCI_RIM, FOCI_PUNCTATE };

typedef struct ThyroidScan {
    double size;     /* mm */
    int composition; /* 0 cystic, 1 mixed, 2 solid */
    int echo;        /* 0 anechoic, 1 hyperechoic, 2 hypoechoic, 3 very hypoechoic; of the solid part */
    int foci;        /* FOCI_... */
    bool tall, irregular;
    bool left_lobe;       /* windpipe at the left of the picture */
    double slim;          /* shorter / longer */
    double magnification; /* units a millimetre */
    double phase;         /* of the irregular margin */
    double off_x, off_y;  /* of the nodule in its lobe, mm */
} ThyroidScan;

ThyroidScan thyroid_scan_draw(double size, Rng *rng);
void thyroid_scan_render(Canvas *c, const ThyroidScan *t, const Scanner *s, Rng *rng);

#endif
