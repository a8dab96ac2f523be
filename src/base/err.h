/*
 * err.h - how Osler reports what went wrong.
 *
 * Two kinds of failure, two mechanisms:
 *
 *   our bug     CHECK(cond, "shape %d", n)   always compiled in; prints file:line and aborts
 *   the world   return err_set(err, ...)     files, users, sockets: -1 upward, one message, no abort
 *
 * An Err is filled once, where the failure is known best, and prefixed with context on the way up:
 *
 *   if (parse(row, err)) return err_context(err, "%s:%d", path, line);
 *
 * prints as   error: data.jsonl:12: "images" is not a list
 *             hint: ...
 *
 * `Err *err` is the last parameter of every function that can fail this way and is never NULL.
 * A function reachable from file or network bytes must not CHECK those bytes.
 */
#ifndef OSLER_BASE_ERR_H
#define OSLER_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN                __attribute__((noreturn))
#else
#define PRINTF_LIKE(fmt, first)
#define NORETURN
#endif

typedef struct Err {
    char msg[1024]; /* "" = no error */
    char hint[512]; /* "" = no hint; says what the user can do */
    int usage;      /* 1 = the command line was wrong: exit status 2 instead of 1 */
} Err;

/* Sets the message (the first one wins: a set Err is left alone). Returns -1. */
int err_set(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* As err_set, with ": strerror(errno)" appended. Returns -1. */
int err_errno(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "<context>: " in front of the message. Returns -1. */
int err_context(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sets the hint where none is set yet. Returns -1. */
int err_hint(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Forgets message and hint. */
void err_clear(Err *err);

/* Prints "error: msg" and "hint: hint" to stderr. */
void err_print(const Err *err);

/* The way out for our own bugs; use CHECK. */
NORETURN void check_failed(const char *file, int line, const char *cond, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define CHECK(cond, ...) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__))

/* malloc, calloc, realloc and strdup that never return NULL: out of memory is reported with the size and exits 1. */
void *xmalloc(size_t bytes);
void *xcalloc(size_t n, size_t bytes);
void *xrealloc(void *p, size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
/* For the tests of crash safety: the n-th of these calls from now finds no memory (n = 0: never). */
void memory_inject_failure(int n);
/* A printf into a fresh string the caller frees. */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
