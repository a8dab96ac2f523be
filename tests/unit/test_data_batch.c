/* data/encode, data/pack and data/batch: tokens, positions, segments, targets, packing plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "data/pack.h"
#include "data_fixture.h"

static Encoded encode(Fixture *f, const Sample *s, EncodeAs as)
{
    Encoded x;
    Err err = {0};
    if (encode_sample(&x, &f->encoder, s, as, &err) || encode_pixels(&x, &f->encoder, s, &err)) fail_msg("%s", err.msg);
    return x;
}

/* Ids as text: bytes as they are, special tokens as S E < > and image rows as their number in brackets. */
static char *spell(const int *id, int n)
{
    Buf b = {0};
    for (int i = 0; i < n; i++)
        if (id[i] < 0) buf_printf(&b, "[%d]", -1 - id[i]);
        else if (id[i] >= 256) buf_byte(&b, (unsigned char)"?SE<>"[id[i] - 256]);
        else buf_byte(&b, (unsigned char)id[i]);
    return b.data ? buf_take(&b) : xstrdup("");
}

static void expect_ids(const int *id, int n, const char *want)
{
    char *got = spell(id, n);
    assert_string_equal(got, want);
    free(got);
}

/* The tokenizer's ids are bytes of the byte-level alphabet; the fixture relies on that. */
#define SYSTEM "Ssystem\nYou are a helpful assistant.E\n"

/* ---- encoding ---------------------------------------------------------------------------------------------------- */

static void test_chat(void **state)
{
    Fixture *f = *state;
    Dataset d =
        fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q<image>\"},{\"role\":\"assistant\","
                     "\"content\":\"A\"},{\"role\":\"user\",\"content\":\"R\"},{\"role\":\"assistant\",\"content\":"
                     "\"no\",\"loss\":false}],\"images\":[\"img/a.png\",\"img/b.png\"]}");
    Encoded x = encode(f, &d.sample[0], ENCODE_CHAT);
    expect_ids(x.id, x.n,
               SYSTEM "Suser\n<[0][1][2][3]>Q<[4][5][6][7][8][9]>E\nSassistant\nAE\nSuser\nRE\nSassistant\nnoE\n");
    assert_int_equal(x.n_images, 2);
    assert_int_equal(x.n_image_tokens, 10);
    assert_int_equal(x.n_patches, 40);
    assert_int_equal(x.n_targets, 2);
    int *target = xcalloc((size_t)x.n, sizeof *target), n = 0;
    for (int i = 0; i < x.n; i++)
        if (x.target[i]) target[n++] = x.id[i];
    expect_ids(target, n, "AE");
    assert_int_equal(encoded_pixel_bytes(&x), 40 * 14 * 14 * 3);
    free(target);
    encoded_release(&x);

    x = encode(f, &d.sample[0], ENCODE_PROMPT);
    expect_ids(x.id, x.n, SYSTEM "Suser\n<[0][1][2][3]>Q<[4][5][6][7][8][9]>E\nSassistant\n");
    assert_int_equal(x.n_targets, 0);
    encoded_release(&x);
    dataset_release(&d);
}

/* A prompt has the images that stand before the first answer, not those after it. */
static void test_prompt_images(void **state)
{
    Fixture *f = *state;
    Dataset d =
        fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"},{\"role\":\"assistant\",\"content\":"
                     "\"A\"},{\"role\":\"user\",\"content\":\"<image>\"}],\"images\":[\"img/a.png\",\"none.png\"]}");
    Encoded x = encode(f, &d.sample[0], ENCODE_PROMPT);
    assert_int_equal(x.n_images, 1);
    expect_ids(x.id, x.n, SYSTEM "Suser\n<[0][1][2][3]>QE\nSassistant\n");
    encoded_release(&x);
    dataset_release(&d);
}

/* An image inside an assistant message is no target. */
static void test_image_is_no_target(void **state)
{
    Fixture *f = *state;
    Dataset d = fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"},{\"role\":\"assistant\",\"content\":"
                             "\"see <image>\"}],\"images\":[\"img/a.png\"]}");
    Encoded x = encode(f, &d.sample[0], ENCODE_CHAT);
    for (int i = 0; i < x.n; i++) assert_false(x.id[i] < 0 && x.target[i]);
    assert_true(x.n_targets >= 5);
    encoded_release(&x);
    dataset_release(&d);
}

static void test_pair(void **state)
{
    Fixture *f = *state;
    Dataset d =
        fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"},{\"role\":\"assistant\",\"content\":"
                     "\"A\"},{\"role\":\"user\",\"content\":\"R\"}],\"images\":[\"img/a.png\"],\"chosen\":\"\\nyes\","
                     "\"rejected\":\" no\"}");
    Encoded x = encode(f, &d.sample[0], ENCODE_PAIR);
    expect_ids(x.id, x.n, SYSTEM "Suser\n<[0][1][2][3]>QE\nSassistant\nAE\nSuser\nRE\nSassistant\n");
    assert_int_equal(x.n_targets, 0);
    expect_ids(x.chosen.id, x.chosen.n, "\nyesE");
    expect_ids(x.rejected.id, x.rejected.n, " noE");
    encoded_release(&x);
    dataset_release(&d);
}

static void expect_error(Fixture *f, const char *row, EncodeAs as, const char *message, const char *hint)
{
    Dataset d = fixture_rows(row);
    Encoded x;
    Err err = {0};
    int rc = encode_sample(&x, &f->encoder, &d.sample[0], as, &err);
    if (rc == 0) rc = encode_pixels(&x, &f->encoder, &d.sample[0], &err);
    assert_int_equal(rc, -1);
    if (!strstr(err.msg, message) || !strstr(err.hint, hint)) fail_msg("%s / %s", err.msg, err.hint);
    sample_context(&d.sample[0], &err);
    assert_non_null(strstr(err.msg, DATA_DIR "rows.jsonl:1, id rows.jsonl:1: "));
    encoded_release(&x);
    dataset_release(&d);
}

static void test_encode_errors(void **state)
{
    (void)state;
    Fixture f;
    fixture_open(&f, 90);
    const char *image = "{\"messages\":[{\"role\":\"user\",\"content\":\"<image>\"}],\"images\":[\"img/%s\"]}";
    const char *file[] = {"absent.png", "text.png", "broken.png"};
    for (int i = 0; i < 3; i++) {
        Buf row = {0};
        buf_str(&row, image);
        char *full = xasprintf("%.*s%s%s", (int)(strstr(row.data, "%s") - row.data), row.data, file[i],
                               strstr(row.data, "%s") + 2);
        expect_error(&f, full, ENCODE_CHAT, file[i], "");
        free(full);
        buf_release(&row);
    }
    expect_error(&f,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"<image><image>0123456789\"}],\"images\":"
                 "[\"img/c.png\",\"img/c.png\"]}",
                 ENCODE_CHAT, "(40 of 2 images, 60 of text) are more than max_length 90", "raise max_length to 100");
    expect_error(&f, "{\"messages\":[{\"role\":\"user\",\"content\":\"<|image_pad|>\"}]}", ENCODE_CHAT, "<|image_pad|>",
                 "");
    expect_error(&f, "{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}", ENCODE_PAIR, "no preference pair",
                 "chosen");
    fixture_close(&f);
}

/* ---- positions --------------------------------------------------------------------------------------------------- */

/* Position by position: what stands before decides where each token is. */
static void slow_positions(int (*pos)[3], const int *image_of, int n, const ImagePlan *plan)
{
    for (int i = 0; i < n; i++) {
        int start = 0, first = i;
        while (first > 0 && image_of[i] >= 0 && image_of[first - 1] == image_of[i]) first--;
        for (int j = 0; j < first; j++)
            for (int a = 0; a < 3; a++)
                if (pos[j][a] + 1 > start) start = pos[j][a] + 1;
        int w = image_of[i] >= 0 ? plan[image_of[i]].grid_w / 2 : 1, k = i - first;
        pos[i][0] = start;
        pos[i][1] = start + (image_of[i] >= 0 ? k / w : 0);
        pos[i][2] = start + (image_of[i] >= 0 ? k % w : 0);
    }
}

static void test_positions(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 200; round++) {
        Rng r = rng_at(1, RNG_TEST, round, 0, 0);
        int id[1200], image_of[1200], n = 0, n_images = (int)rng_below(&r, 5), row = 0;
        ImagePlan plan[4];
        for (int k = 0; k <= n_images; k++) {
            for (int text = (int)rng_below(&r, 9); text > 0; text--, n++) id[n] = 7, image_of[n] = -1;
            if (k == n_images) break;
            int h = 1 + (int)rng_below(&r, 12), w = 1 + (int)rng_below(&r, 12);
            plan[k] = (ImagePlan){.grid_h = 2 * h, .grid_w = 2 * w, .tokens = h * w};
            for (int t = 0; t < h * w; t++, n++) id[n] = -1 - row++, image_of[n] = k;
        }
        int got[1200][3], want[1200][3], most = -1;
        int next = mrope_positions(got, id, n, plan, n_images, 2, 0);
        slow_positions(want, image_of, n, plan);
        for (int i = 0; i < n; i++)
            for (int a = 0; a < 3; a++) {
                assert_int_equal(got[i][a], want[i][a]);
                if (got[i][a] > most) most = got[i][a];
            }
        assert_int_equal(next, most + 1);
    }
}

/* transformers' get_rope_index for: 3 of text, an image 4 high and 6 wide (2 x 3 merged), 2 of text. */
static void test_positions_known(void **state)
{
    (void)state;
    const ImagePlan plan = {.grid_h = 4, .grid_w = 6, .tokens = 6};
    const int id[] = {1, 1, 1, -1, -2, -3, -4, -5, -6, 1, 1};
    const int want[3][11] = {
        {0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7}, {0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7}, {0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7}};
    int pos[11][3];
    assert_int_equal(mrope_positions(pos, id, 11, &plan, 1, 2, 0), 8);
    for (int i = 0; i < 11; i++)
        for (int a = 0; a < 3; a++) assert_int_equal(pos[i][a], want[a][i]);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static void check_batch(const Fixture *f, const Batch *b)
{
    Err err = {0};
    if (batch_check(b, VOCAB, f->processor.merge, &err)) fail_msg("%s", err.msg);
}

static const char *const TWO_ROWS =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"},{\"role\":\"assistant\",\"content\":\"A\"}],"
    "\"images\":[\"img/b.png\"]}\n"
    "{\"messages\":[{\"role\":\"user\",\"content\":\"R<image>\"},{\"role\":\"assistant\",\"content\":\"BC\"}],"
    "\"images\":[\"img/d.png\"]}\n";

/* Patches of an image file. */
static void expect_patches(Fixture *f, const float *got, const ImagePlan *plan, const char *ref)
{
    Err err = {0};
    size_t bytes = image_patch_bytes(&f->processor, plan);
    float *want = xmalloc(bytes);
    unsigned char *rgb = xmalloc(image_plan_bytes(plan));
    if (image_load_planned(rgb, &f->processor, plan, ref, &err)) fail_msg("%s", err.msg);
    image_patches(want, &f->processor, plan, rgb);
    assert_memory_equal(got, want, bytes);
    free(rgb);
    free(want);
}

static void test_batch_of_samples(void **state)
{
    Fixture *f = *state;
    Dataset d = fixture_rows(TWO_ROWS);
    Encoded x = encode(f, &d.sample[0], ENCODE_CHAT), y = encode(f, &d.sample[1], ENCODE_CHAT);
    BatchBuilder bb;
    batch_begin(&bb, &f->processor);
    assert_int_equal(batch_add_sample(&bb, &x, 10), 0);
    assert_int_equal(batch_add_sample(&bb, &y, 11), 1);
    Batch *b = batch_finish(&bb);
    check_batch(f, b);
    assert_int_equal(b->n, x.n + y.n);
    assert_int_equal(b->seg[1].start, x.n);
    assert_int_equal(b->source[1], 11);
    expect_ids(b->ids, b->n,
               SYSTEM "Suser\n<[0][1][2][3][4][5]>QE\nSassistant\nAE\n" SYSTEM
                      "Suser\nR<[6][7][8][9][10][11]>E\nSassistant\nBCE\n");
    assert_int_equal(b->n_targets, 5);
    expect_ids(b->target_id, b->n_targets, "AEBCE");
    for (int i = 0; i < b->n_targets; i++) {
        assert_int_equal(b->ids[b->target_row[i] + 1], b->target_id[i]);
        assert_int_equal(b->target_sample[i], i >= 2);
    }
    for (int a = 0; a < 3; a++) assert_int_equal(b->pos[a * b->n + x.n], 0);
    assert_int_equal(b->image[1].first_patch, x.n_patches);
    expect_patches(f, b->pixels, &x.plan[0], IMG "b.png");
    expect_patches(f, b->pixels + (size_t)x.n_patches * (size_t)b->patch_dim, &y.plan[0], IMG "d.png");
    batch_free(b);
    encoded_release(&x);
    encoded_release(&y);
    dataset_release(&d);
}

static void test_batch_of_two_images(void **state)
{
    Fixture *f = *state;
    Dataset d = fixture_rows("{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q<image>\"},{\"role\":"
                             "\"assistant\",\"content\":\"A\"}],\"images\":[\"img/c.png\",\"img/b.png\"]}");
    Encoded x = encode(f, &d.sample[0], ENCODE_CHAT);
    BatchBuilder bb;
    batch_begin(&bb, &f->processor);
    batch_add_sample(&bb, &x, 0);
    Batch *b = batch_finish(&bb);
    check_batch(f, b);
    assert_int_equal(b->image[1].first_patch, 80);
    expect_patches(f, b->pixels, &x.plan[0], IMG "c.png");
    expect_patches(f, b->pixels + 80 * (size_t)b->patch_dim, &x.plan[1], IMG "b.png");
    batch_free(b);
    encoded_release(&x);
    dataset_release(&d);
}

/* A group's rows, read along prefix and child, are those of the samples written out. */
static void test_shared_prefix(void **state)
{
    Fixture *f = *state;
    Dataset d = fixture_rows(TWO_ROWS);
    Encoded prompt = encode(f, &d.sample[0], ENCODE_PROMPT), whole = encode(f, &d.sample[0], ENCODE_CHAT);
    Encoded other = encode(f, &d.sample[1], ENCODE_CHAT);
    AnswerTokens one, two;
    encode_answer(&one, &f->encoder, "A");
    encode_answer(&two, &f->encoder, "xyz");
    BatchBuilder bb;
    batch_begin(&bb, &f->processor);
    batch_add_sample(&bb, &other, 1);
    int p = batch_add_prompt(&bb, &prompt, 0);
    int c = batch_add_child(&bb, p, one.id, one.n, 1.0f);
    int e = batch_add_child(&bb, p, two.id, two.n, -0.5f);
    int g = batch_add_child(&bb, e, one.id, one.n, 2.0f);
    Batch *b = batch_finish(&bb);
    check_batch(f, b);
    assert_int_equal(b->n_samples, 2);
    assert_int_equal(b->n, other.n + prompt.n + 2 * one.n + two.n);
    const Segment *sp = &b->seg[p], *sc = &b->seg[c], *se = &b->seg[e], *sg = &b->seg[g];
    assert_true(sc->prefix == p && se->prefix == p && sg->prefix == e && sg->sample == 1);
    int pos[200][3];
    mrope_positions(pos, whole.id, whole.n, whole.plan, whole.n_images, 2, 0);
    for (int i = 0; i < prompt.n + one.n; i++) {
        int row = i < prompt.n ? sp->start + i : sc->start + i - prompt.n;
        if (whole.id[i] >= 0) assert_int_equal(b->ids[row], whole.id[i]);
        for (int a = 0; a < 3; a++) assert_int_equal(b->pos[a * b->n + row], pos[i][a]);
    }
    int k = other.n_targets;
    assert_int_equal(b->target_row[k], sp->start + sp->len - 1);
    assert_int_equal(b->target_row[k + 1], sc->start);
    assert_int_equal(b->target_row[k + one.n], sp->start + sp->len - 1);
    assert_int_equal(b->target_row[k + one.n + two.n], se->start + se->len - 1);
    expect_ids(b->target_id + k, b->n_targets - k, "AExyzEAE");
    assert_true(b->weight[k] == 1.0f && b->weight[k + one.n] == -0.5f && b->weight[b->n_targets - 1] == 2.0f);
    assert_int_equal(b->pos[sg->start], b->pos[se->start + se->len - 1] + 1);
    batch_free(b);
    free(one.id);
    free(two.id);
    encoded_release(&prompt);
    encoded_release(&whole);
    encoded_release(&other);
    dataset_release(&d);
}

static void assert_same_batch(const Batch *a, const Batch *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_seg, b->n_seg);
    assert_int_equal(a->n_targets, b->n_targets);
    assert_int_equal(a->n_patches, b->n_patches);
    assert_memory_equal(a->ids, b->ids, (size_t)a->n * sizeof(int));
    assert_memory_equal(a->pos, b->pos, 3 * (size_t)a->n * sizeof(int));
    assert_memory_equal(a->seg, b->seg, (size_t)a->n_seg * sizeof(Segment));
    assert_memory_equal(a->target_row, b->target_row, (size_t)a->n_targets * sizeof(int));
    assert_memory_equal(a->target_id, b->target_id, (size_t)a->n_targets * sizeof(int));
    assert_memory_equal(a->weight, b->weight, (size_t)a->n_targets * sizeof(float));
    size_t pixels = (size_t)a->n_patches * (size_t)a->patch_dim;
    if (pixels) assert_memory_equal(a->pixels, b->pixels, pixels * sizeof(float));
}

/* Going on with a finished batch gives what building it at once gives. */
static void test_reopen(void **state)
{
    Fixture *f = *state;
    Dataset d = fixture_rows(TWO_ROWS);
    Encoded x = encode(f, &d.sample[0], ENCODE_PROMPT), y = encode(f, &d.sample[1], ENCODE_CHAT);
    const int answer[] = {65, IM_END};
    Batch *made[2];
    for (int reopen = 0; reopen < 2; reopen++) {
        BatchBuilder bb;
        batch_begin(&bb, &f->processor);
        batch_add_prompt(&bb, &x, 0);
        batch_add_sample(&bb, &y, 1);
        if (reopen) batch_reopen(&bb, batch_finish(&bb), &f->processor);
        batch_add_child(&bb, 0, answer, 2, 1.0f);
        batch_add_sample(&bb, &y, 1);
        made[reopen] = batch_finish(&bb);
        check_batch(f, made[reopen]);
    }
    assert_same_batch(made[0], made[1]);
    batch_free(made[0]);
    batch_free(made[1]);
    encoded_release(&x);
    encoded_release(&y);
    dataset_release(&d);
}

/* Each damaged index is found. */
static void test_batch_check(void **state)
{
    Fixture *f = *state;
    Dataset d = fixture_rows(TWO_ROWS);
    Encoded x = encode(f, &d.sample[0], ENCODE_CHAT);
    BatchBuilder bb;
    batch_begin(&bb, &f->processor);
    batch_add_sample(&bb, &x, 0);
    const int answer[] = {65};
    batch_add_child(&bb, 0, answer, 1, 1.0f);
    Batch *b = batch_finish(&bb);
    int image_row = 0;
    while (b->ids[image_row] >= 0) image_row++;
    const struct {
        int *at, bad;
    } damage[] = {{&b->ids[0], VOCAB},
                  {&b->ids[0], -1},
                  {&b->ids[image_row], -2},
                  {&b->ids[image_row], 5},
                  {&b->pos[3], -1},
                  {&b->seg[0].start, 1},
                  {&b->seg[0].len, 3},
                  {&b->seg[1].len, 2},
                  {&b->seg[1].prefix, 1},
                  {&b->seg[1].prefix, -2},
                  {&b->seg[1].sample, 1},
                  {&b->image[0].grid_h, 2},
                  {&b->image[0].grid_w, 5},
                  {&b->image[0].grid_w, 0},
                  {&b->image[0].first_patch, 4},
                  {&b->n_patches, 23},
                  {&b->target_row[0], b->n},
                  {&b->target_row[0], -1},
                  {&b->target_id[0], -1},
                  {&b->target_id[0], VOCAB},
                  {&b->target_sample[0], 1},
                  {&b->n, b->n + 1},
                  {&b->n, 0},
                  {&b->n_images, 0}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        Err err = {0};
        int good = *damage[i].at;
        *damage[i].at = damage[i].bad;
        if (batch_check(b, VOCAB, 2, &err) != -1 || !err.msg[0]) fail_msg("damage %zu was not found", i);
        *damage[i].at = good;
        check_batch(f, b);
    }
    Err err = {0};
    b->pixels[9] = NAN;
    assert_int_equal(batch_check(b, VOCAB, 2, &err), -1);
    batch_free(b);
    encoded_release(&x);
    dataset_release(&d);
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

static int rows_of(const bool *take, const int *tokens, int n)
{
    int rows = 0;
    for (int i = 0; i < n; i++) rows += take[i] ? tokens[i] : 0;
    return rows;
}

/* The fullest that any selection with (or without) item 0 gets. */
static int fullest(const int *tokens, int n, int budget, bool with_first)
{
    int best = 0;
    for (unsigned set = with_first; set < 1u << n; set += 1 + (unsigned)with_first) {
        int rows = 0;
        for (int i = 0; i < n; i++) rows += set >> i & 1 ? tokens[i] : 0;
        if (rows <= budget && rows > best) best = rows;
    }
    return best;
}

static void test_pack_next_known(void **state)
{
    (void)state;
    bool take[8];
    /* The oldest; then those of more than a sixth of 60, longest first; then in order, while there is room. */
    assert_int_equal(pack_next(take, (int[]){5, 30, 4, 20, 3, 25, 1, 2}, 8, 60, 0), 60);
    const bool want[] = {true, true, false, false, false, true, false, false};
    assert_memory_equal(take, want, sizeof want);
    assert_int_equal(pack_next(take, (int[]){5, 30, 4, 20, 3, 25, 1, 2}, 8, 60, 57), 3);
    assert_true(take[4] && !take[0] && !take[6] && !take[7]);
    assert_int_equal(pack_next(take, (int[]){70, 1}, 2, 60, 0), 70);
    assert_true(take[0] && !take[1]);
    assert_int_equal(pack_next(take, (int[]){60, 1}, 2, 60, 0), 60);
    assert_int_equal(pack_next(take, (int[]){61}, 1, 60, 60), 0);
    assert_int_equal(pack_next(take, NULL, 0, 60, 0), 0);
}

static void test_pack_next_fills(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 2000; round++) {
        Rng r = rng_at(2, RNG_TEST, round, 0, 0);
        int tokens[11], n = 1 + (int)rng_below(&r, 11), budget = 1 + (int)rng_below(&r, 300), sum = 0;
        int used = round % 3 ? 0 : 1 + (int)rng_below(&r, (uint32_t)budget);
        for (int i = 0; i < n; i++) sum += tokens[i] = 1 + (int)rng_below(&r, (uint32_t)budget);
        bool take[11];
        int rows = pack_next(take, tokens, n, budget, used), mean = sum / n;
        int best = fullest(tokens, n, budget - used, used == 0), gap = mean * mean / (2 * budget) + 1;
        assert_int_equal(rows, rows_of(take, tokens, n));
        assert_true(rows <= budget - used && (used || take[0]));
        if (rows < best - gap) fail_msg("%d of %d rows, %d would have fitted", rows, budget - used, best);
        for (int i = 0; i < n; i++) assert_true(take[i] || rows + tokens[i] > budget - used);
    }
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
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_prompt_images),
        cmocka_unit_test(test_image_is_no_target),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_encode_errors),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_positions_known),
        cmocka_unit_test(test_batch_of_samples),
        cmocka_unit_test(test_batch_of_two_images),
        cmocka_unit_test(test_shared_prefix),
        cmocka_unit_test(test_reopen),
        cmocka_unit_test(test_batch_check),
        cmocka_unit_test(test_pack_next_known),
        cmocka_unit_test(test_pack_next_fills),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
