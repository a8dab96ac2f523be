/* Any bytes as a parquet file: cells are read or reported, in any order, and what is read twice is the same. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "table/parquet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches every byte of a cell. */
static uint64_t hash_cell(uint64_t h, const Cell *c, int depth)
{
    CHECK(depth < 200, "a cell of depth %d", depth);
    unsigned char bits[sizeof c->i];
    memcpy(bits, &c->i, sizeof bits);
    h = (h ^ (uint64_t)c->kind) * 31 + (c->kind == CELL_NULL ? 0 : c->n);
    if (c->kind == CELL_BOOL || c->kind == CELL_INT || c->kind == CELL_REAL)
        for (size_t i = 0; i < sizeof bits; i++) h = h * 31 + bits[i];
    if (c->kind == CELL_TEXT || c->kind == CELL_BYTES)
        for (size_t i = 0; i < c->n; i++) h = h * 31 + (unsigned char)c->text[i];
    for (size_t i = 0; (c->kind == CELL_LIST || c->kind == CELL_STRUCT) && i < c->n; i++)
        h = hash_cell(h, &c->item[i], depth + 1);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { ROWS = 32, COLUMNS = 40 };
    static uint64_t seen[COLUMNS][ROWS];
    Err err = {0};
    Parquet *p = parquet_open_memory("fuzz.parquet", data, size, &err);
    CHECK(!p == (err.msg[0] != 0), "return value and message disagree");
    if (!p) return 0;
    Buf b = {0};
    parquet_describe(&b, p);
    buf_release(&b);
    int64_t rows = parquet_rows(p) < ROWS ? parquet_rows(p) : ROWS;
    int columns = parquet_columns(p) < COLUMNS ? parquet_columns(p) : COLUMNS;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t k = 0; k < rows; k++) {
            int64_t row = pass ? rows - 1 - k : k;
            parquet_forget(p);
            for (int i = 0; i < columns; i++) {
                Cell c;
                err_clear(&err);
                int rc = parquet_read(p, &c, row, i, &err);
                CHECK((rc == 0) == (err.msg[0] == 0), "return value and message disagree");
                uint64_t h = rc ? 0 : hash_cell(1, &c, 0) | 1;
                if (pass && h && seen[i][row]) CHECK(h == seen[i][row], "row %d of column %d has changed", (int)row, i);
                seen[i][row] = h;
            }
        }
    parquet_close(p);
    return 0;
}
