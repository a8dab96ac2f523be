#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/progress.h"

static LogLevel shown = LOG_NOTE;

void log_level(LogLevel level)
{
    shown = level;
}

bool log_shows(LogLevel level)
{
    return level <= shown;
}

/* progress_hide keeps other threads from writing until progress_show. */
static void print_line(LogLevel level, const char *prefix, const char *fmt, va_list ap)
{
    if (!log_shows(level)) return;
    progress_hide();
    fputs(prefix, stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    progress_show();
}

void log_note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line(LOG_NOTE, "note: ", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line(LOG_WARN, "warning: ", fmt, ap);
    va_end(ap);
}

void log_debug(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line(LOG_DEBUG, "debug: ", fmt, ap);
    va_end(ap);
}
