#include "image/decoder.h"

#include <string.h>

bool jpeg_match(const unsigned char *bytes, size_t n)
{
    return n >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

#if HAVE_JPEG

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

enum { MAX_SCANS = 500 };

/* libjpeg reports fatal errors by a function that must not return: it jumps back to the setjmp of the reader. */
typedef struct JpegReader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    unsigned char *line; /* one scanline of CMYK */
    char text[JMSG_LENGTH_MAX];
} JpegReader;

static void on_fatal(j_common_ptr jpeg)
{
    JpegReader *r = jpeg->client_data;
    r->error.format_message(jpeg, r->text);
    longjmp(r->failed, 1);
}

/* Warnings that mean "part of the picture is missing or guessed" are fatal here; the others leave the picture whole. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0) return;
    switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: on_fatal(jpeg);
    }
}

/* A small file may claim thousands of passes over a large picture. */
static void on_progress(j_common_ptr jpeg)
{
    JpegReader *r = jpeg->client_data;
    if (r->jpeg.input_scan_number <= MAX_SCANS) return;
    snprintf(r->text, sizeof r->text, "more than %d scans", MAX_SCANS);
    longjmp(r->failed, 1);
}

static int reader_open(JpegReader *r, const ImageSource *src, Err *err)
{
    if (setjmp(r->failed)) return err_set(err, "broken JPEG: %s", r->text);
    r->jpeg.err = jpeg_std_error(&r->error);
    r->error.error_exit = on_fatal;
    r->error.emit_message = on_message;
    r->progress.progress_monitor = on_progress;
    r->jpeg.client_data = r;
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, src->bytes, (unsigned long)src->n);
    jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&r->jpeg, TRUE);
    return 0;
}

static int reader_orientation(const JpegReader *r)
{
    for (jpeg_saved_marker_ptr m = r->jpeg.marker_list; m; m = m->next) {
        if (m->data_length > 6 && memcmp(m->data, "Exif\0\0", 6) == 0) {
            return orientation_from_exif(m->data, m->data_length);
        }
    }
    return 1;
}

/* Inks are taken as stored inverted, as Adobe does and PIL assumes. */
static void line_from_inks(unsigned char *rgb, const unsigned char *stored, int w)
{
    for (int x = 0; x < w; x++, rgb += 3, stored += 4) {
        const unsigned char ink[4] = {255 - stored[0], 255 - stored[1], 255 - stored[2], 255 - stored[3]};
        rgb_from_cmyk(rgb, ink);
    }
}

/* As many scanlines as libjpeg has at hand (it makes some at a time), each `stride` bytes, to their places in out. */
static void reader_lines(JpegReader *r, unsigned char *out, size_t stride)
{
    enum { MOST = 16 };
    JSAMPROW line[MOST];
    JDIMENSION at = r->jpeg.output_scanline, left = r->jpeg.output_height - at, n = left < MOST ? left : MOST;
    for (JDIMENSION i = 0; i < n; i++) line[i] = out + stride * (at + i);
    jpeg_read_scanlines(&r->jpeg, line, n);
}

static void reader_ink_line(JpegReader *r, Image *im)
{
    unsigned char *row = im->rgb + 3 * (size_t)im->w * r->jpeg.output_scanline;
    JSAMPROW line = r->line;
    jpeg_read_scanlines(&r->jpeg, &line, 1);
    line_from_inks(row, line, im->w);
}

/* The arithmetic of PIL: slow integer DCT, smooth chroma upsampling. */
static int reader_pixels(JpegReader *r, Image *im, Err *err)
{
    if (setjmp(r->failed)) return err_set(err, "broken JPEG: %s", r->text);
    bool inks = r->jpeg.num_components == 4;
    r->jpeg.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    r->jpeg.dct_method = JDCT_ISLOW;
    r->jpeg.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&r->jpeg);
    if (inks) r->line = xmalloc(4 * (size_t)im->w);
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        if (inks) reader_ink_line(r, im);
        else reader_lines(r, im->rgb, 3 * (size_t)im->w);
    }
    return 0;
}

/* Samples as coded, without a change of colour space. */
static int reader_samples(JpegReader *r, unsigned char *out, Err *err)
{
    if (setjmp(r->failed)) return err_set(err, "broken JPEG: %s", r->text);
    r->jpeg.jpeg_color_space = r->jpeg.out_color_space = JCS_UNKNOWN;
    r->jpeg.dct_method = JDCT_ISLOW;
    r->jpeg.do_fancy_upsampling = TRUE;
    jpeg_start_decompress(&r->jpeg);
    size_t stride = (size_t)r->jpeg.output_width * (size_t)r->jpeg.num_components;
    while (r->jpeg.output_scanline < r->jpeg.output_height) reader_lines(r, out, stride);
    return 0;
}

static void reader_close(JpegReader *r)
{
    jpeg_destroy_decompress(&r->jpeg);
    free(r->line);
}

int jpeg_decode(Image *im, const ImageSource *src, Err *err)
{
    JpegReader r = {0};
    int rc = reader_open(&r, src, err);
    if (rc == 0) rc = image_alloc(im, r.jpeg.image_width, r.jpeg.image_height, err);
    if (rc == 0) rc = reader_pixels(&r, im, err);
    if (rc == 0) orientation_apply(im, reader_orientation(&r));
    if (rc) image_release(im);
    reader_close(&r);
    return rc;
}

int jpeg_measure(int *w, int *h, const ImageSource *src, Err *err)
{
    JpegReader r = {0};
    int rc = reader_open(&r, src, err);
    if (rc == 0) {
        *w = (int)r.jpeg.image_width;
        *h = (int)r.jpeg.image_height;
        orientation_apply_size(w, h, reader_orientation(&r));
    }
    reader_close(&r);
    return rc;
}

int jpeg_decode_samples(unsigned char *out, size_t size, const unsigned char *code, size_t n, Err *err)
{
    JpegReader r = {0};
    ImageSource src = {.bytes = code, .n = n};
    int rc = reader_open(&r, &src, err);
    if (rc == 0 && size / r.jpeg.image_width / r.jpeg.image_height != (size_t)r.jpeg.num_components) {
        rc = err_set(err, "broken JPEG: %u x %u pixels of %d samples were not expected", r.jpeg.image_width,
                     r.jpeg.image_height, r.jpeg.num_components);
    }
    if (rc == 0) rc = reader_samples(&r, out, err);
    reader_close(&r);
    return rc;
}

#else

IMAGE_FORMAT_MISSING(jpeg, "JPEG", "libjpeg")

#endif
