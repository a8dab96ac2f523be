/* Packing and shared prefixes change the cost of a batch, never its meaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/pool.h"
#include "parity/golden.h"

static void open_engine(Engine *e, const Golden *g)
{
    Err err = {0};
    EngineOptions o = {
        .model = g->model, .adapter = g->adapter, .dtype = DT_F32, .train_adapter = true, .checkpoint = true};
    for (int p = 0; p < PART_COUNT; p++) o.train[p] = !g->adapter;
    if (engine_open(e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
}

/* logp of a batch; gradients of sum_i (1 + i mod 3) logp_i are added to the parameters. `from` numbers the first
   target. */
static void run(Engine *e, const Batch *b, float *logp, int from)
{
    const float *lp = engine_score(e, b, true, true, NULL);
    float *dlogp = xmalloc(sizeof *dlogp * (size_t)b->n_targets);
    memcpy(logp, lp, sizeof *lp * (size_t)b->n_targets);
    for (int i = 0; i < b->n_targets; i++) dlogp[i] = (float)(1 + (from + i) % 3);
    engine_backward(e, dlogp);
    engine_release(e);
    free(dlogp);
}

static void assert_same_logp(const Golden *g, const char *what, const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (fabs((double)a[i] - (double)b[i]) > 2e-5)
            fail_msg("%s: %s: target %d: %.7f and %.7f", g->name, what, i, (double)a[i], (double)b[i]);
}

static void assert_same_grads(const Golden *g, const char *what, const Engine *a, const Engine *b)
{
    for (int i = 0; i < a->model->param.n; i++) {
        const Tensor *x = a->model->param.at[i].t, *y = b->model->param.at[i].t;
        if (!x->needs_grad) continue;
        const float *gx = x->grad, *gy = y->grad;
        double diff = 0, norm = 0;
        for (int64_t k = 0; k < tensor_count(x); k++) {
            diff += pow((double)gx[k] - (double)gy[k], 2);
            norm += pow((double)gx[k], 2);
        }
        if (sqrt(diff) > 1e-5 * sqrt(norm) + 1e-12)
            fail_msg("%s: %s: gradient of %s differs by %.1e", g->name, what, a->model->param.at[i].name,
                     sqrt(diff / norm));
    }
}

static void packed_is_separate(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine packed, separate;
    open_engine(&packed, g);
    open_engine(&separate, g);
    Batch *all = golden_batch(g, &packed, 0, g->data.n, &err);
    assert_non_null(all);
    float *a = xmalloc(sizeof *a * (size_t)all->n_targets), *b = xmalloc(sizeof *b * (size_t)all->n_targets);
    run(&packed, all, a, 0);
    int at = 0;
    for (int i = 0; i < g->data.n; i++) {
        Batch *one = golden_batch(g, &separate, i, 1, &err);
        run(&separate, one, b + at, at);
        at += one->n_targets;
        batch_free(one);
    }
    assert_int_equal(at, all->n_targets);
    assert_same_logp(g, "packed", a, b, at);
    assert_same_grads(g, "packed", &packed, &separate);
    free(a);
    free(b);
    batch_free(all);
    engine_close(&packed);
    engine_close(&separate);
}

enum { CHILDREN = 3, CHILD_LEN = 5, GRANDCHILD_LEN = 4 };

/* Answers that share a prompt; the last child has a child of its own. */
static void answers(int id[CHILDREN][CHILD_LEN + GRANDCHILD_LEN])
{
    for (int c = 0; c < CHILDREN; c++)
        for (int i = 0; i < CHILD_LEN + GRANDCHILD_LEN; i++) id[c][i] = 20 + 37 * c + 11 * i;
}

static Encoded encode_prompt(const Golden *g, const Engine *e, int sample)
{
    Err err = {0};
    Encoder enc;
    Encoded x = {0};
    if (encoder_init(&enc, e->tok, &e->proc, 0, &err) ||
        encode_sample(&x, &enc, &g->data.sample[sample], ENCODE_PROMPT, &err) ||
        encode_pixels(&x, &enc, &g->data.sample[sample], &err))
        fail_msg("%s: %s", g->name, err.msg);
    encoder_release(&enc);
    return x;
}

static Batch *shared_batch(const Engine *e, const Encoded *prompt)
{
    int id[CHILDREN][CHILD_LEN + GRANDCHILD_LEN], child = 0;
    answers(id);
    BatchBuilder bb;
    batch_begin(&bb, &e->proc);
    int root = batch_add_prompt(&bb, prompt, 0);
    for (int c = 0; c < CHILDREN; c++) child = batch_add_child(&bb, root, id[c], CHILD_LEN, 1);
    batch_add_child(&bb, child, id[CHILDREN - 1] + CHILD_LEN, GRANDCHILD_LEN, 1);
    return batch_finish(&bb);
}

static Batch *repeated_batch(const Engine *e, const Encoded *prompt, int c)
{
    int id[CHILDREN][CHILD_LEN + GRANDCHILD_LEN];
    answers(id);
    BatchBuilder bb;
    batch_begin(&bb, &e->proc);
    int root = batch_add_prompt(&bb, prompt, 0);
    batch_add_child(&bb, root, id[c], c == CHILDREN - 1 ? CHILD_LEN + GRANDCHILD_LEN : CHILD_LEN, 1);
    return batch_finish(&bb);
}

static void shared_is_repeated(Golden *g, void *arg)
{
    (void)arg;
    Engine shared, repeated;
    open_engine(&shared, g);
    open_engine(&repeated, g);
    for (int sample = 0; sample < 4; sample++) {
        float a[64], b[64];
        Encoded prompt = encode_prompt(g, &shared, sample);
        Batch *tree = shared_batch(&shared, &prompt);
        assert_true(tree->n_targets <= 64);
        run(&shared, tree, a, 0);
        int at = 0;
        for (int c = 0; c < CHILDREN; c++) {
            Batch *one = repeated_batch(&repeated, &prompt, c);
            run(&repeated, one, b + at, at);
            at += one->n_targets;
            batch_free(one);
        }
        assert_int_equal(at, tree->n_targets);
        assert_same_logp(g, "shared prefix", a, b, at);
        batch_free(tree);
        encoded_release(&prompt);
    }
    assert_same_grads(g, "shared prefix", &shared, &repeated);
    engine_close(&shared);
    engine_close(&repeated);
}

/* The same bits whatever the number of threads, and run after run. */
static void threads_do_not_matter(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e[3];
    float *logp[3];
    int n = 0;
    for (int k = 0; k < 3; k++) {
        pool_start(k == 1 ? 1 : 2);
        open_engine(&e[k], g);
        Batch *b = golden_batch(g, &e[k], 0, g->data.n, &err);
        n = b->n_targets;
        logp[k] = xmalloc(sizeof(float) * (size_t)n);
        run(&e[k], b, logp[k], 0);
        batch_free(b);
    }
    for (int k = 1; k < 3; k++) {
        assert_memory_equal(logp[0], logp[k], sizeof(float) * (size_t)n);
        for (int i = 0; i < e[0].model->param.n; i++) {
            const Tensor *x = e[0].model->param.at[i].t, *y = e[k].model->param.at[i].t;
            if (x->needs_grad) assert_memory_equal(x->grad, y->grad, sizeof(float) * (size_t)tensor_count(x));
        }
    }
    for (int k = 0; k < 3; k++) {
        free(logp[k]);
        engine_close(&e[k]);
    }
    pool_start(2);
}

/* Whatever the backward pass computes again: the same bits. */
static void recompute_does_not_matter(Golden *g, void *arg)
{
    (void)arg;
    enum { POLICIES = 4 };
    Err err = {0};
    Engine e[POLICIES];
    float *logp[POLICIES];
    int n = 0;
    for (int k = 0; k < POLICIES; k++) {
        open_engine(&e[k], g);
        for (int i = 0; i < model_blocks(e[k].model); i++) e[k].recompute[i] = (Recompute)(k < 3 ? k : i % 3);
        Batch *b = golden_batch(g, &e[k], 0, g->data.n, &err);
        n = b->n_targets;
        logp[k] = xmalloc(sizeof(float) * (size_t)n);
        engine_dropout(&e[k], 7);
        run(&e[k], b, logp[k], 0);
        batch_free(b);
    }
    assert_true(e[0].step.high > e[1].step.high && e[1].step.high > e[2].step.high);
    for (int k = 1; k < POLICIES; k++) {
        assert_memory_equal(logp[0], logp[k], sizeof(float) * (size_t)n);
        for (int i = 0; i < e[0].model->param.n; i++) {
            const Tensor *x = e[0].model->param.at[i].t, *y = e[k].model->param.at[i].t;
            if (x->needs_grad) assert_memory_equal(x->grad, y->grad, sizeof(float) * (size_t)tensor_count(x));
        }
    }
    for (int k = 0; k < POLICIES; k++) {
        free(logp[k]);
        engine_close(&e[k]);
    }
}

static void test_packed(void **state)
{
    (void)state;
    assert_true(golden_each(packed_is_separate, NULL) > 0);
}

static void test_shared(void **state)
{
    (void)state;
    assert_true(golden_each(shared_is_repeated, NULL) > 0);
}

static void test_threads(void **state)
{
    (void)state;
    assert_true(golden_each(threads_do_not_matter, NULL) > 0);
}

static void test_recompute(void **state)
{
    (void)state;
    assert_true(golden_each(recompute_does_not_matter, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_recompute),
    };
    pool_start(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
