/*
 * quant.h - copies of weights in 8 or 4 bits, for decoding: what is read per token halves or quarters.
 *
 * A value is scale * q, with a scale in bf16 for every QUANT_GROUP inputs of an output:
 *
 *   int8   q in -127..127, the nearest                                         8.5 bits per weight
 *   int4   q one of the 16 numbers of QUANT_LEVEL, the nearest                 4.5 bits per weight
 *
 * QUANT_LEVEL is the best table (Lloyd's algorithm, least squares) for normal numbers in groups of 32 that are divided
 * by minus the one of largest magnitude; then the scale is fitted to the levels.  Of normal weights 7.6 % of the
 * deviation is lost; equal steps lose 8.6 % at the same size, and 7.8 % with an offset per group at 5 bits; int8 0.5 %.
 *
 * Layout: a block is QUANT_OUTS outputs and QUANT_GROUP inputs; blocks follow each other along the inputs, then the
 * outputs.  A block is its scales, low byte first, and its q in eight rows; row r holds inputs 4r .. 4r + 3 of output
 * 0, then of output 1, ...  In int4 a byte holds the number of a level of row r (low half) and of row r + 4 (high half).
 * What is missing in the last block is zero.
 *
 * A product takes its inputs in 16 bits, with a scale in f32 for every QUANT_GROUP of a row (quant_inputs), sums a group
 * exactly in integers, and adds the groups in order, each by one fused multiply-add: the bits of a result are the same
 * on every machine.
 *
 *   void *memory = xmalloc(quant_bytes(QUANT_INT8, out, in));
 *   for (int b = 0; b < quant_blocks(out); b++) quant_outs(memory, QUANT_INT8, w, DT_BF16, out, in, b);
 *   Weight kw = {.data = w, .out = out, .in = in, .quant = &(WeightQuant){QUANT_INT8, memory}};
 */
#ifndef OSLER_KERNELS_QUANT_H
#define OSLER_KERNELS_QUANT_H

#include <stddef.h>

#include "kernels/kernels.h"

enum { QUANT_GROUP = 32, QUANT_OUTS = 16, QUANT_LEVELS = 16, QUANT_SCALES = 2 * QUANT_OUTS /* bytes */ };
extern const int8_t QUANT_LEVEL[QUANT_LEVELS];

static inline int quant_groups(int in)
{
    return (in + QUANT_GROUP - 1) / QUANT_GROUP;
}

static inline int quant_blocks(int out)
{
    return (out + QUANT_OUTS - 1) / QUANT_OUTS;
}

static inline int quant_block_bytes(QuantType t)
{
    return QUANT_SCALES + QUANT_OUTS * QUANT_GROUP / (t == QUANT_INT8 ? 1 : 2);
}

size_t quant_bytes(QuantType t, int out, int in);
/* Outputs [QUANT_OUTS * block, ...) of w [out, in], f32 or bf16, into their place in a copy. */
void quant_outs(void *copy, QuantType t, const void *w, DType dtype, int out, int in, int block);
/* Output o's `in` values. */
void quant_read(float *to, const WeightQuant *w, int in, int o);

/* One row of x [in] as q [groups * QUANT_GROUP] and scale [groups]: x = scale * q, |q| <= 127 * 256. */
void quant_inputs(int16_t *q, float *scale, const float *x, int in);
/* The scale of a group whose largest magnitude is `most`: NaN where that is not finite.  *inverse is 1 / scale, or 0
   where there is none. */
float quant_input_scale(float most, float *inverse);
/* Output o of a product with quant_inputs' row. */
float quant_dot(const WeightQuant *w, int in, int o, const int16_t *q, const float *scale);

#endif
