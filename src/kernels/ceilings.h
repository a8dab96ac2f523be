/*
 * ceilings.h - what this machine can do at best, for `osler doctor` and for "% of peak" in benchmarks and logs.
 *
 * Measured with all threads of the pool, best of a few runs; about three seconds for all:
 *
 *   Ceilings c;
 *   ceilings_measure(&c);
 *   printf("%.0f GFLOP/s\n", c.bf16_gflops);
 *
 * Products go through the kernel table itself, so 100 % means: as fast as the best product alone.  Reading is a loop of
 * its own over 512 MiB, in the widest vectors of the machine, each thread at several places at once.
 */
#ifndef OSLER_KERNELS_CEILINGS_H
#define OSLER_KERNELS_CEILINGS_H

#include "base/dtype.h"

typedef struct Ceilings {
    double f32_gflops, bf16_gflops; /* products of several shapes, the best */
    double read_gbs;                /* GB/s over a buffer larger than the caches */
} Ceilings;

void ceilings_measure(Ceilings *c);
/* The products of one format alone, in a third of the time and nearly as well. */
double ceilings_gflops(DType t);
double ceilings_read_gbs(void);

#endif
