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
#include "image/resize_loops.h"

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
    return (int32_t)(w < 0 ? -0.5 + w * (1 << RESIZE_BITS) : 0.5 + w * (1 << RESIZE_BITS));
}

/* Inputs first[i] .. first[i] + count[i] - 1 lie within the kernel's support around output i. */
static int kernel_reach(int *first, int *count, int in, int out, double support)
{
    double scale = (double)in / out;
    int most = 0;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale;
        int lo = (int)(centre - support + 0.5), hi = (int)(centre + support + 0.5);
        first[i] = lo < 0 ? 0 : lo;
        count[i] = (hi > in ? in : hi) - first[i];
        if (count[i] > most) most = count[i];
    }
    return most;
}

static void kernel_init(ResizeKernel *k, int in, int out)
{
    double scale = (double)in / out, stretch = scale < 1.0 ? 1.0 : scale, per_stretch = 1.0 / stretch;
    *k = (ResizeKernel){.n = out};
    k->first = xmalloc((size_t)out * sizeof *k->first);
    k->count = xmalloc((size_t)out * sizeof *k->count);
    k->most = (kernel_reach(k->first, k->count, in, out, 2.0 * stretch) + 3) & ~3;
    k->weight = xcalloc((size_t)out * (size_t)k->most, sizeof *k->weight);
    double *w = xmalloc(sizeof *w * (size_t)k->most);
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        for (int j = 0; j < k->count[i]; j++) {
            w[j] = cubic((j + k->first[i] - centre + 0.5) * per_stretch);
            sum += w[j];
        }
        int32_t *weight = k->weight + (size_t)i * (size_t)k->most;
        for (int j = 0; j < k->count[i]; j++) weight[j] = to_fixed(sum != 0.0 ? w[j] / sum : w[j]);
    }
    free(w);
}

static void kernel_release(ResizeKernel *k)
{
    free(k->first);
    free(k->count);
    free(k->weight);
    free(k->table);
}

/* ---- the pass along the rows ------------------------------------------------------------------------------------- */

typedef struct RowPass {
    ResizeKernel k;
    const ResizeLoop *loop;
    unsigned char *dst; /* [h][k.n][3] */
    const Image *src;
    int made;           /* rows of dst that are there */
    unsigned char *row; /* a row of src with slack behind it */
} RowPass;

static void row_pass_init(RowPass *p, unsigned char *dst, const Image *src, int w)
{
    *p = (RowPass){.dst = dst, .src = src};
    kernel_init(&p->k, src->w, w);
    p->loop = resize_rows(&p->k, 0);
    if (p->loop->prepare) p->loop->prepare(&p->k);
    p->row = xcalloc(3 * (size_t)src->w + resize_slack(&p->k), 1);
}

static void row_pass_release(RowPass *p)
{
    kernel_release(&p->k);
    free(p->row);
}

/* Makes the rows before `end`. The last of the picture have no slack behind them and are read from a copy. */
static void row_pass_until(RowPass *p, int end)
{
    size_t from = 3 * (size_t)p->src->w, to = 3 * (size_t)p->k.n;
    int safe = p->src->h - (int)((resize_slack(&p->k) + from - 1) / from), direct = end < safe ? end : safe;
    if (p->made < direct) {
        p->loop->run(p->dst, p->src->rgb, from, p->made, direct, &p->k);
        p->made = direct;
    }
    for (; p->made < end; p->made++) {
        memcpy(p->row, p->src->rgb + from * (size_t)p->made, from);
        p->loop->run(p->dst + to * (size_t)p->made, p->row, from, 0, 1, &p->k);
    }
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

/* Where `rows` still makes the rows of src, some at a time, they are read while they are in the cache. */
static void resize_height(Image *dst, const Image *src, RowPass *rows)
{
    enum { AT_A_TIME = 16 };
    ResizeKernel k;
    kernel_init(&k, src->h, dst->h);
    const ResizeLoop *loop = resize_columns(&k, 0);
    if (loop->prepare) loop->prepare(&k);
    for (int y = 0; y < dst->h; y++) {
        int need = k.first[y] + k.count[y], most = rows ? rows->made + AT_A_TIME : 0;
        if (rows && rows->made < need) row_pass_until(rows, need > most ? need : most < src->h ? most : src->h);
        loop->run(dst->rgb, src->rgb, 3 * (size_t)src->w, y, y + 1, &k);
    }
    kernel_release(&k);
}

static void resize_width(Image *dst, const Image *src)
{
    RowPass p;
    row_pass_init(&p, dst->rgb, src, dst->w);
    row_pass_until(&p, src->h);
    row_pass_release(&p);
}

static void resize_columns_first(Image *dst, const Image *src)
{
    Image mid = {src->w, dst->h, xmalloc(3 * (size_t)src->w * (size_t)dst->h)};
    resize_height(&mid, src, NULL);
    resize_width(dst, &mid);
    image_release(&mid);
}

static void resize_rows_first(Image *dst, const Image *src)
{
    Image mid = {dst->w, src->h, xmalloc(3 * (size_t)dst->w * (size_t)src->h)};
    RowPass rows;
    row_pass_init(&rows, mid.rgb, src, mid.w);
    resize_height(dst, &mid, &rows);
    row_pass_release(&rows);
    image_release(&mid);
}

int image_resize_to(unsigned char *rgb, int w, int h, const Image *src, Err *err)
{
    bool columns_first = h < src->h && src->h - h > 2 * (src->w - w);
    if (image_check_size(w, h, err) || image_check_size(columns_first ? src->w : w, columns_first ? h : src->h, err)) {
        return err_context(err, "resize %d x %d to %d x %d", src->w, src->h, w, h);
    }
    Image dst = {w, h, rgb};
    if (w == src->w && h == src->h) memcpy(rgb, src->rgb, 3 * (size_t)w * (size_t)h);
    else if (w == src->w) resize_height(&dst, src, NULL);
    else if (h == src->h) resize_width(&dst, src);
    else if (columns_first) resize_columns_first(&dst, src);
    else resize_rows_first(&dst, src);
    return 0;
}

int image_resize(Image *dst, const Image *src, int w, int h, Err *err)
{
    if (image_alloc(dst, w, h, err)) return -1;
    int rc = image_resize_to(dst->rgb, w, h, src, err);
    if (rc) image_release(dst);
    return rc;
}
