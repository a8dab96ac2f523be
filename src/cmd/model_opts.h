/*
 * model_opts.h - the options that verbs with a model share, and what becomes of them.
 *
 *   typedef struct ScoreOpts { Common common; ModelOpts model; ... } ScoreOpts;
 *   ... MODEL_ROWS(ScoreOpts), COMPUTE_ROWS(ScoreOpts), GENERAL_ROWS(ScoreOpts) ...
 *   EngineOptions eo = engine_options(&o->common, &o->model);
 *   if (engine_open(&e, &eo, err)) ...
 */
#ifndef OSLER_CMD_MODEL_OPTS_H
#define OSLER_CMD_MODEL_OPTS_H

#include "cmd/cmd.h"
#include "data/encode.h"

typedef struct ModelOpts {
    char *dir, *adapter;
    int64_t min_pixels, max_pixels;
    char *vision_cache;
    double vision_cache_gib;
} ModelOpts;

/* clang-format off */
#define PIXEL_ROWS(T)                                                                                                  \
    {"min_pixels", OPT_INT, offsetof(T, model.min_pixels), .def = "0", .min = 0, .max = 1e9,                           \
     .help = "smaller images are enlarged; 0: as the checkpoint's preprocessor_config.json says"},                     \
    {"max_pixels", OPT_INT, offsetof(T, model.max_pixels), .def = "0", .min = 0, .max = 1e9,                           \
     .help = "larger images are reduced; 0: as the checkpoint says"}

#define MODEL_ROWS(T) CHECKPOINT_ROWS(T, true)
/* Of a verb that can do without a model, too. */
#define CHECKPOINT_ROWS(T, NEEDED)                                                                                     \
    {"model", OPT_PATH, offsetof(T, model.dir), .required = NEEDED, .alias = "model_name_or_path", .group = "Model",   \
     .help = "checkpoint directory"},                                                                                  \
    {"adapter", OPT_PATH, offsetof(T, model.adapter), .alias = "adapter_name_or_path",                                 \
     .help = "PEFT adapter directory"},                                                                                \
    PIXEL_ROWS(T),                                                                                                     \
    {"vision_cache", OPT_PATH, offsetof(T, model.vision_cache),                                                        \
     .help = "folder that keeps what the vision tower makes of an image; other runs may share it"},                    \
    {"vision_cache_gib", OPT_REAL, offsetof(T, model.vision_cache_gib), .def = "10", .min = 1e-6, .max = 1e6,          \
     .help = "its limit; what was not used for the longest time goes first"}
/* clang-format on */

/* What they say about an engine, for inference; borrows their strings. */
EngineOptions engine_options(const Common *c, const ModelOpts *m);

/* Image processor, tokenizer and encoder of a checkpoint, without its weights. The encoder borrows the other two: an
   Inputs stays where it is. */
typedef struct Inputs {
    ImageProcessor proc;
    Tokenizer *tok;
    Encoder enc;
} Inputs;
int inputs_open(Inputs *in, const ModelOpts *m, Err *err);
void inputs_close(Inputs *in);
int open_processor(ImageProcessor *p, const ModelOpts *m, Err *err);

/* Reads datasets; bad rows are printed and are an error. */
int open_dataset(Dataset *d, const StrList *files, uint64_t seed, Err *err);

typedef struct SamplingOpts {
    int64_t max_new_tokens, top_k;
    int64_t n, max_batch, max_rows; /* MANY_ROWS; 0 without them */
    double temperature, top_p, min_p, repetition_penalty;
    StrList stop;
} SamplingOpts;

/* clang-format off */
#define SAMPLING_ROWS(T)                                                                                               \
    {"max_new_tokens", OPT_INT, offsetof(T, sampling.max_new_tokens), .def = "512", .min = 1, .max = 1e6,              \
     .group = "Sampling", .help = "the longest answer"},                                                               \
    {"temperature", OPT_REAL, offsetof(T, sampling.temperature), .def = "0", .min = 0, .max = 100,                     \
     .help = "0: always the likeliest token"},                                                                         \
    {"top_p", OPT_REAL, offsetof(T, sampling.top_p), .def = "1", .min = 1e-6, .max = 1,                                \
     .help = "draw from the likeliest tokens that hold this share"},                                                   \
    {"top_k", OPT_INT, offsetof(T, sampling.top_k), .def = "0", .min = 0, .max = 1e9,                                  \
     .help = "draw from the likeliest k tokens; 0: from all"},                                                         \
    {"min_p", OPT_REAL, offsetof(T, sampling.min_p), .def = "0", .min = 0, .max = 1,                                   \
     .help = "leave out tokens below this share of the likeliest one's"},                                              \
    {"repetition_penalty", OPT_REAL, offsetof(T, sampling.repetition_penalty), .def = "1", .min = 0.01, .max = 100,    \
     .help = "above 1: what was said becomes less likely"},                                                            \
    {"stop", OPT_LIST, offsetof(T, sampling.stop), .help = "texts that end an answer and are cut off"}

/* Many answers at a time. */
#define MANY_ROWS(T)                                                                                                   \
    {"n", OPT_INT, offsetof(T, sampling.n), .def = "1", .min = 1, .max = 4096,                                         \
     .alias = "num_generations|num_return_sequences", .help = "answers per prompt"},                                   \
    {"max_batch", OPT_INT, offsetof(T, sampling.max_batch), .def = "32", .min = 1, .max = 4096,                        \
     .help = "answers that grow together"},                                                                            \
    {"max_rows", OPT_INT, offsetof(T, sampling.max_rows), .def = "0", .min = 0, .max = 1e9,                            \
     .help = "tokens of prompts and answers in the KV cache at a time; 0: as memory allows"}
/* clang-format on */

/* One answer per prompt where there are no MANY_ROWS; stop strings are borrowed from s. */
GenerateOptions generate_options(const SamplingOpts *s, uint64_t seed);

#endif
