#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/rng.h"
#include "data/readers.h"
#include "data/sample.h"
#include "table/embedded.h"
#include "table/parquet.h"

/* Growth by doubling without a capacity of its own: the array is full where n is 0 or a power of two. */
#define PUSH(array, n, item)                                                                                           \
    do {                                                                                                               \
        if (((n) & ((n)-1)) == 0) (array) = xrealloc((array), (size_t)((n) ? 2 * (n) : 1) * sizeof *(array));          \
        (array)[(n)++] = (item);                                                                                       \
    } while (0)

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* One row: a sample, or a bad row. Takes `row`. Returns whether it was JSON. */
static bool add_row(Dataset *d, RowPlace at, json_t *row, const char *dir, int *layout, Err *why)
{
    Sample s = {.at = at};
    if (row && sample_read(&s, row, dir, layout, why) == 0) PUSH(d->sample, d->n, s);
    else PUSH(d->bad, d->n_bad, bad_row(at, why));
    json_decref(row);
    return row != NULL;
}

int dataset_parse(Dataset *d, const char *path, const char *bytes, size_t n, Err *err)
{
    PUSH(d->file, d->n_files, xstrdup(path));
    const char *name = d->file[d->n_files - 1];
    JsonRows rows;
    if (json_rows_open(&rows, name, bytes, n, err)) return -1;
    char *dir = path_dirname(name);
    json_t *row;
    Err why = {0};
    int rc, layout = -1, first_bad = d->n_bad;
    bool any_json = false;
    while ((rc = json_rows_next(&rows, &row, &why, err)) == 1)
        if (add_row(d, rows.at, row, dir, &layout, &why)) any_json = true;
    free(dir);
    if (rc < 0) return -1;
    if (any_json || rows.at.line == 0) return 0;
    const BadRow *b = &d->bad[first_bad];
    char where[512];
    err_set(err, "%s: %s; no row of the file is valid JSON", row_place(where, sizeof where, b->at), b->reason);
    return err_hint(err, "write one JSON object a line, or one list [...] of objects");
}

/* A row of a table as JSON; pictures in its cells become references to them. */
static json_t *table_row(Table *t, int64_t row, const int *column, Cell *cell, Err *err)
{
    int n = table_columns(t);
    if (table_read(t, row, column, n, cell, err)) return NULL;
    json_t *out = json_object();
    for (int i = 0; i < n; i++) {
        const char *name = table_column_name(t, i);
        bool pictures = embedded_match(&cell[i]), list = pictures && embedded_is_list(&cell[i]);
        json_t *v = pictures ? list ? json_array() : NULL : cell_json(&cell[i], err);
        for (int k = 0; pictures && k < embedded_count(&cell[i]); k++) {
            char *ref = embedded_ref(path_basename(table_path(t)), row, name, k);
            if (list) json_array_append_new(v, json_string(ref));
            else v = json_string(ref);
            free(ref);
        }
        if (v && json_object_set_new(out, name, v) == 0) continue;
        err_context(err, "column %s", name);
        json_decref(out);
        return NULL;
    }
    return out;
}

/* Parquet, CSV and TSV: every row is read as if it were JSON with the columns as keys. */
static int read_table(Dataset *d, Table *t, Err *err)
{
    const char *path = d->file[d->n_files - 1];
    int n = table_columns(t), layout = -1;
    if (table_rows(t) > INT32_MAX / 2) return err_set(err, "%s: that would be too many samples", path);
    int *column = xcalloc((size_t)n + 1, sizeof *column);
    Cell *cell = xcalloc((size_t)n + 1, sizeof *cell);
    for (int i = 0; i < n; i++) column[i] = i;
    char *dir = path_dirname(path);
    for (int64_t row = 0; row < table_rows(t); row++) {
        Err why = {0};
        RowPlace at = table_place(t, row);
        at.file = path;
        add_row(d, at, table_row(t, row, column, cell, &why), dir, &layout, &why);
    }
    free(dir);
    free(cell);
    free(column);
    return 0;
}

static int read_file(Dataset *d, const char *path, Err *err)
{
    FileMap m;
    if (file_map(&m, path, err)) return -1;
    bool delimited = str_ends_with(path, ".csv") || str_ends_with(path, ".tsv");
    int rc = 0;
    if (delimited || parquet_match(m.data, m.size)) {
        PUSH(d->file, d->n_files, xstrdup(path));
        Table *t = table_open_memory(path, (const char *)m.data, m.size, err);
        rc = t ? read_table(d, t, err) : -1;
        table_close(t);
    } else {
        rc = dataset_parse(d, path, (const char *)m.data, m.size, err);
    }
    file_unmap(&m);
    return rc;
}

void dataset_release(Dataset *d)
{
    for (int i = 0; i < d->n; i++) sample_release(&d->sample[i]);
    for (int i = 0; i < d->n_bad; i++) bad_row_release(&d->bad[i]);
    for (int i = 0; i < d->n_files; i++) free(d->file[i]);
    free(d->sample);
    free(d->bad);
    free(d->file);
    *d = (Dataset){0};
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

/* What the end of a file's name asks for: `count` samples, or `share` of them; neither (count -1, share 1): all. */
typedef struct Portion {
    int64_t count;
    double share;
} Portion;

/* Cuts "#500" or "@0.3" off `path`, unless a file has that very name. */
static int cut_portion(Portion *p, char *path, Err *err)
{
    *p = (Portion){.count = -1, .share = 1};
    size_t stem = strlen(path);
    while (stem > 0 && strchr("0123456789.", path[stem - 1])) stem--;
    if (stem < 2 || !path[stem] || (path[stem - 1] != '#' && path[stem - 1] != '@') || file_exists(path)) return 0;
    char *end, *number = path + stem, mark = path[stem - 1];
    if (mark == '#') p->count = strtoll(number, &end, 10);
    else p->share = strtod(number, &end);
    if (*end || p->count == 0 || !(p->share > 0) || p->share > 1e6) {
        err_set(err, "%s: \"%c%s\" is not a usable %s", path, mark, number, mark == '#' ? "number" : "share");
        return err_hint(err, "file#500 takes 500 samples, file@0.3 a share of them, file@2 every sample twice");
    }
    path[stem - 1] = 0;
    return 0;
}

/* chosen[i] = 1 for k of n, every subset equally likely (Knuth, TAOCP 3.4.2, algorithm S). */
static void choose_subset(unsigned char *chosen, int n, int k, uint64_t seed, int file)
{
    Rng r = rng_at(seed, RNG_SUBSET, (uint32_t)file, 0, 0);
    for (int i = 0; i < n; i++) {
        chosen[i] = rng_below(&r, (uint32_t)(n - i)) < (uint32_t)k;
        k -= chosen[i];
    }
}

/* Samples [first, d->n) come from one file: leaves `copies` times all of them and then the chosen ones, in order. */
static void keep_portion(Dataset *d, int first, int copies, int subset, uint64_t seed, int file)
{
    int n = d->n - first;
    unsigned char *chosen = xcalloc((size_t)n, 1);
    choose_subset(chosen, n, subset, seed, file);
    Sample *all = xmalloc((size_t)n * sizeof *all);
    memcpy(all, d->sample + first, (size_t)n * sizeof *all);
    Sample copy;
    for (int c = 1; c < copies; c++)
        for (int i = 0; i < n; i++) {
            sample_copy(&copy, &all[i]);
            PUSH(d->sample, d->n, copy);
        }
    if (copies == 0) d->n = first;
    for (int i = 0; i < n; i++) {
        if (copies == 0 && !chosen[i]) sample_release(&all[i]);
        if (!chosen[i]) continue;
        if (copies == 0) copy = all[i];
        else sample_copy(&copy, &all[i]);
        PUSH(d->sample, d->n, copy);
    }
    free(all);
    free(chosen);
}

static int load_file(Dataset *d, const char *spec, int file, uint64_t seed, Err *err)
{
    Portion want;
    char *path = xstrdup(spec);
    int first = d->n, rc = cut_portion(&want, path, err);
    if (rc == 0) rc = read_file(d, path, err);
    free(path);
    if (rc) return -1;
    int n = d->n - first, copies = (int)want.share, subset = (int)lround((want.share - copies) * n);
    if (want.count >= 0) copies = want.count >= n, subset = copies ? 0 : (int)want.count;
    if ((double)n * want.share > INT32_MAX / 2) return err_set(err, "%s: that would be too many samples", spec);
    if (copies != 1 || subset > 0) keep_portion(d, first, copies, subset, seed, file);
    return 0;
}

int dataset_load(Dataset *d, char *const *files, int n_files, uint64_t seed, Err *err)
{
    *d = (Dataset){0};
    for (int i = 0; i < n_files; i++)
        if (load_file(d, files[i], i, seed, err)) {
            dataset_release(d);
            return -1;
        }
    return 0;
}
