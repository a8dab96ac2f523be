/*
 * gdcm.cc - the one C++ file: DICOM data sets and codecs behind the C functions of dicom.h.
 *
 * GDCM parses the data set and decompresses JPEG, JPEG-LS and JPEG 2000.  Sizes, palettes and run-length code are
 * checked and read here and in dicom.c, so that GDCM's codecs only ever see one frame whose size is known to be right.
 *
 * Two traps.  GDCM is built with its assertions on and checks file contents with them; __assert_fail below turns such an
 * abort into an error of the file (objects between are not destroyed: some memory of a hostile file is lost).  And GDCM
 * writes warnings to stderr unless its trace is switched off.
 */
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <istream>
#include <mutex>
#include <streambuf>

#include <gdcmImage.h>
#include <gdcmReader.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmSequenceOfItems.h>
#include <gdcmTrace.h>

extern "C" {
#include "image/decoder.h"
#include "image/dicom.h"
}

static thread_local jmp_buf *assert_escape;

/* Weak: where a program has its own, that one stands. */
extern "C" __attribute__((weak)) void __assert_fail(const char *cond, const char *file, unsigned line,
                                                    const char *function) noexcept
{
    if (assert_escape) longjmp(*assert_escape, 1);
    fprintf(stderr, "%s:%u: %s: assertion '%s' failed\n", file, line, function, cond);
    abort();
}

namespace
{

using gdcm::DataSet;
using gdcm::Tag;

/*
 * A seekable stream over bytes that lie in memory.  It remembers whether a value was cut short: GDCM takes a file whose
 * last element ends early for a whole one.  (At the end of every file it asks in vain for the 4 or 8 bytes of a tag.)
 */
class MemoryBuf : public std::streambuf
{
  public:
    MemoryBuf(const unsigned char *bytes, size_t n)
    {
        char *p = const_cast<char *>(reinterpret_cast<const char *>(bytes));
        setg(p, p, p + n);
    }

    bool cut() const
    {
        return cut_;
    }

  protected:
    std::streamsize xsgetn(char *out, std::streamsize want) override
    {
        std::streamsize have = egptr() - gptr(), take = want < have ? want : have;
        if (want > 8 && take < want) cut_ = true;
        memcpy(out, gptr(), size_t(take));
        setg(eback(), gptr() + take, egptr());
        return take;
    }
    pos_type seekoff(off_type off, std::ios_base::seekdir dir, std::ios_base::openmode) override
    {
        off_type base = dir == std::ios_base::beg   ? 0
                        : dir == std::ios_base::cur ? gptr() - eback()
                                                    : egptr() - eback();
        off_type to = base + off;
        if (to < 0 || to > egptr() - eback()) return pos_type(off_type(-1));
        if (eback() + to < gptr()) cut_ = false; /* GDCM begins anew with another guess of the coding */
        setg(eback(), eback() + to, egptr());
        return pos_type(to);
    }
    pos_type seekpos(pos_type to, std::ios_base::openmode mode) override
    {
        return seekoff(off_type(to), std::ios_base::beg, mode);
    }

  private:
    bool cut_ = false;
};

/* ---- values ------------------------------------------------------------------------------------------------------- */

const gdcm::ByteValue *value_find(const DataSet &set, Tag tag)
{
    if (!set.FindDataElement(tag)) return nullptr;
    const gdcm::DataElement &e = set.GetDataElement(tag);
    return e.IsEmpty() ? nullptr : e.GetByteValue();
}

/* The k-th US or SS. */
bool value_u16(int *out, const DataSet &set, Tag tag, size_t k = 0)
{
    const gdcm::ByteValue *v = value_find(set, tag);
    if (!v || v->GetLength() < 2 * (k + 1)) return false;
    uint16_t u;
    memcpy(&u, v->GetPointer() + 2 * k, sizeof u);
    *out = u;
    return true;
}

/* The first of the numbers of a DS or IS: text, separated by backslashes. */
bool value_number(double *out, const DataSet &set, Tag tag)
{
    const gdcm::ByteValue *v = value_find(set, tag);
    if (!v) return false;
    char text[64];
    size_t n = v->GetLength() < sizeof text - 1 ? size_t(v->GetLength()) : sizeof text - 1;
    memcpy(text, v->GetPointer(), n);
    text[n] = '\0';
    char *end;
    double x = strtod(text, &end);
    while (*end == ' ') end++;
    if (end == text || (*end && *end != '\\') || !(x - x == 0)) return false;
    *out = x;
    return true;
}

std::string value_text(const DataSet &set, Tag tag)
{
    const gdcm::ByteValue *v = value_find(set, tag);
    if (!v) return "";
    std::string s(v->GetPointer(), v->GetLength());
    size_t n = s.find_last_not_of(std::string(" \0", 2));
    return n == std::string::npos ? "" : s.substr(0, n + 1);
}

/* Calls visit(item) for item k (from 0) of a sequence, where there is one. */
template <class Visit> void sequence_visit(const DataSet &set, Tag tag, size_t k, Visit visit)
{
    if (!set.FindDataElement(tag)) return;
    gdcm::SmartPointer<gdcm::SequenceOfItems> items = set.GetDataElement(tag).GetValueAsSQ();
    if (items && k < items->GetNumberOfItems()) visit(items->GetItem(k + 1).GetNestedDataSet());
}

/* Visits the data sets a frame's attribute may stand in, from the general to the special: the last one seen wins. */
template <class Visit> void frame_visit(const DataSet &set, Tag group, int frame, Visit visit)
{
    auto inner = [&](const DataSet &item) { sequence_visit(item, group, 0, visit); };
    visit(set);
    sequence_visit(set, Tag(0x5200, 0x9229), 0, inner);             /* shared functional groups */
    sequence_visit(set, Tag(0x5200, 0x9230), size_t(frame), inner); /* per-frame functional groups */
}

/* ---- header ------------------------------------------------------------------------------------------------------- */

int colour_read(DicomFrame *f, const DataSet &set, bool compressed, Err *err)
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
        {"YBR_RCT", DICOM_RGB, 3},
        {"YBR_ICT", DICOM_RGB, 3}, /* JPEG 2000 decoders give RGB */
    };
    std::string name = value_text(set, Tag(0x0028, 0x0004));
    if (name.empty()) name = f->samples == 3 ? "RGB" : "MONOCHROME2";
    for (const auto &k : known) {
        if (name != k.name) continue;
        if (f->samples != k.samples) return err_set(err, "broken DICOM: %s with %d samples", k.name, f->samples);
        f->colour = compressed && k.colour == DICOM_YBR_FULL_422 ? DICOM_YBR_FULL : k.colour;
        if (f->colour == DICOM_YBR_FULL_422 && f->columns % 2)
            return err_set(err, "broken DICOM: YBR_FULL_422 of odd width");
        return 0;
    }
    return err_set(err, "DICOM with photometric interpretation '%.16s' is not supported", name.c_str());
}

int layout_read(DicomFrame *f, const DataSet &set, Err *err)
{
    if (!value_u16(&f->rows, set, Tag(0x0028, 0x0010)) || !value_u16(&f->columns, set, Tag(0x0028, 0x0011))) {
        return err_set(err, "a DICOM file without a picture");
    }
    int is_signed = 0, planar = 0;
    double frames = 1;
    f->samples = 1;
    value_u16(&f->samples, set, Tag(0x0028, 0x0002));
    value_u16(&planar, set, Tag(0x0028, 0x0006));
    value_number(&frames, set, Tag(0x0028, 0x0008));
    value_u16(&f->allocated, set, Tag(0x0028, 0x0100));
    f->stored = f->allocated;
    value_u16(&f->stored, set, Tag(0x0028, 0x0101));
    f->high = f->stored - 1;
    value_u16(&f->high, set, Tag(0x0028, 0x0102));
    value_u16(&is_signed, set, Tag(0x0028, 0x0103));
    f->is_signed = is_signed == 1;
    f->planar = planar == 1;
    f->frames = frames >= 1 && frames < 1e9 ? int(frames) : 1;
    bool known = f->allocated == 1 || f->allocated == 8 || f->allocated == 16 || f->allocated == 32;
    bool fits = f->stored >= 1 && f->stored <= f->allocated && f->high < f->allocated && f->high + 1 >= f->stored;
    if (!known || !fits || (f->samples != 1 && f->samples != 3)) {
        return err_set(err, "DICOM with %d samples of %d bits, %d of them used up to bit %d, is not supported",
                       f->samples, f->allocated, f->stored, f->high);
    }
    return image_check_size(f->columns, f->rows, err);
}

void gray_read(DicomFrame *f, const DataSet &set, int frame)
{
    f->slope = 1;
    frame_visit(set, Tag(0x0028, 0x9145), frame, [&](const DataSet &s) {
        double slope = 1, intercept;
        if (!value_number(&intercept, s, Tag(0x0028, 0x1052))) return;
        value_number(&slope, s, Tag(0x0028, 0x1053));
        f->slope = slope;
        f->intercept = intercept;
    });
    frame_visit(set, Tag(0x0028, 0x9132), frame, [&](const DataSet &s) {
        double centre, width;
        if (!value_number(&centre, s, Tag(0x0028, 0x1050)) || !value_number(&width, s, Tag(0x0028, 0x1051))) return;
        f->has_window = width >= 1;
        f->centre = centre;
        f->width = width;
    });
}

/* Descriptor: entries (0 = 65536), pixel value of the first, bits of an entry. 8-bit entries come in bytes or in words. */
int palette_read(DicomFrame *f, const DataSet &set, Err *err)
{
    for (uint16_t c = 0; c < 3; c++) {
        DicomPalette *p = &f->palette[c];
        Tag about(0x0028, 0x1101 + c);
        const gdcm::ByteValue *v = value_find(set, Tag(0x0028, 0x1201 + c));
        int bits;
        if (!v || !value_u16(&p->n, set, about, 0) || !value_u16(&p->first, set, about, 1) ||
            !value_u16(&bits, set, about, 2)) {
            return err_set(err, "DICOM with palette colours but no plain palette (segmented ones are not supported)");
        }
        if (p->n == 0) p->n = 65536;
        if (f->is_signed && p->first > 32767) p->first -= 65536;
        bool words = v->GetLength() >= 2 * size_t(p->n);
        if ((bits != 8 && bits != 16) || (!words && (bits == 16 || v->GetLength() < size_t(p->n)))) {
            return err_set(err, "broken DICOM: the palette is shorter than it says");
        }
        const unsigned char *entry = reinterpret_cast<const unsigned char *>(v->GetPointer());
        p->level = static_cast<unsigned char *>(xmalloc(size_t(p->n)));
        for (int i = 0; i < p->n; i++) {
            unsigned word = words ? entry[2 * i] | unsigned(entry[2 * i + 1]) << 8 : entry[i];
            p->level[i] = bits == 8 ? (unsigned char)word : gray_from_16(word);
        }
    }
    return 0;
}

int header_read(DicomFrame *f, const DataSet &set, bool compressed, int frame, Err *err)
{
    if (layout_read(f, set, err) || colour_read(f, set, compressed, err)) return -1;
    if (frame >= f->frames) {
        err_set(err, "frame=%d: the file has %d frame%s", frame, f->frames, f->frames == 1 ? "" : "s");
        return err_hint(err, "frames are counted from 0");
    }
    gray_read(f, set, frame);
    return f->colour == DICOM_PALETTE ? palette_read(f, set, err) : 0;
}

/* ---- pixels ------------------------------------------------------------------------------------------------------- */

int native_read(DicomFrame *f, const gdcm::ByteValue *pixels, int frame, Err *err)
{
    size_t size = dicom_frame_bytes(f), start = size * size_t(frame);
    if (f->allocated == 1) { /* frames follow each other without a gap: a frame may begin inside a byte */
        size_t bit = size_t(frame) * size_t(f->rows) * size_t(f->columns) * size_t(f->samples);
        f->first_bit = bit % 8;
        start = bit / 8;
        size = dicom_frame_bytes(f);
    }
    size_t have = pixels ? size_t(pixels->GetLength()) : 0;
    if (start > have || size > have - start) {
        return err_set(err, "broken DICOM: %zu bytes of pixels where %zu are needed", have, start + size);
    }
    f->data = static_cast<unsigned char *>(xmalloc(size));
    memcpy(f->data, pixels->GetPointer() + start, size);
    return 0;
}

/* GDCM brings big-endian pixels to the machine's order in words of 16 bits: those of 32 are left with halves swapped. */
void words_swap(DicomFrame *f)
{
    for (size_t i = 0, n = dicom_frame_bytes(f); i + 4 <= n; i += 4) {
        uint16_t half[2];
        memcpy(half, f->data + i, 4);
        std::swap(half[0], half[1]);
        memcpy(f->data + i, half, 4);
    }
}

/* The fragments of one frame, joined: one fragment a frame, or all of them, or by the table of offsets. */
int frame_code(std::string *code, const gdcm::SequenceOfFragments *all, const DicomFrame *f, int frame, Err *err)
{
    size_t n = all->GetNumberOfFragments(), lo = 0, hi = n;
    if (f->frames > 1 && n == size_t(f->frames)) {
        lo = size_t(frame);
        hi = lo + 1;
    }
    const gdcm::ByteValue *table = all->GetTable().GetByteValue();
    bool by_table = f->frames > 1 && n != size_t(f->frames);
    if (by_table && (!table || table->GetLength() < 4 * size_t(f->frames))) {
        return err_set(err, "broken DICOM: %zu fragments, %d frames and no table of offsets", n, f->frames);
    }
    uint32_t from = 0, to = UINT32_MAX, at = 0;
    if (by_table) {
        memcpy(&from, table->GetPointer() + 4 * size_t(frame), 4);
        if (frame + 1 < f->frames) memcpy(&to, table->GetPointer() + 4 * size_t(frame + 1), 4);
    }
    for (size_t i = lo; i < hi; i++) {
        const gdcm::ByteValue *v = all->GetFragment(i).GetByteValue();
        size_t len = v ? size_t(v->GetLength()) : 0;
        if (len && at >= from && at < to) code->append(v->GetPointer(), len);
        at += uint32_t(8 + len);
    }
    return code->empty() ? err_set(err, "broken DICOM: frame %d has no data", frame) : 0;
}

gdcm::PhotometricInterpretation codec_colour(const DicomFrame *f)
{
    switch (f->colour) {
    case DICOM_RGB: return gdcm::PhotometricInterpretation::RGB;
    case DICOM_YBR_FULL: return gdcm::PhotometricInterpretation::YBR_FULL;
    default: return gdcm::PhotometricInterpretation::MONOCHROME2;
    }
}

/* A pixel format as GDCM's codecs want it: JPEG decoders exist for 8, 12 and 16 bits, and 12 comes out in 16. */
gdcm::PixelFormat codec_format(const DicomFrame *f, const DicomCode *c)
{
    int bits = c->precision <= 8 ? 8 : c->precision <= 12 && c->jpeg ? 12 : c->precision <= 16 ? 16 : 32;
    return gdcm::PixelFormat(uint16_t(f->samples), uint16_t(bits), uint16_t(c->precision), uint16_t(c->precision - 1),
                             f->is_signed);
}

int codec_read(DicomFrame *f, const std::string &code, const gdcm::TransferSyntax &syntax, Err *err)
{
    DicomCode c;
    if (dicom_code_read(&c, reinterpret_cast<const unsigned char *>(code.data()), code.size(), err)) return -1;
    if (c.rows != f->rows || c.columns != f->columns || c.samples != f->samples) {
        return err_set(err, "broken DICOM: the compressed picture is not of the size that the header says");
    }
    f->planar = false;
    f->allocated = c.precision <= 8 ? 8 : c.precision <= 16 ? 16 : 32;
    if (f->stored > f->allocated) f->stored = f->allocated;
    f->high = f->stored - 1;

    gdcm::Fragment fragment;
    fragment.SetByteValue(code.data(), uint32_t(code.size()));
    gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = gdcm::SequenceOfFragments::New();
    fragments->AddFragment(fragment);
    gdcm::DataElement pixels(Tag(0x7fe0, 0x0010));
    pixels.SetVR(gdcm::VR::OB);
    pixels.SetValue(*fragments);
    gdcm::Image image;
    image.SetNumberOfDimensions(2);
    image.SetDimension(0, unsigned(f->columns));
    image.SetDimension(1, unsigned(f->rows));
    image.SetPixelFormat(codec_format(f, &c));
    image.SetPhotometricInterpretation(codec_colour(f));
    image.SetPlanarConfiguration(0);
    image.SetTransferSyntax(syntax);
    image.SetDataElement(pixels);

    size_t size = dicom_frame_bytes(f);
    f->data = static_cast<unsigned char *>(xmalloc(size));
    if (image.GetBufferLength() != size || !image.GetBuffer(reinterpret_cast<char *>(f->data))) {
        return err_set(err, "broken DICOM: the picture (%s) cannot be decompressed", syntax.GetString());
    }
    return 0;
}

int pixels_read(DicomFrame *f, const DataSet &set, const gdcm::TransferSyntax &syntax, int frame, Err *err)
{
    const Tag tag(0x7fe0, 0x0010);
    if (!set.FindDataElement(tag)) return err_set(err, "a DICOM file without integer pixel data");
    const gdcm::DataElement &e = set.GetDataElement(tag);
    const gdcm::SequenceOfFragments *fragments = e.GetSequenceOfFragments();
    if (!fragments) {
        if (native_read(f, e.GetByteValue(), frame, err)) return -1;
        if (syntax == gdcm::TransferSyntax::ExplicitVRBigEndian && f->allocated == 32) words_swap(f);
        return 0;
    }
    std::string code;
    if (frame_code(&code, fragments, f, frame, err)) return -1;
    if (syntax == gdcm::TransferSyntax::RLELossless) {
        return dicom_rle_decode(f, reinterpret_cast<const unsigned char *>(code.data()), code.size(), err);
    }
    return codec_read(f, code, syntax, err);
}

int file_read_frame(DicomFrame *f, const unsigned char *bytes, size_t n, int frame, DicomPart part, Err *err)
{
    MemoryBuf buf(bytes, n);
    std::istream stream(&buf);
    gdcm::Reader reader;
    reader.SetStream(stream);
    const Tag pixels(0x7fe0, 0x0010);
    if (!(part == DICOM_HEADER ? reader.ReadUpToTag(pixels) : reader.Read())) {
        return err_set(err, "broken DICOM: the data set cannot be read");
    }
    const DataSet &set = reader.GetFile().GetDataSet();
    const gdcm::TransferSyntax &syntax = reader.GetFile().GetHeader().GetDataSetTransferSyntax();
    bool packed = syntax == gdcm::TransferSyntax::DeflatedExplicitVRLittleEndian; /* zlib notices a cut itself */
    if (buf.cut() && !packed) return err_set(err, "broken DICOM: the file ends early");
    if (header_read(f, set, syntax.IsEncapsulated(), frame, err)) return -1;
    return part == DICOM_HEADER ? 0 : pixels_read(f, set, syntax, frame, err);
}

/* No object with a destructor lives here: an assertion jumps back to this frame. */
int guarded_read(DicomFrame *f, const unsigned char *bytes, size_t n, int frame, DicomPart part, Err *err)
{
    jmp_buf escape;
    if (setjmp(escape)) return err_set(err, "broken DICOM: GDCM gave the file up");
    assert_escape = &escape;
    try {
        return file_read_frame(f, bytes, n, frame, part, err);
    } catch (const std::exception &e) {
        return err_set(err, "broken DICOM: %s", e.what());
    } catch (...) {
        return err_set(err, "broken DICOM");
    }
}

} // namespace

extern "C" int dicom_frame_read(DicomFrame *f, const unsigned char *bytes, size_t n, int frame, DicomPart part,
                                Err *err)
{
    static std::once_flag once;
    std::call_once(once, [] {
        gdcm::Trace::DebugOff();
        gdcm::Trace::WarningOff();
        gdcm::Trace::ErrorOff();
    });
    *f = DicomFrame();
    int rc = guarded_read(f, bytes, n, frame, part, err);
    assert_escape = nullptr;
    if (rc) dicom_frame_release(f);
    return rc;
}
