/*
 * reply.h - the text of an answer while it grows token by token.
 *
 * Tokens become bytes; special tokens leave none.  Where a stop string appears, also across tokens, the text ends
 * before it.  What may be shown at once never has to be taken back: a tail that could be the beginning of a stop
 * string, or half of a character, is held back until it is decided.  Bytes that are no UTF-8 come out as U+FFFD.
 *
 *   Reply r = {.tok = tokenizer, .stop = &stop_strings};
 *   bool stopped = reply_add(&r, id);
 *   Buf out = {0};
 *   reply_show(&r, false, &out);        appends what is new and settled; with true, at the end, also the rest
 *   reply_text(&r, &out);               appends all of it
 *   reply_release(&r);
 */
#ifndef OSLER_INFER_REPLY_H
#define OSLER_INFER_REPLY_H

#include "base/opt.h"
#include "text/tokenizer.h"

typedef struct Reply {
    const Tokenizer *tok; /* borrowed */
    const StrList *stop;  /* borrowed; NULL: none */
    Buf raw;              /* bytes of the tokens, up to a stop string */
    size_t shown;         /* of raw */
} Reply;

void reply_release(Reply *r);
/* Appends a token; true where the text has just reached a stop string. */
bool reply_add(Reply *r, int id);
void reply_show(Reply *r, bool all, Buf *out);
void reply_text(const Reply *r, Buf *out);

#endif
