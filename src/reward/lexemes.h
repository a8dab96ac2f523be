/*
 * lexemes.h - a model's text as the words, numbers and marks it consists of, whatever it is dressed in.
 *
 * text_fold takes the dress off: Markdown (**B**, `B`, ~~struck out~~), LaTeX (\text{B}, \frac{3}{4}, $..$), HTML tags
 * and special tokens; full-width and circled letters, Chinese punctuation, curly quotes, dashes and vulgar fractions
 * become ASCII (NFKC and a table); bytes that are no UTF-8 become U+FFFD.  Case stays.
 *
 *   Lexemes t;
 *   lexemes_read(&t, response, strlen(response));
 *   for (int i = 0; i < t.n; i++) ... t.at[i].low ...
 *   lexemes_release(&t);
 *
 * A Chinese character is a token of its own (LEXEME_CJK). A sentence ends at . ! ? ; and at line breaks, but not at the
 * point of "E. coli", "B. Pneumonia" at a line's begin, "vs." or 0.5.
 *
 * Patterns: words with one space between, alternatives with '|':   lexemes_match(&t, i, "the answer|option is")
 */
#ifndef OSLER_REWARD_LEXEMES_H
#define OSLER_REWARD_LEXEMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef enum LexemeKind { LEXEME_WORD, LEXEME_NUMBER, LEXEME_CJK, LEXEME_MARK, LEXEME_BREAK } LexemeKind;

typedef struct Lexeme {
    LexemeKind kind;
    const char *low; /* in lower case, NUL-terminated; "\n" for a break */
    int begin, end;  /* bytes of Lexemes.text */
    bool upper;      /* begins with a capital */
    bool spaced;     /* white space or nothing stands before it */
    int sentence;    /* number of its sentence, from 0 */
} Lexeme;

typedef struct Lexemes {
    char *text; /* folded */
    Lexeme *at;
    int n;
    char *lows; /* what Lexeme.low points into */
} Lexemes;

/* The text without its dress, NUL-terminated; the caller frees. */
char *text_fold(const char *s, size_t n);

void lexemes_read(Lexemes *t, const char *s, size_t n);
void lexemes_release(Lexemes *t);

/* Number of tokens from i on that the pattern covers, 0 where it does not match. Line breaks never match. */
int lexemes_match(const Lexemes *t, int i, const char *pattern);
/* The longest match of a list of patterns that ends with NULL. */
int lexemes_match_any(const Lexemes *t, int i, const char *const *patterns);
/* Whether the token's text is one of the words "a|b|c". False outside of the text. */
bool lexeme_is(const Lexemes *t, int i, const char *words);
bool lexeme_is_mark(const Lexemes *t, int i, const char *any_of);
/* Equal words, or digits that are one number (1,000 and 1000). */
bool lexeme_same(const Lexeme *a, const Lexeme *b);
/* First token of a line or of the text, bullets, quotes and opening brackets not counted. */
bool lexeme_begins_line(const Lexemes *t, int i);
/* Nothing but marks follows in its line. */
bool lexeme_ends_line(const Lexemes *t, int i);

/*
 * Equal answers have equal normal texts: folded, lower case, marks away (but not within numbers; 1,000 is 1000 and 2.50
 * is 2.5), the articles a, an, the away, number words to twelve as digits (the customs of VQA scoring: Antol et al. 2015), single spaces.
 */
char *text_normal(const char *s, size_t n);

#endif
