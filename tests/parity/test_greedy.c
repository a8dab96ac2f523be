/* Greedy answers equal transformers' token for token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "infer/generate.h"
#include "parity/golden.h"

typedef struct Check {
    Golden *g;
    Engine e;
    Encoder enc;
    int asked; /* prompts given so far */
    int answered;
} Check;

static const json_t *expected(const Check *c, int i)
{
    return json_array_get(json_object_get(c->g->expect, "greedy"), (size_t)i);
}

static Batch *next_prompt(void *arg, Err *err)
{
    Check *c = arg;
    const json_t *want = expected(c, c->asked);
    if (!want) return NULL;
    int i = (int)json_integer_value(json_object_get(want, "sample"));
    Encoded x;
    const Sample *s = &c->g->data.sample[i];
    if (encode_sample(&x, &c->enc, s, ENCODE_PROMPT, err) || encode_pixels(&x, &c->enc, s, err)) return NULL;
    BatchBuilder bb;
    batch_begin(&bb, &c->e.proc);
    batch_add_prompt(&bb, &x, i);
    encoded_release(&x);
    c->asked++;
    return batch_finish(&bb);
}

static int check_answer(void *arg, const Completion *a, Err *err)
{
    (void)err;
    Check *c = arg;
    const json_t *want = expected(c, a->prompt), *ids = json_object_get(want, "ids");
    int n = (int)json_array_size(ids);
    int compared = 0;
    bool ended = false, whole = true;
    /* A golden runs on past an end token that only generation_config.json names; generate stops, as in transformers. */
    for (int i = 0; i < n && !ended; i++) {
        int id = (int)json_integer_value(json_array_get(ids, (size_t)i));
        if (i >= a->n || a->id[i] != id)
            fail_msg("%s, prompt %d: token %d is %d, not %d", c->g->name, a->prompt, i, i < a->n ? a->id[i] : -1, id);
        for (int k = 0; k < c->e.model->cfg.n_eos; k++) ended |= id == c->e.model->cfg.eos[k];
        if (ended && i + 1 < n) whole = false;
        compared = i + 1;
    }
    assert_int_equal(a->n, compared);
    assert_string_equal(a->finish_reason, ended ? "stop" : "length");
    if (whole) assert_string_equal(a->text, json_string_value(json_object_get(want, "text")));
    c->answered++;
    return 0;
}

/* All prompts decode together, so this also checks that neighbours do not disturb each other. */
static void golden_greedy(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Check c = {.g = g};
    EngineOptions eo = {.model = g->model, .adapter = g->adapter, .dtype = DT_F32};
    if (engine_open(&c.e, &eo, &err) || encoder_init(&c.enc, c.e.tok, &c.e.proc, 0, &err))
        fail_msg("%s: %s", g->name, err.msg);
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = 24;
    if (generate(&c.e, &o, &(GenerateIo){.next = next_prompt, .done = check_answer, .arg = &c}, &err))
        fail_msg("%s: %s", g->name, err.msg);
    assert_int_equal(c.answered, json_array_size(json_object_get(g->expect, "greedy")));
    encoder_release(&c.enc);
    engine_close(&c.e);
}

static void greedy_tokens(void **state)
{
    (void)state;
    if (!golden_each(golden_greedy, NULL)) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
