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
 * A weight with a copy in fewer bits goes its own way (below).
 *
 * Every element of y is one chain of sums in the order of k, the same as in gemm_tmpl.c: a row's bits depend neither on
 * the other rows, nor on their number, nor on the number of threads.
 */
#include "kernels/cpu/micro.h"
#include "kernels/cpu/swiglu.h"
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
    int cols, outs; /* tiles: rows of x in a tile, rows of w that are multiplied at a time */
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

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* y[i, o0 + o] = sums[i * ld + o] + bias + add, and the activation beside it */
static void store_outs(const MatmulArgs *g, const float *sums, int ld, int o0, int outs)
{
    for (int i = 0; i < g->n; i++, sums += ld) {
        float v[OUTS];
        int64_t at = (int64_t)i * g->w->out + o0;
        memcpy(v, sums, sizeof *v * (size_t)outs);
        if (g->bias)
            for (int o = 0; o < outs; o++) v[o] += get(g->bias, o0 + o);
        if (g->y_type == DT_F32) {
            const float *add = g->add;
            for (int o = 0; add && o < outs; o++) v[o] += add[at + o];
            memcpy((float *)g->y + at, v, sizeof *v * (size_t)outs);
        } else {
            const T *add = g->add;
            for (int o = 0; add && o < outs; o++) v[o] += get(add, at + o);
            put_row((T *)g->y + at, v, outs);
        }
        const Swiglu *s = g->swiglu;
        if (s) swiglu_stretch((T *)s->y + at, (const T *)s->gate + at, (const T *)g->y + at, outs);
    }
}

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

/* ---- copies in fewer bits ---------------------------------------------------------------------------------------- */

/*
 * Blocks of the copy (kernels/quant.h) are streamed and multiplied as they are, in integers.
 *
 *   tiles     for more than one row: a block is the right operand as it lies; the 16 bits of x are two rows of 8,
 *             x = 256 high + low
 *   vectors   pairs of products in 16 bits are summed in 32 (vpmaddwd)
 *
 * Integer sums are exact, so they may be taken in any order; what is added in f32 follows quant_dot to the bit.
 */

/* Rows of x that meet a block at a time. */
enum { QUANT_ROWS = W / 2, QUADS = QUANT_GROUP / 4, QUANT_AHEAD = 4096 /* bytes */ };

typedef struct QuantJob {
    const MatmulArgs *g;
    int groups, tasks;
    bool tiles;
    int parts, rows;    /* of x: rows of a part; those beyond n are zeros */
    int16_t *x;         /* per part and group: [8][rows][4]; tiles: [high, low][rows][32] in bytes */
    float *scale;       /* of x, per part and group: [rows] */
    const float *extra; /* [n, out] joins the sums; NULL: nothing */
} QuantJob;

static inline int16_t *inputs_at(const QuantJob *j, int part, int group)
{
    return j->x + ((int64_t)part * j->groups + group) * j->rows * QUANT_GROUP;
}

static inline float *scales_at(const QuantJob *j, int part, int group)
{
    return j->scale + ((int64_t)part * j->groups + group) * j->rows;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* quant_inputs of one group: q; returns the scale. */
static inline float group_inputs(int32_t q[QUANT_GROUP], const T *x, int n)
{
    float v[QUANT_GROUP], most, inverse;
    int32_t bits[QUANT_GROUP], top = 0;
    load_row(v, x, n, QUANT_GROUP);
    memcpy(bits, v, sizeof bits);
    for (int i = 0; i < QUANT_GROUP; i++) { /* magnitudes are ordered as their bits are, NaN above all */
        int32_t magnitude = bits[i] & 0x7fffffff;
        top = magnitude > top ? magnitude : top;
    }
    memcpy(&most, &top, sizeof most);
    float scale = quant_input_scale(most, &inverse);
    for (int i = 0; i < QUANT_GROUP; i += W) store_lanes(q + i, LANES(cvtps_epi32)(LANES(loadu_ps)(v + i) * inverse));
    return scale;
}

/* Row i of a part into its place in a group. */
static inline void put_inputs(int16_t *to, const int32_t q[QUANT_GROUP], int i, const QuantJob *j)
{
    if (j->tiles) {
        int8_t *high = (int8_t *)to + i * QUANT_GROUP, *low = high + j->rows * QUANT_GROUP;
        for (int c = 0; c < QUANT_GROUP; c++) {
            high[c] = (int8_t)((q[c] + 128) >> 8);
            low[c] = (int8_t)(q[c] - 256 * high[c]);
        }
    } else {
        for (int c = 0; c < QUANT_GROUP; c++) to[(c / 4 * j->rows + i) * 4 + c % 4] = (int16_t)q[c];
    }
}

static void load_inputs(void *arg, int row)
{
    const QuantJob *j = arg;
    int in = j->g->w->in, part = row / j->rows, i = row % j->rows;
    const T *x = (const T *)j->g->x + (int64_t)row * in;
    for (int g = 0; g < j->groups; g++) {
        int32_t q[QUANT_GROUP];
        int first = g * QUANT_GROUP, n = in - first < QUANT_GROUP ? in - first : QUANT_GROUP;
        scales_at(j, part, g)[i] = group_inputs(q, x + first, row < j->g->n ? n : 0);
        put_inputs(inputs_at(j, part, g), q, i, j);
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

enum { OUT_VECTORS = QUANT_OUTS / W };

/* The scales of a block's outputs. */
static inline void load_scales(Vf to[OUT_VECTORS], const char *block)
{
    for (int i = 0; i < OUT_VECTORS; i++) {
#if defined(__AVX512F__)
        Lanes u = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)block));
#else
        Lanes u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(block + 16 * i)));
#endif
        to[i] = (Vf)LANES(slli_epi32)(u, 16);
    }
}

/* The rows of a block of 4 bits in 8 bits. */
static inline void unpack_int4(int8_t *to, const char *from)
{
    const __m128i table = _mm_loadu_si128((const void *)QUANT_LEVEL);
    enum { HALF = QUANT_OUTS * QUANT_GROUP / 2, BYTES = 4 * W };
    for (int i = 0; i < HALF; i += BYTES) {
#if defined(__AVX512F__)
        Lanes v = _mm512_loadu_si512(from + i), levels = _mm512_broadcast_i32x4(table), low = _mm512_set1_epi8(15);
        Lanes a = _mm512_and_si512(v, low), b = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
#else
        Lanes v = _mm256_loadu_si256((const void *)(from + i)), levels = _mm256_broadcastsi128_si256(table);
        Lanes low = _mm256_set1_epi8(15), a = _mm256_and_si256(v, low);
        Lanes b = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
#endif
        store_lanes(to + i, LANES(shuffle_epi8)(levels, a));
        store_lanes(to + HALF + i, LANES(shuffle_epi8)(levels, b));
    }
}

/* ---- vectors: c[rows][QUANT_OUTS] += the block's product with a part of x, whose rows have these scales --------- */

enum { PAIR_VECTORS = 2 * OUT_VECTORS }; /* of the pairs of a row of 16 outputs and 4 inputs */

/* Sums of neighbouring lanes: pairs of the same output. */
static inline void add_neighbours(Lanes to[OUT_VECTORS], const Lanes v[PAIR_VECTORS])
{
#if defined(__AVX512F__)
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    to[0] = _mm512_add_epi32(_mm512_permutex2var_epi32(v[0], even, v[1]), _mm512_permutex2var_epi32(v[0], odd, v[1]));
#else
    for (int i = 0; i < 2; i++) to[i] = _mm256_permute4x64_epi64(_mm256_hadd_epi32(v[2 * i], v[2 * i + 1]), 0xd8);
#endif
}

static inline Lanes widen_bytes(const int8_t *p)
{
#if defined(__AVX512F__)
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)p));
#else
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)p));
#endif
}

static inline ALWAYS_INLINE void add_rows(float *c, const int8_t *w, const Vf ws[OUT_VECTORS], const int16_t *x,
                                          const float *scale, const int rows, int ldx)
{
    Lanes sum[QUANT_ROWS][PAIR_VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < PAIR_VECTORS; v++) sum[i][v] = LANES(set1_epi32)(0);
    for (int quad = 0; quad < QUADS; quad++, w += 4 * QUANT_OUTS, x += 4 * ldx) {
        Lanes wide[PAIR_VECTORS];
        for (int v = 0; v < PAIR_VECTORS; v++) wide[v] = widen_bytes(w + v * 2 * W);
        for (int i = 0; i < rows; i++) {
            Lanes xs = LANES(broadcastq_epi64)(_mm_loadl_epi64((const void *)(x + 4 * i)));
            for (int v = 0; v < PAIR_VECTORS; v++)
                sum[i][v] = LANES(add_epi32)(sum[i][v], LANES(madd_epi16)(wide[v], xs));
        }
    }
    for (int i = 0; i < rows; i++) {
        Lanes whole[OUT_VECTORS];
        add_neighbours(whole, sum[i]);
        for (int v = 0; v < OUT_VECTORS; v++) {
            float *to = c + i * QUANT_OUTS + v * W;
            Vf s = ws[v] * scale[i];
            LANES(storeu_ps)(to, LANES(fmadd_ps)(LANES(cvtepi32_ps)(whole[v]), s, LANES(loadu_ps)(to)));
        }
    }
}

static inline void add_block(float *c, const int8_t *w, const char *block, const int16_t *x, const float *scale,
                             int rows)
{
    Vf ws[OUT_VECTORS];
    load_scales(ws, block);
    int i = 0;
    for (; i + QUANT_ROWS <= rows; i += QUANT_ROWS)
        add_rows(c + i * QUANT_OUTS, w, ws, x + 4 * i, scale + i, QUANT_ROWS, rows);
    for (; i < rows; i++) add_rows(c + i * QUANT_OUTS, w, ws, x + 4 * i, scale + i, 1, rows);
}

/* ---- tiles: the same --------------------------------------------------------------------------------------------- */

#if BF16_TILES

/* 0 the sums, 1 both rows of x, 2 the block. */
static void quant_tiles(int rows)
{
    AmxConfig t = {.palette = 1};
    t.rows[0] = t.rows[1] = (uint8_t)(2 * rows);
    t.rows[2] = QUADS;
    t.row_bytes[0] = t.row_bytes[2] = 4 * QUANT_OUTS;
    t.row_bytes[1] = QUANT_GROUP;
    amx_configure(&t);
}

static inline void multiply_block(float *c, const int8_t *w, const char *block, const int16_t *x, const float *scale,
                                  int rows)
{
    _Alignas(64) int32_t sum[2 * QUANT_ROWS][QUANT_OUTS];
    Vf ws[OUT_VECTORS];
    load_scales(ws, block);
    amx_stored();
    _tile_zero(0);
    _tile_loadd(1, x, QUANT_GROUP);
    _tile_loadd(2, w, 4 * QUANT_OUTS);
    _tile_dpbssd(0, 1, 2);
    _tile_stored(0, sum, sizeof sum[0]);
    for (int i = 0; i < rows; i++) {
        float *to = c + i * QUANT_OUTS;
        Lanes v = _mm512_slli_epi32(_mm512_load_si512(sum[i]), 8);
        v = _mm512_add_epi32(v, _mm512_load_si512(sum[rows + i]));
        _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(v), ws[0] * scale[i], _mm512_loadu_ps(to)));
    }
}

#else

static void quant_tiles(int rows)
{
    (void)rows;
}

static inline void multiply_block(float *c, const int8_t *w, const char *block, const int16_t *x, const float *scale,
                                  int rows)
{
    add_block(c, w, block, x, scale, rows);
}

#endif

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

/* Outputs [QUANT_OUTS * b, ...). */
static void quant_block(const QuantJob *j, int b)
{
    const MatmulArgs *g = j->g;
    QuantType type = g->w->quant->type;
    int bytes = quant_block_bytes(type), o0 = b * QUANT_OUTS, outs = clip(g->w->out, o0, QUANT_OUTS);
    _Alignas(64) float c[ROWS][QUANT_OUTS] = {{0}};
    _Alignas(64) int8_t wide[QUANT_GROUP * QUANT_OUTS];
    const char *block = (const char *)g->w->quant->data + (int64_t)b * j->groups * bytes;
    for (int i = 0; i < j->groups; i++, block += bytes) {
        const int8_t *w = (const int8_t *)block + QUANT_SCALES;
        for (int p = 0; p < bytes; p += 64) __builtin_prefetch(block + QUANT_AHEAD + p, 0, 2);
        if (type == QUANT_INT4) {
            unpack_int4(wide, block + QUANT_SCALES);
            w = wide;
        }
        for (int part = 0; part < j->parts; part++) {
            float *to = c[part * j->rows], *scale = scales_at(j, part, i);
            if (j->tiles) multiply_block(to, w, block, inputs_at(j, part, i), scale, j->rows);
            else add_block(to, w, block, inputs_at(j, part, i), scale, j->rows);
        }
    }
    for (int i = 0; j->extra && i < g->n; i++)
        for (int o = 0; o < outs; o++) c[i][o] += j->extra[(int64_t)i * g->w->out + o0 + o];
    store_outs(g, c[0], QUANT_OUTS, o0, outs);
}

static void quant_task(void *arg, int task)
{
    const QuantJob *j = arg;
    int lo, hi;
    pool_slice(quant_blocks(j->g->w->out), j->tasks, task, 1, &lo, &hi);
    if (j->tiles) quant_tiles(j->rows);
    for (int b = lo; b < hi; b++) quant_block(j, b);
    if (j->tiles) amx_end();
}

/* At most ROWS rows. */
static void quant_rows(const MatmulArgs *g, const float *extra)
{
    QuantJob j = {.g = g, .groups = quant_groups(g->w->in), .tiles = BF16_TILES && g->n > 1, .extra = extra};
    j.tasks = task_count((int64_t)quant_bytes(g->w->quant->type, g->w->out, g->w->in));
    j.rows = g->n < QUANT_ROWS ? g->n : QUANT_ROWS;
    j.parts = (g->n + j.rows - 1) / j.rows;
    size_t groups = (size_t)(j.parts * j.rows) * (size_t)j.groups, inputs = groups * QUANT_GROUP;
    j.x = xmalloc(inputs * sizeof *j.x + groups * sizeof *j.scale);
    j.scale = (float *)(void *)(j.x + inputs);
    pool_run(j.parts * j.rows, load_inputs, &j);
    pool_run(j.tasks, quant_task, &j);
    free(j.x);
}

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
