/*
 * plan.h - what a run will take, before it takes it: memory, time, and which blocks are computed again.
 *
 * Everything is found out by a dry step (kernels/dry.h): an engine without values, opened with the run's own options,
 * scores the batches that the loader will give and runs their backward pass, in an arena that only counts.
 *
 *   Plan p;
 *   if (plan_make(&p, &(PlanInput){.engine = &dry, ...}, err)) ...
 *   if (p.total > p.limit) ...                       it does not fit, whatever is computed again
 *   plan_apply(&p, &engine);
 *   plan_release(&p);
 *
 * Which blocks are computed again: from the first on, as few as fit, because what the last blocks keep is free again
 * when the first ones' turn comes.  First the MLP halves of more and more blocks: they hold most and cost least; then
 * whole blocks.
 */
#ifndef OSLER_TRAIN_PLAN_H
#define OSLER_TRAIN_PLAN_H

#include "data/loader.h"
#include "infer/engine.h"
#include "train/optim.h"
#include "train/train_options.h"

typedef struct PlanInput {
    Engine *engine;       /* dry */
    const Optimizer *opt; /* of its model */
    const Dataset *data;
    Encoder *encoder;
    LoaderOptions loader;
    int accumulation;
    int64_t steps; /* of the run, 0: not known */
    Checkpointing checkpointing;
    size_t limit; /* bytes that the process may take */
    bool timed;
} PlanInput;

/* Bytes by what they are for. */
typedef struct Plan {
    size_t files;       /* weights that are read where they lie, and those that were copied from */
    size_t weights;     /* copies, adapters */
    size_t gradients;   /* of parameters */
    size_t optimizer;   /* masters, moments */
    size_t activations; /* of the largest batch: the step arena's high-water mark */
    size_t pictures;    /* of the batches of a step and of those that wait */
    size_t other;       /* the program, the data's text, scratch of the kernels */
    size_t total, limit;

    Recompute *recompute; /* [blocks] */
    int blocks, first;    /* blocks before the first are not recorded */
    int n_mlp, n_block;   /* computed again in part, in whole */

    int batches;                       /* that were looked at */
    int largest_rows, largest_patches; /* of the batch that needs most */
    double tokens, seconds;            /* of a step on average; seconds 0: not timed */
    double steps;                      /* of the run */
} Plan;

int plan_make(Plan *p, const PlanInput *in, Err *err);
void plan_release(Plan *p);

/* The engine of the run computes again what the plan says, and its activations may not take more than the plan leaves
   them. */
void plan_apply(const Plan *p, Engine *e);

/* "8 of 24 blocks computed again, 16 in part" */
void plan_recompute_text(char *buf, size_t cap, const Plan *p);
void plan_print(const Plan *p);

#endif
