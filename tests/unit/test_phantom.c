/*
 * The phantom clinic.  Quantities are measured on the rendered pictures, by means that know nothing of how they were
 * drawn; hashes of pixels and words tell that every compiler and machine makes the same cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phantom/card.h"
#include "phantom/deterministic.h"
#include "phantom_cases.h"

static void test_functions_agree_with_libm(void **state)
{
    (void)state;
    for (double x = -20; x < 20; x += 0.0137) {
        assert_true(fabs(det_exp(x) / exp(x) - 1) < 1e-11);
        assert_true(fabs(det_sin(x) - sin(x)) < 1e-11);
        assert_true(fabs(det_cos(x) - cos(x)) < 1e-11);
        assert_true(fabs(det_log(exp(x)) - log(exp(x))) < 1e-11);
        for (double y = -3; y < 3; y += 0.7) assert_true(fabs(det_atan2(y, x) - atan2(y, x)) < 1e-11);
    }
    assert_int_equal(det_floor(-0.5), -1);
    assert_int_equal(det_floor(2), 2);
}

/* ---- measuring films -------------------------------------------------------------------------------------------- */

/* A row of the film, averaged over `rows` rows about y so that ribs blur. */
static void read_row(double *out, const Image *im, int y, int rows)
{
    for (int x = 0; x < im->w; x++) {
        out[x] = 0;
        for (int k = -rows / 2; k <= rows / 2; k++) out[x] += gray_at(im, x, y + k) / (double)(rows / 2 * 2 + 1);
    }
}

static double slope_at(const double *row, int x)
{
    return row[x + 2] + row[x + 1] - row[x - 1] - row[x - 2];
}

/* The place of the steepest rise (sign 1) or fall (-1) in [from, to), between pixels by a parabola. */
static double steepest(const double *row, int from, int to, double sign)
{
    int at = from;
    for (int x = from; x < to; x++)
        if (sign * slope_at(row, x) > sign * slope_at(row, at)) at = x;
    double a = slope_at(row, at - 1), b = slope_at(row, at), c = slope_at(row, at + 1), bend = a - 2 * b + c;
    return at + 0.5 + (bend * sign < 0 ? det_clamp((a - c) / (2 * bend), -1, 1) : 0);
}

/* Greatest width of the chest and of the heart, row by row downwards, until the border leaps outwards: there the
   diaphragm begins. */
static double measure_ratio(const Image *im)
{
    double row[896], k = im->w / 112.0, left = im->w, right = 0, chest = 0, was_l = 0, was_r = im->w;
    int mid = im->w / 2, margin = (int)(5 * k);
    bool leapt_l = false, leapt_r = false;
    for (int y = (int)(40 * k); y < (int)(90 * k); y++) {
        read_row(row, im, y, (int)(3 * k));
        double wall_l = steepest(row, margin, (int)(32 * k), -1);
        double wall_r = steepest(row, (int)(80 * k), im->w - margin, 1);
        if (!leapt_l && !leapt_r && wall_r - wall_l > chest) chest = wall_r - wall_l;
        double l = steepest(row, (int)(wall_l + 3 * k), mid, 1);
        double r = steepest(row, mid, (int)(wall_r - 3 * k), -1);
        leapt_l = leapt_l || (y > 72 * k && l < was_l - 2 * k);
        leapt_r = leapt_r || (y > 72 * k && r > was_r + 2 * k);
        if (y > 60 * k && !leapt_l && l < left) left = l;
        if (y > 60 * k && !leapt_r && r > right) right = r;
        was_l = l, was_r = r;
    }
    return (right - left) / chest;
}

static void check_films(const char *family, int size)
{
    double worst = 0, sum = 0;
    int n = 0;
    for (uint32_t i = 0; i < 60; i++) {
        Case c;
        CaseSpec s = spec_of(family, i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++, n++) {
            double truth = finding_of(&c, "cardiothoracic ratio", k)->value, off = measure_ratio(&c.image[k]) - truth;
            if (fabs(off) > worst) worst = fabs(off);
            sum += off;
        }
        case_release(&c);
    }
    print_message("%s at %d: worst %.3f, mean %.4f of %d\n", family, size, worst, sum / n, n);
    assert_true(worst <= 0.02);
}

static void test_ratio_is_on_the_film(void **state)
{
    (void)state;
    check_films("chest-heart", 224);
    check_films("chest-heart", 112);
    check_films("chest-heart-newborn", 224);
}

/* ---- measuring strips ------------------------------------------------------------------------------------------- */

/* Darkness of the upper lead's R peaks along x: the darkest of each column above the baseline's beats. */
static int find_peaks(double *at, int most, const Image *im, int top, int bottom)
{
    int n = 0, w = im->w;
    double ink[896];
    for (int x = 0; x < w; x++) {
        ink[x] = 0;
        for (int y = top; y < bottom; y++) ink[x] += fmax(0, 150 - gray_at(im, x, y));
    }
    double high = 0;
    for (int x = 0; x < w; x++) high = ink[x] > high ? ink[x] : high;
    for (int x = 1; x + 1 < w && n < most; x++) {
        if (ink[x] < 0.25 * high) continue;
        double sum = 0, weight = 0;
        int from = x;
        for (; x < w && ink[x] >= 0.25 * high; x++) sum += ink[x] * (x + 0.5), weight += ink[x];
        if (from <= 1 || x + 1 >= w) continue;
        bool flank = n > 0 && sum / weight - at[n - 1] < w * 3 / 112.0; /* a spike's two flanks are one peak */
        if (flank) at[n - 1] = (at[n - 1] + sum / weight) / 2;
        else at[n++] = sum / weight;
    }
    return n;
}

/* Millimetres a pixel, from the thick lines of the paper: the spacing that fits the redness of the columns best. */
static double find_scale(const Image *im)
{
    double best = -1, pitch = 0, k = im->w / 112.0;
    for (double p = 8 * k; p < 11.5 * k; p += 0.005 * k) {
        double re = 0, in = 0;
        for (int x = 0; x < im->w; x++) {
            double red = 0;
            for (int y = im->h / 2; y < (int)(im->h * 0.66); y++) {
                const unsigned char *q = im->rgb + 3 * ((size_t)y * (size_t)im->w + (size_t)x);
                red += q[0] - q[1];
            }
            re += red * cos(2 * DET_PI * (x + 0.5) / p), in += red * sin(2 * DET_PI * (x + 0.5) / p);
        }
        double power = re * re + in * in;
        if (power > best) best = power, pitch = p;
    }
    return 5 / pitch;
}

static void check_strips(const char *family, int size)
{
    double worst = 0;
    for (uint32_t i = 0; i < 40; i++) {
        Case c;
        CaseSpec s = spec_of(family, i, size);
        case_make(&c, &s);
        for (int k = 0; k < c.images; k++) {
            double at[32], truth = finding_of(&c, "R-R interval", k)->value;
            int n = find_peaks(at, 32, &c.image[k], size * 10 / 112, size * 33 / 112);
            double mm = n > 1 ? (at[n - 1] - at[0]) / (n - 1) * find_scale(&c.image[k]) : 0, off = fabs(mm / truth - 1);
            if (off > worst) worst = off;
        }
        case_release(&c);
    }
    print_message("%s at %d: worst %.2f %%\n", family, size, 100 * worst);
    assert_true(worst <= 0.02);
}

static void test_interval_is_on_the_strip(void **state)
{
    (void)state;
    check_strips("ecg-adult", 224);
    check_strips("ecg-infant", 224);
    check_strips("ecg-adult", 112);
}

/* The hash of some cases of a family: all levels, a larger one, a shifted one. */
static uint64_t hash_family(const char *family)
{
    uint64_t h = HASH_INIT;
    for (uint32_t i = 0; i < 10; i++) {
        Case c;
        CaseSpec s = spec_of(family, i, i == 5 ? 224 : 112);
        s.shift = i == 4, s.level = (int)(i % 5);
        case_make(&c, &s);
        h = hash_case(h, &c);
        case_release(&c);
    }
    return h;
}

/* Every compiler and machine makes the same cases.  Whoever changes a picture or a word changes a hash here. */
static void test_same_bits_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *family;
        uint64_t hash;
    } KNOWN[] = {
        {"chest-heart", UINT64_C(0xd579f2c900dc2e35)},  {"chest-heart-newborn", UINT64_C(0x7189c702ef4b7279)},
        {"ecg-adult", UINT64_C(0x9f477267364902a7)},    {"ecg-infant", UINT64_C(0xd098593e4c26462b)},
        {"pneumothorax", UINT64_C(0xec3c6d045d8af357)}, {"growth", UINT64_C(0xcbea9bdb7a835b58)},
        {"ventricles", UINT64_C(0xb9b7fd68504a873c)},   {"haematoma", UINT64_C(0xaa9a1fb920cfdb83)},
        {"optic-disc", UINT64_C(0x2424633b227299cf)},   {"nodule", UINT64_C(0xa130e9c04ed283a7)},
        {"response", UINT64_C(0x3dde4328f7e4f38e)},     {"thyroid", UINT64_C(0x24e79e5cf75f1b15)},
    };
    size_t n = sizeof KNOWN / sizeof *KNOWN;
    int wrong = 0;
    for (size_t f = 0; f < n; f++) {
        assert_string_equal(KNOWN[f].family, family_name((int)f));
        uint64_t h = hash_family(KNOWN[f].family);
        if (h != KNOWN[f].hash) print_message("%s: 0x%llx\n", KNOWN[f].family, (unsigned long long)h), wrong++;
    }
    assert_null(family_name((int)n));
    assert_int_equal(wrong, 0);
}

/* A twin has the same truth, and every case's words hang together. */
static void check_words(const Case *c, const Case *twin)
{
    assert_int_equal(twin->images, 0);
    assert_string_equal(c->answer, twin->answer);
    assert_string_equal(c->caption, twin->caption);
    assert_non_null(strstr(twin->question, c->finding[0].text));
    assert_null(strstr(c->question, c->finding[0].text));
    char *end = xasprintf(" %s.", c->answer_text);
    for (int i = 0; i < N_STYLES; i++) {
        assert_true(str_ends_with(c->reasoning[i], end));
        assert_null(strstr(c->reasoning[i], "(null)"));
    }
    free(end);
    if (c->kind == ASK_CHOICE) assert_string_equal(c->option[c->answer[0] - 'A'], c->answer_text);
}

static void test_words(void **state)
{
    (void)state;
    for (int f = 0; FAMILIES[f]; f++)
        for (uint32_t i = 0; i < 40; i++) {
            Case c, twin;
            CaseSpec s = spec_of(FAMILIES[f]->name, i, 112);
            case_make(&c, &s);
            s.twin = true;
            case_make(&twin, &s);
            check_words(&c, &twin);
            assert_in_range(c.images, 1, MAX_IMAGES);
            case_release(&c);
            case_release(&twin);
        }
}

static void test_ids_and_splits(void **state)
{
    (void)state;
    Map seen = {0};
    for (int split = 0; split < N_SPLITS; split++)
        for (uint32_t i = 0; i < 30; i++) {
            Case c, again;
            CaseSpec s = spec_of("ecg-adult", i, 112);
            s.split = (Split)split;
            case_make(&c, &s);
            case_make(&again, &s);
            assert_true(hash_case(HASH_INIT, &c) == hash_case(HASH_INIT, &again));
            int64_t at;
            assert_false(map_get_str(&seen, c.question, &at) && *c.vignette); /* no patient twice */
            map_set_str(&seen, c.question, 1);
            case_release(&c);
            case_release(&again);
        }
    map_release(&seen);
    Case c;
    CaseSpec s = spec_of("ecg-adult", 123, 224);
    s.level = 3, s.shift = true;
    case_make(&c, &s);
    assert_string_equal(c.id, "ecg-adult-test-000123-s7-l3-shift-224px");
    assert_int_equal(c.level, 3);
    case_release(&c);
}

typedef struct Tally {
    Card card;
    double chance; /* answers right by chance */
    int level[5], kind[N_KINDS];
} Tally;

/* Cases of a family, or of all in turn, as twins: the same truth without the work of drawing. */
static void tally_cases(Tally *t, const char *family, int n)
{
    int families = 0;
    while (family_name(families)) families++;
    for (int i = 0; i < n; i++) {
        Case c;
        CaseSpec s = spec_of(family ? family : family_name(i % families), (uint32_t)i, 112);
        s.twin = true;
        case_make(&c, &s);
        t->chance += c.kind == ASK_CHOICE ? 1.0 / c.options : c.kind == ASK_NUMBER ? 0.25 : 0.5;
        t->level[c.level]++, t->kind[c.kind]++;
        CardRow row = card_row(&c);
        card_add(&t->card, &row);
        case_release(&c);
    }
}

/* Neither a constant nor the question alone gets far; all levels and kinds are there. */
static void test_balance(void **state)
{
    (void)state;
    enum { N = 2000 };
    int kind[N_KINDS] = {0};
    for (int f = 0; family_name(f); f++) {
        Tally t = {0};
        tally_cases(&t, family_name(f), N);
        int constant = card_constant(&t.card), question = card_question_only(&t.card);
        print_message("%-20s constant %.1f %%, question only %.1f %%, chance %.1f %%\n", family_name(f),
                      100.0 * constant / N, 100.0 * question / N, 100 * t.chance / N);
        assert_true(constant < t.chance + 0.04 * N);
        assert_true(question < t.chance + 0.04 * N);
        for (int l = 1; l <= 4; l++) assert_in_range(t.level[l], N / 5, N * 3 / 10);
        for (int k = 0; k < N_KINDS; k++) kind[k] += t.kind[k];
        card_release(&t.card);
    }
    for (int k = 0; k < N_KINDS; k++) assert_true(kind[k] > N / 2);
}

/* The readers of the card learn from other cases than they are judged on: six times as many cases of the same kind
   change what they get by chance only, and where every answer stands alone they get next to nothing. */
static void test_card_is_held_out(void **state)
{
    (void)state;
    Tally small = {0}, large = {0};
    tally_cases(&small, NULL, 1200);
    tally_cases(&large, NULL, 7200);
    double few = card_question_only(&small.card) / 1200.0, many = card_question_only(&large.card) / 7200.0;
    print_message("question only: %.1f %% of 1200, %.1f %% of 7200\n", 100 * few, 100 * many);
    assert_true(few < many + 0.03);
    card_release(&small.card);
    card_release(&large.card);

    Card lone = {0};
    for (int i = 0; i < 40; i++) {
        char *answer = xasprintf("answer %d", i);
        CardRow row = {.family = FAMILIES[0], .level = 1, .kind = ASK_SHORT, .question = xstrdup("x/y/z")};
        row.answer = answer, row.text = xstrdup(answer);
        card_add(&lone, &row);
    }
    assert_int_equal(card_question_only(&lone), 0);
    assert_int_equal(card_constant(&lone), 0);
    card_release(&lone);
}

static void test_bad_specs(void **state)
{
    (void)state;
    Err err = {0};
    CaseSpec s = spec_of("chest-heart", 0, 100);
    assert_int_equal(case_check(&s, &err), -1);
    err_clear(&err);
    s.size = 140;
    assert_int_equal(case_check(&s, &err), 0);
    s.level = 5;
    assert_int_equal(case_check(&s, &err), -1);
    assert_null(family_find("chest"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_agree_with_libm),
        cmocka_unit_test(test_ratio_is_on_the_film),
        cmocka_unit_test(test_interval_is_on_the_strip),
        cmocka_unit_test(test_same_bits_everywhere),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_ids_and_splits),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_card_is_held_out),
        cmocka_unit_test(test_bad_specs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
