/*
 * kcheck_calls.h - how each slot is called with the arrays of a Problem; included once with K(slot) = the table's
 * function and once with K(slot) = the oracle's, whose float statistics are doubles.
 */
#define CALLER(slot) static void CALL(slot)(const Kernels *k, void *const *a, const Problem *p)

CALLER(matmul_nt)
{
    Weight w[2] = {[1] = {.data = a[4], .out = p->s.d, .in = ADAPTER_R}};
    Swiglu act;
    MatmulArgs g = matmul_args(a, p, w, &act);
    K(matmul_nt)(&g);
}

/* The oracle takes the values of the weight's copy, the others the copy itself. */
CALLER(matmul_quant)
{
    Weight w[2] = {[1] = {.data = a[4], .out = p->s.d, .in = ADAPTER_R}};
    Swiglu act;
    MatmulArgs g = matmul_args(a, p, w, &act);
    w[0].quant = QUANT(p);
    K(matmul_nt)(&g);
}

CALLER(matmul_nn)
{
    Weight w[2] = {[1] = {.data = a[4], .out = ADAPTER_R, .in = p->s.e}};
    Swiglu act;
    MatmulArgs g = matmul_args(a, p, w, &act);
    K(matmul_nn)(&g);
}

CALLER(matmul_tn)
{
    K(matmul_tn)(a[0], a[1], a[2], p->s.n, p->s.d, p->s.e);
}

CALLER(bias_bwd)
{
    K(bias_bwd)(a[0], a[1], p->s.n, p->s.d);
}

CALLER(accumulate)
{
    K(accumulate)(a[0], a[1], p->s.n);
}

CALLER(scale)
{
    K(scale)(a[0], p->a[1].n ? a[1] : a[0], 0.37f, p->s.n, p->accumulate);
}

CALLER(from_f32)
{
    K(from_f32)(a[0], a[1], p->s.n);
}

CALLER(to_f32)
{
    K(to_f32)(a[0], a[1], p->s.n, p->accumulate);
}

CALLER(swiglu_fwd)
{
    K(swiglu_fwd)(a[0], a[1], a[2], p->s.n);
}

CALLER(swiglu_bwd)
{
    K(swiglu_bwd)(a[0], a[1], a[2], a[3], a[4], p->s.n, p->accumulate);
}

CALLER(gelu_fwd)
{
    K(gelu_fwd)(a[0], a[1], p->s.n);
}

CALLER(gelu_bwd)
{
    K(gelu_bwd)(a[0], a[1], a[2], p->s.n, p->accumulate);
}

CALLER(dropout)
{
    uint32_t key[2] = {11, (uint32_t)p->round};
    /* starts inside a block of four, and in the second round where the block number passes 32 bits */
    uint64_t first = p->round ? (UINT64_C(4) << 32) - 13 : 2;
    K(dropout)(a[0], a[1], 0.3f, key, first, p->s.n, p->accumulate);
}

CALLER(rmsnorm_fwd)
{
    K(rmsnorm_fwd)(a[0], a[1], a[2], a[3], p->s.n, p->s.d, 1e-6f);
}

CALLER(rmsnorm_bwd)
{
    K(rmsnorm_bwd)(a[0], a[1], a[2], a[3], a[4], a[5], p->s.n, p->s.d, p->accumulate);
}

/* s.e = rows are that much wider than the heads; the second round is in place. */
CALLER(rope)
{
    int hd = p->s.d, heads = p->a[0].role == INOUT && !p->accumulate ? 2 : 3, ld = heads * hd + p->s.e;
    const void *x = p->a[1].n ? a[1] : a[0];
    K(rope)(a[0], ld, x, ld, a[2], a[3], p->s.n, heads, hd, p->round ? -1.0f : 1.0f, p->accumulate);
}

CALLER(gather_rows)
{
    K(gather_rows)(a[0], a[1], p->id, p->s.n, p->s.d);
}

CALLER(scatter_rows)
{
    K(scatter_rows)(a[0], a[1], p->id, p->s.n, p->s.d);
}

CALLER(put_rows)
{
    K(put_rows)(a[0], a[1], p->s.d + 3, p->id, p->s.n, p->s.d);
}

CALLER(embed_fwd)
{
    K(embed_fwd)(a[0], a[1], a[2], p->id, p->s.n, p->s.d);
}

CALLER(embed_bwd)
{
    K(embed_bwd)(a[0], a[1], a[2], p->id, p->s.n, p->s.d);
}

CALLER(attention_fwd)
{
    K(attention_fwd)(a[0], a[1], a[2], a[3], a[4], &p->attn);
}

CALLER(attention_bwd)
{
    K(attention_bwd)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], &p->attn);
}

CALLER(logprob_fwd)
{
    K(logprob_fwd)(a[0], a[1], a[2], a[3], p->id, first_id(p), p->s.n, p->s.d);
}

CALLER(logprob_bwd)
{
    K(logprob_bwd)(a[0], a[1], a[2], a[3], p->id, first_id(p), p->s.n, p->s.d);
}

CALLER(adamw)
{
    AdamWArgs args = {1e-2, 0.9, 0.95, 1e-8, 0.1, 0.271, 0.142625, 0.5};
    void *w = p->a[1].n ? a[1] : a[0];
    K(adamw)(a[0], w, a[2], a[3], a[4], p->s.n, &args);
}

/* Its result is a double; the array is f32. */
CALLER(sum_squares)
{
    double s = K(sum_squares)(a[1], p->s.n);
    STORE_SUM(a[0], s);
}

#undef CALLER
#undef CALL
#undef K
#undef STORE_SUM
