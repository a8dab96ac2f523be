/* AdamW on a small model against the formula in double; masters, clipping, decay, rates by part, state on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "scratch.h"
#include "train/optim.h"

#define MODEL "tests/data/goldens/small_untied/model"

static const OptimOptions OPTIONS = {
    .lr = {0.001, 0.002, 0.004}, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .max_grad_norm = 1};

static Model *open_model(DType dtype)
{
    Err err = {0};
    Model *m = model_load(MODEL, &(ModelOptions){.dtype = dtype, .train = {true, true, true}}, &err);
    if (!m) fail_msg("%s", err.msg);
    return m;
}

/* Gradients that are functions of parameter, element and step. */
static void fill_grads(Model *m, uint32_t step)
{
    for (int i = 0; i < m->param.n; i++) {
        Tensor *t = m->param.at[i].t;
        Rng r = rng_at(1, RNG_TEST, (uint32_t)i, step, 0);
        for (int64_t k = 0; k < tensor_count(t); k++) ((float *)t->grad)[k] = (float)(0.1 * rng_normal(&r));
    }
}

static double norm_of(const Model *m)
{
    double sum = 0;
    for (int i = 0; i < m->param.n; i++)
        for (int64_t k = 0; k < tensor_count(m->param.at[i].t); k++)
            sum += pow((double)((float *)m->param.at[i].t->grad)[k], 2);
    return sqrt(sum);
}

/* One element through `steps` steps of torch.optim.AdamW, in double. */
static double expected(double p, const Param *param, int64_t k, const float *grads[], const double *clip, int steps)
{
    const OptimOptions *o = &OPTIONS;
    double m = 0, v = 0, lr = o->lr[param->part];
    for (int t = 1; t <= steps; t++) {
        double g = clip[t - 1] * (double)grads[t - 1][k], factor = t == 2 ? 0.5 : 1;
        m = o->beta1 * m + (1 - o->beta1) * g;
        v = o->beta2 * v + (1 - o->beta2) * g * g;
        if (param->n_dims > 1) p *= 1 - lr * factor * o->weight_decay;
        p -= lr * factor * (m / (1 - pow(o->beta1, t))) / (sqrt(v / (1 - pow(o->beta2, t))) + o->eps);
    }
    return p;
}

static void check_param(const Model *fresh, const Optimizer *opt, int i, const double *clip)
{
    const OptimParam *q = &opt->at[i];
    int64_t n = tensor_count(q->p->t);
    float *start = xmalloc(sizeof *start * (size_t)n), *grad[3];
    const float *grads[3];
    model_read_f32(fresh, i, start);
    for (uint32_t s = 0; s < 3; s++) {
        Rng r = rng_at(1, RNG_TEST, (uint32_t)i, s, 0);
        grads[s] = grad[s] = xmalloc(sizeof(float) * (size_t)n);
        for (int64_t k = 0; k < n; k++) grad[s][k] = (float)(0.1 * rng_normal(&r));
    }
    for (int64_t k = 0; k < n; k++) {
        double want = expected((double)start[k], q->p, k, grads, clip, 3), got = (double)q->master[k];
        if (fabs(got - want) > 2e-7 * fabs(want) + 3e-6 * OPTIONS.lr[q->p->part])
            fail_msg("%s[%lld]: %.9g, not %.9g", q->p->name, (long long)k, got, want);
        float copy = q->p->t->dtype == DT_F32 ? ((float *)q->p->t->data)[k] : bf16_to_f32(((bf16 *)q->p->t->data)[k]);
        float round = q->p->t->dtype == DT_F32 ? q->master[k] : bf16_to_f32(bf16_from_f32(q->master[k]));
        assert_memory_equal(&copy, &round, sizeof copy);
    }
    for (int s = 0; s < 3; s++) free(grad[s]);
    free(start);
}

static void three_steps(DType dtype)
{
    Model *m = open_model(dtype), *fresh = open_model(DT_F32);
    Optimizer opt;
    double clip[3];
    optimizer_init(&opt, m, &OPTIONS);
    assert_int_equal(opt.n, m->param.n);
    for (uint32_t s = 0; s < 3; s++) {
        fill_grads(m, s);
        double norm = optimizer_grad_norm(&opt), want = norm_of(m);
        assert_true(fabs(norm - want) < 1e-9 * want);
        double scale = OPTIONS.max_grad_norm / (norm + 1e-6);
        clip[s] = scale < 1 ? scale : 1;
        assert_true(clip[s] < 1);
        optimizer_step(&opt, norm, s == 1 ? 0.5 : 1, true);
    }
    for (int p = 0; p < PART_COUNT; p++) assert_int_equal(opt.steps[p], 3);
    for (int i = 0; i < opt.n; i++) check_param(fresh, &opt, i, clip);
    optimizer_release(&opt);
    model_free(m);
    model_free(fresh);
}

/* A step whose batches held no image leaves vision tower and merger as they are. */
static void text_only_step(void **state)
{
    (void)state;
    Model *m = open_model(DT_F32);
    Optimizer opt;
    optimizer_init(&opt, m, &OPTIONS);
    fill_grads(m, 0);
    float **before = xcalloc((size_t)opt.n, sizeof *before);
    for (int i = 0; i < opt.n; i++) {
        size_t bytes = sizeof(float) * (size_t)tensor_count(opt.at[i].p->t);
        before[i] = memcpy(xmalloc(bytes), opt.at[i].p->t->data, bytes);
    }
    optimizer_step(&opt, 1, 1, false);
    assert_int_equal(opt.steps[PART_LANGUAGE], 1);
    assert_int_equal(opt.steps[PART_VISION] + opt.steps[PART_MERGER], 0);
    for (int i = 0; i < opt.n; i++) {
        const Param *p = opt.at[i].p;
        bool same = !memcmp(before[i], p->t->data, sizeof(float) * (size_t)tensor_count(p->t));
        assert_int_equal(same, p->part != PART_LANGUAGE);
        free(before[i]);
    }
    free(before);
    optimizer_release(&opt);
    model_free(m);
}

static void steps_f32(void **state)
{
    (void)state;
    three_steps(DT_F32);
}

static void steps_bf16(void **state)
{
    (void)state;
    three_steps(DT_BF16);
}

/* An f32 file keeps its precision under bf16 arithmetic. */
static void masters_are_the_files(void **state)
{
    (void)state;
    Model *m = open_model(DT_BF16);
    Optimizer opt;
    optimizer_init(&opt, m, &OPTIONS);
    int more_precise = 0;
    for (int i = 0; i < opt.n; i++) {
        const OptimParam *q = &opt.at[i];
        assert_ptr_equal(opt.master[i], q->master);
        for (int64_t k = 0; k < tensor_count(q->p->t); k++)
            more_precise +=
                memcmp(&q->master[k], &(float){bf16_to_f32(((bf16 *)q->p->t->data)[k])}, sizeof(float)) != 0;
    }
    assert_true(more_precise > 1000);
    optimizer_release(&opt);
    model_free(m);
}

static void frozen_parts_are_left_out(void **state)
{
    (void)state;
    Err err = {0};
    Model *m = model_load(MODEL, &(ModelOptions){.dtype = DT_F32, .train = {[PART_MERGER] = true}}, &err);
    Optimizer opt;
    optimizer_init(&opt, m, &OPTIONS);
    assert_int_equal(opt.n, 5); /* ln_q, and two linears with bias */
    for (int i = 0; i < opt.n; i++) assert_int_equal(opt.at[i].p->part, PART_MERGER);
    for (int i = 0; i < m->param.n; i++) assert_int_equal(opt.master[i] != NULL, m->param.at[i].part == PART_MERGER);
    optimizer_release(&opt);
    model_free(m);
}

/* ---- on disk ----------------------------------------------------------------------------------------------------- */

static void saved_and_loaded(void **state)
{
    (void)state;
    Err err = {0};
    Model *a = open_model(DT_BF16), *b = open_model(DT_BF16);
    Optimizer x, y;
    char *dir = scratch_new();
    optimizer_init(&x, a, &OPTIONS);
    optimizer_init(&y, b, &OPTIONS);
    fill_grads(a, 0);
    optimizer_step(&x, 1, 1, true);
    assert_int_equal(optimizer_save(&x, dir, &err), 0);
    if (optimizer_load(&y, dir, &err)) fail_msg("%s", err.msg);
    for (uint32_t s = 1; s < 3; s++) {
        fill_grads(a, s);
        fill_grads(b, s);
        optimizer_step(&x, 1, 1, true);
        optimizer_step(&y, 1, 1, true);
    }
    for (int i = 0; i < x.n; i++) {
        assert_memory_equal(x.at[i].master, y.at[i].master, sizeof(float) * (size_t)tensor_count(x.at[i].p->t));
        assert_memory_equal(x.at[i].p->t->data, y.at[i].p->t->data, tensor_bytes(x.at[i].p->t));
    }
    optimizer_release(&x);
    optimizer_release(&y);
    model_free(a);
    model_free(b);
    scratch_free(dir);
}

static void state_of_another_model_is_refused(void **state)
{
    (void)state;
    Err err = {0};
    Model *a = open_model(DT_F32);
    Model *b = model_load("tests/data/goldens/small_tied/model",
                          &(ModelOptions){.dtype = DT_F32, .train = {true, true, true}}, &err);
    Optimizer x, y;
    char *dir = scratch_new();
    optimizer_init(&x, a, &OPTIONS);
    optimizer_init(&y, b, &OPTIONS);
    assert_int_equal(optimizer_save(&x, dir, &err), 0);
    assert_int_equal(optimizer_load(&y, dir, &err), -1);
    assert_non_null(strstr(err.msg, "optimizer.safetensors"));
    optimizer_release(&x);
    optimizer_release(&y);
    model_free(a);
    model_free(b);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_f32),
        cmocka_unit_test(text_only_step),
        cmocka_unit_test(steps_bf16),
        cmocka_unit_test(masters_are_the_files),
        cmocka_unit_test(frozen_parts_are_left_out),
        cmocka_unit_test(saved_and_loaded),
        cmocka_unit_test(state_of_another_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
