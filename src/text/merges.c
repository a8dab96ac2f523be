#include "text/merges.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

void merges_init(Merges *m, int n)
{
    uint32_t slots = 16;
    while (slots < 2 * (uint32_t)n) slots *= 2;
    m->slot = xmalloc(slots * sizeof *m->slot);
    m->mask = slots - 1;
    memset(m->slot, 0xff, slots * sizeof *m->slot);
}

void merges_release(Merges *m)
{
    free(m->slot);
    *m = (Merges){0};
}

/* The slot of the pair, or the empty one where it would go. */
static Merge *find(const Merges *m, int left, int right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9e3779b97f4a7c15);
    for (uint32_t i = (uint32_t)(h >> 32) & m->mask;; i = (i + 1) & m->mask) {
        Merge *s = &m->slot[i];
        if (s->left < 0 || (s->left == left && s->right == right)) return s;
    }
}

void merges_set(Merges *m, int left, int right, int rank, int id)
{
    *find(m, left, right) = (Merge){left, right, rank, id};
}

/* ---- the heap ---- */

static void heap_push(Word *w, int rank, int at)
{
    uint64_t key = (uint64_t)rank << 32 | (uint32_t)at;
    vec_push(&w->heap, key);
    uint64_t *h = w->heap.at;
    int i = w->heap.n - 1;
    for (int up; i > 0 && h[up = (i - 1) / 2] > key; i = up) h[i] = h[up];
    h[i] = key;
}

static uint64_t heap_pop(Word *w)
{
    uint64_t *h = w->heap.at, top = h[0], key = h[--w->heap.n];
    int n = w->heap.n, i = 0;
    for (int down; (down = 2 * i + 1) < n; i = down) {
        if (down + 1 < n && h[down + 1] < h[down]) down++;
        if (h[down] >= key) break;
        h[i] = h[down];
    }
    h[i] = key;
    return top;
}

/* ---- a word ---- */

void word_release(Word *w)
{
    free(w->id);
    free(w->heap.at);
    *w = (Word){0};
}

void word_start(Word *w, int n)
{
    if (n > w->cap) {
        w->cap = n > 2 * w->cap ? n : 2 * w->cap;
        size_t cap = (size_t)w->cap;
        w->id = xrealloc(w->id, 5 * cap * sizeof *w->id);
        w->prev = w->id + cap;
        w->next = w->prev + cap;
        w->rank = w->next + cap;
        w->merged = w->rank + cap;
    }
    w->n = n;
    w->heap.n = 0;
}

/* Looks up the pair that starts at `at` and puts it in the queue. */
static void consider(const Merges *m, Word *w, int at)
{
    int next = w->next[at];
    const Merge *pair = next < w->n ? find(m, w->id[at], w->id[next]) : NULL;
    w->rank[at] = pair && pair->left >= 0 ? pair->rank : -1;
    if (w->rank[at] < 0) return;
    w->merged[at] = pair->id;
    heap_push(w, pair->rank, at);
}

void merge_word(const Merges *m, Word *w)
{
    for (int i = 0; i < w->n; i++) w->prev[i] = i - 1, w->next[i] = i + 1;
    for (int i = 0; i < w->n; i++) consider(m, w, i);
    while (w->heap.n) {
        uint64_t top = heap_pop(w);
        int at = (int)(top & UINT32_MAX);
        if (w->rank[at] != (int)(top >> 32)) continue; /* that pair is gone */
        int gone = w->next[at];
        w->id[at] = w->merged[at];
        w->next[at] = w->next[gone];
        w->rank[gone] = -1;
        if (w->next[at] < w->n) w->prev[w->next[at]] = at;
        if (w->prev[at] >= 0) consider(m, w, w->prev[at]);
        consider(m, w, at);
    }
}
