#include "data/pack.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- building ---------------------------------------------------------------------------------------------------- */

void batch_begin(BatchBuilder *bb, const ImageProcessor *p)
{
    *bb = (BatchBuilder){.merge = p->merge, .patch_dim = image_patch_dim(p)};
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

static void add_images(BatchBuilder *bb, const Encoded *x)
{
    int first = bb->n_patches;
    for (int k = 0; k < x->n_images; k++) {
        const BatchImage im = {.grid_h = x->plan[k].grid_h, .grid_w = x->plan[k].grid_w, .first_patch = first};
        vec_push(&bb->image, im);
        first += im.grid_h * im.grid_w;
    }
    if (x->n_patches == 0) return;
    CHECK(x->pixels, "a sample with images was added before encode_pixels");
    CHECK(x->n_patches <= INT_MAX - bb->n_patches, "more than 2^31 patches in a batch");
    CHECK(first == bb->n_patches + x->n_patches, "%d patches for plans of %d", x->n_patches, first - bb->n_patches);
    size_t row = (size_t)bb->patch_dim * sizeof *bb->pixels;
    if (first > bb->cap_patches) {
        bb->cap_patches = first > bb->cap_patches + bb->cap_patches / 2 ? first : bb->cap_patches + bb->cap_patches / 2;
        bb->pixels = xrealloc(bb->pixels, (size_t)bb->cap_patches * row);
    }
    memcpy(bb->pixels + (size_t)bb->n_patches * (size_t)bb->patch_dim, x->pixels, (size_t)x->n_patches * row);
    bb->n_patches = first;
}

int batch_add_prompt(BatchBuilder *bb, const Encoded *x, int source)
{
    CHECK(x->n > 0, "an empty sample");
    const Segment s = {.start = bb->ids.n, .len = x->n, .prefix = -1, .sample = bb->source.n};
    reserve_positions(bb, x->n);
    mrope_positions(bb->pos.at + s.start, x->id, x->n, x->plan, x->n_images, bb->merge, 0);
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
    mrope_positions(bb->pos.at + s.start, id, n, NULL, 0, bb->merge, position_after(bb, &p));
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
    b->pixels = bb->pixels, b->n_patches = bb->n_patches, b->patch_dim = bb->patch_dim;
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
    CHECK(b->patch_dim == bb->patch_dim, "the batch has patches of %d numbers, not %d", b->patch_dim, bb->patch_dim);
    bb->ids.at = b->ids, bb->ids.cap = b->n;
    bb->seg.at = b->seg, bb->seg.n = bb->seg.cap = b->n_seg;
    bb->image.at = b->image, bb->image.n = bb->image.cap = b->n_images;
    bb->source.at = b->source, bb->source.n = bb->source.cap = b->n_samples;
    bb->pixels = b->pixels, bb->n_patches = bb->cap_patches = b->n_patches;
    bb->n_features = b->n_patches / (bb->merge * bb->merge);
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
    int large; /* tokens of an item that is larger than a quarter of the budget, else 0 */
    int tokens, index;
} PackItem;

static int large_first(const void *a, const void *b)
{
    const PackItem *x = a, *y = b;
    if (x->large != y->large) return x->large > y->large ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* The bin with the least room that still takes `tokens`; n_bins where none does. */
static int best_bin(const int *room, int n_bins, int tokens)
{
    int best = n_bins;
    for (int k = 0; k < n_bins; k++)
        if (room[k] >= tokens && (best == n_bins || room[k] < room[best])) best = k;
    return best;
}

int pack_plan(int *pack, const int *tokens, int n, int budget)
{
    PackItem *item = xmalloc((size_t)n * sizeof *item);
    int *room = xmalloc((size_t)n * sizeof *room), *number = xmalloc((size_t)n * sizeof *number);
    int n_bins = 0, numbered = 0;
    for (int i = 0; i < n; i++) item[i] = (PackItem){4 * (int64_t)tokens[i] > budget ? tokens[i] : 0, tokens[i], i};
    if (n) qsort(item, (size_t)n, sizeof *item, large_first);
    for (int i = 0; i < n; i++) {
        int k = best_bin(room, n_bins, item[i].tokens);
        if (k == n_bins) {
            number[k] = -1;
            room[n_bins++] = budget;
        }
        room[k] -= item[i].tokens;
        pack[item[i].index] = k;
    }
    for (int i = 0; i < n; i++) {
        int *bin = &number[pack[i]];
        if (*bin < 0) *bin = numbered++;
        pack[i] = *bin;
    }
    free(item);
    free(room);
    free(number);
    return n_bins;
}
