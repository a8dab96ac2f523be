/*
 * A vision cache changes what an image costs, never what comes out: the same bits whether its features are computed
 * alone, among other images, or read.  Everything runs once with every set of kernels that this machine has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/rng.h"
#include "infer/generate.h"
#include "scratch.h"
#include "train_fixture.h"

enum { ROOMY = 1 << 30 };
static const char TIED[] = "tests/data/goldens/small_tied";

static Golden golden(void)
{
    Err err = {0};
    Golden g;
    if (golden_open(&g, TIED, &err)) fail_msg("%s", err.msg);
    return g;
}

static PeftConfig *language_adapter(void)
{
    static const char *const TARGET = ".*language_model.*\\.(q_proj|v_proj|up_proj)";
    Err err = {0};
    PeftConfig *cfg = xcalloc(1, sizeof *cfg);
    assert_int_equal(peft_config_init(cfg, &TARGET, 1, &err), 0);
    cfg->r = 4;
    cfg->lora_alpha = 8;
    return cfg;
}

/* An engine with a trained adapter on the language model; cache NULL: none. */
static void open_engine(Engine *e, const char *model, DType dtype, const char *cache)
{
    Err err = {0};
    EngineOptions o = {.model = model,
                       .dtype = dtype,
                       .new_adapter = language_adapter(),
                       .train_adapter = true,
                       .checkpoint = true,
                       .seed = 3,
                       .vision_cache = cache,
                       .vision_cache_bytes = ROOMY};
    if (engine_open(e, &o, &err)) fail_msg("%s: %s", model, err.msg);
    for (int i = 0; i < e->model->param.n; i++) { /* B is not zero, so that A has a gradient */
        const Param *p = &e->model->param.at[i];
        Rng r = rng_at(4, RNG_TEST, (uint32_t)i, 0, 0);
        for (int64_t k = 0; p->adapter && k < tensor_count(p->t); k++) {
            float x = (float)rng_normal(&r) / 10;
            dtype_convert((char *)p->t->data + (size_t)k * dtype_size(dtype), dtype, &x, DT_F32, 1);
        }
    }
}

static void assert_counts(const Engine *e, int hits, int misses)
{
    VisionCacheCount n = vision_cache_count(e->images);
    assert_int_equal(n.hits, hits);
    assert_int_equal(n.misses, misses);
}

/* ---- score and gradients ----------------------------------------------------------------------------------------- */

/* Samples [first, first + n) of the golden through both engines: the same log-probabilities and gradients. */
static void assert_same_step(const Golden *g, Engine *plain, Engine *cached, int first, int n)
{
    Err err = {0};
    Engine *e[2] = {plain, cached};
    float *logp[2];
    Batch *b = golden_batch(g, plain, first, n, &err);
    assert_non_null(b);
    float *dlogp = xmalloc(sizeof *dlogp * (size_t)b->n_targets);
    for (int i = 0; i < b->n_targets; i++) dlogp[i] = (float)(1 + i % 3);
    for (int k = 0; k < 2; k++) {
        logp[k] = xmalloc(sizeof(float) * (size_t)b->n_targets);
        engine_zero_grads(e[k]);
        memcpy(logp[k], engine_score(e[k], b, true, true, NULL), sizeof(float) * (size_t)b->n_targets);
        engine_backward(e[k], dlogp);
        engine_release(e[k]);
    }
    assert_memory_equal(logp[0], logp[1], sizeof(float) * (size_t)b->n_targets);
    int grads = 0;
    for (int i = 0; i < plain->model->param.n; i++) {
        const Tensor *x = plain->model->param.at[i].t, *y = cached->model->param.at[i].t;
        if (!x->needs_grad) continue;
        double norm = 0;
        for (int64_t j = 0; j < tensor_count(x); j++) norm += fabs((double)((float *)x->grad)[j]);
        assert_true(norm > 0);
        assert_memory_equal(x->grad, y->grad, sizeof(float) * (size_t)tensor_count(x));
        grads++;
    }
    assert_true(grads > 0);
    free(logp[0]), free(logp[1]), free(dlogp);
    batch_free(b);
}

/* Samples of the golden and their images: 0: [0]; 1: [1, 2, 3]; 2: none; 3: [3]; 4: [4]; 5: [0, 1, 2]; 6: none; 7: [2] */
static void steps_are_the_same(DType dtype)
{
    Golden g = golden();
    char *dir = scratch_new();
    Engine plain, e;
    open_engine(&plain, g.model, dtype, NULL);
    open_engine(&e, g.model, dtype, dir);
    assert_same_step(&g, &plain, &e, 2, 1); /* text only */
    assert_counts(&e, 0, 0);
    assert_same_step(&g, &plain, &e, 3, 1); /* 3 alone */
    assert_counts(&e, 0, 1);
    assert_true(engine_encoded(&e) == 1);
    assert_same_step(&g, &plain, &e, 1, 1); /* 1 and 2 are new, 3 is there */
    assert_counts(&e, 1, 3);
    assert_true(engine_encoded(&e) > 0 && engine_encoded(&e) < 1);
    assert_same_step(&g, &plain, &e, 3, 3); /* 3 is there; 4 and 0 are new; 1 and 2 are there */
    assert_counts(&e, 4, 5);
    assert_same_step(&g, &plain, &e, 0, g.data.n); /* all there */
    assert_counts(&e, 14, 5);
    assert_true(engine_encoded(&e) == 0);
    engine_close(&e);
    open_engine(&e, g.model, dtype, dir); /* a later run */
    assert_same_step(&g, &plain, &e, 0, g.data.n);
    assert_counts(&e, 10, 0);
    engine_close(&e);
    engine_close(&plain);
    scratch_free(dir);
    golden_close(&g);
}

static void steps_f32(void **state)
{
    (void)state;
    steps_are_the_same(DT_F32);
}

static void steps_bf16(void **state)
{
    (void)state;
    steps_are_the_same(DT_BF16);
}

/* All images at once, cold: the same picture twice in a batch is computed once. */
static void twins_are_computed_once(void **state)
{
    (void)state;
    Golden g = golden();
    char *dir = scratch_new();
    Engine plain, e;
    open_engine(&plain, g.model, DT_BF16, NULL);
    open_engine(&e, g.model, DT_BF16, dir);
    assert_same_step(&g, &plain, &e, 0, g.data.n);
    assert_counts(&e, 5, 5);
    engine_close(&e);
    engine_close(&plain);
    scratch_free(dir);
    golden_close(&g);
}

/* ---- what keys depend on ----------------------------------------------------------------------------------------- */

static Model *random_model(const char *config_dir, DType dtype, uint64_t seed)
{
    Err err = {0};
    ModelConfig cfg;
    if (config_load(&cfg, config_dir, &err)) fail_msg("%s", err.msg);
    return model_random(&cfg, &(ModelOptions){.dtype = dtype}, seed);
}

/* Hits among the images of batch b under model m, which this takes over. */
static int hits(Model *m, const Batch *b, const char *dir)
{
    Err err = {0};
    Engine e;
    engine_adopt(&e, m, false);
    assert_int_equal(engine_cache_vision(&e, dir, ROOMY, &err), 0);
    engine_score(&e, b, false, true, NULL);
    engine_release(&e);
    int n = (int)vision_cache_count(e.images).hits;
    engine_close(&e);
    return n;
}

static void other_models_and_pictures_miss(void **state)
{
    (void)state;
    Err err = {0};
    Golden g = golden();
    char *dir = scratch_new();
    Engine plain;
    open_engine(&plain, g.model, DT_F32, NULL);
    Batch *b = golden_batch(&g, &plain, 1, 1, &err);
    assert_int_equal(b->n_images, 3);
    assert_int_equal(hits(random_model(g.model, DT_F32, 1), b, dir), 0);
    assert_int_equal(hits(random_model(g.model, DT_F32, 1), b, dir), 3);
    assert_int_equal(hits(random_model(g.model, DT_F32, 2), b, dir), 0);
    assert_int_equal(hits(random_model(g.model, DT_BF16, 1), b, dir), 0);
    Model *m = random_model(g.model, DT_F32, 1);
    m->cfg.vision.full[0] = !m->cfg.vision.full[0];
    assert_int_equal(hits(m, b, dir), 0);
    m = random_model(g.model, DT_F32, 1);
    ((float *)m->vision.fc2.w->data)[5] += 1e-6f;
    assert_int_equal(hits(m, b, dir), 0);
    m = random_model(g.model, DT_F32, 1);
    ((float *)m->head.w->data)[5] += 1; /* not the tower's */
    assert_int_equal(hits(m, b, dir), 3);
    float *pixel = &b->pixels[(size_t)b->image[1].first_patch * (size_t)b->patch_dim + 7];
    *pixel = nextafterf(*pixel, 9);
    assert_int_equal(hits(random_model(g.model, DT_F32, 1), b, dir), 2);
    assert_true(b->image[0].grid_h != b->image[0].grid_w);
    b->image[0] = (BatchImage){b->image[0].grid_w, b->image[0].grid_h, 0};
    assert_int_equal(hits(random_model(g.model, DT_F32, 1), b, dir), 2);
    assert_int_equal(hits(random_model(g.model, DT_F32, 1), b, dir), 3);
    batch_free(b);
    engine_close(&plain);
    scratch_free(dir);
    golden_close(&g);
}

static void copy_folder(const char *from, const char *to)
{
    Err err = {0};
    char **name;
    int n;
    assert_int_equal(dir_list(from, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) {
        char *a = path_join(from, name[i]), *b = path_join(to, name[i]);
        assert_int_equal(file_copy(b, a, &err), 0);
        free(a), free(b), free(name[i]);
    }
    free(name);
}

static int count_names(const char *dir)
{
    char **name;
    int n;
    Err err = {0};
    assert_int_equal(dir_list(dir, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) free(name[i]);
    free(name);
    return n;
}

/* Adds a little to a number in the middle of the tensor, in the file. */
static void change_weight(const char *model, const char *tensor)
{
    Err err = {0};
    char *path = path_join(model, "model.safetensors");
    Buf file = {0};
    SafeTensors st;
    assert_int_equal(file_read(&file, path, 1 << 24, &err), 0);
    assert_int_equal(st_open_bytes(&st, (unsigned char *)file.data, file.len, path, &err), 0);
    const StTensor *t = st_find(&st, tensor);
    assert_true(t && t->dtype == DT_F32);
    size_t at = (size_t)((const char *)t->data - file.data) + t->bytes / 2 / 4 * 4;
    file.data[at] ^= 1;
    assert_int_equal(file_save(path, file.data, file.len, &err), 0);
    st_close(&st);
    buf_release(&file);
    free(path);
}

/* Scores sample 1 with its three images. True where the weight file had rested long enough to be remembered. */
static bool score_three(const Golden *g, const char *model, const char *cache, int want_hits)
{
    Err err = {0};
    Engine e;
    open_engine(&e, model, DT_F32, cache);
    Batch *b = golden_batch(g, &e, 1, 1, &err);
    engine_score(&e, b, false, true, NULL);
    engine_release(&e);
    assert_counts(&e, want_hits, 3 - want_hits);
    bool settled = e.model->files.shard[0].settled;
    batch_free(b);
    engine_close(&e);
    return settled;
}

/* The hash of the weights is remembered for files that rest, not for files that were just written: a changed weight is
   seen, and the same weights in another file are the same. */
static void weights_are_hashed_once(void **state)
{
    (void)state;
    Golden g = golden();
    char *dir = scratch_new(), *model = scratch_new();
    copy_folder(g.model, model);
    int files = 3;
    bool settled = score_three(&g, model, dir, 0);
    settled |= score_three(&g, model, dir, 3);
    files += settled;
    assert_int_equal(count_names(dir), files);
    change_weight(model, "visual.blocks.1.mlp.up_proj.weight");
    files += 3 + score_three(&g, model, dir, 0);
    assert_int_equal(count_names(dir), files);
    files += score_three(&g, g.model, dir, 3);
    assert_int_equal(count_names(dir), files);
    score_three(&g, g.model, dir, 3);
    assert_int_equal(count_names(dir), files);
    scratch_free(dir);
    scratch_free(model);
    golden_close(&g);
}

/* Every entry damaged, the remembered hash among them. */
static void damaged_entries_are_computed_again(void **state)
{
    (void)state;
    Err err = {0};
    Golden g = golden();
    char *dir = scratch_new(), **name;
    int n;
    Engine plain, e;
    open_engine(&plain, g.model, DT_BF16, NULL);
    open_engine(&e, g.model, DT_BF16, dir);
    assert_same_step(&g, &plain, &e, 1, 1);
    engine_close(&e);
    assert_int_equal(dir_list(dir, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) {
        char *path = path_join(dir, name[i]);
        Buf file = {0};
        assert_int_equal(file_read(&file, path, 1 << 24, &err), 0);
        file.data[file.len - 7] ^= 64;
        assert_int_equal(file_save(path, file.data, file.len, &err), 0);
        buf_release(&file);
        free(path), free(name[i]);
    }
    free(name);
    log_level(LOG_QUIET); /* the warning at the end */
    for (int round = 0; round < 2; round++) {
        open_engine(&e, g.model, DT_BF16, dir);
        assert_same_step(&g, &plain, &e, 1, 1);
        assert_counts(&e, round ? 3 : 0, round ? 0 : 3);
        engine_close(&e);
    }
    log_level(LOG_WARN);
    engine_close(&plain);
    scratch_free(dir);
    golden_close(&g);
}

/* A folder that cannot be: everything is computed. */
static void unusable_folder(void **state)
{
    (void)state;
    Golden g = golden();
    char *dir = path_join(g.model, "config.json");
    Engine plain, e;
    open_engine(&plain, g.model, DT_F32, NULL);
    log_level(LOG_QUIET);
    open_engine(&e, g.model, DT_F32, dir);
    log_level(LOG_WARN);
    assert_same_step(&g, &plain, &e, 1, 1);
    assert_same_step(&g, &plain, &e, 1, 1);
    assert_counts(&e, 0, 0);
    engine_close(&e);
    engine_close(&plain);
    free(dir);
    golden_close(&g);
}

/* ---- who may have one -------------------------------------------------------------------------------------------- */

static void assert_refused(const char *model, const char *adapter, bool train_merger, const char *why)
{
    Err err = {0};
    Engine e;
    EngineOptions o = {.model = model,
                       .adapter = adapter,
                       .train = {[PART_MERGER] = train_merger, [PART_LANGUAGE] = !adapter},
                       .vision_cache = "/nonexistent/never/created",
                       .vision_cache_bytes = ROOMY};
    assert_int_equal(engine_open(&e, &o, &err), -1);
    if (!strstr(err.msg, why)) fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
    assert_non_null(strstr(err.hint, "freeze_vision"));
}

static void changing_towers_are_refused(void **state)
{
    (void)state;
    assert_refused("tests/data/goldens/small_tied/model", NULL, true, "merger is trained");
    assert_refused("tests/data/goldens/small_lora/model", "tests/data/goldens/small_lora/adapter", false,
                   "adapter reaches into the vision");
}

/* ---- generate ---------------------------------------------------------------------------------------------------- */

enum { NEW = 12 };

typedef struct Answers {
    const Golden *g;
    Engine *e;
    int asked, n, id[64 * NEW];
    float logp[64 * NEW];
} Answers;

static Batch *next_prompt(void *arg, Err *err)
{
    Answers *a = arg;
    if (a->asked == a->g->data.n) return NULL;
    const Sample *s = &a->g->data.sample[a->asked];
    Encoder enc;
    Encoded x;
    BatchBuilder bb;
    assert_int_equal(encoder_init(&enc, a->e->tok, &a->e->proc, 0, err), 0);
    assert_int_equal(encode_sample(&x, &enc, s, ENCODE_PROMPT, err), 0);
    assert_int_equal(encode_pixels(&x, &enc, s, err), 0);
    batch_begin(&bb, &a->e->proc);
    batch_add_prompt(&bb, &x, a->asked++);
    encoded_release(&x);
    encoder_release(&enc);
    return batch_finish(&bb);
}

static int take_answer(void *arg, const Completion *c, Err *err)
{
    (void)err;
    Answers *a = arg;
    assert_in_range(a->n + c->n, 1, 64 * NEW);
    memcpy(a->id + a->n, c->id, sizeof *c->id * (size_t)c->n);
    memcpy(a->logp + a->n, c->logp, sizeof *c->logp * (size_t)c->n);
    a->n += c->n;
    return 0;
}

static void answer(Answers *a, const Golden *g, const char *cache, int want_hits, int want_misses)
{
    Err err = {0};
    Engine e;
    open_engine(&e, g->model, DT_BF16, cache);
    *a = (Answers){.g = g, .e = &e};
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = NEW;
    o.n = 2;
    o.logp = true;
    o.sampling.temperature = 0.9;
    o.sampling.seed = 5;
    if (generate(&e, &o, &(GenerateIo){.next = next_prompt, .done = take_answer, .arg = a}, &err))
        fail_msg("%s", err.msg);
    if (cache) assert_counts(&e, want_hits, want_misses);
    engine_close(&e);
}

static void answers_are_the_same(void **state)
{
    (void)state;
    static Answers plain, cold, warm;
    Golden g = golden();
    char *dir = scratch_new();
    answer(&plain, &g, NULL, 0, 0);
    answer(&cold, &g, dir, 4, 5); /* of ten images; the rows of one are another prompt's, too */
    answer(&warm, &g, dir, 9, 0);
    assert_true(plain.n > 0 && plain.n == cold.n && plain.n == warm.n);
    assert_memory_equal(plain.id, cold.id, sizeof plain.id);
    assert_memory_equal(plain.id, warm.id, sizeof plain.id);
    assert_memory_equal(plain.logp, cold.logp, sizeof plain.logp);
    assert_memory_equal(plain.logp, warm.logp, sizeof plain.logp);
    scratch_free(dir);
    golden_close(&g);
}

/* ---- train ------------------------------------------------------------------------------------------------------- */

static void train(const Golden *g, const char *out, const char *cache)
{
    Err err = {0};
    char *key = cache ? xasprintf("vision_cache=%s", cache) : xstrdup("threads=2");
    const char *args[] = {"finetuning_type=lora",
                          "freeze_vision=yes",
                          "freeze_merger=yes",
                          "dtype=bf16",
                          "max_steps=6",
                          "save_steps=0",
                          "shuffle=true",
                          key,
                          NULL};
    if (train_golden(g, out, args, &err)) fail_msg("%s", err.msg);
    free(key);
}

static void runs_are_the_same(void **state)
{
    (void)state;
    Golden g = golden();
    char *dir = scratch_new(), *plain = scratch_new(), *cold = scratch_new(), *warm = scratch_new();
    train(&g, plain, NULL);
    train(&g, cold, dir);
    assert_true(count_names(dir) >= 5);
    train(&g, warm, dir);
    assert_same_run("cold cache", plain, cold);
    assert_same_run("warm cache", plain, warm);
    scratch_free(dir);
    scratch_free(plain), scratch_free(cold), scratch_free(warm);
    golden_close(&g);
}

/* ---- what it rests on -------------------------------------------------------------------------------------------- */

static char *random_numbers(DType dtype, uint32_t stream, size_t n)
{
    Rng r = rng_at(6, RNG_TEST, stream, 0, 0);
    char *out = xmalloc(n * dtype_size(dtype));
    for (size_t i = 0; i < n; i += 2) {
        float f[2];
        rng_normal_pair(f, &r);
        dtype_convert(out + i * dtype_size(dtype), dtype, f, DT_F32, n - i < 2 ? n - i : 2);
    }
    return out;
}

/* A row of a product does not depend on how many rows there are, at the widths of a real tower. */
static void rows_do_not_see_their_neighbours(DType dtype, int out, int in)
{
    enum { ROWS = 330, STEP = 55 };
    static const int COUNT[] = {4, 16, 17, 80, 100, 256, ROWS};
    Kernels k;
    kernels_cpu(&k, dtype);
    size_t size = dtype_size(dtype), row_x = (size_t)in * size, row_y = (size_t)out * size;
    char *w = random_numbers(dtype, 0, (size_t)out * (size_t)in), *x = random_numbers(dtype, 1, ROWS * (size_t)in),
         *bias = random_numbers(dtype, 2, (size_t)out), *all = xmalloc(ROWS * row_y), *some = xmalloc(ROWS * row_y);
    Weight weight = {.data = w, .out = out, .in = in};
    MatmulArgs a = {.y = all, .y_type = dtype, .x = x, .w = &weight, .bias = bias, .n = ROWS};
    k.matmul_nt(&a);
    a.y = some;
    for (size_t c = 0; c < sizeof COUNT / sizeof *COUNT; c++)
        for (int first = 0; first + COUNT[c] <= ROWS; first += STEP) {
            a.x = x + (size_t)first * row_x;
            a.n = COUNT[c];
            k.matmul_nt(&a);
            if (memcmp(some, all + (size_t)first * row_y, (size_t)COUNT[c] * row_y))
                fail_msg("%s %d x %d: rows [%d, +%d) differ alone and among %d", dtype_name(dtype), out, in, first,
                         COUNT[c], ROWS);
        }
    free(w), free(x), free(bias), free(all), free(some);
}

static void rows_are_independent(void **state)
{
    (void)state;
    const char *cpu = getenv("CPU");
    bool slow = cpu && !strcmp(cpu, "ref");
    for (int t = 0; t < 2; t++) {
        rows_do_not_see_their_neighbours(t ? DT_BF16 : DT_F32, slow ? 20 : 1280, 1176);
        rows_do_not_see_their_neighbours(t ? DT_BF16 : DT_F32, slow ? 5 : 96, 3420);
    }
}

/* ---- every set of kernels ---------------------------------------------------------------------------------------- */

static int check_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_f32),
        cmocka_unit_test(steps_bf16),
        cmocka_unit_test(twins_are_computed_once),
        cmocka_unit_test(other_models_and_pictures_miss),
        cmocka_unit_test(weights_are_hashed_once),
        cmocka_unit_test(damaged_entries_are_computed_again),
        cmocka_unit_test(unusable_folder),
        cmocka_unit_test(changing_towers_are_refused),
        cmocka_unit_test(answers_are_the_same),
        cmocka_unit_test(runs_are_the_same),
        cmocka_unit_test(rows_are_independent),
    };
    log_level(LOG_WARN);
    pool_start(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The mask is read once in a process, so each has its own. */
int main(void)
{
    static const char *const MASK[] = {"ref", "avx2", "avx512", NULL};
    int failed = 0;
    for (size_t i = 0; i < sizeof MASK / sizeof *MASK; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            if (MASK[i]) setenv("CPU", MASK[i], 1);
            exit(check_all() != 0);
        }
        int status;
        waitpid(pid, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            fprintf(stderr, "failed with CPU=%s\n", MASK[i] ? MASK[i] : "");
            failed = 1;
        }
    }
    return failed;
}
