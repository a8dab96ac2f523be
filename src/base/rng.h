/*
 * rng.h - counter-based random numbers (Philox 4x32-10, Salmon et al. 2011).
 *
 * A number is a pure function of what it is for, never of the order in which things ran, so a resumed, a packed and a
 * parallel run all draw the same: key = (seed, purpose), counter = (a, b, c, i).
 *
 *   Rng r = rng_at(seed, RNG_SAMPLE, sample, draw, 0);
 *   double u = rng_uniform(&r);
 */
#ifndef OSLER_BASE_RNG_H
#define OSLER_BASE_RNG_H

#include <stdint.h>

typedef enum RngPurpose {
    RNG_INIT,    /* weights of a fresh model: (parameter, 0, 0) */
    RNG_SHUFFLE, /* order of the samples: (epoch, 0, 0) */
    RNG_SUBSET,  /* file#500: (file, 0, 0) */
    RNG_DROPOUT, /* (step, layer, linear) */
    RNG_SAMPLE,  /* decoding: (sample, draw, position) */
    RNG_TEST,
    RNG_PHANTOM,  /* a case: (family, split and stream, number) */
    RNG_BOOTSTRAP /* resampling of scores: (draw, 0, 0) */
} RngPurpose;

typedef struct Rng {
    uint32_t key[2], ctr[4], out[4];
    int left; /* numbers of out not used yet */
} Rng;

/* The stream for (seed, purpose) at (a, b, c): 2^32 blocks of four numbers each. */
Rng rng_at(uint64_t seed, RngPurpose purpose, uint32_t a, uint32_t b, uint32_t c);
uint32_t rng_u32(Rng *r);
uint32_t rng_below(Rng *r, uint32_t n);     /* unbiased, n > 0 */
double rng_uniform(Rng *r);                 /* [0, 1), 53 bits */
void rng_normal_pair(float out[2], Rng *r); /* two independent ones in f32, four times as fast as rng_normal */
double rng_normal(Rng *r);                  /* mean 0, variance 1 (Box-Muller) */

/* One block: four numbers for (key, ctr). The building block for kernels that need number i directly. */
void philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2]);

#endif
