#include "image/decoder.h"

#include <string.h>

static const unsigned char SIGNATURE[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

bool png_match(const unsigned char *bytes, size_t n)
{
    return n >= sizeof SIGNATURE && memcmp(bytes, SIGNATURE, sizeof SIGNATURE) == 0;
}

#if HAVE_PNG

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <png.h>

typedef struct PngReader {
    png_structp png;
    png_infop info;
    const unsigned char *at;
    size_t left;
    png_bytep *rows;
    char text[200];
} PngReader;

static void on_fatal(png_structp png, png_const_charp text)
{
    PngReader *r = png_get_error_ptr(png);
    snprintf(r->text, sizeof r->text, "%s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
    PngReader *r = png_get_io_ptr(png);
    if (n > r->left) png_error(png, "the file ends early");
    memcpy(out, r->at, n);
    r->at += n;
    r->left -= n;
}

static int reader_open(PngReader *r, const ImageSource *src, Err *err)
{
    *r = (PngReader){.at = src->bytes, .left = src->n};
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_fatal, on_warning);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (!r->info) return err_set(err, "libpng could not start (version or memory)");
    if (setjmp(png_jmpbuf(r->png))) return err_set(err, "broken PNG: %s", r->text);
    png_set_read_fn(r->png, r, on_read);
    png_set_user_limits(r->png, 0x7fffffff, 0x7fffffff); /* image_alloc has the limit on their product */
    png_set_chunk_cache_max(r->png, 128);
    png_set_chunk_malloc_max(r->png, 16 << 20);
    png_read_info(r->png, r->info);
    return 0;
}

static void reader_close(PngReader *r)
{
    png_destroy_read_struct(&r->png, &r->info, NULL);
    free(r->rows);
}

/* eXIf may stand before or after the picture; it is found by a walk along the chunks: length, name, data, CRC. */
static int source_orientation(const ImageSource *src)
{
    size_t at = sizeof SIGNATURE;
    while (src->n - at >= 12) {
        const unsigned char *chunk = src->bytes + at;
        size_t len = png_get_uint_32(chunk);
        if (len > src->n - at - 12) break;
        if (memcmp(chunk + 4, "eXIf", 4) == 0) return orientation_from_exif(chunk + 8, len);
        at += 12 + len;
    }
    return 1;
}

/* Every kind of PNG to 8-bit RGB: palette and small grays widened, 16 bits divided by 257, alpha and tRNS dropped. */
static int reader_pixels(PngReader *r, const Image *im, Err *err)
{
    if (setjmp(png_jmpbuf(r->png))) return err_set(err, "broken PNG: %s", r->text);
    if (png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(r->png);
    png_set_expand_gray_1_2_4_to_8(r->png);
    png_set_scale_16(r->png);
    png_set_strip_alpha(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != 3 * (size_t)im->w) png_error(r->png, "unexpected row size");
    r->rows = xmalloc(sizeof *r->rows * (size_t)im->h);
    for (int y = 0; y < im->h; y++) r->rows[y] = im->rgb + 3 * (size_t)im->w * (size_t)y;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return 0;
}

int png_decode(Image *im, const ImageSource *src, Err *err)
{
    PngReader r;
    int rc = reader_open(&r, src, err);
    if (rc == 0) {
        rc = image_alloc(im, png_get_image_width(r.png, r.info), png_get_image_height(r.png, r.info), err);
    }
    if (rc == 0) rc = reader_pixels(&r, im, err);
    if (rc == 0) orientation_apply(im, source_orientation(src));
    if (rc) image_release(im);
    reader_close(&r);
    return rc;
}

int png_measure(int *w, int *h, const ImageSource *src, Err *err)
{
    PngReader r;
    int rc = reader_open(&r, src, err);
    if (rc == 0) {
        *w = (int)png_get_image_width(r.png, r.info);
        *h = (int)png_get_image_height(r.png, r.info);
        orientation_apply_size(w, h, source_orientation(src));
    }
    reader_close(&r);
    return rc;
}

#else

IMAGE_FORMAT_MISSING(png, "PNG", "libpng")

#endif
