/* data/pack, data/loader: how full batches are, and how far samples leave in the order they came in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "data/loader.h"
#include "data_fixture.h"

/* ---- lengths ----------------------------------------------------------------------------------------------------- */

typedef struct Lengths {
    int *at, n;
} Lengths;

/* `count` samples of `low` to `high` tokens. */
typedef struct Bucket {
    int low, high, count;
} Bucket;

/* Histograms of questions on radiographs: most pictures have the most pixels, or few of a common size. */
static const Bucket SMALL[] = {{112, 200, 65}, {200, 240, 72}, {240, 260, 29}, {260, 280, 1019}, {280, 314, 603}};
static const Bucket LARGE[] = {{112, 200, 65},  {200, 300, 151},  {300, 400, 356},   {400, 600, 202},  {600, 800, 111},
                               {800, 900, 131}, {900, 1100, 137}, {1100, 1200, 163}, {1200, 1320, 472}};

static Lengths draw_lengths(const Bucket *b, size_t n)
{
    Lengths l = {0};
    Rng r = rng_at(4, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < n; i++) l.n += b[i].count;
    int *at = l.at = xmalloc((size_t)l.n * sizeof *l.at);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < b[i].count; k++) *at++ = b[i].low + (int)rng_below(&r, (uint32_t)(b[i].high - b[i].low));
    return l;
}

/* ---- batches of samples with these lengths ----------------------------------------------------------------------- */

typedef struct Outcome {
    double percent, percent_but_last; /* of the rows used, in all batches and in all but the last */
    double displacement;              /* mean distance between the places in which samples came and went */
    /* Variance of the batches' mean lengths over that of batches drawn at random: 1 is mixed; sorted batches come to as
       much as there are samples in one. */
    double clustering;
    int64_t longest_wait; /* batches between that in which a sample could have gone and that in which it went */
} Outcome;

/* The fixture's tokens are bytes, so a text makes a sample of any length. */
static Dataset rows_of(const Lengths *l, int overhead)
{
    char *text = xmalloc(4096);
    memset(text, 'x', 4096);
    Buf b = {0};
    for (int i = 0; i < l->n; i++) {
        assert_in_range(l->at[i], overhead + 1, 4096);
        buf_printf(&b, "{\"messages\":[{\"role\":\"user\",\"content\":\"%.*s\"},", l->at[i] - overhead, text);
        buf_str(&b, "{\"role\":\"assistant\",\"content\":\"A\"}]}\n");
    }
    Dataset d = fixture_rows(b.data);
    buf_release(&b);
    free(text);
    return d;
}

/* Tokens of a sample that are not its question. */
static int template_tokens(Fixture *f)
{
    Dataset d = fixture_rows(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":\"A\"}]}");
    Encoded x;
    Err err = {0};
    if (encode_sample(&x, &f->encoder, &d.sample[0], ENCODE_CHAT, &err)) fail_msg("%s", err.msg);
    int n = x.n - 1;
    encoded_release(&x);
    dataset_release(&d);
    return n;
}

static double variance(const Lengths *l, double *mean)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < l->n; i++) sum += l->at[i], squares += (double)l->at[i] * l->at[i];
    *mean = sum / l->n;
    return squares / l->n - *mean * *mean;
}

/* One epoch. */
static Outcome pack_epoch(Fixture *f, const Lengths *l, int budget, uint64_t seed)
{
    Outcome o = {0};
    Err err = {0};
    Dataset d = rows_of(l, template_tokens(f));
    f->encoder.max_length = budget;
    Loader *loader = loader_new(
        &d, &f->encoder, &(LoaderOptions){.packing = true, .shuffle = true, .seed = seed, .samples = d.n, .threads = 2},
        &err);
    if (!loader) fail_msg("%s", err.msg);
    int *order = xmalloc((size_t)d.n * sizeof *order), *place = xmalloc((size_t)d.n * sizeof *place);
    epoch_order(order, d.n, true, seed, 0);
    for (int i = 0; i < d.n; i++) place[order[i]] = i;
    double mean, spread = variance(l, &mean), rows = 0, last = 0;
    int gone = 0, batches = 0;
    int64_t *read_at = xcalloc((size_t)d.n + 1, sizeof *read_at), read = 0; /* batch before which a place was read */
    Batch *b;
    while (loader_next(loader, &b, &err) == 1) {
        int64_t seen = gone + PACK_WINDOW < d.n ? gone + PACK_WINDOW : d.n;
        for (; read < seen; read++) read_at[read] = batches;
        double off = (double)b->n / b->n_samples - mean;
        o.clustering += off * off * b->n_samples / spread;
        for (int i = 0; i < b->n_samples; i++) {
            int at = place[b->source[i]];
            o.displacement += fabs((double)(gone++ - at)) / d.n;
            if (batches - read_at[at] > o.longest_wait) o.longest_wait = batches - read_at[at];
        }
        assert_in_range(b->n, 1, budget);
        rows += last = b->n;
        batches++;
        batch_free(b);
    }
    assert_int_equal(gone, d.n);
    o.clustering /= batches;
    o.percent = 100 * rows / ((double)batches * budget);
    o.percent_but_last = 100 * (rows - last) / ((batches - 1.0) * budget);
    loader_free(loader);
    dataset_release(&d);
    free(order);
    free(place);
    free(read_at);
    return o;
}

static void expect_full(Fixture *f, const Lengths *l, int budget, double percent, double but_last)
{
    for (uint64_t seed = 0; seed < 2; seed++) {
        Outcome o = pack_epoch(f, l, budget, seed);
        print_message("%d rows: %.2f %% used, %.2f %% in all but the last batch; moved by %.0f, clustering %.2f, wait "
                      "%d batches\n",
                      budget, o.percent, o.percent_but_last, o.displacement, o.clustering, (int)o.longest_wait);
        assert_true(o.percent >= percent && o.percent_but_last >= but_last);
        assert_true(o.displacement < PACK_WINDOW && o.clustering < 2.5);
        assert_in_range(o.longest_wait, 0, PACK_WINDOW);
    }
}

/*
 * Seven samples of the most usual length fill 2048 rows to 92 %, and there are not enough short ones to put an eighth
 * into each: with all lengths known beforehand best fit, longest first, comes to 96.7 %.
 */
static void test_short_samples(void **state)
{
    Lengths l = draw_lengths(SMALL, sizeof SMALL / sizeof SMALL[0]);
    expect_full(*state, &l, 2048, 96.5, 97);
    expect_full(*state, &l, 4096, 98, 99.5);
    expect_full(*state, &l, 8192, 98, 99.5);
    free(l.at);
}

/* At 2048 rows hardly two large pictures fit; best fit over all lengths comes to 98.0 %. */
static void test_long_samples(void **state)
{
    Lengths l = draw_lengths(LARGE, sizeof LARGE / sizeof LARGE[0]);
    expect_full(*state, &l, 2048, 97, 97);
    expect_full(*state, &l, 4096, 98, 99.5);
    expect_full(*state, &l, 8192, 98, 99.5);
    free(l.at);
}

/* ---- the real ones ----------------------------------------------------------------------------------------------- */

static Lengths vqarad_lengths(const Dataset *d, const Tokenizer *t, int64_t max_pixels)
{
    ImageProcessor p;
    Encoder e;
    Err err = {0};
    image_processor_default(&p);
    if (max_pixels) p.max_pixels = max_pixels;
    if (encoder_init(&e, t, &p, 0, &err)) fail_msg("%s", err.msg);
    Lengths l = {xmalloc((size_t)d->n * sizeof *l.at), d->n};
    for (int i = 0; i < d->n; i++) {
        Encoded x;
        if (encode_sample(&x, &e, &d->sample[i], ENCODE_CHAT, &err)) fail_msg("%s", err.msg);
        l.at[i] = x.n;
        encoded_release(&x);
    }
    encoder_release(&e);
    return l;
}

static void test_vqarad(void **state)
{
    const char *root = getenv("OSLER_DATA");
    if (!root) root = "../shared/data";
    char *rows = path_join(root, "vqa-rad/VQA_RAD Dataset Public.json"), *dir = path_join(root, "tokenizer");
    bool there = file_exists(rows) && dir_exists(dir);
    Err err = {0};
    Dataset d = {0};
    Tokenizer *t = there ? tokenizer_load(dir, &err) : NULL;
    if (there && (!t || dataset_load(&d, &rows, 1, 0, &err))) fail_msg("%s", err.msg);
    free(rows);
    free(dir);
    if (!there || !HAVE_JPEG) skip();
    Lengths small = vqarad_lengths(&d, t, 200704), large = vqarad_lengths(&d, t, 0);
    expect_full(*state, &small, 2048, 96.5, 97);
    expect_full(*state, &small, 4096, 98, 99.5);
    expect_full(*state, &small, 8192, 98, 99.5);
    expect_full(*state, &large, 2048, 97.5, 97.5);
    expect_full(*state, &large, 4096, 98, 99.5);
    expect_full(*state, &large, 8192, 98, 99.5);
    free(small.at);
    free(large.at);
    tokenizer_free(t);
    dataset_release(&d);
}

static int open_fixture(void **state)
{
    static Fixture f;
    fixture_open(&f, 0);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    fixture_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_samples),
        cmocka_unit_test(test_long_samples),
        cmocka_unit_test(test_vqarad),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
