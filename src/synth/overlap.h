/*
 * overlap.h - whether a text shares a run of words with texts that are kept for tests.
 *
 *   Overlap o = {0};
 *   if (overlap_add_file(&o, "medqa_test.jsonl", err)) ...       every text of every row
 *   if (overlap_found(&o, question)) ...
 *   overlap_release(&o);
 *
 * A run is OVERLAP_WORDS words, compared as normal texts (reward/lexemes.h); a shorter text is found where it stands
 * there as a whole, word for word.
 */
#ifndef OSLER_SYNTH_OVERLAP_H
#define OSLER_SYNTH_OVERLAP_H

#include <stdbool.h>

#include "base/err.h"
#include "base/map.h"

enum { OVERLAP_WORDS = 13 };

typedef struct Overlap {
    Map run; /* hashes of runs and of short texts */
} Overlap;

void overlap_add(Overlap *o, const char *text);
/* JSON of any layout: every string in it is a text. */
int overlap_add_file(Overlap *o, const char *path, Err *err);
bool overlap_found(const Overlap *o, const char *text);
void overlap_release(Overlap *o);

#endif
