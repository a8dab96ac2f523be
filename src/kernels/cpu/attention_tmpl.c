/*
 * attention_tmpl.c - attention in tiles, forward and backward, without a matrix of scores in memory.
 *
 * Blocks of up to COLS columns (attention_blocks.h) meet keys in tiles of KEYS rows.  Everything that belongs to a column
 * lies along the vector lanes:
 *
 *   q^T [hd, COLS]    s^T [KEYS, COLS] = K q^T    softmax down the rows of s^T    o^T [hd, COLS] += V^T p^T
 *
 * so that row maxima and sums need no shuffles, one decoded token fills the lanes with its heads, and every product has
 * the shape of tile_multiply.  Keys are copied to f32 and across the spans of the segment.
 *
 * Forward: online softmax (Milakov and Gimelshein 2018; Dao et al. 2022), one task per block and kv head.  Backward:
 * the probabilities again from lse; dq is summed over tiles as dq^T.
 */
#include "kernels/cpu/attention_sums.h"
#include "kernels/cpu/tile.h"

enum { COLS = 64, KEYS = 64 };

typedef struct Attention { /* a kernel's arguments, for its tasks */
    const AttnArgs *a;
    const T *q, *k, *v;
    int hdp;            /* hd rounded up to W */
    const Block *block; /* forward */
    T *out;
    float *out_lse;
    const T *d_o, *o; /* backward */
    const float *lse;
    T *dq;
} Attention;

static Attention attention_init(const AttnArgs *a, const void *q, const void *k, const void *v)
{
    CHECK(a->hd <= MAX_HD, "attention: heads of %d; at most %d", a->hd, MAX_HD);
    return (Attention){.a = a, .q = q, .k = k, .v = v, .hdp = round_up(a->hd, W)};
}

/* rows [c][hdp], from[at[c] * by], of a block's columns, and their transpose [hd][COLS]; zeros in the padding. */
static void load_columns(float *restrict rows, float *restrict transposed, const Attention *t, const Columns *b,
                         const T *from, const int64_t *at, int by)
{
    int hdp = t->hdp;
    for (int c = 0; c < b->padded; c++) {
        if (c < b->n) load_row(rows + c * hdp, from + at[c] * by, t->a->hd, hdp);
        else memset(rows + c * hdp, 0, sizeof *rows * (size_t)hdp);
    }
    for (int d = 0; d < t->a->hd; d++)
        for (int c = 0; c < b->padded; c++) transposed[d * COLS + c] = rows[c * hdp + d];
}

/* The next n keys as rows [KEYS][hdp] of k and v; row[j] where key j lies. */
static void load_keys(float *restrict k, float *restrict v, int *row, KeyCursor *cur, const Attention *t, int kv, int n)
{
    const AttnArgs *a = t->a;
    keys_next(cur, row, n);
    for (int i = 0; i < n; i++) {
        load_row(k + i * t->hdp, t->k + (int64_t)row[i] * a->ldk + kv * a->hd, a->hd, t->hdp);
        load_row(v + i * t->hdp, t->v + (int64_t)row[i] * a->ldv + kv * a->hd, a->hd, t->hdp);
    }
}

/* c [m][ldc] (+)= a b over depth k; a(i, p) = a[i * ra + p * ca]. */
static void multiply(float *c, int ldc, const float *a, int ra, int ca, const float *b, int ldb, int m, int n, int k,
                     bool accumulate)
{
    if (!accumulate)
        for (int i = 0; i < m; i++) memset(c + i * ldc, 0, sizeof *c * (size_t)n);
    tile_multiply(&(Tile){.c = c, .a = a, .b = b, .ldc = ldc, .ra = ra, .ca = ca, .ldb = ldb, .m = m, .n = n, .k = k});
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

typedef struct Forward {
    _Alignas(64) float q[COLS * MAX_HD], qt[MAX_HD * COLS], ot[MAX_HD * COLS], k[KEYS * MAX_HD], v[KEYS * MAX_HD];
    float s[KEYS * COLS];
    float max[COLS], sum[COLS], shrink[COLS];
    int row[KEYS];
    Columns c;
} Forward;

/* s = scale s, and minus infinity where a column does not see key k0 + j. */
static void mask_scores(float *s, const Columns *b, int k0, int nk, float scale)
{
    for (int j = 0; j < nk; j++) {
        float *restrict x = s + j * COLS;
        const int *restrict seen = b->seen;
        for (int c = 0; c < b->padded; c++) x[c] = k0 + j < seen[c] ? x[c] * scale : -INFINITY;
    }
}

/* Turns scores into exp(s - max) with the running maximum; what was summed under the old one is to be shrunk. */
static void softmax_tile(Forward *f, int lanes, int nk)
{
    float old[COLS];
    for (int c = 0; c < lanes; c++) old[c] = f->max[c];
    for (int j = 0; j < nk; j++)
        for (int c = 0; c < lanes; c++) f->max[c] = f->s[j * COLS + c] > f->max[c] ? f->s[j * COLS + c] : f->max[c];
    for (int c = 0; c < lanes; c++) {
        f->shrink[c] = exp_f32(old[c] - f->max[c]);
        f->sum[c] *= f->shrink[c];
    }
    for (int j = 0; j < nk; j++)
        for (int c = 0; c < lanes; c++) f->s[j * COLS + c] = exp_f32(f->s[j * COLS + c] - f->max[c]);
    /* one key after the other: the compiler may not take two at a time, and nk depends on the other columns */
    for (int c = 0; c < lanes; c += W) {
        Vf sum = vf_load(f->sum + c);
        for (int j = 0; j < nk; j++) sum += vf_load(f->s + j * COLS + c);
        vf_store(f->sum + c, sum);
    }
}

static void store_forward(const Attention *t, const Forward *f)
{
    int hd = t->a->hd;
    for (int c = 0; c < f->c.n; c++) {
        T *o = t->out + f->c.stat[c] * hd;
        float inv = 1 / f->sum[c];
        for (int d = 0; d < hd; d++) put(o, d, f->ot[d * COLS + c] * inv);
        t->out_lse[f->c.stat[c]] = f->max[c] + logf(f->sum[c]);
    }
}

static void forward_task(void *arg, int task)
{
    const Attention *t = arg;
    const Block *b = &t->block[task / t->a->hk];
    int hd = t->a->hd, kv = task % t->a->hk;
    KeyCursor cur = keys_begin(t->a, b->seg, 0);
    Forward f;
    columns_init(&f.c, t->a, b, kv, W);
    load_columns(f.q, f.qt, t, &f.c, t->q, f.c.q, 1);
    memset(f.ot, 0, sizeof *f.ot * (size_t)(hd * COLS));
    for (int c = 0; c < f.c.padded; c++) f.max[c] = -INFINITY, f.sum[c] = 0;
    for (int k0 = 0; k0 < b->key_end; k0 += KEYS) {
        int nk = b->key_end - k0 < KEYS ? b->key_end - k0 : KEYS;
        load_keys(f.k, f.v, f.row, &cur, t, kv, nk);
        multiply(f.s, COLS, f.k, t->hdp, 1, f.qt, COLS, nk, f.c.padded, hd, false);
        mask_scores(f.s, &f.c, k0, nk, t->a->scale);
        softmax_tile(&f, f.c.padded, nk);
        for (int d = 0; d < hd; d++)
            for (int c = 0; c < f.c.padded; c++) f.ot[d * COLS + c] *= f.shrink[c];
        multiply(f.ot, COLS, f.v, 1, t->hdp, f.s, COLS, hd, f.c.padded, nk, true);
    }
    store_forward(t, &f);
}

static void attention_fwd(void *o, float *lse, const void *q, const void *k, const void *v, const AttnArgs *a)
{
    Attention t = attention_init(a, q, k, v);
    int n;
    Block *block = blocks_list(a, &(Cut){.cols = COLS}, &n);
    t.block = block;
    t.out = o;
    t.out_lse = lse;
    pool_run(n * a->hk, forward_task, &t);
    free(block);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

typedef struct Backward { /* tiles of one block */
    _Alignas(64) float q[COLS * MAX_HD], qt[MAX_HD * COLS], d_o[COLS * MAX_HD], dot[MAX_HD * COLS], dqt[MAX_HD * COLS];
    float k[KEYS * MAX_HD], v[KEYS * MAX_HD], dk[KEYS * MAX_HD], dv[KEYS * MAX_HD];
    float p[KEYS * COLS], ds[KEYS * COLS];
    float lse[COLS], delta[COLS];
    int row[KEYS];
    Columns c;
} Backward;

/* p = exp(scale s - lse) where seen, else 0; ds = p (dp - delta) scale. On entry p holds s and ds holds dp. */
static void score_gradients(Backward *w, int k0, int nk, float scale)
{
    for (int j = 0; j < nk; j++) {
        float *restrict p = w->p + j * COLS, *restrict ds = w->ds + j * COLS;
        const float *restrict lse = w->lse, *restrict delta = w->delta;
        const int *restrict seen = w->c.seen;
        for (int c = 0; c < w->c.padded; c++) {
            float x = k0 + j < seen[c] ? exp_f32(p[c] * scale - lse[c]) : 0;
            p[c] = x;
            ds[c] = x * (ds[c] - delta[c]) * scale;
        }
    }
}

/* lse and delta = do . o of every column; the padding takes no part because its rows of q and do are zero. */
static void load_statistics(Backward *w, const Attention *t)
{
    for (int c = 0; c < w->c.padded; c++) {
        int real = c < w->c.n ? c : w->c.n - 1;
        const T *o = t->o + w->c.stat[real] * t->a->hd;
        const float *d_o = w->d_o + real * t->hdp;
        float sum = 0;
        for (int d = 0; d < t->a->hd; d++) sum += get(o, d) * d_o[d];
        w->delta[c] = sum;
        w->lse[c] = t->lse[w->c.stat[real]];
    }
}

/* The tile's dk and dv into the sums. */
static void add_keys(const KeySums *s, float *sums, const Backward *w, int hdp, int nk)
{
    for (int i = 0; i < nk; i++) {
        float *restrict dk = sums + 2 * (int64_t)s->slot[w->row[i]] * s->hdp, *restrict dv = dk + s->hdp;
        for (int d = 0; d < hdp; d++) dk[d] += w->dk[i * hdp + d];
        for (int d = 0; d < hdp; d++) dv[d] += w->dv[i * hdp + d];
    }
}

static void backward_block(const KeySums *s, const Block *b, int kv, float *sums)
{
    Backward w;
    const Attention *t = s->arg;
    int hd = t->a->hd, hdp = t->hdp;
    KeyCursor cur = keys_begin(t->a, b->seg, 0);
    columns_init(&w.c, t->a, b, kv, W);
    load_columns(w.q, w.qt, t, &w.c, t->q, w.c.q, 1);
    load_columns(w.d_o, w.dot, t, &w.c, t->d_o, w.c.stat, hd);
    load_statistics(&w, t);
    memset(w.dqt, 0, sizeof *w.dqt * (size_t)(hd * COLS));
    for (int k0 = 0; k0 < b->key_end; k0 += KEYS) {
        int nk = b->key_end - k0 < KEYS ? b->key_end - k0 : KEYS;
        load_keys(w.k, w.v, w.row, &cur, t, kv, nk);
        multiply(w.p, COLS, w.k, hdp, 1, w.qt, COLS, nk, w.c.padded, hd, false);
        multiply(w.ds, COLS, w.v, hdp, 1, w.dot, COLS, nk, w.c.padded, hd, false);
        score_gradients(&w, k0, nk, t->a->scale);
        multiply(w.dqt, COLS, w.k, 1, hdp, w.ds, COLS, hd, w.c.padded, nk, true);
        multiply(w.dk, hdp, w.ds, COLS, 1, w.q, hdp, nk, hdp, b->n, false);
        multiply(w.dv, hdp, w.p, COLS, 1, w.d_o, hdp, nk, hdp, b->n, false);
        add_keys(s, sums, &w, hdp, nk);
    }
    for (int c = 0; c < b->n; c++) {
        T *dq = t->dq + w.c.q[c];
        for (int d = 0; d < hd; d++) put(dq, d, get(dq, d) + w.dqt[d * COLS + c]);
    }
}

static void attention_bwd(void *dq, void *dk, void *dv, const void *d_o, const void *o, const float *lse, const void *q,
                          const void *k, const void *v, const AttnArgs *a)
{
    Attention t = attention_init(a, q, k, v);
    t.d_o = d_o;
    t.o = o;
    t.lse = lse;
    t.dq = dq;
    KeySums s = sums_init(a, &(Cut){.cols = COLS}, dk, dv, backward_block, &t);
    sums_run(&s);
    sums_release(&s);
}

void FN(kernels_fill_attention)(Kernels *k)
{
    k->attention_fwd = attention_fwd;
    k->attention_bwd = attention_bwd;
}
