#include "infer/generate_plan.h"

#include <stdlib.h>

#include "base/pool.h"
#include "data/pack.h"
#include "kernels/dry.h"

typedef struct Planner {
    GeneratePlan *p;
    const GeneratePlanInput *in;
    Session *s;
    int *seq; /* [p->batch] */
} Planner;

/* So many tokens of an answer. */
static Batch *text_of(const Engine *e, int n)
{
    Encoded x = {.id = xcalloc((size_t)n, sizeof *x.id), .target = xcalloc((size_t)n, 1), .n = n};
    BatchBuilder bb;
    batch_begin(&bb, &e->proc);
    batch_add_prompt(&bb, &x, 0);
    encoded_release(&x);
    return batch_finish(&bb);
}

static int take_prompt(Planner *q, bool timed, int *seq, Err *err)
{
    DryRun run;
    *seq = session_open(q->s);
    if (timed) dry_open(&run, q->in->engine->model->dev.k.dtype, true);
    int rc = session_extend(q->s, *seq, q->in->prompt, err) ? 0 : -1;
    if (!timed) return rc;
    q->p->prompt_seconds = run.seconds;
    q->p->other += run.scratch;
    dry_close(&run);
    return rc;
}

/* As many answers as grow together, each half grown. */
static int open_answers(Planner *q, Err *err)
{
    int half = q->in->answer_tokens / 2, parent = 0, rc = 0;
    Batch *begun = half ? text_of(q->in->engine, half) : NULL;
    for (int i = 0; i < q->p->batch && rc == 0; i++) {
        if (i % q->in->o->n == 0) rc = take_prompt(q, i == 0, &parent, err);
        if (rc) break;
        q->seq[i] = session_fork(q->s, parent);
        if (begun && !session_extend(q->s, q->seq[i], begun, err)) rc = -1;
    }
    batch_free(begun);
    return rc;
}

static int time_step(Planner *q, Err *err)
{
    int *id = xcalloc((size_t)q->p->batch, sizeof *id);
    DryRun run;
    dry_open(&run, q->in->engine->model->dev.k.dtype, true);
    int rc = session_step(q->s, q->seq, id, q->p->batch, err) ? 0 : -1;
    q->p->step_seconds = run.seconds;
    dry_close(&run);
    free(id);
    return rc;
}

static void add_up(Planner *q)
{
    GeneratePlan *p = q->p;
    const GeneratePlanInput *in = q->in;
    const Model *m = in->engine->model;
    int n = in->o->n, prompts = (p->batch + n - 1) / n;
    double answers = (double)in->prompts * n;
    p->files = model_file_bytes(m);
    p->weights = m->arena.used;
    p->cache =
        (size_t)((prompts * in->prompt_tokens + (double)p->batch * in->answer_tokens) * (double)session_row_bytes(m));
    p->activations = in->engine->step.high;
    p->other += memory_resident() + (size_t)pool_threads() * DRY_TASK_SCRATCH;
    p->total = p->files + p->weights + p->cache + p->activations + p->other;
    p->tokens = in->prompts * in->prompt_tokens + answers * in->answer_tokens;
    p->seconds = in->prompts * p->prompt_seconds + answers / p->batch * in->answer_tokens * p->step_seconds;
}

/* Answers that grow together: as many as there are, as are asked for, and as the cache has room for. */
static int batch_of(const GeneratePlanInput *in)
{
    const GenerateOptions *o = in->o;
    int64_t answers = (int64_t)in->prompts * o->n, batch = answers < o->max_batch ? answers : o->max_batch;
    int64_t rows = o->max_rows ? o->max_rows : session_affordable_rows(in->engine, INT32_MAX);
    int64_t room = (int64_t)((double)rows / (in->answer_tokens + (double)in->prompt->n / o->n));
    return (int)(batch < room ? batch : room > 1 ? room : 1);
}

int generate_plan(GeneratePlan *p, const GeneratePlanInput *in, Err *err)
{
    Planner q = {.p = p, .in = in};
    *p = (GeneratePlan){.batch = batch_of(in)};
    int prompts = (p->batch + in->o->n - 1) / in->o->n;
    int64_t rows = (int64_t)prompts * (in->prompt->n + SESSION_PAGE) +
                   (int64_t)p->batch * (in->answer_tokens / 2 + 2 * SESSION_PAGE);
    if (rows > INT32_MAX / 2) return err_set(err, "a cache of %lld rows is too large", (long long)rows);
    q.s = session_new(in->engine, (int)rows);
    q.seq = xcalloc((size_t)p->batch, sizeof *q.seq);
    int rc = open_answers(&q, err) || time_step(&q, err) ? -1 : 0;
    session_free(q.s);
    free(q.seq);
    if (rc == 0) add_up(&q);
    return rc;
}
