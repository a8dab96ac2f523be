/*
 * trainer.h - a training run from options to a finished model.
 *
 *   TrainOptions o = {0};
 *   if (train_options_parse(&o, argc, argv, &rest, &err) == 0) train_run(&o, &err);
 *
 * What lands in output_dir: recipe.yaml (the resolved options), manifest.json (what went in, and on which machine),
 * trainer_log.jsonl and TensorBoard events, checkpoint-N/ folders, and at the end the model or the adapter itself.
 *
 * The rules of a run:
 *   - same options, data and machine give the same bits, with any number of threads;
 *   - the loss is normalised over the whole global batch, so 1 x 4 and 4 x 1 are the same step;
 *   - a run that was killed at any instant and is started again ends as if it had not been (checkpoint.h);
 *   - SIGINT and SIGTERM finish the step, write a checkpoint and return an error; a second one ends at once;
 *   - a loss or gradient that is not finite ends the run with the step and its samples; nothing is overwritten;
 *   - one run at a time owns an output_dir.
 */
#ifndef OSLER_TRAIN_TRAINER_H
#define OSLER_TRAIN_TRAINER_H

#include "train/train_options.h"

int train_run(const TrainOptions *o, Err *err);
/* Prints what the run would take (plan.h) and leaves everything as it is; -1 also where it does not fit. */
int train_plan(const TrainOptions *o, Err *err);

#endif
