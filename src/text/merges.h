/*
 * merges.h - byte-pair merging.
 *
 * Merges says which two neighbouring tokens become one and in which order (rank).  A word starts as one token per byte;
 * the pair with the lowest rank, the leftmost of equals, is joined until no pair is left.  A heap finds it, so a word
 * of n bytes takes O(n log n).
 *
 *   word_start(&w, n), then w.id[i] = the token of byte i
 *   merge_word(&merges, &w);
 *   for (int i = 0; i < w.n; i = w.next[i]) ... token w.id[i] holds bytes i .. w.next[i]
 *
 * Merges is read-only once filled; a Word belongs to one thread and is reused from word to word.
 */
#ifndef OSLER_TEXT_MERGES_H
#define OSLER_TEXT_MERGES_H

#include <stdint.h>

#include "base/buf.h"

typedef struct Merge {
    int left, right; /* -1: an empty slot */
    int rank, id;    /* id = left and right together */
} Merge;

typedef struct Merges {
    Merge *slot; /* open addressing */
    uint32_t mask;
} Merges;

void merges_init(Merges *m, int n);                                /* room for n */
void merges_set(Merges *m, int left, int right, int rank, int id); /* at most n times */
void merges_release(Merges *m);

typedef struct Word {
    int n, cap;
    int *id, *prev, *next;
    int *rank, *merged; /* of the pair that starts here; rank -1: none */
    VEC(uint64_t) heap; /* rank << 32 | position, smallest first; may hold pairs that are gone */
} Word;

void word_start(Word *w, int n);
void merge_word(const Merges *m, Word *w);
void word_release(Word *w);

#endif
