#include "infer/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

void sampler_init(Sampler *s, const SamplerOptions *o, int v, const int *never, int n_never)
{
    size_t n = (size_t)v;
    *s = (Sampler){.o = *o, .v = v, .never = never, .n_never = n_never};
    s->score = xmalloc(sizeof *s->score * n);
    s->token = xmalloc(sizeof *s->token * n);
    s->weight = xmalloc(sizeof *s->weight * n);
    s->heap = xmalloc(sizeof *s->heap * n);
    s->kept = xmalloc(sizeof *s->kept * n);
}

void sampler_release(Sampler *s)
{
    free(s->score);
    free(s->token);
    free(s->weight);
    free(s->heap);
    free(s->kept);
    *s = (Sampler){0};
}

/* ---- the best token ---------------------------------------------------------------------------------------------- */

enum { LANES = 16 };
typedef float Floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t Masks __attribute__((vector_size(4 * LANES)));

/* The largest score; NaN where there is one among them. */
static float best_score(const float *score, int v)
{
    float lane[LANES], best = -INFINITY;
    Masks odd = {0};
    Floats top = {0};
    int i = 0;
    top += -INFINITY;
    for (; i + LANES <= v; i += LANES) {
        Floats x = *(const Floats *)(score + i);
        Masks more = x > top;
        top = (Floats)(((Masks)x & more) | ((Masks)top & ~more));
        odd |= x != x;
    }
    for (int l = 0; l < LANES; l++)
        if (odd[l]) return NAN;
    memcpy(lane, &top, sizeof lane);
    for (int l = 0; l < LANES; l++) best = lane[l] > best ? lane[l] : best;
    for (; i < v; i++) {
        if (isnan(score[i])) return NAN;
        best = score[i] > best ? score[i] : best;
    }
    return best;
}

/* The id with the highest score, the lowest among equals; -1 where a score is NaN or none is finite. */
static int best_id(const float *score, int v)
{
    float best = best_score(score, v);
    if (!isfinite(best)) return -1;
    int i = 0;
    while (score[i] != best) i++;
    return i;
}

static bool is_forbidden(const Sampler *s, int id)
{
    for (int i = 0; i < s->n_never; i++)
        if (s->never[i] == id) return true;
    return false;
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

/* ---- the best tokens first, without sorting the rest ------------------------------------------------------------- */

static bool ranks_before(const double *weight, int a, int b)
{
    return weight[a] > weight[b] || (weight[a] == weight[b] && a < b);
}

static void sift_down(int *heap, int n, int at, const double *weight)
{
    int place = heap[at];
    for (int child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && ranks_before(weight, heap[child + 1], heap[child])) child++;
        if (!ranks_before(weight, heap[child], place)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = place;
}

static void heap_fill(Sampler *s, int n)
{
    for (int i = 0; i < n; i++) s->heap[i] = i;
    for (int i = n / 2 - 1; i >= 0; i--) sift_down(s->heap, n, i, s->weight);
}

static int heap_pop(Sampler *s, int *n)
{
    int top = s->heap[0];
    s->heap[0] = s->heap[--*n];
    if (*n) sift_down(s->heap, *n, 0, s->weight);
    return top;
}

/* ---- cuts -------------------------------------------------------------------------------------------------------- */

/* Lists the tokens whose weight against the best one's counts, and their weights; returns how many. */
static int weigh_tokens(Sampler *s, float best)
{
    float least = (float)((double)best - 60 * 0.6931471805599453 * s->o.temperature);
    int n = 0;
    for (int i = 0; i < s->v; i++) {
        s->token[n] = i;
        n += s->score[i] >= least;
    }
    for (int i = 0; i < n; i++) s->weight[i] = exp((double)(s->score[s->token[i]] - best) / s->o.temperature);
    return n;
}

/* The weight of the first n kept tokens. */
static double kept_weight(const Sampler *s, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += s->weight[s->kept[i]];
    return sum;
}

/* kept = the k best and what equals the last of them; returns how many. */
static int keep_top_k(Sampler *s, int n, int k)
{
    int m = 0;
    heap_fill(s, n);
    while (n && (m < k || s->weight[s->heap[0]] == s->weight[s->kept[m - 1]])) s->kept[m++] = heap_pop(s, &n);
    return m;
}

/* Of the n tokens kept so far, best first, the fewest that hold top_p of their weight. */
static int cut_top_p(const Sampler *s, int n)
{
    double total = kept_weight(s, n), sum = 0;
    for (int i = 0; i < n; i++)
        if ((sum += s->weight[s->kept[i]]) >= s->o.top_p * total) return i + 1;
    return n;
}

/* kept = the fewest of all tokens that hold top_p of the weight, best first. */
static int keep_top_p(Sampler *s, int n)
{
    double total = 0, sum = 0;
    int m = 0;
    for (int i = 0; i < n; i++) total += s->weight[i];
    heap_fill(s, n);
    while (n && sum < s->o.top_p * total) {
        s->kept[m] = heap_pop(s, &n);
        sum += s->weight[s->kept[m++]];
    }
    return m;
}

static int cut_min_p(Sampler *s, int n)
{
    int m = 0;
    for (int i = 0; i < n; i++)
        if (s->weight[s->kept[i]] >= s->o.min_p) s->kept[m++] = s->kept[i];
    return m;
}

/* Of n tokens with weights, fills kept and returns its length, at least 1. */
static int keep_tokens(Sampler *s, int n)
{
    if (s->o.top_k > 0) {
        n = keep_top_k(s, n, s->o.top_k);
        if (s->o.top_p < 1) n = cut_top_p(s, n);
    } else if (s->o.top_p < 1) {
        n = keep_top_p(s, n);
    } else {
        for (int i = 0; i < n; i++) s->kept[i] = i;
    }
    return s->o.min_p > 0 ? cut_min_p(s, n) : n;
}

/* Inverse of the distribution function over the kept tokens at u in [0, 1). */
static int pick(const Sampler *s, int n, double u)
{
    double total = kept_weight(s, n), sum = 0;
    for (int i = 0; i < n; i++)
        if ((sum += s->weight[s->kept[i]]) > u * total) return s->token[s->kept[i]];
    return s->token[s->kept[n - 1]];
}

int sampler_draw(Sampler *s, const float *logits, const unsigned char *seen, DrawKey key)
{
    bool plain = s->o.temperature == 0 && (!seen || s->o.repetition_penalty == 1);
    int id = plain ? best_id(logits, s->v) : -1;
    if (id >= 0 && !is_forbidden(s, id)) return id;
    score_tokens(s, logits, seen);
    id = best_id(s->score, s->v);
    if (id < 0 || s->o.temperature == 0) return id;
    int n = keep_tokens(s, weigh_tokens(s, s->score[id]));
    Rng r = rng_at(s->o.seed, RNG_SAMPLE, key.sample, key.draw, key.position);
    return pick(s, n, rng_uniform(&r));
}
