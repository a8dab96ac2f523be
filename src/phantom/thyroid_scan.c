#include "phantom/thyroid_scan.h"

#include "phantom/deterministic.h"

#define MID (CANVAS_UNITS / 2.0) /* the canvas column that is 0 mm; row MID is the skin */
#define TOP 2.0                  /* units above the skin */

/* Echo strength in decibels. */
#define THYROID -20.0
#define MUSCLE  -33.0
#define TISSUE  -33.0
#define FLUID   -62.0
static const double NODULE[] = {FLUID, -10, -30, -43};

enum { OUTLINE = 64 };

/* Where things lie, mm: x from the middle, y from the skin. */
typedef struct Neck {
    double x, y, w, h;     /* of the lobe: middle, half axes */
    double nx, ny, nw, nh; /* of the nodule */
    double medial;         /* +1: the windpipe lies at the right of the picture */
    double deep;           /* the spine */
    double k;              /* units a millimetre */
} Neck;

ThyroidScan thyroid_scan_draw(double size, Rng *rng)
{
    ThyroidScan t = {.size = size};
    t.magnification = det_clamp(draw_between(rng, 26, 44) / size, 1.5, 3.6);
    t.slim = draw_between(rng, 0.66, 0.76);
    t.left_lobe = rng_below(rng, 2);
    t.phase = draw_between(rng, 0, 2 * DET_PI);
    t.off_x = draw_between(rng, -1, 1);
    t.off_y = draw_between(rng, -0.8, 0.8);
    return t;
}

/* The amplitude of x decibels: 10^(x / 20). */
static double amplitude(double x)
{
    return det_exp(x * 0.11512925464970229);
}

static Neck neck_of(const ThyroidScan *t, const Scanner *s)
{
    Neck n = {.medial = t->left_lobe ? -1 : 1, .k = t->magnification * s->zoom};
    double across = t->tall ? t->slim * t->size : t->size, along = t->tall ? t->size : t->slim * t->size;
    n.nw = across / 2, n.nh = along / 2;
    n.w = n.nw + 5 > 9.5 ? n.nw + 5 : 9.5;
    n.h = n.nh + 3.6 > 8 ? n.nh + 3.6 : 8;
    n.x = -n.medial * 2.5, n.y = 10 + n.h;
    n.nx = n.x + t->off_x, n.ny = n.y + t->off_y;
    n.deep = n.y + n.h + 9;
    return n;
}

/* ---- tissue ----------------------------------------------------------------------------------------------------- */

static void paint_echo(Canvas *c, double db, double opacity)
{
    canvas_paint(c, GRAY(amplitude(db)), opacity);
}

static void paint_oval(Canvas *c, double x, double y, double rx, double ry, double angle, double db)
{
    mask_ellipse(c, MID + x, MID + y, rx, ry, angle);
    paint_echo(c, db, 1);
}

static void paint_band(Canvas *c, double from, double to, double db)
{
    const double xy[] = {MID - 60, MID + from, MID + 60, MID + from, MID + 60, MID + to, MID - 60, MID + to};
    mask_polygon(c, xy, 4);
    paint_echo(c, db, 1);
}

/* Short bright lines along a layer: septa in fat, fibres in muscle. */
static void add_fibres(Canvas *c, double from, double to, int n, double slope, Rng *rng)
{
    for (int i = 0; i < n; i++) {
        double x = draw_between(rng, -34, 30), y = draw_between(rng, from, to), length = draw_between(rng, 4, 10);
        double rise = draw_between(rng, -slope, slope);
        mask_line(c, MID + x, MID + y, MID + x + length, MID + y + rise, 0.3);
    }
}

static void paint_layers(Canvas *c, const Neck *n, Rng *rng)
{
    paint_band(c, -10, 0, -45);
    paint_band(c, 0, 1.6, -9);
    paint_band(c, 1.6, 5, -30);
    add_fibres(c, 2, 4.8, 12, 0.8, rng);
    paint_echo(c, -20, 0.8);
    paint_band(c, 5.2, 9.4, MUSCLE - 2);
    add_fibres(c, 5.8, 9.2, 14, 0.3, rng);
    paint_echo(c, -24, 0.8);
    paint_band(c, 9.4, n->deep + 90, TISSUE);
    paint_oval(c, n->x - n->medial * (n->w + 10), 8.5, 11, 4.6, -n->medial * 8, MUSCLE); /* sternomastoid */
    paint_oval(c, n->x - n->medial * 3, n->deep - 3.5, n->w + 3, 4.2, 0, MUSCLE);        /* longus colli */
}

/* The windpipe: its front wall reflects everything, behind it echoes of echoes. */
static void paint_windpipe(Canvas *c, const Neck *n)
{
    double x = n->x + n->medial * (n->w + 7.5), y = n->y + 0.5;
    mask_line(c, MID + n->x, MID + n->y - n->h + 3, MID + x + n->medial * 12, MID + y - 10.5, 3.6); /* isthmus */
    paint_echo(c, THYROID, 1);
    const double shadow[] = {MID + x - 8.5, MID + y,   MID + x + 8.5, MID + y,
                             MID + x + 9.5, MID + 150, MID + x - 9.5, MID + 150};
    mask_polygon(c, shadow, 4);
    mask_ellipse(c, MID + x, MID + y, 8.6, 8.4, 0);
    paint_echo(c, -48, 1);
    for (int i = 1; i < 4; i++) {
        mask_line(c, MID + x - 4.5, MID + y - 8.4 + 4.2 * (double)i, MID + x + 4.5, MID + y - 8.4 + 4.2 * (double)i,
                  0.9);
        paint_echo(c, -22 - 7 * (double)i, 0.9);
    }
}

static void paint_carotid(Canvas *c, const Neck *n)
{
    double x = n->x - n->medial * (n->w + 5), y = n->y + 1.5;
    paint_oval(c, x, y, 4.2, 4.2, 0, -15);
    paint_oval(c, x, y, 3.3, 3.3, 0, FLUID);
    paint_oval(c, x - n->medial * 8.5, y - 3.5, 5.4, 3.2, -n->medial * 12, -18);
    paint_oval(c, x - n->medial * 8.5, y - 3.5, 4.8, 2.6, -n->medial * 12, FLUID);
}

/* ---- the nodule ------------------------------------------------------------------------------------------------- */

/* An irregular margin has eight lobes, of which four lie on the axes so that width and height stay what they are;
   between them they differ. */
static void outline(const ThyroidScan *t, const Neck *n, double grow_x, double grow_y, double xy[2 * OUTLINE])
{
    for (int i = 0; i < OUTLINE; i++) {
        double a = 2 * DET_PI * (double)i / OUTLINE, r = 1, between = det_sin(2 * a);
        if (t->irregular) {
            r = 0.89 + 0.11 * det_cos(8 * a);
            r *= 1 + 0.16 * between * between * det_cos(3 * a + t->phase);
        }
        xy[2 * i] = MID + n->nx + (n->nw * r + grow_x) * det_cos(a);
        xy[2 * i + 1] = MID + n->ny + (n->nh * r + grow_y) * det_sin(a);
    }
}

/* The spine throws a soft shadow; only a part of it meets the beam squarely. */
static void paint_spine(Canvas *c, const Neck *n)
{
    const double x = n->x + 6 * n->medial;
    mask_ellipse(c, MID + x, MID + n->deep + 45, 34, 45, 0);
    mask_blur(c, 1.2);
    paint_echo(c, -44, 1);
}

/* Sound passes fluid unweakened and calcium not at all: a column below, brighter or black. */
static void mask_column(Canvas *c, double x, double half, double from, double to)
{
    const double wide = 1.1 * half, xy[] = {MID + x - half, MID + from, MID + x + half, MID + from,
                                            MID + x + wide, MID + to,   MID + x - wide, MID + to};
    mask_polygon(c, xy, 4);
    mask_blur(c, 0.8);
}

/* Speckle is blurred before the logarithm is taken, so an edge moves into the darker side: by these parts of the
   point-spread function's standard deviation the border that one sees lies inside a nodule of each echogenicity. */
static const double INSET[] = {1.35, -0.5, 0.2, 0.85};

static void paint_nodule(Canvas *c, const ThyroidScan *t, const Neck *n, const Scanner *s)
{
    int echo = t->composition ? t->echo : 0;
    double xy[2 * OUTLINE], inset = INSET[echo];
    if (t->composition < 2) {
        mask_column(c, n->nx, (t->composition ? 0.5 : 0.8) * n->nw, n->ny, n->deep);
        canvas_add(c, GRAY(0.6 * amplitude(THYROID - 5)));
    }
    outline(t, n, inset * (0.9 + s->blur) / n->k, inset * (0.5 + 0.5 * s->blur) / n->k, xy);
    mask_polygon(c, xy, OUTLINE);
    paint_echo(c, NODULE[echo], 1);
    if (t->composition == 1) { /* pockets of fluid */
        paint_oval(c, n->nx - 0.2 * n->nw, n->ny + 0.16 * n->nh, 0.5 * n->nw, 0.5 * n->nh, 10, FLUID);
        paint_oval(c, n->nx + 0.52 * n->nw, n->ny - 0.3 * n->nh, 0.2 * n->nw, 0.24 * n->nh, 0, FLUID);
    }
    if (t->foci == FOCI_LARGE) {
        mask_column(c, n->nx + 0.15 * n->nw, 0.34 * n->nw, n->ny - 0.35 * n->nh, 150);
        paint_echo(c, -55, 0.9);
    }
}

/* ---- mirrors ---------------------------------------------------------------------------------------------------- */

static void reflect(Canvas *c, const Neck *n, double gray)
{
    mask_blur(c, 0.3 / n->k);
    canvas_paint(c, GRAY(gray), 0.95);
}

/* The part of the border from angle index `from` on, `n` points. */
static void mask_border(Canvas *c, const double *xy, int from, int n, double width)
{
    for (int i = from; i < from + n; i++) {
        const double *a = xy + 2 * (i % OUTLINE), *b = xy + 2 * ((i + 1) % OUTLINE);
        mask_line(c, a[0], a[1], b[0], b[1], width);
    }
}

/* Dots on a spiral, so that none hides another; the fluid of a mixed nodule stays free. */
static void mask_dots(Canvas *c, const ThyroidScan *t, const Neck *n, Rng *rng)
{
    double r = 0.62 / n->k > 0.34 ? 0.62 / n->k : 0.34, turn = draw_between(rng, 0, 6.28);
    for (int i = 0; i < 8; i++) {
        double far = t->composition == 1 ? 0.78 : 0.25 + 0.07 * (double)i, a = turn + 2.4 * (double)i;
        far *= t->irregular ? 0.85 : 1;
        mask_ellipse(c, MID + n->nx + far * n->nw * det_cos(a), MID + n->ny + far * n->nh * det_sin(a), r, r, 0);
    }
}

static void paint_mirrors(Canvas *c, const ThyroidScan *t, const Neck *n, const Scanner *s, Rng *rng)
{
    double xy[2 * OUTLINE], bright = det_clamp(0.5 + 0.47 * s->contrast + s->brightness, 0, 1);
    double x = n->x + n->medial * (n->w + 7.5), y = n->y + 0.5;
    for (int i = 0; i < 14; i++) { /* the front of the windpipe */
        double a = DET_PI * (1.18 + 0.046 * (double)i), b = a + DET_PI * 0.046;
        mask_line(c, MID + x + 8.8 * det_cos(a), MID + y + 8.6 * det_sin(a), MID + x + 8.8 * det_cos(b),
                  MID + y + 8.6 * det_sin(b), 1);
    }
    reflect(c, n, 0.9 * bright);
    for (int i = 0; i < 10; i++) { /* the front of the spine */
        double a = DET_PI * (1.36 + 0.028 * (double)i), b = a + DET_PI * 0.028, cx = n->x + 6 * n->medial;
        mask_line(c, MID + cx + 34 * det_cos(a), MID + n->deep + 45 + 45 * det_sin(a), MID + cx + 34 * det_cos(b),
                  MID + n->deep + 45 + 45 * det_sin(b), 0.9);
    }
    reflect(c, n, 0.75 * bright);
    outline(t, n, -0.4, -0.4, xy);
    if (t->foci == FOCI_RIM) mask_border(c, xy, 28, 40, 1.4 / n->k > 0.7 ? 1.4 / n->k : 0.7); /* left, top, right */
    if (t->foci == FOCI_LARGE)
        mask_ellipse(c, MID + n->nx + 0.15 * n->nw, MID + n->ny - 0.35 * n->nh, 0.36 * n->nw, 0.17 * n->nh, 5);
    if (t->foci == FOCI_PUNCTATE) mask_dots(c, t, n, rng);
    if (t->foci != FOCI_NONE) reflect(c, n, bright);
}

/* The bar on a dark ground. */
static void paint_bar(Canvas *c, const Neck *n)
{
    const double xy[] = {1, 95, 44, 95, 44, 111, 1, 111};
    canvas_place(c, 0, 1, 0, 0);
    mask_polygon(c, xy, 4);
    canvas_paint(c, GRAY(0), 0.85);
    canvas_place(c, 0, n->k, 0, 0);
    canvas_scale_bar(c, 5, 108, 10, "10 mm", GRAY(0.95));
}

void thyroid_scan_render(Canvas *c, const ThyroidScan *t, const Scanner *s, Rng *rng)
{
    Neck n = neck_of(t, s);
    canvas_place(c, 0.4 * s->angle, n.k, 0, TOP - MID);
    paint_layers(c, &n, rng);
    paint_carotid(c, &n);
    paint_windpipe(c, &n);
    paint_oval(c, n.x, n.y, n.w, n.h, 0, THYROID);
    paint_nodule(c, t, &n, s);
    paint_spine(c, &n);
    ultrasound_develop(c, s, 48, rng);
    paint_mirrors(c, t, &n, s, rng);
    paint_bar(c, &n);
}
