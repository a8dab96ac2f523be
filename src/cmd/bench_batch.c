/* The inputs of `osler bench`: random tokens and pixels in the shapes that other programs are timed with. */
#include <stdlib.h>

#include "base/rng.h"
#include "cmd/bench.h"
#include "data/pack.h"

/* One image of 256 tokens and 48 tokens of text, or text alone. */
enum { IMAGE_TOKENS = 256, IMAGE_SIDE = 16, IMAGE_AT = 5 };

static int random_id(Rng *r, const ModelConfig *c)
{
    return c->v > 5000 ? (int)(1000 + rng_below(r, 4000)) : (int)rng_below(r, (uint32_t)c->v);
}

static ImageProcessor processor_of(const ModelConfig *c)
{
    ImageProcessor p;
    image_processor_default(&p);
    p.patch = c->vision.patch;
    p.merge = c->vision.merge;
    p.temporal = c->vision.temporal;
    return p;
}

static void add_image(Encoded *x, const ImageProcessor *p, Rng *r)
{
    int side = IMAGE_SIDE * p->merge;
    for (int i = 0; i < IMAGE_TOKENS; i++) x->id[IMAGE_AT + i] = -1 - i;
    x->n_image_tokens = IMAGE_TOKENS;
    x->n_images = 1;
    x->plan = xmalloc(sizeof *x->plan);
    *x->plan = (ImagePlan){side * p->patch, side * p->patch, side, side, IMAGE_TOKENS};
    x->n_patches = side * side;
    size_t bytes = encoded_pixel_bytes(x);
    x->pixels = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++) x->pixels[i] = (unsigned char)rng_u32(r);
}

/* Prompt `number` and `answer` target tokens. */
static void random_sample(Encoded *x, const ModelConfig *c, const ImageProcessor *p, bool image, int answer, int number)
{
    Rng r = rng_at(1, RNG_TEST, (uint32_t)number, 0, 0);
    *x = (Encoded){.n = BENCH_PROMPT + answer, .n_targets = answer};
    x->id = xmalloc(sizeof *x->id * (size_t)x->n);
    x->target = xcalloc((size_t)x->n, 1);
    for (int i = 0; i < x->n; i++) x->id[i] = random_id(&r, c);
    for (int i = BENCH_PROMPT; i < x->n; i++) x->target[i] = 1;
    if (image) add_image(x, p, &r);
}

/* x without its answer. */
static int add_prompt(BatchBuilder *bb, const Encoded *x)
{
    Encoded prompt = *x;
    prompt.n = BENCH_PROMPT;
    prompt.n_targets = 0;
    return batch_add_prompt(bb, &prompt, 0);
}

Batch *bench_batch(const ModelConfig *c, const int *answer, int n, bool shared)
{
    ImageProcessor p = processor_of(c);
    BatchBuilder bb;
    batch_begin(&bb, &p);
    int prompt = -1;
    for (int i = 0; i < n; i++) {
        Encoded x;
        random_sample(&x, c, &p, !shared || i == 0, answer[i], i);
        if (!shared) batch_add_sample(&bb, &x, i);
        if (shared && i == 0) prompt = add_prompt(&bb, &x);
        if (shared) batch_add_child(&bb, prompt, x.id + BENCH_PROMPT, answer[i], 1);
        encoded_release(&x);
    }
    return batch_finish(&bb);
}

Batch *bench_prompt(const ModelConfig *c, bool image, int number)
{
    ImageProcessor p = processor_of(c);
    Encoded x;
    BatchBuilder bb;
    batch_begin(&bb, &p);
    random_sample(&x, c, &p, image, 0, number);
    add_prompt(&bb, &x);
    encoded_release(&x);
    return batch_finish(&bb);
}
