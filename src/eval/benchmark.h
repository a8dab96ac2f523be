/*
 * benchmark.h - public benchmarks by name, from the files as their authors publish them.
 *
 *   EvalRun run = {.scoring = SCORING_STRICT};
 *   if (benchmark_load(&run, "slake", "/data/SLAKE", err)) ...             a folder, or the file itself
 *   for (int i = 0; i < run.item.n; i++) {
 *       const EvalItem *item = &run.item.at[i];
 *       answer_prompt(&text, &item->q, item->n_images, PROMPT_THINK);      reward/answer_prompt.h
 *       ... item->images[0] ...                                            a reference for image_load
 *   }
 *   run_release(&run);
 *
 * Nothing is downloaded.  Where a file is missing the error says which names were looked for, in which folders, and
 * under which public name it can be had.  docs/benchmarks.md tells of each benchmark what its files are, how many
 * questions it has, and what its traps are.  A new one is a row of the table in benchmark.c.
 *
 * Traps that the readers know, by benchmark: VQA-RAD's test split shares 202 of its 203 pictures with the training
 * part, so training on that is leakage by image; answers that are numbers, values that end in a blank.  SLAKE is in
 * two languages. PMC-VQA's options may carry their letters, and the letter of the answer is Answer_label or Answer.
 * OmniMedVQA answers with an option's text.  MedXpertQA repeats the options in the question.  MMMU numbers its
 * pictures and mentions them in any order, also in options; the answers of its test split lie in another file.
 * MedMCQA counts from 0 or from 1.  The test split of PubMedQA is named in another file.
 *
 * What every item has: an id that is unique in the benchmark and the same in every copy of its files (its own, else its
 * place); a kind, and a gold answer that question_check accepts; groups for the tables of results; images as references
 * that image_load reads (those in parquet and TSV cells as "file#row=R&column=C"), as many as answer_prompt writes
 * markers, in their order.  That the images can be decoded is not looked at; a picture's file that does not exist is an
 * error.
 */
#ifndef OSLER_EVAL_BENCHMARK_H
#define OSLER_EVAL_BENCHMARK_H

#include "eval/items.h"

typedef struct Benchmark Benchmark; /* benchmark_impl.h */

/*
 * Appends the benchmark's questions to run->item and sets run->name to its title where that is NULL.  `path` is the
 * file, or the folder that holds it.  -1 on error; the run then is to be released and not used.
 */
int benchmark_load(EvalRun *run, const char *name, const char *path, Err *err);

/* By name; NULL where there is none. */
const Benchmark *benchmark_find(const char *name);
/* The name in the results: "SLAKE (English)". */
const char *benchmark_title(const Benchmark *b);
/* A line each: name, questions, split, where the files come from. */
void benchmark_list(Buf *out);

#endif
