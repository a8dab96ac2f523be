/* The answers of a run on their way: what is kept, what is dropped, who may have the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/log.h"
#include "eval/answer_store.h"
#include "scratch.h"

enum { ITEMS = 3, DRAWS = 2 };

static void fill_run(EvalRun *run)
{
    *run = (EvalRun){0};
    for (int i = 0; i < ITEMS; i++) {
        char *id = xasprintf("item \"%d\"", i);
        map_set_str(&run->by_id, id, i);
        vec_push(&run->item, (EvalItem){.id = id});
    }
}

static int open_store(AnswerStore *s, const char *dir, const EvalRun *run, double temperature, bool overwrite, Err *err)
{
    json_t *header = json_pack("{s:s, s:f, s:n}", "model", "abc", "temperature", temperature, "system");
    int rc = answer_store_open(s, dir, header, run, DRAWS, overwrite, err);
    json_decref(header);
    return rc;
}

static void add(AnswerStore *s, int item, int draw, const char *text)
{
    Err err = {0};
    const GivenAnswer a = {xstrdup(text), 7 + item, item ? "length" : "stop", draw == 1};
    if (answer_store_add(s, item, draw, a, &err)) fail_msg("%s", err.msg);
}

static void expect(const AnswerStore *s, int item, int draw, const char *text)
{
    const GivenAnswer *a = answer_store_get(s, item, draw);
    assert_true(answer_store_has(s, item, draw));
    assert_string_equal(a->text, text);
    assert_int_equal(a->tokens, 7 + item);
    assert_string_equal(a->finish_reason, item ? "length" : "stop");
    assert_int_equal(a->forced, draw == 1);
}

/* The file of a run with three answers; the caller frees. */
static char *three_answers(const char *dir, const EvalRun *run, Buf *text)
{
    Err err = {0};
    AnswerStore s;
    assert_int_equal(open_store(&s, dir, run, 0.7, false, &err), 0);
    add(&s, 1, 0, "line\nbreak, \"quote\", \xc3\xa9");
    add(&s, 0, 1, "");
    add(&s, 2, 1, "third");
    assert_int_equal(answer_store_close(&s, false, &err), 0);
    char *path = path_join(dir, "answers.partial.jsonl");
    assert_int_equal(file_read(text, path, 1 << 20, &err), 0);
    return path;
}

static void answers_come_back(void **state)
{
    (void)state;
    char *dir = scratch_new();
    Err err = {0};
    EvalRun run;
    Buf text = {0};
    AnswerStore s;
    fill_run(&run);
    char *path = three_answers(dir, &run, &text);
    assert_int_equal(open_store(&s, dir, &run, 0.7, false, &err), 0);
    assert_int_equal(s.given, 3);
    assert_int_equal(s.resumed, 3);
    expect(&s, 1, 0, "line\nbreak, \"quote\", \xc3\xa9");
    expect(&s, 0, 1, "");
    expect(&s, 2, 1, "third");
    assert_false(answer_store_has(&s, 0, 0));
    AnswerStore second;
    assert_int_equal(open_store(&second, dir, &run, 0.7, false, &err), -1);
    assert_non_null(strstr(err.msg, "another run is writing"));
    err_clear(&err);
    assert_int_equal(answer_store_close(&s, true, &err), 0);
    assert_false(file_exists(path));
    free(path);
    buf_release(&text);
    run_release(&run);
    scratch_free(dir);
}

static void another_run_is_refused(void **state)
{
    (void)state;
    char *dir = scratch_new();
    Err err = {0};
    EvalRun run;
    Buf text = {0}, after = {0};
    AnswerStore s;
    fill_run(&run);
    char *path = three_answers(dir, &run, &text);
    assert_int_equal(open_store(&s, dir, &run, 0.5, false, &err), -1);
    assert_non_null(strstr(err.hint, "\"temperature\" was 0.7 and is now 0.5;"));
    err_clear(&err);
    assert_int_equal(file_read(&after, path, 1 << 20, &err), 0);
    assert_string_equal(after.data, text.data);
    assert_int_equal(open_store(&s, dir, &run, 0.5, true, &err), 0);
    assert_int_equal(s.given, 0);
    assert_int_equal(answer_store_close(&s, false, &err), 0);
    free(path);
    buf_release(&text);
    buf_release(&after);
    run_release(&run);
    scratch_free(dir);
}

/* Cut after every byte: whole lines count, and what is added then is read with them. */
static void any_cut_goes_on(void **state)
{
    (void)state;
    char *dir = scratch_new();
    Err err = {0};
    EvalRun run;
    Buf text = {0};
    fill_run(&run);
    char *path = three_answers(dir, &run, &text);
    for (size_t n = 0; n <= text.len; n++) {
        AnswerStore s;
        int lines = -1;
        for (size_t i = 0; i < n; i++) lines += text.data[i] == '\n';
        assert_int_equal(file_save(path, text.data, n, &err), 0);
        if (open_store(&s, dir, &run, 0.7, false, &err)) fail_msg("cut at %zu: %s", n, err.msg);
        assert_int_equal(s.given, lines < 0 ? 0 : lines);
        add(&s, 2, 0, "new");
        assert_int_equal(answer_store_close(&s, false, &err), 0);
        assert_int_equal(open_store(&s, dir, &run, 0.7, false, &err), 0);
        assert_int_equal(s.given, lines < 0 ? 1 : lines + 1);
        expect(&s, 2, 0, "new");
        assert_int_equal(answer_store_close(&s, false, &err), 0);
    }
    free(path);
    buf_release(&text);
    run_release(&run);
    scratch_free(dir);
}

/* Lines that no run of this kind can have written, in the middle: they and what follows are answered again. */
static void damage_is_dropped(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "{}",
        "[1]",
        "\x00\x01",
        "{\"id\": \"item \\\"0\\\"\", \"draw\": 9, \"response\": \"x\", \"tokens\": 1, "
        "\"finish_reason\": \"stop\", \"forced\": false}",
        "{\"id\": \"nobody\", \"draw\": 0, \"response\": \"x\", \"tokens\": 1, \"finish_reason\": \"stop\", "
        "\"forced\": "
        "false}",
        "{\"id\": \"item \\\"0\\\"\", \"draw\": 0, \"response\": \"x\", \"tokens\": 1, \"finish_reason\": \"tired\", "
        "\"forced\": false}"};
    char *dir = scratch_new();
    Err err = {0};
    EvalRun run;
    Buf text = {0};
    fill_run(&run);
    char *path = three_answers(dir, &run, &text);
    const char *second = strchr(strchr(text.data, '\n') + 1, '\n') + 1;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        Buf bad = {0};
        AnswerStore s;
        buf_printf(&bad, "%.*s%s\n%s", (int)(second - text.data), text.data, BAD[i], second);
        assert_int_equal(file_save(path, bad.data, bad.len, &err), 0);
        assert_int_equal(open_store(&s, dir, &run, 0.7, false, &err), 0);
        assert_int_equal(s.given, 1);
        expect(&s, 1, 0, "line\nbreak, \"quote\", \xc3\xa9");
        assert_int_equal(answer_store_close(&s, false, &err), 0);
        buf_release(&bad);
    }
    free(path);
    buf_release(&text);
    run_release(&run);
    scratch_free(dir);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_come_back), cmocka_unit_test(another_run_is_refused),
                                       cmocka_unit_test(any_cut_goes_on), cmocka_unit_test(damage_is_dropped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
