#include "data/loader.h"

#include <stdlib.h>

#include "base/rng.h"

/* A window of a pack closes at this many budgets of tokens, so its images fit into memory whatever their size. */
enum { WINDOW_BUDGETS = 8, BATCHES_AHEAD = 4, MAX_AHEAD = 256 };
/* Workers pause while this many bytes of pixels wait to be taken. */
static const size_t AHEAD_BYTES = (size_t)256 << 20;

/* What became of one position of the order. */
typedef struct Item {
    int source; /* sample number */
    bool ok;
    Encoded x; /* ok */
    Err *why;  /* not ok */
} Item;

typedef struct Slot {
    bool ready;
    Item item;
} Slot;

struct Loader {
    const Dataset *data;
    Encoder *encoder;
    LoaderOptions opt;
    bool count_only; /* lengths are enough: images are not decoded */
    int64_t limit;   /* positions counted from epoch 0 on, as all of these: */
    int64_t head;    /* the next one to be taken */

    /* Shared with the workers under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    int64_t next; /* the next one to be made; head <= next <= head + n_slots */
    Slot *slot;   /* position p waits in slot[p % n_slots] */
    int n_slots;
    size_t waiting_bytes;
    bool stop;
    int *order; /* of order_epoch */
    int64_t order_epoch;
    pthread_t *thread;
    int n_threads;

    /* The window that is being given out. */
    VEC(Item) window;
    VEC(int) pack; /* batch of each item */
    int n_packs, done;
    int64_t window_start;
    LoaderState state;

    unsigned char *reported; /* per sample: already in `bad` */
    VEC(BadRow) bad;
    int64_t bad_run; /* bad positions since the last good one */
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

static size_t item_bytes(const Loader *l, const Item *it)
{
    return (size_t)it->x.n_patches * (size_t)image_patch_dim(l->encoder->processor) * sizeof(float);
}

static void item_release(Item *it)
{
    encoded_release(&it->x);
    free(it->why);
}

/* A conversation without targets would train nothing. */
static int check_targets(const Encoded *x, EncodeAs as, Err *err)
{
    if (as != ENCODE_CHAT || x->n_targets > 0) return 0;
    err_set(err, "there is nothing to train on: no assistant message, or \"loss\" is false on all of them");
    return err_hint(err, "add the answer, or take the row out of the training data");
}

static Item make_item(const Loader *l, int source)
{
    const Sample *s = &l->data->sample[source];
    Item it = {.source = source};
    Err why = {0};
    it.ok = encode_sample(&it.x, l->encoder, s, l->opt.as, &why) == 0 && check_targets(&it.x, l->opt.as, &why) == 0 &&
            (l->count_only || encode_pixels(&it.x, l->encoder, s, &why) == 0);
    if (it.ok) return it;
    encoded_release(&it.x);
    it.why = xmalloc(sizeof *it.why);
    *it.why = why;
    return it;
}

/* Sample at a position. Positions are asked for in rising order, so one epoch's order is kept at a time. */
static int sample_at(Loader *l, int64_t position)
{
    int64_t epoch = position / l->data->n;
    if (epoch != l->order_epoch) epoch_order(l->order, l->data->n, l->opt.shuffle, l->opt.seed, epoch);
    l->order_epoch = epoch;
    return l->order[position % l->data->n];
}

static bool may_start(const Loader *l)
{
    if (l->next >= l->limit || l->next - l->head >= l->n_slots) return false;
    return l->waiting_bytes < AHEAD_BYTES;
}

static void *worker_main(void *arg)
{
    Loader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (!may_start(l)) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        int64_t position = l->next++;
        int source = sample_at(l, position);
        pthread_mutex_unlock(&l->lock);
        Item it = make_item(l, source);
        pthread_mutex_lock(&l->lock);
        Slot *slot = &l->slot[position % l->n_slots];
        slot->item = it;
        slot->ready = true;
        l->waiting_bytes += item_bytes(l, &it);
        pthread_cond_signal(&l->ready);
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
    l->waiting_bytes -= item_bytes(l, &it);
    l->head++;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return it;
}

/* ---- the window -------------------------------------------------------------------------------------------------- */

/* Records a bad sample the first time it is met. Takes `it`. */
static int record_bad(Loader *l, Item *it, Err *err)
{
    const Sample *s = &l->data->sample[it->source];
    int limit = l->opt.max_bad_samples;
    if (!l->reported[it->source]) {
        l->reported[it->source] = 1;
        vec_push(&l->bad, bad_row(s->at, it->why));
    }
    bool too_many = limit >= 0 && l->bad.n > limit, all_bad = ++l->bad_run >= l->data->n;
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

static int item_rows(const Item *it)
{
    return it->x.n + it->x.chosen.n + it->x.rejected.n;
}

static void window_clear(Loader *l)
{
    for (int i = 0; i < l->window.n; i++) item_release(&l->window.at[i]);
    l->window.n = 0;
}

/* Takes good items until the window is full or the samples end. */
static int collect(Loader *l, Err *err)
{
    int budget = l->encoder->max_length, most = l->opt.packing ? PACK_WINDOW : l->opt.batch_size;
    int64_t rows = 0;
    window_clear(l);
    l->window_start = l->head;
    while (l->head < l->limit && l->window.n < most && !(l->opt.packing && rows >= (int64_t)WINDOW_BUDGETS * budget)) {
        Item it = take_item(l);
        if (!it.ok) {
            if (record_bad(l, &it, err)) return -1;
            continue;
        }
        l->bad_run = 0;
        rows += item_rows(&it);
        vec_push(&l->window, it);
    }
    return 0;
}

static void plan_window(Loader *l)
{
    int n = l->window.n, *tokens = xmalloc((size_t)n * sizeof *tokens);
    l->pack.n = 0;
    for (int i = 0; i < n; i++) {
        tokens[i] = item_rows(&l->window.at[i]);
        vec_push(&l->pack, 0);
    }
    l->n_packs = n > 0;
    if (l->opt.packing && n > 0) l->n_packs = pack_plan(l->pack.at, tokens, n, l->encoder->max_length);
    l->done = 0;
    free(tokens);
}

static Batch *build_batch(Loader *l, int pack)
{
    BatchBuilder bb;
    batch_begin(&bb, l->encoder->processor);
    bb.first_sample = l->window_start % l->data->n;
    for (int i = 0; i < l->window.n; i++) {
        Item *it = &l->window.at[i];
        if (l->pack.at[i] != pack) continue;
        if (l->opt.as == ENCODE_PAIR) batch_add_pair(&bb, &it->x, it->source);
        else batch_add_sample(&bb, &it->x, it->source);
        item_release(it);
        *it = (Item){0};
    }
    return batch_finish(&bb);
}

/* On a resumed loader's first window: forgets the batches that were given before. */
static int skip_done(Loader *l, Err *err)
{
    int skip = l->opt.start.done;
    l->opt.start.done = 0;
    if (skip >= l->n_packs && skip > 0) {
        err_set(err, "the data is not what it was when the checkpoint was written: batch %d of %d", skip, l->n_packs);
        return err_hint(err, "give the same files, max_length, seed and images as before");
    }
    for (; l->done < skip; l->done++)
        for (int i = 0; i < l->window.n; i++) {
            if (l->pack.at[i] != l->done) continue;
            item_release(&l->window.at[i]);
            l->window.at[i] = (Item){0};
        }
    return 0;
}

static LoaderState state_at(const Loader *l, int64_t position, int done)
{
    return (LoaderState){.epoch = position / l->data->n, .position = position % l->data->n, .done = done};
}

int loader_next(Loader *l, Batch **b, Err *err)
{
    *b = NULL;
    if (l->done == l->n_packs) {
        if (collect(l, err)) return -1;
        plan_window(l);
        if (skip_done(l, err)) return -1;
        if (l->n_packs == 0) return 0;
    }
    *b = build_batch(l, l->done++);
    bool last = l->done == l->n_packs;
    l->state = state_at(l, last ? l->head : l->window_start, last ? 0 : l->done);
    return 1;
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
    if (o->start.epoch >= 0 && o->start.position >= 0 && o->start.position < d->n && o->start.done >= 0) return 0;
    err_set(err, "cannot go on at sample %lld of %d", (long long)o->start.position, d->n);
    return err_hint(err, "the data is not what it was when the checkpoint was written");
}

static Loader *loader_start(const Dataset *d, Encoder *e, const LoaderOptions *o, bool count_only, Err *err)
{
    if (check_options(d, e, o, err)) return NULL;
    Loader *l = xcalloc(1, sizeof *l);
    l->data = d, l->encoder = e, l->opt = *o, l->state = o->start, l->count_only = count_only;
    l->limit = o->samples > 0 ? o->samples : INT64_MAX;
    l->head = l->next = o->start.epoch * d->n + o->start.position;
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

Loader *loader_new(const Dataset *d, Encoder *e, const LoaderOptions *o, Err *err)
{
    return loader_start(d, e, o, false, err);
}

int64_t loader_count(const Dataset *d, Encoder *e, const LoaderOptions *o, Err *err)
{
    CHECK(o->samples > 0, "counting batches that never end");
    if (check_options(d, e, o, err)) return -1;
    int64_t left = o->samples - (o->start.epoch * d->n + o->start.position), n = 0;
    if (!o->packing) return left > 0 ? (left + o->batch_size - 1) / o->batch_size : 0;
    Loader *l = loader_start(d, e, o, true, err);
    int rc = l ? 0 : -1;
    while (rc == 0) {
        rc = collect(l, err);
        if (rc == 0 && l->window.n == 0) break;
        if (rc == 0) plan_window(l);
        n += l->n_packs;
    }
    loader_free(l);
    return rc ? -1 : n;
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
    window_clear(l);
    for (int i = 0; i < l->bad.n; i++) bad_row_release(&l->bad.at[i]);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    free(l->slot);
    free(l->thread);
    free(l->order);
    free(l->reported);
    free(l->window.at);
    free(l->pack.at);
    free(l->bad.at);
    free(l);
}
