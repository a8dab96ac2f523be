#include "base/json_scan.h"

#include <string.h>

#include "base/json.h"

JsonScan json_scan(const char *text, size_t n)
{
    return (JsonScan){.text = text, .at = text, .end = text + n};
}

void json_scan_release(JsonScan *s)
{
    buf_release(&s->string);
}

static bool fail(JsonScan *s)
{
    s->bad = true;
    return false;
}

/* The next character that is not space; 0 at the end and after an error. */
static char peek(JsonScan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t')) s->at++;
    return s->at < s->end && !s->bad ? *s->at : 0;
}

bool json_scan_enter(JsonScan *s, char open)
{
    if (peek(s) != open) return false;
    s->at++;
    s->first = true;
    return true;
}

/* Past a comma, or nothing before the first value; false behind the closing bracket. */
static bool next_value(JsonScan *s, char close)
{
    char c = peek(s);
    bool first = s->first;
    s->first = false;
    if (c == close) {
        s->at++;
        return false;
    }
    if (first) return c ? true : fail(s);
    if (c != ',') return fail(s);
    s->at++;
    c = peek(s);
    return c && c != close ? true : fail(s);
}

bool json_scan_element(JsonScan *s)
{
    return next_value(s, ']');
}

bool json_scan_member(JsonScan *s)
{
    if (!next_value(s, '}')) return false;
    if (!json_scan_string(s) || peek(s) != ':') return fail(s);
    s->at++;
    return peek(s) ? true : fail(s);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* The closing quote of the string that opens at `at`; NULL where there is none. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && ++at >= end) return NULL;
    return at < end ? at : NULL;
}

/* A string with escapes, quotes included. */
static bool decode_escaped(JsonScan *s, const char *text, size_t n)
{
    json_t *v = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (v) buf_add(&s->string, json_string_value(v), json_string_length(v));
    json_decref(v);
    return v ? true : fail(s);
}

bool json_scan_string(JsonScan *s)
{
    if (peek(s) != '"') return false;
    const char *from = s->at + 1, *end = string_end(s->at, s->end);
    if (!end) return fail(s);
    size_t n = (size_t)(end - from);
    buf_clear(&s->string);
    if (memchr(from, '\\', n)) {
        if (!decode_escaped(s, s->at, n + 2)) return false;
    } else {
        for (const char *p = from; p < end;) {
            unsigned char c = (unsigned char)*p;
            size_t k = c < 0x20 ? 0 : c < 0x80 ? 1 : utf8_len(p, (size_t)(end - p));
            if (!k) return fail(s);
            p += k;
        }
        buf_add(&s->string, from, n);
    }
    s->at = end + 1;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool json_scan_integer(JsonScan *s, int64_t *v)
{
    char c = peek(s);
    const char *p = s->at;
    bool negative = c == '-';
    int64_t sum = 0;
    if (negative) p++;
    if (p >= s->end || !is_digit(*p)) return false;
    if (*p == '0' && p + 1 < s->end && is_digit(p[1])) return fail(s);
    for (; p < s->end && is_digit(*p); p++)
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *p - '0', &sum)) return false;
    if (p < s->end && (*p == '.' || *p == 'e' || *p == 'E')) return false;
    *v = negative ? -sum : sum;
    s->at = p;
    return true;
}

bool json_scan_skip(JsonScan *s)
{
    int depth = 0;
    do {
        char c = peek(s);
        if (!c) return fail(s);
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (depth < 0) return fail(s);
        const char *end = c == '"' ? string_end(s->at, s->end) : s->at;
        if (!end) return fail(s);
        s->at = end + 1;
        bool plain = c != '"' && !strchr("{}[],:", c);
        while (plain && s->at < s->end && !strchr(" \t\r\n{}[],:\"", *s->at)) s->at++;
    } while (depth > 0);
    return true;
}

bool json_scan_done(JsonScan *s)
{
    return !s->bad && !peek(s) && s->at == s->end;
}

int json_scan_line(const JsonScan *s)
{
    int line = 1;
    for (const char *p = s->text; p < s->at; p++) line += *p == '\n';
    return line;
}
