/* Ops that pick rows: embedding, gather. */
#include "base/err.h"
#include "ops/ops.h"

static void embed_bwd(Ctx *c, Node *n)
{
    Tensor *table = n->in[0], *feats = n->in[1];
    float *dtable = table->needs_grad ? table->grad : NULL;
    void *dfeats = feats && feats->needs_grad ? tensor_grad_zeroed(c->arena, feats) : NULL;
    c->k->embed_bwd(dtable, dfeats, n->out->grad, n->u.rows.index, n->out->rows, n->out->cols);
}
static const OpDef OP_EMBED = {"embed", embed_bwd};

Tensor *op_embed(Ctx *c, Tensor *table, Tensor *feats, const int *id, int count)
{
    for (int i = 0; i < count; i++)
        CHECK(id[i] < table->rows && (id[i] >= 0 || (feats && -1 - id[i] < feats->rows)), "embed: id %d at row %d",
              id[i], i);
    Tensor *y = tensor_new(c->arena, table->dtype, count, table->cols);
    c->k->embed_fwd(y->data, table->data, feats ? feats->data : NULL, id, count, table->cols);
    Node *n = tape_record(c, &OP_EMBED, y, table, feats, NULL, false);
    if (n) n->u.rows.index = id;
    return y;
}

static void gather_bwd(Ctx *c, Node *n)
{
    Tensor *x = n->in[0];
    c->k->scatter_rows(tensor_grad_zeroed(c->arena, x), n->out->grad, n->u.rows.index, n->out->rows, x->cols);
}
static const OpDef OP_GATHER = {"gather", gather_bwd};

Tensor *op_gather(Ctx *c, Tensor *x, const int *index, int count)
{
    CHECK(x->ld == x->cols, "gather: a view");
    for (int i = 0; i < count; i++)
        CHECK(index[i] >= 0 && index[i] < x->rows, "gather: row %d of %d", index[i], x->rows);
    Tensor *y = tensor_new(c->arena, x->dtype, count, x->cols);
    c->k->gather_rows(y->data, x->data, index, count, x->cols);
    Node *n = tape_record(c, &OP_GATHER, y, x, NULL, NULL, false);
    if (n) n->u.rows.index = index;
    return y;
}
