/* The whole model along one random direction: tape against central differences, in full and for an adapter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/pool.h"
#include "base/rng.h"
#include "parity/golden.h"

static double mean_logp(Engine *e, const Batch *b)
{
    const float *lp = engine_score(e, b, false, true, NULL);
    double sum = 0;
    for (int i = 0; i < b->n_targets; i++) sum += (double)lp[i];
    engine_release(e);
    return sum / b->n_targets;
}

/* theta += h * direction; the direction of a parameter is scaled to its gradient, so that all of them take part. */
static void move(Engine *e, double h, const double *scale)
{
    for (int i = 0; i < e->model->param.n; i++) {
        Tensor *t = e->model->param.at[i].t;
        if (!t->needs_grad) continue;
        Rng r = rng_at(3, RNG_TEST, (uint32_t)i, 0, 0);
        float *x = t->data;
        for (int64_t k = 0; k < tensor_count(t); k++) x[k] = (float)((double)x[k] + h * scale[i] * rng_normal(&r));
    }
}

static double slope_by_tape(Engine *e, const Batch *b, double *scale)
{
    float *d = xmalloc(sizeof *d * (size_t)b->n_targets);
    for (int i = 0; i < b->n_targets; i++) d[i] = 1.0f / (float)b->n_targets;
    engine_score(e, b, true, true, NULL);
    engine_backward(e, d);
    engine_release(e);
    free(d);
    double slope = 0;
    for (int i = 0; i < e->model->param.n; i++) {
        Tensor *t = e->model->param.at[i].t;
        if (!t->needs_grad) continue;
        const float *g = t->grad, *x = t->data;
        double size = 0, dot = 0;
        Rng r = rng_at(3, RNG_TEST, (uint32_t)i, 0, 0);
        for (int64_t k = 0; k < tensor_count(t); k++) {
            size += (double)x[k] * (double)x[k];
            dot += (double)g[k] * rng_normal(&r);
        }
        scale[i] = sqrt(size / (double)tensor_count(t)) + 1e-3;
        slope += scale[i] * dot;
    }
    return slope;
}

static void check_direction(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    EngineOptions o = {
        .model = g->model, .adapter = g->adapter, .dtype = DT_F32, .train_adapter = true, .checkpoint = true};
    for (int p = 0; p < PART_COUNT; p++) o.train[p] = !g->adapter;
    if (engine_open(&e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
    Batch *b = golden_batch(g, &e, 0, g->data.n, &err);
    double *scale = xcalloc((size_t)e.model->param.n, sizeof *scale), slope = slope_by_tape(&e, b, scale), h = 2e-4;
    move(&e, h, scale);
    double up = mean_logp(&e, b);
    move(&e, -2 * h, scale);
    double down = mean_logp(&e, b), numeric = (up - down) / (2 * h);
    print_message("%-14s slope along a random direction: tape %.5f, differences %.5f\n", g->name, slope, numeric);
    assert_true(fabs(slope - numeric) <= 0.02 * fabs(slope) + 0.02);
    free(scale);
    batch_free(b);
    engine_close(&e);
}

static void test_direction(void **state)
{
    (void)state;
    assert_true(golden_each(check_direction, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_direction)};
    pool_start(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
