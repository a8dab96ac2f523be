#include "base/disk_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"

/* LOOK_EVERY: puts after which the folder is read again, as other processes fill it, too.  STALE_S: the age at which a
   half-written entry has no writer any more. */
enum { HEADER_MAX = 256, LOOK_EVERY = 64, STALE_S = 3600 };
static const char ENDING[] = ".cached", TEMPORARY[] = ".tmp.";

void disk_cache_open(DiskCache *c, const char *dir, int64_t cap_bytes)
{
    Err err = {0};
    *c = (DiskCache){.cap = cap_bytes, .opened = time(NULL), .unseen = LOOK_EVERY};
    if (dir_create(dir, &err) == 0) c->dir = xstrdup(dir);
    else log_warn("%s; going on without this cache", err.msg);
}

void disk_cache_close(DiskCache *c)
{
    free(c->dir);
    *c = (DiskCache){0};
}

static char *entry_path(const DiskCache *c, const char *key)
{
    char name[SHA256_HEX + sizeof ENDING];
    snprintf(name, sizeof name, "%s%s", key, ENDING);
    return path_join(c->dir, name);
}

static void hash_value(char hex[SHA256_HEX], const void *value, size_t n)
{
    Sha256 s;
    sha256_init(&s);
    sha256_add(&s, value, n);
    sha256_hex(&s, hex);
}

/* Its length depends on n only. */
static size_t print_header(char out[HEADER_MAX], const char *key, size_t n, const char *hash)
{
    return (size_t)snprintf(out, HEADER_MAX, "osler cache 1\nkey %s\nbytes %zu\nsha256 %s\n", key, n, hash);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool read_fully(int fd, void *dst, size_t n)
{
    for (char *p = dst; n > 0;) {
        ssize_t k = read(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k, n -= (size_t)k;
    }
    return true;
}

/* A mapping would be one copy less, but dies of SIGBUS where someone shortens the file or the disk fails. */
static bool read_entry(int fd, const char *key, void *value, size_t n)
{
    char want[HEADER_MAX], have[HEADER_MAX], hash[SHA256_HEX] = "";
    size_t header = print_header(want, key, n, key); /* for its length; the hash is as long as the key */
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != header + n) return false;
    if (!read_fully(fd, have, header) || !read_fully(fd, value, n)) return false;
    hash_value(hash, value, n);
    print_header(want, key, n, hash);
    return !memcmp(want, have, header);
}

/* Says that the entry was used, for those who look for the oldest. */
static void touch(const DiskCache *c, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_mtime < c->opened) futimens(fd, NULL);
}

bool disk_cache_get(DiskCache *c, const char key[SHA256_HEX], void *value, size_t n)
{
    if (!c->dir) return false;
    char *path = entry_path(c, key);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* a pipe must not stop us */
    free(path);
    if (fd < 0) return false;
    bool good = read_entry(fd, key, value, n);
    if (good) touch(c, fd);
    else c->damaged++;
    close(fd);
    return good;
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

typedef struct Found {
    char *path;
    int64_t bytes;
    struct timespec used;
} Found;

/* The folder is the user's: only what has our names is ever counted or removed. */
static bool is_ours(const char *name, bool *half)
{
    enum { DIGITS = SHA256_HEX - 1 };
    if (strspn(name, "0123456789abcdef") != DIGITS || strncmp(name + DIGITS, ENDING, sizeof ENDING - 1)) return false;
    const char *rest = name + DIGITS + sizeof ENDING - 1;
    *half = !strncmp(rest, TEMPORARY, sizeof TEMPORARY - 1);
    return *half || !*rest;
}

static int by_use(const void *a, const void *b)
{
    const Found *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->path, y->path);
}

typedef VEC(Found) FoundList;

/* Takes the folder's entries into account; half-written ones that nobody writes any more are removed. */
static void look(DiskCache *c, FoundList *list)
{
    char **name;
    int n;
    Err err = {0};
    c->used = 0;
    c->unseen = 0;
    if (dir_list(c->dir, &name, &n, &err)) return;
    for (int i = 0; i < n; i++) {
        bool half;
        struct stat st;
        char *path = path_join(c->dir, name[i]);
        bool entry = is_ours(name[i], &half) && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
        if (entry && half && st.st_mtime + STALE_S < c->opened) entry = unlink(path) != 0;
        if (entry) c->used += st.st_size;
        if (entry && !half) vec_push(list, ((Found){path, st.st_size, st.st_mtim}));
        else free(path);
        free(name[i]);
    }
    free(name);
}

/* Looks at the folder and removes what was not used for the longest time, a little more than n bytes need, so that the
   next put need not look again. */
static void make_room(DiskCache *c, int64_t n)
{
    FoundList list = {0};
    look(c, &list);
    int64_t most = c->used + n > c->cap ? c->cap - c->cap / 16 - n : c->cap;
    if (list.n) qsort(list.at, (size_t)list.n, sizeof *list.at, by_use);
    for (int i = 0; i < list.n; i++) {
        const Found *f = &list.at[i];
        if (c->used > most && f->used.tv_sec < c->opened && unlink(f->path) == 0) c->used -= f->bytes;
        free(f->path);
    }
    free(list.at);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static bool has_room(DiskCache *c, int64_t n)
{
    if (n > c->cap) return false;
    if (c->unseen >= LOOK_EVERY || c->used + n > c->cap) make_room(c, n);
    if (c->used + n <= c->cap) return true;
    c->closed = true;
    log_note("%s: the limit of %.3g GiB is reached by what this run uses; more is not kept", c->dir,
             gib((double)c->cap));
    return false;
}

/* A link, pipe or device in an entry's place is removed: FileWriter would write through it. */
static bool clear_place(const char *path)
{
    struct stat st;
    return lstat(path, &st) || S_ISREG(st.st_mode) || unlink(path) == 0;
}

static int write_entry(const char *path, const char *header, size_t n_header, const void *value, size_t n, Err *err)
{
    FileWriter w;
    if (!clear_place(path)) return err_errno(err, "%s: cannot write", path);
    if (file_create(&w, path, err)) return -1;
    file_write(&w, header, n_header);
    file_write(&w, value, n);
    return file_publish(&w, err);
}

/* Where another writer with our process number (in a container) was faster, the entry is there. */
void disk_cache_put(DiskCache *c, const char key[SHA256_HEX], const void *value, size_t n)
{
    char header[HEADER_MAX], hash[SHA256_HEX];
    if (!c->dir || c->closed) return;
    hash_value(hash, value, n);
    size_t n_header = print_header(header, key, n, hash);
    if (!has_room(c, (int64_t)(n_header + n))) return;
    Err err = {0};
    char *path = entry_path(c, key);
    c->used += (int64_t)(n_header + n);
    c->unseen++;
    if (write_entry(path, header, n_header, value, n, &err) && !file_exists(path)) {
        c->closed = true;
        log_warn("%s; nothing more is kept there", err.msg);
    }
    free(path);
}
