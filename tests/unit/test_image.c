/* image: every kind of picture against what independent readers make of it; damaged files are errors. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/rng.h"
#include "image/image.h"
#include "image/volume.h"
#include "pictures.h"
#include "scratch.h"

/* Calls check(ref, tolerance, expected) for every case of cases.txt. */
static void each_case(void (*check)(const char *ref, int tolerance, const Image *want))
{
    FILE *f = fopen(PICTURES "cases.txt", "r");
    assert_non_null(f);
    Pictures expect = pictures_open("expect.ppm");
    char ref[200];
    int tolerance, n = 0;
    while (fscanf(f, "%199s %d", ref, &tolerance) == 2) {
        Image want = pictures_next(&expect);
        char *path = path_join(PICTURES, ref);
        check(path, tolerance, &want);
        free(path);
        image_release(&want);
        n++;
    }
    assert_true(n > 150);
    pictures_close(&expect);
    fclose(f);
}

static bool has_ending(const char *ref, const char *ending)
{
    const char *hash = strrchr(ref, '#');
    size_t n = hash ? (size_t)(hash - ref) : strlen(ref), m = strlen(ending);
    return n > m && strncmp(ref + n - m, ending, m) == 0;
}

/* Whether this build has the library for a file. */
static bool is_built(const char *ref)
{
    return (HAVE_PNG || !has_ending(ref, ".png")) && (HAVE_JPEG || !has_ending(ref, ".jpg")) &&
           (HAVE_WEBP || !has_ending(ref, ".webp")) && (HAVE_TIFF || !has_ending(ref, ".tif")) &&
           (HAVE_ZLIB || !(has_ending(ref, ".gz") || has_ending(ref, "deflated.dcm"))) &&
           (HAVE_GDCM || !(has_ending(ref, "j2k.dcm") || has_ending(ref, "j2k16.dcm"))) &&
           (HAVE_JPEG || HAVE_GDCM || !(has_ending(ref, "jpeg.dcm") || has_ending(ref, "jpeg_colour.dcm")));
}

static void check_picture(const char *ref, int tolerance, const Image *want)
{
    Image im;
    Err err = {0};
    int w, h;
    if (!is_built(ref)) {
        assert_int_equal(image_load(&im, ref, &err), -1);
        assert_non_null(strstr(err.msg, "built without"));
        return;
    }
    if (image_load(&im, ref, &err)) fail_msg("%s", err.msg);
    int d = pictures_difference(&im, want);
    if (d > tolerance) fail_msg("%s: %d x %d, differs by %d", ref, im.w, im.h, d);
    if (image_size(&w, &h, ref, &err)) fail_msg("%s", err.msg);
    assert_int_equal(w, im.w);
    assert_int_equal(h, im.h);
    image_release(&im);
}

static void pictures_are_as_expected(void **state)
{
    (void)state;
    each_case(check_picture);
}

/* The file of a reference, and what follows '#'. */
static const char *open_file(FileMap *map, const char *ref)
{
    Err err = {0};
    const char *hash = strrchr(ref, '#');
    char *path = hash ? xstrndup(ref, (size_t)(hash - ref)) : xstrdup(ref);
    assert_int_equal(file_map(map, path, &err), 0);
    free(path);
    return hash ? hash + 1 : "";
}

static bool is_pair(const char *ref)
{
    return has_ending(ref, ".img") || has_ending(ref, ".hdr.gz");
}

static void check_memory(const char *ref, int tolerance, const Image *want)
{
    if (!is_built(ref)) return;
    FileMap map;
    Image im;
    Err err = {0};
    const char *fragment = open_file(&map, ref);
    int rc = image_decode(&im, map.data, map.size, fragment, "upload", &err);
    if (is_pair(ref)) {
        assert_int_equal(rc, -1);
    } else {
        if (rc) fail_msg("%s: %s", ref, err.msg);
        assert_true(pictures_difference(&im, want) <= tolerance);
    }
    image_release(&im);
    file_unmap(&map);
}

static void memory_gives_the_same(void **state)
{
    (void)state;
    each_case(check_memory);
}

/* Exact copy in the heap, so that a sanitizer sees a read past the end. */
static int decode_copy(const unsigned char *bytes, size_t n, const char *fragment)
{
    unsigned char *copy = xmalloc(n + (n == 0));
    memcpy(copy, bytes, n);
    Image im;
    Err err = {0};
    int rc = image_decode(&im, copy, n, fragment, "copy", &err);
    assert_true((rc == 0) == (im.rgb != NULL));
    assert_true((rc == 0) == (err.msg[0] == '\0'));
    image_release(&im);
    free(copy);
    return rc;
}

/* In these the first page or frame is whole long before the file ends. */
static bool is_first_of_many(const char *ref)
{
    return has_ending(ref, "pages.tif") || has_ending(ref, "animated.webp");
}

static void check_cut(const char *ref, int tolerance, const Image *want)
{
    (void)tolerance, (void)want;
    FileMap map;
    const char *fragment = open_file(&map, ref);
    for (size_t k = 0; k < 12; k++) {
        size_t n = k < 10 ? map.size * k / 10 : map.size - (k - 9) * 3;
        if (k >= 10 && has_ending(ref, ".tif")) continue; /* where the next page begins may be missing */
        int rc = decode_copy(map.data, n, fragment);
        if (rc == 0 && !is_first_of_many(ref)) fail_msg("%s: %zu of %zu bytes are taken for whole", ref, n, map.size);
    }
    file_unmap(&map);
}

static void cut_files_are_errors(void **state)
{
    (void)state;
    each_case(check_cut);
}

static void check_damaged(const char *ref, int tolerance, const Image *want)
{
    (void)tolerance, (void)want;
    FileMap map;
    const char *fragment = open_file(&map, ref);
    unsigned char *copy = xmalloc(map.size);
    Rng rng = rng_at(hash_bytes(HASH_INIT, ref, strlen(ref)), RNG_TEST, 0, 0, 0);
    for (int round = 0; round < 8; round++) {
        memcpy(copy, map.data, map.size);
        uint32_t head = map.size < 400 ? (uint32_t)map.size : 400; /* where the sizes stand */
        for (int k = 0; k < 3; k++)
            copy[rng_below(&rng, round & 1 ? head : (uint32_t)map.size)] = (unsigned char)rng_u32(&rng);
        decode_copy(copy, map.size, fragment);
    }
    free(copy);
    file_unmap(&map);
}

static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    each_case(check_damaged);
}

/* ---- references -------------------------------------------------------------------------------------------------- */

static void expect_error(const char *ref, const char *message, const char *hint)
{
    Image im;
    Err err = {0};
    int w, h;
    assert_int_equal(image_load(&im, ref, &err), -1);
    if (!strstr(err.msg, message)) fail_msg("%s: '%s' is not in '%s'", ref, message, err.msg);
    if (hint && !strstr(err.hint, hint)) fail_msg("%s: '%s' is not in '%s'", ref, hint, err.hint);
    assert_null(im.rgb);
    err_clear(&err);
    assert_int_equal(image_size(&w, &h, ref, &err), -1);
    if (!strstr(err.msg, message)) fail_msg("size of %s: '%s' is not in '%s'", ref, message, err.msg);
}

static void bad_references_say_why(void **state)
{
    (void)state;
    expect_error("nowhere.png", "nowhere.png: No such file", NULL);
    expect_error(PICTURES "u8.nii#axil=3", "unknown key 'axil'", "axial");
    expect_error(PICTURES "u8.nii#axial", "'axial' after '#' has no value", NULL);
    expect_error(PICTURES "u8.nii#axial=1&axial=2", "'axial' is a second plane", NULL);
    expect_error(PICTURES "u8.nii#axial=1&coronal=2", "'coronal' is a second plane", "one of");
    expect_error(PICTURES "u8.nii#axial=-1", "axial=-1: not a whole number", NULL);
    expect_error(PICTURES "u8.nii#axial=1x", "axial=1x: not a whole number", NULL);
    expect_error(PICTURES "u8.nii#axial=99999999999", "not a whole number", NULL);
    expect_error(PICTURES "u8.nii#axial=1&window=4", "window=4: not two numbers", "CENTRE,WIDTH");
    expect_error(PICTURES "u8.nii#axial=1&window=4,nan", "not two numbers", NULL);
    expect_error(PICTURES "u8.nii#axial=1&window=4,5,6", "not two numbers", NULL);
    expect_error(PICTURES "u8.nii#axial=1&window=4,0.5", "at least 1", "C.11.2.1.2.1");
    expect_error(PICTURES "u8.nii#axial=1&window=4,5&window=4,5", "'window' is given twice", NULL);
    expect_error(PICTURES "u8.nii#axial=1&frame=0", "a NIfTI file takes no 'frame'", NULL);
    expect_error(PICTURES "rgb420.jpg#window=4,5", "a JPEG file takes no 'window'", NULL);
    expect_error(PICTURES "gray8.png#sagittal=0", "a PNG file takes no 'sagittal'", NULL);
    expect_error(PICTURES "u8.nii", "needs a plane", "#sagittal=K (0..6)");
    expect_error(PICTURES "u8.nii#axial=5", "axial=5: the volume has planes 0 to 4", NULL);
    expect_error(PICTURES "cases.txt", "not a picture of a known format", "NIfTI");
    expect_error(PICTURES "colour.dcm#window=4,5", "in colour takes no 'window'", NULL);
    expect_error(PICTURES "frames.dcm#frame=3", "frame=3: the file has 3 frames", "from 0");
    expect_error(PICTURES "frames.dcm#axial=3", "a DICOM file takes no 'axial'", NULL);
}

static void volumes_are_counted(void **state)
{
    (void)state;
    Image im;
    Err err = {0};
    assert_int_equal(image_load(&im, PICTURES "u8.nii#axial=0&volume=1", &err), -1);
    assert_non_null(strstr(err.msg, "volume=1: the file has 1 volume"));
}

static void copy_to(const char *from, const char *to)
{
    Err err = {0};
    if (file_copy(to, from, &err)) fail_msg("%s", err.msg);
}

static void names_may_hold_a_hash(void **state)
{
    (void)state;
    char *dir = scratch_new(), *odd = path_join(dir, "scan#axial=2"), *ref = path_join(dir, "a#b.nii#axial=1");
    char *volume = path_join(dir, "a#b.nii");
    Image im;
    Err err = {0};
    copy_to(PICTURES "u8.nii", volume);
    if (image_load(&im, ref, &err)) fail_msg("%s", err.msg);
    image_release(&im);
#if HAVE_PNG
    copy_to(PICTURES "gray8.png", odd);
    if (image_load(&im, odd, &err)) fail_msg("%s", err.msg);
    image_release(&im);
#endif
    free(volume);
    free(ref);
    free(odd);
    scratch_free(dir);
}

/* ---- volumes ----------------------------------------------------------------------------------------------------- */

static void a_changed_volume_is_read_again(void **state)
{
    (void)state;
    char *dir = scratch_new(), *path = path_join(dir, "x.nii"), *ref = xasprintf("%s#coronal=4", path);
    Image before, again, after;
    Err err = {0};
    copy_to(PICTURES "u8.nii", path);
    assert_int_equal(image_load(&before, ref, &err), 0);
    assert_int_equal(image_load(&again, ref, &err), 0);
    copy_to(PICTURES "f32.nii", path);
    assert_int_equal(image_load(&after, ref, &err), 0);
    assert_int_equal(pictures_difference(&before, &again), 0);
    assert_true(pictures_difference(&before, &after) > 0);
    image_release(&before);
    image_release(&again);
    image_release(&after);
    volume_cache_clear();
    free(ref);
    free(path);
    scratch_free(dir);
}

static void *load_planes(void *arg)
{
    int *bad = arg;
    static const char *const names[] = {"i16.nii", "u16.nii", "f64.nii"};
    for (int k = 0; k < 60; k++) {
        char *ref = xasprintf("%s%s#axial=%d", PICTURES, names[k % 3], k % 5);
        Image im;
        Err err = {0};
        if (image_load(&im, ref, &err)) (*bad)++;
        image_release(&im);
        if (k % 20 == 0) volume_cache_clear();
        free(ref);
    }
    return NULL;
}

static void threads_share_volumes(void **state)
{
    (void)state;
    pthread_t thread[4];
    int bad[4] = {0};
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, load_planes, &bad[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(bad[i], 0);
    }
    volume_cache_clear();
}

/* ---- sizes that must not be believed ----------------------------------------------------------------------------- */

static void expect_refused(const unsigned char *bytes, size_t n, const char *fragment, const char *message)
{
    Image im;
    Err err = {0};
    assert_int_equal(image_decode(&im, bytes, n, fragment, "bomb", &err), -1);
    if (!strstr(err.msg, message)) fail_msg("'%s' is not in '%s'", message, err.msg);
}

static void bombs_are_refused(void **state)
{
    (void)state;
#if HAVE_PNG
    static const unsigned char png[] = {0x89, 'P',  'N',  'G',  13,   10,   26, 10, 0,    0,    0,   13,  'I', 'H',
                                        'D',  'R',  0,    0,    0xff, 0xff, 0,  0,  0xff, 0xff, 8,   0,   0,   0,
                                        0,    0xa7, 0x62, 0x65, 0x7e, 0,    0,  0,  0,    'I',  'D', 'A', 'T'};
    Image im;
    Err err = {0};
    assert_int_equal(image_decode(&im, png, sizeof png, "", "bomb", &err), -1); /* too large, or a wrong checksum */
#endif
    FileMap map;
    Err open_err = {0};
    assert_int_equal(file_map(&map, PICTURES "u8.nii", &open_err), 0);
    unsigned char *copy = xmalloc(map.size);
    memcpy(copy, map.data, map.size);
    for (int i = 1; i <= 3; i++) { /* 32767 x 32767 x 32767 */
        copy[40 + 2 * i] = 0xff;
        copy[41 + 2 * i] = 0x7f;
    }
    expect_refused(copy, map.size, "axial=0", "shorter than the header says");
    free(copy);
    file_unmap(&map);
#if HAVE_JPEG
    assert_int_equal(file_map(&map, PICTURES "gray.jpg", &open_err), 0);
    copy = xmalloc(map.size);
    memcpy(copy, map.data, map.size);
    unsigned char *sof = memmem(copy, map.size, "\xff\xc0", 2);
    assert_non_null(sof);
    memset(sof + 5, 0xff, 4);
    expect_refused(copy, map.size, "", "broken JPEG"); /* libjpeg stops at 65500 */
    sof[5] = sof[7] = 0xf0;
    expect_refused(copy, map.size, "", "pixels are too many");
    free(copy);
    file_unmap(&map);
#endif
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

static void check_saved(const Image *im, const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    Image back;
    Err err = {0};
    if (image_save(im, path, &err)) fail_msg("%s", err.msg);
    if (image_load(&back, path, &err)) fail_msg("%s", err.msg);
    assert_int_equal(pictures_difference(im, &back), 0);
    image_release(&back);
    free(path);
}

static void saved_pictures_are_the_same(void **state)
{
    (void)state;
    unsigned char rgb[] = {1, 2, 3, 250, 251, 252, 0, 0, 0, 255, 255, 255, 9, 9, 9, 10, 11, 13};
    Image im = {3, 2, rgb};
    char *dir = scratch_new(), *ppm = path_join(dir, "x.ppm"), *pgm = path_join(dir, "x.pgm"),
         *bmp = path_join(dir, "x.bmp");
    Err err = {0};
#if HAVE_PNG
    check_saved(&im, dir, "x.png");
#else
    (void)check_saved;
#endif
    Buf b = {0};
    assert_int_equal(image_save(&im, ppm, &err), 0);
    assert_int_equal(file_read(&b, ppm, 100, &err), 0);
    assert_int_equal(b.len, 11 + sizeof rgb);
    assert_memory_equal(b.data, "P6\n3 2\n255\n", 11);
    assert_memory_equal(b.data + 11, rgb, sizeof rgb);
    assert_int_equal(image_save(&im, pgm, &err), 0);
    assert_int_equal(file_read(&b, pgm, 100, &err), 0);
    assert_int_equal(b.len, 11 + 6);
    assert_memory_equal(b.data, "P5\n3 2\n255\n\x02\xfb\x00\xff\x09\x0b", 17);
    assert_int_equal(image_save(&im, bmp, &err), -1);
    assert_non_null(strstr(err.hint, ".png, .ppm or .pgm"));
    buf_release(&b);
    free(ppm);
    free(pgm);
    free(bmp);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_as_expected),    cmocka_unit_test(memory_gives_the_same),
        cmocka_unit_test(cut_files_are_errors),        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(bad_references_say_why),      cmocka_unit_test(volumes_are_counted),
        cmocka_unit_test(names_may_hold_a_hash),       cmocka_unit_test(a_changed_volume_is_read_again),
        cmocka_unit_test(threads_share_volumes),       cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(saved_pictures_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
