/* base/sha256: the examples of FIPS 180-4, and any way to cut the input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/sha256.h"
#include "scratch.h"

static void hash(char hex[SHA256_HEX], const char *bytes, size_t n, size_t step)
{
    Sha256 s;
    sha256_init(&s);
    for (size_t i = 0; i < n; i += step) sha256_add(&s, bytes + i, n - i < step ? n - i : step);
    sha256_hex(&s, hex);
}

static void published_answers(void **state)
{
    (void)state;
    static const char *const CASE[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[SHA256_HEX];
    for (size_t i = 0; i < sizeof CASE / sizeof *CASE; i++) {
        hash(hex, CASE[i][0], strlen(CASE[i][0]), 1000);
        assert_string_equal(hex, CASE[i][1]);
    }
}

static void cuts_do_not_matter(void **state)
{
    (void)state;
    char bytes[300], whole[SHA256_HEX], cut[SHA256_HEX], last[SHA256_HEX] = "";
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        hash(whole, bytes, n, 1000);
        assert_string_not_equal(whole, last);
        memcpy(last, whole, sizeof last);
        for (size_t step = 1; step < 140; step += 9) {
            hash(cut, bytes, n, step);
            assert_string_equal(cut, whole);
        }
    }
}

/* The same with the processor's instructions and without, where it has some. */
static void both_ways_agree(void **state)
{
    (void)state;
    enum { N = 4000 };
    char bytes[N], fast[SHA256_HEX], plain[SHA256_HEX];
    for (size_t i = 0; i < N; i++) bytes[i] = (char)(i * i >> 3);
    for (size_t n = 0; n <= N; n += n < 300 ? 1 : 37) {
        hash(fast, bytes + n % 5, n - n % 5, N);
        sha256_plain(true);
        hash(plain, bytes + n % 5, n - n % 5, N);
        sha256_plain(false);
        assert_string_equal(fast, plain);
    }
    sha256_plain(true);
    published_answers(state);
    sha256_plain(false);
}

static void files(void **state)
{
    (void)state;
    Err err = {0};
    char hex[SHA256_HEX], *dir = scratch_new(), *path = path_join(dir, "a"), *million = xmalloc(1000000);
    memset(million, 'a', 1000000);
    assert_int_equal(file_save(path, million, 1000000, &err), 0);
    assert_int_equal(sha256_file(hex, path, &err), 0);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(file_save(path, "", 0, &err), 0);
    assert_int_equal(sha256_file(hex, path, &err), 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(sha256_file(hex, "/nonexistent/a", &err), -1);
    assert_string_equal(err.msg, "/nonexistent/a: No such file or directory");
    scratch_free(dir);
    free(path), free(million);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_answers),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
