/*
 * added.h - added tokens: words such as <|im_end|> that are cut out of the text before anything else looks at it.
 *
 * The leftmost match wins, the longest of those that start together.  `normalized` tokens are searched in the
 * normalised text, the others in the text as it came.  A match may take white space with it (lstrip, rstrip) or count
 * only between non-word characters (single_word).
 *
 *   AddedMatch m = {0};
 *   while (added_next(&set, normalized, text, n, &m)) ... set.token.at[m.token] stands at m.begin .. m.end
 *
 * Matches come in order. Read-only once added_index was called.
 */
#ifndef OSLER_TEXT_ADDED_H
#define OSLER_TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef struct AddedToken {
    char *content; /* as written in the file */
    char *pattern; /* what is searched: content, in NFC for a normalized token of a tokenizer with NFC */
    size_t pattern_len;
    int id;
    bool single_word, lstrip, rstrip, normalized, special;
} AddedToken;

typedef struct AddedSet {
    VEC(AddedToken) token;
    VEC(int) by_first[2][256]; /* [normalized][first byte] -> tokens, longest first */
} AddedSet;

/* Takes a token over, with its strings. */
void added_push(AddedSet *s, const AddedToken *t);
void added_index(AddedSet *s);
void added_release(AddedSet *s);

typedef struct AddedMatch {
    int token;
    size_t begin, end;
    size_t scan; /* where the search goes on: before `end` where rstrip took white space */
} AddedMatch;
bool added_next(const AddedSet *s, bool normalized, const char *text, size_t n, AddedMatch *m);

#endif
