/*
 * judge.h - a language model says whether open answers mean what the gold answers mean.
 *
 *   JudgeOptions o = {.where = "https://api.openai.com/v1", .model = "gpt-4o-mini", .key = key, .parallel = 8, ...};
 *   JudgeCount count;
 *   if (judge_responses(&count, &run, dir, &o, err)) ...
 *
 * Asked about every answer to an open question that was given and is not the gold answer word for word; those that were
 * not given stay wrong, and closed questions are never asked about.  The judge gets question, gold and answer as text,
 * and chooses between "right" and "wrong"; its reply is read as every other answer is (reward/answer.h).  A verdict
 * decides in place of the comparison (rule "judge"); where the reply says neither, the comparison stays, and the reply
 * counts as unread.  What the judge said is EvalResponse.judge_text.
 *
 * DIR/judge.jsonl keeps every reply under a hash of the judge and the prompt, so that what was asked once is not asked
 * again: not by a run that goes on, and not by one that is repeated.
 *
 * The judge is a server (base/chat_api.h), asked `parallel` times at once, or a checkpoint folder.  Its own engine is
 * opened for that: close the other one first, and memory is needed once.
 */
#ifndef OSLER_EVAL_JUDGE_H
#define OSLER_EVAL_JUDGE_H

#include "eval/items.h"
#include "infer/generate.h"

typedef struct JudgeOptions {
    const char *where; /* http(s) address, or a folder */
    const char *model; /* the server's name for it; NULL: the server has one */
    const char *key;   /* of the server; NULL: none */
    int parallel;
    double timeout_s;
    int max_tokens;       /* of a reply */
    EngineOptions engine; /* of a folder, which replaces its model */
    int max_batch;
    bool (*stop)(void); /* asked now and then: true ends it; NULL: never */
} JudgeOptions;

typedef struct JudgeCount {
    int responses;     /* with a verdict, or an unread one */
    int unread, asked; /* of them; asked: not in the cache */
} JudgeCount;

/* Whether there can be such a judge: before hours are spent on the answers. */
int judge_check(const JudgeOptions *o, Err *err);
/* 0; 1 where `stop` ended it; -1 on error. What was said until then is kept. */
int judge_responses(JudgeCount *count, EvalRun *run, const char *dir, const JudgeOptions *o, Err *err);

#endif
