/*
 * judge_summary.h - what a judge found, on average: each criterion, their sum with its interval, and how far the sum is
 * from that of an earlier judging of the same cases.
 *
 * A case counts by the mean over its answers; intervals are of 95 %, from resampled cases (eval/score_stats.h).
 *
 *   JudgeSummary s;
 *   if (judge_summary(&s, &candidates, mask, baseline_dir, seed, err) || judge_summary_write(dir, &s, mask, err)) ...
 *   judge_summary_print(&s, mask);
 */
#ifndef OSLER_CMD_JUDGE_SUMMARY_H
#define OSLER_CMD_JUDGE_SUMMARY_H

#include "eval/score_stats.h"
#include "synth/candidates.h"

typedef struct JudgeSummary {
    int answers, cases;
    double right; /* share of the answers */
    double mean[MMRP_CRITERIA];
    Paired sum;
    int common;        /* cases of the baseline, too; -1: no baseline */
    Paired difference; /* of the sum, on these */
} JudgeSummary;

/* baseline: the folder of an earlier judging, which holds scores.jsonl; NULL: none. */
int judge_summary(JudgeSummary *s, const Candidates *c, unsigned mask, const char *baseline, uint64_t seed, Err *err);
/* dir/summary.json */
int judge_summary_write(const char *dir, const JudgeSummary *s, unsigned mask, Err *err);
void judge_summary_print(const JudgeSummary *s, unsigned mask);

#endif
