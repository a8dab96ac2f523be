#include "weights/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian and used in place");

/* ---- one tensor -------------------------------------------------------------------------------------------------- */

/* Reads "shape" and multiplies it out with the element size; no product may leave int64_t. */
static int parse_shape(StTensor *t, const json_t *info, int64_t *bytes, Err *err)
{
    const json_t *shape;
    if (json_get_array(info, "shape", &shape, true, err)) return -1;
    size_t n = json_array_size(shape);
    if (n > ST_MAX_DIMS) return err_set(err, "%zu dimensions, at most %d are supported", n, ST_MAX_DIMS);
    t->n_dims = (int)n;
    *bytes = (int64_t)dtype_size(t->dtype);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(shape, i);
        if (!json_is_integer(v)) return err_set(err, "shape[%zu] must be an integer, got %s", i, json_kind(v));
        int64_t d = json_integer_value(v);
        if (d < 0) return err_set(err, "shape[%zu] is negative (%lld)", i, (long long)d);
        if (__builtin_mul_overflow(*bytes, d, bytes)) return err_set(err, "its shape has too many elements");
        t->dim[i] = d;
    }
    return 0;
}

static int parse_dtype(StTensor *t, const json_t *info, Err *err)
{
    const char *name;
    if (json_get_str(info, "dtype", &name, true, err)) return -1;
    int dtype = dtype_parse(name);
    if (dtype < 0) {
        err_set(err, "dtype %s is not supported", name);
        return err_hint(err, "convert the checkpoint to BF16, F16 or F32; quantised formats cannot be trained");
    }
    t->dtype = (DType)dtype;
    return 0;
}

/* t from its header entry; data holds the n bytes after the header. */
static int parse_tensor(StTensor *t, const json_t *info, const unsigned char *data, size_t n, Err *err)
{
    int64_t bytes = 0;
    const json_t *at;
    if (parse_dtype(t, info, err) || parse_shape(t, info, &bytes, err)) return -1;
    if (json_get_array(info, "data_offsets", &at, true, err)) return -1;
    const json_t *lo = json_array_get(at, 0), *hi = json_array_get(at, 1);
    if (json_array_size(at) != 2 || !json_is_integer(lo) || !json_is_integer(hi))
        return err_set(err, "\"data_offsets\" must be two integers");
    int64_t begin = json_integer_value(lo), end = json_integer_value(hi);
    if (begin < 0 || begin > end) return err_set(err, "offsets %lld to %lld", (long long)begin, (long long)end);
    if ((uint64_t)end > n) {
        err_set(err, "its data ends at byte %lld of %zu", (long long)end, n);
        return err_hint(err, "the file is cut short: download or copy it again");
    }
    if (end - begin != bytes)
        return err_set(err, "shape and dtype need %lld bytes, the offsets give %lld", (long long)bytes,
                       (long long)(end - begin));
    t->data = data + begin;
    t->bytes = (size_t)bytes;
    return 0;
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const StTensor *x = a, *y = b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* an empty tensor stands before the one that starts there */
}

/* The n tensors must tile [data, data + bytes): no overlap, no hole, no rest. Sorts them by address. */
static int check_tiling(StTensor *t, int n, const unsigned char *data, size_t bytes, Err *err)
{
    if (n) qsort(t, (size_t)n, sizeof *t, by_address);
    const unsigned char *at = data;
    for (int i = 0; i < n; i++) {
        if (t[i].data < at) return err_set(err, "tensor \"%s\" overlaps the one before it", t[i].name);
        if (t[i].data > at)
            return err_set(err, "%zu bytes before tensor \"%s\" belong to none", (size_t)(t[i].data - at), t[i].name);
        at += t[i].bytes;
    }
    size_t rest = bytes - (size_t)(at - data);
    return rest ? err_set(err, "%zu bytes after the last tensor belong to none", rest) : 0;
}

static int parse_metadata(SafeTensors *st, const json_t *meta, Err *err)
{
    const char *key;
    json_t *v;
    if (!json_is_object(meta)) return err_set(err, "\"__metadata__\" must be an object, got %s", json_kind(meta));
    json_object_foreach((json_t *)(uintptr_t)meta, key, v)
    {
        if (!json_is_string(v)) return err_set(err, "\"__metadata__\".\"%s\" must be a string", key);
        if (!strcmp(key, "format") && !st->metadata_format) st->metadata_format = xstrdup(json_string_value(v));
    }
    return 0;
}

/* Appends the tensors of a parsed header. */
static int add_tensors(SafeTensors *st, json_t *root, const unsigned char *data, size_t bytes, const char *file,
                       Err *err)
{
    const char *key;
    json_t *info;
    int first = st->n;
    st->tensor = xrealloc(st->tensor, ((size_t)st->n + json_object_size(root) + 1) * sizeof *st->tensor);
    json_object_foreach(root, key, info)
    {
        if (!strcmp(key, "__metadata__")) {
            if (parse_metadata(st, info, err)) return -1;
            continue;
        }
        StTensor *t = &st->tensor[st->n];
        *t = (StTensor){.file = file};
        if (parse_tensor(t, info, data, bytes, err)) return err_context(err, "tensor \"%.200s\"", key);
        t->name = xstrdup(key);
        st->n++;
    }
    return check_tiling(st->tensor + first, st->n - first, data, bytes, err);
}

/* The length of the JSON header, checked against the file. */
static int header_length(size_t *length, const unsigned char *bytes, size_t n, Err *err)
{
    uint64_t h = 0;
    if (n < 8) {
        err_set(err, "%zu bytes are too few for a safetensors file", n);
        return err_hint(err, "the file is cut short: download or copy it again");
    }
    if (!memcmp(bytes, "version ", 8)) {
        err_set(err, "a Git LFS pointer stands in place of the weights");
        return err_hint(err, "fetch them with `git lfs pull`, or download the file itself");
    }
    memcpy(&h, bytes, 8);
    if (h > ST_MAX_HEADER || h > n - 8) {
        err_set(err, "not a safetensors file: a header of %llu bytes in a file of %zu", (unsigned long long)h, n);
        return err_hint(err, "the file is cut short, or of another format");
    }
    if (h == 0 || bytes[8] != '{') return err_set(err, "not a safetensors file: its header is no JSON object");
    *length = (size_t)h;
    return 0;
}

/* Appends one file's tensors; `file` outlives st. */
static int add_file(SafeTensors *st, const unsigned char *bytes, size_t n, const char *file, Err *err)
{
    size_t length = 0;
    if (header_length(&length, bytes, n, err)) return err_context(err, "%s", file);
    json_t *root = json_parse((const char *)bytes + 8, length, err);
    if (!root) return err_context(err, "%s: header", file);
    int rc = add_tensors(st, root, bytes + 8 + length, n - 8 - length, file, err);
    json_decref(root);
    return rc ? err_context(err, "%s", file) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const StTensor *)a)->name, ((const StTensor *)b)->name);
}

/* Old writers did not pad the header, so a tensor may start where its type cannot be read: those get a copy. */
static void align_data(StTensor *t)
{
    if ((uintptr_t)t->data % dtype_size(t->dtype) == 0) return;
    unsigned char *copy = xmalloc(t->bytes + 1);
    memcpy(copy, t->data, t->bytes);
    t->data = copy;
    t->copied = true;
}

static void finish_tensors(SafeTensors *st)
{
    if (st->n) qsort(st->tensor, (size_t)st->n, sizeof *st->tensor, by_name);
    for (int i = 0; i < st->n; i++) {
        align_data(&st->tensor[i]);
        map_set_str(&st->by_name, st->tensor[i].name, i);
    }
}

/* Maps a file as the next shard; takes over `path`. */
static int add_shard(SafeTensors *st, char *path, Err *err)
{
    int k = st->n_shards++;
    st->shard = xrealloc(st->shard, (size_t)st->n_shards * sizeof *st->shard);
    st->shard_path = xrealloc(st->shard_path, (size_t)st->n_shards * sizeof *st->shard_path);
    st->shard_path[k] = path;
    if (file_map(&st->shard[k], path, err)) return -1;
    return add_file(st, st->shard[k].data, st->shard[k].size, path, err);
}

int st_open(SafeTensors *st, const char *path, Err *err)
{
    *st = (SafeTensors){0};
    if (add_shard(st, xstrdup(path), err)) {
        st_close(st);
        return -1;
    }
    finish_tensors(st);
    return 0;
}

int st_open_bytes(SafeTensors *st, const unsigned char *bytes, size_t n, const char *name, Err *err)
{
    *st = (SafeTensors){.shard = xcalloc(1, sizeof *st->shard), .shard_path = xcalloc(1, sizeof *st->shard_path)};
    st->n_shards = 1;
    st->shard_path[0] = xstrdup(name);
    if (add_file(st, bytes, n, st->shard_path[0], err)) {
        st_close(st);
        return -1;
    }
    finish_tensors(st);
    return 0;
}

/* ---- a directory ------------------------------------------------------------------------------------------------- */

/* A file name that stays in its folder. */
static bool plain_name(const char *s)
{
    return s[0] && !strchr(s, '/') && strcmp(s, ".") && strcmp(s, "..");
}

/* The shards named by weight_map, each once, in order of appearance. */
static int collect_shards(Map *shards, const json_t *weight_map, Err *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)weight_map, key, v)
    {
        if (!json_is_string(v))
            return err_set(err, "tensor \"%.200s\": expected a file name, got %s", key, json_kind(v));
        const char *name = json_string_value(v);
        if (!plain_name(name)) {
            err_set(err, "tensor \"%.200s\": \"%.200s\" is not the name of a file beside the index", key, name);
            return -1;
        }
        map_set_str(shards, name, 0);
    }
    return shards->n ? 0 : err_set(err, "\"weight_map\" is empty");
}

/* Every tensor of the shard just read, from `first` on, must be in weight_map under this shard's name. */
static int check_against_index(const SafeTensors *st, int first, const char *shard, const json_t *weight_map, Err *err)
{
    for (int i = first; i < st->n; i++) {
        const char *want = json_string_value(json_object_get(weight_map, st->tensor[i].name));
        if (!want)
            return err_set(err, "%s holds tensor \"%.200s\", which the index does not name", shard, st->tensor[i].name);
        if (strcmp(want, shard))
            return err_set(err, "%s holds tensor \"%.200s\", which the index places in %s", shard, st->tensor[i].name,
                           want);
    }
    return 0;
}

static int open_shards(SafeTensors *st, const char *dir, const json_t *weight_map, const Map *shards, Err *err)
{
    for (int k = 0; k < shards->n; k++) {
        const char *name = shards->entry[k].key;
        char *path = path_join(dir, name);
        int first = st->n;
        if (!file_exists(path)) {
            free(path);
            err_set(err, "shard %.200s is missing", name);
            return err_hint(err, "copy the missing file beside the index, or download the checkpoint again");
        }
        if (add_shard(st, path, err) || check_against_index(st, first, name, weight_map, err)) return -1;
    }
    return 0;
}

/* Called with all tensors in place: is anything in the index that no shard holds? */
static int check_complete(const SafeTensors *st, const json_t *weight_map, Err *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)weight_map, key, v)
    {
        if (!st_find(st, key)) return err_set(err, "tensor \"%.200s\" is not in %s", key, json_string_value(v));
    }
    return 0;
}

static int open_index(SafeTensors *st, const char *dir, const char *path, Err *err)
{
    json_t *root = json_load_path(path, ST_MAX_HEADER, err);
    if (!root) return -1;
    Map shards = {0};
    const json_t *weight_map;
    int rc = json_get_object(root, "weight_map", &weight_map, true, err);
    if (rc == 0) rc = collect_shards(&shards, weight_map, err);
    if (rc == 0) rc = open_shards(st, dir, weight_map, &shards, err);
    if (rc == 0) {
        finish_tensors(st);
        rc = check_complete(st, weight_map, err);
    }
    if (rc) {
        err_context(err, "%s", path);
        st_close(st);
    }
    st->sharded = rc == 0;
    map_release(&shards);
    json_decref(root);
    return rc;
}

/* The names that a checkpoint's weights may have. */
typedef struct WeightNames {
    char *single, *index;
} WeightNames;

static WeightNames weight_names(const char *dir, const char *base)
{
    char *stem = path_join(dir, base);
    WeightNames n = {xasprintf("%s.safetensors", stem), xasprintf("%s.safetensors.index.json", stem)};
    free(stem);
    return n;
}

static void weight_names_release(WeightNames *n)
{
    free(n->single);
    free(n->index);
}

bool st_in_dir(const char *dir, const char *base)
{
    WeightNames name = weight_names(dir, base);
    bool is = file_exists(name.single) || file_exists(name.index);
    weight_names_release(&name);
    return is;
}

int st_open_dir(SafeTensors *st, const char *dir, const char *base, Err *err)
{
    *st = (SafeTensors){0};
    WeightNames name = weight_names(dir, base);
    int rc = -1;
    if (file_exists(name.single)) rc = st_open(st, name.single, err);
    else if (file_exists(name.index)) rc = open_index(st, dir, name.index, err);
    else if (!dir_exists(dir)) err_set(err, "%s: no such folder", dir);
    else {
        err_set(err, "%s: neither %s.safetensors nor %s.safetensors.index.json is there", dir, base, base);
        err_hint(err, "weights are read as safetensors only; .bin and .gguf files must be converted first");
    }
    weight_names_release(&name);
    return rc;
}

void st_close(SafeTensors *st)
{
    for (int i = 0; i < st->n; i++) {
        if (st->tensor[i].copied) free((void *)(uintptr_t)st->tensor[i].data);
        free(st->tensor[i].name);
    }
    for (int k = 0; k < st->n_shards; k++) {
        file_unmap(&st->shard[k]);
        free(st->shard_path[k]);
    }
    free(st->tensor);
    free(st->shard);
    free(st->shard_path);
    free(st->metadata_format);
    map_release(&st->by_name);
    *st = (SafeTensors){0};
}

const StTensor *st_find(const SafeTensors *st, const char *name)
{
    int64_t i;
    return map_get_str(&st->by_name, name, &i) ? &st->tensor[i] : NULL;
}

int64_t st_count(const StTensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->n_dims; i++) count *= t->dim[i];
    return count;
}
