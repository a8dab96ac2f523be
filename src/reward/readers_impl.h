/* readers_impl.h - the readers behind answer_extract, one per kind. Each fills `a` from the text [s, n). */
#ifndef OSLER_REWARD_READERS_IMPL_H
#define OSLER_REWARD_READERS_IMPL_H

#include "reward/answer.h"
#include "reward/lexemes.h"

void read_choice(Answer *a, const Question *q, const Lexemes *t);
void read_yesno(Answer *a, const Question *q, const Lexemes *t);
void read_number(Answer *a, const Question *q, const Lexemes *t);
void read_phrase(Answer *a, const Lexemes *t, bool open);

/* Each makes `a` what it says; `rule` must outlive it. answer_given takes the text. */
void answer_given(Answer *a, char *text, const char *rule);
void answer_none(Answer *a, AnswerState state, const char *rule);
/* What a text says that holds no answer: a refusal, or nothing that could be read. */
void answer_missing(Answer *a, const Lexemes *t, const char *rule);

#endif
