/* image/resize_loops: every variant gives the bits of the plain one, and touches no byte that it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "image/image.h"
#include "image/resize_loops.h"

static int below(Rng *r, int n)
{
    return (int)rng_below(r, (uint32_t)n);
}

/*
 * n outputs over `in` inputs, up to `taps` taps each, in rising order as a resize has them.  Weights are as wild as
 * sums in 32 bits allow, the worst being as large as one can get (1.125) and beyond.
 */
static ResizeKernel random_kernel(Rng *r, int in, int n, int taps)
{
    ResizeKernel k = {.n = n, .most = (taps + 3) & ~3};
    k.first = xmalloc((size_t)n * sizeof *k.first);
    k.count = xmalloc((size_t)n * sizeof *k.count);
    k.weight = xcalloc((size_t)n * (size_t)k.most, sizeof *k.weight);
    for (int i = 0; i < n; i++) {
        k.count[i] = 1 + below(r, taps < in ? taps : in);
        int place = n > 1 ? (int)((int64_t)i * (in - 1) / (n - 1)) : 0;
        k.first[i] = place + k.count[i] <= in ? place : in - k.count[i];
        if (i && k.first[i] < k.first[i - 1]) {
            k.first[i] = k.first[i - 1];
            if (k.count[i] > in - k.first[i]) k.count[i] = in - k.first[i];
        }
        int32_t range = (1 << 23) / k.count[i] - 1;
        if (range > 6 << 20) range = 6 << 20;
        for (int j = 0; j < k.count[i]; j++)
            k.weight[(size_t)i * (size_t)k.most + (size_t)j] = below(r, 2 * range + 1) - range;
    }
    return k;
}

static void kernel_free(ResizeKernel *k)
{
    free(k->first);
    free(k->count);
    free(k->weight);
}

static unsigned char *random_bytes(Rng *r, size_t n)
{
    unsigned char *b = xmalloc(n);
    bool extremes = below(r, 3) == 0;
    for (size_t i = 0; i < n; i++) b[i] = (unsigned char)(extremes ? -below(r, 2) : below(r, 256));
    return b;
}

typedef const ResizeLoop *Choose(const ResizeKernel *k, int number);

/* Rows [from, to) by every variant; `out` bytes a row, which lie in memory of exactly that size. */
static void compare(Choose *choose, ResizeKernel *k, const unsigned char *src, size_t bytes, size_t out, int from,
                    int to)
{
    int variants = 0;
    while (choose(k, variants)) variants++;
    const ResizeLoop *plain = choose(k, variants - 1);
    assert_string_equal(plain->name, "plain");
    size_t size = out * (size_t)to;
    unsigned char *want = xcalloc(size, 1);
    plain->run(want, src, bytes, from, to, k);
    for (int v = 0; v < variants - 1; v++) {
        const ResizeLoop *loop = choose(k, v);
        unsigned char *got = xcalloc(size, 1);
        loop->prepare(k);
        loop->run(got, src, bytes, from, to, k);
        for (size_t i = 0; i < size; i++)
            if (got[i] != want[i])
                fail_msg("%s: byte %zu of row %zu is %d, not %d", loop->name, i % out, i / out, got[i], want[i]);
        free(k->table);
        k->table = NULL;
        free(got);
    }
    free(want);
}

static void rows_are_the_plain_ones(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 400; round++) {
        Rng r = rng_at(6, RNG_TEST, round, 0, 0);
        int w = 1 + below(&r, 90), n = 1 + below(&r, 90), h = 1 + below(&r, 7), from = below(&r, h);
        ResizeKernel k = random_kernel(&r, w, n, 1 + below(&r, round % 4 ? 9 : 40));
        size_t bytes = 3 * (size_t)w;
        unsigned char *src = random_bytes(&r, bytes * (size_t)h + resize_slack(&k));
        compare(resize_rows, &k, src, bytes, 3 * (size_t)n, from, from + 1 + below(&r, h - from));
        free(src);
        kernel_free(&k);
    }
}

static void columns_are_the_plain_ones(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 400; round++) {
        Rng r = rng_at(7, RNG_TEST, round, 0, 0);
        int h = 1 + below(&r, 30), n = 1 + below(&r, 30), from = below(&r, n);
        ResizeKernel k = random_kernel(&r, h, n, 1 + below(&r, round % 4 ? 9 : 40));
        size_t bytes = 1 + (size_t)below(&r, 300);
        unsigned char *src = random_bytes(&r, bytes * (size_t)h);
        compare(resize_columns, &k, src, bytes, bytes, from, from + 1 + below(&r, n - from));
        free(src);
        kernel_free(&k);
    }
}

/* Pictures whose size is exactly what is read: a row that ends the memory has nothing behind it. */
static void resize_stays_inside(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 200; round++) {
        Rng r = rng_at(8, RNG_TEST, round, 0, 0);
        Err err = {0};
        int w = 1 + below(&r, 60), h = 1 + below(&r, 60);
        Image src = {w, h, random_bytes(&r, 3 * (size_t)w * (size_t)h)}, dst;
        int to_w = 1 + below(&r, 80), to_h = 1 + below(&r, 80);
        assert_int_equal(image_resize(&dst, &src, to_w, to_h, &err), 0);
        assert_true(dst.w == to_w && dst.h == to_h);
        image_release(&dst);
        image_release(&src);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_plain_ones),
        cmocka_unit_test(columns_are_the_plain_ones),
        cmocka_unit_test(resize_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
