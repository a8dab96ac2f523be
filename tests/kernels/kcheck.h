/*
 * kcheck.h - a kernel call as data: its arrays as doubles, so that the same problem can be given to the f64 oracle, to
 * the reference and to every variant.
 *
 * A setup function (kcheck_setups.h) declares the arrays of one slot in the order in which its caller (kcheck_calls.h)
 * uses them.  Values are rounded to the format of the array first, so all compute from the same numbers.
 */
#ifndef OSLER_TESTS_KCHECK_H
#define OSLER_TESTS_KCHECK_H

#include <math.h>
#include <stdio.h>

#include "kernels/kernels_impl.h"
#include "kernels/quant.h"

typedef enum Format { AS_T, AS_F32 } Format; /* T: the format of the table under test */
typedef enum Role { IN, OUT, INOUT } Role;   /* OUT is filled with NaN before the call */
typedef enum Fill { NORMAL, ZERO, LARGE, TINY, N_FILLS } Fill;

enum { MAX_ARRAYS = 12, MAX_IDS = 4096, ADAPTER_R = 5 };

typedef struct Array {
    Format format;
    Role role;
    int64_t n;
    double *value;
    double *rounded; /* [n] or NULL: sum of the sizes of the terms that have a factor which variants may round to T */
} Array;

typedef struct Shape {
    int n, d, e; /* rows, columns, second width: as the slot's setup says */
} Shape;

typedef struct Problem {
    DType dtype;
    Shape s;
    Fill fill;
    bool accumulate;
    int round;           /* 0, 1, ...: a seed, and for options that differ from round to round */
    Array a[MAX_ARRAYS]; /* n = 0: a NULL pointer */
    int n_arrays;
    int *id;           /* [n] where the slot takes indexes */
    WeightQuant quant; /* of the weight; data NULL: none */
    AttnArgs attn;
    double large;     /* factor of Fill LARGE */
    double magnitude; /* size of the terms that are summed where the sum may cancel, else 0 */
    Rng rng;
} Problem;

typedef void (*Setup)(Problem *p);
typedef void (*Caller)(const Kernels *k, void *const *a, const Problem *p);

static double round_to(double x, Format f, DType t)
{
    return f == AS_T && t == DT_BF16 ? (double)bf16_to_f32(bf16_from_f32((float)x)) : (double)(float)x;
}

static double fill_value(Problem *p)
{
    double x = rng_normal(&p->rng);
    switch (p->fill) {
    case ZERO: return 0;
    case LARGE: return x * p->large;
    case TINY: return x * 1e-40;
    default: return x;
    }
}

/* An array of the problem's fill. */
static Array *array_add(Problem *p, Role role, Format format, int64_t n)
{
    Array *a = &p->a[p->n_arrays++];
    *a = (Array){format, role, n, xmalloc(sizeof(double) * (size_t)(n ? n : 1)), NULL};
    for (int64_t i = 0; i < n; i++) a->value[i] = role == OUT ? (double)NAN : round_to(fill_value(p), format, p->dtype);
    return a;
}

static Array *array_add_dst(Problem *p, Format format, int64_t n)
{
    return array_add(p, p->accumulate ? INOUT : OUT, format, n);
}

static double *array_add_rounded(Array *a)
{
    return a->rounded = xcalloc((size_t)a->n, sizeof *a->rounded);
}

static Array *array_add_null(Problem *p)
{
    return array_add(p, IN, AS_T, 0);
}

/* Indexes in [lo, hi), each at most once where they fit and `distinct`. */
static void ids_add(Problem *p, int n, int lo, int hi, bool distinct)
{
    p->id = xmalloc(sizeof *p->id * (size_t)n);
    for (int i = 0; i < n; i++)
        p->id[i] = lo + (distinct ? (i * 7 + 3) % (hi - lo) : (int)rng_below(&p->rng, (uint32_t)(hi - lo)));
}

static void problem_free(Problem *p)
{
    for (int i = 0; i < p->n_arrays; i++) {
        free(p->a[i].value);
        free(p->a[i].rounded);
    }
    free(p->id);
    free((void *)(uintptr_t)p->quant.data);
}

/* a: y, x, w, x2, w2, bias; added: y itself, where it accumulates. s = {n, out, in}, an adapter of rank ADAPTER_R. */
static MatmulArgs matmul_args(void *const *a, const Problem *p, Weight w[2], Swiglu *act)
{
    DType y_type = p->a[0].format == AS_F32 ? DT_F32 : p->dtype;
    w[0] = (Weight){.data = a[2], .out = p->s.d, .in = p->s.e};
    MatmulArgs g = {.y = a[0], .y_type = y_type, .x = a[1], .w = &w[0], .bias = a[5], .n = p->s.n};
    if (p->accumulate) g.add = a[0];
    if (p->a[4].n) {
        g.x2 = a[3];
        g.w2 = &w[1];
    }
    if (p->n_arrays > 6) {
        *act = (Swiglu){a[6], a[7], a[8]};
        g.swiglu = act;
    }
    return g;
}

/* Logits of a stretch that begins here: in some rounds some ids lie outside it. */
static int first_id(const Problem *p)
{
    return p->round % 2 ? p->s.d / 3 : 0;
}

#endif
