/*
 * Runs that are killed at any instant, and asked to stop, end as runs that were not.
 * Every run is a child of its own: this process starts no thread, so that forking is safe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/file.h>

#include "base/progress.h"
#include "base/rng.h"
#include "program.h"
#include "scratch.h"
#include "train_fixture.h"

static const char TIED[] = "tests/data/goldens/small_tied", LORA[] = "tests/data/goldens/small_lora";
static const char *const SHORT[] = {"max_steps=14", "save_steps=4", "save_total_limit=2", "shuffle=true", NULL};
static const char *const PAIRS[] = {"method=dpo",
                                    "data=tests/data/goldens/small_tied/pairs.jsonl",
                                    "max_steps=14",
                                    "save_steps=4",
                                    "shuffle=true",
                                    "learning_rate=1e-4",
                                    NULL};
static const char *const LONG[] = {"max_steps=60", "save_steps=25", "shuffle=true", NULL};
enum { DONE, STOPPED, LOCKED, FAILED };

/* Starts a run; its exit status says how it ended. */
static pid_t start(const char *golden, const char *out, const char *const *args)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    Err err = {0};
    Golden g;
    if (golden_open(&g, golden, &err)) _exit(FAILED);
    if (train_golden(&g, out, args, &err) == 0) _exit(DONE);
    if (strstr(err.msg, "stopped by SIGTERM after step")) _exit(STOPPED);
    _exit(strstr(err.msg, "another run is writing") ? LOCKED : FAILED);
}

static double finish_run(const char *golden, const char *out, const char *const *args)
{
    double begin = now_seconds();
    assert_int_equal(process_wait(start(golden, out, args)), DONE);
    return now_seconds() - begin;
}

/* Bytes of trainer_log.jsonl so far. */
static size_t log_size(const char *out)
{
    Err err = {0};
    FileMap m = {0};
    char *path = path_join(out, "trainer_log.jsonl");
    size_t n = file_map(&m, path, &err) == 0 ? m.size : 0;
    file_unmap(&m);
    free(path);
    return n;
}

/* Waits until the run has logged a step, or has ended. */
static void wait_for_step(pid_t pid, const char *out)
{
    size_t before = log_size(out);
    while (log_size(out) <= before && !process_ended(pid)) usleep(500);
}

/*
 * Kills over and over: every other time at any moment of a run, else soon after a step, where there is something to
 * lose; the last one may end.
 */
static void killed_is_same(const char *golden, const char *const *args)
{
    char *whole = scratch_new(), *killed = scratch_new();
    double seconds = finish_run(golden, whole, args);
    Rng r = rng_at((uint64_t)getpid(), RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 8; i++) {
        pid_t pid = start(golden, killed, args);
        if (i % 2 == 0) wait_for_step(pid, killed);
        usleep((useconds_t)(1e6 * seconds * rng_uniform(&r) / (i % 2 == 0 ? 10 : 1)));
        kill(pid, SIGKILL);
        process_wait(pid);
    }
    finish_run(golden, killed, args);
    assert_same_run("killed", whole, killed);
    scratch_free(whole);
    scratch_free(killed);
}

static void killed_full_run(void **state)
{
    (void)state;
    killed_is_same(TIED, SHORT);
}

static void killed_lora_run(void **state)
{
    (void)state;
    killed_is_same(LORA, SHORT);
}

static void killed_pairs_run(void **state)
{
    (void)state;
    killed_is_same(TIED, PAIRS);
}

/* As start, but the n-th allocation of the run finds no memory: it ends with a message and exit status 1. */
static pid_t start_short_of_memory(const char *golden, const char *out, const char *const *args, int n)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    Err err = {0};
    Golden g;
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, STDERR_FILENO);
    if (golden_open(&g, golden, &err)) _exit(FAILED);
    memory_inject_failure(n);
    _exit(train_golden(&g, out, args, &err) == 0 ? DONE : FAILED);
}

/* Out of memory at any moment, in checkpoints too, loses nothing. */
static void starved_is_same(void **state)
{
    (void)state;
    char *whole = scratch_new(), *starved = scratch_new();
    finish_run(TIED, whole, SHORT);
    Rng r = rng_at(5, RNG_TEST, 0, 0, 0);
    int out_of_memory = 0;
    for (int i = 0; i < 16; i++)
        out_of_memory += process_wait(start_short_of_memory(TIED, starved, SHORT, 1 + (int)rng_below(&r, 20000))) == 1;
    assert_true(out_of_memory > 4);
    finish_run(TIED, starved, SHORT);
    assert_same_run("starved", whole, starved);
    scratch_free(whole);
    scratch_free(starved);
}

static void stopped_run(void **state)
{
    (void)state;
    char *whole = scratch_new(), *stopped = scratch_new();
    finish_run(TIED, whole, LONG);
    pid_t pid = start(TIED, stopped, LONG);
    while (log_size(stopped) == 0) usleep(1000);
    kill(pid, SIGTERM);
    assert_int_equal(process_wait(pid), STOPPED);
    finish_run(TIED, stopped, LONG);
    assert_same_run("stopped", whole, stopped);
    scratch_free(whole);
    scratch_free(stopped);
}

/* While one process holds the folder, a run in it is refused. */
static void folder_has_one_run(void **state)
{
    (void)state;
    char *out = scratch_new();
    int fd = open(out, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(process_wait(start(TIED, out, SHORT)), LOCKED);
    close(fd);
    finish_run(TIED, out, SHORT);
    scratch_free(out);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_full_run),  cmocka_unit_test(killed_lora_run),
                                       cmocka_unit_test(killed_pairs_run), cmocka_unit_test(starved_is_same),
                                       cmocka_unit_test(stopped_run),      cmocka_unit_test(folder_has_one_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
