/*
 * decoder.h - what every picture format offers inside image/.
 *
 * A format is one file with three functions in one table row of image.c: it recognises its bytes, decodes them to 8-bit
 * RGB with the EXIF orientation applied, and reads the size from the header.  Formats of an optional library are always
 * compiled; without the library decode and size return "built without <library>".
 *
 *   int png_decode(Image *im, const ImageSource *src, Err *err)
 *   {
 *       ... header from src->bytes, src->n ...
 *       if (image_alloc(im, w, h, err)) return -1;     checks the limits before memory is touched
 *       ... on failure: image_release(im); return err_set(err, "..."); ...
 *       orientation_apply(im, orientation);
 *       return 0;
 *   }
 *
 * Rules: messages do not name the file (image.c puts it in front); on -1 the image owns nothing; a picture that cannot
 * be decoded whole is an error, never a part of a picture.
 */
#ifndef OSLER_IMAGE_DECODER_H
#define OSLER_IMAGE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"
#include "image/image_ref.h"

typedef struct ImageSource {
    const unsigned char *bytes;
    size_t n;
    const char *path; /* NULL: the bytes are all there is (no neighbour file, no cache) */
    ImageView view;   /* what the fragment asks for; only keys that the format takes are set */
} ImageSource;

typedef int ImageDecode(Image *im, const ImageSource *src, Err *err);
typedef int ImageMeasure(int *w, int *h, const ImageSource *src, Err *err);
typedef bool ImageMatch(const unsigned char *bytes, size_t n);

ImageMatch jpeg_match, png_match, webp_match, tiff_match, dicom_match, nifti_match;
ImageDecode jpeg_decode, png_decode, webp_decode, tiff_decode, dicom_decode, nifti_decode;
ImageMeasure jpeg_measure, png_measure, webp_measure, tiff_measure, dicom_measure, nifti_measure;

/* The samples of a JPEG stream of 8 bits as coded, without a change of colour space; exactly `size` bytes. */
int jpeg_decode_samples(unsigned char *out, size_t size, const unsigned char *code, size_t n, Err *err);

/* Checks w * h against IMAGE_MAX_PIXELS. */
int image_check_size(int64_t w, int64_t h, Err *err);
/* image_check_size, then uninitialised pixels. */
int image_alloc(Image *im, int64_t w, int64_t h, Err *err);

/* Defines <name>_decode and <name>_measure of a format whose library is not there. */
#define IMAGE_FORMAT_MISSING(name, what, library)                                                                      \
    int name##_decode(Image *im, const ImageSource *src, Err *err)                                                     \
    {                                                                                                                  \
        (void)im, (void)src;                                                                                           \
        return err_set(err, "a " what " file, but Osler was built without " library);                                  \
    }                                                                                                                  \
    int name##_measure(int *w, int *h, const ImageSource *src, Err *err)                                               \
    {                                                                                                                  \
        (void)w, (void)h, (void)src;                                                                                   \
        return err_set(err, "a " what " file, but Osler was built without " library);                                  \
    }

/*
 * EXIF orientation: 1 upright, 2 mirrored, 3 turned by 180, 4 flipped, 5 transposed, 6 to be turned 90 clockwise,
 * 7 transverse, 8 to be turned 90 counter-clockwise.
 */
/* From a TIFF-structured EXIF block, with or without "Exif\0\0" before it; 1 where absent or damaged. */
int orientation_from_exif(const unsigned char *exif, size_t n);
void orientation_apply(Image *im, int orientation);
/* Swaps w and h for the orientations 5 to 8. */
void orientation_apply_size(int *w, int *h, int orientation);

/* 16 bits to 8: v / 257 to nearest (there are no ties), exact for every v. */
static inline unsigned char gray_from_16(unsigned v)
{
    return (unsigned char)((v * 255 + 32895) >> 16);
}

/* One CMYK pixel (0 = no ink) to RGB as PIL's convert('RGB'): (255 - k) - ink * (255 - k) / 255, rounded. */
static inline void rgb_from_cmyk(unsigned char *rgb, const unsigned char *cmyk)
{
    int white = 255 - cmyk[3];
    for (int c = 0; c < 3; c++) {
        int t = cmyk[c] * white + 128;
        int v = white - (((t >> 8) + t) >> 8);
        rgb[c] = (unsigned char)(v < 0 ? 0 : v);
    }
}

#endif
