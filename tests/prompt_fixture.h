/*
 * prompt_fixture.h - engines over goldens, and the goldens' samples as prompts, for the tests of generation.
 */
#ifndef OSLER_TESTS_PROMPT_FIXTURE_H
#define OSLER_TESTS_PROMPT_FIXTURE_H

#include "infer/generate.h"
#include "parity/golden.h"

static inline void open_engine(Engine *e, const Golden *g, DType dtype, DecodeWeights w)
{
    Err err = {0};
    EngineOptions o = {.model = g->model, .adapter = g->adapter, .dtype = dtype, .decode_weights = w};
    if (engine_open(e, &o, &err)) fail_msg("%s: %s", g->name, err.msg);
}

static inline Encoded encode(const Golden *g, Engine *e, int sample, EncodeAs as)
{
    Err err = {0};
    Encoder enc;
    Encoded x = {0};
    const Sample *s = &g->data.sample[sample % g->data.n];
    if (encoder_init(&enc, e->tok, &e->proc, 0, &err) || encode_sample(&x, &enc, s, as, &err) ||
        encode_pixels(&x, &enc, s, &err))
        fail_msg("%s: %s", g->name, err.msg);
    encoder_release(&enc);
    return x;
}

static inline Batch *batch_of(Engine *e, const Encoded *x)
{
    BatchBuilder bb;
    batch_begin(&bb, &e->proc);
    batch_add_prompt(&bb, x, 0);
    return batch_finish(&bb);
}

/* Text tokens only. */
static inline Batch *batch_of_ids(Engine *e, int *id, int n)
{
    return batch_of(e, &(Encoded){.id = id, .n = n});
}

#endif
