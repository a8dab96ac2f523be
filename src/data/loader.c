#include "data/loader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { BATCHES_AHEAD = 4, MAX_AHEAD = 256, PACKS_AHEAD = 8 };

/* What became of one position of the order. */
typedef struct Item {
    int64_t position; /* counted from epoch 0 on */
    int source;       /* sample number */
    bool ok;
    Encoded x; /* ok */
    Err *why;  /* not ok */
} Item;

typedef struct Slot {
    bool ready;
    Item item;
} Slot;

/* A batch that is chosen; its pictures are being decoded. */
typedef struct Pack {
    Item *item;
    int n;
    int undecoded;     /* items whose pictures are not there yet; under the lock */
    size_t bytes;      /* of all pictures */
    LoaderState after; /* where the loader stands behind it */
} Pack;

typedef struct Picture {
    Pack *pack;
    Item *item;
} Picture;

struct Loader {
    const Dataset *data;
    Encoder *encoder;
    LoaderOptions opt;
    int64_t start; /* position from which on samples are read, after those that were waiting */
    int64_t end;   /* jobs there are: samples to read and those that were waiting */
    int64_t head;  /* the job whose item is taken next */

    /* Shared with the workers under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    int64_t next; /* the job to be begun next; head <= next <= head + n_slots */
    Slot *slot;   /* job j waits in slot[j % n_slots] */
    int n_slots;
    size_t waiting_bytes; /* of pictures in slots */
    VEC(Picture) picture; /* of chosen packs, to be decoded; those before picture_head are taken */
    int picture_head;
    bool stop;
    int *order; /* of order_epoch */
    int64_t order_epoch;
    pthread_t *thread;
    int n_threads;

    VEC(Item) window; /* good items that are in no pack yet, by position */
    Pack *pack[PACKS_AHEAD];
    int n_packs;
    LoaderState state;

    unsigned char *reported; /* per sample: already in `bad` */
    VEC(BadRow) bad;
    int64_t unread_run, undecoded_run; /* samples that could not be encoded, decoded, since the last that could */
};

void epoch_order(int *order, int n, bool shuffle, uint64_t seed, int64_t epoch)
{
    for (int i = 0; i < n; i++) order[i] = i;
    if (!shuffle) return;
    Rng r = rng_at(seed, RNG_SHUFFLE, (uint32_t)epoch, 0, 0);
    for (int i = n - 1; i > 0; i--) {
        int k = (int)rng_below(&r, (uint32_t)i + 1), swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

static void item_release(Item *it)
{
    encoded_release(&it->x);
    free(it->why);
    it->why = NULL;
}

/* A conversation without targets would train nothing. */
static int check_targets(const Encoded *x, EncodeAs as, Err *err)
{
    if (as != ENCODE_CHAT || x->n_targets > 0) return 0;
    err_set(err, "there is nothing to train on: no assistant message, or \"loss\" is false on all of them");
    return err_hint(err, "add the answer, or take the row out of the training data");
}

static void item_fail(Item *it, const Err *why)
{
    encoded_release(&it->x);
    it->ok = false;
    it->why = xmalloc(sizeof *it->why);
    *it->why = *why;
}

static void item_decode(const Loader *l, Item *it)
{
    Err why = {0};
    if (encode_pixels(&it->x, l->encoder, &l->data->sample[it->source], &why)) item_fail(it, &why);
}

/* Without packing every good sample is used next, so its pictures are decoded at once. */
static Item make_item(const Loader *l, int64_t position, int source)
{
    Item it = {.position = position, .source = source, .ok = true};
    Err why = {0};
    if (encode_sample(&it.x, l->encoder, &l->data->sample[source], l->opt.as, &why) ||
        check_targets(&it.x, l->opt.as, &why))
        item_fail(&it, &why);
    if (it.ok && !l->opt.packing && !l->opt.lengths_only) item_decode(l, &it);
    return it;
}

static int64_t job_position(const Loader *l, int64_t job)
{
    const LoaderState *s = &l->opt.start;
    return job < s->n_waiting ? l->start - s->behind[job] : l->start + job - s->n_waiting;
}

/* Sample at a position. Positions are asked for in rising order, so one epoch's order is kept at a time. */
static int sample_at(Loader *l, int64_t position)
{
    int64_t epoch = position / l->data->n;
    if (epoch != l->order_epoch) epoch_order(l->order, l->data->n, l->opt.shuffle, l->opt.seed, epoch);
    l->order_epoch = epoch;
    return l->order[position % l->data->n];
}

/* Both are called, and return, with the lock held. */
static void work_on_sample(Loader *l)
{
    int64_t job = l->next++, position = job_position(l, job);
    int source = sample_at(l, position);
    pthread_mutex_unlock(&l->lock);
    Item it = make_item(l, position, source);
    pthread_mutex_lock(&l->lock);
    Slot *slot = &l->slot[job % l->n_slots];
    slot->item = it;
    slot->ready = true;
    if (it.x.pixels) l->waiting_bytes += encoded_pixel_bytes(&it.x);
}

static void work_on_picture(Loader *l)
{
    Picture p = l->picture.at[l->picture_head++];
    if (l->picture_head == l->picture.n) l->picture_head = l->picture.n = 0;
    pthread_mutex_unlock(&l->lock);
    item_decode(l, p.item);
    pthread_mutex_lock(&l->lock);
    p.pack->undecoded--;
}

static void *worker_main(void *arg)
{
    Loader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        bool picture = l->picture_head < l->picture.n;
        bool sample = l->next < l->end && l->next - l->head < l->n_slots && l->waiting_bytes < LOADER_AHEAD_BYTES;
        if (picture) work_on_picture(l);
        else if (sample) work_on_sample(l);
        if (picture || sample) pthread_cond_signal(&l->ready);
        else pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The item at `head`, which then moves on. */
static Item take_item(Loader *l)
{
    pthread_mutex_lock(&l->lock);
    Slot *slot = &l->slot[l->head % l->n_slots];
    while (!slot->ready) pthread_cond_wait(&l->ready, &l->lock);
    slot->ready = false;
    Item it = slot->item;
    if (it.x.pixels) l->waiting_bytes -= encoded_pixel_bytes(&it.x);
    l->head++;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return it;
}

/* ---- what cannot be used ----------------------------------------------------------------------------------------- */

/* Records a bad sample the first time it is met; `run` is how many there now are in a row. Takes what `it` holds. */
static int record_bad(Loader *l, Item *it, int64_t run, Err *err)
{
    const Sample *s = &l->data->sample[it->source];
    int limit = l->opt.max_bad_samples;
    if (!l->reported[it->source]) {
        l->reported[it->source] = 1;
        vec_push(&l->bad, bad_row(s->at, it->why));
    }
    bool too_many = limit >= 0 && l->bad.n > limit, all_bad = run >= l->data->n;
    if (too_many || all_bad) {
        *err = *it->why;
        sample_context(s, err);
        if (all_bad) err_context(err, "not one sample of the data can be used; the last one");
        else if (limit > 0)
            err_context(err, "%d samples cannot be used, max_bad_samples is %d; the last", l->bad.n, limit);
    }
    item_release(it);
    return too_many || all_bad ? -1 : 0;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static int item_rows(const Item *it)
{
    return it->x.n + it->x.chosen.n + it->x.rejected.n;
}

/* Takes good items until `most` wait or the samples end. */
static int collect(Loader *l, int most, Err *err)
{
    while (l->head < l->end && l->window.n < most) {
        Item it = take_item(l);
        if (!it.ok) {
            if (record_bad(l, &it, ++l->unread_run, err)) return -1;
            continue;
        }
        l->unread_run = 0;
        vec_push(&l->window, it);
    }
    return 0;
}

/* Moves the items of the window that `take` names behind those of p. */
static void move_items(Loader *l, Pack *p, const bool *take)
{
    int n = l->window.n, stay = 0;
    p->item = xrealloc(p->item, (size_t)(p->n + n) * sizeof *p->item);
    for (int i = 0; i < n; i++) {
        if (take[i]) p->item[p->n++] = l->window.at[i];
        else l->window.at[stay++] = l->window.at[i];
    }
    l->window.n = stay;
}

/* Fills p from the window, which is read on as it empties, while there is more room than it can fill. */
static int choose(Loader *l, Pack *p, Err *err)
{
    int budget = l->encoder->max_length, used = 0;
    for (;;) {
        if (collect(l, PACK_WINDOW, err)) return -1;
        int n = l->window.n, tokens[PACK_WINDOW];
        int64_t rows = 0;
        bool take[PACK_WINDOW];
        for (int i = 0; i < n; i++) rows += tokens[i] = item_rows(&l->window.at[i]);
        bool more = l->head < l->end && used + rows <= budget;
        if (!more) {
            pack_next(take, tokens, n, budget, used);
            move_items(l, p, take);
            return 0;
        }
        for (int i = 0; i < n; i++) {
            take[i] = i < PACK_WINDOW / 2;
            used += take[i] ? tokens[i] : 0;
        }
        move_items(l, p, take);
    }
}

static int choose_in_order(Loader *l, Pack *p, Err *err)
{
    if (collect(l, l->opt.batch_size, err)) return -1;
    p->n = l->window.n;
    p->item = xmalloc((size_t)p->n * sizeof *p->item);
    if (p->n) memcpy(p->item, l->window.at, (size_t)p->n * sizeof *p->item);
    l->window.n = 0;
    return 0;
}

static LoaderState state_now(const Loader *l)
{
    int64_t at = job_position(l, l->head);
    LoaderState s = {.epoch = at / l->data->n, .position = at % l->data->n, .n_waiting = l->window.n};
    for (int i = 0; i < l->window.n; i++) s.behind[i] = (int)(at - l->window.at[i].position);
    return s;
}

static void pack_free(Pack *p)
{
    for (int i = 0; i < p->n; i++) item_release(&p->item[i]);
    free(p->item);
    free(p);
}

/* The next pack; one without items at the end of all; NULL on an error. */
static Pack *pack_choose(Loader *l, Err *err)
{
    Pack *p = xcalloc(1, sizeof *p);
    if (l->opt.packing ? choose(l, p, err) : choose_in_order(l, p, err)) {
        pack_free(p);
        return NULL;
    }
    p->after = state_now(l);
    for (int i = 0; i < p->n; i++) p->bytes += encoded_pixel_bytes(&p->item[i].x);
    return p;
}

/* Has the pictures of a pack decoded by the workers. */
static void pack_decode(Loader *l, Pack *p)
{
    if (l->opt.lengths_only) return;
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < p->n; i++) {
        if (p->item[i].x.n_images == 0 || p->item[i].x.pixels) continue;
        const Picture picture = {p, &p->item[i]};
        vec_push(&l->picture, picture);
        p->undecoded++;
    }
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
}

static bool may_choose(const Loader *l)
{
    size_t bytes = 0;
    for (int i = 0; i < l->n_packs; i++) bytes += l->pack[i]->bytes;
    int most = l->opt.packing ? PACKS_AHEAD : 1;
    return l->n_packs == 0 || (l->n_packs < most && bytes < LOADER_AHEAD_BYTES);
}

static int choose_ahead(Loader *l, Err *err)
{
    while (may_choose(l)) {
        Pack *p = pack_choose(l, err);
        if (!p) return -1;
        if (p->n == 0) {
            pack_free(p);
            return 0;
        }
        l->pack[l->n_packs++] = p;
        pack_decode(l, p);
    }
    return 0;
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/* The first pack, no longer in the queue, with all pictures decoded. */
static Pack *take_pack(Loader *l)
{
    Pack *p = l->pack[0];
    l->n_packs--;
    memmove(l->pack, l->pack + 1, (size_t)l->n_packs * sizeof l->pack[0]);
    pthread_mutex_lock(&l->lock);
    while (p->undecoded > 0) pthread_cond_wait(&l->ready, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return p;
}

/* *b = NULL where all pictures of the pack are broken. */
static int build_batch(Batch **b, Loader *l, Pack *p, Err *err)
{
    int first = -1;
    BatchBuilder bb;
    batch_begin(&bb, l->encoder->processor);
    bb.lengths_only = l->opt.lengths_only;
    for (int i = 0; i < p->n; i++) {
        Item *it = &p->item[i];
        if (!it->ok) {
            if (record_bad(l, it, ++l->undecoded_run, err)) {
                batch_abandon(&bb);
                return -1;
            }
            continue;
        }
        l->undecoded_run = 0;
        if (first < 0) first = i;
        if (l->opt.as == ENCODE_PAIR) batch_add_pair(&bb, &it->x, it->source);
        else batch_add_sample(&bb, &it->x, it->source);
        item_release(it);
    }
    bb.first_sample = first < 0 ? 0 : p->item[first].position % l->data->n;
    *b = first < 0 ? NULL : batch_finish(&bb);
    return 0;
}

int loader_next(Loader *l, Batch **b, Err *err)
{
    *b = NULL;
    while (!*b) {
        if (choose_ahead(l, err)) return -1;
        if (l->n_packs == 0) return 0;
        Pack *p = take_pack(l);
        int rc = build_batch(b, l, p, err);
        l->state = p->after;
        pack_free(p);
        if (rc) return -1;
    }
    return 1;
}

int loader_ahead(const LoaderOptions *o)
{
    if (o->packing) return PACKS_AHEAD;
    return 1 + (BATCHES_AHEAD * o->batch_size < MAX_AHEAD ? BATCHES_AHEAD : MAX_AHEAD / o->batch_size);
}

LoaderState loader_state(const Loader *l)
{
    return l->state;
}

const BadRow *loader_bad(const Loader *l, int *n)
{
    *n = l->bad.n;
    return l->bad.at;
}

/* ---- beginning and end ------------------------------------------------------------------------------------------- */

static int check_options(const Dataset *d, const Encoder *e, const LoaderOptions *o, Err *err)
{
    if (d->n == 0) {
        err_set(err, "the data has no usable sample");
        return err_hint(err, "`osler data check FILE` says what is wrong with its rows");
    }
    if (o->packing && e->max_length < 1) return err_set(err, "packing needs max_length");
    if (!o->packing && o->batch_size < 1) return err_set(err, "a batch of %d samples", o->batch_size);
    const LoaderState *s = &o->start;
    bool sound = s->epoch >= 0 && s->epoch < INT32_MAX && s->position >= 0 && s->position < d->n;
    sound = sound && s->n_waiting >= 0 && s->n_waiting <= (o->packing ? PACK_WINDOW : 0);
    for (int i = 0; sound && i < s->n_waiting; i++) {
        int below = i ? s->behind[i - 1] : INT_MAX;
        sound = s->behind[i] >= 1 && s->behind[i] < below && s->behind[i] <= s->epoch * d->n + s->position;
    }
    if (sound) return 0;
    err_set(err, "cannot go on at sample %lld of %d", (long long)s->position, d->n);
    return err_hint(err, "the data is not what it was when the checkpoint was written");
}

Loader *loader_new(const Dataset *d, Encoder *e, const LoaderOptions *o, Err *err)
{
    if (check_options(d, e, o, err)) return NULL;
    Loader *l = xcalloc(1, sizeof *l);
    l->data = d, l->encoder = e, l->opt = *o, l->state = o->start;
    l->start = o->start.epoch * d->n + o->start.position;
    int64_t left = o->samples > l->start ? o->samples - l->start : 0;
    l->end = o->samples > 0 ? left + o->start.n_waiting : INT64_MAX;
    l->order = xmalloc((size_t)d->n * sizeof *l->order);
    l->order_epoch = -1;
    l->reported = xcalloc((size_t)d->n, 1);
    int64_t ahead = o->packing ? 2 * PACK_WINDOW : (int64_t)BATCHES_AHEAD * o->batch_size;
    l->n_slots = ahead < MAX_AHEAD ? (int)ahead : MAX_AHEAD;
    l->slot = xcalloc((size_t)l->n_slots, sizeof *l->slot);
    CHECK(!pthread_mutex_init(&l->lock, NULL), "pthread_mutex_init");
    CHECK(!pthread_cond_init(&l->work, NULL) && !pthread_cond_init(&l->ready, NULL), "pthread_cond_init");
    int want = o->threads > 1 ? o->threads : 1;
    l->thread = xcalloc((size_t)want, sizeof *l->thread);
    while (l->n_threads < want && pthread_create(&l->thread[l->n_threads], NULL, worker_main, l) == 0) l->n_threads++;
    if (l->n_threads > 0) return l;
    err_set(err, "cannot start a thread to read data ahead");
    loader_free(l);
    return NULL;
}

int64_t loader_count(const Dataset *d, Encoder *e, const LoaderOptions *o, int64_t *rows, Err *err)
{
    CHECK(o->samples > 0, "counting batches that never end");
    *rows = 0;
    if (check_options(d, e, o, err)) return -1;
    int64_t left = o->samples - (o->start.epoch * d->n + o->start.position), n = 0;
    if (!o->packing) return left > 0 ? (left + o->batch_size - 1) / o->batch_size : 0;
    LoaderOptions lengths = *o;
    lengths.lengths_only = true;
    Loader *l = loader_new(d, e, &lengths, err);
    if (!l) return -1;
    Pack *p;
    while ((p = pack_choose(l, err)) && p->n > 0) {
        for (int i = 0; i < p->n; i++) *rows += item_rows(&p->item[i]);
        pack_free(p);
        n++;
    }
    if (p) pack_free(p);
    loader_free(l);
    return p ? n : -1;
}

void loader_free(Loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++) pthread_join(l->thread[i], NULL);
    for (int i = 0; i < l->n_slots; i++)
        if (l->slot[i].ready) item_release(&l->slot[i].item);
    for (int i = 0; i < l->window.n; i++) item_release(&l->window.at[i]);
    for (int i = 0; i < l->n_packs; i++) pack_free(l->pack[i]);
    for (int i = 0; i < l->bad.n; i++) bad_row_release(&l->bad.at[i]);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    free(l->slot);
    free(l->thread);
    free(l->order);
    free(l->reported);
    free(l->window.at);
    free(l->picture.at);
    free(l->bad.at);
    free(l);
}
