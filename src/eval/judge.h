/*
 * judge.h - a language model says whether open answers mean what the gold answers mean.
 *
 *   TeacherOptions o = TEACHER_DEFAULTS;
 *   o.where = "https://api.openai.com/v1", o.model = "gpt-4o-mini", o.key = key;
 *   JudgeCount count;
 *   if (judge_responses(&count, &run, dir, &o, err)) ...
 *
 * Asked about every answer to an open question that was given and is not the gold answer word for word; those that were
 * not given stay wrong, and closed questions are never asked about.  The judge gets question, gold and answer as text,
 * and chooses between "right" and "wrong"; its reply is read as every other answer is (reward/answer.h).  A verdict
 * decides in place of the comparison (rule "judge"); where the reply says neither, the comparison stays, and the reply
 * counts as unread.  What the judge said is EvalResponse.judge_text.
 *
 * Every reply is kept in DIR/judge.jsonl, so that what was asked once is not asked again (infer/teacher.h).  A judge that
 * is a folder opens its own engine: close the other one first, and memory is needed once.
 */
#ifndef OSLER_EVAL_JUDGE_H
#define OSLER_EVAL_JUDGE_H

#include "eval/items.h"
#include "infer/teacher.h"

typedef struct JudgeCount {
    int responses;     /* with a verdict, or an unread one */
    int unread, asked; /* of them; asked: not in the cache */
} JudgeCount;

/* Of the options name and cache are the judge's own. 0; 1 where `stop` ended it; -1 on error. */
int judge_responses(JudgeCount *count, EvalRun *run, const char *dir, const TeacherOptions *o, Err *err);

#endif
