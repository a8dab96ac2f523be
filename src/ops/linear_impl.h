/*
 * linear_impl.h - a product with a weight and its adapter, forward and backward, for the ops that are made of them.
 *
 *   LinearState s = linear_state(c, n, type, l);
 *   linear_forward(c, &(MatmulArgs){.y = y->data, ...}, x, l, &s);
 *   ...
 *   linear_backward(c, &(MatmulArgs){.y = dx, ...}, x, dy, l, &s);
 */
#ifndef OSLER_OPS_LINEAR_IMPL_H
#define OSLER_OPS_LINEAR_IMPL_H

#include "ops/ops.h"

/* What a product of n rows leaves behind, its memory allocated. */
LinearState linear_state(Ctx *c, int n, DType t, const Linear *l);
/* y = x W^T + bias + adapter + g->add; g holds y, its type and what else its caller wants of the product. */
void linear_forward(Ctx *c, MatmulArgs *g, const Tensor *x, const Linear *l, LinearState *s);
/*
 * dx = dy W + the adapter's part + g->add, and the gradients of weight, bias and adapter; dy has x's rows.
 * dx NULL (g NULL): not wanted.  x->data may be NULL where neither the weight nor the adapter trains.
 */
void linear_backward(Ctx *c, MatmulArgs *g, const Tensor *x, const void *dy, const Linear *l, const LinearState *s);
bool linear_trains(const Ctx *c, const Linear *l);
/* An adapter that dropped parts of its input: it keeps a copy, and its dx cannot join the sums of the weight's. */
bool linear_drops(const LinearState *s);
/* x's gradient += or = dy: what a residual passes on. It may then be the very memory of dy. */
void residual_backward(Ctx *c, Tensor *x, void *dy);

#endif
