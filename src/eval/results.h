/*
 * results.h - what an evaluation leaves in its folder.
 *
 *   results.json    {"benchmark", "scoring", "generation": {...}, "judge": {...}, "n", "items", "correct", "accuracy",
 *                   "ci95": [lo, hi], "unparsed", "abstained", "unended", "closed": {...}, "open": {..., "exact", "f1",
 *                   "bleu1"}, "by": {category: {...}}, "rules": {rule: {...}}, "votes": [...], "baseline": {...}}
 *   samples.jsonl   a line per response, in order: {"id", "draw", "kind", "question", "gold", "response", "extracted",
 *                   "rule", "state", "correct"}; of a judged one "judged" and "judge_text"; where a model was run for it
 *                   "prompt", "tokens", "finish_reason", "forced"
 *   report.html     the same for reading (eval/report.h)
 *
 * The bytes are a function of the rows and the options alone: no dates, no paths of this machine.
 */
#ifndef OSLER_EVAL_RESULTS_H
#define OSLER_EVAL_RESULTS_H

#include "eval/summary.h"

/* Creates the folder. `versus` may be NULL. */
int results_write(const char *dir, const EvalRun *run, const Summary *s, const Comparison *versus, Err *err);

const char *answer_state_name(AnswerState s);

#endif
