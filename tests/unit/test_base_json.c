/* base/json: messages that name the place, getters that name the key, strings that are always valid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_scan.h"
#include "scratch.h"

static json_t *parse(const char *text)
{
    Err err = {0};
    json_t *v = json_parse(text, strlen(text), &err);
    assert_non_null(v);
    return v;
}

static void getters_find_values(void **state)
{
    (void)state;
    Err err = {0};
    json_t *v = parse("{\"i\": 7, \"big\": 9007199254740993, \"x\": 0.5, \"t\": true, \"s\": \"lung\", \"a\": [1], "
                      "\"o\": {}, \"null\": null}");
    int i = 0;
    int64_t big = 0;
    double x = 0, seven = 0;
    bool t = false;
    const char *s = NULL;
    const json_t *a = NULL, *o = NULL;
    assert_int_equal(json_get_int(v, "i", &i, true, &err), 0);
    assert_int_equal(json_get_i64(v, "big", &big, true, &err), 0);
    assert_int_equal(json_get_num(v, "x", &x, true, &err), 0);
    assert_int_equal(json_get_num(v, "i", &seven, true, &err), 0);
    assert_int_equal(json_get_bool(v, "t", &t, true, &err), 0);
    assert_int_equal(json_get_str(v, "s", &s, true, &err), 0);
    assert_int_equal(json_get_array(v, "a", &a, true, &err), 0);
    assert_int_equal(json_get_object(v, "o", &o, true, &err), 0);
    assert_int_equal(i, 7);
    assert_true(big == INT64_C(9007199254740993) && x == 0.5 && seven == 7.0 && t);
    assert_string_equal(s, "lung");
    assert_true(json_array_size(a) == 1 && json_is_object(o));
    json_decref(v);
}

static void absent_keys_leave_the_value(void **state)
{
    (void)state;
    Err err = {0};
    json_t *v = parse("{\"null\": null}");
    int i = 42;
    assert_int_equal(json_get_int(v, "gone", &i, false, &err), 0);
    assert_int_equal(json_get_int(v, "null", &i, false, &err), 0);
    assert_int_equal(i, 42);
    const json_t *a = v;
    assert_int_equal(json_get_array(v, "gone", &a, false, &err), 0);
    assert_null(a);
    assert_int_equal(json_get_int(v, "gone", &i, true, &err), -1);
    assert_string_equal(err.msg, "\"gone\" is missing");
    json_decref(v);
}

static void wrong_kinds_are_named(void **state)
{
    (void)state;
    json_t *v = parse("{\"s\": \"x\", \"i\": 3, \"wide\": 3000000000, \"r\": 1.0}");
    int i = 0;
    const char *s;
    Err err = {0};
    assert_int_equal(json_get_int(v, "s", &i, false, &err), -1);
    assert_string_equal(err.msg, "\"s\" must be an integer, got string");
    err_clear(&err);
    assert_int_equal(json_get_str(v, "i", &s, true, &err), -1);
    assert_string_equal(err.msg, "\"i\" must be a string, got integer");
    err_clear(&err);
    assert_int_equal(json_get_int(v, "wide", &i, true, &err), -1);
    assert_string_equal(err.msg, "\"wide\" is out of range");
    err_clear(&err);
    assert_int_equal(json_get_int(v, "r", &i, true, &err), -1);
    err_clear(&err);
    assert_int_equal(json_get_int(json_object_get(v, "i"), "k", &i, true, &err), -1);
    assert_string_equal(err.msg, "expected an object with \"k\", got integer");
    err_clear(&err);
    assert_int_equal(json_get_int(NULL, "k", &i, true, &err), -1);
    json_decref(v);
}

static void syntax_errors_have_a_place(void **state)
{
    (void)state;
    static const char TEXT[] = "{\n  \"a\": 1,\n  \"b\" 2\n}\n";
    char *dir = scratch_new(), *path = path_join(dir, "bad.json"), *want = xasprintf("%s:3:", path);
    Err err = {0};
    assert_int_equal(file_save(path, TEXT, sizeof TEXT - 1, &err), 0);
    assert_null(json_load_path(path, 1 << 20, &err));
    assert_memory_equal(err.msg, want, strlen(want));
    err_clear(&err);
    assert_null(json_load_path(path, 5, &err));
    assert_non_null(strstr(err.msg, "larger than 5 bytes"));
    scratch_free(dir);
    err_clear(&err);
    assert_null(json_load_path(path, 5, &err));
    assert_non_null(strstr(err.msg, "No such file"));
    free(path), free(want);

    static const char *const BAD[] = {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "\"\xff\"", "{} {}", "nul", "\"\\ud800\""};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        err_clear(&err);
        assert_null(json_parse(BAD[i], strlen(BAD[i]), &err));
        assert_non_null(strstr(err.msg, "not valid JSON"));
    }
    Buf deep = {0};
    for (int i = 0; i < 100000; i++) buf_byte(&deep, '[');
    err_clear(&err);
    assert_null(json_parse(deep.data, deep.len, &err));
    buf_release(&deep);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } CASE[] = {
        {"", "\"\""},
        {"a\"b\\c\n\t", "\"a\\\"b\\\\c\\n\\u0009\""},
        {"\xc3\xa9 \xe5\xbf\x83 \xf0\x9f\xab\x80", "\"\xc3\xa9 \xe5\xbf\x83 \xf0\x9f\xab\x80\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"\xc3", "\"\xef\xbf\xbd\""},                                 /* cut off */
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Buf b = {0};
        json_append_str(&b, CASE[i].in, strlen(CASE[i].in));
        assert_string_equal(b.data, CASE[i].out);
        buf_release(&b);
    }
    /* Every byte, alone: what comes out parses. */
    for (int c = 0; c < 256; c++) {
        Buf b = {0};
        char s = (char)c;
        buf_byte(&b, '[');
        json_append_str(&b, &s, 1);
        buf_byte(&b, ']');
        json_t *v = parse(b.data);
        if (c < 0x80) assert_int_equal(json_string_value(json_array_get(v, 0))[0], c);
        json_decref(v);
        buf_release(&b);
    }
}

static void values_round_trip(void **state)
{
    (void)state;
    static const char TEXT[] = "{\"z\":1,\"a\":[0.1,1e300,-5,true,null],\"s\":\"\xc3\xa9\"}";
    json_t *v = parse(TEXT);
    Buf b = {0};
    json_append(&b, v);
    json_t *again = parse(b.data);
    assert_true(json_equal(v, again));
    assert_memory_equal(b.data, "{\"z\":1,\"a\":[0.1", 14); /* insertion order, one line */
    assert_null(strchr(b.data, '\n'));
    json_decref(v), json_decref(again);
    buf_release(&b);
}

/* ---- json_scan --------------------------------------------------------------------------------------------------- */

/* The value at s as json_append writes it: objects, arrays, strings and integers. */
static bool rewrite(JsonScan *s, Buf *to)
{
    int64_t v;
    bool object = json_scan_enter(s, '{'), open = object || json_scan_enter(s, '[');
    if (open) {
        buf_byte(to, object ? '{' : '[');
        for (int n = 0; object ? json_scan_member(s) : json_scan_element(s); n++) {
            if (n) buf_byte(to, ',');
            if (object) json_append_str(to, s->string.data, s->string.len);
            if (object) buf_byte(to, ':');
            if (!rewrite(s, to)) return false;
        }
        buf_byte(to, object ? '}' : ']');
    } else if (json_scan_string(s)) {
        json_append_str(to, s->string.data, s->string.len);
    } else if (json_scan_integer(s, &v)) {
        buf_printf(to, "%lld", (long long)v);
    } else {
        return false;
    }
    return !s->bad;
}

static void scanned_is_as_parsed(void **state)
{
    (void)state;
    static const char *const TEXT[] = {
        "{}",
        "[]",
        " [ ] ",
        "{\"a\":1}",
        "[1,-2,0,9223372036854775807]",
        "[[],[[]],{}]",
        "\"x\"",
        "-7",
        "{\"vocab\":{\"\xc4\xa0the\":12,\"\\\"\":3,\"\\u0041\\n\":4},\"merges\":[\"a b\",[\"\\\\\",\"c\"]]}",
        "\n{ \"k\" :\t[ \"v\" , 1 ]\r\n, \"\":\"\\ud83d\\ude00\"}\n"};
    for (size_t i = 0; i < sizeof TEXT / sizeof *TEXT; i++) {
        json_error_t e;
        json_t *v = json_loads(TEXT[i], JSON_DECODE_ANY, &e);
        assert_non_null(v);
        Buf want = {0}, got = {0};
        json_append(&want, v);
        JsonScan s = json_scan(TEXT[i], strlen(TEXT[i])), skip = s;
        assert_true(rewrite(&s, &got) && json_scan_done(&s));
        assert_string_equal(got.data, want.data);
        assert_true(json_scan_skip(&skip) && json_scan_done(&skip));
        json_scan_release(&s);
        buf_release(&want), buf_release(&got);
        json_decref(v);
    }
}

/* What jansson refuses is refused, however it is cut short. */
static void scanned_errors(void **state)
{
    (void)state;
    static const char *const TEXT[] = {"",
                                       "{",
                                       "[",
                                       "[1",
                                       "[1,",
                                       "[1,]",
                                       "[,1]",
                                       "[1 2]",
                                       "{\"a\"}",
                                       "{\"a\":}",
                                       "{\"a\":1,}",
                                       "{1:2}",
                                       "{\"a\":1 \"b\":2}",
                                       "[1}",
                                       "{\"a\":1]",
                                       "\"",
                                       "\"a",
                                       "\"\\\"",
                                       "\"\\x\"",
                                       "\"\\u12\"",
                                       "\"\x80\"",
                                       "\"\x01\"",
                                       "[01]",
                                       "-",
                                       "[\"a\"b]",
                                       "[99999999999999999999]",
                                       "[1]]",
                                       "[1] 2",
                                       "\"\\ud800\"",
                                       "[1.]",
                                       "[1e]",
                                       "[tru]"};
    for (size_t i = 0; i < sizeof TEXT / sizeof *TEXT; i++) {
        Buf got = {0};
        JsonScan s = json_scan(TEXT[i], strlen(TEXT[i]));
        if (rewrite(&s, &got) && json_scan_done(&s)) fail_msg("taken for JSON: %s", TEXT[i]);
        json_scan_release(&s);
        buf_release(&got);
    }
    JsonScan s = json_scan("[1,\n2,\n3 4]", 11);
    assert_true(json_scan_enter(&s, '['));
    while (json_scan_element(&s)) assert_true(json_scan_skip(&s));
    assert_true(s.bad);
    assert_int_equal(json_scan_line(&s), 3);
    json_scan_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(getters_find_values),   cmocka_unit_test(absent_keys_leave_the_value),
        cmocka_unit_test(wrong_kinds_are_named), cmocka_unit_test(syntax_errors_have_a_place),
        cmocka_unit_test(strings_are_escaped),   cmocka_unit_test(values_round_trip),
        cmocka_unit_test(scanned_is_as_parsed),  cmocka_unit_test(scanned_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
