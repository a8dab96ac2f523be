/*
 * ventricles and haematoma: Evans index, side, shape, thickness, length and midline shift are measured on the rendered
 * pictures, by means that know nothing of how they were drawn; mm come from the picture's own 5 cm bar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phantom/deterministic.h"
#include "phantom_cases.h"

typedef struct Slice {
    const Image *im;
    double mm;          /* per pixel */
    double x, y;        /* the middle of the skull's inside */
    double left, right; /* inner borders at the widest place */
    double brain, csf, clot /* grey values */;
} Slice;

/* The bar's line and end ticks are one unit wide and reach half a unit beyond its ends. */
static double find_scale(const Image *im)
{
    double k = im->w / 112.0, longest = 0;
    for (int y = (int)(106 * k); y < im->h; y++) {
        int from = -1, x = 0;
        for (; x < im->w * 0.4; x++)
            if (gray_at(im, x, y) > 120) from = from < 0 ? x : from;
            else if (from >= 0) break;
        if (from > 0 && x - from > longest)
            longest =
                x - from - 2 +
                (gray_at(im, from, y) + gray_at(im, x - 1, y) + gray_at(im, from - 1, y) + gray_at(im, x, y)) / 242.0;
    }
    return 50 / (longest - k);
}

/* From (x, y) outwards along (dx, dy): the distance in pixels at which the grey value first rises above `level`. */
static double rise(const Image *im, double x, double y, double dx, double dy, double level)
{
    double was = gray_between(im, x, y);
    for (double r = 0.25; r < im->w; r += 0.25) {
        double now = gray_between(im, x + r * dx, y + r * dy);
        if (now > level && was <= level) return r - 0.25 * (now - level) / (now - was);
        was = now;
    }
    return 0;
}

static Slice read_slice(const Image *im)
{
    Slice s = {.im = im, .mm = find_scale(im), .x = im->w * 0.5, .y = im->h * 0.48};
    for (int again = 0; again < 3; again++) {
        double l = rise(im, s.x, s.y + 6, -1, 0, 240), r = rise(im, s.x, s.y + 6, 1, 0, 240);
        double u = rise(im, s.x + 8 / s.mm, s.y, 0, -1, 240), d = rise(im, s.x + 8 / s.mm, s.y, 0, 1, 240);
        s.x += (r - l) / 2, s.y += (d - u) / 2;
    }
    double widest = 0, sorted[4096];
    for (double y = s.y - 30 / s.mm; y < s.y + 40 / s.mm; y += 1) {
        double l = rise(im, s.x, y, -1, 0, 200), r = rise(im, s.x, y, 1, 0, 200);
        if (l + r > widest) widest = l + r, s.left = s.x - l, s.right = s.x + r;
    }
    int n = 0;
    for (double y = -50; y < 60; y += 2)
        for (double x = -40; x < 40; x += 2, n++) sorted[n] = gray_between(im, s.x + x / s.mm, s.y + y / s.mm);
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    s.brain = sorted[n / 2];
    s.csf = sorted[n / 100];
    s.clot = fmin(s.brain + 115, 245);
    return s;
}

/* Mean over the heights y0 .. y1 mm from the middle, at x mm from it. */
static double gray_column(const Slice *s, double x, double y0, double y1)
{
    double sum = 0;
    int n = 0;
    for (double y = y0; y <= y1 + 1e-9; y += 1, n++) sum += gray_between(s->im, s->x + x / s->mm, s->y + y / s->mm);
    return sum / n;
}

/* ---- ventricles ------------------------------------------------------------------------------------------------- */

/* How far the dark of a horn reaches to a side, in a row of 3 mm: from its darkest place outwards. */
static double horn_reach(const Slice *s, double way, double y)
{
    double dark = 999, at = 0, was = 0, level = (s->csf + s->brain) / 2;
    for (double x = 1.5; x < 20; x += 0.5) {
        double g = gray_column(s, way * x, y - 1, y + 1);
        if (g < dark) dark = g, at = x;
    }
    if (dark > level) return 0;
    for (double x = at; x < 40; x += 0.25) {
        double now = gray_column(s, way * x, y - 1, y + 1);
        if (now > level && was <= level && x > at) return x - 0.25 * (now - level) / (now - was);
        was = now;
    }
    return 0;
}

static double measure_index(const Image *im)
{
    Slice s = read_slice(im);
    double widest = 0;
    for (double y = -48; y < -10; y += 1) {
        double l = horn_reach(&s, -1, y), r = horn_reach(&s, 1, y);
        if (l > 0 && r > 0 && l + r > widest) widest = l + r;
    }
    return widest / ((s.right - s.left) * s.mm);
}

static void check_index(int size, int cases, double most)
{
    double worst = 0, sum = 0;
    int n = 0;
    for (uint32_t i = 0; i < (uint32_t)cases; i++) {
        Case c;
        CaseSpec s = spec_of("ventricles", i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++, n++) {
            double truth = finding_of(&c, "Evans index", k)->value, off = measure_index(&c.image[k]) - truth;
            if (fabs(off) > worst) worst = fabs(off);
            sum += off;
            if (getenv("SHOW")) print_message("%s %.3f %.3f\n", c.id, truth, truth + off);
        }
        case_release(&c);
    }
    print_message("Evans index at %d: worst %.3f, mean %.4f of %d\n", size, worst, sum / n, n);
    assert_true(worst <= most);
}

static void test_evans_index_is_on_the_slice(void **state)
{
    (void)state;
    check_index(224, 50, 0.02);
    check_index(112, 60, 0.03);
}

/* ---- haematoma -------------------------------------------------------------------------------------------------- */

/* r mm from the middle in a direction, smoothed a little across it. */
static double gray_out(const Slice *s, double r, double dx, double dy)
{
    double sum = 0;
    for (int k = -1; k <= 1; k++)
        sum += gray_between(s->im, s->x + (r * dx - 1.5 * k * dy) / s->mm, s->y + (r * dy + 1.5 * k * dx) / s->mm) / 3;
    return sum;
}

/* mm of blood under the skull in a direction (angle 0: the picture's right): outwards to the white of the bone, then
   back to where it ends and to where the blood ends. */
static double blood_at(const Slice *s, double angle)
{
    double dx = cos(angle), dy = sin(angle), bone = (s->clot + 255) / 2, brain = (s->clot + s->brain) / 2, r = 40;
    while (r < 110 && (gray_out(s, r, dx, dy) < 253 || gray_out(s, r + 1, dx, dy) < 253)) r += 0.25;
    while (r > 30 && gray_out(s, r, dx, dy) > bone) r -= 0.25;
    double outer = r;
    while (r > 30 && gray_out(s, r, dx, dy) > brain) r -= 0.25;
    /* the skull is an ellipse about 1.26 times as long as wide: the ray is not quite across the blood */
    double nx = dx, ny = dy / (1.26 * 1.26);
    return (outer - r) * (dx * nx + dy * ny) / sqrt(nx * nx + ny * ny);
}

typedef struct Clot {
    double thick, wide, length; /* mm, degrees, mm */
    bool right;
} Clot;

static double direction(int i, int side)
{
    double degrees = 2.7 * (i - 30);
    return (side ? 180 - degrees : degrees) * DET_PI / 180;
}

/* From end to end along the bone, between directions i and j, where 0.45 of a lens's thickness is left: a parabola is
   that thick 0.74 of the way from its middle to its ends. */
static double measure_length(const Slice *s, int i, int j, int side)
{
    double x[2], y[2];
    for (int k = 0; k < 2; k++) {
        double at = direction(k ? j : i, side), dx = cos(at), dy = sin(at), r = 40;
        while (r < 110 && gray_out(s, r, dx, dy) < 253) r += 0.25;
        x[k] = r * dx, y[k] = r * dy;
    }
    return hypot(x[1] - x[0], y[1] - y[0]) / 0.74;
}

static Clot measure_clot(const Slice *s)
{
    Clot best = {0};
    for (int side = 0; side < 2; side++) {
        double at[61], median[61] = {0}, thick = 0;
        int from = 60, to = 0, wide = 0;
        for (int i = 0; i <= 60; i++) at[i] = blood_at(s, direction(i, side));
        for (int i = 1; i < 60; i++) {
            double three[] = {at[i - 1], at[i], at[i + 1]};
            qsort(three, 3, sizeof *three, by_size);
            median[i] = three[1];
            thick = fmax(thick, median[i]);
        }
        for (int i = 1; i < 60; i++) {
            if (median[i] < 0.45 * thick) continue;
            from = i < from ? i : from, to = i, wide++;
        }
        if (thick > best.thick) best = (Clot){thick, 2.7 * wide, measure_length(s, from, to, side), side == 1};
    }
    return best;
}

/* The head's own midline, along the longer axis of the bone's outer border; where it passes the height y mm from the
   slice's middle, in mm from there. */
static double midline_at(const Slice *s, double y)
{
    enum { RAYS = 180 };
    double px[RAYS], py[RAYS], mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int i = 0; i < RAYS; i++) {
        double dx = cos(i * 2 * DET_PI / RAYS), dy = sin(i * 2 * DET_PI / RAYS), r = 120;
        while (r > 50 && gray_out(s, r, dx, dy) < 200) r -= 0.25;
        px[i] = r * dx, py[i] = r * dy;
        mx += px[i] / RAYS, my += py[i] / RAYS;
    }
    for (int i = 0; i < RAYS; i++) {
        double dx = px[i] - mx, dy = py[i] - my;
        xx += dx * dx, yy += dy * dy, xy += dx * dy;
    }
    return mx + (y - my) * tan(0.5 * atan2(2 * xy, yy - xx));
}

/* mm from the midline to the bright line between the two dark horns. */
static double measure_shift(const Slice *s)
{
    double best = -1e9, at = 0;
    for (double x = -18; x <= 18; x += 0.25) {
        double sides = 0;
        for (double d = 2.5; d <= 4.5; d += 1)
            sides += fmax(gray_column(s, x - d, -21, -11), gray_column(s, x + d, -21, -11)) / 3;
        double ridge = gray_column(s, x, -21, -11) - sides, dark = s->brain - sides;
        double score = ridge + 1.5 * fmin(dark, 30);
        if (score > best) best = score, at = x;
    }
    return fabs(at - midline_at(s, -16));
}

static void check_clots(int size, int cases, double most_thick, double most_shift)
{
    double thick = 0, shift = 0, length = 0, mean_thick = 0, mean_shift = 0, mean_length = 0;
    int n = 0, sides = 0, shapes = 0, lenses = 0;
    for (uint32_t i = 0; i < (uint32_t)cases; i++) {
        Case c;
        CaseSpec spec = spec_of("haematoma", i, size);
        case_make(&c, &spec);
        for (int k = 0; k < c.images; k++, n++) {
            Slice s = read_slice(&c.image[k]);
            Clot clot = measure_clot(&s);
            bool right = !strcmp(finding_of(&c, "side", k)->word, "right");
            bool lens = !strcmp(finding_of(&c, "shape", k)->word, "lens");
            double t = clot.thick - finding_of(&c, "thickness", k)->value;
            double d = measure_shift(&s) - finding_of(&c, "midline shift", k)->value;
            if (lens) {
                double off = clot.length / finding_of(&c, "length", k)->value - 1;
                length += fabs(off) > 0.2, mean_length += off, lenses++;
            }
            if (getenv("SHOW"))
                print_message("%s %d %s %s thick %.0f %+.1f shift %.0f %+.1f wide %.0f, %.2f mm%s\n", c.id, k,
                              right ? "right" : "left", lens ? "lens" : "crescent",
                              finding_of(&c, "thickness", k)->value, t, finding_of(&c, "midline shift", k)->value, d,
                              clot.wide, s.mm, clot.right == right ? "" : " SIDE");
            sides += clot.right == right, shapes += (clot.wide < 92) == lens;
            thick = fmax(thick, fabs(t)), shift = fmax(shift, fabs(d));
            mean_thick += t, mean_shift += d;
        }
        case_release(&c);
    }
    print_message("haematoma at %d: thickness worst %.1f, mean %.2f; shift worst %.1f, mean %.2f; side %d, shape %d of "
                  "%d\n",
                  size, thick, mean_thick / n, shift, mean_shift / n, sides, shapes, n);
    print_message("length: mean %+.1f %%, %.0f of %d beyond 20 %%\n", 100 * mean_length / lenses, length, lenses);
    assert_true(length <= 0.2 * lenses && fabs(mean_length) < 0.15 * lenses);
    assert_int_equal(sides, n);
    assert_true(shapes >= n - n / 50);
    assert_true(thick <= most_thick);
    assert_true(shift <= most_shift);
}

static void test_clot_is_on_the_slice(void **state)
{
    (void)state;
    check_clots(224, 50, 2, 2);
    check_clots(112, 60, 3, 3);
}

/* The skull is as wide as stated; two pictures of one patient show one head, whatever the scanner did. */
static void test_skull_is_on_the_slice(void **state)
{
    (void)state;
    double worst = 0;
    for (uint32_t i = 0; i < 30; i++) {
        Case c;
        CaseSpec spec = spec_of("ventricles", i, 224);
        spec.level = 4;
        case_make(&c, &spec);
        assert_true(finding_of(&c, "inner skull", 0)->value - finding_of(&c, "inner skull", 1)->value == 0);
        for (int k = 0; k < c.images; k++) {
            Slice s = read_slice(&c.image[k]);
            double truth = finding_of(&c, "inner skull", k)->value, off = (s.right - s.left) * s.mm - truth;
            if (getenv("SHOW")) print_message("skull %.0f %+.2f at %.3f mm\n", truth, off, s.mm);
            worst = fmax(worst, fabs(off));
        }
        case_release(&c);
    }
    print_message("inner skull at 224: worst %.1f mm\n", worst);
    assert_true(worst <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evans_index_is_on_the_slice),
        cmocka_unit_test(test_clot_is_on_the_slice),
        cmocka_unit_test(test_skull_is_on_the_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
