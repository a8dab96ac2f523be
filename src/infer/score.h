/*
 * score.h - log-probabilities of a whole dataset's targets, and the gradient of their mean.
 *
 * Samples are scored in their order, neighbours packed into batches of at most `budget` rows; what a sample gets does
 * not depend on its neighbours.
 *
 *   ScoreOptions o = {.budget = 2048};
 *   if (score_dataset(engine, &dataset, &o, print_row, file, err)) ...
 *
 * With `grads` the parameters' gradients end as d(-mean logp)/d theta over all targets of the dataset; the engine must
 * have been opened with what is to be differentiated as trained.  score_save_grads writes them under the names that the
 * checkpoint's (or the adapter's) own file uses.
 */
#ifndef OSLER_INFER_SCORE_H
#define OSLER_INFER_SCORE_H

#include "data/sample.h"
#include "infer/engine.h"

typedef struct ScoreOptions {
    int budget; /* rows per batch; a longer sample is a batch of its own */
    bool grads;
} ScoreOptions;

typedef struct SampleScore {
    const Sample *sample;
    const int *id;             /* [n] as the tokenizer gives them: an image is a run of image tokens */
    const unsigned char *mask; /* [n] 1 where the token is a target */
    int n;
    const float *logp; /* [n_targets] */
    int n_targets;
} SampleScore;

/* `row` is called for each sample in order. A sample that cannot be encoded is an error. */
int score_dataset(Engine *e, const Dataset *d, const ScoreOptions *o,
                  int (*row)(void *arg, const SampleScore *s, Err *err), void *arg, Err *err);

int score_save_grads(const Engine *e, const char *path, Err *err);

#endif
