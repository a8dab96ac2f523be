#include <string.h>

#include "base/gzip.h"
#include "table/parquet_impl.h"

#if HAVE_SNAPPY
#include <snappy-c.h>
#endif
#if HAVE_ZSTD
#include <zstd.h>
#endif

const char *codec_name(PqCodec c)
{
    static const char *const NAME[PQ_CODECS] = {"uncompressed", "snappy", "gzip", "lzo",
                                                "brotli",       "lz4",    "zstd", "lz4_raw"};
    return NAME[c];
}

/* The most that a byte can become: snappy's copy of 64 bytes takes 3, zstd's run of 128 KiB takes 4. */
bool page_size_plausible(size_t size, PqCodec codec, size_t n)
{
    switch (codec) {
    case PQ_NONE: return size == n;
    case PQ_SNAPPY: return size / 32 <= n;
    case PQ_GZIP: return size <= gzip_most_bytes(n);
    case PQ_ZSTD: return size / ((size_t)1 << 15) <= n;
    default: return true;
    }
}

static int expand_snappy(unsigned char *out, size_t size, const unsigned char *bytes, size_t n, Err *err)
{
#if HAVE_SNAPPY
    size_t got = size, said;
    bool fits = snappy_uncompressed_length((const char *)bytes, n, &said) == SNAPPY_OK && said == size;
    if (fits && snappy_uncompress((const char *)bytes, n, (char *)out, &got) == SNAPPY_OK && got == size) return 0;
    return err_set(err, "the snappy data are broken");
#else
    (void)out, (void)size, (void)bytes, (void)n;
    err_set(err, "compressed with snappy, but Osler was built without it");
    return err_hint(err, "install libsnappy-dev and build again");
#endif
}

static int expand_zstd(unsigned char *out, size_t size, const unsigned char *bytes, size_t n, Err *err)
{
#if HAVE_ZSTD
    size_t got = ZSTD_decompress(out, size, bytes, n);
    if (!ZSTD_isError(got) && got == size) return 0;
    return err_set(err, "the zstd data are broken%s%s", ZSTD_isError(got) ? ": " : "",
                   ZSTD_isError(got) ? ZSTD_getErrorName(got) : "");
#else
    (void)out, (void)size, (void)bytes, (void)n;
    err_set(err, "compressed with zstd, but Osler was built without it");
    return err_hint(err, "install libzstd-dev and build again");
#endif
}

int page_expand(unsigned char *out, size_t size, PqCodec codec, const unsigned char *bytes, size_t n, Err *err)
{
    switch (codec) {
    case PQ_SNAPPY: return expand_snappy(out, size, bytes, n, err);
    case PQ_GZIP: return gzip_extract(out, size, 0, bytes, n, err);
    case PQ_ZSTD: return expand_zstd(out, size, bytes, n, err);
    default:
        err_set(err, "compressed with %s, which Osler does not read", codec_name(codec));
        return err_hint(err, "write the file again with snappy, gzip, zstd or without compression");
    }
}
