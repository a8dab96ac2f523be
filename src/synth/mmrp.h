/*
 * mmrp.h - scores of a piece of multimodal medical reasoning, for preferences (MedE2).
 *
 * The four criteria are the paper's; that each is scored 0, 1 or 2 and what the steps mean is Osler's own choice:
 *
 *                        0                                    1                          2
 *   consistency          a contradiction changes the outcome  a slip beside the point    none
 *   image_use            the picture is not used              named, nothing measured    a finding with its value
 *   no_hallucination     a decisive invented finding          a harmless one             none
 *   reflection           none                                 a phrase without a check   looks at something again
 *
 *   MmrpScore s;
 *   rule_judge(&s, &known_case, response, strlen(response));
 *   if (mmrp_sum(&s, MMRP_ALL) >= 7) ...
 *   mmrp_release(&s);
 */
#ifndef OSLER_SYNTH_MMRP_H
#define OSLER_SYNTH_MMRP_H

#include "base/json.h"
#include "reward/match.h"

typedef enum MmrpCriterion {
    MMRP_CONSISTENCY,
    MMRP_IMAGE_USE,
    MMRP_NO_HALLUCINATION,
    MMRP_REFLECTION,
    MMRP_CRITERIA
} MmrpCriterion;
extern const char *const MMRP_NAME[MMRP_CRITERIA];
enum { MMRP_ALL = (1 << MMRP_CRITERIA) - 1 };

typedef struct MmrpScore {
    int score[MMRP_CRITERIA];
    char *span[MMRP_CRITERIA]; /* the words that cost a point; NULL where none did */
    bool correct;              /* the final answer is right */
} MmrpScore;

void mmrp_release(MmrpScore *s);
/* Of the criteria in the mask (bit = criterion). */
int mmrp_sum(const MmrpScore *s, unsigned criteria);

/* ---- a judge by rules, for cases whose findings are known (the phantom clinic) --------------------------------- */

typedef struct KnownFinding {
    const char *name;
    const char *word; /* of a finding that is no number, else NULL */
    double value;
    int image; /* 0, 1 */
} KnownFinding;

typedef struct KnownCase {
    const Question *question;
    const KnownFinding *finding;
    int findings;
} KnownCase;

/* The findings of a phantom case's row, which they borrow from; their number, -1 with err where the row has none. */
int known_findings(KnownFinding *out, int max, const json_t *row, Err *err);

/*
 * Consistency: every "X is above Y" (below, between, not) is true, the answer is the one that the reasoning ends with,
 * no finding has two values, and right findings do not lead to a wrong answer.  Hallucination: what is stated of a
 * finding (a clause that begins with its name) is within READING_ERROR of the truth, hypotheses aside.
 */
#define READING_ERROR 0.1 /* of the value */
void rule_judge(MmrpScore *s, const KnownCase *c, const char *response, size_t n);

#endif
