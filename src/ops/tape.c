#include "base/err.h"
#include "ops/ops.h"

static Node *tape_push(Ctx *c, const OpDef *op, Tensor *x)
{
    CHECK(c->tape->n < c->tape->cap, "tape full (%d nodes) at op %s", c->tape->cap, op->name);
    Node *n = &c->tape->node[c->tape->n++];
    *n = (Node){.op = op, .in = {x}};
    return n;
}

Node *tape_record(Ctx *c, const OpDef *op, Tensor *out, Tensor *i0, Tensor *i1, Tensor *i2, bool force)
{
    bool need = force || (i0 && i0->needs_grad) || (i1 && i1->needs_grad) || (i2 && i2->needs_grad);
    if (!c->tape || !need) return NULL;
    out->needs_grad = true;
    Node *n = tape_push(c, op, i0);
    n->in[1] = i1;
    n->in[2] = i2;
    n->out = out;
    return n;
}

void tape_backward(Ctx *c, int from)
{
    for (int i = c->tape->n - 1; i >= from; i--) {
        Node n = c->tape->node[i];
        c->tape->n = i; /* a block that runs again pushes its nodes from here up */
        if (!n.out || n.out->grad) n.op->backward(c, &n);
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
    arena_copy(c->arena, out->data, y->data, tensor_bytes(out));
    arena_release(c->arena, mark);
    return out;
}

/* Frees what was allocated since the mark, but for x's gradient where that is among it. */
static void release_but_grad(Arena *a, Tensor *x, size_t mark)
{
    const char *from = x->grad;
    bool inside = from && from >= a->base + mark && from < a->base + a->used;
    arena_release(a, mark);
    if (!inside) return;
    x->grad = arena_alloc(a, tensor_bytes(x));
    arena_copy(a, x->grad, from, tensor_bytes(x));
}

/* The last node of a block in the backward pass: all that came behind it has had its turn. */
static void block_start_bwd(Ctx *c, Node *n)
{
    release_but_grad(c->arena, n->in[0], n->u.block.mark);
}
static const OpDef OP_BLOCK_START = {"block start", block_start_bwd};

static void block_bwd(Ctx *c, Node *n)
{
    int from = c->tape->n;
    Tensor *y = n->u.block.fn(c, n->u.block.arg, n->in[0]);
    y->grad = n->out->grad;
    tape_backward(c, from);
    block_start_bwd(c, n);
}
static const OpDef OP_BLOCK = {"block", block_bwd};

Tensor *op_block(Ctx *c, BlockFn fn, const void *arg, Tensor *x, bool trainable, bool recompute)
{
    size_t mark = arena_mark(c->arena);
    bool record = c->tape && (trainable || x->needs_grad);
    if (record && !recompute) {
        tape_push(c, &OP_BLOCK_START, x)->u.block.mark = mark;
        return fn(c, arg, x);
    }
    Tensor *out = run_quietly(c, fn, arg, x);
    Node *n = tape_record(c, &OP_BLOCK, out, x, NULL, NULL, record);
    if (n) {
        n->u.block.fn = fn;
        n->u.block.arg = arg;
        n->u.block.mark = mark;
    }
    return out;
}
