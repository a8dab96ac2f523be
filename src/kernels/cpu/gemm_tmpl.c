/*
 * gemm_tmpl.c - matrix products: blocking, packing and threads around the small products of micro.h.
 *
 * All three are y[m,n] = a[m,k] b[k,n], plus a second product of small k (an adapter) that joins the sums:
 *
 *   nt   y [n, out],   a = x [n, in],               b = w^T, w stored [out, in]
 *   nn   y [n, in],    a = x [n, out],              b = w [out, in]
 *   tn   dw [out, in], a = dy^T, dy stored [n, out], b = x [n, in]
 *
 * A task owns some columns of y (and, where there are many threads, some rows).  For a slice of k it
 *
 *   1. copies its columns of b into panels of PANEL_N columns that stay in its L2 cache: weights need no packed copy
 *      of their own, because a panel serves all rows of a;
 *   2. takes ROWS rows of a at a time, so that their sums stay in L2, too, and of those PANEL_M rows at a depth that
 *      fits in L1: a copy of these meets every panel;
 *   3. after the last depth adds bias and what else is to be added, rounds and stores.
 *
 * Every element of y is one chain of sums in the order of k, however columns, rows and depths are cut, so the bits
 * depend neither on the number of threads nor on the number of rows.
 *
 * Blocking after Goto and van de Geijn 2008 (Anatomy of high-performance matrix multiplication).
 */
#include <pthread.h>
#include <sys/mman.h>

#include "kernels/cpu/micro.h"
#include "kernels/cpu/swiglu.h"

enum {
    FEW = 32, /* up to as many rows of x, the weight is streamed instead (few_tmpl.c) */
    ROWS = 3 * PANEL_M,
    L2_BYTES = 1400 << 10, /* for packed panels and sums, of 2 MiB */
    B_BYTES = 928 << 10,   /* of those, for panels where the sums do not fit beside them */
    MAX_PANELS = 48,       /* of a task */
    MAX_ROW_PARTS = 16,
    HUGE_PAGE = 2 << 20
};

/* One of the products that are summed. */
typedef struct Factor {
    const T *a, *b;
    int k;
    bool a_by_k; /* a is stored [k, m] */
    bool b_by_n; /* b is stored [n, k] */
} Factor;

typedef struct Product {
    int m, n;
    Factor f[2];
    int n_factors;
    void *y;
    DType y_type;
    bool y_by_n; /* y is stored [n, m] */
    const T *bias;
    const void *add;
    const Swiglu *swiglu;
    bool backward;        /* swiglu's gradients, of y that is not stored */
    int m_parts, n_parts; /* tasks */
    int slice;            /* of k, a multiple of K_STEP */
} Product;

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Kept from call to call: fresh pages cost more than the packing. In huge pages: tiles touch many rows at a time. */
typedef struct Block {
    struct Block *next;
    size_t bytes;
    _Alignas(64) char data[];
} Block;

static Block *free_blocks;
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

static Block *block_take(size_t bytes)
{
    pthread_mutex_lock(&blocks_lock);
    Block *b = free_blocks;
    if (b) free_blocks = b->next;
    pthread_mutex_unlock(&blocks_lock);
    if (b && b->bytes >= bytes) return b;
    free(b);
    size_t all = (sizeof *b + bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    b = aligned_alloc(HUGE_PAGE, all);
    if (!b) b = xmalloc(all); /* reports the size and exits */
    madvise(b, all, MADV_HUGEPAGE);
    b->bytes = bytes;
    return b;
}

static void block_give(Block *b)
{
    pthread_mutex_lock(&blocks_lock);
    b->next = free_blocks;
    free_blocks = b;
    pthread_mutex_unlock(&blocks_lock);
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

/* What a task works on. */
typedef struct Part {
    int i0, i1; /* rows */
    int j0, j1; /* columns */
    int panels; /* of its columns */
    int slice;  /* of k */
    Word *b[2]; /* packed panels of both factors */
    Num *a[2];  /* PANEL_M rows of both, DEPTH and the whole of the second's k deep */
    /* Blocks of PANEL_M x PANEL_N sums, of all its rows where k has several slices, else of ROWS. */
    float *sums;
} Part;

/* After y[n] at `at`, or instead of it. */
static inline ALWAYS_INLINE void store_swiglu(const Product *p, const T *y, int64_t at, int n)
{
    T *gate = (T *)p->swiglu->gate + at, *again = p->swiglu->y ? (T *)p->swiglu->y + at : NULL;
    if (!p->backward) {
        swiglu_stretch(again, gate, y, n);
        return;
    }
    T *up = (T *)p->swiglu->up + at;
    if (again) swiglu_stretch(again, gate, up, n);
    swiglu_grad_stretch(gate, up, y, gate, up, n, false);
}

/* y = v + bias + add on columns [j, j + n) of row i; n is at most PANEL_N. */
static inline void store_row(const Product *p, float *restrict v, int i, int j, int n)
{
    int64_t at = (int64_t)i * p->n + j;
    if (p->bias)
        for (int c = 0; c < n; c++) v[c] += get(p->bias, j + c);
    if (T_IS_BF16 && p->y_type == DT_F32) {
        const float *add = p->add ? (const float *)p->add + at : NULL;
        if (add)
            for (int c = 0; c < n; c++) v[c] += add[c];
        memcpy((float *)p->y + at, v, sizeof *v * (size_t)n);
    } else {
        const T *add = p->add ? (const T *)p->add + at : NULL;
        if (add)
            for (int c = 0; c < n; c++) v[c] += get(add, c);
        T gradient[PANEL_N], *y = p->backward ? gradient : (T *)p->y + at;
        put_row(y, v, n);
        if (p->swiglu && n == PANEL_N) store_swiglu(p, y, at, PANEL_N); /* the compiler unrolls a constant */
        else if (p->swiglu) store_swiglu(p, y, at, n);
    }
}

/* The sums of row r of those that begin at `sums`, from column j of the task on, to the block's end. */
static inline float *sum_row(const Part *t, float *sums, int r, int j)
{
    int64_t block = (int64_t)r / PANEL_M * t->panels + j / PANEL_N;
    return sums + block * PANEL_M * PANEL_N + r % PANEL_M * PANEL_N + j % PANEL_N;
}

/* m rows from i on, row by row: memory likes long stretches. */
static void store_rows(const Product *p, const Part *t, float *sums, int i, int m)
{
    for (int r = 0; r < m; r++)
        for (int j = t->j0; j < t->j1; j += PANEL_N)
            store_row(p, sum_row(t, sums, r, j - t->j0), i + r, j, clip(t->j1, j, PANEL_N));
}

/* The same of y^T += sums: y is f32 and stored [n, m]. */
static void store_turned(const Product *p, const Part *t, float *sums, int i, int m)
{
    for (int j = t->j0; j < t->j1; j += 16)
        for (int r = 0; r < m; r += 16) {
            float block[16][16];
            int rows = clip(m, r, 16), cols = clip(t->j1, j, 16);
            turn_sums(block, sum_row(t, sums, r, j - t->j0), rows, cols);
            for (int c = 0; c < cols; c++) {
                float *y = (float *)p->y + (int64_t)(j + c) * p->m + i + r;
                for (int k = 0; k < rows; k++) y[k] += block[c][k];
            }
        }
}

/* Rows [i, i + PANEL_M) of factor f at depth [k0, k0 + k), padded with zeros. */
static Strip copy_rows(const Product *p, const Factor *f, int i, int k0, int k, Num *to)
{
    int rows = clip(p->m, i, PANEL_M), padded = round_up(k, K_STEP);
    const T *from = f->a + (int64_t)i * f->k + k0;
    for (int r = 0; r < PANEL_M; r++) {
        if (r < rows) copy_row(to + (int64_t)r * padded, from + (int64_t)r * f->k, k, padded);
        else if (r < round_up(rows, M_STEP)) memset(to + (int64_t)r * padded, 0, sizeof *to * (size_t)padded);
    }
    return (Strip){.a = to, .lda = padded, .k = padded};
}

static void pack_columns(const Product *p, const Part *t, int factor, int k0, int k)
{
    const Factor *f = &p->f[factor];
    int words = round_up(k, K_STEP) / K_PAIR, n = t->j1 - t->j0;
    if (!f->b_by_n) {
        pack_panels(t->b[factor], f->b + (int64_t)k0 * p->n + t->j0, p->n, k, words, n);
        return;
    }
    for (int j = 0; j < n; j += PANEL_N)
        pack_panel_by_n(t->b[factor] + (int64_t)j * words, f->b + (int64_t)(t->j0 + j) * f->k + k0, f->k, k, words,
                        clip(n, j, PANEL_N));
}

/* What is read next: PANEL_M rows further down. */
static Soon rows_below(const Product *p, const Part *t, int i, int k)
{
    int next = i + PANEL_M < t->i1 ? clip(p->m, i + PANEL_M, PANEL_M) : 0;
    return (Soon){.at = p->f[0].a + (int64_t)(i + PANEL_M) * p->f[0].k + k, .ld = p->f[0].k, .n = next};
}

/* What the rows' sums will meet: into L2, the j-th of the task's panels. */
static void fetch_others(const Product *p, const Part *t, int i, int m, int j)
{
    int64_t at = (int64_t)i * p->n + t->j0, ld = p->n * (int64_t)sizeof(T),
            bytes = (t->j1 - t->j0) * (int64_t)sizeof(T);
    fetch_rows((const T *)p->swiglu->gate + at, ld, m, bytes, j, t->panels);
    if (p->backward) fetch_rows((const T *)p->swiglu->up + at, ld, m, bytes, j, t->panels);
}

/* PANEL_M rows of a at depth [k, k + depth) times all panels, which begin at depth k0; */
static void run_rows(const Product *p, const Part *t, float *sums, int i, int k0, int k, int depth)
{
    bool last = k + depth == p->f[0].k, second = last && p->n_factors == 2;
    int words = round_up(clip(p->f[0].k, k0, t->slice), K_STEP) / K_PAIR, m = clip(t->i1, i, PANEL_M);
    Strip s[2] = {copy_rows(p, &p->f[0], i, k, depth, t->a[0])};
    if (second) s[1] = copy_rows(p, &p->f[1], i, 0, p->f[1].k, t->a[1]);
    Soon soon = rows_below(p, t, i, k);
    for (int j = 0; j < t->panels; j++) {
        s[0].b = t->b[0] + ((int64_t)j * words + (k - k0) / K_PAIR) * PANEL_N;
        s[1].b = t->b[1] + (int64_t)j * s[1].k / K_PAIR * PANEL_N;
        if (last && p->swiglu) fetch_others(p, t, i, m, j);
        soon.first = soon.n * j / t->panels;
        soon.end = soon.n * (j + 1) / t->panels;
        micro_product(sums + (int64_t)j * PANEL_M * PANEL_N, s, 1 + second, m, k > 0, &soon);
    }
}

/* One slice of the first factor and, with the last, the whole of the second. */
static void run_slice(const Product *p, const Part *t, int k0)
{
    int k1 = k0 + clip(p->f[0].k, k0, t->slice), block = t->panels * PANEL_M * PANEL_N;
    pack_columns(p, t, 0, k0, k1 - k0);
    if (k1 == p->f[0].k && p->n_factors == 2) pack_columns(p, t, 1, 0, p->f[1].k);
    int depth = round_up(ceil_div(k1 - k0, ceil_div(k1 - k0, DEPTH)), K_STEP);
    for (int top = t->i0; top < t->i1; top += ROWS) {
        float *sums = t->sums + (t->slice < p->f[0].k ? (int64_t)(top - t->i0) / PANEL_M * block : 0);
        for (int k = k0; k < k1; k += depth)
            for (int i = top; i < top + ROWS && i < t->i1; i += PANEL_M)
                run_rows(p, t, sums + (int64_t)(i - top) / PANEL_M * block, i, k0, k, clip(k1, k, depth));
        if (k1 < p->f[0].k) continue;
        if (p->y_by_n) store_turned(p, t, sums, top, clip(t->i1, top, ROWS));
        else store_rows(p, t, sums, top, clip(t->i1, top, ROWS));
    }
}

static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void product_task(void *arg, int task)
{
    const Product *p = arg;
    Part t = {.slice = p->slice};
    pool_slice(p->m, p->m_parts, task % p->m_parts, PANEL_M, &t.i0, &t.i1);
    pool_slice(p->n, p->n_parts, task / p->m_parts, PANEL_N, &t.j0, &t.j1);
    t.panels = ceil_div(t.j1 - t.j0, PANEL_N);
    size_t panels = (size_t)t.panels, k2 = p->n_factors == 2 ? (size_t)round_up(p->f[1].k, K_STEP) : 0;
    int rows = t.slice < p->f[0].k || t.i1 - t.i0 < ROWS ? t.i1 - t.i0 : ROWS;
    size_t b0 = lines((size_t)(t.slice / K_PAIR) * panels * PANEL_N * sizeof(Word));
    size_t b1 = lines(k2 / K_PAIR * panels * PANEL_N * sizeof(Word));
    size_t a0 = lines(sizeof(Num) * PANEL_M * (DEPTH + K_STEP)), a1 = lines(sizeof(Num) * PANEL_M * k2);
    size_t sums = sizeof(float) * (size_t)ceil_div(rows, PANEL_M) * panels * PANEL_M * PANEL_N;
    Block *memory = block_take(a0 + a1 + b0 + b1 + sums);
    t.a[0] = (Num *)memory->data;
    t.a[1] = (Num *)(memory->data + a0);
    t.b[0] = (Word *)(memory->data + a0 + a1);
    t.b[1] = (Word *)(memory->data + a0 + a1 + b0);
    t.sums = (float *)(memory->data + a0 + a1 + b0 + b1);
    amx_begin();
    for (int k0 = 0; k0 < p->f[0].k; k0 += t.slice) run_slice(p, &t, k0);
    amx_end();
    block_give(memory);
}

/* ---- cutting ----------------------------------------------------------------------------------------------------- */

/* The depth of a slice of k for tasks of m x n: panels and, where there are several slices, sums stay in L2. */
static int slice_depth(int m, int n, int k)
{
    int64_t row = (int64_t)n * (int)sizeof(Word) / K_PAIR, sums = (int64_t)m * n * 4;
    if (row * k <= B_BYTES) return round_up(k, K_STEP);
    int64_t room = L2_BYTES - sums > B_BYTES / 2 ? L2_BYTES - sums : B_BYTES;
    int most = (int)(room / row) / K_STEP * K_STEP;
    if (most < DEPTH) most = DEPTH;
    return round_up(ceil_div(k, ceil_div(k, most)), K_STEP);
}

/*
 * What the longest-working thread needs, in units of a small product's step: multiplications, and fetching a's rows,
 * b's columns and sums that fall out of L2.  A byte from L3 costs BYTE of them, partly hidden.
 */
static double cutting_cost(const Product *p, int m_parts, int n_parts, int threads)
{
    static const double BYTE = 1.0 / (1 << 15);
    int m = round_up(ceil_div(p->m, m_parts), PANEL_M), n = round_up(ceil_div(p->n, n_parts), PANEL_N);
    int k = p->f[0].k, slices = ceil_div(k, slice_depth(m, n, k));
    double steps = (double)m * n * k / (PANEL_M * PANEL_N * 32.0);
    double bytes = ((double)m + n) * k * sizeof(T), sums = 4.0 * m * n;
    if (slices > 1 && sums > L2_BYTES - B_BYTES / 2) bytes += 2 * sums * slices;
    return ceil_div(m_parts * n_parts, threads) * (steps + bytes * BYTE * 32);
}

/* The cut with the least cost.  It does not touch the result, so it may depend on the number of threads. */
static void product_cut(Product *p)
{
    int panels = ceil_div(p->n, PANEL_N), rows = ceil_div(p->m, PANEL_M), threads = pool_threads();
    double best = HUGE_VAL;
    for (int m_parts = 1; m_parts <= rows && m_parts <= MAX_ROW_PARTS; m_parts++)
        for (int width = 1; width <= panels && width <= MAX_PANELS; width++) {
            int n_parts = ceil_div(panels, width);
            double cost = cutting_cost(p, m_parts, n_parts, threads);
            if (cost >= best) continue;
            best = cost;
            p->m_parts = m_parts;
            p->n_parts = n_parts;
        }
    int m = round_up(ceil_div(p->m, p->m_parts), PANEL_M), n = round_up(ceil_div(p->n, p->n_parts), PANEL_N);
    p->slice = slice_depth(m, n, p->f[0].k);
}

static void product_run(Product *p)
{
    if (p->m <= 0 || p->n <= 0) return;
    product_cut(p);
    pool_run(p->m_parts * p->n_parts, product_task, p);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static void matmul_nt(const MatmulArgs *g)
{
    if (g->n <= FEW || g->w->quant) {
        FN(matmul_few)(g);
        return;
    }
    Product p = {.m = g->n, .n = g->w->out, .y = g->y, .y_type = g->y_type, .bias = g->bias, .add = g->add};
    p.swiglu = g->swiglu;
    p.f[0] = (Factor){.a = g->x, .b = g->w->data, .k = g->w->in, .b_by_n = true};
    if (g->w2) p.f[1] = (Factor){.a = g->x2, .b = g->w2->data, .k = g->w2->in, .b_by_n = true};
    p.n_factors = g->w2 ? 2 : 1;
    product_run(&p);
}

static void matmul_nn(const MatmulArgs *g)
{
    Product p = {.m = g->n, .n = g->w->in, .y = g->y, .y_type = g->y_type, .add = g->add};
    p.swiglu = g->swiglu;
    p.backward = g->swiglu;
    p.f[0] = (Factor){.a = g->x, .b = g->w->data, .k = g->w->out};
    if (g->w2) p.f[1] = (Factor){.a = g->x2, .b = g->w2->data, .k = g->w2->out};
    p.n_factors = g->w2 ? 2 : 1;
    product_run(&p);
}

/* to [cols, rows] = the transpose of x [rows, cols]. */
typedef struct Turn {
    T *to;
    const T *x;
    int rows, cols;
} Turn;

enum { TURN_ROWS = 16 * K_PAIR, TURN_COLS = 16 };

/* A block at (r0, c0) that the edge cuts. */
static void turn_edge(const Turn *t, int r0, int c0)
{
    for (int c = c0; c < t->cols && c < c0 + TURN_COLS; c++)
        for (int r = r0; r < t->rows && r < r0 + TURN_ROWS; r++)
            t->to[(int64_t)c * t->rows + r] = t->x[(int64_t)r * t->cols + c];
}

static void turn_task(void *arg, int task)
{
    const Turn *t = arg;
    int c0 = task * TURN_COLS;
    for (int r0 = 0; r0 < t->rows; r0 += TURN_ROWS) {
        if (r0 + TURN_ROWS > t->rows || c0 + TURN_COLS > t->cols) turn_edge(t, r0, c0);
        else turn_block(t->to + (int64_t)c0 * t->rows + r0, t->rows, t->x + (int64_t)r0 * t->cols + c0, t->cols);
    }
}

/* dw [out, in] += dy^T x, or dw^T += x^T dy: the narrower of the two is the one that is transposed. */
static void matmul_tn(float *dw, const void *dy, const void *x, int n, int out, int in)
{
    bool turned = in < out;
    int m = turned ? in : out;
    Block *memory = block_take(sizeof(T) * (size_t)m * (size_t)n);
    Turn t = {(T *)memory->data, turned ? x : dy, n, m};
    pool_run(ceil_div(m, TURN_COLS), turn_task, &t);
    Product p = {.m = m, .n = turned ? out : in, .y = dw, .y_type = DT_F32, .y_by_n = turned, .n_factors = 1};
    p.add = turned ? NULL : dw;
    p.f[0] = (Factor){.a = t.to, .b = turned ? dy : x, .k = n};
    product_run(&p);
    block_give(memory);
}

void FN(kernels_fill_matmul)(Kernels *k)
{
    k->matmul_nt = matmul_nt;
    k->matmul_nn = matmul_nn;
    k->matmul_tn = matmul_tn;
}
