/*
 * phantom.h - the phantom clinic: medical cases whose truth is known.
 *
 * A case is a picture (or two), a patient, a question, its answer, the findings as numbers, a caption and worked
 * reasoning.  The answer follows from a published threshold applied to quantities that can be measured on the picture.
 * Test objects, never for clinical use.
 *
 *   CaseSpec spec = {.family = family_find("chest-heart"), .split = SPLIT_TEST, .number = 123, .seed = 7, .size = 112};
 *   Case c;
 *   case_make(&c, &spec);                              chest-heart-test-000123-s7: the same bits on any machine
 *   ... c.question, c.answer, c.image[0].rgb ...
 *   case_release(&c);
 *
 * A case is a pure function of its spec, and its id tells the whole spec: size (beyond 112), shift, twin and a level
 * that was asked for are endings of the id.  Splits never share random numbers.  Strings and pictures belong to the
 * case.  All functions are thread-safe.
 */
#ifndef OSLER_PHANTOM_PHANTOM_H
#define OSLER_PHANTOM_PHANTOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

typedef struct Family Family; /* family.h */

typedef enum Split {
    SPLIT_BASE,
    SPLIT_SFT,
    SPLIT_TEXT, /* text twins */
    SPLIT_PREF,
    SPLIT_RL,
    SPLIT_DEV,
    SPLIT_TEST,
    SPLIT_TEST_SHIFT, /* another scanner */
    N_SPLITS
} Split;
#define SPLIT_CHOICES "base|sft|text|pref|rl|dev|test|test-shift"
extern const char *const SPLIT_NAME[N_SPLITS];

typedef enum AskKind { ASK_CHOICE, ASK_YESNO, ASK_SHORT, ASK_NUMBER, N_KINDS } AskKind;
extern const char *const KIND_NAME[N_KINDS];

typedef enum Style {
    STYLE_PLAIN,
    STYLE_ORCHESTRATED,
    STYLE_DIFFERENTIAL,
    STYLE_INTUITIVE,
    STYLE_ANALYTICAL,
    STYLE_BAYESIAN,
    N_STYLES
} Style;
extern const char *const STYLE_NAME[N_STYLES];

enum { MAX_IMAGES = 2, MAX_OPTIONS = 5, MAX_FINDINGS = 16 };

typedef struct CaseSpec {
    const Family *family;
    Split split;
    uint32_t number;
    uint64_t seed;
    int size;   /* pixels, a multiple of 28 from 112 to 896 */
    bool shift; /* another scanner; always on in test-shift */
    bool twin;  /* findings in words, no picture; always on in text */
    int level;  /* 1 .. 4 where the family asks there, 0: any */
} CaseSpec;

typedef struct Finding {
    const char *name, *unit;
    const char *word;  /* a value that is no number, else NULL */
    double value;      /* where word is NULL */
    const char *text;  /* canonical: "cardiothoracic ratio 0.57" */
    int image;         /* 0 or 1 */
    const char *label; /* "" or "first film" where there are two */
} Finding;

typedef struct Case {
    char id[96];
    const Family *family;
    const char *ask;   /* the question's name within its family */
    const char *group; /* the patient's */
    int level;
    AskKind kind;
    const char *vignette;            /* "" at some level 1 cases */
    const char *question;            /* vignette, findings of a twin, and what is asked */
    const char *option[MAX_OPTIONS]; /* ASK_CHOICE: texts of A, B, ... */
    int options;
    const char *answer;      /* the letter, yes or no, a word, a number */
    const char *answer_text; /* as answer; of a choice the option's text */
    double tolerance;        /* ASK_NUMBER */
    Finding finding[MAX_FINDINGS];
    int findings;
    const char *caption;
    const char *reasoning[N_STYLES];
    const char *conclusion; /* the sentence before the answer: "The heart is enlarged." */
    Image image[MAX_IMAGES];
    int images;
    VEC(char *) text; /* owns the strings */
} Case;

void case_make(Case *c, const CaseSpec *spec);
void case_release(Case *c);
/* What is wrong with a size, a level or a family that does not ask at that level. */
int case_check(const CaseSpec *spec, Err *err);

/* The question as a user's message: <image> markers, the question, options, and how to answer. */
void case_prompt(Buf *out, const Case *c, bool think);

/* ---- data sets (split_write.c, sheet.c) ------------------------------------------------------------------------ */

typedef struct SplitSpec {
    CaseSpec first; /* family NULL: all in turn; number 0 */
    int n;
    int style; /* of the assistant's message: a Style, or one of the following */
    bool tsv;  /* data.tsv in VLMEvalKit's layout as well */
} SplitSpec;
enum {
    STYLE_DIRECT = N_STYLES, /* the answer alone */
    STYLE_CAPTION,           /* another question: what does the picture show? Not for twins */
    STYLE_MEASURE,           /* another: the findings in their canonical words */
    STYLE_READING,           /* another: findings, options' letters or the answer are read off the text */
    STYLE_NOTES,             /* the sentences of some reasoning in random order, without the answer */
    STYLE_SIGHT,             /* the answer or the caption, by chance */
    STYLE_MIXED              /* any Style, by chance */
};

/* dir/data.jsonl, dir/images/NAME.png, dir/README.md and, where asked for, dir/data.tsv. */
int split_write(const char *dir, const SplitSpec *spec, Err *err);
/* One picture with `columns` cases of the family, or of each, and their answers. */
int sheet_write(const char *path, const CaseSpec *first, int columns, Err *err);

/* By name; NULL where there is none.  family_name(i): NULL behind the last. */
const Family *family_find(const char *name);
const char *family_name(int i);

#endif
