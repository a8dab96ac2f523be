/* osler bench first-token: from the start of the program to the end of an answer of one token. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "cmd/bench.h"

enum { MAX_ARGS = 32 };

/* In the child; does not return. */
NORETURN static void become_self(const char *const *args)
{
    char *argv[MAX_ARGS + 2] = {(char[]){"osler"}};
    for (int i = 0; args[i]; i++) {
        CHECK(i < MAX_ARGS, "more than %d arguments", MAX_ARGS);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    execv("/proc/self/exe", argv);
    _exit(127);
}

int bench_run_self(const char *const *args, double *seconds, double *peak, Err *err)
{
    int status;
    struct rusage use;
    double t = now_seconds();
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return err_errno(err, "a new process");
    if (child == 0) become_self(args);
    if (wait4(child, &status, 0, &use) < 0) return err_errno(err, "osler %s", args[0]);
    *seconds = now_seconds() - t;
    *peak = (double)use.ru_maxrss * 1024;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    Buf line = {0};
    for (int i = 0; args[i]; i++) buf_printf(&line, " %s", args[i]);
    err_set(err, "'osler%s' failed", line.data);
    buf_release(&line);
    return err_hint(err, "run it by itself to see why");
}

static int repeat(const char *const *args, const BenchOpts *o, Timing *t, double *peak, Err *err)
{
    int n = (int)o->reps;
    double *seconds = xmalloc(sizeof *seconds * (size_t)n), unused;
    int rc = bench_run_self(args, &unused, peak, err); /* reads the files into the page cache */
    for (int i = 0; i < n && rc == 0; i++) rc = bench_run_self(args, &seconds[i], peak, err);
    if (rc == 0) *t = timing_of(seconds, n);
    free(seconds);
    return rc;
}

static void print_result(const BenchOpts *o, const Timing *t, double peak_gib)
{
    const char *dtype = o->common.dtype ? "f32" : "bf16";
    if (!o->json) {
        printf("first-token %s %s: %.3f s, peak %.2f GiB, spread %.2f\n", path_basename(o->model), dtype, t->best,
               peak_gib, t->worst / t->best);
        return;
    }
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:b, s:i, s:I}", "bench", "first-token", "model", path_basename(o->model), "dtype",
                  dtype, "image", o->image != NULL, "threads", pool_threads(), "reps", (json_int_t)o->reps);
    timing_add(row, t);
    json_object_set_new(row, "peak_gib", json_real(peak_gib));
    bench_print_row(row);
}

int bench_first_token(const BenchOpts *o, Err *err)
{
    char threads[32];
    snprintf(threads, sizeof threads, "%lld", (long long)o->common.threads);
    const char *args[MAX_ARGS] = {"generate",
                                  "--model",
                                  o->model,
                                  "--max_new_tokens",
                                  "1",
                                  "--prompt",
                                  "Describe what you see.",
                                  "--threads",
                                  threads,
                                  "--dtype",
                                  o->common.dtype ? "f32" : "bf16"};
    int n = 11;
    if (o->image) {
        args[n++] = "--image";
        args[n++] = o->image;
    }
    Timing t;
    double peak;
    if (repeat(args, o, &t, &peak, err)) return -1;
    print_result(o, &t, gib(peak));
    return 0;
}
