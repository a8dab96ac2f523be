/* osler data: what is in dataset files, and what is wrong with them. */
#include <string.h>

#include "cmd/model_opts.h"
#include "data/stats.h"

typedef struct DataOpts {
    Common common;
    ModelOpts model;
    bool deep;
} DataOpts;

#define AT(field) offsetof(DataOpts, field)
static const Opt TABLE[] = {
    {"model", OPT_PATH, AT(model.dir), .help = "checkpoint directory: counts tokens, too"},
    {"deep", OPT_BOOL, AT(deep), .def = "false", .help = "decode every image instead of reading its header"},
    PIXEL_ROWS(DataOpts),
    SEED_ROW(DataOpts),
    GENERAL_ROWS(DataOpts),
    {0},
};

/* Tokenizer and processor without a model. */
typedef struct Inputs {
    Tokenizer *tok;
    ImageProcessor proc;
    Encoder enc;
    bool ready;
} Inputs;

static int inputs_open(Inputs *in, const ModelOpts *m, Err *err)
{
    if (!m->dir) return 0;
    in->tok = tokenizer_load(m->dir, err);
    if (!in->tok || image_processor_load(&in->proc, m->dir, err)) return -1;
    if (m->min_pixels) in->proc.min_pixels = m->min_pixels;
    if (m->max_pixels) in->proc.max_pixels = m->max_pixels;
    in->ready = encoder_init(&in->enc, in->tok, &in->proc, 0, err) == 0;
    return in->ready ? 0 : -1;
}

static void inputs_close(Inputs *in)
{
    if (in->ready) encoder_release(&in->enc);
    tokenizer_free(in->tok);
}

static int examine(const DataOpts *o, bool check, const StrList *files, Err *err)
{
    Inputs in = {0};
    Dataset d;
    if (dataset_load(&d, files->at, files->n, (uint64_t)o->common.seed, err)) return -1;
    int rc = inputs_open(&in, &o->model, err);
    if (rc == 0) {
        DataStats st;
        data_stats(&st, &d, in.ready ? &in.enc : NULL, o->deep);
        if (!check) data_stats_print(stdout, &st);
        data_bad_print(stdout, &d, &st);
        if (check) printf("%d samples, %d bad rows\n", st.samples, d.n_bad + st.n_bad);
        rc = check && d.n_bad + st.n_bad;
        data_stats_release(&st);
    }
    inputs_close(&in);
    dataset_release(&d);
    return rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const char *what = operands->n ? operands->at[0] : "";
    bool check = !strcmp(what, "check");
    if (!check && strcmp(what, "stats")) {
        usage_error(err, "data needs 'check' or 'stats'");
        return err_hint(err, "osler data check FILE...");
    }
    if (operands->n < 2) return usage_error(err, "data %s: which files?", what);
    const StrList files = {operands->at + 1, operands->n - 1};
    return examine(opts, check, &files, err);
}

const Verb VERB_DATA = {
    .name = "data",
    .about = "checks dataset files (check), or counts what is in them (stats)",
    .usage = "osler data check|stats FILE... [--model DIR] [--deep]",
    .details = "check prints bad rows with file:line, reason and hint, and ends with status 1 where there is any.",
    .table = TABLE,
    .size = sizeof(DataOpts),
    .run = run,
};
