/*
 * reference.h - what the reference model says about preference pairs, worked out once before the first step.
 *
 * The reference does not change, so a forward pass over each pair is enough for all epochs, and no second copy of the
 * weights has to be kept.  The batches are those of the run, so that at step 0 policy and reference agree bit for bit.
 *
 *   Reference r;
 *   if (reference_make(&r, &job, err)) ...            the engine stands where the run begins
 *   ... r.logp[sample] ...                            NaN where no batch needs it
 *   reference_release(&r);
 *
 * `path` keeps them: a run that goes on, when the engine's weights are no longer those of the start, reads them there. It
 * is written every REFERENCE_SYNC_SECONDS and when `stop` ends the pass, and what it holds is not worked out again.
 */
#ifndef OSLER_TRAIN_REFERENCE_H
#define OSLER_TRAIN_REFERENCE_H

#include "data/loader.h"
#include "infer/engine.h"
#include "train/method.h"

enum { REFERENCE_SYNC_SECONDS = 60 };

typedef struct ReferenceJob {
    Engine *engine;
    bool lora; /* with the adapter as it is; false: the model below it */
    const Dataset *data;
    Encoder *encoder;
    LoaderOptions loader; /* of the run, from its beginning */
    int64_t batches;      /* at most; 0: all */
    const char *path;     /* of the file */
    const json_t *inputs; /* what decides the numbers: the file is good for these alone */
    bool (*stop)(void);   /* asked between batches: true ends the pass with an error; NULL: never */
} ReferenceJob;

typedef struct Reference {
    PairLogp *logp; /* [samples of the Dataset] */
    int n;
} Reference;

int reference_make(Reference *r, const ReferenceJob *job, Err *err);
void reference_release(Reference *r);

#endif
