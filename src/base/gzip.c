#include "base/gzip.h"

bool gzip_match(const unsigned char *bytes, size_t n)
{
    return n >= 18 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

size_t gzip_most_bytes(size_t n)
{
    return n < (size_t)-1 / 1040 ? n * 1040 : (size_t)-1;
}

#if HAVE_ZLIB

#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

typedef struct GzipReader {
    z_stream z;
    const unsigned char *at;
    size_t left;
    bool bare, ended, broken;
} GzipReader;

enum { GZIP_WINDOW = 16 + MAX_WBITS, BARE_WINDOW = -MAX_WBITS };

static bool reader_open(GzipReader *r, const unsigned char *bytes, size_t n, int window)
{
    *r = (GzipReader){.at = bytes, .left = n, .bare = window == BARE_WINDOW};
    return inflateInit2(&r->z, window) == Z_OK;
}

static bool reader_refill(GzipReader *r)
{
    if (r->z.avail_in > 0) return true;
    if (r->left == 0) return false;
    size_t take = r->left < UINT_MAX ? r->left : UINT_MAX;
    r->z.next_in = (unsigned char *)(size_t)r->at;
    r->z.avail_in = (unsigned)take;
    r->at += take;
    r->left -= take;
    return true;
}

/* Up to `want` bytes; fewer at the end of the last member or where the stream is broken. */
static size_t reader_take(GzipReader *r, unsigned char *out, size_t want)
{
    size_t done = 0;
    while (done < want && !r->ended && !r->broken) {
        size_t room = want - done < UINT_MAX ? want - done : UINT_MAX;
        r->broken = !reader_refill(r);
        r->z.next_out = out + done;
        r->z.avail_out = (unsigned)room;
        int status = r->broken ? Z_BUF_ERROR : inflate(&r->z, Z_NO_FLUSH);
        done += room - r->z.avail_out;
        if (status == Z_STREAM_END) {
            bool more =
                !r->bare && reader_refill(r) && r->z.next_in[0] == 0x1f; /* other bytes after the end are padding */
            r->ended = !more || inflateReset(&r->z) != Z_OK;
        } else if (status != Z_OK) {
            r->broken = true;
        }
    }
    return done;
}

size_t gzip_prefix(unsigned char *out, size_t want, const unsigned char *bytes, size_t n)
{
    GzipReader r;
    if (!reader_open(&r, bytes, n, GZIP_WINDOW)) return 0;
    size_t got = reader_take(&r, out, want);
    inflateEnd(&r.z);
    return got;
}

/* Reads and forgets `count` bytes, or all that are left. */
static size_t reader_skip(GzipReader *r, size_t count)
{
    unsigned char sink[1 << 14];
    size_t done = 0, got = 1;
    while (done < count && got > 0) {
        size_t chunk = count - done < sizeof sink ? count - done : sizeof sink;
        got = reader_take(r, sink, chunk);
        done += got;
    }
    return done;
}

int gzip_extract(unsigned char *out, size_t want, size_t skip, const unsigned char *bytes, size_t n, Err *err)
{
    GzipReader r;
    if (!reader_open(&r, bytes, n, GZIP_WINDOW)) return err_set(err, "zlib could not start");
    bool whole = reader_skip(&r, skip) == skip && reader_take(&r, out, want) == want;
    if (whole) reader_skip(&r, (size_t)-1);
    inflateEnd(&r.z);
    if (r.broken) return err_set(err, "the gzip stream is broken or ends early");
    return whole ? 0 : err_set(err, "the compressed data are shorter than the header says");
}

int deflate_extract(unsigned char **out, size_t *size, const unsigned char *bytes, size_t n, Err *err)
{
    *out = NULL;
    *size = 0;
    GzipReader r;
    if (!reader_open(&r, bytes, n, BARE_WINDOW)) return err_set(err, "zlib could not start");
    size_t cap = 0, got = 1;
    while (got > 0 && *size < DEFLATE_MAX_BYTES) {
        if (*size == cap) *out = xrealloc(*out, cap = cap ? 2 * cap : 1 << 16);
        got = reader_take(&r, *out + *size, cap - *size);
        *size += got;
    }
    bool whole = r.ended;
    inflateEnd(&r.z);
    if (whole) return 0;
    free(*out);
    *out = NULL;
    return err_set(err, "the deflated data are broken, too long, or end early");
}

bool gzip_crc_match(uint32_t crc, const unsigned char *bytes, size_t n)
{
    return crc32_z(0, bytes, n) == crc;
}

#else

/* Without zlib nothing is verified. */
bool gzip_crc_match(uint32_t crc, const unsigned char *bytes, size_t n)
{
    (void)crc, (void)bytes, (void)n;
    return true;
}

int deflate_extract(unsigned char **out, size_t *size, const unsigned char *bytes, size_t n, Err *err)
{
    (void)out, (void)size, (void)bytes, (void)n;
    return err_set(err, "deflated data, but Osler was built without zlib");
}

size_t gzip_prefix(unsigned char *out, size_t want, const unsigned char *bytes, size_t n)
{
    (void)out, (void)want, (void)bytes, (void)n;
    return 0;
}

int gzip_extract(unsigned char *out, size_t want, size_t skip, const unsigned char *bytes, size_t n, Err *err)
{
    (void)out, (void)want, (void)skip, (void)bytes, (void)n;
    return err_set(err, "a gzip file, but Osler was built without zlib");
}

#endif
