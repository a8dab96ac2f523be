#include "image/dicom_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/gzip.h"

#define ITEM         0xfffee000u
#define ITEM_END     0xfffee00du
#define SEQUENCE_END 0xfffee0ddu
#define UNDEFINED    0xffffffffu

enum { TAG_SYNTAX = 0x00020010, PREAMBLE = 132, MAX_DEPTH = 32 };

static unsigned read_16(const DicomSet *s, size_t at)
{
    const unsigned char *p = s->bytes + at;
    return s->big_endian ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t read_32(const DicomSet *s, size_t at)
{
    uint32_t a = read_16(s, at), b = read_16(s, at + 2);
    return s->big_endian ? a << 16 | b : b << 16 | a;
}

static bool is_vr(const unsigned char *p)
{
    return p[0] >= 'A' && p[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z';
}

/* Representations with two bytes of padding and a length of 32 bits. */
static bool vr_is_long(const unsigned char *vr)
{
    static const char LONG[] = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
    for (const char *p = LONG;; p += 3) {
        if (memcmp(p, vr, 2) == 0) return true;
        if (!p[2]) return false;
    }
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

/* Reads tag, representation and length at *at and moves *at to the value. False where the bytes do not suffice. */
static bool head_read(const DicomSet *s, size_t *at, DicomElement *e, uint32_t *len)
{
    if (s->n - *at < 8) return false;
    *e = (DicomElement){.tag = (uint32_t)read_16(s, *at) << 16 | read_16(s, *at + 2)};
    const unsigned char *vr = s->bytes + *at + 4;
    bool delimiter = e->tag >> 16 == 0xfffe;
    size_t head = 8;
    if (!s->explicit_vr || delimiter || !is_vr(vr)) {
        *len = read_32(s, *at + 4);
    } else if (vr_is_long(vr)) {
        head = 12;
        if (s->n - *at < head) return false;
        *len = read_32(s, *at + 8);
    } else {
        *len = read_16(s, *at + 6);
    }
    if (head == 12 || (s->explicit_vr && !delimiter && is_vr(vr))) memcpy(e->vr, vr, 2);
    *at += head;
    return true;
}

static bool items_skip(const DicomSet *s, size_t *at, int depth);

/* Reads the element at *at and moves *at behind it. */
static bool element_read(const DicomSet *s, size_t *at, DicomElement *e, int depth)
{
    uint32_t len;
    if (!head_read(s, at, e, &len)) return false;
    e->value = s->bytes + *at;
    e->undefined = len == UNDEFINED;
    if (!e->undefined) {
        if (len > s->n - *at) return false;
        e->n = len;
        *at += len;
        return true;
    }
    DicomSet inside = *s;
    if (memcmp(e->vr, "UN", 2) == 0) inside.explicit_vr = false; /* PS3.5 6.2.2 note 4: then it is implicit VR */
    size_t end = *at;
    if (depth >= MAX_DEPTH || !items_skip(&inside, &end, depth + 1)) return false;
    e->n = end - *at - 8;
    *at = end;
    return true;
}

/* Moves *at behind the delimiter of a sequence of undefined length. */
static bool items_skip(const DicomSet *s, size_t *at, int depth)
{
    for (;;) {
        DicomElement item;
        uint32_t len;
        if (!head_read(s, at, &item, &len)) return false;
        if (item.tag == SEQUENCE_END) return true;
        if (item.tag != ITEM) return false;
        if (len != UNDEFINED) {
            if (len > s->n - *at) return false;
            *at += len;
            continue;
        }
        do {
            if (!element_read(s, at, &item, depth)) return false;
        } while (item.tag != ITEM_END);
    }
}

int dicom_find(const DicomSet *set, uint32_t tag, DicomElement *e)
{
    for (size_t at = 0; at < set->n;) {
        if (!element_read(set, &at, e, 0)) return -1;
        if (e->tag == tag) return 1;
        if (e->tag > tag) return 0;
    }
    return 0;
}

bool dicom_item(const DicomSet *set, uint32_t tag, size_t k, DicomSet *item)
{
    DicomElement sequence, e;
    if (dicom_find(set, tag, &sequence) != 1) return false;
    DicomSet s = {sequence.value, sequence.n, set->explicit_vr, set->big_endian};
    if (memcmp(sequence.vr, "UN", 2) == 0) s.explicit_vr = false;
    for (size_t at = 0; at < s.n;) {
        uint32_t len;
        if (!head_read(&s, &at, &e, &len) || e.tag != ITEM) return false;
        size_t start = at;
        if (len != UNDEFINED) {
            if (len > s.n - at) return false;
            at += len;
        } else {
            do {
                if (!element_read(&s, &at, &e, 1)) return false;
            } while (e.tag != ITEM_END);
        }
        if (k-- > 0) continue;
        *item = (DicomSet){s.bytes + start, at - start, s.explicit_vr, s.big_endian};
        return true;
    }
    return false;
}

bool dicom_fragment(const DicomSet *set, const DicomElement *pixels, size_t *at, DicomElement *fragment)
{
    DicomSet s = {pixels->value, pixels->n, set->explicit_vr, set->big_endian};
    return *at < s.n && element_read(&s, at, fragment, 0) && fragment->tag == ITEM && !fragment->undefined;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

unsigned dicom_word(const DicomSet *run, size_t k)
{
    return read_16(run, 2 * k);
}

uint32_t dicom_long(const DicomSet *run, size_t k)
{
    return read_32(run, 4 * k);
}

bool dicom_u16(const DicomSet *set, uint32_t tag, size_t k, int *out)
{
    DicomElement e;
    if (dicom_find(set, tag, &e) != 1 || e.n / 2 <= k) return false;
    *out = (int)read_16(set, (size_t)(e.value - set->bytes) + 2 * k);
    return true;
}

bool dicom_text(const DicomSet *set, uint32_t tag, char *out, size_t cap)
{
    DicomElement e;
    if (dicom_find(set, tag, &e) != 1 || e.undefined) return false;
    size_t n = e.n < cap - 1 ? e.n : cap - 1;
    memcpy(out, e.value, n);
    while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\0')) n--;
    out[n] = '\0';
    return n > 0;
}

bool dicom_number(const DicomSet *set, uint32_t tag, double *out)
{
    char text[64], *end;
    if (!dicom_text(set, tag, text, sizeof text)) return false;
    double x = strtod(text, &end);
    while (*end == ' ') end++;
    if (end == text || (*end && *end != '\\') || !isfinite(x)) return false;
    *out = x;
    return true;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Whether a data set seems to begin here: group 0002 or 0008, then a representation or a small length. */
static bool set_begins(const unsigned char *p, size_t n, bool big)
{
    if (n < 16 || p[big ? 0 : 1] != 0 || (p[big ? 1 : 0] != 2 && p[big ? 1 : 0] != 8)) return false;
    DicomSet s = {p, n, true, big};
    return is_vr(p + 4) || read_32(&s, 4) < 256;
}

bool dicom_file_match(const unsigned char *bytes, size_t n)
{
    if (n >= PREAMBLE && memcmp(bytes + 128, "DICM", 4) == 0) return true;
    return set_begins(bytes, n, false) || set_begins(bytes, n, true);
}

/* Group 0002: always little-endian with representations. Moves *at behind it. */
static bool meta_read(DicomFile *f, const unsigned char *bytes, size_t n, size_t *at)
{
    DicomSet meta = {bytes, n, true, false};
    while (n - *at >= 8 && read_16(&meta, *at) == 2) {
        DicomElement e;
        if (!element_read(&meta, at, &e, 0)) return false;
        if (e.tag != TAG_SYNTAX) continue;
        size_t len = e.n < sizeof f->syntax - 1 ? e.n : sizeof f->syntax - 1;
        memcpy(f->syntax, e.value, len);
        while (len > 0 && (f->syntax[len - 1] == ' ' || f->syntax[len - 1] == '\0')) f->syntax[--len] = '\0';
    }
    return true;
}

int dicom_file_open(DicomFile *f, const unsigned char *bytes, size_t n, Err *err)
{
    *f = (DicomFile){0};
    bool marked = n >= PREAMBLE && memcmp(bytes + 128, "DICM", 4) == 0;
    size_t at = marked ? PREAMBLE : 0;
    if (!meta_read(f, bytes, n, &at)) return err_set(err, "broken DICOM: the file's head is damaged");
    f->set = (DicomSet){.bytes = bytes + at, .n = n - at};
    if (strcmp(f->syntax, "1.2.840.10008.1.2.1.99") == 0) {
        size_t size;
        if (deflate_extract(&f->owned, &size, f->set.bytes, f->set.n, err)) return err_context(err, "broken DICOM");
        f->set.bytes = f->owned;
        f->set.n = size;
    }
    f->set.big_endian = strcmp(f->syntax, "1.2.840.10008.1.2.2") == 0;
    if (!f->syntax[0]) f->set.big_endian = set_begins(f->set.bytes, f->set.n, true);
    f->set.explicit_vr = f->set.n >= 8 && is_vr(f->set.bytes + 4);
    return 0;
}

void dicom_file_close(DicomFile *f)
{
    free(f->owned);
    *f = (DicomFile){0};
}
