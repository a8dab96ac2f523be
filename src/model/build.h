/*
 * build.h - how a Model comes into being; for the files of model/ only.
 *
 *   Model *m = model_new(&cfg, dtype, false);      empty
 *   model_build(m);                         every Param registered, no memory behind it
 *   param_own(m, p, train) / p->t->data = mapped bytes        for each
 *   model_finish(m);                        kernel views, what trains
 */
#ifndef OSLER_MODEL_BUILD_H
#define OSLER_MODEL_BUILD_H

#include "model/model.h"

Model *model_new(const ModelConfig *cfg, DType dtype, bool dry);
void model_build(Model *m);
/* Memory for a tensor in the model arena, and for its f32 gradient where it trains. */
void param_own(Model *m, Param *p, bool train);
/* A tensor's values from a file's: in place where formats agree and it is frozen. Checks shape and finiteness. */
int param_load(Model *m, Param *p, const StTensor *f, const ModelOptions *o, Err *err);
/* Sets the kernels' views of all weights and derives each block's `trainable`. */
void model_finish(Model *m);
/* Derives each block's `trainable` again, after adapters came or went. */
void model_mark_trainable(Model *m);

#endif
