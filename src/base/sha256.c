#include "base/sha256.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { READ_BYTES = 1 << 20 };

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* One block of 64 bytes (FIPS 180-4, 6.2.2); the letters are the standard's. */
static void compress_block(uint32_t state[8], const unsigned char *p)
{
    uint32_t w[64];
    for (int t = 0; t < 16; t++, p += 4)
        w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; t++) {
        uint32_t t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
        uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void compress_plain(uint32_t state[8], const unsigned char *p, size_t blocks)
{
    for (; blocks > 0; blocks--, p += 64) compress_block(state, p);
}

/* ---- the processor's own instructions --------------------------------------------------------------------------- */

#if defined(__x86_64__)
/*
 * Four rounds a turn.  The instructions want the state as two vectors, from the highest word down: a b e f and c d g h.
 * w[i % 4] holds words 4i .. 4i + 3 of the message schedule; sha256msg1 adds s0, sha256msg2 adds s1, and the words at
 * t - 7 lie across two vectors (alignr).
 */
__attribute__((target("sha,sse4.1"))) static void compress_sha(uint32_t state[8], const unsigned char *p, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203); /* to big-endian words */
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1b),
            efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b),
            abef = _mm_unpackhi_epi64(efgh, abcd), cdgh = _mm_unpacklo_epi64(efgh, abcd), w[4];
    for (; blocks > 0; blocks--, p += 64) {
        __m128i abef0 = abef, cdgh0 = cdgh;
        for (int i = 0; i < 16; i++) {
            __m128i *now = &w[i % 4], last = w[(i + 3) % 4];
            if (i < 4) {
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
            } else {
                __m128i t = _mm_sha256msg1_epu32(*now, w[(i + 1) % 4]);
                t = _mm_add_epi32(t, _mm_alignr_epi8(last, w[(i + 2) % 4], 4));
                *now = _mm_sha256msg2_epu32(t, last);
            }
            __m128i m = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, m);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(m, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef0);
        cdgh = _mm_add_epi32(cdgh, cdgh0);
    }
    abcd = _mm_unpackhi_epi64(cdgh, abef);
    efgh = _mm_unpacklo_epi64(cdgh, abef);
    _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(abcd, 0x1b));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_shuffle_epi32(efgh, 0x1b));
}

static bool has_sha(void)
{
    unsigned a, b, c, d, b7;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !__get_cpuid_count(7, 0, &a, &b7, &a, &d)) return false;
    return (c & bit_SSE4_1) && (b7 & 1u << 29);
}
#else
static void compress_sha(uint32_t state[8], const unsigned char *p, size_t blocks)
{
    compress_plain(state, p, blocks);
}

static bool has_sha(void)
{
    return false;
}
#endif

enum { UNKNOWN, PLAIN, FAST };
static atomic_int way;

void sha256_plain(bool plain)
{
    atomic_store(&way, plain ? PLAIN : UNKNOWN);
}

static void compress(uint32_t state[8], const unsigned char *p, size_t blocks)
{
    int now = atomic_load(&way);
    if (now == UNKNOWN) atomic_store(&way, now = has_sha() ? FAST : PLAIN);
    if (now == FAST) compress_sha(state, p, blocks);
    else compress_plain(state, p, blocks);
}

/* ---- any number of bytes ---------------------------------------------------------------------------------------- */

/* FIPS 180-4, 5.3.3: the same of the square roots of the first 8 primes. */
void sha256_init(Sha256 *s)
{
    *s =
        (Sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(Sha256 *s, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    while (n > 0) {
        size_t used = s->bytes % 64, k = n < 64 - used ? n : 64 - used;
        if (k == 64) {
            k = n / 64 * 64;
            compress(s->h, p, n / 64);
        } else {
            memcpy(s->block + used, p, k);
            if (used + k == 64) compress(s->h, s->block, 1);
        }
        s->bytes += k;
        p += k;
        n -= k;
    }
}

/* Pads with 0x80, zeros and the length in bits to a multiple of 64 bytes. */
void sha256_hex(Sha256 *s, char hex[SHA256_HEX])
{
    static const unsigned char PAD[64] = {0x80};
    uint64_t bits = 8 * s->bytes;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(s, PAD, 1 + (119 - s->bytes % 64) % 64);
    sha256_add(s, length, 8);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", s->h[i]);
}

int sha256_file(char hex[SHA256_HEX], const char *path, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(err, "%s", path);
    Sha256 s;
    sha256_init(&s);
    unsigned char *chunk = xmalloc(READ_BYTES);
    ssize_t n;
    while ((n = read(fd, chunk, READ_BYTES)) > 0) sha256_add(&s, chunk, (size_t)n);
    if (n < 0) err_errno(err, "%s: cannot read", path);
    else sha256_hex(&s, hex);
    free(chunk);
    close(fd);
    return n < 0 ? -1 : 0;
}
