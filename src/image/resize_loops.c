#include "image/resize_loops.h"

static void rows_run(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to,
                     const ResizeKernel *k)
{
    for (int y = from; y < to; y++) {
        unsigned char *at = dst + 3 * (size_t)k->n * (size_t)y;
        for (int x = 0; x < k->n; x++, at += 3) {
            const unsigned char *p = src + bytes * (size_t)y + 3 * (size_t)k->first[x];
            const int32_t *weight = k->weight + (size_t)x * (size_t)k->most;
            int32_t sum[3] = {RESIZE_HALF, RESIZE_HALF, RESIZE_HALF};
            for (int j = 0; j < k->count[x]; j++, p += 3)
                for (int c = 0; c < 3; c++) sum[c] += weight[j] * p[c];
            for (int c = 0; c < 3; c++) at[c] = resize_from_fixed(sum[c]);
        }
    }
}

static void columns_run(unsigned char *dst, const unsigned char *src, size_t bytes, int from, int to,
                        const ResizeKernel *k)
{
    for (int y = from; y < to; y++) {
        const int32_t *weight = k->weight + (size_t)y * (size_t)k->most;
        const unsigned char *p = src + bytes * (size_t)k->first[y];
        for (size_t x = 0; x < bytes; x++) {
            int32_t sum = RESIZE_HALF;
            for (int j = 0; j < k->count[y]; j++) sum += weight[j] * p[bytes * (size_t)j + x];
            dst[bytes * (size_t)y + x] = resize_from_fixed(sum);
        }
    }
}

static const ResizeLoop *choose(const ResizeLoop *fast, const ResizeLoop *plain, const ResizeKernel *k, int number)
{
    for (; fast->name; fast++)
        if (fast->fits(k) && number-- == 0) return fast;
    return number == 0 ? plain : NULL;
}

const ResizeLoop *resize_rows(const ResizeKernel *k, int number)
{
    static const ResizeLoop plain = {.name = "plain", .run = rows_run};
    return choose(RESIZE_ROWS_X86, &plain, k, number);
}

const ResizeLoop *resize_columns(const ResizeKernel *k, int number)
{
    static const ResizeLoop plain = {.name = "plain", .run = columns_run};
    return choose(RESIZE_COLUMNS_X86, &plain, k, number);
}
