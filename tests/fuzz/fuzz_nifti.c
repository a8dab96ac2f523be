/*
 * Any bytes as a NIfTI volume: no crash; a plane whole or an error with a message.  The size says which plane, and whether
 * a window is given or to be found from the volume's percentiles, which takes most of the time.
 */
#include <stdint.h>

#include "image/decoder.h"
#include "pictures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!nifti_match(data, size)) return 0;
    ImageSource src = {.bytes = data, .n = size};
    src.view = (ImageView){.given = VIEW_PLANE, .plane = (ImagePlane)(PLANE_AXIAL + (int)(size % 3))};
    if (size / 3 % 4) src.view.given |= VIEW_WINDOW, src.view.centre = 40, src.view.width = 80;
    int w = 0, h = 0;
    Err err = {0}, size_err = {0};
    Image im = {0};
    int rc = nifti_decode(&im, &src, &err);
    CHECK((rc == 0) == (im.rgb != NULL) && (rc == 0) == (err.msg[0] == '\0'), "rc %d, '%s'", rc, err.msg);
    CHECK(rc || nifti_measure(&w, &h, &src, &size_err) == 0, "%s", size_err.msg);
    CHECK(rc || (im.w == w && im.h == h), "%d x %d, then %d x %d", w, h, im.w, im.h);
    image_release(&im);
    return 0;
}
