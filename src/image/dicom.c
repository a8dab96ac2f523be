#include "image/dicom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/decoder.h"
#include "image/gray_window.h"

bool dicom_match(const unsigned char *bytes, size_t n)
{
    return n >= 132 && memcmp(bytes + 128, "DICM", 4) == 0;
}

size_t dicom_frame_bytes(const DicomFrame *f)
{
    size_t pixels = (size_t)f->rows * (size_t)f->columns;
    if (f->allocated == 1) return (pixels * (size_t)f->samples + f->first_bit + 7) / 8;
    size_t samples = f->colour == DICOM_YBR_FULL_422 ? 2 : (size_t)f->samples;
    return pixels * samples * ((size_t)f->allocated / 8);
}

void dicom_frame_release(DicomFrame *f)
{
    for (int c = 0; c < 3; c++) free(f->palette[c].level);
    free(f->data);
    *f = (DicomFrame){0};
}

/* ---- run-length code ---------------------------------------------------------------------------------------------- */

enum { RLE_HEADER = 64, RLE_MAX_SEGMENTS = 15 };

static uint32_t read_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* PackBits: n in 0..127 copies n + 1 bytes, -1..-127 repeats the next byte 1 - n times, -128 does nothing. */
static int segment_decode(unsigned char *out, size_t count, size_t step, const unsigned char *code, size_t n)
{
    size_t at = 0, done = 0;
    while (done < count && at < n) {
        int run = (signed char)code[at++];
        if (run == -128) continue;
        bool repeat = run < 0;
        size_t len = repeat ? (size_t)(1 - run) : (size_t)run + 1;
        if ((repeat ? 1 : len) > n - at) return -1;
        if (len > count - done) len = count - done;
        for (size_t i = 0; i < len; i++) out[step * done++] = code[repeat ? at : at + i];
        at += repeat ? 1 : (size_t)run + 1;
    }
    return done == count ? 0 : -1;
}

int dicom_rle_decode(DicomFrame *f, const unsigned char *code, size_t n, Err *err)
{
    size_t pixels = (size_t)f->rows * (size_t)f->columns, width = (size_t)f->allocated / 8;
    size_t segments = width * (size_t)f->samples;
    if (n < RLE_HEADER || segments > RLE_MAX_SEGMENTS || read_le32(code) != segments) {
        return err_set(err, "broken DICOM: the run-length header does not fit the picture");
    }
    f->data = xcalloc(pixels, segments);
    f->planar = f->samples > 1;
    for (size_t s = 0; s < segments; s++) {
        size_t from = read_le32(code + 4 + 4 * s), to = s + 1 < segments ? read_le32(code + 8 + 4 * s) : n;
        if (from < RLE_HEADER || from > to || to > n)
            return err_set(err, "broken DICOM: run-length segment %zu", s + 1);
        unsigned char *first = f->data + pixels * width * (s / width) + (width - 1 - s % width);
        if (segment_decode(first, pixels, width, code + from, to - from)) {
            return err_set(err, "broken DICOM: run-length segment %zu ends early", s + 1);
        }
    }
    return 0;
}

/* ---- headers of compressed streams -------------------------------------------------------------------------------- */

enum { JP2_BOXES = 1 << 16 }; /* how far the code stream may be from the start of a JP2 file */

static uint32_t read_be16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t read_be32(const unsigned char *p)
{
    return read_be16(p) << 16 | read_be16(p + 2);
}

/* SIZ: marker, length, capabilities, width, height, x and y offset, tile sizes, samples, depth - 1 of the first. */
static bool siz_read(DicomCode *c, const unsigned char *p, size_t n)
{
    if (n < 43 || read_be32(p) != 0xff4fff51) return false;
    const unsigned char *siz = p + 8;
    c->columns = (int64_t)read_be32(siz) - read_be32(siz + 8);
    c->rows = (int64_t)read_be32(siz + 4) - read_be32(siz + 12);
    c->samples = (int)read_be16(siz + 32);
    c->precision = (siz[34] & 0x7f) + 1;
    return true;
}

/* SOF0 .. SOF15 but the three markers of that range that are none, and JPEG-LS's SOF55. */
static bool is_frame_marker(unsigned m)
{
    return m == 0xf7 || (m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc);
}

/* Segments of a JPEG stream: ff, marker, length with itself, data. Frame data: precision, rows, columns, samples. */
static bool sof_read(DicomCode *c, const unsigned char *p, size_t n)
{
    for (size_t at = 2; at + 10 <= n && p[at] == 0xff;) {
        unsigned marker = p[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (is_frame_marker(marker)) {
            c->precision = p[at + 4];
            c->rows = read_be16(p + at + 5);
            c->columns = read_be16(p + at + 7);
            c->samples = p[at + 9];
            c->jpeg = marker != 0xf7;
            return true;
        }
        at += 2 + read_be16(p + at + 2);
    }
    return false;
}

int dicom_code_read(DicomCode *c, const unsigned char *code, size_t n, Err *err)
{
    *c = (DicomCode){0};
    bool found = n >= 2 && code[0] == 0xff && code[1] == 0xd8 && sof_read(c, code, n);
    for (size_t at = 0; !found && at < n && at < JP2_BOXES; at++) found = siz_read(c, code + at, n - at);
    if (!found || c->precision < 1 || c->precision > 32) {
        return err_set(err, "broken DICOM: the compressed picture has no header");
    }
    return 0;
}

/* ---- samples ------------------------------------------------------------------------------------------------------ */

static uint32_t sample_bits(const DicomFrame *f, size_t i)
{
    uint16_t v16;
    uint32_t v32;
    switch (f->allocated) {
    case 1: i += f->first_bit; return f->data[i >> 3] >> (i & 7) & 1;
    case 8: return f->data[i];
    case 16: memcpy(&v16, f->data + 2 * i, sizeof v16); return v16;
    default: memcpy(&v32, f->data + 4 * i, sizeof v32); return v32;
    }
}

/* The stored value: `stored` bits ending at bit `high`, with their sign. */
static int64_t sample_value(const DicomFrame *f, size_t i)
{
    int64_t v = sample_bits(f, i) >> (f->high + 1 - f->stored) & (((int64_t)1 << f->stored) - 1);
    if (f->is_signed && v >> (f->stored - 1)) v -= (int64_t)1 << f->stored;
    return v;
}

static unsigned char sample_to_8(const DicomFrame *f, size_t i)
{
    int64_t max = ((int64_t)1 << f->stored) - 1, v = sample_value(f, i) & max;
    return (unsigned char)((2 * v * 255 + max) / (2 * max));
}

/* ---- to RGB ------------------------------------------------------------------------------------------------------- */

static double modality_value(const DicomFrame *f, size_t i)
{
    return (double)sample_value(f, i) * f->slope + f->intercept;
}

static GrayWindow frame_range(const DicomFrame *f, size_t pixels)
{
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < pixels; i++) {
        double v = modality_value(f, i);
        if (v < lo) lo = v;
        if (v > hi) hi = v;
    }
    return gray_window_range(lo, hi);
}

static void render_gray(Image *im, const DicomFrame *f, const ImageView *view)
{
    size_t pixels = (size_t)f->rows * (size_t)f->columns;
    GrayWindow g = view->given & VIEW_WINDOW ? gray_window(view->centre, view->width)
                   : f->has_window           ? gray_window(f->centre, f->width)
                                             : frame_range(f, pixels);
    int flip = f->colour == DICOM_MONOCHROME1 ? 255 : 0;
    for (size_t i = 0; i < pixels; i++) memset(im->rgb + 3 * i, gray_window_apply(&g, modality_value(f, i)) ^ flip, 3);
}

static void render_palette(Image *im, const DicomFrame *f)
{
    size_t pixels = (size_t)f->rows * (size_t)f->columns;
    for (size_t i = 0; i < pixels; i++) {
        int64_t v = sample_value(f, i);
        for (int c = 0; c < 3; c++) {
            const DicomPalette *p = &f->palette[c];
            int64_t k = v - p->first;
            im->rgb[3 * i + (size_t)c] = p->level[k < 0 ? 0 : k >= p->n ? p->n - 1 : k];
        }
    }
}

static unsigned char clamp_8(double v)
{
    return (unsigned char)(v <= 0 ? 0 : v >= 255 ? 255 : nearbyint(v));
}

/* PS3.3 C.7.6.3.1.2, YBR_FULL: the inverse of its matrix. */
static void rgb_from_ybr(unsigned char *rgb, double y, double cb, double cr)
{
    rgb[0] = clamp_8(y + 1.402 * (cr - 128));
    rgb[1] = clamp_8(y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128));
    rgb[2] = clamp_8(y + 1.772 * (cb - 128));
}

static void render_colour(Image *im, const DicomFrame *f)
{
    size_t pixels = (size_t)f->rows * (size_t)f->columns;
    size_t across = f->planar ? 1 : 3, apart = f->planar ? pixels : 1;
    for (size_t i = 0; i < pixels; i++) {
        unsigned char *rgb = im->rgb + 3 * i;
        if (f->colour == DICOM_YBR_FULL_422) {
            size_t pair = 4 * (i / 2);
            rgb_from_ybr(rgb, sample_to_8(f, pair + (i & 1)), sample_to_8(f, pair + 2), sample_to_8(f, pair + 3));
            continue;
        }
        for (size_t c = 0; c < 3; c++) rgb[c] = sample_to_8(f, across * i + apart * c);
        if (f->colour == DICOM_YBR_FULL) rgb_from_ybr(rgb, rgb[0], rgb[1], rgb[2]);
    }
}

static void frame_render(Image *im, const DicomFrame *f, const ImageView *view)
{
    switch (f->colour) {
    case DICOM_MONOCHROME1:
    case DICOM_MONOCHROME2: render_gray(im, f, view); break;
    case DICOM_PALETTE: render_palette(im, f); break;
    default: render_colour(im, f);
    }
}

#if HAVE_GDCM

/* A file without the mark that GDCM cannot read either may be anything. */
static int frame_read(DicomFrame *f, const ImageSource *src, DicomPart part, Err *err)
{
    if (dicom_frame_read(f, src->bytes, src->n, src->view.frame, part, err) == 0) return 0;
    if (!dicom_match(src->bytes, src->n)) {
        err_clear(err);
        err_set(err, "not a picture of a known format");
        err_hint(err, "JPEG, PNG, WebP, TIFF, DICOM and NIfTI are read");
    }
    return -1;
}

int dicom_decode(Image *im, const ImageSource *src, Err *err)
{
    DicomFrame f;
    if (frame_read(&f, src, DICOM_PIXELS, err)) return -1;
    int rc = image_alloc(im, f.columns, f.rows, err);
    if (rc == 0) frame_render(im, &f, &src->view);
    dicom_frame_release(&f);
    return rc;
}

int dicom_measure(int *w, int *h, const ImageSource *src, Err *err)
{
    DicomFrame f;
    if (frame_read(&f, src, DICOM_HEADER, err)) return -1;
    *w = f.columns;
    *h = f.rows;
    dicom_frame_release(&f);
    return 0;
}

#else

IMAGE_FORMAT_MISSING(dicom, "DICOM", "GDCM")

#endif
