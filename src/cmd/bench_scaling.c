/* osler bench scaling: the same step with 1, 2, ... threads. */
#include <stdio.h>

#include "base/file.h"
#include "base/pool.h"
#include "cmd/bench.h"

/* 1, 2, 3, 4, 6, 8, 12, 16, ... and the last: every half octave. */
static int next_count(int threads, int last)
{
    bool power = (threads & (threads - 1)) == 0;
    int next = threads < 4 ? threads + 1 : power ? threads + threads / 2 : threads / 3 * 4;
    return next < last || threads == last ? next : last;
}

static void print_count(const BenchOpts *o, int threads, const Timing *t, double tokens, double alone)
{
    double speedup = alone / t->best;
    if (!o->json) {
        printf("%7d %10.3f %10.1f %9.2f %10.1f %%\n", threads, t->best, tokens / t->best, speedup,
               100 * speedup / threads);
        return;
    }
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:i}", "bench", "scaling", "case", bench_case_name(o),
                            "config", path_basename(o->config), "dtype", o->common.dtype ? "f32" : "bf16", "ckpt",
                            o->ckpt, "batch", (json_int_t)o->batch, "threads", threads);
    timing_add(row, t);
    json_object_update_new(row, json_pack("{s:f, s:f, s:f}", "tokens_per_second", tokens / t->best, "speedup", speedup,
                                          "efficiency", speedup / threads));
    bench_print_row(row);
}

int bench_scaling(const BenchOpts *o, Err *err)
{
    int last = o->threads_max ? (int)o->threads_max : pool_threads(), rc = 0;
    if (o->what == CASE_LOAD) return usage_error(err, "scaling: the case 'load' has no tokens; use bench peers");
    Bench *x = bench_open(o, err);
    if (!x) return -1;
    if (!o->json) printf("%7s %10s %10s %9s %12s\n", "threads", "s/step", "tok/s", "speed-up", "efficiency");
    double alone = 0;
    for (int threads = 1; threads <= last && rc == 0; threads = next_count(threads, last)) {
        Timing t;
        pool_start(threads);
        rc = bench_repeat(x, &t, err);
        if (threads == 1) alone = t.best;
        if (rc == 0) print_count(o, threads, &t, bench_cost(x).tokens, alone);
    }
    bench_close(x);
    return rc;
}
