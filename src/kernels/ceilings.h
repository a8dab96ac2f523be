/*
 * ceilings.h - what this machine can do at best, for `osler doctor` and for "% of peak" in benchmarks and logs.
 *
 * Measured through the kernel table itself with all threads of the pool, best of a few runs; about two seconds:
 *
 *   Ceilings c;
 *   ceilings_measure(&c);
 *   printf("%.0f GFLOP/s\n", c.bf16_gflops);
 */
#ifndef OSLER_KERNELS_CEILINGS_H
#define OSLER_KERNELS_CEILINGS_H

#include "base/dtype.h"

typedef struct Ceilings {
    double f32_gflops, bf16_gflops; /* 2048 x 2048 x 2048 products with a packed weight */
    double read_gbs;                /* GB/s over a buffer larger than the caches */
} Ceilings;

void ceilings_measure(Ceilings *c);
/* The products of one format alone, in a tenth of the time and nearly as well. */
double ceilings_gflops(DType t);

#endif
