/* Parquet files that pyarrow wrote (tools/make_parquet_golden.py) against their cells as text, and broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/gzip.h"
#include "table/parquet.h"

#define DIR "tests/data/parquet/"

static void show(Buf *b, const Cell *c)
{
    bool list = c->kind == CELL_LIST;
    if (c->kind == CELL_NULL) buf_str(b, "null");
    else if (c->kind == CELL_REAL) buf_printf(b, "%.17g", c->real);
    else if (c->kind == CELL_TEXT) json_append_str(b, c->text, c->n);
    else if (c->kind == CELL_BYTES) {
        buf_str(b, "{\"b\":\"");
        for (size_t i = 0; i < c->n; i++) buf_printf(b, "%02x", (unsigned)(unsigned char)c->text[i]);
        buf_str(b, "\"}");
    } else if (!list && c->kind != CELL_STRUCT) {
        cell_text(b, c);
    } else {
        buf_byte(b, list ? '[' : '{');
        for (size_t i = 0; i < c->n; i++) {
            if (i) buf_byte(b, ',');
            if (!list) buf_printf(b, "\"%s\":", c->item[i].name);
            show(b, &c->item[i]);
        }
        buf_byte(b, list ? ']' : '}');
    }
}

static void show_row(Buf *b, Parquet *p, int64_t row)
{
    Err err = {0};
    buf_clear(b);
    parquet_forget(p);
    for (int i = 0; i < parquet_columns(p); i++) {
        Cell c;
        if (parquet_read(p, &c, row, i, &err)) fail_msg("%s", err.msg);
        buf_printf(b, "%s\"%s\":", i ? "," : "{", parquet_column_name(p, i));
        show(b, &c);
    }
    buf_byte(b, '}');
}

typedef struct Lines {
    Buf text;
    char *at[64];
    int n;
} Lines;

static Lines read_lines(const char *path)
{
    Lines l = {0};
    Err err = {0};
    if (file_read(&l.text, path, 1 << 20, &err)) fail_msg("%s", err.msg);
    for (char *line = strtok(l.text.data, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(l.n < 64);
        l.at[l.n++] = line;
    }
    return l;
}

/* Forward, backward, and in leaps, so that pages are passed over and come again. */
static void compare_file(const char *path, const Lines *want)
{
    Err err = {0};
    Parquet *p = parquet_open(path, &err);
    if (!p) fail_msg("%s", err.msg);
    assert_int_equal(parquet_rows(p), want->n);
    Buf b = {0};
    for (int order = 0; order < 3; order++)
        for (int i = 0; i < want->n; i++) {
            int row = order == 0 ? i : order == 1 ? want->n - 1 - i : i * 7 % want->n;
            show_row(&b, p, row);
            if (strcmp(b.data, want->at[row])) fail_msg("%s, row %d:\n%s\n%s", path, row, b.data, want->at[row]);
        }
    buf_release(&b);
    parquet_close(p);
}

static void test_every_way_of_storing(void **state)
{
    (void)state;
    Err err = {0};
    char **name;
    int n, compared = 0;
    Lines all = read_lines(DIR "all.jsonl"), few = read_lines(DIR "few.jsonl");
    if (dir_list(DIR, &name, &n, &err)) fail_msg("%s", err.msg);
    for (int i = 0; i < n; i++) {
        bool of_all = !strncmp(name[i], "all_", 4), of_few = !strncmp(name[i], "few_", 4);
        char *path = path_join(DIR, name[i]);
        bool skip = (!HAVE_SNAPPY && strstr(name[i], "snappy")) || (!HAVE_SNAPPY && strstr(name[i], "checked")) ||
                    (!HAVE_ZSTD && (strstr(name[i], "zstd") || strstr(name[i], "delta"))) ||
                    (!HAVE_ZLIB && strstr(name[i], "gzip"));
        if (str_ends_with(path, ".parquet") && (of_all || of_few) && !skip) {
            compare_file(path, of_all ? &all : &few);
            compared++;
        }
        free(path);
        free(name[i]);
    }
    free(name);
    assert_true(compared >= 4);
    if (HAVE_SNAPPY && HAVE_ZSTD && HAVE_ZLIB) assert_int_equal(compared, 19);
    buf_release(&all.text);
    buf_release(&few.text);
}

static void test_no_rows(void **state)
{
    (void)state;
    Err err = {0};
    Cell c;
    Parquet *p = parquet_open(DIR "empty.parquet", &err);
    assert_non_null(p);
    assert_int_equal(parquet_rows(p), 0);
    assert_string_equal(parquet_column_name(p, 0), "flag");
    assert_int_equal(parquet_read(p, &c, 0, 0, &err), -1);
    assert_non_null(strstr(err.msg, "there are only 0 rows"));
    parquet_close(p);
}

static void test_describe(void **state)
{
    (void)state;
    Err err = {0};
    Buf b = {0};
    Parquet *p = parquet_open(DIR "few_gzip_v1_dict.parquet", &err);
    assert_non_null(p);
    parquet_describe(&b, p);
    assert_non_null(strstr(b.data, "parquet, 24 rows in 2 row groups, 6 columns\n"));
    assert_non_null(strstr(b.data, "  images                       list of structure\n    bytes"));
    assert_non_null(strstr(b.data, "  words                        list of text          gzip PLAIN RLE"));
    buf_release(&b);
    parquet_close(p);
}

static void test_unread_codec(void **state)
{
    (void)state;
    Err err = {0};
    Cell c;
    Parquet *p = parquet_open(DIR "brotli.parquet", &err);
    assert_non_null(p);
    assert_int_equal(parquet_read(p, &c, 0, 0, &err), -1);
    assert_string_equal(err.msg, "column text, row group 0: compressed with brotli, which Osler "
                                 "does not read");
    assert_non_null(strstr(err.hint, "zstd"));
    parquet_close(p);
}

/* Opens n bytes and reads every cell; the number of rows that could be read, -1 where it cannot be opened. */
static int read_all(const unsigned char *bytes, size_t n, Err *err)
{
    int rows = 0;
    Parquet *p = parquet_open_memory("broken", bytes, n, err);
    if (!p) return -1;
    for (int64_t row = 0; row < parquet_rows(p) && row < 100; row++) {
        int bad = 0;
        parquet_forget(p);
        for (int i = 0; i < parquet_columns(p); i++) {
            Cell c;
            Err why = {0};
            if (parquet_read(p, &c, row, i, &why) == 0) continue;
            *err = why;
            bad = 1;
        }
        rows += !bad;
    }
    parquet_close(p);
    return rows;
}

static void test_cut_short(void **state)
{
    (void)state;
    Err err = {0};
    FileMap m;
    assert_int_equal(file_map(&m, DIR "all_none_v1_dict.parquet", &err), 0);
    for (size_t n = 0; n < m.size; n += 1 + n / 50) {
        err_clear(&err);
        assert_int_equal(read_all(m.data, n, &err), -1);
        assert_true(err.msg[0]);
    }
    err_clear(&err);
    assert_int_equal(read_all(m.data, 200, &err), -1);
    assert_string_equal(err.msg, "broken: a parquet file without its end");
    file_unmap(&m);
}

/* A byte that differs in a page with checksums is found; anywhere else it is survived. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    if (!HAVE_SNAPPY || !HAVE_ZLIB) skip();
    Err err = {0};
    Buf b = {0};
    assert_int_equal(file_read(&b, DIR "all_checked.parquet", 1 << 20, &err), 0);
    int damaged = 0;
    for (size_t at = 4; at < b.len; at += 61) {
        b.data[at] ^= 0x55;
        err_clear(&err);
        damaged += read_all((unsigned char *)b.data, b.len, &err) < 24;
        b.data[at] ^= 0x55;
    }
    assert_true(damaged > 50);
    const char *page = memmem(b.data, b.len, "heart", 5);
    assert_non_null(page);
    b.data[page - b.data] ^= 1;
    err_clear(&err);
    assert_true(read_all((unsigned char *)b.data, b.len, &err) < 24);
    if (!strstr(err.msg, "checksum")) fail_msg("%s", err.msg);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_of_storing),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_unread_codec),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
