/* An adapter beside the weights and the same adapter added into them are one model; switched off, it is the base
   model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/pool.h"
#include "parity/golden.h"

static void open_engine(Engine *e, const Golden *g, const char *adapter, bool own)
{
    Err err = {0};
    EngineOptions o = {.model = g->model, .adapter = adapter, .dtype = DT_F32, .train = {own, own, own}};
    if (engine_open(e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
}

/* W += scale B A, in double. */
static void merge_linear(Linear *into, const Lora *lora)
{
    const float *a = lora->a->data, *b = lora->b->data;
    float *w = into->w->data;
    int out = into->w->rows, in = into->w->cols, r = lora->a->rows;
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++) {
            double sum = 0;
            for (int k = 0; k < r; k++) sum += (double)b[o * r + k] * (double)a[k * in + i];
            w[o * in + i] = (float)((double)w[o * in + i] + (double)lora->scale * sum);
        }
}

static double worst_difference(Engine *a, bool lora, Engine *b, const Batch *batch)
{
    const float *x = engine_score(a, batch, false, lora, NULL), *y = engine_score(b, batch, false, true, NULL);
    double worst = 0;
    for (int i = 0; i < batch->n_targets; i++) worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
    engine_release(a);
    engine_release(b);
    return worst;
}

static void check_merged(Golden *g, void *arg)
{
    if (!g->adapter) return;
    Err err = {0};
    Engine beside, merged;
    open_engine(&beside, g, g->adapter, false);
    open_engine(&merged, g, NULL, true);
    Batch *b = golden_batch(g, &beside, 0, g->data.n, &err);
    assert_non_null(b);
    assert_true(worst_difference(&beside, false, &merged, b) <= 1e-6);
    assert_true(worst_difference(&beside, true, &merged, b) > 1e-3);
    for (int i = 0; i < beside.model->module.n; i++) {
        const Linear *l = beside.model->module.at[i].l;
        if (l->lora) merge_linear(merged.model->module.at[i].l, l->lora);
    }
    assert_true(worst_difference(&beside, true, &merged, b) <= 2e-5);
    batch_free(b);
    engine_close(&beside);
    engine_close(&merged);
    ++*(int *)arg;
}

static void test_merged(void **state)
{
    (void)state;
    int n = 0;
    golden_each(check_merged, &n);
    assert_true(n > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merged)};
    pool_start(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
