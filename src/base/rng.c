#include "base/rng.h"

#include <math.h>

#include "base/err.h"

/* Multipliers and Weyl increments of Philox4x32 (Salmon et al. 2011, table 2 and section 3.2). */
#define MUL0  UINT32_C(0xd2511f53)
#define MUL1  UINT32_C(0xcd9e8d57)
#define WEYL0 UINT32_C(0x9e3779b9)
#define WEYL1 UINT32_C(0xbb67ae85)
enum { ROUNDS = 10 };

void philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3], k0 = key[0], k1 = key[1];
    for (int i = 0; i < ROUNDS; i++, k0 += WEYL0, k1 += WEYL1) {
        uint64_t p0 = (uint64_t)MUL0 * c0, p1 = (uint64_t)MUL1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

Rng rng_at(uint64_t seed, RngPurpose purpose, uint32_t a, uint32_t b, uint32_t c)
{
    /* A seed fills the whole key, so (seed, purpose) is hashed to a key by one block of the seed's own stream. */
    const uint32_t seed_key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t purpose_ctr[4] = {(uint32_t)purpose, 0, 0, 0};
    uint32_t k[4];
    philox(k, purpose_ctr, seed_key);
    return (Rng){.key = {k[0], k[1]}, .ctr = {a, b, c, 0}};
}

uint32_t rng_u32(Rng *r)
{
    if (r->left == 0) {
        philox(r->out, r->ctr, r->key);
        r->ctr[3]++;
        r->left = 4;
    }
    return r->out[4 - r->left--];
}

/* Lemire 2019: the high half of u * n, redrawn where the low half falls into the 2^32 mod n surplus values. */
uint32_t rng_below(Rng *r, uint32_t n)
{
    CHECK(n > 0, "rng_below(0)");
    uint32_t surplus = (0 - n) % n;
    uint64_t product;
    do product = (uint64_t)rng_u32(r) * n;
    while ((uint32_t)product < surplus);
    return (uint32_t)(product >> 32);
}

double rng_uniform(Rng *r)
{
    uint32_t high = rng_u32(r) >> 5, low = rng_u32(r) >> 6; /* 27 and 26 bits */
    return ((double)high * 0x1p26 + (double)low) * 0x1p-53;
}

double rng_normal(Rng *r)
{
    const double tau = 6.283185307179586;
    double u = 1 - rng_uniform(r), v = rng_uniform(r); /* u > 0 */
    return sqrt(-2 * log(u)) * cos(tau * v);
}

void rng_normal_pair(float out[2], Rng *r)
{
    const float tau = 6.2831853f;
    float u = ((float)(rng_u32(r) >> 8) + 0.5f) * 0x1p-24f, v = (float)(rng_u32(r) >> 8) * 0x1p-24f; /* u > 0 */
    float radius = sqrtf(-2 * logf(u));
    out[0] = radius * cosf(tau * v);
    out[1] = radius * sinf(tau * v);
}
