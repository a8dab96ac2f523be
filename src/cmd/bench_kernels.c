/* osler bench kernels: every slot of the kernel table, in every variant, at the sizes of real models. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "base/progress.h"
#include "base/rng.h"
#include "cmd/bench.h"
#include "kernels/ceilings.h"

/*
 * Sizes by letter; each slot says what its letters are.  The models are Qwen2.5's 0.5B (width 896, ffn 4864, 14 and 2
 * heads of 64) and 3B (2048, 11008, 16 and 2 heads of 128) and the vision tower (1280, 3420, 16 heads of 80); 1472 rows
 * are four samples of a training step, one row or 16 are sequences that decode, 256 rows targets that meet a stretch of the
 * vocabulary.
 */
typedef struct Size {
    const char *name;
    int n, d, e, h, k, m;
} Size;

enum { MAX_ARRAYS = 9, MAX_SIZES = 13 };

typedef struct Call {
    const Kernels *k;
    const Size *s;
    void *a[MAX_ARRAYS]; /* NULL where a size is 0 */
    int *id;             /* [n], each below m */
    AttnArgs attn;
} Call;

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* n rows, d out, e in, h rank of an adapter. */
static void call_matmul_nt(const Call *c)
{
    const Size *s = c->s;
    const Weight w = {.data = c->a[2], .out = s->d, .in = s->e}, w2 = {.data = c->a[5], .out = s->d, .in = s->h};
    MatmulArgs g = {.y = c->a[0], .y_type = c->k->dtype, .x = c->a[1], .w = &w, .bias = c->a[3], .n = s->n};
    g.x2 = c->a[4];
    g.w2 = &w2;
    c->k->matmul_nt(&g);
}

static void call_head(const Call *c)
{
    const Weight w = {.data = c->a[2], .out = c->s->d, .in = c->s->e};
    c->k->matmul_nt(&(MatmulArgs){.y = c->a[0], .y_type = DT_F32, .x = c->a[1], .w = &w, .n = c->s->n});
}

static void call_matmul_nn(const Call *c)
{
    const Size *s = c->s;
    const Weight w = {.data = c->a[2], .out = s->d, .in = s->e}, w2 = {.data = c->a[4], .out = s->h, .in = s->e};
    MatmulArgs g = {.y = c->a[0], .y_type = c->k->dtype, .x = c->a[1], .w = &w, .x2 = c->a[3], .w2 = &w2, .n = s->n};
    c->k->matmul_nn(&g);
}

static void call_matmul_tn(const Call *c)
{
    c->k->matmul_tn(c->a[0], c->a[1], c->a[2], c->s->n, c->s->d, c->s->e);
}

static void call_bias_bwd(const Call *c)
{
    c->k->bias_bwd(c->a[0], c->a[1], c->s->n, c->s->d);
}

/* Elementwise: n * d elements. */
static int64_t elements(const Call *c)
{
    return (int64_t)c->s->n * c->s->d;
}

static void call_accumulate(const Call *c)
{
    c->k->accumulate(c->a[0], c->a[1], elements(c));
}

static void call_scale(const Call *c)
{
    c->k->scale(c->a[0], c->a[1], 0.5f, elements(c), false);
}

static void call_from_f32(const Call *c)
{
    c->k->from_f32(c->a[0], c->a[1], elements(c));
}

static void call_to_f32(const Call *c)
{
    c->k->to_f32(c->a[0], c->a[1], elements(c), false);
}

static void call_swiglu_fwd(const Call *c)
{
    c->k->swiglu_fwd(c->a[0], c->a[1], c->a[2], elements(c));
}

static void call_swiglu_bwd(const Call *c)
{
    c->k->swiglu_bwd(c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], elements(c), false);
}

static void call_gelu_fwd(const Call *c)
{
    c->k->gelu_fwd(c->a[0], c->a[1], elements(c));
}

static void call_gelu_bwd(const Call *c)
{
    c->k->gelu_bwd(c->a[0], c->a[1], c->a[2], elements(c), false);
}

static void call_dropout(const Call *c)
{
    c->k->dropout(c->a[0], c->a[1], 0.1f, (uint32_t[]){1, 2}, 0, elements(c), false);
}

static void call_rmsnorm_fwd(const Call *c)
{
    c->k->rmsnorm_fwd(c->a[0], c->a[1], c->a[2], c->a[3], c->s->n, c->s->d, 1e-6f);
}

/* A frozen weight. */
static void call_rmsnorm_bwd(const Call *c)
{
    c->k->rmsnorm_bwd(c->a[0], NULL, c->a[1], c->a[2], c->a[3], c->a[4], c->s->n, c->s->d, true);
}

/* h heads of e = 2d numbers, in place. */
static void call_rope(const Call *c)
{
    int ld = c->s->h * c->s->e;
    c->k->rope(c->a[0], ld, c->a[0], ld, c->a[1], c->a[2], c->s->n, c->s->h, c->s->e, 1, false);
}

/* n of m rows of d. */
static void call_gather_rows(const Call *c)
{
    c->k->gather_rows(c->a[0], c->a[1], c->id, c->s->n, c->s->d);
}

static void call_scatter_rows(const Call *c)
{
    c->k->scatter_rows(c->a[0], c->a[1], c->id, c->s->n, c->s->d);
}

static void call_put_rows(const Call *c)
{
    c->k->put_rows(c->a[0], c->a[1], c->s->d, c->id, c->s->n, c->s->d);
}

static void call_embed_fwd(const Call *c)
{
    c->k->embed_fwd(c->a[0], c->a[1], NULL, c->id, c->s->n, c->s->d);
}

static void call_embed_bwd(const Call *c)
{
    c->k->embed_bwd(c->a[0], NULL, c->a[1], c->id, c->s->n, c->s->d);
}

/* d segments of n queries and m keys; h query heads, k of keys, e numbers in each. */
static void call_attention_fwd(const Call *c)
{
    c->k->attention_fwd(c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], &c->attn);
}

static void call_attention_bwd(const Call *c)
{
    void *const *a = c->a;
    c->k->attention_bwd(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], &c->attn);
}

/* n rows, m words. */
static void call_logprob_fwd(const Call *c)
{
    c->k->logprob_fwd(c->a[0], c->a[1], NULL, c->a[2], c->id, 0, c->s->n, c->s->m);
}

static void call_logprob_bwd(const Call *c)
{
    c->k->logprob_bwd(c->a[0], c->a[1], c->a[2], c->a[3], c->id, 0, c->s->n, c->s->m);
}

static void call_adamw(const Call *c)
{
    static const AdamWArgs args = {1e-5, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001, 1};
    void *copy = c->k->dtype == DT_F32 ? c->a[0] : c->a[1];
    c->k->adamw(c->a[0], copy, c->a[2], c->a[3], c->a[4], elements(c), &args);
}

static void call_sum_squares(const Call *c)
{
    c->k->sum_squares(c->a[0], elements(c));
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

typedef enum Flops { NONE, PRODUCT, ATTENTION, ATTENTION_BWD } Flops;

/*
 * arrays: of each argument what it holds and the letters of its size.  T or F (f32): read or written; t or f: both;
 * U or u: a table of which some rows are used, not counted; W: a weight, which few rows find in memory, not in a cache.
 */
typedef struct Slot {
    const char *name, *arrays;
    void (*call)(const Call *c);
    Flops flops;
    Size size[MAX_SIZES];
} Slot;

#define ROWS_3B                                                                                                        \
    {                                                                                                                  \
        "3B ffn", 1472, 11008, 0, 0, 0, 0                                                                              \
    }
#define ROWS_05B                                                                                                       \
    {                                                                                                                  \
        "0.5B ffn", 1472, 4864, 0, 0, 0, 0                                                                             \
    }
#define WIDE_ROWS                                                                                                      \
    {"0.5B", 1472, 896, 0, 0, 0, 0}, {"3B", 1472, 2048, 0, 0, 0, 0},                                                   \
    {                                                                                                                  \
        "vision", 4096, 1280, 0, 0, 0, 0                                                                               \
    }
#define PARAMS                                                                                                         \
    {                                                                                                                  \
        "32M numbers", 4096, 8192, 0, 0, 0, 0                                                                          \
    }
#define ATTENTION_TRAINING                                                                                             \
    {"0.5B samples", 368, 4, 64, 14, 2, 368}, {"3B samples", 368, 4, 128, 16, 2, 368},                                 \
        {"vision window", 64, 64, 80, 16, 16, 64},                                                                     \
    {                                                                                                                  \
        "vision full", 1024, 4, 80, 16, 16, 1024                                                                       \
    }

static const Slot SLOT[] = {
    {"matmul_nt",
     "Tnd Tne Wde Td Tnh Tdh",
     call_matmul_nt,
     PRODUCT,
     {{"0.5B q", 1472, 896, 896, 0, 0, 0},
      {"0.5B k", 1472, 128, 896, 0, 0, 0},
      {"0.5B gate", 1472, 4864, 896, 0, 0, 0},
      {"0.5B down", 1472, 896, 4864, 0, 0, 0},
      {"0.5B gate+lora", 1472, 4864, 896, 16, 0, 0},
      {"3B q", 1472, 2048, 2048, 0, 0, 0},
      {"3B gate", 1472, 11008, 2048, 0, 0, 0},
      {"3B down", 1472, 2048, 11008, 0, 0, 0},
      {"vision qkv", 4096, 3840, 1280, 0, 0, 0},
      {"0.5B gate, 1", 1, 4864, 896, 0, 0, 0},
      {"3B gate, 1", 1, 11008, 2048, 0, 0, 0},
      {"3B gate, 16", 16, 11008, 2048, 0, 0, 0}}},
    {"matmul_nt",
     "Fnd Tne Wde",
     call_head,
     PRODUCT,
     {{"0.5B head, 1", 1, 151936, 896, 0, 0, 0}, {"0.5B head", 256, 8192, 896, 0, 0, 0}}},
    {"matmul_nn",
     "Tne Tnd Wde Tnh Teh",
     call_matmul_nn,
     PRODUCT,
     {{"0.5B gate", 1472, 4864, 896, 0, 0, 0},
      {"0.5B gate+lora", 1472, 4864, 896, 16, 0, 0},
      {"0.5B down", 1472, 896, 4864, 0, 0, 0},
      {"3B gate", 1472, 11008, 2048, 0, 0, 0},
      {"3B down", 1472, 2048, 11008, 0, 0, 0},
      {"0.5B head", 256, 8192, 896, 0, 0, 0}}},
    {"matmul_tn",
     "fde Tnd Tne",
     call_matmul_tn,
     PRODUCT,
     {{"0.5B gate", 1472, 4864, 896, 0, 0, 0},
      {"3B gate", 1472, 11008, 2048, 0, 0, 0},
      {"3B lora A", 1472, 16, 2048, 0, 0, 0},
      {"3B lora B", 1472, 11008, 16, 0, 0, 0}}},
    {"bias_bwd", "fd Tnd", call_bias_bwd, NONE, {WIDE_ROWS}},
    {"accumulate", "tnd Tnd", call_accumulate, NONE, {WIDE_ROWS}},
    {"scale", "Tnd Tnd", call_scale, NONE, {WIDE_ROWS}},
    {"from_f32", "Tnd Fnd", call_from_f32, NONE, {ROWS_05B, ROWS_3B}},
    {"to_f32", "Fnd Tnd", call_to_f32, NONE, {ROWS_05B, ROWS_3B}},
    {"swiglu_fwd", "Tnd Tnd Tnd", call_swiglu_fwd, NONE, {ROWS_05B, ROWS_3B}},
    {"swiglu_bwd", "Tnd Tnd Tnd Tnd Tnd", call_swiglu_bwd, NONE, {ROWS_05B, ROWS_3B}},
    {"gelu_fwd", "Tnd Tnd", call_gelu_fwd, NONE, {{"vision merger", 1024, 5120, 0, 0, 0, 0}}},
    {"gelu_bwd", "Tnd Tnd Tnd", call_gelu_bwd, NONE, {{"vision merger", 1024, 5120, 0, 0, 0, 0}}},
    {"dropout", "Tnd Tnd", call_dropout, NONE, {WIDE_ROWS}},
    {"rmsnorm_fwd", "Tnd Fn Tnd Td", call_rmsnorm_fwd, NONE, {WIDE_ROWS}},
    {"rmsnorm_bwd", "tnd Tnd Tnd Td Fn", call_rmsnorm_bwd, NONE, {WIDE_ROWS}},
    {"rope",
     "tnhe Fnd Fnd",
     call_rope,
     NONE,
     {{"0.5B q", 1472, 32, 64, 14, 0, 0}, {"3B q", 1472, 64, 128, 16, 0, 0}, {"vision q", 4096, 40, 80, 16, 0, 0}}},
    {"gather_rows", "Tnd Und Tnd", call_gather_rows, NONE, {{"vision", 4096, 1280, 0, 0, 0, 4096}}},
    {"scatter_rows", "tnd Tnd", call_scatter_rows, NONE, {{"vision", 4096, 1280, 0, 0, 0, 4096}}},
    {"put_rows", "Tnd Tnd", call_put_rows, NONE, {{"3B keys", 304, 256, 0, 0, 0, 304}}},
    {"embed_fwd", "Tnd Umd Tnd", call_embed_fwd, NONE, {{"0.5B", 1472, 896, 0, 0, 0, 151936}}},
    {"embed_bwd", "umd Tnd fnd", call_embed_bwd, NONE, {{"0.5B", 1472, 896, 0, 0, 0, 151936}}},
    {"attention_fwd",
     "Tdnhe Fdnh Tdnhe Tdmke Tdmke",
     call_attention_fwd,
     ATTENTION,
     {ATTENTION_TRAINING, {"3B prefill", 2048, 1, 128, 16, 2, 2048}, {"3B decode", 1, 16, 128, 16, 2, 1024}}},
    {"attention_bwd",
     "tdnhe tdmke tdmke Tdnhe Tdnhe Fdnh Tdnhe Tdmke Tdmke",
     call_attention_bwd,
     ATTENTION_BWD,
     {ATTENTION_TRAINING}},
    {"logprob_fwd", "Fn Fn Fnm", call_logprob_fwd, NONE, {{"256 targets", 256, 0, 0, 0, 0, 8192}}},
    {"logprob_bwd", "Tnm Fn Fnm Fn", call_logprob_bwd, NONE, {{"256 targets", 256, 0, 0, 0, 0, 8192}}},
    {"adamw", "fnd Tnd Fnd fnd fnd", call_adamw, NONE, {PARAMS}},
    {"sum_squares", "Fnd", call_sum_squares, NONE, {PARAMS}},
};
enum { N_SLOT_ROWS = sizeof SLOT / sizeof *SLOT };

/* ---- one call ---------------------------------------------------------------------------------------------------- */

typedef struct Problem {
    Call c;
    double bytes, flops;
    char *weight; /* array W: `copies` of them, taken by turns */
    int weight_at, copies;
    size_t weight_bytes;
    AttnPlan plan;
} Problem;

static int64_t letter(const Size *s, char c)
{
    const int value[] = {['n'] = s->n, ['d'] = s->d, ['e'] = s->e, ['h'] = s->h, ['k'] = s->k, ['m'] = s->m};
    return value[(unsigned char)c];
}

/* Numbers from 0.1 to 0.9 that fit where roots and logarithms are taken, too; one stretch of them again and again. */
static void *fill(size_t count, bool f32)
{
    enum { STRETCH = 1 << 16 };
    static float stretch[STRETCH];
    static bf16 short_stretch[STRETCH];
    Rng r = rng_at(1, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < STRETCH && !(stretch[STRETCH - 1] > 0); i++)
        stretch[i] = 0.1f + 0.8f * (float)(rng_u32(&r) >> 8) * 0x1p-24f;
    for (int i = 0; i < STRETCH; i++) short_stretch[i] = bf16_from_f32(stretch[i]);
    size_t size = f32 ? sizeof *stretch : sizeof *short_stretch;
    char *x = xmalloc(count * size);
    for (size_t at = 0; at < count; at += STRETCH) {
        size_t n = count - at < STRETCH ? count - at : STRETCH;
        memcpy(x + at * size, f32 ? (const void *)stretch : (const void *)short_stretch, n * size);
    }
    return x;
}

/* Reads one word of `arrays`. */
static void add_array(Problem *p, int at, const char *word, DType t)
{
    enum { CACHES = 1 << 29 }; /* bytes that no cache holds */
    int64_t count = 1;
    for (const char *c = word + 1; *c && *c != ' '; c++) count *= letter(p->c.s, *c);
    if (!count) return;
    bool f32 = strchr("Ffu", *word) || t == DT_F32, twice = *word == 't' || *word == 'f';
    size_t bytes = (size_t)count * (f32 ? sizeof(float) : sizeof(bf16));
    if (*word != 'U' && *word != 'u') p->bytes += (twice ? 2 : 1) * (double)bytes;
    int copies = *word == 'W' && p->c.s->n <= 16 ? (int)((CACHES + bytes - 1) / bytes) : 1;
    p->c.a[at] = fill((size_t)count * (size_t)copies, f32);
    if (copies == 1) return;
    p->weight = p->c.a[at];
    p->weight_at = at;
    p->weight_bytes = bytes;
    p->copies = copies;
}

/* d segments with rows of their own; text is causal, so that of several queries each sees what came before it. */
static void plan_attention(Problem *p)
{
    const Size *s = p->c.s;
    int n = s->d;
    AttnSeg *seg = xmalloc(sizeof *seg * (size_t)n);
    Span *span = xmalloc(sizeof *span * (size_t)n);
    int *group = xmalloc(sizeof *group * (size_t)(n + 1));
    for (int i = 0; i <= n; i++) group[i] = i;
    for (int i = 0; i < n; i++) {
        seg[i] = (AttnSeg){i * s->n, s->n, i, 1};
        span[i] = (Span){i * s->m, s->m};
    }
    bool causal = s->h != s->k; /* the vision tower has as many heads of keys as of queries */
    p->plan = (AttnPlan){seg, span, n, causal, group, n};
    p->c.attn = (AttnArgs){.plan = &p->plan, .h = s->h, .hk = s->k, .hd = s->e, .ldq = s->h * s->e};
    p->c.attn.ldk = p->c.attn.ldv = s->k * s->e;
    p->c.attn.scale = 1 / sqrtf((float)s->e);
    p->c.attn.n_q = n * s->n;
    p->c.attn.n_k = n * s->m;
}

/* Per pair of query and key two products of e forward and five backward, one of them again. */
static double count_flops(const Problem *p, Flops f)
{
    const Size *s = p->c.s;
    if (f == NONE) return 0;
    if (f == PRODUCT) return 2.0 * s->n * ((double)s->d * s->e + (double)s->h * (s->d + s->e));
    double n = s->n, pairs = n * s->m - (p->plan.causal ? n * (n - 1) / 2 : 0);
    return pairs * s->d * s->h * s->e * (f == ATTENTION ? 4 : 10);
}

static void problem_open(Problem *p, const Slot *slot, const Size *s, DType t)
{
    *p = (Problem){.c.s = s, .copies = 1};
    int at = 0;
    for (const char *word = slot->arrays; word; word = strchr(word, ' ')) {
        if (*word == ' ') word++;
        CHECK(at < MAX_ARRAYS, "%s: more than %d arrays", slot->name, MAX_ARRAYS);
        add_array(p, at++, word, t);
    }
    p->c.id = xmalloc(sizeof *p->c.id * (size_t)s->n);
    for (int i = 0; i < s->n; i++) p->c.id[i] = s->m ? (int)((int64_t)i * 7919 % s->m) : 0;
    if (slot->flops == ATTENTION || slot->flops == ATTENTION_BWD) plan_attention(p);
    p->flops = count_flops(p, slot->flops);
}

static void problem_close(Problem *p)
{
    if (p->weight) p->c.a[p->weight_at] = p->weight;
    for (int i = 0; i < MAX_ARRAYS; i++) free(p->c.a[i]);
    free(p->c.id);
    free((void *)(uintptr_t)p->plan.seg);
    free((void *)(uintptr_t)p->plan.span);
    free((void *)(uintptr_t)p->plan.group);
}

/* The best of calls over a fifth of a second, after one that brings the pages; a slow call is not repeated. */
static double best_seconds(Problem *p, const Slot *slot, const Kernels *k)
{
    double best = HUGE_VAL, started = now_seconds();
    p->c.k = k;
    for (int i = 0; i < 3 || now_seconds() - started < 0.2; i++) {
        if (p->weight) p->c.a[p->weight_at] = p->weight + (size_t)(i % p->copies) * p->weight_bytes;
        double t = now_seconds();
        slot->call(&p->c);
        t = now_seconds() - t;
        if (i > 0 || t > 1) best = fmin(best, t);
        if (t > 1) break;
    }
    return best;
}

/* ---- variants ---------------------------------------------------------------------------------------------------- */

enum { MAX_STAGES = 8, MAX_ROWS = 64 };

typedef struct Stages { /* the kernel table after each filler */
    Kernels k[MAX_STAGES];
    int n;
    double gflops, gbs; /* the machine's best */
} Stages;

static const char *variant_of(const Kernels *k, const char *slot)
{
    KernelRow row[MAX_ROWS];
    int n = kernels_list(k, row, MAX_ROWS);
    for (int i = 0; i < n; i++)
        if (!strcmp(row[i].slot, slot)) return row[i].variant;
    return NULL;
}

/* Shown: every variant once; the reference only where nothing is faster. */
static bool variant_shown(const Stages *all, int i, const char *slot)
{
    const char *name = variant_of(&all->k[i], slot);
    if (i > 0 && !strcmp(name, variant_of(&all->k[i - 1], slot))) return false;
    return strcmp(name, "ref") != 0 || !strcmp(name, variant_of(&all->k[all->n - 1], slot));
}

/* Percent: of the time that the bytes or the operations need at least. */
static void print_result(const BenchOpts *o, const Stages *all, const Problem *p, const char *slot, const char *variant,
                         double seconds)
{
    double gbs = p->bytes / seconds * 1e-9, gflops = p->flops / seconds * 1e-9;
    double percent = 100 * fmax(gbs / all->gbs, gflops / all->gflops);
    const char *dtype = o->common.dtype ? "f32" : "bf16";
    if (!o->json) {
        printf("%-14s %-15s %-11s %10.3f %8.1f %9.1f %6.1f\n", slot, p->c.s->name, variant, seconds * 1e3, gbs, gflops,
               percent);
        fflush(stdout);
        return;
    }
    bench_print_row(json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f}", "bench", "kernels", "slot", slot,
                              "size", p->c.s->name, "dtype", dtype, "variant", variant, "threads", pool_threads(),
                              "seconds", seconds, "gbs", gbs, "gflops", gflops, "percent", percent));
}

static void bench_size(const BenchOpts *o, const Stages *all, const Slot *slot, const Size *s)
{
    Problem p;
    problem_open(&p, slot, s, common_dtype(&o->common));
    for (int i = 0; i < all->n; i++) {
        if (!variant_shown(all, i, slot->name)) continue;
        double seconds = best_seconds(&p, slot, &all->k[i]);
        print_result(o, all, &p, slot->name, variant_of(&all->k[i], slot->name), seconds);
    }
    problem_close(&p);
}

/* Every slot of the table has a row here. */
static void check_rows(const Kernels *k)
{
    KernelRow row[MAX_ROWS];
    int n = kernels_list(k, row, MAX_ROWS);
    for (int i = 0; i < n; i++) {
        bool found = false;
        for (int j = 0; j < N_SLOT_ROWS && !found; j++) found = !strcmp(SLOT[j].name, row[i].slot);
        CHECK(found, "slot %s is not in bench_kernels.c", row[i].slot);
    }
}

int bench_kernels(const BenchOpts *o, Err *err)
{
    DType t = common_dtype(&o->common);
    Stages all = {0};
    all.n = kernels_stages(all.k, MAX_STAGES, t, cpu_features());
    check_rows(&all.k[0]);
    int matches = 0;
    for (int i = 0; i < N_SLOT_ROWS; i++) matches += !o->slot || strstr(SLOT[i].name, o->slot);
    if (!matches) {
        err_set(err, "no kernel's name holds '%s'", o->slot);
        return err_hint(err, "osler inspect --kernels lists them");
    }
    all.gflops = ceilings_gflops(t);
    all.gbs = ceilings_read_gbs();
    if (!o->json) {
        printf("products %.0f GFLOP/s in %s, reading %.1f GB/s\n", all.gflops, o->common.dtype ? "f32" : "bf16",
               all.gbs);
        printf("%-14s %-15s %-11s %10s %8s %9s %6s\n", "slot", "size", "variant", "ms", "GB/s", "GFLOP/s", "%");
    }
    for (int i = 0; i < N_SLOT_ROWS; i++)
        for (const Size *s = SLOT[i].size; s->name && (!o->slot || strstr(SLOT[i].name, o->slot)); s++)
            bench_size(o, &all, &SLOT[i], s);
    return 0;
}
