#include "infer/generate.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "infer/prefix.h"
#include "infer/reply.h"

/* One answer on its way. */
typedef struct Decoding {
    int seq, prompt;
    DrawKey key; /* of its first token */
    int limit;   /* tokens it may have */
    int next;    /* the token drawn last; -1: none could be drawn */
    float next_logp;
    VEC(int) id;
    VEC(float) logp;
    Reply reply;
    unsigned char *seen; /* [v]; NULL without a repetition penalty */
    const char *finish;  /* NULL while it goes on */
} Decoding;

/* The next prompt: waiting for room, then on its way into the cache. */
typedef struct Entering {
    Batch *b; /* NULL: none */
    PromptPlan plan;
    PromptKey key;
    bool begun;
    Extension x;
} Entering;

typedef struct Generator {
    Engine *e;
    Session *s;
    const GenerateOptions *o;
    const GenerateIo *io;
    Sampler *sampler; /* one per worker of the pool */
    int never[2];
    VEC(Decoding *) active;
    int prompts; /* begun so far */
    Entering in;
    bool ended; /* by a verdict */
    PrefixIndex *prefixes;
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
    DrawKey key = d->key;
    key.position += (uint32_t)d->id.n;
    const float *logits = j->logits + (int64_t)task * j->stride;
    d->next = sampler_draw(&j->g->sampler[pool_worker()], logits, d->seen, key);
    if (d->next < 0 || !j->g->o->logp) return;
    float lse;
    const Model *m = j->g->e->model;
    m->dev.k.logprob_fwd(&d->next_logp, &lse, NULL, logits, &d->next, 0, 1, m->cfg.v);
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
    if (g->text.len) g->io->stream(g->io->arg, d->prompt, (int)d->key.draw, g->text.data, g->text.len);
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
            if (model_check_finite(g->e->model, err)) return -1;
            err_set(err, "prompt %d: the model's logits are not finite", d[i]->prompt);
            return err_hint(err, "the weights may be damaged, or too large for bf16: try --dtype f32");
        }
        accept_token(g, d[i]);
    }
    return 0;
}

/* ---- prompts ---------------------------------------------------------------------------------------------------- */

static PromptPlan plan_of(const GenerateOptions *o, int number)
{
    return (PromptPlan){.stream = (uint32_t)number, .n = o->n, .max_new_tokens = o->max_new_tokens};
}

/* The k-th answer of a plan. */
static void decoding_new(Generator *g, int seq, int number, const PromptPlan *p, int k, const int *prompt, int n_prompt)
{
    const ModelConfig *c = &g->e->model->cfg;
    Decoding *d = xcalloc(1, sizeof *d);
    int room = c->max_positions - session_length(g->s, seq);
    *d = (Decoding){.seq = seq, .prompt = number};
    d->key = (DrawKey){p->stream, (uint32_t)(p->draw ? p->draw[k] : k), (uint32_t)p->position};
    d->limit = p->max_new_tokens < room ? p->max_new_tokens : room;
    d->reply = (Reply){.tok = g->e->tok, .stop = g->o->stop};
    if (g->o->sampling.repetition_penalty != 1) {
        d->seen = xcalloc((size_t)c->v, 1);
        for (int i = 0; i < n_prompt; i++) d->seen[prompt[i] >= 0 ? prompt[i] : c->image_token] = 1;
    }
    vec_push(&g->active, d);
}

/* The answers to a prompt that stands in seq: the first goes on in seq itself, the others in forks. */
static int start_answers(Generator *g, int seq, int number, const PromptPlan *p, const float *logits, const int *prompt,
                         int n_prompt, Err *err)
{
    int first = g->active.n;
    for (int k = 0; k < p->n; k++) decoding_new(g, k ? session_fork(g->s, seq) : seq, number, p, k, prompt, n_prompt);
    return draw_tokens(g, g->active.at + first, p->n, logits, 0, err);
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static int report(Generator *g, Decoding *d, Err *err)
{
    buf_clear(&g->text);
    reply_text(&d->reply, &g->text);
    const Completion c = {.prompt = d->prompt,
                          .draw = (int)d->key.draw,
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

/* Asks for the verdict on every answer. */
static void judge(Generator *g)
{
    for (int i = 0; g->io->verdict && i < g->active.n; i++) {
        Decoding *d = g->active.at[i];
        if (d->finish) continue;
        Verdict v = g->io->verdict(g->io->arg, d->prompt, (int)d->key.draw);
        if (v == END_ALL) g->ended = true;
        if (v != END_ANSWER) continue;
        d->finish = "cancelled";
        show(g, d);
    }
}

/* ---- many prompts ----------------------------------------------------------------------------------------------- */

/* Rows that an answer of n more tokens may take: whole pages, and one for the rest of a shared page. */
static int64_t rows_to_come(int n)
{
    return ((int64_t)n + 2 * SESSION_PAGE - 1) / SESSION_PAGE * SESSION_PAGE;
}

/* Are there rows for n more of the waiting prompt and its answers, so that all active answers still reach their full
   length? */
static bool fits(const Generator *g, int n)
{
    const PromptPlan *p = &g->in.plan;
    int64_t rows = session_rows_free(g->s) - rows_to_come(n) - p->n * rows_to_come(p->max_new_tokens);
    for (int i = 0; i < g->active.n; i++) rows -= rows_to_come(g->active.at[i]->limit - g->active.at[i]->id.n);
    return rows >= 0;
}

/* Room for the answers, and for n rows of their prompt, for which kept prompts make way. */
static bool has_room(Generator *g, int n)
{
    if (g->active.n && g->active.n + g->in.plan.n > g->o->max_batch) return false;
    while (!fits(g, n))
        if (!prefix_drop(g->prefixes)) return !g->active.n; /* alone it may try */
    return true;
}

/* Gives the waiting prompt a sequence, with what it shares with an earlier one, where there is room. */
static void begin_prompt(Generator *g)
{
    Entering *in = &g->in;
    int rows, like = prefix_find(g->prefixes, &in->key, &rows);
    int seq = like < 0 ? session_open(g->s) : session_fork_rows(g->s, like, rows);
    if (!has_room(g, in->b->n - rows)) {
        session_close(g->s, seq);
        return;
    }
    session_begin(g->s, &in->x, seq, in->b, rows);
    in->begun = true;
}

static void drop_entering(Generator *g)
{
    if (g->in.begun) session_end(&g->in.x);
    prompt_key_release(&g->in.key);
    batch_free(g->in.b);
    g->in = (Entering){0};
}

/* The next prompt, in g->in; 0 where there is none. */
static int next_prompt(Generator *g, Err *err)
{
    if (g->in.b) return 1;
    g->in.b = g->io->next(g->io->arg, err);
    if (!g->in.b) return err->msg[0] ? -1 : 0;
    g->in.plan = plan_of(g->o, g->prompts);
    if (g->io->plan) g->io->plan(g->io->arg, g->prompts, &g->in.plan);
    g->in.key = prompt_key(g->in.b);
    return 1;
}

/* The prompt is in the cache: its answers begin. */
static int start_prompt(Generator *g, const float *logits, Err *err)
{
    Entering *in = &g->in;
    int seq = in->x.seq, number = g->prompts++;
    prefix_add(g->prefixes, seq, &in->key);
    int rc = start_answers(g, seq, number, &in->plan, logits, in->b->ids, in->b->n, err);
    drop_entering(g);
    return rc || sweep(g, -1, err) ? -1 : 0;
}

/* Lets prompts in while there is room, PREFILL_ROWS of them; where no answer is on its way, until one is. */
static int admit_prompts(Generator *g, Err *err)
{
    int rows = PREFILL_ROWS;
    while (rows > 0 || !g->active.n) {
        int rc = next_prompt(g, err);
        if (rc <= 0) return rc;
        if (!g->in.begun) begin_prompt(g);
        if (!g->in.begun) return 0;
        if (g->io->verdict && g->io->verdict(g->io->arg, g->prompts, -1) == END_ALL) g->ended = true;
        if (g->ended) return 0;
        if (rows <= 0) rows = PREFILL_ROWS;
        const float *logits;
        int before = g->in.x.next;
        rc = session_advance(g->s, &g->in.x, rows, &logits, err);
        if (rc < 0) return err_context(err, "prompt %d", g->prompts);
        rows -= g->in.x.next - before;
        if (rc == 0 && start_prompt(g, logits, err)) return -1;
    }
    return 0;
}

int generate(Engine *e, const GenerateOptions *o, const GenerateIo *io, Err *err)
{
    Generator g;
    int64_t rows = (int64_t)(o->n > o->max_batch ? o->n : o->max_batch) * e->model->cfg.max_positions;
    if (o->max_rows > 0 && o->max_rows < rows) rows = o->max_rows;
    Session *s = session_new(e, session_affordable_rows(e, rows));
    generator_init(&g, s, e, o, io);
    g.prefixes = prefix_new(s);
    int rc = admit_prompts(&g, err);
    while (rc == 0 && g.active.n && !g.ended) {
        rc = step(&g, err);
        judge(&g);
        if (rc == 0) rc = sweep(&g, -1, err);
        if (rc == 0 && !g.ended) rc = admit_prompts(&g, err);
    }
    drop_entering(&g);
    prefix_free(g.prefixes);
    generator_release(&g);
    session_free(s);
    return rc ? rc : g.ended;
}

/* ---- one answer in a conversation ------------------------------------------------------------------------------- */

int generate_reply(Session *s, int seq, const float *logits, const int *prompt, int n_prompt, int number,
                   const GenerateOptions *o, const GenerateIo *io, Err *err)
{
    CHECK(o->n == 1, "generate_reply: %d answers", o->n);
    Generator g;
    generator_init(&g, s, session_engine(s), o, io);
    const PromptPlan plan = plan_of(o, number);
    int rc = start_answers(&g, seq, number, &plan, logits, prompt, n_prompt, err);
    while (rc == 0 && g.active.n) {
        judge(&g);
        if (g.ended && !g.active.at[0]->finish) g.active.at[0]->finish = "cancelled";
        rc = sweep(&g, seq, err);
        if (rc == 0 && g.active.n) rc = step(&g, err);
    }
    generator_release(&g);
    return rc;
}
