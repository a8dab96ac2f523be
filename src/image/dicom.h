/*
 * dicom.h - one frame of a DICOM file, as stored, and what is needed to show it.
 *
 * gdcm.cc (C++, behind GDCM) fills a DicomFrame from the data set and decompresses the frame; dicom.c (plain C) turns it
 * into gray or colour.  Everything the standard leaves to the viewer happens in dicom.c, in this order:
 *
 *   stored value -> modality value (slope, intercept) -> window -> 8 bits -> MONOCHROME1 inverted
 *
 *   DicomFrame f;
 *   if (dicom_frame_read(&f, bytes, n, frame, DICOM_PIXELS, err)) ...
 *   ...
 *   dicom_frame_release(&f);
 *
 * Samples lie in f.data as the file has them after decompression: `allocated` bits each, in the machine's byte order,
 * value = `stored` bits ending at bit `high`.
 */
#ifndef OSLER_IMAGE_DICOM_H
#define OSLER_IMAGE_DICOM_H

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
    int samples, allocated, stored, high; /* per pixel; bits */
    bool is_signed, planar;               /* planar: all of one colour, then all of the next */
    DicomColour colour;
    double slope, intercept;
    bool has_window; /* the first one of the file, with a width the function allows */
    double centre, width;
    DicomPalette palette[3];
    unsigned char *data; /* dicom_frame_bytes() */
    size_t first_bit;    /* of the frame in data; not 0 only where allocated = 1 */
} DicomFrame;

typedef enum DicomPart { DICOM_HEADER, DICOM_PIXELS } DicomPart;

/* Size of one decompressed frame in bytes. */
size_t dicom_frame_bytes(const DicomFrame *f);
int dicom_frame_read(DicomFrame *f, const unsigned char *bytes, size_t n, int frame, DicomPart part, Err *err);
void dicom_frame_release(DicomFrame *f);

/*
 * PS3.5 annex G: one frame of run-length coded byte planes, most significant first, to samples in the machine's order,
 * planar where there is more than one sample (f->planar is set).
 */
int dicom_rle_decode(DicomFrame *f, const unsigned char *code, size_t n, Err *err);

/* What a JPEG, JPEG-LS or JPEG 2000 stream says of itself. */
typedef struct DicomCode {
    int64_t rows, columns;
    int samples, precision; /* bits of a sample */
    bool jpeg;              /* of the first family, DCT or lossless */
} DicomCode;

/* Reads the frame header (SOF, SIZ) at the start of a stream, before a decoder trusts it. */
int dicom_code_read(DicomCode *c, const unsigned char *code, size_t n, Err *err);

#endif
