#include "infer/reply.h"

#include <string.h>

#include "text/unicode.h"

void reply_release(Reply *r)
{
    buf_release(&r->raw);
    r->shown = 0;
}

/* Start of the first stop string at or after `from`; raw.len where there is none. */
static size_t find_stop(const Reply *r, size_t from)
{
    size_t first = r->raw.len;
    for (int i = 0; r->stop && i < r->stop->n; i++) {
        const char *s = r->stop->at[i];
        size_t n = strlen(s);
        const char *hit = n && from < r->raw.len ? memmem(r->raw.data + from, r->raw.len - from, s, n) : NULL;
        if (hit && (size_t)(hit - r->raw.data) < first) first = (size_t)(hit - r->raw.data);
    }
    return first;
}

bool reply_add(Reply *r, int id)
{
    size_t before = r->raw.len, longest = 1;
    for (int i = 0; r->stop && i < r->stop->n; i++)
        if (strlen(r->stop->at[i]) > longest) longest = strlen(r->stop->at[i]);
    tokenizer_decode(r->tok, &id, 1, true, &r->raw);
    size_t at = find_stop(r, before < longest ? 0 : before - longest + 1); /* older text holds none */
    if (at == r->raw.len) return false;
    r->raw.len = at;
    r->raw.data[at] = 0;
    return true;
}

/* Length of the longest tail of s that a stop string may begin with. */
static size_t stop_tail(const StrList *stop, const char *s, size_t n)
{
    size_t longest = 0;
    for (int i = 0; stop && i < stop->n; i++)
        for (size_t k = strlen(stop->at[i]); k-- > longest + 1;)
            if (k <= n && !memcmp(s + n - k, stop->at[i], k)) longest = k;
    return longest;
}

void reply_show(Reply *r, bool all, Buf *out)
{
    size_t n = r->raw.len - r->shown;
    if (!n) return;
    const char *s = r->raw.data + r->shown;
    if (!all) n = utf8_complete(s, n - stop_tail(r->stop, s, n));
    utf8_repair(out, NULL, s, n);
    r->shown += n;
}

void reply_text(const Reply *r, Buf *out)
{
    if (r->raw.len) utf8_repair(out, NULL, r->raw.data, r->raw.len);
}
