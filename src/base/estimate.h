/*
 * estimate.h - what a piece of work will take, as people read it; `osler run --dry-run` adds up the last line.
 *
 *   memory             GiB
 *     cache            1.250  keys and values
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

/* A plan's table of memory: its head, then a row for each kind, in GiB. */
void memory_print_head(void);
void memory_print(const char *kind, size_t bytes, const char *what);

/* "14.3 h", "12 min", "3.1 days" */
void duration_text(char *buf, size_t cap, double seconds);

#endif
