/*
 * program.h - processes that a test starts, kills and waits for.
 *
 *   pid_t pid = program_start((const char *const[]){"osler", "run", file, NULL}, log);
 *   while (!process_ended(pid)) ...                                         or kill(pid, SIGKILL)
 *   assert_int_equal(process_wait(pid), 0);
 *
 * assert_same_file compares what a run left in folder `whole` with what it left in folder `killed`.
 */
#ifndef OSLER_TESTS_PROGRAM_H
#define OSLER_TESTS_PROGRAM_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

/* The osler that is tested, in a process group of its own; what it prints is added to the file `log`. */
static inline pid_t program_start(const char *const *argv, const char *log)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    setpgid(0, 0);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    const char *path = getenv("OSLER");
    execv(path ? path : "build/osler", (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* True once it has; it is still to be waited for. */
static inline bool process_ended(pid_t pid)
{
    siginfo_t ended = {0};
    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT);
    return ended.si_pid != 0;
}

/* Its exit status, or 128 and the signal that ended it. */
static inline int process_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Both folders lie in dir. */
static inline void assert_same_file(const char *dir, const char *name)
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

#endif
