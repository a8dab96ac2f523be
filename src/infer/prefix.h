/*
 * prefix.h - prompts that a session holds, found again by what they begin with.
 *
 * Prompts often begin alike: the same instructions, the same image with another question.  A PrefixIndex keeps
 * sequences of prompts, and for a new prompt finds the one that shares the most rows with it, text by its tokens and
 * images by the SHA-256 of their patches.  Those rows need not be computed again, and the result has the same bits.
 *
 *   PrefixIndex *p = prefix_new(session);
 *   PromptKey key = prompt_key(batch);
 *   int rows, like = prefix_find(p, &key, &rows);          -1: none shares a page's worth of rows
 *   int seq = like < 0 ? session_open(s) : session_fork_rows(s, like, rows);
 *   ... session_begin(s, &x, seq, batch, rows) ...
 *   prefix_add(p, seq, &key);                              keeps a fork of seq, and the key
 *   while (no room) prefix_drop(p);                        the one that was not used for the longest time
 *   prefix_free(p);
 */
#ifndef OSLER_INFER_PREFIX_H
#define OSLER_INFER_PREFIX_H

#include "base/sha256.h"
#include "infer/session.h"

/* What a prompt consists of. */
typedef struct PromptKey {
    int *id; /* [n] as in its batch */
    int n;
    char (*image)[SHA256_HEX]; /* [n_images] of its grid and its patches */
    int n_images;
} PromptKey;

PromptKey prompt_key(const Batch *b);
void prompt_key_release(PromptKey *k);

typedef struct PrefixIndex PrefixIndex;

/* The session is borrowed; prefix_free closes the sequences that are kept. */
PrefixIndex *prefix_new(Session *s);
void prefix_free(PrefixIndex *p); /* NULL is fine */
/* The kept sequence that begins most like the prompt, and how many rows: whole images, less than the prompt, and at
   least SESSION_PAGE; else -1, with 0 rows. */
int prefix_find(PrefixIndex *p, const PromptKey *k, int *rows);
/* Keeps a fork of seq, which holds the prompt. Takes the key over. */
void prefix_add(PrefixIndex *p, int seq, PromptKey *k);
/* Lets go of the sequence that was not found or added for the longest time; false where none is kept. */
bool prefix_drop(PrefixIndex *p);

#endif
