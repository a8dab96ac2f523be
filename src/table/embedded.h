/*
 * embedded.h - pictures that lie in the cells of a table, or are named there.
 *
 * A cell holds a picture as
 *   bytes                     alone, or as field "bytes" of a structure (Hugging Face's Image: {bytes, path})
 *   text                      base64, as VLMEvalKit's TSV files have it, also with "data:image/png;base64," in front
 *   a path                    text that is no base64, or field "path" where there are no bytes: beside the table
 * or as a list of these; text that is a list, "['...', '...']", counts as one.
 *
 *   Embedded e;
 *   if (embedded_get(&e, "test.parquet", 12, "image", 0, err)) ...
 *   e.bytes, e.n                                            or e.path where the picture is a file of its own
 *   embedded_put(&e);
 *
 * Tables stay open between calls, in as many copies as there are threads that read them, and each keeps its page, so
 * that pictures cost one decompression where they are read in order.  A table whose file has changed is opened anew.
 * All functions are thread-safe.
 */
#ifndef OSLER_TABLE_EMBEDDED_H
#define OSLER_TABLE_EMBEDDED_H

#include "table/table.h"

typedef struct Embedded {
    const unsigned char *bytes; /* NULL where `path` is given */
    size_t n;
    char *path;
    unsigned char *own;
    struct OpenTable *table;
} Embedded;

int embedded_get(Embedded *e, const char *path, int64_t row, const char *column, int item, Err *err);
void embedded_put(Embedded *e);
/* Closes every table that is not in use. */
void embedded_clear(void);

/* Whether a cell can only be a picture: bytes, a structure with bytes, long base64, or a list of those. */
bool embedded_match(const Cell *c);
/* How many pictures a cell holds; 0 for null. */
int embedded_count(const Cell *c);
bool embedded_is_list(const Cell *c);
/* "file#row=R&column=C[&item=K]", what the image functions read: a fresh string. */
char *embedded_ref(const char *file, int64_t row, const char *column, int item);

#endif
