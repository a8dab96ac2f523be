/*
 * opt.h - one table per verb drives flags, recipe keys, --help, validation and the printed recipe.
 *
 *   typedef struct TrainOpts { char *model; double learning_rate; StrList lora_target; ... } TrainOpts;
 *
 *   static const Opt TABLE[] = {
 *       { "model",         OPT_PATH, offsetof(TrainOpts, model), .required = true, .help = "checkpoint directory" },
 *       { "learning_rate", OPT_REAL, offsetof(TrainOpts, learning_rate), .def = "1e-5", .alias = "lr",
 *         .min = 0, .max = 10, .help = "peak learning rate" },
 *       { "method",        OPT_ENUM, offsetof(TrainOpts, method), .def = "sft", .choices = "sft|dpo", .help = ... },
 *       { 0 }
 *   };
 *
 * Accepted on the command line, all the same:  --max_steps 10   --max-steps=10   max_steps=10   and in a recipe file
 * `max_steps: 10`.  The command line wins over the recipe, the recipe over the default.  `--flag` alone sets a boolean, or
 * a choice that can be "true".
 * Unknown keys are errors that name the nearest known one; values out of range say what is allowed; a recipe error
 * carries path:line.  Wrong usage sets err->usage (exit status 2).
 */
#ifndef OSLER_BASE_OPT_H
#define OSLER_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

/* What the table's fields point at: */
typedef enum OptType {
    OPT_BOOL, /* bool */
    OPT_INT,  /* int64_t */
    OPT_REAL, /* double */
    OPT_TEXT, /* char *, NULL where not given */
    OPT_PATH, /* char *, as OPT_TEXT */
    OPT_ENUM, /* int: index into choices "a|b|c" */
    OPT_LIST  /* StrList: comma-separated on the command line, a YAML list or comma-separated text in a recipe;
                 given several times it grows */
} OptType;

typedef struct StrList {
    char **at;
    int n;
} StrList;

typedef struct Opt {
    const char *name;
    OptType type;
    size_t offset;
    const char *def;     /* default as text; NULL: unset (NULL, 0, empty list) */
    const char *alias;   /* other spellings, "a|b" */
    const char *choices; /* OPT_ENUM */
    double min, max;     /* OPT_INT, OPT_REAL; both 0: any; max HUGE_VAL: at least min */
    bool required;
    const char *group; /* heading in --help; NULL: as the row before */
    const char *help;
} Opt;

/*
 * Fills `opts` (zeroed by the caller) from defaults, then an optional recipe, then argv.  argv holds what follows the
 * verb.  Words that are neither flags nor key=value are operands, and so is all that follows a `--`: a first operand
 * that ends in .yaml or .yml is the recipe when allow_recipe; the others are added to `operands`.
 * Returns 0, -1 with err, or 1 when --help was asked for (the caller prints it with opt_help); after -1 and 1 nothing
 * is left to release.
 *
 * Lists: the first value on the command line replaces the recipe's list, further ones add to it; "\," is a comma within
 * an item.  In a recipe a null (`key:`) empties a text or a list and is an error elsewhere.  An empty path is no path.
 */
int opt_parse(const Opt *table, void *opts, int argc, char **argv, bool allow_recipe, StrList *operands, Err *err);
/* Releases every string and list the table points at. */
void opt_release(const Opt *table, void *opts);
void strlist_add(StrList *l, const char *s);
void strlist_release(StrList *l);

/*
 * True where the user gave the value in the recipe or on the command line of the last opt_parse into opts.  Known by
 * the address of opts until opt_release: a copy of the struct knows nothing.
 */
bool opt_given(const Opt *table, const void *opts, const char *name);

void opt_help(FILE *f, const char *usage, const char *about, const Opt *table);
/* The resolved options as a YAML recipe that parses back to the same values; what is not set is a comment. */
void opt_print(Buf *out, const Opt *table, const void *opts);
/*
 * The known name nearest to `word` by Damerau-Levenshtein distance, or NULL where none is near: at most one edit, and
 * one more for every three letters.  Case and the difference of '-' and '_' do not count.
 */
const char *nearest_word(const char *word, const char *const *known, int n);

#endif
