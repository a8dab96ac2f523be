/*
 * loader.h - batches in a fixed order, made ahead by threads.
 *
 * The samples of epoch e stand in the file order, or in the order that (seed, e) shuffles them to; behind the last
 * sample of an epoch comes the first of the next.  Worker threads encode and decode the samples ahead; what they make
 * is taken in order, so the batches are the same with any number of threads.
 *
 *   without packing   a batch is the next `batch_size` good samples behind one another.  It may span two epochs, so no
 *                     batch but the last of all is smaller than the others.
 *   with packing      good samples are collected into a window until it has PACK_WINDOW samples or the tokens of eight
 *                     batches; pack_plan spreads the window over batches of at most max_length rows, which follow one
 *                     another in the order of their first samples.
 *
 * A sample that cannot be used (unreadable image, too long) is left out and the next one moves up; it is recorded once,
 * and more than max_bad_samples of them end the run.  LoaderState says where the next batch begins; a Loader that
 * starts there gives the same batches as one that was never stopped.
 *
 *   Loader *l = loader_new(&dataset, &encoder, &options, err);
 *   Batch *b;
 *   while ((rc = loader_next(l, &b, err)) == 1) {
 *       train(b);
 *       batch_free(b);
 *       checkpoint(loader_state(l));
 *   }
 *   loader_free(l);                                          any time; joins the threads
 *
 * Dataset and Encoder are borrowed.  A Loader is used by one thread.
 */
#ifndef OSLER_DATA_LOADER_H
#define OSLER_DATA_LOADER_H

#include "data/pack.h"

enum { PACK_WINDOW = 64 };

typedef struct LoaderState {
    int64_t epoch;    /* from 0 */
    int64_t position; /* samples of this epoch's order that are behind us */
    int done;         /* with packing: batches of the window that begins here that are behind us */
} LoaderState;

typedef struct LoaderOptions {
    EncodeAs as; /* ENCODE_PAIR gives a prompt with two children a sample */
    int batch_size;
    bool packing; /* then the Encoder's max_length is the budget and batch_size means nothing */
    bool shuffle;
    uint64_t seed;
    int64_t samples;     /* end after so many positions, counted from epoch 0 (epochs x samples); 0: never */
    int threads;         /* workers, at least 1 */
    int max_bad_samples; /* more distinct ones than this are an error; -1: no limit */
    LoaderState start;
} LoaderOptions;

typedef struct Loader Loader;

/* Error where the dataset is empty or packing has no max_length. */
Loader *loader_new(const Dataset *d, Encoder *e, const LoaderOptions *o, Err *err);
void loader_free(Loader *l); /* NULL is fine */

/* 1: *b is the caller's. 0: the end. -1: too many bad samples, or an epoch without a usable one. */
int loader_next(Loader *l, Batch **b, Err *err);

/*
 * How many batches the options give from their start to their end (`samples` is not 0).  With packing every sample is
 * tokenised to find out, and images are measured, not decoded; without, it is a division that takes all samples for
 * good ones.  -1 as for loader_next.
 */
int64_t loader_count(const Dataset *d, Encoder *e, const LoaderOptions *o, Err *err);

/* Where the batch after the last one given begins. */
LoaderState loader_state(const Loader *l);
/* The samples left out so far, in the order they were met; borrowed until the next loader_next. */
const BadRow *loader_bad(const Loader *l, int *n);

/* order[0..n) = the samples of an epoch in their order. */
void epoch_order(int *order, int n, bool shuffle, uint64_t seed, int64_t epoch);

#endif
