/* osler bench peers: the speed of whole steps, on the work that other programs are timed with. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "base/rng.h"
#include "cmd/cmd.h"
#include "data/pack.h"
#include "train/optim.h"

typedef enum BenchCase { CASE_LORA, CASE_FULL, CASE_DPO, CASE_GRPO, CASE_SCORE, CASE_DECODE } BenchCase;
#define CASES "lora|full|dpo|grpo|score|decode"

typedef struct BenchOpts {
    Common common;
    char *config;
    int what; /* BenchCase */
    int64_t batch, reps, new_tokens;
    bool ckpt;
} BenchOpts;

#define AT(field) offsetof(BenchOpts, field)
static const Opt TABLE[] = {
    {"config", OPT_PATH, AT(config), .required = true, .help = "config.json; weights are random"},
    {"case", OPT_ENUM, AT(what), .def = "lora", .choices = CASES, .alias = "task", .help = "what to time"},
    {"batch", OPT_INT, AT(batch), .def = "1", .min = 1, .max = 4096, .help = "decode: sequences that grow together"},
    {"reps", OPT_INT, AT(reps), .def = "3", .min = 1, .max = 1e6, .help = "timed steps, after one that is not"},
    {"new", OPT_INT, AT(new_tokens), .def = "64", .min = 1, .max = 1e5, .help = "decode: tokens per sequence"},
    {"ckpt", OPT_BOOL, AT(ckpt), .def = "false", .help = "activation checkpointing"},
    COMPUTE_ROWS(BenchOpts),
    SEED_ROW(BenchOpts),
    GENERAL_ROWS(BenchOpts),
    {0},
};

/* One image of 256 tokens and 48 tokens of text per prompt; answers of these lengths. */
enum { IMAGE_TOKENS = 256, IMAGE_SIDE = 16, IMAGE_AT = 5, PROMPT = IMAGE_TOKENS + 48 };
static const int ANSWER[] = {8, 24, 64, 160}, PAIR[] = {96, 128}, GROUP[] = {48, 64, 80, 96, 96, 112, 128, 144};

typedef struct Work {
    const int *len; /* answers */
    int n;
    bool shared;    /* answers to one prompt, else each to its own */
    int64_t useful; /* tokens of a step, a shared prompt counted with every answer */
} Work;

static Work work_of(const BenchOpts *o)
{
    Work w = {.len = ANSWER, .n = 4};
    if (o->what == CASE_DPO) w = (Work){PAIR, 2, true, 0};
    if (o->what == CASE_GRPO) w = (Work){GROUP, 8, true, 0};
    for (int i = 0; i < w.n; i++) w.useful += PROMPT + w.len[i];
    if (o->what == CASE_DECODE) w.useful = o->batch * o->new_tokens;
    return w;
}

/* ---- inputs ----------------------------------------------------------------------------------------------------- */

static int random_id(Rng *r, const ModelConfig *c)
{
    return c->v > 5000 ? (int)(1000 + rng_below(r, 4000)) : (int)rng_below(r, (uint32_t)c->v);
}

static ImageProcessor processor_of(const ModelConfig *c)
{
    ImageProcessor p;
    image_processor_default(&p);
    p.patch = c->vision.patch;
    p.merge = c->vision.merge;
    p.temporal = c->vision.temporal;
    return p;
}

/* A prompt and `answer` target tokens. */
static void random_sample(Encoded *x, const ModelConfig *c, const ImageProcessor *p, int answer, uint32_t number)
{
    Rng r = rng_at(1, RNG_TEST, number, 0, 0);
    *x = (Encoded){.n = PROMPT + answer, .n_targets = answer, .n_image_tokens = IMAGE_TOKENS, .n_images = 1};
    x->id = xmalloc(sizeof *x->id * (size_t)x->n);
    x->target = xcalloc((size_t)x->n, 1);
    for (int i = 0; i < x->n; i++) x->id[i] = random_id(&r, c);
    for (int i = 0; i < IMAGE_TOKENS; i++) x->id[IMAGE_AT + i] = -1 - i;
    for (int i = PROMPT; i < x->n; i++) x->target[i] = 1;
    int side = IMAGE_SIDE * p->merge;
    x->plan = xmalloc(sizeof *x->plan);
    *x->plan = (ImagePlan){side * p->patch, side * p->patch, side, side, IMAGE_TOKENS};
    x->n_patches = side * side;
    size_t count = (size_t)x->n_patches * (size_t)image_patch_dim(p);
    x->pixels = xmalloc(sizeof *x->pixels * count);
    for (size_t i = 0; i < count; i++) x->pixels[i] = (float)rng_normal(&r);
}

/* x without its answer. */
static int add_prompt(BatchBuilder *bb, const Encoded *x)
{
    Encoded prompt = *x;
    prompt.n = PROMPT;
    prompt.n_targets = 0;
    return batch_add_prompt(bb, &prompt, 0);
}

static Batch *random_batch(const ModelConfig *c, const Work *w)
{
    ImageProcessor p = processor_of(c);
    BatchBuilder bb;
    batch_begin(&bb, &p);
    int prompt = -1;
    for (int i = 0; i < w->n; i++) {
        Encoded x;
        random_sample(&x, c, &p, w->len[i], (uint32_t)i);
        if (!w->shared) batch_add_sample(&bb, &x, i);
        if (w->shared && i == 0) prompt = add_prompt(&bb, &x);
        if (w->shared) batch_add_child(&bb, prompt, x.id + PROMPT, w->len[i], 1);
        encoded_release(&x);
    }
    return batch_finish(&bb);
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

typedef struct Bench {
    const BenchOpts *o;
    Engine e;
    Optimizer opt;
    Batch *b;
    float *dlogp, *reference; /* [b->n_targets] */
} Bench;

/* What a method would hand back; the values do not change the cost. */
static void fill_gradient(Bench *x, const float *logp)
{
    for (int i = 0; i < x->b->n_targets; i++) x->dlogp[i] = -1 / (float)x->b->n_targets;
    if (x->o->what != CASE_DPO) return;
    for (int i = 0; i < x->b->n_targets; i++) x->dlogp[i] = 0.1f * (logp[i] - x->reference[i]);
}

static void step(Bench *x)
{
    bool learn = x->o->what != CASE_SCORE;
    if (x->o->what == CASE_DPO) {
        memcpy(x->reference, engine_score(&x->e, x->b, false, false, NULL), sizeof(float) * (size_t)x->b->n_targets);
        engine_release(&x->e);
    }
    const float *logp = engine_score(&x->e, x->b, learn, true, NULL);
    if (learn) {
        fill_gradient(x, logp);
        engine_backward(&x->e, x->dlogp);
    }
    engine_release(&x->e);
    if (!learn) return;
    optimizer_step(&x->opt, 1, 1, true);
    engine_zero_grads(&x->e);
}

static double time_step(Bench *x)
{
    double t = now_seconds();
    step(x);
    return now_seconds() - t;
}

/* Opens a sequence with random prompt `number` in it; its logits, or NULL. */
static const float *prefill(Session *s, int *seq, const ModelConfig *c, int number, Err *err)
{
    const ImageProcessor p = processor_of(c);
    Encoded x;
    BatchBuilder bb;
    random_sample(&x, c, &p, 0, (uint32_t)number);
    batch_begin(&bb, &p);
    batch_add_prompt(&bb, &x, number);
    Batch *b = batch_finish(&bb);
    *seq = session_open(s);
    const float *logits = session_extend(s, *seq, b, err);
    batch_free(b);
    encoded_release(&x);
    return logits;
}

/* Greedy steps of n sequences; their time, or -1. */
static double time_tokens(Session *s, const int *seq, int *id, int n, const BenchOpts *o, int v, Err *err)
{
    Sampler sampler;
    sampler_init(&sampler, &(SamplerOptions){.top_p = 1, .repetition_penalty = 1}, v, NULL, 0);
    double t = now_seconds();
    for (int k = 0; k < o->new_tokens && t >= 0; k++) {
        const float *logits = session_step(s, seq, id, n, err);
        for (int i = 0; i < n && logits; i++)
            id[i] = sampler_draw(&sampler, logits + (size_t)i * (size_t)v, NULL, (DrawKey){0, 0, 0}, NULL);
        if (!logits) t = -1;
    }
    sampler_release(&sampler);
    return t < 0 ? -1 : now_seconds() - t;
}

static double time_decode(Bench *x, Err *err)
{
    const ModelConfig *c = &x->e.model->cfg;
    int n = (int)x->o->batch, *seq = xmalloc(sizeof *seq * (size_t)n), *id = xcalloc((size_t)n, sizeof *id);
    Session *s = session_new(&x->e, n * (PROMPT + (int)x->o->new_tokens + 2 * SESSION_PAGE));
    bool ready = true;
    for (int i = 0; i < n && ready; i++) ready = prefill(s, &seq[i], c, i, err) != NULL;
    double t = ready ? time_tokens(s, seq, id, n, x->o, c->v, err) : -1;
    session_free(s);
    free(seq);
    free(id);
    return t;
}

/* ---- a case ----------------------------------------------------------------------------------------------------- */

/* Decoding and scoring train nothing, full training all but the vision tower, the rest an adapter. */
static int bench_open(Bench *x, const BenchOpts *o, const Work *w, Err *err)
{
    static const char *const TARGET = ".*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";
    ModelConfig cfg;
    if (config_load_file(&cfg, o->config, err)) return -1;
    bool full = o->what == CASE_FULL, adapter = !full && o->what != CASE_SCORE && o->what != CASE_DECODE;
    ModelOptions mo = {.dtype = common_dtype(&o->common), .train[PART_LANGUAGE] = full};
    Model *m = model_random(&cfg, &mo, (uint64_t)o->common.seed);
    engine_adopt(&x->e, m, o->ckpt);
    x->o = o;
    x->b = random_batch(&cfg, w);
    x->dlogp = xcalloc((size_t)x->b->n_targets, sizeof *x->dlogp);
    x->reference = xcalloc((size_t)x->b->n_targets, sizeof *x->reference);
    if (adapter) {
        PeftConfig *peft = xcalloc(1, sizeof *peft);
        if (peft_config_init(peft, &TARGET, 1, err)) {
            free(peft);
            return -1;
        }
        peft->r = 16;
        peft->lora_alpha = 32;
        if (model_add_adapter(m, peft, true, (uint64_t)o->common.seed, err)) return -1;
    }
    const OptimOptions oo = {{1e-5, 1e-5, 1e-5}, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01};
    optimizer_init(&x->opt, m, &oo);
    return 0;
}

static void bench_close(Bench *x)
{
    optimizer_release(&x->opt);
    batch_free(x->b);
    free(x->dlogp);
    free(x->reference);
    engine_close(&x->e);
}

static int bench_run(Bench *x, const Work *w, Err *err)
{
    static const char *const NAME[] = {"lora", "full", "dpo", "grpo", "score", "decode"};
    const BenchOpts *o = x->o;
    double best = HUGE_VAL, worst = 0;
    for (int i = 0; i <= o->reps; i++) {
        double t = o->what == CASE_DECODE ? time_decode(x, err) : time_step(x);
        if (t < 0) return -1;
        if (i == 0) continue;
        best = fmin(best, t);
        worst = fmax(worst, t);
    }
    printf("%s %s %s ckpt=%d batch=%lld: %.1f tok/s, %.2f s/step, peak %.2f GiB, spread %.2f\n", NAME[o->what],
           path_basename(o->config), o->common.dtype ? "f32" : "bf16", o->ckpt, (long long)o->batch,
           (double)w->useful / best, best, (double)memory_peak() / (double)(1 << 30), worst / best);
    return 0;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const BenchOpts *o = opts;
    if (operands->n != 1 || strcmp(operands->at[0], "peers")) {
        usage_error(err, "bench needs 'peers'");
        return err_hint(err, "osler bench peers --config C.json --case " CASES);
    }
    Work w = work_of(o);
    Bench x = {0};
    int rc = bench_open(&x, o, &w, err);
    if (rc == 0) rc = bench_run(&x, &w, err);
    if (x.e.model) bench_close(&x);
    return rc;
}

const Verb VERB_BENCH = {
    .name = "bench",
    .about = "times whole training, scoring and decoding steps",
    .usage = "osler bench peers --config C.json --case " CASES " [--batch B]",
    .details =
        "Random weights; one image of 256 tokens and 48 tokens of text per prompt. lora, full, score: four samples "
        "with\n"
        "answers of 8 to 160 tokens; dpo: one pair; grpo: eight answers to a prompt; decode: 64 tokens after the\n"
        "prompt. Prints useful tokens per second, a shared prompt counted with every answer.",
    .table = TABLE,
    .size = sizeof(BenchOpts),
    .run = run,
};
