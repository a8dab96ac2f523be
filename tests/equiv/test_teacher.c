/* Another model answers: what a server is sent, what a folder says whatever else is asked, and that all is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "http_mock.h"
#include "infer/teacher.h"
#include "scratch.h"

static const char MODEL[] = "tests/data/goldens/small_tied/model";
static char *PICTURE[] = {(char[]){"tests/data/goldens/small_tied/images/0.png"}, NULL};

/* ---- a server ---------------------------------------------------------------------------------------------------- */

typedef struct Server {
    int pictures, drawn; /* requests with a picture behind text; with a seed */
} Server;

static char *serve(void *arg, int request, const char *head, const char *body)
{
    (void)head;
    Server *s = arg;
    char *text = xasprintf("reply %d", request);
    s->pictures += strstr(body, "[{\"type\": \"text\", \"text\": \"Look: \"}, {\"type\": \"image_url\", \"image_url\": "
                                "{\"url\": \"data:image/png;base64,") != NULL;
    s->drawn += strstr(body, "\"temperature\": 0.5, \"top_p\": 0.9, \"seed\": ") != NULL;
    char *reply = mock_chat(text);
    free(text);
    return reply;
}

static void test_server(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    char *dir = scratch_new(), *cache = path_join(dir, "teacher.jsonl"), first[32];
    Err err = {0};
    Server server = {0};
    HttpMock m;
    mock_start(&m, serve, &server);
    TeacherOptions o = TEACHER_DEFAULTS;
    o.where = m.url, o.cache = cache, o.generate.n = 2;
    o.generate.sampling.temperature = 0.5, o.generate.sampling.top_p = 0.9;
    for (int round = 0; round < 2; round++) {
        Teacher *t = teacher_open(&o, &err);
        assert_int_equal(teacher_ask(t, "Look: <image>\nWhat?", PICTURE, 1, &err), 0);
        assert_int_equal(teacher_ask(t, "And <b>this</b>?", NULL, 0, &err), 1);
        assert_int_equal(teacher_ask(t, "And <b>this</b>?", NULL, 0, &err), 2);
        if (teacher_answer(t, &err)) fail_msg("%s", err.msg);
        assert_int_equal(teacher_count(t).replies, 4);
        assert_int_equal(teacher_count(t).asked, round ? 0 : 4);
        assert_ptr_equal(teacher_reply(t, 1, 1), teacher_reply(t, 2, 1));
        const char *text = teacher_reply(t, 0, 1)->text;
        if (round) assert_string_equal(text, first);
        else snprintf(first, sizeof first, "%s", text);
        teacher_close(t);
    }
    assert_int_equal(m.requests, 4);
    assert_int_equal(server.pictures, 2);
    assert_int_equal(server.drawn, 4);
    mock_stop(&m);
    free(cache);
    scratch_free(dir);
}

/* ---- a folder ---------------------------------------------------------------------------------------------------- */

static TeacherOptions folder_options(const char *cache)
{
    TeacherOptions o = TEACHER_DEFAULTS;
    o.where = MODEL, o.cache = cache;
    o.generate.n = 3, o.generate.max_new_tokens = 8, o.generate.sampling.temperature = 1;
    o.engine = (EngineOptions){.dtype = DT_F32};
    return o;
}

/* The replies to the last of some questions, one line each. */
static char *ask_folder(const char *cache, int before, TeacherCount *count)
{
    Err err = {0};
    Buf all = {0};
    const TeacherOptions o = folder_options(cache);
    Teacher *t = teacher_open(&o, &err);
    for (int i = 0; i < before; i++) {
        char text[32];
        snprintf(text, sizeof text, "Number %d?", i);
        assert_int_equal(teacher_ask(t, text, NULL, 0, &err), i);
    }
    assert_int_equal(teacher_ask(t, "<image>What is this?", PICTURE, 1, &err), before);
    if (teacher_answer(t, &err)) fail_msg("%s", err.msg);
    for (int d = 0; d < 3; d++) buf_printf(&all, "%s\n", teacher_reply(t, before, d)->text);
    *count = teacher_count(t);
    teacher_close(t);
    return buf_take(&all);
}

static void keep_first_line(const char *path)
{
    Err err = {0};
    Buf text = {0};
    assert_int_equal(file_read(&text, path, 1 << 20, &err), 0);
    size_t n = strcspn(text.data, "\n") + 1;
    assert_int_equal(file_save(path, text.data, n + 7, &err), 0); /* and a piece of the second */
    buf_release(&text);
}

static void test_folder(void **state)
{
    (void)state;
    char *dir = scratch_new(), *cache = path_join(dir, "a.jsonl"), *other = path_join(dir, "b.jsonl");
    TeacherCount count;
    char *alone = ask_folder(cache, 0, &count);
    assert_int_equal(count.asked, 3);
    char *among = ask_folder(other, 4, &count);
    assert_int_equal(count.asked, 15);
    assert_string_equal(alone, among);
    keep_first_line(cache);
    char *again = ask_folder(cache, 0, &count);
    assert_int_equal(count.asked, 2);
    assert_string_equal(alone, again);
    free(alone), free(among), free(again);
    free(cache), free(other);
    scratch_free(dir);
}

static void test_refusals(void **state)
{
    (void)state;
    Err err = {0};
    TeacherOptions o = folder_options("x");
    o.where = "/nowhere";
    assert_int_equal(teacher_check(&o, &err), -1);
    assert_non_null(strstr(err.msg, "teacher: \"/nowhere\" is neither an address nor a folder"));
    o = folder_options("x");
    Teacher *t = teacher_open(&o, &err);
    err_clear(&err);
    char *missing[] = {(char[]){"missing.png"}};
    assert_int_equal(teacher_ask(t, "<image>", missing, 1, &err), -1);
    assert_non_null(strstr(err.msg, "missing.png"));
    teacher_close(t);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_server), cmocka_unit_test(test_folder),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
