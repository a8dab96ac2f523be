#include "infer/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

void sampler_init(Sampler *s, const SamplerOptions *o, int v, const int *never, int n_never)
{
    *s = (Sampler){.o = *o, .v = v, .never = never, .n_never = n_never};
    s->score = xmalloc(sizeof *s->score * (size_t)v);
    s->heap = xmalloc(sizeof *s->heap * (size_t)v);
    s->kept = xmalloc(sizeof *s->kept * (size_t)v);
}

void sampler_release(Sampler *s)
{
    free(s->score);
    free(s->heap);
    free(s->kept);
    *s = (Sampler){0};
}

/* The id with the highest score, the lowest among equals; -1 where a score is NaN or none is finite. */
static int best_id(const float *score, int v)
{
    int best = -1;
    for (int i = 0; i < v; i++) {
        if (isnan(score[i])) return -1;
        if (score[i] > -INFINITY && (best < 0 || score[i] > score[best])) best = i;
    }
    return best >= 0 && score[best] < INFINITY ? best : -1;
}

/* log softmax(logits)[id] */
static float log_prob(const float *logits, int v, int id)
{
    float max = -INFINITY;
    for (int i = 0; i < v; i++) max = logits[i] > max ? logits[i] : max;
    double sum = 0;
    for (int i = 0; i < v; i++) sum += (double)expf(logits[i] - max);
    return (float)((double)(logits[id] - max) - log(sum));
}

/* score = logits after the penalty and without the forbidden tokens. */
static void score_tokens(Sampler *s, const float *logits, const unsigned char *seen)
{
    float penalty = (float)s->o.repetition_penalty;
    memcpy(s->score, logits, sizeof *s->score * (size_t)s->v);
    if (seen && s->o.repetition_penalty != 1)
        for (int i = 0; i < s->v; i++)
            if (seen[i]) s->score[i] = logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty;
    for (int i = 0; i < s->n_never; i++) s->score[s->never[i]] = -INFINITY;
}

/* ---- the best tokens first, without sorting the rest ------------------------------------------------------------ */

static bool ranks_before(const float *score, int a, int b)
{
    return score[a] > score[b] || (score[a] == score[b] && a < b);
}

static void sift_down(int *heap, int n, int at, const float *score)
{
    int id = heap[at];
    for (int child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && ranks_before(score, heap[child + 1], heap[child])) child++;
        if (!ranks_before(score, heap[child], id)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = id;
}

static int heap_fill(Sampler *s)
{
    int n = 0;
    for (int i = 0; i < s->v; i++)
        if (s->score[i] > -INFINITY) s->heap[n++] = i;
    for (int i = n / 2 - 1; i >= 0; i--) sift_down(s->heap, n, i, s->score);
    return n;
}

static int heap_pop(Sampler *s, int *n)
{
    int top = s->heap[0];
    s->heap[0] = s->heap[--*n];
    if (*n) sift_down(s->heap, *n, 0, s->score);
    return top;
}

/* ---- cuts ------------------------------------------------------------------------------------------------------- */

/* The weight of a token against the best one's 1. */
static double weight_of(const Sampler *s, int id, float best)
{
    return exp((double)(s->score[id] - best) / s->o.temperature);
}

/* kept = the k best and what equals the last of them; returns how many. */
static int keep_top_k(Sampler *s, int *heap_n, int k)
{
    int n = 0;
    while (*heap_n && (n < k || s->score[s->heap[0]] == s->score[s->kept[n - 1]])) s->kept[n++] = heap_pop(s, heap_n);
    return n;
}

/* Of the n tokens kept so far, best first, the fewest that hold top_p of their weight. */
static int cut_top_p(const Sampler *s, int n, float best)
{
    double total = 0, sum = 0;
    for (int i = 0; i < n; i++) total += weight_of(s, s->kept[i], best);
    for (int i = 0; i < n; i++)
        if ((sum += weight_of(s, s->kept[i], best)) >= s->o.top_p * total) return i + 1;
    return n;
}

/* kept = the fewest of all tokens that hold top_p of the weight, best first. */
static int keep_top_p(Sampler *s, int *heap_n, float best)
{
    double total = 0, sum = 0;
    for (int i = 0; i < s->v; i++) total += weight_of(s, i, best);
    int n = 0;
    while (*heap_n && sum < s->o.top_p * total) {
        s->kept[n] = heap_pop(s, heap_n);
        sum += weight_of(s, s->kept[n++], best);
    }
    return n;
}

static int keep_all(Sampler *s)
{
    int n = 0;
    for (int i = 0; i < s->v; i++)
        if (s->score[i] > -INFINITY) s->kept[n++] = i;
    return n;
}

static int cut_min_p(Sampler *s, int n, float best)
{
    int m = 0;
    for (int i = 0; i < n; i++)
        if (weight_of(s, s->kept[i], best) >= s->o.min_p) s->kept[m++] = s->kept[i];
    return m;
}

/* Fills kept and returns its length, at least 1. */
static int keep_tokens(Sampler *s, float best)
{
    int n;
    if (s->o.top_k > 0 || s->o.top_p < 1) {
        int heap_n = heap_fill(s);
        n = s->o.top_k > 0 ? keep_top_k(s, &heap_n, s->o.top_k) : keep_top_p(s, &heap_n, best);
        if (s->o.top_k > 0 && s->o.top_p < 1) n = cut_top_p(s, n, best);
    } else {
        n = keep_all(s);
    }
    return s->o.min_p > 0 ? cut_min_p(s, n, best) : n;
}

/* Inverse of the distribution function over the kept tokens at u in [0, 1). */
static int pick(const Sampler *s, int n, float best, double u)
{
    double total = 0, sum = 0;
    for (int i = 0; i < n; i++) total += weight_of(s, s->kept[i], best);
    for (int i = 0; i < n; i++)
        if ((sum += weight_of(s, s->kept[i], best)) > u * total) return s->kept[i];
    return s->kept[n - 1];
}

int sampler_draw(Sampler *s, const float *logits, const unsigned char *seen, DrawKey key, float *logp)
{
    score_tokens(s, logits, seen);
    int id = best_id(s->score, s->v);
    if (id < 0) return -1;
    if (s->o.temperature > 0) {
        float best = s->score[id];
        Rng r = rng_at(s->o.seed, RNG_SAMPLE, key.sample, key.draw, key.position);
        id = pick(s, keep_tokens(s, best), best, rng_uniform(&r));
    }
    if (logp) *logp = log_prob(logits, s->v, id);
    return id;
}
