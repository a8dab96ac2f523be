/*
 * conversation.h - a chat of many turns over one growing sequence.
 *
 * Each turn prefills only what is new: the end of the last answer and the user's message; everything before stays in
 * the KV cache.  The ids are the same as if the whole conversation had been rendered at once, except that answers keep
 * the very tokens that were generated.
 *
 *   Conversation *c = conversation_new(&engine, NULL, &options, err);
 *   conversation_say(c, "<image>Is the heart enlarged?", (char *[]){"chest.png"}, 1, print, NULL, err);
 *   conversation_say(c, "How do you know?", NULL, 0, print, NULL, err);
 *   conversation_free(c);
 *
 * After an error the conversation is what it was before the turn.
 */
#ifndef OSLER_INFER_CONVERSATION_H
#define OSLER_INFER_CONVERSATION_H

#include "infer/generate.h"

typedef struct Conversation Conversation;

/* system NULL: the template's default. `e` and what options points at are borrowed; options->n must be 1. */
Conversation *conversation_new(Engine *e, const char *system, const GenerateOptions *options, Err *err);
void conversation_free(Conversation *c); /* NULL is fine */
/* Forgets all turns. */
void conversation_reset(Conversation *c);
int conversation_length(const Conversation *c); /* tokens in the cache */
/* Asked before each token of an answer from now on (generate.h); its arg means nothing. */
void conversation_judge(Conversation *c, Verdict (*verdict)(void *arg, int prompt, int draw));

/*
 * One turn: the user's text with as many <image> markers as there are images, and the answer, which comes through
 * `show` in pieces of whole characters (NULL: not wanted).  *reason, where not NULL, is "stop", "length" or "cancelled".
 */
int conversation_say(Conversation *c, const char *text, char *const *images, int n_images,
                     void (*show)(void *arg, const char *bytes, size_t n), void *arg, const char **reason, Err *err);

#endif
