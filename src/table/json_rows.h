/*
 * json_rows.h - the rows of a JSONL file or of a JSON array, one at a time.
 *
 * The first byte decides, not the file's name: `[` opens an array whose elements are the rows, `{` begins JSON lines.
 * A byte-order mark, CRLF and blank lines are fine.  An array is cut at its commas before anything is parsed, so a file
 * of any size needs the memory of one row, and one malformed row leaves its neighbours readable.
 *
 *   JsonRows rows;
 *   if (json_rows_open(&rows, path, text, n, err)) return -1;
 *   while ((rc = json_rows_next(&rows, &row, &why, err)) == 1)
 *       row ? use(row) : report(rows.at, &why);             json_decref(row) when done
 *
 * `path` and `text` are borrowed and must outlive the JsonRows, which owns nothing.
 */
#ifndef OSLER_TABLE_JSON_ROWS_H
#define OSLER_TABLE_JSON_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/* Where a row stands. In a JSONL file `line` and `text_line` are the same. */
typedef struct RowPlace {
    const char *file; /* borrowed */
    int line;      /* line of a JSONL file (from 1); element of a JSON array (from 1); row of a parquet file (from 0) */
    int text_line; /* line of the text (from 1) where the row begins; 0: the file is not text */
} RowPlace;
/* "data.jsonl:12", in an array "data.json:57 (element 3)", of parquet "data.parquet: row 11"; returns out. */
char *row_place(char *out, size_t n, RowPlace at);

/* How the text of a row is parsed. */
#define JSON_ROW_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

typedef struct JsonRows {
    RowPlace at;      /* of the row that json_rows_next gave last */
    const char *text; /* its n bytes */
    size_t n;
    const char *p, *end;
    int text_line; /* of p */
    bool array, closed;
} JsonRows;

/* Error where the text is empty or begins like neither layout. */
int json_rows_open(JsonRows *r, const char *path, const char *text, size_t n, Err *err);
/*
 * 1: a row, in *row; NULL where it is not valid JSON, and then `why` says what is wrong with it.  0: no more rows.
 * -1: the file as a whole is broken (an array without its end).
 */
int json_rows_next(JsonRows *r, json_t **row, Err *why, Err *err);

#endif
