/* osler eval that is killed over and over ends with the bytes of one that was not, and asks nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/rng.h"
#include "scratch.h"

static const char MODEL[] = "tests/data/goldens/small_tied/model";

static const char *osler(void)
{
    const char *path = getenv("OSLER");
    return path ? path : "build/osler";
}

/* Starts the program without a voice. */
static pid_t start(char *const *argv)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, STDOUT_FILENO);
    dup2(quiet, STDERR_FILENO);
    execv(osler(), argv);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static pid_t start_eval(const char *dir, const char *out, const char *batch)
{
    char *data = path_join(dir, "clinic"), *to = path_join(dir, out);
    char *argv[] = {"osler",
                    "eval",
                    "--model",
                    (char *)(uintptr_t)MODEL,
                    "--benchmark",
                    "phantom",
                    "--data",
                    data,
                    "--prompt",
                    "think",
                    "--n",
                    "2",
                    "--out",
                    to,
                    "--dtype",
                    "f32",
                    "--threads",
                    "1",
                    "--max_batch",
                    (char *)(uintptr_t)batch,
                    "--max_new_tokens",
                    "40",
                    NULL};
    pid_t pid = start(argv);
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

static void assert_same_file(const char *dir, const char *name)
{
    Err err = {0};
    Buf a = {0}, b = {0};
    char *one = xasprintf("%s/whole/%s", dir, name), *two = xasprintf("%s/killed/%s", dir, name);
    if (file_read(&a, one, 1 << 26, &err) || file_read(&b, two, 1 << 26, &err)) fail_msg("%s", err.msg);
    if (a.len != b.len || memcmp(a.data, b.data, a.len)) fail_msg("%s differs", name);
    buf_release(&a);
    buf_release(&b);
    free(one);
    free(two);
}

static void killed_is_same(void **state)
{
    (void)state;
    static const char *const BATCH[] = {"1", "3", "32"};
    char *dir = scratch_new(), *clinic = path_join(dir, "clinic");
    char *make[] = {"osler", "phantom", "--out", clinic, "--split", "test", "--n", "12", "--seed", "5", NULL};
    assert_int_equal(wait_for(start(make)), 0);
    assert_int_equal(wait_for(start_eval(dir, "whole", "8")), 0);
    Rng r = rng_at((uint64_t)getpid(), RNG_TEST, 1, 0, 0);
    int had = 0, kills = 0;
    for (int i = 0; i < 4; i++) {
        pid_t pid = start_eval(dir, "killed", BATCH[i % 3]);
        int wanted = had + 1 + (int)rng_below(&r, 5), lines = 0;
        siginfo_t ended = {0};
        while ((lines = count_lines(dir)) < wanted && ended.si_pid == 0) {
            usleep(500);
            waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        }
        kill(pid, SIGKILL);
        kills += wait_for(pid) == 128 + SIGKILL;
        lines = count_lines(dir);
        if (lines >= 0) assert_true(lines >= had); /* nothing that was finished is lost */
        if (lines > had) had = lines;
    }
    assert_true(kills >= 1);
    assert_int_equal(wait_for(start_eval(dir, "killed", "32")), 0);
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
