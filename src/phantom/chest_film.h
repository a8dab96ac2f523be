/*
 * chest_film.h - a frontal chest film, for every family that needs one.
 *
 * Attenuation is composed per pixel from the chest wall, two lungs of air, heart, mediastinum, spine, diaphragm and
 * abdomen; ribs, clavicles and vessels are strokes added to it.  The patient's right is at the picture's left.
 *
 *   ChestFilm f = chest_film_draw(rng, 0);            anatomy that differs from patient to patient
 *   f.ratio = 0.57;
 *   chest_film_render(&canvas, &f, scanner, rng);
 *
 * A pneumothorax is a rim of air between the chest wall and the edge of the lung, f.rim wide at the height of the
 * hilum, wider above, narrower below, with no vessels in it.
 *
 * Lengths are canvas units before placing.  The inner chest is 2 * f.half wide at its widest, from f.axis - f.half to
 * f.axis + f.half; the heart's greatest width is ratio * 2 * half.
 */
#ifndef OSLER_PHANTOM_CHEST_FILM_H
#define OSLER_PHANTOM_CHEST_FILM_H

#include "phantom/canvas.h"
#include "phantom/modality.h"

typedef struct ChestFilm {
    double ratio;              /* cardiothoracic */
    bool mirrored;             /* heart and stomach on the patient's right */
    double infant;             /* 0 adult .. 1 newborn: rounder chest, level ribs, no waist of the heart */
    double axis, half;         /* midline, half of the greatest inner width */
    double apex, dome, widest; /* heights: top of the lungs, of the right diaphragm, of the widest place */
    double tilt;               /* of the heart's long axis, degrees */
    double slope;              /* of the ribs */
    double muscle;             /* thickness of the chest wall */
    double rim;                /* of air at the hilum; 0: no pneumothorax */
    double rim_way;            /* its side: -1 the patient's right, at the picture's left; 1 left */
} ChestFilm;

ChestFilm chest_film_draw(Rng *rng, double infant);
void chest_film_render(Canvas *c, const ChestFilm *f, const Scanner *s, Rng *rng);
/* The height of the hilum, where a rim is measured. */
double chest_film_hilum(const ChestFilm *f);

#endif
