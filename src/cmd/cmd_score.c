/* osler score: log-probabilities of a dataset's targets, and the gradient of their mean. */
#include <string.h>

#include "base/json.h"
#include "base/progress.h"
#include "cmd/model_opts.h"
#include "cmd/output.h"
#include "infer/score.h"
#include "weights/peft.h"

typedef struct ScoreOpts {
    Common common;
    ModelOpts model;
    StrList data;
    char *out, *grads;
    int64_t batch_tokens;
} ScoreOpts;

#define AT(field) offsetof(ScoreOpts, field)
static const Opt TABLE[] = {
    MODEL_ROWS(ScoreOpts),
    {"data", OPT_LIST, AT(data), .required = true, .group = "Data", .help = "files of samples; file#500, file@0.3"},
    {"out", OPT_PATH, AT(out), .help = "JSON lines {id, ids, mask, logp}; stdout where not given"},
    {"grads", OPT_PATH, AT(grads),
     .help = "safetensors file for the gradients of minus the mean log-probability: of the adapter where there is one, "
             "else "
             "of all weights"},
    {"batch_tokens", OPT_INT, AT(batch_tokens), .def = "2048", .min = 1, .max = 1e8,
     .help = "neighbouring samples are computed together up to so many tokens"},
    COMPUTE_ROWS(ScoreOpts),
    SEED_ROW(ScoreOpts),
    GENERAL_ROWS(ScoreOpts),
    {0},
};

typedef struct Job {
    Output out;
    Buf line;
    Progress progress;
    int64_t done;
} Job;

static int write_row(void *arg, const SampleScore *s, Err *err)
{
    (void)err;
    Job *j = arg;
    Buf *b = &j->line;
    buf_str(b, "{\"id\": ");
    json_append_str(b, s->sample->id, strlen(s->sample->id));
    buf_str(b, ", ");
    json_append_ints(b, "ids", s->id, s->n);
    buf_str(b, ", \"mask\": [");
    for (int i = 0; i < s->n; i++) buf_str(b, i ? (s->mask[i] ? ", 1" : ", 0") : s->mask[i] ? "1" : "0");
    buf_str(b, "], \"logp\": [");
    for (int i = 0; i < s->n_targets; i++) buf_printf(b, i ? ", %.9g" : "%.9g", (double)s->logp[i]);
    buf_str(b, "]}");
    output_line(&j->out, b);
    progress_update(&j->progress, ++j->done, "%s", "");
    return 0;
}

static int score_file(Engine *e, const Dataset *d, const ScoreOpts *o, Err *err)
{
    Job j = {0};
    if (output_open(&j.out, o->out, err)) return -1;
    progress_start(&j.progress, "score", d->n, "sample");
    ScoreOptions so = {.budget = (int)o->batch_tokens, .grads = o->grads != NULL};
    int rc = score_dataset(e, d, &so, write_row, &j, err);
    progress_end(&j.progress);
    buf_release(&j.line);
    if (rc == 0 && o->grads) rc = score_save_grads(e, o->grads, err);
    return output_close(&j.out, rc, err);
}

static int run(void *opts, const StrList *operands, Err *err)
{
    ScoreOpts *o = opts;
    if (no_operands(operands, err) || peft_resolve(&o->model.dir, &o->model.adapter, err)) return -1;
    EngineOptions eo = engine_options(&o->common, &o->model);
    eo.checkpoint = true;
    eo.train_adapter = o->grads != NULL;
    for (int p = 0; p < PART_COUNT; p++) eo.train[p] = o->grads && !o->model.adapter;
    Dataset d;
    Engine e;
    if (open_dataset(&d, &o->data, (uint64_t)o->common.seed, err)) return -1;
    int rc = engine_open(&e, &eo, err);
    if (rc == 0) {
        rc = score_file(&e, &d, o, err);
        engine_close(&e);
    }
    dataset_release(&d);
    return rc;
}

const Verb VERB_SCORE = {
    .name = "score",
    .about = "log-probabilities of the target tokens of a dataset, and their gradients",
    .usage = "osler score --model DIR [--adapter DIR] --data F --out O.jsonl [--grads G.safetensors]",
    .table = TABLE,
    .size = sizeof(ScoreOpts),
    .run = run,
};
