/*
 * log.h - one line a message on stderr: "note: ...", "warning: ...".
 *
 * Results never go through here; they go to stdout or to a file.  A progress bar that is showing is cleared before the
 * line and redrawn after it.  Thread-safe.
 */
#ifndef OSLER_BASE_LOG_H
#define OSLER_BASE_LOG_H

#include "base/err.h"

typedef enum LogLevel { LOG_QUIET, LOG_WARN, LOG_NOTE, LOG_DEBUG } LogLevel;

void log_level(LogLevel level); /* default LOG_NOTE; progress (progress.h) shows from there on */
bool log_shows(LogLevel level);
void log_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
