/*
 * kcheck: every slot x variant x number format against an f64 oracle made from the reference source.
 *
 * A result may be wrong by four times what the plain f32 reference is wrong by on the same input, plus the rounding of
 * its format.  Attention in bf16 may also round probabilities and their gradients to bf16 before it multiplies them, as
 * tile units demand: each term of a sum may then be off by 2^-8 of its size.  Everything is run a second time inside a task, where all runs on one thread: the bits must be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kcheck.h"

#define REF_F64 1
#define SUFFIX  _f64
#include "kernels/ref_tmpl.c"

#include "kernels/kcheck_setups.h"

/* ---- tables under test ------------------------------------------------------------------------------------------- */

enum { MAX_TABLES = 8, MAX_SLOTS = 64, GUARD = 64 };

typedef struct Tables { /* after each filler, so that no variant hides behind a stronger one */
    Kernels k[MAX_TABLES];
    int n;
} Tables;

static Tables tables_init(DType t)
{
    Tables all = {0};
    all.n = kernels_stages(all.k, MAX_TABLES, t, cpu_features());
    return all;
}

static const char *variant_of(const Kernels *k, const char *slot)
{
    KernelRow row[MAX_SLOTS];
    int n = kernels_list(k, row, MAX_SLOTS);
    for (int i = 0; i < n; i++)
        if (!strcmp(row[i].slot, slot)) return row[i].variant;
    return NULL;
}

/* True where an earlier table serves the slot with the same function. */
static bool variant_repeats(const Tables *all, int i, const char *slot)
{
    const char *name = variant_of(&all->k[i], slot);
    for (int j = 0; j < i; j++)
        if (!strcmp(name, variant_of(&all->k[j], slot))) return true;
    return false;
}

/* ---- running one problem ----------------------------------------------------------------------------------------- */

typedef struct Memory { /* the arrays of a problem in the format of one table */
    DType type[MAX_ARRAYS];
    char *base[MAX_ARRAYS]; /* outputs: a guard, the array, a guard */
    void *at[MAX_ARRAYS];
    size_t bytes[MAX_ARRAYS];
} Memory;

/* f64: DT_F64 for the oracle, else the table's format. */
static Memory memory_init(const Problem *p, DType t)
{
    Memory m = {0};
    for (int i = 0; i < p->n_arrays; i++) {
        const Array *a = &p->a[i];
        if (!a->n) continue;
        m.type[i] = t == DT_F64 ? DT_F64 : a->format == AS_F32 ? DT_F32 : t;
        m.bytes[i] = (size_t)a->n * dtype_size(m.type[i]);
        /* odd rounds: addresses that are aligned to their element only */
        size_t shift = p->round % 2 ? dtype_size(m.type[i]) : 0, guard = a->role == IN ? 0 : GUARD;
        m.base[i] = xmalloc(shift + m.bytes[i] + 2 * guard);
        memset(m.base[i], 0xa5, shift + m.bytes[i] + 2 * guard);
        m.at[i] = m.base[i] + shift + guard;
        if (a->role == OUT) memset(m.at[i], 0xff, m.bytes[i]);
        else dtype_convert(m.at[i], m.type[i], a->value, DT_F64, (size_t)a->n);
    }
    return m;
}

static void memory_free(Memory *m)
{
    for (int i = 0; i < MAX_ARRAYS; i++) free(m->base[i]);
}

static void memory_check_guards(const Memory *m, const Problem *p)
{
    for (int i = 0; i < p->n_arrays; i++) {
        if (p->a[i].role == IN || !p->a[i].n) continue;
        for (const char *c = m->base[i]; c < (char *)m->at[i]; c++)
            if (*c != (char)0xa5) fail_msg("array %d: written before its start", i);
        const char *end = (char *)m->at[i] + m->bytes[i];
        for (int j = 0; j < GUARD; j++)
            if (end[j] != (char)0xa5) fail_msg("array %d: written past its end", i);
    }
}

static double *memory_read(const Memory *m, int i, int64_t n)
{
    double *x = xmalloc(sizeof *x * (size_t)n);
    dtype_convert(x, DT_F64, m->at[i], m->type[i], (size_t)n);
    return x;
}

typedef struct Call {
    Caller call;
    const Kernels *k;
    const Memory *m;
    const Problem *p;
} Call;

static void call_task(void *arg, int task)
{
    (void)task;
    const Call *c = arg;
    c->call(c->k, c->m->at, c->p);
}

/* ---- judging it -------------------------------------------------------------------------------------------------- */

typedef struct Want { /* per array: the oracle's values and the worst error of the f32 reference */
    double *value[MAX_ARRAYS], worst[MAX_ARRAYS];
} Want;

static double error_of(double got, double want)
{
    if (got == want) return 0;
    double e = fabs(got - want);
    return isnan(e) ? (double)INFINITY : e;
}

static Want want_init(const Case *c, const Problem *p)
{
    Want w = {0};
    Kernels ref;
    kernels_ref(&ref, DT_F32);
    Problem f32 = *p;
    f32.dtype = DT_F32;
    Memory exact = memory_init(p, DT_F64), plain = memory_init(&f32, DT_F32);
    c->oracle(NULL, exact.at, p);
    c->call(&ref, plain.at, &f32);
    for (int i = 0; i < p->n_arrays; i++) {
        if (p->a[i].role == IN || !p->a[i].n) continue;
        w.value[i] = memory_read(&exact, i, p->a[i].n);
        double *got = memory_read(&plain, i, p->a[i].n);
        for (int64_t j = 0; j < p->a[i].n; j++) w.worst[i] = fmax(w.worst[i], error_of(got[j], w.value[i][j]));
        free(got);
    }
    memory_free(&exact);
    memory_free(&plain);
    return w;
}

static void want_free(Want *w)
{
    for (int i = 0; i < MAX_ARRAYS; i++) free(w->value[i]);
}

/* Room for denormal inputs taken as zero, which AMX and AVX512_BF16 products do. */
static const double FLUSHED = 1e-33;

static void check_array(const Problem *p, const Memory *m, const Want *w, int i)
{
    double *got = memory_read(m, i, p->a[i].n);
    double unit = m->type[i] == DT_BF16 ? 0x1p-8 : 0x1p-20;
    for (int64_t j = 0; j < p->a[i].n; j++) {
        double want = w->value[i][j], error = error_of(got[j], want);
        if (isnan(want) && isnan(got[j])) continue; /* columns between rows that nobody writes */
        double allowed = 4 * w->worst[i] + unit * fabs(want) + 0x1p-21 * p->magnitude + FLUSHED;
        if (p->a[i].rounded && m->type[i] == DT_BF16) allowed += 0x1p-8 * p->a[i].rounded[j];
        if (!(error <= allowed))
            fail_msg("array %d, element %lld: %.9g, should be %.9g: error %.3g, allowed %.3g", i, (long long)j, got[j],
                     want, error, allowed);
    }
    free(got);
}

static void check_variant(const Case *c, const Problem *p, const Want *w, const Kernels *k)
{
    Memory m = memory_init(p, p->dtype), alone = memory_init(p, p->dtype);
    c->call(k, m.at, p);
    pool_run(1, call_task, &(Call){c->call, k, &alone, p});
    memory_check_guards(&m, p);
    for (int i = 0; i < p->n_arrays; i++) {
        if (p->a[i].role == IN || !p->a[i].n) continue;
        check_array(p, &m, w, i);
        if (memcmp(m.at[i], alone.at[i], m.bytes[i])) fail_msg("array %d: depends on the number of threads", i);
    }
    memory_free(&m);
    memory_free(&alone);
}

static Problem problem_init(const Case *c, DType t, Shape s, Fill fill, bool accumulate, int round)
{
    Problem p = {.dtype = t, .s = s, .fill = fill, .accumulate = accumulate, .round = round, .large = 1e4};
    p.rng = rng_at((uint64_t)round, RNG_TEST, (uint32_t)s.n, (uint32_t)s.d, (uint32_t)s.e);
    c->setup(&p);
    return p;
}

static void check_problem(const Case *c, const Tables *all, Problem *p)
{
    Want w = want_init(c, p);
    for (int i = 0; i < all->n; i++) {
        if (variant_repeats(all, i, c->slot)) continue;
        check_variant(c, p, &w, &all->k[i]);
    }
    want_free(&w);
}

typedef struct SlotTest {
    const Case *c;
    DType t;
    char name[64];
} SlotTest;

/* Once, with ordinary numbers, is enough for what takes its time. */
static bool is_large(const Case *c, const Shape *s)
{
    if (c->shape == ATTN) return (double)PLAN[s->n].n_q * PLAN[s->n].n_k * s->d * (s->e / 10) > 1e6;
    return (double)s->n * (s->d ? s->d : 1) * (s->e ? s->e : 1) > 50000;
}

static void test_slot(void **state)
{
    const SlotTest *s = *state;
    const Case *c = s->c;
    Tables all = tables_init(s->t);
    for (const Shape *shape = c->shape; shape->n || shape->d; shape++)
        for (int round = 0; round < 3; round++)
            for (int fill = 0; fill < N_FILLS; fill++)
                for (int acc = 0; acc <= c->accumulates; acc++) {
                    if (fill != NORMAL && round) continue;
                    if (is_large(c, shape) && (round || fill != NORMAL)) continue;
                    Problem p = problem_init(c, s->t, *shape, (Fill)fill, acc, round);
                    check_problem(c, &all, &p);
                    problem_free(&p);
                }
}

/* ---- beyond single slots ----------------------------------------------------------------------------------------- */

static void test_every_slot_has_a_case(void **state)
{
    (void)state;
    Kernels k;
    KernelRow row[MAX_SLOTS];
    kernels_cpu(&k, DT_F32);
    int n = kernels_list(&k, row, MAX_SLOTS);
    assert_in_range(n, 1, MAX_SLOTS);
    for (int i = 0; i < n; i++) {
        bool found = false;
        for (int c = 0; c < N_CASES; c++) found |= !strcmp(CASES[c].slot, row[i].slot);
        if (!found) fail_msg("slot %s has no case in kcheck_setups.h", row[i].slot);
        assert_string_not_equal(row[i].variant, "unknown");
    }
}

/* The same bits with one thread and with three. */
static void check_thread_count(const Case *c, DType t, const Shape *shape)
{
    Tables all = tables_init(t);
    Problem p = problem_init(c, t, *shape, NORMAL, false, 0);
    for (int v = 0; v < all.n; v++) {
        if (variant_repeats(&all, v, c->slot)) continue;
        Memory one = memory_init(&p, t), three = memory_init(&p, t);
        pool_start(1);
        c->call(&all.k[v], one.at, &p);
        pool_start(3);
        c->call(&all.k[v], three.at, &p);
        for (int i = 0; i < p.n_arrays; i++)
            if (p.a[i].n && memcmp(one.at[i], three.at[i], one.bytes[i]))
                fail_msg("%s (%s): depends on the number of threads", c->slot, variant_of(&all.k[v], c->slot));
        memory_free(&one);
        memory_free(&three);
    }
    problem_free(&p);
}

static void test_thread_count(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++)
        for (const Shape *s = CASES[i].shape; s->n || s->d; s++)
            if (!s[1].n && !s[1].d) /* the last and largest */
                for (DType t = DT_F32; t <= DT_BF16; t++) check_thread_count(&CASES[i], t, s);
    pool_start(0);
}

/* CPU=ref, and any machine without vector units: nothing but the reference. */
static void test_no_features(void **state)
{
    (void)state;
    for (DType t = DT_F32; t <= DT_BF16; t++) {
        Kernels k[MAX_TABLES];
        KernelRow row[MAX_SLOTS];
        assert_int_equal(kernels_stages(k, MAX_TABLES, t, 0), 1);
        assert_string_equal(k[0].name, "ref");
        for (int n = kernels_list(&k[0], row, MAX_SLOTS); n-- > 0;) assert_string_equal(row[n].variant, "ref");
    }
}

/* bf16 rows that meet are added one after the other, each sum rounded: bit-equal to the reference. */
static void test_repeated_index(void **state)
{
    (void)state;
    enum { N = 50, D = 37, ROWS_TO = 3 };
    Tables all = tables_init(DT_BF16);
    bf16 dy[N * D], want[ROWS_TO * D] = {0};
    int id[N];
    Rng r = rng_at(5, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < N * D; i++) dy[i] = bf16_from_f32((float)rng_normal(&r));
    for (int i = 0; i < N; i++) id[i] = (int)rng_below(&r, ROWS_TO);
    all.k[0].scatter_rows(want, dy, id, N, D);
    for (int i = 1; i < all.n; i++) {
        bf16 got[ROWS_TO * D] = {0};
        all.k[i].scatter_rows(got, dy, id, N, D);
        assert_memory_equal(got, want, sizeof want);
    }
}

/* Copies in fewer bits are multiplied in integers: every variant gives the reference's bits, in batches and alone. */
static void check_quant_bits(const Case *c, DType t, const Shape *shape)
{
    Tables all = tables_init(t);
    Problem p = problem_init(c, t, *shape, NORMAL, false, 1); /* round 1: y in f32, no adapter */
    Memory want = memory_init(&p, t);
    c->call(&all.k[0], want.at, &p);
    for (int i = 1; i < all.n; i++) {
        if (variant_repeats(&all, i, c->slot)) continue;
        Memory got = memory_init(&p, t);
        c->call(&all.k[i], got.at, &p);
        assert_memory_equal(got.at[0], want.at[0], want.bytes[0]);
        Problem first = p;
        first.s.n = 1;
        memset(got.at[0], 0, got.bytes[0]);
        c->call(&all.k[i], got.at, &first);
        assert_memory_equal(got.at[0], want.at[0], sizeof(float) * (size_t)p.s.d);
        memory_free(&got);
    }
    memory_free(&want);
    problem_free(&p);
}

static void test_quant_bits(void **state)
{
    (void)state;
    int checked = 0;
    for (int i = 0; i < N_CASES; i++)
        for (const Shape *s = CASES[i].shape; CASES[i].call == call_matmul_quant && (s->n || s->d); s++)
            for (DType t = DT_F32; t <= DT_BF16; t++, checked++) check_quant_bits(&CASES[i], t, s);
    assert_in_range(checked, 20, 1000);
}

/* The first n rows of every output are the same as with more rows, bit by bit. */
static void check_rows_alone(const Case *c, const Kernels *k, const Problem *p)
{
    Memory whole = memory_init(p, p->dtype), some = memory_init(p, p->dtype);
    c->call(k, whole.at, p);
    static const int ROWS_OF[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50};
    for (size_t r = 0; r < sizeof ROWS_OF / sizeof *ROWS_OF; r++) {
        int n = ROWS_OF[r];
        Problem few = *p;
        few.s.n = n;
        memory_free(&some);
        some = memory_init(p, p->dtype);
        c->call(k, some.at, &few);
        for (int i = 0; i < p->n_arrays; i++) {
            if (p->a[i].role == IN) continue;
            if (memcmp(some.at[i], whole.at[i], whole.bytes[i] / (size_t)p->s.n * (size_t)n))
                fail_msg("%s: array %d with %d rows of %d", variant_of(k, c->slot), i, n, p->s.n);
        }
    }
    memory_free(&whole);
    memory_free(&some);
}

/* Rows of a product do not depend on how many there are, whatever kernel serves the number. */
static void test_rows_alone(void **state)
{
    (void)state;
    static const Shape SHAPES[] = {{70, 130, 129}, {70, 64, 300}, {70, 48, 896}, {70, 80, 32}};
    int checked = 0;
    for (int c = 0; c < N_CASES; c++)
        for (int s = 0; s < 24 && !strcmp(CASES[c].slot, "matmul_nt"); s++) {
            DType t = s % 2 ? DT_BF16 : DT_F32;
            Tables all = tables_init(t);
            Problem p =
                problem_init(&CASES[c], t, SHAPES[s / 2 % 4], NORMAL, CASES[c].accumulates && s / 8 == 2, s / 8);
            for (int i = 1; i < all.n; i++, checked++) check_rows_alone(&CASES[c], &all.k[i], &p);
            problem_free(&p);
        }
    assert_true(checked > 20 || tables_init(DT_F32).n == 1);
}

/* A segment's attention has the same bits whatever other segments are in the call. */
static void check_segments_alone(const Case *c, DType t, int shape)
{
    Tables all = tables_init(t);
    Problem p = problem_init(c, t, c->shape[shape], NORMAL, false, 0), one = p;
    const AttnPlan *plan = p.attn.plan;
    for (int v = 0; v < all.n; v++) {
        if (variant_repeats(&all, v, c->slot)) continue;
        Memory whole = memory_init(&p, t), alone = memory_init(&p, t);
        c->call(&all.k[v], whole.at, &p);
        for (int s = 0; s < plan->n_seg; s++) {
            AttnPlan single = {&plan->seg[s], plan->span, 1, plan->causal, (int[]){0, 1}, 1};
            one.attn.plan = &single;
            c->call(&all.k[v], alone.at, &one);
        }
        if (memcmp(whole.at[0], alone.at[0], whole.bytes[0]) || memcmp(whole.at[1], alone.at[1], whole.bytes[1]))
            fail_msg("%s (%s): depends on other segments", c->slot, variant_of(&all.k[v], c->slot));
        memory_free(&whole);
        memory_free(&alone);
    }
    problem_free(&p);
}

static void test_segments_alone(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++)
        for (int s = 0; !strcmp(CASES[i].slot, "attention_fwd") && CASES[i].shape[s].d; s++)
            for (DType t = DT_F32; t <= DT_BF16; t++) check_segments_alone(&CASES[i], t, s);
}

/* A query sees the same alone as among others: prompts may come in parts, and decoding goes on where they end. */
static void check_queries_alone(const Kernels *k, DType t, int hd, int step)
{
    enum { N = 150, H = 4, HK = 2 };
    size_t size = dtype_size(t), row_q = size * (size_t)(H * hd), row_k = size * (size_t)(HK * hd);
    char *q = xmalloc(N * row_q), *key = xmalloc(N * row_k), *v = xmalloc(N * row_k), *all = xmalloc(N * row_q);
    char *part = xmalloc(N * row_q);
    float lse[N * H];
    Rng r = rng_at(6, RNG_TEST, (uint32_t)hd, 0, 0);
    char *const input[] = {q, key, v};
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < N * hd * (a ? HK : H); i++) {
            float x = (float)rng_normal(&r);
            dtype_convert(input[a] + (size_t)i * size, t, &x, DT_F32, 1);
        }
    for (int at = -1; at < N; at += at < 0 ? 1 : step) { /* all at once, then in parts */
        int first = at < 0 ? 0 : at, end = at < 0 || at + step > N ? N : at + step;
        const AttnPlan plan = {&(AttnSeg){0, end - first, 0, 1}, &(Span){0, end}, 1, true, (int[]){0, 1}, 1};
        const AttnArgs args = {&plan, H, HK, hd, H * hd, HK * hd, HK * hd, 0.2f, end - first, N};
        k->attention_fwd((at < 0 ? all : part) + (size_t)first * row_q, lse, q + (size_t)first * row_q, key, v, &args);
    }
    if (memcmp(all, part, N * row_q)) fail_msg("%s: heads of %d, %d at a time", k->name, hd, step);
    for (int a = 0; a < 3; a++) free(input[a]);
    free(all);
    free(part);
}

static void test_queries_alone(void **state)
{
    (void)state;
    for (DType t = DT_F32; t <= DT_BF16; t++) {
        Tables all = tables_init(t);
        for (int i = 1; i < all.n; i++)
            for (int step = 1; step < 100; step *= 3)
                for (int hd = 16; hd <= 128; hd += hd < 80 ? 64 : 48) check_queries_alone(&all.k[i], t, hd, step);
    }
}

/* A NaN must come out as a NaN, never as a plausible number. */
static void check_nan(const Case *c, DType t, const Kernels *k, int input)
{
    Problem p = problem_init(c, t, c->shape[2], NORMAL, false, 0);
    for (int64_t j = 0; j < p.a[input].n; j++) p.a[input].value[j] = (double)NAN;
    Memory m = memory_init(&p, t);
    c->call(k, m.at, &p);
    double *y = memory_read(&m, 0, p.a[0].n);
    for (int64_t j = 0; j < p.a[0].n; j++)
        if (!isnan(y[j])) fail_msg("%s (%s): %g out of NaN", c->slot, variant_of(k, c->slot), y[j]);
    free(y);
    memory_free(&m);
    problem_free(&p);
}

static void test_nan(void **state)
{
    (void)state;
    static const struct {
        const char *slot;
        int input;
    } ROW[] = {{"matmul_nt", 1},   {"matmul_nn", 2},     {"matmul_tn", 1},     {"bias_bwd", 1},      {"scale", 1},
               {"from_f32", 1},    {"to_f32", 1},        {"swiglu_fwd", 1},    {"swiglu_fwd", 2},    {"swiglu_bwd", 3},
               {"gelu_fwd", 1},    {"gelu_bwd", 2},      {"rmsnorm_fwd", 2},   {"rmsnorm_fwd", 3},   {"rmsnorm_bwd", 2},
               {"rope", 1},        {"attention_fwd", 2}, {"attention_fwd", 3}, {"attention_fwd", 4}, {"logprob_fwd", 3},
               {"logprob_bwd", 2}, {"adamw", 2},         {"sum_squares", 1}};
    for (DType t = DT_F32; t <= DT_BF16; t++) {
        Tables all = tables_init(t);
        for (size_t r = 0; r < sizeof ROW / sizeof *ROW; r++)
            for (int c = 0; c < N_CASES; c++)
                for (int i = 0; i < all.n && !strcmp(CASES[c].slot, ROW[r].slot); i++)
                    check_nan(&CASES[c], t, &all.k[i], ROW[r].input);
    }
}

int main(void)
{
    pool_start(0);
    static SlotTest slot[2 * N_CASES];
    enum { WHOLE = 9 };
    static struct CMUnitTest tests[2 * N_CASES + WHOLE] = {cmocka_unit_test(test_every_slot_has_a_case),
                                                           cmocka_unit_test(test_no_features),
                                                           cmocka_unit_test(test_thread_count),
                                                           cmocka_unit_test(test_repeated_index),
                                                           cmocka_unit_test(test_nan),
                                                           cmocka_unit_test(test_segments_alone),
                                                           cmocka_unit_test(test_quant_bits),
                                                           cmocka_unit_test(test_rows_alone),
                                                           cmocka_unit_test(test_queries_alone)};
    for (int i = 0; i < 2 * N_CASES; i++) {
        SlotTest *s = &slot[i];
        *s = (SlotTest){.c = &CASES[i / 2], .t = i % 2 ? DT_BF16 : DT_F32};
        snprintf(s->name, sizeof s->name, "%s %s", s->c->slot, dtype_name(s->t));
        tests[i + WHOLE] = (struct CMUnitTest){s->name, test_slot, NULL, NULL, s};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
