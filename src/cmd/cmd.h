/*
 * cmd.h - what every verb of the command line shares.
 *
 * A verb is one file with an options struct, its table (base/opt.h) and a Verb; main.c parses, runs and releases:
 *
 *   typedef struct TokenizeOpts { Common common; char *model, *in, *out; } TokenizeOpts;
 *   static const Opt TABLE[] = { {"model", OPT_PATH, offsetof(TokenizeOpts, model)}, GENERAL_ROWS(TokenizeOpts), {0} };
 *   static int run(void *opts, const StrList *operands, Err *err) { ... }
 *   const Verb VERB_TOKENIZE = {.name = "tokenize", .table = TABLE, .size = sizeof(TokenizeOpts), .run = run, ...};
 *
 * Every options struct begins with a Common, unless the verb parses for itself (`parse`); what the table does not offer
 * stays zero there.  run returns 0; -1 with err (exit status 1, or 2 where err->usage is set); 1 where the answer is no
 * and has been printed (exit status 1).  Results go to stdout or to a file, everything else to stderr.
 */
#ifndef OSLER_CMD_CMD_H
#define OSLER_CMD_CMD_H

#include <stddef.h>

#include "base/opt.h"
#include "data/sample.h"
#include "infer/generate.h"

typedef struct Common {
    int64_t threads, seed;
    int device, dtype; /* 0: cpu, bf16 */
    bool quiet, verbose;
} Common;

/* clang-format off */
#define GENERAL_ROWS(T)                                                                                                \
    {"threads", OPT_INT, offsetof(T, common.threads), .def = "0", .min = 0, .max = 4096, .group = "General",           \
     .help = "0: one per core; never changes a result"},                                                               \
    {"quiet", OPT_BOOL, offsetof(T, common.quiet), .def = "false", .help = "warnings and errors only"},                \
    {"verbose", OPT_BOOL, offsetof(T, common.verbose), .def = "false", .help = "more messages"}

#define COMPUTE_ROWS(T)                                                                                                \
    {"device", OPT_ENUM, offsetof(T, common.device), .def = "cpu", .choices = "cpu|cuda", .group = "Computing",        \
     .help = "where to compute"},                                                                                      \
    {"dtype", OPT_ENUM, offsetof(T, common.dtype), .def = "bf16", .choices = "bf16|f32",                               \
     .help = "format of weights and activations; sums are always f32"}

#define DECODE_ROW(T)                                                                                                  \
    {"decode_weights", OPT_ENUM, offsetof(T, decode_weights), .def = "bf16", .choices = "bf16|int8|int4",              \
     .help = "what decoding reads: the weights as they are, or copies in fewer bits, faster and less exact"}

#define SEED_ROW(T)                                                                                                    \
    {"seed", OPT_INT, offsetof(T, common.seed), .def = "42", .min = 0, .max = 9e15,                                    \
     .help = "all randomness is a function of it"}
/* clang-format on */

typedef struct Verb {
    const char *name, *about; /* about: one line */
    const char *usage;        /* "osler VERB ..." */
    const char *details;      /* more for --help; NULL: nothing */
    const Opt *table;
    size_t size; /* of the options struct */
    bool recipe; /* the first operand may be a recipe */
    int (*run)(void *opts, const StrList *operands, Err *err);
    /* In place of opt_parse, with its results; the options then hold no Common. */
    int (*parse)(void *opts, int argc, char **argv, StrList *operands, Err *err);
} Verb;

extern const Verb VERB_BENCH, VERB_CHAT, VERB_DATA, VERB_DOCTOR, VERB_EVAL, VERB_GENERATE, VERB_INIT, VERB_INSPECT,
    VERB_PHANTOM, VERB_PREPROCESS, VERB_RUN, VERB_SCORE, VERB_SYNTH, VERB_TOKENIZE, VERB_TRAIN;

/* The verb of that name; NULL with err, which names the nearest. */
const Verb *find_verb(const char *name, Err *err);
/* An error of the command line itself. */
int usage_error(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* An error where there are operands that the verb does not know. */
int no_operands(const StrList *operands, Err *err);

static inline DType common_dtype(const Common *c)
{
    return c->dtype ? DT_F32 : DT_BF16;
}

#endif
