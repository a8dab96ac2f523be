/*
 * resize_loops.h - the two passes of resize.c, in plain C and for vector units.
 *
 * Output i of a pass is the sum over k < count[i] of weight[k] * input[first[i] + k], in 32-bit integers that wrap:
 * every variant gives the same bits, whatever order it adds in.  Vector units multiply 8 or 16 bits, so a variant
 * first cuts the weights into digits of that size (prepare), and its products of digits are shifted and added at last.
 *
 *   const ResizeLoop *loop = resize_rows(&kernel, 0);           along the rows; resize_columns: down the columns
 *   if (loop->prepare) loop->prepare(&kernel);                  once; free(kernel.table) in the end
 *   loop->run(dst, src, bytes, from, to, &kernel);
 *
 * Along the rows run makes the rows [from, to) of dst, 3 * kernel.n bytes each, from the same rows of src, `bytes`
 * bytes each; it may read resize_slack(kernel) bytes behind the last of them.  Down the columns it makes the rows
 * [from, to) of dst from the rows kernel.first[y] ... of src, `bytes` bytes each in both.
 */
#ifndef OSLER_IMAGE_RESIZE_LOOPS_H
#define OSLER_IMAGE_RESIZE_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESIZE_BITS = 22, RESIZE_HALF = 1 << (RESIZE_BITS - 1) };

typedef struct ResizeKernel {
    int n, most;        /* outputs; the most taps of one, rounded up to a multiple of 4 */
    int *first, *count; /* [n] */
    int32_t *weight;    /* [n][most], 22 bits after the point, zero behind count */
    void *table;        /* what prepare made of the weights */
} ResizeKernel;

typedef struct ResizeLoop {
    const char *name;
    bool (*fits)(const ResizeKernel *k); /* the machine and the kernel; NULL: always */
    void (*prepare)(ResizeKernel *k);    /* NULL: nothing to do */
    void (*run)(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to, const ResizeKernel *k);
} ResizeLoop;

/* The number-th of the variants that fit, the fastest being 0 and the plain one the last; NULL behind it. */
const ResizeLoop *resize_rows(const ResizeKernel *k, int number);
const ResizeLoop *resize_columns(const ResizeKernel *k, int number);

/* The vector variants, fastest first, ended by a row without a name; none where the processor is another. */
extern const ResizeLoop RESIZE_ROWS_X86[], RESIZE_COLUMNS_X86[];

static inline size_t resize_slack(const ResizeKernel *k)
{
    return 3 * (size_t)k->most + 64;
}

static inline unsigned char resize_from_fixed(int32_t v)
{
    v >>= RESIZE_BITS;
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

#endif
