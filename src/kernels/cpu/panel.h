/*
 * panel.h - the layout that small products read (micro.h), and how matrices come into it.
 *
 *   Num      what a is made of: bf16 where the machine multiplies that, else f32
 *   Word     K_PAIR numbers of one column of b that lie below each other, the first lowest
 *   panel    PANEL_N columns of b.  In pairs: tiles of 16 x 16 words, two side by side; else rows of PANEL_N words
 *
 * Rows of a are copied (copy_row); b comes from a matrix stored either way round (pack_panels, pack_panel_by_n).  All
 * pad with zeros.
 */
#ifndef OSLER_KERNELS_CPU_PANEL_H
#define OSLER_KERNELS_CPU_PANEL_H

#include "kernels/cpu/amx.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/tile.h"

#if T_IS_BF16 && defined(__AVX512BF16__)
#define BF16_PAIRS 1
#else
#define BF16_PAIRS 0
#endif
#if T_IS_BF16 && defined(__AMX_BF16__)
#define BF16_TILES 1
#else
#define BF16_TILES 0
#endif

#if BF16_PAIRS
typedef bf16 Num;
typedef uint32_t Word;
enum { K_PAIR = 2 };
#else
typedef float Num;
typedef float Word;
enum { K_PAIR = 1 };
#endif
#if BF16_TILES
enum { PANEL_M = 32, M_STEP = 16, DEPTH = 320 };
#else
enum { PANEL_M = 48, M_STEP = 1, DEPTH = 192 * K_PAIR };
#endif
enum { PANEL_N = 32, K_STEP = BF16_PAIRS ? 32 : 1, B_LD = BF16_PAIRS ? 16 : PANEL_N };

/* to[i] = from[i], then zeros up to `padded`. */
static inline void copy_row(Num *restrict to, const T *restrict from, int n, int padded)
{
#if BF16_PAIRS
    memcpy(to, from, sizeof *to * (size_t)n);
    memset(to + n, 0, sizeof *to * (size_t)(padded - n));
#else
    load_row(to, from, n, padded);
#endif
}

/* to = the transpose of rows x cols sums, at most 16 x 16. */
static inline void turn_sums(float to[16][16], const float *sums, int rows, int cols)
{
#if defined(__AVX512F__)
    if (rows == 16 && cols == 16) {
        turn_words(to, 64, (const char *)sums, PANEL_N * 4);
        return;
    }
#endif
    for (int c = 0; c < cols; c++)
        for (int r = 0; r < rows; r++) to[c][r] = sums[r * PANEL_N + c];
}

/* Where in a panel row w of column j is. */
static inline int64_t word_at(int w, int j)
{
    return BF16_PAIRS ? (int64_t)w / 16 * 16 * PANEL_N + j / 16 * 256 + w % 16 * 16 + j % 16 : (int64_t)w * PANEL_N + j;
}

/* A number, and in pairs the one after it, as a word. */
static inline Word word_of(const T *x, const T *next)
{
#if BF16_PAIRS
    return (uint32_t)(next ? *next : 0) << 16 | *x;
#else
    (void)next;
    return get(x, 0);
#endif
}

/* Into L2: `rows` rows of `bytes` bytes, the part-th of `parts` parts of them. */
static inline void fetch_rows(const void *from, int64_t ld_bytes, int rows, int64_t bytes, int part, int parts)
{
    int64_t per_row = (bytes + 63) / 64, all = rows * per_row;
    for (int64_t i = all * part / parts; i < all * (part + 1) / parts; i++)
        __builtin_prefetch((const char *)from + i / per_row * ld_bytes + i % per_row * 64, 0, 2);
}

enum { TURN = W * 4 / (int)sizeof(T) / K_PAIR }; /* words of a panel that W words of memory become */

/* W columns and TURN words of a panel. */
static inline void turn_panel(Word *to, const T *from, int64_t ld)
{
#if T_IS_BF16 && !BF16_PAIRS
    Word words[W][W];
    turn_words(words, sizeof words[0], (const char *)from, ld * (int64_t)sizeof(T));
    for (int w = 0; w < W; w++) { /* two numbers become words of their own */
        Lanes both = load_lanes(words[w]);
        store_lanes(to + 2 * w * B_LD, LANES(slli_epi32)(both, 16));
        store_lanes(to + (2 * w + 1) * B_LD, LANES(slli_epi32)(LANES(srli_epi32)(both, 16), 16));
    }
#else
    turn_words(to, B_LD * 4, (const char *)from, ld * (int64_t)sizeof(T));
#endif
}

/* Columns [0, n) of b stored [n, k] at depth [0, k), padded with zeros to `words` and PANEL_N. */
static inline void pack_panel_by_n(Word *restrict to, const T *b, int64_t ld, int k, int words, int n)
{
    int whole = k / K_PAIR, done_n = n / W * W, done_w = whole / TURN * TURN;
    for (int j = 0; j < done_n; j += W)
        for (int w = 0; w < done_w; w += TURN) {
            /* the next rows, in the order in which they lie in memory: where that is far away it matters */
            fetch_rows(b + (j + W) * ld, ld * (int64_t)sizeof(T), W, k * (int64_t)sizeof(T), w / TURN, done_w / TURN);
            turn_panel(to + word_at(w, j), b + j * ld + w * K_PAIR, ld);
        }
    for (int w = 0; w < words; w++)
        for (int j = w < done_w ? done_n : 0; j < PANEL_N; j++) {
            const T *at = b + j * ld + w * K_PAIR;
            Word x = 0;
            if (j < n && w * K_PAIR < k) x = word_of(at, w < whole ? at + K_PAIR - 1 : NULL);
            to[word_at(w, j)] = x;
        }
}

/* 16 words from two rows of b. */
static inline void pack_words(Word *restrict to, const T *low, const T *high, int n)
{
#if BF16_PAIRS
    if (n >= 16 && high) {
        for (int j = 0; j < 16; j++) to[j] = (uint32_t)high[j] << 16 | low[j];
        return;
    }
#endif
    for (int j = 0; j < 16; j++) to[j] = j < n ? word_of(low + j, high ? high + j : NULL) : 0;
}

/* to[16, 16 * K_PAIR] = the transpose of 16 * K_PAIR rows of 16 numbers. */
static inline void turn_block(T *to, int64_t ld_to, const T *from, int64_t ld)
{
#if defined(__AVX512F__) && BF16_PAIRS
    Word words[16][16];
    for (int p = 0; p < 16; p++) pack_words(words[p], from + 2 * p * ld, from + (2 * p + 1) * ld, 16);
    turn_words(to, ld_to * 2, (const char *)words, 64);
#elif defined(__AVX512F__) && !T_IS_BF16
    turn_words(to, ld_to * 4, (const char *)from, ld * 4);
#else
    for (int r = 0; r < 16 * K_PAIR; r++)
        for (int c = 0; c < 16; c++) to[c * ld_to + r] = from[r * ld + c];
#endif
}

enum { AHEAD = 8 }; /* words */

/* All panels of b stored [k, n], row by row: memory likes long stretches. */
static inline void pack_panels(Word *restrict to, const T *b, int64_t ld, int k, int words, int n)
{
    for (int w = 0; w < words; w++) {
        const T *low = b + (int64_t)w * K_PAIR * ld, *high = w * K_PAIR + 1 < k ? low + ld : NULL;
        fetch_rows(low + AHEAD * K_PAIR * ld, ld * (int64_t)sizeof(T), K_PAIR, n * (int64_t)sizeof(T), 0, 1);
        for (int j = 0; j < round_up(n, PANEL_N); j += 16) {
            int rest = w * K_PAIR < k ? n - j : 0;
            Word *panel = to + (int64_t)(j / PANEL_N) * PANEL_N * words;
            pack_words(panel + word_at(w, j % PANEL_N), low + j, high ? high + j : NULL, rest);
        }
    }
}

#endif
