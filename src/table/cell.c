#include "table/cell.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *cell_kind_name(CellKind k)
{
    static const char *const NAME[] = {
        [CELL_NULL] = "null", [CELL_BOOL] = "true or false", [CELL_INT] = "an integer", [CELL_REAL] = "a number",
        [CELL_TEXT] = "text", [CELL_BYTES] = "bytes",        [CELL_LIST] = "a list",    [CELL_STRUCT] = "a structure",
    };
    return NAME[k];
}

const Cell *cell_field(const Cell *c, const char *name)
{
    if (c->kind != CELL_STRUCT) return NULL;
    for (size_t i = 0; i < c->n; i++)
        if (!strcmp(c->item[i].name, name)) return &c->item[i];
    return NULL;
}

static int wrong_kind(const Cell *c, const char *want, Err *err)
{
    if (c->kind != CELL_TEXT) return err_set(err, "must be %s, got %s", want, cell_kind_name(c->kind));
    return err_set(err, "must be %s, got \"%.*s\"", want, (int)(c->n < 40 ? c->n : 40), c->text);
}

/* Text of up to 63 bytes without white space around it. */
static bool short_text(char out[64], const Cell *c)
{
    size_t from = 0, to = c->n;
    while (from < to && strchr(" \t\r\n", c->text[from])) from++;
    while (to > from && strchr(" \t\r\n", c->text[to - 1])) to--;
    if (to == from || to - from > 63 || memchr(c->text + from, 0, to - from)) return false;
    memcpy(out, c->text + from, to - from);
    out[to - from] = 0;
    return true;
}

static bool whole(double x)
{
    return x >= -0x1p63 && x < 0x1p63 && !(x - trunc(x) < 0) && !(x - trunc(x) > 0);
}

int cell_int(int64_t *out, const Cell *c, Err *err)
{
    char text[64], *end = text;
    double real = 0;
    if (c->kind == CELL_INT || c->kind == CELL_BOOL) {
        *out = c->i;
        return 0;
    }
    if (c->kind == CELL_TEXT && short_text(text, c)) {
        errno = 0;
        *out = strtoll(text, &end, 10);
        if (!*end && !errno) return 0;
    }
    if ((c->kind != CELL_REAL && c->kind != CELL_TEXT) || cell_real(&real, c, &(Err){0}) || !whole(real))
        return wrong_kind(c, "a whole number", err);
    *out = (int64_t)real;
    return 0;
}

int cell_real(double *out, const Cell *c, Err *err)
{
    char text[64], *end = text;
    if (c->kind == CELL_REAL) *out = c->real;
    else if (c->kind == CELL_INT || c->kind == CELL_BOOL) *out = (double)c->i;
    else if (c->kind != CELL_TEXT || !short_text(text, c)) return wrong_kind(c, "a number", err);
    else {
        *out = strtod(text, &end);
        if (*end) return wrong_kind(c, "a number", err);
    }
    return 0;
}

static void text_json(Buf *out, const Cell *c)
{
    if (c->kind == CELL_NULL) buf_str(out, "null");
    else if (c->kind == CELL_TEXT || c->kind == CELL_BYTES) json_append_str(out, c->text, c->n);
    else cell_text(out, c);
}

void cell_text(Buf *out, const Cell *c)
{
    bool list = c->kind == CELL_LIST;
    switch (c->kind) {
    case CELL_NULL: break;
    case CELL_BOOL: buf_str(out, c->i ? "true" : "false"); break;
    case CELL_INT: buf_printf(out, "%lld", (long long)c->i); break;
    case CELL_REAL: buf_real(out, c->real); break;
    case CELL_TEXT:
    case CELL_BYTES: buf_add(out, c->text, c->n); break;
    case CELL_LIST:
    case CELL_STRUCT:
        buf_byte(out, list ? '[' : '{');
        for (size_t i = 0; i < c->n; i++) {
            if (i) buf_str(out, ", ");
            if (!list) {
                json_append_str(out, c->item[i].name, strlen(c->item[i].name));
                buf_str(out, ": ");
            }
            text_json(out, &c->item[i]);
        }
        buf_byte(out, list ? ']' : '}');
    }
}

char *cell_str(const Cell *c)
{
    Buf b = {0};
    cell_text(&b, c);
    return b.data ? buf_take(&b) : xstrdup("");
}

static json_t *items_json(const Cell *c, Err *err)
{
    json_t *out = c->kind == CELL_LIST ? json_array() : json_object();
    for (size_t i = 0; i < c->n; i++) {
        json_t *v = cell_json(&c->item[i], err);
        int rc = !v                     ? -1
                 : c->kind == CELL_LIST ? json_array_append_new(out, v)
                                        : json_object_set_new(out, c->item[i].name, v);
        if (rc == 0) continue;
        if (c->kind == CELL_LIST) err_context(err, "[%zu]", i);
        else err_set(err, "the name of field %zu is not UTF-8", i), err_context(err, "%s", c->item[i].name);
        json_decref(out);
        return NULL;
    }
    return out;
}

json_t *cell_json(const Cell *c, Err *err)
{
    json_t *v = NULL;
    switch (c->kind) {
    case CELL_NULL: return json_null();
    case CELL_BOOL: return json_boolean(c->i != 0);
    case CELL_INT: return json_integer(c->i);
    case CELL_REAL: return isfinite(c->real) ? json_real(c->real) : json_null();
    case CELL_TEXT: v = json_stringn(c->text, c->n); break;
    case CELL_BYTES: break;
    case CELL_LIST:
    case CELL_STRUCT: return items_json(c, err);
    }
    if (!v && c->kind == CELL_TEXT) err_set(err, "the text is not UTF-8");
    else if (!v) err_set(err, "bytes cannot be written as JSON");
    return v;
}

static int from_object(Cell *c, const json_t *v, Arena *a, Err *err)
{
    const char *key;
    json_t *value;
    size_t i = 0;
    c->kind = CELL_STRUCT;
    c->n = json_object_size(v);
    if (!(c->item = cell_alloc(a, c->n * sizeof *c->item, err))) return -1;
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        if (cell_from_json(&c->item[i], value, a, err)) return -1;
        c->item[i++].name = key;
    }
    return 0;
}

static int from_array(Cell *c, const json_t *v, Arena *a, Err *err)
{
    c->kind = CELL_LIST;
    c->n = json_array_size(v);
    if (!(c->item = cell_alloc(a, c->n * sizeof *c->item, err))) return -1;
    for (size_t i = 0; i < c->n; i++)
        if (cell_from_json(&c->item[i], json_array_get(v, i), a, err)) return -1;
    return 0;
}

int cell_from_json(Cell *c, const json_t *v, Arena *a, Err *err)
{
    *c = (Cell){0};
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT: return from_object(c, v, a, err);
    case JSON_ARRAY: return from_array(c, v, a, err);
    case JSON_STRING: *c = (Cell){.kind = CELL_TEXT, .text = json_string_value(v), .n = json_string_length(v)}; break;
    case JSON_INTEGER: *c = (Cell){.kind = CELL_INT, .i = json_integer_value(v)}; break;
    case JSON_REAL: *c = (Cell){.kind = CELL_REAL, .real = json_real_value(v)}; break;
    case JSON_TRUE:
    case JSON_FALSE: *c = (Cell){.kind = CELL_BOOL, .i = json_is_true(v)}; break;
    case JSON_NULL: break;
    }
    return 0;
}

void *cell_alloc(Arena *a, size_t n, Err *err)
{
    enum { ALIGN = 64 };
    if (n < CELL_MAX_BYTES && a->used + ALIGN + n <= CELL_MAX_BYTES) return arena_alloc(a, n);
    err_set(err, "a row needs more than %zu MiB of memory", CELL_MAX_BYTES >> 20);
    return NULL;
}

int cell_list_add(CellList *l, Cell c, Arena *a, Err *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        Cell *grown = cell_alloc(a, cap * sizeof *grown, err);
        if (!grown) return -1;
        if (l->n) memcpy(grown, l->item, l->n * sizeof *grown);
        l->item = grown;
        l->cap = cap;
    }
    l->item[l->n++] = c;
    return 0;
}
