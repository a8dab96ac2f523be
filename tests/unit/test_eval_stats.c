/*
 * Intervals, tests and votes against values of scipy 1.10.1:
 *   binomtest(k, n).proportion_ci(0.95, method="wilson"), binomtest(min(b, c), b + c, 0.5).pvalue,
 *   1 - comb(n - c, k) / comb(n, k), and numpy percentiles of 100,000 resamples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "eval/leak.h"
#include "eval/report.h"
#include "eval/results.h"
#include "image/image.h"
#include "scratch.h"

static void near(double got, double want, double tolerance)
{
    if (fabs(got - want) > tolerance) fail_msg("%.12g, want %.12g", got, want);
}

static void wilson(void **state)
{
    static const struct {
        double k, n, lo, hi;
    } CASE[] = {
        {0, 10, 0.000000000000, 0.277532799863},     {10, 10, 0.722467200137, 1.000000000000},
        {7, 20, 0.181191824101, 0.567145723315},     {1600, 2000, 0.781901806140, 0.816947965491},
        {1, 1, 0.206549314377, 1.000000000000},      {273, 451, 0.559503899679, 0.649360086129},
        {550, 2000, 0.255876352843, 0.294986318434},
    };
    /* Newcombe 1998, Statistics in Medicine 17, table I, method 3 */
    static const struct {
        double k, n, lo, hi;
    } PRINTED[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
    for (size_t i = 0; i < sizeof PRINTED / sizeof *PRINTED; i++) {
        Interval ci = wilson_interval(PRINTED[i].k, PRINTED[i].n);
        near(ci.lo, PRINTED[i].lo, 0.00005);
        near(ci.hi, PRINTED[i].hi, 0.00005);
    }
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Interval ci = wilson_interval(CASE[i].k, CASE[i].n);
        near(ci.lo, CASE[i].lo, 1e-9);
        near(ci.hi, CASE[i].hi, 1e-9);
    }
    Interval none = wilson_interval(0, 0);
    assert_true(none.lo <= 0 && none.hi >= 1);
}

/* The exact probability that the interval of n trials holds p. */
static double wilson_coverage(int n, double p)
{
    double covered = 0;
    for (int k = 0; k <= n; k++) {
        Interval ci = wilson_interval(k, n);
        double ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
        if (ci.lo <= p && p <= ci.hi) covered += exp(ways + k * log(p) + (n - k) * log(1 - p));
    }
    return covered;
}

/* What is said of Wilson's interval (Brown, Cai and DasGupta 2001): it covers 95 % on the average over p, and never much less. */
static void wilson_covers(void **state)
{
    static const int N[] = {10, 30, 150};
    (void)state;
    for (int i = 0; i < 3; i++) {
        double mean = 0, least = 1;
        for (int k = 1; k < 1000; k++) {
            double c = wilson_coverage(N[i], k / 1000.0);
            mean += c / 999;
            if (c < least) least = c;
        }
        near(mean, 0.953, 0.006);
        assert_true(least > 0.83);
    }
}

/* 2 P(X <= b) in whole numbers. */
static double mcnemar_counted(int b, int c)
{
    double sum = 0, choose = 1;
    for (int k = 0; k <= b && k <= c; k++) {
        sum += choose;
        choose = choose * (b + c - k) / (k + 1);
    }
    double p = 2 * sum / (double)(UINT64_C(1) << (b + c));
    return p < 1 ? p : 1;
}

static void mcnemar(void **state)
{
    static const struct {
        int b, c;
        double p;
    } CASE[] = {
        {0, 0, 1},     {5, 0, 0.0625},       {12, 3, 0.03515625},        {55, 12, 1.02731954435e-07},
        {100, 100, 1}, {2, 9, 0.0654296875}, {30, 61, 0.00151651319446},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        near(mcnemar_exact(CASE[i].b, CASE[i].c), CASE[i].p, 1e-10);
        near(mcnemar_exact(CASE[i].c, CASE[i].b), CASE[i].p, 1e-10);
    }
    /* Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91: 0.070 and 0.053 */
    near(mcnemar_exact(1, 7), 0.070, 0.0005);
    near(mcnemar_exact(6, 16), 0.053, 0.0006);
    for (int b = 0; b < 25; b++)
        for (int c = 0; c < 25; c++) near(mcnemar_exact(b, c), mcnemar_counted(b, c), 1e-12);
}

static void pass(void **state)
{
    static const struct {
        int n, c, k;
        double p;
    } CASE[] = {
        {8, 0, 1, 0.000000000000},  {8, 3, 1, 0.375000000000}, {8, 3, 4, 0.928571428571},
        {16, 2, 8, 0.766666666667}, {5, 5, 5, 1.000000000000}, {10, 1, 10, 1.000000000000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++)
        near(pass_at_k(CASE[i].n, CASE[i].c, CASE[i].k), CASE[i].p, 1e-12);
}

/* 60 gained, 20 lost of 200: numpy's 100,000 resamples give 0.115 to 0.285. */
static void bootstrap(void **state)
{
    double diff[200] = {0};
    (void)state;
    for (int i = 0; i < 80; i++) diff[i] = i < 60 ? 1 : -1;
    Paired p = paired_bootstrap(diff, 200, 1), again = paired_bootstrap(diff, 200, 1),
           other = paired_bootstrap(diff, 200, 2);
    near(p.mean, 0.2, 1e-12);
    near(p.ci.lo, 0.115, 0.006);
    near(p.ci.hi, 0.285, 0.006);
    near(again.ci.lo, p.ci.lo, 0);
    near(again.ci.hi, p.ci.hi, 0);
    near(other.ci.lo, p.ci.lo, 0.006);
    Paired none = paired_bootstrap(diff, 0, 1);
    near(none.mean, 0, 0);
}

/*
 * 80 pairs of runs over 40 questions, 20 % gained and 10 % lost in truth: of the intervals, 95 % hold +10 points, give or
 * take 2 % (a binomial's standard deviation), and a little less because the bootstrap of 40 is too narrow.
 */
static void bootstrap_covers(void **state)
{
    enum { RUNS = 80, QUESTIONS = 40 };
    int covered = 0;
    (void)state;
    for (uint32_t run = 0; run < RUNS; run++) {
        double diff[QUESTIONS];
        Rng r = rng_at(7, RNG_BOOTSTRAP, run, 1, 0);
        for (int i = 0; i < QUESTIONS; i++) {
            double u = rng_uniform(&r);
            diff[i] = u < 0.2 ? 1 : u < 0.3 ? -1 : 0;
        }
        Paired p = paired_bootstrap(diff, QUESTIONS, run);
        covered += p.ci.lo <= 0.1 && 0.1 <= p.ci.hi;
    }
    if (covered < 71 || covered == RUNS) fail_msg("%d of %d intervals hold the truth", covered, RUNS);
}

/* ---- runs with a known score ------------------------------------------------------------------------------------- */

static void load(EvalRun *run, const char *text)
{
    Err err = {0};
    char *dir = scratch_new(), *path = path_join(dir, "r.jsonl");
    assert_int_equal(file_save(path, text, strlen(text), &err), 0);
    int rc = run_load_responses(run, path, &err);
    if (rc) fail_msg("%s", err.msg);
    free(path);
    scratch_free(dir);
}

static void load_file(EvalRun *run, const char *path)
{
    Err err = {0};
    if (run_load_responses(run, path, &err)) fail_msg("%s", err.msg);
}

#define YES(id, gold, response)                                                                                        \
    "{\"id\":\"" id "\",\"kind\":\"yesno\",\"answer\":\"" gold "\",\"response\":\"" response "\"}\n"

/* First draws A A B, second A B B, third all wrong: every number counted by hand. */
static void votes(void **state)
{
    EvalRun run = {0};
    Summary s;
    (void)state;
    load(&run, YES("1", "yes", "yes") YES("1", "yes", "yes") YES("1", "yes", "no") YES("2", "yes", "yes")
                   YES("2", "yes", "no") YES("2", "yes", "no") YES("3", "yes", "no") YES("3", "yes", "")
                       YES("3", "yes", "yes or no"));
    summary_fill(&s, &run);
    assert_int_equal(s.all.n, 9);
    assert_int_equal(s.all.items, 3);
    assert_int_equal(s.all.correct, 3);
    assert_int_equal(s.all.unparsed, 1);
    assert_int_equal(s.all.abstained, 1);
    Interval ci = wilson_interval(1, 3);
    near(s.all.ci.lo, ci.lo, 1e-12);
    assert_int_equal(s.vote.n, 3); /* k = 1, 2, 3 */
    near(s.vote.at[0].avg, 1.0 / 3, 1e-12);
    near(s.vote.at[0].maj, 2.0 / 3, 1e-12);
    near(s.vote.at[0].pass, 1.0 / 3, 1e-12);
    near(s.vote.at[2].maj, 1.0 / 3, 1e-12);
    near(s.vote.at[2].pass, 2.0 / 3, 1e-12);
    summary_release(&s);
    run_release(&run);
}

static void single_draws_have_no_votes(void **state)
{
    EvalRun run = {0};
    Summary s;
    (void)state;
    load(&run, YES("1", "yes", "yes") YES("2", "no", "yes"));
    summary_fill(&s, &run);
    assert_int_equal(s.vote.n, 0);
    near(s.all.accuracy, 0.5, 0);
    summary_release(&s);
    run_release(&run);
}

/*
 * Five right answers of which MedEvalKit prints 140 %: two open ones are exactly right and judged right, and it counts
 * them twice.  Eight right answers of which it prints 50 %: the closed hits are set to zero.  Both scorings say 100 %.
 */
static void nothing_counts_twice_or_never(void **state)
{
    static const char *const FILE_OF[] = {"tests/data/eval/all_right_140.jsonl", "tests/data/eval/all_right_50.jsonl"};
    static const int N[] = {5, 8};
    (void)state;
    for (int f = 0; f < 2; f++)
        for (int scoring = 0; scoring < 2; scoring++) {
            EvalRun run = {.scoring = (Scoring)scoring};
            Summary s;
            load_file(&run, FILE_OF[f]);
            summary_fill(&s, &run);
            assert_int_equal(s.all.n, N[f]);
            assert_int_equal(s.all.correct, N[f]);
            near(s.all.accuracy, 1, 0);
            near(s.closed.accuracy, 1, 0);
            near(s.open.accuracy, 1, 0);
            summary_release(&s);
            run_release(&run);
        }
}

/* A judge decides open answers, either way, and nothing else. */
static void judged(void **state)
{
    EvalRun run = {0};
    Summary s;
    (void)state;
    load(&run,
         "{\"id\":1,\"kind\":\"open\",\"answer\":\"the left lung\",\"response\":\"left lung field\",\"judged\":true}\n"
         "{\"id\":2,\"kind\":\"open\",\"answer\":\"heart\",\"response\":\"heart\",\"judged\":false}\n"
         "{\"id\":3,\"kind\":\"open\",\"answer\":\"heart\",\"response\":\"\",\"judged\":true}\n"
         "{\"id\":4,\"kind\":\"yesno\",\"answer\":\"yes\",\"response\":\"no\",\"judged\":true}\n");
    summary_fill(&s, &run);
    assert_int_equal(s.all.correct, 1);
    assert_true(run.response.at[0].match.correct);
    summary_release(&s);
    run_release(&run);
}

static void baseline(void **state)
{
    EvalRun here = {.seed = 1}, there = {0};
    Summary s;
    Comparison c;
    Err err = {0};
    char *dir = scratch_new();
    (void)state;
    load(&there, YES("a", "yes", "no") YES("b", "yes", "yes") YES("c", "yes", "no") YES("d", "yes", "no"));
    load(&here, YES("a", "yes", "yes") YES("b", "yes", "no") YES("c", "yes", "yes") YES("e", "yes", "yes"));
    summary_fill(&s, &there);
    assert_int_equal(results_write(dir, &there, &s, NULL, &err), 0);
    if (compare_with(&c, &here, dir, &err)) fail_msg("%s", err.msg);
    assert_int_equal(c.common, 3);
    assert_int_equal(c.only_here, 1);
    assert_int_equal(c.only_baseline, 1);
    assert_int_equal(c.gained, 2);
    assert_int_equal(c.lost, 1);
    near(c.difference.mean, 1.0 / 3, 1e-12);
    near(c.p, 1, 1e-12);
    summary_release(&s);
    run_release(&here);
    run_release(&there);
    scratch_free(dir);
}

static void bad_rows(void **state)
{
    static const struct {
        const char *row, *says;
    } CASE[] = {
        {"{\"id\":1,\"kind\":\"yesno\",\"response\":\"x\"}", "\"answer\" is missing"},
        {"{\"id\":1,\"kind\":\"yesno\",\"answer\":\"left\",\"response\":\"x\"}", "neither yes, no nor maybe"},
        {"{\"id\":1,\"kind\":\"maths\",\"answer\":\"1\",\"response\":\"x\"}", "unknown kind"},
        {"{\"id\":1,\"kind\":\"choice\",\"answer\":\"C\",\"options\":[\"x\",\"y\"],\"response\":\"x\"}",
         "none of the 2 options"},
        {"{\"id\":1,\"kind\":\"choice\",\"answer\":\"A\",\"options\":{\"A\":\"x\",\"C\":\"y\"},\"response\":\"x\"}",
         "called B"},
        {"{\"id\":1,\"kind\":\"choice\",\"answer\":\"A\",\"response\":\"x\"}", "at least two options"},
        {"{\"id\":1,\"kind\":\"number\",\"answer\":\"many\",\"response\":\"x\"}", "not one number"},
        {"{\"id\":1,\"kind\":\"number\",\"answer\":\"1\",\"tolerance\":-1,\"response\":\"x\"}", "tolerance"},
        {"{\"id\":1,\"kind\":\"open\",\"answer\":\"x\"}", "response"},
        {"{\"id\":1,\"kind\":\"open\",\"answer\":\"x\",\"response\":5}", "response"},
        {"[[1]]", "must be an object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        EvalRun run = {0};
        Err err = {0};
        char *dir = scratch_new(), *path = path_join(dir, "r.jsonl");
        assert_int_equal(file_save(path, CASE[i].row, strlen(CASE[i].row), &err), 0);
        assert_int_equal(run_load_responses(&run, path, &err), -1);
        if (!strstr(err.msg, CASE[i].says) || !strstr(err.msg, "r.jsonl:1")) fail_msg("%s: %s", CASE[i].row, err.msg);
        run_release(&run);
        free(path);
        scratch_free(dir);
    }
}

static void one_id_two_questions(void **state)
{
    EvalRun run = {0};
    Err err = {0};
    char *dir = scratch_new(), *path = path_join(dir, "r.jsonl");
    (void)state;
    const char *text = YES("1", "yes", "yes") YES("1", "no", "yes");
    assert_int_equal(file_save(path, text, strlen(text), &err), 0);
    assert_int_equal(run_load_responses(&run, path, &err), -1);
    assert_non_null(strstr(err.msg, "r.jsonl:2"));
    assert_true(err.hint[0]);
    run_release(&run);
    free(path);
    scratch_free(dir);
}

/* ---- leakage ----------------------------------------------------------------------------------------------------- */

static void picture_hashes(void **state)
{
    static unsigned char a[64 * 80 * 3], bright[sizeof a], other[sizeof a], big[4 * sizeof a], flat[sizeof a];
    (void)state;
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 80; x++)
            for (int c = 0; c < 3; c++) {
                int v = (x * x / 40 + 3 * y + ((x - 40) * (y - 30)) / 15) & 127;
                a[(y * 80 + x) * 3 + c] = (unsigned char)v;
                bright[(y * 80 + x) * 3 + c] = (unsigned char)(v + 60);
                other[(y * 80 + x) * 3 + c] = (unsigned char)((x * 7 + y * y / 9) & 127);
                flat[(y * 80 + x) * 3 + c] = 90;
                for (int k = 0; k < 4; k++) big[((2 * y + k / 2) * 160 + 2 * x + k % 2) * 3 + c] = (unsigned char)v;
            }
    PictureHash h = picture_hash(a, 80, 64), hb = picture_hash(bright, 80, 64), ho = picture_hash(other, 80, 64);
    PictureHash hbig = picture_hash(big, 160, 128), hf = picture_hash(flat, 80, 64), none = {{0}};
    assert_int_equal(picture_distance(&h, &hb), 0);
    assert_true(picture_distance(&h, &hbig) <= LEAK_NEAR);
    assert_true(picture_distance(&h, &ho) > 4 * LEAK_NEAR);
    assert_int_equal(picture_distance(&hf, &none), 0);
    picture_hash(a, 1, 1); /* smaller than the grid */
}

static void save_picture(const char *dir, const char *name, int scale)
{
    Err err = {0};
    Image im = {64 * scale, 48 * scale, xmalloc((size_t)(64 * 48 * 3) * (size_t)(scale * scale))};
    for (int y = 0; y < im.h; y++)
        for (int x = 0; x < im.w; x++)
            for (int c = 0; c < 3; c++) {
                int u = x / scale, v = y / scale;
                im.rgb[(y * im.w + x) * 3 + c] = (unsigned char)(128 + 90 * sin(u * 0.35 + v * 0.2) * cos(v * 0.15));
            }
    char *path = path_join(dir, name);
    assert_int_equal(image_save(&im, path, &err), 0);
    free(path);
    image_release(&im);
}

/* A file that recurs, the same picture at twice the size, and one that cannot be read. */
static void leaked_pictures(void **state)
{
    static const char TRAIN[] = "{\"question\":\"a\",\"images\":[\"one.png\"]}\n";
    static const char TEST[] = "{\"id\":\"file\",\"question\":\"b\",\"images\":[\"copy.png\"]}\n"
                               "{\"id\":\"near\",\"question\":\"c\",\"images\":[\"large.png\"]}\n"
                               "{\"id\":\"none\",\"question\":\"d\",\"images\":[\"missing.png\"]}\n";
    LeakReport r;
    Err err = {0};
    char *dir = scratch_new(), *train = path_join(dir, "train.jsonl"), *test = path_join(dir, "test.jsonl");
    (void)state;
    save_picture(dir, "one.png", 1);
    save_picture(dir, "copy.png", 1);
    save_picture(dir, "large.png", 2);
    assert_int_equal(file_save(train, TRAIN, strlen(TRAIN), &err), 0);
    assert_int_equal(file_save(test, TEST, strlen(TEST), &err), 0);
    if (leak_check(&r, &train, 1, test, &err)) fail_msg("%s", err.msg);
    assert_int_equal(r.same_file, 1);
    assert_non_null(strstr(r.item[0].same_file, "train.jsonl:1"));
    assert_int_equal(r.near_image, 2);
    assert_null(r.item[1].same_file);
    assert_non_null(r.item[1].near_image);
    assert_null(r.item[2].near_image);
    assert_int_equal(r.unreadable, 1);
    leak_release(&r);
    free(train);
    free(test);
    scratch_free(dir);
}

/* The page holds its pictures, escapes what would end its script, and is the same twice. */
static void report_page(void **state)
{
    char *dir = scratch_new(), *path = path_join(dir, "r.jsonl");
    static const char ROW[] = "{\"id\":\"<1>\",\"kind\":\"yesno\",\"question\":\"</script>\",\"answer\":\"yes\","
                              "\"response\":\"yes\",\"images\":[\"one.png\"],\"family\":\"a<b\"}\n";
    EvalRun run = {0};
    Summary s;
    Err err = {0};
    Buf page = {0}, again = {0};
    (void)state;
    save_picture(dir, "one.png", 1);
    assert_int_equal(file_save(path, ROW, strlen(ROW), &err), 0);
    load_file(&run, path);
    summary_fill(&s, &run);
    report_html(&page, &run, &s, NULL);
    report_html(&again, &run, &s, NULL);
    assert_int_equal(page.len, again.len);
    assert_memory_equal(page.data, again.data, page.len);
    buf_byte(&page, 0);
    assert_non_null(strstr(page.data, "data:image/png;base64,"));
    assert_non_null(strstr(page.data, "\\u003c/script>"));
    assert_null(strstr(page.data, "a<b"));
    assert_null(strstr(page.data, "http"));
    buf_release(&page);
    buf_release(&again);
    summary_release(&s);
    run_release(&run);
    free(path);
    scratch_free(dir);
}

static void leaked_words(void **state)
{
    static const char TRAIN[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"One two three four five six seven "
                                "eight nine ten eleven twelve thirteen "
                                "fourteen?\"},{\"role\":\"assistant\",\"content\":\"yes\"}]}\n"
                                "{\"messages\":[{\"role\":\"user\",\"content\":\"Is the heart of this patient "
                                "enlarged?\"},{\"role\":\"assistant\","
                                "\"content\":\"no\"}]}\n";
    static const char TEST[] = "{\"id\":\"long\",\"question\":\"Zero, one two three four five six, seven eight nine "
                               "ten eleven twelve thirteen.\"}\n"
                               "{\"id\":\"same\",\"question\":\"is the heart of this patient enlarged\"}\n"
                               "{\"id\":\"new\",\"question\":\"Which side is the pneumothorax on, left or right?\"}\n";
    LeakReport r;
    Err err = {0};
    char *dir = scratch_new(), *train = path_join(dir, "train.jsonl"), *test = path_join(dir, "test.jsonl");
    (void)state;
    assert_int_equal(file_save(train, TRAIN, strlen(TRAIN), &err), 0);
    assert_int_equal(file_save(test, TEST, strlen(TEST), &err), 0);
    if (leak_check(&r, &train, 1, test, &err)) fail_msg("%s", err.msg);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.ngram13, 1);
    assert_int_equal(r.same_text, 1);
    assert_non_null(strstr(r.item[0].ngram13, "train.jsonl:1"));
    assert_non_null(strstr(r.item[1].same_text, "train.jsonl:2"));
    assert_null(r.item[2].ngram13);
    assert_int_equal(r.item[0].grams8, 7);
    assert_int_equal(r.item[0].found8, 6);
    assert_int_equal(leak_write(dir, &r, &err), 0);
    leak_release(&r);
    free(train);
    free(test);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson),
        cmocka_unit_test(mcnemar),
        cmocka_unit_test(pass),
        cmocka_unit_test(bootstrap),
        cmocka_unit_test(votes),
        cmocka_unit_test(single_draws_have_no_votes),
        cmocka_unit_test(nothing_counts_twice_or_never),
        cmocka_unit_test(judged),
        cmocka_unit_test(baseline),
        cmocka_unit_test(bad_rows),
        cmocka_unit_test(one_id_two_questions),
        cmocka_unit_test(picture_hashes),
        cmocka_unit_test(leaked_words),
        cmocka_unit_test(leaked_pictures),
        cmocka_unit_test(report_page),
        cmocka_unit_test(wilson_covers),
        cmocka_unit_test(bootstrap_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
