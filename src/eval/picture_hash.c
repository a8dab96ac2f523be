/* The difference hash: what of a picture survives scaling, compression and a change of brightness. */
#include <string.h>

#include "eval/leak.h"

enum { ROWS = 16, COLUMNS = 17 };

/* Mean luma of one cell, in 1/1000 (ITU-R BT.601 weights). */
static int64_t cell_luma(const unsigned char *rgb, int w, int h, int row, int column)
{
    int y0 = (int)((int64_t)h * row / ROWS), y1 = (int)((int64_t)h * (row + 1) / ROWS);
    int x0 = (int)((int64_t)w * column / COLUMNS), x1 = (int)((int64_t)w * (column + 1) / COLUMNS);
    if (y1 <= y0) y1 = y0 + 1;
    if (x1 <= x0) x1 = x0 + 1;
    int64_t sum = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            const unsigned char *p = rgb + 3 * ((int64_t)y * w + x);
            sum += 299 * p[0] + 587 * p[1] + 114 * p[2];
        }
    return sum / ((int64_t)(y1 - y0) * (x1 - x0));
}

PictureHash picture_hash(const unsigned char *rgb, int w, int h)
{
    enum { NOISE = 1500 }; /* less than one and a half grey levels is no difference */
    PictureHash hash = {{0}};
    for (int row = 0; row < ROWS; row++) {
        int64_t left = cell_luma(rgb, w, h, row, 0);
        for (int column = 1; column < COLUMNS; column++) {
            int64_t right = cell_luma(rgb, w, h, row, column);
            int bit = row * (COLUMNS - 1) + column - 1;
            if (right > left + NOISE) hash.bits[bit / 64] |= UINT64_C(1) << (bit % 64);
            left = right;
        }
    }
    return hash;
}

int picture_distance(const PictureHash *a, const PictureHash *b)
{
    int distance = 0;
    for (int i = 0; i < LEAK_BITS / 64; i++) distance += __builtin_popcountll(a->bits[i] ^ b->bits[i]);
    return distance;
}
