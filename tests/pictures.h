/*
 * pictures.h - the cases of tests/data/image and the pictures they are compared with (tools/make_image_golden.py).
 *
 * An expectation file holds PPM pictures one after the other, in the order of the lines of its case file.
 *
 *   Pictures p = pictures_open("expect.ppm");
 *   while (fgets(line, ...)) { Image want = pictures_next(&p); ...; image_release(&want); }
 *   pictures_close(&p);                          checks that none is left
 */
#ifndef OSLER_TESTS_PICTURES_H
#define OSLER_TESTS_PICTURES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/image.h"

#define PICTURES "tests/data/image/"

typedef struct Pictures {
    FILE *f;
} Pictures;

static inline Pictures pictures_open(const char *name)
{
    char *path = path_join(PICTURES, name);
    Pictures p = {fopen(path, "rb")};
    CHECK(p.f, "cannot open %s", path);
    free(path);
    return p;
}

static inline Image pictures_next(Pictures *p)
{
    Image im = {0};
    int max = 0;
    CHECK(fscanf(p->f, "P6 %d %d %d", &im.w, &im.h, &max) == 3 && max == 255 && fgetc(p->f) == '\n', "not a PPM");
    size_t n = 3 * (size_t)im.w * (size_t)im.h;
    im.rgb = xmalloc(n);
    CHECK(fread(im.rgb, 1, n, p->f) == n, "a PPM ends early");
    return im;
}

static inline void pictures_close(Pictures *p)
{
    CHECK(fgetc(p->f) == EOF, "pictures are left");
    fclose(p->f);
}

/* OpenJPEG and GDCM lose a little memory of streams that they give up. The address sanitizer asks for this. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libopenjp2\nleak:libgdcm\n";
}

/* The largest difference of a sample; 256 where the sizes differ. */
static inline int pictures_difference(const Image *a, const Image *b)
{
    if (a->w != b->w || a->h != b->h) return 256;
    int most = 0;
    for (size_t i = 0; i < 3 * (size_t)a->w * (size_t)a->h; i++) {
        int d = abs(a->rgb[i] - b->rgb[i]);
        if (d > most) most = d;
    }
    return most;
}

#endif
