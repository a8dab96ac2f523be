/*
 * sampler.h - from logits to the next token.
 *
 * The steps and their order are transformers': repetition penalty, forbidden tokens, temperature, top-k, top-p, min-p,
 * draw.  Temperature 0 takes the best token, the lowest id among equals.  A draw is a pure function of the logits and
 * of (seed, sample, draw, position), so it does not matter which sequences were decoded together.
 *
 *   Sampler s;
 *   sampler_init(&s, &options, v, never, n_never);
 *   int id = sampler_draw(&s, logits, seen, (DrawKey){sample, draw, position});
 *   sampler_release(&s);
 *
 * A Sampler is scratch memory for one thread; sequences do not leave anything behind in it.
 *
 * Easy to get wrong:
 *   - the repetition penalty divides positive logits and multiplies negative ones, once per distinct id;
 *   - top-k keeps every token that equals the k-th; top-p keeps the token that crosses the threshold;
 *   - tokens with less than 2^-60 of the best one's weight are left out from the start: all of a vocabulary of them
 *     together would not be drawn once in a million million times.
 */
#ifndef OSLER_INFER_SAMPLER_H
#define OSLER_INFER_SAMPLER_H

#include <stdint.h>

typedef struct SamplerOptions {
    double temperature;        /* 0: greedy */
    double top_p;              /* (0, 1]; 1: off */
    double min_p;              /* [0, 1]; 0: off; tokens below min_p times the best one's probability are cut */
    double repetition_penalty; /* > 0; 1: off */
    int top_k;                 /* 0: off */
    uint64_t seed;
} SamplerOptions;

/* Names one random number. */
typedef struct DrawKey {
    uint32_t sample, draw, position;
} DrawKey;

typedef struct Sampler {
    SamplerOptions o;
    int v;
    const int *never; /* [n_never] borrowed: ids that are never drawn */
    int n_never;
    float *score;     /* [v] logits after penalty and without the forbidden tokens */
    int *token;       /* [v] ids that may be drawn, in order */
    double *weight;   /* [v] of each, against the best one's 1 */
    int *heap, *kept; /* [v] places in token: the best on top; what survived the cuts */
} Sampler;

void sampler_init(Sampler *s, const SamplerOptions *o, int v, const int *never, int n_never);
void sampler_release(Sampler *s);

/*
 * The next token from logits [v].  seen [v]: not 0 where the id stands in the prompt or in what was generated; NULL
 * without a repetition penalty.  -1 where the logits hold NaN or no finite number.
 */
int sampler_draw(Sampler *s, const float *logits, const unsigned char *seen, DrawKey key);

#endif
