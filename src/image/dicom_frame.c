#include "image/dicom_frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "image/decoder.h"
#include "image/dicom_codec.h"
#include "image/dicom_set.h"

enum {
    SAMPLES = 0x00280002,
    PHOTOMETRIC = 0x00280004,
    PLANAR = 0x00280006,
    FRAMES = 0x00280008,
    ROWS = 0x00280010,
    COLUMNS = 0x00280011,
    BITS_ALLOCATED = 0x00280100,
    BITS_STORED = 0x00280101,
    HIGH_BIT = 0x00280102,
    REPRESENTATION = 0x00280103,
    WINDOW_CENTRE = 0x00281050,
    WINDOW_WIDTH = 0x00281051,
    INTERCEPT = 0x00281052,
    SLOPE = 0x00281053,
    PALETTE_ABOUT = 0x00281101, /* red; green and blue follow */
    PALETTE_DATA = 0x00281201,
    VALUE_TRANSFORMATION = 0x00289145,
    VOI = 0x00289132,
    SHARED_GROUPS = 0x52009229,
    FRAME_GROUPS = 0x52009230,
    PIXELS = 0x7fe00010
};

void dicom_frame_release(DicomFrame *f)
{
    for (int c = 0; c < 3; c++) free(f->palette[c].level);
    free(f->data);
    *f = (DicomFrame){0};
}

static size_t frame_pixels(const DicomFrame *f)
{
    return (size_t)f->rows * (size_t)f->columns;
}

int64_t dicom_sample(const DicomFrame *f, size_t i)
{
    uint16_t half;
    uint32_t bits;
    switch (f->allocated) {
    case 1: bits = f->data[(i + f->first_bit) >> 3] >> ((i + f->first_bit) & 7) & 1; break;
    case 8: bits = f->data[i]; break;
    case 16:
        memcpy(&half, f->data + 2 * i, sizeof half);
        bits = half;
        break;
    default: memcpy(&bits, f->data + 4 * i, sizeof bits);
    }
    int64_t v = bits >> (f->high + 1 - f->stored) & (((int64_t)1 << f->stored) - 1);
    if (f->is_signed && v >> (f->stored - 1)) v -= (int64_t)1 << f->stored;
    return v;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static int layout_read(DicomFrame *f, const DicomSet *set, Err *err)
{
    if (!dicom_u16(set, ROWS, 0, &f->rows) || !dicom_u16(set, COLUMNS, 0, &f->columns)) {
        return err_set(err, "a DICOM file without a picture");
    }
    int representation = 0, planar = 0;
    double frames = 1;
    f->samples = 1;
    dicom_u16(set, SAMPLES, 0, &f->samples);
    dicom_u16(set, PLANAR, 0, &planar);
    dicom_number(set, FRAMES, &frames);
    dicom_u16(set, BITS_ALLOCATED, 0, &f->allocated);
    f->stored = f->allocated;
    dicom_u16(set, BITS_STORED, 0, &f->stored);
    f->high = f->stored - 1;
    dicom_u16(set, HIGH_BIT, 0, &f->high);
    dicom_u16(set, REPRESENTATION, 0, &representation);
    f->is_signed = representation == 1;
    f->planar = planar == 1;
    f->frames = frames >= 1 && frames < 1e9 ? (int)frames : 1;
    bool known = f->allocated == 1 || f->allocated == 8 || f->allocated == 16 || f->allocated == 32;
    bool fits = f->stored >= 1 && f->stored <= f->allocated && f->high < f->allocated && f->high + 1 >= f->stored;
    if (!known || !fits || (f->samples != 1 && f->samples != 3) || (f->allocated == 1 && f->samples == 3)) {
        return err_set(err, "DICOM with %d samples of %d bits, %d of them used up to bit %d, is not supported",
                       f->samples, f->allocated, f->stored, f->high);
    }
    return image_check_size(f->columns, f->rows, err);
}

static int colour_read(DicomFrame *f, const DicomSet *set, Err *err)
{
    static const struct {
        const char *name;
        DicomColour colour;
        int samples;
    } known[] = {
        {"MONOCHROME1", DICOM_MONOCHROME1, 1},
        {"MONOCHROME2", DICOM_MONOCHROME2, 1},
        {"PALETTE COLOR", DICOM_PALETTE, 1},
        {"RGB", DICOM_RGB, 3},
        {"YBR_FULL", DICOM_YBR_FULL, 3},
        {"YBR_FULL_422", DICOM_YBR_FULL_422, 3},
        {"YBR_RCT", DICOM_RGB, 3}, /* JPEG 2000's own; its decoders give RGB */
        {"YBR_ICT", DICOM_RGB, 3},
    };
    char name[17] = "";
    if (!dicom_text(set, PHOTOMETRIC, name, sizeof name)) strcpy(name, f->samples == 3 ? "RGB" : "MONOCHROME2");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) != 0) continue;
        f->colour = known[i].colour;
        if (f->samples == known[i].samples) return 0;
        return err_set(err, "broken DICOM: %s with %d sample%s", name, f->samples, f->samples == 1 ? "" : "s");
    }
    return err_set(err, "DICOM with photometric interpretation '%s' is not supported", name);
}

/* Slope and intercept, and the first window, of one data set; what it does not say stays. */
static void scale_read(DicomFrame *f, const DicomSet *set)
{
    double slope = 1, intercept = 0;
    bool has_slope = dicom_number(set, SLOPE, &slope), has_intercept = dicom_number(set, INTERCEPT, &intercept);
    if (!has_slope && !has_intercept) return;
    f->slope = slope;
    f->intercept = intercept;
}

static void window_read(DicomFrame *f, const DicomSet *set)
{
    double centre, width;
    if (!dicom_number(set, WINDOW_CENTRE, &centre) || !dicom_number(set, WINDOW_WIDTH, &width)) return;
    f->has_window = width >= 1;
    f->centre = centre;
    f->width = width;
}

/* From the general to the special: the data set, the groups all frames share, the groups of this frame. */
static void gray_read(DicomFrame *f, const DicomSet *set, int frame)
{
    f->slope = 1;
    scale_read(f, set);
    window_read(f, set);
    for (int special = 0; special < 2; special++) {
        DicomSet groups, group;
        if (!dicom_item(set, special ? FRAME_GROUPS : SHARED_GROUPS, special ? (size_t)frame : 0, &groups)) continue;
        if (dicom_item(&groups, VALUE_TRANSFORMATION, 0, &group)) scale_read(f, &group);
        if (dicom_item(&groups, VOI, 0, &group)) window_read(f, &group);
    }
}

/* Descriptor: entries (0 = 65536), pixel value of the first, bits of an entry. 8-bit ones come in bytes or in words. */
static int palette_read(DicomFrame *f, const DicomSet *set, Err *err)
{
    for (uint32_t c = 0; c < 3; c++) {
        DicomPalette *p = &f->palette[c];
        DicomElement e;
        int bits;
        unsigned word = 0;
        if (!dicom_u16(set, PALETTE_ABOUT + c, 0, &p->n) || !dicom_u16(set, PALETTE_ABOUT + c, 1, &p->first) ||
            !dicom_u16(set, PALETTE_ABOUT + c, 2, &bits) || dicom_find(set, PALETTE_DATA + c, &e) != 1) {
            return err_set(err, "DICOM with palette colours but no plain palette (segmented ones are not supported)");
        }
        if (p->n == 0) p->n = 65536;
        if (f->is_signed && p->first > 32767) p->first -= 65536;
        bool words = e.n >= 2 * (size_t)p->n;
        if ((bits != 8 && bits != 16) || (!words && (bits == 16 || e.n < (size_t)p->n))) {
            return err_set(err, "broken DICOM: the palette is shorter than it says");
        }
        p->level = xmalloc((size_t)p->n);
        DicomSet table = {e.value, e.n, false, set->big_endian};
        for (int i = 0; i < p->n; i++) {
            if (words) word = dicom_word(&table, (size_t)i);
            p->level[i] = !words ? e.value[i] : bits == 8 ? (unsigned char)word : gray_from_16(word);
        }
    }
    return 0;
}

static int header_read(DicomFrame *f, const DicomSet *set, int frame, Err *err)
{
    if (layout_read(f, set, err) || colour_read(f, set, err)) return -1;
    if (frame >= f->frames) {
        err_set(err, "frame=%d: the file has %d frame%s", frame, f->frames, f->frames == 1 ? "" : "s");
        return err_hint(err, "frames are counted from 0");
    }
    gray_read(f, set, frame);
    return f->colour == DICOM_PALETTE ? palette_read(f, set, err) : 0;
}

/* ---- pixels ------------------------------------------------------------------------------------------------------ */

/* Copies n bytes of samples to the machine's order. 8-bit samples in big-endian words (OW) lie swapped in pairs. */
static void samples_copy(DicomFrame *f, const DicomSet *set, const DicomElement *e, size_t start, size_t n)
{
    const uint16_t one = 1;
    unsigned char low;
    memcpy(&low, &one, 1);
    bool swap = set->big_endian != (low == 0);
    size_t unit = f->allocated > 8 ? (size_t)f->allocated / 8 : memcmp(e->vr, "OW", 2) == 0 ? 2 : 1;
    f->data = xmalloc(n);
    if (!swap || unit == 1) {
        memcpy(f->data, e->value + start, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t from = (start + i) ^ (unit - 1);
        f->data[i] = from < e->n ? e->value[from] : 0;
    }
}

static int native_read(DicomFrame *f, const DicomSet *set, const DicomElement *e, int frame, Err *err)
{
    size_t pixels = frame_pixels(f), size, start;
    if (f->allocated == 1) { /* frames follow each other without a gap: a frame may begin inside a byte */
        f->first_bit = pixels * (size_t)frame % 8;
        start = pixels * (size_t)frame / 8;
        size = (pixels + f->first_bit + 7) / 8;
    } else {
        bool halved = f->colour == DICOM_YBR_FULL_422; /* two colour samples for two pixels */
        if (halved && f->columns % 2) return err_set(err, "broken DICOM: YBR_FULL_422 of odd width");
        size = pixels * (halved ? 2 : (size_t)f->samples) * ((size_t)f->allocated / 8);
        start = size * (size_t)frame;
    }
    if (start > e->n || size > e->n - start) {
        return err_set(err, "broken DICOM: %zu bytes of pixels where %zu are needed", e->n, start + size);
    }
    samples_copy(f, set, e, start, size);
    return 0;
}

/* Fragments lo to hi - 1, or those that begin in bytes from to - 1 of the fragments after the table, joined. */
typedef struct FragmentRange {
    size_t lo, hi, from, to;
} FragmentRange;

static void fragments_join(Buf *code, const DicomSet *set, const DicomElement *pixels, const FragmentRange *r)
{
    DicomElement e;
    size_t at = 0, first = 0;
    for (size_t i = 0; dicom_fragment(set, pixels, &at, &e); i++) {
        size_t place = i == 0 ? 0 : (size_t)(e.value - 8 - pixels->value) - first;
        if (i == 0) first = at;
        if (i > r->lo && i <= r->hi && place >= r->from && place < r->to) buf_add(code, e.value, e.n);
    }
}

/* A frame is one fragment, or all of them, or what the table of offsets says. */
static int frame_code(Buf *code, const DicomFrame *f, const DicomSet *set, const DicomElement *pixels, int frame,
                      Err *err)
{
    DicomElement table = {0}, e;
    size_t at = 0, n = 0, frames = (size_t)f->frames;
    if (!dicom_fragment(set, pixels, &at, &table)) return err_set(err, "broken DICOM: pixels without fragments");
    while (dicom_fragment(set, pixels, &at, &e)) n++;
    FragmentRange r = {0, n, 0, SIZE_MAX};
    if (frames > 1 && n == frames) {
        r.lo = (size_t)frame;
        r.hi = r.lo + 1;
    } else if (frames > 1) {
        DicomSet offsets = {table.value, table.n, false, set->big_endian};
        if (table.n / 4 < frames) {
            return err_set(err, "broken DICOM: %zu fragments, %zu frames and no table of offsets", n, frames);
        }
        r.from = dicom_long(&offsets, (size_t)frame);
        if ((size_t)frame + 1 < frames) r.to = dicom_long(&offsets, (size_t)frame + 1);
    }
    fragments_join(code, set, pixels, &r);
    return code->len > 0 ? 0 : err_set(err, "broken DICOM: frame %d has no data", frame);
}

static int code_decode(DicomFrame *f, const Buf *b, const char *syntax, Err *err)
{
    const unsigned char *code = (const unsigned char *)b->data;
    size_t samples = frame_pixels(f) * (size_t)f->samples;
    if (f->colour == DICOM_YBR_FULL_422) f->colour = DICOM_YBR_FULL;
    if (strcmp(syntax, "1.2.840.10008.1.2.5") == 0) {
        if (f->allocated == 1) return err_set(err, "DICOM with run-length coded single bits is not supported");
        f->planar = f->samples > 1;
        f->data = xcalloc(samples, (size_t)f->allocated / 8);
        return rle_decode(f->data, frame_pixels(f), f->samples, f->allocated / 8, code, b->len, err);
    }
    DicomCode c;
    if (dicom_code_read(&c, code, b->len, err)) return -1;
    if (c.rows != f->rows || c.columns != f->columns || c.samples != f->samples) {
        return err_set(err, "broken DICOM: the compressed picture is not of the size that the header says");
    }
    f->planar = false;
    f->allocated = 8 * dicom_code_bytes(&c);
    if (f->stored > f->allocated) f->stored = f->allocated;
    f->high = f->stored - 1;
    GdcmJob job = {syntax, f->is_signed, f->colour == DICOM_YBR_FULL};
    size_t size = samples * (size_t)dicom_code_bytes(&c);
    f->data = xcalloc(1, size);
    if (HAVE_JPEG && c.dct && c.precision == 8) return jpeg_decode_samples(f->data, size, code, b->len, err);
    return gdcm_decode(f->data, size, &c, &job, code, b->len, err);
}

static int pixels_read(DicomFrame *f, const DicomFile *file, int frame, Err *err)
{
    DicomElement e;
    int found = dicom_find(&file->set, PIXELS, &e);
    if (found < 0) return err_set(err, "broken DICOM: the file is damaged or ends early");
    if (found == 0) return err_set(err, "a DICOM file without integer pixel data");
    if (!e.undefined) return native_read(f, &file->set, &e, frame, err);
    Buf code = {0};
    int rc = frame_code(&code, f, &file->set, &e, frame, err);
    if (rc == 0) rc = code_decode(f, &code, file->syntax, err);
    buf_release(&code);
    return rc;
}

int dicom_frame_read(DicomFrame *f, const unsigned char *bytes, size_t n, int frame, DicomPart part, Err *err)
{
    *f = (DicomFrame){0};
    DicomFile file;
    if (dicom_file_open(&file, bytes, n, err)) return -1;
    int rc = header_read(f, &file.set, frame, err);
    if (rc == 0 && part == DICOM_PIXELS) rc = pixels_read(f, &file, frame, err);
    if (rc) dicom_frame_release(f);
    dicom_file_close(&file);
    return rc;
}
