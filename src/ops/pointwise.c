/* Ops without weights or with one vector: add, rmsnorm, swiglu, gelu, reshape. */
#include "base/err.h"
#include "ops/ops.h"

static void check_same(const char *op, const Tensor *a, const Tensor *b)
{
    CHECK(a->rows == b->rows && a->cols == b->cols && a->ld == a->cols && b->ld == b->cols, "%s: [%d, %d] and [%d, %d]",
          op, a->rows, a->cols, b->rows, b->cols);
}

/* x->grad (+)= g, same shape */
static void pass_grad(Ctx *c, Tensor *x, const void *g)
{
    if (!x->needs_grad) return;
    bool accumulate;
    void *dx = tensor_grad(c->arena, x, &accumulate);
    c->k->scale(dx, g, 1, tensor_count(x), accumulate);
}

static void add_bwd(Ctx *c, Node *n)
{
    pass_grad(c, n->in[0], n->out->grad);
    pass_grad(c, n->in[1], n->out->grad);
}
static const OpDef OP_ADD = {"add", add_bwd};

Tensor *op_add(Ctx *c, Tensor *a, Tensor *b)
{
    check_same("add", a, b);
    Tensor *y = tensor_new(c->arena, a->dtype, a->rows, a->cols);
    c->k->add(y->data, a->data, b->data, tensor_count(a));
    tape_record(c, &OP_ADD, y, a, b, NULL, false);
    return y;
}

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

static void swiglu_bwd(Ctx *c, Node *n)
{
    Tensor *gate = n->in[0], *up = n->in[1];
    bool acc_gate, acc_up;
    void *dg = tensor_grad(c->arena, gate, &acc_gate), *du = tensor_grad(c->arena, up, &acc_up);
    CHECK(acc_gate == acc_up, "swiglu: gate and up must be used alike");
    c->k->swiglu_bwd(dg, du, n->out->grad, gate->data, up->data, tensor_count(gate), acc_gate);
}
static const OpDef OP_SWIGLU = {"swiglu", swiglu_bwd};

Tensor *op_swiglu(Ctx *c, Tensor *gate, Tensor *up)
{
    check_same("swiglu", gate, up);
    Tensor *y = tensor_new(c->arena, gate->dtype, gate->rows, gate->cols);
    c->k->swiglu_fwd(y->data, gate->data, up->data, tensor_count(gate));
    tape_record(c, &OP_SWIGLU, y, gate, up, NULL, false);
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
