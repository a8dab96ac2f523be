/* osler data: what is in dataset files, and what is wrong with them. */
#include <string.h>

#include "base/pool.h"
#include "cmd/model_opts.h"
#include "data/loader.h"
#include "data/stats.h"

typedef struct DataOpts {
    Common common;
    ModelOpts model;
    int64_t max_length;
    bool deep;
} DataOpts;

#define AT(field) offsetof(DataOpts, field)
static const Opt TABLE[] = {
    {"model", OPT_PATH, AT(model.dir), .help = "checkpoint directory: counts tokens, too"},
    {"max_length", OPT_INT, AT(max_length), .def = "0", .min = 0, .max = 1 << 20,
     .help = "with model: rows of a training batch; longer samples are bad, and stats says how full packing makes it"},
    {"deep", OPT_BOOL, AT(deep), .def = "false", .help = "decode every image instead of reading its header"},
    PIXEL_ROWS(DataOpts),
    SEED_ROW(DataOpts),
    GENERAL_ROWS(DataOpts),
    {0},
};

/* How full the batches of an epoch are that `osler train packing=true` would make. */
static int print_packing(const DataOpts *o, const Dataset *d, Encoder *e, Err *err)
{
    LoaderOptions l = {.as = d->sample[0].chosen ? ENCODE_PAIR : ENCODE_CHAT,
                       .packing = true,
                       .shuffle = true,
                       .seed = (uint64_t)o->common.seed,
                       .samples = d->n,
                       .threads = pool_threads(),
                       .max_bad_samples = -1};
    int64_t rows, n = loader_count(d, e, &l, &rows, err);
    if (n < 0) return -1;
    printf("packing   %lld batches of %lld rows, %.1f%% of them used\n", (long long)n, (long long)o->max_length,
           100.0 * (double)rows / ((double)n * (double)o->max_length));
    return 0;
}

/* `e` may be NULL. 1 where `check` found bad rows. */
static int examine(const DataOpts *o, bool check, const Dataset *d, Encoder *e, Err *err)
{
    DataStats st;
    data_stats(&st, d, e, o->deep);
    int rc = 0, bad = d->n_bad + st.n_bad;
    if (!check) data_stats_print(stdout, &st);
    if (!check && o->max_length && st.tokens.n) rc = print_packing(o, d, e, err);
    data_bad_print(stdout, d, &st);
    if (check) printf("samples %d, bad rows %d\n", st.samples, bad);
    data_stats_release(&st);
    return rc ? rc : check && bad;
}

static int examine_files(const DataOpts *o, bool check, const StrList *files, Err *err)
{
    Dataset d;
    Inputs in;
    if (dataset_load(&d, files->at, files->n, (uint64_t)o->common.seed, err)) return -1;
    int rc = o->model.dir ? inputs_open(&in, &o->model, err) : 0;
    if (rc == 0 && o->model.dir) {
        in.enc.max_length = (int)o->max_length;
        rc = examine(o, check, &d, &in.enc, err);
        inputs_close(&in);
    } else if (rc == 0) rc = examine(o, check, &d, NULL, err);
    dataset_release(&d);
    return rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const DataOpts *o = opts;
    const char *what = operands->n ? operands->at[0] : "";
    bool check = !strcmp(what, "check");
    if (!check && strcmp(what, "stats")) {
        usage_error(err, "data needs 'check' or 'stats'");
        return err_hint(err, "osler data check FILE...");
    }
    if (operands->n < 2) return usage_error(err, "data %s: which files?", what);
    if (o->max_length && !o->model.dir) return usage_error(err, "max_length needs model, which says what a token is");
    const StrList files = {operands->at + 1, operands->n - 1};
    return examine_files(o, check, &files, err);
}

const Verb VERB_DATA = {
    .name = "data",
    .about = "checks dataset files (check), or counts what is in them (stats)",
    .usage = "osler data check|stats FILE... [--model DIR [--max_length N]] [--deep]",
    .details = "check prints bad rows with file:line, reason and hint, and ends with status 1 where there is any.",
    .table = TABLE,
    .size = sizeof(DataOpts),
    .run = run,
};
