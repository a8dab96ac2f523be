/* The sampler against a plain implementation of transformers' rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "infer/sampler.h"

enum { V = 50 };

static int draw(const SamplerOptions *o, const float *logits, int v, const unsigned char *seen, uint32_t position)
{
    Sampler s;
    sampler_init(&s, o, v, NULL, 0);
    int id = sampler_draw(&s, logits, seen, (DrawKey){3, 1, position});
    sampler_release(&s);
    return id;
}

static void greedy_takes_the_lowest_of_equals(void **state)
{
    (void)state;
    const float logits[] = {1, 5, -2, 5, 4};
    assert_int_equal(draw(&(SamplerOptions){.top_p = 1, .repetition_penalty = 1}, logits, 5, NULL, 0), 1);
}

static void forbidden_tokens_are_never_drawn(void **state)
{
    (void)state;
    const float logits[] = {1, 9, -2, 8, 0};
    const int never[] = {1, 3};
    for (int t = 0; t <= 3; t += 3) {
        Sampler s;
        sampler_init(&s, &(SamplerOptions){.temperature = t, .top_p = 0.99, .repetition_penalty = 1}, 5, never, 2);
        for (uint32_t i = 0; i < 200; i++) {
            int id = sampler_draw(&s, logits, NULL, (DrawKey){0, 0, i});
            assert_true(id == 0 || (t && (id == 2 || id == 4)));
        }
        sampler_release(&s);
    }
}

/* Positive logits are divided, negative ones multiplied, seen tokens only. */
static void repetition_penalty(void **state)
{
    (void)state;
    const SamplerOptions o = {.top_p = 1, .repetition_penalty = 2};
    const float positive[] = {3, 2, 1}, negative[] = {-1, -1.5f, -3};
    const unsigned char seen[] = {1, 0, 0};
    assert_int_equal(draw(&o, positive, 3, seen, 0), 1);
    assert_int_equal(draw(&o, negative, 3, seen, 0), 1);
    assert_int_equal(draw(&(SamplerOptions){.top_p = 1, .repetition_penalty = 1.2}, positive, 3, seen, 0), 0);
}

static void damaged_logits_are_refused(void **state)
{
    (void)state;
    const SamplerOptions o = {.temperature = 1, .top_p = 1, .repetition_penalty = 1};
    assert_int_equal(draw(&o, (float[]){1, NAN, 2}, 3, NULL, 0), -1);
    assert_int_equal(draw(&o, (float[]){1, INFINITY, 2}, 3, NULL, 0), -1);
    assert_int_equal(draw(&o, (float[]){-INFINITY, -INFINITY}, 2, NULL, 0), -1);
    assert_int_equal(draw(&o, (float[]){-INFINITY, 1}, 2, NULL, 0), 1);
}

/* A whole vocabulary: the vectors, their rest, and the first of equals wherever it stands. */
static void greedy_in_a_long_row(void **state)
{
    (void)state;
    enum { LONG = 1003 };
    float logits[LONG];
    for (int i = 0; i < LONG; i++) logits[i] = -1 - (float)(i % 7);
    const SamplerOptions o = {.top_p = 1, .repetition_penalty = 1};
    for (int i = LONG - 1; i >= 0; i--) {
        logits[i] = 3;
        assert_int_equal(draw(&o, logits, LONG, NULL, 0), i);
        if (i % 100 == 0) {
            logits[(i + 500) % LONG] = NAN;
            assert_int_equal(draw(&o, logits, LONG, NULL, 0), -1);
            logits[(i + 500) % LONG] = (i + 500) % LONG > i ? 3 : -2;
        }
    }
}

/* ---- cuts: kept probabilities by sorting everything, in the words of transformers' warpers ---------------------- */

typedef struct Token {
    int id;
    double p;
} Token;

static int by_probability(const void *a, const void *b)
{
    const Token *x = a, *y = b;
    return x->p > y->p ? -1 : x->p < y->p ? 1 : x->id - y->id;
}

static void normalise(Token *t)
{
    double sum = 0;
    for (int i = 0; i < V; i++) sum += t[i].p;
    for (int i = 0; i < V; i++) t[i].p /= sum;
}

/* p[id]: the distribution that is drawn from. */
static void reference(double *p, const SamplerOptions *o, const float *logits)
{
    Token t[V];
    float max = logits[0];
    for (int i = 0; i < V; i++) max = logits[i] > max ? logits[i] : max;
    for (int i = 0; i < V; i++) t[i] = (Token){i, exp((double)(logits[i] - max) / o->temperature)};
    qsort(t, V, sizeof *t, by_probability);
    normalise(t);
    if (o->top_k > 0)
        for (int i = 0; i < V; i++)
            if (logits[t[i].id] < logits[t[o->top_k - 1].id]) t[i].p = 0;
    normalise(t);
    double before = 0; /* a token stays where those before it do not hold top_p */
    for (int i = 0; i < V; i++) {
        double mine = t[i].p;
        if (o->top_p < 1 && before >= o->top_p) t[i].p = 0;
        before += mine;
    }
    normalise(t);
    for (int i = 1; i < V; i++)
        if (t[i].p < o->min_p * t[0].p) t[i].p = 0;
    normalise(t);
    for (int i = 0; i < V; i++) p[t[i].id] = t[i].p;
}

static void check_distribution(const SamplerOptions *o, const float *logits)
{
    enum { DRAWS = 4000 };
    double p[V];
    int count[V] = {0};
    reference(p, o, logits);
    Sampler s;
    sampler_init(&s, o, V, NULL, 0);
    for (uint32_t i = 0; i < DRAWS; i++) count[sampler_draw(&s, logits, NULL, (DrawKey){7, 2, i})]++;
    sampler_release(&s);
    for (int i = 0; i < V; i++) {
        double deviation = sqrt(p[i] * (1 - p[i]) * DRAWS);
        if (p[i] == 0 ? count[i] != 0 : fabs(count[i] - p[i] * DRAWS) > 5 * deviation + 2)
            fail_msg("T %g, top_k %d, top_p %g, min_p %g: token %d drawn %d times, expected %.1f", o->temperature,
                     o->top_k, o->top_p, o->min_p, i, count[i], p[i] * DRAWS);
    }
}

static void cuts_agree_with_sorting(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 60; trial++) {
        Rng r = rng_at(5, RNG_TEST, trial, 0, 0);
        float logits[V];
        for (int i = 0; i < V; i++) logits[i] = (float)(2 * rng_normal(&r));
        for (int i = 0; i < V && trial % 3 == 0; i++) logits[i] = roundf(logits[i]); /* ties */
        const SamplerOptions o = {.temperature = 0.3 + rng_uniform(&r),
                                  .top_k = trial % 2 ? (int)rng_below(&r, V) : 0,
                                  .top_p = trial % 5 < 3 ? 0.05 + 0.9 * rng_uniform(&r) : 1,
                                  .min_p = trial % 4 == 0 ? 0.2 * rng_uniform(&r) : 0,
                                  .repetition_penalty = 1,
                                  .seed = trial};
        check_distribution(&o, logits);
    }
}

static void draws_depend_on_their_key_alone(void **state)
{
    (void)state;
    float logits[V] = {0};
    const SamplerOptions o = {.temperature = 1, .top_p = 1, .repetition_penalty = 1, .seed = 9};
    int first[20], different = 0;
    for (uint32_t i = 0; i < 20; i++) first[i] = draw(&o, logits, V, NULL, i);
    for (uint32_t i = 20; i-- > 0;) assert_int_equal(draw(&o, logits, V, NULL, i), first[i]);
    for (int i = 1; i < 20; i++) different += first[i] != first[0];
    assert_true(different > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(forbidden_tokens_are_never_drawn),
        cmocka_unit_test(repetition_penalty),
        cmocka_unit_test(damaged_logits_are_refused),
        cmocka_unit_test(greedy_in_a_long_row),
        cmocka_unit_test(cuts_agree_with_sorting),
        cmocka_unit_test(draws_depend_on_their_key_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
