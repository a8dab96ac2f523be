/*
 * loader.h - batches in a fixed order, made ahead by threads.
 *
 * The samples of epoch e stand in the file order, or in the order that (seed, e) shuffles them to; behind the last
 * sample of an epoch comes the first of the next.  Worker threads encode and decode the samples ahead; what they make
 * is taken in order, so the batches are the same with any number of threads.
 *
 *   without packing   a batch is the next `batch_size` good samples behind one another.  It may span two epochs, so no
 *                     batch but the last of all is smaller than the others.
 *   with packing      up to PACK_WINDOW samples wait; pack_next chooses from them what fills max_length rows best.  Who
 *                     comes first is in the next pack, so samples leave in nearly the order they came in, and nobody
 *                     waits for more than PACK_WINDOW packs.  The window runs on from one epoch into the next: only at
 *                     the end of all is there less to choose from, and a last pack that is not full.
 *
 * To choose, lengths are enough: text is encoded and image headers are read for the whole window, pictures are decoded
 * only when their pack is chosen, some packs ahead and at most LOADER_AHEAD_BYTES of them.
 *
 * A sample that cannot be used (unreadable image, too long) is left out: the next one moves up, or, where a picture of
 * a chosen pack turns out broken, its rows stay empty.  It is recorded once, and more than max_bad_samples of them end
 * the run.  LoaderState says where the next batch begins; a Loader that starts there gives the same batches as one that
 * was never stopped.
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

enum { PACK_WINDOW = 128 };

typedef struct LoaderState {
    int64_t epoch;           /* from 0 */
    int64_t position;        /* samples of this epoch's order that have been read */
    int n_waiting;           /* with packing: samples that were read and are in no batch yet */
    int behind[PACK_WINDOW]; /* how many positions ago each of them was read, falling; at least 1 */
} LoaderState;

typedef struct LoaderOptions {
    EncodeAs as; /* ENCODE_PAIR gives a prompt with two children a sample */
    int batch_size;
    bool packing; /* then the Encoder's max_length is the budget and batch_size means nothing */
    bool shuffle;
    uint64_t seed;
    int64_t samples;     /* end after so many positions, counted from epoch 0 (epochs x samples); 0: never */
    bool lengths_only;   /* batches without pixels: image headers are read, nothing is decoded */
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
 * How many batches the options give from their start to their end (`samples` is not 0), and how many rows there are in
 * them.  With packing every sample is tokenised to find out, and images are measured, not decoded; without, it is a
 * division that takes all samples for good ones, and *rows is 0.  -1 as for loader_next.
 */
int64_t loader_count(const Dataset *d, Encoder *e, const LoaderOptions *o, int64_t *rows, Err *err);

/* Batches whose pictures wait decoded, at most, and the bytes after which no further ones are begun. */
int loader_ahead(const LoaderOptions *o);
#define LOADER_AHEAD_BYTES ((size_t)256 << 20)

/* Where the batch after the last one given begins. */
LoaderState loader_state(const Loader *l);
/* The samples left out so far, in the order they were met; borrowed until the next loader_next. */
const BadRow *loader_bad(const Loader *l, int *n);

/* order[0..n) = the samples of an epoch in their order. */
void epoch_order(int *order, int n, bool shuffle, uint64_t seed, int64_t epoch);

#endif
