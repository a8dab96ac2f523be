/*
 * parquet.h - reading parquet files as Hugging Face datasets, pandas and Spark write them.
 *
 *   Parquet *p = parquet_open("test.parquet", err);
 *   for (int64_t row = 0; row < parquet_rows(p); row++) {
 *       parquet_forget(p);                                  the cells read before are gone
 *       if (parquet_read(p, &cell, row, column, err)) ...   one column of one row, rising rows cost least
 *   }
 *   parquet_close(p);
 *
 * Read are: columns of any nesting (structures, lists, maps, nulls at every level); data pages v1 and v2; the encodings
 * PLAIN, dictionary, RLE, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY and BYTE_STREAM_SPLIT; pages
 * that are not compressed or compressed with snappy, gzip or zstd; checksums are verified.  Not read: encrypted files,
 * the codecs lzo, brotli and lz4, the old BIT_PACKED levels, columns in other files; they give an error that says so.
 *
 * The file is mapped, and of every column that is read one page is held; a cell borrows from it where it can.  Rows may
 * be read in any order: pages that were passed are remembered by the number of their first row, and pages before the
 * wanted one are passed over unread where their headers say how many rows they hold.  Nothing that the file says about
 * sizes is believed without looking.  A Parquet is used by one thread at a time.
 *
 * Source: the format's specification, github.com/apache/parquet-format.
 */
#ifndef OSLER_TABLE_PARQUET_H
#define OSLER_TABLE_PARQUET_H

#include "table/cell.h"

typedef struct Parquet Parquet;

bool parquet_match(const unsigned char *bytes, size_t n);
Parquet *parquet_open(const char *path, Err *err);
/* The bytes are borrowed; `name` stands for the path in messages. */
Parquet *parquet_open_memory(const char *name, const unsigned char *bytes, size_t n, Err *err);
void parquet_close(Parquet *p); /* NULL is fine */

int64_t parquet_rows(const Parquet *p);
int parquet_columns(const Parquet *p);
const char *parquet_column_name(const Parquet *p, int column);

/* A cell lives until parquet_forget or parquet_close. A message names column and row group, not file and row. */
int parquet_read(Parquet *p, Cell *out, int64_t row, int column, Err *err);
void parquet_forget(Parquet *p);

/* The columns with their types, indented by nesting, and how they are stored. */
void parquet_describe(Buf *out, const Parquet *p);

#endif
