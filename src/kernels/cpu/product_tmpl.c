/*
 * product_tmpl.c - large matrix products: our blocking, packing and threads around oneDNN's tile kernels (onednn.h).
 *
 * All three products are c[M,N] (+)= a[M,K] b[K,N]:
 *
 *   nt   c = y [n, out],    a = x [n, in],     b = w^T, w stored [out, in]
 *   nn   c = y [n, in],     a = x [n, out],    b = w [out, in]
 *   tn   c = dw [out, in],  a = dy^T, dy stored [n, out] (tiles of a stay that way round),   b = x [n, in]
 *
 * 1. a is copied to tiles of TILE_M x TILE_K, b to panels; a frozen weight has its panels made once by weight_pack.
 * 2. Tasks of some tiles of c: their products over the tiles of K in order, in f32; bias, accumulation, rounding.
 *
 * Every element of c is summed in the same order whatever the number of threads.  Tiles of a and b are padded with
 * zeros to the steps that the tile kernels want.
 */
#include <pthread.h>

#include "kernels/cpu/onednn.h"
#include "kernels/cpu/simd.h"

enum {
    PAIR = T_IS_BF16 ? 2 : 1, /* rows of b that lie side by side in a panel */
    FEW = 8,                  /* up to as many rows of x, the weight is streamed through matmul_tmpl.c instead */
    MAX_GROUP = 4,            /* row tiles of c in a task */
    MAX_B_BYTES = 32 << 20    /* b is packed and used in column chunks of about this size */
};

typedef struct Packed { /* what weight_pack makes: the panels of a weight for nt and for nn */
    void *memory;
    T *nt, *nn;
} Packed;

typedef struct Product {
    int m, n, k;
    const T *a, *b;
    bool a_by_k; /* a is stored [k, m] */
    bool b_by_n; /* b is stored [n, k] */
    T *a_tiles;
    const T *b_packed; /* the panels of all of b, or NULL: */
    T *b_panels;       /* made here for the tile columns from j0 on */
    int j0;
    int group; /* row tiles of c in a task; does not touch the result, so it may depend on the number of threads */
    void *y;
    DType y_type;
    const T *bias;
    bool accumulate;
} Product;

static int tiles(int n, int size)
{
    return (n + size - 1) / size;
}

static int clip(int n, int at, int size)
{
    return n - at < size ? n - at : size;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* Where in a_tiles the tile (i, k) begins; where in the panels of b the tile (k, j) begins, j0 being the first. */
static int64_t a_tile_at(const Product *p, int i, int k)
{
    int height = round_up(clip(p->m, i * TILE_M, TILE_M), TILE_M_STEP);
    return (int64_t)i * TILE_M * round_up(p->k, TILE_K_STEP) + (int64_t)height * k * TILE_K;
}

static int64_t b_tile_at(const Product *p, int k, int j)
{
    int width = round_up(clip(p->n, j * TILE_N, TILE_N), TILE_PANEL);
    return (int64_t)(j - p->j0) * TILE_N * round_up(p->k, TILE_K_STEP) + (int64_t)width * k * TILE_K;
}

/* rows x cols numbers, zeros around them up to the padded size. */
static void copy_padded(T *restrict to, int padded_rows, int padded_cols, const T *from, int64_t ld, int rows, int cols)
{
    for (int r = 0; r < padded_rows; r++) {
        T *row = to + (int64_t)r * padded_cols;
        int n = r < rows ? cols : 0;
        if (n) memcpy(row, from + r * ld, sizeof(T) * (size_t)n);
        memset(row + n, 0, sizeof(T) * (size_t)(padded_cols - n));
    }
}

static void pack_a_task(void *arg, int task)
{
    const Product *p = arg;
    int depth = tiles(p->k, TILE_K), i = task / depth, k = task % depth;
    int m = clip(p->m, i * TILE_M, TILE_M), kc = clip(p->k, k * TILE_K, TILE_K);
    int mp = round_up(m, TILE_M_STEP), kp = round_up(kc, TILE_K_STEP);
    T *to = p->a_tiles + a_tile_at(p, i, k);
    if (p->a_by_k) copy_padded(to, kp, mp, p->a + (int64_t)k * TILE_K * p->m + i * TILE_M, p->m, kc, m);
    else copy_padded(to, mp, kp, p->a + (int64_t)i * TILE_M * p->k + k * TILE_K, p->k, m, kc);
}

/* A panel holds one word for every PAIR rows and each of 64 columns: two bf16, the first row's low; or an f32. */
static inline uint32_t word(const T *low, const T *high, int64_t i)
{
#if T_IS_BF16
    return (uint32_t)high[i] << 16 | low[i];
#else
    (void)high;
    uint32_t w;
    memcpy(&w, &low[i], sizeof w);
    return w;
#endif
}

/* One panel of b stored [k, n], k in [0, kc), padded to kp. */
static void pack_panel(uint32_t *restrict to, const T *b, int64_t ld, int kc, int kp, int n)
{
    static const T zeros[TILE_PANEL] = {0};
    T edge[PAIR][TILE_PANEL] = {{0}};
    for (int k = 0; k < kp; k += PAIR, to += TILE_PANEL) {
        const T *row[2] = {zeros, zeros};
        for (int side = 0; side < PAIR && k + side < kc; side++) {
            row[side] = b + (k + side) * ld;
            if (n < TILE_PANEL) row[side] = memcpy(edge[side], row[side], sizeof(T) * (size_t)n);
        }
        const T *restrict low = row[0], *restrict high = row[1];
        for (int j = 0; j < TILE_PANEL; j++) to[j] = word(low, high, j);
    }
}

/* One panel of b stored [n, k]: words are transposed, by blocks of 16 x 64 that stay in the nearest cache. */
static void pack_panel_by_n(uint32_t *restrict to, const T *b, int64_t ld, int kc, int kp, int n)
{
    enum { DEEP = 16 };
    int whole = kc / PAIR, all = kp / PAIR;
    if (n < TILE_PANEL || kc < kp) memset(to, 0, sizeof *to * (size_t)all * TILE_PANEL);
    for (int k0 = 0; k0 < whole; k0 += DEEP) {
        int deep = clip(whole, k0, DEEP);
        for (int j = 0; j < n; j++) {
            const T *restrict row = b + j * ld + k0 * PAIR;
            for (int k = 0; k < deep; k++) memcpy(&to[(k0 + k) * TILE_PANEL + j], row + k * PAIR, sizeof *to);
        }
    }
    for (int j = 0; j < n && whole * PAIR < kc; j++)
        memcpy(&to[whole * TILE_PANEL + j], b + j * ld + kc - 1, sizeof(T));
}

/* Task: a tile of b, from tile column j0 on. */
static void pack_b_task(void *arg, int task)
{
    const Product *p = arg;
    int depth = tiles(p->k, TILE_K), j = p->j0 + task / depth, k = task % depth;
    int kc = clip(p->k, k * TILE_K, TILE_K), kp = round_up(kc, TILE_K_STEP);
    T *to = p->b_panels + b_tile_at(p, k, j);
    for (int at = j * TILE_N; at < (j + 1) * TILE_N && at < p->n; at += TILE_PANEL, to += (int64_t)kp * TILE_PANEL) {
        int n = clip(p->n, at, TILE_PANEL);
        if (p->b_by_n) pack_panel_by_n((uint32_t *)to, p->b + (int64_t)at * p->k + k * TILE_K, p->k, kc, kp, n);
        else pack_panel((uint32_t *)to, p->b + (int64_t)k * TILE_K * p->n + at, p->n, kc, kp, n);
    }
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

/* y (+)= c + bias on a tile at (i0, j0). */
static void store_tile(const Product *p, float *c, int ldc, int i0, int j0, int m, int n)
{
    bool acc = p->accumulate;
    for (int i = 0; i < m; i++) {
        float *restrict v = c + i * ldc;
        int64_t at = (int64_t)(i0 + i) * p->n + j0;
        if (p->bias)
            for (int j = 0; j < n; j++) v[j] += get(p->bias, j0 + j);
        if (p->y_type == DT_F32) {
            float *restrict y = (float *)p->y + at;
            for (int j = 0; j < n; j++) y[j] = acc ? y[j] + v[j] : v[j];
        } else {
            T *restrict y = (T *)p->y + at;
            for (int j = 0; j < n; j++) put(y, j, acc ? get(y, j) + v[j] : v[j]);
        }
    }
}

/*
 * Task: up to `group` row tiles of c, one tile column.  Depth is the outer loop, so that a tile of b is fetched once
 * for all of them: to fetch it from memory takes half as long as to multiply it with a tile of a.
 */
static void tile_task(void *arg, int task)
{
    const Product *p = arg;
    _Alignas(64) float c[MAX_GROUP][TILE_M * TILE_N];
    int down = tiles(p->m, TILE_M), groups = tiles(down, p->group), j = p->j0 + task / groups;
    int first = task % groups * p->group, end = first + clip(down, first, p->group), n = clip(p->n, j * TILE_N, TILE_N);
    const T *panels = p->b_packed ? p->b_packed : p->b_panels;
    OnednnTile t = {.type = T_IS_BF16 ? DT_BF16 : DT_F32, .a_by_k = p->a_by_k, .n = round_up(n, TILE_PANEL)};
    for (int k = 0; k < tiles(p->k, TILE_K); k++) {
        t.k = round_up(clip(p->k, k * TILE_K, TILE_K), TILE_K_STEP);
        t.accumulate = k > 0;
        for (int i = first; i < end; i++) {
            t.m = round_up(clip(p->m, i * TILE_M, TILE_M), TILE_M_STEP);
            onednn_tile(c[i - first], p->a_tiles + a_tile_at(p, i, k), panels + b_tile_at(p, k, j), &t);
        }
    }
    for (int i = first; i < end; i++)
        store_tile(p, c[i - first], t.n, i * TILE_M, j * TILE_N, clip(p->m, i * TILE_M, TILE_M), n);
}

/* Memory for tiles, kept from call to call: fresh pages cost more than the packing. */
typedef struct Block {
    struct Block *next;
    size_t bytes;
    _Alignas(64) char data[];
} Block;

static Block *free_blocks;
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

static Block *block_take(size_t bytes)
{
    pthread_mutex_lock(&blocks_lock);
    Block *b = free_blocks;
    if (b) free_blocks = b->next;
    pthread_mutex_unlock(&blocks_lock);
    if (b && b->bytes >= bytes) return b;
    free(b);
    size_t all = (sizeof *b + bytes + 63) / 64 * 64;
    b = aligned_alloc(64, all);
    if (!b) b = xmalloc(all); /* reports the size and exits */
    b->bytes = bytes;
    return b;
}

static void block_give(Block *b)
{
    pthread_mutex_lock(&blocks_lock);
    b->next = free_blocks;
    free_blocks = b;
    pthread_mutex_unlock(&blocks_lock);
}

static size_t a_count(const Product *p)
{
    return (size_t)round_up(p->m, TILE_M_STEP) * (size_t)round_up(p->k, TILE_K_STEP);
}

/* Numbers in the panels of `columns` tile columns. */
static size_t b_count(const Product *p, int columns)
{
    return (size_t)columns * TILE_N * (size_t)round_up(p->k, TILE_K_STEP);
}

static void product_run(Product *p)
{
    int down = tiles(p->m, TILE_M), depth = tiles(p->k, TILE_K), across = tiles(p->n, TILE_N), chunk = across;
    for (p->group = MAX_GROUP; p->group > 1 && tiles(down, p->group) * across < 3 * pool_threads();) p->group /= 2;
    if (!p->b_packed) {
        chunk = (int)(MAX_B_BYTES / (b_count(p, 1) * sizeof(T)));
        chunk = chunk < 1 ? 1 : chunk > across ? across : chunk;
    }
    Block *memory = block_take((a_count(p) + (p->b_packed ? 0 : b_count(p, chunk))) * sizeof(T));
    p->a_tiles = (T *)memory->data;
    p->b_panels = p->a_tiles + a_count(p);
    pool_run(down * depth, pack_a_task, p);
    for (p->j0 = 0; p->j0 < across; p->j0 += chunk) {
        int columns = clip(across, p->j0, chunk);
        if (!p->b_packed) pool_run(columns * depth, pack_b_task, p);
        pool_run(columns * tiles(down, p->group), tile_task, p);
    }
    block_give(memory);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static Product product_nt(const Weight *w)
{
    return (Product){.n = w->out, .k = w->in, .b = w->data, .b_by_n = true};
}

static Product product_nn(const Weight *w)
{
    return (Product){.n = w->in, .k = w->out, .b = w->data};
}

static void matmul_nt(void *y, DType y_type, const void *x, const Weight *w, const void *bias, int n, bool accumulate)
{
    if (n <= FEW) {
        FN(matmul_few)(y, y_type, x, w, bias, n, accumulate);
        return;
    }
    Product p = product_nt(w);
    p.m = n;
    p.a = x;
    p.b_packed = w->packed ? ((const Packed *)w->packed)->nt : NULL;
    p.y = y;
    p.y_type = y_type;
    p.bias = bias;
    p.accumulate = accumulate;
    product_run(&p);
}

static void matmul_nn(void *y, const void *x, const Weight *w, int n, bool accumulate)
{
    Product p = product_nn(w);
    p.m = n;
    p.a = x;
    p.b_packed = w->packed ? ((const Packed *)w->packed)->nn : NULL;
    p.y = y;
    p.y_type = T_IS_BF16 ? DT_BF16 : DT_F32;
    p.accumulate = accumulate;
    product_run(&p);
}

static void matmul_tn(float *dw, const void *dy, const void *x, int n, int out, int in)
{
    Product p = {.m = out, .n = in, .k = n, .a = dy, .a_by_k = true, .b = x};
    p.y = dw;
    p.y_type = DT_F32;
    p.accumulate = true;
    product_run(&p);
}

static void pack(Product *p, T *panels)
{
    p->b_panels = panels;
    pool_run(tiles(p->n, TILE_N) * tiles(p->k, TILE_K), pack_b_task, p);
}

static void weight_pack(Weight *w)
{
    CHECK(!w->packed, "weight_pack: packed already");
    Product nt = product_nt(w), nn = product_nn(w);
    size_t nt_count = b_count(&nt, tiles(nt.n, TILE_N)), nn_count = b_count(&nn, tiles(nn.n, TILE_N));
    Packed *packed = xmalloc(sizeof *packed);
    packed->memory = xmalloc((nt_count + nn_count) * sizeof(T) + 64);
    packed->nt = (T *)(((uintptr_t)packed->memory + 63) / 64 * 64);
    packed->nn = packed->nt + nt_count;
    pack(&nt, packed->nt);
    pack(&nn, packed->nn);
    w->packed = packed;
}

static void weight_unpack(Weight *w)
{
    Packed *packed = w->packed;
    if (!packed) return;
    free(packed->memory);
    free(packed);
    w->packed = NULL;
}

void FN(kernels_fill_onednn)(Kernels *k)
{
    if (!onednn_has(k->dtype)) return;
    k->name = "onednn";
    k->matmul_nt = matmul_nt;
    k->matmul_nn = matmul_nn;
    k->matmul_tn = matmul_tn;
    k->weight_pack = weight_pack;
    k->weight_unpack = weight_unpack;
}
