#include "infer/score.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "data/pack.h"

/* Samples on their way through one batch. */
typedef struct Scoring {
    Engine *e;
    Encoder enc;
    const Dataset *d;
    int64_t targets; /* of the whole dataset, where gradients are wanted */
    VEC(Encoded) x;  /* encoded samples first, first + 1, ... */
    int first;
    Err *fail; /* [x.n] of encode_pixels */
} Scoring;

/* ---- a batch ---------------------------------------------------------------------------------------------------- */

/* Encodes from sample `first` on, up to `budget` rows but at least one sample. */
static int collect(Scoring *s, int budget, Err *err)
{
    int rows = 0;
    for (int i = s->first; i < s->d->n && i < s->first + 256; i++) {
        Encoded x;
        const Sample *sample = &s->d->sample[i];
        if (encode_sample(&x, &s->enc, sample, ENCODE_CHAT, err)) return sample_context(sample, err);
        if (s->x.n && rows + x.n > budget) {
            encoded_release(&x);
            break;
        }
        rows += x.n;
        vec_push(&s->x, x);
    }
    return 0;
}

static void load_pixels(void *arg, int task)
{
    Scoring *s = arg;
    encode_pixels(&s->x.at[task], &s->enc, &s->d->sample[s->first + task], &s->fail[task]);
}

static Batch *make_batch(Scoring *s, Err *err)
{
    s->fail = xcalloc((size_t)s->x.n, sizeof *s->fail);
    pool_run(s->x.n, load_pixels, s);
    int bad = 0;
    while (bad < s->x.n && !s->fail[bad].msg[0]) bad++;
    if (bad < s->x.n) {
        *err = s->fail[bad];
        sample_context(&s->d->sample[s->first + bad], err);
    }
    free(s->fail);
    if (bad < s->x.n) return NULL;
    BatchBuilder bb;
    batch_begin(&bb, &s->e->proc);
    for (int i = 0; i < s->x.n; i++) batch_add_sample(&bb, &s->x.at[i], s->first + i);
    return batch_finish(&bb);
}

static void drop_samples(Scoring *s)
{
    for (int i = 0; i < s->x.n; i++) encoded_release(&s->x.at[i]);
    s->x.n = 0;
}

/* Adds the gradient of minus the mean over the dataset's targets. */
static void backward(Scoring *s, const Batch *b)
{
    float *dlogp = xmalloc(sizeof *dlogp * (size_t)b->n_targets);
    for (int i = 0; i < b->n_targets; i++) dlogp[i] = (float)(-1 / (double)s->targets);
    engine_backward(s->e, dlogp);
    free(dlogp);
}

static int report(Scoring *s, const float *logp, int (*row)(void *, const SampleScore *, Err *), void *arg, Err *err)
{
    int rc = 0;
    for (int i = 0; i < s->x.n && rc == 0; i++) {
        Encoded *x = &s->x.at[i];
        for (int j = 0; j < x->n; j++)
            if (x->id[j] < 0) x->id[j] = s->e->chat.image_pad;
        const SampleScore score = {&s->d->sample[s->first + i], x->id, x->target, x->n, logp, x->n_targets};
        rc = row(arg, &score, err);
        logp += x->n_targets;
    }
    return rc;
}

static int score_batch(Scoring *s, const ScoreOptions *o, int (*row)(void *, const SampleScore *, Err *), void *arg,
                       Err *err)
{
    Batch *b = make_batch(s, err);
    if (!b) return -1;
    int rc;
    if (b->n_targets) {
        const float *logp = engine_score(s->e, b, o->grads, true, NULL);
        rc = report(s, logp, row, arg, err);
        if (rc == 0 && o->grads) backward(s, b);
        engine_release(s->e);
    } else {
        rc = report(s, NULL, row, arg, err);
    }
    batch_free(b);
    return rc;
}

/* ---- the dataset ------------------------------------------------------------------------------------------------ */

static int count_targets(Scoring *s, Err *err)
{
    for (int i = 0; i < s->d->n; i++) {
        Encoded x;
        const Sample *sample = &s->d->sample[i];
        if (encode_sample(&x, &s->enc, sample, ENCODE_CHAT, err)) return sample_context(sample, err);
        s->targets += x.n_targets;
        encoded_release(&x);
    }
    return 0;
}

int score_dataset(Engine *e, const Dataset *d, const ScoreOptions *o,
                  int (*row)(void *arg, const SampleScore *s, Err *err), void *arg, Err *err)
{
    Scoring s = {.e = e, .d = d};
    if (encoder_init(&s.enc, e->tok, &e->proc, 0, err)) return -1;
    int rc = o->grads ? count_targets(&s, err) : 0;
    while (rc == 0 && s.first < d->n) {
        rc = collect(&s, o->budget, err);
        if (rc == 0) rc = score_batch(&s, o, row, arg, err);
        s.first += s.x.n;
        drop_samples(&s);
    }
    free(s.x.at);
    encoder_release(&s.enc);
    return rc;
}

/* ---- gradients -------------------------------------------------------------------------------------------------- */

int score_save_grads(const Engine *e, const char *path, Err *err)
{
    const Model *m = e->model;
    StItem *item = xcalloc((size_t)m->param.n, sizeof *item);
    char **name = xcalloc((size_t)m->param.n, sizeof *name);
    int n = 0;
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (!p->t->needs_grad) continue;
        name[n] = p->adapter ? xstrdup(p->name) : names_to_file(m->layout, p->name);
        item[n] = (StItem){.name = name[n], .dtype = DT_F32, .n_dims = p->n_dims, .data = p->t->grad};
        memcpy(item[n].dim, p->dim, sizeof p->dim);
        n++;
    }
    int rc = st_save(path, item, n, err);
    for (int i = 0; i < n; i++) free(name[i]);
    free(name);
    free(item);
    return rc;
}
