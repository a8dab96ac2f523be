/*
 * file.h - reading by mmap, writing atomically.
 *
 * A file Osler writes is either the old one or the new one, never a half: bytes go to `path.tmp.<pid>` beside it, are
 * flushed to the disk, and the name is moved over in file_commit.  A crash leaves at most the temporary file.  Devices
 * and pipes (/dev/stdout) are written directly.
 *
 *   FileWriter w;
 *   if (file_create(&w, path, err)) return -1;
 *   file_write(&w, bytes, n);                  errors are remembered
 *   return file_commit(&w, err);               and reported here; nothing replaces the old file on error
 */
#ifndef OSLER_BASE_FILE_H
#define OSLER_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Tells one state of a file from another, as far as the file system can: whatever is written to it later changes
 * `changed_ns` (which no program can set), and a file that takes its place has another inode.  Compare with memcmp.
 */
typedef struct FileStamp {
    uint64_t device, inode;
    int64_t size, written_ns, changed_ns;
} FileStamp;
int file_stamp(FileStamp *s, const char *path, Err *err);

/* A read-only view of a whole file. data is NULL for an empty file. */
typedef struct FileMap {
    const unsigned char *data;
    size_t size;
    FileStamp stamp; /* when it was mapped */
    bool settled;    /* its last change was long enough before that the next one cannot carry the same time */
} FileMap;

int file_map(FileMap *m, const char *path, Err *err);
void file_unmap(FileMap *m);

/* The whole file as a NUL-terminated buffer; refuses more than max_bytes. */
int file_read(Buf *out, const char *path, size_t max_bytes, Err *err);

typedef struct FileWriter {
    char *path, *tmp; /* tmp is NULL for a device or a pipe */
    int fd, failed;   /* failed = errno of the first failure */
    int64_t size;     /* bytes written */
    Buf pending;      /* small writes are gathered here */
} FileWriter;

int file_create(FileWriter *w, const char *path, Err *err);
void file_write(FileWriter *w, const void *bytes, size_t n);
void file_printf(FileWriter *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
int file_commit(FileWriter *w, Err *err); /* fsync, rename over path, fsync of the folder; always releases w */
/* As file_commit without the flushes, for what can be made again: after a power cut the file may hold anything. */
int file_publish(FileWriter *w, Err *err);
void file_abandon(FileWriter *w); /* removes the temporary file and releases w */

/* bytes -> path, atomically. */
int file_save(const char *path, const void *bytes, size_t n, Err *err);
/* Copies a file, atomically at the destination. */
int file_copy(const char *dst, const char *src, Err *err);

bool file_exists(const char *path);
bool dir_exists(const char *path);
/* mkdir -p */
int dir_create(const char *path, Err *err);
/* Keeps other processes that ask out of an existing folder, as long as this one lives or until the descriptor that is
   returned is closed; -1 on error, and where another has it. */
int dir_lock(const char *path, Err *err);
/* rm -r; a missing path is fine. */
int dir_remove(const char *path, Err *err);
/* fsync of a folder, so that names in it survive a power cut. */
int dir_sync(const char *path, Err *err);
/* Gives a folder whose files are all written its final name, which must be free; flushes both folders. */
int dir_commit(const char *tmp, const char *path, Err *err);
/* The names in a folder without "." and "..", sorted; free each and the array. */
int dir_list(const char *path, char ***names, int *n, Err *err);

/* Fresh strings the caller frees. path_join(dir, name): name itself where it is absolute. */
char *path_join(const char *dir, const char *name);
char *path_dirname(const char *path); /* "." where there is no slash */
const char *path_basename(const char *path);

/* For the tests of crash safety: the n-th write, fsync or rename from now fails with errno e (n = 0: never). */
void file_inject_failure(int n, int e);

#endif
