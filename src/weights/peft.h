/*
 * peft.h - LoRA adapters in PEFT's own format: adapter_config.json and the keys of adapter_model.safetensors.
 *
 *   PeftConfig cfg;
 *   if (peft_config_load(&cfg, adapter_dir, err)) return -1;
 *   PeftTarget t;
 *   int hit = peft_target(&t, &cfg, "model.language_model.layers.0.self_attn.q_proj", err);
 *   if (hit < 0) goto fail;
 *   if (hit) ... y = W x + t.scale * B (A x), A [t.r, in], B [out, t.r]
 *   peft_config_release(&cfg);
 *
 * Targets follow PEFT: a regular expression must match the whole module name (Python's re.fullmatch); a list entry is a
 * module name or a dotted ending of one; "all-linear" is every linear but the head.  Regular expressions are compiled
 * once.
 *
 * A configuration that changes the maths in a way Osler does not implement (DoRA, trained biases, saved modules,
 * PiSSA's altered base weights ...) is an error that says so.  Keys that only matter elsewhere are ignored.
 *
 * Easy to get wrong:
 *   - PEFT matches names of the whole model, so ".*proj" also hits patch_embed.proj, a convolution in transformers;
 *   - old adapters were made against old module names: match names_to_file(NAMES_ORIGINAL, module) where the adapter's
 *     keys are in that layout (names_detect tells);
 *   - use_rslora divides by sqrt(r), with the module's own r where rank_pattern gives one.
 */
#ifndef OSLER_WEIGHTS_PEFT_H
#define OSLER_WEIGHTS_PEFT_H

#include <stdbool.h>

#include "base/err.h"

typedef struct PeftRegex PeftRegex; /* a compiled regular expression */

/* Which modules: a regular expression, or a list of names, or neither. */
typedef struct PeftSelect {
    char *regex; /* NULL where a list is used */
    PeftRegex *compiled;
    bool all_linear; /* regex is "all-linear" */
    char **name;
    int n;
} PeftSelect;

/* rank_pattern, alpha_pattern, layers_pattern: the first rule that matches a module name decides. */
typedef struct PeftRule {
    char *key;
    PeftRegex *compiled;
    double value;
} PeftRule;

typedef struct PeftRules {
    PeftRule *at;
    int n;
} PeftRules;

typedef struct PeftConfig {
    int r;
    double lora_alpha, lora_dropout;
    bool use_rslora;
    PeftSelect target, exclude;
    PeftRules rank_pattern, alpha_pattern; /* r and lora_alpha of single modules */
    int *layer;                            /* layers_to_transform: only these layers, where the target is a list */
    int n_layers;
    PeftRules layers_pattern; /* what the list of layers is called: "layers", "blocks"; key NULL: anything */
    char *base_model;         /* base_model_name_or_path, or NULL */
    char *task_type;          /* or NULL */
} PeftConfig;

/* A fresh configuration: r = 8, lora_alpha = 8, no dropout, and these targets: one entry with a character that no
   module name has is a regular expression, "all" or "all-linear" is every linear but the head, anything else a list of
   names. */
int peft_config_init(PeftConfig *cfg, const char *const *target, int n_targets, Err *err);
/* dir/adapter_config.json. On error *cfg is empty. */
int peft_config_load(PeftConfig *cfg, const char *adapter_dir, Err *err);
/*
 * A checkpoint may be given as an adapter's folder, as transformers allows: then *model becomes the base that its
 * adapter_config.json names, and *adapter the folder.  Both are strings from malloc, *adapter may be NULL.  An error
 * where an adapter was given as well, or where there is no such base.
 */
int peft_resolve(char **model, char **adapter, Err *err);
/* From JSON text (for the fuzzer). */
int peft_config_parse(PeftConfig *cfg, const char *text, size_t n, Err *err);
/* Writes dir/adapter_config.json, atomically; the folder must exist. */
int peft_config_save(const PeftConfig *cfg, const char *adapter_dir, Err *err);
void peft_config_release(PeftConfig *cfg);

/* What the adapter adds to one linear: scale * B (A x), with A [r, in] and B [out, r]. */
typedef struct PeftTarget {
    int r;
    double scale; /* lora_alpha / r, or lora_alpha / sqrt(r) */
} PeftTarget;

/* 1 and *out where `module` is a target, 0 where not, -1 where a regular expression runs into its limits. */
int peft_target(PeftTarget *out, const PeftConfig *cfg, const char *module, Err *err);

typedef enum LoraPart { LORA_A, LORA_B } LoraPart;

/* The key in adapter_model.safetensors: "base_model.model." module ".lora_A.weight". A fresh string. */
char *peft_key(const char *module, LoraPart part);
/* The module of such a key, a fresh string; NULL where the key is no LoRA matrix of a linear. */
char *peft_key_module(const char *key, LoraPart *part);

#endif
