/*
 * manifest.h - what went into a run: digests of its inputs, and manifest.json for the audit trail.
 *
 *   json_t *inputs = inputs_digest(options, model, &data, &eval, err);     NULL on error
 *   inputs_add_settings(settings, inputs);                                 what of them decides the numbers
 *   manifest_save(&(Manifest){options, model, inputs, started, NULL}, err);        at the start
 *   manifest_save(&(Manifest){options, model, inputs, started, finished}, err);    and at the end
 *
 * Files are hashed whole with SHA-256, except the weights of the base model: of each shard the safetensors header
 * (names, types, shapes) and the size are hashed, because reading many gigabytes would delay every start.
 */
#ifndef OSLER_TRAIN_MANIFEST_H
#define OSLER_TRAIN_MANIFEST_H

#include <jansson.h>

#include "data/sample.h"
#include "model/model.h"
#include "train/train_options.h"

/* {"model": [...], "adapter": [...], "data": [...], "eval_data": [...]}, each item {"file", "bytes", "sha256", ...}. */
json_t *inputs_digest(const TrainOptions *o, const Model *m, const Dataset *data, const Dataset *eval, Err *err);

/* Adds one key for the model, the adapter and the data: their digests, whatever the files are called. */
void inputs_add_settings(json_t *settings, const json_t *inputs);

typedef struct Manifest {
    const TrainOptions *o;
    const Model *model;
    const json_t *inputs;
    const char *started, *finished; /* time_now; finished NULL: still running */
} Manifest;

/* output_dir/manifest.json, atomically. */
int manifest_save(const Manifest *m, Err *err);

/* "2025-01-31T12:34:56Z" into out. */
void time_now(char out[32]);

#endif
