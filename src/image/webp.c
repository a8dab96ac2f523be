#include "image/decoder.h"

#include <string.h>

bool webp_match(const unsigned char *bytes, size_t n)
{
    return n >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

#if HAVE_WEBP

#include <webp/decode.h>

/* A run of bytes inside the file. */
typedef struct Span {
    const unsigned char *at;
    size_t n;
} Span;

static uint32_t read_24(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* The first chunk of that name: four letters, length, data, padded to an even length. {NULL, 0} where there is none. */
static Span chunk_find(Span chunks, const char *name)
{
    while (chunks.n >= 8) {
        size_t len = read_24(chunks.at + 4) | (size_t)chunks.at[7] << 24;
        if (len > chunks.n - 8) break;
        if (memcmp(chunks.at, name, 4) == 0) return (Span){chunks.at + 8, len};
        size_t step = 8 + len + (len & 1);
        if (step > chunks.n) break;
        chunks = (Span){chunks.at + step, chunks.n - step};
    }
    return (Span){NULL, 0};
}

static Span source_chunks(const ImageSource *src)
{
    return (Span){src->bytes + 12, src->n - 12};
}

static int source_orientation(const ImageSource *src)
{
    Span exif = chunk_find(source_chunks(src), "EXIF");
    return exif.at ? orientation_from_exif(exif.at, exif.n) : 1;
}

static int source_features(WebPBitstreamFeatures *f, const ImageSource *src, Err *err)
{
    VP8StatusCode status = WebPGetFeatures(src->bytes, src->n, f);
    if (status != VP8_STATUS_OK) return err_set(err, "broken WebP: the header cannot be read (status %d)", (int)status);
    return 0;
}

/* Decodes a bitstream of w x h pixels into place (x, y) of the image. */
static int bitstream_decode(Image *im, Span stream, int x, int y, int w, int h, Err *err)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return err_set(err, "the libwebp that runs is not the one Osler was built with");
    size_t stride = 3 * (size_t)im->w;
    unsigned char *first = im->rgb + stride * (size_t)y + 3 * (size_t)x;
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = first;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)(h - 1) + 3 * (size_t)w;
    VP8StatusCode status = WebPGetFeatures(stream.at, stream.n, &config.input);
    if (status == VP8_STATUS_OK && (config.input.width != w || config.input.height != h)) {
        return err_set(err, "broken WebP: the frame is %d x %d, not %d x %d", config.input.width, config.input.height,
                       w, h);
    }
    if (status == VP8_STATUS_OK) status = WebPDecode(stream.at, stream.n, &config);
    WebPFreeDecBuffer(&config.output);
    if (status != VP8_STATUS_OK) return err_set(err, "broken WebP: libwebp status %d", (int)status);
    return 0;
}

/* The first frame of an animation on a black canvas. ANMF: x / 2, y / 2, w - 1, h - 1 of 3 bytes, 4 more, chunks. */
static int animation_decode(Image *im, const ImageSource *src, Err *err)
{
    Span frame = chunk_find(source_chunks(src), "ANMF");
    if (frame.n < 16) return err_set(err, "broken WebP: an animation without a frame");
    int x = 2 * (int)read_24(frame.at), y = 2 * (int)read_24(frame.at + 3);
    int w = 1 + (int)read_24(frame.at + 6), h = 1 + (int)read_24(frame.at + 9);
    if (x > im->w - w || y > im->h - h) return err_set(err, "broken WebP: the first frame lies outside the canvas");
    memset(im->rgb, 0, 3 * (size_t)im->w * (size_t)im->h);
    return bitstream_decode(im, (Span){frame.at + 16, frame.n - 16}, x, y, w, h, err);
}

int webp_decode(Image *im, const ImageSource *src, Err *err)
{
    WebPBitstreamFeatures f;
    if (source_features(&f, src, err) || image_alloc(im, f.width, f.height, err)) return -1;
    int rc = f.has_animation ? animation_decode(im, src, err)
                             : bitstream_decode(im, (Span){src->bytes, src->n}, 0, 0, f.width, f.height, err);
    if (rc) {
        image_release(im);
        return -1;
    }
    orientation_apply(im, source_orientation(src));
    return 0;
}

int webp_measure(int *w, int *h, const ImageSource *src, Err *err)
{
    WebPBitstreamFeatures f;
    if (source_features(&f, src, err)) return -1;
    *w = f.width;
    *h = f.height;
    orientation_apply_size(w, h, source_orientation(src));
    return 0;
}

#else

IMAGE_FORMAT_MISSING(webp, "WebP", "libwebp")

#endif
