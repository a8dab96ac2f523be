/*
 * reply.h - the text of an answer while it grows token by token.
 *
 * Tokens become bytes; special tokens leave none.  Where a stop string appears, also across tokens, the text ends before
 * it.  What may be shown at once never has to be taken back: a tail that could be the beginning of a stop string, or
 * half of a character, is held back until it is decided.
 *
 *   Reply r = {.tok = tokenizer, .stop = &stop_strings};
 *   bool stopped = reply_add(&r, id);
 *   size_t n = reply_ready(&r, &bytes);        what is new and settled; shown once
 *   n = reply_rest(&r, &bytes);                at the end: what was held back
 *   reply_release(&r);
 */
#ifndef OSLER_INFER_REPLY_H
#define OSLER_INFER_REPLY_H

#include "base/opt.h"
#include "text/tokenizer.h"

typedef struct Reply {
    const Tokenizer *tok; /* borrowed */
    const StrList *stop;  /* borrowed; NULL: none */
    Buf text;             /* all of it, without a stop string */
    size_t shown;         /* bytes given out */
} Reply;

void reply_release(Reply *r);
/* Appends a token; true where the text has just reached a stop string. */
bool reply_add(Reply *r, int id);
/* The next bytes that are settled; *bytes is borrowed until the next call. Returns how many there are. */
size_t reply_ready(Reply *r, const char **bytes);
size_t reply_rest(Reply *r, const char **bytes);

#endif
