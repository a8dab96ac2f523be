#include "table/quoted_list.h"

#include <stdint.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool quoted_list_match(const char *text, size_t n)
{
    while (n > 0 && is_space(*text)) text++, n--;
    while (n > 0 && is_space(text[n - 1])) n--;
    return n >= 2 && text[0] == '[' && text[n - 1] == ']';
}

QuotedList quoted_list(const char *text, size_t n)
{
    return (QuotedList){.at = text, .end = text + n};
}

static void skip_space(QuotedList *l)
{
    while (l->at < l->end && is_space(*l->at)) l->at++;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `digits` hexadecimal digits at l->at; -1 where they are none. */
static int32_t take_hex(QuotedList *l, int digits)
{
    int32_t v = 0;
    for (int i = 0; i < digits; i++) {
        int d = l->at < l->end ? hex_digit(*l->at++) : -1;
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

static void add_utf8(Buf *b, int32_t c)
{
    if (c < 0x80) {
        buf_byte(b, (unsigned char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char LEAD[] = {0, 0xc0, 0xe0, 0xf0};
    buf_byte(b, (unsigned char)(LEAD[more] | c >> 6 * more));
    while (more-- > 0) buf_byte(b, (unsigned char)(0x80 | (c >> 6 * more & 0x3f)));
}

/* \uXXXX, of which two make one character beyond U+FFFF. */
static int take_utf16(QuotedList *l, Buf *item)
{
    int32_t c = take_hex(l, 4);
    if (c >= 0xd800 && c < 0xdc00 && l->end - l->at >= 6 && l->at[0] == '\\' && l->at[1] == 'u') {
        l->at += 2;
        int32_t low = take_hex(l, 4);
        if (low < 0xdc00 || low > 0xdfff) return -1;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (c < 0 || (c >= 0xd800 && c < 0xe000)) return -1;
    add_utf8(item, c);
    return 0;
}

static int take_escape(QuotedList *l, Buf *item)
{
    static const char FROM[] = "ntrbfav0", TO[] = "\n\t\r\b\f\a\v";
    if (l->at == l->end) return -1;
    char c = *l->at++;
    const char *known = c ? strchr(FROM, c) : NULL;
    if (c == 'u') return take_utf16(l, item);
    if (c == 'x') {
        int32_t v = take_hex(l, 2);
        if (v >= 0) add_utf8(item, v);
        return v < 0 ? -1 : 0;
    }
    buf_byte(item, (unsigned char)(known ? TO[known - FROM] : c));
    return 0;
}

static int take_quoted(QuotedList *l, Buf *item)
{
    char quote = *l->at++;
    while (l->at < l->end && *l->at != quote) {
        const char *from = l->at;
        while (l->at < l->end && *l->at != quote && *l->at != '\\') l->at++;
        buf_add(item, from, (size_t)(l->at - from));
        if (l->at < l->end && *l->at == '\\' && (l->at++, take_escape(l, item))) return -1;
    }
    if (l->at == l->end) return -1;
    l->at++;
    return 0;
}

static int take_word(QuotedList *l, Buf *item)
{
    const char *from = l->at;
    while (l->at < l->end && !strchr(",]['\"", *l->at) && !is_space(*l->at)) l->at++;
    buf_add(item, from, (size_t)(l->at - from));
    return l->at > from ? 0 : -1;
}

int quoted_list_next(QuotedList *l, Buf *item)
{
    buf_clear(item);
    if (l->ended) return 0;
    skip_space(l);
    char open = l->begun ? ',' : '[';
    if (l->at < l->end && *l->at == open) {
        l->at++;
        skip_space(l);
    } else if (!l->begun || l->at == l->end || *l->at != ']') {
        return -1;
    }
    l->begun = true;
    if (l->at == l->end) return -1;
    if (*l->at == ']') {
        l->at++;
        skip_space(l);
        l->ended = true;
        return l->at == l->end ? 0 : -1;
    }
    bool quoted = *l->at == '\'' || *l->at == '"';
    if (quoted ? take_quoted(l, item) : take_word(l, item)) return -1;
    return 1;
}
