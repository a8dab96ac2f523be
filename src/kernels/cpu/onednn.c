#include "kernels/cpu/onednn.h"

#if HAVE_ONEDNN

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels_impl.h"

/* libgomp's; oneDNN takes the number of its threads from here. Both are per thread. */
void omp_set_num_threads(int n);
int omp_get_max_threads(void);

/* ---- versions 2 and 3 of the API --------------------------------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t MemoryDesc;
#define DESC(d)         (d)
#define desc_by_strides dnnl_memory_desc_create_with_strides
#define desc_by_tag     dnnl_memory_desc_create_with_tag
#else
typedef dnnl_memory_desc_t MemoryDesc;
#define DESC(d)         (&(d))
#define desc_by_strides dnnl_memory_desc_init_by_strides
#define desc_by_tag     dnnl_memory_desc_init_by_tag
#endif

static int append_sum(dnnl_post_ops_t ops)
{
#if DNNL_VERSION_MAJOR >= 3
    return (int)dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
#else
    return (int)dnnl_post_ops_append_sum(ops, 1);
#endif
}

typedef struct TileKernel {
    dnnl_primitive_t run;
    MemoryDesc a, b, c, pad;
    size_t pad_bytes;
} TileKernel;

static dnnl_engine_t engine;

static int describe_product(dnnl_primitive_desc_t *pd, const TileKernel *k, dnnl_primitive_attr_t attr)
{
#if DNNL_VERSION_MAJOR >= 3
    return (int)dnnl_matmul_primitive_desc_create(pd, engine, k->a, k->b, NULL, k->c, attr);
#else
    dnnl_matmul_desc_t d;
    int status = (int)dnnl_matmul_desc_init(&d, &k->a, &k->b, NULL, &k->c);
    return status ? status : (int)dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
#endif
}

/* The scratch memory a primitive asks for. */
static void query_pad(TileKernel *k, dnnl_primitive_desc_t pd)
{
#if DNNL_VERSION_MAJOR >= 3
    const_dnnl_memory_desc_t d = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    CHECK(!dnnl_memory_desc_clone(&k->pad, d), "oneDNN: scratchpad");
    k->pad_bytes = dnnl_memory_desc_get_size(k->pad);
#else
    k->pad = *dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    k->pad_bytes = dnnl_memory_desc_get_size(&k->pad);
#endif
}

/* ---- making primitives ------------------------------------------------------------------------------------------- */

/* Before anything else is asked of oneDNN; where something in the process used it earlier, this has no effect. */
static void cap_isa(void)
{
    unsigned f = cpu_features();
    if (f & CPU_AMX) return;
    if (f & CPU_AVX512_BF16) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core_bf16);
    else if (f & CPU_AVX512) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx512_core);
    else dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
}

static void engine_init(void)
{
    cap_isa();
    if (dnnl_engine_create(&engine, dnnl_cpu, 0)) engine = NULL;
}

static int describe_tiles(TileKernel *k, const OnednnTile *t)
{
    dnnl_data_type_t type = t->type == DT_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_dims_t a = {t->m, t->k}, b = {t->k, t->n}, c = {t->m, t->n};
    dnnl_dims_t a_strides = {t->a_by_k ? 1 : t->k, t->a_by_k ? t->m : 1}, c_strides = {t->n, 1};
    dnnl_format_tag_t panels = t->type == DT_BF16 ? dnnl_BA16a64b2a : dnnl_BA16a64b;
    return desc_by_strides(&k->a, 2, a, type, a_strides) || desc_by_tag(&k->b, 2, b, type, panels) ||
           desc_by_strides(&k->c, 2, c, dnnl_f32, c_strides);
}

/* NULL where oneDNN has no kernel for it, or only one that is not its blocked kind ("brg:..."). */
static TileKernel *kernel_new(const OnednnTile *t)
{
    TileKernel *k = xcalloc(1, sizeof *k);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "";
    int bad = describe_tiles(k, t) || dnnl_primitive_attr_create(&attr) || dnnl_post_ops_create(&ops) ||
              (t->accumulate && append_sum(ops)) || dnnl_primitive_attr_set_post_ops(attr, ops) ||
              dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) ||
              describe_product(&pd, k, attr) || dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) ||
              strncmp(name, "brg", 3) || dnnl_primitive_create(&k->run, pd);
    if (!bad) query_pad(k, pd);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (ops) dnnl_post_ops_destroy(ops);
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (!bad) return k;
    free(k);
    return NULL;
}

/* One slot per tile shape, filled on first use. */
static TileKernel *_Atomic table[2][2][2][TILE_M / TILE_M_STEP][TILE_N / TILE_PANEL][TILE_K / TILE_K_STEP];

static TileKernel *kernel_get(const OnednnTile *t)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    TileKernel *_Atomic *slot = &table[t->type == DT_BF16][t->a_by_k][t->accumulate][t->m / TILE_M_STEP - 1]
                                      [t->n / TILE_PANEL - 1][t->k / TILE_K_STEP - 1];
    TileKernel *k = atomic_load(slot);
    if (k) return k;
    pthread_mutex_lock(&lock);
    if (!engine) engine_init();
    k = atomic_load(slot);
    if (!k && engine) {
        k = kernel_new(t);
        atomic_store(slot, k);
    }
    pthread_mutex_unlock(&lock);
    return k;
}

bool onednn_has(DType type)
{
    if (!(cpu_features() & (type == DT_BF16 ? CPU_AVX512_BF16 : CPU_AVX512))) return false;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    bool has = kernel_get(&(OnednnTile){.type = type, .accumulate = true, .m = TILE_M, .n = TILE_N, .k = TILE_K});
    omp_set_num_threads(threads);
    return has;
}

/* ---- running them ------------------------------------------------------------------------------------------------ */

/* What a running tile needs for itself; taken from a list and put back, so there are as many as threads ran at once. */
typedef struct Lane {
    struct Lane *next;
    dnnl_stream_t stream;
    void *pad;
    size_t pad_bytes;
} Lane;

static Lane *free_lanes;
static pthread_mutex_t lanes_lock = PTHREAD_MUTEX_INITIALIZER;

static Lane *lane_take(size_t pad_bytes)
{
    pthread_mutex_lock(&lanes_lock);
    Lane *lane = free_lanes;
    if (lane) free_lanes = lane->next;
    pthread_mutex_unlock(&lanes_lock);
    if (!lane) {
        lane = xcalloc(1, sizeof *lane);
        CHECK(!dnnl_stream_create(&lane->stream, engine, dnnl_stream_default_flags), "oneDNN: no stream");
    }
    if (lane->pad_bytes < pad_bytes) {
        free(lane->pad);
        lane->pad = xmalloc(pad_bytes);
        lane->pad_bytes = pad_bytes;
    }
    return lane;
}

static void lane_give(Lane *lane)
{
    pthread_mutex_lock(&lanes_lock);
    lane->next = free_lanes;
    free_lanes = lane;
    pthread_mutex_unlock(&lanes_lock);
}

static dnnl_memory_t wrap(const MemoryDesc *d, const void *data)
{
    dnnl_memory_t m;
    int status = (int)dnnl_memory_create(&m, DESC(*d), engine, (void *)(uintptr_t)data);
    CHECK(!status, "oneDNN: memory object: status %d", status);
    return m;
}

static void kernel_run(const TileKernel *k, float *c, const void *a, const void *b)
{
    Lane *lane = lane_take(k->pad_bytes);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, wrap(&k->a, a)},
                              {DNNL_ARG_WEIGHTS, wrap(&k->b, b)},
                              {DNNL_ARG_DST, wrap(&k->c, c)},
                              {DNNL_ARG_SCRATCHPAD, wrap(&k->pad, lane->pad)}};
    int status = (int)dnnl_primitive_execute(k->run, lane->stream, 4, args);
    CHECK(!status && !dnnl_stream_wait(lane->stream), "oneDNN: execution: status %d", status);
    for (int i = 0; i < 4; i++) dnnl_memory_destroy(args[i].memory);
    lane_give(lane);
}

void onednn_tile(float *c, const void *a, const void *b, const OnednnTile *t)
{
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const TileKernel *k = kernel_get(t);
    CHECK(k, "oneDNN: no kernel for a tile of %d x %d x %d", t->m, t->n, t->k);
    kernel_run(k, c, a, b);
    omp_set_num_threads(threads);
}

#else /* without the library: product_tmpl.c is compiled but never asked */

bool onednn_has(DType type)
{
    (void)type;
    return false;
}

void onednn_tile(float *c, const void *a, const void *b, const OnednnTile *t)
{
    (void)c, (void)a, (void)b, (void)t;
}
#endif
