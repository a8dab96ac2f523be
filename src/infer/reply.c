#include "infer/reply.h"

#include <string.h>

void reply_release(Reply *r)
{
    buf_release(&r->text);
    r->shown = 0;
}

/* Start of the first stop string in text, at or after `from`; text.len where there is none. */
static size_t find_stop(const Reply *r, size_t from)
{
    size_t first = r->text.len;
    for (int i = 0; r->stop && i < r->stop->n; i++) {
        const char *s = r->stop->at[i];
        size_t n = strlen(s);
        const char *hit = n && from < r->text.len ? memmem(r->text.data + from, r->text.len - from, s, n) : NULL;
        if (hit && (size_t)(hit - r->text.data) < first) first = (size_t)(hit - r->text.data);
    }
    return first;
}

bool reply_add(Reply *r, int id)
{
    size_t before = r->text.len, longest = 1;
    for (int i = 0; r->stop && i < r->stop->n; i++)
        if (strlen(r->stop->at[i]) > longest) longest = strlen(r->stop->at[i]);
    tokenizer_decode(r->tok, &id, 1, true, &r->text);
    size_t at = find_stop(r, before < longest ? 0 : before - longest + 1); /* older text holds none */
    if (at == r->text.len) return false;
    r->text.len = at;
    r->text.data[at] = 0;
    return true;
}

/* Length of the longest tail of the text that a stop string may begin with. */
static size_t stop_tail(const Reply *r)
{
    size_t longest = 0, fresh = r->text.len - r->shown;
    for (int i = 0; r->stop && i < r->stop->n; i++) {
        const char *s = r->stop->at[i];
        for (size_t k = strlen(s); k-- > longest + 1;)
            if (k <= fresh && !memcmp(r->text.data + r->text.len - k, s, k)) {
                longest = k;
                break;
            }
    }
    return longest;
}

/* Bytes of an unfinished UTF-8 sequence at the end of s. */
static size_t utf8_tail(const char *s, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        unsigned char c = (unsigned char)s[n - k];
        if ((c & 0xc0) == 0x80) continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return need > k ? k : 0;
    }
    return 0;
}

static size_t show_until(Reply *r, size_t end, const char **bytes)
{
    size_t n = end - r->shown;
    *bytes = n ? r->text.data + r->shown : "";
    r->shown = end;
    return n;
}

size_t reply_ready(Reply *r, const char **bytes)
{
    *bytes = "";
    if (r->shown == r->text.len) return 0;
    size_t end = r->text.len - stop_tail(r);
    return show_until(r, end - utf8_tail(r->text.data + r->shown, end - r->shown), bytes);
}

size_t reply_rest(Reply *r, const char **bytes)
{
    return show_until(r, r->text.len, bytes);
}
