/*
 * Bicubic resize, bit for bit as Pillow 13 (src/libImaging/Resample.c): the kernel (a = -0.5) is stretched by the scale
 * when shrinking, its weights are rounded to fixed point with 22 bits after the point, and what the first of the two
 * passes gives is rounded to 8 bits before the second.  Which pass comes first shows in the last bits: along the rows,
 * unless the picture loses more than twice as many rows as columns (older Pillows always begin along the rows).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/decoder.h"

enum { POINT_BITS = 22, HALF = 1 << (POINT_BITS - 1) };

/* Output sample i is the sum over k < count[i] of weight[i * most + k] * input[first[i] + k]. */
typedef struct Kernel {
    int n, most;
    int *first, *count;
    int32_t *weight;
} Kernel;

/* Keys' cubic with a = -0.5. */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static int32_t to_fixed(double w)
{
    return (int32_t)(w < 0 ? -0.5 + w * (1 << POINT_BITS) : 0.5 + w * (1 << POINT_BITS));
}

static void kernel_init(Kernel *k, int in, int out)
{
    double scale = (double)in / out, stretch = scale < 1.0 ? 1.0 : scale, support = 2.0 * stretch;
    k->n = out;
    k->most = (int)ceil(support) * 2 + 1;
    k->first = xmalloc(sizeof *k->first * (size_t)out);
    k->count = xmalloc(sizeof *k->count * (size_t)out);
    k->weight = xcalloc((size_t)out * (size_t)k->most, sizeof *k->weight);
    double *w = xmalloc(sizeof *w * (size_t)k->most), per_stretch = 1.0 / stretch;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int lo = (int)(centre - support + 0.5), hi = (int)(centre + support + 0.5);
        if (lo < 0) lo = 0;
        if (hi > in) hi = in;
        for (int j = lo; j < hi; j++) {
            w[j - lo] = cubic((j - centre + 0.5) * per_stretch);
            sum += w[j - lo];
        }
        k->first[i] = lo;
        k->count[i] = hi - lo;
        for (int j = 0; j < hi - lo; j++) {
            k->weight[(size_t)i * (size_t)k->most + (size_t)j] = to_fixed(sum != 0.0 ? w[j] / sum : w[j]);
        }
    }
    free(w);
}

static void kernel_release(Kernel *k)
{
    free(k->first);
    free(k->count);
    free(k->weight);
}

static inline unsigned char from_fixed(int32_t v)
{
    v >>= POINT_BITS;
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void resize_row(unsigned char *dst, const unsigned char *src, const Kernel *k)
{
    for (int x = 0; x < k->n; x++, dst += 3) {
        const unsigned char *p = src + 3 * (size_t)k->first[x];
        const int32_t *w = k->weight + (size_t)x * (size_t)k->most;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int j = 0; j < k->count[x]; j++, p += 3) {
            r += w[j] * p[0];
            g += w[j] * p[1];
            b += w[j] * p[2];
        }
        dst[0] = from_fixed(r);
        dst[1] = from_fixed(g);
        dst[2] = from_fixed(b);
    }
}

/* dst = the weighted sum of k->count[y] rows of src, `n` bytes each; sum [n] is scratch. */
static void resize_column(unsigned char *restrict dst, int32_t *restrict sum, const unsigned char *src, size_t n,
                          const Kernel *k, int y)
{
    const int32_t *w = k->weight + (size_t)y * (size_t)k->most;
    for (size_t i = 0; i < n; i++) sum[i] = HALF;
    for (int j = 0; j < k->count[y]; j++) {
        const unsigned char *row = src + n * (size_t)(k->first[y] + j);
        for (size_t i = 0; i < n; i++) sum[i] += w[j] * row[i];
    }
    for (size_t i = 0; i < n; i++) dst[i] = from_fixed(sum[i]);
}

/* im becomes w wide. */
static void resize_width(Image *im, int w)
{
    if (w == im->w) return;
    size_t n = 3 * (size_t)w, from = 3 * (size_t)im->w;
    Image out = {w, im->h, xmalloc(n * (size_t)im->h)};
    Kernel k;
    kernel_init(&k, im->w, w);
    for (size_t y = 0; y < (size_t)im->h; y++) resize_row(out.rgb + n * y, im->rgb + from * y, &k);
    kernel_release(&k);
    free(im->rgb);
    *im = out;
}

/* im becomes h high. */
static void resize_height(Image *im, int h)
{
    if (h == im->h) return;
    size_t n = 3 * (size_t)im->w;
    Image out = {im->w, h, xmalloc(n * (size_t)h)};
    int32_t *sum = xmalloc(sizeof *sum * n);
    Kernel k;
    kernel_init(&k, im->h, h);
    for (int y = 0; y < h; y++) resize_column(out.rgb + n * (size_t)y, sum, im->rgb, n, &k, y);
    kernel_release(&k);
    free(sum);
    free(im->rgb);
    *im = out;
}

int image_resize(Image *dst, const Image *src, int w, int h, Err *err)
{
    *dst = (Image){0};
    bool columns_first = h < src->h && src->h - h > 2 * (src->w - w);
    if (image_check_size(w, h, err) || image_check_size(columns_first ? src->w : w, columns_first ? h : src->h, err)) {
        return err_context(err, "resize %d x %d to %d x %d", src->w, src->h, w, h);
    }
    size_t size = 3 * (size_t)src->w * (size_t)src->h;
    *dst = (Image){src->w, src->h, xmalloc(size)};
    memcpy(dst->rgb, src->rgb, size);
    if (columns_first) resize_height(dst, h);
    resize_width(dst, w);
    resize_height(dst, h);
    return 0;
}
