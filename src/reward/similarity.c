/*
 * Ratcliff and Obershelp's similarity as Python's difflib computes it: 2 M / T, M the characters in the longest common
 * blocks found recursively, T the characters of both texts.  In b of 200 characters or more, those that make up more
 * than a hundredth of it are "popular": blocks do not begin with them, but may be extended over them.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "reward/compat.h"

typedef VEC(int32_t) Chars;

typedef struct Block {
    int a_lo, a_hi, b_lo, b_hi;
} Block;

typedef struct Matcher {
    Chars a, b;
    bool *popular; /* [b.n] */
    int *length;   /* [b.n + 1] of the block that ends before b[j]; two rows */
    int *next;
} Matcher;

static Chars characters(const char *s)
{
    Chars out = {0};
    size_t n = strlen(s);
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &c);
        vec_push(&out, k > 0 ? c : 0xfffd);
        i += k > 0 ? (size_t)k : 1;
    }
    return out;
}

static int compare_chars(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return (a > b) - (a < b);
}

/* How often c occurs in the sorted array. */
static int occurrences(const int32_t *sorted, int n, int32_t c)
{
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (sorted[mid] < c) lo = mid + 1;
        else hi = mid;
    }
    int first = lo;
    for (hi = n; lo < hi;) {
        int mid = (lo + hi) / 2;
        if (sorted[mid] <= c) lo = mid + 1;
        else hi = mid;
    }
    return lo - first;
}

static void find_popular(Matcher *m)
{
    m->popular = xcalloc((size_t)m->b.n + 1, sizeof *m->popular);
    if (m->b.n < 200) return;
    int32_t *sorted = xmalloc((size_t)m->b.n * sizeof *sorted);
    memcpy(sorted, m->b.at, (size_t)m->b.n * sizeof *sorted);
    qsort(sorted, (size_t)m->b.n, sizeof *sorted, compare_chars);
    for (int j = 0; j < m->b.n; j++) m->popular[j] = occurrences(sorted, m->b.n, m->b.at[j]) > m->b.n / 100 + 1;
    free(sorted);
}

/* The longest common block within w; the earliest in a, then in b, of several. */
static int longest_block(Matcher *m, Block w, int *at_a, int *at_b)
{
    int best = 0;
    *at_a = w.a_lo, *at_b = w.b_lo;
    memset(m->length, 0, ((size_t)m->b.n + 1) * sizeof *m->length);
    for (int i = w.a_lo; i < w.a_hi; i++) {
        m->next[w.b_lo] = 0;
        for (int j = w.b_lo; j < w.b_hi; j++) {
            bool same = m->a.at[i] == m->b.at[j] && !m->popular[j];
            int k = m->next[j + 1] = same ? (j > w.b_lo ? m->length[j] : 0) + 1 : 0;
            if (k > best) best = k, *at_a = i - k + 1, *at_b = j - k + 1;
        }
        int *swap = m->length;
        m->length = m->next, m->next = swap;
    }
    while (*at_a > w.a_lo && *at_b > w.b_lo && m->a.at[*at_a - 1] == m->b.at[*at_b - 1]) --*at_a, --*at_b, best++;
    while (*at_a + best < w.a_hi && *at_b + best < w.b_hi && m->a.at[*at_a + best] == m->b.at[*at_b + best]) best++;
    return best;
}

static int matching_chars(Matcher *m)
{
    VEC(Block) todo = {0};
    int total = 0;
    vec_push(&todo, ((Block){0, m->a.n, 0, m->b.n}));
    while (todo.n) {
        Block w = todo.at[--todo.n];
        int a, b, k = longest_block(m, w, &a, &b);
        if (!k) continue;
        total += k;
        if (w.a_lo < a && w.b_lo < b) vec_push(&todo, ((Block){w.a_lo, a, w.b_lo, b}));
        if (a + k < w.a_hi && b + k < w.b_hi) vec_push(&todo, ((Block){a + k, w.a_hi, b + k, w.b_hi}));
    }
    free(todo.at);
    return total;
}

double similarity_ratio(const char *a, const char *b)
{
    Matcher m = {.a = characters(a), .b = characters(b)};
    find_popular(&m);
    m.length = xcalloc((size_t)m.b.n + 2, sizeof *m.length);
    m.next = xcalloc((size_t)m.b.n + 2, sizeof *m.next);
    int chars = m.a.n + m.b.n;
    double ratio = chars ? 2.0 * matching_chars(&m) / chars : 1;
    free(m.a.at);
    free(m.b.at);
    free(m.popular);
    free(m.length);
    free(m.next);
    return ratio;
}
