/*
 * scratch.h - a folder of its own for a test, gone when the test ends.
 *
 *   char *dir = scratch_new();
 *   char *path = path_join(dir, "x.json");
 *   ...
 *   scratch_free(dir);
 *
 * In memory where the machine has such a folder, so that the many flushes of crash-safe writing cost nothing.
 */
#ifndef OSLER_TESTS_SCRATCH_H
#define OSLER_TESTS_SCRATCH_H

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

static inline char *scratch_new(void)
{
    const char *base = getenv("TMPDIR");
    if (!base || !*base) base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    char *dir = xasprintf("%s/osler-test-XXXXXX", base);
    CHECK(mkdtemp(dir), "cannot create %s", dir);
    return dir;
}

static inline void scratch_free(char *dir)
{
    Err err = {0};
    CHECK(dir_remove(dir, &err) == 0, "%s", err.msg);
    free(dir);
}

#endif
