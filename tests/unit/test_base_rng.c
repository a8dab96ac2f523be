/* base/rng: Philox against the published answers, streams that depend on their key and place only, distributions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"

/* Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, answer. */
static void known_answers(void **state)
{
    (void)state;
    static const uint32_t KAT[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
         0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
         0x24126ea1},
    };
    for (size_t i = 0; i < sizeof KAT / sizeof *KAT; i++) {
        uint32_t out[4];
        philox(out, KAT[i], KAT[i] + 4);
        assert_memory_equal(out, KAT[i] + 6, sizeof out);
    }
}

static void same_place_same_numbers(void **state)
{
    (void)state;
    Rng a = rng_at(7, RNG_SAMPLE, 1, 2, 3), b = rng_at(7, RNG_SAMPLE, 1, 2, 3);
    for (int i = 0; i < 100; i++) assert_int_equal(rng_u32(&a), rng_u32(&b));
}

/* A change of any part of the place changes the stream. */
static void other_place_other_numbers(void **state)
{
    (void)state;
    Rng r[] = {rng_at(7, RNG_TEST, 1, 2, 3),
               rng_at(8, RNG_TEST, 1, 2, 3),
               rng_at(7, RNG_SAMPLE, 1, 2, 3),
               rng_at(7, RNG_TEST, 0, 2, 3),
               rng_at(7, RNG_TEST, 1, 0, 3),
               rng_at(7, RNG_TEST, 1, 2, 0),
               rng_at(7 + (1ull << 32), RNG_TEST, 1, 2, 3)};
    enum { N = sizeof r / sizeof *r };
    uint32_t first[N][4];
    for (int i = 0; i < N; i++)
        for (int k = 0; k < 4; k++) first[i][k] = rng_u32(&r[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) assert_memory_not_equal(first[i], first[j], sizeof first[i]);
}

/* Block i of a stream is philox of counter (a, b, c, i), as kernels compute it. */
static void stream_is_counter(void **state)
{
    (void)state;
    Rng r = rng_at(11, RNG_DROPOUT, 5, 6, 7);
    uint32_t key[2] = {r.key[0], r.key[1]};
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t want[4], ctr[4] = {5, 6, 7, i};
        philox(want, ctr, key);
        for (int k = 0; k < 4; k++) assert_int_equal(rng_u32(&r), want[k]);
    }
}

/* Chi-square of 60000 draws in 6 classes: 5 degrees of freedom, 30 is passed once in 70000 times. */
static void below_is_even(void **state)
{
    (void)state;
    Rng r = rng_at(1, RNG_TEST, 0, 0, 0);
    int seen[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint32_t k = rng_below(&r, 6);
        assert_true(k < 6);
        seen[k]++;
    }
    double chi2 = 0;
    for (int k = 0; k < 6; k++) chi2 += (seen[k] - 10000.0) * (seen[k] - 10000.0) / 10000.0;
    assert_true(chi2 < 30);
    for (int i = 0; i < 10; i++) assert_int_equal(rng_below(&r, 1), 0);
}

/* With n = 3 * 2^30 a draw without rejection would give multiples of 3 twice as often as the rest. */
static void below_has_no_bias(void **state)
{
    (void)state;
    Rng r = rng_at(2, RNG_TEST, 0, 0, 0);
    int low[3] = {0};
    for (int i = 0; i < 30000; i++) low[rng_below(&r, UINT32_C(3) << 30) % 3]++;
    for (int k = 0; k < 3; k++) assert_in_range(low[k], 9600, 10400);
}

static void uniform_fills_the_interval(void **state)
{
    (void)state;
    Rng r = rng_at(3, RNG_TEST, 0, 0, 0);
    double sum = 0, least = 1, most = 0;
    for (int i = 0; i < 100000; i++) {
        double u = rng_uniform(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
        least = fmin(least, u);
        most = fmax(most, u);
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    assert_true(least < 1e-4 && most > 1 - 1e-4);
}

static double one_normal(Rng *r)
{
    return rng_normal(r);
}

/* The sum of two over root 2 is normal again where they are independent. */
static double pair_of_normals(Rng *r)
{
    float x[2];
    rng_normal_pair(x, r);
    return ((double)x[0] + (double)x[1]) * 0.70710678118654752;
}

static void check_moments(double (*draw)(Rng *r))
{
    Rng r = rng_at(4, RNG_TEST, 0, 0, 0);
    enum { N = 100000 };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    for (int i = 0; i < N; i++) {
        double x = draw(&r);
        assert_true(isfinite(x));
        m1 += x / N, m2 += x * x / N, m3 += x * x * x / N, m4 += x * x * x * x / N;
    }
    assert_true(fabs(m1) < 0.02);
    assert_true(fabs(m2 - 1) < 0.03);
    assert_true(fabs(m3) < 0.08);
    assert_true(fabs(m4 - 3) < 0.2);
}

static void normal_has_its_moments(void **state)
{
    (void)state;
    check_moments(one_normal);
    check_moments(pair_of_normals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),          cmocka_unit_test(same_place_same_numbers),
        cmocka_unit_test(stream_is_counter),      cmocka_unit_test(other_place_other_numbers),
        cmocka_unit_test(below_is_even),          cmocka_unit_test(below_has_no_bias),
        cmocka_unit_test(normal_has_its_moments), cmocka_unit_test(uniform_fills_the_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
