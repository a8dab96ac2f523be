/*
 * encode.h - a Sample to token ids, target mask, image plans and pixels.
 *
 * The order of things makes image tokens and image features agree by construction: image sizes are read first, each
 * size gives a plan (smart-resize, grid, token count), and only then is the text tokenised around that many tokens.
 *
 *   Encoder e;
 *   if (encoder_init(&e, tokenizer, processor, max_length, err)) return -1;
 *   Encoded x;
 *   if (encode_sample(&x, &e, sample, ENCODE_CHAT, err) || encode_pixels(&x, &e, sample, err)) ...
 *   encoded_release(&x);
 *   encoder_release(&e);
 *
 * Nothing is ever cut: a sample that is longer than max_length is an error that says by how much.  An Encoder may be
 * used by many threads at once; it remembers the size of every image it has met.
 */
#ifndef OSLER_DATA_ENCODE_H
#define OSLER_DATA_ENCODE_H

#include <pthread.h>

#include "base/map.h"
#include "data/sample.h"
#include "image/image.h"
#include "text/chat.h"

typedef struct Encoder {
    const Tokenizer *tokenizer;      /* borrowed */
    const ImageProcessor *processor; /* borrowed */
    ChatTokens special;
    int max_length; /* tokens of one conversation; 0: no limit */
    pthread_mutex_t lock;
    Map sizes; /* image reference -> width << 32 | height */
} Encoder;

int encoder_init(Encoder *e, const Tokenizer *t, const ImageProcessor *p, int max_length, Err *err);
void encoder_release(Encoder *e);

typedef enum EncodeAs {
    ENCODE_CHAT,   /* the whole conversation with its targets */
    ENCODE_PROMPT, /* up to the first assistant message, then "<|im_start|>assistant\n"; no targets */
    ENCODE_REPLY,  /* the whole conversation, which ends with the user, then "<|im_start|>assistant\n"; no targets */
    ENCODE_PAIR    /* the whole conversation, then "<|im_start|>assistant\n"; chosen and rejected as answers */
} EncodeAs;

/* Tokens of an answer with its closing <|im_end|>. */
typedef struct AnswerTokens {
    int *id, n;
} AnswerTokens;

typedef struct Encoded {
    int *id;               /* [n]; where the image token stands, -1 - k: row k of this sample's merged image features */
    unsigned char *target; /* [n] 1 where the token is a target; never an image token */
    int n, n_targets, n_image_tokens;
    ImagePlan *plan; /* [n_images] */
    int n_images;
    AnswerTokens chosen, rejected; /* ENCODE_PAIR only */
    unsigned char *pixels; /* after encode_pixels, else NULL: the images behind one another, [plan.h][plan.w][3] each */
    int n_patches;
} Encoded;
void encoded_release(Encoded *x);

/*
 * Errors (sample_context puts file:line and id in front): an image that cannot be opened, special tokens written in the
 * text, more than max_length tokens (a pair counts as the prompt and its longer answer), ENCODE_PAIR without a pair.
 */
int encode_sample(Encoded *x, Encoder *e, const Sample *s, EncodeAs as, Err *err);

/*
 * Decodes the images and resizes them to their plans.  Nothing to do for a sample without images.  Cutting them into
 * normalised patches, eight times as large, is left to the batch (pack.h), which does it where they are to lie.
 */
int encode_pixels(Encoded *x, const Encoder *e, const Sample *s, Err *err);
/* Bytes of x->pixels, once there. */
size_t encoded_pixel_bytes(const Encoded *x);

/* The tokens of an answer as the model would write it: the text alone, then <|im_end|>. */
void encode_answer(AnswerTokens *a, const Encoder *e, const char *text);

/* image_size through the Encoder's memory. */
int encoder_image_size(int *w, int *h, Encoder *e, const char *ref, Err *err);

/*
 * M-RoPE positions of a run of tokens that begins at position `start`; pos [n][3] = temporal, height, width.  A text
 * token has its number in all three.  An image that begins at p has t = p, h = p + row, w = p + column over the merged
 * grid, and what follows goes on at 1 + the largest so far (transformers' get_rope_index for Qwen2.5-VL).
 * Image tokens are the negative ids; the k-th of them in `id` belongs to the image that the running count of
 * plan[].tokens says.  Returns the position that follows the run.
 */
int mrope_positions(int (*pos)[3], const int *id, int n, const ImagePlan *plan, int n_images, int merge, int start);

#endif
