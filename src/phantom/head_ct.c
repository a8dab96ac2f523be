#include "phantom/head_ct.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "phantom/deterministic.h"

/* Hounsfield units.  Bone and air lie just beyond the window: both show at its ends as they should, and the blur of the
   scan does not carry them over the thin layers beside them. */
enum { AIR = -120, FAT = -40, CSF = 6, WHITE = 28, DEEP_GRAY = 36, GRAY_MATTER = 38, FALX = 54, SKIN = 34, BONE = 130 };
enum { N_SKULL = 80, N_CLOT = 36, N_CURVE = 9 };
#define LEVEL  (-16.0) /* height of the septum's middle, where the midline shift is measured */
#define DEGREE (DET_PI / 180)

typedef struct Point {
    double x, y; /* mm from the middle of the skull */
} Point;

HeadCt head_ct_draw(Rng *rng)
{
    HeadCt h = {.clot = {.thick = 0}};
    h.width = draw_between(rng, 124, 140);
    double length = h.width * draw_between(rng, 1.22, 1.30), behind = draw_between(rng, 0.43, 0.47);
    h.front = length * (1 - behind), h.back = length * behind;
    h.square = draw_between(rng, 0.01, 0.05);
    h.bone = draw_between(rng, 5.5, 7.5);
    h.scalp = draw_between(rng, 4.5, 6.5);
    h.reach = draw_between(rng, 30, 35);
    h.horns = h.width * draw_between(rng, 0.23, 0.27);
    h.sulci = draw_between(rng, 0.1, 0.35);
    h.clot.angle = draw_between(rng, -32, 22);
    h.clot.spread = draw_between(rng, 60, 74);
    h.clot.blood = draw_between(rng, 64, 69);
    h.folds = rng_at(rng_u32(rng), RNG_PHANTOM, 0, 0, 0);
    return h;
}

void head_ct_widen(HeadCt *h, double width)
{
    double k = width / h->width;
    h->width = width;
    h->front *= k, h->back *= k, h->horns *= k;
}

/* ---- the skull's inside ----------------------------------------------------------------------------------------- */

/* On the inner table at an angle: 0 is the picture's right, 90 degrees the back.  Two half ellipses that meet at the
   widest place, pushed out a little in between. */
static Point skull_at(const HeadCt *h, double angle)
{
    double cs = det_cos(angle), sn = det_sin(angle), corner = 2 * cs * sn, out = 1 + h->square * corner * corner;
    double widest = (h->front - h->back) / 2;
    return (Point){out * cs * h->width / 2, widest + out * sn * (sn < 0 ? h->front : h->back)};
}

/* `deep` mm inside the inner table. */
static Point skull_inside(const HeadCt *h, double angle, double deep)
{
    Point at = skull_at(h, angle), p = skull_at(h, angle - 0.01), q = skull_at(h, angle + 0.01);
    double dx = q.x - p.x, dy = q.y - p.y, len = sqrt(dx * dx + dy * dy);
    return (Point){at.x - deep * dy / len, at.y + deep * dx / len};
}

static double ring_angle(int i)
{
    return 2 * DET_PI * (double)i / N_SKULL;
}

static double top_of(const HeadCt *h)
{
    return -(h->front + h->back) / 2;
}

/* ---- drawing in mm ---------------------------------------------------------------------------------------------- */

static void put(double *xy, int i, Point p)
{
    xy[2 * i] = CANVAS_UNITS / 2.0 + HEAD_MM * p.x;
    xy[2 * i + 1] = 53.5 + HEAD_MM * p.y;
}

/* What hangs in the skull gives way to the clot: by the whole shift at the septum, less towards the sides, the front
   and the back. */
static Point pushed(const HeadCt *h, Point p, double part)
{
    double u = 2 * p.x / h->width, v = (p.y - LEVEL) / (p.y < LEVEL ? 70 : 62), f = 1 - u * u, g = 1 - v * v;
    if (f > 0 && g > 0) p.x += (h->clot.right ? 1 : -1) * h->shift * part * f * g;
    return p;
}

static void paint(Canvas *c, double hu, double soft, double opacity)
{
    if (soft > 0) mask_blur(c, soft * HEAD_MM);
    canvas_paint(c, GRAY(hu), opacity);
}

static void mask_blob(Canvas *c, const HeadCt *h, double x, double y, double rx, double ry, double angle)
{
    double xy[2];
    put(xy, 0, pushed(h, (Point){x, y}, 1));
    mask_ellipse(c, xy[0], xy[1], rx * HEAD_MM, ry * HEAD_MM, angle);
}

/* A bent line between two places of the brain. */
static void mask_fold(Canvas *c, const HeadCt *h, Point from, Point bend, Point to, double width, double part)
{
    double xy[2 * N_CURVE], p[2 * N_CURVE];
    curve_points(p, N_CURVE, (const double[]){from.x, from.y}, (const double[]){bend.x, bend.y},
                 (const double[]){to.x, to.y});
    for (int i = 0; i < N_CURVE; i++) put(xy, i, pushed(h, (Point){p[2 * i], p[2 * i + 1]}, part));
    mask_polyline(c, xy, N_CURVE, width * HEAD_MM);
}

/* The closed line `deep` mm inside the skull, deeper by `behind` at the forehead and the back of the head. */
static void mask_ring(Canvas *c, const HeadCt *h, double deep, double behind)
{
    double xy[2 * N_SKULL];
    for (int i = 0; i < N_SKULL; i++) {
        double sn = det_sin(ring_angle(i));
        put(xy, i, skull_inside(h, ring_angle(i), deep + behind * sn * sn));
    }
    mask_polygon(c, xy, N_SKULL);
}

/* ---- the clot --------------------------------------------------------------------------------------------------- */

/* The angle of its middle on the inner table; a crescent ends before the midline. */
static double clot_middle(const HeadClot *k)
{
    double angle = k->lens ? k->angle : 0.25 * k->angle;
    return (k->right ? 180 - angle : angle) * DEGREE;
}

/* Half the angle that a lens's ends are apart, so that they lie `length` from each other. */
static double lens_spread(const HeadCt *h)
{
    double lo = 0, hi = 1.2, mid = clot_middle(&h->clot);
    for (int i = 0; i < 24; i++) {
        double half = (lo + hi) / 2;
        Point a = skull_at(h, mid - half), b = skull_at(h, mid + half);
        double dx = b.x - a.x, dy = b.y - a.y;
        if (dx * dx + dy * dy < h->clot.length * h->clot.length) lo = half;
        else hi = half;
    }
    return lo;
}

static double clot_spread(const HeadCt *h)
{
    return h->clot.lens ? lens_spread(h) : h->clot.spread * DEGREE;
}

/* Thickness t of the way from the middle to an end: a crescent stays thick for long. */
static double clot_depth(const HeadClot *k, double t)
{
    double rest = 1 - t * t;
    if (rest <= 0) return 0;
    return k->thick * (k->lens ? rest : rest * (1 + t * t));
}

/* How deep the brain's surface lies at an angle. */
static double clot_push(const HeadCt *h, double spread, double angle)
{
    double off = angle - clot_middle(&h->clot);
    if (off > DET_PI) off -= 2 * DET_PI;
    return h->clot.thick > 0 ? clot_depth(&h->clot, off / spread) : 0;
}

/* Outwards a little way into the bone, whose blur would hide as much of it.  A lens bulges: its inner side is a
   parabola between its ends, `thick` from the farthest place of the skull behind it. */
static void mask_clot(Canvas *c, const HeadCt *h)
{
    const HeadClot *k = &h->clot;
    double xy[4 * N_CLOT], mid = clot_middle(k), spread = clot_spread(h);
    Point a = skull_at(h, mid - spread), b = skull_at(h, mid + spread), far = {0, 0};
    double ux = (b.x - a.x) / 2, uy = (b.y - a.y) / 2, half = sqrt(ux * ux + uy * uy), nx = -uy / half, ny = ux / half;
    double hollow = 0;
    for (int i = 0; i < N_CLOT; i++) {
        double t = 2 * (double)i / (N_CLOT - 1) - 1;
        put(xy, i, skull_inside(h, mid + t * spread, -0.5));
        far = skull_at(h, mid + t * spread);
        double off = -((far.x - a.x) * nx + (far.y - a.y) * ny);
        hollow = off > hollow ? off : hollow;
    }
    for (int i = 0; i < N_CLOT; i++) {
        double t = 1 - 2 * (double)i / (N_CLOT - 1), bulge = (k->thick - hollow) * (1 - t * t);
        Point p = {(a.x + b.x) / 2 + t * ux + bulge * nx, (a.y + b.y) / 2 + t * uy + bulge * ny};
        put(xy, N_CLOT + i, k->lens ? p : skull_inside(h, mid + t * spread, clot_depth(k, t)));
    }
    mask_polygon(c, xy, 2 * N_CLOT);
}

static void draw_clot(Canvas *c, const HeadCt *h)
{
    if (h->clot.thick <= 0) return;
    mask_clot(c, h);
    paint(c, h->clot.blood, 0, 1);
}

/* ---- head and brain --------------------------------------------------------------------------------------------- */

static void draw_skull(Canvas *c, const HeadCt *h)
{
    size_t n = (size_t)c->size * (size_t)c->size;
    for (size_t i = 0; i < n; i++) c->at[i] = AIR;
    mask_ring(c, h, -h->bone - h->scalp, -0.3 * h->bone);
    paint(c, SKIN, 0, 1);
    mask_ring(c, h, 2 - h->bone - h->scalp, -0.3 * h->bone);
    paint(c, FAT, 0, 1);
    for (int side = -1; side <= 1; side += 2) { /* the temporal muscles, thin at their ends */
        double xy[4 * N_CURVE], from = side < 0 ? DET_PI : 0;
        for (int i = 0; i < N_CURVE; i++) {
            double t = (double)i / (N_CURVE - 1), at = from + side * (4 - 56 * t) * DEGREE;
            put(xy, i, skull_inside(h, at, -h->bone));
            put(xy, 2 * N_CURVE - 1 - i, skull_inside(h, at, -h->bone - 3.2 * h->scalp * t * (1 - t)));
        }
        mask_polygon(c, xy, 2 * N_CURVE);
    }
    paint(c, FALX, 0.3, 0.9);
    mask_ring(c, h, -h->bone, -0.3 * h->bone);
    paint(c, BONE, 0, 1);
    mask_ring(c, h, 0, 0);
    paint(c, CSF + 6, 0, 1);
}

/* The ridges inside the forehead and the back of the head, where the falx is fixed. */
static void draw_crests(Canvas *c, const HeadCt *h)
{
    double edge[6], top = top_of(h);
    for (int end = -1; end <= 1; end += 2) {
        put(edge, 0, (Point){-5, end * (1 - top)});
        put(edge, 1, (Point){5, end * (1 - top)});
        put(edge, 2, (Point){0, end * (-4.5 - top)});
        mask_polygon(c, edge, 3);
    }
    paint(c, BONE, 0.3, 1);
}

/* Cortex, and white matter under it with a waving border; both lie deeper under a clot. */
static void draw_hemispheres(Canvas *c, const HeadCt *h, Rng *rng)
{
    double xy[2 * N_SKULL], spread = clot_spread(h), phase[3], gap = 0.8 + 2.6 * h->sulci;
    for (int i = 0; i < 3; i++) phase[i] = draw_between(rng, 0, 6.28);
    for (int i = 0; i < N_SKULL; i++) {
        double at = ring_angle(i), wave = det_sin(13 * at + phase[2]) * det_sin(7 * at + phase[1]);
        double push = clot_push(h, spread, at), film = push > 0.5 ? 0.3 : gap * (1 + 0.6 * wave);
        put(xy, i, skull_inside(h, at, film + push));
    }
    mask_polygon(c, xy, N_SKULL);
    paint(c, GRAY_MATTER, 0.3, 1);
    for (int i = 0; i < N_SKULL; i++) {
        double at = ring_angle(i), wave = det_sin(11 * at + phase[0]) + 0.8 * det_sin(17 * at + phase[1]);
        put(xy, i, skull_inside(h, at, gap + 8 + 2.2 * wave + 0.8 * clot_push(h, spread, at)));
    }
    mask_polygon(c, xy, N_SKULL);
    paint(c, WHITE, 1.3, 1);
}

/* Furrows from the surface inwards, bent, some with a branch; under a clot they are pressed shut. */
static void draw_sulci(Canvas *c, const HeadCt *h, Rng *rng)
{
    enum { SIDE = 14 };
    double spread = clot_spread(h), wide = 0.8 + 2.5 * h->sulci;
    for (int i = 0; i < 2 * SIDE; i++) {
        double at = ((double)(i % SIDE) * 12.3 - 80 + draw_between(rng, -5, 5)) * DEGREE;
        double deep = draw_between(rng, 6, 18), bend = draw_between(rng, -0.13, 0.13);
        double turn = draw_between(rng, -0.12, 0.12), fill = draw_between(rng, 0.55, 1);
        double from = i < SIDE ? at : DET_PI - at, branch = draw_between(rng, -0.25, 0.25);
        if (clot_push(h, 1.15 * spread, from) > 0.5) continue;
        Point mid = skull_inside(h, from + bend, 0.55 * deep), end = skull_inside(h, from + turn, deep);
        mask_fold(c, h, skull_inside(h, from, 0.5), mid, end, wide * fill, 1);
        if (deep > 12) mask_fold(c, h, end, end, skull_inside(h, from + turn + branch, deep + 2), 0.8 * wide * fill, 1);
    }
    paint(c, CSF, 0.45, 0.9);
}

/* The furrow over the insula on either side, from the surface inwards and then backwards. */
static void draw_sylvian(Canvas *c, const HeadCt *h)
{
    double spread = clot_spread(h), wide = 1.4 + 3.6 * h->sulci;
    for (int side = -1; side <= 1; side += 2) {
        double from = side < 0 ? 195 * DEGREE : -15 * DEGREE, push = clot_push(h, spread, from);
        double inner = h->width / 2 - 24 - 0.5 * push, shut = push > 0.5 ? 0.4 : 1;
        Point p = skull_inside(h, from, 1 + push), bend = {side * (inner + 8), p.y - 4};
        mask_fold(c, h, p, bend, (Point){side * inner, p.y + 2}, shut * wide, 1);
        mask_fold(c, h, (Point){side * inner, p.y + 1}, (Point){side * (inner - 3), p.y + 10},
                  (Point){side * (inner + 1), p.y + 22}, 0.8 * shut * wide, 1);
    }
    paint(c, CSF, 0.3, 0.9);
}

/* The cleft between the hemispheres, with cortex to its sides and the falx in it. */
static void draw_midline(Canvas *c, const HeadCt *h)
{
    double top = top_of(h), front = LEVEL - 0.6 * h->reach - 6, cleft = 1.4 + 3 * h->sulci;
    const double from[] = {top, 32}, to[] = {front, -top};
    const struct {
        double width, hu, soft, opacity;
    } LAYER[] = {{10, GRAY_MATTER, 1.2, 0.9}, {cleft + 1, CSF, 0.3, 0.8}, {1.3, FALX, 0, 1}};
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 2; i++) {
            double cap = LAYER[k].width / 2;
            Point a = {0, from[i] + cap}, b = {0, to[i] - cap}, mid = {0, (a.y + b.y) / 2};
            mask_fold(c, h, a, mid, b, LAYER[k].width, k == 2 ? 0.7 : 1);
        }
        paint(c, LAYER[k].hu, LAYER[k].soft, LAYER[k].opacity);
    }
    double sinus[6];
    put(sinus, 0, (Point){0, -top - 12});
    put(sinus, 1, (Point){4, -top - 3});
    put(sinus, 2, (Point){-4, -top - 3});
    mask_polygon(c, sinus, 3);
    paint(c, FALX, 0.4, 1);
}

/* Half the width of the horns on a side: the clot's side is squeezed, the other gives way. */
static double horn_half(const HeadCt *h, int side)
{
    bool near = h->clot.thick > 0 && (side < 0) == h->clot.right;
    double squeeze = h->shift > 14 ? 1 : h->shift / 14;
    return h->horns / 2 * (near ? 1 - 0.4 * squeeze : 1 + 0.1 * squeeze);
}

static void draw_nuclei(Canvas *c, const HeadCt *h)
{
    double back = LEVEL + 0.4 * h->reach;
    for (int side = -1; side <= 1; side += 2) {
        double w = horn_half(h, side);
        mask_blob(c, h, side * (0.45 * w + 6.5), LEVEL - 2, 6, 10, side * 22); /* caudate */
        mask_blob(c, h, side * (0.4 * w + 19), back + 1, 6.5, 13, side * -16); /* lentiform */
        mask_blob(c, h, side * 10, back + 17, 7.5, 12, side * -14);            /* thalamus */
    }
    paint(c, DEEP_GRAY, 1, 0.9);
}

/* A horn: along the septum forwards, in a bow to its widest place, and back along the hollow of the caudate, which
   flattens as the horn widens. */
static void mask_horn(Canvas *c, const HeadCt *h, int side)
{
    enum { N = 3 * N_CURVE };
    double w = horn_half(h, side), r = h->reach, fill = det_clamp((h->horns / h->width - 0.2) / 0.22, 0, 1), p[2 * N];
    double gap = 1.2, front = LEVEL - 0.60 * r, tip = LEVEL - 0.42 * r, low = LEVEL - 0.26 * r, back = LEVEL + 0.4 * r;
    double end = 2.5 + 0.16 * w + 2.5 * fill, hollow = w * (0.28 + 0.32 * fill);
    const double a[] = {gap, back}, b[] = {gap, LEVEL}, d[] = {gap, LEVEL - 0.38 * r}, bow[] = {w, front - 0.06 * r};
    const double e[] = {w, tip}, f[] = {w * 0.985, low}, g[] = {hollow, low + 0.2 * r}, z[] = {end, back};
    curve_points(p, N_CURVE, a, b, d);
    curve_points(p + 2 * N_CURVE, N_CURVE, d, bow, e);
    curve_points(p + 4 * N_CURVE, N_CURVE, f, g, z);
    double xy[2 * N];
    for (int i = 0; i < N; i++) put(xy, i, pushed(h, (Point){side * p[2 * i], p[2 * i + 1]}, 1));
    mask_polygon(c, xy, N);
}

static void draw_ventricles(Canvas *c, const HeadCt *h)
{
    double large = det_clamp((h->horns / h->width - 0.24) / 0.2, 0, 1), back = LEVEL + 0.4 * h->reach;
    for (int side = -1; side <= 1; side += 2) mask_horn(c, h, side);
    paint(c, CSF, 0, 1);
    mask_blob(c, h, 0, back + 13, 1 + 3 * large, 9, 0);
    for (int side = -1; side <= 1; side += 2) /* where the side ventricles turn backwards */
        mask_blob(c, h, side * (22 + 5 * large), back + 36, 3.5 + 5 * large, 11 + 3 * large, side * -24);
    paint(c, CSF, 0.3, 0.95);
    for (int side = -1; side <= 1; side += 2) /* chalk in their plexus, and the pineal gland's */
        mask_blob(c, h, side * (21 + 4 * large), back + 37, 1.2, 2.2, side * -24);
    mask_blob(c, h, 0, back + 26, 1.3, 1.3, 0);
    paint(c, 0.8 * BONE, 0.3, 0.9);
}

/* A head scan is given several times a body scan's dose: 0.3 of its noise. */
static void develop(Canvas *c, const Scanner *s, Rng *rng)
{
    Scanner head = *s;
    head.noise *= 0.3;
    ct_develop(c, &head, 40, 80, rng);
}

void head_ct_render(Canvas *c, const HeadCt *h, const Scanner *s, Rng *rng)
{
    Rng folds = h->folds;
    canvas_place(c, s->angle, s->zoom, 0, 0);
    draw_skull(c, h);
    draw_hemispheres(c, h, &folds);
    draw_sulci(c, h, &folds);
    draw_sylvian(c, h);
    draw_midline(c, h);
    draw_nuclei(c, h);
    draw_ventricles(c, h);
    draw_crests(c, h);
    draw_clot(c, h);
    develop(c, s, rng);
    canvas_text(c, 3, 3, 7, "R", GRAY(0.95)); /* the patient's right */
    canvas_scale_bar(c, 3, 109, 50 * HEAD_MM, "5 CM", GRAY(0.95));
    char told[16];
    snprintf(told, sizeof told, "H %d MM", det_floor(h->height + 0.5));
    if (h->height > 0) canvas_text(c, 110 - canvas_text_width(7, told), 103, 7, told, GRAY(0.95));
}
