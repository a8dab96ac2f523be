#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names from files may hold control characters, which a terminal would obey. */
static void shield(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127) *s = '?';
}

static void set_message(Err *err, const char *fmt, va_list ap, const char *suffix)
{
    if (err->msg[0]) return;
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    if (suffix && n >= 0 && (size_t)n < sizeof err->msg)
        snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", suffix);
    shield(err->msg);
}

int err_set(Err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_message(err, fmt, ap, NULL);
    va_end(ap);
    return -1;
}

int err_errno(Err *err, const char *fmt, ...)
{
    const char *why = strerror(errno);
    va_list ap;
    va_start(ap, fmt);
    set_message(err, fmt, ap, why);
    va_end(ap);
    return -1;
}

int err_context(Err *err, const char *fmt, ...)
{
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->msg) {
        size_t room = sizeof err->msg - (size_t)n;
        snprintf(err->msg + n, room, ": %.*s", (int)room, old);
    }
    shield(err->msg);
    return -1;
}

int err_hint(Err *err, const char *fmt, ...)
{
    if (err->hint[0]) return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    shield(err->hint);
    return -1;
}

void err_clear(Err *err)
{
    err->msg[0] = err->hint[0] = 0;
    err->usage = 0;
}

void err_print(const Err *err)
{
    fprintf(stderr, "error: %s\n", err->msg[0] ? err->msg : "unknown failure");
    if (err->hint[0]) fprintf(stderr, "hint: %s\n", err->hint);
}

void check_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed: ", file, line, cond);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    fflush(NULL);
    abort();
}

NORETURN static void out_of_memory(size_t bytes)
{
    fprintf(stderr, "error: out of memory (asked for %zu bytes)\n", bytes);
    exit(1);
}

static atomic_int inject_countdown;

void memory_inject_failure(int n)
{
    atomic_store(&inject_countdown, n);
}

static bool injected(void)
{
    return atomic_load(&inject_countdown) > 0 && atomic_fetch_sub(&inject_countdown, 1) == 1;
}

void *xmalloc(size_t bytes)
{
    void *p = injected() ? NULL : malloc(bytes ? bytes : 1);
    if (!p) out_of_memory(bytes);
    return p;
}

void *xcalloc(size_t n, size_t bytes)
{
    void *p = injected() ? NULL : calloc(n ? n : 1, bytes ? bytes : 1);
    if (!p) out_of_memory(n * bytes);
    return p;
}

void *xrealloc(void *old, size_t bytes)
{
    void *p = injected() ? NULL : realloc(old, bytes ? bytes : 1);
    if (!p) out_of_memory(bytes);
    return p;
}

char *xstrndup(const char *s, size_t n)
{
    char *p = xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    CHECK(n >= 0, "bad format %s", fmt);
    char *s = xmalloc((size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}
