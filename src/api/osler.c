/* The embeddable interface: thin, everything it does is elsewhere. */
#include "osler.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "data/pack.h"
#include "infer/generate.h"
#include "train/method.h"
#include "train/optim.h"

struct OslerModel {
    Engine engine;
    Encoder encoder;
    Optimizer optimizer;
    OslerTrain train;
};

static const char DEFAULT_TARGET[] = ".*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";

static int report(OslerError *error, const Err *err)
{
    if (error) {
        memcpy(error->message, err->msg, sizeof error->message);
        memcpy(error->hint, err->hint, sizeof error->hint);
    }
    return -1;
}

const char *osler_version(void)
{
    return OSLER_VERSION;
}

void osler_free(void *p)
{
    free(p);
}

/* ---- open -------------------------------------------------------------------------------------------------------- */

static PeftConfig *fresh_adapter(const OslerOptions *o, Err *err)
{
    const char *target = o->lora_target ? o->lora_target : DEFAULT_TARGET;
    PeftConfig *cfg = xcalloc(1, sizeof *cfg);
    if (peft_config_init(cfg, &target, 1, err)) {
        free(cfg);
        return NULL;
    }
    cfg->r = o->lora_rank > 0 ? o->lora_rank : 8;
    cfg->lora_alpha = o->lora_alpha > 0 ? o->lora_alpha : 2.0 * cfg->r;
    return cfg;
}

static int open_model(OslerModel *m, const char *dir, const OslerOptions *o, Err *err)
{
    bool lora = o->train == OSLER_TRAIN_LORA;
    EngineOptions eo = {.model = dir,
                        .adapter = o->adapter,
                        .dtype = o->f32 ? DT_F32 : DT_BF16,
                        .train_adapter = lora,
                        .checkpoint = true,
                        .max_pixels = o->max_pixels,
                        .seed = o->seed};
    eo.train[PART_LANGUAGE] = o->train == OSLER_TRAIN_LANGUAGE;
    if (lora && !o->adapter && !(eo.new_adapter = fresh_adapter(o, err))) return -1;
    if (engine_open(&m->engine, &eo, err)) return -1;
    return encoder_init(&m->encoder, m->engine.tok, &m->engine.proc, 0, err);
}

OslerModel *osler_open(const char *dir, const OslerOptions *options, OslerError *error)
{
    Err err = {0};
    OslerOptions none = {0};
    const OslerOptions *o = options ? options : &none;
    if (pool_threads() == 1 || o->threads) pool_start(o->threads);
    OslerModel *m = xcalloc(1, sizeof *m);
    m->train = o->train;
    if (open_model(m, dir, o, &err)) {
        report(error, &err);
        osler_close(m);
        return NULL;
    }
    if (m->train != OSLER_TRAIN_NOTHING)
        optimizer_init(&m->optimizer, m->engine.model,
                       &(OptimOptions){.lr = {1, 1, 1}, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .max_grad_norm = 1});
    return m;
}

void osler_close(OslerModel *m)
{
    if (!m) return;
    optimizer_release(&m->optimizer);
    encoder_release(&m->encoder);
    engine_close(&m->engine);
    free(m);
}

/* ---- conversations to batches ------------------------------------------------------------------------------------ */

/* A Sample that borrows everything; only its arrays are its own. */
static Sample borrow_sample(const OslerConversation *c)
{
    Sample s = {.id = (char *)(uintptr_t) "conversation",
                .at = {"conversation", 1, 1},
                .n_msgs = c->n_messages,
                .n_images = c->n_images};
    s.msg = xcalloc((size_t)c->n_messages, sizeof *s.msg);
    s.images = (char **)(uintptr_t)c->images;
    for (int i = 0; i < c->n_messages; i++)
        s.msg[i] = (Message){(char *)(uintptr_t)c->messages[i].role, (char *)(uintptr_t)c->messages[i].content, true};
    return s;
}

static int add_conversation(BatchBuilder *bb, OslerModel *m, const OslerConversation *c, EncodeAs as, int number,
                            Err *err)
{
    if (c->n_messages < 1) return err_set(err, "a conversation needs a message");
    Sample s = borrow_sample(c);
    Encoded x = {0};
    int markers = chat_count_images(s.msg, s.n_msgs);
    if (markers != c->n_images) {
        free(s.msg);
        return err_set(err, "%d <image> markers, but %d images", markers, c->n_images);
    }
    int rc = encode_sample(&x, &m->encoder, &s, as, err) || encode_pixels(&x, &m->encoder, &s, err) ? -1 : 0;
    if (rc == 0 && as == ENCODE_REPLY) batch_add_prompt(bb, &x, number);
    else if (rc == 0) batch_add_sample(bb, &x, number);
    encoded_release(&x);
    free(s.msg);
    return rc;
}

static Batch *make_batch(OslerModel *m, const OslerConversation *c, int n, EncodeAs as, Err *err)
{
    BatchBuilder bb;
    batch_begin(&bb, &m->engine.proc);
    for (int i = 0; i < n; i++)
        if (add_conversation(&bb, m, &c[i], as, i, err)) {
            batch_abandon(&bb);
            return NULL;
        }
    Batch *b = batch_finish(&bb);
    if (as == ENCODE_CHAT && b->n_targets == 0) {
        batch_free(b);
        err_set(err, "no assistant message to score");
        return NULL;
    }
    return b;
}

/* ---- chat -------------------------------------------------------------------------------------------------------- */

typedef struct ChatJob {
    Batch *prompt;
    char *text;
    OslerStream stream;
    void *arg;
} ChatJob;

static Batch *next_prompt(void *arg, Err *err)
{
    (void)err;
    ChatJob *job = arg;
    Batch *b = job->prompt;
    job->prompt = NULL;
    return b;
}

static int take_answer(void *arg, const Completion *c, Err *err)
{
    (void)err;
    ((ChatJob *)arg)->text = xstrndup(c->text, c->text_len);
    return 0;
}

static void pass_text(void *arg, int prompt, int draw, const char *bytes, size_t n)
{
    (void)prompt;
    (void)draw;
    ChatJob *job = arg;
    if (job->stream) job->stream(job->arg, bytes, n);
}

static GenerateOptions generate_options(const OslerSampling *s)
{
    GenerateOptions o = GENERATE_DEFAULTS;
    if (!s) return o;
    if (s->max_new_tokens > 0) o.max_new_tokens = s->max_new_tokens;
    o.sampling.temperature = s->temperature;
    if (s->top_p > 0) o.sampling.top_p = s->top_p;
    o.sampling.top_k = s->top_k;
    if (s->repetition_penalty > 0) o.sampling.repetition_penalty = s->repetition_penalty;
    o.sampling.seed = s->seed;
    return o;
}

char *osler_chat(OslerModel *m, const OslerConversation *c, const OslerSampling *sampling, OslerStream stream,
                 void *arg, OslerError *error)
{
    Err err = {0};
    if (c->n_messages > 0 && strcmp(c->messages[c->n_messages - 1].role, "user")) {
        err_set(&err, "the conversation does not end with a user message");
        report(error, &err);
        return NULL;
    }
    ChatJob job = {.prompt = make_batch(m, c, 1, ENCODE_REPLY, &err), .stream = stream, .arg = arg};
    GenerateOptions o = generate_options(sampling);
    GenerateIo io = {.next = next_prompt, .done = take_answer, .stream = pass_text, .arg = &job};
    if (job.prompt && generate(&m->engine, &o, &io, &err) == 0) return job.text;
    free(job.text);
    report(error, &err);
    return NULL;
}

/* ---- score and train --------------------------------------------------------------------------------------------- */

float *osler_score(OslerModel *m, const OslerConversation *c, int *n, OslerError *error)
{
    Err err = {0};
    Batch *b = make_batch(m, c, 1, ENCODE_CHAT, &err);
    if (!b) {
        report(error, &err);
        return NULL;
    }
    *n = b->n_targets;
    float *out = xmalloc(sizeof *out * (size_t)*n);
    memcpy(out, engine_score(&m->engine, b, false, true, NULL), sizeof *out * (size_t)*n);
    engine_release(&m->engine);
    batch_free(b);
    return out;
}

int osler_train_step(OslerModel *m, const OslerConversation *c, int n, double learning_rate, double *loss,
                     OslerError *error)
{
    Err err = {0};
    if (m->train == OSLER_TRAIN_NOTHING) {
        err_set(&err, "the model was not opened for training");
        return report(error, &err);
    }
    Batch *b = make_batch(m, c, n, ENCODE_CHAT, &err);
    if (!b) return report(error, &err);
    Metrics metrics = {0};
    const Method *method = &METHOD_SFT;
    float *dlogp = xmalloc(sizeof *dlogp * (size_t)b->n_targets);
    LossInput in = {.logp = engine_score(&m->engine, b, true, true, NULL), .batch = b, .scale = 1 / method->weight(b)};
    method->loss(&in, dlogp, &metrics);
    engine_backward(&m->engine, dlogp);
    engine_release(&m->engine);
    optimizer_step(&m->optimizer, optimizer_grad_norm(&m->optimizer), learning_rate, b->n_images > 0);
    engine_zero_grads(&m->engine);
    if (loss) *loss = metrics.loss;
    free(dlogp);
    batch_free(b);
    return 0;
}

int osler_save(OslerModel *m, const char *dir, OslerError *error)
{
    Err err = {0};
    if (m->train == OSLER_TRAIN_NOTHING) {
        err_set(&err, "the model was not opened for training");
        return report(error, &err);
    }
    const Model *model = m->engine.model;
    int rc = m->train == OSLER_TRAIN_LORA ? model_save_adapter(model, dir, m->optimizer.master, &err)
                                          : model_save(model, dir, m->optimizer.master, &err);
    return rc ? report(error, &err) : 0;
}
