/*
 * output.h - where a verb's rows go: a file, replaced whole at the end, or stdout.
 *
 *   Output out;
 *   if (output_open(&out, path, err)) return -1;           path NULL or "-": stdout
 *   output_line(&out, &buf);                               the buffer and a line break; buf is empty after
 *   return output_close(&out, rc, err);                    rc != 0: nothing replaces an older file
 */
#ifndef OSLER_CMD_OUTPUT_H
#define OSLER_CMD_OUTPUT_H

#include "base/file.h"

typedef struct Output {
    bool to_file;
    FileWriter w;
} Output;

int output_open(Output *o, const char *path, Err *err);
void output_line(Output *o, Buf *line);
/* Returns rc, or -1 where the output could not be written. */
int output_close(Output *o, int rc, Err *err);

/* Appends "key": and then [1, 2, 3] to a line of JSON. */
void json_append_ints(Buf *b, const char *key, const int *at, int n);

#endif
