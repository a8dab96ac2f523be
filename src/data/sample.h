/*
 * sample.h - one training or test item, whatever file layout it came from.
 *
 * Readers turn rows of `messages`, ShareGPT, LLaVA, R1-V, EasyR1, alpaca and VQA-RAD files into Samples; nothing after
 * them knows the layout.  A Sample remembers its file and line for messages.  A Sample that was read is sound: its
 * roles are known, no content is empty, every image has its marker.  Whether the images can be opened is not known yet.
 *
 *   Dataset d;
 *   if (dataset_load(&d, files, n_files, seed, err)) return -1;
 *   for (int i = 0; i < d.n_bad; i++) bad_row_print(stderr, &d.bad[i]);
 *   ...
 *   dataset_release(&d);
 *
 * Samples borrow the names of their files from the Dataset and live no longer than it.
 */
#ifndef OSLER_DATA_SAMPLE_H
#define OSLER_DATA_SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "table/json_rows.h"
#include "text/chat.h"

/* The layout of a row, decided by its keys. */
typedef enum DataFormat {
    DATA_MESSAGES,
    DATA_SHAREGPT,
    DATA_LLAVA,
    DATA_R1V,
    DATA_EASYR1,
    DATA_ALPACA,
    DATA_VQARAD,
    DATA_FORMATS
} DataFormat;
const char *data_format_name(DataFormat f);

typedef struct Sample {
    char *id; /* the row's own, or "<file name>:<line>" */
    RowPlace at;
    DataFormat format;
    Message *msg; /* role is "system" (first, at most once), "user" or "assistant" */
    int n_msgs;
    char **images; /* references, resolved against the file's folder, in the order of their markers */
    int n_images;
    /* Preference data: answers to the messages, which then end with the user; NULL elsewhere. */
    char *chosen, *rejected;
} Sample;

void sample_release(Sample *s);
/* Puts "file:line, id X" in front of an error about s. Returns -1. */
int sample_context(const Sample *s, Err *err);
/* A copy that owns its own strings. */
void sample_copy(Sample *dst, const Sample *src);

/* A row that could not be used. */
typedef struct BadRow {
    RowPlace at;
    char *reason, *hint; /* hint may be NULL */
} BadRow;
/* Fills a BadRow from an error. */
BadRow bad_row(RowPlace at, const Err *why);
void bad_row_release(BadRow *b);
/* "data.jsonl:12: reason" and, on a line of its own, "  hint: ...". */
void bad_row_print(FILE *f, const BadRow *b);

typedef struct Dataset {
    Sample *sample;
    int n;
    BadRow *bad;
    int n_bad;
    char **file; /* paths as given, without their #n or @f suffix */
    int n_files;
} Dataset;

/*
 * Reads every file of `files`.  "f.jsonl" and "f.json" give all their samples, "f.jsonl#500" 500 samples chosen by seed
 * (all where there are fewer), "f.jsonl@0.3" a share of them, "f.jsonl@2" all of them twice, "f.jsonl@1.5" all and then
 * half of them again; what is chosen stays in the file's order.  A file whose very name ends like that is read whole.
 * Rows that break the rules go to `bad`; a file that cannot be read or is not JSON at all is an error, and then d holds
 * nothing.  Image files are not opened here.
 */
int dataset_load(Dataset *d, char *const *files, int n_files, uint64_t seed, Err *err);
/* Reads n bytes as if they were the file `path`. Same errors; what was read before stays in d. */
int dataset_parse(Dataset *d, const char *path, const char *bytes, size_t n, Err *err);
void dataset_release(Dataset *d);

#endif
