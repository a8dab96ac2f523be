#include "train/reference.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "train/dpo.h"

/* ---- the file: a line that says what it is for, then a line for each sample -------------------------------------- */

static int save(const Reference *r, const ReferenceJob *job, Err *err)
{
    Buf b = {0};
    char *head = json_dumps(job->inputs, JSON_COMPACT | JSON_SORT_KEYS);
    buf_printf(&b, "%s\n", head);
    for (int i = 0; i < r->n; i++)
        if (!isnan(r->logp[i].at[0]))
            buf_printf(&b, "{\"sample\": %d, \"chosen\": %.17g, \"rejected\": %.17g}\n", i, r->logp[i].at[0],
                       r->logp[i].at[1]);
    int rc = file_save(job->path, b.data, b.len, err);
    free(head);
    buf_release(&b);
    return rc;
}

static bool take_line(Reference *r, const char *line, size_t n)
{
    int sample;
    double chosen, rejected;
    json_t *row = json_loadb(line, n, 0, NULL);
    bool good =
        row && !json_unpack(row, "{s:i, s:F, s:F}", "sample", &sample, "chosen", &chosen, "rejected", &rejected);
    json_decref(row);
    if (!good || sample < 0 || sample >= r->n) return false;
    r->logp[sample] = (PairLogp){{chosen, rejected}};
    return true;
}

static bool same_inputs(const ReferenceJob *job, const char *line, size_t n)
{
    json_t *head = json_loadb(line, n, 0, NULL);
    bool same = head && json_equal(head, job->inputs);
    json_decref(head);
    return same;
}

/* What an earlier start of this run has written; false where there is nothing that fits. */
static bool load(Reference *r, const ReferenceJob *job)
{
    FileMap m;
    Err none = {0};
    if (!file_exists(job->path) || file_map(&m, job->path, &none)) return false;
    bool good = true;
    int lines = 0;
    for (size_t at = 0; good && at < m.size; lines++) {
        const char *line = (const char *)m.data + at, *end = memchr(line, '\n', m.size - at);
        size_t n = end ? (size_t)(end - line) : m.size - at;
        good = end && (lines ? take_line(r, line, n) : same_inputs(job, line, n));
        at += n + 1;
    }
    file_unmap(&m);
    return good && lines > 0;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

static int score(Reference *r, const ReferenceJob *job, const Batch *b, Err *err)
{
    DpoPair *pair = xcalloc((size_t)b->n_samples, sizeof *pair);
    dpo_sum(pair, engine_score(job->engine, b, false, job->lora, NULL), b);
    engine_release(job->engine);
    int rc = 0;
    for (int i = 0; i < b->n_samples && rc == 0; i++) {
        const PairLogp *p = &pair[i].policy;
        r->logp[b->source[i]] = *p;
        if (isfinite(p->at[0]) && isfinite(p->at[1])) continue;
        err_set(err, "sample %s: the reference's log-probability is not finite", job->data->sample[b->source[i]].id);
        rc = err_hint(err, "the model that the run starts from is not sound, or dtype=bf16 is too coarse for it");
    }
    free(pair);
    return rc;
}

static int pass(Reference *r, const ReferenceJob *job, Err *err)
{
    LoaderOptions o = job->loader;
    o.start = (LoaderState){0};
    if (!o.samples || o.samples > job->data->n) o.samples = job->data->n; /* the first epoch meets all */
    Loader *l = loader_new(job->data, job->encoder, &o, err);
    if (!l) return -1;
    Progress bar;
    Batch *b;
    int rc = 0;
    int64_t n = 0, done = 0;
    progress_start(&bar, "reference", o.samples, "pair");
    while ((!job->batches || n < job->batches) && (rc = loader_next(l, &b, err)) == 1) {
        rc = score(r, job, b, err);
        n++, done += b->n_samples;
        batch_free(b);
        if (rc) break;
        progress_update(&bar, done, "%s", "");
    }
    progress_end(&bar);
    loader_free(l);
    return rc < 0 ? -1 : 0;
}

static void forget(Reference *r)
{
    for (int i = 0; i < r->n; i++) r->logp[i] = (PairLogp){{NAN, NAN}};
}

int reference_make(Reference *r, const ReferenceJob *job, Err *err)
{
    *r = (Reference){.n = job->data->n};
    r->logp = xcalloc((size_t)r->n, sizeof *r->logp);
    forget(r);
    if (load(r, job)) return 0;
    forget(r);
    engine_dropout(job->engine, 0);
    return pass(r, job, err) || save(r, job, err) ? -1 : 0;
}

void reference_release(Reference *r)
{
    free(r->logp);
    *r = (Reference){0};
}
