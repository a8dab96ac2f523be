/*
 * kcheck_setups.h - the arrays of every slot, and the table of cases: slot, shapes, setup, callers.
 */
#define K(slot)          k->slot
#define CALL(slot)       call_##slot
#define STORE_SUM(to, s) (*(float *)(to) = (float)(s))
#define QUANT(p)         (&(p)->quant)
#include "kcheck_calls.h"
#undef K
#undef CALL
#undef STORE_SUM
#undef QUANT
#define K(slot)          ((void)k, slot##_f64)
#define CALL(slot)       oracle_##slot
#define STORE_SUM(to, s) (*(double *)(to) = (s))
#define QUANT(p)         NULL
#include "kcheck_calls.h"

static double array_max(const Array *a)
{
    double m = 0;
    for (int64_t i = 0; i < a->n; i++) m = fmax(m, fabs(a->value[i]));
    return m;
}

/* The size of a sum of n products of random sign. */
static double sum_magnitude(const Array *a, const Array *b, int n)
{
    return array_max(a) * array_max(b) * sqrt(n);
}

/* ---- products: s = {n, out, in} ---------------------------------------------------------------------------------- */

/* The adapter's x2 and w2, in some rounds. */
static void add_adapter(Problem *p, int64_t wide)
{
    bool has = p->round % 2 == 0;
    array_add(p, IN, AS_T, has ? (int64_t)p->s.n * ADAPTER_R : 0);
    array_add(p, IN, AS_T, has ? wide * ADAPTER_R : 0);
}

static void setup_matmul_nt(Problem *p)
{
    int64_t n = p->s.n, out = p->s.d, in = p->s.e;
    array_add_dst(p, p->round % 2 ? AS_F32 : AS_T, n * out);
    Array *x = array_add(p, IN, AS_T, n * in), *w = array_add(p, IN, AS_T, out * in);
    add_adapter(p, out);
    array_add(p, IN, AS_T, p->round % 3 ? out : 0);
    p->magnitude = sum_magnitude(x, w, p->s.e + ADAPTER_R);
}

/* As above, with a weight that has a copy in fewer bits: the array holds the values of the copy. */
static void setup_quant(Problem *p, QuantType type)
{
    int out = p->s.d, in = p->s.e;
    setup_matmul_nt(p);
    Array *w = &p->a[2];
    float *row = xmalloc(sizeof *row * (size_t)w->n);
    void *copy = xmalloc(quant_bytes(type, out, in));
    w->format = AS_F32;
    for (int64_t i = 0; i < w->n; i++) row[i] = (float)w->value[i];
    for (int b = 0; b < quant_blocks(out); b++) quant_outs(copy, type, row, DT_F32, out, in, b);
    p->quant = (WeightQuant){type, copy};
    for (int o = 0; o < out; o++) {
        quant_read(row, &p->quant, in, o);
        for (int i = 0; i < in; i++) w->value[(int64_t)o * in + i] = (double)row[i];
    }
    free(row);
}

static void setup_int8(Problem *p)
{
    setup_quant(p, QUANT_INT8);
}

static void setup_int4(Problem *p)
{
    setup_quant(p, QUANT_INT4);
}

static void setup_matmul_nn(Problem *p)
{
    int64_t n = p->s.n, out = p->s.d, in = p->s.e;
    array_add_dst(p, AS_T, n * in);
    Array *x = array_add(p, IN, AS_T, n * out), *w = array_add(p, IN, AS_T, out * in);
    add_adapter(p, in);
    array_add(p, IN, AS_T, 0);
    p->magnitude = sum_magnitude(x, w, p->s.d + ADAPTER_R);
}

/* Beside an activation the product is rounded to T before it goes on: half a unit of its own size more. */
static void allow_rounding(Problem *p, double factor)
{
    if (p->dtype == DT_BF16) p->magnitude *= factor * 0x1p12;
}

/* The product as `up` of an activation: a[6] gate, a[7] unused, a[8] the activation. */
static void setup_matmul_nt_swiglu(Problem *p)
{
    p->accumulate = false;
    setup_matmul_nt(p);
    p->a[0].format = AS_T;
    int64_t count = (int64_t)p->s.n * p->s.d;
    array_add(p, IN, AS_T, count);
    array_add(p, IN, AS_T, 0);
    array_add(p, OUT, AS_T, count);
    allow_rounding(p, 0.25 * array_max(&p->a[6]));
}

/* The product as the gradient of an activation: a[6] gate, a[7] up, a[8] the activation again; y is not stored. */
static void setup_matmul_nn_swiglu(Problem *p)
{
    p->accumulate = false;
    setup_matmul_nn(p);
    p->a[0].role = IN;
    int64_t count = (int64_t)p->s.n * p->s.e;
    array_add(p, INOUT, AS_T, count);
    array_add(p, INOUT, AS_T, count);
    array_add(p, OUT, AS_T, p->round % 3 ? count : 0);
    allow_rounding(p, 0.1 * array_max(&p->a[7]));
    p->magnitude *= 4;
}

static void setup_matmul_tn(Problem *p)
{
    int64_t n = p->s.n, out = p->s.d, in = p->s.e;
    array_add(p, INOUT, AS_F32, out * in);
    Array *dy = array_add(p, IN, AS_T, n * out), *x = array_add(p, IN, AS_T, n * in);
    p->magnitude = sum_magnitude(x, dy, p->s.n);
}

static void setup_bias_bwd(Problem *p)
{
    array_add(p, INOUT, AS_F32, p->s.d);
    p->magnitude = array_max(array_add(p, IN, AS_T, (int64_t)p->s.n * p->s.d)) * sqrt(p->s.n);
}

/* ---- elementwise: s.n = count ------------------------------------------------------------------------------------ */

static void setup_add(Problem *p)
{
    array_add(p, OUT, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
}

static void setup_accumulate(Problem *p)
{
    array_add(p, INOUT, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
}

static void setup_from_f32(Problem *p)
{
    array_add(p, OUT, AS_T, p->s.n);
    array_add(p, IN, AS_F32, p->s.n);
}

static void setup_to_f32(Problem *p)
{
    array_add_dst(p, AS_F32, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
}

/* The second round is in place. */
static void setup_scale(Problem *p)
{
    array_add(p, p->round == 1 || p->accumulate ? INOUT : OUT, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->round == 1 ? 0 : p->s.n);
}

/* dropout, gelu_fwd: one input */
static void setup_unary(Problem *p)
{
    array_add_dst(p, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
}

static void setup_gelu_bwd(Problem *p)
{
    array_add_dst(p, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
    array_add(p, IN, AS_T, p->s.n);
}

static void setup_swiglu_bwd(Problem *p)
{
    for (int i = 0; i < 2; i++) array_add_dst(p, AS_T, p->s.n);
    for (int i = 0; i < 3; i++) array_add(p, IN, AS_T, p->s.n);
}

/* ---- rows: s = {n, d} -------------------------------------------------------------------------------------------- */

static void setup_rmsnorm_fwd(Problem *p)
{
    int64_t all = (int64_t)p->s.n * p->s.d;
    array_add(p, OUT, AS_T, all);
    array_add(p, OUT, AS_F32, p->s.n);
    array_add(p, IN, AS_T, all);
    array_add(p, IN, AS_T, p->s.d);
}

static void setup_rmsnorm_bwd(Problem *p)
{
    int64_t all = (int64_t)p->s.n * p->s.d;
    if (p->round % 3 == 1) array_add_null(p);
    else array_add_dst(p, AS_T, all);
    array_add(p, INOUT, AS_F32, p->round % 3 == 2 ? 0 : p->s.d);
    Array *dy = array_add(p, IN, AS_T, all), *x = array_add(p, IN, AS_T, all), *w = array_add(p, IN, AS_T, p->s.d);
    Array *rstd = array_add(p, IN, AS_F32, p->s.n);
    for (int i = 0; i < p->s.n; i++) {
        double ss = 0;
        for (int c = 0; c < p->s.d; c++) ss += pow(x->value[(int64_t)i * p->s.d + c], 2);
        rstd->value[i] = round_to(1 / sqrt(ss / p->s.d + 1e-6), AS_F32, DT_F32);
    }
    double r = array_max(rstd);
    p->magnitude = r * array_max(dy) * fmax(array_max(w), array_max(x) * sqrt(p->s.n));
}

static void setup_rope(Problem *p)
{
    int hd = p->s.d;
    bool in_place = p->round == 1 && !p->accumulate;
    int64_t all = (int64_t)p->s.n * ((in_place ? 2 : 3) * hd + p->s.e);
    array_add(p, in_place || p->accumulate ? INOUT : OUT, AS_T, all);
    array_add(p, IN, AS_T, in_place ? 0 : all);
    Fill fill = p->fill;
    p->fill = NORMAL;
    for (int i = 0; i < 2; i++) array_add(p, IN, AS_F32, (int64_t)p->s.n * (hd / 2));
    p->fill = fill;
}

static void setup_gather_rows(Problem *p)
{
    array_add(p, OUT, AS_T, (int64_t)p->s.n * p->s.d);
    array_add(p, IN, AS_T, (int64_t)9 * p->s.d);
    ids_add(p, p->s.n, 0, 9, false);
}

static void setup_scatter_rows(Problem *p)
{
    array_add(p, INOUT, AS_T, (int64_t)9 * p->s.d);
    array_add(p, IN, AS_T, (int64_t)p->s.n * p->s.d);
    ids_add(p, p->s.n, 0, 9, p->dtype == DT_BF16);
    if (p->dtype == DT_BF16 && p->s.n > 9)
        p->s.n = 9; /* a repeated index rounds at every addition: test_repeated_index */
}

static void setup_put_rows(Problem *p)
{
    int rows = p->s.n + ((p->s.n + 5) % 7 ? 5 : 6); /* no multiple of 7, so that the indexes differ */
    array_add(p, INOUT, AS_T, (int64_t)rows * p->s.d);
    array_add(p, IN, AS_T, (int64_t)p->s.n * (p->s.d + 3));
    ids_add(p, p->s.n, 0, rows, true);
}

static void setup_embed_fwd(Problem *p)
{
    array_add(p, OUT, AS_T, (int64_t)p->s.n * p->s.d);
    array_add(p, IN, AS_T, (int64_t)5 * p->s.d);
    array_add(p, IN, AS_T, (int64_t)4 * p->s.d);
    ids_add(p, p->s.n, -4, 5, false);
}

static void setup_embed_bwd(Problem *p)
{
    array_add(p, INOUT, AS_F32, p->round % 3 == 1 ? 0 : (int64_t)5 * p->s.d);
    array_add(p, INOUT, AS_T, p->round % 3 == 2 ? 0 : (int64_t)p->s.n * p->s.d);
    array_add(p, IN, AS_T, (int64_t)p->s.n * p->s.d);
    ids_add(p, p->s.n, 0, 5, false);
    for (int i = 0; i < p->s.n; i += 2) p->id[i] = -1 - i; /* each feature once */
}

/* ---- attention: s.n = number of the plan, s.d = head width, s.e = 10 h + hk -------------------------------------- */

/* The plans: rows of q, rows of k. */
static const struct {
    AttnPlan plan;
    int n_q, n_k;
} PLAN[] = {
    {{(AttnSeg[]){{0, 1, 0, 1}}, (Span[]){{0, 1}}, 1, true, (int[]){0, 1}, 1}, 1, 1},
    {{(AttnSeg[]){{0, 100, 0, 1}}, (Span[]){{0, 100}}, 1, true, (int[]){0, 1}, 1}, 100, 100},
    /* a prompt with two children, a segment of its own, a chain */
    {{(AttnSeg[]){
          {0, 45, 0, 1}, {45, 33, 0, 2}, {78, 17, 2, 2}, {95, 3, 4, 1}, {98, 20, 5, 1}, {118, 9, 5, 2}, {127, 2, 5, 3}},
      (Span[]){{0, 45}, {45, 33}, {0, 45}, {78, 17}, {95, 3}, {98, 20}, {118, 9}, {127, 2}}, 7, true,
      (int[]){0, 3, 4, 7}, 3},
     129,
     129},
    /* windows */
    {{(AttnSeg[]){{0, 64, 0, 1}, {64, 16, 1, 1}, {80, 1, 2, 1}, {81, 63, 3, 1}},
      (Span[]){{0, 64}, {64, 16}, {80, 1}, {81, 63}}, 4, false, (int[]){0, 1, 2, 3, 4}, 4},
     144,
     144},
    /* decoding from a cache of 200 rows: pages out of order, one query and three */
    {{(AttnSeg[]){{0, 1, 0, 3}, {1, 3, 3, 2}}, (Span[]){{64, 16}, {0, 16}, {32, 5}, {80, 100}, {180, 7}}, 2, true,
      (int[]){0, 1, 2}, 2},
     4,
     200},
    /* enough columns for the backward pass to be cut into parts */
    {{(AttnSeg[]){{0, 280, 0, 1}}, (Span[]){{0, 280}}, 1, true, (int[]){0, 1}, 1}, 280, 280},
    {{(AttnSeg[]){{0, 2048, 0, 1}}, (Span[]){{0, 2048}}, 1, true, (int[]){0, 1}, 1}, 2048, 2048},
    /* decoding from so many keys that they are cut into pieces; the last piece is seen by the last query only */
    {{(AttnSeg[]){{0, 1, 0, 2}, {1, 3, 2, 1}}, (Span[]){{600, 700}, {7, 150}, {0, 513}}, 2, true, (int[]){0, 2}, 1},
     4,
     1300},
    /* several blocks and tiles: a long prefix with children, and no causality */
    {{(AttnSeg[]){{0, 330, 0, 1}, {330, 70, 1, 2}, {400, 40, 3, 2}},
      (Span[]){{0, 330}, {0, 330}, {330, 70}, {0, 330}, {400, 40}}, 3, true, (int[]){0, 3}, 1},
     440,
     440},
    {{(AttnSeg[]){{0, 530, 0, 1}}, (Span[]){{0, 530}}, 1, false, (int[]){0, 1}, 1}, 530, 530},
};

static void setup_attn_args(Problem *p)
{
    int h = p->s.e / 10, hk = p->s.e % 10, hd = p->s.d, i = p->s.n;
    p->large = 8; /* scores of some hundred: larger ones leave no digit of their softmax in f32 */
    int pad = p->round ? 3 : 0;
    p->attn = (AttnArgs){.plan = &PLAN[i].plan,
                         .h = h,
                         .hk = hk,
                         .hd = hd,
                         .ldq = h * hd + pad,
                         .ldk = hk * hd + pad,
                         .ldv = hk * hd + 2 * pad,
                         .scale = (float)(1 / sqrt(hd)),
                         .n_q = PLAN[i].n_q,
                         .n_k = PLAN[i].n_k};
}

static void setup_attention_fwd(Problem *p)
{
    setup_attn_args(p);
    const AttnArgs *a = &p->attn;
    array_add(p, OUT, AS_T, (int64_t)a->n_q * a->h * a->hd);
    array_add(p, OUT, AS_F32, (int64_t)a->n_q * a->h);
    Array *q = array_add(p, IN, AS_T, (int64_t)a->n_q * a->ldq), *k = array_add(p, IN, AS_T, (int64_t)a->n_k * a->ldk);
    Array *v = array_add(p, IN, AS_T, (int64_t)a->n_k * a->ldv);
    double *lse = xmalloc(sizeof *lse * (size_t)p->a[1].n), *size = xmalloc(sizeof *size * (size_t)v->n);
    for (int64_t i = 0; i < v->n; i++) size[i] = fabs(v->value[i]);
    attention_fwd_f64(array_add_rounded(&p->a[0]), lse, q->value, k->value, size, a);
    free(lse);
    free(size);
    /* an error in a score is an error of the same relative size in a probability */
    p->magnitude = array_max(v) * (1 + (double)a->scale * sum_magnitude(q, k, a->hd));
}

static double dot(const double *a, const double *b, int n)
{
    double s = 0;
    for (int i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

/* The sizes of the terms p do of dv, ds q of dk and ds k of dq that query row `at` and one head add. */
static void add_term_sizes(Problem *p, int64_t at, int head, const int *row, int n)
{
    const AttnArgs *a = &p->attn;
    int hd = a->hd, kv = head / (a->h / a->hk);
    int64_t wide = at * a->ldq + head * hd, dense = (at * a->h + head) * hd;
    const double *d_o = p->a[3].value + dense, *q = p->a[6].value + wide;
    double *dq = p->a[0].rounded + wide;
    for (int j = 0; j < n; j++) {
        int64_t in_k = (int64_t)row[j] * a->ldk + kv * hd, in_v = (int64_t)row[j] * a->ldv + kv * hd;
        const double *k = p->a[7].value + in_k, *v = p->a[8].value + in_v;
        double prob = exp((double)a->scale * dot(q, k, hd) - p->a[5].value[at * a->h + head]);
        double ds = fabs(prob * (dot(d_o, v, hd) - dot(d_o, p->a[4].value + dense, hd)) * (double)a->scale);
        for (int c = 0; c < hd; c++) {
            dq[c] += ds * fabs(k[c]);
            p->a[1].rounded[in_k + c] += ds * fabs(q[c]);
            p->a[2].rounded[in_v + c] += prob * fabs(d_o[c]);
        }
    }
}

static void setup_attention_bwd(Problem *p)
{
    setup_attn_args(p);
    const AttnArgs *a = &p->attn;
    int64_t nq = (int64_t)a->n_q * a->ldq, nk = (int64_t)a->n_k * a->ldk, nv = (int64_t)a->n_k * a->ldv;
    array_add(p, INOUT, AS_T, nq);
    array_add(p, INOUT, AS_T, nk);
    array_add(p, INOUT, AS_T, nv);
    Array *d_o = array_add(p, IN, AS_T, (int64_t)a->n_q * a->h * a->hd);
    Array *o = array_add(p, IN, AS_T, d_o->n), *lse = array_add(p, IN, AS_F32, (int64_t)a->n_q * a->h);
    Array *q = array_add(p, IN, AS_T, nq), *k = array_add(p, IN, AS_T, nk), *v = array_add(p, IN, AS_T, nv);
    attention_fwd_f64(o->value, lse->value, q->value, k->value, v->value, a);
    for (int64_t i = 0; i < o->n; i++) o->value[i] = round_to(o->value[i], AS_T, p->dtype);
    for (int64_t i = 0; i < lse->n; i++) lse->value[i] = round_to(lse->value[i], AS_F32, p->dtype);
    for (int i = 0; i < 3; i++) array_add_rounded(&p->a[i]);
    for (const AttnSeg *seg = a->plan->seg; seg < a->plan->seg + a->plan->n_seg; seg++) {
        int *row = attn_key_rows(a->plan, seg), keys = attn_keys(a->plan, seg);
        for (int i = 0; i < seg->nq * a->h; i++)
            add_term_sizes(p, seg->q + i / a->h, i % a->h, row, attn_seen(a->plan, seg, keys, i / a->h));
        free(row);
    }
    double score = 1 + (double)a->scale * sum_magnitude(q, k, a->hd), ds = sum_magnitude(d_o, v, a->hd);
    p->magnitude = score * fmax(array_max(d_o), ds * (double)a->scale * fmax(array_max(q), array_max(k)));
}

/* ---- log-probabilities and optimizer: s = {n, v}, s.n = count ---------------------------------------------------- */

static void setup_logprob_fwd(Problem *p)
{
    array_add(p, OUT, AS_F32, p->s.n);
    array_add(p, OUT, AS_F32, p->s.n);
    array_add(p, OUT, AS_F32, p->round ? 0 : p->s.n);
    p->magnitude = 1 + array_max(array_add(p, IN, AS_F32, (int64_t)p->s.n * p->s.d));
    ids_add(p, p->s.n, 0, p->s.d, false);
}

static void setup_logprob_bwd(Problem *p)
{
    array_add(p, OUT, AS_T, (int64_t)p->s.n * p->s.d);
    array_add(p, IN, AS_F32, p->s.n);
    Array *logits = array_add(p, IN, AS_F32, (int64_t)p->s.n * p->s.d), *lse = array_add(p, IN, AS_F32, p->s.n);
    ids_add(p, p->s.n, 0, p->s.d, false);
    double *logp = xmalloc(sizeof *logp * (size_t)p->s.n);
    logprob_fwd_f64(logp, lse->value, NULL, logits->value, p->id, 0, p->s.n, p->s.d);
    for (int i = 0; i < p->s.n; i++) lse->value[i] = round_to(lse->value[i], AS_F32, p->dtype);
    free(logp);
}

static void setup_adamw(Problem *p)
{
    array_add(p, INOUT, AS_F32, p->s.n);
    array_add(p, OUT, AS_T, p->dtype == DT_F32 ? 0 : p->s.n); /* f32: the copy is the master */
    array_add(p, IN, AS_F32, p->s.n);
    array_add(p, INOUT, AS_F32, p->s.n);
    Array *v = array_add(p, INOUT, AS_F32, p->s.n);
    for (int64_t i = 0; i < v->n; i++) v->value[i] = round_to(pow(v->value[i], 2), AS_F32, p->dtype);
}

static void setup_sum_squares(Problem *p)
{
    array_add(p, OUT, AS_F32, 1);
    array_add(p, IN, AS_F32, p->s.n);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

typedef struct Case {
    const char *slot;
    Setup setup;
    Caller call, oracle;
    const Shape *shape; /* up to the zero row */
    bool accumulates;   /* has the flag */
} Case;

static const Shape MATMUL[] = {{1, 1, 1},     {3, 17, 5},     {1, 65, 63},   {17, 63, 65},   {65, 48, 33}, {8, 96, 64},
                               {7, 130, 257}, {130, 70, 129}, {300, 96, 80}, {33, 600, 300}, {0, 0, 0}};
static const Shape COUNT[] = {{1, 0, 0},  {3, 0, 0},    {17, 0, 0},    {63, 0, 0},
                              {65, 0, 0}, {1000, 0, 0}, {70001, 0, 0}, {0, 0, 0}};
static const Shape ROWS[] = {{1, 1, 0}, {3, 17, 0}, {17, 63, 0}, {65, 65, 0}, {1, 130, 0}, {200, 896, 0}, {0, 0, 0}};
static const Shape ROPE[] = {{1, 2, 0}, {3, 6, 1}, {17, 16, 0}, {65, 80, 5}, {40, 128, 0}, {0, 0, 0}};
static const Shape ATTN[] = {{0, 1, 11},   {0, 64, 21},  {1, 16, 42},  {1, 5, 33},   {2, 64, 21},
                             {2, 13, 42},  {3, 80, 11},  {3, 16, 33},  {4, 128, 42}, {4, 12, 71},
                             {5, 8, 81},   {2, 128, 21}, {7, 64, 71},  {7, 80, 22},  {8, 64, 21},
                             {1, 200, 31}, {9, 96, 11},  {8, 256, 11}, {2, 128, 21}, {0, 0, 0}};
static const Shape VOCAB[] = {{1, 1, 0}, {3, 17, 0}, {17, 63, 0}, {5, 1000, 0}, {2, 20011, 0}, {0, 0, 0}};

#define CASE(slot, setup, shapes, acc)                                                                                 \
    {                                                                                                                  \
#slot, setup, call_##slot, oracle_##slot, shapes, acc                                                          \
    }
static const Case CASES[] = {
    CASE(matmul_nt, setup_matmul_nt, MATMUL, true),
    {"matmul_nt", setup_int8, call_matmul_quant, oracle_matmul_quant, MATMUL, true},
    {"matmul_nt", setup_int4, call_matmul_quant, oracle_matmul_quant, MATMUL, true},
    CASE(matmul_nn, setup_matmul_nn, MATMUL, true),
    CASE(matmul_nt, setup_matmul_nt_swiglu, MATMUL, false),
    CASE(matmul_nn, setup_matmul_nn_swiglu, MATMUL, false),
    CASE(matmul_tn, setup_matmul_tn, MATMUL, false),
    CASE(bias_bwd, setup_bias_bwd, ROWS, false),
    CASE(accumulate, setup_accumulate, COUNT, false),
    CASE(scale, setup_scale, COUNT, true),
    CASE(from_f32, setup_from_f32, COUNT, false),
    CASE(to_f32, setup_to_f32, COUNT, true),
    CASE(swiglu_fwd, setup_add, COUNT, false),
    CASE(swiglu_bwd, setup_swiglu_bwd, COUNT, true),
    CASE(gelu_fwd, setup_unary, COUNT, false),
    CASE(gelu_bwd, setup_gelu_bwd, COUNT, true),
    CASE(dropout, setup_unary, COUNT, true),
    CASE(rmsnorm_fwd, setup_rmsnorm_fwd, ROWS, false),
    CASE(rmsnorm_bwd, setup_rmsnorm_bwd, ROWS, true),
    CASE(rope, setup_rope, ROPE, true),
    CASE(gather_rows, setup_gather_rows, ROWS, false),
    CASE(scatter_rows, setup_scatter_rows, ROWS, false),
    CASE(put_rows, setup_put_rows, ROWS, false),
    CASE(embed_fwd, setup_embed_fwd, ROWS, false),
    CASE(embed_bwd, setup_embed_bwd, ROWS, false),
    CASE(attention_fwd, setup_attention_fwd, ATTN, false),
    CASE(attention_bwd, setup_attention_bwd, ATTN, false),
    CASE(logprob_fwd, setup_logprob_fwd, VOCAB, false),
    CASE(logprob_bwd, setup_logprob_bwd, VOCAB, false),
    CASE(adamw, setup_adamw, COUNT, false),
    CASE(sum_squares, setup_sum_squares, COUNT, false),
};
enum { N_CASES = sizeof CASES / sizeof *CASES };
