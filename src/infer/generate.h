/*
 * generate.h - answers to prompts: prefill once, fork n draws, decode many sequences together.
 *
 * generate() pulls prompts from a source and hands each finished answer to a sink.  Up to max_batch sequences decode in
 * one step; a prompt enters as soon as there is room for its answers, so short answers do not wait for long ones
 * (continuous batching).  Between two steps at most PREFILL_ROWS rows of prompts are computed, so long prompts do not
 * hold up the answers that are on their way.  Prompts that begin alike share those rows (prefix.h).
 *
 * What is drawn depends on (seed, prompt, draw, position) and on the prompt alone, to the bit: not on other prompts,
 * their order, max_batch, or what was shared.  A PromptPlan gives a prompt another place in the random stream than its
 * number, so that what is asked again later, or continued, draws what it would have drawn.
 *
 *   GenerateOptions o = GENERATE_DEFAULTS;
 *   o.max_new_tokens = 256;
 *   if (generate(engine, &o, &(GenerateIo){.next = next, .done = done, .arg = &job}, err)) ...
 *
 * generate_reply() continues one sequence of a session: a chat.
 *
 * An answer ends with one of the model's end tokens (kept in the ids, absent from the text), where a stop string
 * appears (the text ends before it), after max_new_tokens, or at the end of the model's context.  Image and video
 * tokens are never drawn.
 */
#ifndef OSLER_INFER_GENERATE_H
#define OSLER_INFER_GENERATE_H

#include "infer/sampler.h"
#include "infer/session.h"

enum { PREFILL_ROWS = 512 };

typedef struct GenerateOptions {
    SamplerOptions sampling;
    int max_new_tokens;
    int n;               /* answers per prompt */
    int max_batch;       /* sequences decoded together */
    int max_rows;        /* of the KV cache, tokens of all prompts and answers in it; 0: as memory allows */
    const StrList *stop; /* borrowed; NULL: none */
    bool logp;           /* fill Completion.logp */
} GenerateOptions;
#define GENERATE_DEFAULTS                                                                                              \
    {                                                                                                                  \
        .sampling = {.top_p = 1, .repetition_penalty = 1}, .max_new_tokens = 512, .n = 1, .max_batch = 32              \
    }

typedef struct Completion {
    int prompt, draw; /* numbers, from 0 */
    const int *id;    /* [n] with the end token, where one came */
    int n;
    const float *logp; /* [n] under the model itself; NULL where not asked for */
    const char *text;  /* without special tokens, NUL-terminated UTF-8 */
    size_t text_len;
    const char *finish_reason; /* "stop" | "length" | "cancelled" */
} Completion;

/* Whether an answer goes on, ends as it is ("cancelled"), or everything ends and what is not finished is dropped. */
typedef enum Verdict { GO_ON, END_ANSWER, END_ALL } Verdict;

/* How one prompt is answered. */
typedef struct PromptPlan {
    uint32_t stream;    /* names its random numbers, with seed, draw and position */
    int position;       /* of its first token in them: not 0 where the prompt ends with the beginning of an answer */
    int n;              /* answers */
    const int *draw;    /* [n] their numbers; NULL: from 0. Borrowed until the next prompt is asked for */
    int max_new_tokens; /* of each */
} PromptPlan;

typedef struct GenerateIo {
    /* The next prompt: a batch of one segment, then generate's to free. NULL: none now, or an error where err is set.
       Asked again whenever there is room, as long as answers are on their way: `done` may give rise to prompts. */
    Batch *(*next)(void *arg, Err *err);
    /* Changes the plan of the prompt that next has just given from {prompt, 0, o->n, NULL, o->max_new_tokens}; NULL:
       all prompts have that. */
    void (*plan)(void *arg, int prompt, PromptPlan *p);
    /* A finished answer, in the order of finishing; borrowed for the call. */
    int (*done)(void *arg, const Completion *c, Err *err);
    /* Text as it comes; NULL: not wanted. */
    void (*stream)(void *arg, int prompt, int draw, const char *bytes, size_t n);
    /* Asked for every answer before each step; NULL: all go on. With draw -1 of a prompt on its way into the cache,
       where only END_ALL counts. */
    Verdict (*verdict)(void *arg, int prompt, int draw);
    void *arg;
} GenerateIo;

/* 0: all prompts are answered; 1: ended by a verdict; -1: error. */
int generate(Engine *e, const GenerateOptions *o, const GenerateIo *io, Err *err);

/*
 * One answer (o->n must be 1) that continues `seq`, whose last logits are given.  prompt [n_prompt]: the sequence's
 * ids, for the repetition penalty; negative ids are image tokens.  number takes the prompt's place in the random
 * stream.  The answer's last token is not yet in the sequence.  io->next is not used; END_ALL ends the answer as
 * END_ANSWER does.
 */
int generate_reply(Session *s, int seq, const float *logits, const int *prompt, int n_prompt, int number,
                   const GenerateOptions *o, const GenerateIo *io, Err *err);

#endif
