#include "train/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "train/dpo.h"

/* ---- the file: a line that says what it is for and whether it is whole, then a line for each sample --------------- */

static int save(const Reference *r, const ReferenceJob *job, bool whole, Err *err)
{
    Buf b = {0};
    char *head = json_dumps(job->inputs, JSON_COMPACT | JSON_SORT_KEYS);
    buf_printf(&b, "{\"whole\": %s, \"inputs\": %s}\n", whole ? "true" : "false", head);
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

/* True where the head is of these inputs. */
static bool take_head(bool *whole, const ReferenceJob *job, const char *line, size_t n)
{
    json_t *head = json_loadb(line, n, 0, NULL);
    bool same = head && json_equal(json_object_get(head, "inputs"), job->inputs);
    *whole = same && json_is_true(json_object_get(head, "whole"));
    json_decref(head);
    return same;
}

/* What an earlier start of this run has written; true where nothing is missing. */
static bool load(Reference *r, const ReferenceJob *job)
{
    FileMap m;
    Err none = {0};
    if (!file_exists(job->path) || file_map(&m, job->path, &none)) return false;
    bool good = true, whole = false;
    for (size_t at = 0; good && at < m.size;) {
        const char *line = (const char *)m.data + at, *end = memchr(line, '\n', m.size - at);
        size_t n = end ? (size_t)(end - line) : m.size - at;
        good = at ? take_line(r, line, n) : take_head(&whole, job, line, n);
        at += n + 1;
    }
    file_unmap(&m);
    return good && whole;
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

static bool all_known(const Reference *r, const Batch *b)
{
    for (int i = 0; i < b->n_samples; i++)
        if (isnan(r->logp[b->source[i]].at[0])) return false;
    return true;
}

/* Between batches: now and then what is known is saved, and `stop` is asked. */
static int pause_pass(const Reference *r, const ReferenceJob *job, double *saved, Err *err)
{
    bool stop = job->stop && job->stop();
    if (!stop && now_seconds() - *saved < REFERENCE_SYNC_SECONDS) return 0;
    if (save(r, job, false, err)) return -1;
    *saved = now_seconds();
    if (!stop) return 0;
    err_set(err, "stopped while the reference was worked out");
    return err_hint(err, "the same command goes on from there");
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
    double saved = now_seconds();
    progress_start(&bar, "reference", o.samples, "pair");
    while ((!job->batches || n < job->batches) && (rc = loader_next(l, &b, err)) == 1) {
        rc = all_known(r, b) ? 0 : score(r, job, b, err);
        if (rc == 0) rc = pause_pass(r, job, &saved, err);
        n++, done += b->n_samples;
        batch_free(b);
        if (rc) break;
        progress_update(&bar, done, "%s", "");
    }
    progress_end(&bar);
    loader_free(l);
    return rc < 0 ? -1 : 0;
}

int reference_make(Reference *r, const ReferenceJob *job, Err *err)
{
    *r = (Reference){.n = job->data->n};
    r->logp = xcalloc((size_t)r->n, sizeof *r->logp);
    for (int i = 0; i < r->n; i++) r->logp[i] = (PairLogp){{(double)NAN, (double)NAN}};
    if (load(r, job)) return 0;
    engine_dropout(job->engine, 0);
    return pass(r, job, err) || save(r, job, true, err) ? -1 : 0;
}

void reference_release(Reference *r)
{
    free(r->logp);
    *r = (Reference){0};
}
