/*
 * answering_plan.h - what answering the questions of a run will take: memory, time, tokens.
 *
 *   AnsweringPlan p;
 *   if (answering_plan(&p, &run, &options, &engine_options, 800, err)) ...      answers of 800 tokens on average
 *   answering_plan_print(&p);
 */
#ifndef OSLER_EVAL_ANSWERING_PLAN_H
#define OSLER_EVAL_ANSWERING_PLAN_H

#include "eval/answering.h"
#include "infer/generate_plan.h"

typedef struct AnsweringPlan {
    GeneratePlan of;
    int questions, n; /* answers to each */
    int answer_tokens;
    double prompt_tokens; /* on average */
} AnsweringPlan;

/* run: after put_questions, with at least one question. */
int answering_plan(AnsweringPlan *p, const EvalRun *run, const AnsweringOptions *o, const EngineOptions *eo,
                   int answer_tokens, Err *err);
void answering_plan_print(const AnsweringPlan *p);

#endif
