#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static json_t *parse(const char *text, size_t n, const char *path, Err *err)
{
    json_error_t e;
    json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (v) return v;
    if (path) err_set(err, "%s:%d:%d: not valid JSON: %s", path, e.line, e.column, e.text);
    else err_set(err, "line %d, column %d: not valid JSON: %s", e.line, e.column, e.text);
    return NULL;
}

json_t *json_load_path(const char *path, size_t max_bytes, Err *err)
{
    Buf b = {0};
    json_t *v = file_read(&b, path, max_bytes, err) ? NULL : parse(b.data, b.len, path, err);
    buf_release(&b);
    return v;
}

json_t *json_parse(const char *text, size_t n, Err *err)
{
    return parse(text, n, NULL, err);
}

json_t *json_parse_file(const char *text, size_t n, const char *path, Err *err)
{
    return parse(text, n, path, err);
}

const char *json_kind(const json_t *v)
{
    if (!v) return "nothing";
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_INTEGER: return "integer";
    case JSON_REAL: return "real";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    default: return "null";
    }
}

/* 1: present and not null; 0: absent; -1: absent but required, or obj is no object. */
static int lookup(const json_t *obj, const char *key, const json_t **v, bool required, Err *err)
{
    *v = NULL;
    if (!json_is_object(obj)) return err_set(err, "expected an object with \"%s\", got %s", key, json_kind(obj));
    *v = json_object_get(obj, key);
    if (*v && !json_is_null(*v)) return 1;
    return required ? err_set(err, "\"%s\" is missing", key) : 0;
}

static int wrong_kind(const char *key, const char *want, const json_t *v, Err *err)
{
    return err_set(err, "\"%s\" must be %s, got %s", key, want, json_kind(v));
}

int json_get_i64(const json_t *obj, const char *key, int64_t *out, bool required, Err *err)
{
    const json_t *v;
    int rc = lookup(obj, key, &v, required, err);
    if (rc <= 0) return rc;
    if (!json_is_integer(v)) return wrong_kind(key, "an integer", v, err);
    *out = json_integer_value(v);
    return 0;
}

int json_get_int(const json_t *obj, const char *key, int *out, bool required, Err *err)
{
    int64_t wide = *out;
    if (json_get_i64(obj, key, &wide, required, err)) return -1;
    if (wide < INT32_MIN || wide > INT32_MAX) return err_set(err, "\"%s\" is out of range", key);
    *out = (int)wide;
    return 0;
}

int json_get_num(const json_t *obj, const char *key, double *out, bool required, Err *err)
{
    const json_t *v;
    int rc = lookup(obj, key, &v, required, err);
    if (rc <= 0) return rc;
    if (!json_is_number(v)) return wrong_kind(key, "a number", v, err);
    *out = json_number_value(v);
    return 0;
}

int json_get_bool(const json_t *obj, const char *key, bool *out, bool required, Err *err)
{
    const json_t *v;
    int rc = lookup(obj, key, &v, required, err);
    if (rc <= 0) return rc;
    if (!json_is_boolean(v)) return wrong_kind(key, "true or false", v, err);
    *out = json_is_true(v);
    return 0;
}

int json_get_str(const json_t *obj, const char *key, const char **out, bool required, Err *err)
{
    const json_t *v;
    int rc = lookup(obj, key, &v, required, err);
    if (rc <= 0) return rc;
    if (!json_is_string(v)) return wrong_kind(key, "a string", v, err);
    *out = json_string_value(v);
    return 0;
}

int json_get_array(const json_t *obj, const char *key, const json_t **out, bool required, Err *err)
{
    const json_t *v;
    *out = NULL;
    int rc = lookup(obj, key, &v, required, err);
    if (rc <= 0) return rc;
    if (!json_is_array(v)) return wrong_kind(key, "a list", v, err);
    *out = v;
    return 0;
}

int json_get_object(const json_t *obj, const char *key, const json_t **out, bool required, Err *err)
{
    const json_t *v;
    *out = NULL;
    int rc = lookup(obj, key, &v, required, err);
    if (rc <= 0) return rc;
    if (!json_is_object(v)) return wrong_kind(key, "an object", v, err);
    *out = v;
    return 0;
}

void json_append(Buf *b, const json_t *v)
{
    char *s = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
    CHECK(s, "json_dumps failed");
    buf_str(b, s);
    free(s);
}

size_t utf8_len(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (!n) return 0;
    size_t k = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    if (!k || k > n) return 0;
    for (size_t i = 1; i < k; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (k == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))) return 0;
    if (k == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))) return 0;
    return k;
}

void json_append_str(Buf *b, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    buf_byte(b, '"');
    for (size_t i = 0, k; i < n; i += k ? k : 1) {
        k = utf8_len(s + i, n - i);
        if (k == 0) buf_str(b, "\xef\xbf\xbd");
        else if (k > 1) buf_add(b, p + i, k);
        else if (p[i] == '"' || p[i] == '\\') buf_printf(b, "\\%c", p[i]);
        else if (p[i] == '\n') buf_str(b, "\\n");
        else if (p[i] < 0x20 || p[i] == 0x7f) buf_printf(b, "\\u%04x", p[i]);
        else buf_byte(b, p[i]);
    }
    buf_byte(b, '"');
}
