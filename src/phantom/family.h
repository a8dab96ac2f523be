/*
 * family.h - what a family of phantom cases is.
 *
 * A family is one row in families.c and one file.  The core picks a level, one of the family's questions (Ask) at that
 * level, a patient group and the class of the answer, all evenly, so that nothing but the picture tells the answer.
 * Then the family works from the class backwards:
 *
 *   draw      class -> quantities, kept a margin away from every threshold so that the picture can be read at 112
 *   judge     quantities -> class by the published rule; must give back the class (checked for every case)
 *   render    quantities -> picture; the canvas comes empty, with `channels` channels, not placed
 *   describe  quantities -> findings (finding_number, finding_word) and a caption
 *   think     quantities -> what reasoning.c needs: rule, steps, hypotheses with evidence for and against
 *
 * Vignette, options, number questions, text twin, prompts and the six styles of reasoning are the core's.
 *
 * Families whose rule is a row of cut-offs on one quantity get draw, judge and think from Cutoffs:
 *
 *   static const Cutoffs ADULT = {.name = "cardiothoracic ratio", .unit = "", .format = "%.2f", .step = 0.01,
 *                                 .lo = 0.38, .hi = 0.66, .margin = 0.03, .error = 0.015, .n = 1, .limit = {0.50},
 *                                 .label = {"a heart of normal size", "an enlarged heart"}, .rule = "In an adult ..."};
 *   t->q[0][0] = cutoffs_draw(&ADULT, class, rng);
 *
 * Random numbers come as separate streams for the truth, the picture and the words: another way of drawing a rib
 * changes no answer.  Class numbers are those of Ask.answer.
 *
 * Easy to get wrong: C leaves open in which order arguments and initialisers are evaluated, so draw at most one random
 * number in each full expression; two in one call or one {...} differ between compilers.
 */
#ifndef OSLER_PHANTOM_FAMILY_H
#define OSLER_PHANTOM_FAMILY_H

#include "base/rng.h"
#include "phantom/canvas.h"
#include "phantom/modality.h"
#include "phantom/phantom.h"

enum { MAX_QUANTITIES = 10, MAX_CLASSES = 6, MAX_PHRASES = 4, MAX_GROUPS = 4, MAX_STEPS = 8, MAX_HYPOTHESES = 5 };

/* What is so: q[image][quantity], in the family's own order of quantities. */
typedef struct Truth {
    int images, group;
    double q[MAX_IMAGES][MAX_QUANTITIES];
} Truth;

/*
 * A kind of question.  Classes are the possible answers:
 *   ASK_CHOICE   answer[] and extra[] (never right) are the options' texts, in random order; where answer is empty,
 *                four values of `quantity`, `step` apart, in rising order
 *   ASK_YESNO    two classes: 0 yes, 1 no
 *   ASK_SHORT    answer[]
 *   ASK_NUMBER   the value of `quantity` (of image 0), printed with `format`; `classes`: bins that draw fills evenly
 */
typedef struct Ask {
    const char *name; /* unique in the family */
    int level, images;
    AskKind kind;
    unsigned groups; /* bit g: may be asked of group g */
    int classes;
    const char *answer[MAX_CLASSES], *extra[MAX_OPTIONS];
    int quantity;
    const char *format;
    double tolerance, step;
    const char *phrase[MAX_PHRASES + 1]; /* paraphrases */
} Ask;

/* Patients of one kind.  Complaints and facts must not depend on the answer. */
typedef struct Group {
    const char *name;          /* "adult" */
    const char *male, *female; /* "man", "woman" */
    int youngest, oldest;      /* in units of age_unit */
    const char *age_unit;      /* "year", "month", "day" */
    const char *complaint[9];  /* "breathlessness for two weeks", NULL-ended */
    const char *fact[9];       /* relevant sentences, NULL-ended */
} Group;

typedef struct Hypothesis {
    const char *name;         /* "an enlarged heart" */
    const char *pro, *contra; /* evidence; "" = none */
    double prior, likelihood; /* of what was measured, given the hypothesis */
    bool holds;
} Hypothesis;

typedef struct Thought {
    const char *problem;         /* completes "The question is ...": "whether the heart is enlarged" */
    const char *rule;            /* a sentence with the threshold */
    const char *step[MAX_STEPS]; /* sentences: "0.57 is above 0.50." */
    const char *check;           /* a sentence: how far from the limit, what could mislead */
    const char *conclusion;      /* a sentence: "The heart is enlarged." */
    Hypothesis hypothesis[MAX_HYPOTHESES];
    int steps, hypotheses;
} Thought;

struct Family {
    const char *name, *specialty;
    const char *picture; /* "chest film": "first chest film" where there are two */
    int channels;
    const Ask *ask;
    int asks;
    const Group *group;
    void (*draw)(Truth *t, const Ask *ask, int class, Rng *rng);
    int (*judge)(const Truth *t, const Ask *ask); /* not called for ASK_NUMBER and choices of values */
    void (*render)(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng);
    void (*describe)(Case *c, const Truth *t, Rng *rng); /* findings and c->caption */
    void (*think)(Case *c, Thought *h, const Truth *t, const Ask *ask, int class);
};

extern const Family *const FAMILIES[]; /* NULL-ended */

/* ---- for families ---------------------------------------------------------------------------------------------- */

/* A string that lives as long as the case. */
const char *case_say(Case *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One of a NULL-ended list. */
const char *draw_phrase(Rng *rng, const char *const *phrase);
/* The nearest multiple of step. */
double round_to(double x, double step);

/* Findings; text is canonical: "name value unit" and "name word". format: of value, "%.2f". */
void finding_number(Case *c, int image, const char *name, const char *format, double value, const char *unit);
void finding_word(Case *c, int image, const char *name, const char *word);

void thought_step(Thought *h, const char *sentence);
/* Hypotheses exclude each other and cover everything: their priors add up to 1. */
void thought_hypothesis(Thought *h, Hypothesis hyp);
/* One for each name, equally likely before, of which one holds: `pro` speaks for it, `contra` against the rest. */
void thought_candidates(Thought *h, const char *const *name, int n, int holds, const char *pro, const char *contra);

/* Ascending limits cut a quantity into n + 1 classes; class k lies between limit[k-1] and limit[k]. */
typedef struct Cutoffs {
    const char *name, *unit, *format;
    double step, lo, hi, margin; /* values are multiples of step in [lo, hi], `margin` away from every limit */
    double error;                /* how well a reader measures it (standard deviation) */
    int n;
    double limit[MAX_CLASSES - 1];
    const char *label[MAX_CLASSES]; /* of class k, with its article: "an enlarged heart" */
    const char *rule;               /* a sentence */
} Cutoffs;
double cutoffs_draw(const Cutoffs *k, int class, Rng *rng);
/* A value of any class, for questions on the number alone: bin of `bins` equal parts of [lo, hi]; margins are kept. */
double cutoffs_draw_bin(const Cutoffs *k, int bin, int bins, Rng *rng);
int cutoffs_class(const Cutoffs *k, double value);
/* Rule, steps that compare, one hypothesis per class and a re-check. */
void cutoffs_think(Case *c, Thought *h, const Cutoffs *k, double value);
/* The same for the second of two pictures as well.  Class bit i tells whether picture i is abnormal, so the hypotheses
   are the four texts of ask->answer. */
void cutoffs_think_pair(Case *c, Thought *h, const Cutoffs *k, const double value[2], const Ask *ask, int class);
/* The same for reading a value off the picture: how: a sentence that says how it is measured. */
void value_think(Case *c, Thought *h, const Cutoffs *k, double value, const char *how);

/* ---- between the core's files ---------------------------------------------------------------------------------- */

const char *vignette_make(Case *c, const Group *g, Rng *rng);
void reasoning_make(Case *c, const Thought *h, Rng *rng);
/* "cardiothoracic ratio 0.57; apex of the heart left" */
void findings_list(Buf *b, const Case *c);
/* "So the answer is on both films.", with its letter "on both films (C)." */
void commit_sentence(Buf *b, const Case *c, bool letter, Rng *rng);
/* What user and assistant say. */
void case_messages(Buf *ask, Buf *answer, const Case *c, int style, Rng *rng);

#endif
