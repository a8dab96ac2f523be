#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* COARSEST_CLOCK_S: how finely the file systems in use tell times apart; FAT is the worst. */
enum { GATHER_BYTES = 1 << 16, COARSEST_CLOCK_S = 2 };

static int inject_countdown, inject_errno;

void file_inject_failure(int n, int e)
{
    inject_countdown = n;
    inject_errno = e;
}

static bool injected(void)
{
    if (inject_countdown == 0 || --inject_countdown > 0) return false;
    errno = inject_errno;
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static FileStamp stamp_of(const struct stat *st)
{
    static const int64_t SECOND = 1000000000;
    return (FileStamp){st->st_dev, st->st_ino, st->st_size, st->st_mtim.tv_sec * SECOND + st->st_mtim.tv_nsec,
                       st->st_ctim.tv_sec * SECOND + st->st_ctim.tv_nsec};
}

int file_stamp(FileStamp *s, const char *path, Err *err)
{
    struct stat st;
    if (stat(path, &st)) return err_errno(err, "%s", path);
    *s = stamp_of(&st);
    return 0;
}

int file_map(FileMap *m, const char *path, Err *err)
{
    *m = (FileMap){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, "%s", path);
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, "%s: not a regular file", path);
    }
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            err_errno(err, "%s: cannot map", path);
            close(fd);
            return -1;
        }
        m->data = p;
        m->size = (size_t)st.st_size;
    }
    m->stamp = stamp_of(&st);
    m->settled = st.st_ctim.tv_sec + COARSEST_CLOCK_S < time(NULL);
    close(fd);
    return 0;
}

void file_unmap(FileMap *m)
{
    if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
    *m = (FileMap){0};
}

int file_read(Buf *out, const char *path, size_t max_bytes, Err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) return err_errno(err, "%s", path);
    buf_clear(out);
    char chunk[1 << 14];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        if (out->len + n > max_bytes) {
            fclose(f);
            return err_set(err, "%s: larger than %zu bytes", path, max_bytes);
        }
        buf_add(out, chunk, n);
    }
    int rc = ferror(f) ? err_errno(err, "%s", path) : 0;
    fclose(f);
    buf_reserve(out, 0);
    out->data[out->len] = 0;
    return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A device or a pipe is written as it stands: moving a file over its name would put it out of the world. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

int file_create(FileWriter *w, const char *path, Err *err)
{
    if (dir_exists(path)) return err_set(err, "%s: cannot write: is a folder", path);
    *w = (FileWriter){.path = xstrdup(path)};
    if (!is_special(path)) w->tmp = xasprintf("%s.tmp.%ld", path, (long)getpid());
    w->fd = injected() ? -1 : open(w->tmp ? w->tmp : path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (w->fd >= 0) return 0;
    err_errno(err, "%s: cannot write", path);
    free(w->path);
    free(w->tmp);
    *w = (FileWriter){.fd = -1};
    return -1;
}

static void write_out(FileWriter *w, const char *p, size_t n)
{
    while (n > 0 && !w->failed) {
        ssize_t k = injected() ? -1 : write(w->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) w->failed = errno;
        else p += k, n -= (size_t)k;
    }
}

static void flush_pending(FileWriter *w)
{
    write_out(w, w->pending.data, w->pending.len);
    buf_clear(&w->pending);
}

void file_write(FileWriter *w, const void *bytes, size_t n)
{
    w->size += (int64_t)n;
    if (w->pending.len + n > GATHER_BYTES) flush_pending(w);
    if (n > GATHER_BYTES) write_out(w, bytes, n);
    else buf_add(&w->pending, bytes, n);
}

void file_printf(FileWriter *w, const char *fmt, ...)
{
    Buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    file_write(w, b.data, b.len);
    buf_release(&b);
}

static void writer_release(FileWriter *w)
{
    if (w->fd >= 0) close(w->fd);
    free(w->path);
    free(w->tmp);
    buf_release(&w->pending);
    *w = (FileWriter){.fd = -1};
}

void file_abandon(FileWriter *w)
{
    if (w->tmp) unlink(w->tmp);
    writer_release(w);
}

/* Flushes what was written to the disk, where wanted, and gives it its name. */
static void writer_publish(FileWriter *w, bool to_disk)
{
    if (w->failed || !w->tmp) return;
    if (to_disk && (injected() || fsync(w->fd))) w->failed = errno;
    else if (injected() || rename(w->tmp, w->path)) w->failed = errno;
}

static int writer_finish(FileWriter *w, bool to_disk, Err *err)
{
    flush_pending(w);
    writer_publish(w, to_disk);
    if (w->failed) {
        errno = w->failed;
        err_errno(err, "%s: cannot write", w->path);
        if (w->failed == ENOSPC) err_hint(err, "the disk is full; what was there before is untouched");
        file_abandon(w);
        return -1;
    }
    char *dir = path_dirname(w->path);
    int rc = to_disk && w->tmp ? dir_sync(dir, err) : 0;
    free(dir);
    writer_release(w);
    return rc;
}

int file_commit(FileWriter *w, Err *err)
{
    return writer_finish(w, true, err);
}

int file_publish(FileWriter *w, Err *err)
{
    return writer_finish(w, false, err);
}

int file_save(const char *path, const void *bytes, size_t n, Err *err)
{
    FileWriter w;
    if (file_create(&w, path, err)) return -1;
    file_write(&w, bytes, n);
    return file_commit(&w, err);
}

int file_copy(const char *dst, const char *src, Err *err)
{
    FileMap m;
    if (file_map(&m, src, err)) return -1;
    int rc = file_save(dst, m.data, m.size, err);
    file_unmap(&m);
    return rc;
}

/* ---- folders and paths ------------------------------------------------------------------------------------------- */

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int dir_create(const char *path, Err *err)
{
    char *p = xstrdup(path);
    int rc = 0;
    for (char *s = p + 1; rc == 0 && *s; s++)
        if (*s == '/') {
            *s = 0;
            if (mkdir(p, 0755) && errno != EEXIST) rc = err_errno(err, "%s: cannot create folder", p);
            *s = '/';
        }
    if (rc == 0 && mkdir(p, 0755) && errno != EEXIST) rc = err_errno(err, "%s: cannot create folder", p);
    if (rc == 0 && !dir_exists(p)) rc = err_set(err, "%s: exists and is not a folder", p);
    free(p);
    return rc;
}

int dir_lock(const char *path, Err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return fd; /* some file systems have no locks */
    close(fd);
    err_set(err, "another run is writing to %s", path);
    return err_hint(err, "wait for it, stop it, or give another folder");
}

int dir_remove(const char *path, Err *err)
{
    struct stat st;
    if (lstat(path, &st)) return errno == ENOENT ? 0 : err_errno(err, "%s", path);
    int rc = 0;
    if (S_ISDIR(st.st_mode)) {
        char **name;
        int n;
        if (dir_list(path, &name, &n, err)) return -1;
        for (int i = 0; i < n; i++) {
            char *child = path_join(path, name[i]);
            if (rc == 0) rc = dir_remove(child, err);
            free(child);
            free(name[i]);
        }
        free(name);
        if (rc == 0 && rmdir(path)) rc = err_errno(err, "%s: cannot remove", path);
    } else if (unlink(path)) {
        rc = err_errno(err, "%s: cannot remove", path);
    }
    return rc;
}

int dir_sync(const char *path, Err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, "%s", path);
    int rc = fsync(fd) && errno != EINVAL ? err_errno(err, "%s: cannot sync", path) : 0;
    close(fd);
    return rc;
}

int dir_commit(const char *tmp, const char *path, Err *err)
{
    if (dir_sync(tmp, err)) return -1;
    if (injected() || rename(tmp, path)) return err_errno(err, "%s: cannot rename to %s", tmp, path_basename(path));
    char *parent = path_dirname(path);
    int rc = dir_sync(parent, err);
    free(parent);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int dir_list(const char *path, char ***names, int *n, Err *err)
{
    DIR *d = opendir(path);
    if (!d) return err_errno(err, "%s", path);
    VEC(char *) v = {0};
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) vec_push(&v, xstrdup(e->d_name));
    closedir(d);
    if (v.n) qsort(v.at, (size_t)v.n, sizeof *v.at, by_name);
    *names = v.at;
    *n = v.n;
    return 0;
}

char *path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0]) return xstrdup(name);
    return xasprintf("%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

char *path_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

const char *path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
