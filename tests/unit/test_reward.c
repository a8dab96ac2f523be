/* Reading answers, judging them, measuring overlap; MedEvalKit's verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reward/compat.h"
#include "reward/lexemes.h"
#include "reward/match.h"
#include "reward/quantity.h"
#include "reward/self_test.h"

static void near(double got, double want)
{
    if (fabs(got - want) > 1e-9) fail_msg("%.12g, want %.12g", got, want);
}

static void adversarial_table(void **state)
{
    (void)state;
    assert_non_null(answer_case(299));
    assert_int_equal(answer_self_test(stderr), 0);
}

/* What holds for every response: white space around it, markup around the whole, and a finished thought before it. */
static void dress_changes_nothing(void **state)
{
    static const char *const DRESS[] = {"  \n%s\n ", "<think>Is it A, B or C? Yes. No. 17 mm.</think>\n%s",
                                        "%s<|im_end|>"};
    (void)state;
    int i = 0;
    for (const AnswerCase *c; (c = answer_case(i)); i++) {
        if (strchr(c->response, '<') || !c->response[0]) continue;
        Question q;
        char *options;
        answer_case_question(&q, c, &options);
        Answer plain;
        answer_extract(&plain, &q, c->response, strlen(c->response));
        for (int d = 0; d < 3; d++) {
            Answer a;
            Buf text = {0};
            size_t mark = (size_t)(strstr(DRESS[d], "%s") - DRESS[d]);
            buf_add(&text, DRESS[d], mark);
            buf_str(&text, c->response);
            buf_str(&text, DRESS[d] + mark + 2);
            answer_extract(&a, &q, text.data, text.len);
            if (a.state != plain.state || (a.text && strcmp(a.text, plain.text)))
                fail_msg("%s\nreads %s, alone %s", text.data, a.text ? a.text : "nothing",
                         plain.text ? plain.text : "nothing");
            answer_release(&a);
            buf_release(&text);
        }
        answer_release(&plain);
        free(options);
    }
}

static void rules_have_names(void **state)
{
    static const struct {
        const char *response, *rule;
    } CASE[] = {
        {"B", "bare"},
        {"The answer is B.", "answer_is"},
        {"<answer>B</answer>", "answer"},
        {"</answer>/<answer>B</answer>", "answer"},
        {"</answer>, <answer>", "empty"},
        {"\\boxed{B}", "boxed"},
        {"Final answer: B", "final_answer"},
        {"B is correct.", "is_correct"},
        {"one", "option_text"},
        {"I see one thing.", "mention"},
        {"A or B", "conflict"},
        {"", "empty"},
        {"I don't know.", "refusal"},
        {"<think>", "unended"},
        {"So B.", "conclusion"},
        {"I choose B", "chosen"},
        {"B. It has a meniscus.", "opening"},
    };
    const Question q = {.kind = ANSWER_CHOICE, .n_options = 2, .option = {"zero", "one"}, .gold = "B"};
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Answer a;
        answer_extract(&a, &q, CASE[i].response, strlen(CASE[i].response));
        assert_string_equal(a.rule, CASE[i].rule);
        answer_release(&a);
    }
}

static void overlap(void **state)
{
    (void)state;
    near(token_f1("the left lung", "left lung"), 1);
    near(token_f1("left lung", "right lung"), 0.5);
    near(token_f1("lung lung lung", "lung"), 0.5);
    near(token_f1("", "lung"), 0);
    near(token_f1("心脏肥大", "心脏"), 2.0 * 2 / 6);
    near(token_bleu1("left lung", "left lung"), 1);
    near(token_bleu1("lung lung lung lung", "lung"), 0.25);
    near(token_bleu1("left", "left lower lobe"), exp(1 - 3.0));
    near(token_bleu1("left lower zone", "left lower lobe"), 2.0 / 3);
    near(token_bleu1("", "x"), 0);
}

static void normal_texts(void **state)
{
    static const struct {
        const char *text, *normal;
    } CASE[] = {
        {" The  Left-Lung. ", "left lung"},
        {"X-ray", "x ray"},
        {"a", "a"},
        {"Two lesions", "2 lesions"},
        {"1.5 cm", "1.5 cm"},
        {"**Heart**, lungs", "heart lungs"},
        {"ＣＴ", "ct"},
        {"", ""},
        {"-5", "-5"},
        {"左肺。", "左 肺"},
        {"\xff", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        char *s = text_normal(CASE[i].text, strlen(CASE[i].text));
        assert_string_equal(s, CASE[i].normal);
        free(s);
    }
}

static void quantities(void **state)
{
    static const struct {
        const char *text, *canonical;
    } CASE[] = {
        {"1,234", "1234"},       {"1,234,567", "1234567"}, {"12,5", "12.5"},     {"0,125", "0.125"},
        {"1.234,56", "1234.56"}, {"3/4", "0.75"},          {"2 1/2", "2.5"},     {"1.5e3", "1500"},
        {"2E-2", "0.02"},        {"3 x 10^-2", "0.03"},    {"- 5", "5"},         {"-5 °C", "-5 °c"},
        {"<0.5", "<0.5"},        {"at least 3", ">3"},     {"5–7 mm", "5-7 mm"}, {"between 5 and 7", "5-7"},
        {"99 %", "99%"},         {"80 bpm", "80 bpm"},     {"forty-two", "42"},  {"5 +/- 1 mm", "5 mm"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        Quantity q;
        if (!quantity_parse(&q, CASE[i].text)) fail_msg("%s is no number", CASE[i].text);
        char *s = quantity_text(&q);
        assert_string_equal(s, CASE[i].canonical);
        free(s);
    }
    static const char *const NONE[] = {"", "none", "T1", "COVID-19", "3 and 4", "2D", "L4-L5", "12th", "H2O"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        Quantity q;
        if (quantity_parse(&q, NONE[i])) fail_msg("%s is a number", NONE[i]);
    }
}

/* ---- MedEvalKit -------------------------------------------------------------------------------------------------- */

/* Values of Python's difflib.SequenceMatcher(None, a, b).ratio(). */
static void similarity(void **state)
{
    (void)state;
    near(similarity_ratio("pleural effusion", "the image shows fluid in the pleural space"), 0.3103448275862069);
    near(similarity_ratio("normal", ""), 0);
    near(similarity_ratio("", ""), 1);
    near(similarity_ratio("ab", "ba"), 0.5);
}

static bool verdict(AnswerKind kind, const char *gold, const char *response, const char **rule)
{
    Question q = {.kind = kind,
                  .gold = gold,
                  .n_options = kind == ANSWER_CHOICE ? 3 : 0,
                  .option = {"Pneumonia", "Effusion", "Normal"}};
    Answer a;
    bool right = medevalkit_judge(&a, &q, response, strlen(response));
    *rule = a.rule;
    answer_release(&a);
    return right;
}

static void medevalkit(void **state)
{
    const char *rule;
    (void)state;
    assert_true(verdict(ANSWER_CHOICE, "B", "B", &rule));
    assert_string_equal(rule, "letter");
    assert_true(verdict(ANSWER_CHOICE, "B", "B. Effusion", &rule));
    assert_true(verdict(ANSWER_CHOICE, "B", "Answer: B.", &rule));
    assert_true(verdict(ANSWER_CHOICE, "B", "\\boxed{B}", &rule));
    assert_true(verdict(ANSWER_CHOICE, "B", "effusion", &rule));
    assert_string_equal(rule, "option_text");
    /* prose that names nothing is given to the most similar option */
    assert_true(verdict(ANSWER_CHOICE, "C", "I see a normal film of the chest", &rule));
    assert_string_equal(rule, "similar");
    assert_true(verdict(ANSWER_YESNO, "yes", "Yes, it is enlarged.", &rule));
    /* "no" within "normal" spoils the yes, as it does there */
    assert_false(verdict(ANSWER_YESNO, "yes", "Yes, the heart is normal.", &rule));
    assert_string_equal(rule, "conflict");
    assert_true(verdict(ANSWER_YESNO, "no", "The heart is normal.", &rule));
    assert_true(verdict(ANSWER_OPEN, "left lung", "Left lung", &rule));
    assert_false(verdict(ANSWER_OPEN, "left lung", "the left lung", &rule));
    assert_true(verdict(ANSWER_SHORT, "ct", "CT.", &rule));
    assert_true(verdict(ANSWER_SHORT, "ct", "\\boxed{ CT }", &rule));
    /* a box that is none gives "None", which holds no "no" */
    assert_false(verdict(ANSWER_YESNO, "no", "boxed: no", &rule));
    /* the space behind "is" spoils an open answer */
    assert_false(verdict(ANSWER_OPEN, "left lung", "The answer is left lung", &rule));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adversarial_table), cmocka_unit_test(dress_changes_nothing),
        cmocka_unit_test(rules_have_names),  cmocka_unit_test(overlap),
        cmocka_unit_test(normal_texts),      cmocka_unit_test(quantities),
        cmocka_unit_test(similarity),        cmocka_unit_test(medevalkit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
