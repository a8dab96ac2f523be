#include "base/base64.h"

#include <stdlib.h>

enum { SPACE = -1, PADDING = -2, FOREIGN = -3 };

/* The six bits of a character, or what else it is. */
static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    switch (c) {
    case '+': return 62;
    case '/': return 63;
    case '=': return PADDING;
    case ' ':
    case '\t':
    case '\r':
    case '\n': return SPACE;
    default: return FOREIGN;
    }
}

bool base64_match(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (digit_of(text[i]) == FOREIGN || text[i] == ' ' || text[i] == '\t') return false;
    return true;
}

unsigned char *base64_decode(const char *text, size_t len, size_t *n, Err *err)
{
    unsigned char *out = xmalloc(len / 4 * 3 + 3);
    unsigned bits = 0, held = 0;
    size_t done = 0;
    bool padded = false;
    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(text[i]);
        if (digit == SPACE) continue;
        if (digit == FOREIGN || (padded && digit != PADDING)) {
            free(out);
            err_set(err, "not base64: byte %zu is 0x%02x", i, (unsigned)(unsigned char)text[i]);
            return NULL;
        }
        padded |= digit == PADDING;
        if (padded) continue;
        bits = bits << 6 | (unsigned)digit;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out[done++] = (unsigned char)(bits >> held & 0xff);
    }
    *n = done;
    if (held != 6) return out;
    free(out);
    err_set(err, "not base64: one character is left over at the end");
    return NULL;
}

void base64_encode(Buf *out, const unsigned char *p, size_t n)
{
    static const char DIGIT[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        buf_byte(out, (unsigned char)DIGIT[v >> 18]);
        buf_byte(out, (unsigned char)DIGIT[v >> 12 & 63]);
        buf_byte(out, (unsigned char)(i + 1 < n ? DIGIT[v >> 6 & 63] : '='));
        buf_byte(out, (unsigned char)(i + 2 < n ? DIGIT[v & 63] : '='));
    }
}
