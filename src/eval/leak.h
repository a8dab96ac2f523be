/*
 * leak.h - whether test questions stand in the training data: their pictures, and their words.
 *
 *   LeakReport r;
 *   if (leak_check(&r, train, n_train, "test.jsonl", err)) ...
 *   leak_write(dir, &r, err);                                      dir/leak.json
 *   leak_release(&r);
 *
 * For each test sample:
 *   same_file    a training image has the same bytes (SHA-256) and the same view (frame, slice, window)
 *   near_image   a training image's difference hash differs in at most LEAK_NEAR of 256 bits: the luma, averaged down to
 *                17 x 16, is brighter or darker than its right neighbour.  Flat pictures (fewer than LEAK_FLAT bits set)
 *                have no such hash.  Two pictures of one phantom or one protocol may be near without being the same.
 *   same_text    the whole text of a training turn is its text, word for word
 *   ngram13      a run of 13 words stands in one training sample
 *   share8       share of its runs of 8 words that stand anywhere in the training data
 * Texts are compared as normal texts (reward/lexemes.h).  A test sample is called leaked where a picture or 13 words in a
 * row recur; text alone that recurs beside another picture (a template) is counted apart.
 */
#ifndef OSLER_EVAL_LEAK_H
#define OSLER_EVAL_LEAK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { LEAK_BITS = 256, LEAK_NEAR = 10, LEAK_FLAT = 8, LEAK_LONG = 13, LEAK_SHORT = 8 };

/* 256 bits of a picture's horizontal differences. */
typedef struct PictureHash {
    uint64_t bits[LEAK_BITS / 64];
} PictureHash;

typedef struct LeakItem {
    char *id, *place;
    /* "file:line" of the training sample, or NULL */
    char *same_file, *near_image, *same_text, *ngram13;
    int near_bits; /* distance of near_image */
    int grams8, found8;
} LeakItem;

typedef struct LeakReport {
    LeakItem *item;
    int n;
    int train_samples, train_images, test_images, unreadable;
    int same_file, near_image, same_text, ngram13; /* test samples */
    double share8;                                 /* over all runs of 8 words of the test data */
} LeakReport;

int leak_check(LeakReport *r, char *const *train, int n_train, const char *test, Err *err);
int leak_write(const char *dir, const LeakReport *r, Err *err);
void leak_release(LeakReport *r);

/* rgb [h][w][3] */
PictureHash picture_hash(const unsigned char *rgb, int w, int h);
int picture_distance(const PictureHash *a, const PictureHash *b);

#endif
