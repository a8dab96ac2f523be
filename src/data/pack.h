/*
 * pack.h - encoded samples to a Batch, and which samples go into one.
 *
 *   BatchBuilder bb;
 *   batch_begin(&bb, processor);
 *   batch_add_sample(&bb, &x, i);                           one segment, with its targets
 *
 *   int prompt = batch_add_prompt(&bb, &y, k);              a prompt without targets ...
 *   batch_add_child(&bb, prompt, y.chosen.id, y.chosen.n, 1.0f);        ... and answers that share it:
 *   batch_add_child(&bb, prompt, y.rejected.id, y.rejected.n, 1.0f);    every token of a child is a target
 *   Batch *b = batch_finish(&bb);
 *
 * Children belong to the sample of their prompt, go on at the position after it, and may have children themselves.
 * A child's first token is predicted from the last row of its parent.  batch_reopen goes on with a finished batch, so
 * prompts that were sampled from get their answers without decoding an image twice.
 */
#ifndef OSLER_DATA_PACK_H
#define OSLER_DATA_PACK_H

#include <stdbool.h>

#include "base/buf.h"
#include "data/batch.h"
#include "data/encode.h"

typedef struct BatchTarget {
    int row, id, sample;
    float weight;
} BatchTarget;

typedef struct BatchBuilder {
    const ImageProcessor *processor; /* borrowed */
    bool lengths_only;               /* images have their grids, but no pixels; set it after batch_begin */
    VEC(int) ids;
    struct {
        int (*at)[3];
        int cap;
    } pos; /* [ids.n][3] */
    VEC(Segment) seg;
    VEC(BatchImage) image;
    VEC(BatchTarget) target;
    VEC(int) source;
    float *pixels;
    int n_patches, cap_patches, n_features;
    int64_t first_sample;
} BatchBuilder;

void batch_begin(BatchBuilder *bb, const ImageProcessor *p);
/* Takes a finished batch apart to add to it; b is freed. */
void batch_reopen(BatchBuilder *bb, Batch *b, const ImageProcessor *p);

/*
 * Both begin a new sample, number `source` of the Dataset, and return the segment's number.  encode_pixels must have
 * run where there are images; x stays the caller's.
 */
int batch_add_sample(BatchBuilder *bb, const Encoded *x, int source);
int batch_add_prompt(BatchBuilder *bb, const Encoded *x, int source);
/* Continues `parent` with n >= 1 text tokens, all of them targets of this weight. Returns the segment's number. */
int batch_add_child(BatchBuilder *bb, int parent, const int *id, int n, float weight);
/* A prompt with the two answers of an ENCODE_PAIR sample, chosen first. */
void batch_add_pair(BatchBuilder *bb, const Encoded *x, int source);

/* The Batch, now the caller's; bb is empty after. */
Batch *batch_finish(BatchBuilder *bb);
void batch_abandon(BatchBuilder *bb);

/*
 * Chooses the samples of a pack of `budget` rows, `used` of which are taken already, from n that wait in the order of
 * their arrival with tokens[i] rows each: take[i] says which.  Returns their rows.
 *
 * The one that has waited longest always goes into an empty pack, so nobody waits for more than n packs; one that is
 * longer than the budget goes alone.  Among the selections that leave hardly more rows empty than the best one (a gap
 * of mean^2 / 2 budget is nothing: with few samples to a pack exact fits are rare, and looking for them would use up
 * the short samples that long ones need) the others are chosen one after the other: first those of more than a sixth
 * of the budget, longest first, because they are hard to place; then in the order of arrival, because a pack of samples
 * of one length is a pack of one kind, which trains badly.  A pure function of its arguments.
 */
int pack_next(bool *take, const int *tokens, int n, int budget, int used);

#endif
