/*
 * kernels.h - the contract between the maths and the machine: one struct of function pointers per number format.
 *
 * A kernel takes raw pointers and dimensions, never a Tensor.  Activations and weights are of the table's format T
 * (f32 or bf16, `void *` here); whatever is summed over many terms is f32: statistics, log-probabilities, gradients of
 * parameters.  Arithmetic inside a kernel is f32 also when T is bf16; results are rounded once.  All matrices are
 * row-major.
 *
 * Filling the table: kernels_ref assigns the C reference to every slot (ref_tmpl.c, plain loops); kernels_cpu then
 * overwrites slots with faster variants, from weak to strong instruction sets, as far as the CPU and the mask
 * CPU=ref|avx2|avx512|amx in the environment allow.  Every variant of every slot is held against an f64 oracle made
 * from the same reference source (tests/kernels).
 *
 * `accumulate` true: dst += result; false: dst = result.  Gradients of parameters (f32, prefixed dw, db, dtable) always
 * accumulate.  Outputs never overlap inputs except where a kernel says so.
 *
 * Dim letters: n tokens (rows), d width, h query heads, hk kv heads, hd head dim, f ffn, v vocab.
 *
 * Determinism: a kernel's result depends on its inputs only, never on the number of threads or their timing.
 */
#ifndef OSLER_KERNELS_KERNELS_H
#define OSLER_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"

/* A copy of a weight in fewer bits (quant.h). */
typedef enum QuantType { QUANT_INT8, QUANT_INT4 } QuantType;
typedef struct WeightQuant {
    QuantType type;
    const void *data;
} WeightQuant;

/* A weight matrix [out, in], row-major. */
typedef struct Weight {
    const void *data;
    int out, in;
    const WeightQuant *quant; /* what matmul_nt reads instead of data; NULL: data */
} Weight;

/*
 * The activation beside a product.  matmul_nt: the product is `up`, and y becomes silu(gate) * up.  matmul_nn: the
 * product is y's gradient dy and not stored; gate and up are replaced by theirs, and y = silu(gate) * up is written
 * again where wanted:
 *   dgate = dy up s (1 + gate (1 - s)),  dup = dy gate s,  s = 1 / (1 + exp(-gate))
 * All [n, m] of T.
 */
typedef struct Swiglu {
    void *gate, *up, *y; /* up: matmul_nn only; y: may be NULL there */
} Swiglu;

/*
 * y = x w + x2 w2 + bias + add: a product with a weight, one with the narrow weight of an adapter that joins its sums,
 * and what is added to every row or to all.  The slot says which way round the weights are taken.
 */
typedef struct MatmulArgs {
    void *y;       /* [n, m] */
    DType y_type;  /* T or DT_F32 */
    const void *x; /* [n, k] */
    const Weight *w;
    const void *x2; /* [n, r], with w2; NULL: none */
    const Weight *w2;
    const void *bias;     /* [m] or NULL; matmul_nt only */
    const void *add;      /* [n, m] of y's type, or NULL; may be y */
    const Swiglu *swiglu; /* or NULL; y is of T then */
    int n;
} MatmulArgs;

/* Rows [start, start + len) of k and v. */
typedef struct Span {
    int start, len;
} Span;

/*
 * Query rows [q, q + nq) see the key rows of spans [span, span + n_span), in that order, as one sequence of nk keys.
 * Causal: query i of nq sees the first nk - (nq - 1 - i) of them, so the last nq keys are the queries' own.
 * A segment with a shared prefix has the prefix's rows as its first span and its own rows as the last; a KV cache is
 * a list of spans of the cache; a vision window is one segment with one span and no causality.
 */
typedef struct AttnSeg {
    int q, nq;
    int span, n_span;
} AttnSeg;

typedef struct AttnPlan {
    const AttnSeg *seg;
    const Span *span;
    int n_seg;
    bool causal;
    /* For the backward pass: segments of one group share no key rows with those of another, so groups are independent.
       Group g is segments [group[g], group[g + 1]). */
    const int *group;
    int n_group;
} AttnPlan;

/* Row strides (ld*) in elements: q, k and v may be columns of one wider matrix. o and lse are dense: o [n, h*hd]. */
typedef struct AttnArgs {
    const AttnPlan *plan;
    int h, hk, hd; /* h is a multiple of hk: query head i uses kv head i / (h / hk) */
    int ldq, ldk, ldv;
    float scale;
    int n_q, n_k; /* rows of q and of k and v */
} AttnArgs;

/* In double: 1 - beta2 of a beta2 rounded to f32 would be off by 1e-5, and every step with it. */
typedef struct AdamWArgs {
    double lr, beta1, beta2, eps, weight_decay;
    double bias1, bias2; /* 1 - beta1^t, 1 - beta2^t */
    double grad_scale;   /* multiplies the gradient first (clipping) */
} AdamWArgs;

typedef struct Kernels {
    DType dtype;
    const char *name; /* the strongest variant in use: "ref", "avx2", "avx512", ... */

    /* ---- products ----
       matmul_nt: y[n,out] = x[n,in] w[out,in]^T + x2[n,r] w2[out,r]^T + bias[out] + add[n,out]
       matmul_nn: y[n,in] = x[n,out] w[out,in] + x2[n,r] w2[r,in] + add[n,in]
       matmul_tn: dw[out,in] f32 += dy[n,out]^T x[n,in] */
    void (*matmul_nt)(const MatmulArgs *a);
    void (*matmul_nn)(const MatmulArgs *a);
    void (*matmul_tn)(float *dw, const void *dy, const void *x, int n, int out, int in);
    /* db[d] f32 += column sums of dy[n,d] */
    void (*bias_bwd)(float *db, const void *dy, int n, int d);

    /* ---- elementwise, count = number of elements ---- */
    void (*accumulate)(void *y, const void *x, int64_t count); /* y += x */
    /* y may be x */
    void (*scale)(void *y, const void *x, float s, int64_t count, bool accumulate);
    void (*from_f32)(void *y, const float *x, int64_t count);
    void (*to_f32)(float *y, const void *x, int64_t count, bool accumulate);
    /* y = silu(g) * u;  silu(x) = x / (1 + exp(-x)) */
    void (*swiglu_fwd)(void *y, const void *g, const void *u, int64_t count);
    void (*swiglu_bwd)(void *dg, void *du, const void *dy, const void *g, const void *u, int64_t count,
                       bool accumulate);
    /* y = x * Phi(x), Phi the normal distribution (erf, not the tanh approximation) */
    void (*gelu_fwd)(void *y, const void *x, int64_t count);
    void (*gelu_bwd)(void *dx, const void *dy, const void *x, int64_t count, bool accumulate);
    /* y = x / (1 - p) where u(first + i) >= p, else 0; forward and backward alike.  u(e) in [0,1) is the upper 24 bits
       of word e % 4 of the philox block with counter (e / 4 mod 2^32, e / 2^34, 0, 0) */
    void (*dropout)(void *y, const void *x, float p, const uint32_t key[2], uint64_t first, int64_t count,
                    bool accumulate);

    /* ---- rows ----
       rmsnorm: y = x * rstd * w, rstd[n] = 1 / sqrt(mean(x^2) + eps).  bwd: dw may be NULL (frozen), dx may be NULL */
    void (*rmsnorm_fwd)(void *y, float *rstd, const void *x, const void *w, int n, int d, float eps);
    void (*rmsnorm_bwd)(void *dx, float *dw, const void *dy, const void *x, const void *w, const float *rstd, int n,
                        int d, bool accumulate);
    /* Rotates pairs (j, j + hd/2) of every head: y_j = x_j cos - x_{j+hd/2} sin, y_{j+hd/2} = x_{j+hd/2} cos + x_j sin;
       cos, sin [n, hd/2] f32; row stride ldx / ldy elements; y may be x.  sign = -1 rotates back (the backward pass) */
    void (*rope)(void *y, int ldy, const void *x, int ldx, const float *cos, const float *sin, int n, int heads, int hd,
                 float sign, bool accumulate);
    /* y[i] = x[index[i]], i in [0,n).  bwd: dx[index[i]] += dy[i] in order of i (an index may repeat) */
    void (*gather_rows)(void *y, const void *x, const int *index, int n, int d);
    void (*scatter_rows)(void *dx, const void *dy, const int *index, int n, int d);
    /* y[index[i]] = x[i], x with row stride ldx: new keys and values into a cache */
    void (*put_rows)(void *y, const void *x, int ldx, const int *index, int n, int d);
    /* y[i] = table[id[i]] where id[i] >= 0, else feats[-1 - id[i]].  bwd: either gradient may be NULL;
       both are added to, dfeats in T */
    void (*embed_fwd)(void *y, const void *table, const void *feats, const int *id, int n, int d);
    void (*embed_bwd)(float *dtable, void *dfeats, const void *dy, const int *id, int n, int d);

    /* ---- attention ---- o = softmax(scale q k^T) v per head; lse[n,h] f32 = log of the softmax denominator (natural).
       Heads of at most 256.  No query row is in two segments; rows in none are left alone */
    void (*attention_fwd)(void *o, float *lse, const void *q, const void *k, const void *v, const AttnArgs *a);
    /* dq, dk, dv have the strides of q, k, v and are always accumulated into */
    void (*attention_bwd)(void *dq, void *dk, void *dv, const void *d_o, const void *o, const float *lse, const void *q,
                          const void *k, const void *v, const AttnArgs *a);

    /* ---- log-probabilities: logits[n,v] f32, of the ids [first, first + v): a stretch of the vocabulary or all of it
       lse[i] = log sum_j exp(logits[i,j]); logp[i] = logits[i,id[i] - first] - lse[i], or 0 where id[i] lies elsewhere;
       entropy[i] = -sum p log p within the stretch (NULL: not wanted) */
    void (*logprob_fwd)(float *logp, float *lse, float *entropy, const float *logits, const int *id, int first, int n,
                        int v);
    /* dlogits[n,v] of T = dlogp[i] * (onehot(id[i] - first) - exp(logits - lse[i])) */
    void (*logprob_bwd)(void *dlogits, const float *dlogp, const float *logits, const float *lse, const int *id,
                        int first, int n, int v);

    /* ---- optimizer ----
       m = beta1 m + (1-beta1) g; v = beta2 v + (1-beta2) g^2; p = p (1 - lr wd) - lr (m/bias1) / (sqrt(v/bias2) + eps)
       p is the f32 master; w the copy of T that the model computes with (the same pointer as p when T is f32) */
    void (*adamw)(float *p, void *w, const float *g, float *m, float *v, int64_t count, const AdamWArgs *a);
    double (*sum_squares)(const float *x, int64_t count); /* summed in fixed order, in double */
} Kernels;

/* Every slot the C reference. dtype DT_F32 or DT_BF16. */
void kernels_ref(Kernels *k, DType dtype);
/* The reference overwritten with the best this CPU and the CPU= mask allow. */
void kernels_cpu(Kernels *k, DType dtype);
/* The table as it stands after each filler on a machine that has `features` and no more: the reference first, what
   kernels_cpu gives last. Returns how many. */
int kernels_stages(Kernels *stage, int cap, DType dtype, unsigned features);

/* What the CPU has and the mask leaves, for doctor, inspect and the tests. */
typedef enum CpuFeature {
    CPU_AVX2 = 1,   /* with FMA */
    CPU_AVX512 = 2, /* F, BW, DQ, VL */
    CPU_AVX512_BF16 = 4,
    CPU_AMX = 8 /* tiles with bf16 */
} CpuFeature;
unsigned cpu_features(void);         /* after the mask */
unsigned cpu_features_present(void); /* of the machine */
const char *cpu_name(void);

/* One row per slot for `osler inspect --kernels`: the slot's name and the variant that serves it. */
typedef struct KernelRow {
    const char *slot, *variant;
} KernelRow;
int kernels_list(const Kernels *k, KernelRow *rows, int cap);

#endif
