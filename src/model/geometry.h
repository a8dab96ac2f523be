/*
 * geometry.h - where things are: windows, positions, rotation angles, attention plans.
 *
 * Host arithmetic on indexes; everything is allocated in the given arena and lives as long as the step.
 */
#ifndef OSLER_MODEL_GEOMETRY_H
#define OSLER_MODEL_GEOMETRY_H

#include "data/batch.h"
#include "model/config.h"
#include "ops/ops.h"

/* The vision tower works on patches sorted by window, image by image. */
typedef struct VisionPlan {
    int *patch_at;  /* [n_patches] patch that stands at each row */
    int *merged_at; /* [n_patches / merge^2] row of each merged patch in image order: undoes the sorting */
    RopeTable
        rope; /* [n_patches, hd/2] in sorted order: first half of the angles from the row, second from the column */
    Attn window, full;
} VisionPlan;
void vision_plan(VisionPlan *p, Arena *a, const VisionConfig *v, const BatchImage *image, int n_images);

/* Angles of the decoder: pair j turns by pos[axis(j)] * theta^(-2j/hd), the axis by mrope section. pos [3][n]. */
RopeTable mrope_table(Arena *a, const ModelConfig *c, const int *pos, int n);

/* Causal attention of packed segments, each after its prefixes. */
void attn_from_segments(Attn *attn, Arena *a, const Segment *seg, int n_seg);

#endif
