/* Any bytes as a picture: no crash; all of it or an error with a message; the size read first is the size decoded. */
#include <stdint.h>

#include "image/decoder.h"
#include "pictures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PIXELS = 1 << 18 }; /* larger pictures only cost time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        ImageMatch *match;
        ImageDecode *decode;
        ImageMeasure *measure;
    } format[] = {
        {jpeg_match, jpeg_decode, jpeg_measure},
        {png_match, png_decode, png_measure},
        {webp_match, webp_decode, webp_measure},
        {tiff_match, tiff_decode, tiff_measure},
    };
    ImageSource src = {.bytes = data, .n = size};
    for (int i = 0; i < 4; i++) {
        if (!format[i].match(data, size)) continue;
        int w = 0, h = 0;
        Err err = {0};
        if (format[i].measure(&w, &h, &src, &err) || (int64_t)w * h > MAX_PIXELS) return 0;
        Image im = {0};
        int rc = format[i].decode(&im, &src, &err);
        CHECK((rc == 0) == (im.rgb != NULL) && (rc == 0) == (err.msg[0] == '\0'), "rc %d, '%s'", rc, err.msg);
        CHECK(rc || (im.w == w && im.h == h), "%d x %d, then %d x %d", w, h, im.w, im.h);
        image_release(&im);
    }
    return 0;
}
