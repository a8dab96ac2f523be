/*
 * chest_ct.h - an axial chest CT in the lung window with a magnified view of a lesion, for every family that needs one.
 *
 * The upper part of the picture is the whole slice, painted from the outside inwards in Hounsfield units: fat, muscle,
 * ribs, two lungs with their vessels, mediastinum with heart and aorta (or, higher up, the great vessels and bronchi),
 * vertebra.  A thin box on it shows what the lower part magnifies, beside a scale bar for that view.  The patient's
 * right is at the picture's left.
 *
 *   ChestCt ct = chest_ct_draw(&rng);                 anatomy that differs from patient to patient
 *   chest_ct_add(&ct, 1, 20, &rng);                   a lesion in the left lung with 20 mm of lung around its middle
 *   ct.lesion[0].length = 7;
 *   chest_ct_render(&canvas, &ct, &view, scanner, rng);
 *
 * Lengths are millimetres; (0, 0) is the middle of the body, x to the patient's left, y to the back.  Lesion 0 is the
 * one that is magnified.  The same random stream gives the same patient, so two pictures can show one patient twice.
 */
#ifndef OSLER_PHANTOM_CHEST_CT_H
#define OSLER_PHANTOM_CHEST_CT_H

#include <stdbool.h>

#include "phantom/canvas.h"
#include "phantom/family.h"
#include "phantom/modality.h"

enum { CHEST_ORGANS = 20, CHEST_BRANCHES = 160, CHEST_LESIONS = 2, LESION_WAVES = 3 };

typedef struct Organ {
    double x, y, rx, ry, angle, hu;
} Organ;

/* An ellipse with a slightly wavy border; length 0: not there. */
typedef struct ChestLesion {
    double x, y, length, slim, angle; /* longest diameter; shortest / longest */
    double wave[LESION_WAVES], phase[LESION_WAVES];
} ChestLesion;

typedef struct ChestCt {
    bool great_vessels;           /* the level of the great vessels, not of the heart */
    double half_w, half_h;        /* of the body */
    double inner_w, inner_h, fat; /* of the inside of the ribs; thickness under the skin */
    double rib;                   /* where around the chest the ribs begin, degrees */
    Organ organ[CHEST_ORGANS];    /* of the mediastinum, in the order of painting */
    int organs;
    double branch[CHEST_BRANCHES][5]; /* vessels: x, y, x, y, width */
    int parent[CHEST_BRANCHES];       /* the branch it springs from, -1: none */
    int branches;
    ChestLesion lesion[CHEST_LESIONS];
    int lesions;
} ChestCt;

typedef struct ChestView {
    double magnification; /* units a millimetre */
    double bar;           /* mm */
    const char *label;    /* of the bar, "10 mm" */
} ChestView;

ChestCt chest_ct_draw(Rng *rng);
/* Adds a lesion of length 0 in the patient's right (0) or left (1) lung, `room` mm from everything that is not lung,
   and far from the lesions before it. */
void chest_ct_add(ChestCt *ct, int side, double room, Rng *rng);
void chest_ct_render(Canvas *c, const ChestCt *ct, const ChestView *view, const Scanner *s, Rng *rng);
/* The reasoning about the side of `what`, a nodule or a lesion. */
void chest_ct_think_side(Case *c, Thought *h, const char *what, bool left);

#endif
