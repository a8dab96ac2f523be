/* Any bytes as a CSV, TSV or JSON table: rows are read or reported, and pictures in their cells counted and taken. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "table/embedded.h"
#include "table/quoted_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_cell(const Cell *c)
{
    Err err = {0};
    int64_t i;
    double real;
    size_t n;
    char *text = cell_str(c);
    if (cell_int(&i, c, &err) == 0) CHECK(cell_real(&real, c, &err) == 0, "whole, but no number: %s", text);
    err_clear(&err);
    json_t *v = cell_json(c, &err);
    CHECK(!v == (err.msg[0] != 0), "value and message disagree");
    json_decref(v);
    CHECK(embedded_count(c) >= 0, "a negative count");
    if (embedded_match(c)) CHECK(embedded_count(c) > 0, "pictures, but none");
    if (c->kind == CELL_TEXT) free(base64_decode(c->text, c->n, &n, &err));
    free(text);
}

static void use_table(const char *name, const uint8_t *data, size_t size)
{
    enum { ROWS = 50, COLUMNS = 20 };
    Err err = {0};
    int column[COLUMNS];
    Cell cell[COLUMNS];
    Table *t = table_open_memory(name, (const char *)data, size, &err);
    CHECK(!t == (err.msg[0] != 0), "return value and message disagree");
    int n = t ? table_columns(t) : 0;
    for (int i = 0; i < n && i < COLUMNS; i++) column[i] = i;
    if (n > COLUMNS) n = COLUMNS;
    for (int64_t row = t ? table_rows(t) : 0; row-- > 0;) {
        if (row > ROWS) row = ROWS;
        err_clear(&err);
        CHECK(table_place(t, row).file != NULL, "no place");
        if (table_read(t, row, column, n, cell, &err)) continue;
        for (int i = 0; i < n; i++) use_cell(&cell[i]);
    }
    table_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    QuotedList l = quoted_list((const char *)data, size);
    Buf item = {0};
    while (quoted_list_next(&l, &item) == 1) continue;
    buf_release(&item);
    use_table("fuzz.csv", data, size);
    use_table("fuzz.tsv", data, size);
    return 0;
}
