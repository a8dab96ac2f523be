/*
 * matmul_tmpl.c - matrix products without a library: used where oneDNN is absent or lacks the format, and for products
 * with few rows (decoding), which only stream the weight.
 *
 * All three products are c[m,n] (+)= a b over tiles of c, one task each; operands are copied to f32 tiles on the way:
 *
 *   nn   c = y [n, in],      a = x [n, out],           b = w [out, in]
 *   tn   c = dw [out, in],   a = dy^T (stored [n,out]), b = x [n, in]
 *   nt   c = y^T [out, n],   a = w [out, in],          b = x^T (stored [n, in], transposed on the way)
 */
#include "kernels/cpu/tile.h"

enum {
    KC = 256,       /* depth of a tile of a and b */
    MA = 96,        /* rows of a that are converted at a time */
    C_SIZE = 24576, /* floats in a tile of c: 192 x 128, or 384 x 64 for nt, where copying b is dear */
    B_COLS = 128,
    B_COLS_NT = 64,
    FEW = 8 /* rows of x that are treated one by one */
};

typedef struct Product {
    int m, n, k;
    const T *a, *b;
    int64_t lda, ldb;
    bool a_by_k;    /* a is stored [k, m] */
    bool b_by_n;    /* b is stored [n, k] */
    int rows, cols; /* of a tile of c */
    void (*store)(const struct Product *p, const float *c, int i0, int j0, int m, int n);
    void *y;
    DType y_type;
    const T *bias;
    bool accumulate;
} Product;

typedef struct Scratch {
    float c[C_SIZE], a[MA * KC], b[KC * B_COLS];
} Scratch;

static void load_b(float *to, const Product *p, int k0, int kc, int j0, int n)
{
    if (!p->b_by_n) {
        for (int k = 0; k < kc; k++) load_row(to + k * p->cols, p->b + (k0 + k) * p->ldb + j0, n, round_up(n, W));
        return;
    }
    for (int j = 0; j < n; j++) {
        const T *row = p->b + (j0 + j) * p->ldb + k0;
        for (int k = 0; k < kc; k++) to[k * p->cols + j] = get(row, k);
    }
    for (int k = 0; k < kc; k++)
        for (int j = n; j < round_up(n, W); j++) to[k * p->cols + j] = 0;
}

/* Rows [i0, i0 + m) of a at depth [k0, k0 + kc), as stored; sets how the tile is read. */
static void load_a(Tile *t, float *to, const Product *p, int k0, int kc, int i0)
{
    t->a = to;
    t->ra = p->a_by_k ? 1 : kc;
    t->ca = p->a_by_k ? t->m : 1;
    if (p->a_by_k)
        for (int k = 0; k < kc; k++) load_row(to + k * t->m, p->a + (k0 + k) * p->lda + i0, t->m, t->m);
    else
        for (int i = 0; i < t->m; i++) load_row(to + i * kc, p->a + (i0 + i) * p->lda + k0, kc, kc);
}

static void product_task(void *arg, int task)
{
    const Product *p = arg;
    Scratch s;
    int across = (p->n + p->cols - 1) / p->cols;
    int i0 = task / across * p->rows, j0 = task % across * p->cols;
    int m = p->m - i0 < p->rows ? p->m - i0 : p->rows, n = p->n - j0 < p->cols ? p->n - j0 : p->cols;
    memset(s.c, 0, sizeof *s.c * (size_t)(m * p->cols));
    for (int k0 = 0; k0 < p->k; k0 += KC) {
        int kc = p->k - k0 < KC ? p->k - k0 : KC;
        load_b(s.b, p, k0, kc, j0, n);
        for (int i = 0; i < m; i += MA) {
            Tile t = {.c = s.c + i * p->cols, .b = s.b, .ldc = p->cols, .ldb = p->cols, .k = kc};
            t.m = m - i < MA ? m - i : MA;
            t.n = round_up(n, W);
            load_a(&t, s.a, p, k0, kc, i0 + i);
            tile_multiply(&t);
        }
    }
    p->store(p, s.c, i0, j0, m, n);
}

static void product_run(Product *p)
{
    p->cols = p->b_by_n ? B_COLS_NT : B_COLS;
    p->rows = C_SIZE / p->cols;
    pool_run((p->m + p->rows - 1) / p->rows * ((p->n + p->cols - 1) / p->cols), product_task, p);
}

/* y[i, j] (+)= c[i, j] */
static void store_nn(const Product *p, const float *c, int i0, int j0, int m, int n)
{
    for (int i = 0; i < m; i++) {
        T *y = (T *)p->y + (int64_t)(i0 + i) * p->n + j0;
        for (int j = 0; j < n; j++) put(y, j, c[i * p->cols + j] + (p->accumulate ? get(y, j) : 0));
    }
}

/* dw[i, j] += c[i, j] */
static void store_tn(const Product *p, const float *c, int i0, int j0, int m, int n)
{
    for (int i = 0; i < m; i++) {
        float *dw = (float *)p->y + (int64_t)(i0 + i) * p->n + j0;
        for (int j = 0; j < n; j++) dw[j] += c[i * p->cols + j];
    }
}

/* y[at] (+)= v where y is T or f32 */
static inline void put_y(void *y, DType y_type, int64_t at, float v, bool accumulate)
{
    if (y_type == DT_F32) ((float *)y)[at] = accumulate ? ((float *)y)[at] + v : v;
    else put(y, at, accumulate ? get(y, at) + v : v);
}

/* y[j, i] (+)= c[i, j] + bias[i] */
static void store_nt(const Product *p, const float *c, int i0, int j0, int m, int n)
{
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            float v = c[i * p->cols + j] + (p->bias ? get(p->bias, i0 + i) : 0);
            put_y(p->y, p->y_type, (int64_t)(j0 + j) * p->m + i0 + i, v, p->accumulate);
        }
}

/* ---- few rows: every row of w is read once and multiplied with every row of x ------------------------------------ */

enum { ROWS_PER_TASK = 32 };

typedef struct Few {
    const float *x; /* [n, in] as f32 */
    const Weight *w;
    const T *bias;
    void *y;
    DType y_type;
    int n;
    bool accumulate;
} Few;

static void few_task(void *arg, int task)
{
    const Few *f = arg;
    int in = f->w->in, end = (task + 1) * ROWS_PER_TASK < f->w->out ? (task + 1) * ROWS_PER_TASK : f->w->out;
    for (int o = task * ROWS_PER_TASK; o < end; o++) {
        const T *restrict row = (const T *)f->w->data + (int64_t)o * in;
        float bias = f->bias ? get(f->bias, o) : 0;
        for (int i = 0; i < f->n; i++) {
            const float *restrict x = f->x + (int64_t)i * in;
            float sum = 0;
            for (int c = 0; c < in; c++) sum += get(row, c) * x[c];
            put_y(f->y, f->y_type, (int64_t)i * f->w->out + o, sum + bias, f->accumulate);
        }
    }
}

void FN(matmul_few)(void *y, DType y_type, const void *x, const Weight *w, const void *bias, int n, bool accumulate)
{
    size_t count = (size_t)n * (size_t)w->in;
    float *copy = xmalloc(count * sizeof *copy);
    for (size_t i = 0; i < count; i++) copy[i] = get(x, (int64_t)i);
    Few f = {copy, w, bias, y, y_type, n, accumulate};
    pool_run((w->out + ROWS_PER_TASK - 1) / ROWS_PER_TASK, few_task, &f);
    free(copy);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static void matmul_nt(void *y, DType y_type, const void *x, const Weight *w, const void *bias, int n, bool accumulate)
{
    if (n <= FEW) {
        FN(matmul_few)(y, y_type, x, w, bias, n, accumulate);
        return;
    }
    Product p = {.m = w->out, .n = n, .k = w->in, .a = w->data, .lda = w->in, .b = x, .ldb = w->in, .b_by_n = true};
    p.store = store_nt;
    p.y = y;
    p.y_type = y_type;
    p.bias = bias;
    p.accumulate = accumulate;
    product_run(&p);
}

static void matmul_nn(void *y, const void *x, const Weight *w, int n, bool accumulate)
{
    Product p = {.m = n, .n = w->in, .k = w->out, .a = x, .lda = w->out, .b = w->data, .ldb = w->in};
    p.store = store_nn;
    p.y = y;
    p.accumulate = accumulate;
    product_run(&p);
}

static void matmul_tn(float *dw, const void *dy, const void *x, int n, int out, int in)
{
    Product p = {.m = out, .n = in, .k = n, .a = dy, .lda = out, .a_by_k = true, .b = x, .ldb = in};
    p.store = store_tn;
    p.y = dw;
    product_run(&p);
}

void FN(kernels_fill_matmul)(Kernels *k)
{
    k->matmul_nt = matmul_nt;
    k->matmul_nn = matmul_nn;
    k->matmul_tn = matmul_tn;
}
