/*
 * engine.h - the narrow waist: batches in, log-probabilities out, their gradient back.
 *
 *   Engine e;
 *   if (engine_open(&e, &(EngineOptions){.model = dir, .dtype = DT_BF16}, err)) ...
 *   const float *logp = engine_score(&e, batch, true, NULL);    [n_targets], until engine_backward
 *   engine_backward(&e, dlogp);                                 parameter gradients grow by dlogp . d logp / d theta
 *   engine_release(&e);                                         activations are gone
 *   engine_close(&e);
 *
 * Every training method is host code from logp to dlogp and never sees a tensor, a device or a rank.  An Engine is used
 * by one thread; it owns everything it points at.
 */
#ifndef OSLER_INFER_ENGINE_H
#define OSLER_INFER_ENGINE_H

#include "base/opt.h"
#include "data/batch.h"
#include "image/image.h"
#include "infer/vision_cache.h"
#include "text/chat.h"

typedef struct EngineOptions {
    const char *model, *adapter;    /* directories; adapter NULL: none */
    DType dtype;                    /* compute format */
    bool train[PART_COUNT];         /* parts trained in full */
    bool train_adapter;             /* the adapter's A and B are trained */
    PeftConfig *new_adapter;        /* a fresh adapter instead of reading one; taken over */
    bool checkpoint;                /* every block is computed again in the backward pass */
    bool check_later;               /* frozen weights are looked at for NaN only when answers are */
    bool dry;                       /* a model without values: what would a step take? (kernels/dry.h) */
    int64_t min_pixels, max_pixels; /* 0: as the checkpoint's preprocessor_config.json says */
    uint64_t seed;                  /* of a fresh adapter */
    DecodeWeights decode_weights;   /* what decoding reads: copies in fewer bits, or the weights themselves */
    const char *vision_cache;       /* folder, see engine_cache_vision; NULL: none */
    int64_t vision_cache_bytes;
} EngineOptions;

typedef struct Engine {
    Model *model;
    Tokenizer *tok;
    ChatTokens chat;
    ImageProcessor proc;
    Arena step; /* activations */
    Tape tape;
    Ctx ctx;
    Recompute *recompute; /* [model_blocks], read by every recorded score; never changes a result */
    Tensor *logp;         /* of the last engine_score */
    VisionCache *images;  /* NULL: the vision tower always runs */
} Engine;

int engine_open(Engine *e, const EngineOptions *o, Err *err);
/* An engine over a model that is there already, which it takes over; without tokenizer and image processor. */
void engine_adopt(Engine *e, Model *m, bool checkpoint);
void engine_close(Engine *e);

/* Keeps image features in a folder of at most cap_bytes from now on (vision_cache.h); an error where the vision tower or
   the merger is trained or carries an adapter. */
int engine_cache_vision(Engine *e, const char *dir, int64_t cap_bytes, Err *err);
/* Merged image features of a batch, in c's arena: model_vision, from the cache where there is one. */
Tensor *engine_vision(Engine *e, Ctx *c, const Batch *b);
/* The share of the last batch's patches that the vision tower ran over: 1 without a cache. */
double engine_encoded(const Engine *e);

/*
 * Log-probabilities of the batch's targets under the model, in order; borrowed until engine_backward or
 * engine_release.  `record` keeps what engine_backward needs.  `lora` false scores with the model below its adapter
 * (the reference).  entropy [n_targets] or NULL.
 */
const float *engine_score(Engine *e, const Batch *b, bool record, bool lora, float *entropy);
/* Adds the gradient of sum(dlogp . logp) to the trained parameters; once per recorded score. */
void engine_backward(Engine *e, const float *dlogp);
void engine_release(Engine *e);
/* Names the dropout of the next recorded score: a function of seed, step and micro-batch. 0: no dropout. */
void engine_dropout(Engine *e, uint64_t key);

/* Sets every trained parameter's gradient to zero. */
void engine_zero_grads(Engine *e);

#endif
