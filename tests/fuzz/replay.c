/*
 * replay.c - runs a libFuzzer target over files: every file of every folder given, in order of name.
 *
 *   replay_json tests/fuzz/corpus/json
 *
 * Exits 1 where a folder holds nothing; what the target finds, it aborts on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_folder(const char *dir, Err *err)
{
    enum { MAX_BYTES = 16 << 20 };
    char **name;
    int n;
    if (dir_list(dir, &name, &n, err)) return -1;
    for (int i = 0; i < n; i++) {
        char *path = path_join(dir, name[i]);
        Buf b = {0};
        if (!err->msg[0] && file_read(&b, path, MAX_BYTES, err) == 0) {
            printf("%s (%zu bytes)\n", path, b.len);
            fflush(stdout);
            uint8_t *exact = xmalloc(b.len); /* of just this size, so that reading past the end is seen */
            for (size_t k = 0; k < b.len; k++) exact[k] = (uint8_t)b.data[k];
            LLVMFuzzerTestOneInput(exact, b.len);
            free(exact);
        }
        buf_release(&b);
        free(path);
        free(name[i]);
    }
    free(name);
    return n > 0 ? (err->msg[0] ? -1 : 0) : err_set(err, "%s holds no inputs", dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        Err err = {0};
        if (replay_folder(argv[i], &err)) {
            err_print(&err);
            return 1;
        }
    }
    return 0;
}
