/*
 * swiglu.h - the gated activation on a stretch of at most SWIGLU_STEP numbers, for the loops and for what follows a
 * product.  Results go through local arrays, so they may be written over what they come from.
 */
#ifndef OSLER_KERNELS_CPU_SWIGLU_H
#define OSLER_KERNELS_CPU_SWIGLU_H

#include "kernels/cpu/simd.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

enum { SWIGLU_STEP = 32 };

/*
 * s = 1 / (1 + exp(-x)), n numbers in arrays of SWIGLU_STEP.  For bf16 results 1e-5 is enough: a hundredth of what rounding
 * leaves.  2^t = 2^n 2^f with |f| <= 1/2 by its Taylor series, then the processor's approximate reciprocal and one step
 * of Newton's.
 */
static inline ALWAYS_INLINE void sigmoids(float s[SWIGLU_STEP], const float x[SWIGLU_STEP], int n)
{
#if T_IS_BF16 && defined(__AVX512F__)
    const __m512 one = _mm512_set1_ps(1), high = _mm512_set1_ps(150), low = _mm512_set1_ps(-150);
    for (int i = 0; i < n; i += 16) {
        __m512 t = _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(-0x1.715476p+0f));
        t = _mm512_min_ps(high, _mm512_max_ps(low, t)); /* in this order a NaN stays one */
        __m512 whole = _mm512_roundscale_ps(t, 0), f = _mm512_sub_ps(t, whole);
        __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.00133335581f), f, _mm512_set1_ps(0.0096181291f));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.0555041087f));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.240226507f));
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693147181f));
        p = _mm512_fmadd_ps(p, f, one);
        __m512 sum = _mm512_add_ps(one, _mm512_scalef_ps(p, whole)), r = _mm512_rcp14_ps(sum);
        __mmask16 finite = _mm512_cmp_ps_mask(sum, _mm512_set1_ps(INFINITY), _CMP_NEQ_UQ);
        r = _mm512_maskz_mul_ps(finite, r, _mm512_fnmadd_ps(sum, r, _mm512_set1_ps(2)));
        _mm512_storeu_ps(s + i, r);
    }
#else
    for (int i = 0; i < n; i++) s[i] = 1 / (1 + exp_f32(-x[i]));
#endif
}

/* y = silu(g) u; silu(x) = x / (1 + exp(-x)).  Never inlined, so that -fassociative-math has no other place to take it to:
   a product's rows have the same bits whether few or many come together. */
static __attribute__((noinline)) void swiglu_whole(float y[SWIGLU_STEP], const float g[SWIGLU_STEP],
                                                   const float u[SWIGLU_STEP])
{
    float s[SWIGLU_STEP];
    sigmoids(s, g, SWIGLU_STEP);
    for (int i = 0; i < SWIGLU_STEP; i++) y[i] = g[i] * s[i] * u[i];
}

static inline ALWAYS_INLINE void swiglu_stretch(T *y, const T *g, const T *u, int n)
{
    float x[SWIGLU_STEP] = {0}, v[SWIGLU_STEP] = {0};
    for (int i = 0; i < n; i++) x[i] = get(g, i);
    for (int i = 0; i < n; i++) v[i] = get(u, i);
    swiglu_whole(v, x, v);
    for (int i = 0; i < n; i++) put(y, i, v[i]);
}

/* silu'(g) = s (1 + g (1 - s)), s = 1 / (1 + exp(-g)) */
static inline ALWAYS_INLINE void swiglu_grad_stretch(T *dg, T *du, const T *dy, const T *g, const T *u, int n, bool acc)
{
    float x[SWIGLU_STEP] = {0}, s[SWIGLU_STEP], to_g[SWIGLU_STEP], to_u[SWIGLU_STEP];
    for (int i = 0; i < n; i++) x[i] = get(g, i);
    sigmoids(s, x, n);
    for (int i = 0; i < n; i++) {
        float d = get(dy, i) * s[i];
        to_g[i] = d * get(u, i) * (1 + x[i] * (1 - s[i]));
        to_u[i] = d * x[i];
    }
    for (int i = 0; i < n; i++) put(dg, i, acc ? get(dg, i) + to_g[i] : to_g[i]);
    for (int i = 0; i < n; i++) put(du, i, acc ? get(du, i) + to_u[i] : to_u[i]);
}

#endif
