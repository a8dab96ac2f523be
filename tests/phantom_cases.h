/*
 * phantom_cases.h - what the tests of the phantom clinic share: cases by family and number, their findings, the grey
 * values of their pictures, and a hash that tells whether two machines make the same case.
 *
 *   CaseSpec s = spec_of("ventricles", 3, 224);
 *   case_make(&c, &s);
 *   double mm = finding_of(&c, "frontal horns", 0)->value, gray = gray_between(&c.image[0], 112.4, 80);
 */
#ifndef OSLER_TESTS_PHANTOM_CASES_H
#define OSLER_TESTS_PHANTOM_CASES_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "phantom/family.h"

static inline CaseSpec spec_of(const char *family, uint32_t number, int size)
{
    return (CaseSpec){.family = family_find(family), .split = SPLIT_TEST, .number = number, .seed = 7, .size = size};
}

/* NULL where there is none. */
static inline const Finding *finding_of(const Case *c, const char *name, int image)
{
    for (int i = 0; i < c->findings; i++)
        if (!strcmp(c->finding[i].name, name) && c->finding[i].image == image) return &c->finding[i];
    return NULL;
}

static inline const unsigned char *pixel_at(const Image *im, int x, int y)
{
    return im->rgb + 3 * ((size_t)y * (size_t)im->w + (size_t)x);
}

static inline double gray_at(const Image *im, int x, int y)
{
    const unsigned char *p = pixel_at(im, x, y);
    return (p[0] + p[1] + p[2]) / 3.0;
}

/* Bilinear; (x, y) counts from the first pixel's corner; the edge goes on outside. */
static inline double gray_between(const Image *im, double x, double y)
{
    double u = fmin(fmax(x - 0.5, 0), im->w - 1.001), v = fmin(fmax(y - 0.5, 0), im->h - 1.001);
    int i = (int)u, j = (int)v;
    u -= i, v -= j;
    return (1 - v) * ((1 - u) * gray_at(im, i, j) + u * gray_at(im, i + 1, j)) +
           v * ((1 - u) * gray_at(im, i, j + 1) + u * gray_at(im, i + 1, j + 1));
}

/* For qsort of doubles. */
static inline int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Words and pixels. */
static inline uint64_t hash_case(uint64_t h, const Case *c)
{
    h = hash_bytes(h, c->id, strlen(c->id));
    h = hash_bytes(h, c->question, strlen(c->question));
    h = hash_bytes(h, c->answer, strlen(c->answer));
    h = hash_bytes(h, c->caption, strlen(c->caption));
    for (int i = 0; i < N_STYLES; i++) h = hash_bytes(h, c->reasoning[i], strlen(c->reasoning[i]));
    for (int i = 0; i < c->images; i++)
        h = hash_bytes(h, c->image[i].rgb, 3 * (size_t)c->image[i].w * (size_t)c->image[i].h);
    return h;
}

#endif
