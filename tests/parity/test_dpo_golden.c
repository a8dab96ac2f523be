/* Ten DPO steps as PyTorch takes them: losses, margins and gradient norms of every golden; first loss log 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scratch.h"
#include "train_fixture.h"

static double expected(const Golden *g, const char *key, size_t step)
{
    const json_t *list = json_object_get(json_object_get(g->expect, "dpo"), key);
    return json_number_value(json_array_get(list, step));
}

static int train_pairs(const Golden *g, const char *out, Err *err)
{
    const json_t *settings = json_object_get(json_object_get(g->expect, "dpo"), "settings");
    const char *reference = json_string_value(json_object_get(settings, "reference"));
    char *pairs = golden_path(g, "pairs.jsonl"), *data = xasprintf("data=%s", pairs);
    char *against = xasprintf("reference=%s", reference);
    const char *args[] = {"method=dpo",
                          data,
                          against,
                          "beta=0.1",
                          "learning_rate=5e-4",
                          "weight_decay=0",
                          "lr_scheduler_type=constant",
                          "warmup_steps=0",
                          "gradient_accumulation_steps=1",
                          NULL};
    int rc = train_golden(g, out, args, err);
    free(against);
    free(data);
    free(pairs);
    return rc;
}

static void compare(const Golden *g, const json_t *lines, size_t step, const char *mine, const char *theirs,
                    double within, double share)
{
    double is = log_value(lines, step, mine), want = expected(g, theirs, step);
    if (fabs(is - want) > within + share * fabs(want))
        fail_msg("%s: step %zu: %s %.6f, PyTorch %.6f", g->name, step + 1, mine, is, want);
}

static void ten_steps(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    if (!json_object_get(g->expect, "dpo")) return;
    char *out = scratch_new();
    if (train_pairs(g, out, &err)) fail_msg("%s: %s", g->name, err.msg);
    json_t *lines = log_read(out);
    assert_int_equal(json_array_size(lines), 10);
    for (size_t i = 0; i < 10; i++) {
        compare(g, lines, i, "loss", "loss", 3e-4, 0);
        compare(g, lines, i, "rewards/margins", "margin", 1e-3, 0);
        compare(g, lines, i, "grad_norm", "grad_norm", 0, 1e-3);
    }
    if (!g->adapter) assert_true(fabs(log_value(lines, 0, "loss") - log(2)) < 1e-6);
    json_decref(lines);
    scratch_free(out);
}

static void losses_margins_and_norms(void **state)
{
    (void)state;
    if (golden_each(ten_steps, NULL) == 0) skip();
}

int main(void)
{
    log_level(LOG_WARN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_margins_and_norms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
