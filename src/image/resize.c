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

/* Still 32 bits wide, so that a vector of them is clipped at once. */
static inline int32_t from_fixed(int32_t v)
{
    v >>= POINT_BITS;
    v = v < 0 ? 0 : v;
    return v > 255 ? 255 : v;
}

/* The loops are compiled twice, for any machine and for AVX2 (32-bit products of vectors); both do the same sums. */
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_LOOPS 1
#define INLINE_LOOP     static inline __attribute__((always_inline))
#define AVX2            __attribute__((target("avx2")))
#else
#define HAVE_AVX2_LOOPS 0
#define INLINE_LOOP     static inline
#endif

/* A row widened to four 32-bit lanes a pixel, so that a weight meets a whole pixel at once. */
INLINE_LOOP void row_loop(unsigned char *restrict dst, int32_t *restrict wide, const unsigned char *restrict src, int w,
                          const Kernel *k)
{
    for (int x = 0; x < w; x++) {
        wide[4 * x] = src[3 * x];
        wide[4 * x + 1] = src[3 * x + 1];
        wide[4 * x + 2] = src[3 * x + 2];
        wide[4 * x + 3] = 0;
    }
    for (int x = 0; x < k->n; x++, dst += 3) {
        const int32_t *p = wide + 4 * (size_t)k->first[x], *weight = k->weight + (size_t)x * (size_t)k->most;
        int32_t sum[4] = {HALF, HALF, HALF, HALF};
        for (int j = 0; j < k->count[x]; j++, p += 4) {
            for (int c = 0; c < 4; c++) sum[c] += weight[j] * p[c];
        }
        for (int c = 0; c < 4; c++) sum[c] = from_fixed(sum[c]);
        dst[0] = (unsigned char)sum[0];
        dst[1] = (unsigned char)sum[1];
        dst[2] = (unsigned char)sum[2];
    }
}

enum { LANES = 32 };

/* dst = the weighted sum of `count` rows of src, `n` bytes each, LANES bytes at a time. */
INLINE_LOOP void column_loop(unsigned char *restrict dst, const unsigned char *restrict src, size_t n,
                             const int32_t *restrict weight, int count)
{
    size_t at = 0;
    for (; at + LANES <= n; at += LANES) {
        int32_t sum[LANES];
        for (int i = 0; i < LANES; i++) sum[i] = HALF;
        for (int j = 0; j < count; j++) {
            const unsigned char *row = src + n * (size_t)j + at;
            for (int i = 0; i < LANES; i++) sum[i] += weight[j] * row[i];
        }
        for (int i = 0; i < LANES; i++) dst[at + (size_t)i] = (unsigned char)from_fixed(sum[i]);
    }
    for (; at < n; at++) {
        int32_t sum = HALF;
        for (int j = 0; j < count; j++) sum += weight[j] * src[n * (size_t)j + at];
        dst[at] = (unsigned char)from_fixed(sum);
    }
}

typedef void RowFn(unsigned char *dst, int32_t *wide, const unsigned char *src, int w, const Kernel *k);
typedef void ColumnFn(unsigned char *dst, const unsigned char *src, size_t n, const int32_t *weight, int count);

static void row_any(unsigned char *dst, int32_t *wide, const unsigned char *src, int w, const Kernel *k)
{
    row_loop(dst, wide, src, w, k);
}

static void column_any(unsigned char *dst, const unsigned char *src, size_t n, const int32_t *weight, int count)
{
    column_loop(dst, src, n, weight, count);
}

#if HAVE_AVX2_LOOPS
AVX2 static void row_avx2(unsigned char *dst, int32_t *wide, const unsigned char *src, int w, const Kernel *k)
{
    row_loop(dst, wide, src, w, k);
}

AVX2 static void column_avx2(unsigned char *dst, const unsigned char *src, size_t n, const int32_t *weight, int count)
{
    column_loop(dst, src, n, weight, count);
}
#endif

static void loops_choose(RowFn **row, ColumnFn **column)
{
    *row = row_any;
    *column = column_any;
#if HAVE_AVX2_LOOPS
    if (__builtin_cpu_supports("avx2")) {
        *row = row_avx2;
        *column = column_avx2;
    }
#endif
}

/* im becomes w wide. */
static void resize_width(Image *im, int w, RowFn *row)
{
    if (w == im->w) return;
    size_t n = 3 * (size_t)w, from = 3 * (size_t)im->w;
    Image out = {w, im->h, xmalloc(n * (size_t)im->h)};
    int32_t *wide = xmalloc(sizeof *wide * 4 * (size_t)im->w);
    Kernel k;
    kernel_init(&k, im->w, w);
    for (size_t y = 0; y < (size_t)im->h; y++) row(out.rgb + n * y, wide, im->rgb + from * y, im->w, &k);
    kernel_release(&k);
    free(wide);
    free(im->rgb);
    *im = out;
}

/* im becomes h high. */
static void resize_height(Image *im, int h, ColumnFn *column)
{
    if (h == im->h) return;
    size_t n = 3 * (size_t)im->w;
    Image out = {im->w, h, xmalloc(n * (size_t)h)};
    Kernel k;
    kernel_init(&k, im->h, h);
    for (size_t y = 0; y < (size_t)h; y++) {
        column(out.rgb + n * y, im->rgb + n * (size_t)k.first[y], n, k.weight + y * (size_t)k.most, k.count[y]);
    }
    kernel_release(&k);
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
    RowFn *row;
    ColumnFn *column;
    loops_choose(&row, &column);
    if (columns_first) resize_height(dst, h, column);
    resize_width(dst, w, row);
    resize_height(dst, h, column);
    return 0;
}
