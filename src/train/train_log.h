/*
 * train_log.h - trainer_log.jsonl, one JSON object a line, and the same numbers for TensorBoard.
 *
 *   TrainLog log;
 *   if (train_log_open(&log, output_dir, state.log_lines, err)) ...     a resumed run keeps the lines of its checkpoint
 *   train_log_write(&log, step, json_pack("{s:I, s:f}", "step", step, "loss", loss), err);
 *   train_log_sync(&log, err);                                          before the checkpoint that counts these lines
 *   train_log_close(&log);
 *
 * A resumed run keeps the lines of its checkpoint and drops what a killed run wrote after it.
 * Every line is written at once, so a killed run leaves whole lines and perhaps one cut short, which opening drops.
 */
#ifndef OSLER_TRAIN_TRAIN_LOG_H
#define OSLER_TRAIN_TRAIN_LOG_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "train/tensorboard.h"

typedef struct TrainLog {
    char *path;
    int fd;
    int64_t lines; /* in the file */
    TensorBoard board;
} TrainLog;

/* Keeps the first `keep` lines of an existing file (atomically) and goes on after them, behind `step` steps. */
int train_log_open(TrainLog *l, const char *dir, int64_t keep, int64_t step, Err *err);
/* Appends `line` (taken over) and sends its numbers to TensorBoard at `step`. */
int train_log_write(TrainLog *l, int64_t step, json_t *line, Err *err);
int train_log_sync(TrainLog *l, Err *err);
void train_log_close(TrainLog *l);

#endif
