/*
 * match.h - whether an answer is right, and by how much an open one is.
 *
 *   choice   the letter of gold (gold: a letter, or an option's text)
 *   yesno    gold read as yes, no or maybe ("True", "是")
 *   number   within q->tolerance of gold, units converted (reward/quantity.h)
 *   short    normal text equal to gold's (reward/lexemes.h: text_normal)
 *   open     the same; beside it token F1 and BLEU-1, which decide nothing
 *
 * An answer that was not given is wrong, and scores 0 everywhere.
 *
 * With p and g the words of the two normal texts (a Chinese character is a word) and c the number of words they have in
 * common, counted as often as they occur in both:
 *   F1      2 c / (|p| + |g|), 0 where both are empty
 *   BLEU-1  c / |p| * min(1, exp(1 - |g| / |p|)): clipped unigram precision and brevity penalty (Papineni et al. 2002)
 */
#ifndef OSLER_REWARD_MATCH_H
#define OSLER_REWARD_MATCH_H

#include "base/err.h"
#include "reward/answer.h"

typedef struct Match {
    bool correct;
    bool exact;       /* short and open: normal texts equal, whatever a judge says */
    double f1, bleu1; /* short and open */
} Match;

Match match_answer(const Question *q, const Answer *a);
/* Whether a whole response answers right. */
bool match_response(const Question *q, const char *response);
double token_f1(const char *answer, const char *gold);
double token_bleu1(const char *answer, const char *gold);

/* Whether gold can be what its kind says; the error has a hint. Also checks the options. */
int question_check(const Question *q, Err *err);
/* Gold in its canonical form: "B", "yes", "12 mm", or the text as it is. The caller frees. q must have passed question_check. */
char *question_gold(const Question *q);

#endif
