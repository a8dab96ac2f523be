#include "table/delimited.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The place behind a quoted field that begins at `at`, NULL where it has no end; *doubled counts quotes written "". */
static const char *quoted_end(const char *at, const char *end, size_t *doubled)
{
    for (const char *p = at + 1; p < end && (p = memchr(p, '"', (size_t)(end - p))); p += 2) {
        if (p + 1 == end || p[1] != '"') return p + 1;
        ++*doubled;
    }
    return NULL;
}

static bool ends_row(char c)
{
    return c == '\n' || c == '\r';
}

static const char *plain_end(const Delimited *d, const char *at, const char *end)
{
    while (at < end && *at != d->separator && !ends_row(*at)) at++;
    return at;
}

static int no_end(const Delimited *d, int64_t line, Err *err)
{
    err_set(err, "%s:%lld: a field begins with a quote that is never closed", d->name, (long long)line);
    return err_hint(err, "a field with quotes in it is written \"...\", with each of them doubled");
}

static int64_t count_lines(const char *at, const char *end)
{
    int64_t n = 0;
    for (; at < end; at++) n += *at == '\n' || (*at == '\r' && (at + 1 == end || at[1] != '\n'));
    return n;
}

/* Leads *at behind the row that begins there and the end of its line. */
static int pass_row(const Delimited *d, const char **at, const char *end, int64_t *line, Err *err)
{
    const char *p = *at;
    size_t doubled;
    for (bool more = true; more;) {
        const char *field = p;
        if (p < end && *p == '"' && !(p = quoted_end(p, end, &doubled))) return no_end(d, *line, err);
        p = plain_end(d, p, end);
        *line += count_lines(field, p);
        more = p < end && *p == d->separator;
        p += more;
    }
    if (p < end && *p == '\r' && p + 1 < end && p[1] == '\n') p++;
    if (p < end) p++, ++*line;
    *at = p;
    return 0;
}

int delimited_find_rows(Delimited *d, Err *err)
{
    const char *p = d->text, *end = d->text + d->n;
    int64_t line = 1;
    if (d->n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3;
    while (p < end) {
        const DelimitedRow row = {.at = (size_t)(p - d->text), .line = line};
        bool empty = ends_row(*p);
        if (pass_row(d, &p, end, &line, err)) return -1;
        if (empty) continue;
        if (d->row.n > INT_MAX / 4) return err_set(err, "%s: too many rows", d->name);
        vec_push(&d->row, row);
    }
    return 0;
}

/* The content of a quoted field of n bytes with its quotes. */
static int unquote(Cell *c, const char *field, size_t n, size_t doubled, Arena *a, Err *err)
{
    *c = (Cell){.kind = CELL_TEXT, .text = field + 1, .n = n - 2};
    if (doubled == 0) return 0;
    char *out = cell_alloc(a, n, err);
    if (!out) return -1;
    size_t len = 0;
    for (size_t i = 1; i + 1 < n; i++) {
        out[len++] = field[i];
        if (field[i] == '"') i++;
    }
    *c = (Cell){.kind = CELL_TEXT, .text = out, .n = len};
    return 0;
}

static int read_field(const Delimited *d, Cell *c, const char **at, const char *end, Arena *a, Err *err)
{
    const char *from = *at;
    size_t doubled = 0;
    bool quoted = from < end && *from == '"';
    const char *to = quoted ? quoted_end(from, end, &doubled) : plain_end(d, from, end);
    if (!to) return err_set(err, "a quote is never closed");
    if (!quoted) *c = (Cell){.kind = CELL_TEXT, .text = from, .n = (size_t)(to - from)};
    else if (unquote(c, from, (size_t)(to - from), doubled, a, err)) return -1;
    if (quoted && plain_end(d, to, end) != to) return err_set(err, "there is text behind the closing quote of a field");
    if (c->n == 0) *c = (Cell){0};
    *at = to;
    return 0;
}

int delimited_read(const Delimited *d, int row, CellList *fields, Arena *a, Err *err)
{
    const char *p = d->text + d->row.at[row].at, *end = d->text + d->n;
    *fields = (CellList){0};
    for (bool more = true; more;) {
        Cell c;
        if (read_field(d, &c, &p, end, a, err) || cell_list_add(fields, c, a, err)) return -1;
        more = p < end && *p == d->separator;
        p += more;
    }
    return 0;
}

void delimited_release(Delimited *d)
{
    free(d->row.at);
    *d = (Delimited){0};
}
