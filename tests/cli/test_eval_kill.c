/* osler eval that is killed over and over ends with the bytes of one that was not, and asks nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "program.h"
#include "scratch.h"

static const char MODEL[] = "tests/data/goldens/small_tied/model";

static pid_t start_eval(const char *dir, const char *out, const char *batch)
{
    char *data = path_join(dir, "clinic"), *to = path_join(dir, out);
    const char *argv[] = {"osler",       "eval", "--model",          MODEL,   "--benchmark", "phantom",
                          "--data",      data,   "--prompt",         "think", "--n",         "2",
                          "--out",       to,     "--dtype",          "f32",   "--threads",   "1",
                          "--max_batch", batch,  "--max_new_tokens", "40",    NULL};
    pid_t pid = program_start(argv, "/dev/null");
    free(data);
    free(to);
    return pid;
}

/* Lines of the answers on their way; -1 where there is no such file. */
static int count_lines(const char *dir)
{
    Err err = {0};
    Buf b = {0};
    char *path = path_join(dir, "killed/answers.partial.jsonl");
    int n = file_read(&b, path, 1 << 24, &err) ? -1 : 0;
    for (size_t i = 0; i < b.len; i++) n += b.data[i] == '\n';
    buf_release(&b);
    free(path);
    return n;
}

static void killed_is_same(void **state)
{
    (void)state;
    static const char *const BATCH[] = {"1", "3", "32"};
    char *dir = scratch_new(), *clinic = path_join(dir, "clinic");
    const char *make[] = {"osler", "phantom", "--out", clinic, "--split", "test", "--n", "12", "--seed", "5", NULL};
    assert_int_equal(process_wait(program_start(make, "/dev/null")), 0);
    assert_int_equal(process_wait(start_eval(dir, "whole", "8")), 0);
    Rng r = rng_at((uint64_t)getpid(), RNG_TEST, 1, 0, 0);
    int had = 0, kills = 0;
    for (int i = 0; i < 4; i++) {
        pid_t pid = start_eval(dir, "killed", BATCH[i % 3]);
        int wanted = had + 1 + (int)rng_below(&r, 5), lines = 0;
        while ((lines = count_lines(dir)) < wanted && !process_ended(pid)) usleep(500);
        kill(pid, SIGKILL);
        kills += process_wait(pid) == 128 + SIGKILL;
        lines = count_lines(dir);
        if (lines >= 0) assert_true(lines >= had); /* nothing that was finished is lost */
        if (lines > had) had = lines;
    }
    assert_true(kills >= 1);
    assert_int_equal(process_wait(start_eval(dir, "killed", "32")), 0);
    assert_int_equal(count_lines(dir), -1);
    assert_same_file(dir, "results.json");
    assert_same_file(dir, "samples.jsonl");
    assert_same_file(dir, "report.html");
    free(clinic);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_is_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
