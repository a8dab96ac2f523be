#include "image/dicom_codec.h"

static uint32_t read_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t read_be16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t read_be32(const unsigned char *p)
{
    return read_be16(p) << 16 | read_be16(p + 2);
}

/* ---- run-length code --------------------------------------------------------------------------------------------- */

enum { RLE_HEADER = 64, RLE_MAX_SEGMENTS = 15 };

/* PackBits: n in 0..127 copies n + 1 bytes, -1..-127 repeats the next byte 1 - n times, -128 does nothing. */
static int segment_decode(unsigned char *out, size_t count, size_t step, const unsigned char *code, size_t n)
{
    size_t at = 0, done = 0;
    while (done < count && at < n) {
        int run = (signed char)code[at++];
        if (run == -128) continue;
        bool repeat = run < 0;
        size_t len = (size_t)(repeat ? 1 - run : run + 1), take = repeat ? 1 : len;
        if (take > n - at) return -1;
        for (size_t i = 0; i < len && done < count; i++) out[step * done++] = code[repeat ? at : at + i];
        at += take;
    }
    return done == count ? 0 : -1;
}

int rle_decode(unsigned char *out, size_t pixels, int samples, int width, const unsigned char *code, size_t n, Err *err)
{
    size_t segments = (size_t)samples * (size_t)width, bytes = (size_t)width;
    if (n < RLE_HEADER || segments > RLE_MAX_SEGMENTS || read_le32(code) != segments) {
        return err_set(err, "broken DICOM: the run-length header does not fit the picture");
    }
    for (size_t s = 0; s < segments; s++) {
        size_t from = read_le32(code + 4 + 4 * s), to = s + 1 < segments ? read_le32(code + 8 + 4 * s) : n;
        if (from < RLE_HEADER || from > to || to > n)
            return err_set(err, "broken DICOM: run-length segment %zu", s + 1);
        unsigned char *first = out + pixels * bytes * (s / bytes) + (bytes - 1 - s % bytes);
        if (segment_decode(first, pixels, bytes, code + from, to - from)) {
            return err_set(err, "broken DICOM: run-length segment %zu ends early", s + 1);
        }
    }
    return 0;
}

/* ---- headers of compressed streams ------------------------------------------------------------------------------- */

enum { JP2_BOXES = 1 << 16 }; /* how far the code stream may be from the start of a JP2 file */

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
            c->dct = marker <= 0xc2;
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

#if !HAVE_GDCM

int gdcm_decode(unsigned char *out, size_t size, const DicomCode *c, const GdcmJob *job, const unsigned char *code,
                size_t n, Err *err)
{
    (void)out, (void)size, (void)c, (void)code, (void)n;
    return err_set(err, "DICOM with compression %s, but Osler was built without GDCM", job->syntax);
}

#endif
