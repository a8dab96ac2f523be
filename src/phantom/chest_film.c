#include "phantom/chest_film.h"

#include <math.h>
#include <stddef.h>

#include "phantom/deterministic.h"

ChestFilm chest_film_draw(Rng *rng, double infant)
{
    ChestFilm f = {.infant = infant};
    f.axis = draw_between(rng, 54.5, 57.5);
    f.half = draw_between(rng, 39, 44);
    f.apex = draw_between(rng, 12, 16) + 5 * infant;
    f.dome = draw_between(rng, 83, 89) - 4 * infant;
    f.widest = f.dome - draw_between(rng, 9, 13);
    f.tilt = draw_between(rng, 28, 40) - 8 * infant;
    f.slope = draw_between(rng, 5, 9) * (1 - 0.7 * infant);
    f.muscle = draw_between(rng, 0.9, 1.1);
    return f;
}

/* sqrt sqrt: the depth of a body with flat faces, t = 1 in the middle, 0 outside. */
static double boxy(double rest)
{
    return rest > 0 ? sqrt(sqrt(rest)) : 0;
}

/* How far, squared and relative, (x, y) is from the inside of the chest: 0 middle, 1 inner border of the ribs. */
static double chest_rest(const ChestFilm *f, double x, double y)
{
    double u = (x - f->axis) / f->half, v = y < f->widest ? (f->widest - y) / (f->widest - f->apex) : 0;
    return 1 - u * u - v * v * v;
}

/* The height of the diaphragm at x: one dome a side, the liver's higher, falling to the angle at the ribs. */
static double dome_height(const ChestFilm *f, double x)
{
    double side = x - f->axis, way = f->mirrored ? -1 : 1;
    double low = 3.5 * det_step(way * side, -7, 7);
    double off = (side < 0 ? -side : side) / f->half - 0.42;
    return f->dome + low + (off > 0 ? 38 : 4) * off * off;
}

typedef struct Heart {
    Ellipsoid body, atrium;
    double waist, spread,
        level; /* half width of the great vessels, how much wider they get down to the heart's level */
} Heart;

/* Three fifths of the width lie on the apex's side.  The tilted ellipse has the horizontal half width
   sqrt(rx^2 cos^2 + ry^2 sin^2) and carries the whole width; the atrium stays within.  What a reader takes for the
   border, the steepest place of a round body's edge, lies 1 % within it. */
static Heart heart_of(const ChestFilm *f)
{
    double width = 1.01 * f->ratio * 2 * f->half, way = f->mirrored ? -1 : 1, a = f->tilt * (DET_PI / 180);
    double cs = det_cos(a), sn = det_sin(a), slim = 0.72 + 0.1 * f->infant;
    double rx = width / 2 / sqrt(cs * cs + slim * slim * sn * sn);
    double y = f->dome - 0.62 * rx - 0.5;
    Heart h;
    h.body = (Ellipsoid){.x = f->axis + way * width * 0.11, .y = y, .rx = rx, .ry = slim * rx, .boxy = true};
    ellipsoid_turn(&h.body, way * f->tilt);
    h.atrium = (Ellipsoid){
        .x = f->axis - way * width * 0.16, .y = y + 0.05 * rx, .rx = width * 0.20, .ry = rx * 0.62, .boxy = true};
    h.waist = 6.5 + 2 * f->infant, h.spread = 0.17 * width, h.level = y;
    return h;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

/* Soft tissue of heart and great vessels at (x, y), 0 .. 1, and the knob of the aorta. */
static double heart_depth(const Heart *h, const ChestFilm *f, double x, double y)
{
    double way = f->mirrored ? -1 : 1;
    Ellipsoid knob = {.x = f->axis + way * 6.5, .y = f->apex + 21, .rx = 4.6, .ry = 4.6, .boxy = true};
    double d = greater(ellipsoid_depth(&h->body, x, y), 0.92 * ellipsoid_depth(&h->atrium, x, y));
    double wide = h->waist + h->spread * det_step(y, f->apex + 14, h->level), u = (x - f->axis - way * 1.5) / wide;
    d = greater(d, y < h->level ? 0.8 * boxy(1 - u * u) : 0);
    return greater(d, 0.6 * (1 - f->infant) * ellipsoid_depth(&knob, x, y));
}

/* Spine: bodies and the darker discs between them, and the windpipe's air in front of it. */
static double spine_depth(const ChestFilm *f, double x, double y)
{
    double u = (x - f->axis) / 6.2, rest = 1 - u * u;
    if (rest <= 0) return 0;
    double disc = det_sin(y * (2 * DET_PI / 6.8));
    return boxy(rest) * (0.19 - 0.05 * disc * disc * disc);
}

static double windpipe(const ChestFilm *f, double x, double y)
{
    double u = (x - f->axis) / 2.8;
    if (u * u >= 1 || y > f->apex + 26) return 0;
    return 0.22 * sqrt(1 - u * u) * (1 - det_step(y, f->apex + 20, f->apex + 26));
}

/* ---- pneumothorax ----------------------------------------------------------------------------------------------- */

double chest_film_hilum(const ChestFilm *f)
{
    return f->apex + 0.47 * (f->dome - f->apex);
}

/* The inner border of the ribs at height y, from the axis. */
static double half_at(const ChestFilm *f, double y)
{
    double v = y < f->widest ? (f->widest - y) / (f->widest - f->apex) : 0, rest = 1 - v * v * v;
    return rest > 0 ? f->half * sqrt(rest) : 0;
}

/* The top of the collapsed lung: an upright patient's air gathers above it. */
static double lung_apex(const ChestFilm *f)
{
    return f->apex + 1.4 * f->rim;
}

/* The edge of the collapsed lung at height y, from the axis: the shape of the chest, lower and slimmer, so that the gap
   at the hilum is the rim, and about half as much at the diaphragm.  A reader takes the steepest place of the chest
   wall's edge for its border, 1 % within it, so the lung's edge lies as much within. */
static double lung_edge(const ChestFilm *f, double y)
{
    double hilum = chest_film_hilum(f), high = f->widest - lung_apex(f);
    double v = y < f->widest ? (f->widest - y) / high : 0, at = (f->widest - hilum) / high;
    double rest = 1 - v * v * v;
    if (rest <= 0) return 0;
    double slim = (0.99 * half_at(f, hilum) - f->rim) / sqrt(1 - at * at * at);
    return (slim + (f->half - 0.5 * f->rim - slim) * det_step(y, hilum, f->dome)) * sqrt(rest);
}

/* 1 in the rim of air, 0 in the lung. */
static double rim_at(const ChestFilm *f, double x, double y, double fine)
{
    double off = f->rim_way * (x - f->axis);
    return f->rim > 0 && off > 0 ? det_clamp((off - lung_edge(f, y)) * fine + 0.5, 0, 1) : 0;
}

/* The visceral pleura, a thin white line where the lung ends. */
static void add_pleura(Canvas *c, const ChestFilm *f)
{
    enum { N = 33 };
    double xy[2 * N], top = lung_apex(f) + 0.02;
    int n = 0;
    for (int i = 0; i < N; i++) {
        double t = (double)i / (N - 1), y = top + (f->dome + 12 - top) * t * t; /* closer at the round top */
        double edge = lung_edge(f, y), x = f->axis + f->rim_way * edge;
        if (edge < 8) continue; /* hidden by the mediastinum */
        if (y > dome_height(f, x)) break;
        xy[2 * n] = x, xy[2 * n + 1] = y, n++;
    }
    mask_polyline(c, xy, n, 0.8);
    mask_blur(c, 0.25);
    canvas_add(c, GRAY(0.30));
}

/* Takes what was gathered in the mask out of the rim: vessels end at the pleura. */
static void keep_rim_free(Canvas *c, const ChestFilm *f)
{
    for (int py = c->y0; py < c->y1; py++)
        for (int px = c->x0; px < c->x1; px++) {
            double x, y;
            canvas_unit(c, px, py, &x, &y);
            c->mask[(size_t)py * (size_t)c->size + (size_t)px] *= 1 - rim_at(f, x, y, c->scale * c->zoom);
        }
}

/* ---- soft tissue ------------------------------------------------------------------------------------------------ */

/* The outside of the body: neck, shoulders, flanks. */
static double wall_depth(const ChestFilm *f, double x, double y)
{
    double out = 15 + 46 * det_step(y, 2, 24 + 4 * f->infant) - 4 * det_step(y, 60, 112);
    double u = (x - f->axis) / out;
    return boxy(1 - u * u * u * u);
}

/* Attenuation of everything but bones and vessels. */
static double soft_tissue(const ChestFilm *f, const Heart *h, double x, double y, double fine)
{
    double wall = wall_depth(f, x, y);
    if (wall <= 0) return 0;
    double above = det_clamp((dome_height(f, x) - y) * fine + 0.5, 0, 1);
    double air = 0.92 * boxy(chest_rest(f, x, y)) * above;
    double heart = heart_depth(h, f, x, y);
    double a = 1.62 * f->muscle * wall + 0.16 * (1 - above) + spine_depth(f, x, y);
    a -= air * (1 - 0.86 * heart);
    if (f->rim > 0 && f->rim_way * (x - f->axis) > 0) {
        /* free air absorbs nothing; the lung beside it holds less air than before */
        double rim = rim_at(f, x, y, fine);
        a -= (0.17 * rim - 0.008 * f->rim * (1 - rim)) * air * (1 - heart);
    }
    return a - windpipe(f, x, y) + 0.12 * heart * above;
}

/* ---- bones and vessels ------------------------------------------------------------------------------------------ */

static void add_rib(Canvas *c, const ChestFilm *f, double y, double way)
{
    enum { N = 9 };
    double xy[2 * N], end = half_at(f, y + f->slope) + 0.8;
    if (end < 10) return;
    const double from[2] = {f->axis + way * 4, y}, bend[2] = {f->axis + way * end * 0.8, y - 3.5};
    const double to[2] = {f->axis + way * end, y + f->slope};
    curve_points(xy, N, from, bend, to);
    mask_polyline(c, xy, N, 2.7);
    mask_blur(c, 0.45);
    canvas_add(c, GRAY(0.14));
    for (int i = 0; i < N; i++) xy[2 * i + 1] += 1.1;
    mask_polyline(c, xy, N, 0.6);
    mask_blur(c, 0.35);
    canvas_add(c, GRAY(0.07));
    /* the front part: from the side down towards the breastbone, fainter, cartilage unseen */
    const double side[2] = {f->axis + way * end, y + f->slope}, low[2] = {f->axis + way * end * 0.9, y + f->slope + 9};
    const double front[2] = {f->axis + way * end * 0.46, y + f->slope * 1.9 + 7};
    curve_points(xy, N, side, low, front);
    mask_polyline(c, xy, N, 2.6);
    mask_blur(c, 0.6);
    canvas_add(c, GRAY(0.07));
}

static void add_clavicle(Canvas *c, const ChestFilm *f, double way)
{
    enum { N = 9 };
    double xy[2 * N], y = f->apex + 6 - 2 * f->infant;
    const double from[2] = {f->axis + way * 4.5, y + 2}, bend[2] = {f->axis + way * 22, y - 1};
    const double to[2] = {f->axis + way * 47, y - 7};
    curve_points(xy, N, from, bend, to);
    mask_polyline(c, xy, N, 3);
    mask_blur(c, 0.5);
    canvas_add(c, GRAY(0.16));
}

/* Vessels fan out from the hilum, branching twice, thinner with each branch. */
static void add_vessels(Canvas *c, const ChestFilm *f, double way, Rng *rng)
{
    double x0 = f->axis + way * 9.5, y0 = chest_film_hilum(f) + (way < 0 ? 1.5 : 0);
    for (int i = 0; i < 7; i++) {
        double angle = draw_between(rng, -0.15, 0.15) + 0.42 * (double)(i - 3), len = draw_between(rng, 10, 15);
        double x1 = x0 + way * len * det_cos(angle), y1 = y0 + len * det_sin(angle) * 1.5;
        mask_line(c, x0, y0, x1, y1, 1.5);
        for (int k = 0; k < 2; k++) {
            double turn = angle + draw_between(rng, 0.1, 0.6) * (k ? 1 : -1), more = draw_between(rng, 5, 9);
            mask_line(c, x1, y1, x1 + way * more * det_cos(turn), y1 + more * det_sin(turn), 0.8);
        }
    }
    mask_ellipse(c, x0, y0, 3.4, 5.5, way * 12);
    mask_blur(c, 0.9);
    if (f->rim > 0 && way * f->rim_way > 0) keep_rim_free(c, f);
    canvas_add(c, GRAY(0.13));
}

void chest_film_render(Canvas *c, const ChestFilm *f, const Scanner *s, Rng *rng)
{
    Heart h = heart_of(f);
    canvas_place(c, s->angle, s->zoom, 0, 0);
    for (int py = 0; py < c->size; py++)
        for (int px = 0; px < c->size; px++) {
            double x, y;
            canvas_unit(c, px, py, &x, &y);
            c->at[(size_t)py * (size_t)c->size + (size_t)px] = soft_tissue(f, &h, x, y, c->scale * c->zoom);
        }
    for (double way = -1; way <= 1; way += 2) {
        for (int i = 0; i < 9; i++) add_rib(c, f, f->apex + 4 + (7.4 - 0.6 * f->infant) * (double)i, way);
        add_clavicle(c, f, way);
        add_vessels(c, f, way, rng);
    }
    if (f->rim > 0) add_pleura(c, f);
    film_develop(c, s, 0.30, 2.15, rng);
    canvas_text(c, 3, 3, 7, "R", GRAY(0.95)); /* the marker of the patient's right */
}
