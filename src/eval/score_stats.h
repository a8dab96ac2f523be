/*
 * score_stats.h - how sure a score is.
 *
 *   Interval ci = wilson_interval(correct, n);                     95 %
 *   Paired d = paired_bootstrap(diff, n, seed);                    mean difference and its 95 % interval
 *   double p = mcnemar_exact(only_first, only_second);
 */
#ifndef OSLER_EVAL_SCORE_STATS_H
#define OSLER_EVAL_SCORE_STATS_H

#include <stdint.h>

typedef struct Interval {
    double lo, hi;
} Interval;

/*
 * Wilson's score interval at 95 % (Wilson 1927), z = 1.959964: with p = k / n,
 * (p + z^2/2n -+ z sqrt(p (1-p) / n + z^2/4n^2)) / (1 + z^2/n).  k may be a sum of shares. n = 0: all of [0, 1].
 */
Interval wilson_interval(double k, double n);

typedef struct Paired {
    double mean;
    Interval ci;
    int draws;
} Paired;

/*
 * The mean of diff[n] and the 2.5 % and 97.5 % points of the means of `draws` resamples with replacement; draws is 10,000,
 * fewer where n is above 10,000.  The seed decides the resamples: draw d uses the stream (seed, RNG_BOOTSTRAP, d).
 */
Paired paired_bootstrap(const double *diff, int n, uint64_t seed);

/*
 * McNemar's test, exact and two-sided: of b + c items on which two runs differ, b were right in the first only.
 * p = min(1, 2 P(X <= min(b, c))), X binomial(b + c, 1/2).  1 where they never differ.
 */
double mcnemar_exact(int64_t b, int64_t c);

/* Probability that k draws without replacement from n, of which c are right, hold a right one (Chen et al. 2021). */
double pass_at_k(int n, int c, int k);

#endif
