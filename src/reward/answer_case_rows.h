/*
 * answer_case_rows.h - how the rows of answer_cases_*.c are written.
 *
 *   C(options, gold, want, right, "response")                  a choice; options divided by '|'
 *   Y(question, gold, want, right, "response")                 yes or no; the question may be 0
 *   N(question, tolerance, gold, want, right, "response")      a number
 *   S(gold, want, right, "response"), F(...)                   a short answer, a free one
 *
 * want: what must be read, or "-" abstained, "?" unparsed, "..." unended.  right: whether that is right.
 */
#ifndef OSLER_REWARD_ANSWER_CASE_ROWS_H
#define OSLER_REWARD_ANSWER_CASE_ROWS_H

#include "reward/self_test.h"

/* clang-format off */
#define C(options, gold, want, right, response)             {ANSWER_CHOICE, options, gold, response, want, right, 0}
#define Y(question, gold, want, right, response)            {ANSWER_YESNO, question, gold, response, want, right, 0}
#define N(question, tolerance, gold, want, right, response) {ANSWER_NUMBER, question, gold, response, want, right, tolerance}
#define S(gold, want, right, response)                      {ANSWER_SHORT, 0, gold, response, want, right, 0}
#define F(gold, want, right, response)                      {ANSWER_OPEN, 0, gold, response, want, right, 0}
/* clang-format on */

#define CHEST "Pneumonia|Pleural effusion|Pneumothorax|Normal"

#endif
