/*
 * exp2.h - powers of two and rounding to bf16 for 16 floats at a time, where AVX-512 BF16 is.
 *
 *   Exp2 e = exp2_init();                     constants, to be kept in registers
 *   __m512 y = exp2_vector(&e, x);
 *   to_bf16(low, high), to_words(low, high)   32 floats as bf16: one after the other, or in pairs
 */
#ifndef OSLER_KERNELS_CPU_EXP2_H
#define OSLER_KERNELS_CPU_EXP2_H

#include <stdint.h>

#if defined(__AVX512BF16__)
#include <immintrin.h>

/*
 * 2^x, x <= 127, relative error 2e-7; 0 for x <= -126.  x = n / 32 + r: 2^(n/32) from a table, 2^r by a polynomial.  n is
 * in the low bits of x + 1.5 2^18; the table is short of i << 18, so that adding n << 18 puts the whole part of n / 32
 * into the exponent.
 *
 * While the tile unit works, a core has one unit for arithmetic on 512-bit floats instead of two, but still two for
 * integers: hence a table, and the rounding of to_words.
 */
typedef struct Exp2 {
    __m512i table[2], least;
    __m512 shift, c1, c2;
} Exp2;

static inline Exp2 exp2_init(void)
{
    static const uint32_t TABLE[32] = {
        0x3f800000, 0x3f7ecd87, 0x3f7daac3, 0x3f7c980f, 0x3f7b95c2, 0x3f7aa43a, 0x3f79c3d3, 0x3f78f4f0,
        0x3f7837f0, 0x3f778d3a, 0x3f76f532, 0x3f767043, 0x3f75fed7, 0x3f75a15b, 0x3f75583f, 0x3f7523f6,
        0x3f7504f3, 0x3f74fbaf, 0x3f7508a4, 0x3f752c4d, 0x3f75672a, 0x3f75b9be, 0x3f76248c, 0x3f76a81e,
        0x3f7744fd, 0x3f77fbb8, 0x3f78ccdf, 0x3f79b907, 0x3f7ac0c7, 0x3f7be4ba, 0x3f7d257d, 0x3f7e83b3};
    Exp2 e = {.table = {_mm512_loadu_si512(TABLE), _mm512_loadu_si512(TABLE + 16)}};
    e.shift = _mm512_set1_ps(0x1.8p18f);
    e.least = _mm512_castps_si512(_mm512_set1_ps(0x1.8p18f - 126));
    e.c1 = _mm512_set1_ps(0x1.62e586p-1f);
    e.c2 = _mm512_set1_ps(0x1.ebfbe0p-3f);
    return e;
}

static inline __m512 exp2_vector(const Exp2 *e, __m512 x)
{
    __m512 r = _mm512_reduce_ps(x, 5 << 4 | _MM_FROUND_NO_EXC);
    __m512i n = _mm512_castps_si512(_mm512_add_ps(x, e->shift));
    __m512i power = _mm512_permutex2var_epi32(e->table[0], n, e->table[1]);
    __m512 y = _mm512_castsi512_ps(_mm512_add_epi32(power, _mm512_slli_epi32(n, 18)));
    __m512 p = _mm512_mul_ps(r, _mm512_fmadd_ps(e->c2, r, e->c1));
    return _mm512_maskz_fmadd_ps(_mm512_cmpgt_epi32_mask(n, e->least), y, p, y);
}

static inline __m512i to_bf16(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Words of bf16 (low[i], high[i]), ties rounded away from 0. */
static inline __m512i to_words(__m512 low, __m512 high)
{
    const __m512i half = _mm512_set1_epi32(0x8000);
    const __m512i upper =
        _mm512_broadcast_i32x4(_mm_set_epi32((int)0xffff0f0e, (int)0xffff0b0a, (int)0xffff0706, (int)0xffff0302));
    __m512i a = _mm512_add_epi32(_mm512_castps_si512(low), half), b = _mm512_add_epi32(_mm512_castps_si512(high), half);
    return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_shuffle_epi8(a, upper), b);
}
#endif

#endif
