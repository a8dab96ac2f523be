/* Rotation and attention. */
#include <math.h>

#include "base/err.h"
#include "ops/ops.h"

/* The rotated tensor shares data and gradient with x: the gradient is rotated back in place. */
static void rope_bwd(Ctx *c, Node *n)
{
    Tensor *x = n->in[0], *y = n->out;
    int heads = n->u.rope.heads, hd = y->cols / heads;
    CHECK(x->parent || !x->grad, "rope: its input is used by another op");
    c->k->rope(y->grad, y->ld, y->grad, y->ld, n->u.rope.table.cos, n->u.rope.table.sin, y->rows, heads, hd, -1, false);
    x->grad = y->grad;
}
static const OpDef OP_ROPE = {"rope", rope_bwd};

Tensor *op_rope(Ctx *c, Tensor *x, RopeTable t, int heads, int hd)
{
    CHECK(x->cols == heads * hd && hd % 2 == 0, "rope: x [%d, %d], %d heads of %d", x->rows, x->cols, heads, hd);
    Tensor *y = arena_alloc(c->arena, sizeof *y);
    *y = *x;
    y->needs_grad = false;
    c->k->rope(y->data, y->ld, x->data, x->ld, t.cos, t.sin, x->rows, heads, hd, 1, false);
    Node *n = tape_record(c, &OP_ROPE, y, x, NULL, NULL, false);
    if (n) {
        n->u.rope.table = t;
        n->u.rope.heads = heads;
    }
    return y;
}

static AttnArgs attn_args(const Attn *a, int ldq, int ldk, int ldv, int n_q, int n_k)
{
    return (AttnArgs){.plan = &a->plan,
                      .h = a->h,
                      .hk = a->hk,
                      .hd = a->hd,
                      .ldq = ldq,
                      .ldk = ldk,
                      .ldv = ldv,
                      .scale = (float)(1 / sqrt((double)a->hd)),
                      .n_q = n_q,
                      .n_k = n_k};
}

static void attention_bwd(Ctx *c, Node *n)
{
    Tensor *q = n->in[0], *k = n->in[1], *v = n->in[2], *o = n->out;
    AttnArgs args = attn_args(n->u.attn.a, q->ld, k->ld, v->ld, q->rows, k->rows);
    void *dq = tensor_grad_zeroed(c->arena, q), *dk = tensor_grad_zeroed(c->arena, k),
         *dv = tensor_grad_zeroed(c->arena, v);
    c->k->attention_bwd(dq, dk, dv, o->grad, o->data, n->u.attn.lse, q->data, k->data, v->data, &args);
}
static const OpDef OP_ATTENTION = {"attention", attention_bwd};

/* Attention of new rows over a KV cache, which first receives their keys and values. */
static Tensor *attend_cache(Ctx *c, Tensor *q, Tensor *k, Tensor *v, const Attn *a, KvCache *kv)
{
    int d = a->hk * a->hd;
    c->k->put_rows(kv->k, k->data, k->ld, a->kv_row, k->rows, d);
    c->k->put_rows(kv->v, v->data, v->ld, a->kv_row, v->rows, d);
    Tensor *o = tensor_new(c->arena, q->dtype, q->rows, a->h * a->hd);
    float *lse = arena_alloc(c->arena, sizeof(float) * (size_t)q->rows * (size_t)a->h);
    AttnArgs args = attn_args(a, q->ld, d, d, q->rows, kv->rows);
    c->k->attention_fwd(o->data, lse, q->data, kv->k, kv->v, &args);
    return o;
}

Tensor *op_attention(Ctx *c, Tensor *q, Tensor *k, Tensor *v, const Attn *a, int layer)
{
    CHECK(q->cols == a->h * a->hd && k->cols == a->hk * a->hd && v->cols == k->cols && k->rows == v->rows,
          "attention: q [%d, %d], k [%d, %d], v [%d, %d], heads %d/%d of %d", q->rows, q->cols, k->rows, k->cols,
          v->rows, v->cols, a->h, a->hk, a->hd);
    CHECK(!(c->tape && c->kv), "attention: a KV cache is for inference only");
    if (c->kv) return attend_cache(c, q, k, v, a, &c->kv[layer]);
    Tensor *o = tensor_new(c->arena, q->dtype, q->rows, a->h * a->hd);
    float *lse = arena_alloc(c->arena, sizeof(float) * (size_t)q->rows * (size_t)a->h);
    AttnArgs args = attn_args(a, q->ld, k->ld, v->ld, q->rows, k->rows);
    c->k->attention_fwd(o->data, lse, q->data, k->data, v->data, &args);
    Node *n = tape_record(c, &OP_ATTENTION, o, q, k, v, false);
    if (n) {
        n->u.attn.a = a;
        n->u.attn.lse = lse;
    }
    return o;
}
