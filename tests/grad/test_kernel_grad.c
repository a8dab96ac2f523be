/*
 * Every hand-written backward kernel, in double, against the complex-step derivative of its forward: both come from
 * ref_tmpl.c, the gradient from a different formula.  No step size to tune: the derivative is exact to rounding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* Slots without a derivative have no caller here. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define REF_F64 1
#define SUFFIX  _f64
#include "kernels/ref_tmpl.c"
#undef REF_F64
#undef SUFFIX
#define REF_COMPLEX 1
#define SUFFIX      _z
#include "kernels/ref_tmpl.c"

typedef double complex cplx;

enum { MAX_IN = 3 };
static const double STEP = 1e-50;

/* A function of up to three arrays; dout is the gradient of its concatenated outputs. */
typedef struct Case {
    void (*fwd)(cplx *out, cplx *const *in, const void *arg);
    const void *arg;
    int n_in, size[MAX_IN], n_out;
    double *in[MAX_IN], *grad[MAX_IN]; /* grad: what the backward kernel gave */
    double *dout;
} Case;

static Rng rng;

static double *random_array(int n)
{
    double *x = xmalloc(sizeof *x * (size_t)n);
    for (int i = 0; i < n; i++) x[i] = rng_normal(&rng);
    return x;
}

static double *zeros(int n)
{
    return xcalloc((size_t)n, sizeof(double));
}

static Case case_new(void (*fwd)(cplx *, cplx *const *, const void *), const void *arg, int n_out, int n_in,
                     const int *size)
{
    rng = rng_at(1, RNG_TEST, (uint32_t)n_out, (uint32_t)size[0], 0);
    Case c = {.fwd = fwd, .arg = arg, .n_in = n_in, .n_out = n_out, .dout = random_array(n_out)};
    for (int k = 0; k < n_in; k++) {
        c.size[k] = size[k];
        c.in[k] = random_array(size[k]);
        c.grad[k] = zeros(size[k]);
    }
    return c;
}

static double derivative(const Case *c, cplx *const *in, cplx *out, int k, int i)
{
    in[k][i] += STEP * (cplx)I;
    c->fwd(out, in, c->arg);
    in[k][i] = creal(in[k][i]);
    double g = 0;
    for (int o = 0; o < c->n_out; o++) g += c->dout[o] * cimag(out[o]) / STEP;
    return g;
}

/* Compares and releases; `times`: how often the backward was accumulated into grad. */
static void case_check(Case *c, int times)
{
    cplx *in[MAX_IN] = {0}, *out = xmalloc(sizeof *out * (size_t)c->n_out);
    for (int k = 0; k < c->n_in; k++) {
        in[k] = xmalloc(sizeof *in[k] * (size_t)c->size[k]);
        for (int i = 0; i < c->size[k]; i++) in[k][i] = c->in[k][i];
    }
    for (int k = 0; k < c->n_in; k++) {
        double largest = 0;
        for (int i = 0; i < c->size[k]; i++) largest = fmax(largest, fabs(c->grad[k][i]));
        assert_true(largest > 1e-3);
        for (int i = 0; i < c->size[k]; i++) {
            double want = times * derivative(c, in, out, k, i), got = c->grad[k][i];
            if (fabs(got - want) > 1e-9 * fmax(fabs(want), 1e-3 * largest))
                fail_msg("input %d, element %d: backward %.17g, complex step %.17g", k, i, got, want);
        }
    }
    for (int k = 0; k < c->n_in; k++) {
        free(in[k]);
        free(c->in[k]);
        free(c->grad[k]);
    }
    free(out);
    free(c->dout);
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

enum { N = 5, OUT = 6, IN = 9 };

static void linear(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    Weight w = {.data = in[1], .out = OUT, .in = IN};
    matmul_nt_z(&(MatmulArgs){.y = out, .y_type = DT_F32, .x = in[0], .w = &w, .bias = in[2], .n = N});
}

static void test_linear(void **state)
{
    (void)state;
    Case c = case_new(linear, NULL, N * OUT, 3, (int[]){N * IN, OUT * IN, OUT});
    Weight w = {.data = c.in[1], .out = OUT, .in = IN};
    for (int i = 0; i < 2; i++) {
        MatmulArgs g = {.y = c.grad[0], .y_type = DT_F32, .x = c.dout, .w = &w, .n = N};
        if (i > 0) g.add = g.y;
        matmul_nn_f64(&g);
        matmul_tn_f64(c.grad[1], c.dout, c.in[0], N, OUT, IN);
        bias_bwd_f64(c.grad[2], c.dout, N, OUT);
    }
    case_check(&c, 2);
}

/* ---- elementwise ------------------------------------------------------------------------------------------------- */

enum { COUNT = 37 };

static void swiglu(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    swiglu_fwd_z(out, in[0], in[1], COUNT);
}

static void test_swiglu(void **state)
{
    (void)state;
    Case c = case_new(swiglu, NULL, COUNT, 2, (int[]){COUNT, COUNT});
    for (int i = 0; i < 2; i++) swiglu_bwd_f64(c.grad[0], c.grad[1], c.dout, c.in[0], c.in[1], COUNT, i > 0);
    case_check(&c, 2);
}

static void gelu(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    gelu_fwd_z(out, in[0], COUNT);
}

static void test_gelu(void **state)
{
    (void)state;
    Case c = case_new(gelu, NULL, COUNT, 1, (int[]){COUNT});
    for (int i = 0; i < 2; i++) gelu_bwd_f64(c.grad[0], c.dout, c.in[0], COUNT, i > 0);
    case_check(&c, 2);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void rmsnorm(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    cplx rstd[N];
    rmsnorm_fwd_z(out, rstd, in[0], in[1], N, IN, 1e-2f);
}

static void test_rmsnorm(void **state)
{
    (void)state;
    Case c = case_new(rmsnorm, NULL, N * IN, 2, (int[]){N * IN, IN});
    double rstd[N], y[N * IN];
    rmsnorm_fwd_f64(y, rstd, c.in[0], c.in[1], N, IN, 1e-2f);
    for (int i = 0; i < 2; i++) rmsnorm_bwd_f64(c.grad[0], c.grad[1], c.dout, c.in[0], c.in[1], rstd, N, IN, i > 0);
    case_check(&c, 2);
}

enum { HEADS = 3, HD = 8, LDX = HEADS * HD + 4, LDY = HEADS * HD + 2 };

static double angle(int i)
{
    return 0.3 * i + 0.1;
}

static void rope(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    cplx cosine[N * HD / 2], sine[N * HD / 2];
    for (int i = 0; i < N * HD / 2; i++) cosine[i] = cos(angle(i)), sine[i] = sin(angle(i));
    memset(out, 0, sizeof *out * N * LDY);
    rope_z(out, LDY, in[0], LDX, cosine, sine, N, HEADS, HD, 1, false);
}

static void test_rope(void **state)
{
    (void)state;
    Case c = case_new(rope, NULL, N * LDY, 1, (int[]){N * LDX});
    double cosine[N * HD / 2], sine[N * HD / 2];
    for (int i = 0; i < N * HD / 2; i++) cosine[i] = cos(angle(i)), sine[i] = sin(angle(i));
    for (int i = 0; i < 2; i++) rope_f64(c.grad[0], LDX, c.dout, LDY, cosine, sine, N, HEADS, HD, -1, i > 0);
    case_check(&c, 2);
}

/* ---- attention --------------------------------------------------------------------------------------------------- */

/* q, k and v are columns of one matrix [n, (h + 2 hk) hd]. */
static void attention(cplx *out, cplx *const *in, const void *arg)
{
    const AttnArgs *a = arg;
    cplx *lse = xmalloc(sizeof *lse * (size_t)(a->n_q * a->h));
    attention_fwd_z(out, lse, in[0], in[0] + a->h * a->hd, in[0] + (a->h + a->hk) * a->hd, a);
    free(lse);
}

static void check_attention(const AttnPlan *plan, int n, int h, int hk, int hd)
{
    int ld = (h + 2 * hk) * hd, size = n * h * hd;
    AttnArgs a = {plan, h, hk, hd, ld, ld, ld, 0.4f, n, n};
    Case c = case_new(attention, &a, size, 1, (int[]){n * ld});
    double *o = zeros(size), *lse = zeros(n * h);
    const double *q = c.in[0], *k = q + h * hd, *v = k + hk * hd;
    double *dq = c.grad[0], *dk = dq + h * hd, *dv = dk + hk * hd;
    attention_fwd_f64(o, lse, q, k, v, &a);
    for (int i = 0; i < 2; i++) attention_bwd_f64(dq, dk, dv, c.dout, o, lse, q, k, v, &a);
    case_check(&c, 2);
    free(o);
    free(lse);
}

static void test_attention_causal(void **state)
{
    (void)state;
    AttnPlan plan = {(AttnSeg[]){{0, 4, 0, 1}, {4, 5, 1, 1}}, (Span[]){{0, 4}, {4, 5}}, 2, true, (int[]){0, 1, 2}, 2};
    check_attention(&plan, 9, 2, 2, 6);
}

/* A prompt of 5 rows with children of 4 and 3 rows, and a segment of its own. */
static void test_attention_shared_prefix(void **state)
{
    (void)state;
    AttnPlan plan = {(AttnSeg[]){{0, 5, 0, 1}, {5, 4, 0, 2}, {9, 3, 2, 2}, {12, 2, 4, 1}},
                     (Span[]){{0, 5}, {5, 4}, {0, 5}, {9, 3}, {12, 2}},
                     4,
                     true,
                     (int[]){0, 3, 4},
                     2};
    check_attention(&plan, 14, 4, 2, 4);
}

/* A child of a child: its prefix is two spans. */
static void test_attention_chain(void **state)
{
    (void)state;
    AttnPlan plan = {(AttnSeg[]){{0, 3, 0, 1}, {3, 4, 0, 2}, {7, 2, 0, 3}},
                     (Span[]){{0, 3}, {3, 4}, {7, 2}},
                     3,
                     true,
                     (int[]){0, 3},
                     1};
    check_attention(&plan, 9, 6, 2, 4);
}

/* Windows of a vision encoder: no causality, one head group each. */
static void test_attention_windows(void **state)
{
    (void)state;
    AttnPlan plan = {(AttnSeg[]){{0, 4, 0, 1}, {4, 4, 1, 1}, {8, 1, 2, 1}},
                     (Span[]){{0, 4}, {4, 4}, {8, 1}},
                     3,
                     false,
                     (int[]){0, 1, 2, 3},
                     3};
    check_attention(&plan, 9, 3, 3, 5);
}

/* ---- log-probabilities ------------------------------------------------------------------------------------------- */

enum { VOCAB = 11 };
static const int ID[N] = {0, 10, 3, 3, 7};

static void logprob(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    cplx lse[N];
    logprob_fwd_z(out, lse, NULL, in[0], ID, 0, N, VOCAB);
}

static void test_logprob(void **state)
{
    (void)state;
    Case c = case_new(logprob, NULL, N, 1, (int[]){N * VOCAB});
    double logp[N], lse[N], entropy[N];
    logprob_fwd_f64(logp, lse, entropy, c.in[0], ID, 0, N, VOCAB);
    logprob_bwd_f64(c.grad[0], c.dout, c.in[0], lse, ID, 0, N, VOCAB);
    case_check(&c, 1);
}

/* d entropy / d x_j = -p_j (log p_j + entropy): the forward's entropy against its closed-form derivative. */
static void entropy(cplx *out, cplx *const *in, const void *arg)
{
    (void)arg;
    cplx logp[N], lse[N];
    logprob_fwd_z(logp, lse, out, in[0], ID, 0, N, VOCAB);
}

static void test_entropy(void **state)
{
    (void)state;
    Case c = case_new(entropy, NULL, N, 1, (int[]){N * VOCAB});
    double logp[N], lse[N], ent[N];
    logprob_fwd_f64(logp, lse, ent, c.in[0], ID, 0, N, VOCAB);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < VOCAB; j++) {
            double lp = c.in[0][i * VOCAB + j] - lse[i];
            c.grad[0][i * VOCAB + j] = -c.dout[i] * exp(lp) * (lp + ent[i]);
        }
    case_check(&c, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_swiglu),
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_rmsnorm),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_attention_causal),
        cmocka_unit_test(test_attention_shared_prefix),
        cmocka_unit_test(test_attention_chain),
        cmocka_unit_test(test_attention_windows),
        cmocka_unit_test(test_logprob),
        cmocka_unit_test(test_entropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
