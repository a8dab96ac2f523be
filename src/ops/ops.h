/*
 * ops.h - every differentiable operation, on one page.
 *
 * An op is an ordinary function: it checks shapes, allocates its output in the step arena, runs the forward kernel at
 * once and, where ctx->tape is set and an input needs a gradient, appends one Node.  tape_backward walks the nodes in
 * reverse.  With ctx->tape NULL the same model code is the inference path: no nodes, nothing kept, a KV cache allowed.
 *
 *   Ctx c = {.k = &dev.k, .arena = &step, .tape = &tape};
 *   Tensor *y = op_linear(&c, op_rmsnorm(&c, x, w, eps), &model->q);        [n, d] -> [n, out]
 *   ...
 *   memcpy(tensor_grad_zeroed(...));  tape_backward(&c, 0);
 *
 * Lifetime: whatever an op allocates lives until arena_release of the step arena.  A tensor may feed several ops; its
 * gradient is summed.
 *
 * Shapes: n tokens or patches, d width, h/hk/hd heads, f ffn, v vocab, m targets.
 */
#ifndef OSLER_OPS_OPS_H
#define OSLER_OPS_OPS_H

#include "tensor/tensor.h"

typedef struct Ctx Ctx;
typedef struct Node Node;

/* A low-rank adapter beside a weight: y += scale * dropout(x) A^T B^T. */
typedef struct Lora {
    Tensor *a, *b; /* [r, in], [out, r] */
    float scale, dropout;
    uint32_t id; /* names the adapter in the dropout's random stream */
} Lora;

/* y = x W^T + bias, and its adapter. */
typedef struct Linear {
    Tensor *w;    /* [out, in] */
    Tensor *bias; /* [1, out] or NULL */
    Weight kw;    /* w as kernels take it */
    Lora *lora;   /* NULL: none */
} Linear;

/* y = down(silu(gate(x)) * up(x)) */
typedef struct Mlp {
    Linear gate, up, down;
} Mlp;

/* What a product with a linear leaves for its backward pass. */
typedef struct LinearState {
    Tensor *xa, *xd; /* scale * x A^T, NULL: no adapter; and x after dropout, NULL: x itself */
    uint32_t key[2];
} LinearState;

/* Keys and values of one layer, rows of all sequences of a session. Ctx.kv points at an array, one per layer. */
typedef struct KvCache {
    void *k, *v; /* [rows, hk * hd] */
    int rows;
} KvCache;

/* Who attends to whom (kernels.h), and for a KV cache where the new rows go. */
typedef struct Attn {
    AttnPlan plan;
    int h, hk, hd;
    const int *kv_row; /* [n] cache row of each new key; NULL without a cache */
} Attn;

/* Rotation angles, [n, hd/2] each. */
typedef struct RopeTable {
    const float *cos, *sin;
} RopeTable;

typedef struct OpDef {
    const char *name;
    void (*backward)(Ctx *c, Node *n);
} OpDef;

/* A block maps [n, d] to [n, d]; through arg it may use parameters and constants, but no other differentiated one. */
typedef Tensor *(*BlockFn)(Ctx *c, const void *arg, Tensor *x);

struct Node {
    const OpDef *op;
    Tensor *in[3], *out;
    union {
        struct {
            const Linear *l;
            LinearState s;
        } linear;
        struct {
            struct MlpState *s;
        } mlp;
        struct {
            float *rstd;
        } norm;
        struct {
            const Attn *a;
            float *lse;
        } attn;
        struct {
            RopeTable table;
            int heads;
        } rope;
        struct {
            const int *index;
        } rows;
        struct {
            const Linear *head;
            const int *id;
            float *lse;
        } logprob;
        struct {
            BlockFn fn;
            const void *arg;
            size_t mark; /* what the forward pass allocated from here on goes with the block's backward pass */
        } block;
    } u;
};

typedef struct Tape {
    Node *node;
    int n, cap;
} Tape;

/* What the backward pass of a block computes again instead of having it kept. */
typedef enum Recompute { RECOMPUTE_NOTHING, RECOMPUTE_MLP, RECOMPUTE_BLOCK } Recompute;

struct Ctx {
    const Kernels *k;
    Arena *arena;
    Tape *tape;                 /* NULL: inference */
    KvCache *kv;                /* [layers], or NULL; never together with tape */
    bool decoding;              /* weights are read from their copies in fewer bits, where there are any */
    bool lora;                  /* adapters on; off turns a policy into its reference model */
    const Recompute *recompute; /* of each block, the vision tower's first; NULL: nothing */
    uint64_t dropout_key;       /* of this micro-batch; 0: no dropout */
};

/* y [n, out] = x [n, in] W^T + bias + adapter + residual [n, out] (NULL: none) */
Tensor *op_linear(Ctx *c, Tensor *x, const Linear *l, Tensor *residual);
/* y [n, d] = down(silu(gate(x)) * up(x)) + residual; x [n, d] */
Tensor *op_mlp(Ctx *c, Tensor *x, const Mlp *m, Tensor *residual);
/* y = x / rms(x) * w; x [n, d], w [1, d] */
Tensor *op_rmsnorm(Ctx *c, Tensor *x, Tensor *w, float eps);
/* y = x Phi(x), [n, d] */
Tensor *op_gelu(Ctx *c, Tensor *x);
/* Rotates the heads of x [n, heads * hd] in place (also a view): x must not be used by another op. */
Tensor *op_rope(Ctx *c, Tensor *x, RopeTable t, int heads, int hd);
/* o [n, h*hd] from q [n, h*hd], k, v [n, hk*hd] (or views); with c->kv, k and v are stored, the cache is attended. */
Tensor *op_attention(Ctx *c, Tensor *q, Tensor *k, Tensor *v, const Attn *a, int layer);
/* y [n, d]: row i = table[id[i]] where id[i] >= 0, else feats[-1 - id[i]]; feats may be NULL. id lives as long as the
   step. */
Tensor *op_embed(Ctx *c, Tensor *table, Tensor *feats, const int *id, int n);
/* y [n, d]: row i = x[index[i]]. index lives as long as the step. */
Tensor *op_gather(Ctx *c, Tensor *x, const int *index, int n);
/* The same elements as [rows, cols]; x must not be used by another op. */
Tensor *op_reshape(Ctx *c, Tensor *x, int rows, int cols);
/* logp [m, 1] f32 = log softmax(x head^T)[id]; x [m, d]. Chunked: [m, v] never exists. entropy [m] f32 or NULL. */
Tensor *op_logprob(Ctx *c, Tensor *x, const Linear *head, const int *id, float *entropy);
/* logits [n, v] f32 = x head^T; inference only. */
Tensor *op_logits(Ctx *c, Tensor *x, const Linear *head);
/*
 * y = fn(c, arg, x), the unit of memory: without a tape, or where neither x nor the block is trained, only y is kept;
 * with `recompute` only x and y, and fn runs again in the backward pass; else everything.  After its backward pass
 * nothing is left of the block, and of what was allocated behind it, but the gradient of x.
 * trainable: the block holds parameters (or adapters) that are trained.
 */
Tensor *op_block(Ctx *c, BlockFn fn, const void *arg, Tensor *x, bool trainable, bool recompute);

/* Runs the nodes backward down to `from`; the gradient of the last output must be set. */
void tape_backward(Ctx *c, int from);
/* For ops: appends a node where one of up to three inputs (NULL: none) or `force` asks for it; NULL otherwise. */
Node *tape_record(Ctx *c, const OpDef *op, Tensor *out, Tensor *i0, Tensor *i1, Tensor *i2, bool force);

#endif
