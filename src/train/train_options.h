/*
 * train_options.h - every key of `osler train`, in one table.
 *
 * The keys carry the names that LLaMA-Factory, TRL and transformers made common; their other spellings are aliases.
 * train_options_parse also settles what depends on other keys (learning rates, alpha, dtype), so that the recipe
 * that is printed and saved says what really ran.
 *
 *   TrainOptions o = {0};
 *   StrList rest = {0};
 *   int rc = train_options_parse(&o, argc, argv, &rest, &err);      -1 error, 1 --help was asked for
 *   if (rc == 0) rc = train_run(&o, &err);
 *   train_options_release(&o);
 */
#ifndef OSLER_TRAIN_TRAIN_OPTIONS_H
#define OSLER_TRAIN_TRAIN_OPTIONS_H

#include <jansson.h>

#include "base/dtype.h"
#include "base/opt.h"
#include "train/schedule.h"

typedef enum TrainMethod { TRAIN_SFT, TRAIN_DPO, TRAIN_GRPO } TrainMethod;
typedef enum PreferenceLoss { LOSS_SIGMOID, LOSS_IPO } PreferenceLoss;
typedef enum ReferenceModel { REFERENCE_START, REFERENCE_BASE } ReferenceModel;
typedef enum Finetuning { FINETUNE_FULL, FINETUNE_LORA } Finetuning;
typedef enum ComputeFormat { COMPUTE_BF16, COMPUTE_F32 } ComputeFormat;
/* Which blocks are computed again in the backward pass: as few as max_memory allows, all, none. */
typedef enum Checkpointing { CHECKPOINT_AUTO, CHECKPOINT_ALL, CHECKPOINT_NONE } Checkpointing;

typedef struct TrainOptions {
    char *model, *adapter, *output_dir;
    StrList data, eval_data;
    int method, finetuning_type; /* TrainMethod, Finetuning */
    int device, dtype;           /* 0 = cpu; ComputeFormat */
    char *bf16;                  /* LLaMA-Factory's and TRL's way to say dtype; consumed into it */
    int64_t seed, threads;
    bool shuffle, packing, text_only;
    int64_t max_length, min_pixels, max_pixels, max_bad_samples;

    int64_t max_steps, batch_size, accumulation;
    double epochs;
    double learning_rate, vision_learning_rate, merger_learning_rate;
    double weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
    int scheduler; /* ScheduleType */
    int64_t warmup_steps;
    double warmup_ratio;

    bool freeze_vision, freeze_merger, freeze_language;
    int64_t lora_rank;
    double lora_alpha, lora_dropout;
    bool use_rslora;
    StrList lora_target;
    int gradient_checkpointing; /* Checkpointing */
    double max_memory;          /* GiB; 0: what is available */
    char *vision_cache;
    double vision_cache_gib;

    double beta, label_smoothing, rpo_alpha;
    int loss_type, reference; /* PreferenceLoss, ReferenceModel */
    bool length_normalized;

    int64_t save_steps, save_total_limit, logging_steps, eval_steps;
    bool resume, plan;
} TrainOptions;

extern const Opt TRAIN_OPTIONS[];

/* Fills a zeroed `o`; 0, -1, or 1 for --help. */
int train_options_parse(TrainOptions *o, int argc, char **argv, StrList *operands, Err *err);
void train_options_release(TrainOptions *o);

DType train_dtype(const TrainOptions *o);

/*
 * What decides the numbers of a run, as a JSON object {key: value text}: a run goes on from a checkpoint only where the
 * two agree.  Not in it: where things are written, how often, how fast, and the paths of inputs, whose contents the
 * caller adds.
 */
json_t *train_settings(const TrainOptions *o);

/*
 * The target modules of a fresh adapter, for peft_config_init: lora_target as given where it is a regular expression;
 * a list of module names is narrowed to the parts that are not frozen, by a regular expression of its own.
 */
void train_lora_target(const TrainOptions *o, StrList *out);

#endif
