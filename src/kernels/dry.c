#include "kernels/dry.h"

#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "kernels/kernels_impl.h"

/* Rows, rows of a product, elements, elements of a weight and runs that a measurement has at most. */
enum { MOST_ROWS = 1024, MOST_INPUTS = 4096, MOST_COUNT = 1 << 22, MOST_WEIGHTS = 1 << 25, MOST_RUNS = 5 };

/*
 * A call within a step takes longer than the same call over and over: it also finds its code, its page tables and its
 * thread's stack cold, and what it writes evicts what others wait for.  Found by comparing five runs with their plans.
 */
static const double AMONG_OTHERS = 1.1;

/* Bytes of made-up numbers, which are repeated: they stand at the start of the arena. */
enum { PATTERN = 1 << 18 };

#define NUMBER(name) SLOT_##name,
enum { KERNEL_SLOTS(NUMBER) };
#undef NUMBER

static DryRun *run; /* that is open */

/* ---- made-up numbers --------------------------------------------------------------------------------------------- */

/*
 * Between -1/2 and 1/2: zeros would need less power than real work, and let the clock run faster; what earlier kernels
 * leave behind may be huge or tiny, and slow.
 */
static void make_pattern(char *to, DType t)
{
    uint32_t u = 1;
    for (int i = 0; i < PATTERN; i += 4) {
        u = u * 1664525u + 1013904223u;
        float x = (float)(u >> 8) * 0x1p-24f - 0.5f;
        uint32_t word;
        memcpy(&word, &x, 4);
        if (t == DT_BF16) word = (word >> 16) * 0x10001u;
        memcpy(to + i, &word, 4);
    }
}

/* An operand, until measure_end. */
static void *numbers(int64_t count, DType t)
{
    size_t bytes = (size_t)count * dtype_size(t);
    char *p = arena_alloc(&run->numbers, bytes);
    for (size_t at = 0; at < bytes; at += PATTERN)
        memcpy(p + at, run->numbers.base, bytes - at < PATTERN ? bytes - at : PATTERN);
    return p;
}

static void *matrix(int64_t rows, int64_t cols)
{
    return numbers(rows * cols, run->real.dtype);
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* A size of which only the two leading bits below the first count, and which is at most `most`. */
static int64_t coarse(int64_t size, int64_t most)
{
    if (size >= most) return most;
    int64_t step = 1;
    while (size / step >= 8) step *= 2;
    return (size + step - 1) / step * step;
}

typedef struct Measure {
    DryKind kind;
    size_t cold;     /* operands from there on in the arena are found in memory, not in the caches; 0: none */
    int runs;        /* -1 at first */
    double measured; /* its size */
    double start, all, seconds[MOST_RUNS];
} Measure;

static bool same_kind(const DryKind *a, const DryKind *b)
{
    return a->slot == b->slot && !memcmp(a->dim, b->dim, sizeof a->dim) && a->size >= b->size && a->size <= b->size;
}

/* Adds a call of `size` to the run; true where its kind has to be measured first, with m->kind.size. */
static bool must_measure(Measure *m, int slot, int64_t size, int64_t most, const int dim[5])
{
    if (!run || !run->timed || size <= 0) return false;
    *m = (Measure){.kind = {.slot = slot, .size = (double)coarse(size, most)}, .runs = -1};
    m->measured = m->kind.size;
    memcpy(m->kind.dim, dim, sizeof m->kind.dim);
    for (int i = 0; i < run->kind.n; i++) {
        const DryKind *k = &run->kind.at[i];
        if (!same_kind(k, &m->kind)) continue;
        run->seconds += k->seconds * (double)size / k->size;
        return false;
    }
    return true;
}

/*
 * The made-up numbers from `start` on.  A model and what it keeps for the backward pass are larger than the caches: what
 * a step touched long ago has been driven out since.
 */
static void drop_from_caches(size_t start)
{
#if defined(__x86_64__)
    for (size_t at = start; at < run->numbers.used; at += 64) __builtin_ia32_clflush(run->numbers.base + at);
    __builtin_ia32_mfence();
#else
    (void)start;
#endif
}

/* while (measure_again(m)) call: one run that does not count, then two or more. */
static bool measure_again(Measure *m)
{
    double seconds = now_seconds() - m->start;
    if (m->runs >= 1) m->all += m->seconds[m->runs - 1] = seconds;
    m->runs++;
    if (m->cold) drop_from_caches(m->cold);
    m->start = now_seconds();
    return m->runs <= 2 || (m->runs <= MOST_RUNS && m->all < 0.01);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Takes the (lower) median as the time of a call of `size`. */
static void measure_end(Measure *m, int64_t size)
{
    int n = m->runs - 1;
    qsort(m->seconds, (size_t)n, sizeof *m->seconds, ascending);
    double seconds = AMONG_OTHERS * m->seconds[(n - 1) / 2];
    run->seconds += seconds * (double)size / m->measured;
    m->kind.seconds = seconds * m->kind.size / m->measured;
    vec_push(&run->kind, m->kind);
    arena_release(&run->numbers, PATTERN);
}

#define DIMS(...) ((const int[5]){__VA_ARGS__})
#define MEASURE(m, call)                                                                                               \
    while (measure_again(m)) call

/* What a call allocates for itself. */
static void note_scratch(int64_t count, DType t)
{
    size_t bytes = (size_t)count * dtype_size(t);
    if (run && bytes > run->scratch) run->scratch = bytes;
}

/* A kernel that does little else than reading and writing. */
static void by_bytes(double bytes)
{
    if (run && run->timed) run->seconds += bytes / run->bytes_per_second;
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* The weight as it is measured: fewer outputs where it is large, and the calls' time grows by the rest. */
typedef struct Clipped {
    Weight w, w2;
    double share;
} Clipped;

static Clipped clipped_weights(const MatmulArgs *a)
{
    Clipped c = {.w = *a->w, .share = 1};
    int64_t count = (int64_t)a->w->out * a->w->in;
    if (count > MOST_WEIGHTS) c.w.out = MOST_WEIGHTS / a->w->in;
    c.share = (double)a->w->out / c.w.out;
    if (a->w2) c.w2 = *a->w2;
    return c;
}

static void numbers_for_swiglu(Swiglu *s, const Swiglu *like, int64_t n, int64_t m)
{
    *s = *like;
    s->gate = matrix(n, m);
    if (like->up) s->up = matrix(n, m);
    if (like->y) s->y = matrix(n, m);
}

static void dry_product(const MatmulArgs *a, int slot)
{
    Clipped c = clipped_weights(a);
    bool nt = slot == SLOT_matmul_nt;
    int in = nt ? c.w.in : c.w.out, out = nt ? c.w.out : c.w.in, r = !a->w2 ? 0 : nt ? a->w2->in : a->w2->out;
    int flags = (a->bias ? 1 : 0) + (a->add ? 2 : 0) + (a->swiglu ? 4 : 0) + 8 * (int)a->y_type;
    int64_t size = (int64_t)((double)a->n * c.share);
    Measure m;
    if (!must_measure(&m, slot, size, MOST_INPUTS, DIMS(out, in, r, flags, 0))) return;
    MatmulArgs g = *a;
    Swiglu swiglu;
    g.n = (int)m.kind.size;
    g.x = matrix(g.n, in);
    m.cold = run->numbers.used; /* x alone was made a moment ago */
    c.w.data = matrix(out, in);
    c.w.quant = NULL;
    g.w = &c.w;
    g.y = numbers((int64_t)g.n * out, a->y_type);
    if (a->bias) g.bias = matrix(1, out);
    if (a->add) g.add = numbers((int64_t)g.n * out, a->y_type);
    if (r) c.w2.data = matrix(r, out), g.w2 = &c.w2, g.x2 = matrix(g.n, r);
    if (a->swiglu) numbers_for_swiglu(&swiglu, a->swiglu, g.n, out), g.swiglu = &swiglu;
    MEASURE(&m, (nt ? run->real.matmul_nt : run->real.matmul_nn)(&g));
    measure_end(&m, size);
}

static void dry_matmul_nt(const MatmulArgs *a)
{
    dry_product(a, SLOT_matmul_nt);
}

static void dry_matmul_nn(const MatmulArgs *a)
{
    dry_product(a, SLOT_matmul_nn);
}

static void dry_matmul_tn(float *dw, const void *dy, const void *x, int n, int out, int in)
{
    if (run) note_scratch((int64_t)n * (in < out ? in : out), run->real.dtype); /* the narrower one, transposed */
    int cols = (int64_t)out * in > MOST_WEIGHTS ? MOST_WEIGHTS / in : out;
    int64_t size = (int64_t)n * out / cols;
    Measure m;
    if (!must_measure(&m, SLOT_matmul_tn, size, MOST_INPUTS, DIMS(cols, in))) return;
    int rows = (int)m.kind.size;
    dy = matrix(rows, cols);
    m.cold = run->numbers.used;
    x = matrix(rows, in);
    dw = numbers((int64_t)cols * in, DT_F32);
    MEASURE(&m, run->real.matmul_tn(dw, dy, x, rows, cols, in));
    measure_end(&m, size);
}

static void dry_bias_bwd(float *db, const void *dy, int n, int d)
{
    Measure m;
    if (!must_measure(&m, SLOT_bias_bwd, n, MOST_ROWS, DIMS(d))) return;
    int rows = (int)m.kind.size;
    db = numbers(d, DT_F32);
    dy = matrix(rows, d);
    MEASURE(&m, run->real.bias_bwd(db, dy, rows, d));
    measure_end(&m, n);
}

/* ---- elementwise ------------------------------------------------------------------------------------------------- */

static void dry_accumulate(void *y, const void *x, int64_t count)
{
    Measure m;
    if (!must_measure(&m, SLOT_accumulate, count, MOST_COUNT, DIMS(0))) return;
    int64_t n = (int64_t)m.kind.size;
    y = matrix(1, n);
    x = matrix(1, n);
    MEASURE(&m, run->real.accumulate(y, x, n));
    measure_end(&m, count);
}

static void dry_scale(void *y, const void *x, float s, int64_t count, bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_scale, count, MOST_COUNT, DIMS(accumulate))) return;
    int64_t n = (int64_t)m.kind.size;
    y = matrix(1, n);
    x = matrix(1, n);
    MEASURE(&m, run->real.scale(y, x, s > 1 ? 1 : s, n, accumulate));
    measure_end(&m, count);
}

static void dry_from_f32(void *y, const float *x, int64_t count)
{
    Measure m;
    if (!must_measure(&m, SLOT_from_f32, count, MOST_COUNT, DIMS(0))) return;
    int64_t n = (int64_t)m.kind.size;
    y = matrix(1, n);
    x = numbers(n, DT_F32);
    MEASURE(&m, run->real.from_f32(y, x, n));
    measure_end(&m, count);
}

static void dry_to_f32(float *y, const void *x, int64_t count, bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_to_f32, count, MOST_COUNT, DIMS(accumulate))) return;
    int64_t n = (int64_t)m.kind.size;
    y = numbers(n, DT_F32);
    x = matrix(1, n);
    MEASURE(&m, run->real.to_f32(y, x, n, accumulate));
    measure_end(&m, count);
}

static void dry_swiglu_fwd(void *y, const void *g, const void *u, int64_t count)
{
    Measure m;
    if (!must_measure(&m, SLOT_swiglu_fwd, count, MOST_COUNT, DIMS(0))) return;
    int64_t n = (int64_t)m.kind.size;
    y = matrix(1, n);
    g = matrix(1, n);
    u = matrix(1, n);
    MEASURE(&m, run->real.swiglu_fwd(y, g, u, n));
    measure_end(&m, count);
}

static void dry_swiglu_bwd(void *dg, void *du, const void *dy, const void *g, const void *u, int64_t count,
                           bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_swiglu_bwd, count, MOST_COUNT, DIMS(accumulate))) return;
    int64_t n = (int64_t)m.kind.size;
    dg = matrix(1, n);
    du = matrix(1, n);
    dy = matrix(1, n);
    g = matrix(1, n);
    u = matrix(1, n);
    MEASURE(&m, run->real.swiglu_bwd(dg, du, dy, g, u, n, accumulate));
    measure_end(&m, count);
}

static void dry_gelu_fwd(void *y, const void *x, int64_t count)
{
    Measure m;
    if (!must_measure(&m, SLOT_gelu_fwd, count, MOST_COUNT, DIMS(0))) return;
    int64_t n = (int64_t)m.kind.size;
    y = matrix(1, n);
    x = matrix(1, n);
    MEASURE(&m, run->real.gelu_fwd(y, x, n));
    measure_end(&m, count);
}

static void dry_gelu_bwd(void *dx, const void *dy, const void *x, int64_t count, bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_gelu_bwd, count, MOST_COUNT, DIMS(accumulate))) return;
    int64_t n = (int64_t)m.kind.size;
    dx = matrix(1, n);
    dy = matrix(1, n);
    x = matrix(1, n);
    MEASURE(&m, run->real.gelu_bwd(dx, dy, x, n, accumulate));
    measure_end(&m, count);
}

static void dry_dropout(void *y, const void *x, float p, const uint32_t key[2], uint64_t first, int64_t count,
                        bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_dropout, count, MOST_COUNT, DIMS(accumulate))) return;
    int64_t n = (int64_t)m.kind.size;
    y = matrix(1, n);
    x = matrix(1, n);
    MEASURE(&m, run->real.dropout(y, x, p, key, first, n, accumulate));
    measure_end(&m, count);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void dry_rmsnorm_fwd(void *y, float *rstd, const void *x, const void *w, int n, int d, float eps)
{
    Measure m;
    if (!must_measure(&m, SLOT_rmsnorm_fwd, n, MOST_ROWS, DIMS(d))) return;
    int rows = (int)m.kind.size;
    y = matrix(rows, d);
    rstd = numbers(rows, DT_F32);
    x = matrix(rows, d);
    w = matrix(1, d);
    MEASURE(&m, run->real.rmsnorm_fwd(y, rstd, x, w, rows, d, eps));
    measure_end(&m, n);
}

static void dry_rmsnorm_bwd(void *dx, float *dw, const void *dy, const void *x, const void *w, const float *rstd, int n,
                            int d, bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_rmsnorm_bwd, n, MOST_ROWS, DIMS(d, !!dx, !!dw, accumulate))) return;
    int rows = (int)m.kind.size;
    if (dx) dx = matrix(rows, d);
    if (dw) dw = numbers(d, DT_F32);
    dy = matrix(rows, d);
    x = matrix(rows, d);
    w = matrix(1, d);
    rstd = numbers(rows, DT_F32);
    MEASURE(&m, run->real.rmsnorm_bwd(dx, dw, dy, x, w, rstd, rows, d, accumulate));
    measure_end(&m, n);
}

static void dry_rope(void *y, int ldy, const void *x, int ldx, const float *cos, const float *sin, int n, int heads,
                     int hd, float sign, bool accumulate)
{
    Measure m;
    if (!must_measure(&m, SLOT_rope, n, MOST_ROWS, DIMS(heads, hd, ldx, ldy, accumulate))) return;
    int rows = (int)m.kind.size;
    bool same = x == y;
    y = matrix(rows, ldy);
    x = same ? y : matrix(rows, ldx);
    cos = numbers((int64_t)rows * hd, DT_F32);
    sin = numbers((int64_t)rows * hd, DT_F32);
    MEASURE(&m, run->real.rope(y, ldy, x, ldx, cos, sin, rows, heads, hd, sign, accumulate));
    measure_end(&m, n);
}

/* Bytes that move with n rows of d, `passes` times read or written. */
static void by_rows(int n, int d, int passes)
{
    if (run) by_bytes((double)passes * n * d * (double)dtype_size(run->real.dtype));
}

static void dry_gather_rows(void *y, const void *x, const int *index, int n, int d)
{
    (void)y, (void)x, (void)index;
    by_rows(n, d, 2);
}

static void dry_scatter_rows(void *dx, const void *dy, const int *index, int n, int d)
{
    (void)dx, (void)dy, (void)index;
    by_rows(n, d, 3);
}

static void dry_put_rows(void *y, const void *x, int ldx, const int *index, int n, int d)
{
    (void)y, (void)x, (void)ldx, (void)index;
    by_rows(n, d, 2);
}

static void dry_embed_fwd(void *y, const void *table, const void *feats, const int *id, int n, int d)
{
    (void)y, (void)table, (void)feats, (void)id;
    by_rows(n, d, 2);
}

static void dry_embed_bwd(float *dtable, void *dfeats, const void *dy, const int *id, int n, int d)
{
    (void)dy, (void)id;
    if (dtable || dfeats) by_rows(n, d, 4);
}

/* ---- attention --------------------------------------------------------------------------------------------------- */

static double attention_pairs(const AttnPlan *p)
{
    double pairs = 0;
    for (int i = 0; i < p->n_seg; i++) {
        const AttnSeg *s = &p->seg[i];
        double nq = s->nq, nk = attn_keys(p, s);
        pairs += p->causal ? nq * nk - nq * (nq - 1) / 2 : nq * nk;
    }
    return pairs;
}

/* The made-up operands of attention; forward needs the first five. */
typedef struct AttnNumbers {
    void *o, *q, *k, *v, *d_o, *dq, *dk, *dv;
    float *lse;
} AttnNumbers;

static AttnNumbers attention_numbers(const AttnArgs *a, bool backward)
{
    AttnNumbers x = {.o = matrix(a->n_q, (int64_t)a->h * a->hd), .lse = numbers((int64_t)a->n_q * a->h, DT_F32)};
    x.q = matrix(a->n_q, a->ldq);
    x.k = matrix(a->n_k, a->ldk);
    x.v = matrix(a->n_k, a->ldv);
    if (!backward) return x;
    x.d_o = matrix(a->n_q, (int64_t)a->h * a->hd);
    x.dq = matrix(a->n_q, a->ldq);
    x.dk = matrix(a->n_k, a->ldk);
    x.dv = matrix(a->n_k, a->ldv);
    return x;
}

/* A kind by the number of pairs, and by the keys that a query sees on average; the plan is the caller's. */
static void dry_attention(const AttnArgs *a, bool backward)
{
    if (!run || a->n_q == 0) return;
    if (backward) note_scratch(2 * (int64_t)a->n_k * a->hd * a->hk, DT_F32); /* sums of dk and dv */
    int64_t pairs = (int64_t)attention_pairs(a->plan);
    int slot = backward ? SLOT_attention_bwd : SLOT_attention_fwd, keys = (int)coarse(pairs / a->n_q, INT32_MAX);
    Measure m;
    if (!must_measure(&m, slot, pairs, INT64_MAX, DIMS(a->h, a->hk, a->hd, keys, a->plan->causal))) return;
    AttnNumbers x = attention_numbers(a, backward);
    if (backward) MEASURE(&m, run->real.attention_bwd(x.dq, x.dk, x.dv, x.d_o, x.o, x.lse, x.q, x.k, x.v, a));
    else MEASURE(&m, run->real.attention_fwd(x.o, x.lse, x.q, x.k, x.v, a));
    m.measured = (double)pairs;
    measure_end(&m, pairs);
}

static void dry_attention_fwd(void *o, float *lse, const void *q, const void *k, const void *v, const AttnArgs *a)
{
    (void)o, (void)lse, (void)q, (void)k, (void)v;
    dry_attention(a, false);
}

static void dry_attention_bwd(void *dq, void *dk, void *dv, const void *d_o, const void *o, const float *lse,
                              const void *q, const void *k, const void *v, const AttnArgs *a)
{
    (void)dq, (void)dk, (void)dv, (void)d_o, (void)o, (void)lse, (void)q, (void)k, (void)v;
    dry_attention(a, true);
}

/* ---- log-probabilities and optimizer ----------------------------------------------------------------------------- */

static void dry_logprob_fwd(float *logp, float *lse, float *entropy, const float *logits, const int *id, int first,
                            int n, int v)
{
    Measure m;
    if (!must_measure(&m, SLOT_logprob_fwd, (int64_t)n * v, MOST_COUNT, DIMS(n, !!entropy))) return;
    int cols = (int)m.kind.size / n + 1;
    logp = numbers(n, DT_F32);
    lse = numbers(n, DT_F32);
    if (entropy) entropy = numbers(n, DT_F32);
    logits = numbers((int64_t)n * cols, DT_F32);
    MEASURE(&m, run->real.logprob_fwd(logp, lse, entropy, logits, id, first, n, cols));
    measure_end(&m, (int64_t)n * v);
}

static void dry_logprob_bwd(void *dlogits, const float *dlogp, const float *logits, const float *lse, const int *id,
                            int first, int n, int v)
{
    Measure m;
    if (!must_measure(&m, SLOT_logprob_bwd, (int64_t)n * v, MOST_COUNT, DIMS(n))) return;
    int cols = (int)m.kind.size / n + 1;
    dlogits = matrix(n, cols);
    dlogp = numbers(n, DT_F32);
    logits = numbers((int64_t)n * cols, DT_F32);
    lse = numbers(n, DT_F32);
    MEASURE(&m, run->real.logprob_bwd(dlogits, dlogp, logits, lse, id, first, n, cols));
    measure_end(&m, (int64_t)n * v);
}

static void dry_adamw(float *p, void *w, const float *g, float *m, float *v, int64_t count, const AdamWArgs *a)
{
    (void)g, (void)m, (void)v, (void)a;
    int copy = run && w != p ? (int)dtype_size(run->real.dtype) : 0;
    by_bytes((double)count * (7 * sizeof(float) + (size_t)copy));
}

static double dry_sum_squares(const float *x, int64_t count)
{
    (void)x;
    by_bytes((double)count * sizeof *x);
    return 0;
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

void kernels_dry(Kernels *k, DType dtype)
{
    *k = (Kernels){.dtype = dtype, .name = "dry"};
#define SET(name) k->name = dry_##name;
    KERNEL_SLOTS(SET)
#undef SET
}

/* What `accumulate` does with far more than the caches hold: two reads and a write. */
static double measure_memory(DryRun *r)
{
    enum { COUNT = 1 << 26 };
    double best = 0;
    void *y = matrix(1, COUNT), *x = matrix(1, COUNT);
    for (int i = 0; i < 3; i++) {
        double start = now_seconds();
        r->real.accumulate(y, x, COUNT);
        double seconds = now_seconds() - start;
        if (i == 1 || (i > 1 && seconds < best)) best = seconds;
    }
    arena_release(&r->numbers, PATTERN);
    return 3.0 * COUNT * (double)dtype_size(r->real.dtype) / best;
}

void dry_open(DryRun *r, DType dtype, bool timed)
{
    CHECK(!run, "a dry run within another");
    *r = (DryRun){.timed = timed};
    run = r;
    kernels_cpu(&r->real, dtype);
    arena_init(&r->numbers, "numbers", (size_t)1 << 42);
    make_pattern(arena_alloc(&r->numbers, PATTERN), dtype);
    if (timed) r->bytes_per_second = measure_memory(r);
}

void dry_close(DryRun *r)
{
    run = NULL;
    free(r->kind.at);
    arena_free(&r->numbers);
}
