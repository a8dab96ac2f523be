/*
 * split.h - the pre-tokeniser: a regular expression that cuts text into words before merging.
 *
 * tokenizer.json holds the pattern in Oniguruma's dialect; here it runs on PCRE2.  The two agree on little more than
 * the obvious, so a pattern is translated item by item, and what is not known to mean the same is refused by name:
 *
 *   taken over      literals, [sets] of them, | (?:...) (?=...) (?!...) ? * + {n,m} and their lazy forms
 *   spelled out     \s \S (PCRE2's holds U+180E), \p{L} \p{N} (to Unicode 16, whatever PCRE2's tables know)
 *   (?i:...)        ASCII letters only, without pairs that fold to one character (ss, ff, fi, fl, st)
 *
 * Quantified groups are refused too: no pattern in use has them and they are what makes matching exponential.
 * A Splitter is read-only after splitter_new and may be used by many threads.
 */
#ifndef OSLER_TEXT_SPLIT_H
#define OSLER_TEXT_SPLIT_H

#include <stddef.h>

#include "base/err.h"

/* GPT-2's own pattern, which a ByteLevel pre-tokeniser with use_regex means. */
#define GPT2_PATTERN "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

typedef struct Splitter Splitter;

Splitter *splitter_new(const char *pattern, size_t n, Err *err); /* NULL on error */
void splitter_free(Splitter *s);
/* Calls word(arg, begin, end) for every piece in order: matches, and what lies between them. text is valid UTF-8. */
void splitter_run(const Splitter *s, const char *text, size_t n, void (*word)(void *arg, size_t begin, size_t end),
                  void *arg);

#endif
