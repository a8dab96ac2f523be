#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "image/decoder.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12 };

static unsigned read_16(const unsigned char *p, bool big)
{
    return big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t read_32(const unsigned char *p, bool big)
{
    uint32_t a = read_16(p, big), b = read_16(p + 2, big);
    return big ? a << 16 | b : b << 16 | a;
}

/* EXIF is a TIFF file: byte order, 42, offset of the first directory; the tag sits there as one SHORT (or LONG). */
int orientation_from_exif(const unsigned char *exif, size_t n)
{
    if (n >= 6 && memcmp(exif, "Exif\0\0", 6) == 0) {
        exif += 6;
        n -= 6;
    }
    if (n < 8 || (memcmp(exif, "II*\0", 4) != 0 && memcmp(exif, "MM\0*", 4) != 0)) return 1;
    bool big = exif[0] == 'M';
    size_t at = read_32(exif + 4, big);
    if (at > n - 2) return 1;
    unsigned count = read_16(exif + at, big);
    at += 2;
    for (unsigned i = 0; i < count && n - at >= ENTRY_BYTES; i++, at += ENTRY_BYTES) {
        const unsigned char *entry = exif + at;
        if (read_16(entry, big) != TAG_ORIENTATION) continue;
        unsigned type = read_16(entry + 2, big);
        uint32_t v = type == TYPE_SHORT ? read_16(entry + 8, big) : type == TYPE_LONG ? read_32(entry + 8, big) : 1;
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

void orientation_apply_size(int *w, int *h, int orientation)
{
    if (orientation < 5 || orientation > 8) return;
    int t = *w;
    *w = *h;
    *h = t;
}

/* Where output pixel (0, 0) comes from and how far a step right and a step down go in the source, in pixels. */
static void orientation_steps(ptrdiff_t *origin, ptrdiff_t *right, ptrdiff_t *down, int orientation, int w, int h)
{
    bool transpose = orientation >= 5;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    ptrdiff_t x = from_right ? -1 : 1, y = from_bottom ? -w : w;
    *origin = (from_right ? w - 1 : 0) + (from_bottom ? (ptrdiff_t)w * (h - 1) : 0);
    *right = transpose ? y : x;
    *down = transpose ? x : y;
}

void orientation_apply(Image *im, int orientation)
{
    if (orientation < 2 || orientation > 8) return;
    ptrdiff_t origin, right, down;
    orientation_steps(&origin, &right, &down, orientation, im->w, im->h);
    unsigned char *rgb = xmalloc(3 * (size_t)im->w * (size_t)im->h), *dst = rgb;
    orientation_apply_size(&im->w, &im->h, orientation);
    for (int y = 0; y < im->h; y++) {
        const unsigned char *src = im->rgb + 3 * (origin + down * y);
        for (int x = 0; x < im->w; x++, src += 3 * right, dst += 3) memcpy(dst, src, 3);
    }
    free(im->rgb);
    im->rgb = rgb;
}
