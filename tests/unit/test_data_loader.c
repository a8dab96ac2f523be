/* data/loader: the same batches whatever the threads, wherever it is stopped, whatever is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "data/loader.h"
#include "data_fixture.h"

enum { SAMPLES = 23, MAX_LENGTH = 160 };

/* Row i: every third with an image, answers of different lengths; `bad` rows name an image that is no image. */
static Dataset make_rows(int n, const char *bad)
{
    static const char *const image[] = {"a.png", "b.png", "c.png", "d.png"};
    Buf b = {0};
    for (int i = 0; i < n; i++) {
        bool is_bad = bad && bad[i] == 'x', has_image = is_bad || i % 3 == 0;
        buf_printf(&b, "{\"id\":\"%d\",\"messages\":[{\"role\":\"user\",\"content\":\"%s%d\"},", i,
                   has_image ? "<image>" : "", i);
        buf_printf(&b, "{\"role\":\"assistant\",\"content\":\"%.*s\"}]", 1 + i * 7 % 20, "abcdefghijklmnopqrstuvwxyz");
        if (has_image) buf_printf(&b, ",\"images\":[\"img/%s\"]", is_bad ? "broken.png" : image[i / 3 % 4]);
        buf_str(&b, "}\n");
    }
    Dataset d = fixture_rows(b.data);
    buf_release(&b);
    return d;
}

static Loader *open_loader(Fixture *f, const Dataset *d, LoaderOptions o)
{
    Err err = {0};
    if (o.threads == 0) o.threads = 2;
    Loader *l = loader_new(d, &f->encoder, &o, &err);
    if (!l) fail_msg("%s", err.msg);
    return l;
}

static Batch *next(Loader *l)
{
    Err err = {0};
    Batch *b;
    int rc = loader_next(l, &b, &err);
    if (rc < 0) fail_msg("%s", err.msg);
    assert_int_equal(rc, b != NULL);
    return b;
}

static uint64_t batch_hash(const Batch *b)
{
    uint64_t h = hash_bytes(HASH_INIT, b->ids, (size_t)b->n * sizeof *b->ids);
    h = hash_bytes(h, b->pos, 3 * (size_t)b->n * sizeof *b->pos);
    h = hash_bytes(h, b->seg, (size_t)b->n_seg * sizeof *b->seg);
    h = hash_bytes(h, b->source, (size_t)b->n_samples * sizeof *b->source);
    h = hash_bytes(h, b->target_row, (size_t)b->n_targets * sizeof *b->target_row);
    h = hash_bytes(h, b->target_id, (size_t)b->n_targets * sizeof *b->target_id);
    h = hash_bytes(h, &b->first_sample, sizeof b->first_sample);
    size_t pixels = (size_t)b->n_patches * (size_t)b->patch_dim;
    return pixels ? hash_bytes(h, b->pixels, pixels * sizeof *b->pixels) : h;
}

/* The hashes of up to `most` batches, and the states after each. Returns how many there were. */
static int run(Fixture *f, const Dataset *d, LoaderOptions o, int most, uint64_t *hash, LoaderState *after)
{
    Loader *l = open_loader(f, d, o);
    int n = 0;
    Err err = {0};
    for (Batch *b; n < most && (b = next(l)); n++) {
        if (batch_check(b, VOCAB, 2, &err)) fail_msg("%s", err.msg);
        hash[n] = batch_hash(b);
        if (after) after[n] = loader_state(l);
        batch_free(b);
    }
    loader_free(l);
    return n;
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static void expect_sources(Fixture *f, const Dataset *d, LoaderOptions o, const int *want, int n)
{
    Loader *l = open_loader(f, d, o);
    int at = 0;
    for (Batch *b; at < n && (b = next(l)); batch_free(b))
        for (int i = 0; i < b->n_samples; i++) {
            assert_true(at < n);
            assert_int_equal(b->source[i], want[at++]);
        }
    assert_int_equal(at, n);
    loader_free(l);
}

static void test_file_order_wraps(void **state)
{
    Dataset d = make_rows(5, NULL);
    const int want[] = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1};
    expect_sources(*state, &d, (LoaderOptions){.batch_size = 3}, want, 12);
    expect_sources(*state, &d, (LoaderOptions){.batch_size = 12}, want, 12);
    dataset_release(&d);
}

/* The last batch of all may be smaller; every epoch has each sample once, in an order of its own. */
static void test_shuffle(void **state)
{
    Dataset d = make_rows(SAMPLES, NULL);
    LoaderOptions o = {.batch_size = 4, .shuffle = true, .seed = 7, .samples = 3 * SAMPLES};
    int want[3 * SAMPLES], differs = 0;
    for (int e = 0; e < 3; e++) {
        int seen[SAMPLES] = {0};
        epoch_order(want + e * SAMPLES, SAMPLES, true, 7, e);
        for (int i = 0; i < SAMPLES; i++) seen[want[e * SAMPLES + i]]++;
        for (int i = 0; i < SAMPLES; i++) assert_int_equal(seen[i], 1);
        for (int i = 0; i < SAMPLES; i++) differs += want[e * SAMPLES + i] != want[i];
    }
    assert_true(differs > SAMPLES);
    expect_sources(*state, &d, o, want, 3 * SAMPLES);
    Loader *l = open_loader(*state, &d, o);
    int n = 0, last = 0;
    for (Batch *b; (b = next(l)); n++, batch_free(b)) last = b->n_samples;
    Err err = {0};
    assert_int_equal(n, (3 * SAMPLES + 3) / 4);
    int64_t rows;
    assert_int_equal(loader_count(&d, &((Fixture *)*state)->encoder, &o, &rows, &err), n);
    assert_int_equal(last, 3 * SAMPLES % 4);
    assert_null(next(l));
    LoaderState end = loader_state(l);
    assert_true(end.epoch == 3 && end.position == 0 && end.n_waiting == 0);
    loader_free(l);
    dataset_release(&d);
}

static void test_packing(void **state)
{
    Fixture *f = *state;
    Dataset d = make_rows(3 * PACK_WINDOW, NULL);
    LoaderOptions o = {.packing = true, .shuffle = true, .seed = 3, .samples = d.n};
    Loader *l = open_loader(f, &d, o);
    int *seen = xcalloc((size_t)d.n, sizeof *seen), total = 0, batches = 0;
    for (Batch *b; (b = next(l)); batches++, batch_free(b)) {
        assert_true(b->n <= f->encoder.max_length);
        for (int i = 0; i < b->n_samples; i++) seen[b->source[i]]++;
        total += b->n;
    }
    for (int i = 0; i < d.n; i++) assert_int_equal(seen[i], 1);
    Err err = {0};
    int64_t rows;
    assert_int_equal(loader_count(&d, &f->encoder, &o, &rows, &err), batches);
    assert_int_equal(rows, total);
    assert_true(batches < d.n && total > batches * f->encoder.max_length / 2);
    free(seen);
    loader_free(l);
    dataset_release(&d);
}

/* More samples to a pack than wait at a time. */
static void test_packing_many(void **state)
{
    Fixture *f = *state;
    f->encoder.max_length = 20000;
    Dataset d = make_rows(8 * PACK_WINDOW, NULL);
    LoaderOptions o = {.packing = true, .shuffle = true, .seed = 3, .samples = d.n};
    Loader *l = open_loader(f, &d, o);
    int last = 20000, samples = 0;
    for (Batch *b; (b = next(l)); batch_free(b)) {
        assert_in_range(last, 19990, 20000);
        last = b->n;
        samples += b->n_samples;
        assert_true(b->n_samples > PACK_WINDOW || samples == d.n);
    }
    assert_int_equal(samples, d.n);
    f->encoder.max_length = MAX_LENGTH;
    loader_free(l);
    dataset_release(&d);
}

static void test_pairs(void **state)
{
    Fixture *f = *state;
    Dataset d =
        fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"}],\"images\":[\"img/a.png\"],"
                     "\"chosen\":\"yes\",\"rejected\":\"n\"}\n{\"prompt\":\"R\",\"chosen\":\"c\",\"rejected\":\"d\"}");
    Loader *l = open_loader(f, &d, (LoaderOptions){.as = ENCODE_PAIR, .batch_size = 2});
    Batch *b = next(l);
    Err err = {0};
    assert_int_equal(batch_check(b, VOCAB, 2, &err), 0);
    assert_int_equal(b->n_seg, 6);
    assert_int_equal(b->n_samples, 2);
    const int prefix[] = {-1, 0, 0, -1, 3, 3},
              target[] = {'y', 'e', 's', IM_END, 'n', IM_END, 'c', IM_END, 'd', IM_END};
    for (int i = 0; i < 6; i++) assert_int_equal(b->seg[i].prefix, prefix[i]);
    assert_int_equal(b->n_targets, 10);
    assert_memory_equal(b->target_id, target, sizeof target);
    batch_free(b);
    loader_free(l);
    dataset_release(&d);
}

/* ---- determinism and resume -------------------------------------------------------------------------------------- */

enum { RUN = 40 };

static void check_threads_and_resume(Fixture *f, const Dataset *d, LoaderOptions o)
{
    uint64_t want[RUN], got[RUN];
    LoaderState after[RUN];
    o.threads = 1;
    int n = run(f, d, o, RUN, want, after);
    assert_true(n > 5);
    for (int threads = 2; threads <= 4; threads += 2) {
        o.threads = threads;
        assert_int_equal(run(f, d, o, RUN, got, NULL), n);
        assert_memory_equal(got, want, (size_t)n * sizeof *want);
    }
    for (int k = 0; k < n; k++) {
        o.start = after[k];
        int most = n - k - 1 < 6 ? n - k - 1 : 6;
        assert_int_equal(run(f, d, o, most, got, NULL), most);
        assert_memory_equal(got, want + k + 1, (size_t)most * sizeof *want);
    }
}

static void test_determinism(void **state)
{
    Dataset d = make_rows(SAMPLES, NULL);
    check_threads_and_resume(*state, &d, (LoaderOptions){.batch_size = 4, .shuffle = true, .seed = 5});
    check_threads_and_resume(*state, &d, (LoaderOptions){.batch_size = 3, .samples = 2 * SAMPLES});
    check_threads_and_resume(*state, &d, (LoaderOptions){.packing = true, .shuffle = true, .seed = 5});
    check_threads_and_resume(*state, &d, (LoaderOptions){.packing = true, .samples = 50});
    dataset_release(&d);
    d = make_rows(2 * PACK_WINDOW + 9, NULL);
    check_threads_and_resume(*state, &d, (LoaderOptions){.packing = true, .shuffle = true, .samples = d.n});
    dataset_release(&d);
}

static void test_determinism_with_bad_samples(void **state)
{
    Dataset d = make_rows(SAMPLES, "xx...x..xxx..........xx");
    LoaderOptions o = {.batch_size = 4, .shuffle = true, .seed = 5, .max_bad_samples = -1};
    check_threads_and_resume(*state, &d, o);
    o.packing = true;
    check_threads_and_resume(*state, &d, o);
    dataset_release(&d);
}

/* ---- what cannot be used ----------------------------------------------------------------------------------------- */

static void test_bad_samples_move_up(void **state)
{
    Dataset d = make_rows(8, "x..x...x");
    LoaderOptions o = {.batch_size = 2, .max_bad_samples = 3};
    const int want[] = {1, 2, 4, 5, 6, 1, 2, 4, 5, 6};
    expect_sources(*state, &d, o, want, 10);
    Loader *l = open_loader(*state, &d, o);
    for (int i = 0; i < 12; i++) batch_free(next(l));
    int n;
    const BadRow *bad = loader_bad(l, &n);
    assert_int_equal(n, 3);
    const int line[] = {1, 4, 8};
    for (int i = 0; i < n; i++) {
        assert_int_equal(bad[i].at.line, line[i]);
        assert_non_null(strstr(bad[i].reason, "broken.png"));
    }
    loader_free(l);
    dataset_release(&d);
}

/* A broken picture is found when its pack has been chosen, so its rows stay empty. */
static void test_broken_pictures_leave_room(void **state)
{
    Fixture *f = *state;
    static const char is_bad[] = "..xx......x.........xxx";
    Dataset d = make_rows(SAMPLES, is_bad);
    LoaderOptions o = {.packing = true, .shuffle = true, .seed = 5, .samples = SAMPLES, .max_bad_samples = -1};
    Loader *l = open_loader(f, &d, o);
    int seen[SAMPLES] = {0}, batches = 0, n;
    int64_t rows = 0, chosen;
    for (Batch *b; (b = next(l)); batches++, batch_free(b)) {
        for (int i = 0; i < b->n_samples; i++) seen[b->source[i]]++;
        rows += b->n;
    }
    for (int i = 0; i < SAMPLES; i++) assert_int_equal(seen[i], is_bad[i] == '.');
    loader_bad(l, &n);
    assert_int_equal(n, 6);
    loader_free(l);
    Err err = {0};
    assert_in_range(loader_count(&d, &f->encoder, &o, &chosen, &err), batches, batches + 6);
    assert_true(chosen > rows + 6 * 20);
    dataset_release(&d);
}

static void expect_end(Fixture *f, const Dataset *d, LoaderOptions o, int batches, const char *message)
{
    Loader *l = open_loader(f, d, o);
    for (int i = 0; i < batches; i++) batch_free(next(l));
    Batch *b;
    Err err = {0};
    assert_int_equal(loader_next(l, &b, &err), -1);
    assert_null(b);
    if (!strstr(err.msg, message)) fail_msg("\"%s\" does not say \"%s\"", err.msg, message);
    loader_free(l);
}

static void test_too_many_bad_samples(void **state)
{
    Dataset d = make_rows(8, "..x.xx..");
    expect_end(*state, &d, (LoaderOptions){.batch_size = 2}, 1, "rows.jsonl:3, id 2: " IMG "broken.png");
    expect_end(*state, &d, (LoaderOptions){.batch_size = 1, .max_bad_samples = 2}, 3, "max_bad_samples is 2");
    dataset_release(&d);
    d = make_rows(3, "xxx");
    expect_end(*state, &d, (LoaderOptions){.batch_size = 2, .max_bad_samples = -1}, 0, "not one sample");
    dataset_release(&d);
    d = fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}");
    expect_end(*state, &d, (LoaderOptions){.batch_size = 1}, 0, "nothing to train on");
    Loader *l = open_loader(*state, &d, (LoaderOptions){.batch_size = 1, .as = ENCODE_PROMPT});
    batch_free(next(l));
    loader_free(l);
    dataset_release(&d);
}

/* Headers can be read, pictures cannot: without an end of the samples this must not go on for ever. */
static void test_all_pictures_broken(void **state)
{
    Dataset d = make_rows(7, "xxxxxxx");
    expect_end(*state, &d, (LoaderOptions){.packing = true, .max_bad_samples = -1}, 0, "not one sample");
    expect_end(*state, &d, (LoaderOptions){.packing = true, .max_bad_samples = 4}, 0, "max_bad_samples is 4");
    dataset_release(&d);
}

static void test_wrong_options(void **state)
{
    Fixture *f = *state;
    Dataset d = make_rows(4, NULL), none = {0};
    Err err = {0};
    assert_null(loader_new(&none, &f->encoder, &(LoaderOptions){.batch_size = 1}, &err));
    assert_non_null(strstr(err.msg, "no usable sample"));
    err_clear(&err);
    assert_null(loader_new(&d, &f->encoder, &(LoaderOptions){.batch_size = 0}, &err));
    err_clear(&err);
    assert_null(loader_new(&d, &f->encoder, &(LoaderOptions){.batch_size = 1, .start.position = 4}, &err));
    assert_non_null(strstr(err.msg, "cannot go on at sample 4 of 4"));
    LoaderOptions o = {.packing = true, .start = {.position = 2, .n_waiting = 2, .behind = {2, 1}}};
    loader_free(open_loader(f, &d, o));
    const LoaderState bad[] = {{.position = 2, .n_waiting = 2, .behind = {3, 1}},
                               {.position = 2, .n_waiting = 2, .behind = {1, 1}},
                               {.position = 2, .n_waiting = 1, .behind = {0}},
                               {.position = 2, .n_waiting = PACK_WINDOW + 1},
                               {.position = 2, .n_waiting = -1},
                               {.epoch = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.start = bad[i];
        err_clear(&err);
        assert_null(loader_new(&d, &f->encoder, &o, &err));
        assert_non_null(strstr(err.hint, "not what it was"));
    }
    dataset_release(&d);
}

/* At any time: threads may be at work, waiting for room, or done. */
static void test_early_free(void **state)
{
    Dataset d = make_rows(SAMPLES, NULL);
    for (int i = 0; i < 20; i++) {
        Loader *l = open_loader(
            *state, &d,
            (LoaderOptions){.batch_size = 1 + i % 5, .packing = i % 2, .threads = 1 + i % 4, .samples = i % 3 ? 0 : 4});
        if (i % 4 == 1) usleep((useconds_t)i * 500);
        if (i % 4 == 2) batch_free(next(l));
        loader_free(l);
    }
    loader_free(NULL);
    dataset_release(&d);
}

static int open_fixture(void **state)
{
    static Fixture f;
    fixture_open(&f, MAX_LENGTH);
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
        cmocka_unit_test(test_file_order_wraps),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_packing_many),
        cmocka_unit_test(test_broken_pictures_leave_room),
        cmocka_unit_test(test_all_pictures_broken),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_determinism_with_bad_samples),
        cmocka_unit_test(test_bad_samples_move_up),
        cmocka_unit_test(test_too_many_bad_samples),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_early_free),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
