/*
 * dtype.h - the number formats of files and kernels.
 *
 * Compute runs in f32 or bf16; f16 and the integers appear in files only.  bf16 is the upper half of an f32, rounded to
 * nearest, ties to even; NaN stays NaN.
 */
#ifndef OSLER_BASE_DTYPE_H
#define OSLER_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum DType { DT_F32, DT_BF16, DT_F16, DT_F64, DT_I64, DT_I32, DT_I16, DT_I8, DT_U8, DT_BOOL, DT_COUNT } DType;

typedef uint16_t bf16;

size_t dtype_size(DType t);        /* bytes per element */
const char *dtype_name(DType t);   /* safetensors' name: "F32", "BF16", ... */
int dtype_parse(const char *name); /* -1 where unknown */

/* Converts n floating-point elements (f32, bf16, f16, f64) between formats. */
void dtype_convert(void *dst, DType dst_type, const void *src, DType src_type, size_t n);

static inline float bf16_to_f32(bf16 x)
{
    uint32_t u = (uint32_t)x << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline bf16 bf16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffff) > 0x7f800000) return (bf16)((u >> 16) | 0x40);
    return (bf16)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

float f16_to_f32(uint16_t h);
uint16_t f16_from_f32(float f);

#endif
