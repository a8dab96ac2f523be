/*
 * volume.h - NIfTI volumes in memory, shared by the many slices a data set takes from one of them.
 *
 *   const Volume *v = volume_get("t1.nii.gz", 0, err);      borrowed from a small cache
 *   volume_range(v, &lo, &hi);                              0.5 and 99.5 percentiles of the scaled values
 *   volume_values(v, out, first, step, count);              scaled values of voxels first, first + step, ...
 *   volume_put(v);
 *
 * The cache keeps the volumes used last, by path, time and size of the file, up to VOLUME_CACHE_BYTES; a volume that is
 * in use is never dropped.  Uncompressed files are mapped, not copied.  All functions are thread-safe; two threads that
 * want the same volume at once decode it once.
 */
#ifndef OSLER_IMAGE_VOLUME_H
#define OSLER_IMAGE_VOLUME_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "image/nifti_header.h"

#define VOLUME_CACHE_BYTES ((size_t)1 << 30)

typedef struct Volume {
    NiftiHeader header;
    const unsigned char *voxels; /* in the file's type and byte order, first axis fastest */
    size_t n;                    /* voxels */
    double lo, hi;               /* percentiles of the finite scaled values */
    FileMap map;                 /* where voxels lie in a mapped file */
    unsigned char *own;          /* where they were decompressed */
} Volume;

/* Volume `index` (from 0) of a file, a pair's .hdr or .img, compressed or not. NULL on error. */
const Volume *volume_get(const char *path, int index, Err *err);
void volume_put(const Volume *v);
/* Drops every cached volume that is not in use. */
void volume_cache_clear(void);

/* A volume of a single file in memory; the bytes must outlive it. */
int volume_open_memory(Volume *v, const unsigned char *bytes, size_t n, int index, Err *err);
void volume_close(Volume *v);

/* The header alone; of a pair, from either file's name. `bytes` are the file's. */
int volume_header(NiftiHeader *h, const char *path, const unsigned char *bytes, size_t n, Err *err);

/* out[i] = scaled value of voxel first + i * step. */
void volume_values(const Volume *v, double *out, size_t first, ptrdiff_t step, size_t count);

#endif
