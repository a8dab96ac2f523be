/* Supervised fine-tuning: loss = - sum_i w_i logp_i / sum_i w_i over the target tokens of the global batch. */
#include "train/method.h"

static double sft_weight(const Batch *b)
{
    double w = 0;
    for (int i = 0; i < b->n_targets; i++) w += (double)b->weight[i];
    return w;
}

static void sft_loss(const LossInput *in, float *dlogp, Metrics *m)
{
    const Batch *b = in->batch;
    double sum = 0;
    for (int i = 0; i < b->n_targets; i++) {
        sum -= (double)b->weight[i] * (double)in->logp[i];
        dlogp[i] = (float)(-(double)b->weight[i] * in->scale);
    }
    m->loss += sum * in->scale;
}

const Method METHOD_SFT = {.name = "sft", .as = ENCODE_CHAT, .weight = sft_weight, .loss = sft_loss};
