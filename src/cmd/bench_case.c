/* One case of `osler bench`: a model with random weights and the step that is timed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "cmd/bench.h"
#include "train/optim.h"
#include "train/throughput.h"

struct Bench {
    const BenchOpts *o;
    double (*time)(Bench *x, Err *err); /* seconds of a step; -1 */
    Engine e;
    Optimizer opt;
    Batch *b;                 /* of a training step or a prefill */
    float *dlogp, *reference; /* [b->n_targets] */
    Session *session;
    int *prompt;       /* decode: [batch] sequences that hold the prompts */
    char *dir;         /* load: the checkpoint, */
    double file_bytes; /* and its tensors, once it was loaded */
    double tokens;     /* of a step */
};

const char *bench_case_name(const BenchOpts *o)
{
    static const char *const NAME[] = {"lora", "full", "dpo", "grpo", "score", "decode", "prefill", "load"};
    return NAME[o->what];
}

static ModelOptions model_options(const BenchOpts *o)
{
    return (ModelOptions){.dtype = common_dtype(&o->common), .train[PART_LANGUAGE] = o->what == CASE_FULL};
}

/* ---- training and scoring ---------------------------------------------------------------------------------------- */

/* What a method would hand back; the values do not change the cost. */
static void fill_gradient(Bench *x, const float *logp)
{
    for (int i = 0; i < x->b->n_targets; i++) x->dlogp[i] = -1 / (float)x->b->n_targets;
    if (x->o->what != CASE_DPO) return;
    for (int i = 0; i < x->b->n_targets; i++) x->dlogp[i] = 0.1f * (logp[i] - x->reference[i]);
}

static void score_reference(Bench *x)
{
    memcpy(x->reference, engine_score(&x->e, x->b, false, false, NULL), sizeof(float) * (size_t)x->b->n_targets);
    engine_release(&x->e);
}

static double time_score(Bench *x, Err *err)
{
    (void)err;
    double t = now_seconds();
    engine_score(&x->e, x->b, false, true, NULL);
    engine_release(&x->e);
    return now_seconds() - t;
}

static double time_training(Bench *x, Err *err)
{
    (void)err;
    double t = now_seconds();
    if (x->o->what == CASE_DPO) score_reference(x);
    fill_gradient(x, engine_score(&x->e, x->b, true, true, NULL));
    engine_backward(&x->e, x->dlogp);
    engine_release(&x->e);
    optimizer_step(&x->opt, 1, 1, true);
    engine_zero_grads(&x->e);
    return now_seconds() - t;
}

static int add_adapter(Bench *x, Err *err)
{
    static const char *const TARGET = ".*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";
    PeftConfig *peft = xcalloc(1, sizeof *peft);
    if (peft_config_init(peft, &TARGET, 1, err)) {
        free(peft);
        return -1;
    }
    peft->r = 16;
    peft->lora_alpha = 32;
    return model_add_adapter(x->e.model, peft, true, (uint64_t)x->o->common.seed, err);
}

/* Full training leaves the vision tower frozen, the other cases train an adapter. */
static int open_training(Bench *x, Err *err)
{
    static const int ANSWER[] = {8, 24, 64, 160}, PAIR[] = {96, 128}, GROUP[] = {48, 64, 80, 96, 96, 112, 128, 144};
    const ModelConfig *c = &x->e.model->cfg;
    int what = x->o->what, n = what == CASE_DPO ? 2 : what == CASE_GRPO ? 8 : 4, answer[8];
    const int *usual = what == CASE_DPO ? PAIR : what == CASE_GRPO ? GROUP : ANSWER;
    for (int i = 0; i < n; i++) answer[i] = x->o->answer ? (int)x->o->answer : usual[i];
    x->b = bench_batch(c, answer, n, (what == CASE_DPO || what == CASE_GRPO) && !x->o->repeated);
    for (int i = 0; i < n; i++) x->tokens += BENCH_PROMPT + answer[i];
    x->dlogp = xcalloc((size_t)x->b->n_targets, sizeof *x->dlogp);
    x->reference = xcalloc((size_t)x->b->n_targets, sizeof *x->reference);
    x->time = what == CASE_SCORE ? time_score : time_training;
    if (what != CASE_FULL && what != CASE_SCORE && add_adapter(x, err)) return -1;
    if (x->o->vision_cache && engine_cache_vision(&x->e, x->o->vision_cache, (int64_t)1 << 30, err)) return -1;
    if (what == CASE_SCORE) return 0;
    const OptimOptions oo = {{1e-5, 1e-5, 1e-5}, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01};
    optimizer_init(&x->opt, x->e.model, &oo);
    return 0;
}

/* ---- decoding and prefill ---------------------------------------------------------------------------------------- */

static int whole_pages(int64_t rows)
{
    return (int)((rows + SESSION_PAGE - 1) / SESSION_PAGE * SESSION_PAGE);
}

typedef struct Draw {
    Sampler *sampler; /* one per worker */
    const float *logits;
    int *id, v;
} Draw;

static void draw_one(void *arg, int i)
{
    const Draw *d = arg;
    const float *logits = d->logits + (size_t)i * (size_t)d->v;
    d->id[i] = sampler_draw(&d->sampler[pool_worker()], logits, NULL, (DrawKey){0, 0, 0});
}

/* Greedy steps of n sequences; their time, or -1. */
static double time_tokens(Session *s, const int *seq, int *id, int n, int steps, Err *err)
{
    int threads = pool_threads();
    Draw d = {xcalloc((size_t)threads, sizeof *d.sampler), NULL, id, session_engine(s)->model->cfg.v};
    for (int i = 0; i < threads; i++)
        sampler_init(&d.sampler[i], &(SamplerOptions){.top_p = 1, .repetition_penalty = 1}, d.v, NULL, 0);
    double t = now_seconds();
    for (int k = 0; k < steps && t >= 0; k++) {
        d.logits = session_step(s, seq, id, n, err);
        if (d.logits) pool_run(n, draw_one, &d);
        else t = -1;
    }
    for (int i = 0; i < threads; i++) sampler_release(&d.sampler[i]);
    free(d.sampler);
    return t < 0 ? -1 : now_seconds() - t;
}

static double time_decode(Bench *x, Err *err)
{
    int n = (int)x->o->batch, *seq = xmalloc(sizeof *seq * (size_t)n), *id = xcalloc((size_t)n, sizeof *id);
    for (int i = 0; i < n; i++) seq[i] = session_fork(x->session, x->prompt[x->o->shared ? 0 : i]);
    double t = time_tokens(x->session, seq, id, n, (int)x->o->new_tokens, err);
    for (int i = 0; i < n; i++) session_close(x->session, seq[i]);
    free(seq);
    free(id);
    return t;
}

static int open_decode(Bench *x, Err *err)
{
    const BenchOpts *o = x->o;
    int n = o->shared ? 1 : (int)o->batch, rc = 0;
    int64_t rows = n * (int64_t)whole_pages(BENCH_PROMPT) + o->batch * whole_pages(o->new_tokens);
    if (rows > INT32_MAX / 2) return err_set(err, "a cache of %lld rows is too large", (long long)rows);
    x->session = session_new(&x->e, (int)rows);
    x->prompt = xmalloc(sizeof *x->prompt * (size_t)n);
    for (int i = 0; i < n && rc == 0; i++) {
        Batch *b = bench_prompt(&x->e.model->cfg, true, i);
        x->prompt[i] = session_open(x->session);
        rc = session_extend(x->session, x->prompt[i], b, err) ? 0 : -1;
        batch_free(b);
    }
    x->tokens = (double)(o->batch * o->new_tokens);
    x->time = time_decode;
    return rc;
}

static double time_prefill(Bench *x, Err *err)
{
    double t = now_seconds();
    int seq = session_open(x->session);
    const float *logits = session_extend(x->session, seq, x->b, err);
    session_close(x->session, seq);
    return logits ? now_seconds() - t : -1;
}

static int open_prefill(Bench *x)
{
    x->b = bench_prompt(&x->e.model->cfg, false, 0);
    x->session = session_new(&x->e, BENCH_PROMPT);
    x->tokens = BENCH_PROMPT;
    x->time = time_prefill;
    return 0;
}

/* Every weight of the language model once, and the cache's rows once, on the average step. */
static double decode_bytes(const Bench *x)
{
    const Model *m = x->e.model;
    double weights = (double)model_decode_bytes(m), n = (double)x->o->batch, prompts = x->o->shared ? 1 : n;
    double rows = prompts * BENCH_PROMPT + n * (double)(x->o->new_tokens + 1) / 2;
    return weights + rows * (double)session_row_bytes(m);
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

static double time_load(Bench *x, Err *err)
{
    ModelOptions mo = model_options(x->o);
    double t = now_seconds();
    Model *m = model_load(x->dir, &mo, err);
    t = now_seconds() - t;
    if (!m) return -1;
    x->file_bytes = 0;
    for (int i = 0; i < m->files.n; i++) x->file_bytes += (double)m->files.tensor[i].bytes;
    model_free(m);
    return t;
}

/* A checkpoint with random weights that lives as long as the bench; another process writes it, for its memory is not
   that of loading. */
static int open_load(Bench *x, Err *err)
{
    const char *tmp = getenv("TMPDIR");
    double seconds, peak;
    char *dir = path_join(tmp && *tmp ? tmp : "/tmp", "osler-bench-XXXXXX"), seed[32];
    if (!mkdtemp(dir)) {
        err_errno(err, "%s", dir);
        free(dir);
        return -1;
    }
    x->dir = dir;
    x->time = time_load;
    snprintf(seed, sizeof seed, "%lld", (long long)x->o->common.seed);
    const char *const args[] = {"init", "--config", x->o->config, "--out", dir, "--seed", seed, NULL};
    return bench_run_self(args, &seconds, &peak, err);
}

/* ---- a case ------------------------------------------------------------------------------------------------------ */

static int open_case(Bench *x, Err *err)
{
    ModelConfig cfg;
    if (config_load_file(&cfg, x->o->config, err)) return -1;
    if (x->o->what == CASE_LOAD) return open_load(x, err);
    ModelOptions mo = model_options(x->o);
    engine_adopt(&x->e, model_random(&cfg, &mo, (uint64_t)x->o->common.seed), x->o->ckpt);
    model_quantise(x->e.model, (DecodeWeights)x->o->decode_weights);
    if (x->o->what == CASE_DECODE) return open_decode(x, err);
    return x->o->what == CASE_PREFILL ? open_prefill(x) : open_training(x, err);
}

Bench *bench_open(const BenchOpts *o, Err *err)
{
    Bench *x = xcalloc(1, sizeof *x);
    x->o = o;
    if (open_case(x, err) == 0) return x;
    bench_close(x);
    return NULL;
}

void bench_close(Bench *x)
{
    if (!x) return;
    Err err = {0};
    optimizer_release(&x->opt);
    batch_free(x->b);
    free(x->dlogp);
    free(x->reference);
    free(x->prompt);
    session_free(x->session);
    if (x->e.model) engine_close(&x->e);
    if (x->dir && dir_remove(x->dir, &err)) err_print(&err);
    free(x->dir);
    free(x);
}

int bench_repeat(Bench *x, Timing *t, Err *err)
{
    int n = (int)x->o->reps, rc = x->time(x, err) < 0 ? -1 : 0;
    double *seconds = xmalloc(sizeof *seconds * (size_t)n);
    for (int i = 0; i < n && rc == 0; i++) rc = (seconds[i] = x->time(x, err)) < 0 ? -1 : 0;
    if (rc == 0) *t = timing_of(seconds, n);
    free(seconds);
    return rc;
}

/* The reference of a pair is a forward pass of the language model alone: a frozen vision tower sees an image once. */
static double useful_flops(const Bench *x)
{
    const Model *m = x->e.model;
    Batch text = *x->b;
    text.n_images = 0;
    switch (x->o->what) {
    case CASE_SCORE: return model_flops(m, engine_encoded(&x->e) > 0 ? x->b : &text);
    case CASE_PREFILL: text.n_targets = 1; return model_flops(m, &text);
    case CASE_DPO: return train_flops_encoded(m, x->b, engine_encoded(&x->e)) + model_flops(m, &text);
    default: return train_flops_encoded(m, x->b, engine_encoded(&x->e));
    }
}

BenchCost bench_cost(const Bench *x)
{
    BenchCost c = {.tokens = x->tokens};
    if (x->o->what == CASE_DECODE) c.bytes = decode_bytes(x) * (double)x->o->new_tokens;
    else if (x->o->what == CASE_LOAD) c.bytes = x->file_bytes;
    else c.flops = useful_flops(x);
    return c;
}
