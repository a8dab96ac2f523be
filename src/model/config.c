#include "model/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { MAX_CONFIG_BYTES = 1 << 22, MAX_DIM = 1 << 20, MAX_BLOCKS = 1 << 12 };

/* A dimension: an integer in [1, MAX_DIM]. */
static int get_dim(const json_t *o, const char *key, int *out, bool required, Err *err)
{
    if (json_get_int(o, key, out, required, err)) return -1;
    if (*out < 1 || *out > MAX_DIM) return err_set(err, "\"%s\" = %d is out of range", key, *out);
    return 0;
}

/* The nested layout keeps some keys in text_config and some outside: inside first. */
static const json_t *holder(const json_t *text, const json_t *root, const char *key)
{
    const json_t *v = json_object_get(text, key);
    return v && !json_is_null(v) ? text : root;
}

static int parse_rope(ModelConfig *c, const json_t *text, const json_t *root, Err *err)
{
    const json_t *r = NULL;
    const char *key =
        json_object_get(holder(text, root, "rope_parameters"), "rope_parameters") ? "rope_parameters" : "rope_scaling";
    if (json_get_object(holder(text, root, key), key, &r, false, err)) return -1;
    c->theta = 1e6;
    if (json_get_num(holder(text, root, "rope_theta"), "rope_theta", &c->theta, false, err)) return -1;
    if (r && json_get_num(r, "rope_theta", &c->theta, false, err)) return -1;
    if (!(c->theta > 1)) return err_set(err, "\"rope_theta\" = %g is out of range", c->theta);
    const char *type = "default";
    if (r && (json_get_str(r, "type", &type, false, err) || json_get_str(r, "rope_type", &type, false, err))) return -1;
    if (strcmp(type, "default") && strcmp(type, "mrope"))
        return err_set(err, "rope type \"%s\" is not supported", type);
    const json_t *section = NULL;
    if (r && json_get_array(r, "mrope_section", &section, false, err)) return -1;
    if (!section) return err_set(err, "\"mrope_section\" is missing");
    int sum = 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *n = json_array_get(section, i);
        if (json_array_size(section) != 3 || !json_is_integer(n) || json_integer_value(n) < 0 ||
            json_integer_value(n) > MAX_DIM)
            return err_set(err, "\"mrope_section\" must be three integers");
        sum += c->mrope[i] = (int)json_integer_value(n);
    }
    if (2 * sum != c->hd) return err_set(err, "\"mrope_section\" sums to %d, half the head dim is %d", sum, c->hd / 2);
    return 0;
}

static int parse_dtype(ModelConfig *c, const json_t *text, const json_t *root, Err *err)
{
    const char *name = NULL;
    if (json_get_str(holder(text, root, "torch_dtype"), "torch_dtype", &name, false, err)) return -1;
    if (!name && json_get_str(holder(text, root, "dtype"), "dtype", &name, false, err)) return -1;
    c->file_dtype = DT_F32;
    if (!name || !strcmp(name, "float32") || !strcmp(name, "auto")) return 0;
    if (!strcmp(name, "bfloat16")) c->file_dtype = DT_BF16;
    else if (!strcmp(name, "float16")) c->file_dtype = DT_F16;
    else return err_set(err, "dtype \"%s\" is not supported", name);
    return 0;
}

static int check_activation(const json_t *o, Err *err)
{
    const char *act = "silu";
    if (json_get_str(o, "hidden_act", &act, false, err)) return -1;
    return strcmp(act, "silu") ? err_set(err, "\"hidden_act\": \"%s\" is not supported", act) : 0;
}

static int parse_text(ModelConfig *c, const json_t *text, const json_t *root, Err *err)
{
    bool sliding = false;
    if (get_dim(text, "hidden_size", &c->d, true, err) || get_dim(text, "intermediate_size", &c->f, true, err) ||
        get_dim(text, "num_hidden_layers", &c->l, true, err) ||
        get_dim(text, "num_attention_heads", &c->h, true, err) || get_dim(text, "vocab_size", &c->v, true, err))
        return -1;
    if (c->l > MAX_BLOCKS) return err_set(err, "\"num_hidden_layers\" = %d is out of range", c->l);
    c->hk = c->h;
    c->hd = c->d / c->h;
    c->eps = 1e-6;
    c->init_std = 0.02;
    c->max_positions = 32768;
    if (get_dim(text, "num_key_value_heads", &c->hk, false, err) || get_dim(text, "head_dim", &c->hd, false, err) ||
        json_get_num(text, "rms_norm_eps", &c->eps, false, err) ||
        json_get_num(text, "initializer_range", &c->init_std, false, err) ||
        json_get_int(text, "max_position_embeddings", &c->max_positions, false, err) ||
        json_get_bool(text, "use_sliding_window", &sliding, false, err) || check_activation(text, err))
        return -1;
    if (!(c->init_std > 0 && c->init_std < 10))
        return err_set(err, "\"initializer_range\" = %g is out of range", c->init_std);
    if (c->max_positions < 1) return err_set(err, "\"max_position_embeddings\" = %d is out of range", c->max_positions);
    if (!(c->eps >= 0)) return err_set(err, "\"rms_norm_eps\" = %g is out of range", c->eps);
    if (sliding) return err_set(err, "\"use_sliding_window\" is not supported");
    if (c->h % c->hk) return err_set(err, "%d heads do not divide into %d kv heads", c->h, c->hk);
    if (c->hd % 2 || c->hd < 2 || c->hd > 512) return err_set(err, "head dim %d must be even and at most 512", c->hd);
    if (json_get_bool(holder(root, text, "tie_word_embeddings"), "tie_word_embeddings", &c->tied, false, err))
        return -1;
    return parse_rope(c, text, root, err) || parse_dtype(c, text, root, err) ? -1 : 0;
}

static int parse_vision(VisionConfig *v, const json_t *o, int width, Err *err)
{
    *v = (VisionConfig){.patch = 14, .temporal = 2, .merge = 2, .channels = 3, .window = 112, .out = width};
    const json_t *full = NULL;
    if (get_dim(o, "depth", &v->l, true, err) || get_dim(o, "hidden_size", &v->d, true, err) ||
        get_dim(o, "intermediate_size", &v->f, true, err) || get_dim(o, "num_heads", &v->h, true, err) ||
        get_dim(o, "out_hidden_size", &v->out, false, err) || get_dim(o, "patch_size", &v->patch, false, err) ||
        get_dim(o, "temporal_patch_size", &v->temporal, false, err) ||
        get_dim(o, "spatial_merge_size", &v->merge, false, err) || get_dim(o, "in_chans", &v->channels, false, err) ||
        get_dim(o, "in_channels", &v->channels, false, err) || get_dim(o, "window_size", &v->window, false, err) ||
        check_activation(o, err) || json_get_array(o, "fullatt_block_indexes", &full, true, err))
        return -1;
    if (v->l > MAX_VISION_BLOCKS) return err_set(err, "\"depth\" = %d is too large", v->l);
    if (v->d % v->h || (v->d / v->h) % 4)
        return err_set(err, "vision width %d over %d heads: the head dim must be a multiple of 4", v->d, v->h);
    if (v->out != width)
        return err_set(err, "\"out_hidden_size\" = %d, but the language model is %d wide", v->out, width);
    if (v->window < v->patch * v->merge)
        return err_set(err, "\"window_size\" = %d is smaller than a merged patch", v->window);
    size_t i;
    json_t *b;
    json_array_foreach((json_t *)(uintptr_t)full, i, b)
    {
        if (!json_is_integer(b) || json_integer_value(b) < 0 || json_integer_value(b) >= v->l)
            return err_set(err, "\"fullatt_block_indexes\" names a block outside 0..%d", v->l - 1);
        v->full[json_integer_value(b)] = true;
    }
    return 0;
}

/* Adds an id or a list of ids. */
static void add_eos(ModelConfig *c, const json_t *v)
{
    size_t n = json_is_array(v) ? json_array_size(v) : v ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_is_array(v) ? json_array_get(v, i) : v;
        bool known = !json_is_integer(e) || json_integer_value(e) < 0 || json_integer_value(e) >= c->v;
        for (int k = 0; k < c->n_eos; k++) known |= json_is_integer(e) && c->eos[k] == json_integer_value(e);
        if (!known && c->n_eos < 8) c->eos[c->n_eos++] = (int)json_integer_value(e);
    }
}

/* A token of the vocabulary; -1 where the key is absent. */
static int get_token(const ModelConfig *c, const json_t *o, const char *key, int *out, bool required, Err *err)
{
    *out = -1;
    if (json_get_int(o, key, out, required, err)) return -1;
    const json_t *given = json_object_get(o, key);
    if (!given || json_is_null(given) || (*out >= 0 && *out < c->v)) return 0;
    return err_set(err, "\"%s\" = %d is outside the vocabulary of %d", key, *out, c->v);
}

static int parse_tokens(ModelConfig *c, const json_t *text, const json_t *root, Err *err)
{
    if (get_token(c, root, "image_token_id", &c->image_token, true, err) ||
        get_token(c, root, "video_token_id", &c->video_token, false, err) ||
        get_token(c, root, "vision_start_token_id", &c->vision_start, false, err) ||
        get_token(c, root, "vision_end_token_id", &c->vision_end, false, err) ||
        json_get_int(holder(text, root, "pad_token_id"), "pad_token_id", &c->pad, false, err))
        return -1;
    add_eos(c, json_object_get(holder(text, root, "eos_token_id"), "eos_token_id"));
    return 0;
}

static int parse_config(ModelConfig *c, const json_t *root, Err *err)
{
    *c = (ModelConfig){0};
    const char *type = "";
    const json_t *text = NULL, *vision = NULL;
    if (json_get_str(root, "model_type", &type, true, err)) return -1;
    if (strcmp(type, "qwen2_5_vl")) {
        err_set(err, "\"model_type\": \"%s\" is not supported", type);
        return err_hint(err, "Osler trains Qwen2.5-VL checkpoints (\"qwen2_5_vl\")");
    }
    if (json_object_get(root, "quantization_config")) return err_set(err, "quantised weights are not supported");
    if (json_get_object(root, "text_config", &text, false, err) ||
        json_get_object(root, "vision_config", &vision, true, err))
        return -1;
    if (!text) text = root;
    if (parse_text(c, text, root, err) || parse_tokens(c, text, root, err)) return -1;
    return parse_vision(&c->vision, vision, c->d, err) ? err_context(err, "vision_config") : 0;
}

int config_load_file(ModelConfig *c, const char *path, Err *err)
{
    json_t *root = json_load_path(path, MAX_CONFIG_BYTES, err);
    if (!root) return -1;
    int rc = parse_config(c, root, err);
    if (rc) err_context(err, "%s", path);
    json_decref(root);
    return rc;
}

int config_load(ModelConfig *c, const char *model_dir, Err *err)
{
    char *path = path_join(model_dir, "config.json");
    int rc = config_load_file(c, path, err);
    free(path);
    if (rc) return err_hint(err, "a checkpoint directory as transformers saves it is expected");
    path = path_join(model_dir, "generation_config.json");
    if (file_exists(path)) {
        json_t *g = json_load_path(path, MAX_CONFIG_BYTES, err);
        if (g) add_eos(c, json_object_get(g, "eos_token_id"));
        else rc = -1;
        json_decref(g);
    }
    free(path);
    return rc;
}
