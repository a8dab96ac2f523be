/* Supervised fine-tuning: loss = - sum_i w_i logp_i / sum_i w_i over the target tokens of the global batch. */
#include "train/method.h"

static double sft_weight(const Batch *b)
{
    double w = 0;
    for (int i = 0; i < b->n_targets; i++) w += (double)b->weight[i];
    return w;
}

static void sft_loss(const float *logp, const Batch *b, double scale, float *dlogp, Metrics *m)
{
    double sum = 0;
    for (int i = 0; i < b->n_targets; i++) {
        sum -= (double)b->weight[i] * (double)logp[i];
        dlogp[i] = (float)(-(double)b->weight[i] * scale);
    }
    m->loss += sum * scale;
}

const Method METHOD_SFT = {"sft", sft_weight, sft_loss};
