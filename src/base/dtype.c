#include "base/dtype.h"

#include "base/err.h"

static const struct {
    const char *name;
    size_t size;
} TYPE[DT_COUNT] = {[DT_F32] = {"F32", 4}, [DT_BF16] = {"BF16", 2}, [DT_F16] = {"F16", 2}, [DT_F64] = {"F64", 8},
                    [DT_I64] = {"I64", 8}, [DT_I32] = {"I32", 4},   [DT_I16] = {"I16", 2}, [DT_I8] = {"I8", 1},
                    [DT_U8] = {"U8", 1},   [DT_BOOL] = {"BOOL", 1}};

size_t dtype_size(DType t)
{
    return TYPE[t].size;
}

const char *dtype_name(DType t)
{
    return TYPE[t].name;
}

int dtype_parse(const char *name)
{
    for (int t = 0; t < DT_COUNT; t++)
        if (!strcmp(name, TYPE[t].name)) return t;
    return -1;
}

float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, man = h & 0x3ff, u;
    if (exp == 31) u = sign | 0x7f800000 | man << 13;
    else if (exp) u = sign | (exp + 112) << 23 | man << 13;
    else if (!man) u = sign;
    else { /* subnormal: shift until the leading one is implicit */
        for (exp = 113; !(man & 0x400); exp--) man <<= 1;
        u = sign | exp << 23 | (man & 0x3ff) << 13;
    }
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

uint16_t f16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = (u >> 16) & 0x8000, mag = u & 0x7fffffff;
    if (mag > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (mag >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* rounds to infinity */
    if (mag < 0x33000001) return (uint16_t)sign;             /* rounds to zero */
    uint32_t exp = mag >> 23, man = (mag & 0x7fffff) | 0x800000, shift = exp < 113 ? 126 - exp : 13;
    uint32_t half = man >> shift, rest = man & ((1u << shift) - 1), mid = 1u << (shift - 1);
    half += rest > mid || (rest == mid && (half & 1));
    return (uint16_t)(sign | (exp < 113 ? half : half + ((exp - 113) << 10)));
}

static float load(const void *p, DType t, size_t i)
{
    switch (t) {
    case DT_F32: return ((const float *)p)[i];
    case DT_BF16: return bf16_to_f32(((const bf16 *)p)[i]);
    case DT_F16: return f16_to_f32(((const uint16_t *)p)[i]);
    case DT_F64: return (float)((const double *)p)[i];
    default: CHECK(0, "%s is no floating-point format", dtype_name(t)); return 0;
    }
}

static void store(void *p, DType t, size_t i, float x)
{
    switch (t) {
    case DT_F32: ((float *)p)[i] = x; break;
    case DT_BF16: ((bf16 *)p)[i] = bf16_from_f32(x); break;
    case DT_F16: ((uint16_t *)p)[i] = f16_from_f32(x); break;
    case DT_F64: ((double *)p)[i] = (double)x; break;
    default: CHECK(0, "%s is no floating-point format", dtype_name(t));
    }
}

void dtype_convert(void *dst, DType dst_type, const void *src, DType src_type, size_t n)
{
    if (dst_type == src_type) {
        memcpy(dst, src, n * dtype_size(dst_type));
        return;
    }
    for (size_t i = 0; i < n; i++) store(dst, dst_type, i, load(src, src_type, i));
}
