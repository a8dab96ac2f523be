/*
 * few_tmpl.c - y = x w^T for few rows of x, as in decoding: the weight is streamed once, at the speed of memory.
 *
 * A task owns a stretch of rows of w and walks down it, at most OUTS rows at a time, which meet up to ROWS rows of x;
 * the rows after them are fetched into L2 on the way.
 *
 *   tiles     rows of w are the left operand as they lie; x is turned once, so that pairs of its numbers lie side
 *             by side: y^T [OUTS, n] = w [OUTS, k] x^T [k, n]
 *   others    slices of w are turned into panels (micro.h) that stay in L1
 *
 * A weight with a copy in fewer bits goes its own way (few_quant_tmpl.c).
 *
 * Every element of y is one chain of sums in the order of k, the same as in gemm_tmpl.c: a row's bits depend neither on
 * the other rows, nor on their number, nor on the number of threads.
 */
#include "kernels/cpu/few.h"

enum { SLICE = (TURN > 16 ? TURN : 16) * K_PAIR }; /* of k: a panel of 2 KiB */

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
    int cols, outs; /* tiles: rows of x in a tile, rows of w that are multiplied at a time */
} Few;

/* ---- the weight -------------------------------------------------------------------------------------------------- */

/* The rows that a task reads next, fetched at STREAMS places by turns: one stream alone waits at the end of every page. */
enum { STREAMS = 4 };
typedef struct Ahead {
    const char *at;
    int64_t stream, done; /* bytes of a stream */
} Ahead;

static Ahead ahead_init(const Weight *w, int o0, int outs)
{
    int64_t row = w->in * (int64_t)sizeof(T);
    return (Ahead){(const char *)w->data + o0 * row, (outs * row / STREAMS + 63) / 64 * 64, 0};
}

static inline void fetch_ahead(Ahead *a, int64_t bytes)
{
    int64_t due = a->done + bytes / STREAMS < a->stream ? a->done + bytes / STREAMS : a->stream;
    for (; a->done < due; a->done += 64)
        for (int j = 0; j < STREAMS; j++) __builtin_prefetch(a->at + j * a->stream + a->done, 0, 2);
}

/* Numbers of OUTS rows of w. */
typedef struct Rows {
    const T *at;
    int64_t ld;
} Rows;

/* ---- products ---------------------------------------------------------------------------------------------------- */

#if BF16_TILES

/*
 * Tiles 0 and 1 hold sums of y^T, 2 and 3 those of the block before until they are stored: a store right behind its
 * products would hold up everything after it.  4 and 5 are rows of w, 6 and 7 x.  Up to 16 rows of x meet 32 rows of w,
 * more of them meet 16.
 */
static void tiles_begin(const Few *f)
{
    AmxConfig t = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        t.rows[i] = 16;
        t.row_bytes[i] = (uint16_t)(i == 4 || i == 5 ? 64 : 4 * f->cols);
    }
    amx_configure(&t);
}

static inline ALWAYS_INLINE void sums_clear(const int set)
{
    if (set) {
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_zero(0);
        _tile_zero(1);
    }
}

/* Adds w [outs, 32] x^T [32, n]; the second 16 of x's rows lie `half` further on. */
static inline ALWAYS_INLINE void sums_add(const Few *f, Rows w, const Num *x, int64_t half, const int set)
{
    int64_t lw = w.ld * 2, lx = 4 * f->cols;
    _tile_loadd(6, x, lx);
    _tile_loadd(4, w.at, lw);
    if (set) _tile_dpbf16ps(2, 4, 6);
    else _tile_dpbf16ps(0, 4, 6);
    if (f->outs == 32) {
        _tile_loadd(5, w.at + 16 * w.ld, lw);
        if (set) _tile_dpbf16ps(3, 5, 6);
        else _tile_dpbf16ps(1, 5, 6);
    } else {
        _tile_loadd(7, x + half, lx);
        if (set) _tile_dpbf16ps(3, 4, 7);
        else _tile_dpbf16ps(1, 4, 7);
    }
}

/* To c, one tile behind the other: 16 rows of f->cols. */
static inline ALWAYS_INLINE void sums_store(const Few *f, float *c, const int set)
{
    float *second = c + 16 * f->cols;
    int64_t ld = f->cols * (int64_t)sizeof *c;
    if (set) {
        _tile_stored(2, c, ld);
        _tile_stored(3, second, ld);
    } else {
        _tile_stored(0, c, ld);
        _tile_stored(1, second, ld);
    }
}

/* What sums_store has left, to y. */
static void store_tiles(const Few *f, const float *c, int o0, int outs)
{
    float turned[ROWS * OUTS];
    if (f->cols == 1) {
        store_outs(f->g, c, 0, o0, outs);
        return;
    }
    bool tall = f->outs == 32; /* the second tile holds the lower rows of y^T, or its columns on the right */
    turn_words(turned, tall ? 128 : 64, (const char *)c, 64);
    turn_words(turned + (tall ? 16 : 256), tall ? 128 : 64, (const char *)(c + 256), 64);
    store_outs(f->g, turned, f->outs, o0, outs);
}

/* n rows of at most 32 numbers, with zeros for what is not there. */
static inline void copy_step(T (*to)[32], int padded, const T *from, int64_t ld, int n, int left)
{
    if (n < padded || left < 32) memset(to, 0, sizeof *to * (size_t)padded);
    for (int i = 0; i < n; i++) memcpy(to[i], from + i * ld, left < 32 ? sizeof(T) * (size_t)left : sizeof *to);
}

/* Sums of rows [o0, o0 + outs) of w; those of the rows before, if any, go to c on the way. */
static inline ALWAYS_INLINE void outs_block(const Few *f, int o0, int outs, float *c, Ahead *ahead, const int set)
{
    _Alignas(64) T step[32][32];
    bool first = true;
    sums_clear(set);
    for (const Factor *a = f->f; a < f->f + f->n_factors; a++) {
        const T *w = (const T *)a->w->data + (int64_t)o0 * a->k;
        const Num *x = a->x;
        for (int k = 0; k < a->k; k += 32, w += 32, x += 32 * f->cols) {
            Rows rows = {w, a->k};
            fetch_ahead(ahead, (int64_t)outs * 64);
            if (outs < f->outs || k + 32 > a->k) {
                amx_stored();
                copy_step(step, f->outs, w, a->k, outs, a->k - k);
                amx_stored();
                rows = (Rows){step[0], 32};
            }
            sums_add(f, rows, x, (int64_t)a->padded * f->cols, set);
            if (first && c) sums_store(f, c, !set);
            first = false;
        }
    }
}

/* Rows [lo, hi) of w. */
static void outs_blocks(const Few *f, int lo, int hi)
{
    _Alignas(64) float c[2 * 16 * 16];
    int set = 0, before = -1;
    tiles_begin(f);
    for (int o = lo; o < hi; o += f->outs, set = !set) {
        int next = o + f->outs, outs = clip(hi, o, f->outs);
        Ahead ahead = ahead_init(f->f[0].w, next, next < hi ? clip(hi, next, f->outs) : 0);
        if (set) outs_block(f, o, outs, before < 0 ? NULL : c, &ahead, 1);
        else outs_block(f, o, outs, before < 0 ? NULL : c, &ahead, 0);
        if (before >= 0) store_tiles(f, c, before, f->outs);
        before = o;
    }
    if (set) sums_store(f, c, 0);
    else sums_store(f, c, 1);
    store_tiles(f, c, before, hi - before);
    amx_end();
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

/* Rows [lo, hi) of w. */
static void outs_blocks(const Few *f, int lo, int hi)
{
    _Alignas(64) float c[ROWS * OUTS];
    for (int o = lo; o < hi; o += OUTS) {
        int next = o + OUTS, outs = clip(hi, o, OUTS);
        Ahead ahead = ahead_init(f->f[0].w, next, next < hi ? clip(hi, next, OUTS) : 0);
        for (int i = 0; i < f->n_factors; i++) add_factor(f, &f->f[i], c, o, outs, i > 0, &ahead);
        store_outs(f->g, c, OUTS, o, outs);
    }
}

static void load_x(const Factor *a, const T *x, int n, int cols)
{
    (void)cols;
    for (int i = 0; i < n; i++) copy_row(a->x + (int64_t)i * a->padded, x + (int64_t)i * a->k, a->k, a->padded);
}

#endif

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void few_task(void *arg, int task)
{
    const Few *f = arg;
    int lo, hi;
    pool_slice(f->g->w->out, f->tasks, task, OUTS, &lo, &hi);
    if (lo < hi) outs_blocks(f, lo, hi);
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
    Few f = {.g = g, .n_factors = g->w2 ? 2 : 1, .cols = g->n > 1 ? 16 : 1, .outs = g->n > 16 ? 16 : 32};
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
    FN(matmul_few_quant)(g, extra);
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
        Swiglu act;
        if (g->swiglu) {
            int64_t at = (int64_t)i * g->w->out;
            act = (Swiglu){.gate = (T *)g->swiglu->gate + at, .y = (T *)g->swiglu->y + at};
            part.swiglu = &act;
        }
        if (g->w->quant) few_quantised(&part);
        else few_rows(&part);
    }
}
