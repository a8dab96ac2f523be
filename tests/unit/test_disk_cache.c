/* base/disk_cache: a value comes back as it was put or not at all, whatever happens to the folder. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/disk_cache.h"
#include "base/log.h"
#include "base/rng.h"
#include "scratch.h"

enum { LARGE = 1 << 30 };

static void key_of(char key[SHA256_HEX], int number)
{
    Sha256 s;
    sha256_init(&s);
    sha256_add(&s, &number, sizeof number);
    sha256_hex(&s, key);
}

/* Value `number`, n bytes, and then one byte that nobody may touch. */
static unsigned char *value_of(int number, size_t n)
{
    unsigned char *v = xmalloc(n + 1);
    Rng r = rng_at(1, RNG_TEST, (uint32_t)number, 0, 0);
    for (size_t i = 0; i <= n; i++) v[i] = (unsigned char)rng_u32(&r);
    return v;
}

static void put(DiskCache *c, int number, size_t n)
{
    char key[SHA256_HEX];
    unsigned char *v = value_of(number, n);
    key_of(key, number);
    disk_cache_put(c, key, v, n);
    free(v);
}

/* A value that comes must be the right one. */
static bool get(DiskCache *c, int number, size_t n)
{
    char key[SHA256_HEX];
    unsigned char *want = value_of(number, n), *have = xmalloc(n + 1);
    key_of(key, number);
    have[n] = want[n];
    bool hit = disk_cache_get(c, key, have, n);
    CHECK(have[n] == want[n] && (!hit || !memcmp(have, want, n)), "entry %d came back wrong", number);
    free(want);
    free(have);
    return hit;
}

static char *entry(const char *dir, int number)
{
    char key[SHA256_HEX];
    key_of(key, number);
    return xasprintf("%s/%s.cached", dir, key);
}

static int count_names(const char *dir)
{
    char **name;
    int n;
    Err err = {0};
    assert_int_equal(dir_list(dir, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) free(name[i]);
    free(name);
    return n;
}

static void values_come_back(void **state)
{
    (void)state;
    static const size_t SIZE[] = {0, 1, 63, 64, 65, 9999, 10000, 300000};
    char *base = scratch_new(), *dir = path_join(base, "a/b");
    DiskCache c;
    for (int round = 0; round < 2; round++) {
        disk_cache_open(&c, dir, LARGE);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(get(&c, i, SIZE[i]), round);
            if (!round) put(&c, i, SIZE[i]);
            assert_true(get(&c, i, SIZE[i]));
        }
        assert_int_equal(c.damaged, 0);
        disk_cache_close(&c);
    }
    assert_int_equal(count_names(dir), 8);
    free(dir);
    scratch_free(base);
}

static void another_length_is_a_miss(void **state)
{
    (void)state;
    char *dir = scratch_new();
    DiskCache c;
    disk_cache_open(&c, dir, LARGE);
    put(&c, 1, 100);
    assert_false(get(&c, 1, 99));
    assert_false(get(&c, 1, 101));
    assert_false(get(&c, 1, 0));
    assert_false(get(&c, 2, 100));
    assert_true(get(&c, 1, 100));
    disk_cache_close(&c);
    scratch_free(dir);
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* Any byte changed, the file cut anywhere, bytes added, another entry's file: misses; then a put mends it. */
static void damage_is_a_miss(void **state)
{
    (void)state;
    enum { N = 70 };
    char *dir = scratch_new(), *path = entry(dir, 1), *other = entry(dir, 2);
    Err err = {0};
    Buf good = {0};
    DiskCache c;
    disk_cache_open(&c, dir, LARGE);
    put(&c, 1, N);
    put(&c, 2, N);
    assert_int_equal(file_read(&good, path, 1000, &err), 0);
    int damaged = 0;
    for (size_t i = 0; i < good.len; i++)
        for (int bit = 0; bit < 8; bit += 3) {
            good.data[i] ^= (char)(1 << bit);
            write_bytes(path, good.data, good.len);
            good.data[i] ^= (char)(1 << bit);
            assert_false(get(&c, 1, N));
            damaged++;
        }
    for (size_t n = 0; n < good.len; n++, damaged++) {
        write_bytes(path, good.data, n);
        assert_false(get(&c, 1, N));
    }
    write_bytes(path, good.data, good.len + 1);
    assert_false(get(&c, 1, N));
    assert_int_equal(file_copy(path, other, &err), 0);
    assert_false(get(&c, 1, N));
    assert_int_equal(c.damaged, damaged + 2);
    put(&c, 1, N);
    assert_true(get(&c, 1, N));
    disk_cache_close(&c);
    buf_release(&good);
    free(path), free(other);
    scratch_free(dir);
}

/* A pipe, a folder or a link under an entry's name neither stops nor misleads us, nor does it lead a put elsewhere. */
static void strange_files_are_misses(void **state)
{
    (void)state;
    char *dir = scratch_new(), *pipe_at = entry(dir, 1), *folder_at = entry(dir, 2), *link_at = entry(dir, 3),
         *target = path_join(dir, "target");
    Err err = {0};
    DiskCache c;
    disk_cache_open(&c, dir, LARGE);
    put(&c, 3, 50);
    assert_int_equal(rename(link_at, target), 0);
    assert_int_equal(mkfifo(pipe_at, 0644), 0);
    assert_int_equal(dir_create(folder_at, &err), 0);
    assert_int_equal(symlink("target", link_at), 0);
    for (int i = 1; i <= 3; i++) {
        assert_false(get(&c, i, 50));
        put(&c, i, 50);
    }
    assert_false(get(&c, 2, 50));
    assert_true(get(&c, 3, 50));
    struct stat st;
    assert_true(lstat(link_at, &st) == 0 && S_ISREG(st.st_mode));
    put(&c, 4, 50); /* none of this ends the cache */
    assert_true(get(&c, 4, 50));
    disk_cache_close(&c);
    free(pipe_at), free(folder_at), free(link_at), free(target);
    scratch_free(dir);
}

static void set_age(const char *path, int seconds)
{
    struct timespec t = {.tv_sec = time(NULL) - seconds};
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){t, t}, 0), 0);
}

static int64_t bytes_in(const char *dir, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        struct stat st;
        char *path = entry(dir, i);
        if (stat(path, &st) == 0) sum += st.st_size;
        free(path);
    }
    return sum;
}

enum { ENTRY_BYTES = 10000, CAP = 100 * 1000 };

/* What was not used for the longest time goes; what this cache object used stays, and then nothing more is kept. */
static void limit_is_kept(void **state)
{
    (void)state;
    char *dir = scratch_new(), *foreign = path_join(dir, "notes.cached");
    DiskCache c;
    disk_cache_open(&c, dir, CAP);
    for (int i = 0; i < 9; i++) put(&c, i, ENTRY_BYTES);
    disk_cache_close(&c);
    for (int i = 0; i < 9; i++) {
        char *path = entry(dir, i);
        set_age(path, i == 2 ? 9000 : 5000 - i); /* 2, 0, 1, 3, 4 ... are the oldest */
        free(path);
    }
    write_bytes(foreign, dir, 5);
    set_age(foreign, 99999);
    disk_cache_open(&c, dir, CAP);
    assert_true(get(&c, 0, ENTRY_BYTES)); /* now the youngest */
    put(&c, 9, ENTRY_BYTES);
    assert_false(get(&c, 2, ENTRY_BYTES));
    assert_true(get(&c, 0, ENTRY_BYTES));
    assert_true(get(&c, 9, ENTRY_BYTES));
    for (int i = 10; i < 200; i++) {
        put(&c, i, ENTRY_BYTES);
        assert_true(bytes_in(dir, 200) <= CAP);
    }
    assert_true(get(&c, 0, ENTRY_BYTES) && get(&c, 9, ENTRY_BYTES));
    assert_false(get(&c, 1, ENTRY_BYTES));
    assert_false(get(&c, 199, ENTRY_BYTES));
    assert_true(bytes_in(dir, 200) > CAP * 3 / 4);
    disk_cache_close(&c);
    assert_true(file_exists(foreign));
    free(foreign);
    scratch_free(dir);
}

/* What a killed writer left behind goes when it is old; a value larger than the limit is not kept. */
static void leftovers_go(void **state)
{
    (void)state;
    char *dir = scratch_new(), *path = entry(dir, 1), *old = xasprintf("%s.tmp.123", path),
         *fresh = xasprintf("%s.tmp.124", path);
    DiskCache c;
    write_bytes(old, dir, 5);
    write_bytes(fresh, dir, 5);
    set_age(old, 7200);
    disk_cache_open(&c, dir, CAP);
    put(&c, 2, 10);
    assert_false(file_exists(old));
    assert_true(file_exists(fresh));
    put(&c, 3, CAP);
    assert_false(get(&c, 3, CAP));
    assert_true(get(&c, 2, 10));
    disk_cache_close(&c);
    free(path), free(old), free(fresh);
    scratch_free(dir);
}

/* Every system call of a put fails once: no entry, nothing left behind, one warning; reading goes on. */
static void full_disk(void **state)
{
    (void)state;
    char *dir = scratch_new();
    DiskCache c;
    int failures = 0;
    log_level(LOG_QUIET);
    for (int n = 1; n < 10; n++) {
        disk_cache_open(&c, dir, LARGE);
        put(&c, 0, 1000);
        int names = count_names(dir);
        file_inject_failure(n, ENOSPC);
        put(&c, n, 200000);
        file_inject_failure(0, 0);
        failures += c.closed;
        assert_int_equal(get(&c, n, 200000), !c.closed);
        assert_int_equal(count_names(dir), names + !c.closed);
        put(&c, 100 + n, 10);
        assert_int_equal(get(&c, 100 + n, 10), !c.closed);
        assert_true(get(&c, 0, 1000));
        disk_cache_close(&c);
    }
    log_level(LOG_WARN);
    assert_in_range(failures, 3, 8); /* open, two writes, rename */
    scratch_free(dir);
}

static void unusable_folder(void **state)
{
    (void)state;
    char *dir = scratch_new(), *file = path_join(dir, "file"), *below = path_join(file, "cache");
    DiskCache c;
    write_bytes(file, dir, 5);
    log_level(LOG_QUIET);
    for (int i = 0; i < 2; i++) {
        disk_cache_open(&c, i ? file : below, LARGE);
        put(&c, 1, 10);
        assert_false(get(&c, 1, 10));
        disk_cache_close(&c);
    }
    disk_cache_open(&c, dir, LARGE);
    put(&c, 1, 10);
    assert_true(get(&c, 1, 10));
    Err err = {0};
    assert_int_equal(dir_remove(dir, &err), 0); /* from under us */
    assert_false(get(&c, 1, 10));
    put(&c, 1, 10);
    assert_true(c.closed);
    disk_cache_close(&c);
    log_level(LOG_WARN);
    assert_int_equal(dir_create(dir, &err), 0);
    free(file), free(below);
    scratch_free(dir);
}

/* ---- processes -------------------------------------------------------------------------------------------------- */

enum { KEYS = 40, WORKERS = 3, ROUNDS = 30 };

/* Reads, writes and damages entries until it is killed; a wrong value aborts it. */
static void hammer(const char *dir, uint32_t seed)
{
    Rng r = rng_at(seed, RNG_TEST, 1, 0, 0);
    for (;;) {
        DiskCache c;
        disk_cache_open(&c, dir, 25 * 30000); /* less than all of them */
        for (int i = 0; i < 100; i++) {
            int k = (int)rng_below(&r, KEYS);
            size_t n = (size_t)k * 1500;
            if (!get(&c, k, n)) put(&c, k, n);
            if (rng_below(&r, 20) > 0) continue;
            char *path = entry(dir, (int)rng_below(&r, KEYS));
            if (truncate(path, rng_below(&r, 60000)) == 0) set_age(path, 100);
            free(path);
        }
        disk_cache_close(&c);
    }
}

static pid_t start(const char *dir, uint32_t seed)
{
    pid_t pid = fork();
    if (pid) return pid;
    log_level(LOG_QUIET);
    hammer(dir, seed);
    _exit(1);
}

/* Kills one of several processes at any instant and starts another in its place, over and over. */
static void killed_writers(void **state)
{
    (void)state;
    char *dir = scratch_new();
    pid_t pid[WORKERS];
    Rng r = rng_at((uint64_t)getpid(), RNG_TEST, 0, 0, 0);
    for (uint32_t i = 0; i < WORKERS; i++) pid[i] = start(dir, i);
    for (uint32_t i = 0; i < ROUNDS + WORKERS; i++) {
        int status;
        usleep(1000 + rng_below(&r, 40000));
        kill(pid[i % WORKERS], SIGKILL);
        assert_int_equal(waitpid(pid[i % WORKERS], &status, 0), pid[i % WORKERS]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
        pid[i % WORKERS] = i < ROUNDS ? start(dir, 100 + i) : 0;
    }
    DiskCache c;
    disk_cache_open(&c, dir, LARGE);
    int hits = 0;
    for (int k = 0; k < KEYS; k++) {
        hits += get(&c, k, (size_t)k * 1500);
        put(&c, k, (size_t)k * 1500);
        assert_true(get(&c, k, (size_t)k * 1500));
    }
    assert_true(hits > 0);
    disk_cache_close(&c);
    scratch_free(dir);
}

int main(void)
{
    log_level(LOG_WARN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back), cmocka_unit_test(another_length_is_a_miss),
        cmocka_unit_test(damage_is_a_miss), cmocka_unit_test(strange_files_are_misses),
        cmocka_unit_test(limit_is_kept),    cmocka_unit_test(leftovers_go),
        cmocka_unit_test(full_disk),        cmocka_unit_test(unusable_folder),
        cmocka_unit_test(killed_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
