#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "image/image.h"

#if HAVE_PNG

#include <setjmp.h>
#include <stdio.h>

#include <png.h>

typedef struct PngWriter {
    png_structp png;
    png_infop info;
    Buf out;
    bool fast;
    char text[200];
} PngWriter;

static void on_fatal(png_structp png, png_const_charp text)
{
    PngWriter *w = png_get_error_ptr(png);
    snprintf(w->text, sizeof w->text, "%s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_write(png_structp png, png_bytep bytes, size_t n)
{
    PngWriter *w = png_get_io_ptr(png);
    buf_add(&w->out, bytes, n);
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* Filters off and zlib's fastest level: a third of the time, and noise does not get smaller either way. */
static void png_go_fast(PngWriter *w)
{
    png_set_compression_level(w->png, 1);
    png_set_filter(w->png, 0, PNG_FILTER_NONE);
}

static bool is_gray(const Image *im)
{
    size_t n = (size_t)im->w * (size_t)im->h;
    for (const unsigned char *p = im->rgb, *end = p + 3 * n; p < end; p += 3)
        if (p[0] != p[1] || p[1] != p[2]) return false;
    return true;
}

static int png_encode(PngWriter *w, const Image *im, unsigned char *row, Err *err)
{
    size_t width = (size_t)im->w;
    w->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, w, on_fatal, NULL);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    if (!w->info) return err_set(err, "libpng could not start (version or memory)");
    if (setjmp(png_jmpbuf(w->png))) return err_set(err, "cannot write PNG: %s", w->text);
    png_set_write_fn(w->png, w, on_write, on_flush);
    png_set_user_limits(w->png, 0x7fffffff, 0x7fffffff);
    png_set_IHDR(w->png, w->info, (png_uint_32)im->w, (png_uint_32)im->h, 8,
                 row ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (w->fast) png_go_fast(w);
    png_write_info(w->png, w->info);
    for (int y = 0; y < im->h; y++) {
        const unsigned char *p = im->rgb + 3 * width * (size_t)y;
        for (size_t x = 0; row && x < width; x++) row[x] = p[3 * x];
        png_write_row(w->png, row ? row : p);
    }
    png_write_end(w->png, NULL);
    return 0;
}

int image_png(Buf *out, const Image *im, bool fast, Err *err)
{
    PngWriter w = {.fast = fast};
    unsigned char *row = fast && is_gray(im) ? xmalloc((size_t)im->w) : NULL;
    int rc = png_encode(&w, im, row, err);
    if (rc == 0) buf_add(out, w.out.data, w.out.len);
    png_destroy_write_struct(&w.png, &w.info);
    buf_release(&w.out);
    free(row);
    return rc;
}

static int save_png(const Image *im, const char *path, Err *err)
{
    Buf out = {0};
    int rc = image_png(&out, im, false, err);
    if (rc == 0) rc = file_save(path, out.data, out.len, err);
    buf_release(&out);
    return rc;
}

#else

int image_png(Buf *out, const Image *im, bool fast, Err *err)
{
    (void)out, (void)im, (void)fast;
    return err_set(err, "Osler was built without libpng");
}

static int save_png(const Image *im, const char *path, Err *err)
{
    (void)im;
    err_set(err, "%s: Osler was built without libpng", path);
    return err_hint(err, "save as .ppm instead");
}

#endif

static int save_pnm(const Image *im, const char *path, bool gray, Err *err)
{
    size_t n = (size_t)im->w * (size_t)im->h;
    Buf out = {0};
    buf_printf(&out, "%s\n%d %d\n255\n", gray ? "P5" : "P6", im->w, im->h);
    buf_reserve(&out, gray ? n : 3 * n);
    if (!gray) buf_add(&out, im->rgb, 3 * n);
    for (size_t i = 0; gray && i < n; i++) {
        const unsigned char *p = im->rgb + 3 * i;
        buf_byte(&out, (unsigned char)((p[0] + p[1] + p[2] + 1) / 3));
    }
    int rc = file_save(path, out.data, out.len, err);
    buf_release(&out);
    return rc;
}

int image_save(const Image *im, const char *path, Err *err)
{
    const char *dot = strrchr(path_basename(path), '.');
    if (dot && strcmp(dot, ".png") == 0) return save_png(im, path, err);
    if (dot && strcmp(dot, ".ppm") == 0) return save_pnm(im, path, false, err);
    if (dot && strcmp(dot, ".pgm") == 0) return save_pnm(im, path, true, err);
    err_set(err, "%s: not a picture name that can be written", path);
    return err_hint(err, "the name must end in .png, .ppm or .pgm");
}
