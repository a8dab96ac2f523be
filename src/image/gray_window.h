/*
 * gray_window.h - measured values (Hounsfield units, MR intensities) to 8-bit gray.
 *
 *   GrayWindow g = gray_window(40, 80);        the standard's linear function
 *   GrayWindow g = gray_window_range(lo, hi);  lo -> 0, hi -> 255, linear between
 *   y = gray_window_apply(&g, x);
 *
 * PS3.3 C.11.2.1.2.1 with centre c, width w >= 1:
 *   x <= c - 0.5 - (w - 1) / 2 :  0
 *   x >  c - 0.5 + (w - 1) / 2 :  255
 *   else                       :  ((x - (c - 0.5)) / (w - 1) + 0.5) * 255
 * rounded to the nearest whole number, ties to even.  A range is (x - lo) / (hi - lo) * 255, clipped: the same function
 * with c = (lo + hi + 1) / 2 and w = hi - lo + 1, which is defined however narrow the range (volumes of 0 .. 1).
 */
#ifndef OSLER_IMAGE_GRAY_WINDOW_H
#define OSLER_IMAGE_GRAY_WINDOW_H

#include <math.h>

/* y = ((x - from) / span + offset) * 255 */
typedef struct GrayWindow {
    double from, span, offset;
} GrayWindow;

static inline GrayWindow gray_window(double centre, double width)
{
    return (GrayWindow){centre - 0.5, width - 1, 0.5};
}

static inline GrayWindow gray_window_range(double lo, double hi)
{
    return (GrayWindow){lo, hi - lo, 0};
}

static inline unsigned char gray_window_apply(const GrayWindow *g, double x)
{
    if (!(x > g->from - g->span * g->offset)) return 0; /* also NaN */
    if (x > g->from + g->span * (1 - g->offset)) return 255;
    return (unsigned char)nearbyint(((x - g->from) / g->span + g->offset) * 255);
}

#endif
