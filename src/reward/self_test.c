#include "reward/self_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/match.h"

const AnswerCase *answer_case(int i)
{
    static const AnswerTable *const TABLE[] = {&ANSWER_LABEL_CASES, &ANSWER_ABSTAIN_CASES, &ANSWER_OPTION_CASES,
                                               &ANSWER_YESNO_CASES, &ANSWER_VALUE_CASES};
    for (size_t k = 0; k < sizeof TABLE / sizeof *TABLE; i -= TABLE[k++]->n)
        if (i < TABLE[k]->n) return &TABLE[k]->at[i];
    return NULL;
}

void answer_case_question(Question *q, const AnswerCase *c, char **options)
{
    *q = (Question){.kind = c->kind, .gold = c->gold, .tolerance = c->tolerance};
    *options = c->about ? xstrdup(c->about) : NULL;
    if (c->kind != ANSWER_CHOICE) {
        q->question = *options;
        return;
    }
    for (char *p = *options; p && q->n_options < ANSWER_MAX_OPTIONS;) {
        q->option[q->n_options++] = p;
        p = strchr(p, '|');
        if (p) *p++ = 0;
    }
}

static const char *shown(const Answer *a)
{
    static const char *const STATE[] = {"", "-", "?", "..."};
    return a->state == ANSWER_GIVEN ? a->text : STATE[a->state];
}

static bool run_case(FILE *f, const AnswerCase *c)
{
    Question q;
    char *options;
    Err err = {0};
    answer_case_question(&q, c, &options);
    bool sound = question_check(&q, &err) == 0;
    if (!sound) fprintf(f, "the case itself is wrong: %s: %s\n", c->response, err.msg);
    Answer a = {0};
    answer_extract(&a, &q, c->response, strlen(c->response));
    bool right = sound && match_answer(&q, &a).correct;
    bool passed = sound && right == c->right && !strcmp(shown(&a), c->want);
    if (!passed)
        fprintf(f, "%-6s gold %s: %s\n       read %s by %s, %s; should read %s, %s\n", answer_kind_name(c->kind),
                c->gold, c->response, shown(&a), a.rule, right ? "right" : "wrong", c->want,
                c->right ? "right" : "wrong");
    answer_release(&a);
    free(options);
    return passed;
}

int answer_self_test(FILE *f)
{
    int failed = 0, n = 0;
    for (const AnswerCase *c; (c = answer_case(n)); n++) failed += !run_case(f, c);
    fprintf(f, "%d cases, %d wrong\n", n, failed);
    return failed;
}
