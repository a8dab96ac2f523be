/*
 * delimited.h - CSV and TSV text (RFC 4180): where the rows are, and one row's fields.
 *
 *   Delimited d = {.name = path, .text = text, .n = n, .separator = ','};
 *   if (delimited_find_rows(&d, err)) ...                    d.row.at[0] is the header row
 *   if (delimited_read(&d, k, &fields, &arena, err)) ...     the fields of row k as cells
 *   delimited_release(&d);
 *
 * A row ends at LF, CRLF or CR outside of quotes; rows without any character are passed over, a byte-order mark too.  A
 * field that begins with a quote ends with one, and "" stands for a quote in it; other fields are taken as they are,
 * white space and quotes included.  An empty field is CELL_NULL, every other CELL_TEXT, lying in the text where it can.
 * Fields may be of any length.  The text is borrowed.
 */
#ifndef OSLER_TABLE_DELIMITED_H
#define OSLER_TABLE_DELIMITED_H

#include "table/cell.h"

typedef struct DelimitedRow {
    size_t at;
    int64_t line; /* of the text, from 1 */
} DelimitedRow;

typedef struct Delimited {
    const char *name, *text;
    size_t n;
    char separator;
    VEC(DelimitedRow) row;
} Delimited;

/* Error where a quoted field has no end. */
int delimited_find_rows(Delimited *d, Err *err);
/* `fields` is filled anew; a message does not name the place. Cells live as long as the text and `a`. */
int delimited_read(const Delimited *d, int row, CellList *fields, Arena *a, Err *err);
void delimited_release(Delimited *d);

#endif
