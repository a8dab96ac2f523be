/* Pictures inside the page. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "eval/report.h"
#include "image/image.h"

static const char *browser_type(const unsigned char *p, size_t n)
{
    if (n > 3 && !memcmp(p, "\xff\xd8\xff", 3)) return "image/jpeg";
    if (n > 8 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8)) return "image/png";
    return NULL;
}

static bool small_copy(Buf *out, const char *ref)
{
    Image im = {0}, small = {0};
    Buf png = {0};
    Err err = {0};
    if (image_load(&im, ref, &err)) return false;
    int longest = im.w > im.h ? im.w : im.h, limit = longest < REPORT_PIXELS ? longest : REPORT_PIXELS;
    int w = (int)((int64_t)im.w * limit / longest), h = (int)((int64_t)im.h * limit / longest);
    bool ok =
        image_resize(&small, &im, w > 0 ? w : 1, h > 0 ? h : 1, &err) == 0 && image_png(&png, &small, false, &err) == 0;
    if (ok) {
        buf_str(out, "data:image/png;base64,");
        base64_encode(out, (const unsigned char *)png.data, png.len);
    }
    buf_release(&png);
    image_release(&im);
    image_release(&small);
    return ok;
}

bool image_data_uri(Buf *out, const char *ref)
{
    enum { AS_IT_IS = 64 << 10 };
    FileMap file = {0};
    Err err = {0};
    if (file_exists(ref) && file_map(&file, ref, &err) == 0) {
        const char *type = file.size <= AS_IT_IS ? browser_type(file.data, file.size) : NULL;
        if (type) {
            buf_printf(out, "data:%s;base64,", type);
            base64_encode(out, file.data, file.size);
        }
        file_unmap(&file);
        if (type) return true;
    }
    return small_copy(out, ref);
}
