#include "table/json_rows.h"

#include <stdio.h>
#include <string.h>

char *row_place(char *out, size_t n, RowPlace at)
{
    if (at.text_line == 0) snprintf(out, n, "%s: row %d", at.file, at.line);
    else if (at.line == at.text_line) snprintf(out, n, "%s:%d", at.file, at.line);
    else snprintf(out, n, "%s:%d (element %d)", at.file, at.text_line, at.line);
    return out;
}

/* The four characters JSON calls white space. */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(JsonRows *r)
{
    for (; r->p < r->end && is_space(*r->p); r->p++)
        if (*r->p == '\n') r->text_line++;
}

int json_rows_open(JsonRows *r, const char *path, const char *text, size_t n, Err *err)
{
    *r = (JsonRows){.at = {.file = path}, .p = text, .end = text ? text + n : NULL, .text_line = 1};
    if (n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) r->p += 3;
    skip_space(r);
    if (r->p == r->end) return err_set(err, "%s: the file is empty", path);
    if (*r->p == '[') {
        r->array = true;
        r->p++;
    } else if (*r->p != '{') {
        err_set(err, "%s:%d: not JSON: a data file begins with { or [, not with byte 0x%02x", path, r->text_line,
                (unsigned)(unsigned char)*r->p);
        bool utf16 = n >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
        return err_hint(err, utf16 ? "this looks like UTF-16; convert it to UTF-8"
                                   : "write one JSON object a line, or one list [...] of objects");
    }
    return 0;
}

/* An array element's end: the next comma or ] outside strings and nested brackets. NULL where the text ends first. */
static const char *element_end(const JsonRows *r, int *newlines)
{
    int depth = 0;
    bool in_string = false;
    for (const char *p = r->p; p < r->end; p++) {
        if (*p == '\n') ++*newlines;
        if (in_string) {
            if (*p == '\\' && p + 1 < r->end) p++;
            else if (*p == '"') in_string = false;
        } else if (*p == '"') {
            in_string = true;
        } else if (depth == 0 && (*p == ',' || *p == ']')) {
            return p;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (depth > 0 && (*p == '}' || *p == ']')) {
            depth--;
        }
    }
    return NULL;
}

static json_t *parse_row(JsonRows *r, const char *text, size_t n, Err *why)
{
    json_error_t e;
    json_t *row = json_loadb(text, n, JSON_ROW_FLAGS, &e);
    r->text = text;
    r->n = n;
    if (row) return row;
    if (r->array) err_set(why, "not valid JSON (line %d): %s", r->at.text_line + (e.line > 0 ? e.line - 1 : 0), e.text);
    else err_set(why, "not valid JSON (column %d): %s", e.column, e.text);
    return NULL;
}

/* Nothing but white space may follow the list. */
static int check_rest(JsonRows *r, Err *err)
{
    r->closed = true;
    skip_space(r);
    if (r->p == r->end) return 0;
    return err_set(err, "%s:%d: there is text after the list's closing ]", r->at.file, r->text_line);
}

static int next_element(JsonRows *r, json_t **row, Err *why, Err *err)
{
    if (r->closed) return 0;
    skip_space(r);
    if (r->at.line == 0 && r->p < r->end && *r->p == ']') {
        r->p++;
        return check_rest(r, err);
    }
    int newlines = 0;
    const char *begin = r->p, *end = element_end(r, &newlines);
    if (!end) {
        err_set(err, "%s:%d: the list that the file begins with has no end", r->at.file, r->text_line);
        return err_hint(err, "the file may have been cut short; is the closing ] there?");
    }
    r->at.line++;
    r->at.text_line = r->text_line;
    r->text_line += newlines;
    r->p = end + 1;
    if (*end == ']' && check_rest(r, err)) return -1;
    *row = parse_row(r, begin, (size_t)(end - begin), why);
    return 1;
}

static int next_line(JsonRows *r, json_t **row, Err *why)
{
    skip_space(r);
    if (r->p == r->end) return 0;
    const char *newline = memchr(r->p, '\n', (size_t)(r->end - r->p));
    const char *end = newline ? newline : r->end;
    r->at.line = r->at.text_line = r->text_line;
    *row = parse_row(r, r->p, (size_t)(end - r->p), why);
    r->p = end;
    return 1;
}

int json_rows_next(JsonRows *r, json_t **row, Err *why, Err *err)
{
    *row = NULL;
    err_clear(why);
    return r->array ? next_element(r, row, why, err) : next_line(r, row, why);
}
