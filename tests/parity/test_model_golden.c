/* Log-probabilities and every gradient against PyTorch, in f32 and bf16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/pool.h"
#include "parity/golden.h"

static void open_engine(Engine *e, const Golden *g, DType dtype, bool checkpoint)
{
    Err err = {0};
    EngineOptions o = {
        .model = g->model, .adapter = g->adapter, .dtype = dtype, .checkpoint = checkpoint, .train_adapter = true};
    for (int p = 0; p < PART_COUNT; p++) o.train[p] = !g->adapter;
    if (engine_open(e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
}

static Batch *whole_file(const Golden *g, const Engine *e)
{
    Err err = {0};
    Batch *b = golden_batch(g, e, 0, g->data.n, &err);
    if (!b) fail_msg("%s: %s", g->name, err.msg);
    return b;
}

/* The expected values of targets [at, at + n) of sample i. */
static const float *expected(const Golden *g, const char *prefix, int i, int *n)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%d", prefix, i);
    const StTensor *t = st_find(&g->tensors, name);
    if (!t) return NULL;
    *n = (int)st_count(t);
    return (const float *)(const void *)t->data;
}

static void check_logp(Golden *g, void *arg)
{
    (void)arg;
    Engine e;
    open_engine(&e, g, DT_F32, false);
    Batch *b = whole_file(g, &e);
    const float *logp = engine_score(&e, b, false, true, NULL);
    double worst = 0;
    int at = 0;
    for (int i = 0; i < g->data.n; i++) {
        int n = 0;
        const float *want = expected(g, "logp", i, &n);
        for (int k = 0; k < n; k++) worst = fmax(worst, fabs((double)logp[at + k] - (double)want[k]));
        at += n;
    }
    assert_int_equal(at, b->n_targets);
    print_message("%-14s logp: worst difference %.2e over %d targets\n", g->name, worst, at);
    assert_true(worst <= 2e-4);
    engine_release(&e);
    batch_free(b);
    engine_close(&e);
}

static void check_bf16(Golden *g, void *arg)
{
    (void)arg;
    int n = 0;
    if (!expected(g, "logp_bf16", 0, &n)) return;
    Engine e;
    open_engine(&e, g, DT_BF16, false);
    Batch *b = whole_file(g, &e);
    const float *logp = engine_score(&e, b, false, true, NULL);
    double ours = 0, theirs = 0;
    int at = 0;
    for (int i = 0; i < g->data.n; i++) {
        const float *want = expected(g, "logp", i, &n), *torch = expected(g, "logp_bf16", i, &n);
        for (int k = 0; k < n; k++) {
            ours += pow((double)logp[at + k] - (double)want[k], 2);
            theirs += pow((double)torch[k] - (double)want[k], 2);
        }
        at += n;
    }
    print_message("%-14s bf16: rms error %.2e, PyTorch's own %.2e\n", g->name, sqrt(ours / at), sqrt(theirs / at));
    assert_true(ours <= 4 * theirs);
    engine_release(&e);
    batch_free(b);
    engine_close(&e);
}

/* The golden's name of a parameter's gradient: PEFT puts ".default" before ".weight". */
static const StTensor *expected_grad(const Golden *g, const Param *p)
{
    char name[512];
    if (!p->adapter) {
        snprintf(name, sizeof name, "grad.%s", p->name);
    } else {
        int stem = (int)(strlen(p->name) - strlen(".weight"));
        snprintf(name, sizeof name, "grad.%.*s.default.weight", stem, p->name);
    }
    return st_find(&g->tensors, name);
}

static void compare_grad(const Golden *g, const Param *p, double *worst_cos, double *worst_norm)
{
    const StTensor *t = expected_grad(g, p);
    if (!t) {
        print_message("%s: no golden gradient for %s\n", g->name, p->name);
        assert_non_null(t);
    }
    const float *want = (const float *)(const void *)t->data, *have = p->t->grad;
    double dot = 0, a = 0, b = 0;
    for (int64_t i = 0; i < st_count(t); i++) {
        dot += (double)want[i] * (double)have[i];
        a += (double)want[i] * (double)want[i];
        b += (double)have[i] * (double)have[i];
    }
    if (a == 0 && b == 0) return;
    double cosine = dot / sqrt(a * b), norm = fabs(sqrt(b) - sqrt(a)) / sqrt(a);
    if (cosine < 0.9999 || norm > 1e-3)
        print_message("%s: %s cosine %.6f, norm off by %.2e (%g)\n", g->name, p->name, cosine, norm, sqrt(a));
    *worst_cos = fmin(*worst_cos, cosine);
    *worst_norm = fmax(*worst_norm, norm);
}

static void run_backward(Engine *e, const Batch *b)
{
    engine_score(e, b, true, true, NULL);
    float *dlogp = xmalloc(sizeof *dlogp * (size_t)b->n_targets);
    for (int i = 0; i < b->n_targets; i++) dlogp[i] = -1.0f / (float)b->n_targets;
    engine_backward(e, dlogp);
    engine_release(e);
    free(dlogp);
}

static void check_grads(Golden *g, void *arg)
{
    (void)arg;
    Engine e;
    open_engine(&e, g, DT_F32, false);
    Batch *b = whole_file(g, &e);
    run_backward(&e, b);
    double worst_cos = 1, worst_norm = 0;
    int n = 0;
    for (int i = 0; i < e.model->param.n; i++) {
        const Param *p = &e.model->param.at[i];
        bool text_only = !b->n_images && p->part != PART_LANGUAGE; /* PyTorch leaves those without a gradient */
        if (!p->t->needs_grad || text_only) continue;
        compare_grad(g, p, &worst_cos, &worst_norm);
        n++;
    }
    print_message("%-14s gradients: %d tensors, worst cosine %.7f, worst norm error %.1e\n", g->name, n, worst_cos,
                  worst_norm);
    assert_true(n > 0 && worst_cos >= 0.9999 && worst_norm <= 1e-3);
    batch_free(b);
    engine_close(&e);
}

/* Checkpointing on and off: the same bits. */
static void check_checkpointing(Golden *g, void *arg)
{
    DType dtype = *(DType *)arg;
    Engine e[2];
    for (int k = 0; k < 2; k++) {
        open_engine(&e[k], g, dtype, k);
        Batch *b = whole_file(g, &e[k]);
        run_backward(&e[k], b);
        batch_free(b);
    }
    for (int i = 0; i < e[0].model->param.n; i++) {
        const Tensor *a = e[0].model->param.at[i].t, *b = e[1].model->param.at[i].t;
        if (a->needs_grad) assert_memory_equal(a->grad, b->grad, sizeof(float) * (size_t)tensor_count(a));
    }
    engine_close(&e[0]);
    engine_close(&e[1]);
}

static void test_logp(void **state)
{
    (void)state;
    assert_true(golden_each(check_logp, NULL) > 0);
}

static void test_grads(void **state)
{
    (void)state;
    assert_true(golden_each(check_grads, NULL) > 0);
}

static void test_bf16(void **state)
{
    (void)state;
    assert_true(golden_each(check_bf16, NULL) > 0);
}

static void test_checkpointing(void **state)
{
    (void)state;
    DType f32 = DT_F32, half = DT_BF16;
    golden_each(check_checkpointing, &f32);
    golden_each(check_checkpointing, &half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logp),
        cmocka_unit_test(test_grads),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_checkpointing),
    };
    pool_start(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
