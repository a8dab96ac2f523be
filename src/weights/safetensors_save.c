#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "weights/safetensors.h"

static int64_t item_bytes(const StItem *t)
{
    int64_t bytes = (int64_t)dtype_size(t->dtype);
    for (int i = 0; i < t->n_dims; i++) bytes *= t->dim[i];
    return bytes;
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* The items by descending element size, otherwise in the given order: each tensor then starts at a multiple of its own
   element size, as all sizes are powers of two. */
static const StItem **alignment_order(const StItem *item, int n)
{
    const StItem **order = xmalloc(((size_t)n + 1) * sizeof *order);
    int k = 0;
    for (size_t size = 8; size > 0; size /= 2)
        for (int i = 0; i < n; i++)
            if (dtype_size(item[i].dtype) == size) order[k++] = &item[i];
    return order;
}

static void build_header(Buf *b, const StItem *const *item, int n)
{
    int64_t at = 0;
    buf_str(b, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0; i < n; i++) {
        const StItem *t = item[i];
        buf_byte(b, ',');
        json_append_str(b, t->name, strlen(t->name));
        buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(t->dtype));
        for (int k = 0; k < t->n_dims; k++) buf_printf(b, "%s%lld", k ? "," : "", (long long)t->dim[k]);
        int64_t end = at + item_bytes(t);
        buf_printf(b, "],\"data_offsets\":[%lld,%lld]}", (long long)at, (long long)end);
        at = end;
    }
    buf_byte(b, '}');
    while (b->len % 8) buf_byte(b, ' ');
}

/* Filled tensors pass through one scratch buffer of the largest one's size. */
static void write_data(FileWriter *w, const StItem *const *item, int n)
{
    size_t largest = 0;
    for (int i = 0; i < n; i++)
        if (!item[i]->data && (size_t)item_bytes(item[i]) > largest) largest = (size_t)item_bytes(item[i]);
    void *scratch = largest ? xmalloc(largest) : NULL;
    for (int i = 0; i < n && !w->failed; i++) {
        size_t bytes = (size_t)item_bytes(item[i]);
        if (bytes == 0) continue;
        if (!item[i]->data) item[i]->fill(scratch, item[i]->arg);
        file_write(w, item[i]->data ? item[i]->data : scratch, bytes);
    }
    free(scratch);
}

static void check_items(const StItem *item, int n)
{
    Map seen = {0};
    for (int i = 0; i < n; i++) {
        const StItem *t = &item[i];
        CHECK(t->n_dims >= 0 && t->n_dims <= ST_MAX_DIMS, "%s has %d dimensions", t->name, t->n_dims);
        CHECK(item_bytes(t) >= 0, "%s has a negative dimension", t->name);
        CHECK(t->data || t->fill || item_bytes(t) == 0, "%s has neither data nor fill", t->name);
        map_set_str(&seen, t->name, i);
        CHECK(seen.n == i + 1, "%s is given twice", t->name);
    }
    map_release(&seen);
}

int st_save(const char *path, const StItem *item, int n, Err *err)
{
    check_items(item, n);
    FileWriter w;
    if (file_create(&w, path, err)) return -1;
    const StItem **order = alignment_order(item, n);
    Buf header = {0};
    build_header(&header, order, n);
    uint64_t length = header.len;
    file_write(&w, &length, 8);
    file_write(&w, header.data, header.len);
    write_data(&w, order, n);
    buf_release(&header);
    free(order);
    return file_commit(&w, err);
}

/* ---- a directory ------------------------------------------------------------------------------------------------- */

/* Which shard every item goes to, and what the shards are called. */
typedef struct Plan {
    const char *dir, *base;
    const StItem *item;
    int n;
    int *shard_of;
    char **name; /* of each shard; empty where there is one file without an index */
    int n_shards;
} Plan;

static void plan_release(Plan *p)
{
    for (int k = 0; k < p->n_shards; k++) free(p->name[k]);
    free(p->name);
    free(p->shard_of);
}

/* Shards under the names that the items carry. */
static int plan_given(Plan *p, Err *err)
{
    Map shard = {0};
    for (int i = 0; i < p->n; i++) {
        CHECK(p->item[i].shard, "%s has no shard, others have", p->item[i].name);
        int64_t k = shard.n;
        if (!map_get_str(&shard, p->item[i].shard, &k)) map_set_str(&shard, p->item[i].shard, k);
        p->shard_of[i] = (int)k;
    }
    char *single = xasprintf("%s.safetensors", p->base);
    int64_t unused;
    bool has_single = map_get_str(&shard, single, &unused);
    if (!has_single || shard.n > 1) {
        p->n_shards = shard.n;
        p->name = xcalloc((size_t)shard.n, sizeof *p->name);
        for (int k = 0; k < shard.n; k++) p->name[k] = xstrdup(shard.entry[k].key);
    }
    int rc = has_single && shard.n > 1 ? err_set(err, "%s: %s among other shards would hide them", p->dir, single) : 0;
    free(single);
    map_release(&shard);
    return rc;
}

static char *shard_name(const char *base, const char *tag, int k, int n)
{
    return xasprintf("%s%s-%05d-of-%05d.safetensors", base, tag, k + 1, n);
}

/* Cuts in the given order, as soon as the next tensor would make a shard larger than max_bytes. */
static void plan_cut(Plan *p, int64_t max_bytes)
{
    int64_t size = 0;
    int k = 0;
    for (int i = 0; i < p->n; i++) {
        int64_t bytes = item_bytes(&p->item[i]);
        if (size > 0 && size + bytes > max_bytes) {
            size = 0;
            k++;
        }
        size += bytes;
        p->shard_of[i] = k;
    }
    if (k == 0) return;
    p->n_shards = k + 1;
    p->name = xcalloc((size_t)p->n_shards, sizeof *p->name);
    for (int s = 0; s < p->n_shards; s++) p->name[s] = shard_name(p->base, "", s, p->n_shards);
}

static char *file_of(const Plan *p, const char *name)
{
    return path_join(p->dir, name);
}

static bool has_file(const Plan *p, const char *name)
{
    char *path = file_of(p, name);
    bool yes = file_exists(path);
    free(path);
    return yes;
}

/* True where the file is gone. */
static bool drop_file(const Plan *p, const char *name)
{
    char *path = file_of(p, name);
    bool gone = unlink(path) == 0 || !file_exists(path);
    if (!gone) log_warn("%s is left over and could not be removed", path);
    free(path);
    return gone;
}

static char *index_name(const Plan *p)
{
    return xasprintf("%s.safetensors.index.json", p->base);
}

/* ---- shards ------------------------------------------------------------------------------------------------------ */

static int save_shard(const Plan *p, int k, const char *name, Err *err)
{
    StItem *part = xmalloc((size_t)p->n * sizeof *part);
    int n = 0;
    for (int i = 0; i < p->n; i++)
        if (p->shard_of[i] == k) part[n++] = p->item[i];
    char *path = file_of(p, name);
    int rc = st_save(path, part, n, err);
    free(path);
    free(part);
    return rc;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp((*(const StItem *const *)a)->name, (*(const StItem *const *)b)->name);
}

/* The index, tensors sorted by name; name[k] is the file of shard k. */
static int save_index(const Plan *p, char *const *name, Err *err)
{
    const StItem **sorted = xmalloc((size_t)p->n * sizeof *sorted);
    int64_t total = 0;
    for (int i = 0; i < p->n; i++) {
        sorted[i] = &p->item[i];
        total += item_bytes(&p->item[i]);
    }
    qsort(sorted, (size_t)p->n, sizeof *sorted, compare_items);
    Buf b = {0};
    buf_printf(&b, "{\n  \"metadata\": {\n    \"total_size\": %lld\n  },\n  \"weight_map\": {", (long long)total);
    for (int i = 0; i < p->n; i++) {
        const char *file = name[p->shard_of[sorted[i] - p->item]];
        buf_str(&b, i ? ",\n    " : "\n    ");
        json_append_str(&b, sorted[i]->name, strlen(sorted[i]->name));
        buf_str(&b, ": ");
        json_append_str(&b, file, strlen(file));
    }
    buf_str(&b, "\n  }\n}\n");
    char *index = index_name(p), *path = file_of(p, index);
    int rc = file_save(path, b.data, b.len, err);
    free(path);
    free(index);
    free(sorted);
    buf_release(&b);
    return rc;
}

/* The index in the folder as JSON; NULL where there is none that can be read. */
static json_t *load_index(const Plan *p)
{
    Err ignored = {0};
    char *name = index_name(p), *path = file_of(p, name);
    json_t *root = file_exists(path) ? json_load_path(path, ST_MAX_HEADER, &ignored) : NULL;
    free(path);
    free(name);
    return root;
}

/* The shards named by the index that is there before anything is written. */
static void older_shards(const Plan *p, Map *stale)
{
    json_t *root = load_index(p), *v;
    const char *key;
    json_object_foreach(json_object_get(root, "weight_map"), key, v)
    {
        const char *shard = json_string_value(v);
        if (shard && !strchr(shard, '/') && str_ends_with(shard, ".safetensors")) map_set_str(stale, shard, 1);
    }
    json_decref(root);
}

/* Does the index in the folder speak of these shards?  Asked after a failure, which may be that of the flush that
   follows the move to the final name. */
static bool index_names(const Plan *p, char *const *name)
{
    json_t *root = load_index(p);
    const char *file = json_string_value(json_object_get(json_object_get(root, "weight_map"), p->item[0].name));
    bool yes = file && !strcmp(file, name[p->shard_of[0]]);
    json_decref(root);
    return yes;
}

/* Names no file in the folder has: the shards' own, or, where an older checkpoint has one of them, names to stage
   under. */
static char **free_names(const Plan *p, bool *staged)
{
    char **name = xcalloc((size_t)p->n_shards, sizeof *name);
    bool taken = true;
    *staged = false;
    for (int round = 0; taken; round++) {
        taken = false;
        *staged = round > 0;
        for (int k = 0; k < p->n_shards; k++) {
            char tag[32];
            snprintf(tag, sizeof tag, "-new%d", round);
            free(name[k]);
            name[k] = round ? shard_name(p->base, tag, k, p->n_shards) : xstrdup(p->name[k]);
            taken = taken || has_file(p, name[k]);
        }
    }
    return name;
}

/*
 * The new checkpoint is live under staging names: gives its files their proper names too, and points the index there.
 * The proper names are free by now to be replaced, as the index no longer speaks of what they held.  Where the file
 * system knows no hard links, or the disk is full now, the staging names stay: they are as good, only less pretty.
 * Returns the names that hold.
 */
static char **settle(const Plan *p, char **staging)
{
    Err ignored = {0};
    bool ok = true;
    for (int k = 0; k < p->n_shards && ok; k++) {
        char *from = file_of(p, staging[k]), *to = file_of(p, p->name[k]);
        ok = (unlink(to) == 0 || !file_exists(to)) && link(from, to) == 0;
        free(to);
        free(from);
    }
    ok = ok && (save_index(p, p->name, &ignored) == 0 || index_names(p, p->name));
    return ok ? p->name : staging;
}

/* <base>.safetensors, <base>-*.safetensors, and what a write that was killed left of such a file. */
static bool is_of_base(const char *base, const char *name)
{
    size_t n = strlen(base);
    bool stem = !strncmp(name, base, n) && (name[n] == '-' || name[n] == '.');
    bool file = stem && str_ends_with(name, ".safetensors") && (name[n] == '-' || !strcmp(name + n, ".safetensors"));
    return file || (stem && strstr(name + n, ".safetensors.tmp."));
}

/* Removes the other weights of this base: what the older index named, and what is called like our own files. */
static void tidy(const Plan *p, const Map *stale, char *const *keep, int n_keep)
{
    Map kept = {0};
    Err ignored = {0};
    char **found;
    int n = 0;
    for (int k = 0; k < n_keep; k++) map_set_str(&kept, keep[k], 1);
    int64_t unused;
    for (int k = 0; k < stale->n; k++)
        if (!map_get_str(&kept, stale->entry[k].key, &unused)) drop_file(p, stale->entry[k].key);
    if (dir_list(p->dir, &found, &n, &ignored)) n = 0, found = NULL;
    for (int i = 0; i < n; i++) {
        if (is_of_base(p->base, found[i]) && !map_get_str(&kept, found[i], &unused)) drop_file(p, found[i]);
        free(found[i]);
    }
    free(found);
    map_release(&kept);
    if (dir_sync(p->dir, &ignored)) log_warn("%s", ignored.msg);
}

/* Everything under `name`, the index last; on error nothing of it stays. */
static int write_shards(const Plan *p, char *const *name, Err *err)
{
    int rc = 0, written = 0;
    for (; written < p->n_shards && rc == 0; written++) rc = save_shard(p, written, name[written], err);
    if (rc == 0) rc = save_index(p, name, err);
    bool live = rc && index_names(p, name);
    for (int k = 0; rc && !live && k < written; k++) drop_file(p, name[k]);
    return rc;
}

static int save_shards(const Plan *p, const Map *stale, Err *err)
{
    bool staged;
    char **name = free_names(p, &staged), *single = xasprintf("%s.safetensors", p->base);
    int rc = write_shards(p, name, err);
    if (rc == 0 && !drop_file(p, single))
        rc = err_set(err, "%s: %s cannot be removed and is read in place of the new shards", p->dir, single);
    if (rc == 0) tidy(p, stale, staged ? settle(p, name) : name, p->n_shards);
    for (int k = 0; k < p->n_shards; k++) free(name[k]);
    free(name);
    free(single);
    return rc;
}

static int save_single(const Plan *p, const Map *stale, Err *err)
{
    char *name = xasprintf("%s.safetensors", p->base), *path = file_of(p, name), *index = index_name(p);
    int rc = st_save(path, p->item, p->n, err);
    if (rc == 0) {
        drop_file(p, index);
        tidy(p, stale, &name, 1);
    }
    free(index);
    free(path);
    free(name);
    return rc;
}

int st_save_dir(const char *dir, const char *base, const StItem *item, int n, int64_t max_shard_bytes, Err *err)
{
    if (dir_create(dir, err)) return -1;
    check_items(item, n);
    Plan p = {.dir = dir, .base = base, .item = item, .n = n, .shard_of = xcalloc((size_t)n + 1, sizeof *p.shard_of)};
    bool given = false;
    for (int i = 0; i < n; i++) given = given || item[i].shard;
    int rc = 0;
    if (given) rc = plan_given(&p, err);
    else if (max_shard_bytes > 0) plan_cut(&p, max_shard_bytes);
    Map stale = {0};
    older_shards(&p, &stale);
    if (rc == 0) rc = p.n_shards ? save_shards(&p, &stale, err) : save_single(&p, &stale, err);
    map_release(&stale);
    plan_release(&p);
    return rc;
}
