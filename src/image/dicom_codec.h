/*
 * dicom_codec.h - compressed DICOM pixels to samples.
 *
 *   DicomCode c;
 *   if (dicom_code_read(&c, code, n, err)) ...                 sizes as the stream itself gives them
 *   if (gdcm_decode(out, size, &c, code, n, syntax, ...)) ...  exactly `size` bytes, pixel by pixel
 */
#ifndef OSLER_IMAGE_DICOM_CODEC_H
#define OSLER_IMAGE_DICOM_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What a JPEG, JPEG-LS or JPEG 2000 stream says of itself. */
typedef struct DicomCode {
    int64_t rows, columns;
    int samples, precision; /* bits of a sample */
    bool jpeg, dct;         /* of the first family; of it, those that libjpeg reads: DCT, Huffman coded */
} DicomCode;

/* Reads the frame header (SOF, SIZ) at the start of a stream, before a decoder trusts it. */
int dicom_code_read(DicomCode *c, const unsigned char *code, size_t n, Err *err);

/* Bytes of a decoded sample: 1, 2 or 4. */
static inline int dicom_code_bytes(const DicomCode *c)
{
    return c->precision <= 8 ? 1 : c->precision <= 16 ? 2 : 4;
}

/* What GDCM has to know beyond the stream. ybr: three samples that are luminance and colour differences. */
typedef struct GdcmJob {
    const char *syntax; /* transfer syntax UID */
    bool is_signed, ybr;
} GdcmJob;

/* Decodes one frame; size = rows * columns * samples * dicom_code_bytes. */
int gdcm_decode(unsigned char *out, size_t size, const DicomCode *c, const GdcmJob *job, const unsigned char *code,
                size_t n, Err *err);

/*
 * PS3.5 annex G: one frame of run-length coded byte planes, most significant first, to samples of `width` bytes, low
 * byte first, all of one colour and then all of the next.
 */
int rle_decode(unsigned char *out, size_t pixels, int samples, int width, const unsigned char *code, size_t n,
               Err *err);

#endif
