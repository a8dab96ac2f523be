/* The public library: examples/finetune.c as a user would build it, and what osler.h says when things are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osler.h"
#include "scratch.h"

static const char MODEL[] = "tests/data/goldens/small_tied/model",
                  IMAGE[] = "tests/data/goldens/small_tied/images/0.png";

/* Runs a command, gives its exit status and what it printed on both streams. */
static int run(char *out, size_t cap, const char *command)
{
    char full[2048];
    snprintf(full, sizeof full, "( %s ) 2>&1", command);
    FILE *p = popen(full, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, cap - 1, p);
    out[n] = 0;
    int status = pclose(p);
    return status == -1 ? -1 : status >> 8;
}

static void test_finetune(void **state)
{
    (void)state;
    const char *osler = getenv("OSLER");
    char *build = path_dirname(osler ? osler : "build/osler"), *dir = scratch_new(), out[4096], command[1024];
    snprintf(command, sizeof command, "%s/examples/finetune %s %s %s/adapter", build, MODEL, IMAGE, dir);
    int status = run(out, sizeof out, command);
    if (status) fail_msg("%s", out);
    assert_non_null(strstr(out, "answer: axial\n"));
    snprintf(command, sizeof command, "%s/adapter/adapter_model.safetensors", dir);
    assert_true(file_exists(command));
    scratch_free(dir);
    free(build);
}

static void test_score_is_repeatable(void **state)
{
    (void)state;
    OslerError e;
    OslerModel *m = osler_open(MODEL, &(OslerOptions){.f32 = 1, .threads = 2}, &e);
    assert_non_null(m);
    OslerMessage msg[] = {{"user", "<image>Which side?"}, {"assistant", "The left side."}};
    const char *image[] = {IMAGE};
    OslerConversation c = {msg, 2, image, 1};
    int n = 0, again = 0;
    float *a = osler_score(m, &c, &n, &e), *b = osler_score(m, &c, &again, &e);
    assert_true(n > 1 && n == again);
    assert_memory_equal(a, b, sizeof *a * (size_t)n);
    for (int i = 0; i < n; i++) assert_true(a[i] < 0);
    osler_free(a);
    osler_free(b);
    osler_close(m);
}

static void test_errors(void **state)
{
    (void)state;
    OslerError e = {"", ""};
    assert_null(osler_open("tests/data/nowhere", NULL, &e));
    assert_non_null(strstr(e.message, "tests/data/nowhere/config.json"));
    OslerModel *m = osler_open(MODEL, NULL, &e);
    assert_non_null(m);
    OslerMessage msg[] = {{"user", "<image><image>Compare."}, {"assistant", "Same."}};
    const char *image[] = {IMAGE};
    OslerConversation c = {msg, 2, image, 1};
    int n;
    assert_null(osler_score(m, &c, &n, &e));
    assert_non_null(strstr(e.message, "image"));
    assert_int_equal(osler_train_step(m, &c, 1, 1e-3, NULL, &e), -1);
    assert_non_null(strstr(e.message, "not opened for training"));
    assert_int_equal(osler_save(m, "/nowhere", &e), -1);
    osler_close(m);
}

/* The recipe of the brain slices with two steps a stage: its data, both trainings, four evaluations, the report. */
static void test_slices(void **state)
{
    (void)state;
    if (!file_exists("/usr/share/mricron/templates/ch2.nii.gz")) skip();
    const char *osler = getenv("OSLER");
    char *build = path_dirname(osler ? osler : "build/osler"), *dir = scratch_new(), out[16384], command[1024];
    snprintf(command, sizeof command,
             "OSLER=%s/osler ATLAS=%s/atlas OUT=%s/slices PART=0.02 recipes/slices/run.sh max_steps=2", build, build,
             dir);
    int status = run(out, sizeof out, command);
    if (status) fail_msg("%s", out);
    assert_non_null(strstr(out, "inverted, after:\n"));
    snprintf(command, sizeof command, "%s/slices/report.html", dir);
    assert_true(file_exists(command));
    scratch_free(dir);
    free(build);
}

/* The demos of the phantom clinic, with a few cases and steps. */
static void check_demo(const char *script, const char *with, const char *made)
{
    const char *osler = getenv("OSLER");
    char *dir = scratch_new(), *out = xmalloc(1 << 16);
    char *command = xasprintf("OSLER=%s OUT=%s/demo %s recipes/demo/%s max_steps=2", osler ? osler : "build/osler", dir,
                              with, script);
    if (run(out, 1 << 16, command)) fail_msg("%s", out);
    char *path = xasprintf("%s/demo/%s", dir, made);
    assert_true(file_exists(path));
    free(path);
    free(command);
    free(out);
    scratch_free(dir);
}

static void test_demos(void **state)
{
    (void)state;
    check_demo("run.sh", "CASES=24 TEST=12", "report.html");
    check_demo("base.sh", "PERCENT=1 TEST=12", "eval-all/report.html");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finetune), cmocka_unit_test(test_score_is_repeatable),
        cmocka_unit_test(test_errors),   cmocka_unit_test(test_slices),
        cmocka_unit_test(test_demos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
