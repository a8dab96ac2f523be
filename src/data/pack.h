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

#include "base/buf.h"
#include "data/batch.h"
#include "data/encode.h"

typedef struct BatchTarget {
    int row, id, sample;
    float weight;
} BatchTarget;

typedef struct BatchBuilder {
    int merge, patch_dim;
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
 * Packs n items of tokens[i] rows into bins of at most `budget` rows: pack[i] = bin of item i, bins numbered in the
 * order of their first item.  Best fit; items of more than a quarter of the budget go first, longest first, because
 * they are hard to place; the others follow in their own order, because sorting them too would fill bins with samples of one
 * length, that is, of one kind.  A pure function of its arguments.  An item longer than the budget gets a bin of its
 * own.  Returns the number of bins.
 */
int pack_plan(int *pack, const int *tokens, int n, int budget);

#endif
