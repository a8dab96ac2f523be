/* What a dry step says a step needs is what the step then takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/pool.h"
#include "kernels/dry.h"
#include "parity/golden.h"
#include "train/plan.h"

static void open_engine(Engine *e, const Golden *g, DType dtype, bool dry)
{
    Err err = {0};
    EngineOptions o = {.model = g->model, .adapter = g->adapter, .dtype = dtype, .train_adapter = true, .dry = dry};
    for (int p = 0; p < PART_COUNT; p++) o.train[p] = !g->adapter && p != PART_VISION;
    if (engine_open(e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
}

static void step(Engine *e, const Batch *b)
{
    engine_dropout(e, 3);
    engine_score(e, b, true, true, NULL);
    float *dlogp = arena_zalloc(&e->step, sizeof *dlogp * (size_t)b->n_targets);
    engine_backward(e, dlogp);
    engine_release(e);
}

static const OptimOptions RATES = {.lr = {1e-5, 1e-5, 1e-5}, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};

/* The same bytes in both arenas, whatever is computed again. */
static void dry_is_real(Golden *g, void *arg)
{
    const DType *dtype = arg;
    Err err = {0};
    Engine e[2];
    Optimizer opt[2];
    for (int k = 0; k < 2; k++) {
        open_engine(&e[k], g, *dtype, k);
        optimizer_init(&opt[k], e[k].model, &RATES);
    }
    assert_int_equal(e[0].model->arena.used, e[1].model->arena.used);
    Batch *b = golden_batch(g, &e[0], 0, g->data.n, &err);
    assert_non_null(b);
    for (int policy = 0; policy < 4; policy++) {
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < model_blocks(e[k].model); i++)
                e[k].recompute[i] = (Recompute)(policy < 3 ? policy : i % 3);
            e[k].step.high = 0;
            step(&e[k], b);
        }
        assert_true(e[0].step.high > 0);
        assert_int_equal(e[0].step.high, e[1].step.high);
    }
    batch_free(b);
    for (int k = 0; k < 2; k++) {
        optimizer_release(&opt[k]);
        engine_close(&e[k]);
    }
}

static void test_memory(void **state)
{
    (void)state;
    DType dtype[] = {DT_F32, DT_BF16};
    for (int i = 0; i < 2; i++) assert_true(golden_each(dry_is_real, &dtype[i]) > 0);
}

/* A plan of a golden's own data. */
typedef struct Fixture {
    Golden g;
    Engine e;
    Optimizer opt;
    Encoder encoder;
} Fixture;

static Fixture *fixture_open(const char *dir)
{
    Err err = {0};
    Fixture *f = xcalloc(1, sizeof *f);
    assert_int_equal(golden_open(&f->g, dir, &err), 0);
    open_engine(&f->e, &f->g, DT_F32, true);
    optimizer_init(&f->opt, f->e.model, &RATES);
    assert_int_equal(encoder_init(&f->encoder, f->e.tok, &f->e.proc, 0, &err), 0);
    return f;
}

static void fixture_close(Fixture *f)
{
    optimizer_release(&f->opt);
    encoder_release(&f->encoder);
    engine_close(&f->e);
    golden_close(&f->g);
    free(f);
}

static Plan plan(const Fixture *f, Checkpointing c, size_t limit, bool timed)
{
    Plan p;
    Err err = {0};
    PlanInput in = {.engine = (Engine *)(uintptr_t)&f->e,
                    .opt = &f->opt,
                    .data = &f->g.data,
                    .encoder = (Encoder *)(uintptr_t)&f->encoder,
                    .loader = {.as = ENCODE_CHAT, .batch_size = 2, .threads = 1, .samples = f->g.data.n},
                    .accumulation = 2,
                    .checkpointing = c,
                    .limit = limit,
                    .timed = timed};
    if (plan_make(&p, &in, &err)) fail_msg("%s", err.msg);
    return p;
}

static void test_levels(void **state)
{
    (void)state;
    Fixture *f = fixture_open("tests/data/goldens/small_tied");
    size_t much = (size_t)1 << 40;
    Plan none = plan(f, CHECKPOINT_NONE, 0, false), all = plan(f, CHECKPOINT_ALL, much, false),
         enough = plan(f, CHECKPOINT_AUTO, much, false), little = plan(f, CHECKPOINT_AUTO, 0, false);
    assert_int_equal(none.n_mlp + none.n_block + enough.n_mlp + enough.n_block, 0);
    assert_int_equal(all.n_block, all.blocks - all.first);
    assert_int_equal(all.first, f->e.model->cfg.vision.l); /* frozen here */
    assert_int_equal(little.n_block, all.n_block);
    assert_int_equal(enough.activations, none.activations);
    assert_int_equal(little.activations, all.activations);
    assert_true(none.activations > all.activations);

    /* Half of what can be saved: something is computed again, but not everything. */
    Plan tight = plan(f, CHECKPOINT_AUTO, none.total - (none.activations - all.activations) / 2, false);
    assert_true(tight.total <= tight.limit || tight.other > none.other);
    assert_true(tight.n_mlp + tight.n_block > 0);
    Plan p[] = {none, all, enough, little, tight};
    for (int i = 0; i < 5; i++) plan_release(&p[i]);
    fixture_close(f);
}

static void test_sizes(void **state)
{
    (void)state;
    Fixture *f = fixture_open("tests/data/goldens/small_tied");
    Plan p = plan(f, CHECKPOINT_NONE, 0, true);
    const Model *m = f->e.model;
    size_t trained = sizeof(float) * (size_t)model_count(m, true);
    assert_int_equal(p.gradients, trained);
    assert_int_equal(p.optimizer, 2 * trained); /* f32: the masters are the weights */
    assert_true(p.files > 0 && p.pictures > 0 && p.other > 0);
    assert_int_equal(p.total, p.files + p.weights + p.gradients + p.optimizer + p.activations + p.pictures + p.other);
    assert_int_equal(p.batches, (f->g.data.n + 1) / 2);
    assert_true(p.tokens > 0 && p.seconds > 0 && p.seconds < 60);
    plan_release(&p);
    fixture_close(f);
}

/* A call of twice the rows takes twice the time, and a kind is measured once. */
static void test_time(void **state)
{
    (void)state;
    DryRun r;
    Kernels k;
    kernels_dry(&k, DT_F32);
    k.gelu_fwd(NULL, NULL, 1 << 20); /* no run is open */
    dry_open(&r, DT_F32, true);
    k.gelu_fwd(NULL, NULL, 1 << 22);
    double once = r.seconds;
    assert_true(once > 0);
    k.gelu_fwd(NULL, NULL, 1 << 23);
    assert_int_equal(r.kind.n, 1);
    assert_true(fabs(r.seconds - 3 * once) < 1e-9);
    dry_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_time),
    };
    pool_start(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
