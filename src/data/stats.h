/*
 * stats.h - what is in a dataset and what is wrong with it: behind `osler data check` and `osler data stats`.
 *
 *   DataStats st;
 *   data_stats(&st, &dataset, encoder, deep);
 *   data_stats_print(stdout, &st);
 *   data_bad_print(stdout, &dataset, &st);
 *   bool sound = dataset.n_bad + st.n_bad == 0;
 *   data_stats_release(&st);
 *
 * Reading found the rows that break a rule (Dataset.bad); this opens the header of every image, or decodes every image
 * where `deep`, and, given an Encoder, tokenises every sample.  Runs on the thread pool; results do not depend on it.
 */
#ifndef OSLER_DATA_STATS_H
#define OSLER_DATA_STATS_H

#include <stdbool.h>
#include <stdio.h>

#include "data/encode.h"

/* Of a list of whole numbers. */
typedef struct Spread {
    int n;
    int64_t total;
    int min, median, p95, max; /* nearest rank */
} Spread;
Spread spread_of(const int *value, int n);

enum { LENGTH_BUCKETS = 24 };

typedef struct FileStats {
    const char *file; /* borrowed from the Dataset */
    int samples, bad;
    int by_format[DATA_FORMATS];
} FileStats;

typedef struct DataStats {
    FileStats *file;
    int n_files;
    int samples, pairs, text_only;
    int duplicates;              /* samples whose messages, answers and images all equal an earlier one's */
    int system, user, assistant; /* messages */
    int untrained;               /* assistant messages with "loss": false */

    int images, distinct_images, unreadable_images; /* uses; distinct references; of those */
    Spread width, height, images_per_sample;        /* sizes: of distinct readable images */

    /* With an Encoder; else all zero. Of the samples that can be encoded: */
    bool tokenized;
    Spread tokens, targets, image_tokens; /* image_tokens: per distinct readable image */
    int length[LENGTH_BUCKETS];           /* samples of [2^k, 2^(k+1)) tokens */

    BadRow *bad; /* samples with unreadable images or that cannot be encoded */
    int n_bad;
} DataStats;

/* `e` may be NULL. Pairs count the tokens of the prompt and both answers. */
void data_stats(DataStats *st, const Dataset *d, Encoder *e, bool deep);
void data_stats_release(DataStats *st);

void data_stats_print(FILE *f, const DataStats *st);
/* One bad row a line with file:line, reason and hint, in the order of files and lines. */
void data_bad_print(FILE *f, const Dataset *d, const DataStats *st);

#endif
