/*
 * benchmark_impl.h - how a named benchmark is read: a row of the table in benchmark.c, and what its reader works with.
 *
 * A reader fills r->item from one row of a table: the question, its kind, options and gold answer, groups, pictures.
 * What all benchmarks need is done around it (benchmark.c): finding the files, ids, image markers, checks.
 *
 *   static int read_slake(Reader *r, Err *err)
 *   {
 *       row_take_question(r, row_text(r, "question"));
 *       row_take_gold(r, row_text(r, "answer"));
 *       row_group(r, "language", "q_lang");
 *       return row_pictures(r, "img_name", err);        pictures last: reading them ends the life of the row's cells
 *   }
 */
#ifndef OSLER_EVAL_BENCHMARK_IMPL_H
#define OSLER_EVAL_BENCHMARK_IMPL_H

#include "eval/benchmark.h"
#include "table/table.h"

enum { MAX_LAYOUTS = 10, MAX_FOLDERS = 6 };
enum { ROW_TAKEN, ROW_PASSED }; /* what a reader returns: the row is a question, or is not one of this benchmark's */

typedef struct Reader {
    const Benchmark *b;
    EvalRun *run;
    const char *root; /* the folder that was given, or that of the file */
    Table *table;
    int64_t row;
    char *dir;            /* the table's */
    const char *part;     /* the subject that the file is about, or NULL */
    int *column, columns; /* all but those of pictures */
    Cell *cell;           /* of the row, in the order of `column` */
    EvalItem item;        /* the one that is made */
    json_t *side;         /* answers, or ids, of a file beside the table; NULL: none */
    Map rows;             /* VLMEvalKit: rows by their index; empty until it is needed */
    int first_option;     /* MedMCQA: the number of the first option, 0 or 1 */
} Reader;

struct Benchmark {
    const char *name, *title, *split;
    int n;                            /* questions, 0: any number */
    int options;                      /* of every question, 0: any number */
    const char *source;               /* the public name under which it can be had */
    const char *note;                 /* what a score must not be compared without knowing; NULL: nothing */
    const char *const *parts;         /* what %s stands for in `files`; NULL: none */
    const char *files[MAX_LAYOUTS];   /* in the folder, the first layout that is there counts; * in names of files */
    const char *folders[MAX_FOLDERS]; /* of pictures, relative to the table's; NULL: the table's own alone */
    const char *const *headless;      /* names of the columns of CSV files without a header */
    int (*open)(Reader *r, Err *err); /* called for each table; NULL: nothing to do */
    int (*read)(Reader *r, Err *err); /* ROW_TAKEN, ROW_PASSED, -1 */
};

/* ---- files (benchmark_files.c) ---- */

typedef struct BenchmarkFile {
    char *path;
    const char *part;
} BenchmarkFile;
typedef VEC(BenchmarkFile) BenchmarkFiles;
int benchmark_find_files(BenchmarkFiles *files, const Benchmark *b, const char *path, Err *err);
void benchmark_files_release(BenchmarkFiles *files);
/* The first of `names` that lies in the root, in the table's folder or above it; NULL where none does. */
char *reader_find_beside(const Reader *r, const char *const *names, int n);

/* ---- one row (benchmark_row.c) ---- */

/* The cell of a column, whatever the case of its name; NULL where the table has none, or null. */
const Cell *row_cell(const Reader *r, const char *column);
/* A cell's text without white space around it, fresh; NULL where there is none, or nothing in it. */
char *row_text(const Reader *r, const char *column);
char *text_stripped(const char *s, size_t n);
/* These take the text; NULL is no text. An option's place counts: NULL is an empty one, dropped where it is last. */
void row_take_question(Reader *r, char *text);
void row_take_gold(Reader *r, char *text);
void row_take_option(Reader *r, char *text);
/* {"A": ..}, [..], [{key, value}], or text that is a list. */
int row_options(Reader *r, const char *column, Err *err);
/* Columns that FORMAT names with letters from `first` on, e.g. "option_%c"; "A:" in front of a text is cut off. */
void row_option_columns(Reader *r, const char *format, char first, int n);
/* Cuts "Answer Choices: (A) ... (B) ..." off the question; options where the row has none. */
void row_cut_choices(Reader *r);
void row_group(Reader *r, const char *key, const char *column);
void row_id(Reader *r, const char *column);
/* yes/no where gold is, else short where the question is closed, else open. */
void row_kind(Reader *r, bool closed);
bool row_text_is(const Reader *r, const char *column, const char *text);
/* Adds the picture of a file in one of the benchmark's folders. */
int row_named_picture(Reader *r, const char *name, Err *err);
/* Adds the pictures that a column holds or names. */
int row_pictures(Reader *r, const char *column, Err *err);
/* Adds one that is known to lie in the column, without reading it. */
void row_picture_ref(Reader *r, const char *column, int64_t row);
/* Brings images into the order in which the texts mention them (reward/answer_prompt.h). */
void item_order_images(EvalItem *item);

/* ---- readers of rows ---- */

int read_vqa_rad(Reader *r, Err *err); /* benchmark_vqa.c */
int read_slake(Reader *r, Err *err);
int read_hf_vqa(Reader *r, Err *err);
int read_pmc_vqa(Reader *r, Err *err);
int read_omnimedvqa(Reader *r, Err *err);
int read_medxpertqa(Reader *r, Err *err);
int open_mmmu(Reader *r, Err *err);
int read_mmmu(Reader *r, Err *err);
int read_vlmevalkit(Reader *r, Err *err);
int read_medqa(Reader *r, Err *err); /* benchmark_text.c */
int open_pubmedqa(Reader *r, Err *err);
int read_pubmedqa(Reader *r, Err *err);
int read_mmlu(Reader *r, Err *err);
int open_medmcqa(Reader *r, Err *err);
int read_medmcqa(Reader *r, Err *err);
int read_questions(Reader *r, Err *err);

extern const char *const MMMU_SUBJECTS[], *const MMLU_SUBJECTS[];
bool in_list(const char *const *list, const char *s);

#endif
