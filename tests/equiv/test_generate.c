/* A KV cache, shared prefixes, paging and batching change the cost of decoding, never its results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "infer/conversation.h"
#include "prompt_fixture.h"

/* Logits of all rows [b->n, v] by the plain forward pass. */
static float *full_logits(Engine *e, const Batch *b)
{
    Ctx c = {.k = &e->model->dev.k, .arena = &e->step, .lora = true};
    Tensor *y = model_logits(&c, e->model, model_forward(&c, e->model, b, model_vision(&c, e->model, b)));
    float *out = xmalloc(tensor_bytes(y));
    memcpy(out, y->data, tensor_bytes(y));
    arena_release(&e->step, 0);
    return out;
}

static void assert_close(const char *what, const float *a, const float *b, int n, double tolerance)
{
    for (int i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance))
            fail_msg("%s: logit %d is %.7f, not %.7f", what, i, (double)a[i], (double)b[i]);
}

/* The prompt at once, then a chunk, then token by token, across page borders. */
static void cached_is_full(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    for (int sample = 0; sample < 3; sample++) {
        Encoded x = encode(g, &e, sample, ENCODE_CHAT), prompt = encode(g, &e, sample, ENCODE_PROMPT);
        Batch *whole = batch_of(&e, &x), *first = batch_of(&e, &prompt);
        int v = e.model->cfg.v, at = prompt.n, chunk = (x.n - at) / 2;
        float *want = full_logits(&e, whole);
        Session *s = session_new(&e, x.n + 100);
        int seq = session_open(s);
        const float *got = session_extend(s, seq, first, &err);
        assert_non_null(got);
        assert_close("prefill", got, want + (size_t)(at - 1) * (size_t)v, v, 1e-4);
        if (chunk) {
            Batch *b = batch_of_ids(&e, x.id + at, chunk);
            at += chunk;
            assert_close("chunk", session_extend(s, seq, b, &err), want + (size_t)(at - 1) * (size_t)v, v, 1e-4);
            batch_free(b);
        }
        for (; at < x.n && x.id[at] >= 0; at++)
            assert_close("step", session_step(s, &seq, &x.id[at], 1, &err), want + (size_t)at * (size_t)v, v, 1e-4);
        assert_int_equal(session_length(s, seq), at);
        session_free(s);
        free(want);
        batch_free(whole);
        batch_free(first);
        encoded_release(&x);
        encoded_release(&prompt);
    }
    engine_close(&e);
}

enum { CHILDREN = 3, STEPS = 70 }; /* more than a page */

static int token(int child, int i)
{
    return 10 + 31 * child + 7 * i % 60;
}

/* Children of one prompt against sequences of their own; the parent goes on as a child itself. */
static void forked_is_separate(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    Encoded x = encode(g, &e, 0, ENCODE_PROMPT);
    Batch *prompt = batch_of(&e, &x);
    int v = e.model->cfg.v, seq[2 * CHILDREN], id[2 * CHILDREN];
    Session *s = session_new(&e, CHILDREN * (x.n + 2 * STEPS + 300));
    int free_rows = session_rows_free(s);
    seq[0] = session_open(s);
    assert_non_null(session_extend(s, seq[0], prompt, &err));
    for (int c = 1; c < CHILDREN; c++) seq[c] = session_fork(s, seq[0]);
    for (int c = CHILDREN; c < 2 * CHILDREN; c++) {
        seq[c] = session_open(s);
        assert_non_null(session_extend(s, seq[c], prompt, &err));
    }
    for (int i = 0; i < STEPS; i++) {
        for (int c = 0; c < 2 * CHILDREN; c++) id[c] = token(c % CHILDREN, i);
        const float *y = session_step(s, seq, id, 2 * CHILDREN, &err);
        assert_non_null(y);
        assert_close("fork", y, y + (size_t)CHILDREN * (size_t)v, CHILDREN * v, 1e-4);
    }
    for (int c = 0; c < 2 * CHILDREN; c++) session_close(s, seq[c]);
    assert_int_equal(session_rows_free(s), free_rows);
    session_free(s);
    batch_free(prompt);
    encoded_release(&x);
    engine_close(&e);
}

/* Rows of a closed sequence serve the next one; a fork outlives its parent. */
static void rows_are_used_again(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    int v = e.model->cfg.v, id[3 * SESSION_PAGE], n = 2 * SESSION_PAGE + 10;
    for (int i = 0; i < 3 * SESSION_PAGE; i++) id[i] = token(i % 5, i);
    Batch *b = batch_of_ids(&e, id, n), *more = batch_of_ids(&e, id + n, 1), *whole = batch_of_ids(&e, id, n + 1);
    float *want = full_logits(&e, whole);
    Session *s = session_new(&e, 4 * SESSION_PAGE);
    for (int round = 0; round < 3; round++) {
        int a = session_open(s);
        assert_non_null(session_extend(s, a, b, &err));
        assert_int_equal(session_rows_free(s), SESSION_PAGE);
        int child = session_fork(s, a);
        session_close(s, a); /* the child is now alone in its last page and goes on in it */
        assert_close("round", session_extend(s, child, more, &err), want + (size_t)n * (size_t)v, v, 1e-4);
        assert_int_equal(session_rows_free(s), SESSION_PAGE);
        session_close(s, child);
    }
    session_free(s);
    free(want);
    batch_free(whole);
    batch_free(b);
    batch_free(more);
    engine_close(&e);
}

static void full_cache_is_an_error(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    int id[SESSION_PAGE], v = e.model->cfg.v;
    for (int i = 0; i < SESSION_PAGE; i++) id[i] = token(1, i);
    Batch *page = batch_of_ids(&e, id, SESSION_PAGE);
    Session *s = session_new(&e, 2 * SESSION_PAGE);
    int a = session_open(s), b = session_open(s);
    assert_non_null(session_extend(s, a, page, &err));
    assert_non_null(session_extend(s, b, page, &err));
    assert_null(session_step(s, (int[]){a, b}, (int[]){5, 6}, 2, &err));
    assert_non_null(strstr(err.msg, "KV cache is full"));
    assert_int_equal(session_length(s, a), SESSION_PAGE);
    session_close(s, b); /* and a goes on as if nothing had been */
    err_clear(&err);
    id[0] = 5;
    const float *y = session_step(s, &a, &id[0], 1, &err);
    assert_non_null(y);
    float *got = xmalloc(sizeof *got * (size_t)v);
    memcpy(got, y, sizeof *got * (size_t)v);
    int all[SESSION_PAGE + 1];
    for (int i = 0; i < SESSION_PAGE; i++) all[i] = token(1, i);
    all[SESSION_PAGE] = 5;
    Batch *whole = batch_of_ids(&e, all, SESSION_PAGE + 1);
    float *want = full_logits(&e, whole);
    assert_close("after the error", got, want + (size_t)SESSION_PAGE * (size_t)v, v, 1e-4);
    e.model->cfg.max_positions = SESSION_PAGE + 1;
    assert_null(session_step(s, &a, &id[0], 1, &err));
    assert_non_null(strstr(err.msg, "context"));
    free(got);
    free(want);
    batch_free(whole);
    batch_free(page);
    session_free(s);
    engine_close(&e);
}

/* ---- generate --------------------------------------------------------------------------------------------------- */

enum { PROMPTS = 5, DRAWS = 3, NEW = 20 };

typedef struct Run {
    const Golden *g;
    Engine *e;
    int asked, answered;
    int n[PROMPTS][DRAWS], id[PROMPTS][DRAWS][NEW];
    float logp[PROMPTS][DRAWS][NEW];
    Buf shown[PROMPTS][DRAWS];
} Run;

static Batch *next_prompt(void *arg, Err *err)
{
    (void)err;
    Run *r = arg;
    if (r->asked == PROMPTS) return NULL;
    Encoded x = encode(r->g, r->e, r->asked++, ENCODE_PROMPT);
    Batch *b = batch_of(r->e, &x);
    encoded_release(&x);
    return b;
}

static int take_answer(void *arg, const Completion *c, Err *err)
{
    (void)err;
    Run *r = arg;
    assert_in_range(c->n, 1, NEW);
    assert_true(c->n == NEW || !strcmp(c->finish_reason, "stop"));
    r->n[c->prompt][c->draw] = c->n;
    memcpy(r->id[c->prompt][c->draw], c->id, sizeof *c->id * (size_t)c->n);
    memcpy(r->logp[c->prompt][c->draw], c->logp, sizeof *c->logp * (size_t)c->n);
    const Buf *shown = &r->shown[c->prompt][c->draw];
    assert_string_equal(shown->data ? shown->data : "", c->text);
    r->answered++;
    return 0;
}

static void take_text(void *arg, int prompt, int draw, const char *bytes, size_t n)
{
    Run *r = arg;
    buf_add(&r->shown[prompt][draw], bytes, n);
}

static void run_generate(Run *r, const Golden *g, Engine *e, int max_batch, double temperature)
{
    Err err = {0};
    *r = (Run){.g = g, .e = e};
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = NEW;
    o.n = DRAWS;
    o.max_batch = max_batch;
    o.logp = true;
    o.sampling.temperature = temperature;
    o.sampling.top_p = 0.95;
    o.sampling.repetition_penalty = 1.1;
    o.sampling.seed = 11;
    if (generate(e, &o, &(GenerateIo){.next = next_prompt, .done = take_answer, .stream = take_text, .arg = r}, &err))
        fail_msg("%s: %s", g->name, err.msg);
    assert_int_equal(r->answered, PROMPTS * DRAWS);
    for (int p = 0; p < PROMPTS; p++)
        for (int d = 0; d < DRAWS; d++) buf_release(&r->shown[p][d]);
}

/* The log-probabilities of a generated answer are those that scoring it gives: on policy, the ratio is 1. */
static void check_logp(const Golden *g, Engine *e, const Run *r, int prompt, int draw)
{
    Encoded x = encode(g, e, prompt, ENCODE_PROMPT);
    BatchBuilder bb;
    batch_begin(&bb, &e->proc);
    int n = r->n[prompt][draw];
    batch_add_child(&bb, batch_add_prompt(&bb, &x, 0), r->id[prompt][draw], n, 1);
    Batch *b = batch_finish(&bb);
    const float *logp = engine_score(e, b, false, true, NULL);
    for (int i = 0; i < n; i++)
        if (fabs((double)(logp[i] - r->logp[prompt][draw][i])) > 1e-4)
            fail_msg("%s: token %d: logp %.6f, scored %.6f", g->name, i, (double)r->logp[prompt][draw][i],
                     (double)logp[i]);
    engine_release(e);
    batch_free(b);
    encoded_release(&x);
}

static void batching_changes_nothing(Golden *g, void *arg)
{
    (void)arg;
    Engine e;
    static Run together, alone;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    run_generate(&together, g, &e, 7, 0.8);
    run_generate(&alone, g, &e, 1, 0.8);
    int distinct = 0;
    for (int p = 0; p < PROMPTS; p++) {
        for (int d = 0; d < DRAWS; d++) {
            assert_int_equal(together.n[p][d], alone.n[p][d]);
            assert_memory_equal(together.id[p][d], alone.id[p][d], sizeof(int) * (size_t)alone.n[p][d]);
        }
        distinct += memcmp(alone.id[p][0], alone.id[p][1], sizeof alone.id[p][0]) != 0;
    }
    assert_true(distinct >= 3); /* draws differ */
    for (int p = 0; p < 2; p++) check_logp(g, &e, &alone, p, DRAWS - 1);
    run_generate(&alone, g, &e, 2, 0);
    for (int p = 0; p < PROMPTS; p++) assert_memory_equal(alone.id[p][0], alone.id[p][1], sizeof alone.id[p][0]);
    engine_close(&e);
}

/* Draw 2 of the prompts, last prompt first, each continued from the first CUT tokens of what `want` has. */
enum { CUT = 5 };
typedef struct Planned {
    const Run *want;
    const Golden *g;
    Engine *e;
    bool cut;
    int asked, right;
} Planned;

static int planned_prompt(int asked)
{
    return PROMPTS - 1 - asked;
}

static Batch *next_planned(void *arg, Err *err)
{
    (void)err;
    Planned *p = arg;
    if (p->asked == PROMPTS) return NULL;
    int number = planned_prompt(p->asked++);
    Encoded x = encode(p->g, p->e, number, ENCODE_PROMPT);
    int n = p->cut && p->want->n[number][2] > CUT ? CUT : 0;
    x.id = xrealloc(x.id, sizeof *x.id * (size_t)(x.n + n + 1));
    memcpy(x.id + x.n, p->want->id[number][2], sizeof *x.id * (size_t)n);
    x.n += n;
    Batch *b = batch_of(p->e, &x);
    encoded_release(&x);
    return b;
}

static void plan_draw(void *arg, int prompt, PromptPlan *plan)
{
    static const int DRAW[] = {2};
    const Planned *p = arg;
    int number = planned_prompt(prompt), n = p->cut && p->want->n[number][2] > CUT ? CUT : 0;
    assert_int_equal(plan->stream, prompt);
    assert_int_equal(plan->n, DRAWS);
    *plan = (PromptPlan){(uint32_t)number, n, 1, DRAW, NEW - n};
}

static int check_planned(void *arg, const Completion *c, Err *err)
{
    (void)err;
    Planned *p = arg;
    int number = planned_prompt(c->prompt), n = p->cut && p->want->n[number][2] > CUT ? CUT : 0;
    assert_int_equal(c->draw, 2);
    assert_int_equal(c->n, p->want->n[number][2] - n);
    assert_memory_equal(c->id, p->want->id[number][2] + n, sizeof *c->id * (size_t)c->n);
    p->right++;
    return 0;
}

static void planned_draws_are_the_same(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    static Run want;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    run_generate(&want, g, &e, 7, 0.8);
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = NEW;
    o.n = DRAWS;
    o.sampling = (SamplerOptions){.temperature = 0.8, .top_p = 0.95, .repetition_penalty = 1.1, .seed = 11};
    for (int cut = 0; cut < 2; cut++) {
        Planned p = {.want = &want, .g = g, .e = &e, .cut = cut};
        const GenerateIo io = {.next = next_planned, .plan = plan_draw, .done = check_planned, .arg = &p};
        if (generate(&e, &o, &io, &err)) fail_msg("%s: %s", g->name, err.msg);
        assert_int_equal(p.right, PROMPTS);
    }
    engine_close(&e);
}

/* ---- conversation ----------------------------------------------------------------------------------------------- */

static void add_text(void *arg, const char *bytes, size_t n)
{
    buf_add(arg, bytes, n);
}

typedef struct Greedy {
    int *id, n;
    Buf text;
} Greedy;

static int take_greedy(void *arg, const Completion *c, Err *err)
{
    (void)err;
    Greedy *a = arg;
    a->n = c->n;
    a->id = xmalloc(sizeof *a->id * (size_t)c->n);
    memcpy(a->id, c->id, sizeof *a->id * (size_t)c->n);
    buf_str(&a->text, c->text);
    return 0;
}

/* Appends the tokens of text, special ones recognised. */
static int append_text(Engine *e, int *id, int n, const char *text)
{
    TokenList t = {0};
    tokenizer_encode(e->tok, text, strlen(text), &t);
    memcpy(id + n, t.id, sizeof *id * (size_t)t.n);
    n += t.n;
    tokens_release(&t);
    return n;
}

/* Greedy answer to ids, from a fresh cache. */
static Greedy answer(Engine *e, const GenerateOptions *o, int *id, int n)
{
    Err err = {0};
    Greedy a = {0};
    Session *s = session_new(e, n + 200);
    int seq = session_open(s);
    Batch *b = batch_of_ids(e, id, n);
    const float *logits = session_extend(s, seq, b, &err);
    assert_non_null(logits);
    assert_int_equal(generate_reply(s, seq, logits, id, n, 0, o, &(GenerateIo){.done = take_greedy, .arg = &a}, &err),
                     0);
    batch_free(b);
    session_free(s);
    return a;
}

static void two_turns_are_one_prompt(Golden *g, void *arg)
{
    (void)arg;
    Err err = {0};
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = 9;
    o.sampling.repetition_penalty = 1.3;
    Conversation *c = conversation_new(&e, "Be brief.", &o, &err);
    assert_non_null(c);
    int id[1000];
    int n = append_text(&e, id, 0,
                        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhich side?<|im_end|>\n"
                        "<|im_start|>assistant\n");
    const char *turn[] = {"Which side?", "How do you know?", "Thanks."};
    for (int i = 0; i < 3; i++) {
        Buf said = {0};
        Greedy want = answer(&e, &o, id, n);
        assert_int_equal(conversation_say(c, turn[i], NULL, 0, add_text, &said, NULL, &err), 0);
        assert_string_equal(said.data ? said.data : "", want.text.data ? want.text.data : "");
        assert_int_equal(conversation_length(c), n + want.n - 1);
        memcpy(id + n, want.id, sizeof *id * (size_t)want.n);
        n += want.n;
        if (id[n - 1] != e.chat.im_end) id[n++] = e.chat.im_end;
        if (i < 2) {
            n = append_text(&e, id, n, "\n<|im_start|>user\n");
            n = append_text(&e, id, n, turn[i + 1]);
            n = append_text(&e, id, n, "<|im_end|>\n<|im_start|>assistant\n");
        }
        free(want.id);
        buf_release(&want.text);
        buf_release(&said);
    }
    int before = conversation_length(c);
    assert_int_equal(conversation_say(c, "<image>", (char *[]){(char[]){"no/such.png"}}, 1, NULL, NULL, NULL, &err),
                     -1);
    assert_int_equal(conversation_length(c), before);
    conversation_reset(c);
    assert_int_equal(conversation_length(c), 0);
    conversation_free(c);
    engine_close(&e);
}

/* ---- all goldens ------------------------------------------------------------------------------------------------ */

#define OVER_GOLDENS(fn)                                                                                               \
    static void test_##fn(void **state)                                                                                \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        if (!golden_each(fn, NULL)) skip();                                                                            \
    }
OVER_GOLDENS(cached_is_full)
OVER_GOLDENS(forked_is_separate)
OVER_GOLDENS(rows_are_used_again)
OVER_GOLDENS(full_cache_is_an_error)
OVER_GOLDENS(batching_changes_nothing)
OVER_GOLDENS(planned_draws_are_the_same)
OVER_GOLDENS(two_turns_are_one_prompt)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cached_is_full),           cmocka_unit_test(test_forked_is_separate),
        cmocka_unit_test(test_rows_are_used_again),      cmocka_unit_test(test_full_cache_is_an_error),
        cmocka_unit_test(test_batching_changes_nothing), cmocka_unit_test(test_planned_draws_are_the_same),
        cmocka_unit_test(test_two_turns_are_one_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
