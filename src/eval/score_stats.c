#include "eval/score_stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"

static const double Z = 1.959963984540054;

Interval wilson_interval(double k, double n)
{
    if (n <= 0) return (Interval){0, 1};
    double p = k / n, z2 = Z * Z;
    double middle = p + z2 / (2 * n), half = Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)), scale = 1 + z2 / n;
    Interval ci = {(middle - half) / scale, (middle + half) / scale};
    if (k <= 0 || ci.lo < 0) ci.lo = 0; /* exact at the ends, where rounding would leave 1e-17 */
    if (k >= n || ci.hi > 1) ci.hi = 1;
    return ci;
}

static int compare_doubles(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Linear between the two nearest, as numpy's default. */
static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

Paired paired_bootstrap(const double *diff, int n, uint64_t seed)
{
    Paired out = {.draws = n > 10000 ? 100000000 / n : 10000};
    if (n <= 0) return (Paired){0};
    if (out.draws < 200) out.draws = 200;
    for (int i = 0; i < n; i++) out.mean += diff[i] / n;
    double *mean = xmalloc((size_t)out.draws * sizeof *mean);
    for (int d = 0; d < out.draws; d++) {
        Rng r = rng_at(seed, RNG_BOOTSTRAP, (uint32_t)d, 0, 0);
        double sum = 0;
        for (int i = 0; i < n; i++) sum += diff[rng_below(&r, (uint32_t)n)];
        mean[d] = sum / n;
    }
    qsort(mean, (size_t)out.draws, sizeof *mean, compare_doubles);
    out.ci = (Interval){quantile(mean, out.draws, 0.025), quantile(mean, out.draws, 0.975)};
    free(mean);
    return out;
}

double mcnemar_exact(int64_t b, int64_t c)
{
    double n = (double)(b + c), p = 0;
    int64_t least = b < c ? b : c;
    for (int64_t k = 0; k <= least; k++)
        p += exp(lgamma(n + 1) - lgamma((double)k + 1) - lgamma(n - (double)k + 1) - n * log(2));
    return 2 * p < 1 ? 2 * p : 1;
}

double pass_at_k(int n, int c, int k)
{
    if (n - c < k) return 1;
    double miss = 1;
    for (int i = n - c + 1; i <= n; i++) miss *= 1 - (double)k / i;
    return 1 - miss;
}
