/* Ten AdamW steps as PyTorch takes them: losses and gradient norms of every golden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scratch.h"
#include "train_fixture.h"

static double expected(const Golden *g, const char *key, size_t step)
{
    const json_t *list = json_object_get(json_object_get(g->expect, "train"), key);
    return json_number_value(json_array_get(list, step));
}

static void ten_steps(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    char *out = scratch_new();
    if (train_golden(g, out, NULL, &err)) fail_msg("%s: %s", g->name, err.msg);
    json_t *log = log_read(out);
    assert_int_equal(json_array_size(log), 10);
    for (size_t i = 0; i < 10; i++) {
        double loss = log_value(log, i, "loss"), norm = log_value(log, i, "grad_norm");
        double want_loss = expected(g, "loss", i), want_norm = expected(g, "grad_norm", i);
        if (fabs(loss - want_loss) > 2e-4)
            fail_msg("%s: step %zu: loss %.6f, PyTorch %.6f", g->name, i + 1, loss, want_loss);
        if (fabs(norm - want_norm) > 1e-3 * want_norm)
            fail_msg("%s: step %zu: grad_norm %.6f, PyTorch %.6f", g->name, i + 1, norm, want_norm);
    }
    json_decref(log);
    scratch_free(out);
}

static void losses_and_norms(void **state)
{
    (void)state;
    if (golden_each(ten_steps, NULL) == 0) skip();
}

int main(void)
{
    log_level(LOG_WARN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_and_norms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
