#include "infer/vision_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/disk_cache.h"
#include "base/log.h"
#include "base/piece_hash.h"
#include "base/progress.h"

/* Of keys and values: counts up where the meaning of either changes. */
static const char FORMAT[] = "osler vision features 1\n";

struct VisionCache {
    const Model *m;
    DiskCache disk;
    char tower[SHA256_HEX]; /* "" before the first image */
    VisionCacheCount count;
};

/* ---- the tower --------------------------------------------------------------------------------------------------- */

static bool in_tower(const Param *p)
{
    return p->part == PART_VISION || p->part == PART_MERGER;
}

/* "name [out, in]" for every tensor. */
static void describe_tensors(Buf *out, const Model *m)
{
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (in_tower(p)) buf_printf(out, "%s [%d, %d]\n", p->name, p->t->rows, p->t->cols);
    }
}

/* Names the weights without reading them, by the files they come from. False where that would not be safe. */
static bool weight_files(char hex[SHA256_HEX], const Model *m)
{
    Buf b = {0};
    bool known = m->files.n_shards > 0;
    buf_printf(&b, "%sweights in files, as %s\n", FORMAT, dtype_name(m->dev.k.dtype));
    describe_tensors(&b, m);
    for (int i = 0; known && i < m->files.n_shards; i++) {
        const FileMap *map = &m->files.shard[i];
        const FileStamp *s = &map->stamp;
        char *path = realpath(m->files.shard_path[i], NULL);
        known = path && map->settled;
        if (known)
            buf_printf(&b, "%s\n%llu %llu %lld %lld %lld\n", path, (unsigned long long)s->device,
                       (unsigned long long)s->inode, (long long)s->size, (long long)s->written_ns,
                       (long long)s->changed_ns);
        free(path);
    }
    pieces_hash(hex, &b, &(Pieces){0});
    return known;
}

static void hash_weights(char hex[SHA256_HEX], const Model *m)
{
    Buf b = {0};
    Pieces p = {0};
    double start = now_seconds(), bytes = 0;
    describe_tensors(&b, m);
    for (int i = 0; i < m->param.n; i++) {
        const Tensor *t = m->param.at[i].t;
        if (!in_tower(&m->param.at[i])) continue;
        pieces_add(&p, t->data, tensor_bytes(t));
        bytes += (double)tensor_bytes(t);
    }
    pieces_hash(hex, &b, &p);
    log_debug("vision cache: %.3f GB of weights hashed in %.2f s", bytes / 1e9, now_seconds() - start);
}

static void weights_key(char hex[SHA256_HEX], const Model *m, DiskCache *disk)
{
    char files[SHA256_HEX];
    bool known = weight_files(files, m);
    hex[SHA256_HEX - 1] = 0;
    if (known && disk_cache_get(disk, files, hex, SHA256_HEX - 1)) return;
    hash_weights(hex, m);
    if (known) disk_cache_put(disk, files, hex, SHA256_HEX - 1);
}

/* What the tower makes of an image of 4 x 5 merged patches: a window and part of one in the published models. */
static void add_probe(Pieces *p, const Model *m, Ctx *c)
{
    const VisionConfig *v = &m->cfg.vision;
    BatchImage image = {4 * v->merge, 5 * v->merge, 0};
    Batch b = {.image = &image, .n_images = 1, .n_patches = image.grid_h * image.grid_w};
    b.patch_dim = v->channels * v->temporal * v->patch * v->patch;
    size_t n = (size_t)b.n_patches * (size_t)b.patch_dim;
    b.pixels = arena_alloc(c->arena, sizeof *b.pixels * n);
    for (size_t i = 0; i < n; i++) b.pixels[i] = (float)(i * 40503 % 65536) / 16384 - 2;
    const Tensor *t = model_vision(c, m, &b);
    pieces_add(p, t->data, tensor_bytes(t));
}

/* Everything but the image that features depend on. */
static void hash_tower(VisionCache *v, const Ctx *c)
{
    enum { MAX_SLOTS = 128 };
    const Model *m = v->m;
    const VisionConfig *cfg = &m->cfg.vision;
    KernelRow row[MAX_SLOTS];
    Buf b = {0};
    Pieces p = {0};
    char weights[SHA256_HEX];
    weights_key(weights, m, &v->disk);
    buf_printf(&b, "%s%s %s\nweights %s\n", FORMAT, OSLER_VERSION, dtype_name(m->dev.k.dtype), weights);
    buf_printf(&b, "%d %d %d %d %d %d %d %d %d %d\n", cfg->d, cfg->f, cfg->h, cfg->l, cfg->out, cfg->patch,
               cfg->temporal, cfg->merge, cfg->channels, cfg->window);
    for (int i = 0; i < cfg->l; i++) buf_byte(&b, cfg->full[i] ? 'f' : 'w');
    buf_printf(&b, "\n%x\n", cpu_features());
    int n = kernels_list(&m->dev.k, row, MAX_SLOTS);
    CHECK(n <= MAX_SLOTS, "%d kernel slots", n);
    for (int i = 0; i < n; i++) buf_printf(&b, "%s %s\n", row[i].slot, row[i].variant);
    Ctx quiet = {.k = c->k, .arena = c->arena};
    size_t mark = arena_mark(c->arena);
    add_probe(&p, m, &quiet);
    pieces_hash(v->tower, &b, &p);
    arena_release(c->arena, mark);
}

static void hash_image(char hex[SHA256_HEX], const VisionCache *v, const Batch *b, const BatchImage *im)
{
    Buf text = {0};
    Pieces p = {0};
    size_t count = (size_t)im->grid_h * (size_t)im->grid_w * (size_t)b->patch_dim;
    buf_printf(&text, "%stower %s\n%d x %d x %d\n", FORMAT, v->tower, im->grid_h, im->grid_w, b->patch_dim);
    pieces_add(&p, b->pixels + (size_t)im->first_patch * (size_t)b->patch_dim, sizeof *b->pixels * count);
    pieces_hash(hex, &text, &p);
}

/* ---- features ---------------------------------------------------------------------------------------------------- */

/* An image of the batch and where its features belong. */
typedef struct Slot {
    char key[SHA256_HEX];
    char *at;
    size_t bytes;
    int twin; /* an earlier image of the batch that is the same, or -1 */
    bool missing;
} Slot;

static int find_twin(const Slot *slot, int i)
{
    for (int k = 0; k < i; k++)
        if (!strcmp(slot[k].key, slot[i].key)) return k;
    return -1;
}

/* Reads what is there. */
static void look_up(VisionCache *v, const Batch *b, Slot *slot, Tensor *feats)
{
    int unit = v->m->cfg.vision.merge * v->m->cfg.vision.merge;
    size_t row = (size_t)feats->cols * dtype_size(feats->dtype);
    for (int i = 0; i < b->n_images; i++) {
        const BatchImage *im = &b->image[i];
        Slot *s = &slot[i];
        hash_image(s->key, v, b, im);
        s->at = (char *)feats->data + row * (size_t)(im->first_patch / unit);
        s->bytes = row * (size_t)(im->grid_h * im->grid_w / unit);
        s->twin = find_twin(slot, i);
        s->missing = s->twin < 0 && !disk_cache_get(&v->disk, s->key, s->at, s->bytes);
        v->count.hits += !s->missing;
        v->count.misses += s->missing;
    }
}

/* The missing images as a batch of their own. */
static Batch missing_batch(Arena *a, const Batch *b, const Slot *slot)
{
    Batch some = {.patch_dim = b->patch_dim};
    size_t patch = sizeof *b->pixels * (size_t)b->patch_dim;
    some.image = arena_alloc(a, sizeof *some.image * (size_t)b->n_images);
    some.pixels = arena_alloc(a, patch * (size_t)b->n_patches);
    for (int i = 0; i < b->n_images; i++) {
        const BatchImage *im = &b->image[i];
        if (!slot[i].missing) continue;
        int n = im->grid_h * im->grid_w;
        memcpy(some.pixels + (size_t)some.n_patches * (size_t)b->patch_dim,
               b->pixels + (size_t)im->first_patch * (size_t)b->patch_dim, patch * (size_t)n);
        some.image[some.n_images++] = (BatchImage){im->grid_h, im->grid_w, some.n_patches};
        some.n_patches += n;
    }
    return some;
}

static void encode_missing(VisionCache *v, Ctx *c, const Batch *b, const Slot *slot)
{
    Batch some = missing_batch(c->arena, b, slot);
    v->count.encoded = (double)some.n_patches / b->n_patches;
    if (!some.n_images) return;
    Ctx quiet = {.k = c->k, .arena = c->arena};
    const char *from = model_vision(&quiet, v->m, &some)->data;
    for (int i = 0; i < b->n_images; i++) {
        const Slot *s = &slot[i];
        if (!s->missing) continue;
        memcpy(s->at, from, s->bytes);
        from += s->bytes;
        disk_cache_put(&v->disk, s->key, s->at, s->bytes);
    }
}

Tensor *vision_cache_features(VisionCache *v, Ctx *c, const Batch *b)
{
    const VisionConfig *cfg = &v->m->cfg.vision;
    v->count.encoded = 1;
    if (!b->n_images || !v->disk.dir) return model_vision(c, v->m, b);
    if (!v->tower[0]) hash_tower(v, c);
    Tensor *feats = tensor_new(c->arena, c->k->dtype, b->n_patches / (cfg->merge * cfg->merge), cfg->out);
    size_t mark = arena_mark(c->arena);
    Slot *slot = arena_alloc(c->arena, sizeof *slot * (size_t)b->n_images);
    look_up(v, b, slot, feats);
    encode_missing(v, c, b, slot);
    for (int i = 0; i < b->n_images; i++)
        if (slot[i].twin >= 0) memcpy(slot[i].at, slot[slot[i].twin].at, slot[i].bytes);
    arena_release(c->arena, mark);
    return feats;
}

/* ---- lifetime ---------------------------------------------------------------------------------------------------- */

static int check_frozen(const Model *m, Err *err)
{
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (!in_tower(p) || (!p->t->needs_grad && !p->adapter)) continue;
        const char *where = p->part == PART_VISION ? "vision tower" : "merger";
        if (p->adapter) err_set(err, "vision_cache: the adapter reaches into the %s (%s)", where, p->name);
        else err_set(err, "vision_cache: the %s is trained", where);
        return err_hint(err, "only a frozen vision tower and merger give an image the same features every time: leave "
                             "out vision_cache, or train with freeze_vision=true freeze_merger=true");
    }
    return 0;
}

VisionCache *vision_cache_new(const Model *m, const char *dir, int64_t cap_bytes, Err *err)
{
    if (check_frozen(m, err)) return NULL;
    VisionCache *v = xcalloc(1, sizeof *v);
    v->m = m;
    disk_cache_open(&v->disk, dir, cap_bytes);
    return v;
}

void vision_cache_free(VisionCache *v)
{
    if (!v) return;
    if (v->count.hits + v->count.misses)
        log_note("vision cache: hits %lld, misses %lld, in %s", (long long)v->count.hits, (long long)v->count.misses,
                 v->disk.dir);
    if (v->disk.damaged)
        log_warn("vision cache: %lld damaged entries in %s were not used", (long long)v->disk.damaged, v->disk.dir);
    disk_cache_close(&v->disk);
    free(v);
}

VisionCacheCount vision_cache_count(const VisionCache *v)
{
    return v->count;
}
