#include "image/data_uri.h"

#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "image/image.h"

static const char *browser_type(const unsigned char *p, size_t n)
{
    if (n > 3 && !memcmp(p, "\xff\xd8\xff", 3)) return "image/jpeg";
    if (n > 8 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8)) return "image/png";
    return NULL;
}

static int add_small_copy(Buf *out, const char *ref, int limit, Err *err)
{
    Image im = {0}, small = {0};
    Buf png = {0};
    if (image_load(&im, ref, err)) return -1;
    int longest = im.w > im.h ? im.w : im.h;
    if (longest < limit) limit = longest;
    int w = (int)((int64_t)im.w * limit / longest), h = (int)((int64_t)im.h * limit / longest);
    int rc = image_resize(&small, &im, w > 0 ? w : 1, h > 0 ? h : 1, err);
    if (rc == 0) rc = image_png(&png, &small, false, err);
    if (rc == 0) {
        buf_str(out, "data:image/png;base64,");
        base64_encode(out, (const unsigned char *)png.data, png.len);
    }
    buf_release(&png);
    image_release(&im);
    image_release(&small);
    return rc;
}

int image_data_uri(Buf *out, const char *ref, size_t as_it_is, int longest, Err *err)
{
    FileMap file = {0};
    Err why = {0};
    if (file_exists(ref) && file_map(&file, ref, &why) == 0) {
        const char *type = file.size <= as_it_is ? browser_type(file.data, file.size) : NULL;
        if (type) {
            buf_printf(out, "data:%s;base64,", type);
            base64_encode(out, file.data, file.size);
        }
        file_unmap(&file);
        if (type) return 0;
    }
    return add_small_copy(out, ref, longest, err);
}
