/* trainer_log.jsonl: whole lines, cut back to a checkpoint's number of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "scratch.h"
#include "train/train_log.h"

static void write_steps(const char *dir, int64_t keep, int first, int last)
{
    Err err = {0};
    TrainLog log;
    if (train_log_open(&log, dir, keep, first - 1, &err)) fail_msg("%s", err.msg);
    assert_int_equal(log.lines, keep);
    for (int i = first; i <= last; i++)
        assert_int_equal(train_log_write(&log, i, json_pack("{s:i, s:f}", "step", i, "loss", 0.5), &err), 0);
    assert_int_equal(train_log_sync(&log, &err), 0);
    train_log_close(&log);
}

static void assert_log(const char *dir, const char *want)
{
    Err err = {0};
    Buf text = {0};
    char *path = path_join(dir, "trainer_log.jsonl");
    assert_int_equal(file_read(&text, path, 1 << 20, &err), 0);
    assert_string_equal(text.data, want);
    buf_release(&text);
    free(path);
}

#define LINE(step) "{\"step\":" #step ",\"loss\":0.5}\n"

static void grows_and_is_cut_back(void **state)
{
    (void)state;
    char *dir = scratch_new();
    write_steps(dir, 0, 1, 3);
    assert_log(dir, LINE(1) LINE(2) LINE(3));
    write_steps(dir, 2, 3, 4);
    assert_log(dir, LINE(1) LINE(2) LINE(3) LINE(4));
    write_steps(dir, 0, 1, 1);
    assert_log(dir, LINE(1));
    scratch_free(dir);
}

static void half_a_line_is_dropped(void **state)
{
    (void)state;
    Err err = {0};
    char *dir = scratch_new(), *path = path_join(dir, "trainer_log.jsonl");
    const char *text = LINE(1) LINE(2) "{\"step\":3,\"lo";
    assert_int_equal(file_save(path, text, strlen(text), &err), 0);
    write_steps(dir, 2, 3, 3);
    assert_log(dir, LINE(1) LINE(2) LINE(3));
    free(path);
    scratch_free(dir);
}

/* A log that the user deleted is no reason to refuse to go on. */
static void lost_lines_are_lived_with(void **state)
{
    (void)state;
    Err err = {0};
    TrainLog log;
    char *dir = scratch_new();
    assert_int_equal(train_log_open(&log, dir, 7, 7, &err), 0);
    assert_int_equal(log.lines, 0);
    assert_int_equal(train_log_write(&log, 8, json_pack("{s:i, s:f}", "step", 8, "loss", 0.5), &err), 0);
    train_log_close(&log);
    assert_log(dir, LINE(8));
    scratch_free(dir);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(grows_and_is_cut_back),
                                       cmocka_unit_test(half_a_line_is_dropped),
                                       cmocka_unit_test(lost_lines_are_lived_with)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
