#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

enum { FILE_MAX_BYTES = 256 << 20, ID_LIMIT = 1 << 22 };

/* ---- vocabulary and merges ---- */

static int read_vocab(Tokenizer *t, const json_t *model, Err *err)
{
    const json_t *vocab, *id;
    const char *token;
    if (json_get_object(model, "vocab", &vocab, true, err)) return -1;
    json_object_foreach((json_t *)vocab, token, id)
    {
        json_int_t v = json_is_integer(id) ? json_integer_value(id) : -1;
        if (v < 0 || v >= ID_LIMIT) return err_set(err, "vocab: the id of \"%s\" is not in 0..%d", token, ID_LIMIT - 1);
        map_set_str(&t->id_of, token, v);
    }
    for (int b = 0; b < 256; b++) {
        Buf name = {0};
        char byte = (char)b;
        byte_level_write(&name, &byte, 1);
        t->byte_id[b] = tokenizer_id(t, name.data);
        if (t->byte_id[b] < 0) {
            err_set(err, "vocab: no token \"%s\" for byte 0x%02x", name.data, b);
            err_hint(err, "only byte-level BPE with all 256 bytes is supported (unk_token and byte_fallback are not)");
        }
        buf_release(&name);
        if (t->byte_id[b] < 0) return -1;
    }
    return 0;
}

/* The two sides of a merge, "a b" or ["a", "b"]. */
static int merge_sides(const json_t *v, const char *side[2], size_t len[2])
{
    if (json_is_string(v)) {
        const char *s = json_string_value(v), *space = strchr(s, ' ');
        if (!space || strchr(space + 1, ' ')) return -1;
        side[0] = s, len[0] = (size_t)(space - s);
        side[1] = space + 1, len[1] = strlen(side[1]);
        return 0;
    }
    if (json_array_size(v) != 2) return -1;
    for (size_t k = 0; k < 2; k++) {
        const json_t *part = json_array_get(v, k);
        if (!json_is_string(part)) return -1;
        side[k] = json_string_value(part), len[k] = json_string_length(part);
    }
    return 0;
}

static int read_merges(Tokenizer *t, const json_t *model, Err *err)
{
    const json_t *merges;
    if (json_get_array(model, "merges", &merges, true, err)) return -1;
    int n = (int)json_array_size(merges), rc = 0;
    Buf joined = {0};
    merges_init(&t->merges, n);
    for (int rank = 0; rank < n && !rc; rank++) {
        const char *side[2];
        size_t len[2];
        int64_t left, right, id;
        if (merge_sides(json_array_get(merges, (size_t)rank), side, len)) {
            rc = err_set(err, "merges[%d] is neither \"left right\" nor [left, right]", rank);
            break;
        }
        buf_clear(&joined);
        buf_add(&joined, side[0], len[0]);
        buf_add(&joined, side[1], len[1]);
        if (!map_get(&t->id_of, side[0], len[0], &left) || !map_get(&t->id_of, side[1], len[1], &right) ||
            !map_get(&t->id_of, joined.data, joined.len, &id))
            rc = err_set(err, "merges[%d]: \"%.*s\", \"%.*s\" or both together are not in the vocabulary", rank,
                         (int)len[0], side[0], (int)len[1], side[1]);
        else merges_set(&t->merges, (int)left, (int)right, rank, (int)id);
    }
    buf_release(&joined);
    return rc;
}

static int refuse_text(const json_t *model, const char *key, Err *err)
{
    const char *s = "";
    if (json_get_str(model, key, &s, false, err)) return -1;
    return *s ? err_set(err, "%s \"%s\" is not supported", key, s) : 0;
}

static int read_model(Tokenizer *t, const json_t *root, Err *err)
{
    const json_t *model;
    const char *type = "BPE"; /* old files leave it out */
    double dropout = 0;
    if (json_get_object(root, "model", &model, true, err)) return -1;
    if (json_get_str(model, "type", &type, false, err)) return err_context(err, "model");
    if (strcmp(type, "BPE")) return err_set(err, "model: type %s is not supported, only BPE", type);
    if (json_get_num(model, "dropout", &dropout, false, err) || refuse_text(model, "continuing_subword_prefix", err) ||
        refuse_text(model, "end_of_word_suffix", err) ||
        json_get_bool(model, "ignore_merges", &t->ignore_merges, false, err) || read_vocab(t, model, err) ||
        read_merges(t, model, err))
        return err_context(err, "model");
    return dropout > 0 ? err_set(err, "model: dropout %g is not supported", dropout) : 0;
}

/* ---- normalizer, pre-tokeniser, decoder ---- */

/* The "type" of a component. */
static int read_type(const json_t *v, const char **type, Err *err)
{
    return json_get_str(v, "type", type, true, err);
}

static int read_normalizer(Tokenizer *t, const json_t *v, int depth, Err *err)
{
    const char *type;
    const json_t *list;
    if (!v || json_is_null(v)) return 0;
    if (read_type(v, &type, err)) return -1;
    if (!strcmp(type, "NFC")) return t->nfc = true, 0;
    if (strcmp(type, "Sequence") || depth > 8) return err_set(err, "%s is not supported, only NFC", type);
    if (json_get_array(v, "normalizers", &list, true, err)) return -1;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_normalizer(t, json_array_get(list, i), depth + 1, err)) return -1;
    return 0;
}

static int set_pattern(Tokenizer *t, const char *pattern, size_t n, Err *err)
{
    if (t->splitter) return err_set(err, "more than one split is not supported");
    t->splitter = splitter_new(pattern, n, err);
    return t->splitter ? 0 : -1;
}

/* {"type": "Split", "pattern": {"Regex": ...}, "behavior": "Isolated", "invert": false} */
static int read_split(Tokenizer *t, const json_t *v, Err *err)
{
    const json_t *pattern, *regex;
    const char *behavior;
    bool invert = false;
    if (json_get_object(v, "pattern", &pattern, true, err) || json_get_str(v, "behavior", &behavior, true, err) ||
        json_get_bool(v, "invert", &invert, false, err))
        return err_context(err, "Split");
    regex = json_object_get(pattern, "Regex");
    if (!json_is_string(regex)) return err_set(err, "Split: only a pattern of kind Regex is supported");
    if (strcmp(behavior, "Isolated") || invert)
        return err_set(err, "Split: behavior %s%s is not supported, only Isolated", behavior,
                       invert ? " inverted" : "");
    return set_pattern(t, json_string_value(regex), json_string_length(regex), err);
}

static int read_byte_level(Tokenizer *t, const json_t *v, Err *err)
{
    bool prefix, own_regex = true;
    if (json_get_bool(v, "add_prefix_space", &prefix, true, err) ||
        json_get_bool(v, "use_regex", &own_regex, false, err))
        return err_context(err, "ByteLevel");
    if (prefix) return err_set(err, "ByteLevel: add_prefix_space is not supported");
    return own_regex ? set_pattern(t, GPT2_PATTERN, strlen(GPT2_PATTERN), err) : 0;
}

/* ByteLevel, or a Sequence of Split and ByteLevel with ByteLevel at the end. */
static int read_pre_tokenizer(Tokenizer *t, const json_t *v, Err *err)
{
    const char *type;
    const json_t *list;
    if (read_type(v, &type, err)) return -1;
    if (!strcmp(type, "ByteLevel")) return read_byte_level(t, v, err);
    if (strcmp(type, "Sequence"))
        return err_set(err, "%s is not supported, only ByteLevel alone or after a Split", type);
    if (json_get_array(v, "pretokenizers", &list, true, err)) return -1;
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        const json_t *part = json_array_get(list, i);
        const char *want = i + 1 < n ? "Split" : "ByteLevel";
        if (read_type(part, &type, err)) return -1;
        if (strcmp(type, want)) return err_set(err, "%s in place %zu is not supported, only Split, ByteLevel", type, i);
        if (i + 1 < n ? read_split(t, part, err) : read_byte_level(t, part, err)) return -1;
    }
    return n ? 0 : err_set(err, "the Sequence is empty");
}

static int read_decoder(const json_t *v, int depth, Err *err)
{
    const char *type;
    const json_t *list;
    if (read_type(v, &type, err)) return -1;
    if (!strcmp(type, "ByteLevel")) return 0;
    if (strcmp(type, "Sequence") || depth > 8) return err_set(err, "%s is not supported, only ByteLevel", type);
    if (json_get_array(v, "decoders", &list, true, err)) return -1;
    if (json_array_size(list) != 1) return err_set(err, "a Sequence of several decoders is not supported");
    return read_decoder(json_array_get(list, 0), depth + 1, err);
}

/* ---- added tokens ---- */

/*
 * The id Hugging Face gives a new added token: that of the vocabulary where it has the token, else the next one free.
 * The ids in the file are for reading only, so one that differs would mean two readings of the same file.
 */
static int expected_id(const Tokenizer *t, const char *content, int n_vocab)
{
    int64_t id, next = n_vocab;
    if (map_get_str(&t->id_of, content, &id)) return (int)id;
    for (int i = 0; i < t->added.token.n; i++)
        if (t->added.token.at[i].id >= next) next = t->added.token.at[i].id + 1;
    return (int)next;
}

static const AddedToken *find_added(const Tokenizer *t, const char *content)
{
    for (int i = 0; i < t->added.token.n; i++)
        if (!strcmp(t->added.token.at[i].content, content)) return &t->added.token.at[i];
    return NULL;
}

static int read_added(Tokenizer *t, const json_t *v, int id, int n_vocab, Err *err)
{
    const char *content;
    AddedToken a = {.id = id};
    if (json_get_str(v, "content", &content, true, err) || json_get_bool(v, "special", &a.special, true, err))
        return -1;
    a.normalized = !a.special;
    if (json_get_bool(v, "normalized", &a.normalized, false, err) ||
        json_get_bool(v, "single_word", &a.single_word, false, err) ||
        json_get_bool(v, "lstrip", &a.lstrip, false, err) || json_get_bool(v, "rstrip", &a.rstrip, false, err))
        return -1;
    if (!*content) return 0;
    int expected = expected_id(t, content, n_vocab);
    if (id != expected) {
        err_set(err, "\"%s\" has id %d but would load as %d", content, id, expected);
        return err_hint(err, "ids of added tokens follow the vocabulary without a gap, in the order of the file");
    }
    if (find_added(t, content)) return 0;
    Buf normal = {0};
    a.content = xstrdup(content);
    bool changed = a.normalized && t->nfc && nfc(&normal, NULL, content, strlen(content));
    a.pattern = changed ? buf_take(&normal) : xstrdup(content);
    a.pattern_len = strlen(a.pattern);
    added_push(&t->added, &a);
    map_set_str(&t->id_of, content, id);
    return 0;
}

static int read_added_list(Tokenizer *t, const json_t *root, int n_vocab, Err *err)
{
    const json_t *list;
    if (json_get_array(root, "added_tokens", &list, false, err)) return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        int id;
        const json_t *v = json_array_get(list, i);
        if (json_get_int(v, "id", &id, true, err) || read_added(t, v, id, n_vocab, err))
            return err_context(err, "added_tokens[%zu]", i);
    }
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* tokenizer_config.json's added_tokens_decoder, {"151643": {...}, ...}, in the order of the ids. */
static int read_config_added(Tokenizer *t, const json_t *config, int n_vocab, Err *err)
{
    const json_t *map, *v;
    const char *key;
    VEC(int) ids = {0};
    int rc = 0;
    if (json_get_object(config, "added_tokens_decoder", &map, false, err)) return -1;
    json_object_foreach((json_t *)map, key, v)
    {
        char *end;
        long id = strtol(key, &end, 10);
        if (!*key || *end || id < 0 || id >= ID_LIMIT) rc = err_set(err, "\"%s\" is no token id", key);
        else vec_push(&ids, (int)id);
    }
    if (ids.n) qsort(ids.at, (size_t)ids.n, sizeof *ids.at, compare_ids);
    for (int i = 0; i < ids.n && !rc; i++) {
        char name[16];
        const char *content;
        snprintf(name, sizeof name, "%d", ids.at[i]);
        v = json_object_get(map, name);
        if (!v) rc = err_set(err, "id %s is not written as a plain number", name);
        else rc = json_get_str(v, "content", &content, true, err);
        if (!rc && !find_added(t, content)) rc = read_added(t, v, ids.at[i], n_vocab, err);
    }
    free(ids.at);
    return rc ? err_context(err, "added_tokens_decoder") : 0;
}

/* ---- the whole ---- */

/* Where the bytes that `token` decodes to lie, once appended. */
static void set_bytes(Tokenizer *t, TokenBytes *b, const char *token, size_t n)
{
    b->at = t->bytes.len;
    byte_level_read(&t->bytes, token, n);
    b->len = (int)(t->bytes.len - b->at);
}

/* Fills the table by id.  An added token decodes to what is searched for it, as the `tokenizers` library has it. */
static int index_tokens(Tokenizer *t, int n_vocab, Err *err)
{
    for (int i = 0; i < t->id_of.n; i++)
        if (t->id_of.entry[i].value >= t->size) t->size = (int)t->id_of.entry[i].value + 1;
    t->token = xmalloc((size_t)t->size * sizeof *t->token);
    for (int i = 0; i < t->size; i++) t->token[i] = (TokenBytes){.len = -1};
    for (int i = 0; i < t->id_of.n; i++) {
        const MapEntry *e = &t->id_of.entry[i];
        TokenBytes *b = &t->token[e->value];
        if (b->len >= 0) return err_set(err, "id %d belongs to two tokens, one is \"%s\"", (int)e->value, e->key);
        set_bytes(t, b, e->key, e->len);
        b->in_vocab = i < n_vocab;
    }
    for (int i = 0; i < t->added.token.n; i++) {
        const AddedToken *a = &t->added.token.at[i];
        set_bytes(t, &t->token[a->id], a->pattern, a->pattern_len);
        t->token[a->id].special = a->special;
    }
    added_index(&t->added);
    return 0;
}

static int read_tokenizer(Tokenizer *t, const json_t *root, const json_t *config, Err *err)
{
    if (!json_is_object(root)) return err_set(err, "expected an object, got %s", json_kind(root));
    if (read_model(t, root, err)) return -1;
    if (read_normalizer(t, json_object_get(root, "normalizer"), 0, err)) return err_context(err, "normalizer");
    if (read_pre_tokenizer(t, json_object_get(root, "pre_tokenizer"), err)) return err_context(err, "pre_tokenizer");
    if (read_decoder(json_object_get(root, "decoder"), 0, err)) return err_context(err, "decoder");
    int n_vocab = t->id_of.n;
    if (read_added_list(t, root, n_vocab, err)) return -1;
    if (config && read_config_added(t, config, n_vocab, err)) return err_context(err, "tokenizer_config.json");
    return index_tokens(t, n_vocab, err);
}

static Tokenizer *tokenizer_from(const json_t *root, const json_t *config, Err *err)
{
    Tokenizer *t = xcalloc(1, sizeof *t);
    if (!read_tokenizer(t, root, config, err)) return t;
    tokenizer_free(t);
    return NULL;
}

Tokenizer *tokenizer_parse(const char *json, size_t n, Err *err)
{
    json_t *root = json_parse(json, n, err);
    Tokenizer *t = root ? tokenizer_from(root, NULL, err) : NULL;
    json_decref(root);
    return t;
}

Tokenizer *tokenizer_load(const char *model_dir, Err *err)
{
    Tokenizer *t = NULL;
    char *path = path_join(model_dir, "tokenizer.json"), *config_path = path_join(model_dir, "tokenizer_config.json");
    json_t *config = NULL, *root = json_load_path(path, FILE_MAX_BYTES, err);
    if (!root && !file_exists(path))
        err_hint(err, "a model folder has a tokenizer.json; vocab.json and merges.txt alone are not read");
    if (root && file_exists(config_path)) config = json_load_path(config_path, FILE_MAX_BYTES, err);
    if (root && (config || !file_exists(config_path))) {
        t = tokenizer_from(root, config, err);
        if (!t) err_context(err, "%s", path);
    }
    json_decref(root);
    json_decref(config);
    free(path);
    free(config_path);
    return t;
}
