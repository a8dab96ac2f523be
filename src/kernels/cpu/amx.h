/*
 * amx.h - the tile unit, set up the one way that every kernel here uses: eight tiles of 16 rows of 64 bytes.
 *
 *   amx_begin();
 *   amx_stored();
 *   ... _tile_loadd, _tile_dpbf16ps, _tile_stored ...
 *   amx_end();
 *
 * amx_stored: what was stored until here is there for tile loads, and what they have read so far may be overwritten.
 * gcc's intrinsics keep quiet about the memory that they read, so stores that only they see would be left out or moved;
 * _tile_stored does not need it.
 *
 * The set-up belongs to a thread, so a task does both for itself.  amx_end puts the tiles back into their initial
 * state: until then every switch of threads saves 8 KiB of them.
 *
 * _tile_dpbf16ps(c, a, b): c[16,16] f32 += a[16,32] b[32,16] in bf16; a lies row by row, b in pairs: row p of its tile
 * holds (b[2p][j], b[2p+1][j]) for j in 0..15.  Sums run in order of p; inputs and results that are denormal count as 0.
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS.
 */
#ifndef OSLER_KERNELS_CPU_AMX_H
#define OSLER_KERNELS_CPU_AMX_H

#if defined(__AMX_BF16__)
#include <immintrin.h>
#include <stdint.h>

typedef struct AmxConfig {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} AmxConfig;

static inline void amx_stored(void)
{
    __asm__ volatile("" ::: "memory");
}

static inline void amx_configure(const AmxConfig *tiles)
{
    amx_stored();
    _tile_loadconfig(tiles);
}

static inline void amx_begin(void)
{
    static const AmxConfig all = {
        .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    amx_configure(&all);
}

static inline void amx_end(void)
{
    _tile_release();
}
#else
static inline void amx_begin(void)
{
}

static inline void amx_end(void)
{
}
#endif

#endif
