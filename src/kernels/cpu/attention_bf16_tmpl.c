/*
 * attention_bf16_tmpl.c - attention in bf16 on machines that multiply pairs or tiles of bf16, forward and backward,
 * without a matrix of scores in memory.  attention_tmpl.c is the same in f32, for all others.
 *
 * Blocks of up to COLS columns (attention_blocks.h) meet keys in tiles of up to KEYS rows.  Columns lie along the vector
 * lanes, PANEL_N of them in a panel, so that every product is c[m, PANEL_N] = a b:
 *
 *   forward            a             b               backward           a             b
 *   s^T [keys, cols]   k             q by columns    s^T [keys, cols]   k             q by columns
 *   o^T [hd, cols]     v^T           p               dp^T [keys, cols]  v             do by columns
 *                                                    dq^T [hd, cols]    k^T           ds
 *                                                    dk [keys, hd]      ds            q
 *                                                    dv [keys, hd]      p             do
 *
 * and maxima and sums over keys need no shuffles.  Operands a are bands (below), operands b the panels of micro.h.
 * Depth is padded with zeros to a multiple of 32.  Scores, statistics and sums are f32; p and ds are rounded to bf16 for
 * their products.
 *
 * A tile of keys is packed once for the block and lies in L2; it meets the block panel by panel.  What is written all the
 * time, scores, p and one panel of o^T or dq^T, is small enough to stay in L1: tiles stored to L2 cost four times as
 * much.
 *
 * Forward: online softmax (Milakov and Gimelshein 2018; Dao et al. 2022).  With a few columns (one decoded token), a
 * long range of keys is cut into pieces that are combined by their lse.  Backward: the probabilities again from lse.
 */
#include "kernels/cpu/attention_bf16.h"
#include "kernels/cpu/attention_sums.h"

/* ---- forward ----------------------------------------------------------------------------------------------------- */

typedef struct Forward {
    Columns c;
    Keys keys;
    _Alignas(64) Word q[COLS_AREA / 2]; /* panels [hdk, PANEL_N] */
    _Alignas(64) float o[COLS_AREA];    /* [panel][hdk][PANEL_N] */
    _Alignas(64) float s[STRIP * PANEL_N];
    _Alignas(64) Word p[RUN / 2 * PANEL_N];
    _Alignas(64) float max[COLS], sum[COLS]; /* the maximum before scaling: see softmax_strip */
} Forward;

static void forward_init(Forward *f, const Attention *t, const Block *b, int kv)
{
    _Alignas(64) T rows[PANEL_N * MAX_HD];
    int hdk = t->hdk;
    columns_init(&f->c, t->a, b, kv, PANEL_N);
    for (int c = 0; c < f->c.padded; c += PANEL_N) {
        int n = b->n - c < PANEL_N ? b->n - c : PANEL_N;
        copy_rows(rows, hdk, 32, t->q, f->c.q + c, n, PANEL_N, t->a->hd);
        pack_by_columns(f->q + c * hdk / 2, rows, hdk);
    }
    for (int c = 0; c < f->c.padded; c++) f->max[c] = HIDDEN, f->sum[c] = 0;
}

/* A strip of a tile of keys and a panel: n keys from j on; columns from c on, 16 or 32.  Keys before `from` are in o
   already. */
typedef struct Place {
    int c, wide, j, n, from;
    bool first; /* tile of the block: nothing is in the sums yet */
} Place;

/* o += v^T p of keys [from, end). */
static void add_values(Forward *f, const Attention *t, Place *at, int end)
{
    const Word *p = f->p + word_at(at->from % RUN / 2, 0);
    add_turned(f->o, t, &f->keys, at->from, end - at->from, p, at->c, at->wide, !at->first || at->from > 0);
    at->from = end;
}

enum { MOST = 8 }; /* p may grow to 2^MOST */

/*
 * Sets the maximum of those of 16 columns whose p would grow too large to that of the scores of a strip, at the start of
 * all; what was summed under the old one is multiplied accordingly.  A column is judged by its own scores alone, so that
 * its bits do not depend on who stands beside it.
 */
static void raise_maximum(Forward *f, const Attention *t, Place *at, int v)
{
    const float scale = t->a->scale * LOG2_E;
    float *now = f->max + at->c + v, *sum = f->sum + at->c + v, *o = f->o + at->c * t->hdk + v;
    __m512 old = _mm512_loadu_ps(now), max = old;
    for (int j = 0; j < at->n; j++) max = _mm512_max_ps(_mm512_loadu_ps(f->s + j * PANEL_N + v), max);
    bool start = at->first && at->j == 0;
    __mmask16 raise = _mm512_cmp_ps_mask(max, _mm512_add_ps(old, _mm512_set1_ps(MOST / scale)), _CMP_GT_OQ);
    if (!start) max = _mm512_mask_mov_ps(old, raise, max);
    _mm512_storeu_ps(now, max);
    if (start) return;
    Exp2 e = exp2_init();
    __m512 shrink = exp2_vector(&e, _mm512_mul_ps(_mm512_sub_ps(old, max), _mm512_set1_ps(scale)));
    if (at->from < at->j) add_values(f, t, at, at->j);
    _mm512_storeu_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(sum), shrink));
    for (int d = 0; d < t->a->hd; d++, o += PANEL_N) _mm512_storeu_ps(o, _mm512_mul_ps(_mm512_loadu_ps(o), shrink));
}

/*
 * p = exp(scale (s - max)) = 2^(to_2 s - shift) of a strip and 16 columns.  Any max will do that keeps p in range, so it
 * stays until a p exceeds 2^8: then the result is false, and nothing is summed unless `force`.
 */
static bool softmax_columns(Forward *f, const Attention *t, const Place *at, int v, bool force)
{
    const float scale = t->a->scale * LOG2_E, *s = f->s + v;
    Word *p = f->p + word_at(at->j % RUN / 2, v);
    Exp2 e = exp2_init();
    __m512 max = _mm512_loadu_ps(f->max + at->c + v), sum = _mm512_loadu_ps(f->sum + at->c + v);
    __m512 to_2 = _mm512_set1_ps(scale), shift = _mm512_mul_ps(max, to_2);
    __m512 limit = _mm512_add_ps(max, _mm512_set1_ps(MOST / scale));
    __mmask16 below = 0xffff; /* columns none of whose scores exceeds the limit */
    for (int j = 0; j < at->n; j += 2, s += 2 * PANEL_N) {
        __m512 low = _mm512_loadu_ps(s), high = _mm512_loadu_ps(s + PANEL_N);
        below = _mm512_mask_cmp_ps_mask(below, low, limit, _CMP_LE_OQ);
        below = _mm512_mask_cmp_ps_mask(below, high, limit, _CMP_LE_OQ);
        low = exp2_vector(&e, _mm512_fmsub_ps(low, to_2, shift));
        high = exp2_vector(&e, _mm512_fmsub_ps(high, to_2, shift));
        sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
        _mm512_storeu_si512(p + word_at(j / 2, 0), to_words(low, high));
    }
    if (below != 0xffff && !force) return false;
    _mm512_storeu_ps(f->sum + at->c + v, sum);
    return true;
}

/* The panel at c and all it sees of the tile of keys from k0 on. */
static void forward_panel(Forward *f, const Attention *t, int c, int k0, bool first)
{
    int n = panel_keys(&f->c, c, &f->keys, k0);
    Place at = {.c = c, .wide = f->c.n - c > 16 ? 32 : 16, .first = first};
    for (; at.j < n; at.j += STRIP) {
        at.n = n - at.j < STRIP ? n - at.j : STRIP;
        make_scores(f->s, t, f->keys.k, at.j, at.n, f->q, c, at.wide);
        if (f->c.seen[c] < k0 + at.j + at.n) hide_scores(f->s, f->c.seen + c, k0 + at.j, at.n);
        for (int v = 0; v < at.wide; v += 16) {
            bool start = first && at.j == 0;
            if (start) raise_maximum(f, t, &at, v);
            if (softmax_columns(f, t, &at, v, start)) continue;
            raise_maximum(f, t, &at, v);
            softmax_columns(f, t, &at, v, true);
        }
        if (at.j + at.n == n || (at.j + at.n) % RUN == 0) add_values(f, t, &at, at.j + at.n);
    }
}

static size_t piece_size(const AttnArgs *a)
{
    return PANEL_N * (size_t)(a->hd + 1);
}

static float *piece_of(const Attention *t, int block, int kv)
{
    return t->pieces + (size_t)(block * t->a->hk + kv) * piece_size(t->a);
}

/* o and lse to where they belong, or to the piece's own place: o [n][hd], then lse. */
static void forward_finish(const Forward *f, const Attention *t, int block, int kv)
{
    const Block *b = &t->block[block];
    int hd = t->a->hd;
    float factor[COLS], *piece = b->whole ? NULL : piece_of(t, block, kv);
    for (int c = 0; c < f->c.padded; c++) factor[c] = 1 / f->sum[c];
    Rows rows = {.to = t->out, .at = f->c.stat, .by = hd, .f32 = piece};
    for (int c = 0; c < b->n; c += PANEL_N)
        store_columns(&rows, f->o + c * t->hdk, factor + c, c, b->n - c < PANEL_N ? b->n - c : PANEL_N, hd);
    for (int c = 0; c < b->n; c++) {
        float lse = f->max[c] * t->a->scale + logf(f->sum[c]);
        if (piece) piece[b->n * hd + c] = lse;
        else t->out_lse[f->c.stat[c]] = lse;
    }
}

static void forward_task(void *arg, int task)
{
    const Attention *t = arg;
    int block = t->n_block - 1 - task / t->a->hk, kv = task % t->a->hk; /* the last see most keys: they go first */
    const Block *b = &t->block[block];
    Forward f;
    keys_init(&f.keys, t, b, kv);
    amx_begin();
    forward_init(&f, t, b, kv);
    for (int k0 = b->key; k0 < b->key_end; k0 += t->keys) {
        keys_load(&f.keys, t, kv, b->key_end - k0, false);
        int panels = f.c.padded / PANEL_N, share = ceil_div(f.keys.n_next, panels);
        for (int c = 0; c < f.c.padded; c += PANEL_N) {
            keys_fetch(&f.keys, t, kv, share);
            forward_panel(&f, t, c, k0, k0 == b->key);
        }
    }
    amx_end();
    forward_finish(&f, t, block, kv);
}

/* Task: the pieces of a block, from the first on: lse = log sum exp lse_i, o = sum exp(lse_i - lse) o_i. */
static void combine_task(void *arg, int task)
{
    const Attention *t = arg;
    int block = task / t->a->hk, kv = task % t->a->hk, hd = t->a->hd, n = 0;
    const Block *b = &t->block[block];
    if (b->whole || b->piece) return;
    Columns columns;
    columns_init(&columns, t->a, b, kv, 1);
    while (block + n < t->n_block && b[n].seg == b->seg) n++;
    for (int c = 0; c < b->n; c++) {
        float max = -INFINITY, sum = 0, o[MAX_HD] = {0};
        for (int i = 0; i < n; i++) max = fmaxf(max, piece_of(t, block + i, kv)[b->n * hd + c]);
        for (int i = 0; i < n; i++) {
            const float *piece = piece_of(t, block + i, kv);
            float weight = exp_f32(piece[b->n * hd + c] - max);
            sum += weight;
            for (int d = 0; d < hd; d++) o[d] += weight * piece[c * hd + d];
        }
        T *to = t->out + columns.stat[c] * hd;
        for (int d = 0; d < hd; d++) put(to, d, o[d] / sum);
        t->out_lse[columns.stat[c]] = max + logf(sum);
    }
}

static void attention_fwd(void *o, float *lse, const void *q, const void *k, const void *v, const AttnArgs *a)
{
    Attention t = attention_init(a, q, k, v);
    Cut cut = {.cols = t.cols, .few = 1, .piece = PIECE};
    Block *block = blocks_list(a, &cut, &t.n_block);
    bool pieces = false;
    for (int i = 0; i < t.n_block; i++) pieces |= !block[i].whole;
    t.block = block;
    t.out = o;
    t.out_lse = lse;
    if (pieces) t.pieces = xmalloc(sizeof *t.pieces * piece_size(a) * (size_t)(t.n_block * a->hk));
    pool_run(t.n_block * a->hk, forward_task, &t);
    if (pieces) pool_run(t.n_block * a->hk, combine_task, &t);
    free(t.pieces);
    free(block);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

typedef struct Backward {
    Columns c;
    Keys keys;
    _Alignas(64) Word q[COLS_AREA / 2], d_o[COLS_AREA / 2];             /* by columns: panels [hdk, PANEL_N] */
    _Alignas(64) Word q_pairs[COLS_AREA / 2], d_o_pairs[COLS_AREA / 2]; /* panels [cols, PANEL_N], for PANEL_N of hd */
    _Alignas(64) float dq[COLS_AREA];                                   /* [panel][hdk][PANEL_N] */
    _Alignas(64) float s[STRIP * PANEL_N], dp[STRIP * PANEL_N];
    _Alignas(64) T p[KEYS * COLS], ds[KEYS * COLS]; /* bands [n, cols] */
    _Alignas(64) Word ds_pairs[RUN / 2 * PANEL_N];
    _Alignas(64) float lse[COLS], delta[COLS]; /* lse / ln 2; do . o */
} Backward;

static void backward_init(Backward *w, const Attention *t, const Block *b, int kv)
{
    _Alignas(64) T rows[PANEL_N * MAX_HD];
    int hd = t->a->hd, hdk = t->hdk;
    columns_init(&w->c, t->a, b, kv, PANEL_N);
    for (int c = 0; c < w->c.padded; c += PANEL_N) {
        int n = b->n - c < PANEL_N ? b->n - c : PANEL_N;
        int64_t at[PANEL_N];
        for (int i = 0; i < n; i++) at[i] = w->c.stat[c + i] * hd;
        copy_rows(rows, hdk, 32, t->q, w->c.q + c, n, PANEL_N, hd);
        pack_by_columns(w->q + c * hdk / 2, rows, hdk);
        pack_pairs(w->q_pairs + c / 2 * PANEL_N, t->cols / 2 * PANEL_N, rows, hdk);
        copy_rows(rows, hdk, 32, t->d_o, at, n, PANEL_N, hd);
        pack_by_columns(w->d_o + c * hdk / 2, rows, hdk);
        pack_pairs(w->d_o_pairs + c / 2 * PANEL_N, t->cols / 2 * PANEL_N, rows, hdk);
        for (int i = 0; i < PANEL_N; i++) {
            float sum = 0;
            for (int d = 0; d < hd && i < n; d++) sum += get(t->o + at[i], d) * get(rows + i * hdk, d);
            w->delta[c + i] = sum;
            w->lse[c + i] = i < n ? t->lse[w->c.stat[c + i]] * LOG2_E : 0;
        }
    }
}

/* p = exp(scale s - lse) and ds = p (dp - delta), which is short of a factor scale, of n keys and the panel at c: both as
   rows of tiles, ds also as the words of a panel. */
static void make_gradients(Backward *w, const Attention *t, int c, int n, T *p, T *ds, int lda, Word *ds_pairs)
{
    Exp2 e = exp2_init();
    __m512 to_2 = _mm512_set1_ps(t->a->scale * LOG2_E), lse[2], delta[2];
    for (int v = 0; v < 2; v++) {
        lse[v] = _mm512_loadu_ps(w->lse + c + 16 * v);
        delta[v] = _mm512_loadu_ps(w->delta + c + 16 * v);
    }
    for (int j = 0; j < n; j += 2) {
        __m512 y[2][2];
        for (int r = 0; r < 2; r++) {
            const float *s = w->s + (j + r) * PANEL_N, *dp = w->dp + (j + r) * PANEL_N;
            __m512 x[2];
            for (int v = 0; v < 2; v++) {
                x[v] = exp2_vector(&e, _mm512_fmsub_ps(_mm512_loadu_ps(s + 16 * v), to_2, lse[v]));
                y[r][v] = _mm512_mul_ps(x[v], _mm512_sub_ps(_mm512_loadu_ps(dp + 16 * v), delta[v]));
            }
            int at = j / BAND * lda + (j % BAND + r) * 32;
            _mm512_storeu_si512(p + at, to_bf16(x[0], x[1]));
            _mm512_storeu_si512(ds + at, to_bf16(y[r][0], y[r][1]));
        }
        for (int v = 0; v < 2; v++) _mm512_storeu_si512(ds_pairs + word_at(j / 2, 16 * v), to_words(y[0][v], y[1][v]));
    }
}

/* Where the tile of p or ds for key j and the panel at c lies. */
static int tile_at(const Attention *t, int j, int c)
{
    return j * t->cols + c * BAND;
}

/* p and ds of keys that the panel at c does not see. */
static void clear_unseen(Backward *w, const Attention *t, int c, int j)
{
    for (; j < w->keys.n; j += BAND) {
        memset(w->p + tile_at(t, j, c), 0, sizeof *w->p * BAND * 32);
        memset(w->ds + tile_at(t, j, c), 0, sizeof *w->ds * BAND * 32);
    }
}

/* p, ds and dq of the panel at c and the tile of keys from k0 on. */
static void backward_panel(Backward *w, const Attention *t, int c, int k0)
{
    int n = panel_keys(&w->c, c, &w->keys, k0), from = 0;
    for (int j = 0; j < n; j += STRIP) {
        int some = n - j < STRIP ? n - j : STRIP, at = tile_at(t, j, c), end = j + some;
        make_scores(w->s, t, w->keys.k, j, some, w->q, c, PANEL_N);
        make_scores(w->dp, t, w->keys.v, j, some, w->d_o, c, PANEL_N);
        if (w->c.seen[c] < k0 + end) hide_scores(w->s, w->c.seen + c, k0 + j, some);
        make_gradients(w, t, c, some, w->p + at, w->ds + at, BAND * t->cols, w->ds_pairs + word_at(j % RUN / 2, 0));
        if (end < n && end % RUN > 0) continue;
        add_turned(w->dq, t, &w->keys, from, end - from, w->ds_pairs, c, PANEL_N, k0 > 0 || from > 0);
        from = end;
    }
    clear_unseen(w, t, c, n);
}

/* The tile's share of dk = scale ds q and dv = p do, of the columns from c on, into the sums; n keys. */
static void add_keys(const KeySums *s, float *sums, const Backward *w, int c, int n)
{
    const Attention *t = s->arg;
    _Alignas(64) float sum[2][STRIP * PANEL_N];
    const float factor[2] = {t->a->scale, 1};
    for (int j = 0; j < n; j += STRIP) {
        int a = tile_at(t, j, c), rows = w->keys.n - j < STRIP ? w->keys.n - j : STRIP;
        for (int d = 0; d < s->hdp; d += PANEL_N) {
            int b = (d * t->cols + c * PANEL_N) / 2, depth = w->c.padded - c;
            product(sum[0], w->ds + a, BAND * t->cols, w->q_pairs + b, depth, rows, PANEL_N, false);
            product(sum[1], w->p + a, BAND * t->cols, w->d_o_pairs + b, depth, rows, PANEL_N, false);
            for (int i = 0; i < rows && j + i < n; i++)
                for (int half = 0; half < 2; half++) {
                    float *restrict to = sums + (2 * (int64_t)s->slot[w->keys.row[j + i]] + half) * s->hdp + d;
                    const float *restrict from = sum[half] + i * PANEL_N;
                    for (int k = 0; k < PANEL_N; k++) to[k] += factor[half] * from[k];
                }
        }
    }
}

static void backward_block(const KeySums *s, const Block *b, int kv, float *sums)
{
    const Attention *t = s->arg;
    Backward w;
    keys_init(&w.keys, t, b, kv);
    amx_begin();
    backward_init(&w, t, b, kv);
    for (int k0 = 0; k0 < b->key_end; k0 += t->keys) {
        int left = b->key_end - k0;
        keys_load(&w.keys, t, kv, left, true);
        int c = 0, panels = w.c.padded / PANEL_N, share = ceil_div(w.keys.n_next, panels);
        while (panel_keys(&w.c, c, &w.keys, k0) == 0) c += PANEL_N;
        for (int panel = c; panel < w.c.padded; panel += PANEL_N) {
            keys_fetch(&w.keys, t, kv, share);
            backward_panel(&w, t, panel, k0);
        }
        add_keys(s, sums, &w, c, left < t->keys ? left : t->keys);
    }
    amx_end();
    float factor[PANEL_N];
    for (int c = 0; c < PANEL_N; c++) factor[c] = t->a->scale;
    Rows rows = {.to = t->dq, .at = w.c.q, .by = 1, .accumulate = true};
    for (int c = 0; c < b->n; c += PANEL_N)
        store_columns(&rows, w.dq + c * t->hdk, factor, c, b->n - c < PANEL_N ? b->n - c : PANEL_N, t->a->hd);
}

static void attention_bwd(void *dq, void *dk, void *dv, const void *d_o, const void *o, const float *lse, const void *q,
                          const void *k, const void *v, const AttnArgs *a)
{
    Attention t = attention_init(a, q, k, v);
    Cut cut = {.cols = t.cols};
    t.d_o = d_o;
    t.o = o;
    t.lse = lse;
    t.dq = dq;
    KeySums s = sums_init(a, &cut, dk, dv, backward_block, &t);
    sums_run(&s);
    sums_release(&s);
}

void FN(kernels_fill_attention)(Kernels *k)
{
    k->attention_fwd = attention_fwd;
    k->attention_bwd = attention_bwd;
}
