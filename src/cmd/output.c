#include "cmd/output.h"

#include <stdio.h>
#include <string.h>

int output_open(Output *o, const char *path, Err *err)
{
    *o = (Output){.to_file = path && strcmp(path, "-")};
    return o->to_file ? file_create(&o->w, path, err) : 0;
}

void output_line(Output *o, Buf *line)
{
    buf_byte(line, '\n');
    if (o->to_file) file_write(&o->w, line->data, line->len);
    else fwrite(line->data, 1, line->len, stdout);
    buf_clear(line);
}

int output_close(Output *o, int rc, Err *err)
{
    if (!o->to_file) return rc; /* main looks after stdout */
    if (rc == 0) return file_commit(&o->w, err);
    file_abandon(&o->w);
    return rc;
}

void json_append_ints(Buf *b, const char *key, const int *at, int n)
{
    buf_printf(b, "\"%s\": [", key);
    for (int i = 0; i < n; i++) buf_printf(b, i ? ", %d" : "%d", at[i]);
    buf_byte(b, ']');
}
