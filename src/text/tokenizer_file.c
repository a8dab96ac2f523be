#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

enum { FILE_MAX_BYTES = 256 << 20, ID_LIMIT = 1 << 22 };

/*
 * A tokenizer.json with its two large values taken out: a tree of them would cost more time than all the rest of a
 * program's start.
 */
typedef struct Source {
    JsonScan vocab, merges; /* at the values; text NULL: there is none of the right kind */
    Buf rest;               /* the file with empty values in their places, and as many lines */
} Source;

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* Appends what stands before the value at s, from *kept on, and an empty value of as many lines; goes past the value. */
static void take_out(Source *src, JsonScan *s, const char **kept)
{
    const char *from = s->at;
    buf_add(&src->rest, *kept, (size_t)(from - *kept));
    if (!json_scan_skip(s)) return;
    buf_byte(&src->rest, *from);
    for (const char *p = from; p < s->at; p++)
        if (*p == '\n') buf_byte(&src->rest, '\n');
    *kept = s->at - 1;
}

static bool is_value(const JsonScan *s, const char *key, char open)
{
    return !strcmp(s->string.data, key) && *s->at == open;
}

static void open_model(Source *src, JsonScan *s, const char **kept)
{
    while (json_scan_member(s)) {
        JsonScan *table = is_value(s, "vocab", '{') ? &src->vocab : is_value(s, "merges", '[') ? &src->merges : NULL;
        if (table) {
            *table = *s;
            table->string = (Buf){0};
            take_out(src, s, kept);
        } else {
            json_scan_skip(s);
        }
    }
}

/* Where the text is no JSON, all of it is left to those who can say why. */
static void source_open(Source *src, const char *text, size_t n)
{
    *src = (Source){0};
    JsonScan s = json_scan(text, n);
    const char *kept = text;
    json_scan_enter(&s, '{');
    while (json_scan_member(&s)) {
        if (!is_value(&s, "model", '{')) json_scan_skip(&s);
        else if (json_scan_enter(&s, '{')) open_model(src, &s, &kept);
    }
    if (!json_scan_done(&s)) {
        src->rest.len = 0;
        kept = text;
    }
    buf_add(&src->rest, kept, n - (size_t)(kept - text));
    json_scan_release(&s);
}

static void source_release(Source *src)
{
    json_scan_release(&src->vocab);
    json_scan_release(&src->merges);
    buf_release(&src->rest);
}

/* ---- vocabulary and merges --------------------------------------------------------------------------------------- */

static int not_json(const JsonScan *s, const char *what, Err *err)
{
    return err_set(err, "%s: line %d: not valid JSON", what, json_scan_line(s));
}

static int add_token(Tokenizer *t, JsonScan *s, Err *err)
{
    const char *token = s->string.data;
    int64_t id = -1;
    int known = t->id_of.n;
    if (!json_scan_integer(s, &id) || id < 0 || id >= ID_LIMIT)
        return err_set(err, "vocab: the id of \"%s\" is not in 0..%d", token, ID_LIMIT - 1);
    map_set(&t->id_of, token, s->string.len, id);
    if (t->id_of.n == known) return err_set(err, "vocab: \"%s\" is there twice", token);
    return strlen(token) == s->string.len ? 0 : err_set(err, "vocab: \"%s\" goes on behind a NUL", token);
}

static int find_bytes(Tokenizer *t, Err *err)
{
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

static int read_vocab(Tokenizer *t, Source *src, const json_t *model, Err *err)
{
    const json_t *vocab;
    JsonScan *s = &src->vocab;
    if (json_get_object(model, "vocab", &vocab, true, err)) return -1;
    json_scan_enter(s, '{');
    while (json_scan_member(s))
        if (add_token(t, s, err)) return s->bad ? not_json(s, "vocab", err) : -1;
    return s->bad ? not_json(s, "vocab", err) : find_bytes(t, err);
}

/* The two sides of a merge, "a b" or ["a", "b"]; joined holds both. */
static int merge_sides(JsonScan *s, Buf *joined, size_t *left)
{
    buf_clear(joined);
    if (json_scan_string(s)) {
        const char *text = s->string.data, *space = strchr(text, ' ');
        if (!space || strchr(space + 1, ' ')) return -1;
        *left = (size_t)(space - text);
        buf_add(joined, text, *left);
        buf_add(joined, space + 1, s->string.len - *left - 1);
        return 0;
    }
    if (!json_scan_enter(s, '[')) return -1;
    int n = 0;
    for (; json_scan_element(s); n++) {
        if (n == 2 || !json_scan_string(s)) return -1;
        if (n == 1) *left = joined->len;
        buf_add(joined, s->string.data, s->string.len);
    }
    return n == 2 ? 0 : -1;
}

static int add_merge(Tokenizer *t, JsonScan *s, Buf *joined, int rank, Err *err)
{
    size_t cut;
    int64_t left, right, id;
    if (merge_sides(s, joined, &cut))
        return err_set(err, "merges[%d] is neither \"left right\" nor [left, right]", rank);
    const char *text = joined->data;
    if (map_get(&t->id_of, text, cut, &left) && map_get(&t->id_of, text + cut, joined->len - cut, &right) &&
        map_get(&t->id_of, text, joined->len, &id)) {
        merges_set(&t->merges, (int)left, (int)right, rank, (int)id);
        return 0;
    }
    return err_set(err, "merges[%d]: \"%.*s\", \"%s\" or both together are not in the vocabulary", rank, (int)cut, text,
                   text + cut);
}

static int count_elements(JsonScan s)
{
    int n = 0;
    s.string = (Buf){0};
    for (json_scan_enter(&s, '['); json_scan_element(&s); n++) json_scan_skip(&s);
    return n;
}

static int read_merges(Tokenizer *t, Source *src, const json_t *model, Err *err)
{
    const json_t *merges;
    JsonScan *s = &src->merges;
    Buf joined = {0};
    int rc = 0;
    if (json_get_array(model, "merges", &merges, true, err)) return -1;
    merges_init(&t->merges, count_elements(*s));
    json_scan_enter(s, '[');
    for (int rank = 0; !rc && json_scan_element(s); rank++) rc = add_merge(t, s, &joined, rank, err);
    buf_release(&joined);
    return s->bad ? not_json(s, "merges", err) : rc;
}

static int refuse_text(const json_t *model, const char *key, Err *err)
{
    const char *s = "";
    if (json_get_str(model, key, &s, false, err)) return -1;
    return *s ? err_set(err, "%s \"%s\" is not supported", key, s) : 0;
}

static int read_model(Tokenizer *t, Source *src, const json_t *root, Err *err)
{
    const json_t *model;
    const char *type = "BPE"; /* old files leave it out */
    double dropout = 0;
    if (json_get_object(root, "model", &model, true, err)) return -1;
    if (json_get_str(model, "type", &type, false, err)) return err_context(err, "model");
    if (strcmp(type, "BPE")) return err_set(err, "model: type %s is not supported, only BPE", type);
    if (json_get_num(model, "dropout", &dropout, false, err) || refuse_text(model, "continuing_subword_prefix", err) ||
        refuse_text(model, "end_of_word_suffix", err) ||
        json_get_bool(model, "ignore_merges", &t->ignore_merges, false, err) || read_vocab(t, src, model, err) ||
        read_merges(t, src, model, err))
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

static int read_tokenizer(Tokenizer *t, Source *src, const json_t *root, const json_t *config, Err *err)
{
    if (!json_is_object(root)) return err_set(err, "expected an object, got %s", json_kind(root));
    if (read_model(t, src, root, err)) return -1;
    if (read_normalizer(t, json_object_get(root, "normalizer"), 0, err)) return err_context(err, "normalizer");
    if (read_pre_tokenizer(t, json_object_get(root, "pre_tokenizer"), err)) return err_context(err, "pre_tokenizer");
    if (read_decoder(json_object_get(root, "decoder"), 0, err)) return err_context(err, "decoder");
    int n_vocab = t->id_of.n;
    if (read_added_list(t, root, n_vocab, err)) return -1;
    if (config && read_config_added(t, config, n_vocab, err)) return err_context(err, "tokenizer_config.json");
    return index_tokens(t, n_vocab, err);
}

static Tokenizer *tokenizer_from(const char *text, size_t n, const char *path, const json_t *config, Err *err)
{
    Source src;
    source_open(&src, text, n);
    json_t *root =
        path ? json_parse_file(src.rest.data, src.rest.len, path, err) : json_parse(src.rest.data, src.rest.len, err);
    Tokenizer *t = root ? xcalloc(1, sizeof *t) : NULL;
    if (root && read_tokenizer(t, &src, root, config, err)) {
        if (path) err_context(err, "%s", path);
        tokenizer_free(t);
        t = NULL;
    }
    json_decref(root);
    source_release(&src);
    return t;
}

Tokenizer *tokenizer_parse(const char *json, size_t n, Err *err)
{
    return tokenizer_from(json, n, NULL, NULL, err);
}

Tokenizer *tokenizer_load(const char *model_dir, Err *err)
{
    Tokenizer *t = NULL;
    char *path = path_join(model_dir, "tokenizer.json"), *config_path = path_join(model_dir, "tokenizer_config.json");
    json_t *config = NULL;
    Buf text = {0};
    if (file_read(&text, path, FILE_MAX_BYTES, err) && !file_exists(path))
        err_hint(err, "a model folder has a tokenizer.json; vocab.json and merges.txt alone are not read");
    if (!err->msg[0] && file_exists(config_path)) config = json_load_path(config_path, FILE_MAX_BYTES, err);
    if (!err->msg[0]) t = tokenizer_from(text.data, text.len, path, config, err);
    buf_release(&text);
    json_decref(config);
    free(path);
    free(config_path);
    return t;
}
