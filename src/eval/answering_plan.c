#include "eval/answering_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/estimate.h"
#include "data/pack.h"

enum { MOST_SEEN = 64 };

typedef struct Length {
    int item, n;
} Length;

static int by_length(const void *a, const void *b)
{
    const Length *x = a, *y = b;
    return x->n - y->n;
}

static int encode_item(Encoded *x, Encoder *enc, const EvalItem *item, const AnsweringOptions *o, Err *err)
{
    Message msg[2];
    const Sample s = question_sample(msg, item, o);
    return encode_sample(x, enc, &s, ENCODE_PROMPT, err);
}

/* A prompt of the length in the middle, without pixels; the average of some goes into the plan. */
static Batch *typical_prompt(AnsweringPlan *p, Encoder *enc, const EvalRun *run, const AnsweringOptions *o, Err *err)
{
    Length seen[MOST_SEEN];
    int n = p->questions < MOST_SEEN ? p->questions : MOST_SEEN;
    Encoded x;
    for (int i = 0; i < n; i++) {
        seen[i].item = (int)((int64_t)i * p->questions / n);
        if (encode_item(&x, enc, &run->item.at[seen[i].item], o, err)) return NULL;
        seen[i].n = x.n;
        p->prompt_tokens += (double)x.n / n;
        encoded_release(&x);
    }
    qsort(seen, (size_t)n, sizeof *seen, by_length);
    if (encode_item(&x, enc, &run->item.at[seen[n / 2].item], o, err)) return NULL;
    BatchBuilder bb;
    batch_begin(&bb, enc->processor);
    bb.lengths_only = true;
    batch_add_prompt(&bb, &x, 0);
    encoded_release(&x);
    return batch_finish(&bb);
}

static int plan_with(AnsweringPlan *p, Engine *e, const EvalRun *run, const AnsweringOptions *o, Err *err)
{
    Encoder enc;
    if (encoder_init(&enc, e->tok, &e->proc, 0, err)) return -1;
    Batch *prompt = typical_prompt(p, &enc, run, o, err);
    int rc = -1;
    if (prompt)
        rc = generate_plan(&p->of,
                           &(GeneratePlanInput){.engine = e,
                                                .prompt = prompt,
                                                .prompts = p->questions,
                                                .prompt_tokens = p->prompt_tokens,
                                                .answer_tokens = p->answer_tokens,
                                                .o = &o->generate},
                           err);
    batch_free(prompt);
    encoder_release(&enc);
    return rc;
}

int answering_plan(AnsweringPlan *p, const EvalRun *run, const AnsweringOptions *o, const EngineOptions *eo,
                   int answer_tokens, Err *err)
{
    Engine e;
    EngineOptions dry = *eo;
    dry.dry = true;
    dry.vision_cache = NULL;
    *p = (AnsweringPlan){.questions = run->item.n, .n = o->generate.n, .answer_tokens = answer_tokens};
    if (engine_open(&e, &dry, err)) return -1;
    int rc = plan_with(p, &e, run, o, err);
    engine_close(&e);
    return rc;
}

void answering_plan_print(const AnsweringPlan *p)
{
    const GeneratePlan *g = &p->of;
    memory_print_head();
    memory_print("files", g->files, "weights as they are mapped");
    memory_print("weights", g->weights, "their copies where they are converted, adapters");
    memory_print("cache", g->cache, "keys and values of the prompts and answers that grow together");
    memory_print("activations", g->activations, "");
    memory_print("other", g->other, "program, text, scratch");
    memory_print("total", g->total, "");
    printf("answers  %d questions of %.0f tokens, %d answers of about %d to each, %d together\n", p->questions,
           p->prompt_tokens, p->n, p->answer_tokens, g->batch);
    printf("time     %.3g s a prompt, %.3g s a step, %.0f tokens/s\n", g->prompt_seconds, g->step_seconds,
           (double)p->questions * p->n * p->answer_tokens / g->seconds);
    estimate_print(&(Estimate){g->tokens, g->seconds, gib((double)g->total)});
}
