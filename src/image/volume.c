#include "image/volume.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/gzip.h"

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool machine_is_big(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 0;
}

static uint8_t swap_8(uint8_t v)
{
    return v;
}
static uint16_t swap_16(uint16_t v)
{
    return __builtin_bswap16(v);
}
static uint32_t swap_32(uint32_t v)
{
    return __builtin_bswap32(v);
}
static uint64_t swap_64(uint64_t v)
{
    return __builtin_bswap64(v);
}

#define VALUES_CASE(code, T, bits)                                                                                     \
    case code:                                                                                                         \
        for (size_t i = 0; i < count; i++, p += step_bytes) {                                                          \
            uint##bits##_t u;                                                                                          \
            T t;                                                                                                       \
            memcpy(&u, p, sizeof u);                                                                                   \
            if (swap) u = swap_##bits(u);                                                                              \
            memcpy(&t, &u, sizeof t);                                                                                  \
            out[i] = (double)t * v->header.slope + v->header.inter;                                                    \
        }                                                                                                              \
        break

void volume_values(const Volume *v, double *out, size_t first, ptrdiff_t step, size_t count)
{
    ptrdiff_t step_bytes = step * (ptrdiff_t)v->header.voxel_bytes;
    const unsigned char *p = v->voxels + first * v->header.voxel_bytes;
    bool swap = v->header.big_endian != machine_is_big();
    switch (v->header.type) {
        VALUES_CASE(NIFTI_U8, uint8_t, 8);
        VALUES_CASE(NIFTI_I8, int8_t, 8);
        VALUES_CASE(NIFTI_U16, uint16_t, 16);
        VALUES_CASE(NIFTI_I16, int16_t, 16);
        VALUES_CASE(NIFTI_U32, uint32_t, 32);
        VALUES_CASE(NIFTI_I32, int32_t, 32);
        VALUES_CASE(NIFTI_F32, float, 32);
        VALUES_CASE(NIFTI_U64, uint64_t, 64);
        VALUES_CASE(NIFTI_I64, int64_t, 64);
        VALUES_CASE(NIFTI_F64, double, 64);
    }
}

/* ---- percentiles ------------------------------------------------------------------------------------------------- */

enum { CHUNK = 4096, DIGIT_BITS = 16, DIGITS = 1 << DIGIT_BITS };

/* A double's bits as an integer of the same order: negative numbers flipped whole, the others moved above them. */
static uint64_t order_key(double x)
{
    uint64_t u;
    x += 0.0; /* -0 is 0 */
    memcpy(&u, &x, sizeof u);
    return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

static double order_value(uint64_t key)
{
    uint64_t u = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Counts the next digit of every finite value whose key begins with `prefix` (the bits above `shift` + 16). */
static void digit_count(const Volume *v, size_t *count, uint64_t prefix, int shift)
{
    memset(count, 0, sizeof *count * DIGITS);
    int above = shift + DIGIT_BITS;
    double value[CHUNK];
    for (size_t first = 0; first < v->n; first += CHUNK) {
        size_t n = v->n - first < CHUNK ? v->n - first : CHUNK;
        volume_values(v, value, first, 1, n);
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(value[i])) continue;
            uint64_t key = order_key(value[i]);
            if (above == 64 || key >> above == prefix) count[key >> shift & (DIGITS - 1)]++;
        }
    }
}

/* The k-th smallest finite value, 16 bits of its key at a time: four passes whatever the data. */
static double order_statistic(const Volume *v, size_t *count, size_t k)
{
    uint64_t prefix = 0;
    for (int shift = 48; shift >= 0; shift -= DIGIT_BITS) {
        digit_count(v, count, prefix, shift);
        size_t digit = 0;
        while (k >= count[digit]) k -= count[digit++];
        prefix = prefix << DIGIT_BITS | digit;
    }
    return order_value(prefix);
}

/* numpy's percentile: linear between the two values around q * (n - 1). */
static double quantile(const Volume *v, size_t *count, size_t finite, double q)
{
    double at = q * (double)(finite - 1), low = floor(at), t = at - low;
    double a = order_statistic(v, count, (size_t)low);
    if (t == 0) return a;
    double b = order_statistic(v, count, (size_t)low + 1);
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

static void range_compute(Volume *v)
{
    size_t *count = xmalloc(sizeof *count * DIGITS), finite = 0;
    digit_count(v, count, 0, 48);
    for (int i = 0; i < DIGITS; i++) finite += count[i];
    if (finite > 0) {
        v->lo = quantile(v, count, finite, 0.005);
        v->hi = quantile(v, count, finite, 0.995);
    }
    free(count);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int header_from_bytes(NiftiHeader *h, const unsigned char *bytes, size_t n, Err *err)
{
    if (!gzip_match(bytes, n)) return nifti_header_parse(h, bytes, n, err);
    unsigned char head[NIFTI_HEADER_BYTES];
    size_t got = gzip_prefix(head, sizeof head, bytes, n);
    if (got == 0 && gzip_extract(head, 1, 0, bytes, n, err)) return -1; /* says why */
    return nifti_header_parse(h, head, got, err);
}

/* Points v->voxels at volume `index` in the bytes of the data file, decompressing where needed; v->header is set. */
static int voxels_open(Volume *v, const unsigned char *bytes, size_t n, int index, Err *err)
{
    const NiftiHeader *h = &v->header;
    if (index >= h->volumes) {
        err_set(err, "volume=%d: the file has %lld volume%s", index, (long long)h->volumes, h->volumes == 1 ? "" : "s");
        return err_hint(err, "volumes are counted from 0");
    }
    v->n = (size_t)(h->dim[0] * h->dim[1] * h->dim[2]);
    bool packed = gzip_match(bytes, n);
    size_t most = packed ? gzip_most_bytes(n) : n;
    size_t size = v->n * h->voxel_bytes; /* dimensions are at most 2^20: below 2^63 */
    if (size > most || h->offset > most - size || (size_t)index > (most - size - h->offset) / size) {
        return err_set(err, "broken NIfTI: the file is shorter than the header says");
    }
    size_t start = h->offset + size * (size_t)index;
    if (!packed) {
        v->voxels = bytes + start;
        return 0;
    }
    v->own = xmalloc(size);
    v->voxels = v->own;
    return gzip_extract(v->own, size, start, bytes, n, err);
}

int volume_open_memory(Volume *v, const unsigned char *bytes, size_t n, int index, Err *err)
{
    *v = (Volume){0};
    if (header_from_bytes(&v->header, bytes, n, err)) return -1;
    if (v->header.paired) return err_set(err, "the header of a NIfTI pair, without its data");
    if (voxels_open(v, bytes, n, index, err)) {
        volume_close(v);
        return -1;
    }
    range_compute(v);
    return 0;
}

void volume_close(Volume *v)
{
    free(v->own);
    file_unmap(&v->map);
    *v = (Volume){0};
}

/* stem.ext or stem.ext.gz, whichever exists (the first where neither does). */
static char *pair_name(const char *path, size_t stem, const char *ext)
{
    char *plain = xasprintf("%.*s%s", (int)stem, path, ext);
    if (file_exists(plain)) return plain;
    char *packed = xasprintf("%s.gz", plain);
    bool found = file_exists(packed);
    free(found ? plain : packed);
    return found ? packed : plain;
}

/* The header's and the data's file: of a pair the .hdr and the .img, else both the same. */
static void volume_files(const char *path, char **header, char **data)
{
    size_t n = strlen(path);
    if (n > 3 && strcmp(path + n - 3, ".gz") == 0) n -= 3;
    bool pair = n > 4 && (strncmp(path + n - 4, ".hdr", 4) == 0 || strncmp(path + n - 4, ".img", 4) == 0);
    *header = pair ? pair_name(path, n - 4, ".hdr") : xstrdup(path);
    *data = pair ? pair_name(path, n - 4, ".img") : xstrdup(path);
}

static int header_from_file(NiftiHeader *h, const char *path, Err *err)
{
    FileMap map;
    if (file_map(&map, path, err)) return -1;
    int rc = header_from_bytes(h, map.data, map.size, err);
    file_unmap(&map);
    return rc;
}

int volume_header(NiftiHeader *h, const char *path, const unsigned char *bytes, size_t n, Err *err)
{
    if (!path) return header_from_bytes(h, bytes, n, err);
    char *header, *data;
    volume_files(path, &header, &data);
    int rc = header_from_file(h, header, err);
    free(header);
    free(data);
    return rc;
}

static int volume_open(Volume *v, const char *header, const char *data, int index, Err *err)
{
    *v = (Volume){0};
    if (header_from_file(&v->header, header, err)) return -1;
    if (v->header.paired != (strcmp(header, data) != 0)) {
        err_set(err, "broken NIfTI: the name does not agree with the header about being a pair of files");
        return err_hint(err, "a pair is NAME.hdr and NAME.img, a single file NAME.nii");
    }
    if (file_map(&v->map, data, err) || voxels_open(v, v->map.data, v->map.size, index, err)) {
        volume_close(v);
        return -1;
    }
    if (v->own) file_unmap(&v->map);
    range_compute(v);
    return 0;
}

/* ---- the cache --------------------------------------------------------------------------------------------------- */

typedef struct CacheEntry {
    Volume volume; /* first: volume_put casts back */
    FileStamp stamp[2];
    int index, users;
    bool loaded;
    pthread_mutex_t loading; /* held by the thread that decodes */
    struct CacheEntry *next; /* used longer ago */
} CacheEntry;

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static CacheEntry *cache_first;

static void entry_free(CacheEntry *e)
{
    volume_close(&e->volume);
    pthread_mutex_destroy(&e->loading);
    free(e);
}

/* Drops, from the end of the list, entries without users beyond `cap_bytes`. Call with the lock held. */
static void cache_trim(size_t cap_bytes)
{
    size_t total = 0;
    CacheEntry **at = &cache_first;
    while (*at) {
        CacheEntry *e = *at;
        size_t bytes = e->loaded ? e->volume.n * e->volume.header.voxel_bytes : 0;
        if (e->users == 0 && (!e->loaded || total + bytes > cap_bytes)) {
            *at = e->next;
            entry_free(e);
            continue;
        }
        total += bytes;
        at = &e->next;
    }
}

/* The entry for these files, moved to the front, with one user more; fresh and not loaded where there was none. */
static CacheEntry *cache_enter(const FileStamp stamp[2], int index)
{
    pthread_mutex_lock(&cache_lock);
    CacheEntry **at = &cache_first;
    while (*at && ((*at)->index != index || memcmp((*at)->stamp, stamp, sizeof(*at)->stamp) != 0)) at = &(*at)->next;
    CacheEntry *e = *at;
    if (e) {
        *at = e->next;
    } else {
        e = xcalloc(1, sizeof *e);
        memcpy(e->stamp, stamp, sizeof e->stamp);
        e->index = index;
        pthread_mutex_init(&e->loading, NULL);
    }
    e->users++;
    e->next = cache_first;
    cache_first = e;
    pthread_mutex_unlock(&cache_lock);
    return e;
}

static void cache_leave(CacheEntry *e)
{
    pthread_mutex_lock(&cache_lock);
    e->users--;
    cache_trim(VOLUME_CACHE_BYTES);
    pthread_mutex_unlock(&cache_lock);
}

void volume_cache_clear(void)
{
    pthread_mutex_lock(&cache_lock);
    cache_trim(0);
    pthread_mutex_unlock(&cache_lock);
}

const Volume *volume_get(const char *path, int index, Err *err)
{
    char *header, *data;
    FileStamp stamp[2];
    CacheEntry *e = NULL;
    int rc = -1;
    volume_files(path, &header, &data);
    if (file_stamp(&stamp[0], header, err) || file_stamp(&stamp[1], data, err)) goto done;
    e = cache_enter(stamp, index);
    pthread_mutex_lock(&e->loading);
    if (!e->loaded) e->loaded = volume_open(&e->volume, header, data, index, err) == 0;
    rc = e->loaded ? 0 : -1;
    pthread_mutex_unlock(&e->loading);
    if (rc) cache_leave(e);
done:
    free(header);
    free(data);
    return rc ? NULL : &e->volume;
}

void volume_put(const Volume *v)
{
    cache_leave((CacheEntry *)(uintptr_t)v);
}
