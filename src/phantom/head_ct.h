/*
 * head_ct.h - an axial CT of the head at the level of the frontal horns, for every family that needs one.
 *
 * Scalp, skull, cortex, white matter, deep nuclei, sulci, falx and ventricles are painted in Hounsfield units and shown
 * in the brain window (centre 40, width 80).  Drawn as radiologists look at it: the nose is up and the patient's right
 * is at the picture's left, marked R.  The bar at the lower left is 5 cm long.
 *
 *   HeadCt h = head_ct_draw(&anatomy);                a head that differs from patient to patient
 *   h.horns = 41, h.sulci = 0.1;
 *   head_ct_render(&canvas, &h, scanner, rng);        rng: the noise alone
 *
 * Lengths are mm; HEAD_MM units of the canvas (before placing) are one.  The same stream of random numbers gives the
 * same head, so two pictures of one patient are drawn from one anatomy.
 */
#ifndef OSLER_PHANTOM_HEAD_CT_H
#define OSLER_PHANTOM_HEAD_CT_H

#include "phantom/canvas.h"
#include "phantom/modality.h"

#define HEAD_MM 0.5

/* Blood between skull and brain: a lens stays between its ends, a crescent follows the hemisphere. */
typedef struct HeadClot {
    double thick; /* 0: none */
    bool lens, right;
    double length; /* of a lens, from end to end */
    double angle;  /* where its middle lies: degrees from the side of the head towards the back */
    double spread; /* of a crescent: degrees to either side */
    double blood;  /* Hounsfield units */
} HeadClot;

typedef struct HeadCt {
    double width;               /* greatest inner diameter of the skull from side to side */
    double horns;               /* greatest width of the two frontal horns together */
    double sulci;               /* 0 narrow .. 1 wide */
    double shift;               /* of the septum between the horns, away from the clot's side */
    HeadClot clot;              /* thick 0 as drawn */
    double height;              /* of the clot over all slices, told in the lower right corner; 0: not told */
    double front, back, square; /* half lengths before and behind the widest place; how far from an ellipse */
    double bone, scalp, reach;  /* thickness of skull and scalp; length of the frontal horns */
    Rng folds;                  /* draws the surface */
} HeadCt;

HeadCt head_ct_draw(Rng *rng);
/* A skull of another inner width, its length in proportion. */
void head_ct_widen(HeadCt *h, double width);
void head_ct_render(Canvas *c, const HeadCt *h, const Scanner *s, Rng *rng);

#endif
