/*
 * stage.h - a stage of a pipeline: what is known of it, and the process that does it.
 *
 * OUT/NAME/stage.json holds its key, its options, and whether it is finished.
 */
#ifndef OSLER_CMD_STAGE_H
#define OSLER_CMD_STAGE_H

#include <sys/types.h>

#include "cmd/pipeline.h"

typedef enum StageState {
    STAGE_NEW,
    STAGE_BEGUN,
    STAGE_DONE,
    STAGE_OTHER,  /* what is there was made from other inputs */
    STAGE_FOREIGN /* its folder was not made by a pipeline */
} StageState;

StageState stage_state(const Stage *s, const char *key);
int stage_note(const Stage *s, const char *key, bool finished, double seconds, Err *err);

/* What the stage's options or its recipe say, a fresh string; NULL: nothing. */
char *stage_option(const Stage *s, const char *name);

/* The words of its command, and one more: key=value. */
void stage_command(StrList *argv, const Stage *s);
void stage_argument(StrList *argv, const char *key, const char *value);

/* Runs the program under these words, its stdout into `out` (-1: as it is). One at a time: then wait. */
int stage_start(const StrList *words, int out, Err *err);
/* Its exit status, 128 and more for a signal; -1 with err. */
int stage_wait(Err *err);
/* Of the process that runs, for a signal handler; 0: none. */
pid_t stage_child(void);

#endif
