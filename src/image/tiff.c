#include "image/decoder.h"

#include <string.h>

bool tiff_match(const unsigned char *bytes, size_t n)
{
    static const char *const marks[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"}; /* the last two: BigTIFF */
    for (int i = 0; i < 4; i++) {
        if (n >= 8 && memcmp(bytes, marks[i], 4) == 0) return true;
    }
    return false;
}

#if HAVE_TIFF

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <tiffio.h>

enum { MAX_SAMPLES = 8, MAX_TILE = 8192 };

/* ---- libtiff's file is our memory -------------------------------------------------------------------------------- */

typedef struct TiffBytes {
    const unsigned char *bytes;
    size_t n, at;
} TiffBytes;

static tmsize_t bytes_read(thandle_t handle, void *out, tmsize_t n)
{
    TiffBytes *b = handle;
    size_t left = b->n - b->at, take = (size_t)n < left ? (size_t)n : left;
    memcpy(out, b->bytes + b->at, take);
    b->at += take;
    return (tmsize_t)take;
}

static tmsize_t bytes_write(thandle_t handle, void *in, tmsize_t n)
{
    (void)handle, (void)in, (void)n;
    return -1;
}

static toff_t bytes_seek(thandle_t handle, toff_t offset, int whence)
{
    TiffBytes *b = handle;
    uint64_t base = whence == SEEK_CUR ? b->at : whence == SEEK_END ? b->n : 0, to = base + offset;
    b->at = to > b->n ? b->n : (size_t)to;
    return b->at;
}

static int bytes_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t bytes_size(thandle_t handle)
{
    return ((TiffBytes *)handle)->n;
}

static int bytes_map(thandle_t handle, void **base, toff_t *size)
{
    TiffBytes *b = handle;
    *base = (void *)(uintptr_t)b->bytes;
    *size = b->n;
    return 1;
}

static void bytes_unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle, (void)base, (void)size;
}

/* libtiff's handlers are global; the first message of a thread is kept for its error. */
static _Thread_local char tiff_message[200];

static void on_error(const char *module, const char *fmt, va_list args)
{
    (void)module;
    if (!tiff_message[0]) vsnprintf(tiff_message, sizeof tiff_message, fmt, args);
}

/* Two kinds of warnings count: libjpeg goes on with gray where data is missing, libtiff without a tag (a palette!) that
   lies beyond the end of the file. */
static void on_warning(const char *module, const char *fmt, va_list args)
{
    bool jpeg = module && strcmp(module, "JPEGLib") == 0;
    if (jpeg || strncmp(fmt, "IO error", 8) == 0) on_error(module, fmt, args);
}

static void handlers_set(void)
{
    TIFFSetWarningHandler(on_warning);
    TIFFSetErrorHandler(on_error);
}

static int tiff_fail(Err *err, const char *what)
{
    return err_set(err, "broken TIFF: %s%s%s", what, tiff_message[0] ? ": " : "", tiff_message);
}

/* ---- what the first page is -------------------------------------------------------------------------------------- */

typedef struct TiffPage {
    TIFF *tiff;
    TiffBytes bytes;
    uint32_t w, h, piece_w, piece_h; /* a piece is a tile, or a strip of full width */
    uint16_t bits, samples, photometric, planar, orientation;
    bool tiled, premultiplied;
    uint16_t *map[3]; /* palette */
    int colours;      /* samples that make the colour: 1, 3 or 4 */
} TiffPage;

static int page_open(TiffPage *p, const ImageSource *src, Err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, handlers_set);
    tiff_message[0] = '\0';
    *p = (TiffPage){.bytes = {src->bytes, src->n, 0}};
    p->tiff = TIFFClientOpen("", "rm", &p->bytes, bytes_read, bytes_write, bytes_seek, bytes_close, bytes_size,
                             bytes_map, bytes_unmap);
    if (!p->tiff) return tiff_fail(err, "the directory cannot be read");
    TIFFGetField(p->tiff, TIFFTAG_IMAGEWIDTH, &p->w);
    TIFFGetField(p->tiff, TIFFTAG_IMAGELENGTH, &p->h);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_ORIENTATION, &p->orientation);
    if (tiff_message[0]) tiff_fail(err, "the directory is damaged");
    else if (image_check_size(p->w, p->h, err) == 0) return 0;
    TIFFClose(p->tiff);
    return -1;
}

static int page_colours(TiffPage *p, Err *err)
{
    switch (p->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK: p->colours = 1; break;
    case PHOTOMETRIC_PALETTE:
        p->colours = 1;
        if (p->bits > 8 || !TIFFGetField(p->tiff, TIFFTAG_COLORMAP, &p->map[0], &p->map[1], &p->map[2])) {
            return err_set(err, "broken TIFF: a palette picture without a palette");
        }
        break;
    case PHOTOMETRIC_YCBCR: /* comes here as RGB, see page_decode */
    case PHOTOMETRIC_RGB: p->colours = 3; break;
    case PHOTOMETRIC_SEPARATED: p->colours = 4; break;
    default: return err_set(err, "TIFF with photometric interpretation %d is not supported", p->photometric);
    }
    if (p->samples < p->colours) return err_set(err, "broken TIFF: %d samples in a pixel", p->samples);
    return 0;
}

static int page_layout(TiffPage *p, Err *err)
{
    p->tiled = TIFFIsTiled(p->tiff);
    if (p->tiled) {
        TIFFGetField(p->tiff, TIFFTAG_TILEWIDTH, &p->piece_w);
        TIFFGetField(p->tiff, TIFFTAG_TILELENGTH, &p->piece_h);
        if (p->piece_w > MAX_TILE || p->piece_h > MAX_TILE) {
            return err_set(err, "TIFF with tiles of %u x %u is not supported", p->piece_w, p->piece_h);
        }
    } else {
        p->piece_w = p->w;
        TIFFGetFieldDefaulted(p->tiff, TIFFTAG_ROWSPERSTRIP, &p->piece_h);
        if (p->piece_h > p->h) p->piece_h = p->h;
    }
    return image_check_size(p->piece_w, p->piece_h, err);
}

static int page_describe(TiffPage *p, Err *err)
{
    uint16_t format, extras = 0, *extra = NULL;
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_BITSPERSAMPLE, &p->bits);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_SAMPLESPERPIXEL, &p->samples);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_PLANARCONFIG, &p->planar);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_EXTRASAMPLES, &extras, &extra);
    if (!TIFFGetField(p->tiff, TIFFTAG_PHOTOMETRIC, &p->photometric)) p->photometric = PHOTOMETRIC_MINISBLACK;
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID) {
        return err_set(err, "TIFF with signed or floating-point samples is not supported");
    }
    if (p->bits < 1 || p->bits > 16 || p->samples < 1 || p->samples > MAX_SAMPLES) {
        return err_set(err, "TIFF with %d samples of %d bits is not supported", p->samples, p->bits);
    }
    if (page_colours(p, err)) return -1;
    p->premultiplied = p->colours == 3 && extras > 0 && extra[0] == EXTRASAMPLE_ASSOCALPHA && p->samples > 3;
    return page_layout(p, err);
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* Sample i of a row of packed samples. */
static unsigned sample_get(const unsigned char *row, size_t i, unsigned bits)
{
    if (bits == 8) return row[i];
    if (bits == 16) {
        uint16_t v; /* libtiff has brought it to the machine's byte order */
        memcpy(&v, row + 2 * i, sizeof v);
        return v;
    }
    unsigned v = 0;
    for (size_t at = i * bits, end = at + bits; at < end; at++) v = v << 1 | (row[at >> 3] >> (7 - (at & 7)) & 1);
    return v;
}

static unsigned char sample_to_8(unsigned v, unsigned bits)
{
    if (bits == 8) return (unsigned char)v;
    if (bits == 16) return gray_from_16(v);
    unsigned max = (1U << bits) - 1;
    return (unsigned char)((2 * v * 255 + max) / (2 * max));
}

static void pixel_write(unsigned char *rgb, const TiffPage *p, const unsigned *v)
{
    unsigned char s[4] = {0};
    for (int c = 0; c < p->colours; c++) s[c] = sample_to_8(v[c], p->bits);
    if (p->photometric == PHOTOMETRIC_PALETTE) {
        for (int c = 0; c < 3; c++) rgb[c] = (unsigned char)(p->map[c][v[0]] >> 8);
    } else if (p->colours == 1) {
        memset(rgb, p->photometric == PHOTOMETRIC_MINISWHITE ? 255 - s[0] : s[0], 3);
    } else if (p->colours == 4) {
        rgb_from_cmyk(rgb, s);
    } else {
        unsigned alpha = p->premultiplied ? sample_to_8(v[3], p->bits) : 255;
        for (int c = 0; c < 3; c++) {
            unsigned u = alpha ? s[c] * 255U / alpha : 0;
            rgb[c] = (unsigned char)(u > 255 ? 255 : u);
        }
    }
}

/* One piece to its place. plane[k] holds sample k of a pixel (separate planes) or all samples (plane[0] alone). */
static void piece_write(Image *im, const TiffPage *p, unsigned char *const *plane, size_t stride, uint32_t x0,
                        uint32_t y0)
{
    bool apart = p->planar == PLANARCONFIG_SEPARATE;
    uint32_t w = p->w - x0 < p->piece_w ? p->w - x0 : p->piece_w, h = p->h - y0 < p->piece_h ? p->h - y0 : p->piece_h;
    int n = p->premultiplied ? 4 : p->colours;
    for (uint32_t y = 0; y < h; y++) {
        unsigned char *rgb = im->rgb + 3 * ((size_t)p->w * (y0 + y) + x0);
        for (uint32_t x = 0; x < w; x++, rgb += 3) {
            unsigned v[4];
            for (int k = 0; k < n; k++) {
                const unsigned char *row = plane[apart ? k : 0] + stride * y;
                v[k] = sample_get(row, apart ? x : (size_t)x * p->samples + (size_t)k, p->bits);
            }
            pixel_write(rgb, p, v);
        }
    }
}

static int piece_read(const TiffPage *p, unsigned char *out, size_t stride, uint32_t x, uint32_t y, int plane)
{
    uint32_t rows = p->tiled || p->h - y > p->piece_h ? p->piece_h : p->h - y;
    tmsize_t need = (tmsize_t)(stride * rows);
    tmsize_t got = p->tiled
                       ? TIFFReadEncodedTile(p->tiff, TIFFComputeTile(p->tiff, x, y, 0, (uint16_t)plane), out, need)
                       : TIFFReadEncodedStrip(p->tiff, TIFFComputeStrip(p->tiff, y, (uint16_t)plane), out, need);
    return got == need && !tiff_message[0] ? 0 : -1;
}

static int page_pixels(const TiffPage *p, Image *im, Err *err)
{
    size_t stride = (size_t)(p->tiled ? TIFFTileRowSize(p->tiff) : TIFFScanlineSize(p->tiff));
    int planes = p->planar == PLANARCONFIG_SEPARATE ? (p->premultiplied ? 4 : p->colours) : 1;
    size_t row_samples = (size_t)p->piece_w * (planes > 1 || p->planar == PLANARCONFIG_SEPARATE ? 1 : p->samples);
    if (stride < (row_samples * p->bits + 7) / 8) return tiff_fail(err, "rows are too short");
    unsigned char *plane[4] = {NULL};
    for (int k = 0; k < planes; k++) plane[k] = xmalloc(stride * p->piece_h);
    int rc = 0;
    for (uint32_t y = 0; y < p->h && rc == 0; y += p->piece_h) {
        for (uint32_t x = 0; x < p->w && rc == 0; x += p->piece_w) {
            for (int k = 0; k < planes && rc == 0; k++) rc = piece_read(p, plane[k], stride, x, y, k);
            if (rc == 0) piece_write(im, p, plane, stride, x, y);
        }
    }
    for (int k = 0; k < planes; k++) free(plane[k]);
    return rc ? tiff_fail(err, "a part of the picture cannot be read") : 0;
}

/* YCbCr that libjpeg does not convert on the way: libtiff's own conversion, as PIL uses. */
static int page_ycbcr(const TiffPage *p, Image *im, Err *err)
{
    size_t n = (size_t)p->w * p->h;
    uint32_t *raster = xmalloc(sizeof *raster * n);
    bool ok = TIFFReadRGBAImageOriented(p->tiff, p->w, p->h, raster, p->orientation, 1) && !tiff_message[0];
    for (size_t i = 0; ok && i < n; i++) {
        im->rgb[3 * i] = (unsigned char)TIFFGetR(raster[i]);
        im->rgb[3 * i + 1] = (unsigned char)TIFFGetG(raster[i]);
        im->rgb[3 * i + 2] = (unsigned char)TIFFGetB(raster[i]);
    }
    free(raster);
    return ok ? 0 : tiff_fail(err, "a part of the picture cannot be read");
}

static int page_decode(TiffPage *p, Image *im, Err *err)
{
    uint16_t photometric = 0, compression = 0, planar = 0;
    TIFFGetField(p->tiff, TIFFTAG_PHOTOMETRIC, &photometric);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(p->tiff, TIFFTAG_PLANARCONFIG, &planar);
    bool ycbcr = photometric == PHOTOMETRIC_YCBCR;
    if (ycbcr && compression == COMPRESSION_JPEG && planar == PLANARCONFIG_CONTIG) {
        TIFFSetField(p->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        ycbcr = false;
    }
    if (ycbcr) return image_alloc(im, p->w, p->h, err) || page_ycbcr(p, im, err) ? -1 : 0;
    if (page_describe(p, err) || image_alloc(im, p->w, p->h, err)) return -1;
    return page_pixels(p, im, err);
}

int tiff_decode(Image *im, const ImageSource *src, Err *err)
{
    TiffPage p;
    if (page_open(&p, src, err)) return -1;
    int rc = page_decode(&p, im, err);
    if (rc == 0) orientation_apply(im, p.orientation);
    if (rc) image_release(im);
    TIFFClose(p.tiff);
    return rc;
}

int tiff_measure(int *w, int *h, const ImageSource *src, Err *err)
{
    TiffPage p;
    if (page_open(&p, src, err)) return -1;
    *w = (int)p.w;
    *h = (int)p.h;
    orientation_apply_size(w, h, p.orientation);
    TIFFClose(p.tiff);
    return 0;
}

#else

IMAGE_FORMAT_MISSING(tiff, "TIFF", "libtiff")

#endif
