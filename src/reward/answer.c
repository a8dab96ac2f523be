#include "reward/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/readers_impl.h"

static const char *const KIND[ANSWER_KINDS] = {"choice", "yesno", "short", "number", "open"};

const char *answer_kind_name(AnswerKind k)
{
    return KIND[k];
}

int answer_kind_parse(const char *name)
{
    for (int k = 0; k < ANSWER_KINDS; k++)
        if (!strcmp(name, KIND[k])) return k;
    return -1;
}

void answer_given(Answer *a, char *text, const char *rule)
{
    *a = (Answer){text, rule, ANSWER_GIVEN};
}

void answer_none(Answer *a, AnswerState state, const char *rule)
{
    *a = (Answer){NULL, rule, state};
}

void answer_missing(Answer *a, const Lexemes *t, const char *rule)
{
    bool any = false;
    for (int i = 0; i < t->n && !any; i++) any = t->at[i].kind < LEXEME_MARK;
    if (!any) answer_none(a, ANSWER_UNPARSED, "empty");
    else if (text_declines(t)) answer_none(a, ANSWER_ABSTAINED, "refusal");
    else answer_none(a, ANSWER_UNPARSED, rule);
}

void answer_release(Answer *a)
{
    free(a->text);
    *a = (Answer){0};
}

static void read_text(Answer *a, const Question *q, const char *s, size_t n)
{
    Lexemes t;
    lexemes_read(&t, s, n);
    switch (q->kind) {
    case ANSWER_CHOICE: read_choice(a, q, &t); break;
    case ANSWER_YESNO: read_yesno(a, q, &t); break;
    case ANSWER_NUMBER: read_number(a, q, &t); break;
    default: read_phrase(a, &t, q->kind == ANSWER_OPEN);
    }
    lexemes_release(&t);
}

/* A sentence behind the container that names another answer takes the container's certainty away. */
static bool contradicted(const Answer *a, const Question *q, const AnswerSpan *span)
{
    static const char *const STRONG[] = {"answer_is", "final_answer", "bare", "chosen", "is_correct"};
    if (q->kind == ANSWER_SHORT || q->kind == ANSWER_OPEN || !span->n_after) return false;
    Answer later = {0};
    bool other = false;
    read_text(&later, q, span->after, span->n_after);
    for (size_t i = 0; later.text && i < sizeof STRONG / sizeof *STRONG; i++)
        other |= !strcmp(later.rule, STRONG[i]) && strcmp(later.text, a->text) != 0;
    answer_release(&later);
    return other;
}

void answer_extract(Answer *a, const Question *q, const char *response, size_t n)
{
    CHECK(q->kind != ANSWER_CHOICE || (q->n_options > 0 && q->n_options <= ANSWER_MAX_OPTIONS), "%d options",
          q->n_options);
    AnswerSpan span = answer_span(response, n);
    if (span.unended) {
        answer_none(a, ANSWER_UNENDED, "unended");
        return;
    }
    read_text(a, q, span.at, span.n);
    if (!span.container || !a->text) return;
    if (contradicted(a, q, &span)) {
        answer_release(a);
        answer_none(a, ANSWER_ABSTAINED, "conflict");
        return;
    }
    a->rule = span.container;
}
