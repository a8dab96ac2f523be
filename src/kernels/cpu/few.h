/*
 * few.h - what products of few rows have in common: how a weight is cut into tasks, and what becomes of the sums.
 */
#ifndef OSLER_KERNELS_CPU_FEW_H
#define OSLER_KERNELS_CPU_FEW_H

#include "kernels/cpu/micro.h"
#include "kernels/cpu/swiglu.h"

enum {
    OUTS = PANEL_N,       /* rows of w at a time, at most */
    ROWS = 32,            /* of x at a time: two tiles */
    TASK_BYTES = 2 << 20, /* of w: enough that a task's start and end do not count */
    MAX_TASKS_PER_THREAD = 8
};

/* At most ROWS rows of matmul_nt with a quantised weight, without its adapter; extra [n, out] (NULL: nothing) joins the
   sums. */
void FN(matmul_few_quant)(const MatmulArgs *g, const float *extra);

/* Tasks for so many bytes of w. */
static int task_count(int64_t bytes)
{
    int threads = pool_threads();
    int64_t share = bytes / threads / TASK_BYTES;
    return threads * (share < 1 ? 1 : share < MAX_TASKS_PER_THREAD ? (int)share : MAX_TASKS_PER_THREAD);
}

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

#endif
