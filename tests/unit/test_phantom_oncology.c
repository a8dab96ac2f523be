/*
 * nodule, response and thyroid: diameters, sides and echogenicity are measured on the rendered pictures with their own
 * scale bars.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phantom_cases.h"

enum { WIDEST = 224 };

/* ---- scale bars ------------------------------------------------------------------------------------------------- */

/* Pixels between the end ticks of the bar whose line lies `y` units down: ticks rise above the line. */
static double measure_bar(const Image *im, double y)
{
    double k = im->w / 112.0, sum[WIDEST], most = 0;
    int w = (int)(44 * k);
    for (int x = (int)(3 * k); x < w; x++) {
        sum[x] = 0;
        for (int r = (int)((y - 1.8) * k); r < (int)(y * k); r++) sum[x] += fmax(0, gray_at(im, x, r) - 30);
        if (sum[x] > most) most = sum[x];
    }
    double at[2] = {0, 0};
    for (int end = 0; end < 2; end++) {
        double weight = 0;
        int x = end ? w - 1 : (int)(3 * k), step = end ? -1 : 1;
        while (x >= 0 && x < w && sum[x] < 0.15 * most) x += step;
        for (int i = 0; i < (int)(2 * k) && x >= 0 && x < w; i++, x += step) {
            double v = sum[x] > 0.15 * most ? sum[x] : 0;
            at[end] += v * (x + 0.5), weight += v;
        }
        at[end] /= weight;
    }
    return at[1] - at[0];
}

/* ---- lesions on CT ---------------------------------------------------------------------------------------------- */

typedef struct Blob {
    double area, longest; /* pixels */
} Blob;

/* Everything brighter than half that hangs together with the middle of the magnified view. */
static void flood(const Image *im, bool *in, int x, int y, double half)
{
    static const int WAY[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
    int *stack = malloc(sizeof *stack * (size_t)im->w * (size_t)im->w), n = 0;
    stack[n++] = y * im->w + x;
    in[y * im->w + x] = true;
    while (n) {
        int at = stack[--n];
        for (int i = 0; i < 4; i++) {
            int u = at % im->w + WAY[i][0], v = at / im->w + WAY[i][1];
            if (u < 0 || v < 0 || u >= im->w || v >= im->h || in[v * im->w + u] || gray_at(im, u, v) < half) continue;
            in[v * im->w + u] = true;
            stack[n++] = v * im->w + u;
        }
    }
    free(stack);
}

/* The median of the view is lung. */
static double lung_gray(const Image *im)
{
    double k = im->w / 112.0, *v = malloc(sizeof *v * (size_t)im->w * (size_t)im->w);
    size_t n = 0;
    for (int y = (int)(74 * k); y < (int)(108 * k); y++)
        for (int x = (int)(49 * k); x < (int)(107 * k); x++) v[n++] = gray_at(im, x, y);
    qsort(v, n, sizeof *v, by_size);
    double median = v[n / 3];
    free(v);
    return median;
}

/* Area and longest diameter (of the ellipse with the same second moments), border pixels in proportion. */
static Blob measure_lesion(const Image *im)
{
    double k = im->w / 112.0, lung = lung_gray(im), tissue = 0, m[6] = {0};
    int cx = (int)(78 * k), cy = (int)(91 * k);
    for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++) tissue += gray_at(im, cx + i, cy + j) / 9;
    if (tissue < lung + 40) return (Blob){0, 0}; /* gone */
    bool *in = calloc((size_t)im->w * (size_t)im->w, sizeof *in);
    flood(im, in, cx, cy, (lung + tissue) / 2);
    for (int y = 1; y + 1 < im->h; y++)
        for (int x = 1; x + 1 < im->w; x++) {
            bool near = false;
            for (int i = 0; i < 9; i++) near = near || in[(y + i / 3 - 1) * im->w + x + i % 3 - 1];
            double v = near ? fmin(1, fmax(0, (gray_at(im, x, y) - lung) / (tissue - lung))) : 0;
            m[0] += v, m[1] += v * x, m[2] += v * y, m[3] += v * x * x, m[4] += v * x * y, m[5] += v * y * y;
        }
    free(in);
    double xx = m[3] / m[0] - m[1] / m[0] * m[1] / m[0], yy = m[5] / m[0] - m[2] / m[0] * m[2] / m[0];
    double xy = m[4] / m[0] - m[1] / m[0] * m[2] / m[0];
    double greatest = (xx + yy) / 2 + sqrt((xx - yy) * (xx - yy) / 4 + xy * xy);
    return (Blob){m[0], 4 * sqrt(greatest)};
}

/* tolerance: mm */
static void check_lesions(const char *family, const char *name, double bar, int size, double tolerance)
{
    double worst = 0, sum = 0;
    int n = 0;
    for (uint32_t i = 0; i < 60; i++) {
        Case c;
        CaseSpec s = spec_of(family, i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++, n++) {
            Blob b = measure_lesion(&c.image[k]);
            double pixel = bar / measure_bar(&c.image[k], 104), truth = finding_of(&c, name, k)->value;
            double mm = pixel * (!strcmp(family, "nodule") ? 2 * sqrt(b.area / 3.14159265) : b.longest);
            assert_true(isfinite(mm));
            if (fabs(mm - truth) > worst) worst = fabs(mm - truth);
            sum += mm - truth;
        }
        case_release(&c);
    }
    print_message("%s at %d: worst %.2f mm, mean %.2f of %d\n", family, size, worst, sum / n, n);
    assert_true(worst <= tolerance);
}

static void test_diameter_is_on_the_ct(void **state)
{
    (void)state;
    check_lesions("nodule", "nodule diameter", 10, 112, 0.6);
    check_lesions("nodule", "nodule diameter", 10, 224, 0.5);
    check_lesions("response", "target lesion diameter", 20, 112, 0.8);
    check_lesions("response", "target lesion diameter", 20, 224, 0.8);
}

/* The box around the lesion: its upper and its lower edge are straight lines within air or lung, as far apart as the
   magnified view is high.  Returns the column of its middle. */
static double find_box(const Image *im, double view_mm_w, double view_mm_h)
{
    double k = im->w / 112.0, best = -1e9, at = 0;
    int w = (int)(view_mm_w * 0.295 * k + 0.5), h = (int)(view_mm_h * 0.295 * k + 0.5);
    for (int y = (int)(6 * k); y + h < (int)(66 * k); y++)
        for (int x = (int)(6 * k); x + w < (int)(106 * k); x++) {
            double sum = 0;
            for (int i = 2; i < w - 2; i++)
                for (int v = y; v <= y + h; v += h)
                    sum += gray_at(im, x + i, v) - (gray_at(im, x + i, v - 3) + gray_at(im, x + i, v + 3)) / 2;
            if (sum > best) best = sum, at = x + w / 2.0;
        }
    return at;
}

static void test_side_is_on_the_ct(void **state)
{
    (void)state;
    int right = 0, n = 0;
    for (uint32_t i = 0; i < 40; i++) {
        Case c;
        CaseSpec s = spec_of("response", i, 224);
        case_make(&c, &s);
        bool left = !strcmp(finding_of(&c, "side of the lesion", 0)->word, "left");
        right += left == (find_box(&c.image[0], 64 / 1.08, 39 / 1.08) > 112), n++;
        case_release(&c);
    }
    print_message("side: %d of %d\n", right, n);
    assert_true(right >= n - 1);
}

/* ---- thyroid ---------------------------------------------------------------------------------------------------- */

/* The picture at 112 pixels, smoothed over 3 x 3 so that speckle counts less. */
static void smooth(double out[112][112], const Image *im)
{
    int k = im->w / 112;
    for (int y = 0; y < 112; y++)
        for (int x = 0; x < 112; x++) {
            double sum = 0;
            int n = 0;
            for (int v = (y - 1) * k; v < (y + 2) * k; v++)
                for (int u = (x - 1) * k; u < (x + 2) * k; u++)
                    if (u >= 0 && v >= 0 && u < im->w && v < im->h) sum += gray_at(im, u, v), n++;
            out[y][x] = sum / n;
        }
}

typedef struct Dark {
    double cx, cy, rx, ry, score;
} Dark;

/* How much darker it is just inside an ellipse than just outside. */
static double edge_score(double in[112][112], double cx, double cy, double rx, double ry)
{
    enum { N = 36 };
    static double way[N][2];
    double sum = 0;
    if (way[0][0] < 1)
        for (int i = 0; i < N; i++) way[i][0] = cos(6.2831853 * i / N), way[i][1] = sin(6.2831853 * i / N);
    for (int i = 0; i < N; i++)
        for (int far = 1; far <= 2; far++) {
            double v[2], grow = 1.3 * far;
            for (int k = 0; k < 2; k++, grow = -grow) {
                double x = cx + (rx + grow) * way[i][0], y = cy + (ry + grow) * way[i][1];
                if (x < 0 || y < 0 || x >= 112 || y >= 112) return -1e9;
                v[k] = in[(int)y][(int)x];
            }
            sum += fmin(90, v[0] - v[1]);
        }
    return sum;
}

/* The best dark ellipse near the middle column, pixels of 112. */
static Dark find_dark(double in[112][112], double mm)
{
    Dark best = {.score = -1e9};
    for (double cx = 56 - 4.5 * mm; cx <= 56 + 4.5 * mm; cx += 1.5)
        for (double cy = 12 * mm; cy < 34 * mm && cy < 85; cy += 1.5)
            for (double rx = 5; rx < 26; rx++)
                for (double ry = 5; ry < 26; ry++) {
                    double score = edge_score(in, cx, cy, rx, ry);
                    if (score > best.score) best = (Dark){cx, cy, rx, ry, score};
                }
    return best;
}

static bool is(const Case *c, const char *name, const char *word)
{
    return !strcmp(finding_of(c, name, 0)->word, word);
}

/* Dark nodules with a smooth border and without calcium can be found by their edge. */
static bool measurable(const Case *c)
{
    bool dark =
        is(c, "composition", "cystic") || (is(c, "composition", "solid") && !is(c, "echogenicity", "hyperechoic"));
    return dark && is(c, "margin", "smooth") && is(c, "echogenic foci", "none");
}

static void check_scans(int size)
{
    static double in[112][112];
    double worst = 0, sum = 0;
    int n = 0;
    for (uint32_t i = 0; i < 250 && n < 25; i++) {
        Case c;
        CaseSpec s = spec_of("thyroid", i, size);
        s.twin = true;
        case_make(&c, &s);
        bool use = measurable(&c);
        case_release(&c);
        if (!use) continue;
        s.twin = false;
        case_make(&c, &s);
        double bar = measure_bar(&c.image[0], 108) * 112 / size / 10;
        smooth(in, &c.image[0]);
        Dark d = find_dark(in, bar);
        double mm = 2 * fmax(d.rx, d.ry) / bar, truth = finding_of(&c, "nodule diameter", 0)->value;
        assert_true(isfinite(mm));
        assert_true((d.ry > d.rx) == is(&c, "shape", "taller than wide"));
        worst = fmax(worst, fabs(mm / truth - 1)), sum += mm / truth - 1, n++;
        case_release(&c);
    }
    print_message("thyroid at %d: worst %.1f %%, mean %.1f %% of %d\n", size, 100 * worst, 100 * sum / n, n);
    assert_true(n == 25 && worst <= 0.12);
}

static void test_size_is_on_the_scan(void **state)
{
    (void)state;
    check_scans(112);
    check_scans(224);
}

/* The brightness of the nodule's middle follows its echogenicity. */
static void test_echogenicity_is_on_the_scan(void **state)
{
    (void)state;
    static const char *const WORD[] = {"very hypoechoic", "hypoechoic", "hyperechoic"};
    double lo[3] = {255, 255, 255}, hi[3] = {0};
    for (uint32_t i = 0; i < 200; i++) {
        Case c;
        CaseSpec s = spec_of("thyroid", i, 112);
        case_make(&c, &s);
        for (int k = 0; k < 3 && is(&c, "composition", "solid") && is(&c, "echogenic foci", "none"); k++) {
            if (!is(&c, "echogenicity", WORD[k])) continue;
            double mm = measure_bar(&c.image[0], 108) / 10, sum = 0, size = finding_of(&c, "nodule diameter", 0)->value;
            if (size < 10) continue; /* smaller ones need not reach over the place below */
            bool tall = is(&c, "shape", "taller than wide");
            double h = tall ? size / 2 : 0.35 * size, y0 = 2 + (10 + fmax(h + 3.6, 8)) * mm;
            /* the lobe is brightest between carotid and windpipe: there, at a depth that grows with the nodule */
            int n = 0;
            for (int y = (int)(y0 - 1.5 * mm); y < (int)(y0 + 1.5 * mm); y++)
                for (int x = 53; x < 59; x++, n++) sum += gray_at(&c.image[0], x, y);
            lo[k] = fmin(lo[k], sum / n), hi[k] = fmax(hi[k], sum / n);
        }
        case_release(&c);
    }
    for (int k = 0; k < 3; k++) print_message("%s: %.0f to %.0f\n", WORD[k], lo[k], hi[k]);
    assert_true(hi[0] < lo[1] && hi[1] < lo[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diameter_is_on_the_ct),
        cmocka_unit_test(test_side_is_on_the_ct),
        cmocka_unit_test(test_size_is_on_the_scan),
        cmocka_unit_test(test_echogenicity_is_on_the_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
