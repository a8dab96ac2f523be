/* A linear map with its adapter and a residual. */
#include "base/err.h"
#include "ops/linear_impl.h"

static Weight plain_weight(const Tensor *w)
{
    return (Weight){.data = w->data, .out = w->rows, .in = w->cols};
}

static bool adapter_on(const Ctx *c, const Linear *l)
{
    return c->lora && l->lora;
}

bool linear_trains(const Ctx *c, const Linear *l)
{
    return l->w->needs_grad || (l->bias && l->bias->needs_grad) ||
           (adapter_on(c, l) && (l->lora->a->needs_grad || l->lora->b->needs_grad));
}

bool linear_drops(const LinearState *s)
{
    return s->xd;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* What the adapter sees of x: x after dropout, with the dropout's key; NULL: x itself. */
static Tensor *adapter_input(Ctx *c, const Tensor *x, const Lora *lora, uint32_t key[2])
{
    if (lora->dropout <= 0 || !c->dropout_key) return NULL;
    key[0] = (uint32_t)c->dropout_key ^ (lora->id * 0x9e3779b9u);
    key[1] = (uint32_t)(c->dropout_key >> 32) + lora->id;
    Tensor *xd = tensor_new(c->arena, x->dtype, x->rows, x->cols);
    c->k->dropout(xd->data, x->data, lora->dropout, key, 0, tensor_count(x), false);
    return xd;
}

/* xa = scale * xd A^T [n, r]. */
static void adapter_inner(Ctx *c, Tensor *xa, const Tensor *xd, const Lora *lora)
{
    Weight a = plain_weight(lora->a);
    c->k->matmul_nt(&(MatmulArgs){.y = xa->data, .y_type = xa->dtype, .x = xd->data, .w = &a, .n = xd->rows});
    c->k->scale(xa->data, xa->data, lora->scale, tensor_count(xa), false);
}

LinearState linear_state(Ctx *c, int n, DType t, const Linear *l)
{
    LinearState s = {0};
    if (adapter_on(c, l)) s.xa = tensor_new(c->arena, t, n, l->lora->a->rows);
    return s;
}

void linear_forward(Ctx *c, MatmulArgs *g, const Tensor *x, const Linear *l, LinearState *s)
{
    CHECK(x->cols == l->w->cols && x->ld == x->cols, "linear: x [%d, %d], w [%d, %d]", x->rows, x->cols, l->w->rows,
          l->w->cols);
    Weight b, w = l->kw;
    if (!c->decoding) w.quant = NULL;
    g->x = x->data;
    g->w = &w;
    g->n = x->rows;
    if (l->bias) g->bias = l->bias->data;
    if (s->xa) {
        s->xd = adapter_input(c, x, l->lora, s->key);
        adapter_inner(c, s->xa, s->xd ? s->xd : x, l->lora);
        b = plain_weight(l->lora->b);
        g->x2 = s->xa->data;
        g->w2 = &b;
    }
    c->k->matmul_nt(g);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* du = scale * dy B [n, r]: the gradient of x A^T. */
static Tensor *adapter_inner_grad(Ctx *c, const void *dy, int rows, DType t, const Lora *lora)
{
    Tensor *du = tensor_new(c->arena, t, rows, lora->a->rows);
    Weight b = plain_weight(lora->b);
    c->k->matmul_nn(&(MatmulArgs){.y = du->data, .y_type = t, .x = dy, .w = &b, .n = rows});
    c->k->scale(du->data, du->data, lora->scale, tensor_count(du), false);
    return du;
}

/* dx += dropout(du A) */
static void dropped_dx(Ctx *c, void *dx, const Tensor *x, const Tensor *du, const Lora *lora, const LinearState *s)
{
    Weight a = plain_weight(lora->a);
    Tensor *dxd = tensor_new(c->arena, x->dtype, x->rows, x->cols);
    c->k->matmul_nn(&(MatmulArgs){.y = dxd->data, .y_type = dxd->dtype, .x = du->data, .w = &a, .n = du->rows});
    c->k->dropout(dx, dxd->data, lora->dropout, s->key, 0, tensor_count(x), true);
}

/* With u = scale * xd A^T: dB += dy^T u, dA += du^T xd. */
static void adapter_grads(Ctx *c, const Tensor *x, const void *dy, const Tensor *du, const Lora *lora,
                          const LinearState *s)
{
    const Tensor *xd = s->xd ? s->xd : x, *xa = s->xa;
    if (lora->b->needs_grad) c->k->matmul_tn(lora->b->grad, dy, xa->data, xa->rows, lora->b->rows, xa->cols);
    if (lora->a->needs_grad) c->k->matmul_tn(lora->a->grad, du->data, xd->data, du->rows, du->cols, xd->cols);
}

void linear_backward(Ctx *c, MatmulArgs *g, const Tensor *x, const void *dy, const Linear *l, const LinearState *s)
{
    size_t mark = arena_mark(c->arena);
    Tensor *du = s->xa ? adapter_inner_grad(c, dy, x->rows, x->dtype, l->lora) : NULL;
    Weight a;
    if (g) {
        g->x = dy;
        g->w = &l->kw;
        g->n = x->rows;
        if (du && !s->xd) {
            a = plain_weight(l->lora->a);
            g->x2 = du->data;
            g->w2 = &a;
        }
        c->k->matmul_nn(g);
        if (du && s->xd) dropped_dx(c, g->y, x, du, l->lora, s);
    }
    if (l->w->needs_grad) c->k->matmul_tn(l->w->grad, dy, x->data, x->rows, l->w->rows, l->w->cols);
    if (l->bias && l->bias->needs_grad) c->k->bias_bwd(l->bias->grad, dy, x->rows, l->w->rows);
    if (du) adapter_grads(c, x, dy, du, l->lora, s);
    arena_release(c->arena, mark);
}

void residual_backward(Ctx *c, Tensor *x, void *dy)
{
    if (!x || !x->needs_grad) return;
    if (x->grad || x->parent) c->k->accumulate(tensor_grad_zeroed(c->arena, x), dy, tensor_count(x));
    else x->grad = dy;
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */

static void linear_bwd(Ctx *c, Node *n)
{
    Tensor *x = n->in[0], *y = n->out;
    bool accumulate = false;
    MatmulArgs g = {.y_type = x->dtype};
    if (x->needs_grad) g.y = tensor_grad(c->arena, x, &accumulate);
    if (accumulate) g.add = g.y;
    linear_backward(c, x->needs_grad ? &g : NULL, x, y->grad, n->u.linear.l, &n->u.linear.s);
    residual_backward(c, n->in[1], y->grad);
}
static const OpDef OP_LINEAR = {"linear", linear_bwd};

Tensor *op_linear(Ctx *c, Tensor *x, const Linear *l, Tensor *residual)
{
    CHECK(!residual || (residual->rows == x->rows && residual->cols == l->w->rows && residual->ld == residual->cols),
          "linear: residual [%d, %d] to [%d, %d]", residual->rows, residual->cols, x->rows, l->w->rows);
    Tensor *y = tensor_new(c->arena, x->dtype, x->rows, l->w->rows);
    LinearState s = linear_state(c, x->rows, x->dtype, l);
    MatmulArgs g = {.y = y->data, .y_type = y->dtype, .add = residual ? residual->data : NULL};
    linear_forward(c, &g, x, l, &s);
    Node *n = tape_record(c, &OP_LINEAR, y, x, residual, NULL, linear_trains(c, l));
    if (n) {
        n->u.linear.l = l;
        n->u.linear.s = s;
    }
    return y;
}
