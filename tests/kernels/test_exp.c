/* exp_f32 of the vectorised kernels against exp in double: its claim is 1 ulp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define T_IS_BF16 0
#define SUFFIX    _test
#include "kernels/cpu/simd.h"

/* The distance from one float of y's size to the next. */
static double ulp(double y)
{
    int e;
    frexp(y, &e);
    return ldexp(1, (e < -125 ? -125 : e) - 24);
}

static void test_accuracy(void **state)
{
    (void)state;
    enum { N = 400000 };
    for (int i = 0; i < N; i++) {
        float x = -104.0f + 192.6f * ((float)i + 0.5f) / N;
        double want = exp((double)x), got = (double)exp_f32(x);
        if (!(fabs(got - want) <= ulp(want))) fail_msg("exp(%.9g) = %.9g, should be %.9g", (double)x, got, want);
    }
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(exp_f32(0.0f) == 1.0f);
    assert_true(exp_f32(-0.0f) == 1.0f);
    assert_true(exp_f32(-INFINITY) == 0.0f);
    assert_true(exp_f32(-1e30f) == 0.0f);
    assert_true(isinf(exp_f32(INFINITY)));
    assert_true(isinf(exp_f32(1e30f)));
    assert_true(isnan(exp_f32(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accuracy), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
