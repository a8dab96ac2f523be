#include "phantom/chest_ct.h"

#include <math.h>

#include "base/err.h"
#include "phantom/deterministic.h"

#define MID      (CANVAS_UNITS / 2.0) /* the canvas point that is (0, 0) mm */
#define WHOLE    0.295                /* units a millimetre of the whole slice */
#define RAISED   20.5                 /* units that the slice lies above the picture's middle */
#define VIEW_X0  46.0                 /* the magnified view */
#define VIEW_X1  110.0
#define VIEW_Y0  71.5
#define VIEW_Y1  110.5
#define AIR      -1000.0
#define LUNG     -850.0
#define FAT      -100.0
#define MUSCLE   50.0
#define BONE     450.0
#define ROOT     3.2   /* vessels at the root of the lung are wider, mm */
#define BOXY     0.2   /* 0: outlines are ellipses */
#define CONTRAST 230.0 /* blood with contrast medium */

/* ---- anatomy ---------------------------------------------------------------------------------------------------- */

static void add_organ(ChestCt *ct, double x, double y, double rx, double ry, double angle, double hu)
{
    CHECK(ct->organs < CHEST_ORGANS, "more than %d organs", CHEST_ORGANS);
    ct->organ[ct->organs++] = (Organ){x, y, rx, ry, angle, hu};
}

static void add_heart(ChestCt *ct, Rng *rng)
{
    double size = draw_between(rng, 0.9, 1.06), tilt = draw_between(rng, 22, 34), x = draw_between(rng, 14, 20);
    add_organ(ct, 4, 26, 27, 27, 0, -80);
    add_organ(ct, x, -24, 64 * size, 47 * size, tilt, -60);
    add_organ(ct, x, -24, 61 * size, 44 * size, tilt, 110);
    add_organ(ct, x + 22, -18, 25 * size, 19 * size, tilt, CONTRAST);
    add_organ(ct, x - 14, -40, 30 * size, 14 * size, tilt, 200);
    add_organ(ct, x - 36, -22, 18 * size, 20 * size, 0, 190);
    add_organ(ct, x - 8, 6, 26 * size, 13 * size, 8, CONTRAST);
    add_organ(ct, -34, 12, 12, 6, -20, 210);
    add_organ(ct, 44, 17, 13, 6, 25, 210);
}

static void add_great_vessels(ChestCt *ct, Rng *rng)
{
    double aorta = draw_between(rng, 15, 18.5);
    add_organ(ct, 2, -52, 22, 34, 0, -80);
    add_organ(ct, 0, -10, 41, 44, 0, -70);
    add_organ(ct, 4, 26, 27, 27, 0, -80);
    add_organ(ct, -42, 4, 13, 12, 0, 190);
    add_organ(ct, 42, 6, 13, 12, 0, 190);
    add_organ(ct, -14, 0, 30, 9, 0, 210);
    add_organ(ct, 22, -22, 15, 20, -30, 210);
    add_organ(ct, -12, -24, aorta, aorta, 0, CONTRAST);
    add_organ(ct, -33, -18, 9, 10, 0, CONTRAST);
    add_organ(ct, -20, 17, 8.5, 7, -15, -960);
    add_organ(ct, 19, 19, 8, 6.5, 20, -960);
}

/* 0 in the middle of a rounded box, 1 at its border. */
static double box_radius(double u, double v)
{
    u *= u, v *= v;
    return sqrt((1 - BOXY) * (u + v) + BOXY * (u * u + v * v));
}

/* About how many millimetres (x, y) lies within the lung; below 0 outside. */
static double lung_room(const ChestCt *ct, double x, double y)
{
    double room = (1 - box_radius(x / ct->inner_w, y / ct->inner_h)) * ct->inner_h;
    for (int i = 0; i < ct->organs; i++) {
        const Organ *o = &ct->organ[i];
        double a = o->angle * (DET_PI / 180), dx = x - o->x, dy = y - o->y, cs = det_cos(a), sn = det_sin(a);
        double u = (dx * cs + dy * sn) / o->rx, v = (dy * cs - dx * sn) / o->ry;
        double off = (sqrt(u * u + v * v) - 1) * (o->rx < o->ry ? o->rx : o->ry);
        if (off < room) room = off;
    }
    double side = (x < 0 ? -x : x) - (y > 40 ? 24 + 0.7 * (y - 40) : y < -20 ? 8 : 0); /* spine, breastbone */
    return side < room ? side : room;
}

/* Its index; -1 where it would leave the lung. */
static int add_branch(ChestCt *ct, int parent, double x, double y, double x1, double y1, double width)
{
    if (lung_room(ct, x1, y1) < 4 || ct->branches == CHEST_BRANCHES) return -1;
    double *b = ct->branch[ct->branches];
    b[0] = x, b[1] = y, b[2] = x1, b[3] = y1, b[4] = width;
    ct->parent[ct->branches] = parent;
    return ct->branches++;
}

/* A vessel and its two branches, thinner each time, as long as they stay in the lung. */
static void grow_vessel(ChestCt *ct, int parent, double x, double y, double angle, double width, Rng *rng)
{
    double length = draw_between(rng, 12, 22) * (0.7 + 0.08 * width), cs = det_cos(angle), sn = det_sin(angle);
    /* the first part may have to leave the mediastinum */
    double most = width > ROOT ? length + 45 : length;
    while (length < most && lung_room(ct, x + length * cs, y + length * sn) < 4) length += 9;
    int at = add_branch(ct, parent, x, y, x + length * cs, y + length * sn, width);
    if (at < 0 || width < 1.2) return;
    double up = draw_between(rng, 0.15, 0.6), down = draw_between(rng, 0.15, 0.6), thin = draw_between(rng, 0.5, 0.62);
    grow_vessel(ct, at, x + length * cs, y + length * sn, angle - up, thin * width, rng);
    grow_vessel(ct, at, x + length * cs, y + length * sn, angle + down, (1.18 - thin) * width, rng);
}

/* Vessels fan out of the lung's root towards front, side and back; others cross the slice and show as dots. */
static void add_vessels(ChestCt *ct, Rng *rng)
{
    for (int way = -1; way <= 1; way += 2) {
        double x = (double)way * (ct->great_vessels ? 48 : 44), y = ct->great_vessels ? 6 : 18;
        for (int i = 0; i < 6; i++) {
            double a = -1.1 + 0.48 * (double)i + draw_between(rng, -0.12, 0.12);
            grow_vessel(ct, -1, x, y, way > 0 ? a : DET_PI - a, draw_between(rng, ROOT + 0.1, 4.8), rng);
        }
        for (int i = 0; i < 12 && ct->branches < CHEST_BRANCHES; i++) {
            double px = (double)way * draw_between(rng, 25, 115), py = draw_between(rng, -75, 75);
            double width = draw_between(rng, 1.2, 2.4), *b = ct->branch[ct->branches];
            if (lung_room(ct, px, py) < 8) continue;
            b[0] = px, b[1] = py, b[2] = px + 1, b[3] = py + 0.5, b[4] = width;
            ct->parent[ct->branches++] = -1;
        }
    }
}

ChestCt chest_ct_draw(Rng *rng)
{
    ChestCt ct = {.great_vessels = rng_below(rng, 2)};
    ct.half_w = draw_between(rng, 152, 166);
    ct.half_h = draw_between(rng, 104, 112);
    ct.fat = draw_between(rng, 6, 15);
    ct.inner_w = ct.half_w - ct.fat - draw_between(rng, 19, 24);
    ct.inner_h = ct.half_h - 0.6 * ct.fat - draw_between(rng, 15, 18);
    ct.rib = draw_between(rng, 0, 20);
    if (ct.great_vessels) add_great_vessels(&ct, rng);
    else add_heart(&ct, rng);
    double x = draw_between(rng, 19, 24), y = draw_between(rng, 31, 36), aorta = draw_between(rng, 11, 14);
    add_organ(&ct, 7, 33, 8, 6, 0, 40); /* gullet */
    add_organ(&ct, x, y, aorta, aorta, 0, CONTRAST);
    add_vessels(&ct, rng);
    return ct;
}

/* How well a place suits: the room there, or what is missing to the lesions before. */
static double place_merit(const ChestCt *ct, double x, double y, double room)
{
    double merit = lung_room(ct, x, y) - room;
    for (int i = 0; i < ct->lesions; i++) {
        double dx = x - ct->lesion[i].x, dy = y - ct->lesion[i].y, off = sqrt(dx * dx + dy * dy) - 50;
        if (off < merit) merit = off;
    }
    return merit < 0 ? merit : 0;
}

void chest_ct_add(ChestCt *ct, int side, double room, Rng *rng)
{
    CHECK(ct->lesions < CHEST_LESIONS, "more than %d lesions", CHEST_LESIONS);
    ChestLesion *l = &ct->lesion[ct->lesions];
    double best = -1e9;
    for (int i = 0; i < 60 && best < 0; i++) {
        double x = draw_between(rng, 20, 110) * (side ? 1 : -1), y = draw_between(rng, -65, 70);
        double merit = place_merit(ct, x, y, room);
        if (merit > best) best = merit, l->x = x, l->y = y;
    }
    l->length = 0;
    l->slim = draw_between(rng, 0.84, 0.96);
    l->angle = draw_between(rng, 0, 180);
    for (int k = 0; k < LESION_WAVES; k++) {
        l->wave[k] = draw_between(rng, 0, 0.022);
        l->phase[k] = draw_between(rng, 0, 2 * DET_PI);
    }
    ct->lesions++;
}

/* ---- painting --------------------------------------------------------------------------------------------------- */

/* What of the body the canvas can show. */
typedef struct Sight {
    double x, y, reach; /* mm */
} Sight;

static bool in_sight(const Sight *v, double x, double y, double r)
{
    double dx = x - v->x, dy = y - v->y, far = v->reach + r;
    return dx * dx + dy * dy < far * far;
}

static void paint_oval(Canvas *c, const Sight *v, const Organ *o)
{
    if (!in_sight(v, o->x, o->y, o->rx > o->ry ? o->rx : o->ry)) return;
    mask_ellipse(c, MID + o->x, MID + o->y, o->rx, o->ry, o->angle);
    canvas_paint(c, GRAY(o->hu), 1);
}

/* The point of a rounded box's border at angle a (radians), `grow` mm outside it. */
static void box_point(double half_w, double half_h, double grow, double a, double out[2])
{
    double cs = det_cos(a), sn = det_sin(a), u = cs / half_w, v = sn / half_h;
    double two = (1 - BOXY) * (u * u + v * v), four = BOXY * (u * u * u * u + v * v * v * v);
    /* four r^4 + two r^2 = 1 */
    double r = sqrt((sqrt(two * two + 4 * four) - two) / (2 * four)) + grow;
    out[0] = r * cs, out[1] = r * sn;
}

static void paint_box(Canvas *c, double half_w, double half_h, double hu)
{
    enum { N = 48 };
    double xy[2 * N];
    for (int i = 0; i < N; i++) {
        box_point(half_w, half_h, 0, 2 * DET_PI * (double)i / N, &xy[2 * i]);
        xy[2 * i] += MID, xy[2 * i + 1] += MID;
    }
    mask_polygon(c, xy, N);
    canvas_paint(c, GRAY(hu), 1);
}

/* The wall behind the lungs thickens towards the spine. */
static void paint_back(Canvas *c, const ChestCt *ct)
{
    double low = ct->inner_h + 1;
    const double xy[] = {MID - 17, MID + 40,  MID + 17, MID + 40,  MID + 25, MID + 60, MID + 36, MID + 70,
                         MID + 52, MID + low, MID - 52, MID + low, MID - 36, MID + 70, MID - 25, MID + 60};
    mask_polygon(c, xy, 8);
    canvas_paint(c, GRAY(MUSCLE), 1);
}

/* Ribs run obliquely through the slice: flat ovals along the wall, harder outside. */
static void paint_ribs(Canvas *c, const ChestCt *ct, const Sight *v)
{
    for (int i = 0; i < 16; i++) {
        double way = i < 8 ? 1 : -1, degrees = -72 + ct->rib + 19.5 * (double)(i % 8);
        double a = degrees * (DET_PI / 180), at[2], next[2];
        box_point(ct->inner_w, ct->inner_h, 7, a, at);
        box_point(ct->inner_w, ct->inner_h, 7, a + 0.05, next);
        double turn = det_atan2(next[1] - at[1], way * (next[0] - at[0])) * (180 / DET_PI);
        Organ rib = {way * at[0], at[1], 10 + (double)(i % 3) * 2, 4.4, turn + way * 6, BONE + 200};
        paint_oval(c, v, &rib);
        rib.rx -= 2.6, rib.ry -= 2, rib.hu = 150;
        paint_oval(c, v, &rib);
    }
}

static void mask_pair(Canvas *c, double x0, double y0, double x1, double y1, double width)
{
    mask_line(c, MID + x0, MID + y0, MID + x1, MID + y1, width);
    mask_line(c, MID - x0, MID + y0, MID - x1, MID + y1, width);
}

static void paint_bones(Canvas *c, const ChestCt *ct, const Sight *v)
{
    Organ sternum = {0, -ct->inner_h - 5, 19, 5.5, 0, 300}, vertebra = {0, 53, 18, 14.5, 0, 330};
    Organ canal = {0, 73.5, 9, 7, 0, 20};
    paint_ribs(c, ct, v);
    paint_oval(c, v, &sternum);
    mask_pair(c, 14, 62, 19, 73, 7);
    mask_pair(c, 15, 74, 0, 85, 5.5);
    mask_pair(c, 17, 73, 37, 79, 6.5);
    mask_pair(c, 0, 85, 0, 98, 6);
    if (ct->great_vessels) mask_pair(c, ct->inner_w + 8, 18, 0.74 * ct->inner_w, ct->inner_h - 3, 5); /* scapula */
    canvas_paint(c, GRAY(BONE), 1);
    paint_oval(c, v, &vertebra);
    paint_oval(c, v, &canal);
}

static bool near_lesion(const ChestCt *ct, const double *b)
{
    double mx = (b[0] + b[2]) / 2, my = (b[1] + b[3]) / 2, dx = b[2] - b[0], dy = b[3] - b[1];
    double half = sqrt(dx * dx + dy * dy) / 2;
    for (int i = 0; i < ct->lesions; i++) {
        const ChestLesion *l = &ct->lesion[i];
        double ex = l->x - mx, ey = l->y - my, r = l->length / 2, far;
        if (i == 0 && r < 6) r = 6; /* nothing takes the place of one that has gone */
        far = half + r + b[4] + 2;
        if (r > 0 && ex * ex + ey * ey < far * far) return true;
    }
    return false;
}

/* Bent by a part of its length and tapering to the width of its branches. */
static void mask_vessel(Canvas *c, const double b[5], double bend)
{
    enum { N = 6 };
    const double from[] = {MID + b[0], MID + b[1]}, to[] = {MID + b[2], MID + b[3]};
    double dx = to[0] - from[0], dy = to[1] - from[1], line[2 * N], xy[4 * N];
    const double mid[] = {(from[0] + to[0]) / 2 - bend * dy, (from[1] + to[1]) / 2 + bend * dx};
    double length = sqrt(dx * dx + dy * dy), end = b[4] < 1.2 ? 0.2 : 0.6;
    curve_points(line, N, from, mid, to);
    for (int i = 0; i < N; i++) {
        double half = b[4] / 2 * (1 - (1 - end) * (double)i / (N - 1)) / length;
        int far = 2 * N - 1 - i;
        xy[2 * i] = line[2 * i] - half * dy, xy[2 * i + 1] = line[2 * i + 1] + half * dx;
        xy[2 * far] = line[2 * i] + half * dy, xy[2 * far + 1] = line[2 * i + 1] - half * dx;
    }
    mask_polygon(c, xy, 2 * N);
    mask_ellipse(c, from[0], from[1], b[4] / 2, b[4] / 2, 0);
}

static void paint_vessels(Canvas *c, const ChestCt *ct, const Sight *v)
{
    bool gone[CHEST_BRANCHES]; /* a lesion takes its place, and with it goes all that springs from it */
    for (int i = 0; i < ct->branches; i++) {
        const double *b = ct->branch[i];
        gone[i] = near_lesion(ct, b) || (ct->parent[i] >= 0 && gone[ct->parent[i]]);
        if (gone[i] || !in_sight(v, b[0], b[1], 40)) continue;
        mask_vessel(c, b, i % 2 ? 0.14 : -0.14);
        canvas_paint(c, GRAY(0), b[4] > 2 ? 0.9 : 0.3 + 0.3 * b[4]); /* thin ones fill less of the slice's thickness */
    }
}

static void paint_lesion(Canvas *c, const ChestLesion *l, const Sight *v)
{
    enum { N = 48 };
    double xy[2 * N], turn = l->angle * (DET_PI / 180), cs = det_cos(turn), sn = det_sin(turn);
    if (l->length <= 0 || !in_sight(v, l->x, l->y, l->length)) return;
    for (int i = 0; i < N; i++) {
        double a = 2 * DET_PI * (double)i / N, r = l->length / 2;
        for (int k = 0; k < LESION_WAVES; k++) r *= 1 + l->wave[k] * det_cos((double)(3 + k) * a + l->phase[k]);
        double u = r * det_cos(a), w = r * l->slim * det_sin(a);
        xy[2 * i] = MID + l->x + u * cs - w * sn;
        xy[2 * i + 1] = MID + l->y + u * sn + w * cs;
    }
    mask_polygon(c, xy, N);
    canvas_paint(c, GRAY(30), 1);
}

static void paint_slice(Canvas *c, const ChestCt *ct, Sight v)
{
    paint_box(c, ct->half_w, ct->half_h, FAT);
    paint_box(c, ct->half_w - ct->fat, ct->half_h - 0.6 * ct->fat, MUSCLE);
    paint_box(c, ct->inner_w, ct->inner_h, LUNG);
    paint_vessels(c, ct, &v);
    if (in_sight(&v, 0, 70, 60)) paint_back(c, ct);
    if (in_sight(&v, 0, -65, 40)) {
        mask_line(c, MID, MID - ct->inner_h, MID, MID - 30, 9);
        canvas_paint(c, GRAY(FAT), 1);
    }
    for (int i = 0; i < ct->organs; i++) paint_oval(c, &v, &ct->organ[i]);
    paint_bones(c, ct, &v);
    for (int i = 0; i < ct->lesions; i++) paint_lesion(c, &ct->lesion[i], &v);
}

/* ---- the picture ------------------------------------------------------------------------------------------------ */

static void mask_rectangle(Canvas *c, double x0, double y0, double x1, double y1)
{
    const double xy[] = {x0, y0, x1, y0, x1, y1, x0, y1};
    mask_polygon(c, xy, 4);
}

/* Everything around the magnified view: air, and black beside it. */
static void clear_around(Canvas *c)
{
    canvas_place(c, 0, 1, 0, 0);
    mask_rectangle(c, 0, 0, CANVAS_UNITS, VIEW_Y0);
    canvas_paint(c, GRAY(AIR), 1);
    mask_rectangle(c, 0, VIEW_Y0 - 1, VIEW_X0, CANVAS_UNITS);
    mask_rectangle(c, VIEW_X1, VIEW_Y0 - 1, CANVAS_UNITS, CANVAS_UNITS);
    mask_rectangle(c, 0, VIEW_Y1, CANVAS_UNITS, CANVAS_UNITS);
    canvas_paint(c, GRAY(-1300), 1);
}

static void paint_frame(Canvas *c, double x0, double y0, double x1, double y1, double width, double opacity)
{
    mask_line(c, x0, y0, x1, y0, width);
    mask_line(c, x1, y0, x1, y1, width);
    mask_line(c, x1, y1, x0, y1, width);
    mask_line(c, x0, y1, x0, y0, width);
    canvas_paint(c, GRAY(0.95), opacity);
}

void chest_ct_render(Canvas *c, const ChestCt *ct, const ChestView *view, const Scanner *s, Rng *rng)
{
    const double k = view->magnification * s->zoom, w = (VIEW_X1 - VIEW_X0) / 2, h = (VIEW_Y1 - VIEW_Y0) / 2;
    const ChestLesion *l = &ct->lesion[0];
    CHECK(ct->lesions > 0, "nothing to magnify");
    canvas_place(c, 0, k, VIEW_X0 + w - MID - k * l->x, VIEW_Y0 + h - MID - k * l->y);
    paint_slice(c, ct, (Sight){l->x, l->y, sqrt(w * w + h * h) / k});
    clear_around(c);
    canvas_place(c, s->angle, WHOLE * s->zoom, 0, -RAISED);
    paint_slice(c, ct, (Sight){0, 0, 1000});

    Scanner sharp = *s; /* the lung kernel is sharp: four times the noise of a soft one */
    sharp.noise *= 4;
    ct_develop(c, &sharp, -500, 1500, rng);
    double x = MID + l->x, y = MID + l->y;
    paint_frame(c, x - w / k, y - h / k, x + w / k, y + h / k, 2, 0.7);
    canvas_place(c, 0, 1, 0, 0);
    paint_frame(c, VIEW_X0, VIEW_Y0, VIEW_X1, VIEW_Y1, 0.8, 1);
    canvas_text(c, 2, 2, 7, "R", GRAY(0.95)); /* the marker of the patient's right */
    canvas_place(c, 0, k, 0, 0);
    canvas_scale_bar(c, 6, 104, view->bar, view->label, GRAY(0.95));
}

void chest_ct_think_side(Case *c, Thought *h, const char *what, bool left)
{
    const char *side = left ? "left" : "right", *seen = left ? "right" : "left";
    const char *const lung[] = {case_say(c, "a %s in the right lung", what),
                                case_say(c, "a %s in the left lung", what)};
    h->problem = case_say(c, "the side of the %s", what);
    h->rule = "The patient's left is at the right edge of the slice.";
    thought_step(h, case_say(c, "The box lies towards the %s edge, which is the patient's %s.", seen, side));
    thought_candidates(h, lung, 2, left, case_say(c, "it lies towards the %s edge", seen),
                       "that lung shows vessels only");
    h->check = "The R marks the patient's right.";
    h->conclusion = case_say(c, "The %s is in the %s lung.", what, side);
}
