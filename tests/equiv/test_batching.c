/* What an answer is does not depend, to the bit, on what else is computed, nor on how its prompt came into the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "infer/prefix.h"
#include "prompt_fixture.h"

enum { MOST = 17, NEW = 12 };

/* ---- neighbours ------------------------------------------------------------------------------------------------- */

/* Answers to prompts that arrive in some order; kept by the prompt, not by the order. */
typedef struct Run {
    const Golden *g;
    Engine *e;
    int order[MOST], n, asked, answered;
    int len[MOST], id[MOST][NEW];
    float logp[MOST][NEW];
    int cancel_after; /* prompt 1 is cancelled with so many tokens; 0: never */
    int end_after;    /* verdicts until all ends; 0: never */
    int verdicts;
} Run;

/* The golden's samples in turn, each time with another word near the end: some share their beginnings. */
static Encoded numbered_prompt(const Golden *g, Engine *e, int number)
{
    Encoded x = encode(g, e, number, ENCODE_PROMPT);
    int at = x.n - 8;
    while (x.id[at] < 0) at--;
    x.id[at] = 20 + number;
    return x;
}

static Batch *next_prompt(void *arg, Err *err)
{
    (void)err;
    Run *r = arg;
    if (r->asked == r->n) return NULL;
    Encoded x = numbered_prompt(r->g, r->e, r->order[r->asked++]);
    Batch *b = batch_of(r->e, &x);
    encoded_release(&x);
    return b;
}

static int take_answer(void *arg, const Completion *c, Err *err)
{
    (void)err;
    Run *r = arg;
    int p = r->order[c->prompt];
    assert_in_range(c->n, 1, NEW);
    r->len[p] = c->n;
    memcpy(r->id[p], c->id, sizeof *c->id * (size_t)c->n);
    memcpy(r->logp[p], c->logp, sizeof *c->logp * (size_t)c->n);
    if (r->cancel_after && p == 1) {
        assert_string_equal(c->finish_reason, "cancelled");
        assert_int_equal(c->n, r->cancel_after);
    }
    r->answered++;
    return 0;
}

static Verdict verdict(void *arg, int prompt, int draw)
{
    Run *r = arg;
    r->verdicts++;
    assert_in_range(draw + 1, 0, 1); /* -1: on its way into the cache */
    if (r->end_after && r->verdicts >= r->end_after) return END_ALL;
    int seen = r->order[prompt] == 1 ? ++r->len[1] : 0; /* asked once while it enters, then before each token */
    return r->cancel_after && seen == r->cancel_after ? END_ANSWER : GO_ON;
}

static int run(Run *r, int max_batch, int max_rows)
{
    Err err = {0};
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = NEW;
    o.max_batch = max_batch;
    o.max_rows = max_rows;
    o.logp = true;
    GenerateIo io = {.next = next_prompt, .done = take_answer, .arg = r};
    if (r->cancel_after || r->end_after) io.verdict = verdict;
    int rc = generate(r->e, &o, &io, &err);
    if (rc < 0) fail_msg("%s: %s", r->g->name, err.msg);
    return rc;
}

static Run run_of(const Golden *g, Engine *e, int n)
{
    Run r = {.g = g, .e = e, .n = n};
    for (int i = 0; i < n; i++) r.order[i] = i;
    return r;
}

static void assert_same_answer(const Run *a, const Run *b, int p, const char *how)
{
    size_t n = (size_t)a->len[p];
    if (a->len[p] != b->len[p] || memcmp(a->id[p], b->id[p], n * sizeof(int)))
        fail_msg("%s: prompt %d is answered otherwise %s", a->g->name, p, how);
    if (memcmp(a->logp[p], b->logp[p], n * sizeof(float)))
        fail_msg("%s: prompt %d has other log-probabilities %s", a->g->name, p, how);
}

static void check_neighbours(const Golden *g, DType dtype, DecodeWeights w)
{
    static const int TOGETHER[] = {2, 3, 5, 8, 16, 17};
    static Run alone, many;
    Engine e;
    open_engine(&e, g, dtype, w);
    alone = run_of(g, &e, MOST);
    assert_int_equal(run(&alone, 1, 0), 0);
    for (size_t i = 0; i < sizeof TOGETHER / sizeof *TOGETHER; i++) {
        many = run_of(g, &e, TOGETHER[i]);
        assert_int_equal(run(&many, TOGETHER[i], 0), 0);
        for (int p = 0; p < TOGETHER[i]; p++) assert_same_answer(&alone, &many, p, "among others");
    }
    many = run_of(g, &e, MOST);
    for (int i = 0; i < MOST; i++) many.order[i] = (5 * i + 3) % MOST;
    assert_int_equal(run(&many, 6, 0), 0);
    for (int p = 0; p < MOST; p++) assert_same_answer(&alone, &many, p, "in another order");
    many = run_of(g, &e, MOST);
    assert_int_equal(run(&many, 17, 2000), 0); /* room for some: kept prompts make way */
    for (int p = 0; p < MOST; p++) assert_same_answer(&alone, &many, p, "in a small cache");
    engine_close(&e);
}

static void neighbours(Golden *g, void *count)
{
    ++*(int *)count;
    for (DType t = DT_F32; t <= DT_BF16; t++) check_neighbours(g, t, DECODE_PLAIN);
    check_neighbours(g, DT_BF16, DECODE_INT8);
    check_neighbours(g, DT_F32, DECODE_INT4);
}

/* ---- how a prompt comes in -------------------------------------------------------------------------------------- */

static const float *extend(Session *s, int seq, const Batch *b, int have, int step)
{
    Err err = {0};
    Extension x;
    const float *logits = NULL;
    int rc;
    session_begin(s, &x, seq, b, have);
    while ((rc = session_advance(s, &x, step, &logits, &err)) > 0) assert_null(logits);
    session_end(&x);
    if (rc) fail_msg("%s", err.msg);
    return logits;
}

/* In parts of any size, and behind what an earlier prompt has in common with it. */
static void parts_and_prefixes(Golden *g, void *shared)
{
    static const int STEP[] = {1, 7, 64, 1000};
    for (DType t = DT_F32; t <= DT_BF16; t++) {
        Engine e;
        open_engine(&e, g, t, DECODE_PLAIN);
        size_t bytes = sizeof(float) * (size_t)e.model->cfg.v;
        float *want = xmalloc(bytes);
        for (int p = 0; p < g->data.n; p++) {
            Encoded a = numbered_prompt(g, &e, p), b = numbered_prompt(g, &e, p + g->data.n);
            Batch *first = batch_of(&e, &a), *second = batch_of(&e, &b);
            PromptKey ka = prompt_key(first), kb = prompt_key(second);
            Session *s = session_new(&e, 5000);
            PrefixIndex *index = prefix_new(s);
            memcpy(want, extend(s, session_open(s), second, 0, second->n), bytes);
            int seq = session_open(s), rows;
            extend(s, seq, first, 0, first->n);
            prefix_add(index, seq, &ka);
            int like = prefix_find(index, &kb, &rows);
            *(int *)shared += like >= 0;
            assert_true(like < 0 ? rows == 0 : rows >= SESSION_PAGE && rows < b.n && rows <= b.n - 8);
            for (size_t i = 0; i < sizeof STEP / sizeof *STEP; i++) {
                if (memcmp(extend(s, session_open(s), second, 0, STEP[i]), want, bytes))
                    fprintf(stderr, "%s %s p %d step %d n %d\n", g->name, dtype_name(t), p, STEP[i], second->n);
                if (like < 0) continue;
                int fork = session_fork_rows(s, like, rows), row = session_rows_free(s);
                assert_memory_equal(extend(s, fork, second, rows, STEP[i]), want, bytes);
                assert_true(row - session_rows_free(s) <= (b.n - rows + SESSION_PAGE) / SESSION_PAGE * SESSION_PAGE);
            }
            prefix_free(index);
            session_free(s);
            prompt_key_release(&kb);
            batch_free(first);
            batch_free(second);
            encoded_release(&a);
            encoded_release(&b);
        }
        free(want);
        engine_close(&e);
    }
}

/* Another image under the same tokens is another prompt; the one not used for the longest time goes first. */
static void keys(Golden *g, void *tested)
{
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    Session *s = session_new(&e, 5000);
    PrefixIndex *index = prefix_new(s);
    int rows, free_rows = session_rows_free(s);
    for (int p = 0; p < g->data.n; p++) {
        Encoded x = encode(g, &e, p, ENCODE_PROMPT);
        Batch *b = batch_of(&e, &x);
        PromptKey key = prompt_key(b), same = prompt_key(b), other;
        int seq = session_open(s), end = 0;
        extend(s, seq, b, 0, b->n);
        prefix_add(index, seq, &key);
        session_close(s, seq);
        int like = prefix_find(index, &same, &rows);
        assert_true(b->n <= SESSION_PAGE ? like < 0 : like >= 0 && rows == b->n - 1);
        for (int i = 0; i < b->n; i++)
            if (b->ids[i] < 0) end = i + 1;
        if (end > SESSION_PAGE) {
            b->pixels[(size_t)b->n_patches * (size_t)b->patch_dim - 1] += 1; /* of the last image */
            other = prompt_key(b);
            assert_true(prefix_find(index, &other, &rows) < 0 || rows < end);
            prompt_key_release(&other);
            ++*(int *)tested;
        }
        prompt_key_release(&same);
        batch_free(b);
        encoded_release(&x);
    }
    for (int i = 0; i < g->data.n; i++) assert_true(prefix_drop(index));
    assert_false(prefix_drop(index));
    assert_int_equal(session_rows_free(s), free_rows);
    prefix_free(index);
    session_free(s);
    engine_close(&e);
}

/* ---- ending early ----------------------------------------------------------------------------------------------- */

static void verdicts(Golden *g, void *cancelled)
{
    static Run plain, some;
    Engine e;
    open_engine(&e, g, DT_F32, DECODE_PLAIN);
    plain = run_of(g, &e, 6);
    assert_int_equal(run(&plain, 3, 0), 0);
    if (plain.len[1] > 4) {
        some = run_of(g, &e, 6);
        some.cancel_after = 4;
        ++*(int *)cancelled;
        assert_int_equal(run(&some, 3, 0), 0);
        assert_int_equal(some.answered, 6);
        assert_memory_equal(some.id[1], plain.id[1], 4 * sizeof(int));
        for (int p = 0; p < 6; p++)
            if (p != 1) assert_same_answer(&plain, &some, p, "beside a cancelled one");
    }
    some = run_of(g, &e, 6);
    some.end_after = 20;
    assert_int_equal(run(&some, 3, 0), 1);
    assert_in_range(some.answered, 0, 5);
    some = run_of(g, &e, 6);
    some.end_after = 1; /* before the first prompt is in */
    assert_int_equal(run(&some, 3, 0), 1);
    assert_int_equal(some.answered, 0);
    engine_close(&e);
}

/* ---- fewer bits -------------------------------------------------------------------------------------------------- */

/* Copies in fewer bits change log-probabilities a little, those in 4 bits more than those in 8. */
static void fewer_bits(Golden *g, void *count)
{
    ++*(int *)count;
    static Run plain, copy;
    double worst[3] = {0};
    for (int w = DECODE_INT8; w <= DECODE_INT4; w++) {
        Engine e, q;
        open_engine(&e, g, DT_F32, DECODE_PLAIN);
        open_engine(&q, g, DT_F32, (DecodeWeights)w);
        assert_true(model_decode_bytes(q.model) < model_decode_bytes(e.model) / 2);
        plain = run_of(g, &e, 6);
        copy = run_of(g, &q, 6);
        run(&plain, 6, 0);
        run(&copy, 6, 0);
        for (int p = 0; p < 6; p++) {
            assert_true(plain.logp[p][0] == copy.logp[p][0]); /* prompts are read with the weights themselves */
            for (int i = 1; i < plain.len[p] && plain.id[p][i - 1] == copy.id[p][i - 1]; i++)
                if (plain.id[p][i] == copy.id[p][i])
                    worst[w] = fmax(worst[w], fabs((double)(plain.logp[p][i] - copy.logp[p][i])));
        }
        engine_close(&e);
        engine_close(&q);
    }
    if (!(worst[DECODE_INT8] > 0 && worst[DECODE_INT8] < 0.1 && worst[DECODE_INT4] > worst[DECODE_INT8] &&
          worst[DECODE_INT4] < 2))
        fail_msg("%s: int8 is off by %g, int4 by %g", g->name, worst[DECODE_INT8], worst[DECODE_INT4]);
}

/* Each counts what it has tested: not every golden has what it looks for, some must. */
#define OVER_GOLDENS(fn)                                                                                               \
    static void test_##fn(void **state)                                                                                \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        int tested = 0;                                                                                                \
        if (!golden_each(fn, &tested)) skip();                                                                         \
        assert_true(tested > 0);                                                                                       \
    }
OVER_GOLDENS(neighbours)
OVER_GOLDENS(parts_and_prefixes)
OVER_GOLDENS(keys)
OVER_GOLDENS(verdicts)
OVER_GOLDENS(fewer_bits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours), cmocka_unit_test(test_parts_and_prefixes), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_verdicts),   cmocka_unit_test(test_fewer_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
