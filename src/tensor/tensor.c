#include "tensor/tensor.h"

#include <string.h>

#include "base/err.h"
#include "kernels/dry.h"

void device_init(Device *dev, DType compute)
{
    dev->name = "cpu";
    kernels_cpu(&dev->k, compute);
}

void device_init_dry(Device *dev, DType compute)
{
    dev->name = "dry";
    kernels_dry(&dev->k, compute);
}

Tensor *tensor_new(Arena *a, DType dtype, int rows, int cols)
{
    CHECK(rows >= 0 && cols > 0, "tensor [%d, %d]", rows, cols);
    Tensor *t = arena_alloc(a, sizeof *t);
    *t = (Tensor){.rows = rows, .cols = cols, .ld = cols, .dtype = dtype};
    t->data = arena_alloc(a, tensor_bytes(t));
    return t;
}

static void *offset_cols(void *p, const Tensor *view)
{
    return (char *)p + (size_t)view->col0 * dtype_size(view->dtype);
}

Tensor *tensor_cols(Arena *a, Tensor *x, int col0, int cols)
{
    CHECK(col0 >= 0 && cols > 0 && col0 + cols <= x->cols, "columns [%d, +%d) of [%d, %d]", col0, cols, x->rows,
          x->cols);
    CHECK(!x->parent && !x->is_param, "a view of a view or of a parameter");
    Tensor *t = arena_alloc(a, sizeof *t);
    *t = (Tensor){.rows = x->rows,
                  .cols = cols,
                  .ld = x->ld,
                  .dtype = x->dtype,
                  .needs_grad = x->needs_grad,
                  .parent = x,
                  .col0 = col0};
    t->data = offset_cols(x->data, t);
    return t;
}

void *tensor_grad_zeroed(Arena *a, Tensor *t)
{
    if (t->parent) return t->grad = offset_cols(tensor_grad_zeroed(a, t->parent), t);
    if (!t->grad) t->grad = arena_zalloc(a, tensor_bytes(t));
    return t->grad;
}

void *tensor_grad(Arena *a, Tensor *t, bool *accumulate)
{
    *accumulate = t->grad || t->parent;
    if (*accumulate) return tensor_grad_zeroed(a, t);
    return t->grad = arena_alloc(a, tensor_bytes(t));
}
