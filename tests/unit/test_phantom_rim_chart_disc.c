/*
 * Pneumothorax, growth and optic disc of the phantom clinic: what the cases state is measured on the rendered pictures
 * (rim and scale bar, points against the axes, cup and disc).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phantom_cases.h"

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

/* ---- pneumothorax ----------------------------------------------------------------------------------------------- */

/* The place in [from, to) of the steepest rise (sign 1) or fall (-1) of a line of n values. */
static double steepest(const double *v, int from, int to, double sign)
{
    double slope[896], best = -1e9;
    int at = from;
    for (int i = from - 1; i <= to; i++) slope[i] = sign * (v[i + 2] + v[i + 1] - v[i - 1] - v[i - 2]);
    for (int i = from; i < to; i++)
        if (slope[i] > best) best = slope[i], at = i;
    double bend = slope[at - 1] - 2 * slope[at] + slope[at + 1];
    return at + 0.5 + (bend < 0 ? fmin(fmax((slope[at - 1] - slope[at + 1]) / (2 * bend), -1), 1) : 0);
}

/* Five centimetres in pixels, off the bar at the bottom left: the sum of what it covers. */
static double measure_bar(const Image *im)
{
    double k = im->w / 112.0, sum = 0;
    int y = (int)(107.5 * k), from = (int)(11 * k), to;
    while (from < im->w && gray_at(im, from, y) > 100) from++;
    for (to = from; to < im->w && gray_at(im, to, y) <= 100; to++) continue;
    for (int x = from - 2; x < to + 2; x++) {
        double light = gray_at(im, x < (from + to) / 2 ? from - 3 : to + 2, y), dark = gray_at(im, from + 3, y);
        sum += fmin(fmax((light - gray_at(im, x, y)) / (light - dark), 0), 1);
    }
    return sum - k; /* its ticks are one unit wide */
}

/* Top of the lung and dome in a strip of columns `way` of the middle give the hilum's height. */
static double find_hilum(const Image *im, double way)
{
    double column[896], k = im->w / 112.0;
    for (int y = 0; y < im->h; y++) {
        column[y] = 0;
        for (int i = -3; i <= 3; i++) column[y] += gray_between(im, im->w / 2.0 + way * (18 + i) * k, y + 0.5) / 7;
    }
    double top = steepest(column, (int)(8 * k), (int)(36 * k), -1);
    double dome = steepest(column, (int)(72 * k), (int)(100 * k), 1);
    return top - 2.1 * k + 0.47 * (dome - top);
}

/* The distance from the wall to the sharpest bright line in the lung, and how sharp it is. */
static double rim_in_row(const Image *im, double y, double way, double *sharp)
{
    double row[896], k = im->w / 112.0, d = 1.5 * k, wall = 0, at = 0;
    int n = im->w / 2;
    for (int i = 0; i < n; i++) /* inwards */
        row[i] = gray_between(im, way < 0 ? i + 0.5 : im->w - i - 0.5, y);
    wall = steepest(row, (int)(6 * k), (int)(30 * k), -1);
    *sharp = 0;
    for (double x = wall + 1.6 * k; x < wall + 19 * k && x < n - d - 2; x += 0.1) {
        double mid = gray_between(im, way < 0 ? x : im->w - x, y);
        double out = gray_between(im, way < 0 ? x - d : im->w - x + d, y);
        double in = gray_between(im, way < 0 ? x + d : im->w - x - d, y);
        double high = mid - fmax(out, in);
        if (high > *sharp) *sharp = high, at = x;
    }
    return at - wall;
}

static double measure_rim(const Image *im, double way, double *sharp)
{
    double off[15], high[15], k = im->w / 112.0, y = find_hilum(im, -way);
    for (int i = 0; i < 15; i++) off[i] = rim_in_row(im, y + 0.5 * (i - 7) * k, way, &high[i]);
    *sharp = median(high, 15);
    return 5 * median(off, 15) / measure_bar(im);
}

static void check_rims(int size)
{
    double worst = 0, sum = 0;
    int n = 0;
    for (uint32_t i = 0; i < 60; i++) {
        Case c;
        CaseSpec s = spec_of("pneumothorax", i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++) {
            const Finding *rim = finding_of(&c, "rim of air at the hilum", k);
            double sharp[2], wide[2];
            for (int side = 0; side < 2; side++) wide[side] = measure_rim(&c.image[k], side ? 1 : -1, &sharp[side]);
            int seen = sharp[1] > sharp[0];
            if (!rim) {
                assert_true(sharp[seen] < 5); /* no line anywhere */
                continue;
            }
            assert_true(sharp[seen] > 7);
            assert_string_equal(finding_of(&c, "pneumothorax on the patient's", k)->word, seen ? "left" : "right");
            double off = wide[seen] - rim->value;
            worst = fmax(worst, fabs(off)), sum += off, n++;
        }
        case_release(&c);
    }
    print_message("pneumothorax at %d: worst %.2f cm, mean %.3f of %d\n", size, worst, sum / n, n);
    assert_true(worst <= 0.3);
}

static void test_rim_is_on_the_film(void **state)
{
    (void)state;
    check_rims(224);
    check_rims(112);
}

/* ---- growth ----------------------------------------------------------------------------------------------------- */

typedef struct Point {
    double x, y;
} Point;

/* The darkest straight line from x = (or y =) a at one end to b at the other, over the middle of the picture. */
static void find_axis(const Image *im, bool upright, double lo, double hi, double *a, double *b)
{
    double k = im->w / 112.0, best = 1e9;
    for (double p = lo * k; p < hi * k; p += 0.2 * k)
        for (double q = p - 1.2 * k; q <= p + 1.2 * k; q += 0.2 * k) {
            double sum = 0;
            for (int i = 20; i < 92; i++) {
                double t = i / 112.0, at = p + t * (q - p);
                sum += upright ? gray_between(im, at, t * im->h) : gray_between(im, t * im->w, at);
            }
            if (sum < best) best = sum, *a = p, *b = q;
        }
}

/* Along the line from the inside outwards, where it is no longer dark. */
static double find_end(const Image *im, bool upright, double a, double b, double sign)
{
    double k = im->w / 112.0, light = gray_at(im, im->w / 2, (int)(110 * k)), was = 0;
    for (double t = 56 + 30 * sign; t > 1 && t < 111; t += 0.05 * sign) {
        double at = a + t / 112 * (b - a), dark = 0;
        for (int i = -2; i <= 2; i++) {
            double p = at + 0.4 * i * k;
            dark += light - (upright ? gray_between(im, p, t * k) : gray_between(im, t * k, p));
        }
        if (t == 56 + 30 * sign) was = dark;
        if (dark < was / 2) return t * k;
    }
    return -1;
}

typedef struct Axes {
    Point corner, right, top;
} Axes;

static Axes find_axes(const Image *im)
{
    double k = im->w / 112.0, a, b, c, d;
    find_axis(im, true, 8, 18, &a, &b);
    find_axis(im, false, 92, 104, &c, &d);
    double right = find_end(im, false, c, d, 1), top = find_end(im, true, a, b, -1);
    assert_true(right > 80 * k && top > 0 && top < 20 * k);
    double x = b, y = c + x / im->w * (d - c);
    x = a + y / im->h * (b - a);
    return (Axes){{x, y}, {right, c + right / im->w * (d - c)}, {a + top / im->h * (b - a), top}};
}

static bool is_red(const Image *im, int x, int y)
{
    const unsigned char *p = pixel_at(im, x, y);
    return p[0] > p[1] + 50 && p[0] > p[2] + 50;
}

/* The centre of the redness about (x, y), weighted. */
static Point red_centre(const Image *im, int x, int y)
{
    double w = 0, sx = 0, sy = 0;
    int r = (int)(3.2 * im->w / 112.0);
    for (int j = y - r; j <= y + r; j++)
        for (int i = x - r; i <= x + r; i++) {
            if (i < 0 || j < 0 || i >= im->w || j >= im->h) continue;
            const unsigned char *p = pixel_at(im, i, j);
            double red = fmax(0, p[0] - p[1] - 20);
            w += red, sx += red * (i + 0.5), sy += red * (j + 0.5);
        }
    return (Point){sx / w, sy / w};
}

static Point end_point(const Image *im, bool last)
{
    for (int i = 0; i < im->w; i++)
        for (int y = 0; y < im->h; y++) {
            int x = last ? im->w - 1 - i : i, in = (int)(2 * im->w / 112.0);
            if (!is_red(im, x, y)) continue;
            Point p = red_centre(im, last ? x - in : x + in, y);
            return red_centre(im, (int)p.x, (int)p.y);
        }
    fail_msg("no point on the chart");
    return (Point){0, 0};
}

/* WHO weight for age, boys and girls: L, M, S at some months. */
static const struct {
    double age, boy[3], girl[3];
} WHO[] = {
    {3, {0.1738, 6.3762, 0.11727}, {0.0402, 5.8458, 0.12619}},
    {4, {0.1553, 7.0023, 0.11316}, {-0.005, 6.4237, 0.12402}},
    {5, {0.1395, 7.5105, 0.1108}, {-0.043, 6.8985, 0.12274}},
    {11, {0.0730, 9.4122, 0.10906}, {-0.1872, 8.7192, 0.12247}},
    {12, {0.0644, 9.6479, 0.10925}, {-0.2024, 8.9481, 0.12268}},
    {13, {0.0563, 9.8749, 0.10949}, {-0.2158, 9.1699, 0.12283}},
    {14, {0.0487, 10.0953, 0.10976}, {-0.2278, 9.387, 0.12294}},
    {23, {-0.0083, 11.9514, 0.11369}, {-0.2903, 11.2688, 0.12369}},
    {24, {-0.0137, 12.1515, 0.11426}, {-0.2941, 11.4775, 0.1239}},
};
enum { N_WHO = sizeof WHO / sizeof *WHO };

/* Centile spaces from below the 0.4th on, by the mean of the median, spread and shape of boys and girls. */
static double space_of(double age, double kg)
{
    int i = 0;
    while (i + 2 < N_WHO && WHO[i + 1].age < age) i++;
    double t = (age - WHO[i].age) / (WHO[i + 1].age - WHO[i].age), v[3];
    for (int k = 0; k < 3; k++)
        v[k] = (1 - t) * (WHO[i].boy[k] + WHO[i].girl[k]) / 2 + t * (WHO[i + 1].boy[k] + WHO[i + 1].girl[k]) / 2;
    double z = fabs(v[0]) < 1e-3 ? log(kg / v[1]) / v[2] : (pow(kg / v[1], v[0]) - 1) / (v[0] * v[2]);
    return z * 1.5 + 4.5;
}

/* Months and kilograms as the axes show them. */
static void read_point(const Axes *a, Point p, bool second, double *age, double *kg)
{
    double ux = a->right.x - a->corner.x, uy = a->right.y - a->corner.y, vx = a->top.x - a->corner.x;
    double vy = a->top.y - a->corner.y, px = p.x - a->corner.x, py = p.y - a->corner.y, det = ux * vy - uy * vx;
    double u = (px * vy - py * vx) / det, v = (ux * py - uy * px) / det;
    *age = second ? 12 + 12 * u : 3 + 10 * u;
    *kg = second ? 6 + 11 * v : 4 + 9.5 * v;
}

static const char *const SPACE[] = {
    "below the 0.4th centile",           "between the 0.4th and 2nd centile", "between the 2nd and 9th centile",
    "between the 9th and 25th centile",  "between the 25th and 50th centile", "between the 50th and 75th centile",
    "between the 75th and 91st centile", "between the 91st and 98th centile", "between the 98th and 99.6th centile",
    "above the 99.6th centile",
};

static void check_charts(int size)
{
    double worst_kg = 0, worst_off = 0;
    for (uint32_t i = 0; i < 40; i++) {
        Case c;
        CaseSpec s = spec_of("growth", i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++) {
            const Image *im = &c.image[k];
            Axes axes = find_axes(im);
            int space[2];
            for (int last = 0; last < 2; last++) {
                double age, kg;
                read_point(&axes, end_point(im, last), k == 1, &age, &kg);
                double at = space_of(age, kg) + 0.5; /* whole numbers at the lines */
                space[last] = (int)floor(at);
                worst_off = fmax(worst_off, fabs(at - space[last] - 0.5));
                const char *word = finding_of(&c, last ? "last weight" : "first weight", k)->word;
                assert_string_equal(SPACE[space[last]], word);
                double truth = finding_of(&c, "weight at the last point", k)->value;
                if (last) worst_kg = fmax(worst_kg, fabs(kg - truth));
            }
            double fall = space[0] > space[1] ? space[0] - space[1] : 0;
            assert_true(finding_of(&c, "centile lines crossed downwards", k)->value == fall);
        }
        case_release(&c);
    }
    print_message("growth at %d: worst %.2f kg, %.2f spaces off the middle\n", size, worst_kg, worst_off);
    assert_true(worst_kg <= 0.2);
}

static void test_points_are_on_the_chart(void **state)
{
    (void)state;
    check_charts(224);
    check_charts(112);
}

/* ---- optic disc ------------------------------------------------------------------------------------------------- */

/* The centre of the cup: of the palest pixels by their blue. */
static Point find_cup(const Image *im)
{
    double w = 0, sx = 0, sy = 0;
    int high = 0;
    size_t n = (size_t)im->w * (size_t)im->h, count[256] = {0}, above = 0;
    for (size_t i = 0; i < n; i++) count[im->rgb[3 * i + 2]]++;
    for (high = 255; above < n / 250; high--) above += count[high];
    for (int y = 0; y < im->h; y++)
        for (int x = 0; x < im->w; x++)
            if (pixel_at(im, x, y)[2] >= high - 25) w++, sx += x + 0.5, sy += y + 0.5;
    return (Point){sx / w, sy / w};
}

/* Three levels along v[0 .. n): where the second and the third begin, by least squares. */
static void fit_steps(const double *v, int n, int gap, int *first, int *second)
{
    double sum[450] = {0}, square[450] = {0}, best = 1e18;
    for (int i = 0; i < n; i++) sum[i + 1] = sum[i] + v[i], square[i + 1] = square[i] + v[i] * v[i];
    for (int a = gap; a + 2 * gap <= n; a++)
        for (int b = a + gap; b + gap <= n; b++) {
            const int cut[] = {0, a, b, n};
            double err = 0;
            for (int k = 0; k < 3; k++) {
                double m = sum[cut[k + 1]] - sum[cut[k]], len = cut[k + 1] - cut[k];
                err += square[cut[k + 1]] - square[cut[k]] - m * m / len;
            }
            if (err < best) best = err, *first = a, *second = b;
        }
}

/* Where a rising line of values passes half way between the levels on either side of `at`. */
static double half_way(const double *v, int n, int at, int reach)
{
    double lo = 0, hi = 0;
    int from = at - reach < 0 ? 0 : at - reach, to = at + reach >= n ? n - 1 : at + reach;
    lo = v[from], hi = v[to];
    for (int i = from; i < to; i++) {
        double mid = (lo + hi) / 2;
        if (v[i] <= mid && v[i + 1] > mid) return i + 0.5 + (mid - v[i]) / (v[i + 1] - v[i]);
    }
    return at;
}

/* The great vessels enter nasally: darker red there than at the other side of the cup. */
static bool is_left_eye(const Image *im)
{
    Point cup = find_cup(im);
    double k = im->w / 112.0, dark[2] = {0, 0};
    for (int y = (int)(cup.y - 24 * k); y < cup.y + 24 * k; y++)
        for (int side = 0; side < 2; side++)
            for (int x = 1; x < (int)(14 * k); x++) {
                const unsigned char *p = pixel_at(im, (int)cup.x + (side ? x : -x), y);
                dark[side] += fmax(0, 160 - p[0]);
            }
    return dark[0] > dark[1]; /* nasal is the picture's left */
}

/* The green of the fundus about the disc: vessels, darker, are raised to it. */
static double find_ground(const Image *im, Point cup)
{
    double v[720], k = im->w / 112.0;
    for (int i = 0; i < 720; i++) {
        double angle = i * 0.0087266, r = (28 + i % 4) * k;
        v[i] = pixel_at(im, (int)(cup.x + r * cos(angle)), (int)(cup.y + r * sin(angle)))[1];
    }
    return median(v, 720);
}

/* Heights of disc and cup from the cup's centre in direction sign, in pixels. */
static void measure_half(const Image *im, Point cup, double sign, double *disc, double *inner)
{
    double v[450], k = im->w / 112.0;
    int n = (int)(30 * k), a = 0, b = 0, band = (int)(2 * k), way = is_left_eye(im) ? 1 : -1; /* temporal */
    double ground = find_ground(im, cup);
    for (int i = 0; i < n; i++) { /* from outside to the centre */
        v[i] = 0;
        for (int x = 0; x <= band; x++) {
            int py = (int)(cup.y + sign * (n - 1 - i)), px = (int)cup.x + way * x;
            v[i] += fmax(ground, pixel_at(im, px, py)[1]) / (band + 1.0);
        }
    }
    fit_steps(v, n, (int)(1.5 * k), &a, &b);
    int reach = (int)fmin(2 * k, (b - a) / 2.0 + 0.5);
    *disc = n - half_way(v, n, a, reach), *inner = n - half_way(v, n, b, reach);
}

static double measure_cup(const Image *im)
{
    double up[2], down[2];
    Point cup = find_cup(im);
    measure_half(im, cup, -1, &up[0], &up[1]);
    measure_half(im, cup, 1, &down[0], &down[1]);
    return (up[1] + down[1]) / (up[0] + down[0]);
}

static void check_discs(int size, double tolerance)
{
    double worst = 0, sum = 0;
    int n = 0;
    for (uint32_t i = 0; i < 60; i++) {
        Case c;
        CaseSpec s = spec_of("optic-disc", i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++, n++) {
            double off = measure_cup(&c.image[k]) - finding_of(&c, "vertical cup-to-disc ratio", k)->value;
            worst = fmax(worst, fabs(off)), sum += off;
            assert_string_equal(finding_of(&c, "eye", k)->word, is_left_eye(&c.image[k]) ? "left" : "right");
        }
        case_release(&c);
    }
    print_message("optic-disc at %d: worst %.3f, mean %.4f of %d\n", size, worst, sum / n, n);
    assert_true(worst <= tolerance);
}

static void test_cup_is_in_the_eye(void **state)
{
    (void)state;
    check_discs(224, 0.04);
    check_discs(112, 0.05);
}

/* The same picture means different things to different patients: at level 3 each group has both answers, for the sizes
   in between opposite ones. */
static void test_patient_changes_the_rule(void **state)
{
    (void)state;
    int drained = 0, observed = 0;
    for (uint32_t i = 0; i < 300; i++) {
        Case c;
        CaseSpec s = spec_of("pneumothorax", i, 112);
        s.level = 3, s.twin = true;
        case_make(&c, &s);
        const Finding *rim = finding_of(&c, "rim of air at the hilum", 0);
        bool breathless = !strcmp(c.group, "adult, breathless"), yes = !strcmp(c.answer, "yes");
        if (!rim) assert_false(yes);
        else if (rim->value >= 2) assert_true(yes);
        else assert_true(yes == breathless), drained += yes, observed += !yes;
        case_release(&c);
    }
    assert_true(drained > 30 && observed > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rim_is_on_the_film),
        cmocka_unit_test(test_points_are_on_the_chart),
        cmocka_unit_test(test_cup_is_in_the_eye),
        cmocka_unit_test(test_patient_changes_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
