#include "text/added.h"

#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"

void added_push(AddedSet *s, const AddedToken *t)
{
    vec_push(&s->token, *t);
}

void added_index(AddedSet *s)
{
    for (int i = 0; i < s->token.n; i++) {
        const AddedToken *t = &s->token.at[i];
        int c = (unsigned char)t->pattern[0], k = s->by_first[t->normalized][c].n;
        vec_push(&s->by_first[t->normalized][c], i);
        int *list = s->by_first[t->normalized][c].at;
        for (; k > 0 && s->token.at[list[k - 1]].pattern_len < t->pattern_len; k--) list[k] = list[k - 1];
        list[k] = i;
    }
}

void added_release(AddedSet *s)
{
    for (int i = 0; i < s->token.n; i++) {
        free(s->token.at[i].content);
        free(s->token.at[i].pattern);
    }
    free(s->token.at);
    for (int c = 0; c < 256; c++) {
        free(s->by_first[0][c].at);
        free(s->by_first[1][c].at);
    }
    *s = (AddedSet){0};
}

/* The longest token that stands at text[at], -1 where there is none. */
static int token_at(const AddedSet *s, bool normalized, const char *text, size_t n, size_t at)
{
    unsigned char c = (unsigned char)text[at];
    for (int k = 0; k < s->by_first[normalized][c].n; k++) {
        int i = s->by_first[normalized][c].at[k];
        const AddedToken *t = &s->token.at[i];
        if (t->pattern_len <= n - at && !memcmp(t->pattern, text + at, t->pattern_len)) return i;
    }
    return -1;
}

/* Start of the character that ends before text[end]; end > 0. */
static size_t char_before(const char *text, size_t end, int32_t *c)
{
    size_t at = end - 1;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) at--;
    utf8_next(text + at, end - at, c);
    return at;
}

static bool between_words(const char *text, size_t n, size_t begin, size_t end)
{
    int32_t c;
    if (begin > 0 && (char_before(text, begin, &c), char_is_word(c))) return false;
    return end == n || (utf8_next(text + end, n - end, &c), !char_is_word(c));
}

static size_t spaces_start(const char *text, size_t end)
{
    int32_t c;
    for (size_t at; end > 0; end = at) {
        at = char_before(text, end, &c);
        if (!char_is_space(c)) break;
    }
    return end;
}

static size_t spaces_end(const char *text, size_t n, size_t at)
{
    int32_t c;
    for (size_t k; at < n; at += k) {
        k = utf8_next(text + at, n - at, &c);
        if (!char_is_space(c)) break;
    }
    return at;
}

bool added_next(const AddedSet *s, bool normalized, const char *text, size_t n, AddedMatch *m)
{
    size_t done = m->end;
    for (size_t at = m->scan; at < n; at++) {
        int i = token_at(s, normalized, text, n, at);
        if (i < 0) continue;
        const AddedToken *t = &s->token.at[i];
        size_t end = at + t->pattern_len;
        if (t->single_word && !between_words(text, n, at, end)) {
            at = end - 1; /* no shorter token is tried in its place */
            continue;
        }
        size_t begin = t->lstrip ? spaces_start(text, at) : at;
        if (begin < done) begin = done < end ? done : end;
        *m = (AddedMatch){i, begin, end, end};
        if (t->rstrip) m->end = spaces_end(text, n, end);
        return true;
    }
    return false;
}
