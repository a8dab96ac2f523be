/*
 * items.h - the questions of an evaluation, and the answers that were given to them.
 *
 * The flow is   items -> responses -> scored -> files,   each step a function that a run of a model can call, too:
 *
 *   EvalRun run = {.scoring = SCORING_STRICT, .name = xstrdup("VQA-RAD")};
 *   int item = run_add_item(&run, row, dir, at, err);              a question, from a row of JSON
 *   run_add_response(&run, item, text, JUDGED_NOT);                an answer to it: read and judged at once
 *   ... any number of either ...
 *   Summary s;                                                     eval/summary.h
 *   summary_fill(&s, &run);
 *   results_write(dir, &run, &s, baseline, err);                   eval/results.h
 *
 * or, of a file of rows that hold both (`osler eval --responses`), run_load_responses.  A question that was answered
 * several times has several responses, numbered in the order they came.  Questions that come from elsewhere (named
 * benchmarks, eval/benchmark.h) are made with the item_ functions and given to run_add.
 *
 * A row:  {"id", "question", "kind": "choice|yesno|short|number|open", "options": {"A": "...", ...} or ["...", ...],
 *          "answer", "tolerance": 0.0, "images": ["path", ...], "response": "...", "judged": true|false}
 * "judged" is a judge's verdict on an open answer; it decides in place of the exact comparison.  Text or a number in
 * "category" groups the questions, and so do family, specialty, level, split, subject, modality, question_type, language.
 */
#ifndef OSLER_EVAL_ITEMS_H
#define OSLER_EVAL_ITEMS_H

#include "base/json.h"
#include "base/map.h"
#include "data/sample.h"
#include "reward/match.h"

typedef struct EvalItem {
    char *id;
    Question q; /* its strings belong to the item */
    char **groups;
    int n_groups; /* "category", "family:nodule", ...; the kind is always one */
    char **images;
    int n_images; /* references, resolved */
    char *prompt; /* what a model was asked; NULL: not known */
    int n_responses;
    RowPlace at; /* its file's name is borrowed; run_keep_name keeps one */
} EvalItem;

typedef enum Judged { JUDGED_NOT = -1, JUDGED_WRONG, JUDGED_RIGHT } Judged;

typedef struct EvalResponse {
    int item, draw; /* draw: 0 for the item's first */
    char *text;
    Answer answer;
    Match match;
    char *vote; /* equal answers have equal votes; NULL where there is none */
    /* Of a model that was run for it (eval/answering.h): */
    int tokens;
    const char *finish_reason; /* NULL: not known */
    bool forced;               /* the thinking was ended at its budget */
    char *judge_text;          /* what the judge said; NULL: none was asked */
} EvalResponse;

typedef enum Scoring { SCORING_STRICT, SCORING_MEDEVALKIT } Scoring;
const char *scoring_name(Scoring s);

typedef struct EvalRun {
    char *name;       /* of the benchmark; NULL: none */
    char *generation; /* how the answers were made, a JSON object; NULL: not known */
    char *judge;      /* who judged open answers, a JSON object; NULL: nobody */
    Scoring scoring;
    uint64_t seed; /* of the bootstrap */
    VEC(EvalItem) item;
    VEC(EvalResponse) response;
    Map by_id;
    VEC(char *) kept; /* names of files */
} EvalRun;

/* ---- one item ---- */

/* Fills a zeroed item from a row; `dir` is the folder that its images are relative to. Release it also on error. */
int item_from_json(EvalItem *item, const json_t *row, const char *dir, Err *err);
/* "key:value", or the value alone where key is NULL; nothing where the value is NULL or empty. */
void item_add_group(EvalItem *item, const char *key, const char *value);
void item_add_image(EvalItem *item, char *ref); /* takes it */
void item_release(EvalItem *item);

/* ---- a run ---- */

/* The number of the item, new or known by its id (then the question must be the same); -1 on error. Takes the item. */
int run_add(EvalRun *run, EvalItem *item, Err *err);
/* item_from_json and run_add; without "id" the row's place is its id. */
int run_add_item(EvalRun *run, const json_t *row, const char *dir, RowPlace at, Err *err);
/* A copy that lives as long as the run. */
const char *run_keep_name(EvalRun *run, const char *name);
void run_add_response(EvalRun *run, int item, const char *text, Judged judged);
/* The judge's verdict on an open answer that was given decides in place of the comparison. */
void run_judge_response(EvalRun *run, int response, Judged judged);
/* Drops the items [run->item.n] that are not kept; there must be no response yet. */
void run_keep_items(EvalRun *run, const bool *keep);
/* Rows with questions and responses. Errors name file and line and have a hint. */
int run_load_responses(EvalRun *run, const char *path, Err *err);
void run_release(EvalRun *run);

/* Choice, yes/no, number and short answers are closed; free text is open. */
static inline bool item_is_open(const EvalItem *item)
{
    return item->q.kind == ANSWER_OPEN;
}

#endif
