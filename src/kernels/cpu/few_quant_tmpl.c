/*
 * few_quant_tmpl.c - products of few rows with a weight's copy in fewer bits.
 *
 * Blocks of the copy (kernels/quant.h) are streamed and multiplied as they are, in integers.
 *
 *   tiles     for more than one row: a block is the right operand as it lies; the 16 bits of x are two rows of 8,
 *             x = 256 high + low
 *   vectors   pairs of products in 16 bits are summed in 32 (vpmaddwd)
 *
 * Integer sums are exact, so they may be taken in any order; what is added in f32 follows quant_dot to the bit.
 */
#include "kernels/cpu/few.h"
#include "kernels/quant.h"

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

void FN(matmul_few_quant)(const MatmulArgs *g, const float *extra)
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
