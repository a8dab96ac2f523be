/*
 * generate_plan.h - what generate() will take: memory and time.
 *
 * An engine without values (kernels/dry.h) takes a prompt in and makes one step of as many answers as grow together,
 * half way through them; the kernels of both are timed.  How long answers will be nobody knows before: the caller says.
 *
 *   GeneratePlan p;
 *   if (generate_plan(&p, &(GeneratePlanInput){.engine = &dry, .prompt = typical, .prompts = 600, ...}, err)) ...
 */
#ifndef OSLER_INFER_GENERATE_PLAN_H
#define OSLER_INFER_GENERATE_PLAN_H

#include "infer/generate.h"

typedef struct GeneratePlanInput {
    Engine *engine;       /* dry */
    const Batch *prompt;  /* a typical one; pixels are not looked at */
    int prompts;          /* of them */
    double prompt_tokens; /* on average */
    int answer_tokens;    /* likewise */
    const GenerateOptions *o;
} GeneratePlanInput;

typedef struct GeneratePlan {
    size_t files, weights, cache, activations, other, total; /* bytes */
    int batch;                                               /* answers that grow together */
    double prompt_seconds, step_seconds;                     /* a prompt; a token of `batch` answers */
    double tokens, seconds;                                  /* in all */
} GeneratePlan;

int generate_plan(GeneratePlan *p, const GeneratePlanInput *in, Err *err);

#endif
