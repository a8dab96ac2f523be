/*
 * attention_bf16.h - what forward and backward of attention_bf16_tmpl.c share; see there for the plan.
 *
 *   keys_init(&keys, t, block, kv);
 *   keys_load(&keys, t, kv, left, backward);              the next tile of keys, packed
 *   make_scores(s, t, keys.k, j, n, q, c, wide);          s^T of n keys from j on and a panel of columns
 *   hide_scores(s, seen, k0, n);
 *   add_turned(o, t, &keys, j, n, p, c, wide, accumulate);  o^T += v^T p
 *   store_columns(&rows, o, factor, c, n, hd);            o^T as rows
 *
 * Everything lies in the caller's memory.  amx_begin comes first, amx_end last.
 */
#ifndef OSLER_KERNELS_CPU_ATTENTION_BF16_H
#define OSLER_KERNELS_CPU_ATTENTION_BF16_H

#include "kernels/cpu/attention_blocks.h"
#include "kernels/cpu/bands.h"
#include "kernels/cpu/exp2.h"

#if BF16_PAIRS
enum {
    COLS = 512,            /* in a block, with hd up to 128; half as many above */
    KEYS = 256,            /* in a tile, with hd up to 128; half as many above */
    COLS_AREA = 512 * 128, /* numbers of a block's q */
    KEYS_AREA = 256 * 128, /* numbers of a tile's k */
    STRIP = 64,            /* keys whose scores are made at a time */
    RUN = 128,             /* keys in a product with p or ds */
    PIECE = 512            /* keys, of a block of at most PANEL_N columns */
};
_Static_assert((int)COLS <= (int)MAX_COLS, "a block is a list of columns");

static const float LOG2_E = 0x1.715476p+0f;
static const float HIDDEN = -1e30f; /* the score of a key that is not seen: finite, so that no difference is NaN */

typedef struct Attention { /* a kernel's arguments, for its tasks */
    const AttnArgs *a;
    const T *q, *k, *v;
    int hdk;            /* hd rounded up to 32 */
    int cols, keys;     /* in a block, in a tile */
    const Block *block; /* forward */
    int n_block;
    T *out;
    float *out_lse;
    float *pieces;    /* o and lse of every block that is a piece */
    const T *d_o, *o; /* backward */
    const float *lse;
    T *dq;
} Attention;

static Attention attention_init(const AttnArgs *a, const void *q, const void *k, const void *v)
{
    CHECK(a->hd <= MAX_HD && a->scale > 0, "attention: heads of %d, at most %d; scale %g", a->hd, MAX_HD,
          (double)a->scale);
    Attention t = {.a = a, .q = q, .k = k, .v = v, .hdk = round_up(a->hd, 32)};
    t.keys = a->hd > 128 ? KEYS / 2 : KEYS;
    t.cols = a->hd > 128 ? COLS / 2 : COLS;
    return t;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

typedef struct Keys { /* a tile of keys, padded with zeros to n rows */
    int n, row[KEYS];
    int n_next, next[KEYS]; /* rows of the next tile */
    int fetched;            /* of those */
    KeyCursor cur;
    _Alignas(64) T k[KEYS_AREA], v[KEYS_AREA]; /* bands [n, hdk]; forward: no v */
    _Alignas(64) T turned[KEYS_AREA];          /* bands of a transpose, [hdk, n]; forward: v, backward: k */
} Keys;

/* Has some more rows of the next tile fetched. */
static inline void keys_fetch(Keys *keys, const Attention *t, int kv, int n)
{
    const AttnArgs *a = t->a;
    int end = keys->fetched + n < keys->n_next ? keys->fetched + n : keys->n_next;
    for (; keys->fetched < end; keys->fetched++) {
        int64_t row = keys->next[keys->fetched];
        const char *k = (const char *)(t->k + row * a->ldk + kv * a->hd);
        const char *v = (const char *)(t->v + row * a->ldv + kv * a->hd);
        for (int at = 0; at < a->hd * 2; at += 64) {
            _mm_prefetch(k + at, _MM_HINT_T1);
            _mm_prefetch(v + at, _MM_HINT_T1);
        }
    }
}

static void keys_find(Keys *keys, const Attention *t, int left)
{
    keys->n_next = left < t->keys ? left : t->keys;
    keys->fetched = 0;
    keys_next(&keys->cur, keys->next, keys->n_next);
}

static void keys_init(Keys *keys, const Attention *t, const Block *b, int kv)
{
    keys->cur = keys_begin(t->a, b->seg, b->key);
    keys_find(keys, t, b->key_end - b->key);
    keys_fetch(keys, t, kv, keys->n_next);
}

/* 32 columns of the bands of `turned` from 32 rows of hdk numbers. */
static void turn_rows(T *turned, const Attention *t, const T *rows)
{
    _Alignas(64) Word pairs[16 * MAX_HD];
    int hdk = t->hdk;
    pack_pairs(pairs, 16 * PANEL_N, rows, hdk);
    for (int d = 0; d < hdk; d += BAND, turned += BAND * t->keys)
        turn_words(turned, 64, (const char *)(pairs + d / PANEL_N * 16 * PANEL_N + word_at(0, d % PANEL_N)), 64);
}

/* Loads the next tile; `left` keys are left with it. */
static void keys_load(Keys *keys, const Attention *t, int kv, int left, bool backward)
{
    _Alignas(64) T rows[32 * MAX_HD];
    const AttnArgs *a = t->a;
    int n = keys->n_next, hdk = t->hdk, lda = BAND * hdk;
    keys->n = round_up(n, 32);
    memcpy(keys->row, keys->next, sizeof *keys->row * (size_t)n);
    for (int i = 0; i < n; i += 32) {
        int64_t at_k[32], at_v[32];
        int some = n - i < 32 ? n - i : 32, above = some < 16 ? some : 16;
        for (int j = 0; j < some; j++) {
            at_k[j] = (int64_t)keys->row[i + j] * a->ldk + kv * a->hd;
            at_v[j] = (int64_t)keys->row[i + j] * a->ldv + kv * a->hd;
        }
        T *k = keys->k + i * hdk, *v = keys->v + i * hdk;
        copy_rows(k, 32, 32 * BAND, t->k, at_k, above, BAND, a->hd);
        copy_rows(k + lda, 32, 32 * BAND, t->k, at_k + 16, some - above, BAND, a->hd);
        if (backward) {
            copy_rows(v, 32, 32 * BAND, t->v, at_v, above, BAND, a->hd);
            copy_rows(v + lda, 32, 32 * BAND, t->v, at_v + 16, some - above, BAND, a->hd);
        }
        copy_rows(rows, hdk, 32, backward ? t->k : t->v, backward ? at_k : at_v, some, 32, a->hd);
        turn_rows(keys->turned + i * BAND, t, rows);
    }
    keys_find(keys, t, left - n);
}

/* How many keys of the tile from k0 on the panel at c sees, padded. */
static int panel_keys(const Columns *c, int at, const Keys *keys, int k0)
{
    int seen = c->seen[at + PANEL_N - 1] - k0;
    return seen >= keys->n ? keys->n : seen > 0 ? round_up(seen, 32) : 0;
}

/* c[n keys, PANEL_N]: keys [j, j + n) of k times the panel of q at c0, or v and do. */
static void make_scores(float *c, const Attention *t, const T *keys, int j, int n, const Word *columns, int c0,
                        int wide)
{
    product(c, keys + j * t->hdk, BAND * t->hdk, columns + c0 * t->hdk / 2, t->hdk, n, wide, false);
}

/* The panel at c0 of c[hd, cols] (+)= turned[hd, keys [j, j + n)] b. */
static void add_turned(float *c, const Attention *t, const Keys *keys, int j, int n, const Word *b, int c0, int wide,
                       bool accumulate)
{
    product(c + c0 * t->hdk, keys->turned + j * BAND, BAND * t->keys, b, n, round_up(t->a->hd, BAND), wide, accumulate);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* Hides the scores [n][PANEL_N] that columns do not see; the first is of key k0.  Later columns see no less. */
static void hide_scores(float *s, const int *seen, int k0, int n)
{
    for (int v = 0; v < PANEL_N; v += 16) {
        __m512i limit = _mm512_loadu_si512(seen + v);
        for (int j = seen[v] > k0 ? seen[v] - k0 : 0; j < n; j++) {
            float *x = s + j * PANEL_N + v;
            __mmask16 hidden = _mm512_cmple_epi32_mask(limit, _mm512_set1_epi32(k0 + j));
            _mm512_mask_storeu_ps(x, hidden, _mm512_set1_ps(HIDDEN));
        }
    }
}

/* Where the rows that store_columns writes go. */
typedef struct Rows {
    T *to; /* column c at to + at[c] * by */
    const int64_t *at;
    int by;
    bool accumulate;
    float *f32; /* not NULL: column c at f32 + c * hd instead */
} Rows;

/* Columns [c0, c0 + n) of a panel turned[hdk, PANEL_N], each times its factor, as rows of hd numbers. */
static void store_columns(const Rows *r, const float *turned, const float *factor, int c0, int n, int hd)
{
    for (int d = 0; d < hd; d += 32) {
        float rows[32][32];
        for (int i = 0; i < 32; i += 16)
            for (int j = 0; j < n; j += 16)
                turn_words(&rows[j][i], 128, (const char *)(turned + (d + i) * PANEL_N + j), PANEL_N * 4);
        uint32_t mask = hd - d < 32 ? (1u << (hd - d)) - 1 : ~0u;
        for (int c = 0; c < n; c++) {
            __m512 f = _mm512_set1_ps(factor[c]);
            __m512 x = _mm512_mul_ps(_mm512_loadu_ps(rows[c]), f), y = _mm512_mul_ps(_mm512_loadu_ps(rows[c] + 16), f);
            if (r->f32) {
                float *to = r->f32 + (int64_t)(c0 + c) * hd + d;
                _mm512_mask_storeu_ps(to, (__mmask16)mask, x);
                _mm512_mask_storeu_ps(to + 16, (__mmask16)(mask >> 16), y);
                continue;
            }
            T *to = r->to + r->at[c0 + c] * r->by + d;
            if (r->accumulate) {
                __m512i old = _mm512_maskz_loadu_epi16(mask, to);
                __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(old));
                __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(old, 1));
                x = _mm512_add_ps(x, _mm512_castsi512_ps(_mm512_slli_epi32(low, 16)));
                y = _mm512_add_ps(y, _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
            }
            _mm512_mask_storeu_epi16(to, mask, to_bf16(x, y));
        }
    }
}

#endif

#endif
