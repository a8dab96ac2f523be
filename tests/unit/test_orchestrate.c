/* Traces of a teacher whose every fault is known: what is kept, what is dropped and why, and what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "http_mock.h"
#include "scratch.h"
#include "synth/orchestrate.h"
#include "synth/overlap.h"

#define SKELETON(check, answer)                                                                                        \
    "<think>\nProblem: a man of sixty has lost weight.\nKey findings: jaundice without pain, a large gallbladder.\n"   \
    "Hypotheses: (1) cancer of the pancreas, (2) a stone, (3) hepatitis.\nEvidence: painless jaundice speaks for "     \
    "(1), "                                                                                                            \
    "a stone hurts, hepatitis spares the gallbladder.\n" check "\nCommit: cancer of the pancreas.\n</think>\n"         \
    "<answer>" answer "</answer>"
#define CHECKED "Re-check: a large gallbladder without pain is not what a stone does, so the first one stands."

typedef struct Case {
    const char *name, *reply;
    int fault;
} Case;

static const Case CASES[] = {
    {"good", SKELETON(CHECKED, "B"), -1},
    {"text instead of letter", SKELETON(CHECKED, "cancer of the pancreas"), -1},
    {"wrong", SKELETON(CHECKED, "A"), TRACE_WRONG},
    {"no thinking", "The answer is B.", TRACE_FORM},
    {"no end", "<think>\nIt is B, I think, but let me look at all of it again.", TRACE_FORM},
    {"unchecked", SKELETON("Good.", "B"), TRACE_UNCHECKED},
    {"a phrase", SKELETON("Re-check: done.", "B"), TRACE_UNCHECKED},
    {"empty words", SKELETON("Re-check: I did it and it is all very well indeed so.", "B"), TRACE_UNCHECKED},
    {"key", SKELETON(CHECKED " It agrees with the answer key.", "B"), TRACE_LEAK},
    {"again", SKELETON(CHECKED " " CHECKED " " CHECKED, "B"), TRACE_REPEATS},
    {"short", "<think>\nIt is B.\n</think>\n<answer>B</answer>", TRACE_SHORT},
    {"script",
     SKELETON(CHECKED " \xe8\x83\xb0\xe8\x85\xba\xe7\x99\x8c\xe8\x83\xb0\xe8\x85\xba\xe7\x99\x8c"
                      "\xe8\x83\xb0\xe8\x85\xba\xe7\x99\x8c\xe8\x83\xb0\xe8\x85\xba\xe7\x99\x8c"
                      "\xe8\x83\xb0\xe8\x85\xba\xe7\x99\x8c\xe8\x83\xb0\xe8\x85\xba\xe7\x99\x8c",
              "B"),
     TRACE_SCRIPT},
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

static OrchestrateOptions options(void)
{
    OrchestrateOptions o = {.teacher = TEACHER_DEFAULTS,
                            .n = 100,
                            .min_pass = 0.1,
                            .max_pass = 0.8,
                            .max_share = 1,
                            .min_words = 20,
                            .max_words = 300};
    return o;
}

static void test_faults(void **state)
{
    (void)state;
    const Question q = {.kind = ANSWER_CHOICE,
                        .question = "Weight loss and jaundice without pain: which is it?",
                        .option = {"a stone", "cancer of the pancreas", "hepatitis"},
                        .n_options = 3,
                        .gold = "B"};
    const OrchestrateOptions o = options();
    for (int i = 0; i < N_CASES; i++) {
        int fault = orchestrate_fault(&q, CASES[i].reply, false, &o);
        if (fault != CASES[i].fault) fail_msg("%s: %d, not %d", CASES[i].name, fault, CASES[i].fault);
    }
    assert_int_equal(orchestrate_fault(&q, CASES[0].reply, true, &o), TRACE_CUT);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static char *teach(void *arg, int request, const char *head, const char *body)
{
    (void)arg, (void)request, (void)head;
    for (int i = 0; i < N_CASES; i++) {
        char *name = xasprintf("Case %d:", i);
        bool this = strstr(body, name) != NULL;
        free(name);
        if (this) return mock_chat(CASES[i].reply);
    }
    return mock_reply("400 Bad Request", "", "which case?");
}

/* Two answers to each question; of three more, one is too easy, one too hard, one in a test file. */
static void write_samples(const char *path)
{
    Err err = {0};
    Buf b = {0};
    for (int i = 0; i < N_CASES + 3; i++)
        for (int draw = 0; draw < 2; draw++)
            buf_printf(&b,
                       "{\"id\": \"q%d\", \"draw\": %d, \"kind\": \"choice\", \"question\": \"Case %d: weight loss and "
                       "jaundice without pain, which is it%s?\", \"options\": {\"A\": \"a stone\", \"B\": \"cancer of "
                       "the pancreas\"}, \"gold\": \"B\", \"groups\": [\"kind:choice\", \"subject:%s\"], \"correct\": "
                       "%s}\n",
                       i, draw, i, i == N_CASES + 2 ? " in this question of thirteen words and more for a test" : "",
                       i % 2 ? "Surgery" : "Medicine",
                       i == N_CASES || (i != N_CASES + 1 && draw == 0) ? "true" : "false");
    assert_int_equal(file_save(path, b.data, b.len, &err), 0);
    buf_release(&b);
}

static void check_files(const char *dir)
{
    Err err = {0};
    Buf text = {0};
    char *data = path_join(dir, "data.jsonl"), *report = path_join(dir, "report.json");
    assert_int_equal(file_read(&text, data, 1 << 20, &err), 0);
    assert_non_null(strstr(text.data, "\"role\":\"assistant\",\"content\":\"<think>\\nProblem: a man"));
    assert_non_null(
        strstr(text.data, "</think>\\n<answer>B</answer>\"}],\"images\":[],\"provenance\":{\"teacher\":\"http"));
    assert_non_null(strstr(text.data, "\"right\":1,\"answers\":2,\"group\":\"subject:Medicine\""));
    assert_null(strstr(text.data, "<answer>cancer"));
    buf_clear(&text);
    assert_int_equal(file_read(&text, report, 1 << 20, &err), 0);
    assert_non_null(strstr(text.data, "\"no re-check\": 3"));
    assert_non_null(strstr(text.data, "\"in a test file\": 1"));
    buf_release(&text);
    free(data), free(report);
}

static void test_from_answers_to_data(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    char *dir = scratch_new(), *samples = path_join(dir, "samples.jsonl"), *cache = path_join(dir, "teacher.jsonl");
    char *test = path_join(dir, "test.json");
    static const char TEST[] = "{\"1\": {\"Q\": [\"Here, in this question of thirteen words and more for a test is it "
                               "so?\", \"which is it in this question of thirteen words and more for a test\"]}}";
    Err err = {0};
    HttpMock m;
    StrList against = {0};
    mock_start(&m, teach, NULL);
    write_samples(samples);
    assert_int_equal(file_save(test, TEST, sizeof TEST - 1, &err), 0);
    strlist_add(&against, test);
    OrchestrateOptions o = options();
    o.teacher.where = m.url, o.teacher.cache = cache, o.against = &against;
    for (int round = 0; round < 2; round++) {
        Orchestrate r;
        if (orchestrate(&r, samples, &o, &err)) fail_msg("%s", err.msg);
        assert_int_equal(r.n, N_CASES + 3);
        assert_int_equal(r.kept, 2);
        assert_int_equal(r.dropped[QUESTION_EASY], 1);
        assert_int_equal(r.dropped[QUESTION_HARD], 1);
        assert_int_equal(r.dropped[QUESTION_TEST], 1);
        for (int f = 0; f < TRACE_DROPS; f++)
            for (int i = 0; i < N_CASES; i++) assert_true(CASES[i].fault != f || r.dropped[f] > 0);
        assert_int_equal(orchestrate_write(dir, &r, &o, &err), 0);
        check_files(dir);
        orchestrate_release(&r);
    }
    assert_int_equal(m.requests, N_CASES);
    /* In rounds of three; whichever rounds there are, a run that is repeated asks nothing. */
    char *other = path_join(dir, "other.jsonl");
    o.teacher.cache = other, o.n = 2;
    for (int round = 0; round < 2; round++) {
        Orchestrate r;
        assert_int_equal(orchestrate(&r, samples, &o, &err), 0);
        assert_int_equal(r.kept, 2);
        assert_true(r.count.replies > 3);
        assert_int_equal(r.count.asked, round ? 0 : r.count.replies);
        orchestrate_release(&r);
    }
    free(other);
    o.n = 1, o.max_share = 0.5;
    Orchestrate r;
    assert_int_equal(orchestrate(&r, samples, &o, &err), 0);
    assert_int_equal(r.kept, 1);
    assert_true(r.dropped[QUESTION_SURPLUS] + r.dropped[QUESTION_GROUP] > 0);
    orchestrate_release(&r);
    strlist_release(&against);
    mock_stop(&m);
    free(samples), free(cache), free(test);
    scratch_free(dir);
}

static void test_overlap(void **state)
{
    (void)state;
    Overlap o = {0};
    assert_false(overlap_found(&o, "anything at all"));
    overlap_add(&o, "One two three four five six seven eight nine ten eleven twelve thirteen fourteen.");
    overlap_add(&o, "Short text");
    assert_true(
        overlap_found(&o, "zero, TWO three four five six seven eight nine ten eleven twelve thirteen fourteen"));
    assert_false(overlap_found(&o, "two three four five six seven eight nine ten eleven twelve thirteen"));
    assert_true(overlap_found(&o, "short text!"));
    assert_false(overlap_found(&o, "short"));
    overlap_release(&o);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults), cmocka_unit_test(test_overlap),
                                       cmocka_unit_test(test_from_answers_to_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
