/* base/err, arena, buf, map: messages, lifetimes, growth. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

/* ---- err --------------------------------------------------------------------------------------------------------- */

static void first_error_wins(void **state)
{
    (void)state;
    Err err = {0};
    assert_int_equal(err_set(&err, "bad %d", 1), -1);
    assert_int_equal(err_set(&err, "bad %d", 2), -1);
    assert_string_equal(err.msg, "bad 1");
    assert_int_equal(err_context(&err, "%s:%d", "data.jsonl", 12), -1);
    assert_string_equal(err.msg, "data.jsonl:12: bad 1");
    assert_int_equal(err_hint(&err, "do %s", "this"), -1);
    err_hint(&err, "do that");
    assert_string_equal(err.hint, "do this");
    err.usage = 1;
    err_clear(&err);
    assert_string_equal(err.msg, "");
    assert_string_equal(err.hint, "");
    assert_int_equal(err.usage, 0);
}

static void errno_is_named(void **state)
{
    (void)state;
    Err err = {0};
    errno = ENOENT;
    err_errno(&err, "%s", "x.json");
    assert_string_equal(err.msg, "x.json: No such file or directory");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    Err err = {0};
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    errno = ENOENT;
    err_errno(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    err_context(&err, "here");
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    assert_memory_equal(err.msg, "here: xxx", 9);
    err_context(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

/* The exit status of fn in a process of its own, its messages silenced; 128 + signal where it was killed. */
static int status_of(void (*fn)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(99);
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void fail_check(void)
{
    CHECK(1 + 1 == 3, "arithmetic %d", 3);
}

static void pass_check(void)
{
    CHECK(1 + 1 == 2, "arithmetic %d", 2);
}

static void check_aborts(void **state)
{
    (void)state;
    assert_int_equal(status_of(pass_check), 0);
    assert_int_equal(status_of(fail_check), 128 + SIGABRT);
}

static void strings_are_copied(void **state)
{
    (void)state;
    char *a = xstrdup("heart"), *b = xstrndup("heartbeat", 5), *c = xasprintf("%s-%d", "lung", 7);
    assert_string_equal(a, b);
    assert_string_equal(c, "lung-7");
    free(a), free(b), free(c);
    void *p = xmalloc(0), *q = xcalloc(0, 4);
    assert_non_null(p);
    assert_non_null(q);
    free(p), free(q);
}

/* ---- arena ------------------------------------------------------------------------------------------------------- */

static void arena_marks_and_releases(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, "test", 1 << 20);
    char *p = arena_alloc(&a, 10);
    assert_int_equal((uintptr_t)p % 64, 0);
    size_t mark = arena_mark(&a);
    char *q = arena_alloc(&a, 1000);
    assert_int_equal((uintptr_t)q % 64, 0);
    assert_true(q >= p + 10);
    memset(q, 0x5a, 1000);
    arena_release(&a, mark);
    assert_ptr_equal(arena_alloc(&a, 1), q);
    arena_release(&a, mark);
    char *z = arena_zalloc(&a, 1000);
    assert_ptr_equal(z, q);
    for (int i = 0; i < 1000; i++) assert_int_equal(z[i], 0);
    assert_true(a.high >= 1064);
    arena_release(&a, 0);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 1 << 20)); /* all of it, to the last byte */
    arena_free(&a);
    assert_null(a.base);
    arena_free(&a);
}

static Arena small;

static void overfill(void)
{
    arena_init(&small, "small", 4096);
    arena_alloc(&small, 4000);
    arena_alloc(&small, 97);
}

static void overflow_size(void)
{
    arena_init(&small, "small", 4096);
    arena_alloc(&small, 1);
    arena_alloc(&small, SIZE_MAX - 10);
}

static void release_forward(void)
{
    arena_init(&small, "small", 4096);
    arena_release(&small, 1);
}

static void arena_overflow_exits(void **state)
{
    (void)state;
    assert_int_equal(status_of(overfill), 1);
    assert_int_equal(status_of(overflow_size), 1);
    assert_int_equal(status_of(release_forward), 128 + SIGABRT);
}

static void memory_is_measured(void **state)
{
    (void)state;
    assert_true(memory_available() > 1 << 20);
    assert_true(memory_resident() > 1 << 16);
    assert_true(memory_peak() >= memory_resident() / 2);
}

/* ---- buf --------------------------------------------------------------------------------------------------------- */

static void buf_grows_and_stays_a_string(void **state)
{
    (void)state;
    Buf b = {0};
    buf_add(&b, NULL, 0);
    assert_string_equal(b.data, "");
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i % 10);
    assert_int_equal(b.len, 2000);
    assert_int_equal(strlen(b.data), 2000);
    buf_byte(&b, 'x');
    buf_str(&b, "yz");
    assert_string_equal(b.data + 2000, "xyz");
    buf_clear(&b);
    assert_string_equal(b.data, "");
    buf_str(&b, "kept");
    char *s = buf_take(&b);
    assert_string_equal(s, "kept");
    assert_null(b.data);
    free(s);
    s = buf_take(&b);
    assert_string_equal(s, "");
    free(s);
    buf_release(&b);
}

static void vec_keeps_its_items(void **state)
{
    (void)state;
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(&v, i * i);
    assert_int_equal(v.n, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(v.at[i], i * i);
    free(v.at);
}

/* ---- map --------------------------------------------------------------------------------------------------------- */

static void map_finds_what_was_set(void **state)
{
    (void)state;
    Map m = {0};
    int64_t v = -7;
    assert_false(map_get_str(&m, "0", &v));
    char key[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        map_set_str(&m, key, i);
    }
    for (int i = 0; i < 5000; i += 2) {
        snprintf(key, sizeof key, "%d", i);
        map_set_str(&m, key, -i);
    }
    assert_int_equal(m.n, 5000);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(map_get_str(&m, key, &v));
        assert_int_equal(v, i % 2 ? i : -i);
        assert_string_equal(m.entry[i].key, key); /* insertion order */
    }
    v = -7;
    assert_false(map_get_str(&m, "5000", &v));
    assert_int_equal(v, -7);
    map_release(&m);
}

static void map_keys_are_bytes(void **state)
{
    (void)state;
    Map m = {0};
    int64_t v;
    map_set(&m, "a\0b", 3, 1);
    map_set(&m, "a\0c", 3, 2);
    map_set(&m, "a", 1, 3);
    map_set(&m, "", 0, 4);
    assert_int_equal(m.n, 4);
    assert_true(map_get(&m, "a\0c", 3, &v) && v == 2);
    assert_true(map_get(&m, "", 0, &v) && v == 4);
    map_release(&m);
}

/* Published FNV-1a 64 vectors. */
static void hash_is_fnv(void **state)
{
    (void)state;
    assert_true(hash_bytes(HASH_INIT, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(hash_bytes(HASH_INIT, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(hash_bytes(HASH_INIT, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(errno_is_named),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(check_aborts),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(arena_marks_and_releases),
        cmocka_unit_test(arena_overflow_exits),
        cmocka_unit_test(memory_is_measured),
        cmocka_unit_test(buf_grows_and_stays_a_string),
        cmocka_unit_test(vec_keeps_its_items),
        cmocka_unit_test(map_finds_what_was_set),
        cmocka_unit_test(map_keys_are_bytes),
        cmocka_unit_test(hash_is_fnv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
