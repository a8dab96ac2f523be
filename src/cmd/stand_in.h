/* Data that is not there yet: as many samples of such a length as a stage expects. */
#ifndef OSLER_CMD_STAND_IN_H
#define OSLER_CMD_STAND_IN_H

#include "cmd/pipeline.h"

/* dir/data.jsonl, and dir/picture.png where there are pictures: samples to train on that eval reads
   as questions, too, or `pairs` of answers. */
int stand_in_write(const char *dir, const Expect *e, bool pairs, Err *err);

#endif
