#include "weights/peft.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MAX_CONFIG_BYTES = 1 << 24, MAX_RANK = 1 << 16, MAX_STEPS = 1000 * 1000 };

static const char FILE_NAME[] = "adapter_config.json";
static const char ALL_LINEAR[] = "all-linear";

/* ---- regular expressions, as Python's re reads them -------------------------------------------------------------- */

struct PeftRegex {
    pcre2_code *code;
};

/* Python reads x{,3} as x{0,3}; PCRE2 before 10.43 as those very characters. */
static bool has_open_repeat(const char *s)
{
    for (; (s = strstr(s, "{,")); s += 2) {
        size_t digits = strspn(s + 2, "0123456789");
        if (digits && s[2 + digits] == '}') return true;
    }
    return false;
}

/* Anchored at the start as re.match; options may add PCRE2_ENDANCHORED for re.fullmatch. NULL on error. */
static PeftRegex *regex_new(const char *pattern, uint32_t options, Err *err)
{
    int code;
    PCRE2_SIZE at;
    if (has_open_repeat(pattern)) {
        err_set(err, "regular expression \"%.300s\": {,n} is not supported", pattern);
        err_hint(err, "write {0,n}");
        return NULL;
    }
    options |= PCRE2_UTF | PCRE2_ANCHORED;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!c) {
        char why[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        err_set(err, "regular expression \"%.300s\": %s at character %zu", pattern, why, (size_t)at);
        return NULL;
    }
    PeftRegex *r = xmalloc(sizeof *r);
    r->code = c;
    return r;
}

static void regex_free(PeftRegex *r)
{
    if (r) pcre2_code_free(r->code);
    free(r);
}

/* 1, 0, or -1 where it was given up. *number, where wanted, becomes the value of the group "idx". */
static int regex_match(const PeftRegex *r, const char *s, int64_t *number, Err *err)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(r->code, NULL);
    CHECK(limits && m, "out of memory");
    pcre2_set_match_limit(limits, MAX_STEPS); /* a nested repeat must not hang the run */
    int rc = pcre2_match(r->code, (PCRE2_SPTR)s, strlen(s), 0, 0, m, limits);
    if (rc > 0 && number) {
        int group = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR) "idx");
        *number = group < rc ? strtoll(s + pcre2_get_ovector_pointer(m)[2 * group], NULL, 10) : -1;
    }
    pcre2_match_data_free(m);
    pcre2_match_context_free(limits);
    if (rc == PCRE2_ERROR_NOMATCH) return 0;
    if (rc > 0) return 1;
    err_set(err, "matching module \"%.200s\" takes too many steps", s);
    return err_hint(err, "simplify the regular expressions in the adapter's configuration");
}

/* ---- selections and rules ---------------------------------------------------------------------------------------- */

static void select_release(PeftSelect *s)
{
    for (int i = 0; i < s->n; i++) free(s->name[i]);
    free(s->name);
    free(s->regex);
    regex_free(s->compiled);
    *s = (PeftSelect){0};
}

static int select_regex(PeftSelect *s, const char *pattern, Err *err)
{
    s->regex = xstrdup(pattern);
    s->compiled = regex_new(pattern, PCRE2_ENDANCHORED, err);
    return s->compiled ? 0 : -1;
}

static void select_add(PeftSelect *s, const char *name)
{
    s->name = xrealloc(s->name, ((size_t)s->n + 1) * sizeof *s->name);
    s->name[s->n++] = xstrdup(name);
}

/* 1, 0, -1. *exact: a list holds the full name. */
static int select_match(const PeftSelect *s, const char *module, bool *exact, Err *err)
{
    *exact = false;
    if (s->compiled) return regex_match(s->compiled, module, NULL, err);
    size_t len = strlen(module);
    int hit = 0;
    for (int i = 0; i < s->n && !*exact; i++) {
        size_t k = strlen(s->name[i]);
        if (len == k) *exact = !strcmp(module, s->name[i]);
        if (*exact || (len > k && module[len - k - 1] == '.' && str_ends_with(module, s->name[i]))) hit = 1;
    }
    return hit;
}

static void rules_release(PeftRules *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->at[i].key);
        regex_free(r->at[i].compiled);
    }
    free(r->at);
    *r = (PeftRules){0};
}

/* Compiles before ## key ## after; a NULL key stands for `any`. */
static int rules_add(PeftRules *r, const char *key, const char *before, const char *any, const char *after,
                     double value, Err *err)
{
    char *pattern = xasprintf("%s%s%s", before, key ? key : any, after);
    PeftRegex *compiled = regex_new(pattern, 0, err);
    free(pattern);
    if (!compiled) return -1;
    r->at = xrealloc(r->at, ((size_t)r->n + 1) * sizeof *r->at);
    r->at[r->n++] = (PeftRule){.key = key ? xstrdup(key) : NULL, .compiled = compiled, .value = value};
    return 0;
}

/* The first rule that matches: its index, -1 for none, -2 on error. */
static int rules_find(const PeftRules *r, const char *module, int64_t *number, Err *err)
{
    for (int i = 0; i < r->n; i++) {
        int hit = regex_match(r->at[i].compiled, module, number, err);
        if (hit) return hit < 0 ? -2 : i;
    }
    return -1;
}

/* ---- which modules, and how strongly ----------------------------------------------------------------------------- */

/* Of the modules that a checkpoint names, these are no linears, or the head. */
static bool is_linear(const char *module)
{
    static const char *const OTHER[] = {"lm_head", "embed_tokens", "patch_embed.proj"};
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++)
        if (str_ends_with(module, OTHER[i])) return false;
    return true;
}

/* layers_to_transform: is the module in one of the wanted layers? */
static int in_layers(const PeftConfig *cfg, const char *module, Err *err)
{
    int64_t layer = -1;
    int found = rules_find(&cfg->layers_pattern, module, &layer, err);
    if (found == -2) return -1;
    for (int i = 0; i < cfg->n_layers && found >= 0; i++)
        if (cfg->layer[i] == layer) return 1;
    return 0;
}

static int is_target(const PeftConfig *cfg, const char *module, Err *err)
{
    bool exact;
    int hit = select_match(&cfg->exclude, module, &exact, err);
    if (hit) return hit < 0 ? -1 : 0;
    if (cfg->target.all_linear) return is_linear(module);
    hit = select_match(&cfg->target, module, &exact, err);
    return hit == 1 && cfg->n_layers && !exact ? in_layers(cfg, module, err) : hit;
}

int peft_target(PeftTarget *out, const PeftConfig *cfg, const char *module, Err *err)
{
    int hit = is_target(cfg, module, err);
    if (hit <= 0) return hit;
    int rank = rules_find(&cfg->rank_pattern, module, NULL, err);
    int alpha = rules_find(&cfg->alpha_pattern, module, NULL, err);
    if (rank == -2 || alpha == -2) return -1;
    out->r = rank >= 0 ? (int)cfg->rank_pattern.at[rank].value : cfg->r;
    double a = alpha >= 0 ? cfg->alpha_pattern.at[alpha].value : cfg->lora_alpha;
    out->scale = a / (cfg->use_rslora ? sqrt((double)out->r) : (double)out->r);
    return 1;
}

/* ---- keys of the adapter's file ---------------------------------------------------------------------------------- */

static const char KEY_PREFIX[] = "base_model.model.";
static const char *const KEY_ENDING[] = {[LORA_A] = ".lora_A.weight", [LORA_B] = ".lora_B.weight"};

char *peft_key(const char *module, LoraPart part)
{
    return xasprintf("%s%s%s", KEY_PREFIX, module, KEY_ENDING[part]);
}

char *peft_key_module(const char *key, LoraPart *part)
{
    size_t prefix = strlen(KEY_PREFIX), len = strlen(key);
    if (strncmp(key, KEY_PREFIX, prefix)) return NULL;
    for (int p = LORA_A; p <= LORA_B; p++) {
        size_t ending = strlen(KEY_ENDING[p]);
        if (len <= prefix + ending || !str_ends_with(key, KEY_ENDING[p])) continue;
        *part = (LoraPart)p;
        return xstrndup(key + prefix, len - prefix - ending);
    }
    return NULL;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* null, false, 0, "", [], {}: an option that is off. */
static bool is_off(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) || (json_is_number(v) && json_number_value(v) == 0.0) ||
           (json_is_string(v) && !json_string_length(v)) || (json_is_array(v) && !json_array_size(v)) ||
           (json_is_object(v) && !json_object_size(v));
}

/* Options that change what an adapter computes or what is trained, none of which Osler has. */
static const char *const MUST_BE_OFF[] = {"alora_invocation_tokens",
                                          "arrow_config",
                                          "fan_in_fan_out",
                                          "kasa_config",
                                          "layer_replication",
                                          "lora_bias",
                                          "megatron_config",
                                          "modules_to_save",
                                          "monteclora_config",
                                          "target_parameters",
                                          "trainable_token_indices",
                                          "use_bdlora",
                                          "use_dora",
                                          "use_qalora",
                                          "velora_config"};

/* Keys that are read below, or say nothing about the maths. */
static const char *const KNOWN[] = {"alpha_pattern",
                                    "auto_mapping",
                                    "base_model_name_or_path",
                                    "bias",
                                    "corda_config",
                                    "ensure_weight_tying",
                                    "eva_config",
                                    "exclude_modules",
                                    "inference_mode",
                                    "init_lora_weights",
                                    "layers_pattern",
                                    "layers_to_transform",
                                    "loftq_config",
                                    "lora_alpha",
                                    "lora_dropout",
                                    "lora_ga_config",
                                    "megatron_core",
                                    "peft_type",
                                    "peft_version",
                                    "qalora_group_size",
                                    "r",
                                    "rank_pattern",
                                    "revision",
                                    "runtime_config",
                                    "target_modules",
                                    "task_type",
                                    "use_rslora"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_one_of(const char *key, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(key, list[i])) return true;
    return false;
}

static int check_supported(const json_t *root, Err *err)
{
    const char *key, *text = "none", *type = "";
    json_t *v;
    if (json_get_str(root, "peft_type", &type, true, err) || json_get_str(root, "bias", &text, false, err)) return -1;
    if (strcmp(type, "LORA")) return err_set(err, "\"peft_type\" is %.100s; only LORA is supported", type);
    if (strcmp(text, "none")) return err_set(err, "\"bias\" is \"%.100s\"; only \"none\" is supported", text);
    json_object_foreach((json_t *)(uintptr_t)root, key, v)
    {
        if (is_off(v)) continue;
        if (is_one_of(key, MUST_BE_OFF, COUNT(MUST_BE_OFF))) {
            err_set(err, "\"%s\" is not supported", key);
            return err_hint(err, "train or convert the adapter as plain LoRA, or merge it into its base with PEFT");
        }
        if (!is_one_of(key, KNOWN, COUNT(KNOWN))) log_warn("%s: unknown key \"%.100s\" is ignored", FILE_NAME, key);
    }
    return 0;
}

/* Most ways to begin leave W alone; those that move a part of W into the adapter need the altered W back. */
static int check_init(const json_t *root, Err *err)
{
    static const char *const HARMLESS[] = {"gaussian", "eva", "orthogonal"};
    const json_t *v = json_object_get(root, "init_lora_weights");
    const char *s = json_string_value(v);
    if (!v || json_is_null(v) || json_is_boolean(v) || (s && is_one_of(s, HARMLESS, COUNT(HARMLESS)))) return 0;
    if (!s) return err_set(err, "\"init_lora_weights\" must be true, false or a string, got %s", json_kind(v));
    err_set(err, "\"init_lora_weights\" is \"%.100s\", which alters the base weights too", s);
    return err_hint(err, "save it with PEFT's path_initial_model_for_weight_conversion, which makes it plain LoRA");
}

/* A string (regular expression) or a list of names; null or absent: neither. */
static int parse_select(PeftSelect *s, const json_t *root, const char *key, Err *err)
{
    const json_t *v = json_object_get(root, key);
    if (!v || json_is_null(v)) return 0;
    if (json_is_string(v)) return select_regex(s, json_string_value(v), err) ? err_context(err, "\"%s\"", key) : 0;
    if (!json_is_array(v)) return err_set(err, "\"%s\" must be a string or a list, got %s", key, json_kind(v));
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *name = json_array_get(v, i);
        if (!json_is_string(name)) return err_set(err, "\"%s\": names must be strings, got %s", key, json_kind(name));
        select_add(s, json_string_value(name));
    }
    return 0;
}

static int parse_targets(PeftConfig *cfg, const json_t *root, Err *err)
{
    if (parse_select(&cfg->target, root, "target_modules", err)) return -1;
    cfg->target.all_linear = cfg->target.regex && !strcasecmp(cfg->target.regex, ALL_LINEAR);
    if (!cfg->target.regex && !cfg->target.n) return err_set(err, "\"target_modules\" is missing or empty");
    return is_off(json_object_get(root, "exclude_modules")) ? 0
                                                            : parse_select(&cfg->exclude, root, "exclude_modules", err);
}

/* {"regular expression": number}: PEFT matches (.*\.)?(key)$ from the start of the module name. */
static int parse_pattern(PeftRules *rules, const json_t *root, const char *key, bool ranks, Err *err)
{
    const json_t *obj;
    const char *name;
    json_t *v;
    if (json_get_object(root, key, &obj, false, err)) return -1;
    json_object_foreach((json_t *)(uintptr_t)obj, name, v)
    {
        double x = json_number_value(v);
        if (ranks ? !json_is_integer(v) || x < 1 || x > MAX_RANK : !json_is_number(v))
            return err_set(err, "\"%s\": \"%.200s\" must be %s", key, name,
                           ranks ? "an integer from 1 to 65536" : "a number");
        if (rules_add(rules, name, "(.*\\.)?(", "", ")$", x, err)) return err_context(err, "\"%s\"", key);
    }
    return 0;
}

static int add_layer(PeftConfig *cfg, const json_t *v, Err *err)
{
    int64_t layer = json_integer_value(v);
    if (!json_is_integer(v) || layer < INT_MIN || layer > INT_MAX)
        return err_set(err, "\"layers_to_transform\" must be an integer or a list of integers");
    cfg->layer = xrealloc(cfg->layer, ((size_t)cfg->n_layers + 1) * sizeof *cfg->layer);
    cfg->layer[cfg->n_layers++] = (int)layer;
    return 0;
}

static int add_layers_pattern(PeftConfig *cfg, const json_t *v, Err *err)
{
    const char *key = json_string_value(v);
    if (!key) return err_set(err, "\"layers_pattern\" must be a string or a list of strings");
    return rules_add(&cfg->layers_pattern, key, "(?:^|.*?\\.)", "", "\\.(?P<idx>\\d+)\\.", 0, err);
}

static int parse_layers(PeftConfig *cfg, const json_t *root, Err *err)
{
    const json_t *layers = json_object_get(root, "layers_to_transform");
    const json_t *pattern = json_object_get(root, "layers_pattern");
    bool none = !layers || json_is_null(layers) || (json_is_array(layers) && !json_array_size(layers));
    if (none) return is_off(pattern) ? 0 : err_set(err, "\"layers_pattern\" needs \"layers_to_transform\"");
    if (cfg->target.regex)
        return err_set(err, "\"layers_to_transform\" cannot go with a regular expression as \"target_modules\"");
    if (!json_is_array(layers) && add_layer(cfg, layers, err)) return -1;
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (add_layer(cfg, json_array_get(layers, i), err)) return -1;
    if (is_off(pattern)) /* the first number after two names: model.layers.7.mlp */
        return rules_add(&cfg->layers_pattern, NULL, ".*?\\.", "[^.]*", "\\.(?P<idx>\\d+)\\.", 0, err);
    if (!json_is_array(pattern)) return add_layers_pattern(cfg, pattern, err);
    for (size_t i = 0; i < json_array_size(pattern); i++)
        if (add_layers_pattern(cfg, json_array_get(pattern, i), err)) return -1;
    return 0;
}

static int parse_numbers(PeftConfig *cfg, const json_t *root, Err *err)
{
    const char *base = NULL, *task = NULL;
    cfg->r = 8;
    cfg->lora_alpha = 8;
    if (json_get_int(root, "r", &cfg->r, false, err) ||
        json_get_num(root, "lora_alpha", &cfg->lora_alpha, false, err) ||
        json_get_num(root, "lora_dropout", &cfg->lora_dropout, false, err) ||
        json_get_bool(root, "use_rslora", &cfg->use_rslora, false, err) ||
        json_get_str(root, "base_model_name_or_path", &base, false, err) ||
        json_get_str(root, "task_type", &task, false, err))
        return -1;
    if (cfg->r < 1 || cfg->r > MAX_RANK) return err_set(err, "\"r\" is %d, must be from 1 to %d", cfg->r, MAX_RANK);
    if (!(cfg->lora_dropout >= 0 && cfg->lora_dropout < 1))
        return err_set(err, "\"lora_dropout\" is %g, must be at least 0 and below 1", cfg->lora_dropout);
    if (base) cfg->base_model = xstrdup(base);
    if (task) cfg->task_type = xstrdup(task);
    return 0;
}

static int parse_root(PeftConfig *cfg, const json_t *root, Err *err)
{
    if (!json_is_object(root)) return err_set(err, "expected an object, got %s", json_kind(root));
    if (check_supported(root, err) || check_init(root, err) || parse_numbers(cfg, root, err)) return -1;
    if (parse_targets(cfg, root, err) || parse_layers(cfg, root, err)) return -1;
    return parse_pattern(&cfg->rank_pattern, root, "rank_pattern", true, err) ||
                   parse_pattern(&cfg->alpha_pattern, root, "alpha_pattern", false, err)
               ? -1
               : 0;
}

int peft_config_parse(PeftConfig *cfg, const char *text, size_t n, Err *err)
{
    *cfg = (PeftConfig){0};
    json_t *root = json_parse(text, n, err);
    int rc = root ? parse_root(cfg, root, err) : -1;
    json_decref(root);
    if (rc) peft_config_release(cfg);
    return rc;
}

/* The folder holds an adapter and no model of its own. */
static bool is_adapter(const char *dir)
{
    char *adapter = path_join(dir, FILE_NAME), *config = path_join(dir, "config.json");
    bool is = file_exists(adapter) && !file_exists(config);
    free(adapter);
    free(config);
    return is;
}

int peft_resolve(char **model, char **adapter, Err *err)
{
    PeftConfig cfg;
    if (!*model || !is_adapter(*model)) return 0;
    if (*adapter) return err_set(err, "%s is an adapter, and adapter %s was given, too", *model, *adapter);
    if (peft_config_load(&cfg, *model, err)) return -1;
    int rc = 0;
    if (!cfg.base_model || !dir_exists(cfg.base_model)) {
        rc = err_set(err, "%s is an adapter of %s, which is no folder here", *model,
                     cfg.base_model ? cfg.base_model : "a model without a name");
        err_hint(err, "give model=BASE adapter=%s", *model);
    } else {
        *adapter = *model;
        *model = xstrdup(cfg.base_model);
    }
    peft_config_release(&cfg);
    return rc;
}

int peft_config_load(PeftConfig *cfg, const char *adapter_dir, Err *err)
{
    *cfg = (PeftConfig){0};
    Buf b = {0};
    char *path = path_join(adapter_dir, FILE_NAME);
    int rc = file_read(&b, path, MAX_CONFIG_BYTES, err);
    if (rc == 0 && peft_config_parse(cfg, b.data, b.len, err)) rc = err_context(err, "%s", path);
    free(path);
    buf_release(&b);
    return rc;
}

int peft_config_init(PeftConfig *cfg, const char *const *target, int n_targets, Err *err)
{
    *cfg = (PeftConfig){.r = 8, .lora_alpha = 8};
    CHECK(n_targets > 0, "no targets");
    const char *first = target[0];
    int rc = 0;
    if (n_targets == 1 && (!strcasecmp(first, "all") || !strcasecmp(first, ALL_LINEAR))) {
        cfg->target.all_linear = true;
        rc = select_regex(&cfg->target, ALL_LINEAR, err);
    } else if (n_targets == 1 && strpbrk(first, "\\^$*+?()[]{}|")) {
        rc = select_regex(&cfg->target, first, err);
    } else {
        for (int i = 0; i < n_targets; i++) select_add(&cfg->target, target[i]);
    }
    if (rc) peft_config_release(cfg);
    return rc;
}

void peft_config_release(PeftConfig *cfg)
{
    select_release(&cfg->target);
    select_release(&cfg->exclude);
    rules_release(&cfg->rank_pattern);
    rules_release(&cfg->alpha_pattern);
    rules_release(&cfg->layers_pattern);
    free(cfg->layer);
    free(cfg->base_model);
    free(cfg->task_type);
    *cfg = (PeftConfig){0};
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* null for NULL, and for what is no UTF-8. */
static json_t *json_text(const char *s)
{
    json_t *v = s ? json_string(s) : NULL;
    return v ? v : json_null();
}

/* 16 rather than 16.0: PEFT declares lora_alpha an integer. */
static json_t *json_value(double x)
{
    return floor(x) == x && fabs(x) < 1e15 ? json_integer((json_int_t)x) : json_real(x);
}

static json_t *json_select(const PeftSelect *s)
{
    if (s->regex || !s->n) return json_text(s->regex);
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++) json_array_append_new(list, json_text(s->name[i]));
    return list;
}

static json_t *json_pattern(const PeftRules *r)
{
    json_t *obj = json_object();
    for (int i = 0; i < r->n; i++) json_object_set_new(obj, r->at[i].key, json_value(r->at[i].value));
    return obj;
}

static void set_layers(json_t *root, const PeftConfig *cfg)
{
    json_t *layer = cfg->n_layers ? json_array() : json_null(), *name = json_null();
    for (int i = 0; i < cfg->n_layers; i++) json_array_append_new(layer, json_integer(cfg->layer[i]));
    if (cfg->layers_pattern.n && cfg->layers_pattern.at[0].key) {
        name = json_array();
        for (int i = 0; i < cfg->layers_pattern.n; i++)
            json_array_append_new(name, json_text(cfg->layers_pattern.at[i].key));
    }
    json_object_set_new(root, "layers_to_transform", layer);
    json_object_set_new(root, "layers_pattern", name);
}

/* The keys that every version of PEFT knows; newer ones fill in the rest. */
static json_t *config_json(const PeftConfig *cfg)
{
    json_t *root = json_object();
    json_object_set_new(root, "peft_type", json_text("LORA"));
    json_object_set_new(root, "task_type", json_text(cfg->task_type));
    json_object_set_new(root, "base_model_name_or_path", json_text(cfg->base_model));
    json_object_set_new(root, "inference_mode", json_true());
    json_object_set_new(root, "r", json_integer(cfg->r));
    json_object_set_new(root, "lora_alpha", json_value(cfg->lora_alpha));
    json_object_set_new(root, "lora_dropout", json_real(cfg->lora_dropout));
    json_object_set_new(root, "use_rslora", json_boolean(cfg->use_rslora));
    json_object_set_new(root, "use_dora", json_false());
    json_object_set_new(root, "bias", json_text("none"));
    json_object_set_new(root, "fan_in_fan_out", json_false());
    json_object_set_new(root, "init_lora_weights", json_true());
    json_object_set_new(root, "modules_to_save", json_null());
    json_object_set_new(root, "target_modules", json_select(&cfg->target));
    if (cfg->exclude.regex || cfg->exclude.n) json_object_set_new(root, "exclude_modules", json_select(&cfg->exclude));
    json_object_set_new(root, "rank_pattern", json_pattern(&cfg->rank_pattern));
    json_object_set_new(root, "alpha_pattern", json_pattern(&cfg->alpha_pattern));
    set_layers(root, cfg);
    return root;
}

int peft_config_save(const PeftConfig *cfg, const char *adapter_dir, Err *err)
{
    json_t *root = config_json(cfg);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
    CHECK(text, "json_dumps failed");
    Buf b = {0};
    buf_str(&b, text);
    buf_byte(&b, '\n');
    char *path = path_join(adapter_dir, FILE_NAME);
    int rc = file_save(path, b.data, b.len, err);
    free(path);
    buf_release(&b);
    free(text);
    json_decref(root);
    return rc;
}
