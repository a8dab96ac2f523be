/*
 * prefer.h - judged answers to preference pairs (MedE2, stage II).
 *
 * chosen     right, every criterion at least 1, the sum at least 2 k - 1 for k criteria (7 of 8 with all four)
 * rejected   a sum at least `gap` lower; either right with bad reasoning, so that not only answers are preferred, or wrong
 * kept out   cases that are too easy or too hard (pass rate), that are answered without the picture, that have no such
 *            pair, or only pairs of too different a length
 *
 * The paper names the criteria and DPO; thresholds, shares and guards are Osler's own choice.
 *
 *   PreferResult r;
 *   prefer_pairs(&r, &candidates, blind, &(PreferOptions){.n = 1500, ...});
 *   prefer_write(dir, &r, &candidates, err);            data.jsonl (preference data), report.json
 *   prefer_release(&r);
 */
#ifndef OSLER_SYNTH_PREFER_H
#define OSLER_SYNTH_PREFER_H

#include "synth/candidates.h"

typedef struct PreferOptions {
    int n;                     /* pairs at most */
    unsigned criteria;         /* mask of MmrpCriterion */
    int gap;                   /* of the sums, chosen - rejected */
    double bad_reasoning;      /* share of pairs whose rejected answer is right, where cases allow it */
    double length_ratio;       /* |a - b| / max(a, b) at most */
    double length_balance;     /* |mean chosen - mean rejected| / mean rejected at most */
    double min_pass, max_pass; /* of a case */
    double max_blind;          /* pass rate without the picture from which a case is dropped */
    uint64_t seed;
} PreferOptions;

typedef struct PreferPair {
    int item, chosen, rejected; /* candidates.at[item].answer[...] */
    bool right;                 /* the rejected answer is right */
} PreferPair;

/* Why cases gave no pair. */
typedef enum PreferDrop {
    DROP_FEW,     /* fewer than two answers */
    DROP_EASY,    /* pass rate above max_pass */
    DROP_HARD,    /* below min_pass */
    DROP_BLIND,   /* answered without the picture */
    DROP_NO_GOOD, /* no answer good enough to be chosen */
    DROP_NO_BAD,  /* none bad enough, or none of a like length */
    DROP_LENGTH,  /* left out to balance the lengths */
    DROP_SURPLUS, /* beyond n */
    PREFER_DROPS
} PreferDrop;
extern const char *const PREFER_DROP_NAME[PREFER_DROPS];

typedef struct PreferResult {
    PreferPair *pair;
    int n, cases;
    int dropped[PREFER_DROPS];
    double length[2];              /* means, chosen and rejected */
    double mean[2][MMRP_CRITERIA]; /* scores */
} PreferResult;

/* blind: answers of the same model to the same cases without pictures; NULL: not looked at. */
void prefer_pairs(PreferResult *r, const Candidates *c, const Candidates *blind, const PreferOptions *o);
int prefer_write(const char *dir, const PreferResult *r, const Candidates *c, Err *err);
void prefer_release(PreferResult *r);

#endif
