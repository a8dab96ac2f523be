/*
 * summary.h - the numbers of a run: scores with intervals, groups, rules, votes, and the difference to a baseline.
 *
 *   Summary s;
 *   summary_fill(&s, &run);
 *   printf("%.1f %%\n", 100 * s.all.accuracy);
 *   summary_release(&s);
 *
 * n counts responses, items counts questions.  accuracy = correct / n; with several draws per question that is avg@n,
 * and its interval is Wilson's for as many trials as there are questions, because draws of one question are no
 * independent trials.
 */
#ifndef OSLER_EVAL_SUMMARY_H
#define OSLER_EVAL_SUMMARY_H

#include "eval/items.h"
#include "eval/score_stats.h"

typedef struct Tally {
    int n, items, correct;
    int unparsed, abstained, unended; /* none of them is right */
    double accuracy;
    Interval ci;
} Tally;

typedef struct Named {
    char *name;
    Tally tally;
} Named;

/* Votes over the first k draws of each question that has as many. */
typedef struct Vote {
    int k, items;
    double avg;  /* share of right draws: over all draws of these questions */
    double maj;  /* the most frequent answer is right; of equally frequent ones the first given; no answer, no vote */
    double pass; /* at least one of k is right: unbiased over all draws (Chen et al. 2021) */
    Interval avg_ci, maj_ci, pass_ci;
} Vote;

typedef struct Summary {
    Tally all, closed, open;
    double exact, f1, bleu1; /* means over open responses */
    VEC(Named) group;        /* by name */
    VEC(Named) rule;         /* the most frequent first */
    VEC(Vote) vote;          /* k = 1, 2, 4, ... and the largest; empty where every question has one response */
} Summary;

void summary_fill(Summary *s, const EvalRun *run);
void summary_release(Summary *s);

/* ---- against a baseline ---- */

typedef struct ItemVerdict {
    double share; /* right draws / draws */
    bool majority;
} ItemVerdict;
/* [items] of a run, by item. */
void run_verdicts(ItemVerdict *out, const EvalRun *run);

typedef struct Comparison {
    int common;                   /* questions that both runs answered */
    int only_here, only_baseline; /* questions that one run has */
    double here, baseline;        /* mean shares over the common ones */
    Paired difference;            /* here - baseline */
    int gained, lost;             /* by majority vote: right here only, right there only */
    double p;                     /* McNemar's exact test on gained and lost */
} Comparison;

/* Reads dir/samples.jsonl of an earlier run and compares by id. Error where no id is common. */
int compare_with(Comparison *c, const EvalRun *run, const char *dir, Err *err);

#endif
