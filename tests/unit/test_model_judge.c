/* A model's judgement of reasoning: what it is asked, how its replies are read, and how far it agrees with the rules. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "http_mock.h"
#include "scratch.h"
#include "synth/model_judge.h"

#define SCORES(c, i, h, r)                                                                                             \
    "{\"consistency\": " #c ", \"consistency_span\": \"so it is\", \"image_use\": " #i ", \"image_use_span\": \"\", "  \
    "\"no_hallucination\": " #h ", \"reflection\": " #r ", \"reflection_span\": null}"

static void test_reading(void **state)
{
    (void)state;
    MmrpScore s;
    assert_true(judgement_read(&s, SCORES(1, 2, 0, 2)));
    assert_int_equal(mmrp_sum(&s, MMRP_ALL), 5);
    assert_string_equal(s.span[MMRP_CONSISTENCY], "so it is");
    assert_null(s.span[MMRP_IMAGE_USE]);
    mmrp_release(&s);
    assert_true(judgement_read(&s, "Of {course}:\n```json\n" SCORES(2, 2, 2, 0) "\n```"));
    assert_null(s.span[MMRP_CONSISTENCY]); /* it cost nothing */
    mmrp_release(&s);
    static const char *const BAD[] = {
        "", "no", "{", SCORES(3, 2, 2, 2), SCORES(-1, 2, 2, 2), SCORES("2", 2, 2, 2), "{\"consistency\": 2}"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) assert_false(judgement_read(&s, BAD[i]));
}

static void test_kappa(void **state)
{
    (void)state;
    int same[3][3] = {{5, 0, 0}, {0, 3, 0}, {0, 0, 2}}, chance[3][3] = {{1, 1, 0}, {1, 1, 0}, {0, 0, 0}};
    int one[3][3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 9}}, none[3][3] = {{0}};
    int some[3][3] = {{4, 1, 0}, {1, 2, 1}, {0, 1, 2}};
    assert_true(weighted_kappa(same) == 1);
    assert_true(fabs(weighted_kappa(chance)) < 1e-12);
    assert_true(isnan(weighted_kappa(one)) && isnan(weighted_kappa(none)));
    /* rows 5, 4, 3 and columns 5, 4, 3 of 12: expected weight 2 (20 + 12 + 4 x 15) / 144, seen 4 / 12 */
    assert_true(fabs(weighted_kappa(some) - (1 - (4.0 / 12) / (2 * 92.0 / 144))) < 1e-12);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static char *judge(void *arg, int request, const char *head, const char *body)
{
    (void)request, (void)head;
    int *pictures = arg;
    *pictures += strstr(body, "{\"type\": \"image_url\"") != NULL;
    if (!strstr(body, "Is it?") || !strstr(body, "Right answer: yes") || strstr(body, "<|im_end|>"))
        return mock_reply("400 Bad Request", "", "what?");
    if (strstr(body, "first")) return mock_chat(SCORES(2, 2, 2, 2));
    return mock_chat(strstr(body, "second") ? SCORES(0, 1, 2, 0) : "I would rather not.");
}

static const char CASES[] =
    "{\"id\": \"a\", \"kind\": \"yesno\", \"question\": \"Is it?\", \"answer\": \"yes\", \"images\": "
    "[\"goldens/small_tied/images/0.png\"]}\n";
static const char ANSWERS[] =
    "{\"id\": \"a\", \"draw\": 0, \"response\": \"<think>first<|im_end|></think><answer>yes</answer>\"}\n"
    "{\"id\": \"a\", \"draw\": 1, \"response\": \"<think>second</think><answer>no</answer>\"}\n"
    "{\"id\": \"a\", \"draw\": 2, \"response\": \"<think>third</think><answer>yes</answer>\"}\n";

static void test_judging(void **state)
{
    (void)state;
    if (!HAVE_CURL) skip();
    char *dir = scratch_new(), *data = path_join(dir, "cases.jsonl"), *answers = path_join(dir, "answers.jsonl");
    char *cache = path_join(dir, "judge.jsonl"), *here = realpath("tests/data", NULL);
    Err err = {0};
    HttpMock m;
    Candidates c;
    JudgeReport r;
    int pictures = 0;
    assert_int_equal(file_save(data, CASES, sizeof CASES - 1, &err), 0);
    assert_int_equal(file_save(answers, ANSWERS, sizeof ANSWERS - 1, &err), 0);
    assert_int_equal(candidates_load(&c, data, answers, false, &err), -1); /* no findings, no rules */
    err_clear(&err);
    if (candidates_load(&c, data, answers, true, &err)) fail_msg("%s", err.msg);
    free(c.folder);
    c.folder = here;
    mock_start(&m, judge, &pictures);
    TeacherOptions o = TEACHER_DEFAULTS;
    o.where = m.url, o.cache = cache;
    if (judge_by_model(&r, &c, &o, &err)) fail_msg("%s", err.msg);
    assert_int_equal(r.answers, 3);
    assert_int_equal(r.unread, 1);
    assert_int_equal(r.both, 0);
    assert_int_equal(pictures, 3);
    assert_int_equal(c.at[0].answer.n, 2);
    assert_int_equal(mmrp_sum(&c.at[0].answer.at[0].score, MMRP_ALL), 8);
    assert_int_equal(mmrp_sum(&c.at[0].answer.at[1].score, MMRP_ALL), 3);
    assert_true(c.at[0].answer.at[0].score.correct && !c.at[0].answer.at[1].score.correct);
    assert_int_equal(judge_report_write(dir, &r, &o, &err), 0);
    candidates_release(&c);
    mock_stop(&m);
    free(data), free(answers), free(cache);
    scratch_free(dir);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_kappa),
                                       cmocka_unit_test(test_judging)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
