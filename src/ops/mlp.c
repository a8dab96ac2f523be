/* The gated MLP: three products, with what lies between them done where the sums are. */
#include "base/err.h"
#include "ops/linear_impl.h"

/* What the backward pass needs of one. y is computed again from gate and up. */
typedef struct MlpState {
    const Mlp *m;
    Tensor *gate, *up; /* [n, f] before the activation; replaced by their gradients */
    LinearState s_gate, s_up, s_down;
} MlpState;

static bool mlp_trains(const Ctx *c, const Mlp *m)
{
    return linear_trains(c, &m->gate) || linear_trains(c, &m->up) || linear_trains(c, &m->down);
}

/* down's gradients, and those of gate and up in their place; d_out [n, d]. */
static void down_backward(Ctx *c, MlpState *s, const void *d_out)
{
    Tensor *gate = s->gate, *up = s->up, *y = tensor_new(c->arena, gate->dtype, gate->rows, gate->cols);
    Swiglu act = {.gate = gate->data, .up = up->data, .y = y->data};
    if (!linear_drops(&s->s_down)) {
        /* y comes out of the product, before the gradients of the weights need it */
        linear_backward(c, &(MatmulArgs){.y_type = y->dtype, .swiglu = &act}, y, d_out, &s->m->down, &s->s_down);
        return;
    }
    c->k->swiglu_fwd(y->data, gate->data, up->data, tensor_count(gate));
    Tensor *dy = tensor_new(c->arena, gate->dtype, gate->rows, gate->cols);
    linear_backward(c, &(MatmulArgs){.y = dy->data, .y_type = dy->dtype}, y, d_out, &s->m->down, &s->s_down);
    c->k->swiglu_bwd(gate->data, up->data, dy->data, gate->data, up->data, tensor_count(gate), false);
}

static void mlp_bwd(Ctx *c, Node *n)
{
    MlpState *s = n->u.mlp.s;
    Tensor *x = n->in[0];
    bool accumulate = false;
    MatmulArgs g = {.y_type = x->dtype};
    if (x->needs_grad) g.y = tensor_grad(c->arena, x, &accumulate); /* outlives the mark */
    size_t mark = arena_mark(c->arena);
    down_backward(c, s, n->out->grad);
    arena_release(c->arena, mark);
    MatmulArgs first = g, second = g;
    if (accumulate) first.add = g.y;
    second.add = g.y;
    linear_backward(c, g.y ? &first : NULL, x, s->gate->data, &s->m->gate, &s->s_gate);
    linear_backward(c, g.y ? &second : NULL, x, s->up->data, &s->m->up, &s->s_up);
    residual_backward(c, n->in[1], n->out->grad);
}
static const OpDef OP_MLP = {"mlp", mlp_bwd};

static void mlp_forward(Ctx *c, Tensor *out, const Tensor *x, MlpState *s, const Tensor *residual)
{
    const Mlp *m = s->m;
    DType t = x->dtype;
    size_t mark = arena_mark(c->arena);
    Tensor *y = tensor_new(c->arena, t, x->rows, m->gate.w->rows);
    Swiglu act = {.gate = s->gate->data, .y = y->data};
    linear_forward(c, &(MatmulArgs){.y = s->gate->data, .y_type = t}, x, &m->gate, &s->s_gate);
    linear_forward(c, &(MatmulArgs){.y = s->up->data, .y_type = t, .swiglu = &act}, x, &m->up, &s->s_up);
    linear_forward(c, &(MatmulArgs){.y = out->data, .y_type = t, .add = residual->data}, y, &m->down, &s->s_down);
    bool drops = linear_drops(&s->s_gate) || linear_drops(&s->s_up) || linear_drops(&s->s_down);
    if (!drops) arena_release(c->arena, mark);
}

Tensor *op_mlp(Ctx *c, Tensor *x, const Mlp *m, Tensor *residual)
{
    CHECK(residual->rows == x->rows && residual->cols == m->down.w->rows && residual->ld == residual->cols,
          "mlp: residual [%d, %d], x [%d, %d]", residual->rows, residual->cols, x->rows, x->cols);
    int n = x->rows, f = m->gate.w->rows;
    DType t = x->dtype;
    Tensor *out = tensor_new(c->arena, t, n, m->down.w->rows);
    MlpState *s = arena_alloc(c->arena, sizeof *s);
    *s = (MlpState){.m = m, .gate = tensor_new(c->arena, t, n, f), .up = tensor_new(c->arena, t, n, f)};
    s->s_gate = linear_state(c, n, t, &m->gate);
    s->s_up = linear_state(c, n, t, &m->up);
    s->s_down = linear_state(c, n, t, &m->down);
    mlp_forward(c, out, x, s, residual);
    Node *node = tape_record(c, &OP_MLP, out, x, residual, NULL, mlp_trains(c, m));
    if (node) node->u.mlp.s = s;
    return out;
}
