/* Learning rates against transformers' schedulers (5.x), step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "train/schedule.h"

static void assert_rates(Schedule s, const double *want, int n)
{
    for (int i = 0; i < n; i++) {
        double got = schedule_factor(&s, i);
        if (fabs(got - want[i]) > 1e-15) fail_msg("step %d: %.17g, transformers %.17g", i, got, want[i]);
    }
}

static void cosine(void **state)
{
    (void)state;
    assert_rates((Schedule){SCHEDULE_COSINE, 3, 11},
                 (double[]){0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.9619397662556434, 0.8535533905932737,
                            0.6913417161825449, 0.5, 0.30865828381745514, 0.14644660940672627, 0.03806023374435663,
                            0.0},
                 12);
    assert_rates((Schedule){SCHEDULE_COSINE, 0, 7},
                 (double[]){1.0, 0.9504844339512095, 0.8117449009293668, 0.6112604669781572, 0.38873953302184283,
                            0.18825509907063326, 0.04951556604879048, 0.0},
                 8);
}

static void linear(void **state)
{
    (void)state;
    assert_rates(
        (Schedule){SCHEDULE_LINEAR, 3, 11},
        (double[]){0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0},
        12);
    assert_rates((Schedule){SCHEDULE_LINEAR, 0, 5}, (double[]){1.0, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0}, 7);
    assert_rates(
        (Schedule){SCHEDULE_LINEAR, 6, 4}, /* a warm-up that is longer than the run */
        (double[]){0.0, 0.16666666666666666, 0.3333333333333333, 0.5, 0.6666666666666666, 0.8333333333333334, 0.0, 0.0},
        8);
}

static void constant(void **state)
{
    (void)state;
    assert_rates((Schedule){SCHEDULE_CONSTANT, 3, 11},
                 (double[]){0.0, 0.3333333333333333, 0.6666666666666666, 1.0, 1.0, 1.0}, 6);
    assert_rates((Schedule){SCHEDULE_CONSTANT, 0, 0}, (double[]){1.0, 1.0}, 2);
}

static void warmup_steps(void **state)
{
    (void)state;
    assert_int_equal(schedule_warmup(0, 0, 100), 0);
    assert_int_equal(schedule_warmup(0, 0.03, 100), 3);
    assert_int_equal(schedule_warmup(0, 0.03, 101), 4);
    assert_int_equal(schedule_warmup(7, 0.5, 100), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cosine), cmocka_unit_test(linear), cmocka_unit_test(constant),
                                       cmocka_unit_test(warmup_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
