#include "train/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/estimate.h"
#include "base/pool.h"
#include "base/progress.h"
#include "kernels/dry.h"

/* Samples and batches that are looked at, batches that are timed, batches that may need most. */
enum { MOST_SAMPLES = 1024, MOST_BATCHES = 512, MOST_TIMED = 48, LARGEST = 3 };

typedef VEC(Batch *) Batches;

/* ---- the batches ------------------------------------------------------------------------------------------------- */

/* The first batches of the run, without pixels. */
static int read_batches(Batches *all, const PlanInput *in, Err *err)
{
    LoaderOptions o = in->loader;
    o.lengths_only = true;
    o.threads = 1;
    Loader *l = loader_new(in->data, in->encoder, &o, err);
    if (!l) return -1;
    int64_t most = in->steps ? in->steps * in->accumulation : MOST_BATCHES, samples = 0;
    Batch *b;
    int rc = 1;
    while (all->n < most && all->n < MOST_BATCHES && samples < MOST_SAMPLES && (rc = loader_next(l, &b, err)) == 1) {
        samples += b->n_samples;
        vec_push(all, b);
    }
    loader_free(l);
    return rc < 0 ? -1 : 0;
}

static void free_batches(Batches *all)
{
    for (int i = 0; i < all->n; i++) batch_free(all->at[i]);
    free(all->at);
}

/* ---- a dry step -------------------------------------------------------------------------------------------------- */

/* Forward and backward of a batch; the bytes it needs. */
static size_t dry_batch(Engine *e, const Batch *b)
{
    e->step.high = e->step.moved = 0;
    engine_dropout(e, 1);
    engine_score(e, b, true, true, NULL);
    float *dlogp = arena_alloc(&e->step, sizeof *dlogp * (size_t)b->n_targets);
    engine_backward(e, dlogp);
    engine_release(e);
    return e->step.high;
}

static void largest_by(const Batches *all, const Batch **best, int (*size)(const Batch *))
{
    *best = all->at[0];
    for (int i = 1; i < all->n; i++)
        if (size(all->at[i]) > size(*best)) *best = all->at[i];
}

static int rows_of(const Batch *b)
{
    return b->n;
}

static int patches_of(const Batch *b)
{
    return b->n_patches;
}

static int targets_of(const Batch *b)
{
    return b->n_targets;
}

/* The most that one of the batches needs, which is one of the largest. */
static size_t activations(Plan *p, Engine *e, const Batch *const large[LARGEST])
{
    size_t most = 0;
    for (int i = 0; i < LARGEST; i++) {
        size_t bytes = i && large[i] == large[0] ? 0 : dry_batch(e, large[i]);
        if (bytes <= most) continue;
        most = bytes;
        p->largest_rows = large[i]->n;
        p->largest_patches = large[i]->n_patches;
    }
    return most;
}

/* ---- what is computed again -------------------------------------------------------------------------------------- */

/* Level 0: nothing; from there on the MLP of one block more, then one block more as a whole. */
static void set_level(Plan *p, Engine *e, int level)
{
    int n = p->blocks - p->first;
    for (int i = 0; i < p->blocks; i++) {
        int at = i - p->first;
        p->recompute[i] = at < 0 ? RECOMPUTE_NOTHING : at < level - n ? RECOMPUTE_BLOCK : at < level;
    }
    memcpy(e->recompute, p->recompute, sizeof *p->recompute * (size_t)p->blocks);
    p->n_block = level > n ? level - n : 0;
    p->n_mlp = level > n ? n - p->n_block : level;
}

static size_t fixed_bytes(const Plan *p)
{
    return p->files + p->weights + p->gradients + p->optimizer + p->pictures + p->other;
}

/* The lowest level that fits, or the highest there is. */
static void choose_level(Plan *p, const PlanInput *in, const Batch *const large[LARGEST])
{
    Engine *e = in->engine;
    int highest = 2 * (p->blocks - p->first), low = in->checkpointing == CHECKPOINT_ALL ? highest : 0;
    int high = in->checkpointing == CHECKPOINT_NONE ? 0 : highest;
    while (low < high) {
        int middle = (low + high) / 2;
        set_level(p, e, middle);
        if (fixed_bytes(p) + activations(p, e, large) <= p->limit) high = middle;
        else low = middle + 1;
    }
    set_level(p, e, low);
    p->activations = activations(p, e, large);
    p->total = fixed_bytes(p) + p->activations;
}

/* A frozen vision tower keeps nothing that could be computed again. */
static int first_recorded(const Model *m)
{
    for (int i = 0; i < m->cfg.vision.l; i++)
        if (m->vision.block[i].trainable) return i;
    return m->cfg.vision.l;
}

/* ---- memory that does not depend on it --------------------------------------------------------------------------- */

static void count_model(Plan *p, const PlanInput *in)
{
    const Model *m = in->engine->model;
    p->files = model_file_bytes(m);
    for (int i = 0; i < m->param.n; i++)
        if (m->param.at[i].t->needs_grad) p->gradients += sizeof(float) * (size_t)tensor_count(m->param.at[i].t);
    for (int i = 0; i < in->opt->n; i++) {
        const OptimParam *q = &in->opt->at[i];
        p->optimizer += (q->master == q->p->t->data ? 2 : 3) * sizeof(float) * (size_t)tensor_count(q->p->t);
    }
    p->weights = m->arena.used - p->gradients - p->optimizer;
}

/* Patches in f32 of a step's batches, and the bytes of decoded pictures ahead of them. */
static size_t picture_bytes(const PlanInput *in, const Batches *all)
{
    int most = 0, patches = 0;
    for (int i = 0; i < all->n; i++) {
        const Batch *b = all->at[i];
        if (b->n_patches > most) most = b->n_patches;
        patches += b->n_patches;
    }
    const ImageProcessor *proc = in->encoder->processor;
    size_t patch = 3 * (size_t)proc->patch * (size_t)proc->patch, row = sizeof(float) * (size_t)image_patch_dim(proc);
    size_t ahead = patch * (size_t)(patches / all->n) * (size_t)loader_ahead(&in->loader);
    if (ahead > LOADER_AHEAD_BYTES) ahead = LOADER_AHEAD_BYTES;
    return row * (size_t)most * (size_t)in->accumulation + ahead;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* Clearing the gradients, their norm, and the optimizer's step. */
static double optimizer_seconds(const Plan *p, const PlanInput *in, DryRun *run)
{
    double before = run->seconds;
    Optimizer opt = *in->opt;
    optimizer_step(&opt, optimizer_grad_norm(&opt), 1, true);
    return run->seconds - before + (double)p->gradients / run->bytes_per_second;
}

/* Decoding the pictures of a sample, which is done beside the step on the same cores, and cutting them into patches. */
static double sample_seconds(const PlanInput *in)
{
    enum { SAMPLES = 6 };
    double all = 0;
    int n = in->data->n < SAMPLES ? in->data->n : SAMPLES, good = 0;
    for (int i = 0; i < n; i++) {
        int source = (int)((int64_t)i * in->data->n / n);
        Encoded x;
        Err err = {0};
        double start = now_seconds();
        if (encode_sample(&x, in->encoder, &in->data->sample[source], in->loader.as, &err)) continue;
        if (encode_pixels(&x, in->encoder, &in->data->sample[source], &err) == 0) {
            double decoded = now_seconds();
            BatchBuilder bb;
            batch_begin(&bb, in->encoder->processor);
            batch_add_sample(&bb, &x, source);
            batch_abandon(&bb);
            all += (decoded - start) / pool_threads() + now_seconds() - decoded;
            good++;
        }
        encoded_release(&x);
    }
    return good ? all / good : 0;
}

static void estimate_time(Plan *p, const PlanInput *in, const Batches *all, DryRun *run)
{
    Engine *e = in->engine;
    int n = all->n < MOST_TIMED ? all->n : MOST_TIMED;
    double moved = 0, samples = 0;
    for (int i = 0; i < n; i++) {
        dry_batch(e, all->at[i * all->n / n]);
        moved += (double)e->step.moved;
    }
    double batch = (run->seconds + 2 * moved / run->bytes_per_second) / n;
    for (int i = 0; i < all->n; i++) samples += (double)all->at[i]->n_samples / all->n;
    batch += samples * sample_seconds(in);
    p->seconds = batch * in->accumulation + optimizer_seconds(p, in, run);
}

/* Of a run that ends with its samples, by how many of them a batch has. */
static double steps_of(const PlanInput *in, const Batches *all)
{
    double samples = 0;
    for (int i = 0; i < all->n; i++) samples += all->at[i]->n_samples;
    return ceil((double)in->loader.samples / (samples / all->n) / in->accumulation);
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

int plan_make(Plan *p, const PlanInput *in, Err *err)
{
    const Model *m = in->engine->model;
    Batches all = {0};
    *p = (Plan){.limit = in->limit, .blocks = model_blocks(m), .first = first_recorded(m)};
    p->recompute = xcalloc((size_t)p->blocks, sizeof *p->recompute);
    if (read_batches(&all, in, err) || all.n == 0) {
        free_batches(&all);
        plan_release(p);
        return err->msg[0] ? -1 : err_set(err, "the training data has no usable sample");
    }
    const Batch *large[LARGEST];
    largest_by(&all, &large[0], rows_of);
    largest_by(&all, &large[1], patches_of);
    largest_by(&all, &large[2], targets_of);
    p->batches = all.n;
    for (int i = 0; i < all.n; i++) p->tokens += (double)all.at[i]->n / all.n * in->accumulation;
    p->steps = in->steps ? (double)in->steps : steps_of(in, &all);
    count_model(p, in);
    p->pictures = picture_bytes(in, &all);
    p->other = memory_resident() + (size_t)pool_threads() * DRY_TASK_SCRATCH;
    DryRun run;
    dry_open(&run, m->dev.k.dtype, false);
    p->activations = activations(p, in->engine, large);
    p->other += run.scratch;
    dry_close(&run);
    choose_level(p, in, large);
    if (in->timed) {
        dry_open(&run, m->dev.k.dtype, true);
        estimate_time(p, in, &all, &run);
        dry_close(&run);
    }
    free_batches(&all);
    return 0;
}

void plan_release(Plan *p)
{
    free(p->recompute);
    p->recompute = NULL;
}

void plan_apply(const Plan *p, Engine *e)
{
    memcpy(e->recompute, p->recompute, sizeof *p->recompute * (size_t)p->blocks);
    size_t left = p->limit > fixed_bytes(p) ? p->limit - fixed_bytes(p) : 0;
    e->step.cap = left > p->activations ? left : p->activations;
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

void plan_recompute_text(char *buf, size_t cap, const Plan *p)
{
    int n = p->blocks - p->first;
    if (p->n_block == n) snprintf(buf, cap, "all %d blocks computed again", n);
    else if (p->n_block) snprintf(buf, cap, "%d of %d blocks computed again, the others' MLP", p->n_block, n);
    else if (p->n_mlp) snprintf(buf, cap, "the MLP of %d of %d blocks computed again", p->n_mlp, n);
    else snprintf(buf, cap, "nothing computed again in %d blocks", n);
}

void plan_print(const Plan *p)
{
    char text[128], again[96];
    memory_print_head();
    memory_print("files", p->files, "weights as they are mapped");
    memory_print("weights", p->weights, "their copies where they are trained or converted, adapters");
    memory_print("gradients", p->gradients, "of the trained parameters");
    memory_print("optimizer", p->optimizer, "masters and moments");
    plan_recompute_text(again, sizeof again, p);
    snprintf(text, sizeof text, "%d tokens, %d patches; %s", p->largest_rows, p->largest_patches, again);
    memory_print("activations", p->activations, text);
    memory_print("pictures", p->pictures, "of the batches of a step and those ahead");
    memory_print("other", p->other, "program, text, scratch");
    memory_print("total", p->total, "");
    memory_print("limit", p->limit, "");
    printf("step     %.0f tokens, on average of %d batches\n", p->tokens, p->batches);
    if (!(p->seconds > 0)) return;
    printf("time     %.0f steps of %.3g s, %.0f tokens/s\n", p->steps, p->seconds, p->tokens / p->seconds);
    estimate_print(&(Estimate){p->steps * p->tokens, p->steps * p->seconds, gib((double)p->total)});
}
