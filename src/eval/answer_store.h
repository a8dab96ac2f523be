/*
 * answer_store.h - the answers of a model while they come, on disk, so that a killed run goes on.
 *
 *   AnswerStore s;
 *   if (answer_store_open(&s, dir, header, &run, n, false, err)) ...      reads what an earlier run left
 *   if (!answer_store_has(&s, item, draw)) ...
 *       answer_store_add(&s, item, draw, (GivenAnswer){...}, err);
 *   ...
 *   answer_store_close(&s, true, err);                                     true: the file is no longer needed
 *
 * DIR/answers.partial.jsonl begins with the header, one line of JSON that says what decides the answers (model,
 * questions, options); each further line is an answer: {"id", "draw", "response", "tokens", "finish_reason",
 * "forced"}.  Lines are written whole, and flushed to the disk every STORE_SYNC_SECONDS and at the end.  A last line
 * that was cut off, and what follows damage, is dropped and answered again.
 *
 * A file with another header is an error that says what differs; `overwrite` begins anew instead.  One process at a
 * time has the file.
 */
#ifndef OSLER_EVAL_ANSWER_STORE_H
#define OSLER_EVAL_ANSWER_STORE_H

#include "eval/items.h"

enum { STORE_SYNC_SECONDS = 5 };

typedef struct GivenAnswer {
    char *text;
    int tokens;
    const char *finish_reason; /* as in Completion: static text */
    bool forced;
} GivenAnswer;

typedef struct AnswerStore {
    const EvalRun *run; /* borrowed */
    char *path;
    int fd;
    int n;                  /* draws of an item */
    GivenAnswer *at;        /* [run->item.n * n], text NULL: not given yet */
    int64_t given, resumed; /* answers in all, of them read from the file */
    double synced;
    Buf line;
} AnswerStore;

/* Appends the header, or an object like it, as one line: its numbers with as few digits as name them. */
void answer_header_append(Buf *b, const json_t *header);

/* Creates the folder. After an error nothing is open. */
int answer_store_open(AnswerStore *s, const char *dir, const json_t *header, const EvalRun *run, int n, bool overwrite,
                      Err *err);
static inline GivenAnswer *answer_store_get(const AnswerStore *s, int item, int draw)
{
    return &s->at[(int64_t)item * s->n + draw];
}
static inline bool answer_store_has(const AnswerStore *s, int item, int draw)
{
    return answer_store_get(s, item, draw)->text != NULL;
}
/* Takes the text over. */
int answer_store_add(AnswerStore *s, int item, int draw, GivenAnswer a, Err *err);
/* Removes the file where the run is finished, else it stays for the next one. */
int answer_store_close(AnswerStore *s, bool finished, Err *err);

#endif
