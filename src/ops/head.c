/* The head: logits, log-probabilities. */
#include <math.h>

#include "base/err.h"
#include "kernels/quant.h"
#include "ops/ops.h"

Tensor *op_logits(Ctx *c, Tensor *x, const Linear *head)
{
    CHECK(!c->tape && x->cols == head->w->cols, "logits: x [%d, %d], head [%d, %d]", x->rows, x->cols, head->w->rows,
          head->w->cols);
    Tensor *y = tensor_new(c->arena, DT_F32, x->rows, head->w->rows);
    Weight w = head->kw;
    if (!c->decoding) w.quant = NULL;
    c->k->matmul_nt(&(MatmulArgs){.y = y->data, .y_type = DT_F32, .x = x->data, .w = &w, .n = x->rows});
    return y;
}

/*
 * Log-probabilities.  Logits exist for a stretch of the vocabulary at a time, for all rows: the head is read once, and
 * the gradient of a stretch meets it while it is still in the cache.
 */
enum { LOGITS = 1 << 21 }; /* at a time: 8 MiB of f32 */

static int stretch_ids(int rows, int v)
{
    int ids = LOGITS / (rows > 0 ? rows : 1) / 64 * 64;
    return ids < 1024 ? (v < 1024 ? v : 1024) : ids < v ? ids : v;
}

/* The rows of the head for ids [first, first + v), first a multiple of 64. */
typedef struct Stretch {
    Weight w;
    WeightQuant quant;
} Stretch;

static void head_stretch(const Ctx *c, Stretch *s, const Linear *head, int first, int v)
{
    const WeightQuant *q = head->kw.quant;
    int d = head->w->cols;
    s->w = (Weight){.out = v, .in = d};
    s->w.data = (const char *)head->kw.data + (size_t)first * (size_t)d * dtype_size(head->w->dtype);
    if (!c->decoding || !q) return;
    s->quant = (WeightQuant){q->type, (const char *)q->data + quant_bytes(q->type, first, d)};
    s->w.quant = &s->quant;
}

static void stretch_logits(Ctx *c, float *logits, const Tensor *x, const Weight *w)
{
    c->k->matmul_nt(&(MatmulArgs){.y = logits, .y_type = DT_F32, .x = x->data, .w = w, .n = x->rows});
}

/* What is known of a row after some stretches, and what the next one says of itself. */
typedef struct LogprobRow {
    float *logp, *lse, *entropy; /* entropy NULL: not wanted */
} LogprobRow;

/* log of the sum of both, and the entropy of both together: of each its own, and that of the choice between them. */
static void logprob_join(LogprobRow *all, const LogprobRow *s, int i, bool here)
{
    double a = (double)all->lse[i], b = (double)s->lse[i], max = a > b ? a : b,
           lse = max + log(exp(a - max) + exp(b - max));
    if (all->entropy) {
        double before = (double)all->entropy[i], more = (double)s->entropy[i];
        all->entropy[i] = (float)(exp(a - lse) * (before + lse - a) + exp(b - lse) * (more + lse - b));
    }
    if (here) all->logp[i] = s->logp[i] + (float)(b - lse);
    else all->logp[i] += (float)(a - lse);
    all->lse[i] = (float)lse;
}

static void logprob_stretch(Ctx *c, LogprobRow *all, const LogprobRow *s, const float *logits, const int *id, int first,
                            int n, int v)
{
    const LogprobRow *to = first ? s : all;
    c->k->logprob_fwd(to->logp, to->lse, to->entropy, logits, id, first, n, v);
    for (int i = 0; i < n && first; i++) logprob_join(all, s, i, id[i] >= first && id[i] < first + v);
}

/* Computes the logits of each stretch again, turns them into their gradient, and adds that to dx and the head's. */
static void logprob_bwd(Ctx *c, Node *n)
{
    const Linear *head = n->u.logprob.head;
    Tensor *x = n->in[0];
    int v = head->w->rows, step = stretch_ids(x->rows, v), d = x->cols;
    bool accumulate = false;
    if (x->needs_grad) tensor_grad(c->arena, x, &accumulate);
    size_t mark = arena_mark(c->arena), count = (size_t)x->rows * (size_t)step;
    float *logits = arena_alloc(c->arena, sizeof *logits * count);
    void *dlogits = arena_alloc(c->arena, dtype_size(x->dtype) * count);
    Tensor *dx = tensor_new(c->arena, DT_F32, x->rows, d); /* summed over stretches: not in x's format */
    for (int first = 0; first < v; first += step) {
        int ids = v - first < step ? v - first : step;
        Stretch t;
        head_stretch(c, &t, head, first, ids);
        stretch_logits(c, logits, x, &t.w);
        c->k->logprob_bwd(dlogits, n->out->grad, logits, n->u.logprob.lse, n->u.logprob.id, first, x->rows, ids);
        MatmulArgs g = {.y = dx->data, .y_type = DT_F32, .x = dlogits, .w = &t.w, .n = x->rows};
        if (first) g.add = dx->data;
        if (x->needs_grad) c->k->matmul_nn(&g);
        float *dw = head->w->needs_grad ? (float *)head->w->grad + (size_t)first * (size_t)d : NULL;
        if (dw) c->k->matmul_tn(dw, dlogits, x->data, x->rows, ids, d);
    }
    if (x->needs_grad && accumulate) c->k->to_f32(dx->data, x->grad, tensor_count(x), true);
    if (x->needs_grad) c->k->from_f32(x->grad, dx->data, tensor_count(x));
    arena_release(c->arena, mark);
}
static const OpDef OP_LOGPROB = {"logprob", logprob_bwd};

Tensor *op_logprob(Ctx *c, Tensor *x, const Linear *head, const int *id, float *entropy)
{
    CHECK(x->cols == head->w->cols && x->ld == x->cols, "logprob: x [%d, %d], head [%d, %d]", x->rows, x->cols,
          head->w->rows, head->w->cols);
    int v = head->w->rows, step = stretch_ids(x->rows, v);
    size_t rows = sizeof(float) * (size_t)(x->rows + 1);
    Tensor *y = tensor_new(c->arena, DT_F32, x->rows, 1);
    LogprobRow all = {.logp = y->data, .lse = arena_alloc(c->arena, rows), .entropy = entropy};
    size_t mark = arena_mark(c->arena);
    float *logits = arena_alloc(c->arena, sizeof *logits * (size_t)x->rows * (size_t)step);
    LogprobRow s = {.logp = arena_alloc(c->arena, rows), .lse = arena_alloc(c->arena, rows)};
    if (entropy) s.entropy = arena_alloc(c->arena, rows);
    for (int first = 0; first < v; first += step) {
        int ids = v - first < step ? v - first : step;
        Stretch t;
        head_stretch(c, &t, head, first, ids);
        stretch_logits(c, logits, x, &t.w);
        logprob_stretch(c, &all, &s, logits, id, first, x->rows, ids);
    }
    arena_release(c->arena, mark);
    Node *n = tape_record(c, &OP_LOGPROB, y, x, NULL, NULL, head->w->needs_grad);
    if (n) {
        n->u.logprob.head = head;
        n->u.logprob.id = id;
        n->u.logprob.lse = all.lse;
    }
    return y;
}
