/*
 * dicom_frame.h - one frame of a DICOM file, as stored, and what is needed to show it.
 *
 * dicom_frame.c reads the attributes and the pixels: uncompressed and run-length coded ones by itself, plain JPEG
 * through libjpeg, the other JPEG families through GDCM (gdcm.cc).  dicom.c makes gray or colour of them:
 *
 *   stored value -> modality value (slope, intercept) -> window -> 8 bits -> MONOCHROME1 inverted
 *
 *   DicomFrame f;
 *   if (dicom_frame_read(&f, bytes, n, frame, DICOM_PIXELS, err)) ...
 *   ... f.rows, f.columns, dicom_sample(&f, i) ...
 *   dicom_frame_release(&f);
 */
#ifndef OSLER_IMAGE_DICOM_FRAME_H
#define OSLER_IMAGE_DICOM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef enum DicomColour {
    DICOM_MONOCHROME1,
    DICOM_MONOCHROME2,
    DICOM_PALETTE,
    DICOM_RGB,
    DICOM_YBR_FULL,
    DICOM_YBR_FULL_422, /* uncompressed: y0 y1 cb cr for two pixels; codecs give YBR_FULL */
} DicomColour;

typedef struct DicomPalette {
    unsigned char *level; /* [n] 8-bit */
    int n, first;         /* entries; the pixel value of entry 0 */
} DicomPalette;

typedef struct DicomFrame {
    int rows, columns, frames;
    int samples, allocated, stored, high; /* per pixel; bits of a sample, of its value, place of its highest bit */
    bool is_signed, planar;               /* planar: all of one colour, then all of the next */
    DicomColour colour;
    double slope, intercept;
    bool has_window; /* the first one of the file, with a width the function allows */
    double centre, width;
    DicomPalette palette[3];
    unsigned char *data; /* samples of 8, 16 or 32 bits in the machine's byte order; of 1 bit, lowest bit first */
    size_t first_bit;    /* of the frame in data; not 0 only where allocated = 1 */
} DicomFrame;

typedef enum DicomPart { DICOM_HEADER, DICOM_PIXELS } DicomPart;

int dicom_frame_read(DicomFrame *f, const unsigned char *bytes, size_t n, int frame, DicomPart part, Err *err);
void dicom_frame_release(DicomFrame *f);

/* The stored value of sample i: `stored` bits ending at bit `high`, with their sign. */
int64_t dicom_sample(const DicomFrame *f, size_t i);

#endif
