#include "data/pack.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- building ---------------------------------------------------------------------------------------------------- */

void batch_begin(BatchBuilder *bb, const ImageProcessor *p)
{
    *bb = (BatchBuilder){.processor = p};
}

void batch_abandon(BatchBuilder *bb)
{
    free(bb->ids.at);
    free(bb->pos.at);
    free(bb->seg.at);
    free(bb->image.at);
    free(bb->target.at);
    free(bb->source.at);
    free(bb->pixels);
    *bb = (BatchBuilder){0};
}

/* Room for `more` rows in pos; ids grows by itself. */
static void reserve_positions(BatchBuilder *bb, int more)
{
    int need = bb->ids.n + more;
    if (need <= bb->pos.cap) return;
    bb->pos.cap = need > 2 * bb->pos.cap ? need : 2 * bb->pos.cap;
    bb->pos.at = xrealloc(bb->pos.at, (size_t)bb->pos.cap * sizeof *bb->pos.at);
}

/* Room for `more` patches. */
static void reserve_patches(BatchBuilder *bb, int more)
{
    CHECK(more <= INT_MAX - bb->n_patches, "more than 2^31 patches in a batch");
    int need = bb->n_patches + more, half_more = bb->cap_patches + bb->cap_patches / 2;
    if (need <= bb->cap_patches) return;
    bb->cap_patches = need > half_more ? need : half_more;
    size_t row = (size_t)image_patch_dim(bb->processor) * sizeof *bb->pixels;
    bb->pixels = xrealloc(bb->pixels, (size_t)bb->cap_patches * row);
}

static void add_images(BatchBuilder *bb, const Encoded *x)
{
    if (x->n_images == 0) return;
    CHECK(x->pixels || bb->lengths_only, "a sample with images was added before encode_pixels");
    size_t area = (size_t)bb->processor->patch * (size_t)bb->processor->patch;
    CHECK(encoded_pixel_bytes(x) == 3 * area * (size_t)x->n_patches, "pictures that are not %d patches", x->n_patches);
    if (!bb->lengths_only) reserve_patches(bb, x->n_patches);
    size_t dim = (size_t)image_patch_dim(bb->processor);
    const unsigned char *rgb = x->pixels;
    for (int k = 0; k < x->n_images; k++) {
        const ImagePlan *plan = &x->plan[k];
        const BatchImage im = {.grid_h = plan->grid_h, .grid_w = plan->grid_w, .first_patch = bb->n_patches};
        vec_push(&bb->image, im);
        if (!bb->lengths_only) {
            image_patches(bb->pixels + (size_t)bb->n_patches * dim, bb->processor, plan, rgb);
            rgb += image_plan_bytes(plan);
        }
        bb->n_patches += plan->grid_h * plan->grid_w;
    }
}

int batch_add_prompt(BatchBuilder *bb, const Encoded *x, int source)
{
    CHECK(x->n > 0, "an empty sample");
    const Segment s = {.start = bb->ids.n, .len = x->n, .prefix = -1, .sample = bb->source.n};
    reserve_positions(bb, x->n);
    mrope_positions(bb->pos.at + s.start, x->id, x->n, x->plan, x->n_images, bb->processor->merge, 0);
    for (int i = 0; i < x->n; i++) vec_push(&bb->ids, x->id[i] < 0 ? x->id[i] - bb->n_features : x->id[i]);
    add_images(bb, x);
    bb->n_features += x->n_image_tokens;
    vec_push(&bb->source, source);
    vec_push(&bb->seg, s);
    return bb->seg.n - 1;
}

static void add_target(BatchBuilder *bb, int row, int id, int sample, float weight)
{
    const BatchTarget t = {.row = row, .id = id, .sample = sample, .weight = weight};
    vec_push(&bb->target, t);
}

int batch_add_sample(BatchBuilder *bb, const Encoded *x, int source)
{
    int seg = batch_add_prompt(bb, x, source);
    const Segment s = bb->seg.at[seg];
    for (int i = 1; i < x->n; i++)
        if (x->target[i]) add_target(bb, s.start + i - 1, x->id[i], s.sample, 1.0f);
    return seg;
}

/* 1 + the largest position of a segment: where what follows it goes on. */
static int position_after(const BatchBuilder *bb, const Segment *s)
{
    int most = -1;
    for (int i = s->start; i < s->start + s->len; i++)
        for (int a = 0; a < 3; a++)
            if (bb->pos.at[i][a] > most) most = bb->pos.at[i][a];
    return most + 1;
}

int batch_add_child(BatchBuilder *bb, int parent, const int *id, int n, float weight)
{
    CHECK(parent >= 0 && parent < bb->seg.n, "no segment %d", parent);
    CHECK(n > 0, "an empty child");
    const Segment p = bb->seg.at[parent];
    const Segment s = {.start = bb->ids.n, .len = n, .prefix = parent, .sample = p.sample};
    reserve_positions(bb, n);
    mrope_positions(bb->pos.at + s.start, id, n, NULL, 0, bb->processor->merge, position_after(bb, &p));
    for (int i = 0; i < n; i++) {
        add_target(bb, i ? s.start + i - 1 : p.start + p.len - 1, id[i], s.sample, weight);
        vec_push(&bb->ids, id[i]);
    }
    vec_push(&bb->seg, s);
    return bb->seg.n - 1;
}

void batch_add_pair(BatchBuilder *bb, const Encoded *x, int source)
{
    int prompt = batch_add_prompt(bb, x, source);
    batch_add_child(bb, prompt, x->chosen.id, x->chosen.n, 1.0f);
    batch_add_child(bb, prompt, x->rejected.id, x->rejected.n, 1.0f);
}

/* ---- to a Batch and back ----------------------------------------------------------------------------------------- */

static void finish_targets(Batch *b, const BatchBuilder *bb)
{
    size_t n = (size_t)bb->target.n;
    b->n_targets = bb->target.n;
    b->target_row = xmalloc(n * sizeof *b->target_row);
    b->target_id = xmalloc(n * sizeof *b->target_id);
    b->target_sample = xmalloc(n * sizeof *b->target_sample);
    b->weight = xmalloc(n * sizeof *b->weight);
    for (size_t i = 0; i < n; i++) {
        const BatchTarget *t = &bb->target.at[i];
        b->target_row[i] = t->row;
        b->target_id[i] = t->id;
        b->target_sample[i] = t->sample;
        b->weight[i] = t->weight;
    }
}

Batch *batch_finish(BatchBuilder *bb)
{
    Batch *b = xcalloc(1, sizeof *b);
    b->n = bb->ids.n, b->ids = bb->ids.at;
    b->n_seg = bb->seg.n, b->seg = bb->seg.at;
    b->n_images = bb->image.n, b->image = bb->image.at;
    b->n_samples = bb->source.n, b->source = bb->source.at;
    b->pixels = bb->pixels, b->n_patches = bb->n_patches, b->patch_dim = image_patch_dim(bb->processor);
    b->first_sample = bb->first_sample;
    b->pos = xmalloc(3 * (size_t)b->n * sizeof *b->pos);
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < b->n; i++) b->pos[(size_t)a * (size_t)b->n + (size_t)i] = bb->pos.at[i][a];
    finish_targets(b, bb);
    free(bb->pos.at);
    free(bb->target.at);
    *bb = (BatchBuilder){0};
    return b;
}

void batch_reopen(BatchBuilder *bb, Batch *b, const ImageProcessor *p)
{
    batch_begin(bb, p);
    CHECK(b->patch_dim == image_patch_dim(p), "the batch has patches of %d numbers, not %d", b->patch_dim,
          image_patch_dim(p));
    bb->ids.at = b->ids, bb->ids.cap = b->n;
    bb->seg.at = b->seg, bb->seg.n = bb->seg.cap = b->n_seg;
    bb->image.at = b->image, bb->image.n = bb->image.cap = b->n_images;
    bb->source.at = b->source, bb->source.n = bb->source.cap = b->n_samples;
    bb->pixels = b->pixels, bb->n_patches = bb->cap_patches = b->n_patches;
    bb->n_features = b->n_patches / (bb->processor->merge * bb->processor->merge);
    bb->first_sample = b->first_sample;
    reserve_positions(bb, b->n);
    bb->ids.n = b->n;
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < b->n; i++) bb->pos.at[i][a] = b->pos[(size_t)a * (size_t)b->n + (size_t)i];
    for (int i = 0; i < b->n_targets; i++)
        add_target(bb, b->target_row[i], b->target_id[i], b->target_sample[i], b->weight[i]);
    b->ids = NULL, b->seg = NULL, b->image = NULL, b->source = NULL, b->pixels = NULL;
    batch_free(b);
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

typedef struct PackItem {
    int tokens, index;
    bool large;
} PackItem;

static int large_first(const void *a, const void *b)
{
    const PackItem *x = a, *y = b;
    if (x->large != y->large) return x->large ? -1 : 1;
    if (x->large && x->tokens != y->tokens) return x->tokens > y->tokens ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Which sums from 0 to `room` the items from each one on can make: bit s of row i. */
typedef struct Sums {
    uint64_t *bits; /* [n + 1][words] */
    size_t words;
} Sums;

/* to |= from << by */
static void shift_in(uint64_t *to, const uint64_t *from, size_t words, int by)
{
    size_t skip = (size_t)by / 64, left = (size_t)by % 64;
    for (size_t k = skip; k < words; k++) {
        to[k] |= from[k - skip] << left;
        if (left && k > skip) to[k] |= from[k - skip - 1] >> (64 - left);
    }
}

static Sums sums_new(const PackItem *item, int n, int room)
{
    Sums s = {.words = (size_t)room / 64 + 1};
    s.bits = xcalloc(s.words * ((size_t)n + 1), sizeof *s.bits);
    s.bits[(size_t)n * s.words] = 1;
    for (int i = n - 1; i >= 0; i--) {
        uint64_t *row = s.bits + (size_t)i * s.words;
        memcpy(row, row + s.words, s.words * sizeof *row);
        if (item[i].tokens <= room) shift_in(row, row + s.words, s.words, item[i].tokens);
    }
    return s;
}

/* The largest sum of the items from i on that is at most `most` (from 0 to the room); 0 is always there. */
static int largest_sum(const Sums *s, int i, int most)
{
    const uint64_t *row = s->bits + (size_t)i * s->words;
    size_t k = (size_t)most / 64;
    uint64_t word = row[k] & (~(uint64_t)0 >> (63 - most % 64));
    while (!word) word = row[--k];
    return (int)(64 * k) + 63 - __builtin_clzll(word);
}

/* Fills `room` from the items in their order, up to a gap of at most `gap` more than must be. Returns the rows. */
static int fill_room(bool *take, const PackItem *item, int n, int room, int gap)
{
    Sums s = sums_new(item, n, room);
    int best = largest_sum(&s, 0, room), least = best < room - gap ? best : room - gap, used = 0;
    for (int i = 0; i < n; i++) {
        int left = room - used - item[i].tokens;
        if (left < 0 || used + item[i].tokens + largest_sum(&s, i + 1, left) < least) continue;
        take[item[i].index] = true;
        used += item[i].tokens;
    }
    free(s.bits);
    return used;
}

int pack_next(bool *take, const int *tokens, int n, int budget, int used)
{
    if (n == 0) return 0;
    memset(take, 0, (size_t)n * sizeof *take);
    PackItem *item = xmalloc((size_t)n * sizeof *item);
    double mean = 0;
    for (int i = 0; i < n; i++) {
        item[i] = (PackItem){tokens[i], i, tokens[i] > budget / 6};
        mean += (double)tokens[i] / n;
    }
    int chosen = used == 0, rows = chosen ? tokens[0] : 0, room = budget - used - rows;
    take[0] = chosen;
    qsort(item + chosen, (size_t)(n - chosen), sizeof *item, large_first);
    if (room > 0) rows += fill_room(take, item + chosen, n - chosen, room, (int)(mean * mean / (2.0 * budget)));
    free(item);
    return rows;
}
