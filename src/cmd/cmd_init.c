/* osler init: a checkpoint with random weights. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "model/model.h"

typedef struct InitOpts {
    Common common;
    char *config, *out, *tokenizer;
    int dtype; /* of the file; 0: as the config says */
} InitOpts;

#define AT(field) offsetof(InitOpts, field)
static const Opt TABLE[] = {
    {"config", OPT_PATH, AT(config), .required = true, .help = "config.json of a Qwen2.5-VL"},
    {"out", OPT_PATH, AT(out), .required = true, .help = "checkpoint directory to write"},
    {"dtype", OPT_ENUM, AT(dtype), .def = "config", .choices = "config|bf16|f16|f32|bfloat16|float16|float32",
     .help = "format of the weights in the file; config: as config.json says"},
    {"tokenizer", OPT_PATH, AT(tokenizer), .help = "directory to take tokenizer and processor files from"},
    SEED_ROW(InitOpts),
    GENERAL_ROWS(InitOpts),
    {0},
};

static const struct {
    DType dtype;
    const char *torch;
} FORMAT[] = {{DT_BF16, "bfloat16"}, {DT_F16, "float16"}, {DT_F32, "float32"}};

/* config.json with the format that the weights have. */
static int write_config(const char *config, const char *dir, DType dtype, Err *err)
{
    json_t *root = json_load_path(config, (size_t)1 << 22, err);
    if (!root) return -1;
    const char *key = json_object_get(root, "dtype") && !json_object_get(root, "torch_dtype") ? "dtype" : "torch_dtype";
    for (size_t i = 0; i < sizeof FORMAT / sizeof *FORMAT; i++)
        if (FORMAT[i].dtype == dtype) json_object_set_new(root, key, json_string(FORMAT[i].torch));
    char *text = json_dumps(root, JSON_INDENT(2)), *path = path_join(dir, "config.json");
    int rc = text ? file_save(path, text, strlen(text), err) : err_set(err, "%s: cannot be written as JSON", config);
    free(path);
    free(text);
    json_decref(root);
    return rc;
}

/* What stands beside the config and belongs to a checkpoint, but for the weights. */
static int carry_files(const char *dst, const char *src, Err *err)
{
    static const char *const NAME[] = {
        "tokenizer.json",           "tokenizer_config.json",   "vocab.json",         "merges.txt",
        "added_tokens.json",        "special_tokens_map.json", "chat_template.json", "chat_template.jinja",
        "preprocessor_config.json", "generation_config.json"};
    for (size_t i = 0; i < sizeof NAME / sizeof *NAME; i++) {
        char *from = path_join(src, NAME[i]), *to = path_join(dst, NAME[i]);
        int rc = file_exists(from) ? file_copy(to, from, err) : 0;
        free(from);
        free(to);
        if (rc) return -1;
    }
    return 0;
}

static void warn_missing(const char *dir)
{
    static const char *const NAME[] = {"tokenizer.json", "preprocessor_config.json"};
    for (size_t i = 0; i < sizeof NAME / sizeof *NAME; i++) {
        char *path = path_join(dir, NAME[i]);
        if (!file_exists(path)) log_warn("%s has no %s yet; put one there, or use --tokenizer DIR", dir, NAME[i]);
        free(path);
    }
}

static int save(const InitOpts *o, const Model *m, Err *err)
{
    char *beside = path_dirname(o->config);
    int rc = model_save(m, o->out, NULL, err);
    if (rc == 0) rc = carry_files(o->out, beside, err);
    if (rc == 0 && o->tokenizer) rc = carry_files(o->out, o->tokenizer, err);
    if (rc == 0) rc = write_config(o->config, o->out, m->cfg.file_dtype, err);
    free(beside);
    return rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const InitOpts *o = opts;
    ModelConfig cfg;
    if (no_operands(operands, err) || config_load_file(&cfg, o->config, err)) return -1;
    if (o->tokenizer && !dir_exists(o->tokenizer)) return err_set(err, "%s: no such directory", o->tokenizer);
    if (o->dtype) cfg.file_dtype = FORMAT[(o->dtype - 1) % 3].dtype;
    /* Made in the format of the file, or f32 where none of the compute formats is it. */
    ModelOptions mo = {.dtype = cfg.file_dtype == DT_BF16 ? DT_BF16 : DT_F32};
    Model *m = model_random(&cfg, &mo, (uint64_t)o->common.seed);
    int rc = save(o, m, err);
    if (rc == 0) {
        warn_missing(o->out);
        log_note("%s: %lld weights", o->out, (long long)model_count(m, false));
    }
    model_free(m);
    return rc;
}

const Verb VERB_INIT = {
    .name = "init",
    .about = "a checkpoint with random weights",
    .usage = "osler init --config C.json --out DIR --seed S [--dtype bf16|f16|f32] [--tokenizer DIR]",
    .details =
        "Weights are normal with deviation 0.02, biases 0, norms 1. Tokenizer, processor and generation files that\n"
        "stand beside the config come along; those of --tokenizer win.",
    .table = TABLE,
    .size = sizeof(InitOpts),
    .run = run,
};
