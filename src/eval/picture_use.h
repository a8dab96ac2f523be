/*
 * picture_use.h - questions with other pictures than their own: does a model look at what it is shown?
 *
 *   if (change_pictures(&run, PICTURES_OTHER, out_dir, seed, err)) ...        before put_questions
 *
 * A model that answers as well with another case's picture, with a gray one, or with none, does not use it.
 */
#ifndef OSLER_EVAL_PICTURE_USE_H
#define OSLER_EVAL_PICTURE_USE_H

#include "eval/items.h"

typedef enum PictureUse {
    PICTURES_GIVEN,
    PICTURES_OTHER, /* of another question with as many; one that is alone with its number keeps its own */
    PICTURES_GRAY,  /* of the same size, all of it one gray; written into dir */
    PICTURES_NONE,  /* nor markers */
    PICTURE_USES
} PictureUse;
#define PICTURE_USE_CHOICES "given|other|gray|none"
const char *picture_use_name(PictureUse u);

int change_pictures(EvalRun *run, PictureUse use, const char *dir, uint64_t seed, Err *err);

#endif
