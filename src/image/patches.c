#include <string.h>

#include "base/pool.h"
#include "image/image.h"

/* The value of every 8-bit sample of a channel. */
typedef struct Levels {
    float of[3][256];
} Levels;

/* (x * rescale in f64, rounded to f32, minus mean) / std in f32: the order of transformers. */
static void levels_fill(Levels *l, const ImageProcessor *p)
{
    for (int c = 0; c < 3; c++) {
        for (int x = 0; x < 256; x++) l->of[c][x] = ((float)(x * p->rescale) - (float)p->mean[c]) / (float)p->std[c];
    }
}

/* One channel of a patch; `side` is known when compiled where it is the usual one. */
static inline __attribute__((always_inline)) void plane_write(float *at, int side, const unsigned char *rgb,
                                                              size_t stride, const float *table)
{
    for (int y = 0; y < side; y++, rgb += stride) {
#pragma GCC unroll 14
        for (int x = 0; x < side; x++) *at++ = table[rgb[3 * x]];
    }
}

/*
 * One row [3][temporal][patch][patch]: the still picture is repeated over time.  The usual plane goes through the
 * nearest cache, so that the large output is written in whole lines.
 */
static void patch_write(float *out, const ImageProcessor *p, const unsigned char *rgb, size_t stride, const Levels *l)
{
    enum { USUAL = 14 };
    float usual[USUAL * USUAL];
    size_t area = (size_t)p->patch * (size_t)p->patch;
    for (int c = 0; c < 3; c++, out += area * (size_t)p->temporal) {
        const float *plane = p->patch == USUAL ? usual : out;
        if (plane == usual) plane_write(usual, USUAL, rgb + c, stride, l->of[c]);
        else plane_write(out, p->patch, rgb + c, stride, l->of[c]);
        for (int t = plane == out; t < p->temporal; t++) memcpy(out + area * (size_t)t, plane, area * sizeof *out);
    }
}

typedef struct PatchJob {
    float *patches;
    const ImageProcessor *p;
    const ImagePlan *plan;
    const unsigned char *rgb;
    Levels levels;
} PatchJob;

/* One row of windows of merge x merge patches in reading order, inside a window again in reading order. */
static void write_windows(void *arg, int task)
{
    const PatchJob *j = arg;
    const ImageProcessor *p = j->p;
    size_t stride = 3 * (size_t)j->plan->w, side = (size_t)p->patch, merge = (size_t)p->merge;
    float *out = j->patches + (size_t)task * merge * (size_t)j->plan->grid_w * (size_t)image_patch_dim(p);
    const unsigned char *row = j->rgb + stride * side * merge * (size_t)task;
    for (size_t x = 0; x < (size_t)j->plan->grid_w; x += merge) {
        for (size_t k = 0; k < merge * merge; k++, out += image_patch_dim(p)) {
            const unsigned char *from = row + side * (stride * (k / merge) + 3 * (x + k % merge));
            patch_write(out, p, from, stride, &j->levels);
        }
    }
}

void image_patches(float *patches, const ImageProcessor *p, const ImagePlan *plan, const unsigned char *rgb)
{
    PatchJob j = {.patches = patches, .p = p, .plan = plan, .rgb = rgb};
    levels_fill(&j.levels, p);
    pool_run(plan->grid_h / p->merge, write_windows, &j);
}
