#include "infer/generate.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "infer/reply.h"

/* One answer on its way. */
typedef struct Decoding {
    int seq, prompt, draw;
    int limit; /* tokens it may have */
    int next;  /* the token drawn last; -1: none could be drawn */
    float next_logp;
    VEC(int) id;
    VEC(float) logp;
    Reply reply;
    unsigned char *seen; /* [v]; NULL without a repetition penalty */
    const char *finish;  /* NULL while it goes on */
} Decoding;

typedef struct Generator {
    Engine *e;
    Session *s;
    const GenerateOptions *o;
    const GenerateIo *io;
    Sampler *sampler; /* one per worker of the pool */
    int never[2];
    VEC(Decoding *) active;
    int prompts;    /* admitted so far */
    Batch *waiting; /* the next prompt, while there is no room for it */
    bool dry;       /* the source has no more */
    int *seq, *id, batch_cap;
    Buf text; /* on its way to the stream or the sink */
} Generator;

static void generator_init(Generator *g, Session *s, Engine *e, const GenerateOptions *o, const GenerateIo *io)
{
    const ModelConfig *c = &e->model->cfg;
    *g = (Generator){.e = e, .s = s, .o = o, .io = io, .never = {c->image_token, c->video_token}};
    int n = pool_threads();
    g->sampler = xcalloc((size_t)n, sizeof *g->sampler);
    for (int i = 0; i < n; i++) sampler_init(&g->sampler[i], &o->sampling, c->v, g->never, c->video_token >= 0 ? 2 : 1);
}

static void decoding_free(Decoding *d)
{
    free(d->id.at);
    free(d->logp.at);
    free(d->seen);
    reply_release(&d->reply);
    free(d);
}

static void generator_release(Generator *g)
{
    for (int i = 0; i < g->active.n; i++) decoding_free(g->active.at[i]);
    for (int i = 0; i < pool_threads(); i++) sampler_release(&g->sampler[i]);
    free(g->sampler);
    free(g->active.at);
    free(g->seq);
    free(g->id);
    buf_release(&g->text);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

typedef struct DrawJob {
    Generator *g;
    Decoding **d;
    const float *logits;
    int stride; /* from one sequence's logits to the next's; 0: all draw from the same */
} DrawJob;

static void draw_one(void *arg, int task)
{
    const DrawJob *j = arg;
    Decoding *d = j->d[task];
    DrawKey key = {(uint32_t)d->prompt, (uint32_t)d->draw, (uint32_t)d->id.n};
    const float *logits = j->logits + (int64_t)task * j->stride;
    d->next = sampler_draw(&j->g->sampler[pool_worker()], logits, d->seen, key, j->g->o->logp ? &d->next_logp : NULL);
}

static bool is_end(const ModelConfig *c, int id)
{
    for (int i = 0; i < c->n_eos; i++)
        if (c->eos[i] == id) return true;
    return false;
}

static void show(Generator *g, Decoding *d)
{
    if (!g->io->stream) return;
    buf_clear(&g->text);
    reply_show(&d->reply, d->finish != NULL, &g->text);
    if (g->text.len) g->io->stream(g->io->arg, d->prompt, d->draw, g->text.data, g->text.len);
}

/* Takes the drawn token into the answer and sees whether that ends it. */
static void accept_token(Generator *g, Decoding *d)
{
    vec_push(&d->id, d->next);
    if (g->o->logp) vec_push(&d->logp, d->next_logp);
    if (d->seen) d->seen[d->next] = 1;
    if (is_end(&g->e->model->cfg, d->next) || reply_add(&d->reply, d->next)) d->finish = "stop";
    else if (d->id.n >= d->limit) d->finish = "length";
    show(g, d);
}

static int draw_tokens(Generator *g, Decoding **d, int n, const float *logits, int stride, Err *err)
{
    DrawJob job = {g, d, logits, stride};
    pool_run(n, draw_one, &job);
    for (int i = 0; i < n; i++) {
        if (d[i]->next < 0) {
            err_set(err, "prompt %d: the model's logits are not finite", d[i]->prompt);
            return err_hint(err, "the weights may be damaged, or too large for bf16: try --dtype f32");
        }
        accept_token(g, d[i]);
    }
    return 0;
}

/* ---- prompts ---------------------------------------------------------------------------------------------------- */

static Decoding *decoding_new(Generator *g, int seq, int number, int draw, const int *prompt, int n_prompt)
{
    const ModelConfig *c = &g->e->model->cfg;
    Decoding *d = xcalloc(1, sizeof *d);
    int room = c->max_positions - session_length(g->s, seq);
    *d = (Decoding){.seq = seq, .prompt = number, .draw = draw};
    d->limit = g->o->max_new_tokens < room ? g->o->max_new_tokens : room;
    d->reply = (Reply){.tok = g->e->tok, .stop = g->o->stop};
    if (g->o->sampling.repetition_penalty != 1) {
        d->seen = xcalloc((size_t)c->v, 1);
        for (int i = 0; i < n_prompt; i++) d->seen[prompt[i] >= 0 ? prompt[i] : c->image_token] = 1;
    }
    vec_push(&g->active, d);
    return d;
}

/* The answers to a prompt that stands in seq: the first goes on in seq itself, the others in forks. */
static int start_answers(Generator *g, int seq, int number, const float *logits, const int *prompt, int n_prompt,
                         Err *err)
{
    int first = g->active.n;
    for (int i = 0; i < g->o->n; i++) decoding_new(g, i ? session_fork(g->s, seq) : seq, number, i, prompt, n_prompt);
    return draw_tokens(g, g->active.at + first, g->o->n, logits, 0, err);
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static int report(Generator *g, Decoding *d, Err *err)
{
    buf_clear(&g->text);
    reply_text(&d->reply, &g->text);
    const Completion c = {.prompt = d->prompt,
                          .draw = d->draw,
                          .id = d->id.at,
                          .n = d->id.n,
                          .logp = d->logp.at,
                          .text = g->text.data ? g->text.data : "",
                          .text_len = g->text.len,
                          .finish_reason = d->finish};
    return g->io->done(g->io->arg, &c, err);
}

/* Hands finished answers to the sink and closes their sequences but `keep`. */
static int sweep(Generator *g, int keep, Err *err)
{
    int rc = 0, m = 0;
    for (int i = 0; i < g->active.n; i++) {
        Decoding *d = g->active.at[i];
        if (!d->finish || rc) {
            g->active.at[m++] = d;
            continue;
        }
        rc = report(g, d, err);
        if (d->seq != keep) session_close(g->s, d->seq);
        decoding_free(d);
    }
    g->active.n = m;
    return rc;
}

/* One token for every active answer. */
static int step(Generator *g, Err *err)
{
    int n = g->active.n;
    if (n > g->batch_cap) {
        g->batch_cap = n;
        g->seq = xrealloc(g->seq, sizeof *g->seq * (size_t)n);
        g->id = xrealloc(g->id, sizeof *g->id * (size_t)n);
    }
    for (int i = 0; i < n; i++) {
        g->seq[i] = g->active.at[i]->seq;
        g->id[i] = g->active.at[i]->next;
    }
    const float *logits = session_step(g->s, g->seq, g->id, n, err);
    return logits ? draw_tokens(g, g->active.at, n, logits, g->e->model->cfg.v, err) : -1;
}

/* ---- many prompts ----------------------------------------------------------------------------------------------- */

/* Rows that an answer of n more tokens may take: whole pages, and one for the rest of a shared page. */
static int64_t rows_to_come(int n)
{
    return ((int64_t)n + 2 * SESSION_PAGE - 1) / SESSION_PAGE * SESSION_PAGE;
}

/* May the prompt enter now, so that all active answers still reach their full length? */
static bool fits(const Generator *g, const Batch *b)
{
    if (!g->active.n) return true;
    int64_t rows = session_rows_free(g->s) - rows_to_come(b->n) - g->o->n * rows_to_come(g->o->max_new_tokens);
    for (int i = 0; i < g->active.n; i++) rows -= rows_to_come(g->active.at[i]->limit - g->active.at[i]->id.n);
    return rows >= 0;
}

static int admit(Generator *g, const Batch *b, Err *err)
{
    int seq = session_open(g->s), number = g->prompts++;
    const float *logits = session_extend(g->s, seq, b, err);
    if (!logits) return err_context(err, "prompt %d", number);
    return start_answers(g, seq, number, logits, b->ids, b->n, err);
}

/* Lets prompts in while there is room. */
static int admit_prompts(Generator *g, Err *err)
{
    while (!g->dry && (!g->active.n || g->active.n + g->o->n <= g->o->max_batch)) {
        if (!g->waiting) g->waiting = g->io->next(g->io->arg, err);
        g->dry = !g->waiting;
        if (g->dry) return err->msg[0] ? -1 : 0;
        if (!fits(g, g->waiting)) return 0;
        if (admit(g, g->waiting, err) || sweep(g, -1, err)) return -1;
        batch_free(g->waiting);
        g->waiting = NULL;
    }
    return 0;
}

int generate(Engine *e, const GenerateOptions *o, const GenerateIo *io, Err *err)
{
    Generator g;
    int64_t sequences = o->n > o->max_batch ? o->n : o->max_batch;
    Session *s = session_new(e, session_affordable_rows(e, sequences * e->model->cfg.max_positions));
    generator_init(&g, s, e, o, io);
    int rc = admit_prompts(&g, err);
    while (rc == 0 && g.active.n) {
        rc = step(&g, err);
        if (rc == 0) rc = sweep(&g, -1, err);
        if (rc == 0) rc = admit_prompts(&g, err);
    }
    batch_free(g.waiting);
    generator_release(&g);
    session_free(s);
    return rc;
}

/* ---- one answer in a conversation ------------------------------------------------------------------------------- */

int generate_reply(Session *s, int seq, const float *logits, const int *prompt, int n_prompt, int number,
                   const GenerateOptions *o, const GenerateIo *io, Err *err)
{
    CHECK(o->n == 1, "generate_reply: %d answers", o->n);
    Generator g;
    generator_init(&g, s, session_engine(s), o, io);
    int rc = start_answers(&g, seq, number, logits, prompt, n_prompt, err);
    while (rc == 0 && g.active.n) {
        rc = sweep(&g, seq, err);
        if (rc == 0 && g.active.n) rc = step(&g, err);
    }
    generator_release(&g);
    return rc;
}
