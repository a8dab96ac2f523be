/*
 * ref_tmpl.c - the reference: every kernel as plain loops, written once, compiled for several number formats.
 *
 *   T_IS_BF16=0|1   T is float or bf16, arithmetic in float: the table of kernels_ref
 *   REF_F64         T, Real and all statistics double: the oracle of tests/kernels (included there)
 *   REF_COMPLEX     all double complex, forward functions only: the oracle of tests/grad.  With x + i*1e-50 for one
 *                   input the imaginary part of a result divided by 1e-50 is its derivative, exact to rounding
 *                   (complex-step derivative; Squire and Trapp 1998).  So nothing here may look at an imaginary part,
 *                   and a maximum is taken on the real part.
 *
 * T is what memory holds, Real what is computed with; where kernels.h says float for a statistic, this says Real.
 */
#ifndef KERNELS_REF_ONCE
#define KERNELS_REF_ONCE
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/rng.h"
#include "kernels/kernels_impl.h"
#include "kernels/quant.h"

typedef struct RefAttention { /* the arguments of an attention kernel, for its tasks */
    const AttnArgs *a;
    const void *q, *k, *v;
    void *out, *out_lse;       /* forward */
    const void *d_o, *o, *lse; /* backward */
    void *dq, *dk, *dv;
} RefAttention;
#endif

#define REF_CAT2(a, b) a##b
#define REF_CAT(a, b)  REF_CAT2(a, b)
#define FN(name)       REF_CAT(name, SUFFIX)

#if defined(REF_COMPLEX)
#define T            double complex
#define Real         double complex
#define REAL_PART(x) creal(x)
#elif defined(REF_F64)
#define T            double
#define Real         double
#define REAL_PART(x) (x)
#elif T_IS_BF16
#define T            bf16
#define Real         float
#define REAL_PART(x) (x)
#else
#define T            float
#define Real         float
#define REAL_PART(x) (x)
#endif

static inline Real FN(get)(const T *x, int64_t i)
{
#if !defined(REF_COMPLEX) && !defined(REF_F64) && T_IS_BF16
    return bf16_to_f32(x[i]);
#else
    return x[i];
#endif
}

/* x[i] = v, or x[i] += v: the sum is rounded to T once. */
static inline void FN(put)(T *x, int64_t i, Real v, bool accumulate)
{
    if (accumulate) v += FN(get)(x, i);
#if !defined(REF_COMPLEX) && !defined(REF_F64) && T_IS_BF16
    x[i] = bf16_from_f32(v);
#else
    x[i] = v;
#endif
}

static void FN(swiglu_fwd)(void *y, const void *g, const void *u, int64_t count);
#ifndef REF_COMPLEX
static void FN(swiglu_bwd)(void *dg, void *du, const void *dy, const void *g, const void *u, int64_t count,
                           bool accumulate);
#endif

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* Four partial sums, so that an addition need not wait for the one before. */
static Real FN(dot)(const T *a, const T *b, int n)
{
    Real s[4] = {0};
    int i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++) s[j] += FN(get)(a, i + j) * FN(get)(b, i + j);
    for (; i < n; i++) s[0] += FN(get)(a, i) * FN(get)(b, i);
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* y[at] = sum + add[at] where y is T or f32 */
static inline void FN(put_product)(const MatmulArgs *g, void *y, int64_t at, Real sum)
{
    if (g->y_type == DT_F32) ((Real *)y)[at] = sum + (g->add ? ((const Real *)g->add)[at] : 0);
    else FN(put)(y, at, sum + (g->add ? FN(get)(g->add, at) : 0), false);
}

#if !defined(REF_COMPLEX) && !defined(REF_F64)
/* The product of row x with output o of a weight's copy in fewer bits. */
static Real FN(quant_product)(const T *x, const Weight *w, int o)
{
    size_t n = (size_t)quant_groups(w->in) * QUANT_GROUP;
    float *v = xcalloc(n, sizeof *v), *scale = xmalloc(sizeof *scale * n);
    int16_t *q = xmalloc(sizeof *q * n);
    for (int c = 0; c < w->in; c++) v[c] = FN(get)(x, c);
    quant_inputs(q, scale, v, w->in);
    Real s = quant_dot(w->quant, w->in, o, q, scale);
    free(v);
    free(scale);
    free(q);
    return s;
}
#else
static Real FN(quant_product)(const T *x, const Weight *w, int o)
{
    CHECK(false, "a quantised weight in an oracle: %p %p %d", (const void *)x, (const void *)w, o);
    return 0;
}
#endif

static void FN(matmul_nt)(const MatmulArgs *g)
{
    const Weight *w = g->w, *w2 = g->w2;
    for (int i = 0; i < g->n; i++)
        for (int o = 0; o < w->out; o++) {
            const T *x = (const T *)g->x + (int64_t)i * w->in, *row = (const T *)w->data + (int64_t)o * w->in;
            Real s = w->quant ? FN(quant_product)(x, w, o) : FN(dot)(x, row, w->in);
            if (w2)
                s += FN(dot)((const T *)g->x2 + (int64_t)i * w2->in, (const T *)w2->data + (int64_t)o * w2->in, w2->in);
            if (g->bias) s += FN(get)(g->bias, o);
            FN(put_product)(g, g->y, (int64_t)i * w->out + o, s);
        }
    if (g->swiglu) FN(swiglu_fwd)(g->swiglu->y, g->swiglu->gate, g->y, (int64_t)g->n * w->out);
}

#ifndef REF_COMPLEX
/* sum[in] += x[out] w */
static void FN(add_row_product)(Real *sum, const T *x, const Weight *w)
{
    for (int o = 0; o < w->out; o++) {
        const T *row = (const T *)w->data + (int64_t)o * w->in;
        Real s = FN(get)(x, o);
        for (int c = 0; c < w->in; c++) sum[c] += s * FN(get)(row, c);
    }
}

static void FN(matmul_nn)(const MatmulArgs *g)
{
    const Weight *w = g->w, *w2 = g->w2;
    const Swiglu *act = g->swiglu;
    int64_t count = (int64_t)g->n * w->in;
    void *y = act ? xmalloc(sizeof(T) * (size_t)count) : g->y;
    Real *sum = xmalloc(sizeof *sum * (size_t)w->in);
    for (int i = 0; i < g->n; i++) {
        memset(sum, 0, sizeof *sum * (size_t)w->in);
        FN(add_row_product)(sum, (const T *)g->x + (int64_t)i * w->out, w);
        if (w2) FN(add_row_product)(sum, (const T *)g->x2 + (int64_t)i * w2->out, w2);
        for (int c = 0; c < w->in; c++) FN(put_product)(g, y, (int64_t)i * w->in + c, sum[c]);
    }
    free(sum);
    if (!act) return;
    if (act->y) FN(swiglu_fwd)(act->y, act->gate, act->up, count);
    FN(swiglu_bwd)(act->gate, act->up, y, act->gate, act->up, count, false);
    free(y);
}

static void FN(matmul_tn)(Real *dw, const void *dyv, const void *xv, int n, int out, int in)
{
    for (int i = 0; i < n; i++)
        for (int o = 0; o < out; o++) {
            const T *x = (const T *)xv + (int64_t)i * in;
            Real s = FN(get)(dyv, (int64_t)i * out + o);
            for (int c = 0; c < in; c++) dw[(int64_t)o * in + c] += s * FN(get)(x, c);
        }
}

static void FN(bias_bwd)(Real *db, const void *dy, int n, int d)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++) db[c] += FN(get)(dy, (int64_t)i * d + c);
}
#endif

/* ---- elementwise ------------------------------------------------------------------------------------------------- */

#ifndef REF_COMPLEX
static void FN(accumulate)(void *y, const void *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) FN(put)(y, i, FN(get)(x, i), true);
}

static void FN(scale)(void *y, const void *x, float s, int64_t count, bool accumulate)
{
    for (int64_t i = 0; i < count; i++) FN(put)(y, i, (Real)s * FN(get)(x, i), accumulate);
}

static void FN(from_f32)(void *y, const Real *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) FN(put)(y, i, x[i], false);
}

static void FN(to_f32)(Real *y, const void *x, int64_t count, bool accumulate)
{
    for (int64_t i = 0; i < count; i++) y[i] = accumulate ? y[i] + FN(get)(x, i) : FN(get)(x, i);
}
#endif

static void FN(swiglu_fwd)(void *y, const void *g, const void *u, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        Real x = FN(get)(g, i);
        FN(put)(y, i, x / (1 + exp(-x)) * FN(get)(u, i), false);
    }
}

/* Phi(x) = (1 + erf(x / sqrt 2)) / 2.  C has no complex erf: there, its Maclaurin series, good for |x| < 4. */
static Real FN(normal_cdf)(Real x)
{
    Real z = x * (Real)0.70710678118654752440;
#ifdef REF_COMPLEX
    Real term = z, sum = z;
    for (int k = 1; k < 100; k++) {
        term *= -z * z / k;
        sum += term / (2 * k + 1);
    }
    return (1 + sum * 1.12837916709551257390) / 2; /* 2 / sqrt(pi) */
#else
    /* erfc keeps its relative accuracy in the left tail, where 1 + erf cancels */
    return erfc(-z) / 2;
#endif
}

static void FN(gelu_fwd)(void *y, const void *xv, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        Real x = FN(get)(xv, i);
        FN(put)(y, i, x * FN(normal_cdf)(x), false);
    }
}

#ifndef REF_COMPLEX
/* silu'(g) = s (1 + g (1 - s)), s = 1 / (1 + exp(-g)) */
static void FN(swiglu_bwd)(void *dg, void *du, const void *dy, const void *g, const void *u, int64_t count,
                           bool accumulate)
{
    for (int64_t i = 0; i < count; i++) {
        Real x = FN(get)(g, i), d = FN(get)(dy, i), s = 1 / (1 + exp(-x));
        FN(put)(dg, i, d * FN(get)(u, i) * s * (1 + x * (1 - s)), accumulate);
        FN(put)(du, i, d * x * s, accumulate);
    }
}

/* (x Phi(x))' = Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi) */
static void FN(gelu_bwd)(void *dx, const void *dy, const void *xv, int64_t count, bool accumulate)
{
    for (int64_t i = 0; i < count; i++) {
        Real x = FN(get)(xv, i), density = exp(-x * x / 2) * (Real)0.39894228040143267794;
        FN(put)(dx, i, FN(get)(dy, i) * (FN(normal_cdf)(x) + x * density), accumulate);
    }
}

static void FN(dropout)(void *y, const void *x, float p, const uint32_t key[2], uint64_t first, int64_t count,
                        bool accumulate)
{
    for (int64_t i = 0; i < count; i++) {
        bool keep = dropout_uniform(key, first + (uint64_t)i) >= p;
        FN(put)(y, i, keep ? FN(get)(x, i) / (1 - (Real)p) : 0, accumulate);
    }
}
#endif

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void FN(rmsnorm_fwd)(void *y, Real *rstd, const void *x, const void *w, int n, int d, float eps)
{
    for (int i = 0; i < n; i++) {
        int64_t at = (int64_t)i * d;
        Real ss = 0;
        for (int c = 0; c < d; c++) ss += FN(get)(x, at + c) * FN(get)(x, at + c);
        rstd[i] = 1 / sqrt(ss / d + (Real)eps);
        for (int c = 0; c < d; c++) FN(put)(y, at + c, FN(get)(x, at + c) * rstd[i] * FN(get)(w, c), false);
    }
}

#ifndef REF_COMPLEX
/* dx = rstd (w dy - x rstd^2 mean(w dy x)),  dw = sum over rows of dy x rstd */
static void FN(rmsnorm_bwd)(void *dx, Real *dw, const void *dy, const void *x, const void *w, const Real *rstd, int n,
                            int d, bool accumulate)
{
    for (int i = 0; i < n; i++) {
        int64_t at = (int64_t)i * d;
        Real r = rstd[i], dot = 0;
        for (int c = 0; c < d; c++) dot += FN(get)(w, c) * FN(get)(dy, at + c) * FN(get)(x, at + c);
        Real s = r * r * dot / d;
        for (int c = 0; c < d; c++) {
            Real g = FN(get)(dy, at + c), xc = FN(get)(x, at + c);
            if (dx) FN(put)(dx, at + c, r * (FN(get)(w, c) * g - xc * s), accumulate);
            if (dw) dw[c] += g * xc * r;
        }
    }
}
#endif

static void FN(rope)(void *y, int ldy, const void *x, int ldx, const Real *cosine, const Real *sine, int n, int heads,
                     int hd, float sign, bool accumulate)
{
    for (int i = 0; i < n; i++)
        for (int h = 0; h < heads; h++)
            for (int j = 0; j < hd / 2; j++) {
                int64_t from = (int64_t)i * ldx + h * hd + j, to = (int64_t)i * ldy + h * hd + j;
                Real a = FN(get)(x, from), b = FN(get)(x, from + hd / 2);
                Real c = cosine[(int64_t)i * (hd / 2) + j], s = (Real)sign * sine[(int64_t)i * (hd / 2) + j];
                FN(put)(y, to, a * c - b * s, accumulate);
                FN(put)(y, to + hd / 2, b * c + a * s, accumulate);
            }
}

#ifndef REF_COMPLEX
static void FN(gather_rows)(void *y, const void *x, const int *index, int n, int d)
{
    for (int i = 0; i < n; i++)
        memcpy((T *)y + (int64_t)i * d, (const T *)x + (int64_t)index[i] * d, sizeof(T) * (size_t)d);
}

static void FN(scatter_rows)(void *dx, const void *dy, const int *index, int n, int d)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++) FN(put)(dx, (int64_t)index[i] * d + c, FN(get)(dy, (int64_t)i * d + c), true);
}

static void FN(put_rows)(void *y, const void *x, int ldx, const int *index, int n, int d)
{
    for (int i = 0; i < n; i++)
        memcpy((T *)y + (int64_t)index[i] * d, (const T *)x + (int64_t)i * ldx, sizeof(T) * (size_t)d);
}

static void FN(embed_fwd)(void *y, const void *table, const void *feats, const int *id, int n, int d)
{
    for (int i = 0; i < n; i++) {
        const T *row =
            id[i] >= 0 ? (const T *)table + (int64_t)id[i] * d : (const T *)feats + (int64_t)(-1 - id[i]) * d;
        memcpy((T *)y + (int64_t)i * d, row, sizeof(T) * (size_t)d);
    }
}

static void FN(embed_bwd)(Real *dtable, void *dfeats, const void *dy, const int *id, int n, int d)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++) {
            Real g = FN(get)(dy, (int64_t)i * d + c);
            if (id[i] >= 0 && dtable) dtable[(int64_t)id[i] * d + c] += g;
            if (id[i] < 0 && dfeats) FN(put)(dfeats, (int64_t)(-1 - id[i]) * d + c, g, true);
        }
}
#endif

/* ---- attention --------------------------------------------------------------------------------------------------- */

/* s[j] = scale q . k[row[j]] for j in [0, n) */
static void FN(attn_scores)(Real *s, const T *q, const T *k, const int *row, int n, const AttnArgs *a)
{
    for (int j = 0; j < n; j++) s[j] = (Real)a->scale * FN(dot)(q, k + (int64_t)row[j] * a->ldk, a->hd);
}

/* One query row and head: o = sum_j p_j v_j, p = softmax of the n scores. Returns the log of the denominator. */
static Real FN(attn_row_fwd)(T *o, Real *s, const T *q, const T *k, const T *v, const int *row, int n,
                             const AttnArgs *a)
{
    FN(attn_scores)(s, q, k, row, n, a);
    Real max = REAL_PART(s[0]), sum = 0;
    for (int j = 1; j < n; j++)
        if (REAL_PART(s[j]) > REAL_PART(max)) max = REAL_PART(s[j]);
    for (int j = 0; j < n; j++) {
        s[j] = exp(s[j] - max);
        sum += s[j];
    }
    for (int c = 0; c < a->hd; c++) {
        Real acc = 0;
        for (int j = 0; j < n; j++) acc += s[j] * FN(get)(v, (int64_t)row[j] * a->ldv + c);
        FN(put)(o, c, acc / sum, false);
    }
    return max + log(sum);
}

/* Task: all query rows of one segment, one head. */
static void FN(attn_fwd_task)(void *arg, int task)
{
    const RefAttention *r = arg;
    const AttnArgs *a = r->a;
    const AttnSeg *seg = &a->plan->seg[task / a->h];
    int head = task % a->h, kv = head / (a->h / a->hk), nk = attn_keys(a->plan, seg);
    int *row = attn_key_rows(a->plan, seg);
    Real *s = xmalloc(sizeof *s * (size_t)nk);
    for (int i = 0; i < seg->nq; i++) {
        int64_t at = seg->q + i;
        const T *q = (const T *)r->q + at * a->ldq + head * a->hd;
        T *o = (T *)r->out + (at * a->h + head) * a->hd;
        Real lse = FN(attn_row_fwd)(o, s, q, (const T *)r->k + kv * a->hd, (const T *)r->v + kv * a->hd, row,
                                    attn_seen(a->plan, seg, nk, i), a);
        ((Real *)r->out_lse)[at * a->h + head] = lse;
    }
    free(s);
    free(row);
}

static void FN(attention_fwd)(void *o, Real *lse, const void *q, const void *k, const void *v, const AttnArgs *a)
{
    RefAttention r = {.a = a, .q = q, .k = k, .v = v, .out = o, .out_lse = lse};
    pool_run(a->plan->n_seg * a->h, FN(attn_fwd_task), &r);
}

#ifndef REF_COMPLEX
typedef struct FN(AttnRow) { /* one query row and head of the backward pass */
    const T *q, *o, *d_o, *k, *v;
    T *dq;
    Real *dk, *dv; /* [n_k, hd] sums of the task */
    Real lse;
} FN(AttnRow);

/* p_j = exp(s_j - lse); dv_j += p_j do; ds_j = p_j (do . v_j - do . o) scale; dq += ds_j k_j; dk_j += ds_j q */
static void FN(attn_row_bwd)(const FN(AttnRow) * r, Real *s, Real *dq, const int *row, int n, const AttnArgs *a)
{
    FN(attn_scores)(s, r->q, r->k, row, n, a);
    Real delta = FN(dot)(r->d_o, r->o, a->hd);
    for (int c = 0; c < a->hd; c++) dq[c] = 0;
    for (int j = 0; j < n; j++) {
        const T *k = r->k + (int64_t)row[j] * a->ldk;
        Real p = exp(s[j] - r->lse), dp = FN(dot)(r->d_o, r->v + (int64_t)row[j] * a->ldv, a->hd);
        Real ds = p * (dp - delta) * (Real)a->scale;
        Real *dk = r->dk + (int64_t)row[j] * a->hd, *dv = r->dv + (int64_t)row[j] * a->hd;
        for (int c = 0; c < a->hd; c++) {
            dv[c] += p * FN(get)(r->d_o, c);
            dk[c] += ds * FN(get)(r->q, c);
            dq[c] += ds * FN(get)(k, c);
        }
    }
    for (int c = 0; c < a->hd; c++) FN(put)(r->dq, c, dq[c], true);
}

static void FN(attn_seg_bwd)(const RefAttention *r, Real *dk, Real *dv, const AttnSeg *seg, int head, const int *row)
{
    const AttnArgs *a = r->a;
    int kv = head / (a->h / a->hk), nk = attn_keys(a->plan, seg);
    Real *s = xmalloc(sizeof *s * (size_t)(nk + a->hd));
    for (int i = 0; i < seg->nq; i++) {
        int64_t at = seg->q + i, dense = (at * a->h + head) * a->hd, wide = at * a->ldq + head * a->hd;
        FN(AttnRow)
        one = {.q = (const T *)r->q + wide,
               .o = (const T *)r->o + dense,
               .d_o = (const T *)r->d_o + dense,
               .k = (const T *)r->k + kv * a->hd,
               .v = (const T *)r->v + kv * a->hd,
               .dq = (T *)r->dq + wide,
               .dk = dk,
               .dv = dv,
               .lse = ((const Real *)r->lse)[at * a->h + head]};
        FN(attn_row_bwd)(&one, s, s + nk, row, attn_seen(a->plan, seg, nk, i), a);
    }
    free(s);
}

/* Task: one group of segments, one kv head.  Gradients of keys and values are summed in Real and rounded once. */
static void FN(attn_bwd_task)(void *arg, int task)
{
    const RefAttention *r = arg;
    const AttnArgs *a = r->a;
    int group = task / a->hk, kv = task % a->hk, per_kv = a->h / a->hk;
    size_t sums = (size_t)a->n_k * (size_t)a->hd;
    Real *dk = xcalloc(sums, sizeof *dk), *dv = xcalloc(sums, sizeof *dv);
    bool *seen = xcalloc((size_t)a->n_k, sizeof *seen);
    for (int g = a->plan->group[group]; g < a->plan->group[group + 1]; g++) {
        const AttnSeg *seg = &a->plan->seg[g];
        int *row = attn_key_rows(a->plan, seg);
        for (int j = attn_keys(a->plan, seg); j-- > 0;) seen[row[j]] = true;
        for (int h = 0; h < per_kv; h++) FN(attn_seg_bwd)(r, dk, dv, seg, kv * per_kv + h, row);
        free(row);
    }
    for (int64_t j = 0; j < a->n_k; j++)
        for (int c = 0; seen[j] && c < a->hd; c++) {
            FN(put)((T *)r->dk + kv * a->hd, j * a->ldk + c, dk[j * a->hd + c], true);
            FN(put)((T *)r->dv + kv * a->hd, j * a->ldv + c, dv[j * a->hd + c], true);
        }
    free(dk);
    free(dv);
    free(seen);
}

static void FN(attention_bwd)(void *dq, void *dk, void *dv, const void *d_o, const void *o, const Real *lse,
                              const void *q, const void *k, const void *v, const AttnArgs *a)
{
    RefAttention r = {.a = a, .q = q, .k = k, .v = v, .d_o = d_o, .o = o, .lse = lse, .dq = dq, .dk = dk, .dv = dv};
    pool_run(a->plan->n_group * a->hk, FN(attn_bwd_task), &r);
}
#endif

/* ---- log-probabilities ------------------------------------------------------------------------------------------- */

static void FN(logprob_fwd)(Real *logp, Real *lse, Real *entropy, const Real *logits, const int *id, int first, int n,
                            int v)
{
    for (int i = 0; i < n; i++) {
        const Real *x = logits + (int64_t)i * v;
        Real max = REAL_PART(x[0]), sum = 0;
        for (int j = 1; j < v; j++)
            if (REAL_PART(x[j]) > REAL_PART(max)) max = REAL_PART(x[j]);
        for (int j = 0; j < v; j++) sum += exp(x[j] - max);
        lse[i] = max + log(sum);
        bool here = id[i] >= first && id[i] < first + v;
        logp[i] = here ? x[id[i] - first] - lse[i] : 0;
        if (!entropy) continue;
        entropy[i] = 0;
        for (int j = 0; j < v; j++) entropy[i] += exp(x[j] - lse[i]) * (lse[i] - x[j]);
    }
}

#ifndef REF_COMPLEX
static void FN(logprob_bwd)(void *dlogits, const Real *dlogp, const Real *logits, const Real *lse, const int *id,
                            int first, int n, int v)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < v; j++) {
            int64_t at = (int64_t)i * v + j;
            FN(put)(dlogits, at, dlogp[i] * ((first + j == id[i]) - exp(logits[at] - lse[i])), false);
        }
}

/* ---- optimizer --------------------------------------------------------------------------------------------------- */

static void FN(adamw)(Real *p, void *w, const Real *g, Real *m, Real *v, int64_t count, const AdamWArgs *a)
{
    Real b1 = (Real)a->beta1, b2 = (Real)a->beta2, c1 = (Real)(1 - a->beta1), c2 = (Real)(1 - a->beta2);
    Real decay = (Real)(1 - a->lr * a->weight_decay);
    for (int64_t i = 0; i < count; i++) {
        Real gi = g[i] * (Real)a->grad_scale;
        m[i] = b1 * m[i] + c1 * gi;
        v[i] = b2 * v[i] + c2 * gi * gi;
        Real step = m[i] / (Real)a->bias1 / (sqrt(v[i] / (Real)a->bias2) + (Real)a->eps);
        p[i] = p[i] * decay - (Real)a->lr * step;
        FN(put)(w, i, p[i], false);
    }
}

static double FN(sum_squares)(const Real *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}
#endif

#if !defined(REF_COMPLEX) && !defined(REF_F64)
void FN(kernels_fill_ref)(Kernels *k)
{
#define SLOT(name) k->name = FN(name);
    KERNEL_SLOTS(SLOT)
#undef SLOT
}
#endif

#undef T
#undef Real
#undef REAL_PART
#undef FN
