/*
 * hf_dir.h - what a checkpoint directory holds beside its weights.
 *
 * A trained model is loadable only together with its tokenizer, chat template, processor and configuration.
 * hf_dir_carry brings them along from the model that was trained:
 *
 *   if (hf_dir_carry(output_dir, model_dir, err)) ...           then write config.json and the weights
 *
 * Copied: every regular file of the folder itself (symbolic links are followed: the Hugging Face cache is made of
 * them). Not copied: weights in any format and their index files, optimizer states, adapter files, hidden files,
 * folders, and what a training run leaves behind (logs, manifest, report, TensorBoard events).
 */
#ifndef OSLER_WEIGHTS_HF_DIR_H
#define OSLER_WEIGHTS_HF_DIR_H

#include <stdbool.h>

#include "base/sha256.h"

/* Creates dst where it is missing and replaces files of the same name in it. An error where dst is src. */
int hf_dir_carry(const char *dst, const char *src, Err *err);
/* True for the names that hf_dir_carry copies. */
bool hf_dir_carries(const char *name);

/* The SHA-256 of what a checkpoint or an adapter computes with, whatever its folder is called: weights, configuration,
   tokenizer, template, preprocessor.  Reads it all: about 0.4 ns a byte on two cores. */
int hf_dir_digest(char hex[SHA256_HEX], const char *dir, Err *err);

#endif
