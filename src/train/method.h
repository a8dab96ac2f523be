/*
 * method.h - what a training method is: host code from log-probabilities to their gradient.
 *
 *   loss(&(LossInput){...}, dlogp, metrics)
 *
 * fills dlogp [n_targets] with d loss / d logp and adds to the metrics.  `scale` carries the normaliser of the whole
 * global batch (for SFT 1 / its number of target tokens, for DPO 1 / its pairs), so that accumulation, packing and ranks
 * leave the loss alone.
 */
#ifndef OSLER_TRAIN_METHOD_H
#define OSLER_TRAIN_METHOD_H

#include <jansson.h>

#include "data/batch.h"
#include "data/encode.h"
#include "train/train_options.h"

/* Sums over a step; report() turns them into log entries. */
typedef struct Metrics {
    double loss;     /* already scaled: the sum over micro-batches is the step's loss */
    int64_t tokens;  /* all tokens computed */
    int64_t targets; /* target tokens */
    int64_t samples;
    double flops; /* useful floating-point operations of the step, forward and backward */

    struct { /* DPO: sums over pairs; [0] chosen, [1] rejected */
        int64_t n, right;
        double reward[2], logp[2];
    } pairs;
} Metrics;

/* The answers' log-probabilities under the reference, of each sample of a Dataset: chosen, rejected. */
typedef struct PairLogp {
    double at[2];
} PairLogp;

typedef struct LossInput {
    const float *logp; /* [n_targets] */
    const Batch *batch;
    double scale;
    const TrainOptions *options;
    const PairLogp *reference; /* [samples of the Dataset]; NULL where the method needs none */
} LossInput;

typedef struct Method {
    const char *name;
    EncodeAs as;    /* what a sample is made into */
    bool reference; /* needs the reference's log-probabilities */
    /* The weight of a batch in the global normaliser: target tokens for SFT, pairs for DPO, ... */
    double (*weight)(const Batch *b);
    void (*loss)(const LossInput *in, float *dlogp, Metrics *m);
    void (*report)(json_t *line, const Metrics *m); /* adds what is its own to a line of the log; NULL: nothing */
} Method;

extern const Method METHOD_SFT, METHOD_DPO;

#endif
