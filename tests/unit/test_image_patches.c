/* image: plan, resize and patches as PIL's and transformers', to the bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "image/decoder.h"
#include "image/gray_window.h"
#include "pictures.h"
#include "scratch.h"

/* ---- resize ------------------------------------------------------------------------------------------------------ */

static void resize_is_pillows(void **state)
{
    (void)state;
    if (!HAVE_PNG) skip();
    Image noise, got;
    Err err = {0};
    if (image_load(&noise, PICTURES "noise.png", &err)) fail_msg("%s", err.msg);
    FILE *f = fopen(PICTURES "resize.txt", "r");
    assert_non_null(f);
    Pictures expect = pictures_open("resize.ppm");
    int w, h, n = 0;
    while (fscanf(f, "%d %d", &w, &h) == 2) {
        Image want = pictures_next(&expect);
        assert_int_equal(image_resize(&got, &noise, w, h, &err), 0);
        int d = pictures_difference(&got, &want);
        if (d) fail_msg("%d x %d differs by %d", w, h, d);
        image_release(&got);
        image_release(&want);
        n++;
    }
    assert_true(n >= 10);
    pictures_close(&expect);
    fclose(f);
    image_release(&noise);
}

static void resize_refuses_what_is_no_size(void **state)
{
    (void)state;
    unsigned char rgb[] = {1, 2, 3};
    Image im = {1, 1, rgb}, out;
    const int bad[][2] = {{0, 5}, {5, 0}, {-1, 5}, {1 << 20, 1 << 20}};
    for (int i = 0; i < 4; i++) {
        Err err = {0};
        assert_int_equal(image_resize(&out, &im, bad[i][0], bad[i][1], &err), -1);
        assert_null(out.rgb);
    }
}

static void a_flat_picture_stays_flat(void **state)
{
    (void)state;
    Rng rng = rng_at(3, RNG_TEST, 0, 0, 0);
    for (int round = 0; round < 30; round++) {
        Image im, out;
        Err err = {0};
        assert_int_equal(image_alloc(&im, 1 + rng_below(&rng, 70), 1 + rng_below(&rng, 70), &err), 0);
        unsigned char level = (unsigned char)rng_u32(&rng);
        memset(im.rgb, level, 3 * (size_t)im.w * (size_t)im.h);
        int w = 1 + (int)rng_below(&rng, 90), h = 1 + (int)rng_below(&rng, 90);
        assert_int_equal(image_resize(&out, &im, w, h, &err), 0);
        for (int i = 0; i < 3 * w * h; i++) assert_int_equal(out.rgb[i], level);
        image_release(&im);
        image_release(&out);
    }
}

/* ---- plan -------------------------------------------------------------------------------------------------------- */

static void plan_is_smart_resize(void **state)
{
    (void)state;
    /* width, height, min_pixels, max_pixels, planned width and height: from transformers' smart_resize */
    static const int cases[][6] = {
        {640, 480, 3136, 1003520, 644, 476}, {42, 70, 3136, 1003520, 56, 56},
        {14, 14, 3136, 1003520, 56, 56},     {1, 1, 3136, 1003520, 56, 56},
        {1, 200, 3136, 1003520, 28, 812},    {4000, 3000, 3136, 1003520, 1148, 840},
        {3000, 30, 3136, 200704, 2996, 28},  {28, 28, 3136, 200704, 56, 56},
        {98, 126, 3136, 200704, 112, 112},   {5000, 40, 3136, 100352, 3528, 28},
        {224, 224, 3136, 1003520, 224, 224}, {513, 384, 200704, 12845056, 532, 392},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int *c = cases[i];
        ImageProcessor p;
        ImagePlan plan;
        Err err = {0};
        image_processor_default(&p);
        p.min_pixels = c[2];
        p.max_pixels = c[3];
        if (image_plan(&plan, &p, c[0], c[1], &err)) fail_msg("%s", err.msg);
        if (plan.w != c[4] || plan.h != c[5]) fail_msg("%d x %d becomes %d x %d", c[0], c[1], plan.w, plan.h);
        assert_int_equal(plan.grid_w, plan.w / 14);
        assert_int_equal(plan.grid_h, plan.h / 14);
        assert_int_equal(plan.tokens, plan.w / 28 * (plan.h / 28));
    }
}

static void plan_refuses_ribbons(void **state)
{
    (void)state;
    ImageProcessor p;
    ImagePlan plan;
    Err err = {0};
    image_processor_default(&p);
    assert_int_equal(image_plan(&plan, &p, 201, 1, &err), -1);
    assert_non_null(strstr(err.hint, "200"));
    err_clear(&err);
    assert_int_equal(image_plan(&plan, &p, 0, 1, &err), -1);
}

/* ---- patches ----------------------------------------------------------------------------------------------------- */

static void check_patches(FILE *expect, const char *name, const ImageProcessor *p, int grid_h, int grid_w,
                          double tolerance)
{
    char *path = path_join(PICTURES, name);
    int w, h;
    ImagePlan plan;
    Err err = {0};
    if (image_size(&w, &h, path, &err)) fail_msg("%s", err.msg);
    assert_int_equal(image_plan(&plan, p, w, h, &err), 0);
    assert_int_equal(plan.grid_h, grid_h);
    assert_int_equal(plan.grid_w, grid_w);
    size_t bytes = image_patch_bytes(p, &plan);
    float *got = xmalloc(bytes), *want = xmalloc(bytes);
    unsigned char *rgb = xmalloc(image_plan_bytes(&plan));
    assert_int_equal(fread(want, 1, bytes, expect), bytes);
    if (image_load_planned(rgb, p, &plan, path, &err)) fail_msg("%s", err.msg);
    image_patches(got, p, &plan, rgb);
    for (size_t i = 0; i < bytes / sizeof *got; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= tolerance)) fail_msg("%s: value %zu is %g, not %g", name, i, (double)got[i], (double)want[i]);
    }
    free(got);
    free(want);
    free(rgb);
    free(path);
}

static void patches_are_transformers(void **state)
{
    (void)state;
    if (!HAVE_PNG || !HAVE_JPEG) skip();
    FILE *f = fopen(PICTURES "patches.txt", "r"), *expect = fopen(PICTURES "patches.f32", "rb");
    assert_non_null(f);
    assert_non_null(expect);
    char name[64];
    int patch, merge, least, most, grid_h, grid_w, n = 0;
    while (fscanf(f, "%63s %d %d %d %d %d %d", name, &patch, &merge, &least, &most, &grid_h, &grid_w) == 7) {
        ImageProcessor p;
        image_processor_default(&p);
        p.patch = patch;
        p.merge = merge;
        p.min_pixels = least;
        p.max_pixels = most;
        bool lossy = strstr(name, ".jpg") != NULL; /* decoders may differ by a step of 1 / 255 / 0.26 */
        check_patches(expect, name, &p, grid_h, grid_w, lossy ? 0.02 : 0);
        n++;
    }
    assert_int_equal(n, 3);
    assert_int_equal(fgetc(expect), EOF);
    fclose(f);
    fclose(expect);
}

/* Every value at its place, for patches of other sizes than the usual: [window][channel][time][y][x]. */
static void patches_are_where_they_belong(void **state)
{
    (void)state;
    static const int sizes[][3] = {{14, 2, 2}, {14, 1, 1}, {14, 3, 3}, {7, 2, 2}, {5, 3, 1}, {1, 1, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ImageProcessor p;
        image_processor_default(&p);
        p.patch = sizes[i][0], p.temporal = sizes[i][1], p.merge = sizes[i][2];
        int side = p.patch * p.merge, w = 3 * side, h = 2 * side, area = p.patch * p.patch;
        const ImagePlan plan = {w, h, w / p.patch, h / p.patch, 6};
        unsigned char *rgb = xmalloc(image_plan_bytes(&plan));
        float *got = xmalloc(image_patch_bytes(&p, &plan));
        Rng rng = rng_at(5, RNG_TEST, (uint32_t)i, 0, 0);
        for (size_t k = 0; k < image_plan_bytes(&plan); k++) rgb[k] = (unsigned char)rng_u32(&rng);
        image_patches(got, &p, &plan, rgb);
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < 3 * w; x++) {
                int px = x / 3 / p.patch, py = y / p.patch, c = x % 3, m = p.merge;
                int row = (py / m * (plan.grid_w / m) + px / m) * m * m + py % m * m + px % m;
                const float *at = got + row * image_patch_dim(&p) + c * p.temporal * area + y % p.patch * p.patch;
                float value = (float)(rgb[y * 3 * w + x] * p.rescale);
                value = (value - (float)p.mean[c]) / (float)p.std[c];
                for (int t = 0; t < p.temporal; t++) assert_true(at[t * area + x / 3 % p.patch] == value);
            }
        }
        free(got);
        free(rgb);
    }
}

/* ---- preprocessor_config.json ------------------------------------------------------------------------------------ */

static int load_config(ImageProcessor *p, const char *name, const char *text, Err *err)
{
    char *dir = scratch_new(), *path = path_join(dir, name);
    Err write_err = {0};
    assert_int_equal(file_save(path, text, strlen(text), &write_err), 0);
    err_clear(err);
    int rc = image_processor_load(p, dir, err);
    free(path);
    scratch_free(dir);
    return rc;
}

static void both_layouts_are_read(void **state)
{
    (void)state;
    ImageProcessor p;
    Err err = {0};
    assert_int_equal(
        load_config(&p, "preprocessor_config.json",
                    "{\"min_pixels\": 100, \"max_pixels\": 5000, \"patch_size\": 7, \"merge_size\": 3, "
                    "\"temporal_patch_size\": 1, \"image_mean\": [0.1, 0.2, 0.3], \"image_std\": [1, 2, 3], "
                    "\"rescale_factor\": 0.5, \"size\": {\"shortest_edge\": 1, \"longest_edge\": 2}}",
                    &err),
        0);
    assert_int_equal(p.min_pixels, 100);
    assert_int_equal(p.max_pixels, 5000);
    assert_int_equal(p.patch, 7);
    assert_int_equal(p.merge, 3);
    assert_int_equal(p.temporal, 1);
    assert_true(p.mean[2] == 0.3 && p.std[1] == 2 && p.rescale == 0.5);
    assert_int_equal(load_config(&p, "preprocessor_config.json",
                                 "{\"size\": {\"shortest_edge\": 784, \"longest_edge\": 7840}, \"min_pixels\": null}",
                                 &err),
                     0);
    assert_int_equal(p.min_pixels, 784);
    assert_int_equal(p.max_pixels, 7840);
    assert_int_equal(load_config(&p, "preprocessor_config.json", "{}", &err), 0);
    assert_int_equal(p.min_pixels, 56 * 56);
    assert_int_equal(p.max_pixels, 28 * 28 * 1280);
    assert_int_equal(load_config(&p, "processor_config.json",
                                 "{\"image_processor\": {\"size\": {\"shortest_edge\": 11, \"longest_edge\": 999}}}",
                                 &err),
                     0);
    assert_int_equal(p.min_pixels, 11);
}

static void bad_configs_say_why(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "not an object"},
        {"{\"min_pixels\": 0}", "out of range"},
        {"{\"min_pixels\": 500, \"max_pixels\": 400}", "out of range"},
        {"{\"max_pixels\": 9000000000000000000}", "out of range"},
        {"{\"patch_size\": 0}", "out of range"},
        {"{\"image_std\": [1, 0, 1]}", "out of range"},
        {"{\"image_mean\": [1, 0]}", "three numbers"},
        {"{\"image_mean\": [1, 0, \"x\"]}", "three numbers"},
        {"{\"do_resize\": false}", "\"do_resize\": false is not supported"},
        {"{\"resample\": 2}", "bicubic"},
        {"{\"max_pixels\": \"many\"}", "max_pixels"},
    };
    ImageProcessor p;
    Err err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(load_config(&p, "preprocessor_config.json", cases[i][0], &err), -1);
        if (!strstr(err.msg, cases[i][1])) fail_msg("%s: %s", cases[i][0], err.msg);
        assert_non_null(strstr(err.msg, "preprocessor_config.json"));
    }
    assert_int_equal(load_config(&p, "processor_config.json", "{\"processor_class\": \"x\"}", &err), -1);
    assert_non_null(strstr(err.msg, "no preprocessor_config.json"));
    assert_true(err.hint[0]);
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------- */

static void sixteen_bits_are_divided_by_257(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 65536; v++) assert_int_equal(gray_from_16(v), (int)floor(v / 257.0 + 0.5));
}

static void windows_are_the_standards(void **state)
{
    (void)state;
    /* PS3.3 C.11.2.1.2.1, its own examples: c = 2048, w = 4096; c = 2048, w = 1; c = 0, w = 100; c = 0, w = 1 */
    GrayWindow full = gray_window(2048, 4096), edge = gray_window(2048, 1), narrow = gray_window(0, 100),
               zero = gray_window(0, 1);
    assert_int_equal(gray_window_apply(&full, 0), 0);
    assert_int_equal(gray_window_apply(&full, 4095), 255);
    assert_int_equal(gray_window_apply(&full, 2047.5), 128);
    assert_int_equal(gray_window_apply(&edge, 2047.5), 0);
    assert_int_equal(gray_window_apply(&edge, 2047.6), 255);
    assert_int_equal(gray_window_apply(&narrow, -50), 0);
    assert_int_equal(gray_window_apply(&narrow, 49), 255);
    assert_int_equal(gray_window_apply(&narrow, -49), (int)nearbyint(255.0 / 99));
    assert_int_equal(gray_window_apply(&zero, -0.5), 0);
    assert_int_equal(gray_window_apply(&zero, 0), 255);
    GrayWindow unit = gray_window_range(0, 1), flat = gray_window_range(5, 5);
    assert_int_equal(gray_window_apply(&unit, 0.25), 64);
    assert_int_equal(gray_window_apply(&unit, -HUGE_VAL), 0);
    assert_int_equal(gray_window_apply(&unit, HUGE_VAL), 255);
    assert_int_equal(gray_window_apply(&unit, nan("")), 0);
    assert_int_equal(gray_window_apply(&flat, 5), 0);
    assert_int_equal(gray_window_apply(&flat, 5.1), 255);
}

/* Turning a picture and turning it back. */
static void orientations_are_turns(void **state)
{
    (void)state;
    static const int back[9] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    unsigned char rgb[18];
    for (int i = 0; i < 18; i++) rgb[i] = (unsigned char)i;
    for (int o = 1; o <= 8; o++) {
        Image im;
        Err err = {0};
        assert_int_equal(image_alloc(&im, 3, 2, &err), 0);
        memcpy(im.rgb, rgb, 18);
        orientation_apply(&im, o);
        int w = 3, h = 2;
        orientation_apply_size(&w, &h, o);
        assert_true(im.w == w && im.h == h && (w == 2) == (o >= 5));
        assert_true((memcmp(im.rgb, rgb, 18) == 0) == (o == 1));
        orientation_apply(&im, back[o]);
        assert_memory_equal(im.rgb, rgb, 18);
        image_release(&im);
    }
}

static void damaged_exif_is_upright(void **state)
{
    (void)state;
    unsigned char exif[] = {'E', 'x', 'i', 'f',  0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
                            0,   1,   1,   0x12, 0, 3, 0,   0,   0, 1,  0, 6, 0, 0};
    assert_int_equal(orientation_from_exif(exif, sizeof exif), 6);
    assert_int_equal(orientation_from_exif(exif + 6, sizeof exif - 6), 6);
    for (size_t n = 0; n < sizeof exif; n++) {
        unsigned char *copy = xmalloc(n + 1);
        memcpy(copy, exif, n);
        assert_int_equal(orientation_from_exif(copy, n), 1);
        free(copy);
    }
    exif[25] = 9;
    assert_int_equal(orientation_from_exif(exif, sizeof exif), 1);
    exif[25] = 6;
    exif[10] = 0xff;
    assert_int_equal(orientation_from_exif(exif, sizeof exif), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_is_pillows),
        cmocka_unit_test(resize_refuses_what_is_no_size),
        cmocka_unit_test(a_flat_picture_stays_flat),
        cmocka_unit_test(plan_is_smart_resize),
        cmocka_unit_test(plan_refuses_ribbons),
        cmocka_unit_test(patches_are_transformers),
        cmocka_unit_test(patches_are_where_they_belong),
        cmocka_unit_test(both_layouts_are_read),
        cmocka_unit_test(bad_configs_say_why),
        cmocka_unit_test(sixteen_bits_are_divided_by_257),
        cmocka_unit_test(windows_are_the_standards),
        cmocka_unit_test(orientations_are_turns),
        cmocka_unit_test(damaged_exif_is_upright),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
