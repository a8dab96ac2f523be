/*
 * model.h - the weights of a Qwen2.5-VL, their names, and what can be done with them.
 *
 * One Model is read-only in a step and shared by training, scoring and generation.  Which parts train is decided at
 * loading: a frozen weight is used straight from the mapped file where the formats agree, a trained one is copied into
 * the model arena with an f32 gradient beside it.  LoRA, freezing and inference are absences: no adapter, no gradient,
 * no tape.
 *
 *   Model *m = model_load(dir, &(ModelOptions){.dtype = DT_BF16}, err);
 *   Tensor *feats = model_vision(&ctx, m, batch);          of its images
 *   Tensor *x = model_forward(&ctx, m, batch, feats);      [n, d] after the last block
 *   Tensor *lp = model_logprob(&ctx, m, x, batch, NULL);   [n_targets, 1]
 *   model_free(m);
 *
 * The registry `param` (one row per tensor, under transformers' names) drives loading, saving, LoRA targets, optimizer
 * groups, `inspect` and the parity tests.
 */
#ifndef OSLER_MODEL_MODEL_H
#define OSLER_MODEL_MODEL_H

#include "base/err.h"
#include "data/batch.h"
#include "model/config.h"
#include "ops/ops.h"
#include "weights/peft.h"
#include "weights/verify.h"

typedef enum Part { PART_VISION, PART_MERGER, PART_LANGUAGE, PART_COUNT } Part;
extern const char *const PART_NAME[PART_COUNT]; /* "vision", "merger", "language" */

typedef struct DecoderBlock {
    Tensor *n1, *n2;
    Linear q, k, v, o;
    Mlp mlp;
    bool trainable; /* holds trained parameters or adapters: op_block must record it */
} DecoderBlock;

typedef struct VisionBlock {
    Tensor *n1, *n2;
    Linear qkv, proj;
    Mlp mlp;
    bool trainable;
} VisionBlock;

typedef struct Vision {
    Linear patch; /* the convolution, as a product over flattened patches */
    VisionBlock *block;
    Tensor *norm; /* merger.ln_q */
    Linear fc1, fc2;
} Vision;

/* A named tensor of the checkpoint or of the adapter. */
typedef struct Param {
    char *name; /* transformers' name: "model.language_model.layers.0.self_attn.q_proj.weight" */
    Tensor *t;
    Part part;
    int n_dims;
    int64_t dim[ST_MAX_DIMS];
    bool adapter; /* stands in the adapter's file (name is its key there), not in the checkpoint's */
    float *f32;   /* adapter: its values before rounding to the compute format */
} Param;

/* A linear that an adapter may target, by module name (without ".weight"). */
typedef struct Module {
    char *name;
    Linear *l;
    Part part;
} Module;

typedef struct ModelOptions {
    DType dtype;            /* compute format */
    bool train[PART_COUNT]; /* full training of a part */
    bool check_later; /* do not read frozen weights for NaN and infinity now: model_check_finite does when asked */
    bool dry; /* all shapes and no values, in a dry arena with dry kernels: what would it take? config.json is enough */
} ModelOptions;

typedef struct Model {
    ModelConfig cfg;
    Device dev;
    Arena arena;
    Tensor *embed, *norm;
    DecoderBlock *block;
    Linear head; /* head.w == embed where tied */
    Vision vision;

    VEC(Param) param; /* the checkpoint's tensors, then the adapter's */
    VEC(Module) module;

    char *dir;
    SafeTensors files; /* mapped; frozen weights point into it */
    NameLayout layout;
    PeftConfig *peft; /* NULL: no adapter */
} Model;

/* Loads a checkpoint directory. NULL on error: unreadable files, a missing or misshapen tensor, NaN or infinity. */
Model *model_load(const char *dir, const ModelOptions *o, Err *err);
/* A model with random weights (normal, deviation initializer_range; norms 1, biases 0), every part trainable or frozen
   as in o. */
Model *model_random(const ModelConfig *cfg, const ModelOptions *o, uint64_t seed);
void model_free(Model *m);
/* Of its tensors in the checkpoint; of a dry model without files, in bf16. */
size_t model_file_bytes(const Model *m);
/* An error where a weight is NaN or infinite, naming it. Reads all of them. */
int model_check_finite(const Model *m, Err *err);
/* Holds st every tensor that a model of this config has, in its shape? Values are not read. */
int model_match(const ModelConfig *cfg, const SafeTensors *st, Err *err);

/*
 * Copies of the language model's weights in fewer bits (kernels/quant.h), which decoding reads instead of the weights.
 * The head is kept in 8 bits at least.  Where weights change afterwards the copies are stale.
 */
typedef enum DecodeWeights { DECODE_PLAIN, DECODE_INT8, DECODE_INT4 } DecodeWeights;
void model_quantise(Model *m, DecodeWeights w); /* DECODE_PLAIN: does nothing */
/* Bytes of weights that decoding reads for a token. */
int64_t model_decode_bytes(const Model *m);

/* Adds fresh adapters (A random by seed, B zero) to every module that cfg targets; takes over cfg. Language, merger and
   vision targets as the config says. cfg (from malloc) is the model's even on error. */
int model_add_adapter(Model *m, PeftConfig *cfg, bool train, uint64_t seed, Err *err);
/* Reads a PEFT adapter directory. */
int model_load_adapter(Model *m, const char *dir, bool train, Err *err);

/* A parameter's values as exactly as they are known, in f32: the start of its master copy. */
void model_read_f32(const Model *m, int param, float *dst);

/* Weights as a checkpoint directory in the source's own layout and dtype, all other files carried over from the source;
   `master` (param.n pointers to f32, or NULL) replaces trained tensors by their f32 masters. Verified. */
int model_save(const Model *m, const char *dir, float *const *master, Err *err);
/* The adapter as a PEFT directory (adapter_config.json, adapter_model.safetensors), f32. */
int model_save_adapter(const Model *m, const char *dir, float *const *master, Err *err);

/* Merged image features [n_patches / merge^2, d]; NULL where the batch has no image. */
Tensor *model_vision(Ctx *c, const Model *m, const Batch *b);
/* Hidden states [n, d] after the last block (before the final norm). Sessions with a KV cache give `attn` themselves;
   NULL: derived from the batch's segments. `feats`: merged image features, or NULL. */
Tensor *model_decode(Ctx *c, const Model *m, const int *ids, const int *pos, int n, Tensor *feats, const Attn *attn);
/* Embedding and decoder over a batch: [n, d]. `feats` are its model_vision. */
Tensor *model_forward(Ctx *c, const Model *m, const Batch *b, Tensor *feats);
/* Log-probabilities of the batch's targets [n_targets, 1] f32; entropy [n_targets] or NULL. */
Tensor *model_logprob(Ctx *c, const Model *m, Tensor *x, const Batch *b, float *entropy);
/* Logits [n, v] f32 of rows of x; inference. */
Tensor *model_logits(Ctx *c, const Model *m, Tensor *x);

/* Blocks of the vision tower, which come first, and of the decoder. */
int model_blocks(const Model *m);
/* Nodes a tape needs for one step of this model. */
int model_tape_cap(const Model *m);
/* Useful multiply-adds x 2 of a forward pass over a batch (matrix products and attention), for % of peak. */
double model_flops(const Model *m, const Batch *b);
/* The number of trained scalars, and of all. */
int64_t model_count(const Model *m, bool trained_only);

#endif
