/*
 * checkpoint.h - output_dir/checkpoint-N/: everything a run needs to go on as if nothing had happened.
 *
 *   checkpoint-N/   a loadable checkpoint directory (full) or PEFT adapter (lora), and beside it
 *     optimizer.safetensors   f32 masters and moments (optim.h)
 *     trainer_state.json      TrainState and the settings that the numbers depend on
 *
 * A checkpoint is written into checkpoint-N.tmp-<pid> and renamed when all of it is on the disk, so a folder
 * called checkpoint-N is whole; a crash leaves at most the temporary folder, which checkpoint_clean removes.  Older
 * checkpoints beyond the limit go only after the new one stands.
 *
 *   checkpoint_clean(output_dir, err);
 *   char *dir;
 *   int found = checkpoint_find(&dir, &state, output_dir, settings, err);        -1 where the settings disagree
 *   if (found == 1) optimizer_load(&opt, dir, err);
 *   ...
 *   checkpoint_save(output_dir, &(Checkpoint){model, &opt, &state, settings}, limit, err);
 */
#ifndef OSLER_TRAIN_CHECKPOINT_H
#define OSLER_TRAIN_CHECKPOINT_H

#include <jansson.h>

#include "data/loader.h"
#include "train/optim.h"

/* Where a run stands after a step. Random numbers are functions of seed and step, so there is no generator to keep. */
typedef struct TrainState {
    int64_t step;       /* optimizer steps taken */
    int64_t evaluated;  /* the step of the last evaluation; 0: none yet */
    int64_t tokens;     /* computed in all steps */
    int64_t log_lines;  /* of trainer_log.jsonl that belong to these steps */
    double epoch, loss; /* for the reader: of the last step */
    LoaderState loader; /* where the next batch begins */
    json_t *skipped;    /* array of "file:line": samples left out; owned by the holder of the state */
} TrainState;

typedef struct Checkpoint {
    const Model *model;
    const Optimizer *opt;
    const TrainState *state;
    const json_t *settings; /* {key: text} */
} Checkpoint;

/* Writes checkpoint-<step>, then removes the oldest beyond `limit` (0: none). On error what was there before stays. */
int checkpoint_save(const char *output_dir, const Checkpoint *c, int64_t limit, Err *err);

/* The model alone, as save directory or adapter. */
int checkpoint_save_model(const char *dir, const Model *m, const Optimizer *opt, Err *err);

/*
 * The newest whole checkpoint: 1 with *dir (the caller's to free) and *state, 0 where there is none, -1 where it was
 * written with other settings (the message names them).  A damaged one is passed over with a warning.
 */
int checkpoint_find(char **dir, TrainState *state, const char *output_dir, const json_t *settings, Err *err);

/* Removes what interrupted runs left half written. */
int checkpoint_clean(const char *output_dir, Err *err);
/* Removes every checkpoint, to start over. */
int checkpoint_remove_all(const char *output_dir, Err *err);

#endif
