/* Requests to a server that is slow, busy, broken, or lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/chat_api.h"
#include "base/progress.h"
#include "http_mock.h"

static const char KEY[] = "sk-very-secret";

/* What the server does with each request in turn; the last for all that follow. */
typedef enum Act { OK, BUSY, BUSY_HINT, BROKEN, HANG_UP, CUT, SLOW, DENIED, MOVED, NO_JSON, NO_CHOICE, HUGE_REPLY } Act;

typedef struct Script {
    const Act *act;
    int n;
    bool key_seen, path_seen;
    Buf body; /* of the last request */
} Script;

static char *perform(void *arg, int request, const char *head, const char *body)
{
    Script *s = arg;
    s->key_seen = strstr(head, "Authorization: Bearer sk-very-secret\r\n") != NULL;
    s->path_seen = !strncmp(head, "POST /v1/chat/completions HTTP", 30);
    buf_clear(&s->body);
    buf_str(&s->body, body);
    switch (s->act[request < s->n ? request : s->n - 1]) {
    case OK: return mock_chat("fine \xc3\xa9");
    case BUSY: return mock_reply("429 Too Many Requests", "", "{\"error\": \"slow down\"}");
    case BUSY_HINT: return mock_reply("429 Too Many Requests", "Retry-After: 1\r\n", "{}");
    case BROKEN: return mock_reply("503 Service Unavailable", "", "");
    case HANG_UP: return NULL;
    case CUT: return xstrdup("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"choices\"");
    case SLOW: usleep(400000); return mock_chat("late");
    case DENIED: return mock_reply("401 Unauthorized", "", "{\"error\": \"bad key sk-very-secret\r\n here\"}");
    case MOVED: return mock_reply("302 Found", "Location: http://127.0.0.1:9/\r\n", "");
    case NO_JSON: return mock_reply("200 OK", "", "<html>hello</html>");
    case NO_CHOICE: return mock_reply("200 OK", "", "{\"choices\": []}");
    case HUGE_REPLY: {
        char *body_text = xmalloc(200001);
        memset(body_text, 'x', 200000);
        body_text[200000] = 0;
        char *reply = mock_reply("200 OK", "", body_text);
        free(body_text);
        return reply;
    }
    }
    return NULL;
}

typedef struct Result {
    int rc, requests;
    ChatReply reply;
    Err err;
    double seconds;
} Result;

static Result ask(const Act *act, int n, Script *script)
{
    Script mine = {0}, *s = script ? script : &mine;
    HttpMock m;
    Result r = {0};
    s->act = act;
    s->n = n;
    mock_start(&m, perform, s);
    HttpOptions o = {.key = KEY, .timeout_s = 0.2, .wait_s = 0.01, .tries = 4, .max_bytes = 100000};
    Http *h = http_open(&o, &r.err);
    assert_non_null(h);
    double start = now_seconds();
    r.rc = chat_api_ask(&r.reply, h, &(ChatApi){m.url, "judge-1", 7, 0, 1}, &(ChatPart){"Is \"this\" right?", NULL}, 1,
                        0, &r.err);
    r.seconds = now_seconds() - start;
    http_close(h);
    mock_stop(&m);
    r.requests = m.requests;
    buf_release(&mine.body);
    return r;
}
#define ASK(...) ask((const Act[]){__VA_ARGS__}, (int)(sizeof((const Act[]){__VA_ARGS__}) / sizeof(Act)), NULL)

static void expect_answer(Result r, int requests)
{
    if (r.rc) fail_msg("%s", r.err.msg);
    assert_string_equal(r.reply.text.data, "fine \xc3\xa9");
    assert_int_equal(r.requests, requests);
    chat_reply_release(&r.reply);
}

static void expect_error(Result r, int requests, const char *said)
{
    assert_int_equal(r.rc, -1);
    if (!strstr(r.err.msg, said)) fail_msg("\"%s\" instead of \"%s\"", r.err.msg, said);
    assert_null(strstr(r.err.msg, KEY));
    assert_null(strstr(r.err.hint, KEY));
    assert_int_equal(r.requests, requests);
    chat_reply_release(&r.reply);
}

static void asks_as_the_api_wants(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    Script s = {0};
    expect_answer(ask((const Act[]){OK}, 1, &s), 1);
    assert_true(s.key_seen);
    assert_true(s.path_seen);
    assert_string_equal(s.body.data, "{\"model\": \"judge-1\", \"messages\": [{\"role\": \"user\", \"content\": "
                                     "\"Is \\\"this\\\" right?\"}], \"max_tokens\": 7, \"temperature\": 0}");
    buf_release(&s.body);
}

static void tries_again(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    expect_answer(ASK(BUSY, OK), 2);
    expect_answer(ASK(BROKEN, BUSY, BROKEN, OK), 4);
    expect_answer(ASK(HANG_UP, OK), 2);
    expect_answer(ASK(CUT, OK), 2);
    expect_answer(ASK(SLOW, OK), 2);
    Result r = ASK(BUSY_HINT, OK);
    assert_true(r.seconds >= 1);
    expect_answer(r, 2);
}

static void gives_up(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    expect_error(ASK(BROKEN), 4, "after 4 tries: http://127.0.0.1:");
    expect_error(ASK(BUSY), 4, "status 429: {\"error\": \"slow down\"}");
    expect_error(ASK(HANG_UP), 4, "after 4 tries");
    expect_error(ASK(DENIED), 1, "status 401: {\"error\": \"bad key ***   here\"}");
    expect_error(ASK(MOVED), 1, "status 302");
    expect_error(ASK(NO_JSON), 1, "not valid JSON");
    expect_error(ASK(NO_CHOICE), 1, "\"choices\" has no answer");
    expect_error(ASK(HUGE_REPLY), 1, "longer than 100000 bytes");
}

static bool always(void)
{
    return true;
}

static void stops_when_told(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    Script s = {.act = (const Act[]){BUSY_HINT}, .n = 1};
    HttpMock m;
    Err err = {0};
    Buf reply = {0};
    mock_start(&m, perform, &s);
    HttpOptions o = HTTP_DEFAULTS;
    o.stop = always;
    Http *h = http_open(&o, &err);
    double start = now_seconds();
    assert_int_equal(http_post(h, &reply, m.url, "{}", 2, &err), -1);
    assert_string_equal(err.msg, "stopped");
    assert_true(now_seconds() - start < 0.9);
    http_close(h);
    mock_stop(&m);
    buf_release(&reply);
    buf_release(&s.body);
}

static void addresses(void **state)
{
    (void)state;
    Err err = {0};
    assert_int_equal(http_check_url("https://host/v1", &err), 0);
    assert_int_equal(http_check_url("HTTP://[::1]:80", &err), 0);
    static const char *const BAD[] = {"",
                                      "host/v1",
                                      "file:///etc/passwd",
                                      "http://",
                                      "https:/x",
                                      "http://me:pw@host/",
                                      "http://host/a b",
                                      "http://host/\n"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        err_clear(&err);
        assert_int_equal(http_check_url(BAD[i], &err), -1);
        assert_null(strstr(err.msg, "pw"));
    }
    if (!HAVE_CURL) return;
    err_clear(&err);
    HttpOptions o = HTTP_DEFAULTS;
    o.key = "two\r\nlines";
    assert_null(http_open(&o, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(asks_as_the_api_wants), cmocka_unit_test(tries_again),
                                       cmocka_unit_test(gives_up), cmocka_unit_test(stops_when_told),
                                       cmocka_unit_test(addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
