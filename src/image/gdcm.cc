/*
 * gdcm.cc - the one C++ file: GDCM's JPEG, JPEG-LS and JPEG 2000 decoders behind gdcm_decode (dicom_codec.h).
 *
 * The caller has read the data set and the stream's own header, so GDCM sees one frame whose size is known to be right.
 *
 * Two traps.  GDCM is built with its assertions on and checks file contents with them; __assert_fail below turns such
 * an abort into an error of the file (objects between are not destroyed: some memory of a hostile file is lost).  And
 * GDCM writes warnings to stderr unless its trace is switched off.
 */
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>

#include <gdcmImage.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmTrace.h>

extern "C" {
#include "image/dicom_codec.h"
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

/* JPEG decoders exist for 8, 12 and 16 bits, and 12 comes out in 16. */
gdcm::PixelFormat pixel_format(const DicomCode *c, bool is_signed)
{
    int bits = c->jpeg && c->precision > 8 && c->precision <= 12 ? 12 : 8 * dicom_code_bytes(c);
    return gdcm::PixelFormat(uint16_t(c->samples), uint16_t(bits), uint16_t(c->precision), uint16_t(c->precision - 1),
                             is_signed);
}

gdcm::PhotometricInterpretation colour(const DicomCode *c, bool ybr)
{
    if (c->samples == 1) return gdcm::PhotometricInterpretation::MONOCHROME2;
    return ybr ? gdcm::PhotometricInterpretation::YBR_FULL : gdcm::PhotometricInterpretation::RGB;
}

bool decode(unsigned char *out, size_t size, const DicomCode *c, const GdcmJob *job, const unsigned char *code,
            size_t n)
{
    gdcm::Fragment fragment;
    fragment.SetByteValue(reinterpret_cast<const char *>(code), uint32_t(n));
    gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = gdcm::SequenceOfFragments::New();
    fragments->AddFragment(fragment);
    gdcm::DataElement pixels(gdcm::Tag(0x7fe0, 0x0010));
    pixels.SetVR(gdcm::VR::OB);
    pixels.SetValue(*fragments);
    gdcm::Image image;
    image.SetNumberOfDimensions(2);
    image.SetDimension(0, unsigned(c->columns));
    image.SetDimension(1, unsigned(c->rows));
    image.SetPixelFormat(pixel_format(c, job->is_signed));
    image.SetPhotometricInterpretation(colour(c, job->ybr));
    image.SetPlanarConfiguration(0);
    image.SetTransferSyntax(gdcm::TransferSyntax::GetTSType(job->syntax));
    image.SetDataElement(pixels);
    return image.GetBufferLength() == size && image.GetBuffer(reinterpret_cast<char *>(out));
}

/* No object with a destructor lives here: an assertion jumps back to this frame. */
int guarded_decode(unsigned char *out, size_t size, const DicomCode *c, const GdcmJob *job, const unsigned char *code,
                   size_t n, Err *err)
{
    jmp_buf escape;
    if (setjmp(escape)) return err_set(err, "broken DICOM: GDCM gave the picture up");
    assert_escape = &escape;
    try {
        if (decode(out, size, c, job, code, n)) return 0;
        return err_set(err, "broken DICOM: the picture (%s) cannot be decompressed", job->syntax);
    } catch (const std::exception &e) {
        return err_set(err, "broken DICOM: %s", e.what());
    } catch (...) {
        return err_set(err, "broken DICOM: the picture cannot be decompressed");
    }
}

} // namespace

extern "C" int gdcm_decode(unsigned char *out, size_t size, const DicomCode *c, const GdcmJob *job,
                           const unsigned char *code, size_t n, Err *err)
{
    static std::once_flag once;
    std::call_once(once, [] {
        gdcm::Trace::DebugOff();
        gdcm::Trace::WarningOff();
        gdcm::Trace::ErrorOff();
    });
    if (n > UINT32_MAX || gdcm::TransferSyntax::GetTSType(job->syntax) == gdcm::TransferSyntax::TS_END) {
        return err_set(err, "DICOM with transfer syntax '%s' is not supported", job->syntax);
    }
    int rc = guarded_decode(out, size, c, job, code, n, err);
    assert_escape = nullptr;
    return rc;
}
