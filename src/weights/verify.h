/*
 * verify.h - was everything written that had to be, and nothing else?
 *
 *   WeightRow row[] = {{"model.language_model.norm.weight", 1, {2048}}, ...};       canonical names
 *   if (weights_verify(out_dir, row, n, layout, err)) ...           names what is missing, extra or misshapen
 *
 * Opens the directory afresh, so what is checked is what a user will load.  A head that shares the embedding has no
 * row: loaders accept a file that holds it all the same, but nothing that is written here does.
 */
#ifndef OSLER_WEIGHTS_VERIFY_H
#define OSLER_WEIGHTS_VERIFY_H

#include "weights/names.h"

typedef struct WeightRow {
    const char *name; /* canonical */
    int n_dims;
    int64_t dim[ST_MAX_DIMS];
} WeightRow;

/* 0: the checkpoint in `dir` holds exactly these n tensors. */
int weights_verify(const char *dir, const WeightRow *row, int n, NameLayout layout, Err *err);
/* The same for tensors that are open already; `names` are the file's own, in the given layout. */
int weights_match(const SafeTensors *st, const WeightRow *row, int n, NameLayout layout, Err *err);

#endif
