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
 * A weight with a copy in fewer bits goes its own way (few_quant.h).
 *
 * Every element of y is one chain of sums in the order of k, the same as in gemm_tmpl.c: a row's bits depend neither on
 * the other rows, nor on their number, nor on the number of threads.
 */
#include "kernels/cpu/micro.h"
#include "kernels/quant.h"

enum {
    OUTS = PANEL_N,
    ROWS = 32,                                /* of x at a time: two tiles */
    SLICE = (TURN > 16 ? TURN : 16) * K_PAIR, /* of k: a panel of 2 KiB */
    TASK_BYTES = 2 << 20,                     /* of w: enough that a task's start and end do not count */
    MAX_TASKS_PER_THREAD = 8
};

/* A product that is summed: w [out, in] and x as the products here read it. */
typedef struct Factor {
    const Weight *w;
    int k, padded; /* in, and that rounded up to K_STEP */
    Num *x;        /* tiles: [padded / 2][cols] pairs, for every 16 rows of x; others: [n, padded] */
} Factor;

typedef struct Few {
    const MatmulArgs *g;
    Factor f[2];
    int n_factors, tasks;
    int cols; /* tiles: rows of x in a tile */
} Few;

static int clip(int n, int at, int size)
{
    return n - at < size ? n - at : size;
}

/* Tasks for so many bytes of w. */
static int task_count(int64_t bytes)
{
    int threads = pool_threads();
    int64_t share = bytes / threads / TASK_BYTES;
    return threads * (share < 1 ? 1 : share < MAX_TASKS_PER_THREAD ? (int)share : MAX_TASKS_PER_THREAD);
}

/* ---- the weight -------------------------------------------------------------------------------------------------- */

/* What a task reads next: lines up to `due` have been asked for. */
typedef struct Ahead {
    const char *at, *due, *end;
} Ahead;

static inline void fetch_ahead(Ahead *a, int64_t bytes)
{
    a->due = a->end - a->due < bytes ? a->end : a->due + bytes;
    for (; a->at < a->due; a->at += 64) __builtin_prefetch(a->at, 0, 2);
}

/* Numbers of OUTS rows of w. */
typedef struct Rows {
    const T *at;
    int64_t ld;
} Rows;

/* ---- results ----------------------------------------------------------------------------------------------------- */

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

/* ---- products ---------------------------------------------------------------------------------------------------- */

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

/* Adds w [OUTS, 32] x^T [32, n]. */
static inline void add_step(const Few *f, Rows w, const Num *x, int64_t half)
{
    int64_t lw = w.ld * 2, lx = 4 * f->cols;
    _tile_loadd(6, x, lx);
    _tile_loadd(4, w.at, lw);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(5, w.at + 16 * w.ld, lw);
    _tile_dpbf16ps(1, 5, 6);
    if (f->g->n <= 16) return;
    _tile_loadd(7, x + half, lx);
    _tile_dpbf16ps(2, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
}

/* n rows of at most 32 numbers, with zeros for what is not there. */
static inline void copy_step(T (*to)[32], int padded, const T *from, int64_t ld, int n, int left)
{
    if (n < padded || left < 32) memset(to, 0, sizeof *to * (size_t)padded);
    for (int i = 0; i < n; i++) memcpy(to[i], from + i * ld, left < 32 ? sizeof(T) * (size_t)left : sizeof *to);
}

static void add_factor(const Few *f, const Factor *a, int o0, int outs, Ahead *ahead)
{
    _Alignas(64) T step[OUTS][32];
    const T *w = (const T *)a->w->data + (int64_t)o0 * a->k;
    const Num *x = a->x;
    for (int k = 0; k < a->k; k += 32, w += 32, x += 32 * f->cols) {
        Rows s = {w, a->k};
        fetch_ahead(ahead, (int64_t)outs * 64);
        if (outs < OUTS || k + 32 > a->k) {
            copy_step(step, OUTS, w, a->k, outs, a->k - k);
            s = (Rows){step[0], 32};
        }
        add_step(f, s, x, (int64_t)a->padded * f->cols);
    }
}

static void outs_block(const Few *f, int o0, int outs, Ahead *ahead)
{
    _Alignas(64) float c[OUTS][ROWS];
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int i = 0; i < f->n_factors; i++) add_factor(f, &f->f[i], o0, outs, ahead);
    _tile_stored(0, c[0], sizeof c[0]);
    _tile_stored(1, c[16], sizeof c[0]);
    if (f->g->n > 16) {
        _tile_stored(2, &c[0][16], sizeof c[0]);
        _tile_stored(3, &c[16][16], sizeof c[0]);
    }
    store_outs(f->g, c[0], ROWS, 1, o0, outs);
}

/* x [n, k] in pairs: [padded / 2][cols] for every 16 rows. */
static void load_x(const Factor *a, const T *x, int n, int cols)
{
    if (n == 1) {
        copy_row(a->x, x, a->k, a->padded);
        return;
    }
    for (int i = 0; i < n; i += 16) {
        Word *to = (Word *)a->x + (int64_t)i * (a->padded / 2);
        int rows = n - i < 16 ? n - i : 16;
        for (int k = 0; k < a->padded; k += 32) {
            _Alignas(64) T step[16][32];
            copy_step(step, 16, x + (int64_t)i * a->k + k, a->k, rows, a->k - k);
            turn_words(to + k / 2 * cols, 4 * cols, (const char *)step, sizeof step[0]);
        }
    }
}

#else

static void tiles_begin(const Few *f)
{
    (void)f;
}

/* OUTS rows of w at a depth of SLICE, or less of both, as a panel. */
static inline void turn_slice(Word *panel, const T *w, int64_t ld, int depth, int outs)
{
    if (outs < OUTS || depth < SLICE) {
        pack_panel_by_n(panel, w, ld, depth, round_up(depth, K_STEP) / K_PAIR, outs);
        return;
    }
    for (int j = 0; j < OUTS; j += W)
        for (int i = 0; i < SLICE / K_PAIR; i += TURN) turn_panel(panel + word_at(i, j), w + j * ld + i * K_PAIR, ld);
}

static void add_factor(const Few *f, const Factor *a, float *c, int o0, int outs, bool accumulate, Ahead *ahead)
{
    _Alignas(64) Word panel[SLICE / K_PAIR * OUTS];
    const T *w = (const T *)a->w->data + (int64_t)o0 * a->k;
    for (int k = 0; k < a->k; k += SLICE) {
        int depth = clip(a->k, k, SLICE), words = round_up(depth, K_STEP) / K_PAIR;
        fetch_ahead(ahead, (int64_t)outs * depth * (int64_t)sizeof(T));
        turn_slice(panel, w + k, a->k, depth, outs);
        micro_product(c, &(Strip){.a = a->x + k, .b = panel, .lda = a->padded, .k = words * K_PAIR}, 1, f->g->n,
                      accumulate || k > 0, &(Soon){0});
    }
}

static void outs_block(const Few *f, int o0, int outs, Ahead *ahead)
{
    _Alignas(64) float c[ROWS * OUTS];
    for (int i = 0; i < f->n_factors; i++) add_factor(f, &f->f[i], c, o0, outs, i > 0, ahead);
    store_outs(f->g, c, 1, OUTS, o0, outs);
}

static void load_x(const Factor *a, const T *x, int n, int cols)
{
    (void)cols;
    for (int i = 0; i < n; i++) copy_row(a->x + (int64_t)i * a->padded, x + (int64_t)i * a->k, a->k, a->padded);
}

#endif

#include "kernels/cpu/few_quant.h"

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void few_task(void *arg, int task)
{
    const Few *f = arg;
    const Weight *w = f->g->w;
    int lo, hi;
    pool_slice(w->out, f->tasks, task, OUTS, &lo, &hi);
    const T *data = w->data, *end = data + (int64_t)hi * w->in;
    const char *next = (const char *)(lo + OUTS < hi ? data + (int64_t)(lo + OUTS) * w->in : end);
    Ahead ahead = {next, next, (const char *)end};
    tiles_begin(f);
    for (int o = lo; o < hi; o += OUTS) outs_block(f, o, clip(hi, o, OUTS), &ahead);
    amx_end();
}

static Factor factor_init(const Weight *w, const void *x, int n, int cols, Num *memory)
{
    Factor a = {w, w->in, round_up(w->in, K_STEP), memory};
    load_x(&a, x, n, cols);
    return a;
}

/* At most ROWS rows. */
static void few_rows(const MatmulArgs *g)
{
    Few f = {.g = g, .n_factors = g->w2 ? 2 : 1, .cols = g->n > 1 ? 16 : 1};
    size_t rows = BF16_TILES && g->n > 1 ? (size_t)round_up(g->n, 16) : (size_t)g->n;
    size_t first = rows * (size_t)round_up(g->w->in, K_STEP);
    size_t second = g->w2 ? rows * (size_t)round_up(g->w2->in, K_STEP) : 0;
    Num *x = xmalloc((first + second) * sizeof *x);
    f.f[0] = factor_init(g->w, g->x, g->n, f.cols, x);
    if (g->w2) f.f[1] = factor_init(g->w2, g->x2, g->n, f.cols, x + first);
    f.tasks = task_count((int64_t)g->w->out * g->w->in * (int64_t)sizeof(T));
    pool_run(f.tasks, few_task, &f);
    free(x);
}

/* At most ROWS rows of a product with a quantised weight: the adapter's share first, in f32. */
static void few_quantised(const MatmulArgs *g)
{
    float *extra = NULL;
    if (g->w2) {
        extra = xmalloc(sizeof *extra * (size_t)g->n * (size_t)g->w->out);
        few_rows(&(MatmulArgs){.y = extra, .y_type = DT_F32, .x = g->x2, .w = g->w2, .n = g->n});
    }
    quant_rows(g, extra);
    free(extra);
}

void FN(matmul_few)(const MatmulArgs *g)
{
    for (int i = 0; i < g->n; i += ROWS) {
        int64_t y = (int64_t)i * g->w->out * (int64_t)dtype_size(g->y_type);
        MatmulArgs part = *g;
        part.n = clip(g->n, i, ROWS);
        part.x = (const T *)g->x + (int64_t)i * g->w->in;
        part.y = (char *)g->y + y;
        if (g->w2) part.x2 = (const T *)g->x2 + (int64_t)i * g->w2->in;
        if (g->add) part.add = (const char *)g->add + y;
        if (g->w->quant) few_quantised(&part);
        else few_rows(&part);
    }
}
