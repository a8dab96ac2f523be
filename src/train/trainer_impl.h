/*
 * trainer_impl.h - what a run is made of; shared by trainer.c (the loop) and trainer_open.c (beginning and end).
 *
 *   Trainer t;
 *   if (trainer_open(&t, options, stop, err)) return -1;      everything loaded, standing at t.state.step
 *   ... steps ...
 *   trainer_close(&t);                                  also after an error in trainer_open
 */
#ifndef OSLER_TRAIN_TRAINER_IMPL_H
#define OSLER_TRAIN_TRAINER_IMPL_H

#include "base/progress.h"
#include "infer/engine.h"
#include "train/checkpoint.h"
#include "train/method.h"
#include "train/plan.h"
#include "train/reference.h"
#include "train/train_log.h"
#include "train/train_options.h"

typedef struct Trainer {
    const TrainOptions *o;
    const Method *method;
    bool (*stop)(void); /* a signal has asked the run to end; NULL: nobody asks */
    int lock;           /* descriptor of output_dir, locked; -1: none */

    Dataset data, eval; /* eval.n = 0: none */
    Reference reference, eval_reference;
    Engine engine;
    Encoder encoder;
    Loader *loader;
    Optimizer opt;
    Plan plan;
    Schedule schedule;

    TrainState state;
    int64_t total; /* steps of the whole run */
    int64_t saved; /* step of the newest checkpoint; 0: none */
    int bad_seen;  /* entries of loader_bad that are in state.skipped */
    json_t *settings, *inputs;
    char started[32];
    double peak; /* floating-point operations per second that the machine can do in the compute format */
    TrainLog log;
    Progress bar;
} Trainer;

/* stop: whether a signal has asked the run to end; what takes long before the first step asks it. */
int trainer_open(Trainer *t, const TrainOptions *o, bool (*stop)(void), Err *err);
void trainer_close(Trainer *t);

/* Data and method alone, which is what trainer_plan needs; trainer_close as after trainer_open. */
int trainer_prepare(Trainer *t, const TrainOptions *o, Err *err);
/* Fills t->plan (released by trainer_close); an error with a hint where the run does not fit. */
int trainer_plan(Trainer *t, bool timed, Err *err);
/* Engine, encoder and optimizer as o says; without values where `dry`. */
int trainer_open_engine(Trainer *t, bool dry, Err *err);
void trainer_close_engine(Trainer *t);
LoaderOptions trainer_loader_options(const Trainer *t, bool eval);

/* Writes manifest.json; `finished` adds the time of the end. */
int trainer_manifest(const Trainer *t, bool finished, Err *err);

/* A loader over the training data (from t->state on) or over the evaluation data (once, in file order). */
Loader *trainer_loader(Trainer *t, bool eval, Err *err);

#endif
