/* base/progress and log as they are where stderr is no terminal: few plain lines, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "scratch.h"

/* What fn writes to stderr. */
static char *stderr_of(void (*fn)(void))
{
    char *dir = scratch_new(), *path = path_join(dir, "stderr");
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_non_null(freopen(path, "w", stderr));
    fn();
    fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    Buf b = {0};
    Err err = {0};
    assert_int_equal(file_read(&b, path, 1 << 20, &err), 0);
    scratch_free(dir);
    free(path);
    return buf_take(&b);
}

static int count_lines(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

static void thousand_steps(void)
{
    Progress p;
    progress_start(&p, "train", 1000, "step");
    for (int i = 1; i <= 1000; i++) progress_update(&p, i, "loss %d", i);
    progress_end(&p);
}

static void a_line_each_tenth(void **state)
{
    (void)state;
    char *text = stderr_of(thousand_steps);
    assert_int_equal(count_lines(text), 10);
    assert_memory_equal(text, "train: 100/1000 step, ", 22);
    assert_non_null(strstr(text, "left, loss 100\n"));
    assert_non_null(strstr(text, "train: 1000/1000 step, "));
    assert_non_null(strstr(text, ", loss 1000\n"));
    assert_null(strchr(text, '\r'));
    free(text);
}

static void resumed_steps(void)
{
    Progress p;
    progress_start_at(&p, "train", 900, 1000, "step");
    for (int i = 901; i <= 1000; i++) progress_update(&p, i, "%s", "");
    progress_end(&p);
}

static void resumed_work_goes_on(void **state)
{
    (void)state;
    char *text = stderr_of(resumed_steps);
    assert_int_equal(count_lines(text), 1);
    assert_memory_equal(text, "train: 1000/1000 step, ", 22);
    free(text);
}

static void unknown_total(void)
{
    Progress p;
    progress_start(&p, "read", 0, "row");
    for (int i = 1; i <= 1000; i++) progress_update(&p, i, "%s", "");
    progress_end(&p);
}

static void unknown_totals_stay_quiet(void **state)
{
    (void)state;
    char *text = stderr_of(unknown_total);
    assert_string_equal(text, "");
    free(text);
}

static void say_all(void)
{
    log_note("n %d", 1);
    log_warn("w %d", 2);
    log_debug("d %d", 3);
}

static void levels_filter(void **state)
{
    (void)state;
    static const struct {
        LogLevel level;
        const char *want;
    } CASE[] = {{LOG_QUIET, ""},
                {LOG_WARN, "warning: w 2\n"},
                {LOG_NOTE, "note: n 1\nwarning: w 2\n"},
                {LOG_DEBUG, "note: n 1\nwarning: w 2\ndebug: d 3\n"}};
    for (int i = 0; i < 4; i++) {
        log_level(CASE[i].level);
        char *text = stderr_of(say_all);
        assert_string_equal(text, CASE[i].want);
        free(text);
    }
    log_level(LOG_NOTE);
}

static void time_goes_on(void **state)
{
    (void)state;
    double a = now_seconds();
    usleep(20000);
    double b = now_seconds();
    assert_true(b - a >= 0.019 && b - a < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_each_tenth),
        cmocka_unit_test(resumed_work_goes_on),
        cmocka_unit_test(unknown_totals_stay_quiet),
        cmocka_unit_test(levels_filter),
        cmocka_unit_test(time_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
