#include "train/train_options.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "weights/peft.h"

#define AT(field) offsetof(TrainOptions, field)

const Opt TRAIN_OPTIONS[] = {
    {"model", OPT_PATH, AT(model), .alias = "model_name_or_path", .required = true, .group = "Inputs and outputs",
     .help = "checkpoint directory to start from"},
    {"adapter", OPT_PATH, AT(adapter), .alias = "adapter_name_or_path",
     .help = "PEFT adapter directory to start from; its adapter_config.json decides rank, alpha and targets"},
    {"data", OPT_LIST, AT(data), .alias = "dataset|train_file|train_data", .required = true,
     .help = "training files; file#500 takes 500 samples of a file, file@0.3 a share"},
    {"eval_data", OPT_LIST, AT(eval_data), .alias = "eval_dataset|validation_file",
     .help = "files for the evaluation loss"},
    {"output_dir", OPT_PATH, AT(output_dir), .alias = "out", .required = true,
     .help = "where the result, the checkpoints and the logs go"},

    {"method", OPT_ENUM, AT(method), .def = "sft", .alias = "stage", .choices = "sft|dpo|grpo", .group = "Method",
     .help = "what is optimised"},
    {"finetuning_type", OPT_ENUM, AT(finetuning_type), .choices = "full|lora",
     .help = "train the weights or a low-rank adapter (default full; lora where an adapter is given)"},
    {"device", OPT_ENUM, AT(device), .def = "cpu", .choices = "cpu|cuda", .help = "where to compute"},
    {"dtype", OPT_ENUM, AT(dtype), .def = "bf16", .alias = "torch_dtype", .choices = "bf16|f32|bfloat16|float32",
     .help = "format of weights and activations; sums, masters and optimizer state are always f32"},
    {"bf16", OPT_TEXT, AT(bf16), .help = "true: dtype bf16; false: dtype f32"},
    {"threads", OPT_INT, AT(threads), .def = "0", .min = 0, .max = 4096,
     .help = "0: one per core; never changes a result"},
    {"seed", OPT_INT, AT(seed), .def = "42", .min = 0, .max = 9e15,
     .help = "of the order of samples, fresh adapters and dropout"},

    {"max_steps", OPT_INT, AT(max_steps), .def = "0", .min = -1, .max = 1e12, .group = "Length and batches",
     .help = "optimizer steps; 0: as num_train_epochs says"},
    {"num_train_epochs", OPT_REAL, AT(epochs), .def = "3", .alias = "num_epochs|epochs", .min = 0, .max = 1e6,
     .help = "passes over the data, where max_steps is 0"},
    {"per_device_train_batch_size", OPT_INT, AT(batch_size), .def = "1", .alias = "batch_size|train_batch_size",
     .min = 1, .max = 65536, .help = "samples computed at a time; not used with packing"},
    {"gradient_accumulation_steps", OPT_INT, AT(accumulation), .def = "1", .alias = "gradient_accumulation", .min = 1,
     .max = 65536, .help = "batches per optimizer step; the loss is the mean over all their targets"},
    {"shuffle", OPT_BOOL, AT(shuffle), .def = "true", .help = "a fresh order every epoch; false: file order"},
    {"packing", OPT_BOOL, AT(packing), .def = "false",
     .help = "fill batches up to max_length tokens; samples never see one another"},
    {"text_only", OPT_BOOL, AT(text_only), .def = "false",
     .help = "a sample with a picture is an error: training in words alone, whatever the data should hold"},
    {"max_length", OPT_INT, AT(max_length), .def = "4096", .alias = "cutoff_len|max_seq_length|max_seq_len", .min = 1,
     .max = 1 << 24, .help = "tokens of a sample with its images; a longer one is left out, never cut"},
    {"min_pixels", OPT_INT, AT(min_pixels), .def = "0", .alias = "image_min_pixels", .min = 0, .max = 1e9,
     .help = "smallest image; 0: as the checkpoint's preprocessor_config.json says"},
    {"max_pixels", OPT_INT, AT(max_pixels), .def = "0", .alias = "image_max_pixels", .min = 0, .max = 1e9,
     .help = "largest image; 0: as the checkpoint's preprocessor_config.json says"},
    {"max_bad_samples", OPT_INT, AT(max_bad_samples), .def = "100", .min = 0, .max = 1e9,
     .help = "samples that may be left out (unreadable, too long) before the run ends"},

    {"learning_rate", OPT_REAL, AT(learning_rate), .alias = "lr", .min = 0, .max = 10, .group = "Optimizer (AdamW)",
     .help = "peak rate (default 1e-5 for full, 1e-4 for lora; dpo 5e-7 and 5e-6)"},
    {"vision_learning_rate", OPT_REAL, AT(vision_learning_rate), .alias = "vision_lr|vision_tower_lr", .min = 0,
     .max = 10, .help = "of the vision tower (default learning_rate)"},
    {"merger_learning_rate", OPT_REAL, AT(merger_learning_rate), .alias = "merger_lr|projector_lr", .min = 0, .max = 10,
     .help = "of the merger between vision and language (default learning_rate)"},
    {"lr_scheduler_type", OPT_ENUM, AT(scheduler), .def = "cosine", .alias = "lr_scheduler|scheduler",
     .choices = SCHEDULE_CHOICES, .help = "course of the rate after the warm-up"},
    {"warmup_steps", OPT_INT, AT(warmup_steps), .def = "0", .min = 0, .max = 1e12,
     .help = "steps over which the rate rises from 0; wins over warmup_ratio"},
    {"warmup_ratio", OPT_REAL, AT(warmup_ratio), .def = "0", .min = 0, .max = 1, .help = "the same as a share"},
    {"weight_decay", OPT_REAL, AT(weight_decay), .def = "0", .min = 0, .max = 10,
     .help = "of tensors of two or more dimensions only"},
    {"adam_beta1", OPT_REAL, AT(adam_beta1), .def = "0.9", .alias = "beta1", .min = 0, .max = 0.999999,
     .help = "memory of the gradient's mean"},
    {"adam_beta2", OPT_REAL, AT(adam_beta2), .def = "0.999", .alias = "beta2", .min = 0, .max = 0.999999,
     .help = "memory of its square's mean"},
    {"adam_epsilon", OPT_REAL, AT(adam_epsilon), .def = "1e-8", .alias = "adam_eps", .min = 1e-20, .max = 1,
     .help = "added to the denominator"},
    {"max_grad_norm", OPT_REAL, AT(max_grad_norm), .def = "1", .alias = "gradient_clipping", .min = 0, .max = 1e9,
     .help = "gradients are scaled down to this norm; 0: never"},

    {"freeze_vision", OPT_BOOL, AT(freeze_vision), .alias = "freeze_vision_tower", .group = "What is trained",
     .help = "leave the vision tower as it is (default false for full, true for lora: no adapters there, unless "
             "lora_target is a regular expression)"},
    {"freeze_merger", OPT_BOOL, AT(freeze_merger), .alias = "freeze_multi_modal_projector|freeze_projector",
     .help = "the same for the merger"},
    {"freeze_language", OPT_BOOL, AT(freeze_language), .def = "false", .alias = "freeze_language_model|freeze_llm",
     .help = "the same for the language model"},
    {"lora_rank", OPT_INT, AT(lora_rank), .def = "8", .alias = "lora_r", .min = 1, .max = 65536,
     .help = "of a fresh adapter"},
    {"lora_alpha", OPT_REAL, AT(lora_alpha), .min = 0, .max = 1e6,
     .help = "an adapter counts alpha / rank times (default twice the rank)"},
    {"lora_dropout", OPT_REAL, AT(lora_dropout), .def = "0", .min = 0, .max = 0.999999,
     .help = "before A, in training"},
    {"use_rslora", OPT_BOOL, AT(use_rslora), .def = "false", .help = "divide alpha by the root of the rank"},
    {"lora_target", OPT_LIST, AT(lora_target), .def = "all", .alias = "target_modules|lora_target_modules",
     .help = "module names, a regular expression over whole names, or all: every linear that is not frozen"},
    {"gradient_checkpointing", OPT_ENUM, AT(gradient_checkpointing), .def = "auto",
     .choices = "auto|true|false|yes|no|on|off",
     .help = "true: keep block inputs only and compute the rest again in the backward pass; auto: in as few blocks as "
             "max_memory allows, and there the MLP alone where that is enough; never changes a result"},
    {"max_memory", OPT_REAL, AT(max_memory), .def = "0", .min = 0, .max = 1e6,
     .help = "GiB that the run may take; 0: nine tenths of what is available"},
    {"vision_cache", OPT_PATH, AT(vision_cache),
     .help =
         "folder that keeps what a frozen vision tower makes of an image, for later epochs and runs; never changes a "
         "result"},
    {"vision_cache_gib", OPT_REAL, AT(vision_cache_gib), .def = "10", .min = 1e-6, .max = 1e6,
     .help = "its limit; what was not used for the longest time goes first"},

    {"beta", OPT_REAL, AT(beta), .def = "0.1", .alias = "pref_beta", .min = 1e-9, .max = 1e3,
     .group = "Preferences (method dpo)", .help = "how much a gain over the reference counts"},
    {"loss_type", OPT_ENUM, AT(loss_type), .def = "sigmoid", .alias = "pref_loss", .choices = "sigmoid|ipo",
     .help = "DPO's loss, or IPO's square of means over tokens"},
    {"reference", OPT_ENUM, AT(reference), .def = "start", .choices = "start|base",
     .help = "the policy as the run begins, or the model without its adapter"},
    {"label_smoothing", OPT_REAL, AT(label_smoothing), .def = "0", .alias = "dpo_label_smoothing", .min = 0, .max = 0.5,
     .help = "share of pairs that are taken to be the wrong way round (sigmoid)"},
    {"rpo_alpha", OPT_REAL, AT(rpo_alpha), .def = "0", .alias = "pref_ftx", .min = 0, .max = 1e3,
     .help = "adds so many times the chosen answer's own loss, a mean over its tokens"},
    {"length_normalized", OPT_BOOL, AT(length_normalized), .def = "false",
     .help = "means over an answer's tokens instead of sums (ipo always takes means)"},

    {"save_steps", OPT_INT, AT(save_steps), .def = "500", .min = 0, .max = 1e12, .group = "Checkpoints and logs",
     .help = "steps between checkpoints, and one at the end; 0: none"},
    {"save_total_limit", OPT_INT, AT(save_total_limit), .def = "0", .min = 0, .max = 1e9,
     .help = "checkpoints to keep, the newest; 0: all"},
    {"logging_steps", OPT_INT, AT(logging_steps), .def = "1", .min = 1, .max = 1e12,
     .help = "steps between lines of trainer_log.jsonl"},
    {"eval_steps", OPT_INT, AT(eval_steps), .def = "0", .min = 0, .max = 1e12,
     .help = "steps between evaluations of eval_data; 0: at the end only"},
    {"resume", OPT_BOOL, AT(resume), .def = "true", .alias = "resume_from_checkpoint",
     .help = "go on from the newest whole checkpoint in output_dir; false: start over"},
    {"plan", OPT_BOOL, AT(plan), .def = "false",
     .help = "print the memory and the time that the run would take, and end"},
    {0},
};

/* ---- what depends on other keys ---------------------------------------------------------------------------------- */

static bool given(const TrainOptions *o, const char *name)
{
    return opt_given(TRAIN_OPTIONS, o, name);
}

static int settle_dtype(TrainOptions *o, Err *err)
{
    o->dtype %= 2; /* bfloat16, float32 are spellings of the first two */
    if (!o->bf16) return 0;
    bool yes = !strcmp(o->bf16, "true"), no = !strcmp(o->bf16, "false");
    if (!yes && !no) return err_set(err, "bf16: '%s' is neither true nor false", o->bf16);
    if (given(o, "dtype") && (o->dtype == COMPUTE_BF16) != yes)
        return err_set(err, "bf16 and dtype contradict each other");
    o->dtype = yes ? COMPUTE_BF16 : COMPUTE_F32;
    free(o->bf16);
    o->bf16 = NULL;
    return 0;
}

static void settle_checkpointing(TrainOptions *o)
{
    if (o->gradient_checkpointing) o->gradient_checkpointing = 2 - o->gradient_checkpointing % 2;
}

static int settle_adapter(TrainOptions *o, Err *err)
{
    if (peft_resolve(&o->model, &o->adapter, err)) return -1;
    if (o->adapter && !given(o, "finetuning_type")) o->finetuning_type = FINETUNE_LORA;
    if (o->adapter && o->finetuning_type == FINETUNE_FULL) {
        err_set(err, "finetuning_type full cannot start from an adapter");
        return err_hint(err, "merge the adapter into the model first, or use finetuning_type=lora");
    }
    if (!given(o, "freeze_vision")) o->freeze_vision = o->finetuning_type == FINETUNE_LORA;
    if (!given(o, "freeze_merger")) o->freeze_merger = o->finetuning_type == FINETUNE_LORA;
    if (o->finetuning_type == FINETUNE_FULL && o->freeze_vision && o->freeze_merger && o->freeze_language)
        return err_set(err, "freeze_vision, freeze_merger and freeze_language together leave nothing to train");
    static const char *const FRESH[] = {"lora_rank", "lora_alpha", "lora_dropout", "use_rslora", "lora_target"};
    for (size_t i = 0; o->adapter && i < sizeof FRESH / sizeof *FRESH; i++)
        if (given(o, FRESH[i])) log_warn("%s is not used: the adapter in %s has its own", FRESH[i], o->adapter);
    if (!given(o, "lora_alpha")) o->lora_alpha = 2 * (double)o->lora_rank;
    return 0;
}

static void settle_rates(TrainOptions *o)
{
    double full = o->method == TRAIN_DPO ? 5e-7 : 1e-5, lora = o->method == TRAIN_DPO ? 5e-6 : 1e-4;
    if (!given(o, "learning_rate")) o->learning_rate = o->finetuning_type == FINETUNE_LORA ? lora : full;
    if (!given(o, "vision_learning_rate")) o->vision_learning_rate = o->learning_rate;
    if (!given(o, "merger_learning_rate")) o->merger_learning_rate = o->learning_rate;
}

static int settle_length(TrainOptions *o, Err *err)
{
    if (o->max_steps < 0) o->max_steps = 0;
    if (o->max_steps == 0 && !(o->epochs > 0)) return err_set(err, "max_steps and num_train_epochs are both 0");
    if (o->max_pixels && o->min_pixels > o->max_pixels) return err_set(err, "min_pixels is larger than max_pixels");
    return 0;
}

int train_options_parse(TrainOptions *o, int argc, char **argv, StrList *operands, Err *err)
{
    int rc = opt_parse(TRAIN_OPTIONS, o, argc, argv, true, operands, err);
    if (rc) return rc;
    if (settle_dtype(o, err) || settle_adapter(o, err) || settle_length(o, err)) {
        err->usage = 1;
        train_options_release(o);
        return -1;
    }
    settle_checkpointing(o);
    settle_rates(o);
    return 0;
}

void train_options_release(TrainOptions *o)
{
    opt_release(TRAIN_OPTIONS, o);
}

DType train_dtype(const TrainOptions *o)
{
    return o->dtype == COMPUTE_BF16 ? DT_BF16 : DT_F32;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* Keys that no number of a run depends on, or whose effect the caller adds as contents and as the schedule's steps. */
static bool is_setting(const char *name)
{
    static const char *const OTHER[] = {"model",
                                        "adapter",
                                        "data",
                                        "eval_data",
                                        "output_dir",
                                        "bf16",
                                        "threads",
                                        "max_steps",
                                        "num_train_epochs",
                                        "warmup_steps",
                                        "warmup_ratio",
                                        "max_bad_samples",
                                        "text_only",
                                        "gradient_checkpointing",
                                        "max_memory",
                                        "plan",
                                        "vision_cache",
                                        "vision_cache_gib",
                                        "save_steps",
                                        "save_total_limit",
                                        "logging_steps",
                                        "eval_steps",
                                        "resume"};
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++)
        if (!strcmp(name, OTHER[i])) return false;
    return true;
}

json_t *train_settings(const TrainOptions *o)
{
    json_t *all = json_object();
    for (const Opt *row = TRAIN_OPTIONS; row->name; row++) {
        if (!is_setting(row->name)) continue;
        Opt one[2] = {*row};
        one[0].group = NULL;
        Buf line = {0};
        opt_print(&line, one, o); /* "name: value\n" */
        size_t value = strlen(row->name) + 2;
        if (line.data[0] != '#')
            json_object_set_new(all, row->name, json_stringn(line.data + value, line.len - value - 1));
        buf_release(&line);
    }
    return all;
}

/* ---- targets of an adapter --------------------------------------------------------------------------------------- */

/* A module's name and the endings that lists are made of have no other characters than these. */
static bool is_regex(const StrList *l)
{
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return l->n == 1 && l->at[0][strspn(l->at[0], NAME)];
}

/* "a|b|c" with the dots taken literally. */
static void add_alternatives(Buf *b, const StrList *item)
{
    for (int i = 0; i < item->n; i++) {
        if (i) buf_byte(b, '|');
        for (const char *s = item->at[i]; *s; s++) {
            if (*s == '.') buf_byte(b, '\\');
            buf_byte(b, (unsigned char)*s);
        }
    }
}

/* "all": every linear of the parts that are not frozen, by the endings of their names. */
static void add_all_linear(const TrainOptions *o, StrList *out)
{
    static const char *const BLOCK[] = {"q_proj",  "k_proj",    "v_proj",   "o_proj",   "gate_proj",
                                        "up_proj", "down_proj", "attn.qkv", "attn.proj"};
    int n = o->freeze_vision ? 7 : 9; /* the last two are the vision tower's own */
    for (int i = 0; i < n; i++) strlist_add(out, BLOCK[i]);
    if (o->freeze_merger) return;
    strlist_add(out, "merger.mlp.0");
    strlist_add(out, "merger.mlp.2");
}

/* A regular expression for what ends in one of the items and does not lie in a frozen part. */
static void add_narrowed(const TrainOptions *o, const StrList *item, StrList *out)
{
    StrList frozen = {0};
    Buf b = {0};
    if (o->freeze_vision) strlist_add(&frozen, "visual.blocks");
    if (o->freeze_merger) strlist_add(&frozen, "visual.merger");
    if (o->freeze_language) strlist_add(&frozen, "language_model");
    buf_str(&b, "(?!.*(");
    add_alternatives(&b, &frozen);
    buf_str(&b, ")\\.)(.*\\.)?(");
    add_alternatives(&b, item);
    buf_byte(&b, ')');
    strlist_add(out, b.data);
    buf_release(&b);
    strlist_release(&frozen);
}

void train_lora_target(const TrainOptions *o, StrList *out)
{
    const StrList *l = &o->lora_target;
    StrList item = {0};
    if (l->n == 1 && (!strcmp(l->at[0], "all") || !strcmp(l->at[0], "all-linear"))) add_all_linear(o, &item);
    else
        for (int i = 0; i < l->n; i++) strlist_add(&item, l->at[i]);
    bool narrow = (o->freeze_vision || o->freeze_merger || o->freeze_language) && !is_regex(&item);
    if (narrow) add_narrowed(o, &item, out);
    else
        for (int i = 0; i < item.n; i++) strlist_add(out, item.at[i]);
    strlist_release(&item);
}
