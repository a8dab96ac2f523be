#include "infer/conversation.h"

#include <stdlib.h>
#include <string.h>

#include "data/pack.h"

struct Conversation {
    Engine *e;
    Session *s;
    Encoder enc;
    GenerateOptions o;
    Verdict (*verdict)(void *arg, int prompt, int draw); /* NULL: answers end by themselves */
    char *system;
    int seq;      /* -1: no turn yet */
    VEC(int) ids; /* of the sequence and the last answer's last token, which is not in it yet */
    int turns;
};

Conversation *conversation_new(Engine *e, const char *system, const GenerateOptions *options, Err *err)
{
    Conversation *c = xcalloc(1, sizeof *c);
    c->e = e;
    c->o = *options;
    c->seq = -1;
    c->system = xstrdup(system ? system : DEFAULT_SYSTEM);
    if (encoder_init(&c->enc, e->tok, &e->proc, 0, err)) {
        free(c->system);
        free(c);
        return NULL;
    }
    c->s = session_new(e, session_affordable_rows(e, INT64_C(2) * e->model->cfg.max_positions)); /* 2: unfilled pages */
    return c;
}

void conversation_reset(Conversation *c)
{
    if (c->seq >= 0) session_close(c->s, c->seq);
    c->seq = -1;
    c->ids.n = c->turns = 0;
}

void conversation_free(Conversation *c)
{
    if (!c) return;
    session_free(c->s);
    encoder_release(&c->enc);
    free(c->system);
    free(c->ids.at);
    free(c);
}

int conversation_length(const Conversation *c)
{
    return c->seq < 0 ? 0 : session_length(c->s, c->seq);
}

void conversation_judge(Conversation *c, Verdict (*verdict)(void *arg, int prompt, int draw))
{
    c->verdict = verdict;
}

/* ---- a turn ----------------------------------------------------------------------------------------------------- */

typedef struct Turn {
    void (*show)(void *arg, const char *bytes, size_t n);
    void *arg;
    VEC(int) answer;
    const char *reason;
} Turn;

static void show_text(void *arg, int prompt, int draw, const char *bytes, size_t n)
{
    (void)prompt, (void)draw;
    const Turn *t = arg;
    if (t->show) t->show(t->arg, bytes, n);
}

static int take_answer(void *arg, const Completion *a, Err *err)
{
    (void)err;
    Turn *t = arg;
    for (int i = 0; i < a->n; i++) vec_push(&t->answer, a->id[i]);
    t->reason = a->finish_reason;
    return 0;
}

/*
 * Behind an earlier turn: drops what stands before the system message's <|im_end|>, which then ends the last answer
 * instead, and puts the answer's last token before it where that was another one.
 */
static void cut_to_tail(const Conversation *c, Encoded *x)
{
    int end = 0, last = c->ids.at[c->ids.n - 1], im_end = c->e->chat.im_end;
    while (x->id[end] != im_end) end++;
    if (last != im_end) x->id[--end] = last;
    x->n -= end;
    memmove(x->id, x->id + end, sizeof *x->id * (size_t)x->n);
    memmove(x->target, x->target + end, (size_t)x->n);
}

/* What the turn adds to the sequence. */
static Batch *turn_batch(Conversation *c, const char *text, char *const *images, int n_images, Err *err)
{
    char *system = c->seq < 0 ? c->system : (char[]){DEFAULT_SYSTEM};
    Message msg[2] = {{(char[]){"system"}, system, false}, {(char[]){"user"}, (char *)(uintptr_t)text, false}};
    const Sample s = {.msg = msg, .n_msgs = 2, .images = (char **)(uintptr_t)images, .n_images = n_images};
    Encoded x;
    if (encode_sample(&x, &c->enc, &s, ENCODE_PROMPT, err)) return NULL;
    if (encode_pixels(&x, &c->enc, &s, err)) {
        encoded_release(&x);
        return NULL;
    }
    if (c->seq >= 0) cut_to_tail(c, &x);
    BatchBuilder bb;
    batch_begin(&bb, &c->e->proc);
    batch_add_prompt(&bb, &x, 0);
    encoded_release(&x);
    return batch_finish(&bb);
}

/* Runs the turn on a fork of the sequence (or a fresh one), which takes its place if all goes well. */
static int run_turn(Conversation *c, Turn *t, const Batch *b, Err *err)
{
    int seq = c->seq < 0 ? session_open(c->s) : session_fork(c->s, c->seq), before = c->ids.n;
    int in_cache = before - (c->seq >= 0); /* the last answer's last token comes again with the batch */
    c->ids.n = in_cache;
    for (int i = 0; i < b->n; i++) vec_push(&c->ids, b->ids[i]);
    const float *logits = session_extend(c->s, seq, b, err);
    const GenerateIo io = {.done = take_answer, .stream = show_text, .verdict = c->verdict, .arg = t};
    if (!logits || generate_reply(c->s, seq, logits, c->ids.at, c->ids.n, c->turns, &c->o, &io, err)) {
        session_close(c->s, seq);
        c->ids.n = before;
        return -1;
    }
    for (int i = 0; i < t->answer.n; i++) vec_push(&c->ids, t->answer.at[i]);
    if (c->seq >= 0) session_close(c->s, c->seq);
    c->seq = seq;
    c->turns++;
    return 0;
}

int conversation_say(Conversation *c, const char *text, char *const *images, int n_images,
                     void (*show)(void *arg, const char *bytes, size_t n), void *arg, const char **reason, Err *err)
{
    Batch *b = turn_batch(c, text, images, n_images, err);
    if (!b) return -1;
    Turn t = {.show = show, .arg = arg};
    int rc = run_turn(c, &t, b, err);
    if (rc == 0 && reason) *reason = t.reason;
    batch_free(b);
    free(t.answer.at);
    return rc;
}
