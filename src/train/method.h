/*
 * method.h - what a training method is: host code from log-probabilities to their gradient.
 *
 *   loss(logp, batch, scale, dlogp, metrics)
 *
 * fills dlogp [n_targets] with d loss / d logp and adds to the metrics.  `scale` carries the normaliser of the whole
 * global batch (for SFT 1 / its number of target tokens), so that accumulation, packing and ranks leave the loss alone.
 */
#ifndef OSLER_TRAIN_METHOD_H
#define OSLER_TRAIN_METHOD_H

#include "data/batch.h"

/* Sums over a step; report() turns them into log entries. */
typedef struct Metrics {
    double loss;     /* already scaled: the sum over micro-batches is the step's loss */
    int64_t tokens;  /* all tokens computed */
    int64_t targets; /* target tokens */
    int64_t samples;
    double flops; /* useful floating-point operations of the step, forward and backward */
} Metrics;

typedef struct Method {
    const char *name;
    /* The weight of a batch in the global normaliser: target tokens for SFT, pairs for DPO, ... */
    double (*weight)(const Batch *b);
    void (*loss)(const float *logp, const Batch *b, double scale, float *dlogp, Metrics *m);
} Method;

extern const Method METHOD_SFT;

#endif
