/*
 * dpo.h - direct preference optimisation: the loss as a pure function of log-probabilities.
 *
 *   policy, reference   log-probabilities of the chosen and the rejected answer: sums over their tokens
 *   h = (policy.at[0] - reference.at[0]) - (policy.at[1] - reference.at[1])
 *
 *   sigmoid   -(1 - label_smoothing) log sigmoid(beta h) - label_smoothing log sigmoid(-beta h)
 *             Rafailov et al., NeurIPS 2023; the smoothing: Mitchell, A note on DPO with noisy preferences, 2023
 *   ipo       (h - 1 / (2 beta))^2 of means over tokens            Azar et al., AISTATS 2024
 *
 * length_normalized takes means over tokens in the first as well.  rpo_alpha adds that many times the negative mean
 * log-probability of the chosen answer (Pang et al., Iterative reasoning preference optimization, NeurIPS 2024).
 * MedE2 trains with the plain sigmoid loss; the rest is not in the paper.
 */
#ifndef OSLER_TRAIN_DPO_H
#define OSLER_TRAIN_DPO_H

#include "train/method.h"

typedef struct DpoPair {
    PairLogp policy, reference; /* sums */
    int length[2];              /* tokens */
} DpoPair;

/* The loss of a pair; grad = its derivative by policy.at[0] and policy.at[1], reward[2] = beta x what the policy gained. */
double dpo_loss(const DpoPair *p, const TrainOptions *o, double grad[2], double reward[2]);

/* Sums of the answers' log-probabilities: pair[sample of the batch]; logp [n_targets] of a batch of pairs. */
void dpo_sum(DpoPair *pair, const float *logp, const Batch *b);

#endif
