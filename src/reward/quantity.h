/*
 * quantity.h - numbers as people write them, with their units.
 *
 *   Quantity x;
 *   if (quantity_parse(&x, "about 1.2 cm") && quantity_equal(&x, &gold, 0.5)) ...
 *
 * Understood: 1,234 and 1.234,5 (a comma before exactly three digits groups them, elsewhere it is a decimal point),
 * -5, 3/4 and 1 1/2, 1e-3 and 1.2 x 10^5, 45 %, ranges (10-12, 10 to 12, between 10 and 12), bounds (< 5, at least 5),
 * number words to ninety-nine, words of approximation (passed over).  Digits within names (T1, COVID-19, 2D) are none.
 *
 * Two quantities are equal where both ends lie within the tolerance, bounds are of the same kind, and the units are of
 * one dimension (converted) or one of the two has none.  A percentage and a number without a unit may also be equal as
 * 56 % = 0.56.
 */
#ifndef OSLER_REWARD_QUANTITY_H
#define OSLER_REWARD_QUANTITY_H

#include "reward/lexemes.h"

typedef struct Quantity {
    double lo, hi;  /* equal unless it is a range */
    char bound;     /* '<', '>' or 0 */
    int unit;       /* number of the unit's row, -1 for none */
    int first, end; /* tokens */
} Quantity;
typedef VEC(Quantity) Quantities;

/* Every quantity of a text, in order. */
void quantities_read(Quantities *out, const Lexemes *t);
/* A text that holds exactly one. */
bool quantity_parse(Quantity *out, const char *s);
/* Distance at most `tolerance` in gold's unit; a gold range without a bound also holds every number within it. */
bool quantity_equal(const Quantity *x, const Quantity *gold, double tolerance);
/* "12 mm", "10-12 mm", "<5 mm"; the caller frees. */
char *quantity_text(const Quantity *x);

#endif
