/* Matrix products with weights: linear (with adapter), logits, log-probabilities. */
#include <math.h>

#include "base/err.h"
#include "base/rng.h"
#include "ops/ops.h"

/* ---- linear ------------------------------------------------------------------------------------------------------ */

static Weight plain_weight(const Tensor *w)
{
    return (Weight){.data = w->data, .out = w->rows, .in = w->cols};
}

static bool adapter_on(const Ctx *c, const Linear *l)
{
    return c->lora && l->lora;
}

/* y += scale * xd A^T B^T; returns scale * xd A^T [n, r], which the backward pass needs. */
static Tensor *adapter_fwd(Ctx *c, Tensor *y, const Tensor *xd, const Lora *lora)
{
    Tensor *xa = tensor_new(c->arena, xd->dtype, xd->rows, lora->a->rows);
    Weight a = plain_weight(lora->a), b = plain_weight(lora->b);
    c->k->matmul_nt(xa->data, xa->dtype, xd->data, &a, NULL, xd->rows, false);
    c->k->scale(xa->data, xa->data, lora->scale, tensor_count(xa), false);
    c->k->matmul_nt(y->data, y->dtype, xa->data, &b, NULL, xd->rows, true);
    return xa;
}

/* With u = scale * xd A^T: dB += dy^T u, du = scale * dy B, dA += du^T xd, dxd = du A. */
static void adapter_bwd(Ctx *c, const Node *n)
{
    const Lora *lora = n->u.linear.l->lora;
    Tensor *x = n->in[0], *y = n->out, *xa = n->u.linear.xa, *xd = n->u.linear.xd ? n->u.linear.xd : x;
    Weight a = plain_weight(lora->a), b = plain_weight(lora->b);
    size_t mark = arena_mark(c->arena);
    if (lora->b->needs_grad) c->k->matmul_tn(lora->b->grad, y->grad, xa->data, y->rows, y->cols, xa->cols);
    Tensor *du = tensor_new(c->arena, xa->dtype, xa->rows, xa->cols);
    c->k->matmul_nn(du->data, y->grad, &b, y->rows, false);
    c->k->scale(du->data, du->data, lora->scale, tensor_count(du), false);
    if (lora->a->needs_grad) c->k->matmul_tn(lora->a->grad, du->data, xd->data, du->rows, du->cols, xd->cols);
    if (x->needs_grad && !n->u.linear.xd) {
        c->k->matmul_nn(x->grad, du->data, &a, du->rows, true);
    } else if (x->needs_grad) {
        Tensor *dxd = tensor_new(c->arena, x->dtype, x->rows, x->cols);
        c->k->matmul_nn(dxd->data, du->data, &a, du->rows, false);
        c->k->dropout(x->grad, dxd->data, lora->dropout, n->u.linear.key, 0, tensor_count(x), true);
    }
    arena_release(c->arena, mark);
}

static void linear_bwd(Ctx *c, Node *n)
{
    const Linear *l = n->u.linear.l;
    Tensor *x = n->in[0], *y = n->out;
    if (x->needs_grad) {
        bool accumulate;
        void *dx = tensor_grad(c->arena, x, &accumulate);
        c->k->matmul_nn(dx, y->grad, &l->kw, y->rows, accumulate);
    }
    if (l->w->needs_grad) c->k->matmul_tn(l->w->grad, y->grad, x->data, y->rows, y->cols, x->cols);
    if (l->bias && l->bias->needs_grad) c->k->bias_bwd(l->bias->grad, y->grad, y->rows, y->cols);
    if (n->u.linear.xa) adapter_bwd(c, n);
}
static const OpDef OP_LINEAR = {"linear", linear_bwd};

static bool linear_trains(const Ctx *c, const Linear *l)
{
    return l->w->needs_grad || (l->bias && l->bias->needs_grad) ||
           (adapter_on(c, l) && (l->lora->a->needs_grad || l->lora->b->needs_grad));
}

Tensor *op_linear(Ctx *c, Tensor *x, const Linear *l)
{
    CHECK(x->cols == l->w->cols && x->ld == x->cols, "linear: x [%d, %d], w [%d, %d]", x->rows, x->cols, l->w->rows,
          l->w->cols);
    Tensor *y = tensor_new(c->arena, x->dtype, x->rows, l->w->rows);
    c->k->matmul_nt(y->data, y->dtype, x->data, &l->kw, l->bias ? l->bias->data : NULL, x->rows, false);
    Tensor *xa = NULL, *xd = NULL;
    uint32_t key[2] = {0, 0};
    if (adapter_on(c, l)) {
        if (l->lora->dropout > 0 && c->dropout_key) {
            key[0] = (uint32_t)c->dropout_key ^ (l->lora->id * 0x9e3779b9u);
            key[1] = (uint32_t)(c->dropout_key >> 32) + l->lora->id;
            xd = tensor_new(c->arena, x->dtype, x->rows, x->cols);
            c->k->dropout(xd->data, x->data, l->lora->dropout, key, 0, tensor_count(x), false);
        }
        xa = adapter_fwd(c, y, xd ? xd : x, l->lora);
    }
    Node *n = tape_record(c, &OP_LINEAR, y, x, NULL, NULL, linear_trains(c, l));
    if (n) {
        n->u.linear.l = l;
        n->u.linear.xa = xa;
        n->u.linear.xd = xd;
        n->u.linear.key[0] = key[0];
        n->u.linear.key[1] = key[1];
    }
    return y;
}

/* ---- head -------------------------------------------------------------------------------------------------------- */

Tensor *op_logits(Ctx *c, Tensor *x, const Linear *head)
{
    CHECK(!c->tape && x->cols == head->w->cols, "logits: x [%d, %d], head [%d, %d]", x->rows, x->cols, head->w->rows,
          head->w->cols);
    Tensor *y = tensor_new(c->arena, DT_F32, x->rows, head->w->rows);
    c->k->matmul_nt(y->data, DT_F32, x->data, &head->kw, NULL, x->rows, false);
    return y;
}

/* Rows of logits that exist at a time: about 64 MB of f32. */
static int chunk_rows(int v)
{
    int rows = (1 << 24) / v;
    return rows < 16 ? 16 : rows > 512 ? 512 : rows;
}

static char *row_at(const Tensor *t, void *p, int row)
{
    return (char *)p + (size_t)row * (size_t)t->cols * dtype_size(t->dtype);
}

/* Computes the logits of each chunk again, turns them into their gradient, and adds that to dx and the head's. */
static void logprob_bwd(Ctx *c, Node *n)
{
    const Linear *head = n->u.logprob.head;
    Tensor *x = n->in[0], *y = n->out;
    const float *dlogp = y->grad;
    int v = head->w->rows, step = chunk_rows(v);
    bool accumulate = false;
    if (x->needs_grad) tensor_grad(c->arena, x, &accumulate);
    size_t mark = arena_mark(c->arena);
    float *logits = arena_alloc(c->arena, sizeof(float) * (size_t)step * (size_t)v);
    void *dlogits = arena_alloc(c->arena, dtype_size(x->dtype) * (size_t)step * (size_t)v);
    for (int r = 0; r < x->rows; r += step) {
        int m = x->rows - r < step ? x->rows - r : step;
        const void *xr = row_at(x, x->data, r);
        c->k->matmul_nt(logits, DT_F32, xr, &head->kw, NULL, m, false);
        c->k->logprob_bwd(dlogits, dlogp + r, logits, n->u.logprob.lse + r, n->u.logprob.id + r, m, v);
        if (x->needs_grad) c->k->matmul_nn(row_at(x, x->grad, r), dlogits, &head->kw, m, accumulate);
        if (head->w->needs_grad) c->k->matmul_tn(head->w->grad, dlogits, xr, m, v, x->cols);
    }
    arena_release(c->arena, mark);
}
static const OpDef OP_LOGPROB = {"logprob", logprob_bwd};

Tensor *op_logprob(Ctx *c, Tensor *x, const Linear *head, const int *id, float *entropy)
{
    CHECK(x->cols == head->w->cols && x->ld == x->cols, "logprob: x [%d, %d], head [%d, %d]", x->rows, x->cols,
          head->w->rows, head->w->cols);
    int v = head->w->rows, step = chunk_rows(v);
    Tensor *y = tensor_new(c->arena, DT_F32, x->rows, 1);
    float *lse = arena_alloc(c->arena, sizeof(float) * (size_t)(x->rows + 1)), *logp = y->data;
    size_t mark = arena_mark(c->arena);
    float *logits = arena_alloc(c->arena, sizeof(float) * (size_t)step * (size_t)v);
    for (int r = 0; r < x->rows; r += step) {
        int m = x->rows - r < step ? x->rows - r : step;
        c->k->matmul_nt(logits, DT_F32, row_at(x, x->data, r), &head->kw, NULL, m, false);
        c->k->logprob_fwd(logp + r, lse + r, entropy ? entropy + r : NULL, logits, id + r, m, v);
    }
    arena_release(c->arena, mark);
    Node *n = tape_record(c, &OP_LOGPROB, y, x, NULL, NULL, head->w->needs_grad);
    if (n) {
        n->u.logprob.head = head;
        n->u.logprob.id = id;
        n->u.logprob.lse = lse;
    }
    return y;
}
