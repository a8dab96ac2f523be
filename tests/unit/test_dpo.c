/* train/dpo: the loss of a pair, its derivative under every option, and values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "train/dpo.h"

static double loss_of(const DpoPair *p, const TrainOptions *o)
{
    double grad[2], reward[2];
    return dpo_loss(p, o, grad, reward);
}

static double uniform(Rng *r, double lo, double hi)
{
    return lo + (hi - lo) * rng_u32(r) / 4294967296.0;
}

static DpoPair random_pair(Rng *r)
{
    DpoPair p = {.length = {1 + (int)rng_below(r, 40), 1 + (int)rng_below(r, 40)}};
    for (int k = 0; k < 2; k++) {
        p.reference.at[k] = uniform(r, -60, -5);
        p.policy.at[k] = p.reference.at[k] + uniform(r, -8, 8);
    }
    return p;
}

static void check_gradient(const TrainOptions *o, Rng *r)
{
    const double step = 1e-5;
    for (int i = 0; i < 50; i++) {
        DpoPair p = random_pair(r);
        double grad[2], reward[2];
        dpo_loss(&p, o, grad, reward);
        for (int k = 0; k < 2; k++) {
            DpoPair up = p, down = p;
            up.policy.at[k] += step, down.policy.at[k] -= step;
            double slope = (loss_of(&up, o) - loss_of(&down, o)) / (2 * step);
            assert_true(fabs(slope - grad[k]) < 1e-6 * (1 + fabs(slope)));
        }
    }
}

static void test_gradient_is_the_derivative(void **state)
{
    (void)state;
    Rng r = rng_at(1, RNG_TEST, 0, 0, 0);
    for (int loss = LOSS_SIGMOID; loss <= LOSS_IPO; loss++)
        for (int smooth = 0; smooth < 2; smooth++)
            for (int mean = 0; mean < 2; mean++)
                for (int rpo = 0; rpo < 2; rpo++) {
                    TrainOptions o = {.beta = 0.3, .loss_type = loss, .length_normalized = mean};
                    o.label_smoothing = 0.1 * smooth, o.rpo_alpha = rpo;
                    check_gradient(&o, &r);
                }
}

static void test_values(void **state)
{
    (void)state;
    DpoPair p = {.policy = {{-10, -20}}, .reference = {{-10, -20}}, .length = {5, 10}};
    TrainOptions o = {.beta = 0.1};
    assert_true(fabs(loss_of(&p, &o) - log(2)) < 1e-15);
    p.policy.at[0] = -5, p.policy.at[1] = -25; /* h = 10 */
    assert_true(fabs(loss_of(&p, &o) - log1p(exp(-1))) < 1e-15);
    o.label_smoothing = 0.25;
    assert_true(fabs(loss_of(&p, &o) - (0.75 * log1p(exp(-1)) + 0.25 * log1p(exp(1)))) < 1e-15);
    o = (TrainOptions){.beta = 0.1, .loss_type = LOSS_IPO}; /* h = 5/5 + 5/10 = 1.5 */
    assert_true(fabs(loss_of(&p, &o) - (1.5 - 5) * (1.5 - 5)) < 1e-12);
    o = (TrainOptions){.beta = 0.1, .length_normalized = true, .rpo_alpha = 2};
    assert_true(fabs(loss_of(&p, &o) - (log1p(exp(-0.15)) + 2)) < 1e-12);
    p.policy.at[0] = -1e4; /* far away: no overflow */
    o = (TrainOptions){.beta = 10};
    assert_true(isfinite(loss_of(&p, &o)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_is_the_derivative),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
