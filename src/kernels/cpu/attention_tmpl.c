/*
 * attention_tmpl.c - attention in tiles, forward and backward, without a matrix of scores in memory.
 *
 * The query heads that share a kv head are treated together: a column is one pair (query, head), query-major, and a
 * block is up to COLS columns of a segment.  Everything that belongs to a column lies along the vector lanes:
 *
 *   q^T [hd, COLS]    s^T [KEYS, COLS] = K q^T    softmax down the rows of s^T    o^T [hd, COLS] += V^T p^T
 *
 * so that row maxima and sums need no shuffles, one decoded token fills the lanes with its heads, and every product has
 * the shape of tile_multiply.  Keys come in tiles of KEYS rows, copied to f32 and across the spans of the segment.
 *
 * Forward: online softmax (Milakov and Gimelshein 2018; Dao et al. 2022), one task per block and kv head.  Backward:
 * the probabilities again from lse; dq is summed over tiles as dq^T; dk and dv over the blocks of a part of a group,
 * then over the parts in order.  Parts are cut by size alone, so the bits do not depend on the number of threads.
 */
#include "kernels/cpu/tile.h"

enum { COLS = 64, KEYS = 64, MAX_HD = 256 };

typedef struct Attention { /* a kernel's arguments, for its tasks */
    const AttnArgs *a;
    const T *q, *k, *v;
    T *out; /* forward */
    float *out_lse;
    const T *d_o, *o; /* backward */
    const float *lse;
    T *dq, *dk, *dv;
} Attention;

typedef struct Block { /* columns [first, first + n) of a segment, one kv head */
    const AttnSeg *seg;
    int first, n;
    int kv;
    int lanes;      /* n rounded up to W */
    int hdp;        /* hd rounded up to W */
    int seen[COLS]; /* keys column c sees; lanes past n see as many as the last */
    int most;       /* of seen */
} Block;

typedef struct KeyCursor { /* where in the spans of a segment */
    const AttnSeg *seg;
    int span, at;
} KeyCursor;

static Block block_init(const Attention *t, const AttnSeg *seg, int first, int kv)
{
    const AttnArgs *a = t->a;
    int per_kv = a->h / a->hk, cols = seg->nq * per_kv, nk = attn_keys(a->plan, seg);
    Block b = {.seg = seg, .first = first, .kv = kv, .hdp = round_up(a->hd, W)};
    b.n = cols - first < COLS ? cols - first : COLS;
    b.lanes = round_up(b.n, W);
    for (int c = 0; c < b.lanes; c++) {
        int last = c < b.n ? c : b.n - 1;
        b.seen[c] = attn_seen(a->plan, seg, nk, (first + last) / per_kv);
    }
    b.most = b.seen[b.n - 1];
    return b;
}

/* The query row and the head of column c. */
static inline int64_t column_row(const Attention *t, const Block *b, int c)
{
    return b->seg->q + (b->first + c) / (t->a->h / t->a->hk);
}

static inline int column_head(const Attention *t, const Block *b, int c)
{
    int per_kv = t->a->h / t->a->hk;
    return b->kv * per_kv + (b->first + c) % per_kv;
}

/* Offset of column c in q and dq, and in the dense o and do. */
static inline int64_t column_q(const Attention *t, const Block *b, int c)
{
    return column_row(t, b, c) * t->a->ldq + (int64_t)column_head(t, b, c) * t->a->hd;
}

static inline int64_t column_o(const Attention *t, const Block *b, int c)
{
    return (column_row(t, b, c) * t->a->h + column_head(t, b, c)) * t->a->hd;
}

/* rows [c][hdp] of the block's columns and, where wanted, their transpose [hd][COLS]; zeros in the padding. */
static void load_columns(float *restrict rows, float *restrict transposed, const Attention *t, const Block *b,
                         const T *from, int64_t (*offset)(const Attention *, const Block *, int))
{
    for (int c = 0; c < b->lanes; c++) {
        if (c < b->n) load_row(rows + c * b->hdp, from + offset(t, b, c), t->a->hd, b->hdp);
        else memset(rows + c * b->hdp, 0, sizeof *rows * (size_t)b->hdp);
    }
    for (int d = 0; d < t->a->hd; d++)
        for (int c = 0; c < b->lanes; c++) transposed[d * COLS + c] = rows[c * b->hdp + d];
}

/* The next up to `want` keys as rows [KEYS][hdp] of k and v; row[j] where key j lies. Returns how many. */
static int load_keys(float *restrict k, float *restrict v, int *row, KeyCursor *cur, const Attention *t, const Block *b,
                     int want)
{
    const AttnArgs *a = t->a;
    int n = 0;
    while (n < want) {
        const Span *span = &a->plan->span[cur->seg->span + cur->span];
        if (cur->at == span->len) {
            cur->span++;
            cur->at = 0;
            continue;
        }
        int64_t at = span->start + cur->at++;
        load_row(k + n * b->hdp, t->k + at * a->ldk + b->kv * a->hd, a->hd, b->hdp);
        load_row(v + n * b->hdp, t->v + at * a->ldv + b->kv * a->hd, a->hd, b->hdp);
        row[n++] = (int)at;
    }
    return n;
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
    float q[COLS * MAX_HD], qt[MAX_HD * COLS], ot[MAX_HD * COLS], k[KEYS * MAX_HD], v[KEYS * MAX_HD];
    float s[KEYS * COLS];
    float max[COLS], sum[COLS], shrink[COLS];
    int row[KEYS];
} Forward;

/* s = scale s, and minus infinity where a column does not see key k0 + j. */
static void mask_scores(float *s, const Block *b, int k0, int nk, float scale)
{
    for (int j = 0; j < nk; j++) {
        float *restrict x = s + j * COLS;
        const int *restrict seen = b->seen;
        for (int c = 0; c < b->lanes; c++) x[c] = k0 + j < seen[c] ? x[c] * scale : -INFINITY;
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
        for (int c = 0; c < lanes; c++) {
            float p = exp_f32(f->s[j * COLS + c] - f->max[c]);
            f->s[j * COLS + c] = p;
            f->sum[c] += p;
        }
}

static void store_forward(const Attention *t, const Block *b, Forward *f)
{
    for (int c = 0; c < b->n; c++) {
        T *o = t->out + column_o(t, b, c);
        float inv = 1 / f->sum[c];
        for (int d = 0; d < t->a->hd; d++) put(o, d, f->ot[d * COLS + c] * inv);
        t->out_lse[column_row(t, b, c) * t->a->h + column_head(t, b, c)] = f->max[c] + logf(f->sum[c]);
    }
}

static void forward_block(const Attention *t, const Block *b)
{
    Forward f;
    int hd = t->a->hd;
    KeyCursor cur = {.seg = b->seg};
    load_columns(f.q, f.qt, t, b, t->q, column_q);
    memset(f.ot, 0, sizeof *f.ot * (size_t)(hd * COLS));
    for (int c = 0; c < b->lanes; c++) f.max[c] = -INFINITY, f.sum[c] = 0;
    for (int k0 = 0; k0 < b->most; k0 += KEYS) {
        int nk = load_keys(f.k, f.v, f.row, &cur, t, b, b->most - k0 < KEYS ? b->most - k0 : KEYS);
        multiply(f.s, COLS, f.k, b->hdp, 1, f.qt, COLS, nk, b->lanes, hd, false);
        mask_scores(f.s, b, k0, nk, t->a->scale);
        softmax_tile(&f, b->lanes, nk);
        for (int d = 0; d < hd; d++)
            for (int c = 0; c < b->lanes; c++) f.ot[d * COLS + c] *= f.shrink[c];
        multiply(f.ot, COLS, f.v, 1, b->hdp, f.s, COLS, hd, b->lanes, nk, true);
    }
    store_forward(t, b, &f);
}

/* Blocks of the plan are numbered segment by segment. */
static int segment_blocks(const AttnArgs *a, const AttnSeg *seg)
{
    return (seg->nq * (a->h / a->hk) + COLS - 1) / COLS;
}

static void forward_task(void *arg, int task)
{
    const Attention *t = arg;
    int block = task / t->a->hk, kv = task % t->a->hk;
    const AttnSeg *seg = t->a->plan->seg;
    for (; block >= segment_blocks(t->a, seg); seg++) block -= segment_blocks(t->a, seg);
    Block b = block_init(t, seg, block * COLS, kv);
    forward_block(t, &b);
}

static void attention_fwd(void *o, float *lse, const void *q, const void *k, const void *v, const AttnArgs *a)
{
    CHECK(a->hd <= MAX_HD, "attention: heads of %d; at most %d", a->hd, MAX_HD);
    Attention t = {.a = a, .q = q, .k = k, .v = v, .out = o, .out_lse = lse};
    int blocks = 0;
    for (int s = 0; s < a->plan->n_seg; s++) blocks += segment_blocks(a, &a->plan->seg[s]);
    pool_run(blocks * a->hk, forward_task, &t);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

enum { BLOCKS_PER_PART = 32, MAX_PARTS = 4 };

typedef struct Backward { /* tiles of one block */
    float q[COLS * MAX_HD], qt[MAX_HD * COLS], d_o[COLS * MAX_HD], dot[MAX_HD * COLS], dqt[MAX_HD * COLS];
    float k[KEYS * MAX_HD], v[KEYS * MAX_HD], dk[KEYS * MAX_HD], dv[KEYS * MAX_HD];
    float p[KEYS * COLS], ds[KEYS * COLS];
    float lse[COLS], delta[COLS];
    int row[KEYS];
} Backward;

/* What the tasks of the backward pass share. */
typedef struct BackwardJob {
    Attention t;
    int hdp;
    int *slot;     /* [n_k] number of a key row within its group */
    int *n_rows;   /* [n_group] key rows of a group */
    int *n_parts;  /* [n_group] */
    size_t *first; /* [n_group] where the sums of a group begin: [hk][parts][dk, dv][n_rows][hdp] */
    float *sums;
    int *task_group, *task_part; /* tasks / hk */
    int *row, *row_group;        /* the key rows of all groups */
} BackwardJob;

static float *part_sums(const BackwardJob *j, int group, int kv, int part)
{
    size_t one = 2 * (size_t)j->n_rows[group] * (size_t)j->hdp;
    return j->sums + j->first[group] + ((size_t)kv * (size_t)j->n_parts[group] + (size_t)part) * one;
}

/* p = exp(scale s - lse) where seen, else 0; ds = p (dp - delta) scale. On entry p holds s and ds holds dp. */
static void score_gradients(Backward *w, const Block *b, int k0, int nk, float scale)
{
    for (int j = 0; j < nk; j++) {
        float *restrict p = w->p + j * COLS, *restrict ds = w->ds + j * COLS;
        const float *restrict lse = w->lse, *restrict delta = w->delta;
        const int *restrict seen = b->seen;
        for (int c = 0; c < b->lanes; c++) {
            float x = k0 + j < seen[c] ? exp_f32(p[c] * scale - lse[c]) : 0;
            p[c] = x;
            ds[c] = x * (ds[c] - delta[c]) * scale;
        }
    }
}

/* lse and delta = do . o of every column; the padding takes no part because its rows of q and do are zero. */
static void load_statistics(Backward *w, const Attention *t, const Block *b)
{
    for (int c = 0; c < b->lanes; c++) {
        int real = c < b->n ? c : b->n - 1;
        const T *o = t->o + column_o(t, b, real);
        const float *d_o = w->d_o + real * b->hdp;
        float sum = 0;
        for (int d = 0; d < t->a->hd; d++) sum += get(o, d) * d_o[d];
        w->delta[c] = sum;
        w->lse[c] = t->lse[column_row(t, b, real) * t->a->h + column_head(t, b, real)];
    }
}

/* The tile's dk and dv into the sums of the part. */
static void add_keys(const BackwardJob *j, float *sums, int n_rows, const Backward *w, int nk)
{
    int hdp = j->hdp;
    for (int i = 0; i < nk; i++) {
        float *restrict dk = sums + (int64_t)j->slot[w->row[i]] * hdp, *restrict dv = dk + (int64_t)n_rows * hdp;
        for (int d = 0; d < hdp; d++) dk[d] += w->dk[i * hdp + d];
        for (int d = 0; d < hdp; d++) dv[d] += w->dv[i * hdp + d];
    }
}

static void backward_block(const BackwardJob *j, const Block *b, float *sums, int n_rows)
{
    Backward w;
    const Attention *t = &j->t;
    int hd = t->a->hd, hdp = b->hdp, lanes = b->lanes;
    KeyCursor cur = {.seg = b->seg};
    load_columns(w.q, w.qt, t, b, t->q, column_q);
    load_columns(w.d_o, w.dot, t, b, t->d_o, column_o);
    load_statistics(&w, t, b);
    memset(w.dqt, 0, sizeof *w.dqt * (size_t)(hd * COLS));
    for (int k0 = 0; k0 < b->most; k0 += KEYS) {
        int nk = load_keys(w.k, w.v, w.row, &cur, t, b, b->most - k0 < KEYS ? b->most - k0 : KEYS);
        multiply(w.p, COLS, w.k, hdp, 1, w.qt, COLS, nk, lanes, hd, false);
        multiply(w.ds, COLS, w.v, hdp, 1, w.dot, COLS, nk, lanes, hd, false);
        score_gradients(&w, b, k0, nk, t->a->scale);
        multiply(w.dqt, COLS, w.k, 1, hdp, w.ds, COLS, hd, lanes, nk, true);
        multiply(w.dk, hdp, w.ds, COLS, 1, w.q, hdp, nk, hdp, b->n, false);
        multiply(w.dv, hdp, w.p, COLS, 1, w.d_o, hdp, nk, hdp, b->n, false);
        add_keys(j, sums, n_rows, &w, nk);
    }
    for (int c = 0; c < b->n; c++) {
        T *dq = t->dq + column_q(t, b, c);
        for (int d = 0; d < hd; d++) put(dq, d, get(dq, d) + w.dqt[d * COLS + c]);
    }
}

/* Task: the blocks of a part of a group, one kv head. */
static void backward_task(void *arg, int task)
{
    const BackwardJob *j = arg;
    const AttnPlan *plan = j->t.a->plan;
    int kv = task % j->t.a->hk, group = j->task_group[task / j->t.a->hk], part = j->task_part[task / j->t.a->hk];
    int n_rows = j->n_rows[group], block = 0;
    float *sums = part_sums(j, group, kv, part);
    memset(sums, 0, sizeof *sums * 2 * (size_t)n_rows * (size_t)j->hdp);
    for (int s = plan->group[group]; s < plan->group[group + 1]; s++)
        for (int i = 0; i < segment_blocks(j->t.a, &plan->seg[s]); i++, block++) {
            if (block % j->n_parts[group] != part) continue; /* dealt out in turn: late blocks see more keys */
            Block b = block_init(&j->t, &plan->seg[s], i * COLS, kv);
            backward_block(j, &b, sums, n_rows);
        }
}

/* Task: one key row: the parts' sums in order, added to dk and dv. */
static void backward_row_task(void *arg, int task)
{
    const BackwardJob *j = arg;
    const AttnArgs *a = j->t.a;
    int64_t row = j->row[task];
    int group = j->row_group[task];
    for (int kv = 0; kv < a->hk; kv++)
        for (int half = 0; half < 2; half++) {
            float sum[MAX_HD] = {0};
            for (int part = 0; part < j->n_parts[group]; part++) {
                const float *from =
                    part_sums(j, group, kv, part) + ((int64_t)half * j->n_rows[group] + j->slot[row]) * j->hdp;
                for (int d = 0; d < a->hd; d++) sum[d] += from[d];
            }
            T *to = half ? j->t.dv + row * a->ldv + kv * a->hd : j->t.dk + row * a->ldk + kv * a->hd;
            for (int d = 0; d < a->hd; d++) put(to, d, get(to, d) + sum[d]);
        }
}

/* Numbers the key rows of every group; returns how many there are in all. */
static int number_rows(BackwardJob *j)
{
    const AttnPlan *plan = j->t.a->plan;
    int all = 0;
    for (int i = 0; i < j->t.a->n_k; i++) j->slot[i] = -1;
    for (int g = 0; g < plan->n_group; g++) {
        for (int s = plan->group[g]; s < plan->group[g + 1]; s++)
            for (int p = 0; p < plan->seg[s].n_span; p++) {
                const Span *span = &plan->span[plan->seg[s].span + p];
                for (int i = span->start; i < span->start + span->len; i++) {
                    if (j->slot[i] >= 0) continue;
                    j->slot[i] = j->n_rows[g]++;
                    j->row[all] = i;
                    j->row_group[all++] = g;
                }
            }
    }
    return all;
}

/* Cuts the groups into parts and lays out their sums; returns the number of (group, part) pairs. */
static int cut_parts(BackwardJob *j, size_t *n_sums)
{
    const AttnPlan *plan = j->t.a->plan;
    int n = 0;
    *n_sums = 0;
    for (int g = 0; g < plan->n_group; g++) {
        int blocks = 0;
        for (int s = plan->group[g]; s < plan->group[g + 1]; s++) blocks += segment_blocks(j->t.a, &plan->seg[s]);
        int parts = 1 + blocks / BLOCKS_PER_PART;
        j->n_parts[g] = parts < MAX_PARTS ? parts : MAX_PARTS;
        j->first[g] = *n_sums;
        *n_sums += 2 * (size_t)j->n_rows[g] * (size_t)j->hdp * (size_t)j->n_parts[g] * (size_t)j->t.a->hk;
        for (int part = 0; part < j->n_parts[g]; part++) {
            j->task_group[n] = g;
            j->task_part[n++] = part;
        }
    }
    return n;
}

static void attention_bwd(void *dq, void *dk, void *dv, const void *d_o, const void *o, const float *lse, const void *q,
                          const void *k, const void *v, const AttnArgs *a)
{
    CHECK(a->hd <= MAX_HD, "attention: heads of %d; at most %d", a->hd, MAX_HD);
    size_t groups = (size_t)a->plan->n_group, keys = (size_t)a->n_k, n_sums;
    BackwardJob j = {
        .t = {.a = a, .q = q, .k = k, .v = v, .d_o = d_o, .o = o, .lse = lse, .dq = dq, .dk = dk, .dv = dv},
        .hdp = round_up(a->hd, W)};
    int *ints = xcalloc(3 * keys + (2 + 2 * MAX_PARTS) * groups, sizeof *ints);
    j.slot = ints;
    j.row = j.slot + keys;
    j.row_group = j.row + keys;
    j.n_rows = j.row_group + keys;
    j.n_parts = j.n_rows + groups;
    j.task_group = j.n_parts + groups;
    j.task_part = j.task_group + MAX_PARTS * groups;
    j.first = xmalloc(groups * sizeof *j.first);
    int rows = number_rows(&j), parts = cut_parts(&j, &n_sums);
    j.sums = xmalloc(n_sums * sizeof *j.sums);
    pool_run(parts * a->hk, backward_task, &j);
    pool_run(rows, backward_row_task, &j);
    free(j.sums);
    free(j.first);
    free(ints);
}

void FN(kernels_fill_attention)(Kernels *k)
{
    k->attention_fwd = attention_fwd;
    k->attention_bwd = attention_bwd;
}
