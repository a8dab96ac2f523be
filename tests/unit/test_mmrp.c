/* The judge by rules: sound reasoning about phantom cases in every style gets full marks, each kind of damage costs its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "phantom_cases.h"
#include "synth/mmrp.h"

enum { FAMILIES_NOW = 12, CASES = 120 };

typedef struct Judged {
    Case c;
    Question q;
    KnownFinding finding[MAX_FINDINGS];
    KnownCase known;
} Judged;

static void judged_make(Judged *j, const char *family, uint32_t number)
{
    CaseSpec s = spec_of(family, number, 112);
    s.twin = true;
    case_make(&j->c, &s);
    const Case *c = &j->c;
    j->q = (Question){.kind = (AnswerKind)answer_kind_parse(KIND_NAME[c->kind]),
                      .question = c->question,
                      .gold = c->answer,
                      .tolerance = c->tolerance};
    for (int i = 0; i < c->options; i++) j->q.option[j->q.n_options++] = c->option[i];
    for (int i = 0; i < c->findings; i++) {
        const Finding *f = &c->finding[i];
        j->finding[i] = (KnownFinding){f->name, f->word, f->value, f->image};
    }
    j->known = (KnownCase){&j->q, j->finding, c->findings};
}

static MmrpScore judge(const Judged *j, const char *reasoning, const char *answer)
{
    MmrpScore s;
    char *response = xasprintf("<think>\n%s\n</think>\n<answer>%s</answer>", reasoning, answer);
    rule_judge(&s, &j->known, response, strlen(response));
    free(response);
    return s;
}

static void expect(const Judged *j, const char *reasoning, const MmrpScore *s, MmrpCriterion what, int lo, int hi)
{
    if (s->score[what] < lo || s->score[what] > hi)
        fail_msg("%s: %s is %d (%s)\n%s", j->c.id, MMRP_NAME[what], s->score[what], s->span[what] ? s->span[what] : "",
                 reasoning);
}

static void check_styles(const Judged *j)
{
    for (int style = 0; style < N_STYLES; style++) {
        const char *reasoning = j->c.reasoning[style];
        MmrpScore s = judge(j, reasoning, j->c.answer);
        bool checks = style == STYLE_ORCHESTRATED || style == STYLE_ANALYTICAL;
        assert_true(s.correct);
        expect(j, reasoning, &s, MMRP_CONSISTENCY, 2, 2);
        expect(j, reasoning, &s, MMRP_IMAGE_USE, 2, 2);
        expect(j, reasoning, &s, MMRP_NO_HALLUCINATION, 2, 2);
        expect(j, reasoning, &s, MMRP_REFLECTION, checks ? 1 : 0, checks ? 2 : 0);
        mmrp_release(&s);
    }
}

static void each_case(void (*check)(const Judged *j))
{
    for (int f = 0; f < FAMILIES_NOW; f++)
        for (uint32_t i = 0; i < CASES; i++) {
            Judged j;
            judged_make(&j, family_name(f), i);
            check(&j);
            case_release(&j.c);
        }
}

static void test_sound_reasoning(void **state)
{
    (void)state;
    each_case(check_styles);
}

/* Another answer than the reasoning's own. */
static void check_wrong_end(const Judged *j)
{
    if (j->c.kind != ASK_YESNO) return;
    const char *reasoning = j->c.reasoning[STYLE_PLAIN];
    MmrpScore s = judge(j, reasoning, j->c.answer[0] == 'y' ? "no" : "yes");
    assert_false(s.correct);
    expect(j, reasoning, &s, MMRP_CONSISTENCY, 0, 0);
    mmrp_release(&s);
}

static void test_end_that_does_not_follow(void **state)
{
    (void)state;
    each_case(check_wrong_end);
}

/* The first number is read twice as large, everywhere. */
static void check_wrong_reading(const Judged *j)
{
    const Finding *f = &j->c.finding[0];
    if (f->word) return;
    Buf b = {0};
    char *wrong = xasprintf("%s %g", f->name, 2 * f->value + 3);
    for (const char *s = j->c.reasoning[STYLE_PLAIN]; *s;) {
        if (!strncmp(s, f->text, strlen(f->text))) buf_str(&b, wrong), s += strlen(f->text);
        else buf_byte(&b, (unsigned char)*s++);
    }
    MmrpScore s = judge(j, b.data, j->c.answer);
    expect(j, b.data, &s, MMRP_NO_HALLUCINATION, 1, 1);
    assert_non_null(s.span[MMRP_NO_HALLUCINATION]);
    mmrp_release(&s);
    free(wrong);
    buf_release(&b);
}

static void test_wrong_reading(void **state)
{
    (void)state;
    each_case(check_wrong_reading);
}

static MmrpScore judge_heart(const char *reasoning, const char *answer)
{
    static const Question Q = {.kind = ANSWER_YESNO, .question = "Is the heart enlarged?", .gold = "yes"};
    static const KnownFinding FINDING[] = {{"cardiothoracic ratio", NULL, 0.57, 0},
                                           {"apex of the heart", "left", 0, 0}};
    static const KnownCase C = {&Q, FINDING, 2};
    MmrpScore s;
    char *response = xasprintf("<think>%s</think><answer>%s</answer>", reasoning, answer);
    rule_judge(&s, &C, response, strlen(response));
    free(response);
    return s;
}

static void test_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *reasoning, *answer;
        int score[MMRP_CRITERIA];
    } ROW[] = {
        {"The cardiothoracic ratio is 0.57. 0.57 is above 0.50. Re-check: 0.57 again. The answer is yes.",
         "yes",
         {2, 2, 2, 2}},
        {"The cardiothoracic ratio is 0.57. 0.57 is not above 0.50. The answer is yes.", "yes", {1, 2, 2, 0}},
        {"The cardiothoracic ratio is 0.57. 0.57 is below 0.50. The answer is no.", "no", {0, 2, 2, 0}},
        {"The cardiothoracic ratio is 0.57. The cardiothoracic ratio is 0.56. The answer is yes.", "yes", {1, 2, 2, 0}},
        {"The cardiothoracic ratio is 0.40. The answer is no.", "no", {2, 2, 0, 0}},
        {"The cardiothoracic ratio is 0.40. The answer is yes.", "yes", {2, 2, 1, 0}},
        {"Apex of the heart right. The answer is yes.", "yes", {2, 1, 1, 0}},
        {"The cardiothoracic ratio is large. Looked at again, it is. The answer is yes.", "yes", {2, 1, 2, 1}},
        {"The heart is big. The answer is yes.", "yes", {2, 0, 2, 0}},
        {"Measured: cardiothoracic ratio 0.57. The answer is yes.", "no", {0, 2, 2, 0}},
        {"", "yes", {2, 0, 2, 0}},
    };
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        MmrpScore s = judge_heart(ROW[i].reasoning, ROW[i].answer);
        for (int k = 0; k < MMRP_CRITERIA; k++)
            if (s.score[k] != ROW[i].score[k])
                fail_msg("%s: %s is %d, not %d", ROW[i].reasoning, MMRP_NAME[k], s.score[k], ROW[i].score[k]);
        mmrp_release(&s);
    }
}

/* A statement that does not say which picture it is of may be of either. */
static void test_two_pictures(void **state)
{
    (void)state;
    static const Question Q = {.kind = ANSWER_YESNO, .question = "Has the heart grown?", .gold = "yes"};
    static const KnownFinding FINDING[] = {{"cardiothoracic ratio", NULL, 0.44, 0},
                                           {"cardiothoracic ratio", NULL, 0.66, 1}};
    static const KnownCase C = {&Q, FINDING, 2};
    static const struct {
        const char *reasoning;
        int invented;
    } ROW[] = {{"Cardiothoracic ratio 0.44; cardiothoracic ratio 0.66.", 2},
               {"Cardiothoracic ratio 0.66.", 2},
               {"On the first film the cardiothoracic ratio is 0.66.", 1},
               {"On the second film the cardiothoracic ratio is 0.66.", 2},
               {"Cardiothoracic ratio 0.55.", 1}};
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        MmrpScore s;
        char *response = xasprintf("<think>%s</think><answer>yes</answer>", ROW[i].reasoning);
        rule_judge(&s, &C, response, strlen(response));
        if (s.score[MMRP_NO_HALLUCINATION] != ROW[i].invented || s.score[MMRP_CONSISTENCY] != 2)
            fail_msg("%s: %d, %d", ROW[i].reasoning, s.score[MMRP_NO_HALLUCINATION], s.score[MMRP_CONSISTENCY]);
        mmrp_release(&s);
        free(response);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_reasoning), cmocka_unit_test(test_end_that_does_not_follow),
        cmocka_unit_test(test_wrong_reading),   cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_two_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
