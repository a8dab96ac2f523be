/*
 * The passes of resize_loops.h on vectors: AVX2 with weights of two 16-bit digits (weight = low + 65536 * high), and
 * AVX-512 VNNI with three of 8 bits, which meets four taps in one instruction.
 */
#include "image/resize_loops.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vnni")))

/* The lowest digit of *v, from -base / 2 on; *v becomes what is above it. */
static int take_digit(int32_t *v, int base)
{
    int digit = (*v & (base - 1)) - (*v & base / 2) * 2;
    *v = (*v - digit) / base;
    return digit;
}

/* ---- AVX2 -------------------------------------------------------------------------------------------------------- */

static bool avx2_fits(const ResizeKernel *k)
{
    (void)k;
    return __builtin_cpu_supports("avx2");
}

/* table: low digits [n][most], then high digits [n][most] */
static void avx2_prepare(ResizeKernel *k)
{
    size_t taps = (size_t)k->n * (size_t)k->most;
    int16_t *low = xmalloc(2 * taps * sizeof *low);
    for (size_t i = 0; i < taps; i++) {
        int32_t rest = k->weight[i];
        low[i] = (int16_t)take_digit(&rest, 65536);
        low[taps + i] = (int16_t)rest;
    }
    k->table = low;
}

/* The low digits of output i; the high ones are `high_at` behind them. */
static inline const int16_t *avx2_digits(const ResizeKernel *k, int i, size_t *high_at)
{
    *high_at = (size_t)k->n * (size_t)k->most;
    return (const int16_t *)k->table + (size_t)i * (size_t)k->most;
}

AVX2 static inline __m256i avx2_pair(const int16_t *two)
{
    int32_t v;
    memcpy(&v, two, sizeof v);
    return _mm256_set1_epi32(v);
}

/* Sums of low and high products to samples of 32 bits, not yet clipped. */
AVX2 static inline __m256i avx2_samples(__m256i low, __m256i high)
{
    return _mm256_srai_epi32(_mm256_add_epi32(low, _mm256_slli_epi32(high, 16)), RESIZE_BITS);
}

/* One output pixel of two rows, in the bytes 0-2 and 16-18. Per tap pair a row holds three channels and a blank. */
AVX2 static inline __m256i avx2_pixel(const unsigned char *a, const unsigned char *b, const ResizeKernel *k, int x)
{
    const __m256i tap_01 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i tap_23 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    size_t at = 3 * (size_t)k->first[x], high_at;
    const int16_t *low = avx2_digits(k, x, &high_at);
    __m256i lo = _mm256_set1_epi32(RESIZE_HALF), hi = _mm256_setzero_si256();
    for (int j = 0; j < k->most; j += 4, at += 12) {
        __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(a + at))),
                                            _mm_loadu_si128((const __m128i *)(b + at)), 1);
        __m256i v_01 = _mm256_shuffle_epi8(v, tap_01), v_23 = _mm256_shuffle_epi8(v, tap_23);
        lo = _mm256_add_epi32(lo, _mm256_madd_epi16(v_01, avx2_pair(low + j)));
        hi = _mm256_add_epi32(hi, _mm256_madd_epi16(v_01, avx2_pair(low + high_at + j)));
        lo = _mm256_add_epi32(lo, _mm256_madd_epi16(v_23, avx2_pair(low + j + 2)));
        hi = _mm256_add_epi32(hi, _mm256_madd_epi16(v_23, avx2_pair(low + high_at + j + 2)));
    }
    __m256i v = avx2_samples(lo, hi);
    v = _mm256_packs_epi32(v, v);
    return _mm256_packus_epi16(v, v);
}

AVX2 static inline void avx2_put(unsigned char *dst, __m128i pixel, bool last)
{
    int32_t four = _mm_cvtsi128_si32(pixel);
    if (last) memcpy(dst, &four, 3);
    else memcpy(dst, &four, 4); /* the next pixel overwrites the fourth byte */
}

AVX2 static void avx2_rows(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to,
                           const ResizeKernel *k)
{
    size_t n = 3 * (size_t)k->n;
    for (int y = from; y < to; y += 2) {
        size_t next = y + 1 < to ? 1 : 0; /* the last of an odd number is done twice */
        const unsigned char *a = src + bytes * (size_t)y, *b = a + bytes * next;
        unsigned char *at = dst + n * (size_t)y;
        for (int x = 0; x < k->n; x++, at += 3) {
            __m256i v = avx2_pixel(a, b, k, x);
            avx2_put(at, _mm256_castsi256_si128(v), x == k->n - 1);
            avx2_put(at + n * next, _mm256_extracti128_si256(v, 1), x == k->n - 1);
        }
    }
}

/* 32 bytes of row y. Pairs of rows are interleaved inside the halves of a vector, and packed back so in the end. */
AVX2 static inline __m256i avx2_block(const unsigned char *src, size_t bytes, const ResizeKernel *k, int y)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(RESIZE_HALF);
    __m256i lo[4] = {half, half, half, half}, hi[4] = {zero, zero, zero, zero};
    size_t high_at;
    const int16_t *low = avx2_digits(k, y, &high_at);
    for (int j = 0; j < k->count[y]; j += 2, src += 2 * bytes) {
        size_t next = j + 1 < k->count[y] ? bytes : 0;
        __m256i a = _mm256_loadu_si256((const __m256i *)src), b = _mm256_loadu_si256((const __m256i *)(src + next));
        __m256i left = _mm256_unpacklo_epi8(a, b), right = _mm256_unpackhi_epi8(a, b);
        const __m256i v[4] = {_mm256_unpacklo_epi8(left, zero), _mm256_unpackhi_epi8(left, zero),
                              _mm256_unpacklo_epi8(right, zero), _mm256_unpackhi_epi8(right, zero)};
        __m256i w_low = avx2_pair(low + j), w_high = avx2_pair(low + high_at + j);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            lo[i] = _mm256_add_epi32(lo[i], _mm256_madd_epi16(v[i], w_low));
            hi[i] = _mm256_add_epi32(hi[i], _mm256_madd_epi16(v[i], w_high));
        }
    }
    __m256i left = _mm256_packs_epi32(avx2_samples(lo[0], hi[0]), avx2_samples(lo[1], hi[1]));
    __m256i right = _mm256_packs_epi32(avx2_samples(lo[2], hi[2]), avx2_samples(lo[3], hi[3]));
    return _mm256_packus_epi16(left, right);
}

/* The bytes of row y from `at` on that fill no vector. */
static void rest_of_row(unsigned char *dst, const unsigned char *src, size_t bytes, size_t at, const ResizeKernel *k,
                        int y)
{
    const int32_t *weight = k->weight + (size_t)y * (size_t)k->most;
    for (; at < bytes; at++) {
        int32_t sum = RESIZE_HALF;
        for (int j = 0; j < k->count[y]; j++) sum += weight[j] * src[bytes * (size_t)j + at];
        dst[at] = resize_from_fixed(sum);
    }
}

AVX2 static void avx2_columns(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to,
                              const ResizeKernel *k)
{
    for (int y = from; y < to; y++) {
        const unsigned char *p = src + bytes * (size_t)k->first[y];
        unsigned char *row = dst + bytes * (size_t)y;
        size_t at = 0;
        for (; at + 32 <= bytes; at += 32) _mm256_storeu_si256((__m256i *)(row + at), avx2_block(p + at, bytes, k, y));
        rest_of_row(row, p, bytes, at, k, y);
    }
}

/* ---- AVX-512 VNNI ------------------------------------------------------------------------------------------------ */

/*
 * Along the rows a step makes 16 bytes of a row, five pixels and a third.  Their taps 4 g to 4 g + 3 stand in the 64
 * bytes from base + 12 g on, where a byte permutation (VBMI) finds them: index[4 * lane + tap], the same for every g.
 */
enum { STEP = 16, VECTOR = 64 };

typedef struct LaneTable {
    int steps, groups;
    int32_t *base;        /* [steps] byte of a row */
    unsigned char *index; /* [steps][VECTOR] */
    int8_t *digit;        /* [steps][groups][3][VECTOR] */
} LaneTable;

static bool has_vnni(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vnni");
}

/* The pixels of a step must stand near enough to each other: up to a scale of about 3. */
static bool vnni_rows_fit(const ResizeKernel *k)
{
    for (int at = 0; at < 3 * k->n; at += STEP) {
        int last = (at + STEP - 1 < 3 * k->n ? at + STEP - 1 : 3 * k->n - 1) / 3;
        if (3 * (k->first[last] - k->first[at / 3]) + 2 + 9 >= VECTOR) return false;
    }
    return has_vnni();
}

static LaneTable *lane_table_new(const ResizeKernel *k)
{
    int steps = (3 * k->n + STEP - 1) / STEP, groups = k->most / 4;
    size_t vectors = (size_t)steps * (1 + 3 * (size_t)groups);
    /* One block: the header, the vectors, the bases. */
    size_t bytes = VECTOR * (1 + vectors) + (size_t)steps * sizeof(int32_t);
    LaneTable *t = aligned_alloc(VECTOR, (bytes + VECTOR - 1) / VECTOR * VECTOR);
    CHECK(t, "out of memory for %zu bytes of weights", bytes);
    memset(t, 0, bytes);
    *t = (LaneTable){.steps = steps, .groups = groups};
    t->index = (unsigned char *)t + VECTOR;
    t->digit = (int8_t *)(t->index + VECTOR * (size_t)steps);
    t->base = (int32_t *)(void *)((unsigned char *)t + VECTOR * (1 + vectors));
    return t;
}

static void vnni_rows_prepare(ResizeKernel *k)
{
    LaneTable *t = lane_table_new(k);
    for (int i = 0; i < 3 * k->n; i++) {
        int step = i / STEP, lane = i % STEP, x = i / 3;
        if (lane == 0) t->base[step] = 3 * k->first[x];
        for (int tap = 0; tap < 4; tap++)
            t->index[VECTOR * step + 4 * lane + tap] = (unsigned char)(3 * (k->first[x] + tap) + i % 3 - t->base[step]);
        for (int j = 0; j < k->most; j++) {
            int32_t rest = k->weight[(size_t)x * (size_t)k->most + (size_t)j];
            int8_t *at = t->digit + VECTOR * 3 * (size_t)(step * t->groups + j / 4) + 4 * lane + j % 4;
            for (int d = 0; d < 3; d++) at[VECTOR * d] = (int8_t)take_digit(&rest, 256);
        }
    }
    k->table = t;
}

/* Products of the three digits, lowest first. */
typedef struct DigitSums {
    __m512i of[3];
} DigitSums;

VNNI static inline __attribute__((always_inline)) void vnni_add(DigitSums *s, __m512i taps, __m512i digit_0,
                                                                __m512i digit_1, __m512i digit_2)
{
    s->of[0] = _mm512_dpbusd_epi32(s->of[0], taps, digit_0);
    s->of[1] = _mm512_dpbusd_epi32(s->of[1], taps, digit_1);
    s->of[2] = _mm512_dpbusd_epi32(s->of[2], taps, digit_2);
}

/* Samples of 32 bits, not yet clipped. */
VNNI static inline __m512i vnni_samples(const DigitSums *s)
{
    __m512i high = _mm512_add_epi32(s->of[1], _mm512_slli_epi32(s->of[2], 8));
    return _mm512_srai_epi32(_mm512_add_epi32(s->of[0], _mm512_slli_epi32(high, 8)), RESIZE_BITS);
}

/* Step `step` of rows [from, to). With `groups` known when compiled the weights stay in registers. */
VNNI static inline __attribute__((always_inline)) void vnni_step(unsigned char *dst, const unsigned char *src,
                                                                 size_t bytes, int from, int to, const ResizeKernel *k,
                                                                 int step, int groups)
{
    const LaneTable *t = k->table;
    size_t n = 3 * (size_t)k->n, left = n - STEP * (size_t)step;
    __mmask16 lanes = left >= STEP ? 0xffff : (__mmask16)((1u << left) - 1);
    const int8_t *digit = t->digit + VECTOR * 3 * (size_t)step * (size_t)groups;
    __m512i index = _mm512_load_si512(t->index + VECTOR * (size_t)step);
    const __m512i half = _mm512_set1_epi32(RESIZE_HALF), zero = _mm512_setzero_si512();
    src += t->base[step];
    dst += STEP * (size_t)step;
    for (int y = from; y < to; y++) {
        const unsigned char *p = src + bytes * (size_t)y;
        DigitSums s = {{half, zero, zero}};
        for (int g = 0; g < groups; g++) {
            const int8_t *w = digit + VECTOR * 3 * (size_t)g;
            vnni_add(&s, _mm512_permutexvar_epi8(index, _mm512_loadu_si512(p + 12 * g)), _mm512_load_si512(w),
                     _mm512_load_si512(w + VECTOR), _mm512_load_si512(w + 2 * VECTOR));
        }
        __m512i v = _mm512_max_epi32(vnni_samples(&s), zero);
        _mm_mask_storeu_epi8(dst + n * (size_t)y, lanes, _mm512_cvtusepi32_epi8(v));
    }
}

VNNI static void vnni_rows(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to,
                           const ResizeKernel *k)
{
    const LaneTable *t = k->table;
    for (int step = 0; step < t->steps; step++) {
        switch (t->groups) {
        case 1: vnni_step(dst, src, bytes, from, to, k, step, 1); break;
        case 2: vnni_step(dst, src, bytes, from, to, k, step, 2); break;
        case 3: vnni_step(dst, src, bytes, from, to, k, step, 3); break;
        default: vnni_step(dst, src, bytes, from, to, k, step, t->groups);
        }
    }
}

static bool vnni_columns_fit(const ResizeKernel *k)
{
    (void)k;
    return has_vnni();
}

/* table: [n][most / 4][3][4], the digits of four taps side by side */
static void vnni_columns_prepare(ResizeKernel *k)
{
    size_t taps = (size_t)k->n * (size_t)k->most;
    int8_t *digit = xmalloc(3 * taps);
    for (size_t i = 0; i < taps; i++) {
        int32_t rest = k->weight[i];
        for (size_t d = 0; d < 3; d++) digit[i / 4 * 12 + 4 * d + i % 4] = (int8_t)take_digit(&rest, 256);
    }
    k->table = digit;
}

VNNI static inline __m512i vnni_digit(const int8_t *four)
{
    int32_t v;
    memcpy(&v, four, sizeof v);
    return _mm512_set1_epi32(v);
}

/* Four rows of 64 bytes to four vectors of four taps a lane, in the order that packing undoes. */
VNNI static inline void vnni_interleave(__m512i v[4], const unsigned char *const row[4], size_t at, __mmask64 mask)
{
    __m512i a = _mm512_maskz_loadu_epi8(mask, row[0] + at), b = _mm512_maskz_loadu_epi8(mask, row[1] + at);
    __m512i c = _mm512_maskz_loadu_epi8(mask, row[2] + at), d = _mm512_maskz_loadu_epi8(mask, row[3] + at);
    __m512i ab_lo = _mm512_unpacklo_epi8(a, b), ab_hi = _mm512_unpackhi_epi8(a, b);
    __m512i cd_lo = _mm512_unpacklo_epi8(c, d), cd_hi = _mm512_unpackhi_epi8(c, d);
    v[0] = _mm512_unpacklo_epi16(ab_lo, cd_lo), v[1] = _mm512_unpackhi_epi16(ab_lo, cd_lo);
    v[2] = _mm512_unpacklo_epi16(ab_hi, cd_hi), v[3] = _mm512_unpackhi_epi16(ab_hi, cd_hi);
}

/* Up to 64 bytes of row y from `at` on; src is its first row. */
VNNI static inline __m512i vnni_block(const unsigned char *src, size_t bytes, size_t at, __mmask64 mask,
                                      const ResizeKernel *k, int y)
{
    const int8_t *digit = (const int8_t *)k->table + 3 * (size_t)y * (size_t)k->most;
    const DigitSums none = {{_mm512_set1_epi32(RESIZE_HALF), _mm512_setzero_si512(), _mm512_setzero_si512()}};
    DigitSums a = none, b = none, c = none, d = none;
    int last = k->count[y] - 1;
    for (int j = 0; j <= last; j += 4, digit += 12) {
        const unsigned char *row[4]; /* behind the last, where weights are 0, the last again */
        for (int i = 0; i < 4; i++) row[i] = src + bytes * (size_t)(j + i < last ? j + i : last);
        __m512i v[4], d_0 = vnni_digit(digit), d_1 = vnni_digit(digit + 4), d_2 = vnni_digit(digit + 8);
        vnni_interleave(v, row, at, mask);
        vnni_add(&a, v[0], d_0, d_1, d_2);
        vnni_add(&b, v[1], d_0, d_1, d_2);
        vnni_add(&c, v[2], d_0, d_1, d_2);
        vnni_add(&d, v[3], d_0, d_1, d_2);
    }
    __m512i left = _mm512_packs_epi32(vnni_samples(&a), vnni_samples(&b));
    __m512i right = _mm512_packs_epi32(vnni_samples(&c), vnni_samples(&d));
    return _mm512_packus_epi16(left, right);
}

VNNI static void vnni_columns(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to,
                              const ResizeKernel *k)
{
    for (int y = from; y < to; y++) {
        const unsigned char *p = src + bytes * (size_t)k->first[y];
        unsigned char *row = dst + bytes * (size_t)y;
        for (size_t at = 0; at < bytes; at += VECTOR) {
            __mmask64 mask = bytes - at >= VECTOR ? ~(__mmask64)0 : ((__mmask64)1 << (bytes - at)) - 1;
            _mm512_mask_storeu_epi8(row + at, mask, vnni_block(p, bytes, at, mask, k, y));
        }
    }
}

/* ---- the tables -------------------------------------------------------------------------------------------------- */

const ResizeLoop RESIZE_ROWS_X86[] = {
    {"avx512 vnni", vnni_rows_fit, vnni_rows_prepare, vnni_rows}, {"avx2", avx2_fits, avx2_prepare, avx2_rows}, {0}};
const ResizeLoop RESIZE_COLUMNS_X86[] = {{"avx512 vnni", vnni_columns_fit, vnni_columns_prepare, vnni_columns},
                                         {"avx2", avx2_fits, avx2_prepare, avx2_columns},
                                         {0}};

#else

const ResizeLoop RESIZE_ROWS_X86[] = {{0}}, RESIZE_COLUMNS_X86[] = {{0}};

#endif
