#include "kernels/ceilings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/progress.h"
#include "kernels/kernels.h"

/* Runs fn until `seconds` have passed, at least twice; returns the shortest time. */
static double best_time(void (*fn)(void *arg), void *arg, double seconds)
{
    double best = 1e300, started = now_seconds();
    for (int i = 0; i < 2 || now_seconds() - started < seconds; i++) {
        double t = now_seconds();
        fn(arg);
        best = fmin(best, now_seconds() - t);
    }
    return best;
}

typedef struct Product {
    const Kernels *k;
    Weight w;
    void *x, *y;
    int n;
} Product;

static void product_once(void *arg)
{
    const Product *p = arg;
    p->k->matmul_nt(&(MatmulArgs){.y = p->y, .y_type = p->k->dtype, .x = p->x, .w = &p->w, .n = p->n});
}

/* GFLOP/s of n x n x n products. */
static double measure_products(DType t, int n, double seconds)
{
    Kernels k;
    kernels_cpu(&k, t);
    if (!strcmp(k.name, "ref")) n = 256; /* more would take a minute */
    size_t bytes = (size_t)n * (size_t)n * dtype_size(t);
    Product p = {.k = &k, .w = {.data = xcalloc(bytes, 1), .out = n, .in = n}, .x = xcalloc(bytes, 1), .n = n};
    p.y = xmalloc(bytes);
    double s = best_time(product_once, &p, seconds);
    free((void *)(uintptr_t)p.w.data);
    free(p.x);
    free(p.y);
    return 2.0 * n * n * n / s * 1e-9;
}

enum { READ_CHUNK = 1 << 16 }; /* uint64_t's of a task */

typedef struct Reading {
    const uint64_t *data;
    uint64_t *sums;
    int n_tasks;
} Reading;

static void read_task(void *arg, int task)
{
    const Reading *r = arg;
    const uint64_t *x = r->data + (size_t)task * READ_CHUNK;
    uint64_t s[8] = {0};
    for (int i = 0; i < READ_CHUNK; i += 8)
        for (int j = 0; j < 8; j++) s[j] += x[i + j];
    for (int j = 0; j < 8; j++) r->sums[task] += s[j]; /* used, so that the reads are not optimised away */
}

static void read_once(void *arg)
{
    Reading *r = arg;
    pool_run(r->n_tasks, read_task, r);
}

static double measure_reading(void)
{
    enum { TASKS = 1024 }; /* 512 MiB */
    size_t bytes = (size_t)TASKS * READ_CHUNK * sizeof(uint64_t);
    uint64_t *data = xmalloc(bytes);
    memset(data, 1, bytes); /* pages of their own: fresh ones are all the same page of zeros */
    Reading r = {data, xcalloc(TASKS, sizeof *r.sums), TASKS};
    double s = best_time(read_once, &r, 0.5);
    free(r.sums);
    free(data);
    return (double)bytes / s * 1e-9;
}

void ceilings_measure(Ceilings *c)
{
    c->f32_gflops = measure_products(DT_F32, 2048, 0.6);
    c->bf16_gflops = measure_products(DT_BF16, 2048, 0.6);
    c->read_gbs = measure_reading();
}

double ceilings_gflops(DType t)
{
    double gflops = measure_products(t, 1024, 0.05);
    bool too_short = 2e-9 * 1024 * 1024 * 1024 / gflops < 5e-3; /* seconds of one: threads only start and stop */
    return too_short ? measure_products(t, 2048, 0.1) : gflops;
}
