/*
 * throughput.h - how much work a step does, and how much the machine could do: percent_of_peak in the log.
 *
 *   percent = 100 * train_flops_encoded(model, batch, encoded) / seconds / machine_peak(dtype)
 *
 * Only useful work counts: what activation checkpointing computes a second time does not.
 */
#ifndef OSLER_TRAIN_THROUGHPUT_H
#define OSLER_TRAIN_THROUGHPUT_H

#include "model/model.h"

/*
 * Forward and backward of a batch.  A weight's share: forward 1; the gradient of its input 1, where something before it
 * trains; its own gradient 1, where it trains.  A frozen vision tower costs its forward pass, a frozen language model
 * under adapters two.  The adapters' own products are left out; so is the second half of attention's backward pass
 * under frozen weights.  `encoded`: the share of the patches that the vision tower ran over (engine_encoded).
 */
double train_flops_encoded(const Model *m, const Batch *b, double encoded);
/* The same where every image goes through the vision tower. */
double train_flops(const Model *m, const Batch *b);

/* Matrix-product operations per second that this machine reaches in the compute format; measured at the first call. */
double machine_peak(DType dtype);

#endif
