/* Ops without weights or with one vector: rmsnorm, gelu, reshape. */
#include "base/err.h"
#include "ops/ops.h"

static void rmsnorm_bwd(Ctx *c, Node *n)
{
    Tensor *x = n->in[0], *w = n->in[1];
    bool accumulate = false;
    void *dx = x->needs_grad ? tensor_grad(c->arena, x, &accumulate) : NULL;
    float *dw = w->needs_grad ? w->grad : NULL;
    c->k->rmsnorm_bwd(dx, dw, n->out->grad, x->data, w->data, n->u.norm.rstd, x->rows, x->cols, accumulate);
}
static const OpDef OP_RMSNORM = {"rmsnorm", rmsnorm_bwd};

Tensor *op_rmsnorm(Ctx *c, Tensor *x, Tensor *w, float eps)
{
    CHECK(x->cols == w->cols && x->ld == x->cols, "rmsnorm: x [%d, %d], w [%d]", x->rows, x->cols, w->cols);
    Tensor *y = tensor_new(c->arena, x->dtype, x->rows, x->cols);
    float *rstd = arena_alloc(c->arena, sizeof(float) * (size_t)(x->rows + 1));
    c->k->rmsnorm_fwd(y->data, rstd, x->data, w->data, x->rows, x->cols, eps);
    Node *n = tape_record(c, &OP_RMSNORM, y, x, w, NULL, false);
    if (n) n->u.norm.rstd = rstd;
    return y;
}

static void gelu_bwd(Ctx *c, Node *n)
{
    Tensor *x = n->in[0];
    bool accumulate;
    void *dx = tensor_grad(c->arena, x, &accumulate);
    c->k->gelu_bwd(dx, n->out->grad, x->data, tensor_count(x), accumulate);
}
static const OpDef OP_GELU = {"gelu", gelu_bwd};

Tensor *op_gelu(Ctx *c, Tensor *x)
{
    Tensor *y = tensor_new(c->arena, x->dtype, x->rows, x->cols);
    c->k->gelu_fwd(y->data, x->data, tensor_count(x));
    tape_record(c, &OP_GELU, y, x, NULL, NULL, false);
    return y;
}

/* x and its reshaped self share data, so they share the gradient as well. */
static void reshape_bwd(Ctx *c, Node *n)
{
    (void)c;
    CHECK(!n->in[0]->grad, "reshape: its input is used by another op");
    n->in[0]->grad = n->out->grad;
}
static const OpDef OP_RESHAPE = {"reshape", reshape_bwd};

Tensor *op_reshape(Ctx *c, Tensor *x, int rows, int cols)
{
    CHECK((int64_t)rows * cols == tensor_count(x) && x->ld == x->cols, "reshape: [%d, %d] to [%d, %d]", x->rows,
          x->cols, rows, cols);
    Tensor *y = arena_alloc(c->arena, sizeof *y);
    *y = (Tensor){.data = x->data, .rows = rows, .cols = cols, .ld = cols, .dtype = x->dtype};
    tape_record(c, &OP_RESHAPE, y, x, NULL, NULL, false);
    return y;
}
