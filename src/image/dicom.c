#include <math.h>
#include <string.h>

#include "image/decoder.h"
#include "image/dicom_frame.h"
#include "image/dicom_set.h"
#include "image/gray_window.h"

bool dicom_match(const unsigned char *bytes, size_t n)
{
    return dicom_file_match(bytes, n);
}

static double modality_value(const DicomFrame *f, size_t i)
{
    return (double)dicom_sample(f, i) * f->slope + f->intercept;
}

static unsigned char sample_to_8(const DicomFrame *f, size_t i)
{
    int64_t max = ((int64_t)1 << f->stored) - 1, v = dicom_sample(f, i) & max;
    return (unsigned char)((2 * v * 255 + max) / (2 * max));
}

static GrayWindow frame_range(const DicomFrame *f, size_t pixels)
{
    double lo = HUGE_VAL, hi = -HUGE_VAL;
    for (size_t i = 0; i < pixels; i++) {
        double v = modality_value(f, i);
        if (v < lo) lo = v;
        if (v > hi) hi = v;
    }
    return gray_window_range(lo, hi);
}

static void render_gray(Image *im, const DicomFrame *f, const ImageView *view, size_t pixels)
{
    GrayWindow g = view->given & VIEW_WINDOW ? gray_window(view->centre, view->width)
                   : f->has_window           ? gray_window(f->centre, f->width)
                                             : frame_range(f, pixels);
    int flip = f->colour == DICOM_MONOCHROME1 ? 255 : 0;
    for (size_t i = 0; i < pixels; i++) memset(im->rgb + 3 * i, gray_window_apply(&g, modality_value(f, i)) ^ flip, 3);
}

static void render_palette(Image *im, const DicomFrame *f, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        int64_t v = dicom_sample(f, i);
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

static void render_colour(Image *im, const DicomFrame *f, size_t pixels)
{
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
    size_t pixels = (size_t)im->w * (size_t)im->h;
    switch (f->colour) {
    case DICOM_MONOCHROME1:
    case DICOM_MONOCHROME2: render_gray(im, f, view, pixels); break;
    case DICOM_PALETTE: render_palette(im, f, pixels); break;
    default: render_colour(im, f, pixels);
    }
}

/* Reads a frame and checks that the view asks for nothing it has not. */
static int frame_read(DicomFrame *f, const ImageSource *src, DicomPart part, Err *err)
{
    if (dicom_frame_read(f, src->bytes, src->n, src->view.frame, part, err)) return -1;
    bool gray = f->colour == DICOM_MONOCHROME1 || f->colour == DICOM_MONOCHROME2;
    if (gray || !(src->view.given & VIEW_WINDOW)) return 0;
    dicom_frame_release(f);
    return err_set(err, "a DICOM picture in colour takes no 'window'");
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
