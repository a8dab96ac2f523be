/* What `osler score` computes: ids, masks, log-probabilities and gradients as PyTorch and PEFT have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "infer/score.h"
#include "parity/golden.h"
#include "scratch.h"

typedef struct Check {
    Golden *g;
    int row;
} Check;

static int check_row(void *arg, const SampleScore *s, Err *err)
{
    (void)err;
    Check *c = arg;
    const json_t *want = json_array_get(json_object_get(c->g->expect, "samples"), (size_t)c->row);
    const json_t *ids = json_object_get(want, "ids"), *mask = json_object_get(want, "mask");
    assert_ptr_equal(s->sample, &c->g->data.sample[c->row]);
    assert_int_equal(s->n, json_array_size(ids));
    for (int i = 0; i < s->n; i++) {
        assert_int_equal(s->id[i], json_integer_value(json_array_get(ids, (size_t)i)));
        assert_int_equal(s->mask[i], json_integer_value(json_array_get(mask, (size_t)i)));
    }
    char name[32];
    snprintf(name, sizeof name, "logp.%d", c->row);
    const StTensor *t = st_find(&c->g->tensors, name);
    assert_non_null(t);
    assert_int_equal(s->n_targets, st_count(t));
    const float *logp = (const float *)(const void *)t->data;
    for (int i = 0; i < s->n_targets; i++)
        if (!(fabs((double)s->logp[i] - (double)logp[i]) <= 2e-4))
            fail_msg("%s, sample %d, target %d: %.6f, not %.6f", c->g->name, c->row, i, (double)s->logp[i],
                     (double)logp[i]);
    c->row++;
    return 0;
}

/* "grad." and transformers' name of a tensor of the gradient file. */
static char *golden_name(const char *file_name, bool adapter)
{
    if (!adapter) {
        char *canonical = names_from_file(file_name), *name = xasprintf("grad.%s", canonical);
        free(canonical);
        return name;
    }
    const char *tail = strstr(file_name, ".weight"); /* PEFT's parameters carry the adapter's name, its files do not */
    return xasprintf("grad.%.*s.default.weight", (int)(tail - file_name), file_name);
}

static void compare_grad(const Golden *g, const StTensor *got, const StTensor *want)
{
    const float *a = (const float *)(const void *)got->data, *b = (const float *)(const void *)want->data;
    double aa = 0, bb = 0, ab = 0;
    assert_int_equal(st_count(got), st_count(want));
    for (int64_t i = 0; i < st_count(got); i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    if (sqrt(bb) < 1e-9 && sqrt(aa) < 1e-7) return; /* such as the key biases, whose gradient is zero in theory */
    if (!(ab / sqrt(aa * bb) >= 0.9999) || !(fabs(sqrt(aa / bb) - 1) <= 1e-3))
        fail_msg("%s: gradient of %s: cosine %.6f, norms %.3e and %.3e", g->name, got->name, ab / sqrt(aa * bb),
                 sqrt(aa), sqrt(bb));
}

static void check_grads(const Golden *g, const char *path)
{
    Err err = {0};
    SafeTensors st;
    assert_int_equal(st_open(&st, path, &err), 0);
    int want = 0;
    for (int i = 0; i < g->tensors.n; i++) want += !strncmp(g->tensors.tensor[i].name, "grad.", 5);
    assert_int_equal(st.n, want);
    for (int i = 0; i < st.n; i++) {
        char *name = golden_name(st.tensor[i].name, g->adapter != NULL);
        const StTensor *t = st_find(&g->tensors, name);
        if (!t) fail_msg("%s: no gradient %s", g->name, name);
        free(name);
        compare_grad(g, &st.tensor[i], t);
    }
    st_close(&st);
}

/* A golden's tensors that PyTorch gave no gradient: a vision tower that saw no image. */
static int without_gradient(const Golden *g)
{
    int n = 0;
    for (int i = 0; i < g->data.n; i++) n += g->data.sample[i].n_images;
    return n == 0;
}

static void golden_score(Golden *g, void *arg)
{
    const char *dir = arg;
    Err err = {0};
    Engine e;
    EngineOptions o = {.model = g->model, .adapter = g->adapter, .dtype = DT_F32, .train_adapter = true};
    for (int p = 0; p < PART_COUNT; p++) o.train[p] = !g->adapter && !(p != PART_LANGUAGE && without_gradient(g));
    if (engine_open(&e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
    Check c = {.g = g};
    ScoreOptions so = {.budget = 300, .grads = true}; /* several batches, some of several samples */
    if (score_dataset(&e, &g->data, &so, check_row, &c, &err)) fail_msg("%s: %s", g->name, err.msg);
    assert_int_equal(c.row, g->data.n);
    char *path = path_join(dir, "grads.safetensors");
    assert_int_equal(score_save_grads(&e, path, &err), 0);
    check_grads(g, path);
    free(path);
    engine_close(&e);
}

static void score_rows_and_gradients(void **state)
{
    (void)state;
    char *dir = scratch_new();
    int n = golden_each(golden_score, dir);
    scratch_free(dir);
    if (!n) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(score_rows_and_gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
