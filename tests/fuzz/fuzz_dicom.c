/* Any bytes as DICOM: no crash; a whole frame or an error with a message. */
#include <stdint.h>

#include "image/decoder.h"
#include "pictures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PIXELS = 1 << 18 }; /* larger pictures only cost time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ImageSource src = {.bytes = data, .n = size};
    for (int frame = 0; frame < 2; frame++) {
        src.view = (ImageView){.given = VIEW_FRAME, .frame = frame};
        int w = 0, h = 0;
        Err err = {0};
        if (dicom_measure(&w, &h, &src, &err) || (int64_t)w * h > MAX_PIXELS) return 0;
        Image im = {0};
        int rc = dicom_decode(&im, &src, &err);
        CHECK((rc == 0) == (im.rgb != NULL) && (rc == 0) == (err.msg[0] == '\0'), "rc %d, '%s'", rc, err.msg);
        CHECK(rc || (im.w == w && im.h == h), "%d x %d, then %d x %d", w, h, im.w, im.h);
        image_release(&im);
    }
    return 0;
}
