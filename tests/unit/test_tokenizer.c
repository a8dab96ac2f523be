/* text/tokenizer and what it is made of, against ids and text that the `tokenizers` library gave. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "scratch.h"
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

#define DATA "tests/data/text/"
enum { FILE_MAX = 64 << 20 };

static Tokenizer *load(const char *dir)
{
    Err err = {0};
    Tokenizer *t = tokenizer_load(dir, &err);
    if (!t) fail_msg("%s", err.msg);
    return t;
}

/* Qwen2.5's tokenizer with 151 thousand entries, NULL where it is not at hand. */
static Tokenizer *load_qwen(char **dir)
{
    const char *base = getenv("OSLER_DATA");
    *dir = path_join(base ? base : "../shared/data", "tokenizer");
    char *path = path_join(*dir, "tokenizer.json");
    Tokenizer *t = file_exists(path) ? load(*dir) : NULL;
    free(path);
    return t;
}

static void show_difference(const char *what, int line, const TokenList *got, const json_t *want)
{
    int i = 0;
    while (i < got->n && i < (int)json_array_size(want) &&
           got->id[i] == json_integer_value(json_array_get(want, (size_t)i)))
        i++;
    fail_msg("%s:%d: %d ids, expected %zu; they differ from number %d on", what, line, got->n, json_array_size(want),
             i);
}

static void check_ids(const Tokenizer *t, const char *what, int line, const json_t *text, const json_t *want)
{
    TokenList l = {0};
    tokenizer_encode(t, json_string_value(text), json_string_length(text), &l);
    bool same = l.n == (int)json_array_size(want);
    for (int i = 0; i < l.n && same; i++) same = l.id[i] == json_integer_value(json_array_get(want, (size_t)i));
    if (!same) show_difference(what, line, &l, want);
    for (int i = 0; i < l.n; i++)
        assert_true(l.begin[i] >= 0 && l.begin[i] < l.end[i] && l.end[i] <= (int)json_string_length(text));
    tokens_release(&l);
}

static void check_decoded(const Tokenizer *t, const char *what, int line, const json_t *ids, bool skip,
                          const json_t *want)
{
    int n = (int)json_array_size(ids);
    int *id = xmalloc((size_t)(n + 1) * sizeof *id);
    for (int i = 0; i < n; i++) id[i] = (int)json_integer_value(json_array_get(ids, (size_t)i));
    Buf raw = {0}, text = {0};
    tokenizer_decode(t, id, n, skip, &raw);
    utf8_repair(&text, NULL, raw.data, raw.len);
    if (text.len != json_string_length(want) || (text.len && memcmp(text.data, json_string_value(want), text.len)))
        fail_msg("%s:%d: decoded to \"%s\"", what, line, text.data);
    buf_release(&raw);
    buf_release(&text);
    free(id);
}

static int check_golden(const Tokenizer *t, const char *path)
{
    Err err = {0};
    Buf b = {0};
    int rows = 0;
    assert_int_equal(file_read(&b, path, FILE_MAX, &err), 0);
    for (char *s = b.data, *end; s < b.data + b.len; s = end + 1) {
        end = strchr(s, '\n');
        json_t *row = json_parse(s, (size_t)(end - s), &err);
        if (!row) fail_msg("%s:%d: %s", path, rows + 1, err.msg);
        const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
        const json_t *decoded = json_object_get(row, "decoded"), *plain = json_object_get(row, "plain");
        rows++;
        if (text) check_ids(t, path, rows, text, ids);
        if (!decoded) decoded = text;
        check_decoded(t, path, rows, ids, false, decoded);
        check_decoded(t, path, rows, ids, true, plain ? plain : decoded);
        json_decref(row);
    }
    buf_release(&b);
    return rows;
}

static void layouts_match(void **state)
{
    (void)state;
    static const char *const layout[] = {"qwen2", "llama3", "gpt2"};
    for (int i = 0; i < 3; i++) {
        char *dir = path_join(DATA, layout[i]), *golden = path_join(dir, "golden.jsonl");
        Tokenizer *t = load(dir);
        assert_true(check_golden(t, golden) > 400);
        tokenizer_free(t);
        free(golden);
        free(dir);
    }
}

static void qwen_matches(void **state)
{
    (void)state;
    char *dir;
    Tokenizer *t = load_qwen(&dir);
    free(dir);
    if (!t) skip();
    assert_int_equal(tokenizer_size(t), 151665);
    assert_int_equal(tokenizer_id(t, "<|im_end|>"), 151645);
    assert_true(check_golden(t, DATA "qwen2.5.jsonl") > 600);
    tokenizer_free(t);
}

/* Texts separated by a line of their own, and a line of ids for each. */
static void llama_cpp_vectors_match(void **state)
{
    (void)state;
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char *dir;
    Err err = {0};
    Tokenizer *t = load_qwen(&dir);
    char *in_path = path_join(dir, "qwen2.inp"), *out_path = path_join(dir, "qwen2.out");
    free(dir);
    Buf in = {0}, out = {0};
    bool here = t && file_exists(in_path) && file_exists(out_path);
    if (here) assert_int_equal(file_read(&in, in_path, FILE_MAX, &err) || file_read(&out, out_path, FILE_MAX, &err), 0);
    free(in_path);
    free(out_path);
    if (!here) tokenizer_free(t);
    if (!here) skip();
    int n = 0;
    char *line = out.data;
    for (char *s = in.data, *end; (end = strstr(s, separator)); s = end + strlen(separator), n++) {
        TokenList l = {0};
        tokenizer_encode(t, s, (size_t)(end - s), &l);
        for (int i = 0; i < l.n; i++) assert_int_equal(l.id[i], strtol(line, &line, 10));
        line += strspn(line, " ");
        assert_true(*line++ == '\n');
        tokens_release(&l);
    }
    assert_int_equal(n, 46);
    buf_release(&in);
    buf_release(&out);
    tokenizer_free(t);
}

/* ---- offsets ---- */

/* Offsets of a text's tokens, as "begin-end begin-end ..." */
static void check_offsets(const Tokenizer *t, const char *text, size_t n, const char *want)
{
    TokenList l = {0};
    Buf b = {0};
    tokenizer_encode(t, text, n, &l);
    for (int i = 0; i < l.n; i++) buf_printf(&b, "%s%d-%d", i ? " " : "", l.begin[i], l.end[i]);
    assert_string_equal(b.data, want);
    buf_release(&b);
    tokens_release(&l);
}

static void offsets_lead_back(void **state)
{
    (void)state;
    Tokenizer *t = load(DATA "qwen2");
#define OFFSETS(text, want) check_offsets(t, text, sizeof(text) - 1, want)
    OFFSETS("1 23", "0-1 1-2 2-3 3-4");
    OFFSETS("1<|im_end|>2", "0-1 1-11 11-12");
    /* e + acute becomes one character of two bytes; both tokens came from all three bytes */
    OFFSETS("1e\xcc\x81z<|im_end|>", "0-1 1-4 1-4 4-5 5-15");
    OFFSETS("<|im_end|>1e\xcc\x81", "0-10 10-11 11-14 11-14");
    /* a broken character becomes U+FFFD: three tokens from two bytes */
    OFFSETS("1\xe6\xbc"
            "2",
            "0-1 1-3 1-3 1-3 3-4");
    OFFSETS("1\xff"
            "e\xcc\x81",
            "0-1 1-2 1-2 1-2 2-5 2-5");
#undef OFFSETS
    tokenizer_free(t);
}

/* ---- what the file may say ---- */

/* The qwen2 layout with the value at "a.b.0" replaced (or removed where value is NULL). */
static char *changed_file(const char *path, const char *value, size_t *n)
{
    Err err = {0};
    json_t *root = json_load_path(DATA "qwen2/tokenizer.json", FILE_MAX, &err), *v = root;
    char *copy = xstrdup(path), *key = copy;
    for (char *dot; (dot = strchr(key, '.')); key = dot + 1) {
        *dot = 0;
        v = json_is_array(v) ? json_array_get(v, (size_t)atoi(key)) : json_object_get(v, key);
    }
    json_t *item = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    if (!item) json_object_del(v, key);
    else if (json_is_array(v)) json_array_set_new(v, (size_t)atoi(key), item);
    else json_object_set_new(v, key, item);
    char *text = json_dumps(root, 0);
    *n = strlen(text);
    free(copy);
    json_decref(root);
    return text;
}

static void what_is_not_supported_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *message; /* message NULL: it loads */
    } row[] = {
        {"version", "\"2.0\"", NULL},
        {"truncation", "{\"max_length\": 2}", NULL},
        {"normalizer", "null", NULL},
        {"normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}]}", NULL},
        {"normalizer", "{\"type\": \"NFKC\"}", "NFKC"},
        {"normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Lowercase\"}]}", "Lowercase"},
        {"normalizer", "7", "normalizer"},
        {"model", NULL, "\"model\" is missing"},
        {"model.type", "\"Unigram\"", "Unigram"},
        {"model.type", NULL, NULL},
        {"model.dropout", "0.1", "dropout"},
        {"model.dropout", "0.0", NULL},
        {"model.unk_token", "\"<unk>\"", NULL}, /* every byte is a token: never used */
        {"model.byte_fallback", "true", NULL},  /* likewise */
        {"model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix"},
        {"model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix"},
        {"model.vocab.a", NULL, "byte 0x61"},
        {"model.vocab.a", "0", "two tokens"},
        {"model.vocab.a", "-1", "\"a\""},
        {"model.vocab.a", "99999999999", "\"a\""},
        {"model.vocab.a", "1.5", "\"a\""},
        {"model.merges.0", "[\"h\"]", "merges[0]"},
        {"model.merges.0", "\"h e x\"", "merges[0]"},
        {"model.merges.0", "[\"h\", \"qqq\"]", "qqq"},
        {"model.merges.1", "7", "merges[1]"},
        {"pre_tokenizer", "null", "pre_tokenizer"},
        {"pre_tokenizer", "{\"type\": \"Metaspace\"}", "Metaspace"},
        {"pre_tokenizer.pretokenizers.0.behavior", "\"Removed\"", "Removed"},
        {"pre_tokenizer.pretokenizers.0.invert", "true", "inverted"},
        {"pre_tokenizer.pretokenizers.0.pattern", "{\"String\": \" \"}", "Regex"},
        {"pre_tokenizer.pretokenizers.0.pattern.Regex", "\"[a-\"", "split pattern"},
        {"pre_tokenizer.pretokenizers.0.type", "\"Digits\"", "Digits"},
        {"pre_tokenizer.pretokenizers.1.use_regex", "true", "more than one split"},
        {"pre_tokenizer.pretokenizers.1.add_prefix_space", "true", "add_prefix_space"},
        {"pre_tokenizer.pretokenizers", "[]", "empty"},
        {"decoder", "null", "decoder"},
        {"decoder", "{\"type\": \"WordPiece\"}", "WordPiece"},
        {"decoder", "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteLevel\"}]}", NULL},
        {"added_tokens.0.id", "7", "would load as"},
        {"added_tokens.3.content", "\"\"", "would load as"}, /* the ones after it move up */
        {"added_tokens.15.content", "\"\"", NULL},
        {"added_tokens.2.special", NULL, "added_tokens[2]"},
        {"added_tokens", "null", NULL},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err err = {0};
        size_t n;
        char *json = changed_file(row[i].path, row[i].value, &n);
        Tokenizer *t = tokenizer_parse(json, n, &err);
        if (!t != !!row[i].message) fail_msg("row %zu (%s): %s", i, row[i].path, t ? "it loads" : err.msg);
        if (!t && !strstr(err.msg, row[i].message)) fail_msg("row %zu (%s): \"%s\"", i, row[i].path, err.msg);
        tokenizer_free(t);
        free(json);
    }
}

static void patterns_mean_the_same_or_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool good;
    } row[] = {{"a|b", true},
               {"\\s+(?!\\S)|\\s+", true},
               {"\\p{N}{1,3}", true},
               {"[a-z0-9_]+", true},
               {"[^\\r\\n]+?", true},
               {"x++", true},
               {"(?i:'re|'LL)", true},
               {"\\.\\-\\[", true},
               {"", false},
               {"a*", false},
               {"(?=a)", false},
               {"a(", false},
               {"(a)", false},
               {"(?:ab)+", false},
               {"(?:ab){2}", false},
               {"(?<=a)b", false},
               {"^a", false},
               {"a$", false},
               {"a.", false},
               {"\\w", false},
               {"\\d", false},
               {"\\h", false},
               {"\\v", false},
               {"\\p{Lu}", false},
               {"\\P{L}", false},
               {"\\pL", false},
               {"\\x41", false},
               {"\\1", false},
               {"[[:alpha:]]", false},
               {"[a&&b]", false},
               {"[\\S]", false},
               {"[a-\\s]", false},
               {"[\\s-z]", false},
               {"[a-c-e]", false},
               {"[-a]", false},
               {"[]a]", false},
               {"[a", false},
               {"a{2}?", false},
               {"a{2}+", false},
               {"a{,2}", false},
               {"a+*", false},
               {"(?i:ss)", false},
               {"(?i:k.)", false},
               {"(?i:\xc3\xa9)", false},
               {"\\", false},
               {"(?#x)a", false},
               {"(?x:a b)", false},
               {"a{99999}", false}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err err = {0};
        Splitter *s = splitter_new(row[i].pattern, strlen(row[i].pattern), &err);
        if (!!s != row[i].good) fail_msg("%s: %s", row[i].pattern, s ? "taken" : err.msg);
        if (!s) assert_true(err.msg[0]);
        splitter_free(s);
    }
}

static void config_adds_tokens(void **state)
{
    (void)state;
    Err err = {0};
    char *dir = scratch_new(), *file = path_join(dir, "tokenizer.json"),
         *config = path_join(dir, "tokenizer_config.json");
    static const char good[] =
        "{\"added_tokens_decoder\": {\"641\": {\"content\": \"<b>\", \"special\": true}, \"640\": "
        "{\"content\": \"<a>\", \"special\": false}, \"2\": {\"content\": \"<|im_end|>\", "
        "\"special\": true}}}";
    static const char bad[] = "{\"added_tokens_decoder\": {\"700\": {\"content\": \"<b>\", \"special\": true}}}";
    assert_int_equal(file_copy(file, DATA "qwen2/tokenizer.json", &err), 0);
    assert_int_equal(file_save(config, good, sizeof good - 1, &err), 0);
    Tokenizer *t = load(dir);
    assert_int_equal(tokenizer_id(t, "<a>"), 640);
    assert_int_equal(tokenizer_id(t, "<b>"), 641);
    assert_int_equal(tokenizer_size(t), 642);
    assert_true(tokenizer_is_special(t, 641) && !tokenizer_is_special(t, 640));
    check_offsets(t, "<a><b>", 6, "0-3 3-6");
    tokenizer_free(t);
    assert_int_equal(file_save(config, bad, sizeof bad - 1, &err), 0);
    assert_null(tokenizer_load(dir, &err));
    assert_non_null(strstr(err.msg, "tokenizer_config.json"));
    scratch_free(dir);
    free(file);
    free(config);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    Err err = {0};
    assert_null(tokenizer_load("no/such/model", &err));
    assert_non_null(strstr(err.msg, "no/such/model/tokenizer.json"));
    assert_true(err.hint[0]);
}

/* ---- the rest of the interface ---- */

static void odd_ids_are_harmless(void **state)
{
    (void)state;
    Tokenizer *t = load(DATA "qwen2");
    static const int ids[] = {-1, INT32_MIN, INT32_MAX, 640, 1 << 20};
    Buf b = {0};
    tokenizer_decode(t, ids, 5, false, &b);
    assert_int_equal(b.len, 0);
    assert_false(tokenizer_is_special(t, -1) || tokenizer_is_special(t, INT32_MAX));
    assert_int_equal(tokenizer_id(t, "no such token"), -1);
    assert_true(tokenizer_is_special(t, tokenizer_id(t, "<|im_end|>")));
    assert_false(tokenizer_is_special(t, tokenizer_id(t, "<tool_call>")));
    buf_release(&b);
    tokenizer_free(t);
}

/* A quadratic step anywhere would take minutes. */
static void long_words_take_linear_time(void **state)
{
    (void)state;
    static const char *const unit[] = {"a", " ", "\n",         " \n", "\xe6\xbc\xa2", "e\xcc\x81", "\xcc\x81\xcc\xa7",
                                       "'", "<", "<|im_end|>", "\xff"};
    Tokenizer *t = load(DATA "qwen2");
    clock_t start = clock();
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        Buf b = {0};
        TokenList l = {0};
        for (int k = 0; k < 200000; k++) buf_str(&b, unit[i]);
        tokenizer_encode(t, b.data, b.len, &l);
        assert_int_equal(l.begin[0], 0);
        assert_int_equal(l.end[l.n - 1], b.len);
        tokens_release(&l);
        buf_release(&b);
    }
    assert_true((clock() - start) / CLOCKS_PER_SEC < 20);
    tokenizer_free(t);
}

typedef struct Job {
    const Tokenizer *t;
    uint64_t hash;
} Job;

static void *encode_often(void *arg)
{
    static const char text[] =
        "The heart\xe2\x80\x99s size is 12.5 cm.\n\n e\xcc\x81 <|im_end|> \xe6\x82\xa3\xe8\x80\x85 don't";
    Job *job = arg;
    job->hash = HASH_INIT;
    for (int i = 0; i < 300; i++) {
        TokenList l = {0};
        tokenizer_encode(job->t, text, sizeof text - 1 - (size_t)i % 7, &l);
        job->hash = hash_bytes(job->hash, l.id, (size_t)l.n * sizeof *l.id);
        tokens_release(&l);
    }
    return NULL;
}

static void many_threads_share_it(void **state)
{
    (void)state;
    Tokenizer *t = load(DATA "qwen2");
    Job job[4];
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        job[i].t = t;
        assert_int_equal(pthread_create(&thread[i], NULL, encode_often, &job[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    for (int i = 1; i < 4; i++) assert_true(job[i].hash == job[0].hash);
    tokenizer_free(t);
}

static void utf8_is_repaired_and_held_back(void **state)
{
    (void)state;
    /* from the standard's table 3-8 and around: longest pieces that begin like a character */
    static const struct {
        const char *in, *out;
        size_t complete;
    } row[] = {{"", "", 0},
               {"ab", "ab", 2},
               {"a\xc3", "a?", 1},
               {"a\xc3\xa9", "a\xc3\xa9", 3},
               {"\xf0\x9f\x91", "?", 0},
               {"\xf0\x9f\x91\x8d", "\xf0\x9f\x91\x8d", 4},
               {"x\xf0\x9f\x91y", "x?y", 5},
               {"\xe6\xbc\xe6\xbc\xa2", "?\xe6\xbc\xa2", 5},
               {"\x80\x80", "??", 2},
               {"\xc0\xaf", "??", 2},
               {"\xe0\x80\xaf", "???", 3},
               {"\xed\xa0\x80", "???", 3},
               {"\xf4\x90\x80\x80", "????", 4},
               {"\xf5\xff", "??", 2},
               {"\xf1\x80\x80\xe1\x80\xc2\x62", "???b", 7},
               {"a\xe1\x80", "a?", 1},
               {"a\xe0\x80", "a??", 3},
               {"a\xf4", "a?", 1}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Buf got = {0}, want = {0};
        size_t n = strlen(row[i].in);
        for (const char *s = row[i].out; *s; s++)
            *s == '?' ? buf_str(&want, "\xef\xbf\xbd") : buf_byte(&want, (unsigned char)*s);
        utf8_repair(&got, NULL, row[i].in, n);
        assert_int_equal(got.len, want.len);
        if (want.len) assert_memory_equal(got.data, want.data, want.len);
        assert_int_equal(utf8_complete(row[i].in, n), row[i].complete);
        assert_int_equal(utf8_valid(row[i].in, n), !strchr(row[i].out, '?'));
        buf_release(&got);
        buf_release(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_match),
        cmocka_unit_test(qwen_matches),
        cmocka_unit_test(llama_cpp_vectors_match),
        cmocka_unit_test(offsets_lead_back),
        cmocka_unit_test(what_is_not_supported_is_named),
        cmocka_unit_test(patterns_mean_the_same_or_are_refused),
        cmocka_unit_test(config_adds_tokens),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(odd_ids_are_harmless),
        cmocka_unit_test(long_words_take_linear_time),
        cmocka_unit_test(many_threads_share_it),
        cmocka_unit_test(utf8_is_repaired_and_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
