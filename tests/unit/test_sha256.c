/* SHA-256 against the vectors of FIPS 180-4 and NIST's CAVP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "scratch.h"

static void expect_hash(const void *bytes, size_t n, const char *want)
{
    Sha256 s;
    char hex[SHA256_HEX];
    sha256_init(&s);
    sha256_add(&s, bytes, n);
    sha256_hex(&s, hex);
    assert_string_equal(hex, want);
}

static void test_vectors(void **state)
{
    (void)state;
    static const char *const TWO = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char *const FOUR = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
                                    "klmnopqrlmnopqrsmnopqrstnopqrstu";
    expect_hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_hash("\xbd", 1, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
    expect_hash(TWO, strlen(TWO), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect_hash(FOUR, strlen(FOUR), "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

/* A million times "a", in pieces of every size, and from a file. */
static void test_pieces(void **state)
{
    (void)state;
    static const char *const WANT = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    enum { N = 1000 * 1000 };
    char *a = xmalloc(N), hex[SHA256_HEX];
    memset(a, 'a', N);
    Sha256 s;
    sha256_init(&s);
    for (size_t at = 0, k = 0; at < N; at += k) {
        k = at % 131 + k % 7;
        if (k > N - at) k = N - at;
        if (k == 0) k = 1;
        sha256_add(&s, a + at, k);
    }
    sha256_hex(&s, hex);
    assert_string_equal(hex, WANT);
    char *dir = scratch_new(), *path = path_join(dir, "a");
    Err err = {0};
    assert_int_equal(file_save(path, a, N, &err), 0);
    assert_int_equal(sha256_file(hex, path, &err), 0);
    assert_string_equal(hex, WANT);
    assert_int_equal(sha256_file(hex, dir, &err), -1);
    assert_non_null(strstr(err.msg, dir));
    free(path);
    scratch_free(dir);
    free(a);
}

/* Every length around the padding's edges: the same whole as byte by byte. */
static void test_lengths(void **state)
{
    (void)state;
    unsigned char bytes[200];
    for (int i = 0; i < 200; i++) bytes[i] = (unsigned char)(7 * i);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        Sha256 s;
        char hex[SHA256_HEX];
        sha256_init(&s);
        for (size_t i = 0; i < n; i++) sha256_add(&s, bytes + i, 1);
        sha256_hex(&s, hex);
        expect_hash(bytes, n, hex);
    }
    expect_hash(bytes, 55, "576a1bf8d4478657e6dc4af9398544765c2a92cde28478b019235cfed315fc09");
    expect_hash(bytes, 56, "9b20501dfd1d99161c257950f3444f3e49230c351c5c8e0943ef369f85f5205d");
    expect_hash(bytes, 64, "d8bc63b4fc1156e5e7d95a418b9bf54cd3174bedbc2db40f74895349b229b3c0");
    expect_hash(bytes, 119, "7a6589821178918ca8d9edaba5abfc1e9b2669564f4469b66885379c1530b2c8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
