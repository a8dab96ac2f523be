/*
 * micro.h - the small product that gemm_tmpl.c is built on, one for each kind of machine.
 *
 * micro_product: c[m, PANEL_N] (+)= a[m, k] b[k, PANEL_N] with m at most PANEL_M; sums stay in registers over the whole
 * of k and are one chain in its order.
 *
 *   a   rows of Num with a row stride, k a multiple of K_STEP, m padded with zeros to a multiple of M_STEP; lies in L1
 *   b   a panel of words (panel.h), streamed from L2
 *   c   rows of PANEL_N
 *
 *   compiled for             Num    word      products by
 *   AMX, bf16                bf16   2 bf16    tiles of 16 x 32 by 32 x 16
 *   AVX-512 BF16, bf16       bf16   2 bf16    dot products of pairs
 *   all others               f32    1 f32     fused multiply-adds (tile.h); bf16 is converted on the way
 */
#ifndef OSLER_KERNELS_CPU_MICRO_H
#define OSLER_KERNELS_CPU_MICRO_H

#include "kernels/cpu/panel.h"

/* A factor's share of a small product. */
typedef struct Strip {
    const Num *a;
    const Word *b;
    int64_t lda;
    int k;
} Strip;

/* Of the n rows at `at` that will be read next, those that are fetched into L2 meanwhile. */
typedef struct Soon {
    const T *at;
    int64_t ld;
    int n, first, end;
} Soon;

/* y[j] = v[j] rounded, j in [0, n). */
static inline void put_row(T *restrict y, const float *restrict v, int n)
{
#if BF16_PAIRS
    if (n == PANEL_N) {
        __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(v + 16), _mm512_loadu_ps(v));
        _mm512_storeu_si512(y, (__m512i)both);
        return;
    }
#endif
    for (int j = 0; j < n; j++) put(y, j, v[j]);
}

#if BF16_TILES

/* 16 or 32 rows: tiles 0..3 hold the sums, 4 and 5 rows of a, 6 and 7 the panel's halves. */
static inline void micro_product(float *c, const Strip *strip, int n_strips, int m, bool accumulate, const Soon *soon)
{
    enum { LD = PANEL_N * 4 };
    float *below = c + 16 * PANEL_N;
    bool tall = m > 16;
    amx_stored();
    if (accumulate) {
        _tile_loadd(0, c, LD);
        _tile_loadd(1, c + 16, LD);
        if (tall) _tile_loadd(2, below, LD);
        if (tall) _tile_loadd(3, below + 16, LD);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (const Strip *s = strip; s < strip + n_strips; s++) {
        const Num *a = s->a;
        const Word *b = s->b;
        int64_t la = s->lda * 2;
        for (int k = 0; k < s->k; k += 32, a += 32, b += 16 * PANEL_N) {
            for (int r = soon->first; r < soon->end && s == strip; r++)
                _mm_prefetch((const char *)(soon->at + r * soon->ld + k), _MM_HINT_T1);
            _tile_stream_loadd(6, b, 64);
            _tile_loadd(4, a, la);
            _tile_dpbf16ps(0, 4, 6);
            _tile_stream_loadd(7, b + 256, 64);
            _tile_dpbf16ps(1, 4, 7);
            if (!tall) continue;
            _tile_loadd(5, a + 16 * s->lda, la);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, LD);
    _tile_stored(1, c + 16, LD);
    if (tall) _tile_stored(2, below, LD);
    if (tall) _tile_stored(3, below + 16, LD);
}

#elif BF16_PAIRS

static inline __m512bh pairs(__m512i x)
{
    return (__m512bh)x;
}

/* Rows [row, row + rows), a constant number where this is inlined. */
static inline ALWAYS_INLINE void pairs_block(float *c, const Strip *strip, int n_strips, int row, const int rows,
                                             bool accumulate)
{
    __m512 sum[12][2];
    c += row * PANEL_N;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++)
            sum[r][v] = accumulate ? _mm512_loadu_ps(c + r * PANEL_N + 16 * v) : _mm512_setzero_ps();
    for (const Strip *s = strip; s < strip + n_strips; s++) {
        const Num *a = s->a + row * s->lda;
        const Word *b = s->b;
        int64_t lda = s->lda;
        for (int k = 0; k < s->k; k += 2, a += 2, b += k % 32 ? 16 : 16 + 256) {
            __m512bh x = pairs(_mm512_loadu_si512(b)), y = pairs(_mm512_loadu_si512(b + 256));
            for (int r = 0; r < rows; r++) {
                int32_t word;
                memcpy(&word, a + r * lda, 4);
                __m512bh w = pairs(_mm512_set1_epi32(word));
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], w, x);
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], w, y);
            }
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 2; v++) _mm512_storeu_ps(c + r * PANEL_N + 16 * v, sum[r][v]);
}

static inline void micro_product(float *c, const Strip *strip, int n_strips, int m, bool accumulate, const Soon *soon)
{
    (void)soon;
    int i = 0;
    for (; i + 12 <= m; i += 12) pairs_block(c, strip, n_strips, i, 12, accumulate);
    for (; i + 4 <= m; i += 4) pairs_block(c, strip, n_strips, i, 4, accumulate);
    for (; i < m; i++) pairs_block(c, strip, n_strips, i, 1, accumulate);
}

#else

static inline void micro_product(float *c, const Strip *strip, int n_strips, int m, bool accumulate, const Soon *soon)
{
    (void)soon;
    if (!accumulate) memset(c, 0, sizeof *c * PANEL_N * (size_t)m);
    for (const Strip *s = strip; s < strip + n_strips; s++) {
        Tile t = {.c = c, .a = s->a, .b = s->b, .ldc = PANEL_N, .ra = s->lda, .ca = 1, .ldb = PANEL_N};
        t.m = m, t.n = PANEL_N, t.k = s->k;
        tile_multiply(&t);
    }
}

#endif

#endif
