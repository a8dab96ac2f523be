/*
 * session.h - sequences that grow, over one KV cache per layer.
 *
 * The cache's rows belong to all sequences of the session and are handed out in pages.  A sequence is a list of row
 * spans; a fork shares its parent's rows and only what is appended afterwards is its own, so n answers to one prompt
 * store the prompt once.  Nothing is ever copied or moved; rows return when the last sequence that uses them closes.
 *
 *   Session *s = session_new(engine, cap_rows);
 *   int a = session_open(s);
 *   const float *logits = session_extend(s, a, prompt, err);          [v]: what follows the prompt
 *   int b = session_fork(s, a);
 *   logits = session_step(s, (int[]){a, b}, (int[]){id0, id1}, 2, err);       [2, v]: one token for each
 *   session_close(s, b);
 *   logits = session_extend(s, a, next_turn, err);                    a conversation goes on
 *   session_free(s);
 *
 * A long prompt may come in parts, so that others go on between them, and its beginning may be another sequence's:
 *
 *   Extension x;
 *   int c = session_fork_rows(s, a, shared);                 a's first rows, which are the batch's, too
 *   session_begin(s, &x, c, batch, shared);
 *   while ((rc = session_advance(s, &x, 256, &logits, err)) > 0) ...
 *   session_end(&x);
 *
 * Logits are borrowed until the next call on the session.  Sequence numbers are small and are used again after closing.
 * After an error of extend or step every sequence is as it was before the call.
 * A session uses its engine's step arena: no scored batch may be waiting for its backward pass.
 */
#ifndef OSLER_INFER_SESSION_H
#define OSLER_INFER_SESSION_H

#include "infer/engine.h"

enum { SESSION_PAGE = 64 }; /* rows */

typedef struct Session Session;

/* Room for cap_rows tokens, rounded up to pages. Memory is used as rows are, the lowest pages first. */
Session *session_new(Engine *e, int cap_rows);
void session_free(Session *s);
/* Bytes of a token in the cache. */
size_t session_row_bytes(const Model *m);
/* `wanted` rows, or as many as half of the free memory holds. */
int session_affordable_rows(const Engine *e, int64_t wanted);

/* An empty sequence. */
int session_open(Session *s);
/* A sequence with everything that `seq` holds now. */
int session_fork(Session *s, int seq);
/* A sequence with the first rows of `seq`, to be extended by the rest of a batch that began like it (session_begin). */
int session_fork_rows(Session *s, int seq, int rows);
void session_close(Session *s, int seq);
int session_length(const Session *s, int seq); /* tokens */
int session_rows_free(const Session *s);       /* rows in pages that no sequence uses */
Engine *session_engine(const Session *s);

/*
 * Appends a batch of one segment, whose positions count from the sequence's end, and gives the logits [v] after its
 * last token.  NULL on error: no room left, or longer than the model's max_position_embeddings.
 */
const float *session_extend(Session *s, int seq, const Batch *b, Err *err);
/* A batch on its way into a sequence. */
typedef struct Extension {
    int seq;
    const Batch *b; /* borrowed */
    int next;       /* rows of b that are in the sequence */
    int first_pos;  /* position that b's 0 stands for */
    int first_feat; /* image features before those in feats */
    Tensor feats;   /* of the images that come; data NULL: none */
} Extension;

/*
 * Starts to append b, of one segment, to seq, whose rows are b's first `have` ones (none of an image of which the
 * others are to come); with `have` 0 it may hold anything, and b's positions count from its end.  The images that are
 * to come go through the vision tower.
 */
void session_begin(Session *s, Extension *x, int seq, const Batch *b, int have);
/* Appends at most n more rows: 1 where some are left, 0 at the end with the logits [v] after the last, -1 on error, and
   then the sequence is of no more use. */
int session_advance(Session *s, Extension *x, int n, const float **logits, Err *err);
void session_end(Extension *x);

/* Appends one text token to each of n different sequences: logits [n, v]. NULL on error, as above. */
const float *session_step(Session *s, const int *seq, const int *id, int n, Err *err);

#endif
