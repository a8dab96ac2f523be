/*
 * orchestrate.h - worked reasoning for questions of text, from a teacher (MedE2, stage I).
 *
 *   Orchestrate r;
 *   if (orchestrate(&r, "runs/base/samples.jsonl", &options, err) == 0) orchestrate_write(dir, &r, &options, err);
 *   orchestrate_release(&r);
 *
 * The questions, and how hard they are for the model that is to learn, come from its own answers (osler eval --n K,
 * samples.jsonl): kept are those that it gets right sometimes.  The teacher is asked for a trace on the orchestrated
 * skeleton: problem, key findings, hypotheses, evidence for and against, re-check, commit.  It is not told the answer.
 * A trace is kept where it ends, answers right, checks itself in words that say what was checked, speaks of no answer
 * key, does not repeat itself, is of the question's script and neither short nor long; the first such of a question.
 * Questions are asked in rounds until n are kept, no group (the subject) holding more than its share.
 *
 * The paper gives the two steps and the number; skeleton, thresholds and filters are Osler's own choice.
 */
#ifndef OSLER_SYNTH_ORCHESTRATE_H
#define OSLER_SYNTH_ORCHESTRATE_H

#include "base/json.h"
#include "infer/teacher.h"
#include "reward/answer.h"

typedef struct OrchestrateOptions {
    TeacherOptions teacher; /* generate.n: traces of a question */
    int n;
    double min_pass, max_pass; /* right answers of the model that is to learn */
    double max_share;          /* of a group; 1: no limit */
    int min_words, max_words;  /* of a trace */
    const StrList *against;    /* test files; NULL: none */
    uint64_t seed;
} OrchestrateOptions;

/* Why a question gave no sample; of a question whose traces all failed, what the best one failed at. */
typedef enum OrchestrateDrop {
    TRACE_CUT,
    TRACE_FORM,  /* no thinking, or no answer behind it */
    TRACE_WRONG, /* another answer than the key */
    TRACE_SHORT,
    TRACE_LONG,
    TRACE_UNCHECKED, /* no re-check that says what was checked */
    TRACE_LEAK,      /* speaks of an answer key */
    TRACE_REPEATS,
    TRACE_SCRIPT, /* another script than the question's */
    TRACE_DROPS,
    QUESTION_EASY = TRACE_DROPS,
    QUESTION_HARD,
    QUESTION_IMAGE,   /* needs a picture */
    QUESTION_OPEN,    /* no answer that rules can compare */
    QUESTION_TEST,    /* shares words with a test file */
    QUESTION_GROUP,   /* its group has its share */
    QUESTION_SURPLUS, /* not needed */
    ORCHESTRATE_DROPS
} OrchestrateDrop;
extern const char *const ORCHESTRATE_DROP_NAME[ORCHESTRATE_DROPS];

typedef struct StageQuestion {
    json_t *row; /* of the first answer to it */
    int right, answers;
    int asked;  /* its number with the teacher; -1: not asked */
    char *text; /* of the trace that is kept; NULL: none */
    int draw;
    bool taken;           /* text or drop is settled */
    OrchestrateDrop drop; /* where text is NULL */
} StageQuestion;

typedef struct Orchestrate {
    StageQuestion *at;
    int n, kept;
    int dropped[ORCHESTRATE_DROPS];
    char *teacher; /* who was asked */
    TeacherCount count;
} Orchestrate;

/* 0; 1 where the teacher was stopped; -1 on error. */
int orchestrate(Orchestrate *r, const char *samples, const OrchestrateOptions *o, Err *err);
/* dir/data.jsonl: messages, and where each came from; dir/report.json. */
int orchestrate_write(const char *dir, const Orchestrate *r, const OrchestrateOptions *o, Err *err);
void orchestrate_release(Orchestrate *r);

/* What the teacher is asked. */
char *orchestrate_prompt(const Question *q);
/* What is wrong with a trace; -1: nothing. */
int orchestrate_fault(const Question *q, const char *trace, bool cut, const OrchestrateOptions *o);

#endif
