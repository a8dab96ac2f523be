/*
 * progress.h - how far, how fast, how long still.
 *
 * On a terminal: one line redrawn at most ten times a second.  Elsewhere: a plain line now and then (at least every
 * tenth of the work or every 30 s, so that logs stay short).
 *
 *   Progress p;
 *   progress_start(&p, "train", n_steps, "step");
 *   progress_update(&p, step, "loss %.3f", loss);
 *   progress_end(&p);
 */
#ifndef OSLER_BASE_PROGRESS_H
#define OSLER_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct Progress {
    const char *what, *unit; /* borrowed */
    int64_t total, done, first;
    double started, drawn; /* seconds */
    bool tty, quiet;
    char tail[160];
} Progress;

void progress_start(Progress *p, const char *what, int64_t total, const char *unit);
/* For work that goes on where an earlier run stopped: the rate counts from `done` on. */
void progress_start_at(Progress *p, const char *what, int64_t done, int64_t total, const char *unit);
void progress_update(Progress *p, int64_t done, const char *fmt, ...) PRINTF_LIKE(3, 4);
void progress_end(Progress *p);

/* Clears the bar that is showing, if any / draws it again. Between the two no other thread draws (used by log.c). */
void progress_hide(void);
void progress_show(void);

double now_seconds(void); /* monotonic */

#endif
