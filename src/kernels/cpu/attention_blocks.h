/*
 * attention_blocks.h - how attention is cut into tasks, for both of its templates.
 *
 * The query heads that share a kv head are treated together: a column is one pair (query, head), query-major, and a
 * block is a run of columns of a segment.  Everything is cut by size alone, so results depend neither on the number of
 * threads nor on what other segments are in the call.
 *
 *   Block *block = blocks_list(a, &cut, &n);           the plan's blocks, segment by segment; the caller frees them
 *   columns_init(&c, a, &block[i], kv, lanes);         where its columns lie and how many keys each sees
 *   KeyCursor cur = keys_begin(a, seg, first);
 *   keys_next(&cur, row, n);                           the next n rows of k and v
 */
#ifndef OSLER_KERNELS_CPU_ATTENTION_BLOCKS_H
#define OSLER_KERNELS_CPU_ATTENTION_BLOCKS_H

#include "kernels/cpu/simd.h"

enum { MAX_HD = 256, MAX_COLS = 512 };

/* Columns [first, first + n) of a segment of nk keys. */
typedef struct Block {
    const AttnSeg *seg;
    int first, n;
    int nk;
    int key, key_end; /* the keys the block is about: all that its columns see, or a piece of them */
    int piece;
    bool whole; /* the only piece */
} Block;

/* Blocks have at most `cols` columns.  Where a segment has at most `few` queries, ranges of more than `piece`
   keys are cut into equal pieces, each a block of its own; few = 0: never. */
typedef struct Cut {
    int cols, few, piece;
} Cut;

typedef struct Columns {
    int n, padded;          /* padded: rounded up to whole vectors; the padding sees as many keys as the last column */
    int64_t q[MAX_COLS];    /* offset in q and dq */
    int64_t stat[MAX_COLS]; /* offset in lse; times hd: in o and do */
    int seen[MAX_COLS];
} Columns;

typedef struct KeyCursor {
    const Span *span;
    int at;
} KeyCursor;

static inline void columns_init(Columns *c, const AttnArgs *a, const Block *b, int kv, int lanes)
{
    int per_kv = a->h / a->hk, query = b->first / per_kv, head = b->first % per_kv;
    c->n = b->n;
    c->padded = round_up(b->n, lanes);
    for (int i = 0; i < b->n; i++) {
        int64_t row = b->seg->q + query;
        c->q[i] = row * a->ldq + (int64_t)(kv * per_kv + head) * a->hd;
        c->stat[i] = row * a->h + kv * per_kv + head;
        c->seen[i] = attn_seen(a->plan, b->seg, b->nk, query);
        if (++head == per_kv) head = 0, query++;
    }
    for (int i = b->n; i < c->padded; i++) c->seen[i] = c->seen[b->n - 1];
}

static inline KeyCursor keys_begin(const AttnArgs *a, const AttnSeg *seg, int first)
{
    KeyCursor cur = {.span = a->plan->span + seg->span, .at = first};
    for (; cur.at >= cur.span->len; cur.span++) cur.at -= cur.span->len;
    return cur;
}

static inline void keys_next(KeyCursor *cur, int *row, int n)
{
    for (int i = 0; i < n;) {
        int left = cur->span->len - cur->at, take = left < n - i ? left : n - i;
        for (int j = 0; j < take; j++) row[i + j] = cur->span->start + cur->at + j;
        i += take;
        cur->at += take;
        if (take < left) return;
        cur->span++;
        cur->at = 0;
    }
}

/* Appends the blocks of a segment to the list, which may be NULL; returns how many. */
static inline int segment_blocks(Block *list, const AttnArgs *a, const AttnSeg *seg, const Cut *cut)
{
    int per_kv = a->h / a->hk, all = seg->nq * per_kv, nk = attn_keys(a->plan, seg), n = 0;
    int pieces = seg->nq <= cut->few ? ceil_div(nk, cut->piece) : 1, step = round_up(ceil_div(nk, pieces), 32);
    for (int first = 0; first < all; first += cut->cols) {
        Block b = {.seg = seg, .first = first, .nk = nk};
        b.n = all - first < cut->cols ? all - first : cut->cols;
        int most = attn_seen(a->plan, seg, nk, (first + b.n - 1) / per_kv);
        b.whole = most <= step;
        for (; b.key < most; b.key += step, b.piece++, n++) {
            b.key_end = most - b.key < step ? most : b.key + step;
            if (list) list[n] = b;
        }
    }
    return n;
}

static inline Block *blocks_list(const AttnArgs *a, const Cut *cut, int *n)
{
    const AttnPlan *plan = a->plan;
    int all = 0;
    for (int s = 0; s < plan->n_seg; s++) all += segment_blocks(NULL, a, &plan->seg[s], cut);
    Block *list = xmalloc(sizeof *list * (size_t)(all + 1));
    *n = 0;
    for (int s = 0; s < plan->n_seg; s++) *n += segment_blocks(list + *n, a, &plan->seg[s], cut);
    return list;
}

#endif
