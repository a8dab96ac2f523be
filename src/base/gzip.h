/*
 * gzip.h - reading gzip streams (RFC 1952, several members in a row allowed) and bare deflate ones that lie in memory.
 *
 *   if (gzip_match(bytes, n)) got = gzip_prefix(head, sizeof head, bytes, n);     as many bytes as there are
 *   gzip_extract(out, want, skip, bytes, n, err)                                  exactly `want` after `skip`, or -1
 *
 * gzip_extract reads to the end of the stream, so that its checksums are verified.
 */
#ifndef OSLER_BASE_GZIP_H
#define OSLER_BASE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DEFLATE_MAX_BYTES ((size_t)1 << 30)

/* Whether the bytes have this checksum (RFC 1952, section 8). */
bool gzip_crc_match(uint32_t crc, const unsigned char *bytes, size_t n);
bool gzip_match(const unsigned char *bytes, size_t n);
size_t gzip_prefix(unsigned char *out, size_t want, const unsigned char *bytes, size_t n);
int gzip_extract(unsigned char *out, size_t want, size_t skip, const unsigned char *bytes, size_t n, Err *err);
/* A bare deflate stream (RFC 1951) of at most DEFLATE_MAX_BYTES, whole; the caller frees *out. */
int deflate_extract(unsigned char **out, size_t *size, const unsigned char *bytes, size_t n, Err *err);
/* The most bytes that n compressed bytes can hold (deflate's limit). */
size_t gzip_most_bytes(size_t n);

#endif
