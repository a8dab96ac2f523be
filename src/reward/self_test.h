/*
 * self_test.h - adversarial cases for the reading and judging of answers, and their run (`osler eval --self-test`).
 *
 * The table in answer_cases.c names for each response what must be read out of it and whether that is right.  It ships
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

extern const AnswerCase ANSWER_CASE[];
extern const int ANSWER_CASES;

/* Fills a Question from a case; `options` receives the option texts and must outlive it (free it). */
void answer_case_question(Question *q, const AnswerCase *c, char **options);
/* Runs every case, prints those that fail and a summary line to f, and returns how many failed. */
int answer_self_test(FILE *f);

#endif
