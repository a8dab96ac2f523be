/*
 * model_judge.h - a model, shown the pictures, scores reasoning by MMRP's criteria (synth/mmrp.h).
 *
 *   JudgeReport r;
 *   if (judge_by_model(&r, &candidates, &teacher_options, err) == 0) ...      generate.n 1
 *
 * For each answer it is given pictures, question, right answer and the response, as text of others (teacher_quote), and
 * asked for JSON: each criterion 0, 1 or 2, with the words that cost a point.  Its scores become the deciding ones; those
 * of the rule judge, where there are any, stay beside them, and the report says how far the two agree.  An answer whose
 * judgement could not be read is taken out.  The wording of the criteria is Osler's own.
 */
#ifndef OSLER_SYNTH_MODEL_JUDGE_H
#define OSLER_SYNTH_MODEL_JUDGE_H

#include "infer/teacher.h"
#include "synth/candidates.h"

typedef struct JudgeReport {
    int answers, unread;
    int both;                    /* with scores of both judges */
    double kappa[MMRP_CRITERIA]; /* Cohen's, quadratic weights; NaN where one judge always says the same */
    TeacherCount count;
} JudgeReport;

/* 0; 1 where the teacher was stopped; -1 on error. */
int judge_by_model(JudgeReport *r, Candidates *c, const TeacherOptions *o, Err *err);

/* dir/judge.json: who judged, and how far rules and model agree. */
int judge_report_write(const char *dir, const JudgeReport *r, const TeacherOptions *o, Err *err);

/* The scores in a reply, its spans included; false where it has none. */
bool judgement_read(MmrpScore *s, const char *reply);
/* Of two judges: table[a][b] answers that one gave a and the other b. */
double weighted_kappa(int table[3][3]);

#endif
