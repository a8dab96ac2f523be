/*
 * tile.h - the one small matrix product that matmul_tmpl.c and attention_tmpl.c are built on.
 *
 * tile_multiply: c[m,n] += a b with b's rows contiguous and a read one number at a time, so that a may be stored either
 * way round: a(i, p) = a[i * ra + p * ca].  All f32, in memory of the caller that fits in the nearest caches.
 * n is a multiple of W: callers pad with zeros.  MR x 2 vectors of c stay in registers over the whole of k; every
 * element of c is one chain of fused multiply-adds in the order of p, whatever block it falls in.
 *
 * Vf is a vector of W floats in the compilers' vector extension: no intrinsics, and `a += s * b` is one fused
 * multiply-add per register.
 */
#ifndef OSLER_KERNELS_CPU_TILE_H
#define OSLER_KERNELS_CPU_TILE_H

#include "kernels/cpu/simd.h"

typedef float Vf __attribute__((vector_size(4 * W), aligned(4), may_alias));

static inline Vf vf_load(const float *p)
{
    return *(const Vf *)p;
}

static inline void vf_store(float *p, Vf v)
{
    *(Vf *)p = v;
}

#if defined(__AVX512F__)
enum { MR = 12 }; /* 24 of 32 registers hold c */
#else
enum { MR = 6 }; /* 12 of 16 */
#endif

typedef struct Tile {
    float *c;
    const float *a, *b;
    int64_t ldc, ra, ca, ldb;
    int m, n, k;
} Tile;

/* Rows [i, i + rows) and vectors [j, j + cols * W) of c; rows and cols are constants where this is inlined. */
static inline ALWAYS_INLINE void tile_block(const Tile *t, int i, int j, const int rows, const int cols)
{
    Vf acc[MR][2];
    float *c = t->c + i * t->ldc + j;
    const float *a = t->a + i * t->ra, *b = t->b + j;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < cols; v++) acc[r][v] = vf_load(c + r * t->ldc + v * W);
    for (int p = 0; p < t->k; p++) {
        Vf x[2];
        for (int v = 0; v < cols; v++) x[v] = vf_load(b + p * t->ldb + v * W);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < cols; v++) acc[r][v] += a[r * t->ra + p * t->ca] * x[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < cols; v++) vf_store(c + r * t->ldc + v * W, acc[r][v]);
}

static inline void tile_multiply(const Tile *t)
{
    int j = 0;
    for (; j + 2 * W <= t->n; j += 2 * W) {
        int i = 0;
        for (; i + MR <= t->m; i += MR) tile_block(t, i, j, MR, 2);
        for (; i + 3 <= t->m; i += 3) tile_block(t, i, j, 3, 2);
        for (; i < t->m; i++) tile_block(t, i, j, 1, 2);
    }
    for (; j < t->n; j += W) {
        int i = 0;
        for (; i + MR <= t->m; i += MR) tile_block(t, i, j, MR, 1);
        for (; i + 3 <= t->m; i += 3) tile_block(t, i, j, 3, 1);
        for (; i < t->m; i++) tile_block(t, i, j, 1, 1);
    }
}

#endif
