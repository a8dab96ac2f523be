/*
 * pipeline.h - a pipeline: a list of stages, each a verb with its options, that name one another's folders.
 *
 *   about: MedE2 at the size of a laptop
 *   set:                                   variables; key=value on the command line replaces them
 *     model: recipes/demo/phantom-base
 *     out: runs/mede2                      where the stages' folders go; default runs/NAME-OF-THE-FILE
 *   stages:
 *     - name: text
 *       verb: phantom
 *       with: {split: text, n: 2000}
 *     - name: elicit
 *       verb: train
 *       recipe: recipes/demo/elicit.yaml   optional
 *       with: {model: $model, data: $text/data.jsonl}
 *     - name: pairs
 *       verb: synth
 *       do: prefer                         of verbs with several tasks
 *       with: {data: $cases/data.jsonl, samples: $answers/samples.jsonl}
 *       expect: {requests: 12000, prompt: 900, answer: 300}         optional, see Expect
 *
 * $name and ${name} stand for a variable or for the folder of an earlier stage, $$ for a dollar.  A stage writes into
 * out/NAME, which it gets as the option `out`.
 *
 *   Pipeline p;
 *   if (pipeline_load(&p, path, &assignments, err)) ...
 *   pipeline_release(&p);
 */
#ifndef OSLER_CMD_PIPELINE_H
#define OSLER_CMD_PIPELINE_H

#include "base/opt.h"
#include "base/sha256.h"
#include "cmd/cmd.h"

/* What a stage's data will be like, for a plan that is made before the data is. */
typedef struct Expect {
    int64_t samples, prompt, answer, pictures; /* tokens and pictures of each; of preferences each of two answers */
    int64_t pixels;                            /* of each picture */
    int64_t requests;                          /* to a server */
} Expect;

typedef struct Stage {
    char *name, *folder;
    const Verb *verb;
    char *task;         /* of verbs that have several: "prefer" of synth; NULL: none */
    char *recipe;       /* NULL: none */
    StrList key, value; /* options, resolved; a list's items with commas between them */
    Expect expect;
    int line;
} Stage;

typedef struct Pipeline {
    char *path, *about, *out;
    StrList name, value; /* variables, then the folders of stages */
    Stage *stage;
    int stages;
    StrList hashed, hash; /* outside files and folders that were read for a key, and what they hold: read once */
} Pipeline;

/* `set`: words "key=value" that replace variables. Errors name file and line. */
int pipeline_load(Pipeline *p, const char *path, const StrList *set, Err *err);
void pipeline_release(Pipeline *p);

/* The stage before `stage` in whose folder the path lies, -1: none. */
int stage_of(const Pipeline *p, int stage, const char *path);

/*
 * What decides the outcome of a stage: program version, verb, options, and the contents of every file and folder that
 * an option names; of an earlier stage's folder the key of that stage, given in key[0..stage).  -1 where a file is
 * missing that no earlier stage makes.
 */
int stage_key(char hex[SHA256_HEX], Pipeline *p, int stage, char (*key)[SHA256_HEX], Err *err);

#endif
