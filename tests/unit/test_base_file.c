/* base/file: what is on disk is the old file or the new one, whatever fails in between. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "scratch.h"

static char *dir;

static char *in_dir(const char *name)
{
    return path_join(dir, name);
}

static int setup(void **state)
{
    (void)state;
    dir = scratch_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_free(dir);
    return 0;
}

static void expect_content(const char *path, const char *want)
{
    Buf b = {0};
    Err err = {0};
    assert_int_equal(file_read(&b, path, 1 << 20, &err), 0);
    assert_string_equal(b.data, want);
    buf_release(&b);
}

static int count_names(void)
{
    char **name;
    int n;
    Err err = {0};
    assert_int_equal(dir_list(dir, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) free(name[i]);
    free(name);
    return n;
}

static void saves_and_reads(void **state)
{
    (void)state;
    Err err = {0};
    char *path = in_dir("a.txt"), *copy = in_dir("b.txt");
    assert_int_equal(file_save(path, "hello", 5, &err), 0);
    expect_content(path, "hello");
    FileMap m;
    assert_int_equal(file_map(&m, path, &err), 0);
    assert_int_equal(m.size, 5);
    assert_memory_equal(m.data, "hello", 5);
    assert_int_equal(file_save(path, "bye", 3, &err), 0);
    assert_memory_equal(m.data, "hello", 5); /* a mapped file that is replaced keeps its bytes */
    file_unmap(&m);
    expect_content(path, "bye");
    assert_int_equal(file_copy(copy, path, &err), 0);
    expect_content(copy, "bye");
    assert_int_equal(file_save(path, "", 0, &err), 0);
    assert_int_equal(file_map(&m, path, &err), 0);
    assert_null(m.data);
    file_unmap(&m);
    assert_int_equal(file_copy(copy, path, &err), 0);
    expect_content(copy, "");
    assert_int_equal(count_names(), 2);
    free(path), free(copy);
}

/* Small and large writes mixed come out in order. */
static void writes_keep_their_order(void **state)
{
    (void)state;
    Err err = {0};
    Buf want = {0};
    char *path = in_dir("order"), *big = xmalloc(200000);
    FileWriter w;
    assert_int_equal(file_create(&w, path, &err), 0);
    for (int i = 0; i < 50; i++) {
        size_t n = (size_t)(i % 7) * 30000;
        memset(big, 'a' + i % 26, n);
        file_write(&w, big, n);
        buf_add(&want, big, n);
        file_printf(&w, "<%d>", i);
        buf_printf(&want, "<%d>", i);
        assert_int_equal(w.size, want.len);
    }
    assert_int_equal(file_commit(&w, &err), 0);
    FileMap m;
    assert_int_equal(file_map(&m, path, &err), 0);
    assert_int_equal(m.size, want.len);
    assert_memory_equal(m.data, want.data, want.len);
    file_unmap(&m);
    buf_release(&want);
    free(path), free(big);
}

/* Fails each system call of a save in turn: the old file stays, nothing is left beside it, the error is told. */
static void failures_leave_the_old_file(void **state)
{
    (void)state;
    char *path = in_dir("precious"), *big = xcalloc(1, 300000);
    Err err = {0};
    assert_int_equal(file_save(path, "old", 3, &err), 0);
    int names = count_names(), n = 0, rc;
    do {
        FileWriter w;
        err_clear(&err);
        file_inject_failure(++n, ENOSPC);
        rc = file_create(&w, path, &err);
        if (rc == 0) {
            file_write(&w, "new", 3);
            file_write(&w, big, 300000);
            rc = file_commit(&w, &err);
        }
        file_inject_failure(0, 0);
        if (rc == 0) break;
        assert_non_null(strstr(err.msg, "precious"));
        assert_non_null(strstr(err.msg, strerror(ENOSPC)));
        expect_content(path, "old");
        assert_int_equal(count_names(), names);
    } while (n < 100);
    assert_int_equal(n, 6); /* open, two writes, fsync and rename failed in turn */
    FileMap m;
    assert_int_equal(file_map(&m, path, &err), 0);
    assert_int_equal(m.size, 300003);
    file_unmap(&m);
    free(path), free(big);
}

/* Publishing is committing without the flush. */
static void publishes(void **state)
{
    (void)state;
    Err err = {0};
    char *path = in_dir("again");
    assert_int_equal(file_save(path, "old", 3, &err), 0);
    int names = count_names(), n = 0, rc;
    do {
        FileWriter w;
        err_clear(&err);
        file_inject_failure(++n, ENOSPC);
        rc = file_create(&w, path, &err);
        if (rc == 0) {
            file_write(&w, "new", 3);
            rc = file_publish(&w, &err);
        }
        file_inject_failure(0, 0);
        expect_content(path, rc ? "old" : "new");
        assert_int_equal(count_names(), names);
    } while (rc && n < 100);
    assert_int_equal(n, 4); /* open, write and rename failed in turn */
    free(path);
}

static FileStamp stamp(const char *path)
{
    FileStamp s;
    Err err = {0};
    if (file_stamp(&s, path, &err)) fail_msg("%s", err.msg);
    return s;
}

/* Another file in its place, other bytes, and a hidden change of the time all give another stamp. */
static void stamps_tell_states_apart(void **state)
{
    (void)state;
    Err err = {0};
    char *path = in_dir("state");
    assert_int_equal(file_save(path, "one", 3, &err), 0);
    FileStamp first = stamp(path), again = stamp(path);
    assert_memory_equal(&first, &again, sizeof first);
    FileMap m;
    assert_int_equal(file_map(&m, path, &err), 0);
    assert_memory_equal(&first, &m.stamp, sizeof first);
    assert_false(m.settled);
    file_unmap(&m);
    usleep(20000);
    struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
    FileStamp hidden = stamp(path);
    assert_true(hidden.written_ns == INT64_C(1000000000000) && hidden.changed_ns > first.changed_ns);
    assert_int_equal(file_save(path, "two", 3, &err), 0);
    FileStamp second = stamp(path);
    assert_true(second.inode != first.inode || second.changed_ns != first.changed_ns);
    assert_int_equal(file_stamp(&first, "/nonexistent/x", &err), -1);
    assert_int_equal(file_map(&m, "Makefile", &err), 0); /* of some age */
    assert_true(m.settled);
    file_unmap(&m);
    free(path);
}

static void abandon_leaves_nothing(void **state)
{
    (void)state;
    Err err = {0};
    char *path = in_dir("never");
    int names = count_names();
    FileWriter w;
    assert_int_equal(file_create(&w, path, &err), 0);
    file_write(&w, "x", 1);
    file_abandon(&w);
    assert_false(file_exists(path));
    assert_int_equal(count_names(), names);
    free(path);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    Err err = {0};
    FileMap m;
    Buf b = {0};
    assert_int_equal(file_map(&m, dir, &err), -1);
    err_clear(&err);
    assert_int_equal(file_map(&m, "/nonexistent/x", &err), -1);
    assert_string_equal(err.msg, "/nonexistent/x: No such file or directory");
    err_clear(&err);
    assert_int_equal(file_read(&b, dir, 100, &err), -1);
    err_clear(&err);
    assert_int_equal(file_read(&b, "/dev/zero", 100000, &err), -1);
    assert_non_null(strstr(err.msg, "larger than"));
    err_clear(&err);
    assert_int_equal(file_save("/nonexistent/x", "a", 1, &err), -1);
    buf_release(&b);
}

static void folders(void **state)
{
    (void)state;
    Err err = {0};
    char *deep = in_dir("p/q//r"), *file = in_dir("p/q/r/f"), *top = in_dir("p"), *under = in_dir("p/q/r/f/g");
    assert_int_equal(dir_create(deep, &err), 0);
    assert_int_equal(dir_create(deep, &err), 0);
    assert_true(dir_exists(deep));
    assert_int_equal(file_save(file, "x", 1, &err), 0);
    assert_true(file_exists(file));
    assert_false(dir_exists(file));
    assert_int_equal(dir_create(file, &err), -1);
    err_clear(&err);
    assert_int_equal(dir_create(under, &err), -1);
    err_clear(&err);
    /* A link is removed, not what it points at. */
    char *outside = in_dir("outside"), *link = in_dir("p/link"), *kept = in_dir("outside/kept");
    assert_int_equal(dir_create(outside, &err), 0);
    assert_int_equal(file_save(kept, "x", 1, &err), 0);
    assert_int_equal(symlink(outside, link), 0);
    assert_int_equal(dir_remove(top, &err), 0);
    assert_false(file_exists(top));
    assert_true(file_exists(kept));
    assert_int_equal(dir_remove(top, &err), 0);
    free(deep), free(file), free(top), free(under), free(outside), free(link), free(kept);
}

static void lists_are_sorted(void **state)
{
    (void)state;
    Err err = {0};
    char *sub = in_dir("sorted"), **name;
    int n;
    assert_int_equal(dir_create(sub, &err), 0);
    static const char *const NAME[] = {"c", "a", "b", ".hidden"};
    for (int i = 0; i < 4; i++) {
        char *path = path_join(sub, NAME[i]);
        assert_int_equal(file_save(path, "", 0, &err), 0);
        free(path);
    }
    assert_int_equal(dir_list(sub, &name, &n, &err), 0);
    assert_int_equal(n, 4);
    assert_string_equal(name[0], ".hidden");
    assert_string_equal(name[1], "a");
    assert_string_equal(name[3], "c");
    for (int i = 0; i < n; i++) free(name[i]);
    free(name);
    assert_int_equal(dir_list("/nonexistent", &name, &n, &err), -1);
    free(sub);
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *name, *want;
    } JOIN[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < sizeof JOIN / sizeof *JOIN; i++) {
        char *p = path_join(JOIN[i].dir, JOIN[i].name);
        assert_string_equal(p, JOIN[i].want);
        free(p);
    }
    static const char *const SPLIT[][3] = {{"a/b", "a", "b"}, {"b", ".", "b"}, {"/b", "/", "b"}, {"a/b/c", "a/b", "c"}};
    for (size_t i = 0; i < sizeof SPLIT / sizeof *SPLIT; i++) {
        char *d = path_dirname(SPLIT[i][0]);
        assert_string_equal(d, SPLIT[i][1]);
        assert_string_equal(path_basename(SPLIT[i][0]), SPLIT[i][2]);
        free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saves_and_reads),
        cmocka_unit_test(writes_keep_their_order),
        cmocka_unit_test(publishes),
        cmocka_unit_test(stamps_tell_states_apart),
        cmocka_unit_test(abandon_leaves_nothing),
        cmocka_unit_test(failures_leave_the_old_file),
        cmocka_unit_test(folders),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(lists_are_sorted),
        cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
