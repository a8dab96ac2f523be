#include "data/batch.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

void batch_free(Batch *b)
{
    if (!b) return;
    free(b->ids);
    free(b->pos);
    free(b->seg);
    free(b->image);
    free(b->pixels);
    free(b->target_row);
    free(b->target_id);
    free(b->weight);
    free(b->target_sample);
    free(b->source);
    free(b);
}

static int check_segments(const Batch *b, Err *err)
{
    int64_t row = 0;
    for (int i = 0; i < b->n_seg; i++) {
        const Segment *s = &b->seg[i];
        if (s->start != row || s->len < 1) return err_set(err, "segment %d: rows do not follow segment %d's", i, i - 1);
        row += s->len;
        if (row > b->n) return err_set(err, "segment %d: ends behind the last row", i);
        if (s->prefix < -1 || s->prefix >= i)
            return err_set(err, "segment %d: prefix %d is not before it", i, s->prefix);
        if (s->sample < 0 || s->sample >= b->n_samples) return err_set(err, "segment %d: no sample %d", i, s->sample);
        if (s->prefix >= 0 && b->seg[s->prefix].sample != s->sample)
            return err_set(err, "segment %d: continues segment %d of another sample", i, s->prefix);
    }
    return row == b->n ? 0 : err_set(err, "segments cover %lld of %d rows", (long long)row, b->n);
}

/* Returns the number of feature rows, or -1. */
static int64_t check_images(const Batch *b, int merge, Err *err)
{
    int64_t patches = 0;
    for (int i = 0; i < b->n_images; i++) {
        const BatchImage *im = &b->image[i];
        if (im->grid_h < 1 || im->grid_w < 1 || im->grid_h % merge || im->grid_w % merge)
            return err_set(err, "image %d: a grid of %d x %d patches", i, im->grid_h, im->grid_w);
        if (im->first_patch != patches) return err_set(err, "image %d: patches do not follow image %d's", i, i - 1);
        patches += (int64_t)im->grid_h * im->grid_w;
        if (patches > b->n_patches) return err_set(err, "image %d: more patches than pixels", i);
    }
    if (patches != b->n_patches)
        return err_set(err, "images cover %lld of %d patches", (long long)patches, b->n_patches);
    if (patches > 0 && (b->patch_dim < 1 || !b->pixels)) return err_set(err, "images without pixels");
    for (int64_t i = 0; i < patches * b->patch_dim; i++)
        if (!isfinite(b->pixels[i])) return err_set(err, "pixel %lld is not finite", (long long)i);
    return patches / ((int64_t)merge * merge);
}

static int check_rows(const Batch *b, int vocab, int64_t features, Err *err)
{
    int64_t next = 0;
    for (int i = 0; i < b->n; i++) {
        if (b->ids[i] >= vocab) return err_set(err, "row %d: id %d of a vocabulary of %d", i, b->ids[i], vocab);
        if (b->ids[i] < 0 && -1 - (int64_t)b->ids[i] != next++)
            return err_set(err, "row %d: image feature %lld is out of order", i, -1 - (long long)b->ids[i]);
        for (int a = 0; a < 3; a++)
            if (b->pos[a * (int64_t)b->n + i] < 0) return err_set(err, "row %d: negative position", i);
    }
    if (next != features)
        return err_set(err, "%lld image tokens for %lld features", (long long)next, (long long)features);
    return 0;
}

static int check_targets(const Batch *b, int vocab, Err *err)
{
    for (int i = 0; i < b->n_targets; i++) {
        if (b->target_row[i] < 0 || b->target_row[i] >= b->n)
            return err_set(err, "target %d: no row %d", i, b->target_row[i]);
        if (b->target_id[i] < 0 || b->target_id[i] >= vocab)
            return err_set(err, "target %d: no id %d", i, b->target_id[i]);
        if (b->target_sample[i] < 0 || b->target_sample[i] >= b->n_samples)
            return err_set(err, "target %d: no sample %d", i, b->target_sample[i]);
        if (!isfinite(b->weight[i])) return err_set(err, "target %d: the weight is not finite", i);
    }
    return 0;
}

int batch_check(const Batch *b, int vocab, int merge, Err *err)
{
    if (b->n < 1 || b->n_seg < 1 || b->n_images < 0 || b->n_patches < 0 || b->n_targets < 0 || merge < 1)
        return err_set(err, "batch: empty, or a negative count");
    int64_t features = -1;
    int rc = check_segments(b, err);
    if (rc == 0) features = check_images(b, merge, err);
    if (features >= 0) rc = check_rows(b, vocab, features, err);
    if (rc == 0 && features >= 0) rc = check_targets(b, vocab, err);
    return rc || features < 0 ? err_context(err, "batch") : 0;
}
