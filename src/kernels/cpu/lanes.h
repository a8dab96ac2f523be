/*
 * lanes.h - vectors of 32-bit words by intrinsics, of 16 or 8 words as the instruction set has them.
 *
 *   Lanes v = LANES(slli_epi32)(load_lanes(p), 16);      _mm512_slli_epi32 or _mm256_slli_epi32
 *   turn_words(to, ld_to, from, ld);                     W x W words transposed
 */
#ifndef OSLER_KERNELS_CPU_LANES_H
#define OSLER_KERNELS_CPU_LANES_H

#include <immintrin.h>

#include "kernels/cpu/simd.h"

#if defined(__AVX512F__)
typedef __m512i Lanes;
#define LANES(name) SIMD_CAT(_mm512_, name)
#else
typedef __m256i Lanes;
#define LANES(name) SIMD_CAT(_mm256_, name)
#endif

static inline Lanes load_lanes(const void *p)
{
#if defined(__AVX512F__)
    return _mm512_loadu_si512(p);
#else
    return _mm256_loadu_si256(p);
#endif
}

static inline void store_lanes(void *to, Lanes v)
{
#if defined(__AVX512F__)
    _mm512_storeu_si512(to, v);
#else
    _mm256_storeu_si256(to, v);
#endif
}

/* 16 bytes of every fourth row, rows ld bytes apart. */
static inline Lanes load_rows(const char *p, int64_t ld)
{
    __m128i first = _mm_loadu_si128((const void *)p), second = _mm_loadu_si128((const void *)(p + 4 * ld));
#if defined(__AVX512F__)
    Lanes v = _mm512_inserti32x4(_mm512_castsi128_si512(first), second, 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 8 * ld)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(p + 12 * ld)), 3);
#else
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
#endif
}

/* to = the transpose of W x W words at `from`; rows are ld_to and ld bytes apart. */
static inline void turn_words(void *to, int64_t ld_to, const char *from, int64_t ld)
{
    for (int c = 0; c < W; c += 4) {
        const char *p = from + 4 * c;
        Lanes r0 = load_rows(p, ld), r1 = load_rows(p + ld, ld);
        Lanes r2 = load_rows(p + 2 * ld, ld), r3 = load_rows(p + 3 * ld, ld);
        Lanes a = LANES(unpacklo_epi32)(r0, r1), b = LANES(unpacklo_epi32)(r2, r3);
        Lanes d = LANES(unpackhi_epi32)(r0, r1), e = LANES(unpackhi_epi32)(r2, r3);
        char *out = (char *)to + c * ld_to;
        store_lanes(out, LANES(unpacklo_epi64)(a, b));
        store_lanes(out + ld_to, LANES(unpackhi_epi64)(a, b));
        store_lanes(out + 2 * ld_to, LANES(unpacklo_epi64)(d, e));
        store_lanes(out + 3 * ld_to, LANES(unpackhi_epi64)(d, e));
    }
}

#endif
