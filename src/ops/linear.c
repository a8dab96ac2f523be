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

/* scale * xd A^T [n, r]. */
static Tensor *adapter_inner(Ctx *c, const Tensor *xd, const Lora *lora)
{
    Tensor *xa = tensor_new(c->arena, xd->dtype, xd->rows, lora->a->rows);
    Weight a = plain_weight(lora->a);
    c->k->matmul_nt(&(MatmulArgs){.y = xa->data, .y_type = xa->dtype, .x = xd->data, .w = &a, .n = xd->rows});
    c->k->scale(xa->data, xa->data, lora->scale, tensor_count(xa), false);
    return xa;
}

/* du = scale * dy B [n, r]: the gradient of x A^T. */
static Tensor *adapter_inner_grad(Ctx *c, const Tensor *y, const Lora *lora)
{
    Tensor *du = tensor_new(c->arena, y->dtype, y->rows, lora->a->rows);
    Weight b = plain_weight(lora->b);
    c->k->matmul_nn(&(MatmulArgs){.y = du->data, .y_type = du->dtype, .x = y->grad, .w = &b, .n = y->rows});
    c->k->scale(du->data, du->data, lora->scale, tensor_count(du), false);
    return du;
}

/* With u = scale * xd A^T: dB += dy^T u, dA += du^T xd, and through dropout dx += dropout(du A). */
static void adapter_bwd(Ctx *c, const Node *n, const Tensor *du)
{
    const Lora *lora = n->u.linear.l->lora;
    Tensor *x = n->in[0], *y = n->out, *xa = n->u.linear.xa, *xd = n->u.linear.xd ? n->u.linear.xd : x;
    if (lora->b->needs_grad) c->k->matmul_tn(lora->b->grad, y->grad, xa->data, y->rows, y->cols, xa->cols);
    if (lora->a->needs_grad) c->k->matmul_tn(lora->a->grad, du->data, xd->data, du->rows, du->cols, xd->cols);
    if (!x->needs_grad || !n->u.linear.xd) return;
    Weight a = plain_weight(lora->a);
    Tensor *dxd = tensor_new(c->arena, x->dtype, x->rows, x->cols);
    c->k->matmul_nn(&(MatmulArgs){.y = dxd->data, .y_type = dxd->dtype, .x = du->data, .w = &a, .n = du->rows});
    c->k->dropout(x->grad, dxd->data, lora->dropout, n->u.linear.key, 0, tensor_count(x), true);
}

/* dx (+)= dy W, and du A where the adapter saw x itself. */
static void linear_dx(Ctx *c, const Node *n, const Tensor *du, bool accumulate)
{
    const Linear *l = n->u.linear.l;
    const Tensor *x = n->in[0], *y = n->out;
    Weight a;
    MatmulArgs g = {.y = x->grad, .y_type = x->dtype, .x = y->grad, .w = &l->kw, .n = y->rows};
    if (accumulate) g.add = x->grad;
    if (du && !n->u.linear.xd) {
        a = plain_weight(l->lora->a);
        g.x2 = du->data;
        g.w2 = &a;
    }
    c->k->matmul_nn(&g);
}

static void linear_bwd(Ctx *c, Node *n)
{
    const Linear *l = n->u.linear.l;
    Tensor *x = n->in[0], *y = n->out;
    bool accumulate = false;
    if (x->needs_grad) tensor_grad(c->arena, x, &accumulate); /* outlives the mark below */
    size_t mark = arena_mark(c->arena);
    Tensor *du = n->u.linear.xa ? adapter_inner_grad(c, y, l->lora) : NULL;
    if (x->needs_grad) linear_dx(c, n, du, accumulate);
    if (l->w->needs_grad) c->k->matmul_tn(l->w->grad, y->grad, x->data, y->rows, y->cols, x->cols);
    if (l->bias && l->bias->needs_grad) c->k->bias_bwd(l->bias->grad, y->grad, y->rows, y->cols);
    if (du) adapter_bwd(c, n, du);
    arena_release(c->arena, mark);
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
    Tensor *xa = NULL, *xd = NULL;
    uint32_t key[2] = {0, 0};
    Weight lora_b;
    MatmulArgs g = {.y = y->data, .y_type = y->dtype, .x = x->data, .w = &l->kw, .n = x->rows};
    if (l->bias) g.bias = l->bias->data;
    if (adapter_on(c, l)) {
        xd = adapter_input(c, x, l->lora, key);
        xa = adapter_inner(c, xd ? xd : x, l->lora);
        lora_b = plain_weight(l->lora->b);
        g.x2 = xa->data;
        g.w2 = &lora_b;
    }
    c->k->matmul_nt(&g);
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

/* logits [n, v] = x head^T */
static void head_product(Ctx *c, float *logits, const void *x, const Linear *head, int n)
{
    c->k->matmul_nt(&(MatmulArgs){.y = logits, .y_type = DT_F32, .x = x, .w = &head->kw, .n = n});
}

/* dx (+)= dlogits head */
static void head_dx(Ctx *c, void *dx, const void *dlogits, const Linear *head, int n, bool accumulate)
{
    MatmulArgs g = {.y = dx, .y_type = c->k->dtype, .x = dlogits, .w = &head->kw, .n = n};
    if (accumulate) g.add = dx;
    c->k->matmul_nn(&g);
}

Tensor *op_logits(Ctx *c, Tensor *x, const Linear *head)
{
    CHECK(!c->tape && x->cols == head->w->cols, "logits: x [%d, %d], head [%d, %d]", x->rows, x->cols, head->w->rows,
          head->w->cols);
    Tensor *y = tensor_new(c->arena, DT_F32, x->rows, head->w->rows);
    head_product(c, y->data, x->data, head, x->rows);
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
        head_product(c, logits, xr, head, m);
        c->k->logprob_bwd(dlogits, dlogp + r, logits, n->u.logprob.lse + r, n->u.logprob.id + r, m, v);
        if (x->needs_grad) head_dx(c, row_at(x, x->grad, r), dlogits, head, m, accumulate);
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
        head_product(c, logits, row_at(x, x->data, r), head, m);
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
