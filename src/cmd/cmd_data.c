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

static int examine(const DataOpts *o, bool check, const StrList *files, Err *err)
{
    Dataset d;
    Inputs in;
    bool encode = o->model.dir != NULL;
    if (dataset_load(&d, files->at, files->n, (uint64_t)o->common.seed, err)) return -1;
    int rc = encode ? inputs_open(&in, &o->model, err) : 0;
    if (rc == 0) {
        DataStats st;
        data_stats(&st, &d, encode ? &in.enc : NULL, o->deep);
        if (!check) data_stats_print(stdout, &st);
        data_bad_print(stdout, &d, &st);
        if (check) printf("samples %d, bad rows %d\n", st.samples, d.n_bad + st.n_bad);
        rc = check && d.n_bad + st.n_bad;
        data_stats_release(&st);
        if (encode) inputs_close(&in);
    }
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
