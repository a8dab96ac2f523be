/* base/yaml: trees with lines, and a clear error for everything a recipe does not need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/yaml.h"

static Yaml *parse(const char *text)
{
    Err err = {0};
    Yaml *y = yaml_parse(text, strlen(text), "r.yaml", &err);
    if (!y) fail_msg("%s", err.msg);
    return y;
}

static void tree_with_lines(void **state)
{
    (void)state;
    Yaml *y = parse("# a recipe\n"
                    "model: /models/x  # where\n"
                    "lr: 1e-5\n"
                    "\n"
                    "data:\n"
                    "  - a.jsonl\n"
                    "  - 'b c.jsonl'\n"
                    "nested: {on: yes, list: [1, [2, 3]]}\n"
                    "text: |\n"
                    "  two\n"
                    "  lines\n"
                    "last: \"\\u00e9\\n\"\n");
    assert_int_equal(y->kind, YAML_MAP);
    assert_int_equal(y->n, 6);
    assert_string_equal(y->key[0], "model");
    assert_string_equal(yaml_get(y, "model")->text, "/models/x");
    assert_int_equal(yaml_get(y, "model")->line, 2);
    assert_false(yaml_get(y, "model")->quoted);
    assert_string_equal(yaml_get(y, "lr")->text, "1e-5");
    const Yaml *data = yaml_get(y, "data");
    assert_int_equal(data->kind, YAML_LIST);
    assert_int_equal(data->n, 2);
    assert_string_equal(data->item[1]->text, "b c.jsonl");
    assert_true(data->item[1]->quoted);
    assert_int_equal(data->item[1]->line, 7);
    const Yaml *nested = yaml_get(y, "nested");
    assert_string_equal(yaml_get(nested, "on")->text, "yes");
    assert_string_equal(yaml_get(nested, "list")->item[1]->item[0]->text, "2");
    assert_string_equal(yaml_get(y, "text")->text, "two\nlines\n");
    assert_string_equal(yaml_get(y, "last")->text, "\xc3\xa9\n");
    assert_null(yaml_get(y, "gone"));
    assert_null(yaml_get(data, "a"));
    yaml_tree_free(y);
}

static void nulls_are_empty(void **state)
{
    (void)state;
    Yaml *y = parse("a:\nb: null\nc: ~\nd: \"\"\ne: 'null'\nf: nullable\n");
    static const char *const TEXT[] = {"", "", "", "", "null", "nullable"};
    for (int i = 0; i < 6; i++) {
        assert_string_equal(y->item[i]->text, TEXT[i]);
        assert_int_equal(y->item[i]->quoted, i == 3 || i == 4);
    }
    yaml_tree_free(y);
}

static void empty_documents_are_empty_maps(void **state)
{
    (void)state;
    static const char *const TEXT[] = {"", "\n", "# only a comment\n", "{}"};
    for (int i = 0; i < 4; i++) {
        Yaml *y = parse(TEXT[i]);
        assert_int_equal(y->kind, YAML_MAP);
        assert_int_equal(y->n, 0);
        yaml_tree_free(y);
    }
}

static void many_items(void **state)
{
    (void)state;
    Buf b = {0};
    for (int i = 0; i < 3000; i++) buf_printf(&b, "key%d: [%d, %d]\n", i, i, i + 1);
    Yaml *y = parse(b.data);
    assert_int_equal(y->n, 3000);
    assert_string_equal(y->item[2999]->item[1]->text, "3000");
    assert_int_equal(y->item[2999]->line, 3000);
    yaml_tree_free(y);
    buf_release(&b);
}

static void errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } CASE[] = {
        {"a: 1\nb: 2\na: 3\n", "r.yaml:3: 'a' was already given in line 1"},
        {"x: {a: 1, a: 2}\n", "r.yaml:1: 'a' was already given in line 1"},
        {"a: &anchor 1\n", "r.yaml:1: anchors (&name) and tags (!name) are not supported"},
        {"a: &anchor [1]\n", "r.yaml:1: anchors"},
        {"a: &anchor {b: 1}\n", "r.yaml:1: anchors"},
        {"a: 1\nb: *a\n", "r.yaml:2: aliases (*name) are not supported"},
        {"a: !!int 1\n", "r.yaml:1: anchors (&name) and tags"},
        {"<<: {a: 1}\n", "r.yaml:1: merge keys (<<) are not supported"},
        {"&a key: 1\n", "r.yaml:1: anchors and tags are not supported"},
        {"[a, b]: 1\n", "r.yaml:1: a key must be a word"},
        {"'': 1\n", "r.yaml:1: a key is empty"},
        {"a: 1\n---\nb: 2\n", "r.yaml:2: a second document (---) is not supported"},
        {"- a\n- b\n", "r.yaml:1: expected `key: value` lines"},
        {"just text\n", "r.yaml:1: expected `key: value` lines"},
        {"a: 1\n b: 2\n", "r.yaml:2:3: not valid YAML"},
        {"a: b: c\n", "r.yaml:1:5: not valid YAML"},
        {"a:\n\t- x\n", "r.yaml:2:1: not valid YAML"},
        {"a: [1, 2\n", "r.yaml:2:1: not valid YAML"},
        {"a: 'open\n", "r.yaml:2:1: not valid YAML"},
        {"a: \xff\n", "r.yaml:1:1: not valid YAML"},
        {"a: \"x\\0y\"\n", "r.yaml:1: text holds a NUL character"},
        {"\"x\\0y\": a\n", "r.yaml:1: text holds a NUL character"},
    };
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Err err = {0};
        assert_null(yaml_parse(CASE[i].text, strlen(CASE[i].text), "r.yaml", &err));
        if (strncmp(err.msg, CASE[i].message, strlen(CASE[i].message))) fail_msg("%s: %s", CASE[i].text, err.msg);
    }
}

static void depth_and_size_are_limited(void **state)
{
    (void)state;
    Buf b = {0};
    Err err = {0};
    buf_str(&b, "a: ");
    for (int i = 0; i < 100000; i++) buf_byte(&b, '[');
    assert_null(yaml_parse(b.data, b.len, "r.yaml", &err));
    assert_string_equal(err.msg, "r.yaml:1: nested too deeply");
    buf_clear(&b);
    for (int i = 0; i < 200000; i++) buf_str(&b, "# long\n");
    err_clear(&err);
    assert_null(yaml_parse(b.data, b.len, "r.yaml", &err));
    assert_non_null(strstr(err.msg, "larger than"));
    err_clear(&err);
    assert_null(yaml_load("/nonexistent/r.yaml", &err));
    assert_string_equal(err.msg, "/nonexistent/r.yaml: No such file or directory");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_with_lines),
        cmocka_unit_test(nulls_are_empty),
        cmocka_unit_test(empty_documents_are_empty_maps),
        cmocka_unit_test(many_items),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(depth_and_size_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
