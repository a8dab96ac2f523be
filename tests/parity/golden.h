/*
 * golden.h - what PyTorch computed on a tiny checkpoint, ready to be compared with (tools/make_golden.py).
 *
 * A golden is a folder with model/, data.jsonl, expect.json, expect.safetensors and perhaps adapter/.  Small ones are
 * committed in tests/data/goldens; more are looked for in $OSLER_GOLDENS (default ../shared/goldens).
 */
#ifndef OSLER_TESTS_GOLDEN_H
#define OSLER_TESTS_GOLDEN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/encode.h"
#include "data/pack.h"
#include "data/sample.h"
#include "infer/engine.h"
#include "weights/safetensors.h"

typedef struct Golden {
    char *dir, *name, *model, *adapter; /* adapter: NULL where there is none */
    json_t *expect;
    SafeTensors tensors;
    Dataset data;
} Golden;

static inline char *golden_path(const Golden *g, const char *name)
{
    return path_join(g->dir, name);
}

static inline int golden_open(Golden *g, const char *dir, Err *err)
{
    *g = (Golden){.dir = xstrdup(dir), .name = xstrdup(path_basename(dir))};
    g->model = golden_path(g, "model");
    g->adapter = golden_path(g, "adapter");
    if (!dir_exists(g->adapter)) {
        free(g->adapter);
        g->adapter = NULL;
    }
    char *expect = golden_path(g, "expect.json"), *st = golden_path(g, "expect.safetensors"),
         *data = golden_path(g, "data.jsonl");
    g->expect = json_load_path(expect, (size_t)1 << 26, err);
    int rc = g->expect && st_open(&g->tensors, st, err) == 0 && dataset_load(&g->data, &data, 1, 0, err) == 0 ? 0 : -1;
    free(expect);
    free(st);
    free(data);
    return rc;
}

static inline void golden_close(Golden *g)
{
    json_decref(g->expect);
    st_close(&g->tensors);
    dataset_release(&g->data);
    free(g->dir);
    free(g->name);
    free(g->model);
    free(g->adapter);
}

/* Calls fn for every golden at hand; returns how many. */
static inline int golden_each(void (*fn)(Golden *g, void *arg), void *arg)
{
    const char *more = getenv("OSLER_GOLDENS"), *root[] = {"tests/data/goldens", more ? more : "../shared/goldens"};
    int count = 0;
    for (int r = 0; r < 2; r++) {
        char **name;
        int n;
        Err err = {0};
        if (!dir_exists(root[r]) || dir_list(root[r], &name, &n, &err)) continue;
        for (int i = 0; i < n; i++) {
            char *dir = path_join(root[r], name[i]), *expect = path_join(dir, "expect.json");
            Golden g;
            if (file_exists(expect)) {
                if (golden_open(&g, dir, &err)) {
                    err_print(&err);
                    abort();
                }
                fn(&g, arg);
                golden_close(&g);
                count++;
            }
            free(dir);
            free(expect);
            free(name[i]);
        }
        free(name);
    }
    return count;
}

/* All samples of a golden as one packed batch, targets in file order. */
static inline Batch *golden_batch(const Golden *g, const Engine *e, int first, int n, Err *err)
{
    Encoder enc;
    BatchBuilder bb;
    if (encoder_init(&enc, e->tok, &e->proc, 0, err)) return NULL;
    batch_begin(&bb, &e->proc);
    for (int i = first; i < first + n; i++) {
        Encoded x;
        const Sample *s = &g->data.sample[i % g->data.n];
        if (encode_sample(&x, &enc, s, ENCODE_CHAT, err) || encode_pixels(&x, &enc, s, err)) return NULL;
        batch_add_sample(&bb, &x, i);
        encoded_release(&x);
    }
    encoder_release(&enc);
    return batch_finish(&bb);
}

#endif
