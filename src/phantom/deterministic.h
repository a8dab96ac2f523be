/*
 * deterministic.h - elementary functions that give the same bits on every machine.
 *
 * A phantom case is the same everywhere, bit for bit, so its pictures may only use what IEEE 754 fixes: + - * / and
 * sqrt on doubles, in the order written (the build keeps products and sums apart: -ffp-contract=off).  The C library's
 * exp, sin and their kin differ between versions; these are short series of those five operations, good to about 1e-12,
 * which is more than a picture needs.
 *
 *   double falloff = det_exp(-0.5 * z * z), x = r * det_cos(angle);
 *
 * Arguments must be finite; det_log wants x > 0; det_sin and det_cos lose digits beyond |x| = 1e6.
 */
#ifndef OSLER_PHANTOM_DETERMINISTIC_H
#define OSLER_PHANTOM_DETERMINISTIC_H

#define DET_PI 3.141592653589793

double det_exp(double x);
double det_log(double x);
double det_sin(double x);
double det_cos(double x);
double det_atan2(double y, double x);
/* The largest whole number that is not above x, |x| < 2^31. */
int det_floor(double x);

static inline double det_clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* 0 up to `from`, 1 from `to` on, 3 t^2 - 2 t^3 between. */
static inline double det_step(double x, double from, double to)
{
    double t = det_clamp((x - from) / (to - from), 0, 1);
    return t * t * (3 - 2 * t);
}

#endif
