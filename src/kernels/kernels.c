#include <string.h>

#include "kernels/kernels_impl.h"

/* Who may serve slots, from weak to strong; `needs` are the features without which it is left out. */
typedef struct Filler {
    const char *name;
    DType dtype;
    unsigned needs;
    void (*fill)(Kernels *k);
} Filler;

static const Filler FILLER[] = {
    {"ref", DT_F32, 0, kernels_fill_ref_f32},
    {"ref", DT_BF16, 0, kernels_fill_ref_bf16},
#if defined(__x86_64__)
    {"avx2", DT_F32, CPU_AVX2, kernels_fill_f32_avx2},
    {"avx2", DT_BF16, CPU_AVX2, kernels_fill_bf16_avx2},
    {"avx512", DT_F32, CPU_AVX512, kernels_fill_f32_avx512},
    {"avx512", DT_BF16, CPU_AVX512, kernels_fill_bf16_avx512},
    {"avx512bf16", DT_BF16, CPU_AVX512 | CPU_AVX512_BF16, kernels_fill_matmul_bf16_avx512bf16},
    {"avx512bf16", DT_BF16, CPU_AVX512 | CPU_AVX512_BF16, kernels_fill_attention_bf16_avx512bf16},
    {"amx", DT_BF16, CPU_AVX512 | CPU_AVX512_BF16 | CPU_AMX, kernels_fill_matmul_bf16_amx},
    {"amx", DT_BF16, CPU_AVX512 | CPU_AVX512_BF16 | CPU_AMX, kernels_fill_attention_bf16_amx},
#endif
};
enum { N_FILLERS = sizeof FILLER / sizeof *FILLER };

typedef void (*AnyKernel)(void);

static const struct {
    const char *name;
    size_t offset;
} SLOT[] = {
#define ROW(name) {#name, offsetof(Kernels, name)},
    KERNEL_SLOTS(ROW)
#undef ROW
};
enum { N_SLOTS = sizeof SLOT / sizeof *SLOT };
/* A slot that KERNEL_SLOTS forgets would be missing from the list below, so from the tests. */
_Static_assert(offsetof(Kernels, matmul_nt) + N_SLOTS * sizeof(AnyKernel) == sizeof(Kernels), "KERNEL_SLOTS is stale");

int kernels_stages(Kernels *stage, int cap, DType dtype, unsigned features)
{
    CHECK(dtype == DT_F32 || dtype == DT_BF16, "no kernels for %s", dtype_name(dtype));
    Kernels k = {.dtype = dtype};
    int n = 0;
    for (int i = 0; i < N_FILLERS; i++) {
        const Filler *f = &FILLER[i];
        if (f->dtype != dtype || (f->needs & ~features)) continue;
        k.name = f->name;
        f->fill(&k);
        CHECK(n < cap, "more than %d stages of the kernel table", cap);
        stage[n++] = k;
    }
    return n;
}

void kernels_ref(Kernels *k, DType dtype)
{
    kernels_stages(k, 1, dtype, 0);
}

void kernels_cpu(Kernels *k, DType dtype)
{
    Kernels stage[N_FILLERS];
    int n = kernels_stages(stage, N_FILLERS, dtype, cpu_features());
    *k = stage[n - 1];
}

/* The filler that sets a slot of a table to the function that is there. */
static const char *slot_variant(const Kernels *k, size_t offset)
{
    for (int i = 0; i < N_FILLERS; i++) {
        if (FILLER[i].dtype != k->dtype || (FILLER[i].needs & ~cpu_features())) continue;
        Kernels one = {.dtype = k->dtype};
        FILLER[i].fill(&one);
        if (!memcmp((const char *)&one + offset, (const char *)k + offset, sizeof(AnyKernel))) return FILLER[i].name;
    }
    return "unknown";
}

int kernels_list(const Kernels *k, KernelRow *rows, int cap)
{
    for (int i = 0; i < N_SLOTS && i < cap; i++) rows[i] = (KernelRow){SLOT[i].name, slot_variant(k, SLOT[i].offset)};
    return N_SLOTS;
}
