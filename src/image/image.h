/*
 * image.h - image references to model patches.
 *
 * A reference is `path[#key=value&key=value]`: JPEG, PNG, WebP, TIFF with EXIF rotation applied; DICOM with `frame=K`
 * and `window=CENTRE,WIDTH`; NIfTI with one of `axial=K`, `coronal=K`, `sagittal=K`, `window=`, and `volume=K` where
 * there are four dimensions; in a parquet, CSV, TSV or JSON table `row=K&column=NAME[&item=K]` before these.  See
 * docs/formats.md.
 * Everything ends as 8-bit RGB, then: plan (smart-resize, grid, token count; needs only the size), resize (bicubic),
 * normalise, cut into patches in the order the vision tower reads them.
 *
 *   int w, h; ImagePlan plan;
 *   if (image_size(&w, &h, "scan.dcm#window=40,80", err)) ...                    reads the header
 *   if (image_plan(&plan, &proc, w, h, err)) ...
 *   unsigned char *rgb = xmalloc(image_plan_bytes(&plan));
 *   if (image_load_planned(rgb, &proc, &plan, "scan.dcm#window=40,80", err)) ...
 *   float *px = xmalloc(image_patch_bytes(&proc, &plan));
 *   image_patches(px, &proc, &plan, rgb);
 *
 * All functions are thread-safe.  Hostile files give an error: sizes are limited to 2^28 pixels (IMAGE_MAX_PIXELS).
 */
#ifndef OSLER_IMAGE_IMAGE_H
#define OSLER_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define IMAGE_MAX_PIXELS (1 << 28)

typedef struct Image {
    int w, h;
    unsigned char *rgb; /* [h][w][3] */
} Image;

/* Loads and decodes a reference. */
int image_load(Image *im, const char *ref, Err *err);
/* Decodes a file already in memory; `fragment` is what follows '#', or "". `name` stands for the path in messages. */
int image_decode(Image *im, const unsigned char *bytes, size_t n, const char *fragment, const char *name, Err *err);
/* Width and height as image_load would give them, from the header alone where the format allows it. */
int image_size(int *w, int *h, const char *ref, Err *err);
void image_release(Image *im);

/* preprocessor_config.json */
typedef struct ImageProcessor {
    int64_t min_pixels, max_pixels;
    int patch, temporal, merge; /* 14, 2, 2 */
    double mean[3], std[3], rescale;
} ImageProcessor;
/* Reads model_dir/preprocessor_config.json (both min_pixels/max_pixels and size.shortest_edge/longest_edge layouts);
   before it, as transformers does, "image_processor" of processor_config.json where that exists. */
int image_processor_load(ImageProcessor *p, const char *model_dir, Err *err);
void image_processor_default(ImageProcessor *p);
/* Puts the caller's limits in place of the checkpoint's; 0 leaves one as it is. */
int image_processor_limit(ImageProcessor *p, int64_t min_pixels, int64_t max_pixels, Err *err);

typedef struct ImagePlan {
    int w, h;           /* after smart-resize: multiples of patch * merge */
    int grid_w, grid_h; /* patches */
    int tokens;         /* grid_w * grid_h / merge^2 */
} ImagePlan;

int image_plan(ImagePlan *plan, const ImageProcessor *p, int w, int h, Err *err);
static inline int image_patch_dim(const ImageProcessor *p)
{
    return 3 * p->temporal * p->patch * p->patch;
}
static inline size_t image_patch_bytes(const ImageProcessor *p, const ImagePlan *plan)
{
    return sizeof(float) * (size_t)image_patch_dim(p) * (size_t)plan->grid_w * (size_t)plan->grid_h;
}

/* Bytes of the picture at its planned size. */
static inline size_t image_plan_bytes(const ImagePlan *plan)
{
    return 3 * (size_t)plan->w * (size_t)plan->h;
}

/* Bicubic with antialiasing, bit for bit as Pillow's BICUBIC. image_resize_to: into rgb [h][w][3] of the caller's. */
int image_resize(Image *dst, const Image *src, int w, int h, Err *err);
int image_resize_to(unsigned char *rgb, int w, int h, const Image *src, Err *err);
/* Loads a reference and resizes it: rgb [plan->h][plan->w][3]. Error where the plan was made for another size. */
int image_load_planned(unsigned char *rgb, const ImageProcessor *p, const ImagePlan *plan, const char *ref, Err *err);
/*
 * patches [grid_h * grid_w, patch_dim] of a picture of the planned size: rows in merge-window order, columns channel,
 * time, y, x.  Runs on the thread pool.
 */
void image_patches(float *patches, const ImageProcessor *p, const ImagePlan *plan, const unsigned char *rgb);

/* 8-bit RGB to a .png, .ppm or .pgm (gray: the mean of equal channels) file, by the ending of path. */
int image_save(const Image *im, const char *path, Err *err);
/* Appends the picture as a PNG file. fast: little compression, one channel where all three are equal. */
int image_png(Buf *out, const Image *im, bool fast, Err *err);

#endif
