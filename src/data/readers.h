/*
 * readers.h - one JSON row of any known layout to a Sample.
 *
 *   messages   {"messages": [{"role", "content", "loss"?}], "images"?}       content: text or OpenAI's list of parts
 *              {"messages" or "prompt", "chosen", "rejected", "images"?}     preference data; "prompt" as in TRL
 *   ShareGPT   {"conversations": [{"from", "value"}], "system"?, "images"?}
 *   LLaVA      {"conversations": [...], "image"}
 *   R1-V       {"problem", "solution", "image"}                              tags in the solution stay as they are
 *   EasyR1     {"problem", "answer", "images"}
 *   alpaca     {"instruction", "input"?, "output"?, "system"?, "history"?, "images"?}
 *   VQA-RAD    {"image_name", "question", "answer", ...}                     images in images/ beside the file
 *
 * The table of layouts in readers.c decides by keys, top to bottom.  `chosen` and `rejected` make a preference pair of
 * any layout.  Images are named by "images" or "image": a path, or a list of paths.  Where a layout does not write
 * <image> markers (R1-V, VQA-RAD; EasyR1 and alpaca where there are none), one per image is put before the first user
 * message; everywhere else markers and images must agree in number.
 */
#ifndef OSLER_DATA_READERS_H
#define OSLER_DATA_READERS_H

#include "base/json.h"
#include "data/sample.h"

/*
 * Fills s (s->at given by the caller, the rest zero) from a row.  `dir` is the folder that paths are relative to.
 * *layout is the table row that the file's rows had so far, -1 before the first; a row that fits no layout is read as
 * the one before it, so that the message names the missing key.  On error s holds nothing.
 */
int sample_read(Sample *s, const json_t *row, const char *dir, int *layout, Err *err);

#endif
