/* base/dtype: all 65536 values of the two 16-bit formats, and rounding where it is hard. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/dtype.h"

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static void bf16_round_trips(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 65536; u++) {
        float f = bf16_to_f32((bf16)u);
        assert_int_equal(bits(f), u << 16);
        if (isnan(f)) assert_true(isnan(bf16_to_f32(bf16_from_f32(f))));
        else assert_int_equal(bf16_from_f32(f), u);
    }
}

/* Halfway between two neighbours goes to the even one; a bit more or less goes to the nearer one. */
static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 0x7f80; u++) {
        uint32_t up = u + 1, even = u & 1 ? up : u;
        assert_int_equal(bf16_from_f32(from_bits(u << 16 | 0x7fff)), u);
        assert_int_equal(bf16_from_f32(from_bits(u << 16 | 0x8000)), even);
        assert_int_equal(bf16_from_f32(from_bits(u << 16 | 0x8001)), up);
        assert_int_equal(bf16_from_f32(from_bits(0x80000000 | u << 16 | 0x8000)), 0x8000 | even);
    }
    assert_true(isnan(bf16_to_f32(bf16_from_f32(from_bits(0x7f800001)))));
    assert_true(isnan(bf16_to_f32(bf16_from_f32(from_bits(0xffffffff)))));
    assert_int_equal(bf16_from_f32(INFINITY), 0x7f80);
}

/* The value of a half by the definition of IEEE 754. */
static double f16_value(uint32_t h)
{
    int exp = (int)(h >> 10 & 31), man = (int)(h & 0x3ff);
    double x = exp ? ldexp(1024 + man, exp - 25) : ldexp(man, -24);
    if (exp == 31) x = man ? (double)NAN : HUGE_VAL;
    return h & 0x8000 ? -x : x;
}

static void f16_round_trips(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = f16_to_f32((uint16_t)h);
        if (isnan(f16_value(h))) {
            assert_true(isnan(f));
            assert_true(isnan(f16_to_f32(f16_from_f32(f))));
            continue;
        }
        assert_true((double)f == f16_value(h));
        assert_int_equal(signbit(f) != 0, h >> 15);
        assert_int_equal(f16_from_f32(f), h);
    }
}

static void f16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float mid = (float)((f16_value(h) + f16_value(h + 1)) / 2);
        assert_int_equal(f16_from_f32(mid), h & 1 ? h + 1 : h);
        assert_int_equal(f16_from_f32(nextafterf(mid, 0)), h);
        assert_int_equal(f16_from_f32(nextafterf(mid, INFINITY)), h + 1);
        assert_int_equal(f16_from_f32(-mid), 0x8000 | (h & 1 ? h + 1 : h));
    }
    assert_int_equal(f16_from_f32(65504), 0x7bff);
    assert_int_equal(f16_from_f32(nextafterf(65520, 0)), 0x7bff);
    assert_int_equal(f16_from_f32(65520), 0x7c00);
    assert_int_equal(f16_from_f32(1e30f), 0x7c00);
    assert_int_equal(f16_from_f32(-INFINITY), 0xfc00);
    assert_int_equal(f16_from_f32(1e-40f), 0);
}

static void converts_between_all_formats(void **state)
{
    (void)state;
    static const DType TYPE[] = {DT_F32, DT_BF16, DT_F16, DT_F64};
    static const double X[] = {0, -0.0, 1, -2.5, 0.15625, 384, -65280}; /* exact in each format */
    enum { N = sizeof X / sizeof *X };
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++) {
            double from[N], to[N], back[N];
            dtype_convert(from, TYPE[a], X, DT_F64, N);
            dtype_convert(to, TYPE[b], from, TYPE[a], N);
            dtype_convert(back, DT_F64, to, TYPE[b], N);
            assert_memory_equal(back, X, sizeof X);
        }
}

static void names_round_trip(void **state)
{
    (void)state;
    for (int t = 0; t < DT_COUNT; t++) {
        assert_int_equal(dtype_parse(dtype_name((DType)t)), t);
        assert_true(dtype_size((DType)t) >= 1 && dtype_size((DType)t) <= 8);
    }
    assert_int_equal(dtype_parse("F8_E4M3"), -1);
    assert_int_equal(dtype_parse(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_round_trips),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(f16_round_trips),
        cmocka_unit_test(f16_rounds_to_nearest_even),
        cmocka_unit_test(converts_between_all_formats),
        cmocka_unit_test(names_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
