/*
 * batch.h - what data hands to training, scoring and generation: host arrays, nothing else.
 *
 * Rows are packed: all segments' tokens behind one another, no padding.  A segment may share a prefix: it continues
 * another segment's tokens without repeating them (a preference pair = a prompt with two children, a group of answers =
 * a prompt with G children, a plain sample = one segment without a prefix).
 *
 * Targets are a list of (row, id) pairs, so that a child's first token is predicted from its prefix's last row.
 *
 *   row       0    1    2    3    4    5    6        prompt A B C, answers D E and F, another sample G H
 *   ids       A    B    C    D    E    F    G ...
 *   seg       {0,3,-1}       {3,2,0}   {5,1,0}  {6,2,-1}
 *   targets   (2,D) (3,E)    (2,F)
 *
 * A Batch owns its arrays. BatchBuilder (pack.h) makes them.
 */
#ifndef OSLER_DATA_BATCH_H
#define OSLER_DATA_BATCH_H

#include <stdint.h>

#include "base/err.h"

typedef struct Segment {
    int start, len; /* rows [start, start + len) */
    int prefix;     /* an earlier segment that this one continues, or -1; prefixes may chain */
    int sample;     /* number of the sample in the batch */
} Segment;

typedef struct BatchImage {
    int grid_h, grid_w; /* patches, before merging; both even */
    int first_patch;    /* row of `pixels` */
} BatchImage;

typedef struct Batch {
    int n;    /* tokens */
    int *ids; /* [n]; where the image token stands, -1 - k: row k of the merged image features of the batch */
    int *pos; /* [3][n]: temporal, height, width positions (M-RoPE) */
    Segment *seg;
    int n_seg;

    BatchImage *image;
    int n_images;
    float *pixels; /* [n_patches, patch_dim], normalised */
    int n_patches, patch_dim;

    int *target_row, *target_id; /* [n_targets] */
    float *weight;               /* [n_targets] loss weight */
    int *target_sample;          /* [n_targets] */
    int n_targets;

    int n_samples;
    int *source;          /* [n_samples] number of each sample in the Dataset */
    int64_t first_sample; /* position in the epoch's order where the batch (or its window) begins: for logs */
} Batch;

void batch_free(Batch *b); /* releases the arrays and b itself; NULL is fine */

/*
 * Checks every index: segments cover the rows in order without gaps, prefixes come before their children, ids are below
 * `vocab` or name each image feature row exactly once and in order, images cover the patches, positions are not
 * negative, targets name existing rows, ids and samples, numbers are finite.  A feature row is merge x merge patches.
 */
int batch_check(const Batch *b, int vocab, int merge, Err *err);

#endif
