/*
 * data_fixture.h - what the tests of src/data share: a byte-level tokenizer, a processor with small images, samples.
 *
 * The tokenizer has one id per byte (0..255) and the special tokens 256..262, so expected ids can be written by hand.
 */
#ifndef OSLER_TESTS_DATA_FIXTURE_H
#define OSLER_TESTS_DATA_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/encode.h"

#define DATA_DIR "tests/data/data/"
#define IMG      DATA_DIR "img/"

enum { IM_START = 257, IM_END = 258, VISION_START = 259, VISION_END = 260, IMAGE_PAD = 261, VOCAB = 263 };

typedef struct Fixture {
    Tokenizer *tokenizer;
    ImageProcessor processor;
    Encoder encoder;
} Fixture;

/* Image a.png has 4 tokens (2 x 2), b.png 6 (2 high, 3 wide), c.png 20 (5 high, 4 wide), d.png 6 (6 high, 1 wide). */
static inline void fixture_open(Fixture *f, int max_length)
{
    Err err = {0};
    f->tokenizer = tokenizer_load(DATA_DIR, &err);
    CHECK(f->tokenizer, "%s", err.msg);
    image_processor_default(&f->processor);
    f->processor.min_pixels = 28 * 28;
    f->processor.max_pixels = 28 * 28 * 64;
    CHECK(!encoder_init(&f->encoder, f->tokenizer, &f->processor, max_length, &err), "%s", err.msg);
}

static inline void fixture_close(Fixture *f)
{
    encoder_release(&f->encoder);
    tokenizer_free(f->tokenizer);
}

/* Rows as if they stood in a file of DATA_DIR. */
static inline Dataset fixture_rows(const char *rows)
{
    Dataset d = {0};
    Err err = {0};
    CHECK(!dataset_parse(&d, DATA_DIR "rows.jsonl", rows, strlen(rows), &err), "%s", err.msg);
    CHECK(d.n_bad == 0, "%s", d.bad[0].reason);
    return d;
}

#endif
