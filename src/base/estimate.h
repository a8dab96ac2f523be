/*
 * estimate.h - what a piece of work will take, as one line that people read and `osler run --dry-run` adds up.
 *
 *   run      4.92e+06 tokens, 14.3 h (51480 s), 9.10 GiB
 */
#ifndef OSLER_BASE_ESTIMATE_H
#define OSLER_BASE_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Estimate {
    double tokens, seconds, gib;
} Estimate;

/* On stdout. */
void estimate_print(const Estimate *e);
/* False where the line is none of estimate_print's. */
bool estimate_read(Estimate *e, const char *line);

/* "14.3 h", "12 min", "3.1 days" */
void duration_text(char *buf, size_t cap, double seconds);

#endif
