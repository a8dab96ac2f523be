#include "reward/match.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "reward/quantity.h"

/* ---- overlap ----------------------------------------------------------------------------------------------------- */

typedef struct Overlap {
    int answer, gold, common;
} Overlap;

/* Calls for every word of a normal text: words are divided by single spaces. */
static int count_words(Map *m, const char *normal)
{
    int n = 0;
    for (const char *p = normal; *p; n++) {
        size_t len = strcspn(p, " ");
        int64_t old = 0;
        map_get(m, p, len, &old);
        map_set(m, p, len, old + 1);
        p += len + (p[len] == ' ');
    }
    return n;
}

static Overlap overlap(const char *answer, const char *gold)
{
    char *a = text_normal(answer, strlen(answer)), *g = text_normal(gold, strlen(gold));
    Map in_answer = {0}, in_gold = {0};
    Overlap o = {.answer = count_words(&in_answer, a), .gold = count_words(&in_gold, g)};
    for (int i = 0; i < in_answer.n; i++) {
        int64_t n = 0, mine = in_answer.entry[i].value;
        map_get(&in_gold, in_answer.entry[i].key, in_answer.entry[i].len, &n);
        o.common += (int)(n < mine ? n : mine);
    }
    map_release(&in_answer);
    map_release(&in_gold);
    free(a);
    free(g);
    return o;
}

double token_f1(const char *answer, const char *gold)
{
    Overlap o = overlap(answer, gold);
    return o.common ? 2.0 * o.common / (o.answer + o.gold) : 0;
}

double token_bleu1(const char *answer, const char *gold)
{
    Overlap o = overlap(answer, gold);
    if (!o.common) return 0;
    double precision = (double)o.common / o.answer;
    return o.answer < o.gold ? precision * exp(1 - (double)o.gold / o.answer) : precision;
}

/* ---- gold -------------------------------------------------------------------------------------------------------- */

static int gold_option(const Question *q)
{
    const char *g = q->gold;
    char *all = text_normal(g, strlen(g));
    int found = -1;
    bool letter = all[0] && !all[1] && isalpha((unsigned char)all[0]);
    if (letter && all[0] - 'a' >= 0 && all[0] - 'a' < q->n_options) found = all[0] - 'a';
    for (int k = 0; k < q->n_options && found < 0; k++) {
        char *one = text_normal(q->option[k], strlen(q->option[k]));
        if (!strcmp(one, all)) found = k;
        free(one);
    }
    free(all);
    return found;
}

static char *gold_yesno(const Question *q)
{
    const Question bare = {.kind = ANSWER_YESNO};
    Answer a;
    answer_extract(&a, &bare, q->gold, strlen(q->gold));
    return a.text;
}

static int check_options(const Question *q, Err *err)
{
    if (q->n_options < 2) {
        err_set(err, "a choice needs at least two options, got %d", q->n_options);
        return err_hint(err, "\"options\": {\"A\": \"...\", \"B\": \"...\"}");
    }
    if (gold_option(q) >= 0) return 0;
    err_set(err, "the answer \"%.60s\" is none of the %d options", q->gold, q->n_options);
    return err_hint(err, "the answer is an option's letter or its whole text");
}

int question_check(const Question *q, Err *err)
{
    Quantity number;
    if (!q->gold) return err_set(err, "there is no answer to compare with");
    if (q->kind == ANSWER_CHOICE) return check_options(q, err);
    if (q->kind == ANSWER_NUMBER) {
        if (!(q->tolerance >= 0)) return err_set(err, "the tolerance must not be negative");
        if (quantity_parse(&number, q->gold)) return 0;
        err_set(err, "the answer \"%.60s\" is not one number", q->gold);
        return err_hint(err, "write it like 12, 0.56, 3/4, 12 mm, 10-12 mm or <5 mm");
    }
    if (q->kind == ANSWER_YESNO) {
        char *gold = gold_yesno(q);
        free(gold);
        if (gold) return 0;
        err_set(err, "the answer \"%.60s\" is neither yes, no nor maybe", q->gold);
        return err_hint(err, "use the kind \"short\" for other words");
    }
    return 0;
}

char *question_gold(const Question *q)
{
    Quantity number;
    if (q->kind == ANSWER_CHOICE) return xasprintf("%c", 'A' + gold_option(q));
    if (q->kind == ANSWER_YESNO) return gold_yesno(q);
    if (q->kind == ANSWER_NUMBER && quantity_parse(&number, q->gold)) return quantity_text(&number);
    return xstrdup(q->gold);
}

/* ---- verdict ----------------------------------------------------------------------------------------------------- */

static bool same_number(const Question *q, const char *answer)
{
    Quantity x, gold;
    return quantity_parse(&x, answer) && quantity_parse(&gold, q->gold) && quantity_equal(&x, &gold, q->tolerance);
}

static bool same_text(const char *a, const char *b)
{
    char *x = text_normal(a, strlen(a)), *y = text_normal(b, strlen(b));
    bool same = *x ? !strcmp(x, y) : !*y && !strcmp(a, b);
    free(x);
    free(y);
    return same;
}

Match match_answer(const Question *q, const Answer *a)
{
    Match m = {0};
    if (!a->text) return m;
    if (q->kind == ANSWER_NUMBER) {
        m.correct = same_number(q, a->text);
    } else if (q->kind == ANSWER_SHORT || q->kind == ANSWER_OPEN) {
        m.correct = m.exact = same_text(a->text, q->gold);
        m.f1 = token_f1(a->text, q->gold);
        m.bleu1 = token_bleu1(a->text, q->gold);
    } else {
        char *gold = question_gold(q);
        m.correct = gold && !strcmp(a->text, gold);
        free(gold);
    }
    return m;
}

bool match_response(const Question *q, const char *response)
{
    Answer a;
    answer_extract(&a, q, response, strlen(response));
    bool right = match_answer(q, &a).correct;
    answer_release(&a);
    return right;
}
