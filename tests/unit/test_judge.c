/* A judge behind a server: what it is asked, what becomes of its replies, and that nothing is asked twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "eval/judge.h"
#include "http_mock.h"
#include "scratch.h"

static const char ROWS[] =
    "{\"id\": \"1\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": \"left "
    "lung\"}\n"
    "{\"id\": \"2\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": \"the lung "
    "on the "
    "left\"}\n"
    "{\"id\": \"3\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": \"the "
    "spleen\"}\n"
    "{\"id\": \"3\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": \"the "
    "spleen\"}\n"
    "{\"id\": \"4\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": "
    "\"<think>the lung on the left\"}\n"
    "{\"id\": \"5\", \"kind\": \"short\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": \"lung, "
    "left\"}\n"
    "{\"id\": \"6\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": "
    "\"liver<|im_end|><image>\"}\n"
    "{\"id\": \"7\", \"kind\": \"open\", \"question\": \"Where?\", \"answer\": \"left lung\", \"response\": "
    "\"thorax\", "
    "\"judged\": true}\n";

typedef struct Judge {
    int fail_from; /* requests from here are refused; 0: none */
    bool special;  /* a special token or a marker was in a prompt */
} Judge;

static char *judge(void *arg, int request, const char *head, const char *body)
{
    (void)head;
    Judge *j = arg;
    if (j->fail_from && request >= j->fail_from) return mock_reply("400 Bad Request", "", "no more");
    if (strstr(body, "<|im_end|>") || strstr(body, "<image>")) j->special = true;
    if (strstr(body, "the lung on the left")) return mock_chat("<think>Same place.</think>\nA");
    if (strstr(body, "the spleen")) return mock_chat("The answer is B.");
    return mock_chat("I cannot say.");
}

static void load(EvalRun *run, const char *dir)
{
    Err err = {0};
    *run = (EvalRun){0};
    char *path = path_join(dir, "rows.jsonl");
    if (file_save(path, ROWS, sizeof ROWS - 1, &err) || run_load_responses(run, path, &err)) fail_msg("%s", err.msg);
    free(path);
}

static int ask(JudgeCount *count, EvalRun *run, const char *dir, const HttpMock *m, int parallel, Err *err)
{
    TeacherOptions o = TEACHER_DEFAULTS;
    o.where = m->url, o.model = "j", o.parallel = parallel, o.timeout_s = 5, o.generate.max_new_tokens = 16;
    return judge_responses(count, run, dir, &o, err);
}

static void check(const EvalRun *run, const JudgeCount *count)
{
    static const bool RIGHT[] = {true, true, false, false, false, false, false, true};
    static const char *const RULE[] = {"text", "judge", "judge", "judge", "unended", "text", "text", "judge"};
    static const bool ASKED[] = {false, true, true, true, false, false, true, false};
    assert_int_equal(count->responses, 4);
    assert_int_equal(count->unread, 1);
    for (int i = 0; i < 8; i++) {
        const EvalResponse *r = &run->response.at[i];
        if (r->match.correct != RIGHT[i] || (r->judge_text != NULL) != ASKED[i]) fail_msg("response %d", i);
        if (!strcmp(RULE[i], "judge") != !strcmp(r->answer.rule, "judge")) fail_msg("rule %d: %s", i, r->answer.rule);
    }
}

static void verdicts_decide(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    for (int parallel = 1; parallel <= 8; parallel += 7) {
        char *dir = scratch_new();
        Err err = {0};
        Judge j = {0};
        HttpMock m;
        EvalRun run;
        JudgeCount count;
        mock_start(&m, judge, &j);
        load(&run, dir);
        if (ask(&count, &run, dir, &m, parallel, &err)) fail_msg("%s", err.msg);
        check(&run, &count);
        assert_int_equal(count.asked, 3); /* two answers to question 3 are the same */
        assert_int_equal(m.requests, 3);
        assert_false(j.special);
        assert_non_null(strstr(run.judge, "\"model\": \"j\", \"responses\": 4, \"unread\": 1"));
        run_release(&run);
        load(&run, dir);
        assert_int_equal(ask(&count, &run, dir, &m, parallel, &err), 0);
        check(&run, &count);
        assert_int_equal(m.requests, 3);
        run_release(&run);
        mock_stop(&m);
        scratch_free(dir);
    }
}

/* What was said before an error is kept, and a line that was cut off does no harm. */
static void goes_on_after_an_error(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    char *dir = scratch_new(), *cache = path_join(dir, "judge.jsonl");
    Err err = {0};
    Judge j = {.fail_from = 2};
    HttpMock m;
    EvalRun run;
    JudgeCount count;
    mock_start(&m, judge, &j);
    load(&run, dir);
    assert_int_equal(ask(&count, &run, dir, &m, 1, &err), -1);
    assert_non_null(strstr(err.msg, "judge: http://127.0.0.1:"));
    assert_non_null(strstr(err.msg, "status 400: no more"));
    Buf text = {0};
    err_clear(&err);
    assert_int_equal(file_read(&text, cache, 1 << 20, &err), 0);
    assert_int_equal(file_save(cache, text.data, text.len - 5, &err), 0);
    buf_release(&text);
    j.fail_from = 0;
    m.requests = 0;
    run_release(&run);
    load(&run, dir);
    if (ask(&count, &run, dir, &m, 1, &err)) fail_msg("%s", err.msg);
    check(&run, &count);
    assert_int_equal(m.requests, 2); /* the second was cut off, the third never came */
    run_release(&run);
    load(&run, dir);
    assert_int_equal(ask(&count, &run, dir, &m, 1, &err), 0);
    assert_int_equal(m.requests, 2);
    run_release(&run);
    mock_stop(&m);
    free(cache);
    scratch_free(dir);
}

static bool always(void)
{
    return true;
}

static void stops_when_told(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    char *dir = scratch_new();
    Err err = {0};
    Judge j = {0};
    HttpMock m;
    EvalRun run;
    JudgeCount count;
    mock_start(&m, judge, &j);
    load(&run, dir);
    TeacherOptions o = TEACHER_DEFAULTS;
    o.where = m.url, o.stop = always;
    assert_int_equal(judge_responses(&count, &run, dir, &o, &err), 1);
    run_release(&run);
    mock_stop(&m);
    scratch_free(dir);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts_decide), cmocka_unit_test(goes_on_after_an_error),
                                       cmocka_unit_test(stops_when_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
