#include "weights/verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void describe_shape(Buf *b, const int64_t *dim, int n)
{
    buf_byte(b, '[');
    for (int i = 0; i < n; i++) buf_printf(b, "%s%lld", i ? ", " : "", (long long)dim[i]);
    buf_byte(b, ']');
}

static int check_row(const StTensor *t, const WeightRow *row, const char *name, Err *err)
{
    if (!t) return err_set(err, "tensor \"%s\" is missing", name);
    if (t->n_dims == row->n_dims && !memcmp(t->dim, row->dim, (size_t)row->n_dims * sizeof *row->dim)) return 0;
    Buf want = {0}, got = {0};
    describe_shape(&want, row->dim, row->n_dims);
    describe_shape(&got, t->dim, t->n_dims);
    err_set(err, "tensor \"%s\" has shape %s, expected %s", name, got.data, want.data);
    buf_release(&want);
    buf_release(&got);
    return -1;
}

int weights_match(const SafeTensors *st, const WeightRow *row, int n, NameLayout layout, Err *err)
{
    Map expected = {0};
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++) {
        char *name = names_to_file(layout, row[i].name);
        map_set_str(&expected, name, i);
        rc = check_row(st_find(st, name), &row[i], name, err);
        free(name);
    }
    int64_t unused;
    for (int i = 0; i < st->n && rc == 0; i++)
        if (!map_get_str(&expected, st->tensor[i].name, &unused))
            rc = err_set(err, "tensor \"%.200s\" does not belong to this model", st->tensor[i].name);
    map_release(&expected);
    return rc;
}

int weights_verify(const char *dir, const WeightRow *row, int n, NameLayout layout, Err *err)
{
    SafeTensors st;
    if (st_open_dir(&st, dir, "model", err)) return -1;
    int rc = weights_match(&st, row, n, layout, err);
    st_close(&st);
    return rc ? err_context(err, "%s", dir) : 0;
}
