/*
 * loops_tmpl.c - everything that is not a matrix product or attention: elementwise kernels, norms, rope, rows,
 * log-probabilities and AdamW, as loops that the compiler vectorises and the pool shares out.
 *
 * Work is cut by size alone (grains below), and whatever is summed across tasks is summed by the task that owns the
 * result, so the bits do not depend on the number of threads.
 */
#include "kernels/cpu/swiglu.h"

enum {
    GRAIN = 16384,      /* elements of a task */
    COLUMN_GRAIN = 128, /* columns of a task where rows are summed */
    SUM_GRAIN = 65536   /* elements whose squares are summed in one go */
};

/* One struct for the arguments of all: a kernel uses the fields it needs. */
typedef struct Loop {
    void (*part)(const struct Loop *l, int64_t lo, int64_t hi); /* the elements, rows or columns [lo, hi) */
    int64_t count, grain;
    void *y, *y2;
    const void *a, *b, *c;
    float *f, *f2, *f3;
    const float *fa, *fb, *fc;
    const int *id;
    int n, d, ldx, ldy, heads;
    float s;
    const uint32_t *key;
    uint64_t first;
    const AdamWArgs *adamw;
    bool accumulate;
} Loop;

static void loop_task(void *arg, int task)
{
    const Loop *l = arg;
    int64_t lo = task * l->grain, hi = lo + l->grain < l->count ? lo + l->grain : l->count;
    l->part(l, lo, hi);
}

static void loop_run(Loop *l)
{
    pool_run((int)((l->count + l->grain - 1) / l->grain), loop_task, l);
}

static void loop_elements(Loop *l, int64_t count)
{
    l->count = count;
    l->grain = GRAIN;
    loop_run(l);
}

static void loop_rows(Loop *l, int n, int d)
{
    l->n = n;
    l->d = d;
    l->count = n;
    l->grain = d < GRAIN ? GRAIN / (d > 0 ? d : 1) : 1;
    loop_run(l);
}

static void loop_columns(Loop *l, int n, int d)
{
    l->n = n;
    l->d = d;
    l->count = d;
    l->grain = COLUMN_GRAIN;
    loop_run(l);
}

/* ---- elementwise ------------------------------------------------------------------------------------------------- */

static void accumulate_part(const Loop *l, int64_t lo, int64_t hi)
{
    T *restrict y = l->y;
    const T *restrict x = l->a;
    for (int64_t i = lo; i < hi; i++) put(y, i, get(y, i) + get(x, i));
}

static void accumulate(void *y, const void *x, int64_t count)
{
    loop_elements(&(Loop){.part = accumulate_part, .y = y, .a = x}, count);
}

static void scale_part(const Loop *l, int64_t lo, int64_t hi)
{
    float s = l->s;
    if (l->y == l->a) { /* in place: one pointer, or the compiler would have to allow for any overlap */
        T *x = l->y;
        for (int64_t i = lo; i < hi; i++) put(x, i, l->accumulate ? get(x, i) + s * get(x, i) : s * get(x, i));
        return;
    }
    T *restrict y = l->y;
    const T *restrict x = l->a;
    if (l->accumulate)
        for (int64_t i = lo; i < hi; i++) put(y, i, get(y, i) + s * get(x, i));
    else
        for (int64_t i = lo; i < hi; i++) put(y, i, s * get(x, i));
}

static void scale(void *y, const void *x, float s, int64_t count, bool acc)
{
    loop_elements(&(Loop){.part = scale_part, .y = y, .a = x, .s = s, .accumulate = acc}, count);
}

static void from_f32_part(const Loop *l, int64_t lo, int64_t hi)
{
    T *restrict y = l->y;
    const float *restrict x = l->fa;
    for (int64_t i = lo; i < hi; i++) put(y, i, x[i]);
}

static void from_f32(void *y, const float *x, int64_t count)
{
    loop_elements(&(Loop){.part = from_f32_part, .y = y, .fa = x}, count);
}

static void to_f32_part(const Loop *l, int64_t lo, int64_t hi)
{
    float *restrict y = l->f;
    const T *restrict x = l->a;
    if (l->accumulate)
        for (int64_t i = lo; i < hi; i++) y[i] += get(x, i);
    else
        for (int64_t i = lo; i < hi; i++) y[i] = get(x, i);
}

static void to_f32(float *y, const void *x, int64_t count, bool acc)
{
    loop_elements(&(Loop){.part = to_f32_part, .f = y, .a = x, .accumulate = acc}, count);
}

static void swiglu_fwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    T *y = l->y;
    const T *g = l->a, *u = l->b;
    int64_t i = lo;
    for (; i + SWIGLU_STEP <= hi; i += SWIGLU_STEP) swiglu_stretch(y + i, g + i, u + i, SWIGLU_STEP);
    swiglu_stretch(y + i, g + i, u + i, (int)(hi - i));
}

static void swiglu_fwd(void *y, const void *g, const void *u, int64_t count)
{
    loop_elements(&(Loop){.part = swiglu_fwd_part, .y = y, .a = g, .b = u}, count);
}

static inline ALWAYS_INLINE void swiglu_bwd_loop(const Loop *l, int64_t lo, int64_t hi, bool acc)
{
    T *dg = l->y, *du = l->y2;
    const T *dy = l->a, *g = l->b, *u = l->c;
    int64_t i = lo;
    for (; i + SWIGLU_STEP <= hi; i += SWIGLU_STEP)
        swiglu_grad_stretch(dg + i, du + i, dy + i, g + i, u + i, SWIGLU_STEP, acc);
    swiglu_grad_stretch(dg + i, du + i, dy + i, g + i, u + i, (int)(hi - i), acc);
}

static void swiglu_bwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    if (l->accumulate) swiglu_bwd_loop(l, lo, hi, true);
    else swiglu_bwd_loop(l, lo, hi, false);
}

static void swiglu_bwd(void *dg, void *du, const void *dy, const void *g, const void *u, int64_t count, bool acc)
{
    Loop l = {.part = swiglu_bwd_part, .y = dg, .y2 = du, .a = dy, .b = g, .c = u, .accumulate = acc};
    loop_elements(&l, count);
}

/* exp(-x^2 / 2), with what rounding took from x^2 put back. */
static inline float gauss(float x)
{
    float h = x * x, rest = __builtin_fmaf(x, x, -h);
    rest = h < 300.0f ? rest : 0; /* beyond, the result is 0 and the rest may be inf - inf */
    return exp_f32(-0.5f * h) * (1 - 0.5f * rest);
}

/*
 * Phi(x): for x <= 0, Phi(x) = exp(-x^2 / 2) t P(t) with t = 1 / (1 - 0.3 x); P is fitted to a relative error of 4e-9
 * over [-14, 0] (weighted least squares towards minimax); below, the factor exp(-x^2 / 2) is 0.  Phi(x) = 1 - Phi(-x).
 */
static const float TAIL[10] = {0.119686634f,  0.119572841f, 0.110227326f,  0.0784255678f, 0.0960578656f,
                               -0.079247411f, 0.191581784f, -0.228067584f, 0.11237581f,   -0.0206128353f};

static inline float normal_cdf(float x, float density)
{
    float t = 1 / (1 + 0.3f * fabsf(x));
    float p = TAIL[9];
    for (int i = 8; i >= 0; i--) p = p * t + TAIL[i];
    float tail = density * t * p;
    return x > 0 ? 1 - tail : tail;
}

static void gelu_fwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    T *restrict y = l->y;
    const T *restrict a = l->a;
    for (int64_t i = lo; i < hi; i++) {
        float x = get(a, i);
        put(y, i, x * normal_cdf(x, gauss(x)));
    }
}

static void gelu_fwd(void *y, const void *x, int64_t count)
{
    loop_elements(&(Loop){.part = gelu_fwd_part, .y = y, .a = x}, count);
}

/* (x Phi(x))' = Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi) */
static inline ALWAYS_INLINE void gelu_bwd_loop(const Loop *l, int64_t lo, int64_t hi, bool acc)
{
    T *restrict dx = l->y;
    const T *restrict dy = l->a, *restrict a = l->b;
    for (int64_t i = lo; i < hi; i++) {
        float x = get(a, i), e = gauss(x);
        float g = get(dy, i) * (normal_cdf(x, e) + x * e * 0.39894228f);
        put(dx, i, acc ? get(dx, i) + g : g);
    }
}

static void gelu_bwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    if (l->accumulate) gelu_bwd_loop(l, lo, hi, true);
    else gelu_bwd_loop(l, lo, hi, false);
}

static void gelu_bwd(void *dx, const void *dy, const void *x, int64_t count, bool acc)
{
    loop_elements(&(Loop){.part = gelu_bwd_part, .y = dx, .a = dy, .b = x, .accumulate = acc}, count);
}

/* The 64 uniforms of 16 philox blocks from `block` on: philox() of base/rng.h with the blocks along the lanes. */
static void uniforms_64(float u[64], const uint32_t key[2], uint64_t block)
{
    uint32_t c0[16], c1[16], c2[16] = {0}, c3[16] = {0}, k0 = key[0], k1 = key[1];
    for (int i = 0; i < 16; i++) {
        c0[i] = (uint32_t)(block + (uint64_t)i);
        c1[i] = (uint32_t)((block + (uint64_t)i) >> 32);
    }
    for (int round = 0; round < 10; round++, k0 += UINT32_C(0x9e3779b9), k1 += UINT32_C(0xbb67ae85))
        for (int i = 0; i < 16; i++) {
            uint64_t p0 = UINT64_C(0xd2511f53) * c0[i], p1 = UINT64_C(0xcd9e8d57) * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
    for (int i = 0; i < 16; i++) {
        u[4 * i] = (float)(c0[i] >> 8) * 0x1p-24f;
        u[4 * i + 1] = (float)(c1[i] >> 8) * 0x1p-24f;
        u[4 * i + 2] = (float)(c2[i] >> 8) * 0x1p-24f;
        u[4 * i + 3] = (float)(c3[i] >> 8) * 0x1p-24f;
    }
}

static inline ALWAYS_INLINE void dropout_loop(const Loop *l, int64_t lo, int64_t hi, bool acc)
{
    float u[64], keep = 1 / (1 - l->s);
    for (int64_t i = lo; i < hi;) {
        uint64_t number = l->first + (uint64_t)i;
        int skip = (int)(number % 64), n = 64 - skip < hi - i ? 64 - skip : (int)(hi - i);
        T *restrict y = (T *)l->y + i;
        const T *restrict x = (const T *)l->a + i;
        uniforms_64(u, l->key, number / 64 * 16);
        for (int j = 0; j < n; j++) {
            float v = u[skip + j] >= l->s ? get(x, j) * keep : 0;
            put(y, j, acc ? get(y, j) + v : v);
        }
        i += n;
    }
}

static void dropout_part(const Loop *l, int64_t lo, int64_t hi)
{
    if (l->accumulate) dropout_loop(l, lo, hi, true);
    else dropout_loop(l, lo, hi, false);
}

static void dropout(void *y, const void *x, float p, const uint32_t key[2], uint64_t first, int64_t count, bool acc)
{
    Loop l = {.part = dropout_part, .y = y, .a = x, .s = p, .key = key, .first = first, .accumulate = acc};
    loop_elements(&l, count);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void rmsnorm_fwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    const T *restrict w = l->b;
    for (int64_t r = lo; r < hi; r++) {
        const T *restrict x = (const T *)l->a + r * l->d;
        T *restrict y = (T *)l->y + r * l->d;
        float ss = 0;
        for (int c = 0; c < l->d; c++) ss += get(x, c) * get(x, c);
        float rstd = 1 / sqrtf(ss / (float)l->d + l->s);
        l->f[r] = rstd;
        for (int c = 0; c < l->d; c++) put(y, c, get(x, c) * rstd * get(w, c));
    }
}

static void rmsnorm_fwd(void *y, float *rstd, const void *x, const void *w, int n, int d, float eps)
{
    loop_rows(&(Loop){.part = rmsnorm_fwd_part, .y = y, .f = rstd, .a = x, .b = w, .s = eps}, n, d);
}

/* dx = rstd (w dy - x rstd^2 mean(w dy x)) */
static inline ALWAYS_INLINE void rmsnorm_dx_loop(const Loop *l, int64_t lo, int64_t hi, bool acc)
{
    const T *restrict w = l->c;
    for (int64_t r = lo; r < hi; r++) {
        const T *restrict dy = (const T *)l->a + r * l->d, *restrict x = (const T *)l->b + r * l->d;
        T *restrict dx = (T *)l->y + r * l->d;
        float rstd = l->fa[r], dot = 0;
        for (int c = 0; c < l->d; c++) dot += get(w, c) * get(dy, c) * get(x, c);
        float s = rstd * rstd * dot / (float)l->d;
        for (int c = 0; c < l->d; c++) {
            float v = rstd * (get(w, c) * get(dy, c) - get(x, c) * s);
            put(dx, c, acc ? get(dx, c) + v : v);
        }
    }
}

static void rmsnorm_dx_part(const Loop *l, int64_t lo, int64_t hi)
{
    if (l->accumulate) rmsnorm_dx_loop(l, lo, hi, true);
    else rmsnorm_dx_loop(l, lo, hi, false);
}

/* dw[lo, hi) += sum over rows of dy x rstd */
static void rmsnorm_dw_part(const Loop *l, int64_t lo, int64_t hi)
{
    float sum[COLUMN_GRAIN] = {0};
    int width = (int)(hi - lo);
    for (int64_t r = 0; r < l->n; r++) {
        const T *restrict dy = (const T *)l->a + r * l->d + lo, *restrict x = (const T *)l->b + r * l->d + lo;
        float rstd = l->fa[r];
        for (int c = 0; c < width; c++) sum[c] += get(dy, c) * get(x, c) * rstd;
    }
    for (int c = 0; c < width; c++) l->f[lo + c] += sum[c];
}

static void rmsnorm_bwd(void *dx, float *dw, const void *dy, const void *x, const void *w, const float *rstd, int n,
                        int d, bool acc)
{
    Loop l = {.y = dx, .f = dw, .a = dy, .b = x, .c = w, .fa = rstd, .accumulate = acc};
    l.part = rmsnorm_dx_part;
    if (dx) loop_rows(&l, n, d);
    l.part = rmsnorm_dw_part;
    if (dw) loop_columns(&l, n, d);
}

static void bias_bwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    float sum[COLUMN_GRAIN] = {0};
    int width = (int)(hi - lo);
    for (int64_t r = 0; r < l->n; r++) {
        const T *restrict dy = (const T *)l->a + r * l->d + lo;
        for (int c = 0; c < width; c++) sum[c] += get(dy, c);
    }
    for (int c = 0; c < width; c++) l->f[lo + c] += sum[c];
}

static void bias_bwd(float *db, const void *dy, int n, int d)
{
    loop_columns(&(Loop){.part = bias_bwd_part, .f = db, .a = dy}, n, d);
}

/* One head: y may be x, so a stretch of both halves is read before either is written. */
static inline ALWAYS_INLINE void rope_head(T *y, const T *x, const float *restrict cosine, const float *restrict sine,
                                           int half, float sign, bool acc)
{
    enum { STEP = 32 };
    float first[STEP], second[STEP];
    for (int j0 = 0; j0 < half; j0 += STEP) {
        int n = half - j0 < STEP ? half - j0 : STEP;
        for (int j = 0; j < n; j++) {
            float a = get(x, j0 + j), b = get(x, j0 + j + half), c = cosine[j0 + j], s = sign * sine[j0 + j];
            first[j] = a * c - b * s;
            second[j] = b * c + a * s;
        }
        for (int j = 0; j < n; j++) put(y, j0 + j, acc ? get(y, j0 + j) + first[j] : first[j]);
        for (int j = 0; j < n; j++) put(y, j0 + j + half, acc ? get(y, j0 + j + half) + second[j] : second[j]);
    }
}

static inline ALWAYS_INLINE void rope_loop(const Loop *l, int64_t lo, int64_t hi, bool acc)
{
    int half = l->d / 2;
    for (int64_t r = lo; r < hi; r++)
        for (int h = 0; h < l->heads; h++)
            rope_head((T *)l->y + r * l->ldy + h * l->d, (const T *)l->a + r * l->ldx + h * l->d, l->fa + r * half,
                      l->fb + r * half, half, l->s, acc);
}

static void rope_part(const Loop *l, int64_t lo, int64_t hi)
{
    if (l->accumulate) rope_loop(l, lo, hi, true);
    else rope_loop(l, lo, hi, false);
}

static void rope(void *y, int ldy, const void *x, int ldx, const float *cosine, const float *sine, int n, int heads,
                 int hd, float sign, bool acc)
{
    Loop l = {.part = rope_part, .y = y, .ldy = ldy, .a = x, .ldx = ldx, .fa = cosine, .fb = sine, .heads = heads};
    l.s = sign;
    l.accumulate = acc;
    l.d = hd;
    l.count = n;
    l.grain = 1 + GRAIN / (heads * hd);
    loop_run(&l);
}

static void gather_rows_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = lo; r < hi; r++)
        memcpy((T *)l->y + r * l->d, (const T *)l->a + (int64_t)l->id[r] * l->d, sizeof(T) * (size_t)l->d);
}

static void gather_rows(void *y, const void *x, const int *index, int n, int d)
{
    loop_rows(&(Loop){.part = gather_rows_part, .y = y, .a = x, .id = index}, n, d);
}

/* Every task does all rows of its columns, in order: rows may meet. */
static void scatter_rows_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = 0; r < l->n; r++) {
        T *restrict dx = (T *)l->y + (int64_t)l->id[r] * l->d;
        const T *restrict dy = (const T *)l->a + r * l->d;
        for (int64_t c = lo; c < hi; c++) put(dx, c, get(dx, c) + get(dy, c));
    }
}

static void scatter_rows(void *dx, const void *dy, const int *index, int n, int d)
{
    loop_columns(&(Loop){.part = scatter_rows_part, .y = dx, .a = dy, .id = index}, n, d);
}

static void put_rows_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = lo; r < hi; r++)
        memcpy((T *)l->y + (int64_t)l->id[r] * l->d, (const T *)l->a + r * l->ldx, sizeof(T) * (size_t)l->d);
}

static void put_rows(void *y, const void *x, int ldx, const int *index, int n, int d)
{
    loop_rows(&(Loop){.part = put_rows_part, .y = y, .a = x, .ldx = ldx, .id = index}, n, d);
}

static void embed_fwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = lo; r < hi; r++) {
        int64_t id = l->id[r];
        const T *from = id >= 0 ? (const T *)l->a + id * l->d : (const T *)l->b + (-1 - id) * l->d;
        memcpy((T *)l->y + r * l->d, from, sizeof(T) * (size_t)l->d);
    }
}

static void embed_fwd(void *y, const void *table, const void *feats, const int *id, int n, int d)
{
    loop_rows(&(Loop){.part = embed_fwd_part, .y = y, .a = table, .b = feats, .id = id}, n, d);
}

static void embed_bwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = 0; r < l->n; r++) {
        int64_t id = l->id[r];
        const T *restrict dy = (const T *)l->a + r * l->d;
        if (id >= 0 && l->f) {
            float *restrict to = l->f + id * l->d;
            for (int64_t c = lo; c < hi; c++) to[c] += get(dy, c);
        } else if (id < 0 && l->y) {
            T *restrict to = (T *)l->y + (-1 - id) * l->d;
            for (int64_t c = lo; c < hi; c++) put(to, c, get(to, c) + get(dy, c));
        }
    }
}

static void embed_bwd(float *dtable, void *dfeats, const void *dy, const int *id, int n, int d)
{
    loop_columns(&(Loop){.part = embed_bwd_part, .f = dtable, .y = dfeats, .a = dy, .id = id}, n, d);
}

/* ---- log-probabilities ------------------------------------------------------------------------------------------- */

/* By hand over lanes: compilers do not vectorise a maximum that must get along with NaN. */
static float row_max(const float *restrict x, int n)
{
    enum { LANES = 4 * W };
    float lane[LANES];
    int j = 0;
    for (int i = 0; i < LANES; i++) lane[i] = x[0];
    for (; j + LANES <= n; j += LANES)
        for (int i = 0; i < LANES; i++) lane[i] = x[j + i] > lane[i] ? x[j + i] : lane[i];
    float max = x[0];
    for (int i = 0; i < LANES; i++) max = lane[i] > max ? lane[i] : max;
    for (; j < n; j++) max = x[j] > max ? x[j] : max;
    return max;
}

static void logprob_fwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = lo; r < hi; r++) {
        const float *restrict x = l->fa + r * l->d;
        float max = row_max(x, l->d), sum = 0;
        for (int j = 0; j < l->d; j++) sum += exp_f32(x[j] - max);
        float lse = max + logf(sum);
        l->f2[r] = lse;
        int64_t at = l->id[r] - (int64_t)l->first;
        l->f[r] = at >= 0 && at < l->d ? x[at] - lse : 0;
        if (!l->f3) continue;
        float entropy = 0;
        for (int j = 0; j < l->d; j++) entropy += exp_f32(x[j] - lse) * (lse - x[j]);
        l->f3[r] = entropy;
    }
}

static void logprob_fwd(float *logp, float *lse, float *entropy, const float *logits, const int *id, int first, int n,
                        int v)
{
    Loop l = {.part = logprob_fwd_part, .f = logp, .f2 = lse, .f3 = entropy, .fa = logits, .id = id};
    l.first = (uint64_t)first;
    loop_rows(&l, n, v);
}

static void logprob_bwd_part(const Loop *l, int64_t lo, int64_t hi)
{
    for (int64_t r = lo; r < hi; r++) {
        const float *restrict x = l->fa + r * l->d;
        T *restrict dx = (T *)l->y + r * l->d;
        float g = l->fb[r], lse = l->fc[r];
        for (int j = 0; j < l->d; j++) put(dx, j, -g * exp_f32(x[j] - lse));
        int64_t at = l->id[r] - (int64_t)l->first;
        if (at >= 0 && at < l->d) put(dx, at, g * (1 - exp_f32(x[at] - lse)));
    }
}

static void logprob_bwd(void *dlogits, const float *dlogp, const float *logits, const float *lse, const int *id,
                        int first, int n, int v)
{
    Loop l = {.part = logprob_bwd_part, .y = dlogits, .fb = dlogp, .fa = logits, .fc = lse, .id = id};
    l.first = (uint64_t)first;
    loop_rows(&l, n, v);
}

/* ---- optimizer --------------------------------------------------------------------------------------------------- */

static void adamw_part(const Loop *l, int64_t lo, int64_t hi)
{
    const AdamWArgs *a = l->adamw;
    float *restrict p = l->f, *restrict m = l->f2, *restrict v = l->f3;
    const float *restrict g = l->fa;
    float b1 = (float)a->beta1, c1 = (float)(1 - a->beta1), b2 = (float)a->beta2, c2 = (float)(1 - a->beta2);
    float decay = (float)(1 - a->lr * a->weight_decay), eps = (float)a->eps, scale_g = (float)a->grad_scale;
    float to_m = (float)(a->lr / a->bias1), to_v = (float)(1 / a->bias2);
    for (int64_t i = lo; i < hi; i++) {
        float gi = g[i] * scale_g;
        m[i] = b1 * m[i] + c1 * gi;
        v[i] = b2 * v[i] + c2 * gi * gi;
        p[i] = p[i] * decay - to_m * m[i] / (sqrtf(v[i] * to_v) + eps);
    }
    if (l->y == l->f) return; /* the copy of T is the master itself */
    T *restrict w = l->y;
    for (int64_t i = lo; i < hi; i++) put(w, i, p[i]);
}

static void adamw(float *p, void *w, const float *g, float *m, float *v, int64_t count, const AdamWArgs *a)
{
    loop_elements(&(Loop){.part = adamw_part, .f = p, .y = w, .fa = g, .f2 = m, .f3 = v, .adamw = a}, count);
}

/* Partial sums of SUM_GRAIN elements each, in double, added up in order. */
static void sum_squares_part(const Loop *l, int64_t lo, int64_t hi)
{
    const float *restrict x = l->fa;
    double sum = 0;
    for (int64_t i = lo; i < hi; i++) sum += (double)x[i] * (double)x[i];
    ((double *)l->y)[lo / SUM_GRAIN] = sum;
}

static double sum_squares(const float *x, int64_t count)
{
    int64_t parts = (count + SUM_GRAIN - 1) / SUM_GRAIN;
    double *part = xmalloc(sizeof *part * (size_t)(parts + 1)), sum = 0;
    Loop l = {.part = sum_squares_part, .y = part, .fa = x, .count = count, .grain = SUM_GRAIN};
    loop_run(&l);
    for (int64_t i = 0; i < parts; i++) sum += part[i];
    free(part);
    return sum;
}

void FN(kernels_fill)(Kernels *k)
{
    FN(kernels_fill_matmul)(k);
    FN(kernels_fill_attention)(k);
    k->bias_bwd = bias_bwd;
    k->accumulate = accumulate;
    k->scale = scale;
    k->from_f32 = from_f32;
    k->to_f32 = to_f32;
    k->swiglu_fwd = swiglu_fwd;
    k->swiglu_bwd = swiglu_bwd;
    k->gelu_fwd = gelu_fwd;
    k->gelu_bwd = gelu_bwd;
    k->dropout = dropout;
    k->rmsnorm_fwd = rmsnorm_fwd;
    k->rmsnorm_bwd = rmsnorm_bwd;
    k->rope = rope;
    k->gather_rows = gather_rows;
    k->scatter_rows = scatter_rows;
    k->put_rows = put_rows;
    k->embed_fwd = embed_fwd;
    k->embed_bwd = embed_bwd;
    k->logprob_fwd = logprob_fwd;
    k->logprob_bwd = logprob_bwd;
    k->adamw = adamw;
    k->sum_squares = sum_squares;
}
