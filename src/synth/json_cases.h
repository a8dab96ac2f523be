/*
 * json_cases.h - files of JSON objects: cases, and answers to them.
 */
#ifndef OSLER_SYNTH_JSON_CASES_H
#define OSLER_SYNTH_JSON_CASES_H

#include "base/file.h"
#include "base/json.h"
#include "reward/match.h"

/* What is done with a row, which it may keep (json_incref). */
typedef int TakeRow(void *arg, json_t *row, Err *err);
/* take() of every row of a .jsonl or .json file, until it fails; errors carry file and line. */
int rows_each(const char *path, TakeRow *take, void *arg, Err *err);

/* NULL with err where the row has no such text. */
const char *row_need_text(const json_t *row, const char *key, Err *err);
/* kind, question, options, tolerance, and the answer under the name `gold`; the strings are the row's. */
int row_question(Question *q, const json_t *row, const char *gold, Err *err);

/* Begins dir/name, the folder too; then write_json_line, file_commit. */
int json_lines_create(FileWriter *w, const char *dir, const char *name, Err *err);
/* A line of a .jsonl file; j is given up. */
void write_json_line(FileWriter *w, json_t *j);
/* dir/name, indented; j is given up. */
int json_save(const char *dir, const char *name, json_t *j, Err *err);

#endif
