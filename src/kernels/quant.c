#include "kernels/quant.h"

#include <float.h>
#include <math.h>
#include <string.h>

const int8_t QUANT_LEVEL[QUANT_LEVELS] = {-127, -100, -79, -62, -47, -34, -21, -9, 3, 15, 28, 41, 55, 70, 89, 111};

size_t quant_bytes(QuantType t, int out, int in)
{
    return (size_t)quant_blocks(out) * (size_t)quant_groups(in) * (size_t)quant_block_bytes(t);
}

/* ---- a group ----------------------------------------------------------------------------------------------------- */

/* The number of largest magnitude. */
static float extreme(const float *x)
{
    float best = 0;
    for (int i = 0; i < QUANT_GROUP; i++) best = fabsf(x[i]) > fabsf(best) ? x[i] : best;
    return best;
}

/* 1 / scale; 0 where there is none. */
static float inverse_of(float scale)
{
    float inverse = 1 / scale;
    return isfinite(inverse) ? inverse : 0;
}

static bf16 quantise_int8(int8_t *q, const float *x)
{
    bf16 scale = bf16_from_f32(fabsf(extreme(x)) / 127);
    float inverse = inverse_of(bf16_to_f32(scale));
    for (int i = 0; i < QUANT_GROUP; i++) {
        float v = x[i] * inverse;
        v = v > 127 ? 127 : v < -127 ? -127 : v;
        q[i] = (int8_t)(v + (v < 0 ? -0.5f : 0.5f));
    }
    return scale;
}

/* Numbers of the levels nearest to x * inverse. */
static void nearest_levels(int8_t *q, const float *x, float inverse)
{
    int n[QUANT_GROUP] = {0};
    for (int l = 1; l < QUANT_LEVELS; l++) {
        float border = (float)(QUANT_LEVEL[l - 1] + QUANT_LEVEL[l]) / 2;
        for (int i = 0; i < QUANT_GROUP; i++) n[i] += x[i] * inverse > border;
    }
    for (int i = 0; i < QUANT_GROUP; i++) q[i] = (int8_t)n[i];
}

/* The extreme on the end of the table, then the scale that fits these levels best, and the levels for that scale. */
static bf16 quantise_int4(int8_t *q, const float *x)
{
    float above = 0, below = 0;
    nearest_levels(q, x, inverse_of(extreme(x) / QUANT_LEVEL[0]));
    for (int i = 0; i < QUANT_GROUP; i++) {
        float level = QUANT_LEVEL[q[i]];
        above += x[i] * level;
        below += level * level;
    }
    bf16 scale = bf16_from_f32(isfinite(above) ? above / below : extreme(x) / QUANT_LEVEL[0]);
    nearest_levels(q, x, inverse_of(bf16_to_f32(scale)));
    return scale;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Where the scale of an output stands in its block, and the q of its input i; *shift is that of the half byte. */
static unsigned char *scale_at(unsigned char *block, int o)
{
    return block + 2 * o;
}

static unsigned char *q_at(unsigned char *block, QuantType t, int o, int i, int *shift)
{
    int row = i / 4;
    *shift = t == QUANT_INT4 && row >= 4 ? 4 : 0;
    if (t == QUANT_INT4) row %= 4;
    return block + QUANT_SCALES + (row * QUANT_OUTS + o) * 4 + i % 4;
}

static void put_group(unsigned char *block, QuantType t, int o, const float *x)
{
    int8_t q[QUANT_GROUP];
    bf16 scale = t == QUANT_INT8 ? quantise_int8(q, x) : quantise_int4(q, x);
    scale_at(block, o)[0] = (unsigned char)(scale & 0xff);
    scale_at(block, o)[1] = (unsigned char)(scale >> 8);
    for (int i = 0; i < QUANT_GROUP; i++) {
        int shift;
        unsigned char *at = q_at(block, t, o, i, &shift);
        if (t == QUANT_INT8) *at = (unsigned char)q[i];
        else *at = (unsigned char)(*at | q[i] << shift);
    }
}

void quant_outs(void *copy, QuantType t, const void *w, DType dtype, int out, int in, int block)
{
    size_t bytes = (size_t)quant_block_bytes(t), groups = (size_t)quant_groups(in), size = dtype_size(dtype);
    unsigned char *to = (unsigned char *)copy + (size_t)block * groups * bytes;
    memset(to, 0, groups * bytes);
    for (int o = 0; o < QUANT_OUTS && block * QUANT_OUTS + o < out; o++) {
        const char *row = (const char *)w + (size_t)(block * QUANT_OUTS + o) * (size_t)in * size;
        for (size_t g = 0; g < groups; g++) {
            size_t first = g * QUANT_GROUP, left = (size_t)in - first;
            float x[QUANT_GROUP] = {0};
            dtype_convert(x, DT_F32, row + first * size, dtype, left < QUANT_GROUP ? left : QUANT_GROUP);
            put_group(to + g * bytes, t, o, x);
        }
    }
}

/* The group's scale, and its q. */
static float read_group(int8_t *q, const WeightQuant *w, int in, int o, int g)
{
    size_t index = (size_t)(o / QUANT_OUTS) * (size_t)quant_groups(in) + (size_t)g;
    unsigned char *block = (unsigned char *)(uintptr_t)w->data + index * (size_t)quant_block_bytes(w->type);
    o %= QUANT_OUTS;
    for (int i = 0; i < QUANT_GROUP; i++) {
        int shift, byte = *q_at(block, w->type, o, i, &shift);
        q[i] = w->type == QUANT_INT8 ? (int8_t)byte : QUANT_LEVEL[byte >> shift & 15];
    }
    return bf16_to_f32((bf16)(scale_at(block, o)[0] | scale_at(block, o)[1] << 8));
}

void quant_read(float *to, const WeightQuant *w, int in, int o)
{
    for (int c = 0; c < in; c += QUANT_GROUP) {
        int8_t q[QUANT_GROUP];
        float scale = read_group(q, w, in, o, c / QUANT_GROUP);
        for (int i = 0; i < QUANT_GROUP && c + i < in; i++) to[c + i] = scale * (float)q[i];
    }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

float quant_input_scale(float most, float *inverse)
{
    float scale = most <= FLT_MAX ? most * (1.0f / (127 * 256)) : NAN;
    *inverse = inverse_of(scale);
    return scale;
}

void quant_inputs(int16_t *q, float *scale, const float *x, int in)
{
    for (int c = 0; c < in; c += QUANT_GROUP) {
        int n = in - c < QUANT_GROUP ? in - c : QUANT_GROUP;
        float v[QUANT_GROUP] = {0}, most = 0, inverse;
        memcpy(v, x + c, sizeof *v * (size_t)n);
        for (int i = 0; i < QUANT_GROUP; i++) most = fabsf(v[i]) <= most ? most : fabsf(v[i]); /* or a NaN */
        scale[c / QUANT_GROUP] = quant_input_scale(most, &inverse);
        for (int i = 0; i < QUANT_GROUP; i++) q[c + i] = (int16_t)(inverse > 0 ? rintf(v[i] * inverse) : 0);
    }
}

float quant_dot(const WeightQuant *w, int in, int o, const int16_t *q, const float *scale)
{
    float sum = 0;
    for (int g = 0; g < quant_groups(in); g++) {
        int8_t wq[QUANT_GROUP];
        float ws = read_group(wq, w, in, o, g);
        int dot = 0;
        for (int i = 0; i < QUANT_GROUP; i++) dot += wq[i] * q[g * QUANT_GROUP + i];
        sum = fmaf((float)dot, ws * scale[g], sum);
    }
    return sum;
}
