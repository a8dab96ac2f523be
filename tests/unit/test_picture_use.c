/* Questions with other pictures than their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "eval/picture_use.h"
#include "image/image.h"
#include "scratch.h"

enum { N = 7 };

/* Questions 0 to 4 with a picture each, 5 with two, 6 with none. */
static void load(EvalRun *run, const char *dir)
{
    Err err = {0};
    Buf b = {0};
    for (int i = 0; i < N; i++) {
        buf_printf(&b,
                   "{\"id\": \"%d\", \"kind\": \"yesno\", \"question\": \"Is it?\", \"answer\": \"yes\", "
                   "\"response\": \"yes\", \"images\": [",
                   i);
        if (i < 6) buf_printf(&b, "\"%d.png\"", i);
        if (i == 5) buf_str(&b, ", \"6.png\"");
        buf_str(&b, "]}\n");
    }
    for (int i = 0; i < N; i++) {
        Image im = {.w = 4 + i, .h = 5};
        im.rgb = xcalloc(3, (size_t)(im.w * im.h));
        char name[16], *path;
        snprintf(name, sizeof name, "%d.png", i);
        path = path_join(dir, name);
        assert_int_equal(image_save(&im, path, &err), 0);
        image_release(&im);
        free(path);
    }
    char *rows = path_join(dir, "rows.jsonl");
    *run = (EvalRun){0};
    if (file_save(rows, b.data, b.len, &err) || run_load_responses(run, rows, &err)) fail_msg("%s", err.msg);
    free(rows);
    buf_release(&b);
}

static void test_other(void **state)
{
    (void)state;
    char *dir = scratch_new();
    for (uint64_t seed = 0; seed < 20; seed++) {
        EvalRun run;
        Err err = {0};
        bool seen[5] = {false};
        load(&run, dir);
        assert_int_equal(change_pictures(&run, PICTURES_OTHER, dir, seed, &err), 0);
        for (int i = 0; i < 5; i++) {
            int shown = strrchr(run.item.at[i].images[0], '/')[1] - '0';
            assert_in_range(shown, 0, 4);
            assert_int_not_equal(shown, i);
            assert_false(seen[shown]);
            seen[shown] = true;
        }
        assert_int_equal(run.item.at[5].n_images, 2); /* alone with its number */
        assert_true(str_ends_with(run.item.at[5].images[1], "/6.png"));
        assert_int_equal(run.item.at[6].n_images, 0);
        run_release(&run);
    }
    scratch_free(dir);
}

static void test_gray_and_none(void **state)
{
    (void)state;
    char *dir = scratch_new(), *out = path_join(dir, "gray");
    EvalRun run;
    Err err = {0};
    load(&run, dir);
    assert_int_equal(change_pictures(&run, PICTURES_GRAY, out, 1, &err), 0);
    assert_true(str_ends_with(run.item.at[5].images[1], "/gray-10x5.png"));
    Image im;
    assert_int_equal(image_load(&im, run.item.at[0].images[0], &err), 0);
    assert_int_equal(im.w, 4);
    for (int i = 0; i < 3 * im.w * im.h; i++) assert_int_equal(im.rgb[i], 128);
    image_release(&im);
    assert_int_equal(change_pictures(&run, PICTURES_NONE, out, 1, &err), 0);
    for (int i = 0; i < N; i++) assert_int_equal(run.item.at[i].n_images, 0);
    run_release(&run);
    load(&run, dir);
    char *first = path_join(dir, "0.png");
    assert_int_equal(remove(first), 0);
    assert_int_equal(change_pictures(&run, PICTURES_GRAY, out, 1, &err), -1);
    assert_non_null(strstr(err.msg, "0.png"));
    run_release(&run);
    free(first), free(out);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_other), cmocka_unit_test(test_gray_and_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
