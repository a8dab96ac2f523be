/*
 * config.h - a Qwen2.5-VL config.json, checked.
 *
 * Both layouts in use are read: the flat one of the original release and the nested one (`text_config`) that newer
 * transformers write; `rope_scaling` and `rope_parameters` likewise.  What the model code cannot do exactly (sliding
 * windows, another activation, quantised weights, scaled rope) is an error that names the key.
 */
#ifndef OSLER_MODEL_CONFIG_H
#define OSLER_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/err.h"

enum { MAX_VISION_BLOCKS = 256 };

typedef struct VisionConfig {
    int d, f, h, l; /* width, ffn, heads, blocks */
    int out;        /* width after the merger = language width */
    int patch, temporal, merge, channels;
    int window;                   /* pixels */
    bool full[MAX_VISION_BLOCKS]; /* block attends to the whole image */
} VisionConfig;

typedef struct ModelConfig {
    int d, f, h, hk, hd, l, v; /* width, ffn, query heads, kv heads, head dim, blocks, vocabulary */
    double eps, theta;
    double init_std; /* of random weights: "initializer_range" */
    int mrope[3];    /* rotation pairs that follow the temporal, height and width position; sum = hd / 2 */
    bool tied;       /* the head is the embedding */
    int image_token, video_token, vision_start, vision_end;
    int eos[8], n_eos; /* config.json and generation_config.json together */
    int pad;
    int max_positions;
    DType file_dtype; /* "torch_dtype" or "dtype": what the weights are stored in */
    VisionConfig vision;
} ModelConfig;

/* Reads model_dir/config.json (and generation_config.json for the end tokens, where there is one). */
int config_load(ModelConfig *c, const char *model_dir, Err *err);
/* Reads one config.json by its own path. */
int config_load_file(ModelConfig *c, const char *path, Err *err);

#endif
