/*
 * onednn.h - oneDNN as the supplier of one thing: the product of two tiles that lie in the nearest caches.
 *
 * Why not whole matrices: oneDNN 2.6 with the same inner kernels reaches 40 % of an AMX core's peak on a 512 x 2048 by
 * 2048 product (large weights fall out of L2 again and again, any row stride drops it to a slower path) and 80 % on
 * tiles.  So blocking, packing, bias, accumulation and threads are ours (product_tmpl.c), and the set of primitives is
 * small and bounded: one per tile shape, made on first use and kept for the life of the process.
 *
 *   if (onednn_has(DT_BF16))
 *       onednn_tile(c, a, b, &(OnednnTile){.type = DT_BF16, .m = 128, .n = 256, .k = 512, .accumulate = true});
 *
 *   c [m, n] f32, dense                      (+)= a b
 *   a [m, k] dense, or [k, m] where a_by_k
 *   b [k, n] in panels: for every 64 columns, for every `pairs` rows (2 for bf16, 1 for f32), 64 x pairs numbers with
 *     the rows innermost; oneDNN's BA16a64b2a and BA16a64b
 *   m is a multiple of 16, n of 64, k of 32: callers pad with zeros.
 *
 * Thread-safe.  oneDNN's own threads are switched off for the duration of a call.  The instruction set is capped by
 * CPU= for the whole process, because oneDNN allows one choice per process.
 */
#ifndef OSLER_KERNELS_CPU_ONEDNN_H
#define OSLER_KERNELS_CPU_ONEDNN_H

#include <stdbool.h>

#include "base/dtype.h"

enum { TILE_M = 128, TILE_N = 256, TILE_K = 512, TILE_PANEL = 64, TILE_M_STEP = 16, TILE_K_STEP = 32 };

typedef struct OnednnTile {
    DType type; /* of a and b: DT_F32 or DT_BF16 */
    bool a_by_k, accumulate;
    int m, n, k; /* at most TILE_M, TILE_N, TILE_K */
} OnednnTile;

/* True where oneDNN has the fast tile kernels for the type on this CPU under its mask. */
bool onednn_has(DType type);
void onednn_tile(float *c, const void *a, const void *b, const OnednnTile *t);

#endif
