/*
 * self_test.h - adversarial cases for the reading and judging of answers, and their run (`osler eval --self-test`).
 *
 * The tables in answer_cases_*.c name for each response what must be read out of it and whether that is right.  They ship
 * with the program: whoever trusts a score can see what the scorer was asked.
 */
#ifndef OSLER_REWARD_SELF_TEST_H
#define OSLER_REWARD_SELF_TEST_H

#include <stdio.h>

#include "reward/answer.h"

typedef struct AnswerCase {
    AnswerKind kind;
    const char *about; /* choice: the options, divided by '|'; other kinds: the question, or NULL */
    const char *gold;
    const char *response;
    const char *want; /* what must be read; "-" abstained, "?" unparsed, "..." unended */
    bool right;
    double tolerance;
} AnswerCase;

typedef struct AnswerTable {
    const AnswerCase *at;
    int n;
} AnswerTable;
extern const AnswerTable ANSWER_LABEL_CASES, ANSWER_ABSTAIN_CASES, ANSWER_OPTION_CASES, ANSWER_YESNO_CASES,
    ANSWER_VALUE_CASES;

/* The i-th case of all tables, NULL behind the last. */
const AnswerCase *answer_case(int i);

/* Fills a Question from a case; `options` receives the option texts and must outlive it (free it). */
void answer_case_question(Question *q, const AnswerCase *c, char **options);
/* Runs every case, prints those that fail and a summary line to f, and returns how many failed. */
int answer_self_test(FILE *f);

#endif
