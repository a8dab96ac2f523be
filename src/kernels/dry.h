/*
 * dry.h - kernels that compute nothing: what would a step take?
 *
 * With a dry table and a dry arena (base/arena.h) the code that trains finds out what it needs: the arena's high-water
 * mark is the memory, and a DryRun adds up the time and the kernels' own scratch.  A formula of its own would say
 * something else one day.
 *
 *   Kernels k;
 *   kernels_dry(&k, DT_BF16);
 *   DryRun run;
 *   dry_open(&run, DT_BF16, true);
 *   ... forward and backward with k ...
 *   printf("%.2f s\n", run.seconds);
 *   dry_close(&run);
 *
 * The time of a call is measured: the first call of its kind runs the real kernel on made-up numbers, with as many rows
 * as it has, or with fewer where that would take long; every further one is that time over again, by its share of rows.
 * A kind is a slot with its dims, rows within a quarter of one another.  Kernels that only move rows about are reckoned
 * by their bytes.
 *
 * Without an open DryRun the calls are not even counted.  One at a time; not for several threads.
 */
#ifndef OSLER_KERNELS_DRY_H
#define OSLER_KERNELS_DRY_H

#include "base/arena.h"
#include "base/buf.h"
#include "kernels/kernels.h"

/* Bytes that a kernel takes for itself, for each thread. */
enum { DRY_TASK_SCRATCH = 2 << 20 };

/* A kind of call, and what a whole one takes. */
typedef struct DryKind {
    int slot, dim[5];
    double seconds, size; /* size: rows, elements or pairs of what was measured */
} DryKind;

typedef struct DryRun {
    Kernels real;
    Arena numbers; /* made up, for the measurements */
    VEC(DryKind) kind;
    double bytes_per_second; /* read and written by loops over much memory */
    double seconds;          /* of all calls so far */
    size_t scratch;          /* the most that one call allocates for itself */
    bool timed;
} DryRun;

void kernels_dry(Kernels *k, DType dtype);

/* Not timed: nothing is measured, seconds stay 0. */
void dry_open(DryRun *r, DType dtype, bool timed);
void dry_close(DryRun *r);

#endif
