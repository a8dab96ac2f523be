/*
 * vision_cache.h - what the vision tower makes of an image, kept on disk.
 *
 * While neither the vision tower nor the merger is trained or carries an adapter, the features of an image depend on
 * its patches and on their weights only.  They are computed once and read from then on, in later epochs and in later
 * runs, by training, scoring and generation alike.  A hit gives the bits that computing would give: an entry is named
 * after the SHA-256 of
 *
 *   - the patches (f32, as the tower gets them) and the image's grid;
 *   - the weights in the compute format, the tower's geometry, the compute format;
 *   - the program's version, the kernels in use, and what the tower makes of one small made-up image: another machine or
 *     compiler that rounds otherwise has entries of its own.
 *
 *   VisionCache *v = vision_cache_new(model, dir, cap_bytes, err);   NULL: the tower is trained, or has adapters
 *   Tensor *feats = vision_cache_features(v, &ctx, batch);           as model_vision
 *   vision_cache_free(v);                                            notes hits and misses
 *
 * The weights are hashed at the first image (about 0.4 ns a byte on two cores), and the hash is remembered in the folder
 * for as long as the weight files stay as they are.  Folder, limit and robustness: base/disk_cache.h.
 */
#ifndef OSLER_INFER_VISION_CACHE_H
#define OSLER_INFER_VISION_CACHE_H

#include "model/model.h"

typedef struct VisionCache VisionCache;

/* Borrows the model, whose trained parts and adapters must stay what they are. */
VisionCache *vision_cache_new(const Model *m, const char *dir, int64_t cap_bytes, Err *err);
void vision_cache_free(VisionCache *v);

/* Merged image features [n_patches / merge^2, d] in the step arena, without a gradient; NULL where the batch has no
   image. */
Tensor *vision_cache_features(VisionCache *v, Ctx *c, const Batch *b);

typedef struct VisionCacheCount {
    int64_t hits, misses; /* images so far */
    double encoded;       /* share of the last batch's patches that went through the tower */
} VisionCacheCount;
VisionCacheCount vision_cache_count(const VisionCache *v);

#endif
