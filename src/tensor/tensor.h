/*
 * tensor.h - a matrix on a device, with room for its gradient.
 *
 * Every tensor is a row-major [rows, cols] matrix; rows are tokens, patches or outputs, cols are features.  `ld` is the
 * distance between rows in elements (larger than cols only for a view of some columns of a wider tensor).
 *
 * Two kinds:
 *   activation   lives in the step arena; data and grad are of the compute format; the gradient is allocated when the
 *                backward pass first reaches it
 *   parameter    lives in the model arena; data is of the compute format; the gradient, if it is trained, is f32,
 *                allocated with it and accumulated into until the optimizer clears it
 */
#ifndef OSLER_TENSOR_TENSOR_H
#define OSLER_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "kernels/kernels.h"

typedef struct Tensor {
    void *data;
    void *grad;
    int rows, cols, ld;
    DType dtype;
    bool needs_grad; /* the backward pass must reach it */
    bool is_param;
    struct Tensor *parent; /* a view: columns [col0, col0 + cols) of parent; NULL otherwise */
    int col0;
} Tensor;

/* Where tensors live and what computes with them. The f32 table serves statistics whatever the compute format is. */
typedef struct Device {
    const char *name; /* "cpu" */
    Kernels k;        /* of the compute format */
} Device;
void device_init(Device *dev, DType compute);
/* Kernels that compute nothing (kernels/dry.h). */
void device_init_dry(Device *dev, DType compute);

/* An uninitialised activation [rows, cols]. */
Tensor *tensor_new(Arena *a, DType dtype, int rows, int cols);
/* Columns [col0, col0 + cols) of x, sharing its data and gradient. */
Tensor *tensor_cols(Arena *a, Tensor *x, int col0, int cols);

/*
 * The gradient of an activation, ready to be written by a kernel: *accumulate says whether it already holds something
 * to add to.  tensor_grad_zeroed always holds something (zeros at first).
 */
void *tensor_grad(Arena *a, Tensor *t, bool *accumulate);
void *tensor_grad_zeroed(Arena *a, Tensor *t);

static inline int64_t tensor_count(const Tensor *t)
{
    return (int64_t)t->rows * t->cols;
}
static inline size_t tensor_bytes(const Tensor *t)
{
    return (size_t)tensor_count(t) * dtype_size(t->dtype);
}

#endif
