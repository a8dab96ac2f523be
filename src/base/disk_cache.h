/*
 * disk_cache.h - values that can be made again, kept in a folder of bounded size.
 *
 *   DiskCache c;
 *   disk_cache_open(&c, dir, (int64_t)10 << 30);
 *   if (!disk_cache_get(&c, key, value, n)) {
 *       ... compute value ...
 *       disk_cache_put(&c, key, value, n);
 *   }
 *   disk_cache_close(&c);
 *
 * A key is the SHA-256 (hexadecimal digits) of everything that the value depends on, so an entry never goes out of
 * date.  The rules:
 *   - what get returns is what put was given: an entry is believed only where key, length and hash agree, whatever was
 *     cut off, damaged or put there by others; it is read into the caller's memory before it is checked;
 *   - entries appear whole (written beside their name, then renamed), so any number of processes may share a folder and
 *     die at any instant;
 *   - nothing here is an error: where the folder cannot be used a warning says so, once, and the values are computed;
 *   - entries that were not used for the longest time go first.  What this process itself has used is not removed for
 *     its own sake: of a data set larger than the limit the first part stays, rather than each value going just before
 *     it is wanted again.  Then new values are not kept.
 *
 * One thread uses a DiskCache. The file format stands in docs/formats.md.
 */
#ifndef OSLER_BASE_DISK_CACHE_H
#define OSLER_BASE_DISK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/sha256.h"

typedef struct DiskCache {
    char *dir;       /* NULL: the folder cannot be used */
    int64_t cap;     /* bytes that the entries may take */
    int64_t used;    /* by the last look at the folder, and what was put since */
    int unseen;      /* entries put since the last look */
    bool closed;     /* nothing is put any more: full, or writing failed */
    time_t opened;   /* entries used since then stay */
    int64_t damaged; /* entries that were not believed */
} DiskCache;

/* Creates the folder where there is none. */
void disk_cache_open(DiskCache *c, const char *dir, int64_t cap_bytes);
void disk_cache_close(DiskCache *c);

/* True where value [n bytes] was read; what it holds after false is undefined. */
bool disk_cache_get(DiskCache *c, const char key[SHA256_HEX], void *value, size_t n);
void disk_cache_put(DiskCache *c, const char key[SHA256_HEX], const void *value, size_t n);

#endif
