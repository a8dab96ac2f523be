#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "data/sample.h"
#include "scratch.h"

#define DIR "tests/data/data/"

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

static Dataset parse(const char *text)
{
    Dataset d = {0};
    Err err = {0};
    int rc = dataset_parse(&d, "folder/rows.jsonl", text, strlen(text), &err);
    if (rc) fail_msg("%s", err.msg);
    return d;
}

/* The one sample of one row as "format|id|role:content|...|images..|+chosen|-rejected"; targets are marked by *. */
static char *one(const char *row)
{
    Dataset d = parse(row);
    if (d.n != 1 || d.n_bad) fail_msg("%d samples, %d bad rows: %s", d.n, d.n_bad, d.n_bad ? d.bad[0].reason : "");
    const Sample *s = &d.sample[0];
    Buf b = {0};
    buf_printf(&b, "%s|%s", data_format_name(s->format), s->id);
    for (int i = 0; i < s->n_msgs; i++)
        buf_printf(&b, "|%s%s:%s", s->msg[i].role, s->msg[i].loss ? "*" : "", s->msg[i].content);
    for (int i = 0; i < s->n_images; i++) buf_printf(&b, "|%s", s->images[i]);
    if (s->chosen) buf_printf(&b, "|+%s|-%s", s->chosen, s->rejected);
    dataset_release(&d);
    return buf_take(&b);
}

static void expect(const char *row, const char *want)
{
    char *got = one(row);
    assert_string_equal(got, want);
    free(got);
}

static void test_messages(void **state)
{
    (void)state;
    expect("{\"id\":\"s1\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"<"
           "image>Q\"},"
           "{\"role\":\"assistant\",\"content\":\"A\"},{\"role\":\"user\",\"content\":\"<image>\"},{\"role\":"
           "\"assistant\","
           "\"content\":\"B\",\"loss\":false}],\"images\":[\"x.png\",\"/abs/y.dcm#frame=2\"]}",
           "messages|s1|system:S|user:<image>Q|assistant*:A|user:<image>|assistant:B|folder/x.png|/abs/y.dcm#frame=2");
    expect("{\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}]}", "messages|rows.jsonl:1|user:Q");
    expect("{\"id\":12,\"messages\":[{\"role\":\"user\",\"content\":\"Q\"}],\"images\":[]}", "messages|12|user:Q");
    expect("{\"messages\":[{\"role\":\"system\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"Q\"}]}",
           "messages|rows.jsonl:1|system:|user:Q");
}

static void test_parts(void **state)
{
    (void)state;
    expect("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"a.png\"}},"
           "{\"type\":\"text\",\"text\":\"then \"},{\"type\":\"image_url\",\"image_url\":\"file:///b.png\"},"
           "{\"type\":\"text\",\"text\":\"?\"}]}]}",
           "messages|rows.jsonl:1|user:<image>then <image>?|folder/a.png|/b.png");
    expect(
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"Q\"}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"image\":\"own.png\"}]},"
        "{\"role\":\"user\",\"content\":\"<image>last\"}],\"images\":[{\"path\":\"1.png\",\"bytes\":null},\"2.png\"]}",
        "messages|rows.jsonl:1|user:<image>Q|user:<image>|user:<image>last|folder/1.png|folder/own.png|folder/2.png");
}

static void test_preferences(void **state)
{
    (void)state;
    expect("{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"}],\"chosen\":\"C\",\"rejected\":\"R\","
           "\"images\":[\"x\"]}",
           "messages|rows.jsonl:1|user:<image>Q|folder/x|+C|-R");
    expect(
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"Q\"}],\"chosen\":[{\"role\":\"assistant\",\"content\":\"C\"}],"
        "\"rejected\":[{\"role\":\"assistant\",\"content\":\"R\"}]}",
        "messages|rows.jsonl:1|user:Q|+C|-R");
    expect("{\"prompt\":\"Q\",\"chosen\":\"C\",\"rejected\":\"R\"}", "messages|rows.jsonl:1|user:Q|+C|-R");
    expect("{\"conversations\":[{\"from\":\"human\",\"value\":\"Q\"},{\"from\":\"gpt\",\"value\":\"A\"},{\"from\":"
           "\"human\","
           "\"value\":\"P\"}],\"chosen\":{\"from\":\"gpt\",\"value\":\"C\"},\"rejected\":{\"from\":\"gpt\",\"value\":"
           "\"R\"}}",
           "ShareGPT|rows.jsonl:1|user:Q|assistant*:A|user:P|+C|-R");
    expect("{\"instruction\":\"Q\",\"input\":\"\",\"chosen\":\"C\",\"rejected\":\"R\"}",
           "alpaca|rows.jsonl:1|user:Q|+C|-R");
}

static void test_conversations(void **state)
{
    (void)state;
    expect("{\"conversations\":[{\"from\":\"human\",\"value\":\"<image>Q\"},{\"from\":\"gpt\",\"value\":\"A\"}],"
           "\"system\":\"S\",\"images\":\"one.png\"}",
           "ShareGPT|rows.jsonl:1|system:S|user:<image>Q|assistant*:A|folder/one.png");
    expect("{\"conversations\":[{\"from\":\"system\",\"value\":\"S\"},{\"from\":\"user\",\"value\":\"Q\"},"
           "{\"from\":\"assistant\",\"value\":\"A\"}],\"system\":\"\"}",
           "ShareGPT|rows.jsonl:1|system:S|user:Q|assistant*:A");
    expect("{\"id\":\"7\",\"image\":\"p/q.jpg\",\"conversations\":[{\"from\":\"human\",\"value\":\"Q\\n<image>\"},"
           "{\"from\":\"gpt\",\"value\":\"A\"}]}",
           "LLaVA|7|user:Q\n<image>|assistant*:A|folder/p/q.jpg");
    expect("{\"image\":[\"a\",\"b\"],\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\\n<image>\\nQ\"}]}",
           "LLaVA|rows.jsonl:1|user:<image>\n<image>\nQ|folder/a|folder/b");
}

static void test_reasoning_layouts(void **state)
{
    (void)state;
    expect("{\"image\":\"i.png\",\"problem\":\"P?\",\"solution\":\"<think>t</think><answer>A</answer>\"}",
           "R1-V|rows.jsonl:1|user:<image>P?|assistant*:<think>t</think><answer>A</answer>|folder/i.png");
    expect("{\"problem\":\"P\",\"solution\":\"A\"}", "R1-V|rows.jsonl:1|user:P|assistant*:A");
    expect("{\"problem\":\"P <image> and <image>\",\"answer\":\"3\",\"images\":[\"a\",\"b\"]}",
           "EasyR1|rows.jsonl:1|user:P <image> and <image>|assistant*:3|folder/a|folder/b");
    expect("{\"problem\":\"P\",\"answer\":0.1,\"images\":[\"a\",\"b\"]}",
           "EasyR1|rows.jsonl:1|user:<image><image>P|assistant*:0.1|folder/a|folder/b");
}

static void test_alpaca(void **state)
{
    (void)state;
    expect("{\"instruction\":\"I\",\"input\":\"N\",\"output\":\"O\",\"system\":\"S\",\"history\":[[\"q\",\"a\"]]}",
           "alpaca|rows.jsonl:1|system:S|user:q|assistant*:a|user:I\nN|assistant*:O");
    expect("{\"instruction\":\"I\",\"input\":null,\"images\":[\"x\"]}", "alpaca|rows.jsonl:1|user:<image>I|folder/x");
    expect("{\"instruction\":\"\",\"input\":\"N\",\"output\":\"O\"}", "alpaca|rows.jsonl:1|user:N|assistant*:O");
}

static void test_vqarad(void **state)
{
    (void)state;
    static char path[] = DIR "vqarad/public.json", *files[] = {path};
    Dataset d;
    Err err = {0};
    assert_int_equal(dataset_load(&d, files, 1, 0, &err), 0);
    assert_int_equal(d.n, 3);
    assert_int_equal(d.n_bad, 0);
    const char *answer[] = {"Yes", "12", "2.5"}, *id[] = {"0", "7", "8"};
    const char *image[] = {DIR "vqarad/images/one.png", DIR "vqarad/two.png", DIR "vqarad/images/one.png"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(d.sample[i].format, DATA_VQARAD);
        assert_string_equal(d.sample[i].id, id[i]);
        assert_string_equal(d.sample[i].msg[1].content, answer[i]);
        assert_string_equal(d.sample[i].images[0], image[i]);
    }
    assert_string_equal(d.sample[0].msg[0].content, "<image>Is it round?");
    dataset_release(&d);
}

static void test_public_vqarad(void **state)
{
    (void)state;
    const char *root = getenv("OSLER_DATA");
    char *path = path_join(root ? root : "../shared/data", "vqa-rad/VQA_RAD Dataset Public.json");
    if (!file_exists(path)) {
        free(path);
        skip();
    }
    Dataset d;
    Err err = {0};
    assert_int_equal(dataset_load(&d, &path, 1, 0, &err), 0);
    assert_int_equal(d.n, 1788);
    assert_int_equal(d.n_bad, 0);
    int numbers = 0;
    for (int i = 0; i < d.n; i++) {
        const char *answer = d.sample[i].msg[1].content;
        assert_true(file_exists(d.sample[i].images[0]));
        assert_true(answer[0] && answer[0] != ' ' && answer[strlen(answer) - 1] != ' ');
        numbers += !strcmp(answer, "2") || !strcmp(answer, "12");
    }
    assert_true(numbers >= 4);
    dataset_release(&d);
    free(path);
}

/* ---- rows that break a rule -------------------------------------------------------------------------------------- */

static void expect_bad(const char *row, const char *reason)
{
    Dataset d = parse(row);
    if (d.n != 0 || d.n_bad != 1) fail_msg("%s: %d samples, %d bad rows", row, d.n, d.n_bad);
    if (!strstr(d.bad[0].reason, reason)) fail_msg("%s: \"%s\" does not say \"%s\"", row, d.bad[0].reason, reason);
    assert_int_equal(d.bad[0].at.line, 1);
    assert_string_equal(d.bad[0].at.file, "folder/rows.jsonl");
    dataset_release(&d);
}

#define USER(content)      "{\"role\":\"user\",\"content\":" content "}"
#define MESSAGES(list)     "{\"messages\":[" list "]}"
#define WITH(list, images) "{\"messages\":[" list "],\"images\":" images "}"

static void test_bad_messages(void **state)
{
    (void)state;
    expect_bad("{\"messages\":[]}", "\"messages\" is empty");
    expect_bad("{\"messages\":\"hello\"}", "\"messages\" must be a list, got string");
    expect_bad(MESSAGES("7"), "messages[0]: a message must be an object, got integer");
    expect_bad(MESSAGES("{\"content\":\"Q\"}"), "\"role\" is missing");
    expect_bad(MESSAGES(USER("\"Q\"") ",{\"role\":\"doctor\",\"content\":\"A\"}"),
               "messages[1]: unknown role \"doctor\"");
    expect_bad(MESSAGES(USER("\"\"")), "the user message is empty");
    expect_bad(MESSAGES(USER("\" \\n\"")), "the user message is empty");
    expect_bad(MESSAGES(USER("[]")), "the user message is empty");
    expect_bad(MESSAGES(USER("null")), "the content is missing");
    expect_bad(MESSAGES(USER("3")), "must be a string or a list of parts, got integer");
    expect_bad(MESSAGES(USER("\"a\\u0000b\"")), "NUL");
    expect_bad(MESSAGES(USER("\"Q\"") ",{\"role\":\"system\",\"content\":\"S\"}"),
               "a system message is allowed only once");
    expect_bad(
        MESSAGES("{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"system\",\"content\":\"T\"}," USER("\"Q\"")),
        "messages[1]: a system message is allowed only once");
    expect_bad(MESSAGES("{\"role\":\"system\",\"content\":\"S\"}"), "no user or assistant message");
    expect_bad(MESSAGES("{\"role\":\"assistant\",\"content\":\"S\",\"loss\":1}"), "\"loss\" must be true or false");
    expect_bad("{\"id\":[],\"messages\":[" USER("\"Q\"") "]}", "\"id\" must be text or a number");
}

static void test_bad_images(void **state)
{
    (void)state;
    expect_bad(MESSAGES(USER("\"<image>Q\"")), "1 <image> marker but 0 images");
    expect_bad(WITH(USER("\"<image>Q\""), "[\"a\",\"b\"]"), "1 <image> marker but 2 images");
    expect_bad(WITH(USER("\"Q\""), "[\"a\"]"), "0 <image> markers but 1 image");
    expect_bad(WITH(USER("\"<image>\""), "[3]"), "must be the path of an image, got integer");
    expect_bad(WITH(USER("\"<image>\""), "{}"), "must be the path of an image, got nothing");
    expect_bad(WITH(USER("\"<image>\""), "[\"\"]"), "the path of an image is empty");
    expect_bad(WITH(USER("\"<image>\""), "[\"https://x/y.png\"]"), "is a \"https\" address");
    expect_bad(WITH(USER("\"<image>\""), "[\"a\"],\"image\":\"b\""), "both \"images\" and \"image\"");
    expect_bad(MESSAGES(USER("[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA\"}}]")),
               "is a \"data\" address");
    expect_bad(MESSAGES(USER("[{\"type\":\"image_url\"}]")), "\"image_url\" is missing");
    expect_bad(MESSAGES(USER("[{\"type\":\"audio\"}]")), "content of type \"audio\"");
    expect_bad(MESSAGES(USER("[\"text\"]")), "got string");
    expect_bad(WITH(USER("[{\"type\":\"image\"},{\"type\":\"image\",\"image\":\"b\"}]"), "[\"a\"]"),
               "path of their own");
    expect_bad("{\"image\":\"a\",\"conversations\":[{\"from\":\"human\",\"value\":\"Q\"}]}",
               "0 <image> markers but 1 image");
}

static void test_bad_layouts(void **state)
{
    (void)state;
    expect_bad("{}", "no known layout has the keys of an empty object");
    expect_bad("{\"text\":\"x\",\"label\":3}", "no known layout has the keys \"text\", \"label\"");
    expect_bad("{\"messages\":null}", "no known layout");
    expect_bad("{\"conversations\":[{\"from\":\"narrator\",\"value\":\"x\"}]}",
               "conversations[0]: unknown role \"narrator\"");
    expect_bad("{\"instruction\":\"I\",\"output\":\"\"}", "the assistant message is empty");
    expect_bad("{\"instruction\":\"I\",\"history\":[[\"q\"]]}", "history[0] is not a list of question and answer");
    expect_bad("{\"problem\":\"P\",\"answer\":[\"A\"]}", "\"answer\" must be text or a number, got array");
    expect_bad("{\"image_name\":\"x\",\"question\":\"Q\",\"answer\":\"\"}", "the assistant message is empty");
}

static void test_bad_preferences(void **state)
{
    (void)state;
    expect_bad("{\"messages\":[" USER("\"Q\"") "],\"chosen\":\"C\"}", "\"rejected\" must be a string or one message");
    expect_bad("{\"messages\":[" USER("\"Q\"") "],\"chosen\":\"C\",\"rejected\":\" \"}", "\"rejected\" is empty");
    expect_bad("{\"messages\":[" USER("\"Q\"") "],\"chosen\":\"<image>\",\"rejected\":\"R\"}",
               "holds an <image> marker");
    expect_bad("{\"messages\":[" USER("\"Q\"") "],\"chosen\":{\"role\":\"user\",\"content\":\"C\"},\"rejected\":\"R\"}",
               "chosen: the role must be assistant");
    expect_bad("{\"messages\":[" USER(
                   "\"Q\"") ",{\"role\":\"assistant\",\"content\":\"A\"}],\"chosen\":\"C\",\"rejected\":\"R\"}",
               "must end with the user's message");
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

#define ROW(q) "{\"messages\":[{\"role\":\"user\",\"content\":\"" q "\"}]}"

static void test_lines(void **state)
{
    (void)state;
    Dataset d = parse("\xef\xbb\xbf\r\n" ROW("1") "\r\n\n  \t\n" ROW("2") "\n{broken\n[1]\n" ROW("3"));
    assert_int_equal(d.n, 3);
    assert_int_equal(d.sample[0].at.line, 2);
    assert_int_equal(d.sample[1].at.line, 5);
    assert_string_equal(d.sample[2].id, "rows.jsonl:8");
    assert_int_equal(d.n_bad, 2);
    assert_int_equal(d.bad[0].at.line, 6);
    assert_non_null(strstr(d.bad[0].reason, "not valid JSON (column"));
    assert_non_null(strstr(d.bad[1].reason, "a row must be an object, got array"));
    dataset_release(&d);
}

static void test_array(void **state)
{
    (void)state;
    Dataset d = parse(" [\n" ROW("1,]}\\\"") ",\n{\"messages\":\n[}],\n{\"a\": }\n,\n " ROW("2") "]\n");
    assert_int_equal(d.n, 2);
    assert_string_equal(d.sample[0].msg[0].content, "1,]}\"");
    assert_int_equal(d.sample[1].at.line, 4);
    assert_int_equal(d.sample[1].at.text_line, 7);
    assert_string_equal(d.sample[1].id, "rows.jsonl:4");
    assert_int_equal(d.n_bad, 2);
    assert_int_equal(d.bad[0].at.text_line, 3);
    char where[100];
    assert_string_equal(row_place(where, sizeof where, d.bad[1].at), "folder/rows.jsonl:5 (element 3)");
    dataset_release(&d);
    d = parse("[]");
    assert_int_equal(d.n + d.n_bad, 0);
    dataset_release(&d);
}

/* A row that fits no layout is read as the rows before it, so that the message names the key. */
static void test_layout_is_remembered(void **state)
{
    (void)state;
    Dataset d = parse(ROW("1") "\n{\"message\":[]}\n{\"instruction\":\"I\"}\n");
    assert_int_equal(d.n, 2);
    assert_int_equal(d.sample[1].format, DATA_ALPACA);
    assert_string_equal(d.bad[0].reason, "\"messages\" is missing");
    dataset_release(&d);
}

static void expect_broken(const char *text, size_t n, const char *reason)
{
    Dataset d = {0};
    Err err = {0};
    assert_int_equal(dataset_parse(&d, "f.json", text, n, &err), -1);
    if (!strstr(err.msg, reason)) fail_msg("\"%s\" does not say \"%s\"", err.msg, reason);
    dataset_release(&d);
}

static void test_broken_files(void **state)
{
    (void)state;
    expect_broken("", 0, "f.json: the file is empty");
    expect_broken(" \n ", 3, "f.json: the file is empty");
    expect_broken("\nhello", 6, "f.json:2: not JSON");
    expect_broken("\xff\xfe{\0", 4, "not JSON");
    expect_broken("{\n \"messages\": []\n}\n", 20, "no row of the file is valid JSON");
    expect_broken("[" ROW("1") ",", strlen(ROW("1")) + 2, "has no end");
    expect_broken("[\"x", 3, "has no end");
    expect_broken("[]\n[]", 5, "f.json:2: there is text after");
    expect_broken("[{}] x", 6, "there is text after");
    Dataset d;
    Err err = {0};
    static char missing[] = "no/such/file.jsonl", *files[] = {missing};
    assert_int_equal(dataset_load(&d, files, 1, 0, &err), -1);
    assert_non_null(strstr(err.msg, "no/such/file.jsonl"));
    assert_int_equal(d.n, 0);
}

/* ---- portions ---------------------------------------------------------------------------------------------------- */

enum { ROWS = 40 };

static char *write_rows(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    Buf b = {0};
    for (int i = 0; i < ROWS; i++)
        buf_printf(&b, "{\"id\":\"%d\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}\n", i);
    Err err = {0};
    assert_int_equal(file_save(path, b.data, b.len, &err), 0);
    buf_release(&b);
    return path;
}

static Dataset load(const char *path, const char *portion, uint64_t seed)
{
    char *spec = xasprintf("%s%s", path, portion);
    Dataset d;
    Err err = {0};
    if (dataset_load(&d, &spec, 1, seed, &err)) fail_msg("%s", err.msg);
    assert_string_equal(d.file[0], path);
    free(spec);
    return d;
}

/* Ids rise within each whole copy and within what was chosen. */
static void expect_portion(const char *path, const char *portion, int n)
{
    Dataset d = load(path, portion, 1), again = load(path, portion, 1);
    assert_int_equal(d.n, n);
    for (int i = 0; i < n; i++) assert_string_equal(d.sample[i].id, again.sample[i].id);
    for (int i = 1; i < n; i++)
        if (i % ROWS) assert_true(atoi(d.sample[i].id) > atoi(d.sample[i - 1].id));
    dataset_release(&d);
    dataset_release(&again);
}

static bool same_ids(const Dataset *a, const Dataset *b)
{
    bool same = a->n == b->n;
    for (int i = 0; same && i < a->n; i++) same = !strcmp(a->sample[i].id, b->sample[i].id);
    return same;
}

static void test_portions(void **state)
{
    (void)state;
    char *dir = scratch_new(), *path = write_rows(dir, "rows.jsonl");
    expect_portion(path, "", ROWS);
    expect_portion(path, "#15", 15);
    expect_portion(path, "#1", 1);
    expect_portion(path, "#40", ROWS);
    expect_portion(path, "#9999999999", ROWS);
    expect_portion(path, "@0.25", 10);
    expect_portion(path, "@1", ROWS);
    expect_portion(path, "@2", 2 * ROWS);
    expect_portion(path, "@2.5", 2 * ROWS + ROWS / 2);
    Dataset a = load(path, "#15", 1), b = load(path, "#15", 2);
    assert_false(same_ids(&a, &b));
    dataset_release(&a);
    dataset_release(&b);

    char *odd = write_rows(dir, "rows@3");
    expect_portion(odd, "", ROWS);
    char *spec = xasprintf("%s#0", path), *files[] = {odd, spec};
    Err err = {0};
    assert_int_equal(dataset_load(&a, files, 2, 0, &err), -1);
    assert_non_null(strstr(err.msg, "\"#0\" is not a usable number"));
    assert_null(a.sample);
    free(spec);
    free(odd);
    free(path);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_preferences),
        cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_reasoning_layouts),
        cmocka_unit_test(test_alpaca),
        cmocka_unit_test(test_vqarad),
        cmocka_unit_test(test_public_vqarad),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_bad_images),
        cmocka_unit_test(test_bad_layouts),
        cmocka_unit_test(test_bad_preferences),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_layout_is_remembered),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_portions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
