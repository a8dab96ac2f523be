#include <string.h>

#include "base/err.h"
#include "ops/ops.h"

Node *tape_record(Ctx *c, const OpDef *op, Tensor *out, Tensor *i0, Tensor *i1, Tensor *i2, bool force)
{
    bool need = force || (i0 && i0->needs_grad) || (i1 && i1->needs_grad) || (i2 && i2->needs_grad);
    if (!c->tape || !need) return NULL;
    CHECK(c->tape->n < c->tape->cap, "tape full (%d nodes) at op %s", c->tape->cap, op->name);
    out->needs_grad = true;
    Node *n = &c->tape->node[c->tape->n++];
    *n = (Node){.op = op, .in = {i0, i1, i2}, .out = out};
    return n;
}

void tape_backward(Ctx *c, int from)
{
    for (int i = c->tape->n - 1; i >= from; i--) {
        Node n = c->tape->node[i];
        c->tape->n = i; /* a block that runs again pushes its nodes from here up */
        if (n.out->grad) n.op->backward(c, &n);
    }
}

/* Runs the block without recording and keeps only its output. */
static Tensor *run_quietly(Ctx *c, BlockFn fn, const void *arg, Tensor *x)
{
    Tensor *out = tensor_new(c->arena, x->dtype, x->rows, x->cols);
    size_t mark = arena_mark(c->arena);
    Ctx quiet = *c;
    quiet.tape = NULL;
    Tensor *y = fn(&quiet, arg, x);
    CHECK(y->rows == x->rows && y->cols == x->cols, "a block must keep the shape [%d, %d]", x->rows, x->cols);
    memcpy(out->data, y->data, tensor_bytes(out));
    arena_release(c->arena, mark);
    return out;
}

static void block_bwd(Ctx *c, Node *n)
{
    Tensor *x = n->in[0];
    if (x->needs_grad) tensor_grad_zeroed(c->arena, x); /* outlives the mark below */
    size_t mark = arena_mark(c->arena);
    int from = c->tape->n;
    Tensor *y = n->u.block.fn(c, n->u.block.arg, x);
    y->grad = n->out->grad;
    tape_backward(c, from);
    arena_release(c->arena, mark);
}
static const OpDef OP_BLOCK = {"block", block_bwd};

Tensor *op_block(Ctx *c, BlockFn fn, const void *arg, Tensor *x, bool trainable)
{
    bool record = c->tape && (trainable || x->needs_grad);
    if (record && !c->checkpoint) return fn(c, arg, x);
    Tensor *out = run_quietly(c, fn, arg, x);
    Node *n = tape_record(c, &OP_BLOCK, out, x, NULL, NULL, record);
    if (n) {
        n->u.block.fn = fn;
        n->u.block.arg = arg;
    }
    return out;
}
