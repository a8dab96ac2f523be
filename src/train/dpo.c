#include "train/dpo.h"

#include <math.h>
#include <stdlib.h>

/* ---- one pair ---------------------------------------------------------------------------------------------------- */

static double log_sigmoid(double x)
{
    return x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

/* The loss of the advantage h, and *slope = its derivative. */
static double advantage_loss(double h, const TrainOptions *o, double *slope)
{
    double beta = o->beta, eps = o->label_smoothing;
    if (o->loss_type == LOSS_IPO) {
        double off = h - 1 / (2 * beta);
        *slope = 2 * off;
        return off * off;
    }
    *slope = -beta * ((1 - eps) * sigmoid(-beta * h) - eps * sigmoid(beta * h));
    return -(1 - eps) * log_sigmoid(beta * h) - eps * log_sigmoid(-beta * h);
}

double dpo_loss(const DpoPair *p, const TrainOptions *o, double grad[2], double reward[2])
{
    bool mean = o->length_normalized || o->loss_type == LOSS_IPO;
    double per[2], gain[2], slope;
    for (int k = 0; k < 2; k++) {
        per[k] = mean ? 1.0 / p->length[k] : 1;
        gain[k] = (p->policy.at[k] - p->reference.at[k]) * per[k];
        reward[k] = o->beta * gain[k];
    }
    double loss = advantage_loss(gain[0] - gain[1], o, &slope);
    grad[0] = slope * per[0];
    grad[1] = -slope * per[1];
    if (o->rpo_alpha > 0) {
        loss -= o->rpo_alpha * p->policy.at[0] / p->length[0];
        grad[0] -= o->rpo_alpha / p->length[0];
    }
    return loss;
}

/* ---- a batch ----------------------------------------------------------------------------------------------------- */

/* Calls of next_answer go through the answers of a batch of pairs, whose targets stand one answer behind the other. */
typedef struct Answers {
    const Batch *b;
    int seg, target, met; /* met: answers of the current sample so far */
} Answers;

typedef struct AnswerSpan {
    int sample, which; /* which: 0 chosen, 1 rejected */
    int first, n;      /* targets */
} AnswerSpan;

static bool next_answer(Answers *a, AnswerSpan *s)
{
    const Batch *b = a->b;
    while (a->seg < b->n_seg && b->seg[a->seg].prefix < 0) a->seg++, a->met = 0;
    if (a->seg == b->n_seg) return false;
    const Segment *seg = &b->seg[a->seg++];
    *s = (AnswerSpan){seg->sample, a->met++, a->target, seg->len};
    a->target += seg->len;
    CHECK(s->which < 2 && a->target <= b->n_targets, "a batch that is not of pairs");
    return true;
}

void dpo_sum(DpoPair *pair, const float *logp, const Batch *b)
{
    AnswerSpan s;
    for (Answers a = {.b = b}; next_answer(&a, &s);) {
        double sum = 0;
        for (int i = s.first; i < s.first + s.n; i++) sum += (double)logp[i];
        pair[s.sample].policy.at[s.which] = sum;
        pair[s.sample].length[s.which] = s.n;
    }
}

static void add_metrics(Metrics *m, const DpoPair *p, const double reward[2])
{
    m->pairs.n++;
    m->pairs.right += reward[0] > reward[1];
    for (int k = 0; k < 2; k++) {
        m->pairs.reward[k] += reward[k];
        m->pairs.logp[k] += p->policy.at[k];
    }
}

static void pairs_loss(const LossInput *in, float *dlogp, Metrics *m)
{
    const Batch *b = in->batch;
    DpoPair *pair = xcalloc((size_t)b->n_samples, sizeof *pair);
    double(*grad)[2] = xcalloc((size_t)b->n_samples, sizeof *grad), reward[2];
    dpo_sum(pair, in->logp, b);
    for (int i = 0; i < b->n_samples; i++) {
        pair[i].reference = in->reference[b->source[i]]; /* NaN, and so the loss, where it could not be read then */
        m->loss += in->scale * dpo_loss(&pair[i], in->options, grad[i], reward);
        add_metrics(m, &pair[i], reward);
    }
    AnswerSpan s;
    for (Answers a = {.b = b}; next_answer(&a, &s);)
        for (int i = s.first; i < s.first + s.n; i++) dlogp[i] = (float)(in->scale * grad[s.sample][s.which]);
    free(grad);
    free(pair);
}

/* TRL's names. */
static void report(json_t *line, const Metrics *m)
{
    static const char *const REWARD[] = {"rewards/chosen", "rewards/rejected"};
    static const char *const LOGP[] = {"logps/chosen", "logps/rejected"};
    double n = (double)m->pairs.n;
    for (int k = 0; k < 2; k++) {
        json_object_set_new(line, REWARD[k], json_real(m->pairs.reward[k] / n));
        json_object_set_new(line, LOGP[k], json_real(m->pairs.logp[k] / n));
    }
    json_object_set_new(line, "rewards/margins", json_real((m->pairs.reward[0] - m->pairs.reward[1]) / n));
    json_object_set_new(line, "rewards/accuracies", json_real((double)m->pairs.right / n));
}

static double pairs_weight(const Batch *b)
{
    return b->n_samples;
}

const Method METHOD_DPO = {
    .name = "dpo", .as = ENCODE_PAIR, .reference = true, .weight = pairs_weight, .loss = pairs_loss, .report = report};
