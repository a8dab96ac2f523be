#include "phantom/deterministic.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2 0.6931471805599453

int det_floor(double x)
{
    int i = (int)x;
    return (double)i > x ? i - 1 : i;
}

/* 2^k, -1022 <= k <= 1023 */
static double power_of_two(int k)
{
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* c[0] + c[1] x + ... + c[n-1] x^(n-1), from the last on */
static double polynomial(const double *c, int n, double x)
{
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--) sum = sum * x + c[i];
    return sum;
}
#define POLYNOMIAL(c, x) polynomial(c, (int)(sizeof(c) / sizeof *(c)), x)

/* x = k ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series. */
double det_exp(double x)
{
    static const double C[] = {1.0,       1.0,        1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,
                               1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800};
    if (x < -700) return 0;
    if (x > 700) x = 700;
    int k = det_floor(x * (1 / LN2) + 0.5);
    return POLYNOMIAL(C, x - (double)k * LN2) * power_of_two(k);
}

/* x = 2^k m with sqrt(1/2) <= m < sqrt(2); ln m = 2 artanh((m - 1) / (m + 1)). */
double det_log(double x)
{
    static const double C[] = {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17};
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52 & 2047) - 1023;
    double m = x / power_of_two(k);
    if (m > 1.4142135623730951) m *= 0.5, k++;
    double t = (m - 1) / (m + 1);
    return (double)k * LN2 + 2 * t * POLYNOMIAL(C, t * t);
}

/* Sine and cosine of |r| <= pi / 4. */
static double sin_near(double r)
{
    static const double C[] = {1.0,          -1.0 / 6,        1.0 / 120,         -1.0 / 5040,
                               1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0};
    return r * POLYNOMIAL(C, r * r);
}

static double cos_near(double r)
{
    static const double C[] = {1.0,         -1.0 / 2,       1.0 / 24,          -1.0 / 720,
                               1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600.0, -1.0 / 87178291200.0};
    return POLYNOMIAL(C, r * r);
}

static double sine_of_quarter(double x, int quarter)
{
    int k = det_floor(x * (2 / DET_PI) + 0.5);
    double r = x - (double)k * (DET_PI / 2);
    switch ((unsigned)(k + quarter) & 3) {
    case 0: return sin_near(r);
    case 1: return cos_near(r);
    case 2: return -sin_near(r);
    default: return -cos_near(r);
    }
}

double det_sin(double x)
{
    return sine_of_quarter(x, 0);
}

double det_cos(double x)
{
    return sine_of_quarter(x, 1);
}

/* atan t = 2 atan(t / (1 + sqrt(1 + t^2))), twice, then the series. */
static double atan_unit(double t)
{
    t = t / (1 + sqrt(1 + t * t));
    t = t / (1 + sqrt(1 + t * t));
    double t2 = t * t, sum = 0;
    for (int i = 21; i > 0; i -= 2) sum = 1 / (double)i - sum * t2;
    return 4 * t * sum;
}

double det_atan2(double y, double x)
{
    double ax = x < 0 ? -x : x, ay = y < 0 ? -y : y;
    if (ax + ay <= 0) return 0;
    double a = ay <= ax ? atan_unit(ay / ax) : DET_PI / 2 - atan_unit(ax / ay);
    if (x < 0) a = DET_PI - a;
    return y < 0 ? -a : a;
}
