/*
 * buf.h - a growable byte buffer, always NUL-terminated so that `data` can be used as a string.
 *
 *   Buf b = {0};
 *   buf_printf(&b, "%d samples", n);
 *   ...
 *   buf_release(&b);
 *
 * A zeroed Buf is empty and owns nothing. Out of memory exits (see err.h).
 */
#ifndef OSLER_BASE_BUF_H
#define OSLER_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

typedef struct Buf {
    char *data; /* NULL while nothing was ever added */
    size_t len, cap;
} Buf;

void buf_release(Buf *b);
void buf_clear(Buf *b); /* len = 0, keeps the memory */
void buf_reserve(Buf *b, size_t extra);
void buf_add(Buf *b, const void *bytes, size_t n);
void buf_byte(Buf *b, unsigned char c);
void buf_str(Buf *b, const char *s);
void buf_vprintf(Buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void buf_printf(Buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_real(Buf *b, double x); /* with as few digits as read back to the same number */
char *buf_take(Buf *b);          /* the string, now the caller's to free; b is empty after */

bool str_ends_with(const char *s, const char *ending);

/* A growable array: VEC(int) ids = {0}; vec_push(&ids, 7); ... free(ids.at); */
#define VEC(T)                                                                                                         \
    struct {                                                                                                           \
        T *at;                                                                                                         \
        int n, cap;                                                                                                    \
    }
#define vec_push(v, item)                                                                                              \
    do {                                                                                                               \
        if ((v)->n == (v)->cap) {                                                                                      \
            (v)->cap = (v)->cap ? 2 * (v)->cap : 16;                                                                   \
            (v)->at = xrealloc((v)->at, (size_t)(v)->cap * sizeof *(v)->at);                                           \
        }                                                                                                              \
        (v)->at[(v)->n++] = (item);                                                                                    \
    } while (0)

#endif
