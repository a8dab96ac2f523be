/*
 * answer_prompt.h - how a question is put to a model: the one place where its words are chosen.
 *
 *   Buf text = {0};
 *   answer_prompt(&text, &q, 1, PROMPT_THINK);                      the content of a user's message
 *
 *   <image>
 *   Which finding is shown?
 *   A. Effusion
 *   B. Pneumothorax
 *   Answer with the letter or the text of the right option. Think first, between <think> and </think>; put the answer
 *   between <answer> and </answer>.
 *
 * The text ends without a line feed, and appends to `out`.  Options are listed for a choice alone; only after <think>
 * its text will do for its letter.  A yes/no question with three options (yes, no, maybe) offers the third in its
 * instruction; with none, yes and no.
 *
 * Markers.  The text has exactly `images` of them, in the order in which the model gets the images.  A question or an
 * option that holds "<image>", or "<image 1>", "<image 2>", ... as MMMU numbers them, says itself where they belong;
 * images that no text mentions go in front, one a line.  A second mention of a number, and a mention beyond the last
 * image, become words ("image 2").  So image k of a question that numbers them is the k-th that its texts mention
 * (eval/benchmark.h brings them into that order).
 *
 * A question in Chinese is followed by Chinese instructions, so that open answers come in the language of their gold.
 */
#ifndef OSLER_REWARD_ANSWER_PROMPT_H
#define OSLER_REWARD_ANSWER_PROMPT_H

#include "base/buf.h"
#include "reward/answer.h"

typedef enum PromptStyle {
    PROMPT_DIRECT, /* the answer alone */
    PROMPT_THINK,  /* <think>..</think><answer>..</answer> */
    PROMPT_BOXED,  /* step by step, the answer in \boxed{} */
    PROMPT_STYLES
} PromptStyle;
#define PROMPT_CHOICES "direct|think|boxed"
const char *prompt_style_name(PromptStyle s);

void answer_prompt(Buf *out, const Question *q, int images, PromptStyle style);

/* The length of the marker that begins at s, 0 where none does; *number: N of "<image N>" (1 to 63), 0 of "<image>". */
size_t image_marker_at(const char *s, int *number);

#endif
