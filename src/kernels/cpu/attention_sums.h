/*
 * attention_sums.h - backward, the gradients of keys and values: sums over all blocks of a group (AttnPlan).
 *
 * The blocks of a group are dealt to a few parts; a part sums on its own, in f32, then the parts are added up in order.
 * Parts are cut by size alone, so the bits do not depend on the number of threads.
 *
 *   KeySums s = sums_init(a, &cut, dk, dv, block_fn, arg);
 *   sums_run(&s);                        block_fn(&s, block, kv, sums) for every block and kv head
 *   sums_release(&s);
 */
#ifndef OSLER_KERNELS_CPU_ATTENTION_SUMS_H
#define OSLER_KERNELS_CPU_ATTENTION_SUMS_H

#include "kernels/cpu/attention_blocks.h"

enum { COLS_PER_PART = 1024, MAX_PARTS = 8, MAX_PART_TASKS = 16, FINISH_ROWS = 32 };

typedef struct KeyGroup {
    int block, n_blocks;
    int row, n_rows; /* its key rows in KeySums.row */
    int n_parts;
    size_t sums; /* of its parts, where there are several: [n_parts][hk][n_rows][dk, dv][hdp] */
} KeyGroup;

typedef struct SumTask {
    int group, part;
    int lo, hi; /* key rows to finish */
} SumTask;

typedef struct KeySums KeySums;
/* Adds a block's share of dk and dv to the sums [n_rows of the group][dk, dv][hdp]; slot says which row is whose. */
typedef void (*BlockFn)(const KeySums *s, const Block *b, int kv, float *sums);

struct KeySums {
    const AttnArgs *a;
    BlockFn block_fn;
    const void *arg;
    T *dk, *dv;
    int hdp; /* hd rounded up to 32 */
    Block *block;
    KeyGroup *group;
    int *slot; /* [n_k] number of a key row within its group */
    int *row;  /* [n_k] the key rows of all groups */
    SumTask *part, *finish;
    int n_parts, n_finish;
    float *sums;
};

/* Numbers the key rows of a group. */
static inline void sums_number_rows(KeySums *s, int g)
{
    const AttnPlan *plan = s->a->plan;
    KeyGroup *group = &s->group[g];
    const AttnSeg *end = plan->seg + plan->group[g + 1];
    for (const AttnSeg *seg = plan->seg + plan->group[g]; seg < end; seg++)
        for (const Span *span = plan->span + seg->span; span < plan->span + seg->span + seg->n_span; span++)
            for (int i = span->start; i < span->start + span->len; i++) {
                if (s->slot[i] >= 0) continue;
                s->slot[i] = group->n_rows++;
                s->row[group->row + s->slot[i]] = i;
            }
}

static inline void sums_add_tasks(KeySums *s, int g)
{
    KeyGroup *group = &s->group[g];
    for (int part = 0; part < group->n_parts; part++) s->part[s->n_parts++] = (SumTask){.group = g, .part = part};
    for (int lo = 0; lo < group->n_rows && group->n_parts > 1; lo += FINISH_ROWS) {
        int hi = group->n_rows - lo < FINISH_ROWS ? group->n_rows : lo + FINISH_ROWS;
        s->finish[s->n_finish++] = (SumTask){.group = g, .lo = lo, .hi = hi};
    }
}

static inline size_t sums_size(const KeySums *s, const KeyGroup *group)
{
    return 2 * (size_t)group->n_rows * (size_t)s->hdp;
}

/* Of a group of so many columns.  Several kv heads are tasks enough. */
static inline int sums_parts(int cols, int hk)
{
    int parts = ceil_div(cols, COLS_PER_PART), most = MAX_PART_TASKS / hk;
    if (most > MAX_PARTS) most = MAX_PARTS;
    return parts < most ? parts : most > 1 ? most : 1;
}

static inline KeySums sums_init(const AttnArgs *a, const Cut *cut, void *dk, void *dv, BlockFn block_fn,
                                const void *arg)
{
    const AttnPlan *plan = a->plan;
    KeySums s = {.a = a, .block_fn = block_fn, .arg = arg, .dk = dk, .dv = dv, .hdp = round_up(a->hd, 32)};
    size_t groups = (size_t)plan->n_group, keys = (size_t)a->n_k, n_sums = 0;
    int n_blocks, block = 0, row = 0;
    s.block = blocks_list(a, cut, &n_blocks);
    s.group = xcalloc(groups, sizeof *s.group);
    s.slot = xmalloc(2 * keys * sizeof *s.slot);
    s.row = s.slot + keys;
    s.part = xmalloc((groups * (1 + MAX_PARTS) + keys / FINISH_ROWS + 1) * sizeof *s.part);
    s.finish = s.part + groups * MAX_PARTS;
    for (size_t i = 0; i < keys; i++) s.slot[i] = -1;
    for (int g = 0; g < plan->n_group; g++) {
        KeyGroup *group = &s.group[g];
        group->block = block;
        group->row = row;
        while (block < n_blocks && s.block[block].seg < plan->seg + plan->group[g + 1]) block++;
        group->n_blocks = block - group->block;
        group->n_parts = sums_parts(group->n_blocks * cut->cols, a->hk);
        sums_number_rows(&s, g);
        row += group->n_rows;
        group->sums = n_sums;
        if (group->n_parts > 1) n_sums += sums_size(&s, group) * (size_t)group->n_parts * (size_t)a->hk;
        sums_add_tasks(&s, g);
    }
    s.sums = xmalloc((n_sums + 1) * sizeof *s.sums);
    return s;
}

static inline void sums_release(KeySums *s)
{
    free(s->sums);
    free(s->part);
    free(s->slot);
    free(s->group);
    free(s->block);
}

/* to += the sum of `parts` rows of n numbers, `stride` apart. */
static inline void sums_finish_row(T *restrict to, const float *restrict from, size_t stride, int parts, int n)
{
    float sum[MAX_HD];
    for (int d = 0; d < n; d++) sum[d] = get(to, d) + from[d];
    for (int part = 1; part < parts; part++)
        for (int d = 0; d < n; d++) sum[d] += from[(size_t)part * stride + (size_t)d];
    for (int d = 0; d < n; d++) put(to, d, sum[d]);
}

/* dk and dv of key rows [lo, hi) of a group, one kv head, += the sums of its parts, `stride` apart. */
static inline void sums_finish(const KeySums *s, const KeyGroup *group, int kv, const float *sums, size_t stride,
                               int lo, int hi)
{
    const AttnArgs *a = s->a;
    for (int i = lo; i < hi; i++) {
        int64_t row = s->row[group->row + i];
        sums_finish_row(s->dk + row * a->ldk + kv * a->hd, sums + 2 * i * s->hdp, stride, group->n_parts, a->hd);
        sums_finish_row(s->dv + row * a->ldv + kv * a->hd, sums + (2 * i + 1) * s->hdp, stride, group->n_parts, a->hd);
    }
}

/* Task: the blocks of a part of a group, one kv head.  An only part needs no memory beyond the task. */
static inline void sums_part_task(void *arg, int task)
{
    const KeySums *s = arg;
    const SumTask *t = &s->part[task / s->a->hk];
    const KeyGroup *group = &s->group[t->group];
    int kv = task % s->a->hk;
    size_t size = sums_size(s, group);
    bool only = group->n_parts == 1;
    float *sums = only ? xmalloc(size * sizeof *sums)
                       : s->sums + group->sums + ((size_t)t->part * (size_t)s->a->hk + (size_t)kv) * size;
    memset(sums, 0, size * sizeof *sums);
    for (int i = t->part; i < group->n_blocks; i += group->n_parts) /* dealt in turn: late blocks see more keys */
        s->block_fn(s, &s->block[group->block + i], kv, sums);
    if (!only) return;
    sums_finish(s, group, kv, sums, 0, 0, group->n_rows);
    free(sums);
}

/* Task: some key rows of a group of several parts. */
static inline void sums_finish_task(void *arg, int task)
{
    const KeySums *s = arg;
    const SumTask *t = &s->finish[task];
    const KeyGroup *group = &s->group[t->group];
    size_t size = sums_size(s, group);
    for (int kv = 0; kv < s->a->hk; kv++)
        sums_finish(s, group, kv, s->sums + group->sums + (size_t)kv * size, (size_t)s->a->hk * size, t->lo, t->hi);
}

static inline void sums_run(KeySums *s)
{
    pool_run(s->n_parts * s->a->hk, sums_part_task, s);
    pool_run(s->n_finish, sums_finish_task, s);
}

#endif
