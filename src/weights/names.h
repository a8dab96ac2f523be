/*
 * names.h - the two ways in which the tensors of a Qwen2.5-VL are called.
 *
 *   NAMES_ORIGINAL (as released)           NAMES_NESTED (newer transformers; Osler's own, "canonical")
 *   visual.blocks.0.attn.qkv.weight        model.visual.blocks.0.attn.qkv.weight
 *   model.layers.0.mlp.up_proj.weight      model.language_model.layers.0.mlp.up_proj.weight
 *   lm_head.weight                         lm_head.weight
 *
 * The same mapping holds for module names (no ".weight"), hence for LoRA targets.  A checkpoint is written in the
 * layout it was read in.
 *
 *   char *name = names_from_file("visual.merger.ln_q.weight");    "model.visual.merger.ln_q.weight"
 *   char *file = names_to_file(NAMES_ORIGINAL, name);             and back; the caller frees both
 */
#ifndef OSLER_WEIGHTS_NAMES_H
#define OSLER_WEIGHTS_NAMES_H

#include "weights/safetensors.h"

typedef enum NameLayout { NAMES_ORIGINAL, NAMES_NESTED } NameLayout;

/* The layout of a checkpoint or of a PEFT adapter file: nested where any tensor has a nested name. */
NameLayout names_detect(const SafeTensors *st);
/* The file's name for a canonical one / the canonical name for a file's, whatever its layout.  A name that belongs to
   neither layout comes back as it is.  Fresh strings. */
char *names_to_file(NameLayout layout, const char *canonical);
char *names_from_file(const char *name);

#endif
