/*
 * table.h - named columns and rows of cells, read from parquet, CSV, TSV, JSON lines or JSON alike.
 *
 *   Table *t = table_open("test-00000-of-00001.parquet", err);
 *   int column[2];
 *   if (table_find(t, "question", &column[0], err) || table_find(t, "answer", &column[1], err)) ...
 *   for (int64_t row = 0; row < table_rows(t); row++) {
 *       Cell cell[2];
 *       if (table_read(t, row, column, 2, cell, err)) return table_context(t, row, err);
 *   }
 *   table_close(t);
 *
 * The first bytes say what a file is: PAR1 parquet, { or [ JSON; everything else is text with a header row, TSV where
 * its name ends in .tsv or has no such ending and the header has a tab, else CSV.  JSON is one object a line, or a list
 * of objects, or one object of objects, whose keys then are the column "key"; its columns are the keys of all rows in
 * the order in which they first occur.  A row that breaks its format's rules is an error, not left out: a benchmark of
 * fewer questions than its file has is a wrong one.
 *
 * Rows may be read in any order (rising costs least).  Cells live until the next table_read or table_close.  A Table is
 * used by one thread at a time.
 */
#ifndef OSLER_TABLE_TABLE_H
#define OSLER_TABLE_TABLE_H

#include "table/cell.h"
#include "table/json_rows.h"

typedef struct Table Table;

Table *table_open(const char *path, Err *err);
/* CSV and TSV without a header row: its columns are called name[0..n). For other files as table_open. */
Table *table_open_headless(const char *path, const char *const *name, int n, Err *err);
/* The bytes are borrowed; `name` stands for the path. */
Table *table_open_memory(const char *name, const char *bytes, size_t n, Err *err);
void table_close(Table *t); /* NULL is fine */

const char *table_path(const Table *t);
int64_t table_rows(const Table *t);
int table_columns(const Table *t);
const char *table_column_name(const Table *t, int column);

/* The column of that name; the error names the nearest, or all there are. */
int table_find(const Table *t, const char *name, int *column, Err *err);
/* The same without an error: -1 where there is none. */
int table_look(const Table *t, const char *name);

/* cell[i] = the row's value in column[i]. The message does not name the place: table_context does. */
int table_read(Table *t, int64_t row, const int *column, int n, Cell *cell, Err *err);
/* Where the row stands, for messages (row_place); it borrows the table's path. */
RowPlace table_place(const Table *t, int64_t row);
/* Puts "f.tsv:12: " or "f.parquet: row 11: " in front of an error about a row. Returns -1. */
int table_context(const Table *t, int64_t row, Err *err);

/* What the file is, its rows and columns. */
void table_describe(Buf *out, const Table *t);

#endif
