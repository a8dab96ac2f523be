#include "cmd/model_opts.h"

#include <stdio.h>

EngineOptions engine_options(const Common *c, const ModelOpts *m)
{
    return (EngineOptions){.model = m->dir,
                           .adapter = m->adapter,
                           .dtype = common_dtype(c),
                           .min_pixels = m->min_pixels,
                           .max_pixels = m->max_pixels,
                           .vision_cache = m->vision_cache,
                           .vision_cache_bytes = (int64_t)(m->vision_cache_gib * (1 << 30))};
}

int open_processor(ImageProcessor *p, const ModelOpts *m, Err *err)
{
    if (image_processor_load(p, m->dir, err)) return -1;
    return image_processor_limit(p, m->min_pixels, m->max_pixels, err);
}

int inputs_open(Inputs *in, const ModelOpts *m, Err *err)
{
    *in = (Inputs){0};
    if (open_processor(&in->proc, m, err)) return -1;
    in->tok = tokenizer_load(m->dir, err);
    if (in->tok && encoder_init(&in->enc, in->tok, &in->proc, 0, err) == 0) return 0;
    tokenizer_free(in->tok);
    return -1;
}

void inputs_close(Inputs *in)
{
    encoder_release(&in->enc);
    tokenizer_free(in->tok);
}

int open_dataset(Dataset *d, const StrList *files, uint64_t seed, Err *err)
{
    if (dataset_load(d, files->at, files->n, seed, err)) return -1;
    if (d->n_bad == 0) return 0;
    for (int i = 0; i < d->n_bad && i < 20; i++) bad_row_print(stderr, &d->bad[i]);
    err_set(err, "%d of %d rows are unusable", d->n_bad, d->n_bad + d->n);
    err_hint(err, "osler data check FILE says more; mend or remove them");
    dataset_release(d);
    return -1;
}

GenerateOptions generate_options(const SamplingOpts *s, uint64_t seed)
{
    GenerateOptions o = GENERATE_DEFAULTS;
    o.max_new_tokens = (int)s->max_new_tokens;
    o.sampling = (SamplerOptions){.temperature = s->temperature,
                                  .top_p = s->top_p,
                                  .min_p = s->min_p,
                                  .repetition_penalty = s->repetition_penalty,
                                  .top_k = (int)s->top_k,
                                  .seed = seed};
    o.stop = &s->stop;
    if (s->n) {
        o.n = (int)s->n;
        o.max_batch = (int)s->max_batch;
        o.max_rows = (int)s->max_rows;
    }
    return o;
}
