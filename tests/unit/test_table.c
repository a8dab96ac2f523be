/* Tables of every kind of file: columns, rows, cells, pictures in cells, and what is wrong with broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/json.h"
#include "data/sample.h"
#include "image/image.h"
#include "scratch.h"
#include "table/embedded.h"
#include "table/quoted_list.h"

#define DIR "tests/data/parquet/"

static Table *open_text(const char *name, const char *text)
{
    Err err = {0};
    Table *t = table_open_memory(name, text, strlen(text), &err);
    if (!t) fail_msg("%s", err.msg);
    return t;
}

/* All of a row's cells as text with '|' between them; null as "-". */
static void expect_row(Table *t, int64_t row, const char *want)
{
    Err err = {0};
    Cell cell[16];
    int column[16], n = table_columns(t);
    for (int i = 0; i < n; i++) column[i] = i;
    if (table_read(t, row, column, n, cell, &err)) fail_msg("%s", err.msg);
    Buf b = {0};
    for (int i = 0; i < n; i++) {
        if (i) buf_byte(&b, '|');
        if (cell[i].kind == CELL_NULL) buf_byte(&b, '-');
        else cell_text(&b, &cell[i]);
    }
    assert_string_equal(b.data, want);
    buf_release(&b);
}

static void expect_open_error(const char *name, const char *text, const char *want)
{
    Err err = {0};
    assert_null(table_open_memory(name, text, strlen(text), &err));
    if (!strstr(err.msg, want)) fail_msg("%s", err.msg);
}

static void expect_row_error(const char *name, const char *text, int64_t row, const char *want)
{
    Err err = {0};
    Cell cell;
    Table *t = open_text(name, text);
    assert_int_equal(table_read(t, row, &(int){0}, 1, &cell, &err), -1);
    table_context(t, row, &err);
    if (!strstr(err.msg, want)) fail_msg("%s", err.msg);
    table_close(t);
}

static void test_csv(void **state)
{
    (void)state;
    Table *t = open_text("a.csv", "\xef\xbb\xbfid,\"the question\",answer\r\n"
                                  "1,\"one, two\",\"say \"\"yes\"\"\"\r\n"
                                  "\r\n"
                                  "2,\"two\r\nlines\",\r\n"
                                  "3, spaced ,5\" wide\r\n"
                                  "4,\"\",last");
    assert_int_equal(table_columns(t), 3);
    assert_int_equal(table_rows(t), 4);
    assert_string_equal(table_column_name(t, 1), "the question");
    expect_row(t, 3, "4|-|last");
    expect_row(t, 0, "1|one, two|say \"yes\"");
    expect_row(t, 1, "2|two\r\nlines|-");
    expect_row(t, 2, "3| spaced |5\" wide");
    assert_int_equal(table_place(t, 0).text_line, 2);
    assert_int_equal(table_place(t, 1).text_line, 4);
    assert_int_equal(table_place(t, 2).text_line, 6);
    table_close(t);
    t = open_text("mac.csv", "a,b\r1,2\r3,4\r");
    assert_int_equal(table_rows(t), 2);
    expect_row(t, 1, "3|4");
    table_close(t);
}

static void test_tsv(void **state)
{
    (void)state;
    Table *t = open_text("a.tsv", "index\tquestion\tA\n0\tone, \"two\"\tyes\n1\t\"tab\there\"\t\n");
    expect_row(t, 0, "0|one, \"two\"|yes");
    expect_row(t, 1, "1|tab\there|-");
    table_close(t);
    t = open_text("without an ending", "a\tb\n1\t2\n");
    assert_int_equal(table_columns(t), 2);
    table_close(t);
    t = open_text("commas.tsv", "a,b\n1,2\n");
    assert_int_equal(table_columns(t), 1);
    table_close(t);
}

/* VLMEvalKit's files have pictures of megabytes in one field. */
static void test_long_field(void **state)
{
    (void)state;
    enum { LONG = 3 << 20 };
    Buf b = {0};
    buf_str(&b, "index\timage\tanswer\n0\t");
    for (int i = 0; i < LONG / 4; i++) buf_add(&b, "AbC+", 4);
    buf_str(&b, "\tB\n");
    Err err = {0};
    Cell cell[2];
    Table *t = table_open_memory("long.tsv", b.data, b.len, &err);
    assert_non_null(t);
    assert_int_equal(table_read(t, 0, (int[]){2, 1}, 2, cell, &err), 0);
    assert_int_equal(cell[1].n, LONG);
    assert_true(cell[1].text == b.data + strlen("index\timage\tanswer\n0\t"));
    assert_true(cell[0].n == 1 && *cell[0].text == 'B');
    assert_true(embedded_match(&cell[1]) && !embedded_match(&cell[0]));
    table_close(t);
    buf_release(&b);
}

static void test_broken_text(void **state)
{
    (void)state;
    expect_open_error("x.csv", "", "x.csv: the file is empty");
    expect_open_error("x.csv", "a,a\n", "two columns are called \"a\"");
    expect_open_error("x.csv", "a,b\n1,2\n3,\"open\n5,6\n",
                      "x.csv:3: a field begins with a quote that is never closed");
    expect_row_error("x.csv", "a,b\n\"1\"2,3\n", 0, "x.csv:2: there is text behind the closing quote");
    expect_row_error("x.csv", "a,b\n\n1,2,3\n", 0, "x.csv:3: 3 fields for 2 columns");
    expect_row_error("x.csv", "a,b\n1\n", 0, "x.csv:2: 1 fields for 2 columns");
    expect_row_error("x.csv", "a,b\n1,2\n", 1, "x.csv: row 1: there are only 1 rows");
    expect_open_error("x.jsonl", "{\"a\":1}\n{\"a\":\n", "x.jsonl:2: not valid JSON");
    expect_open_error("x.json", "[{\"a\":1},[2]]", "x.json:1 (element 2): a row must be an object, got array");
    expect_open_error("x.json", "[{\"a\":1}", "has no end");
}

static void test_headless(void **state)
{
    (void)state;
    static const char *const NAME[] = {"question", "A", "answer"};
    Err err = {0};
    char *dir = scratch_new(), *path = path_join(dir, "mmlu.csv");
    assert_int_equal(file_save(path, "Which?,left,A\nWhat?,right,B\n", 28, &err), 0);
    Table *t = table_open_headless(path, NAME, 3, &err);
    assert_non_null(t);
    assert_int_equal(table_rows(t), 2);
    assert_int_equal(table_look(t, "answer"), 2);
    expect_row(t, 0, "Which?|left|A");
    assert_int_equal(table_place(t, 1).text_line, 2);
    table_close(t);
    free(path);
    scratch_free(dir);
}

static void test_json(void **state)
{
    (void)state;
    Table *t = open_text("a.jsonl",
                         "{\"q\":\"x\",\"n\":3}\n\n{\"n\":0.5,\"options\":{\"A\":\"left\",\"B\":null},\"ok\":true}\n");
    assert_int_equal(table_rows(t), 2);
    assert_int_equal(table_columns(t), 4);
    expect_row(t, 1, "-|0.5|{\"A\": \"left\", \"B\": null}|true");
    expect_row(t, 0, "x|3|-|-");
    assert_int_equal(table_place(t, 1).text_line, 3);
    Cell c;
    Err err = {0};
    assert_int_equal(table_read(t, 1, &(int){2}, 1, &c, &err), 0);
    assert_true(cell_field(&c, "A")->kind == CELL_TEXT && !cell_field(&c, "C"));
    table_close(t);
    t = open_text("a.json", " [ {\"a\": [1, \"]\", null]}, {\"a\": []} ]");
    expect_row(t, 0, "[1, \"]\", null]");
    expect_row(t, 1, "[]");
    table_close(t);
}

/* PubMedQA's layout, on many lines and on one. */
static void test_keyed_json(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "{\n \"17\": {\"QUESTION\": \"a?\"},\n \"x\": {\"QUESTION\": \"b?\", \"YEAR\": 1}\n}\n",
        "{\"17\": {\"QUESTION\": \"a?\"}, \"x\": {\"QUESTION\": \"b?\", \"YEAR\": 1}}"};
    for (int i = 0; i < 2; i++) {
        Table *t = open_text("ori_pqal.json", TEXT[i]);
        assert_int_equal(table_rows(t), 2);
        assert_string_equal(table_column_name(t, 0), "key");
        expect_row(t, 0, "17|a?|-");
        expect_row(t, 1, "x|b?|1");
        table_close(t);
    }
}

static void test_find(void **state)
{
    (void)state;
    Err err = {0};
    int column;
    Table *t = open_text("a.csv", "question,answer\n");
    assert_int_equal(table_rows(t), 0);
    assert_int_equal(table_find(t, "answer", &column, &err), 0);
    assert_int_equal(column, 1);
    assert_int_equal(table_find(t, "questoin", &column, &err), -1);
    assert_string_equal(err.msg, "a.csv: there is no column \"questoin\"");
    assert_string_equal(err.hint, "did you mean \"question\"?");
    err_clear(&err);
    assert_int_equal(table_find(t, "image", &column, &err), -1);
    assert_string_equal(err.hint, "its columns are question, answer");
    table_close(t);
}

static Cell text_cell(const char *s)
{
    return (Cell){.kind = CELL_TEXT, .text = s, .n = strlen(s)};
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t whole;
        bool is_whole, is_number;
    } CASE[] = {{"7", 7, true, true},    {" -12 ", -12, true, true}, {"3.0", 3, true, true},
                {"2.5", 0, false, true}, {"1e3", 1000, true, true},  {"", 0, false, false},
                {"B", 0, false, false},  {"1e300", 0, false, true},  {"7 8", 0, false, false},
                {"nan", 0, false, true}};
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Err err = {0};
        int64_t whole = 0;
        double real;
        const Cell c = text_cell(CASE[i].text);
        assert_int_equal(cell_int(&whole, &c, &err), CASE[i].is_whole ? 0 : -1);
        if (CASE[i].is_whole) assert_true(whole == CASE[i].whole);
        else assert_non_null(strstr(err.msg, "must be a whole number, got \""));
        err_clear(&err);
        assert_int_equal(cell_real(&real, &c, &err), CASE[i].is_number ? 0 : -1);
    }
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
    } CASE[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm8", "fo"}, {"Zm\r\n9v", "foo"}, {"Zm9vYmFy", "foobar"}};
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Err err = {0};
        size_t n;
        unsigned char *out = base64_decode(CASE[i].text, strlen(CASE[i].text), &n, &err);
        assert_non_null(out);
        assert_int_equal(n, strlen(CASE[i].bytes));
        assert_memory_equal(out, CASE[i].bytes, n);
        free(out);
    }
    static const char *const BROKEN[] = {"Z", "Zm9v!", "Zg==Zg", "a.png"};
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        Err err = {0};
        size_t n;
        assert_null(base64_decode(BROKEN[i], strlen(BROKEN[i]), &n, &err));
        assert_non_null(strstr(err.msg, "not base64"));
    }
}

static void test_quoted_list(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } CASE[] = {{"['Yes', \"Don't\", 3, None]", "Yes|Don't|3|None|0"},
                {"[\"a\\\"b\", 'c\\'d', 'e\\\\', 'two\\nlines']", "a\"b|c'd|e\\|two\nlines|0"},
                {" [ '\\u00b5', '\\xb5' , '\\ud83d\\ude00'] ", "\xc2\xb5|\xc2\xb5|\xf0\x9f\x98\x80|0"},
                {"[]", "0"},
                {"['open", "-1"},
                {"['a' 'b']", "a|-1"},
                {"['a']x", "a|-1"},
                {"no list", "-1"},
                {"", "-1"}};
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        QuotedList l = quoted_list(CASE[i].text, strlen(CASE[i].text));
        Buf item = {0}, all = {0};
        int rc;
        while ((rc = quoted_list_next(&l, &item)) == 1) buf_printf(&all, "%s|", item.data);
        buf_printf(&all, "%d", rc);
        assert_string_equal(all.data, CASE[i].want);
        buf_release(&item);
        buf_release(&all);
    }
}

static void expect_picture(const char *ref, int w, int h, int64_t sum)
{
    Err err = {0};
    Image im;
    int got_w, got_h;
    if (image_size(&got_w, &got_h, ref, &err) || image_load(&im, ref, &err)) fail_msg("%s", err.msg);
    assert_true(got_w == w && got_h == h && im.w == w && im.h == h);
    for (int i = 0; i < 3 * w * h; i++) sum -= im.rgb[i];
    assert_int_equal(sum, 0);
    image_release(&im);
}

static void expect_no_picture(const char *ref, const char *want)
{
    Err err = {0};
    Image im;
    assert_int_equal(image_load(&im, ref, &err), -1);
    if (!strstr(err.msg, want)) fail_msg("%s", err.msg);
}

static void test_pictures_in_parquet(void **state)
{
    (void)state;
    if (!HAVE_SNAPPY || !HAVE_PNG) skip();
    Err err = {0};
    Table *t = table_open(DIR "pictures.jsonl", &err);
    assert_non_null(t);
    assert_int_equal(table_rows(t), 7);
    for (int64_t row = 0; row < table_rows(t); row++) {
        Cell c[4];
        assert_int_equal(table_read(t, row, (int[]){0, 1, 2, 3}, 4, c, &err), 0);
        char *name = cell_str(&c[0]), *ref = path_join(DIR, name);
        expect_picture(ref, (int)c[2].i, (int)c[3].i, c[1].i);
        free(name);
        free(ref);
    }
    table_close(t);
    expect_no_picture(DIR "pictures.parquet#row=2&column=figure", "row 2: column figure: there is no picture but null");
    expect_no_picture(DIR "pictures.parquet#row=1&column=images", "item 0 of 0");
    expect_no_picture(DIR "pictures.parquet#row=2&column=images&item=3", "item 3 of 3");
    expect_no_picture(DIR "pictures.parquet#row=4&column=images", "row 4: there are only 4 rows");
    expect_no_picture(DIR "pictures.parquet#row=0&column=image", "there is no column \"image\"");
    expect_no_picture(DIR "pictures.parquet#row=0&column=figure&frame=1", "a PNG file takes no 'frame'");
    expect_no_picture(DIR "pictures.parquet#row=0", "a cell of a table needs both row and column");
    expect_no_picture(DIR "pictures.parquet", "not a picture");
    embedded_clear();
}

/* The row of a dataset and its pictures, as generate, score and train see them. */
static void test_samples_from_parquet(void **state)
{
    (void)state;
    if (!HAVE_SNAPPY || !HAVE_PNG) skip();
    Err err = {0};
    Dataset d;
    char *file = DIR "pictures.parquet";
    if (dataset_load(&d, &file, 1, 1, &err)) fail_msg("%s", err.msg);
    assert_int_equal(d.n, 4);
    assert_int_equal(d.n_bad, 0);
    assert_int_equal(d.sample[0].n_images, 1);
    assert_int_equal(d.sample[1].n_images, 0);
    assert_int_equal(d.sample[2].n_images, 3);
    assert_string_equal(d.sample[2].images[1], DIR "pictures.parquet#row=2&column=images&item=1");
    assert_string_equal(d.sample[2].msg[1].content, "C");
    char where[100];
    assert_string_equal(row_place(where, sizeof where, d.sample[2].at), DIR "pictures.parquet: row 2");
    int w, h;
    assert_int_equal(image_size(&w, &h, d.sample[2].images[2], &err), 0);
    assert_true(w == 6 && h == 10);
    dataset_release(&d);
    embedded_clear();
}

static void test_pictures_in_tsv(void **state)
{
    (void)state;
    if (!HAVE_PNG) skip();
    Err err = {0};
    Buf png = {0}, code = {0}, tsv = {0};
    assert_int_equal(file_read(&png, DIR "beside.png", 1 << 20, &err), 0);
    base64_encode(&code, (unsigned char *)png.data, png.len);
    char *dir = scratch_new(), *path = path_join(dir, "bench.tsv"), *beside = path_join(dir, "own.png");
    buf_printf(&tsv, "index\ta&b\tproblem\tanswer\n0\t%s\tWhat?\tA\n1\t\"['%s', '%s']\"\tWhich?\tB\n", code.data,
               code.data, code.data);
    buf_printf(&tsv, "2\t\"data:image/png;base64,%s\"\tWhat?\tA\n3\town.png\tWhat?\tA\n4\t\tWhat?\tA\n", code.data);
    assert_int_equal(file_save(path, tsv.data, tsv.len, &err), 0);
    assert_int_equal(file_save(beside, png.data, png.len, &err), 0);
    static const char *const FRAGMENT[] = {"#row=0&column=a%26b", "#column=a%26b&row=1", "#row=1&column=a%26b&item=1",
                                           "#row=2&column=a%26b", "#row=3&column=a%26b"};
    for (int i = 0; i < 5; i++) {
        char *ref = xasprintf("%s%s", path, FRAGMENT[i]);
        expect_picture(ref, 6, 11, 13563);
        free(ref);
    }
    char *made = embedded_ref(path, 1, "a&b", 1), *none = embedded_ref(path, 4, "a&b", 0);
    expect_picture(made, 6, 11, 13563);
    expect_no_picture(none, "bench.tsv:6: column a&b: there is no picture but null");
    /* Another file in its place is another table. */
    assert_int_equal(file_save(path, "a&b\nx\n", 6, &err), 0);
    expect_no_picture(made, "there are only 1 rows");
    embedded_clear();
    free(made);
    free(none);
    free(beside);
    free(path);
    scratch_free(dir);
    buf_release(&png);
    buf_release(&code);
    buf_release(&tsv);
}

static void test_samples_from_csv(void **state)
{
    (void)state;
    Err err = {0};
    Dataset d;
    char *dir = scratch_new(), *path = path_join(dir, "a.csv");
    const char *text = "instruction,output,score\nWhat?,This.,1.5\n\"Two\nlines?\",\"Yes, they are.\",\n,Nothing,\n";
    assert_int_equal(file_save(path, text, strlen(text), &err), 0);
    if (dataset_load(&d, &path, 1, 1, &err)) fail_msg("%s", err.msg);
    assert_int_equal(d.n, 2);
    assert_int_equal(d.n_bad, 1);
    assert_string_equal(d.sample[1].msg[0].content, "Two\nlines?");
    assert_string_equal(d.sample[1].msg[1].content, "Yes, they are.");
    assert_int_equal(d.sample[1].at.line, 3);
    assert_int_equal(d.bad[0].at.line, 5);
    dataset_release(&d);
    free(path);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_tsv),
        cmocka_unit_test(test_long_field),
        cmocka_unit_test(test_broken_text),
        cmocka_unit_test(test_headless),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_keyed_json),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_quoted_list),
        cmocka_unit_test(test_pictures_in_parquet),
        cmocka_unit_test(test_samples_from_parquet),
        cmocka_unit_test(test_pictures_in_tsv),
        cmocka_unit_test(test_samples_from_csv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
