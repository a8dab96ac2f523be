/*
 * answering.h - a model answers the questions of a run.
 *
 *   AnsweringOptions o = {.style = PROMPT_THINK, .generate = generate_options};
 *   put_questions(&run, &o);                                              item.prompt
 *   json_t *header = answering_header(&o, &engine_options, &run, err);    what decides the answers
 *   answer_store_open(&store, dir, header, &run, o.generate.n, false, err);
 *   if (answer_store_complete(&store) || answer_questions(&stats, &store, &engine, &run, &o, err) == 0)
 *       answers_to_run(&run, &store, header);                             responses, in the order of the questions
 *
 * All open questions are one generate(): images are read as their prompts enter, answers of many questions grow
 * together. An answer depends on the model, its question, the options and the number of its draw, never on the other
 * questions, on max_batch, threads, or where an earlier run was killed.
 *
 * Budget (think_budget > 0, as s1's budget forcing, Muennighoff et al. 2025): where the thinking has not ended after
 * that many tokens, it is cut there, </think> and the opening of an answer follow, and the model goes on from that,
 * with the tokens that max_new_tokens leaves it.  The response holds all of it, and the answer counts as forced.
 */
#ifndef OSLER_EVAL_ANSWERING_H
#define OSLER_EVAL_ANSWERING_H

#include "eval/answer_store.h"
#include "eval/picture_use.h"
#include "infer/generate.h"
#include "reward/answer_prompt.h"

typedef struct AnsweringOptions {
    PromptStyle style;
    const char *system;  /* NULL: the template's */
    PictureUse pictures; /* what change_pictures did */
    GenerateOptions generate;
    int think_budget;   /* tokens; 0: none; below generate.max_new_tokens */
    bool (*stop)(void); /* asked now and then: true ends the run; NULL: never */
} AnsweringOptions;

typedef struct AnsweringStats {
    int64_t answers, tokens; /* made here */
    double seconds;
} AnsweringStats;

/* Everything that decides the answers, as one object: digests of model, adapter and questions, and the options. Comes
   after put_questions. */
json_t *answering_header(const AnsweringOptions *o, const EngineOptions *e, const EvalRun *run, Err *err);
/* The text that the model is asked, with image markers, for every item. */
void put_questions(EvalRun *run, const AnsweringOptions *o);
/* An item's question as a sample to encode; msg: room for its messages. All texts stay the item's and the options'. */
Sample question_sample(Message msg[2], const EvalItem *item, const AnsweringOptions *o);
static inline bool answer_store_complete(const AnswerStore *s)
{
    return s->given == (int64_t)s->run->item.n * s->n;
}
/* Answers what the store does not have: 0; 1 where `stop` ended it; -1 on error. The store has what was finished. */
int answer_questions(AnsweringStats *stats, AnswerStore *store, Engine *e, const EvalRun *run,
                     const AnsweringOptions *o, Err *err);
/* The answers of a complete store become the run's responses; run->generation says how they were made. */
void answers_to_run(EvalRun *run, const AnswerStore *store, const json_t *header);

#endif
