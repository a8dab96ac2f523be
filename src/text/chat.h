/*
 * chat.h - ChatML as Qwen2.5-VL uses it: messages to tokens with a target mask that comes from the structure.
 *
 *   <|im_start|>system\nYou are a helpful assistant.<|im_end|>\n
 *   <|im_start|>user\n<|vision_start|><|image_pad|>...<|vision_end|>What is shown?<|im_end|>\n
 *   <|im_start|>assistant\nA chest radiograph.<|im_end|>\n
 *
 * Each `<image>` marker in a message becomes vision_start, as many image_pad tokens as the image's plan says, and
 * vision_end.  A message list that does not begin with a system message gets the default one.  Targets are the
 * assistant bodies, each with its closing <|im_end|> but not the line break after it; a token counts as a target where
 * all of its bytes lie in the target.
 * Ids equal those of tokenising the whole rendered text at once.  Special tokens written in a message are recognised as
 * such, but for those of images and video: they are an error.
 *
 *   Rendered r;
 *   if (chat_render(&r, tok, messages, n, &plan.n_tokens, 1, false, err)) return -1;
 *   ...
 *   rendered_release(&r);
 */
#ifndef OSLER_TEXT_CHAT_H
#define OSLER_TEXT_CHAT_H

#include <stdbool.h>

#include "base/err.h"
#include "text/tokenizer.h"

#define DEFAULT_SYSTEM "You are a helpful assistant."
#define IMAGE_MARKER   "<image>"

typedef struct Message {
    char *role;    /* "system", "user", "assistant" */
    char *content; /* with <image> markers */
    bool loss;     /* false: an assistant message that is no target */
} Message;

/* The special tokens of the template. Error where the tokenizer lacks one. */
typedef struct ChatTokens {
    int im_start, im_end, vision_start, vision_end, image_pad, video_pad;
} ChatTokens;
int chat_tokens(ChatTokens *c, const Tokenizer *t, Err *err);

/* Error where a chat template of the folder (chat_template.jinja or .json, tokenizer_config.json) is not ChatML. */
int chat_check_template(const char *model_dir, Err *err);

typedef struct Rendered {
    int *id;
    unsigned char *target; /* 1 where the token is a target */
    int n;
    int prompt_len; /* tokens before the first assistant body that is a target; n where there is none */
    int *image_at;  /* [n_images] index of each image's first image_pad */
    int n_images;   /* rendered; less than given where `generate` stops before a later image */
} Rendered;
void rendered_release(Rendered *r);

/*
 * image_tokens[k] = number of image_pad tokens of the k-th image, > 0.  Error where markers and images disagree in
 * number, where image or video tokens stand in the text outside a marker, and for a role that ChatML does not have.
 * With `generate`, rendering stops before the first assistant message (all of them if there is none) and adds
 * "<|im_start|>assistant\n".  On error *out is empty.
 */
int chat_render(Rendered *out, const Tokenizer *t, const Message *m, int n_messages, const int *image_tokens,
                int n_images, bool generate, Err *err);
/* Number of <image> markers in all messages. */
int chat_count_images(const Message *m, int n_messages);

#endif
