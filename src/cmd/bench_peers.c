/* osler bench peers: the speed of whole steps, on the work that other programs are timed with. */
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "cmd/bench.h"
#include "kernels/ceilings.h"

typedef struct PeersResult {
    const BenchOpts *o;
    Timing t;
    BenchCost cost;
    double peak_gib;
    double gflops, gbs;         /* of the best step */
    double top_gflops, top_gbs; /* the machine's, measured afterwards */
} PeersResult;

/* The ceiling of what limits the case; the other stays 0. */
static void measure_ceiling(PeersResult *r)
{
    if (r->cost.flops > 0) r->top_gflops = ceilings_gflops(common_dtype(&r->o->common));
    if (r->cost.bytes > 0) r->top_gbs = ceilings_read_gbs();
}

/* The line that bench_peers.py of the peers prints, too; loading has no tokens. */
static void print_line(const PeersResult *r)
{
    const BenchOpts *o = r->o;
    bool load = o->what == CASE_LOAD;
    printf("%s %s %s ckpt=%d batch=%lld: %.*f %s, %.2f s/step, peak %.2f GiB, spread %.2f\n", bench_case_name(o),
           path_basename(o->config), o->common.dtype ? "f32" : "bf16", o->ckpt, (long long)o->batch, load ? 2 : 1,
           load ? r->gbs : r->cost.tokens / r->t.best, load ? "GB/s" : "tok/s", r->t.best, r->peak_gib,
           r->t.worst / r->t.best);
}

static void print_notes(const PeersResult *r)
{
    if (r->cost.flops > 0)
        log_note("%.3f TFLOP of useful work a step: %.0f GFLOP/s, %.1f %% of the %.0f that products reach here",
                 r->cost.flops * 1e-12, r->gflops, 100 * r->gflops / r->top_gflops, r->top_gflops);
    if (r->cost.bytes > 0)
        log_note("%.3f GB to read a step: %.1f GB/s, %.1f %% of the %.1f that reading reaches here",
                 r->cost.bytes * 1e-9, r->gbs, 100 * r->gbs / r->top_gbs, r->top_gbs);
}

static void print_json(const PeersResult *r)
{
    const BenchOpts *o = r->o;
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:b, s:i, s:I}", "bench", "peers", "case",
                            bench_case_name(o), "config", path_basename(o->config), "dtype",
                            o->common.dtype ? "f32" : "bf16", "ckpt", o->ckpt, "batch", (json_int_t)o->batch, "shared",
                            o->shared, "threads", pool_threads(), "reps", (json_int_t)o->reps);
    if (r->cost.tokens > 0)
        json_object_update_new(
            row, json_pack("{s:f, s:f}", "tokens", r->cost.tokens, "tokens_per_second", r->cost.tokens / r->t.best));
    timing_add(row, &r->t);
    json_object_set_new(row, "peak_gib", json_real(r->peak_gib));
    if (r->cost.flops > 0)
        json_object_update_new(row, json_pack("{s:f, s:f, s:f, s:f}", "tflop", r->cost.flops * 1e-12, "gflops",
                                              r->gflops, "products_gflops", r->top_gflops, "percent_of_products",
                                              100 * r->gflops / r->top_gflops));
    if (r->cost.bytes > 0)
        json_object_update_new(row,
                               json_pack("{s:f, s:f, s:f, s:f}", "gb", r->cost.bytes * 1e-9, "gbs", r->gbs,
                                         "reading_gbs", r->top_gbs, "percent_of_reading", 100 * r->gbs / r->top_gbs));
    bench_print_row(row);
}

int bench_peers(const BenchOpts *o, Err *err)
{
    PeersResult r = {.o = o};
    Bench *x = bench_open(o, err);
    int rc = x ? bench_repeat(x, &r.t, err) : -1;
    if (rc == 0) {
        r.cost = bench_cost(x);
        r.gflops = r.cost.flops / r.t.best * 1e-9;
        r.gbs = r.cost.bytes / r.t.best * 1e-9;
        r.peak_gib = gib((double)memory_peak());
    }
    bench_close(x);
    if (rc) return -1;
    if (o->json || log_shows(LOG_NOTE)) measure_ceiling(&r);
    if (o->json) {
        print_json(&r);
        return 0;
    }
    print_line(&r);
    if (log_shows(LOG_NOTE)) print_notes(&r);
    return 0;
}
