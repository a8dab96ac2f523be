/*
 * bands.h - products in bf16 whose operands lie packed, each row or column of a matrix at the address of a list.
 *
 *   product(c, a, lda, b, k, rows, wide, accumulate);     c[rows, PANEL_N] (+)= a[rows, k] b[k, PANEL_N]
 *
 * a is bands: for every BAND rows a row of tiles, for every 32 of the depth k a tile of BAND rows of 32 numbers.  The
 * next band is lda numbers further on.  b is a panel as micro.h has it.  rows is a multiple of BAND, k of 32.
 * Where wide <= 16, the right half of c and b is left alone.
 *
 *   copy_rows(rows, hdk, 32, from, at, n, 32, hd);        32 rows of hdk numbers
 *   copy_rows(band, 32, 32 * BAND, from, at, n, BAND, hd);     a band
 *   pack_by_columns(panel, rows, hdk);                    [hdk, PANEL_N]: rows become columns
 *   pack_pairs(panels, next, rows, hdk);                  [32, hdk], in panels
 *
 * hdk is hd rounded up to 32; the padding is zeros.  All in the caller's memory.
 */
#ifndef OSLER_KERNELS_CPU_BANDS_H
#define OSLER_KERNELS_CPU_BANDS_H

#include "kernels/cpu/micro.h"

#if BF16_PAIRS
enum { BAND = 16 };
_Static_assert(PANEL_N == 32, "a panel is two vectors wide");

/*
 * With AMX, a store right behind its products holds up everything after it until they are done, so two sets of sums take
 * turns: one is stored while the products of the other run.
 */
#if BF16_TILES
/* Tiles x and y hold the sums of a band: the left and right columns. */
#define TILE_BAND(set, x, y)                                                                                           \
    static inline void set##_multiply(const float *c, const T *a, const Word *b, int k, int wide, bool accumulate)     \
    {                                                                                                                  \
        _tile_zero(x);                                                                                                 \
        _tile_zero(y);                                                                                                 \
        if (accumulate) _tile_loadd(x, c, PANEL_N * 4);                                                                \
        if (accumulate && wide > 16) _tile_loadd(y, c + 16, PANEL_N * 4);                                              \
        for (; k > 0; k -= 32, a += BAND * 32, b += 16 * PANEL_N) {                                                    \
            _tile_loadd(6, a, 64);                                                                                     \
            _tile_loadd(7, b, 64);                                                                                     \
            _tile_dpbf16ps(x, 6, 7);                                                                                   \
            if (wide <= 16) continue;                                                                                  \
            _tile_loadd(7, b + 256, 64);                                                                               \
            _tile_dpbf16ps(y, 6, 7);                                                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    static inline void set##_store(float *c, int wide)                                                                 \
    {                                                                                                                  \
        _tile_stored(x, c, PANEL_N * 4);                                                                               \
        if (wide > 16) _tile_stored(y, c + 16, PANEL_N * 4);                                                           \
    }
TILE_BAND(even, 0, 1)
TILE_BAND(odd, 2, 3)

static void product(float *c, const T *a, int lda, const Word *b, int k, int rows, int wide, bool accumulate)
{
    enum { NEXT = BAND * PANEL_N };
    amx_stored();
    even_multiply(c, a, b, k, wide, accumulate);
    for (; rows > 2 * BAND; rows -= 2 * BAND, c += 2 * NEXT) {
        odd_multiply(c + NEXT, a += lda, b, k, wide, accumulate);
        even_store(c, wide);
        even_multiply(c + 2 * NEXT, a += lda, b, k, wide, accumulate);
        odd_store(c + NEXT, wide);
    }
    if (rows > BAND) odd_multiply(c + NEXT, a + lda, b, k, wide, accumulate);
    even_store(c, wide);
    if (rows > BAND) odd_store(c + NEXT, wide);
}
#else
/* Half a band; `vectors` is a constant where this is inlined. */
static inline ALWAYS_INLINE void pairs_half(float *c, const T *a, const Word *b, int k, bool accumulate,
                                            const int vectors)
{
    enum { ROWS = BAND / 2 };
    __m512 sum[ROWS][2];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] = accumulate ? _mm512_loadu_ps(c + r * PANEL_N + 16 * v) : _mm512_setzero_ps();
    for (int p = 0; p < k / 2; p++) {
        const T *at = a + p / 16 * 32 * BAND + p % 16 * 2;
        __m512bh x[2];
        for (int v = 0; v < vectors; v++) x[v] = pairs(_mm512_loadu_si512(b + word_at(p, 16 * v)));
        for (int r = 0; r < ROWS; r++) {
            int32_t word;
            memcpy(&word, at + 32 * r, 4);
            for (int v = 0; v < vectors; v++)
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], pairs(_mm512_set1_epi32(word)), x[v]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < vectors; v++) _mm512_storeu_ps(c + r * PANEL_N + 16 * v, sum[r][v]);
}

static void product(float *c, const T *a, int lda, const Word *b, int k, int rows, int wide, bool accumulate)
{
    for (int i = 0; i < rows; i += BAND / 2, c += BAND / 2 * PANEL_N) {
        const T *half = a + i / BAND * lda + i % BAND * 32;
        if (wide > 16) pairs_half(c, half, b, k, accumulate, 2);
        else pairs_half(c, half, b, k, accumulate, 1);
    }
}
#endif

/* n rows of hd numbers, from[at[i]], and then rows of zeros; 32 numbers of a row go to `to`, the next to to + next. */
static inline void copy_rows(T *to, int ld, int next, const T *from, const int64_t *at, int n, int rows, int hd)
{
    for (int d = 0; d < hd; d += 32, to += next) {
        __mmask32 mask = hd - d < 32 ? (1u << (hd - d)) - 1 : ~0u;
        for (int i = 0; i < n; i++) _mm512_storeu_si512(to + i * ld, _mm512_maskz_loadu_epi16(mask, from + at[i] + d));
        for (int i = n; i < rows; i++) _mm512_storeu_si512(to + i * ld, _mm512_setzero_si512());
    }
}

/* The panel of PANEL_N rows of hdk numbers as columns. */
static void pack_by_columns(Word *to, const T *rows, int hdk)
{
    for (int w = 0; w < hdk / 2; w += 16)
        for (int j = 0; j < PANEL_N; j += 16)
            turn_words(to + word_at(w, j), 64, (const char *)(rows + j * hdk + 2 * w), hdk * 2);
}

/* Words of the pairs of 32 rows of hdk numbers; every PANEL_N numbers of hdk go to a panel of their own, `next` words
   further on. */
static void pack_pairs(Word *to, int next, const T *rows, int hdk)
{
    for (int d = 0; d < hdk; d += 16)
        for (int p = 0; p < 16; p++)
            pack_words(to + d / PANEL_N * next + word_at(p, d % PANEL_N), rows + 2 * p * hdk + d,
                       rows + (2 * p + 1) * hdk + d, 16);
}
#endif

#endif
