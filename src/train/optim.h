/*
 * optim.h - AdamW over the trained parameters of a model, with f32 masters.
 *
 * Each trained parameter has an f32 master copy and the two moments of its gradient.  The step is taken on the master;
 * the copy that the model computes with is rounded from it.  Where the model computes in f32 the two are one.
 *
 *   Optimizer opt;
 *   optimizer_init(&opt, model, &(OptimOptions){.lr = {1e-6, 1e-5, 1e-5}, .beta1 = 0.9, ...});
 *   ... gradients ...
 *   double norm = optimizer_grad_norm(&opt);
 *   optimizer_step(&opt, norm, schedule_factor(...), images);
 *   engine_zero_grads(&engine);
 *
 * Its memory is the model arena's and goes with it; optimizer_release frees the small tables.
 *
 * Easy to get wrong: weight decay is for tensors of two or more dimensions only (norms and biases have none); the
 * gradient norm is taken over all parameters together, in registry order, before clipping; decay is scaled by the
 * learning rate, not by the clipping.
 */
#ifndef OSLER_TRAIN_OPTIM_H
#define OSLER_TRAIN_OPTIM_H

#include "model/model.h"

typedef struct OptimOptions {
    double lr[PART_COUNT]; /* peak rate of each part; an adapter has its module's */
    double beta1, beta2, eps, weight_decay;
    double max_grad_norm; /* 0: no clipping */
} OptimOptions;

/* A trained parameter; all arrays as long as its tensor. */
typedef struct OptimParam {
    const Param *p;
    float *master; /* p->t->data itself where that is f32 */
    float *m, *v;  /* running means of the gradient and of its square */
} OptimParam;

typedef struct Optimizer {
    OptimOptions o;
    const Kernels *k;
    OptimParam *at; /* in registry order */
    int n;
    float **master;            /* [model->param.n] as model_save wants them: NULL where a parameter is frozen */
    int64_t steps[PART_COUNT]; /* taken so far by each part */
} Optimizer;

/* Masters start from the source's own precision, moments from zero. */
void optimizer_init(Optimizer *opt, Model *m, const OptimOptions *o);
void optimizer_release(Optimizer *opt);

/* The 2-norm of all gradients together. */
double optimizer_grad_norm(const Optimizer *opt);

/*
 * One AdamW step with every part's rate at `factor` of its peak; gradients are first scaled down to max_grad_norm where
 * grad_norm is above it.  Where the step's batches held no image, vision tower and merger have no gradient (not a zero
 * one) and stay as they are: no momentum, no decay, as in PyTorch.
 */
void optimizer_step(Optimizer *opt, double grad_norm, double factor, bool images);

/* dir/optimizer.safetensors: master.<name>, exp_avg.<name>, exp_avg_sq.<name> of every trained parameter, f32; steps. */
int optimizer_save(const Optimizer *opt, const char *dir, Err *err);
/* Reads it back; the model's copies are made from the masters. */
int optimizer_load(Optimizer *opt, const char *dir, Err *err);

#endif
