/*
 * cell.h - one value of a table, whatever file it came from.
 *
 *   cell kind      parquet                                        CSV, TSV               JSON
 *   CELL_NULL      null                                           an empty field         null, or the key is absent
 *   CELL_BOOL      boolean                                        -                      true, false
 *   CELL_INT       integers; dates, times: their number           -                      a number without a point
 *   CELL_REAL      float, double, decimal; unsigned from 2^63 on  -                      a number with one
 *   CELL_TEXT      byte array that is marked as text              every other field      string
 *   CELL_BYTES     any other byte array                           -                      -
 *   CELL_LIST      LIST, repeated field; MAP: of {key, value}     -                      array
 *   CELL_STRUCT    group                                          -                      object
 *
 * A Cell owns nothing: its bytes, items and names lie in its table and are gone with the next row that is read from it.
 * Text is not NUL-terminated and need not be valid UTF-8.
 *
 *   const Cell *path = cell_field(&cell, "path");           NULL where there is no such field
 *   int64_t label;
 *   if (cell_int(&label, &cell, err)) ...                   also from text that is a number
 */
#ifndef OSLER_TABLE_CELL_H
#define OSLER_TABLE_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"

typedef enum CellKind {
    CELL_NULL,
    CELL_BOOL,
    CELL_INT,
    CELL_REAL,
    CELL_TEXT,
    CELL_BYTES,
    CELL_LIST,
    CELL_STRUCT
} CellKind;
const char *cell_kind_name(CellKind k); /* "null", "true or false", "an integer", ... */

typedef struct Cell {
    CellKind kind;
    const char *name; /* of a structure's field, else NULL */
    size_t n;         /* bytes of text, items of a list, fields of a structure */
    union {
        int64_t i; /* CELL_BOOL and CELL_INT */
        double real;
        const char *text; /* CELL_TEXT and CELL_BYTES */
        struct Cell *item;
    };
} Cell;

/* The field of that name of a structure; NULL for other cells. */
const Cell *cell_field(const Cell *c, const char *name);
/* A whole number: of an integer, a real one without a fraction, true or false (1, 0), or text that is one. */
int cell_int(int64_t *out, const Cell *c, Err *err);
int cell_real(double *out, const Cell *c, Err *err);
/* Appends text as it is, numbers as digits, null as nothing, lists and structures as JSON. */
void cell_text(Buf *out, const Cell *c);
/* The same as a fresh string; text ends at its first NUL. */
char *cell_str(const Cell *c);
/* A new value, null for inf and nan; NULL for bytes and for text that is not UTF-8, with the place in the message. */
json_t *cell_json(const Cell *c, Err *err);
/* Makes a cell of a value, which must outlive it; lists and structures lie in `a`. */
int cell_from_json(Cell *c, const json_t *v, Arena *a, Err *err);

/* The memory of one row, in an arena that must have room for CELL_MAX_BYTES. NULL beyond that. */
#define CELL_MAX_BYTES ((size_t)256 << 20)
void *cell_alloc(Arena *a, size_t n, Err *err);

/* A list that grows: zero at first. */
typedef struct CellList {
    Cell *item;
    size_t n, cap;
} CellList;
int cell_list_add(CellList *l, Cell c, Arena *a, Err *err);

#endif
