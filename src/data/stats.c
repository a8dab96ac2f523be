#include "data/stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/pool.h"

/* ---- spreads ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The smallest value that at least `percent` of the n sorted values do not exceed. */
static int nearest_rank(const int *sorted, int n, int percent)
{
    int64_t rank = ((int64_t)n * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

Spread spread_of(const int *value, int n)
{
    Spread s = {.n = n};
    if (n == 0) return s;
    int *sorted = xmalloc((size_t)n * sizeof *sorted);
    memcpy(sorted, value, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    for (int i = 0; i < n; i++) s.total += sorted[i];
    s.min = sorted[0], s.max = sorted[n - 1];
    s.median = nearest_rank(sorted, n, 50);
    s.p95 = nearest_rank(sorted, n, 95);
    free(sorted);
    return s;
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

typedef struct ImageCheck {
    const char *ref;
    int w, h, tokens; /* w = 0 where the image cannot be read */
    Err *why;
} ImageCheck;

typedef struct Survey {
    const Dataset *data;
    Encoder *encoder;
    bool deep;
    Map number; /* reference -> index in image */
    VEC(ImageCheck) image;
    int *tokens, *targets; /* per sample, -1 where it cannot be encoded */
    Err **why;             /* per sample: why not */
} Survey;

static Err *err_keep(const Err *err)
{
    Err *copy = xmalloc(sizeof *copy);
    *copy = *err;
    return copy;
}

static int measure(ImageCheck *c, const Survey *v, Err *err)
{
    int rc =
        v->encoder ? encoder_image_size(&c->w, &c->h, v->encoder, c->ref, err) : image_size(&c->w, &c->h, c->ref, err);
    if (rc || !v->deep) return rc;
    Image im;
    if (image_load(&im, c->ref, err)) return -1;
    if (im.w != c->w || im.h != c->h)
        rc = err_set(err, "%s: the header says %d x %d, the picture is %d x %d", c->ref, c->w, c->h, im.w, im.h);
    image_release(&im);
    return rc;
}

static void check_image(void *arg, int i)
{
    Survey *v = arg;
    ImageCheck *c = &v->image.at[i];
    Err err = {0};
    ImagePlan plan = {0};
    int rc = measure(c, v, &err);
    if (rc == 0 && v->encoder && (rc = image_plan(&plan, v->encoder->processor, c->w, c->h, &err)))
        err_context(&err, "%s", c->ref);
    c->tokens = plan.tokens;
    if (rc == 0) return;
    c->w = 0;
    c->why = err_keep(&err);
}

static void survey_images(DataStats *st, Survey *v)
{
    int n = v->data->n, *per_sample = xmalloc((size_t)n * sizeof *per_sample);
    for (int i = 0; i < n; i++) {
        const Sample *s = &v->data->sample[i];
        per_sample[i] = s->n_images;
        st->images += s->n_images;
        st->text_only += s->n_images == 0;
        for (int k = 0; k < s->n_images; k++) {
            int64_t known;
            if (map_get_str(&v->number, s->images[k], &known)) continue;
            map_set_str(&v->number, s->images[k], v->image.n);
            const ImageCheck c = {.ref = s->images[k]};
            vec_push(&v->image, c);
        }
    }
    st->images_per_sample = spread_of(per_sample, n);
    free(per_sample);
    pool_run(v->image.n, check_image, v);
}

static void sum_images(DataStats *st, const Survey *v)
{
    VEC(int) w = {0}, h = {0}, tokens = {0};
    for (int i = 0; i < v->image.n; i++) {
        const ImageCheck *c = &v->image.at[i];
        st->distinct_images++;
        if (c->w == 0) {
            st->unreadable_images++;
            continue;
        }
        vec_push(&w, c->w);
        vec_push(&h, c->h);
        if (v->encoder) vec_push(&tokens, c->tokens);
    }
    st->width = spread_of(w.at, w.n);
    st->height = spread_of(h.at, h.n);
    st->image_tokens = spread_of(tokens.at, tokens.n);
    free(w.at);
    free(h.at);
    free(tokens.at);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

/* The first image of the sample that cannot be read, or NULL. */
static const ImageCheck *unreadable(const Survey *v, const Sample *s)
{
    for (int k = 0; k < s->n_images; k++) {
        int64_t i = 0;
        map_get_str(&v->number, s->images[k], &i);
        if (v->image.at[i].w == 0) return &v->image.at[i];
    }
    return NULL;
}

static void check_sample(void *arg, int i)
{
    Survey *v = arg;
    const Sample *s = &v->data->sample[i];
    const ImageCheck *image = unreadable(v, s);
    v->tokens[i] = v->targets[i] = -1;
    if (image) v->why[i] = err_keep(image->why);
    if (image || !v->encoder) return;
    Encoded x;
    Err err = {0};
    if (encode_sample(&x, v->encoder, s, s->chosen ? ENCODE_PAIR : ENCODE_CHAT, &err)) {
        v->why[i] = err_keep(&err);
        return;
    }
    v->tokens[i] = x.n + x.chosen.n + x.rejected.n;
    v->targets[i] = x.n_targets + x.chosen.n + x.rejected.n;
    encoded_release(&x);
}

static void sum_samples(DataStats *st, Survey *v)
{
    VEC(int) tokens = {0}, targets = {0};
    VEC(BadRow) bad = {0};
    for (int i = 0; i < v->data->n; i++) {
        if (v->why[i]) vec_push(&bad, bad_row(v->data->sample[i].at, v->why[i]));
        free(v->why[i]);
        if (v->tokens[i] < 1) continue;
        vec_push(&tokens, v->tokens[i]);
        vec_push(&targets, v->targets[i]);
        int k = 0;
        while (k < LENGTH_BUCKETS - 1 && v->tokens[i] >> (k + 1)) k++;
        st->length[k]++;
    }
    st->tokens = spread_of(tokens.at, tokens.n);
    st->targets = spread_of(targets.at, targets.n);
    st->bad = bad.at, st->n_bad = bad.n;
    free(tokens.at);
    free(targets.at);
}

static uint64_t hash_text(uint64_t h, const char *s)
{
    return s ? hash_bytes(h, s, strlen(s) + 1) : hash_bytes(h, "\1", 2);
}

static uint64_t sample_hash(const Sample *s)
{
    uint64_t h = HASH_INIT;
    for (int i = 0; i < s->n_msgs; i++) h = hash_text(hash_text(h, s->msg[i].role), s->msg[i].content);
    for (int i = 0; i < s->n_images; i++) h = hash_text(h, s->images[i]);
    return hash_text(hash_text(h, s->chosen), s->rejected);
}

static void count_messages(DataStats *st, const Sample *s)
{
    for (int i = 0; i < s->n_msgs; i++) {
        const Message *m = &s->msg[i];
        st->system += !strcmp(m->role, "system");
        st->user += !strcmp(m->role, "user");
        st->assistant += !strcmp(m->role, "assistant");
        st->untrained += !strcmp(m->role, "assistant") && !m->loss;
    }
    st->pairs += s->chosen != NULL;
}

/* A file given twice has two entries of the same name; rows are told apart by the borrowed pointer. */
static FileStats *file_stats(DataStats *st, const char *file)
{
    for (int i = 0; i < st->n_files; i++)
        if (st->file[i].file == file) return &st->file[i];
    CHECK(false, "a row of no file: %s", file);
    return NULL;
}

static void count_rows(DataStats *st, const Dataset *d)
{
    Map seen = {0};
    st->samples = d->n;
    st->n_files = d->n_files;
    st->file = xcalloc((size_t)d->n_files, sizeof *st->file);
    for (int i = 0; i < d->n_files; i++) st->file[i].file = d->file[i];
    for (int i = 0; i < d->n; i++) {
        const Sample *s = &d->sample[i];
        FileStats *fs = file_stats(st, s->at.file);
        fs->samples++;
        fs->by_format[s->format]++;
        count_messages(st, s);
        uint64_t hash = sample_hash(s);
        int64_t first;
        if (map_get(&seen, (const char *)&hash, sizeof hash, &first)) st->duplicates++;
        else map_set(&seen, (const char *)&hash, sizeof hash, i);
    }
    for (int i = 0; i < d->n_bad; i++) file_stats(st, d->bad[i].at.file)->bad++;
    map_release(&seen);
}

void data_stats(DataStats *st, const Dataset *d, Encoder *e, bool deep)
{
    *st = (DataStats){.tokenized = e != NULL};
    Survey v = {.data = d, .encoder = e, .deep = deep};
    size_t n = (size_t)d->n;
    v.tokens = xcalloc(n, sizeof *v.tokens);
    v.targets = xcalloc(n, sizeof *v.targets);
    v.why = xcalloc(n, sizeof *v.why);
    count_rows(st, d);
    survey_images(st, &v);
    sum_images(st, &v);
    pool_run(d->n, check_sample, &v);
    sum_samples(st, &v);
    for (int i = 0; i < v.image.n; i++) free(v.image.at[i].why);
    free(v.image.at);
    map_release(&v.number);
    free(v.tokens);
    free(v.targets);
    free(v.why);
}

void data_stats_release(DataStats *st)
{
    for (int i = 0; i < st->n_bad; i++) bad_row_release(&st->bad[i]);
    free(st->bad);
    free(st->file);
    *st = (DataStats){0};
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void print_spread(FILE *f, const char *what, const Spread *s)
{
    if (s->n == 0) return;
    fprintf(f, "  %-20s min %d, median %d, mean %.1f, 95%% %d, max %d\n", what, s->min, s->median,
            (double)s->total / s->n, s->p95, s->max);
}

static void print_lengths(FILE *f, const DataStats *st)
{
    enum { BAR = 50 };
    int first = 0, last = LENGTH_BUCKETS - 1, most = 1;
    while (first < last && !st->length[first]) first++;
    while (last > first && !st->length[last]) last--;
    for (int k = first; k <= last; k++)
        if (st->length[k] > most) most = st->length[k];
    for (int k = first; k <= last; k++) {
        int bar = (int)((int64_t)st->length[k] * BAR / most);
        fprintf(f, "  %8d .. %-8d %8d ", 1 << k, (1 << (k + 1)) - 1, st->length[k]);
        for (int i = 0; i < bar; i++) fputc('#', f);
        fputc('\n', f);
    }
}

static void print_files(FILE *f, const DataStats *st)
{
    for (int i = 0; i < st->n_files; i++) {
        const FileStats *fs = &st->file[i];
        fprintf(f, "%s: %d sample%s", fs->file, fs->samples, fs->samples == 1 ? "" : "s");
        for (int k = 0; k < DATA_FORMATS; k++)
            if (fs->by_format[k]) fprintf(f, ", %s %d", data_format_name((DataFormat)k), fs->by_format[k]);
        if (fs->bad) fprintf(f, ", %d bad row%s", fs->bad, fs->bad == 1 ? "" : "s");
        fputc('\n', f);
    }
}

void data_stats_print(FILE *f, const DataStats *st)
{
    print_files(f, st);
    fprintf(f, "samples   %d (%d text only, %d preference pairs, %d repeated)\n", st->samples, st->text_only, st->pairs,
            st->duplicates);
    fprintf(f, "messages  %d system, %d user, %d assistant (%d of them not trained on)\n", st->system, st->user,
            st->assistant, st->untrained);
    fprintf(f, "images    %d uses of %d images, %d unreadable\n", st->images, st->distinct_images,
            st->unreadable_images);
    if (st->images) print_spread(f, "images per sample", &st->images_per_sample);
    print_spread(f, "width", &st->width);
    print_spread(f, "height", &st->height);
    if (!st->tokenized) return;
    print_spread(f, "tokens per image", &st->image_tokens);
    fprintf(f, "tokens    %lld, of which %lld are targets\n", (long long)st->tokens.total,
            (long long)st->targets.total);
    print_spread(f, "tokens per sample", &st->tokens);
    print_spread(f, "targets per sample", &st->targets);
    if (st->tokens.n) print_lengths(f, st);
}

void data_bad_print(FILE *f, const Dataset *d, const DataStats *st)
{
    for (int file = 0; file < d->n_files; file++) {
        int a = 0, b = 0;
        for (;;) {
            while (a < d->n_bad && d->bad[a].at.file != d->file[file]) a++;
            while (b < st->n_bad && st->bad[b].at.file != d->file[file]) b++;
            bool more_a = a < d->n_bad, more_b = b < st->n_bad;
            if (!more_a && !more_b) break;
            if (more_a && (!more_b || d->bad[a].at.line < st->bad[b].at.line)) bad_row_print(f, &d->bad[a++]);
            else bad_row_print(f, &st->bad[b++]);
        }
    }
}
