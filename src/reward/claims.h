/*
 * claims.h - what a text says about a set of values: which it affirms, how strongly, and which it denies.
 *
 * The values (options of a choice; yes, no, maybe) are the caller's; he says where one of them stands:
 *
 *   static int find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end) { ... }
 *
 *   Lexicon lex = {.find = find, .context = &options};
 *   Claims c = {0};
 *   claims_read(&c, &lex, &tokens);
 *   int value = claims_decide(&c, &tokens, &rule);          CLAIM_NONE, CLAIM_CONFLICT
 *   claims_release(&c);
 *
 * Scope of a denial: "not" and its kin reach forward to the end of the clause, across the commas of a list but not past
 * "but", a new subject or a new verb; "is wrong", "can be ruled out" reach back to the value or list before them.
 */
#ifndef OSLER_REWARD_CLAIMS_H
#define OSLER_REWARD_CLAIMS_H

#include "reward/lexemes.h"

/* How much the place of a value already says about its being one. */
typedef enum FindMode {
    FIND_FREE, /* anywhere in a text */
    FIND_CUED, /* after "the answer is" */
    FIND_WHOLE /* the text or the line is nothing else */
} FindMode;

typedef struct Lexicon Lexicon;
struct Lexicon {
    /* The value that begins at token i, and the token after it; -1 where none does; -2: something that looks like a
       value of this kind but is none (an option E of four). */
    int (*find)(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end);
    const void *context;
    const Lexemes *question; /* may be NULL; what it asks for is no denial: "which is least likely?" */
    bool labels;  /* what stands behind a value may deny it, or be its meaning: "A is wrong", "B. Pneumonia" */
    bool numbers; /* only a denial right before a value counts: "no cardiomegaly, ratio 0.45" states the ratio */
};

/* lex->find where there is a lexeme i, else -1. */
int lexicon_find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end);

typedef enum ClaimStrength { CLAIM_MENTION = 1, CLAIM_OPENING, CLAIM_CUE, CLAIM_FINAL } ClaimStrength;

typedef struct Claim {
    int value;      /* -2: cued, but no value of the lexicon */
    int first, end; /* tokens */
    ClaimStrength strength;
    bool denied;
    const char *rule;
} Claim;

typedef struct Claims {
    VEC(Claim) claim;
    bool *idle; /* [tokens] words that deny or ask for nothing here: "no doubt", cue words */
} Claims;

enum { CLAIM_NONE = -1, CLAIM_CONFLICT = -2 };

void claims_read(Claims *c, const Lexicon *lex, const Lexemes *t);
void claims_release(Claims *c);
/* The one value that the strongest affirmed claims agree on. `rule` names what decided. */
int claims_decide(const Claims *c, const Lexemes *t, const char **rule);

/* Whether the value at [first, end) is denied by what stands before it or after it. */
bool claim_denied(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int end);
/* "All but A are wrong", "none except A fits": A is meant.  "Anything but A", "all except A fit": A is denied. */
typedef enum Exception { EXCEPTION_NOT, EXCEPTION_MEANT, EXCEPTION_DENIED } Exception;
Exception exception_at(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int end);
/* Whether a word of no lexicon is denied where it stands: "no fracture", "fracture is absent". */
bool word_denied(const Lexemes *t, int first, int end);
/* Number of tokens at i that deny what follows ("not", "no evidence of", "ruled out"), 0 for none. */
int denial_at(const Lexemes *t, int i);
/* Whether the text declines to answer: "I cannot determine", "I don't know", "as an AI". */
bool text_declines(const Lexemes *t);

#endif
