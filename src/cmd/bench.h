/*
 * bench.h - what the files of `osler bench` share: the options, one case ready to be timed, rows of results.
 *
 *   Bench *x = bench_open(o, err);                     the case o->what on random weights
 *   if (!x || bench_repeat(x, &t, err)) ...            one step that does not count, then o->reps that do
 *   printf("%.1f tok/s\n", bench_cost(x).tokens / t.best);
 *   bench_close(x);
 *
 * A run takes place with the threads that the pool has at that moment.
 */
#ifndef OSLER_CMD_BENCH_H
#define OSLER_CMD_BENCH_H

#include "base/json.h"
#include "cmd/cmd.h"

typedef enum BenchCase {
    CASE_LORA,
    CASE_FULL,
    CASE_DPO,
    CASE_GRPO,
    CASE_SCORE,
    CASE_DECODE,
    CASE_PREFILL,
    CASE_LOAD
} BenchCase;
#define BENCH_CASES "lora|full|dpo|grpo|score|decode|prefill|load"

typedef struct BenchOpts {
    Common common;
    char *config, *model, *image, *images, *slot, *vision_cache;
    StrList data;
    int what; /* BenchCase */
    int64_t batch, reps, new_tokens, answer, threads_max, max_pixels;
    bool ckpt, shared, repeated, json;
    int decode_weights;
} BenchOpts;

typedef struct Timing {
    double best, median, worst; /* seconds */
} Timing;

/* What a step is worth; 0 where it is not what limits the case. */
typedef struct BenchCost {
    double tokens; /* a shared prompt counted with every answer */
    double flops;  /* useful: train/throughput.h; prompts that are shared count once */
    double bytes;  /* that have to be read: decode weights and cache once a token, load the files */
} BenchCost;

typedef struct Bench Bench;

const char *bench_case_name(const BenchOpts *o);
Bench *bench_open(const BenchOpts *o, Err *err);
int bench_repeat(Bench *x, Timing *t, Err *err);
BenchCost bench_cost(const Bench *x);
void bench_close(Bench *x); /* NULL is fine */

/* Of n times; sorts them. */
Timing timing_of(double *seconds, int n);
/* {"best_s": .., "median_s": .., "worst_s": ..} added to a row. */
void timing_add(json_t *row, const Timing *t);
/* Prints a row as one line of JSON and releases it. */
void bench_print_row(json_t *row);

/* Random prompts and answers (bench_batch.c). */
enum { BENCH_PROMPT = 304 }; /* tokens; 256 of them an image, or text alone */
Batch *bench_batch(const ModelConfig *c, const int *answer, int n, bool shared);
Batch *bench_prompt(const ModelConfig *c, bool image, int number);

/* Runs this program with other arguments (NULL ends them), its output thrown away. peak in bytes. */
int bench_run_self(const char *const *args, double *seconds, double *peak, Err *err);

/* The benchmarks: `osler bench NAME`. */
int bench_peers(const BenchOpts *o, Err *err);
int bench_kernels(const BenchOpts *o, Err *err);
int bench_scaling(const BenchOpts *o, Err *err);
int bench_first_token(const BenchOpts *o, Err *err);
int bench_images(const BenchOpts *o, Err *err);
int bench_quant(const BenchOpts *o, Err *err);

#endif
