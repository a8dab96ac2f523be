#include <string.h>

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

/* One row [3][temporal][patch][patch]: the still picture is repeated over time. */
static void patch_write(float *out, const ImageProcessor *p, const unsigned char *rgb, size_t stride, const Levels *l)
{
    size_t area = (size_t)p->patch * (size_t)p->patch;
    for (int c = 0; c < 3; c++) {
        const float *table = l->of[c];
        float *at = out;
        for (int y = 0; y < p->patch; y++) {
            const unsigned char *s = rgb + stride * (size_t)y + c;
            for (int x = 0; x < p->patch; x++) *at++ = table[s[3 * x]];
        }
        for (int t = 1; t < p->temporal; t++) memcpy(out + area * (size_t)t, out, area * sizeof *out);
        out += area * (size_t)p->temporal;
    }
}

int image_patches(float *patches, const ImageProcessor *p, const ImagePlan *plan, const Image *im, Err *err)
{
    Image sized;
    if (image_resize(&sized, im, plan->w, plan->h, err)) return -1;
    Levels levels;
    levels_fill(&levels, p);
    size_t stride = 3 * (size_t)plan->w;
    /* Windows of merge x merge patches in reading order, inside a window again in reading order. */
    for (int wy = 0; wy < plan->grid_h; wy += p->merge) {
        for (int wx = 0; wx < plan->grid_w; wx += p->merge) {
            for (int k = 0; k < p->merge * p->merge; k++, patches += image_patch_dim(p)) {
                size_t py = (size_t)(wy + k / p->merge) * (size_t)p->patch;
                size_t px = (size_t)(wx + k % p->merge) * (size_t)p->patch;
                patch_write(patches, p, sized.rgb + stride * py + 3 * px, stride, &levels);
            }
        }
    }
    image_release(&sized);
    return 0;
}
