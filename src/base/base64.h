/*
 * base64.h - bytes written as text (RFC 4648, section 4).
 *
 *   size_t n;
 *   unsigned char *bytes = base64_decode(text, len, &n, err);      the caller frees; NULL on error
 *   base64_encode(&out, bytes, n);
 *
 * Line breaks, spaces and tabs between the characters are passed over, missing padding is fine; anything else that is
 * not of the alphabet is an error.
 */
#ifndef OSLER_BASE_BASE64_H
#define OSLER_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

unsigned char *base64_decode(const char *text, size_t len, size_t *n, Err *err);
void base64_encode(Buf *out, const unsigned char *bytes, size_t n);
/* Whether all of the text is of the alphabet, padding and line breaks: words with spaces between them are not. */
bool base64_match(const char *text, size_t len);

#endif
