/*
 * safetensors.h - tensors in files: read by mmap, written atomically.
 *
 *   8 bytes little-endian N, N bytes of JSON {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {...}}, data
 *
 * A reader holds one or more mapped shards; tensor data is used in place.  Everything in a header is checked against
 * the file before it is believed: header length (at most 100 MB), dtype, shapes against byte counts, and that the
 * tensors tile the data without overlap, hole or rest.  What the numbers are (NaN, infinity) is the caller's business.
 *
 *   SafeTensors st;
 *   if (st_open_dir(&st, dir, "model", err)) return -1;
 *   const StTensor *w = st_find(&st, "lm_head.weight");        NULL where absent
 *   ...                                                        w->data lives until st_close
 *   st_close(&st);
 *
 * A directory may be overwritten while it is open here: the mapped files stay what they were.
 */
#ifndef OSLER_WEIGHTS_SAFETENSORS_H
#define OSLER_WEIGHTS_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"

enum { ST_MAX_DIMS = 8, ST_MAX_HEADER = 100 * 1000 * 1000 };

typedef struct StTensor {
    char *name;
    DType dtype;
    int n_dims;
    int64_t dim[ST_MAX_DIMS];
    const unsigned char *data; /* in the mapping, aligned for the dtype */
    size_t bytes;
    const char *file; /* borrowed: the shard's path */
    bool copied;      /* data is a copy of our own, as the file holds it where its type cannot be read */
} StTensor;

typedef struct SafeTensors {
    StTensor *tensor; /* sorted by name */
    int n;
    Map by_name;
    FileMap *shard;
    char **shard_path;
    int n_shards;
    bool sharded;          /* came with an index */
    char *metadata_format; /* "__metadata__"."format", or NULL */
} SafeTensors;

/* One file. On error *st is empty; closing it is allowed and not needed. */
int st_open(SafeTensors *st, const char *path, Err *err);
/* A checkpoint directory: <base>.safetensors, else <base>.safetensors.index.json with its shards. `base` is the file
   name's stem: "model" or "adapter_model". */
int st_open_dir(SafeTensors *st, const char *dir, const char *base, Err *err);
/* Whether either is there. */
bool st_in_dir(const char *dir, const char *base);
/* From bytes in memory that outlive st (for the fuzzer). */
int st_open_bytes(SafeTensors *st, const unsigned char *bytes, size_t n, const char *name, Err *err);
void st_close(SafeTensors *st);
const StTensor *st_find(const SafeTensors *st, const char *name);
int64_t st_count(const StTensor *t); /* elements */

/* What to write. `fill` produces the tensor's bytes in its file dtype into dst, on demand, so that a checkpoint never
   exists twice in memory. */
typedef struct StItem {
    const char *name;
    DType dtype;
    int n_dims;
    int64_t dim[ST_MAX_DIMS];
    const void *data; /* the bytes; or NULL, and: */
    void (*fill)(void *dst, const void *arg);
    const void *arg;
    const char *shard; /* file name of the shard this goes to, in all items or in none */
} StItem;

/*
 * One file, atomically, with metadata {"format": "pt"}.  Tensors in the given order, larger element sizes first:
 * without holes between them, that is what keeps every tensor aligned.
 */
int st_save(const char *path, const StItem *item, int n, Err *err);

/*
 * A directory: one file <base>.safetensors, or shards <base>-00001-of-0000N.safetensors of at most max_shard_bytes (0:
 * never shard; a larger tensor is a shard of its own) with <base>.safetensors.index.json.  Where items carry `shard`
 * names those decide.
 *
 * On error the directory holds what it held (only where the very last flush failed may it hold the new).  On success
 * nothing else of that base is left: an older index, the shards it named, <base>.safetensors, <base>-*.safetensors and
 * their temporary files are removed, once the new ones are on the disk.  A crash at any instant leaves the old
 * checkpoint or the new one, whole, under names that st_open_dir (and transformers) read.
 */
int st_save_dir(const char *dir, const char *base, const StItem *item, int n, int64_t max_shard_bytes, Err *err);

#endif
