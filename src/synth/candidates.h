/*
 * candidates.h - answers that a model gave to cases with known findings, judged.
 *
 *   Candidates all;
 *   if (candidates_load(&all, "pref/data.jsonl", "runs/answers/samples.jsonl", err)) ...
 *   all.at[i].answer[k].score ...
 *   candidates_release(&all);
 *
 * The answers come from `osler eval --n K` (samples.jsonl).  Cases whose findings are known (`osler phantom`) are judged
 * by rules; any others need a model's judgement (synth/model_judge.h).
 */
#ifndef OSLER_SYNTH_CANDIDATES_H
#define OSLER_SYNTH_CANDIDATES_H

#include "base/buf.h"
#include "synth/mmrp.h"

typedef struct Candidate {
    char *text;
    int draw, length;  /* length: tokens, or bytes where the file does not tell */
    MmrpScore score;   /* the deciding one */
    MmrpScore by_rule; /* beside that of a model, where the findings are known */
    bool has_rule;
} Candidate;

typedef struct CandidateCase {
    json_t *row;  /* of the data file */
    char *prompt; /* what the model was asked, with image markers */
    VEC(Candidate) answer;
} CandidateCase;

typedef struct Candidates {
    CandidateCase *at; /* in the order of the data file */
    int n;
    char *folder; /* of the data file, absolute: its pictures' names begin there */
    bool judged_by_model;
} Candidates;

/* Errors carry file and line: a row without findings (allowed where a model will judge), an answer to no case. */
int candidates_load(Candidates *c, const char *data, const char *samples, bool model_judges, Err *err);
void candidates_release(Candidates *c);

/* dir/scores.jsonl: a line for each answer: {"id", "draw", "correct", each criterion, "<criterion>_span"}. */
int candidates_write(const char *dir, const Candidates *c, Err *err);
/* An answer's scores as JSON. */
json_t *candidate_scores(const Candidate *a);

/* Right answers of a case. */
int candidates_right(const CandidateCase *c);

#endif
