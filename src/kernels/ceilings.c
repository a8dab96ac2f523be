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

/* ---- products ---------------------------------------------------------------------------------------------------- */

typedef struct Product {
    const Kernels *k;
    MatmulArgs a;
} Product;

static void product_once(void *arg)
{
    const Product *p = arg;
    p->k->matmul_nt(&p->a);
}

/* Numbers between -1/2 and 1/2: zeros would need less power than real work, and let the clock run faster. */
static void *random_matrix(const Kernels *k, int rows, int cols)
{
    size_t count = (size_t)rows * (size_t)cols;
    float *x = xmalloc(sizeof *x * count);
    uint32_t u = 1;
    for (size_t i = 0; i < count; i++) {
        u = u * 1664525u + 1013904223u;
        x[i] = (float)(u >> 8) * 0x1p-24f - 0.5f;
    }
    void *y = xmalloc(count * dtype_size(k->dtype));
    k->from_f32(y, x, (int64_t)count);
    free(x);
    return y;
}

typedef struct ProductShape {
    int n, out, in;
} ProductShape;

static double product_flops(const ProductShape *s)
{
    return 2.0 * s->n * s->out * s->in;
}

/* Operations per second of the best of a few runs. */
static double time_product(const Kernels *k, const ProductShape *s, double seconds)
{
    void *x = random_matrix(k, s->n, s->in), *w = random_matrix(k, s->out, s->in);
    void *y = xmalloc((size_t)s->n * (size_t)s->out * dtype_size(k->dtype));
    const Weight weight = {.data = w, .out = s->out, .in = s->in};
    Product p = {k, {.y = y, .y_type = k->dtype, .x = x, .w = &weight, .n = s->n}};
    double best = best_time(product_once, &p, seconds);
    free(x);
    free(w);
    free(y);
    return product_flops(s) / best;
}

/* The best of several shapes, `seconds` for each; the small ones warm up. What would take long for one product alone is
   left out: it is the largest only where products are fast. */
static double measure_products(DType t, double seconds)
{
    static const ProductShape SHAPE[] = {{256, 256, 256},    {512, 512, 512},   {1024, 1024, 1024}, {1024, 4864, 896},
                                         {1024, 2048, 2048}, {1024, 896, 4864}, {2048, 2048, 2048}, {4096, 2048, 2048}};
    Kernels k;
    kernels_cpu(&k, t);
    double best = 0;
    for (size_t i = 0; i < sizeof SHAPE / sizeof *SHAPE; i++) {
        if (best > 0 && product_flops(&SHAPE[i]) / best > seconds) break;
        best = fmax(best, time_product(&k, &SHAPE[i], seconds));
    }
    return best * 1e-9;
}

double ceilings_gflops(DType t)
{
    return measure_products(t, 0.06);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/*
 * A task reads STREAMS places at once, ahead of which it asks for what comes: one stream alone leaves the prefetchers
 * of a core idle at every page.  The sum is used, so that the reads are not optimised away.
 */
enum { STREAMS = 4, STREAM = 1 << 18, TASK = STREAMS * STREAM, AHEAD = 2048, TASKS = 512 }; /* bytes; TASKS: 512 MiB */

typedef uint64_t Wide __attribute__((vector_size(64), aligned(8), may_alias));

#define READ_LOOP(name, target)                                                                                        \
    target static uint64_t name(const char *x)                                                                         \
    {                                                                                                                  \
        Wide s[STREAMS][2] = {0};                                                                                      \
        for (int i = 0; i < STREAM; i += 2 * (int)sizeof(Wide))                                                        \
            for (int j = 0; j < STREAMS; j++)                                                                          \
                for (int h = 0; h < 2; h++) {                                                                          \
                    const char *p = x + j * STREAM + i + h * (int)sizeof(Wide);                                        \
                    __builtin_prefetch(p + AHEAD);                                                                     \
                    s[j][h] += *(const Wide *)p;                                                                       \
                }                                                                                                      \
        uint64_t sum = 0;                                                                                              \
        for (int j = 0; j < STREAMS; j++)                                                                              \
            for (size_t e = 0; e < sizeof(Wide) / sizeof(uint64_t); e++) sum += s[j][0][e] + s[j][1][e];               \
        return sum;                                                                                                    \
    }

typedef uint64_t ReadLoop(const char *x);

READ_LOOP(read_plain, )
#if defined(__x86_64__)
READ_LOOP(read_avx2, __attribute__((target("avx2"))))
READ_LOOP(read_avx512, __attribute__((target("avx512f"))))
#endif

static ReadLoop *read_loop(void)
{
#if defined(__x86_64__)
    if (cpu_features_present() & CPU_AVX512) return read_avx512;
    if (cpu_features_present() & CPU_AVX2) return read_avx2;
#endif
    return read_plain;
}

typedef struct Reading {
    ReadLoop *loop;
    const char *data;
    uint64_t *sums; /* [TASKS] */
} Reading;

static void read_task(void *arg, int task)
{
    const Reading *r = arg;
    r->sums[task] += r->loop(r->data + (size_t)task * TASK);
}

static void read_once(void *arg)
{
    pool_run(TASKS, read_task, arg);
}

double ceilings_read_gbs(void)
{
    size_t bytes = (size_t)TASKS * TASK;
    char *data = xmalloc(bytes);
    memset(data, 1, bytes); /* pages of their own: fresh ones are all the same page of zeros */
    Reading r = {read_loop(), data, xcalloc(TASKS, sizeof *r.sums)};
    double s = best_time(read_once, &r, 0.5);
    free(r.sums);
    free(data);
    return (double)bytes / s * 1e-9;
}

void ceilings_measure(Ceilings *c)
{
    c->f32_gflops = measure_products(DT_F32, 0.2);
    c->bf16_gflops = measure_products(DT_BF16, 0.2);
    c->read_gbs = ceilings_read_gbs();
}
