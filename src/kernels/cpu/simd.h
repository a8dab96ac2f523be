/*
 * simd.h - the number format and the vectors of one compilation of a *_tmpl.c in this folder.
 *
 * Each template is compiled once per format (T_IS_BF16) and instruction set; SUFFIX makes its one public name unique,
 * everything else is static.  The loops are plain C that gcc and clang vectorise: T is read with get() and written with
 * put(), arithmetic is float.  W is the number of floats in a vector.
 *
 * Trap: these files are compiled with -fassociative-math, so (x + c) - c is x.  Where the order of operations carries
 * the accuracy (exp_f32) it is written with __builtin_fmaf, which the compilers leave alone.
 */
#ifndef OSLER_KERNELS_CPU_SIMD_H
#define OSLER_KERNELS_CPU_SIMD_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "kernels/kernels_impl.h"

#define SIMD_CAT2(a, b) a##b
#define SIMD_CAT(a, b)  SIMD_CAT2(a, b)
#define FN(name)        SIMD_CAT(name, SUFFIX)

/* What each template adds to the table; kernels_fill, in loops_tmpl.c, calls the other two. */
void FN(kernels_fill_matmul)(Kernels *k);
void FN(kernels_fill_attention)(Kernels *k);

/* matmul_nt for a few rows of x (few_tmpl.c): the weight is read once; a row's bits do not depend on the others. */
void FN(matmul_few)(const MatmulArgs *a);

/* For loops that are compiled once per value of a bool argument. */
#define ALWAYS_INLINE __attribute__((always_inline))

#if defined(__AVX512F__)
#define W 16
#else
#define W 8
#endif

#if T_IS_BF16
typedef bf16 T;
static inline float get(const T *x, int64_t i)
{
    return bf16_to_f32(x[i]);
}

static inline void put(T *y, int64_t i, float v)
{
    y[i] = bf16_from_f32(v);
}
#else
typedef float T;
static inline float get(const T *x, int64_t i)
{
    return x[i];
}

static inline void put(T *y, int64_t i, float v)
{
    y[i] = v;
}
#endif

/* How many of n items are in the `size` from `at` on. */
static inline int clip(int n, int at, int size)
{
    return n - at < size ? n - at : size;
}

static inline int ceil_div(int n, int by)
{
    return (n + by - 1) / by;
}

static inline int round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

/* to[i] = from[i], n numbers, then zeros up to `padded`. */
static inline void load_row(float *restrict to, const T *restrict from, int n, int padded)
{
    for (int i = 0; i < n; i++) to[i] = get(from, i);
    for (int i = n; i < padded; i++) to[i] = 0;
}

/*
 * exp(x) to 1 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, ln 2 in two parts; exp(r) by its Taylor series (the first term left
 * out is r^8 / 8! < 6e-9); 2^n as a product of two factors, so that results below 2^-126 come out denormal.
 */
static inline float exp_f32(float x)
{
    float c = x < -105.0f ? -105.0f : x;
    c = c > 90.0f ? 90.0f : c;
    float n = __builtin_rintf(c * 0x1.715476p+0f);
    float r = __builtin_fmaf(n, -0x1.62e400p-1f, c);
    r = __builtin_fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 1.0f / 5040;
    p = __builtin_fmaf(p, r, 1.0f / 720);
    p = __builtin_fmaf(p, r, 1.0f / 120);
    p = __builtin_fmaf(p, r, 1.0f / 24);
    p = __builtin_fmaf(p, r, 1.0f / 6);
    p = __builtin_fmaf(p, r, 0.5f);
    p = __builtin_fmaf(p, r, 1.0f);
    p = __builtin_fmaf(p, r, 1.0f);
    int32_t whole = (int32_t)n, half = whole / 2;
    union {
        uint32_t u;
        float f;
    } a = {.u = (uint32_t)(half + 127) << 23}, b = {.u = (uint32_t)(whole - half + 127) << 23};
    float y = p * a.f * b.f;
    return x == x ? y : x; /* the clamps above keep a NaN, the conversion to int32_t does not */
}

#endif
