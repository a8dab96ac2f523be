/* TensorBoard event files: the bytes of every record, as TensorFlow's formats define them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "scratch.h"
#include "train/tensorboard.h"

/* RFC 3720, B.4 and the catalogue's check value. */
static void test_crc32c(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(crc32c("", 0), 0);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(bytes, 32), 0x46dd794e);
}

static uint32_t unmask(uint32_t masked)
{
    uint32_t rot = masked - 0xa282ead8;
    return rot >> 17 | rot << 15;
}

/* The record at *at, checksums verified. */
static const unsigned char *next_record(const Buf *file, size_t *at, uint64_t *n)
{
    const unsigned char *p = (const unsigned char *)file->data + *at;
    uint32_t head, body;
    assert_true(file->len - *at >= 16);
    memcpy(n, p, 8);
    memcpy(&head, p + 8, 4);
    assert_int_equal(unmask(head), crc32c(p, 8));
    assert_true(*n <= file->len - *at - 16);
    memcpy(&body, p + 12 + *n, 4);
    assert_int_equal(unmask(body), crc32c(p + 12, *n));
    *at += 16 + *n;
    return p + 12;
}

/* An event's wall time, then `rest`, byte for byte. */
static void expect_event(const Buf *file, size_t *at, const char *rest, size_t n_rest)
{
    uint64_t n;
    double wall;
    const unsigned char *p = next_record(file, at, &n);
    assert_int_equal(p[0], 1 << 3 | 1);
    memcpy(&wall, p + 1, 8);
    assert_true(wall > 1.6e9 && wall < (double)time(NULL) + 2);
    assert_int_equal(n, 9 + n_rest);
    assert_memory_equal(p + 9, rest, n_rest);
}

static void read_only_file(Buf *b, const char *dir)
{
    char **name;
    int n;
    Err err = {0};
    assert_int_equal(dir_list(dir, &name, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(strncmp(name[0], "events.out.tfevents.", 20), 0);
    assert_int_equal(strspn(name[0] + 20, "0123456789"), 10);
    char *path = path_join(dir, name[0]);
    assert_int_equal(file_read(b, path, 1 << 16, &err), 0);
    free(path);
    free(name[0]);
    free(name);
}

static void test_records(void **state)
{
    (void)state;
    char *root = scratch_new(), *dir = path_join(root, "deep/run");
    TensorBoard tb;
    Buf b = {0};
    Err err = {0};
    assert_int_equal(tb_open(&tb, dir, &err), 0);
    tb_restart(&tb, 3);
    tb_scalar(&tb, 3, "loss", 0.5);
    tb_scalar(&tb, 300, "a/b", -2);
    read_only_file(&b, dir);
    size_t before = b.len;
    assert_int_equal(tb_flush(&tb, &err), 0);
    read_only_file(&b, dir);
    assert_true(b.len > before); /* visible as soon as it is flushed */
    tb_scalar(&tb, INT64_C(1) << 40, "x", 1);
    tb_close(&tb);
    tb_close(&tb);
    read_only_file(&b, dir);
    size_t at = 0;
    expect_event(&b, &at,
                 "\x10\0\x1a\x0d"
                 "brain.Event:2",
                 17);
    assert_int_equal(at, 9 + 17 + 16);
    expect_event(&b, &at, "\x10\x03\x3a\x02\x08\x01", 6);
    expect_event(&b, &at, "\x10\x03\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f", 17);
    expect_event(&b, &at,
                 "\x10\xac\x02\x2a\x0c\x0a\x0a\x0a\x03"
                 "a/b\x15\0\0\0\xc0",
                 17);
    expect_event(&b, &at, "\x10\x80\x80\x80\x80\x80\x20\x2a\x0a\x0a\x08\x0a\x01x\x15\0\0\x80\x3f", 19);
    assert_int_equal(at, b.len);
    buf_release(&b);
    free(dir);
    scratch_free(root);
}

static void test_two_writers_and_errors(void **state)
{
    (void)state;
    char *dir = scratch_new(), *file = path_join(dir, "file");
    TensorBoard a, b, c = {0};
    Err err = {0};
    assert_int_equal(tb_open(&a, dir, &err), 0);
    assert_int_equal(tb_open(&b, dir, &err), 0);
    assert_string_not_equal(a.path, b.path);
    tb_close(&a);
    tb_close(&b);
    tb_close(&c);
    assert_int_equal(file_save(file, "x", 1, &err), 0);
    assert_int_equal(tb_open(&a, file, &err), -1);
    assert_non_null(strstr(err.msg, "file"));
    tb_close(&a);
    free(file);
    scratch_free(dir);
}

/* A disk that takes only a part of a record: what was there stays whole, and later records can be read again. */
static void test_half_written_record(void **state)
{
    (void)state;
    char *dir = scratch_new();
    TensorBoard tb;
    Buf b = {0};
    Err err = {0};
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(tb_open(&tb, dir, &err), 0);
    small.rlim_cur = (rlim_t)tb.size + 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    tb_scalar(&tb, 1, "lost", 1);
    int rc = tb_flush(&tb, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(err.msg, "File too large"));
    tb_scalar(&tb, 2, "x", 1);
    tb_close(&tb);
    read_only_file(&b, dir);
    size_t at = 0;
    expect_event(&b, &at,
                 "\x10\0\x1a\x0d"
                 "brain.Event:2",
                 17);
    expect_event(&b, &at, "\x10\x02\x2a\x0a\x0a\x08\x0a\x01x\x15\0\0\x80\x3f", 14);
    assert_int_equal(at, b.len);
    buf_release(&b);
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_half_written_record),
        cmocka_unit_test(test_two_writers_and_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
