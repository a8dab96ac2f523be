/*
 * kernels_impl.h - what the files that fill the kernel table share; nobody else includes it.
 *
 * A filler overwrites the slots it can serve with the features it is given and leaves the others alone:
 *
 *   kernels_fill_ref_f32(&k);                  every slot
 *   kernels_fill_f32_avx2(&k);                 cpu/loops_tmpl.c compiled for AVX2
 *   kernels_fill_matmul_bf16_amx(&k);          cpu/gemm_tmpl.c compiled for AMX
 *
 * kernels_stages runs them from weak to strong.
 */
#ifndef OSLER_KERNELS_KERNELS_IMPL_H
#define OSLER_KERNELS_KERNELS_IMPL_H

#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"
#include "kernels/kernels.h"

/* Every slot of Kernels, in the struct's order: X(name). */
#define KERNEL_SLOTS(X)                                                                                                \
    X(matmul_nt)                                                                                                       \
    X(matmul_nn)                                                                                                       \
    X(matmul_tn)                                                                                                       \
    X(bias_bwd)                                                                                                        \
    X(accumulate)                                                                                                      \
    X(scale)                                                                                                           \
    X(from_f32)                                                                                                        \
    X(to_f32)                                                                                                          \
    X(swiglu_fwd)                                                                                                      \
    X(swiglu_bwd)                                                                                                      \
    X(gelu_fwd)                                                                                                        \
    X(gelu_bwd)                                                                                                        \
    X(dropout)                                                                                                         \
    X(rmsnorm_fwd)                                                                                                     \
    X(rmsnorm_bwd)                                                                                                     \
    X(rope)                                                                                                            \
    X(gather_rows)                                                                                                     \
    X(scatter_rows)                                                                                                    \
    X(put_rows)                                                                                                        \
    X(embed_fwd)                                                                                                       \
    X(embed_bwd)                                                                                                       \
    X(attention_fwd)                                                                                                   \
    X(attention_bwd)                                                                                                   \
    X(logprob_fwd)                                                                                                     \
    X(logprob_bwd)                                                                                                     \
    X(adamw)                                                                                                           \
    X(sum_squares)

void kernels_fill_ref_f32(Kernels *k);
void kernels_fill_ref_bf16(Kernels *k);
void kernels_fill_f32_avx2(Kernels *k);
void kernels_fill_bf16_avx2(Kernels *k);
void kernels_fill_f32_avx512(Kernels *k);
void kernels_fill_bf16_avx512(Kernels *k);
void kernels_fill_matmul_bf16_avx512bf16(Kernels *k);
void kernels_fill_matmul_bf16_amx(Kernels *k);
void kernels_fill_attention_bf16_avx512bf16(Kernels *k);
void kernels_fill_attention_bf16_amx(Kernels *k);

/* The number of keys of a segment. */
static inline int attn_keys(const AttnPlan *plan, const AttnSeg *seg)
{
    int nk = 0;
    for (int s = 0; s < seg->n_span; s++) nk += plan->span[seg->span + s].len;
    CHECK(nk > 0 && (!plan->causal || nk >= seg->nq), "attention: %d queries with %d keys", seg->nq, nk);
    return nk;
}

/* How many of its nk keys query i of a segment sees. */
static inline int attn_seen(const AttnPlan *plan, const AttnSeg *seg, int nk, int i)
{
    return plan->causal ? nk - (seg->nq - 1 - i) : nk;
}

/* The row of every key of a segment, in order; the caller frees it. */
static inline int *attn_key_rows(const AttnPlan *plan, const AttnSeg *seg)
{
    int *row = xmalloc(sizeof *row * (size_t)attn_keys(plan, seg)), n = 0;
    for (int s = 0; s < seg->n_span; s++) {
        const Span *span = &plan->span[seg->span + s];
        for (int j = 0; j < span->len; j++) row[n++] = span->start + j;
    }
    return row;
}

/* The uniform in [0, 1) of element i: word i % 4 of philox block i / 4, its upper 24 bits. */
static inline float dropout_uniform(const uint32_t key[2], uint64_t i)
{
    uint32_t ctr[4] = {(uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), 0, 0}, out[4];
    philox(out, ctr, key);
    return (float)(out[i % 4] >> 8) * 0x1p-24f;
}

#endif
