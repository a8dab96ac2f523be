/*
 * few_tmpl.c - y = x w^T for few rows of x, as in decoding: the weight is streamed once, at the speed of memory.
 *
 * A task owns a stretch of rows of w and walks down it, OUTS rows at a time, which meet up to ROWS rows of x; what
 * it will read next is fetched into L2 on the way.
 *
 *   tiles     rows of w are the left operand as they lie; x is turned once, so that pairs of its numbers lie side
 *             by side: y^T [OUTS, n] = w [OUTS, k] x^T [k, n]
 *   others    slices of w are turned into panels (micro.h) that stay in L1
 *
 * Every element of y is one chain of sums in the order of k, the same as in gemm_tmpl.c: a row's bits depend neither on
 * the other rows, nor on their number, nor on the number of threads.
 */
#include "kernels/cpu/micro.h"

enum {
    OUTS = PANEL_N,
    ROWS = 32,            /* of x at a time: two tiles */
    SLICE = 128 * K_PAIR, /* of k: a panel of 16 KiB */
    TASK_BYTES = 2 << 20, /* of w: enough that a task's start and end do not count */
    MAX_TASKS_PER_THREAD = 8
};

/* A product that is summed: w [out, in] and x as the products here read it. */
typedef struct Factor {
    const T *w;
    int k;
    int padded; /* k rounded up to K_STEP */
    Num *x;     /* tiles: [padded / 2][n] pairs, for every 16 rows of x; others: [n, padded] */
} Factor;

typedef struct Few {
    const MatmulArgs *g;
    Factor f[2];
    int n_factors, tasks;
    int cols; /* tiles: rows of x in a tile */
} Few;

/* What the task reads next, and where that ends. */
typedef struct Ahead {
    const char *at, *end;
} Ahead;

static inline void fetch_ahead(Ahead *a, int64_t bytes)
{
    const char *stop = a->end - a->at < bytes ? a->end : a->at + bytes;
    for (; a->at < stop; a->at += 64) __builtin_prefetch(a->at, 0, 2);
}

/* y[i, o0 + o] = c[o * step_o + i * step_i] + bias + add */
static void store_outs(const MatmulArgs *g, const float *c, int step_o, int step_i, int o0, int outs)
{
    for (int i = 0; i < g->n; i++) {
        float v[OUTS];
        int64_t at = (int64_t)i * g->w->out + o0;
        for (int o = 0; o < outs; o++) v[o] = c[o * step_o + i * step_i];
        if (g->bias)
            for (int o = 0; o < outs; o++) v[o] += get(g->bias, o0 + o);
        if (g->y_type == DT_F32) {
            const float *add = g->add;
            for (int o = 0; add && o < outs; o++) v[o] += add[at + o];
            memcpy((float *)g->y + at, v, sizeof *v * (size_t)outs);
        } else {
            const T *add = g->add;
            for (int o = 0; add && o < outs; o++) v[o] += get(add, at + o);
            for (int o = 0; o < outs; o++) put(g->y, at + o, v[o]);
        }
    }
}

#if BF16_TILES

/* Tiles 0..3 hold y^T: OUTS rows in two halves, 32 columns in two halves; 4 and 5 rows of w; 6 and 7 x. */
static void tiles_begin(const Few *f)
{
    AmxConfig t = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        t.rows[i] = 16;
        t.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? 64 : 4 * f->cols);
    }
    _tile_loadconfig(&t);
}

static inline void multiply_step(const T *w, int64_t lw, const Num *x, int64_t half, int64_t lx, bool wide)
{
    _tile_loadd(6, x, lx);
    _tile_loadd(4, w, lw);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, (const char *)w + 16 * lw, lw);
    _tile_dpbf16ps(1, 5, 6);
    if (!wide) return;
    _tile_loadd(7, x + half, lx);
    _tile_dpbf16ps(2, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
}

/* Rows [o0, o0 + outs) of w at depth k, with zeros for what is not there. */
static void copy_step(T to[OUTS][32], const Factor *a, int o0, int outs, int k)
{
    int n = a->k - k < 32 ? a->k - k : 32;
    memset(to, 0, sizeof(T) * OUTS * 32);
    for (int o = 0; o < outs; o++) memcpy(to[o], a->w + (int64_t)(o0 + o) * a->k + k, sizeof(T) * (size_t)n);
}

static void multiply_outs(const Few *f, int o0, int outs, Ahead *ahead)
{
    bool wide = f->g->n > 16;
    for (int i = 0; i < f->n_factors; i++) {
        const Factor *a = &f->f[i];
        const T *w = a->w + (int64_t)o0 * a->k;
        int64_t half = (int64_t)a->padded * f->cols;
        for (int k = 0; k < a->padded; k += 32) {
            const Num *x = a->x + (int64_t)k * f->cols;
            if (i == 0) fetch_ahead(ahead, (int64_t)outs * 64);
            if (outs == OUTS && k + 32 <= a->k) {
                multiply_step(w + k, (int64_t)a->k * 2, x, half, 4 * f->cols, wide);
                continue;
            }
            _Alignas(64) T step[OUTS][32];
            copy_step(step, a, o0, outs, k);
            multiply_step(step[0], 64, x, half, 4 * f->cols, wide);
        }
    }
}

static void outs_block(const Few *f, int o0, int outs, Ahead *ahead)
{
    _Alignas(64) float c[OUTS][ROWS];
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    multiply_outs(f, o0, outs, ahead);
    _tile_stored(0, c[0], sizeof c[0]);
    _tile_stored(1, c[16], sizeof c[0]);
    if (f->g->n > 16) {
        _tile_stored(2, &c[0][16], sizeof c[0]);
        _tile_stored(3, &c[16][16], sizeof c[0]);
    }
    store_outs(f->g, c[0], ROWS, 1, o0, outs);
}

/* x in pairs: for every `cols` rows, [padded / 2][cols]. */
static void load_x(Factor *a, const T *x, int n, int cols)
{
    int halves = n > 16 ? 2 : 1;
    uint32_t *to = (uint32_t *)a->x;
    for (int h = 0; h < halves; h++)
        for (int j = 0; j < cols; j++) {
            int i = 16 * h + j;
            uint32_t *col = to + (int64_t)h * (a->padded / 2) * cols + j;
            const T *row = x + (int64_t)i * a->k;
            int whole = i < n ? a->k / 2 : 0;
            for (int p = 0; p < whole; p++) memcpy(&col[p * cols], row + 2 * p, 4);
            for (int p = whole; p < a->padded / 2; p++) col[p * cols] = 0;
            if (i < n && a->k % 2) col[whole * cols] = row[a->k - 1];
        }
}

#else

static void tiles_begin(const Few *f)
{
    (void)f;
}

static void outs_block(const Few *f, int o0, int outs, Ahead *ahead)
{
    _Alignas(64) float c[ROWS * OUTS];
    _Alignas(64) Word panel[SLICE / K_PAIR * OUTS];
    for (int i = 0; i < f->n_factors; i++) {
        const Factor *a = &f->f[i];
        for (int k = 0; k < a->padded; k += SLICE) {
            int depth = a->padded - k < SLICE ? a->padded - k : SLICE, left = a->k - k < depth ? a->k - k : depth;
            if (i == 0) fetch_ahead(ahead, (int64_t)outs * left * (int64_t)sizeof(T));
            pack_panel_by_n(panel, a->w + (int64_t)o0 * a->k + k, a->k, left, depth / K_PAIR, outs);
            micro_product(c, &(Strip){.a = a->x + k, .b = panel, .lda = a->padded, .k = depth}, 1, f->g->n,
                          i > 0 || k > 0, &(Soon){0});
        }
    }
    store_outs(f->g, c, 1, OUTS, o0, outs);
}

static void load_x(Factor *a, const T *x, int n, int cols)
{
    (void)cols;
    for (int i = 0; i < n; i++) copy_row(a->x + (int64_t)i * a->padded, x + (int64_t)i * a->k, a->k, a->padded);
}

#endif

static void few_task(void *arg, int task)
{
    const Few *f = arg;
    const Weight *w = f->g->w;
    int lo, hi;
    pool_slice(w->out, f->tasks, task, OUTS, &lo, &hi);
    int64_t row = (int64_t)w->in * (int64_t)sizeof(T);
    Ahead ahead = {(const char *)w->data + row * (lo + OUTS), (const char *)w->data + row * hi};
    tiles_begin(f);
    for (int o = lo; o < hi; o += OUTS) outs_block(f, o, hi - o < OUTS ? hi - o : OUTS, &ahead);
    amx_end();
}

static Factor factor_init(const Weight *w, const void *x, int n, int cols, Num *memory)
{
    Factor a = {w->data, w->in, round_up(w->in, K_STEP), memory};
    load_x(&a, x, n, cols);
    return a;
}

/* At most ROWS rows. */
static void few_rows(const MatmulArgs *g)
{
    Few f = {.g = g, .n_factors = g->w2 ? 2 : 1, .cols = g->n < 16 ? g->n : 16};
    size_t rows = BF16_TILES && g->n > 16 ? 32 : (size_t)g->n;
    size_t first = rows * (size_t)round_up(g->w->in, K_STEP);
    size_t second = g->w2 ? rows * (size_t)round_up(g->w2->in, K_STEP) : 0;
    Num *x = xmalloc((first + second) * sizeof *x);
    f.f[0] = factor_init(g->w, g->x, g->n, f.cols, x);
    if (g->w2) f.f[1] = factor_init(g->w2, g->x2, g->n, f.cols, x + first);
    int64_t share = (int64_t)g->w->out * g->w->in * (int64_t)sizeof(T) / pool_threads() / TASK_BYTES;
    f.tasks = pool_threads() * (share < 1 ? 1 : share < MAX_TASKS_PER_THREAD ? (int)share : MAX_TASKS_PER_THREAD);
    pool_run(f.tasks, few_task, &f);
    free(x);
}

void FN(matmul_few)(const MatmulArgs *g)
{
    for (int i = 0; i < g->n; i += ROWS) {
        int64_t y = (int64_t)i * g->w->out, y_size = g->y_type == DT_F32 ? 4 : (int64_t)sizeof(T);
        MatmulArgs part = *g;
        part.n = g->n - i < ROWS ? g->n - i : ROWS;
        part.x = (const T *)g->x + (int64_t)i * g->w->in;
        part.y = (char *)g->y + y * y_size;
        if (g->w2) part.x2 = (const T *)g->x2 + (int64_t)i * g->w2->in;
        if (g->add) part.add = (const char *)g->add + y * y_size;
        few_rows(&part);
    }
}
