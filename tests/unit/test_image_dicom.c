/* image: DICOM files of others: the same picture in every transfer syntax; whatever there is is read or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"
#include "pictures.h"

/* Where Debian's python3-pydicom keeps its samples. */
#define SAMPLES "/usr/lib/python3/dist-packages/pydicom/data/test_files/"

static Image load(const char *path)
{
    Image im;
    Err err = {0};
    if (image_load(&im, path, &err)) fail_msg("%s", err.msg);
    return im;
}

static void syntaxes_agree(void **state)
{
    (void)state;
    static const struct {
        const char *name, *same;
        int tolerance;
        bool gdcm;
    } pairs[] = {
        {"MR_small_RLE.dcm", "MR_small.dcm", 0, false},
        {"MR_small_expb.dcm", "MR_small.dcm", 0, false},
        {"MR_small_implicit.dcm", "MR_small.dcm", 0, false},
        {"MR_small_bigendian.dcm", "MR_small.dcm", 0, false},
        {"MR_small_padded.dcm", "MR_small.dcm", 0, false},
        {"MR_small_jp2klossless.dcm", "MR_small.dcm", 0, true},
        {"MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm", 0, true},
        {"rtdose_rle_1frame.dcm", "rtdose_1frame.dcm", 0, false},
        {"rtdose_expb_1frame.dcm", "rtdose_1frame.dcm", 0, false},
        {"rtdose_rle.dcm#frame=14", "rtdose.dcm#frame=14", 0, false},
        {"SC_rgb_rle_2frame.dcm#frame=0", "SC_rgb_rle.dcm", 0, false},
        {"SC_rgb_rle_16bit.dcm", "SC_rgb_rle.dcm", 1, false},
        {"SC_rgb_rle_32bit.dcm", "SC_rgb_rle.dcm", 1, false},
        {"SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm", 0, true},
        {"SC_rgb_gdcm_KY.dcm", "SC_rgb_rle.dcm", 0, true},
        {"liver_expb_1frame.dcm", "liver_1frame.dcm", 0, false},
        {"JPGExtended.dcm", "JPEG-lossy.dcm", 0, true},
    };
    if (!file_exists(SAMPLES "MR_small.dcm")) skip();
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i].gdcm && !HAVE_GDCM) continue;
        char *a = path_join(SAMPLES, pairs[i].name), *b = path_join(SAMPLES, pairs[i].same);
        Image one = load(a), two = load(b);
        int d = pictures_difference(&one, &two);
        if (d > pairs[i].tolerance) fail_msg("%s and %s differ by %d", a, b, d);
        image_release(&one);
        image_release(&two);
        free(a);
        free(b);
    }
}

/* Every cut of a file is refused; so is a file without a picture. */
static void check_file(const char *path)
{
    FileMap map;
    Image im;
    Err err = {0};
    assert_int_equal(file_map(&map, path, &err), 0);
    for (size_t k = 1; k <= 8; k++) {
        size_t n = map.size * k / 8;
        unsigned char *copy = xmalloc(n + 1);
        memcpy(copy, map.data, n);
        err_clear(&err);
        int rc = image_decode(&im, copy, n, "", path, &err);
        assert_true((rc == 0) == (im.rgb != NULL) && (rc == 0) == (err.msg[0] == '\0'));
        if (rc == 0 && k < 7) fail_msg("%s: %zu of %zu bytes are taken for whole", path, n, map.size);
        image_release(&im);
        free(copy);
    }
    file_unmap(&map);
}

static void whatever_there_is_is_read_or_refused(void **state)
{
    (void)state;
    if (!dir_exists(SAMPLES)) skip();
    char **names;
    int n;
    Err err = {0};
    assert_int_equal(dir_list(SAMPLES, &names, &n, &err), 0);
    for (int i = 0; i < n; i++) {
        char *path = path_join(SAMPLES, names[i]);
        if (strstr(names[i], ".dcm")) check_file(path);
        free(path);
        free(names[i]);
    }
    free(names);
}

static void a_brain_slice_is_read(void **state)
{
    (void)state;
    const char *data = getenv("OSLER_DATA");
    char *path = path_join(data ? data : "../shared/data", "dicom/ctbrain1.dcm");
    if (!file_exists(path) || !(HAVE_JPEG || HAVE_GDCM)) {
        free(path);
        skip();
    }
    Image im = load(path);
    assert_int_equal(im.w, 510);
    assert_int_equal(im.h, 456);
    image_release(&im);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntaxes_agree),
        cmocka_unit_test(whatever_there_is_is_read_or_refused),
        cmocka_unit_test(a_brain_slice_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
