/*
 * answer.h - what a response answers, by fixed rules: one truth for evaluation, RL rewards and data filters.
 *
 *   Question q = {.kind = ANSWER_CHOICE, .n_options = 4, .option = {"Pneumonia", ...}, .question = "..."};
 *   Answer a;
 *   answer_extract(&a, &q, text, strlen(text));
 *   printf("%s by %s\n", a.text ? a.text : "nothing", a.rule);            B by answer_is
 *   answer_release(&a);
 *
 * The reading never sees the right answer.  It is deterministic, and where two readings compete it abstains rather than
 * guesses: "A or B", "the answer is A. The answer is B.", a letter with another option's text.
 *
 * Which part is read.  Thinking (<think>, <thinking>, <reasoning>, <thought>) is cut off; where it has no end the answer
 * is ANSWER_UNENDED, unless a whole <answer>..</answer> closes the response.  After it the last <answer>..</answer> or
 * \boxed{..} is the answer and nothing else counts, except a later sentence that says otherwise; without one, the text.
 * Containers with "or", "and" or a comma between them are one.
 *
 * How it is read, from strong to weak; the strongest reading that says anything decides:
 *   cues          "final answer: B" before "the answer is B", "I choose B", "B is correct", "so B"; the whole text, the
 *                 first or the last line is nothing but an answer
 *   openings      "B. Pneumonia", "(B) because ...": a label at a line's begin or with its option's text
 *   mentions      one option's label or text, affirmed, anywhere
 * A denied reading ("not A but B", "A is wrong", "rule out A", "B rather than A") never counts, what the question asks for
 * aside ("which is least likely?").  "Wait", "actually" and "correction" between two answers take the first one back.
 *
 * Answer.text, the canonical form: the option's letter; yes, no, maybe; a number with its unit; else the text without
 * markup, lead-in and closing point.  Answer.rule is a short stable name, e.g. answer, boxed, answer_is, opening, mention.
 */
#ifndef OSLER_REWARD_ANSWER_H
#define OSLER_REWARD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum AnswerKind {
    ANSWER_CHOICE, /* one of 2 to 26 options */
    ANSWER_YESNO,  /* yes, no or maybe */
    ANSWER_SHORT,  /* a word or a phrase that is right or wrong */
    ANSWER_NUMBER,
    ANSWER_OPEN, /* free text, compared by overlap */
    ANSWER_KINDS
} AnswerKind;
const char *answer_kind_name(AnswerKind k);
int answer_kind_parse(const char *name); /* -1 where unknown */

enum { ANSWER_MAX_OPTIONS = 26 };

/* A question as far as reading and judging an answer needs it. Borrows its strings. */
typedef struct Question {
    AnswerKind kind;
    const char *question;                   /* NULL: not known */
    const char *option[ANSWER_MAX_OPTIONS]; /* ANSWER_CHOICE: texts of the options A, B, C, ... */
    int n_options;
    const char *gold; /* choice: a letter, or an option's text */
    double tolerance; /* ANSWER_NUMBER: greatest allowed distance, in gold's unit */
} Question;

typedef enum AnswerState {
    ANSWER_GIVEN,
    ANSWER_ABSTAINED, /* a refusal, a hedge, or readings that compete */
    ANSWER_UNPARSED,  /* nothing that could be read as an answer */
    ANSWER_UNENDED    /* the thinking never ended */
} AnswerState;

typedef struct Answer {
    char *text; /* NULL unless given */
    const char *rule;
    AnswerState state;
} Answer;

void answer_extract(Answer *a, const Question *q, const char *response, size_t n);
void answer_release(Answer *a);

/* Where the final answer stands in a response. */
typedef struct AnswerSpan {
    const char *at;
    size_t n;
    const char *container; /* "answer", "boxed", or NULL: free text */
    const char *after;     /* what follows a container */
    size_t n_after;
    bool unended;
} AnswerSpan;
AnswerSpan answer_span(const char *response, size_t n);

#endif
