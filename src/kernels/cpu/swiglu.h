/*
 * swiglu.h - the gated activation on a stretch of at most SWIGLU_STEP numbers, for the loops and for what follows a
 * product.  Results go through local arrays, so they may be written over what they come from.
 */
#ifndef OSLER_KERNELS_CPU_SWIGLU_H
#define OSLER_KERNELS_CPU_SWIGLU_H

#include "kernels/cpu/simd.h"

enum { SWIGLU_STEP = 32 };

/* y = silu(g) u; silu(x) = x / (1 + exp(-x)) */
static inline ALWAYS_INLINE void swiglu_stretch(T *y, const T *g, const T *u, int n)
{
    float v[SWIGLU_STEP];
    for (int i = 0; i < n; i++) v[i] = get(g, i) / (1 + exp_f32(-get(g, i))) * get(u, i);
    for (int i = 0; i < n; i++) put(y, i, v[i]);
}

/* silu'(g) = s (1 + g (1 - s)), s = 1 / (1 + exp(-g)) */
static inline ALWAYS_INLINE void swiglu_grad_stretch(T *dg, T *du, const T *dy, const T *g, const T *u, int n, bool acc)
{
    float to_g[SWIGLU_STEP], to_u[SWIGLU_STEP];
    for (int i = 0; i < n; i++) {
        float x = get(g, i), d = get(dy, i), s = 1 / (1 + exp_f32(-x));
        to_g[i] = d * get(u, i) * s * (1 + x * (1 - s));
        to_u[i] = d * x * s;
    }
    for (int i = 0; i < n; i++) put(dg, i, acc ? get(dg, i) + to_g[i] : to_g[i]);
    for (int i = 0; i < n; i++) put(du, i, acc ? get(du, i) + to_u[i] : to_u[i]);
}

#endif
