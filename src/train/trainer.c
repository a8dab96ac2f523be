/*
 * The training loop.  A step: gather a global batch on the host; score each micro-batch, ask the method for dlogp, run
 * backward; take one AdamW step.  Around it: log, evaluation, checkpoints, signals.
 */
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rng.h"
#include "train/manifest.h"
#include "train/throughput.h"
#include "train/trainer_impl.h"

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted; /* the signal that asked us to stop */

static void on_signal(int sig)
{
    if (interrupted) _exit(128 + sig);
    interrupted = sig;
}

static bool stop_asked(void)
{
    return interrupted != 0;
}

static const int STOP_SIGNAL[2] = {SIGINT, SIGTERM};

static void catch_signals(struct sigaction before[2])
{
    struct sigaction now = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    interrupted = 0;
    for (int i = 0; i < 2; i++) sigaction(STOP_SIGNAL[i], &now, &before[i]);
}

static void restore_signals(const struct sigaction before[2])
{
    for (int i = 0; i < 2; i++) sigaction(STOP_SIGNAL[i], &before[i], NULL);
}

/* ---- the global batch -------------------------------------------------------------------------------------------- */

/* The micro-batches of one optimizer step. */
typedef struct GlobalBatch {
    Batch **at; /* [accumulation] */
    int n;
    double weight; /* the loss is divided by this */
    bool images;
} GlobalBatch;

static void global_release(GlobalBatch *g)
{
    for (int i = 0; i < g->n; i++) batch_free(g->at[i]);
    free(g->at);
    *g = (GlobalBatch){0};
}

static bool is_skipped(const json_t *skipped, const char *place)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)(uintptr_t)skipped, i, v) if (!strcmp(json_string_value(v), place)) return true;
    return false;
}

/* Notes the samples that the loader has left out since the last call. */
static int note_skipped(Trainer *t, Err *err)
{
    int n, rows = t->data.n_bad;
    const BadRow *bad = loader_bad(t->loader, &n);
    for (; t->bad_seen < n; t->bad_seen++) {
        char place[512];
        const BadRow *b = &bad[t->bad_seen];
        row_place(place, sizeof place, b->at);
        if (is_skipped(t->state.skipped, place)) continue;
        json_array_append_new(t->state.skipped, json_string(place));
        log_warn("left out: %s: %s", place, b->reason);
    }
    int64_t all = rows + (int64_t)json_array_size(t->state.skipped);
    if (all <= t->o->max_bad_samples) return 0;
    err_set(err, "%lld samples cannot be used, max_bad_samples is %lld", (long long)all,
            (long long)t->o->max_bad_samples);
    return err_hint(err, "`osler data check FILE` lists them");
}

/* What text_only promises, at the last place where it can be seen. */
static void check_words(const Trainer *t, const Batch *b)
{
    for (int i = 0; t->o->text_only && i < b->n; i++)
        CHECK(b->ids[i] >= 0 && b->ids[i] != t->engine.model->cfg.image_token, "an image token in a text-only batch");
}

/* 1; 0 at the end of the data; -1. The last global batch may be smaller. */
static int global_gather(GlobalBatch *g, Trainer *t, Err *err)
{
    *g = (GlobalBatch){.at = xcalloc((size_t)t->o->accumulation, sizeof *g->at)};
    int rc = 1;
    while (rc == 1 && g->n < t->o->accumulation) {
        rc = loader_next(t->loader, &g->at[g->n], err);
        if (rc != 1) break;
        check_words(t, g->at[g->n]);
        g->images |= g->at[g->n]->n_images > 0;
        g->weight += t->method->weight(g->at[g->n++]);
    }
    if (rc >= 0) rc = note_skipped(t, err);
    if (rc == 0) rc = g->n > 0;
    if (rc <= 0) global_release(g);
    return rc;
}

/* "samples a, b, c" of micro-batches [first, last) */
static void name_samples(Buf *out, const Trainer *t, const GlobalBatch *g, int first, int last)
{
    buf_str(out, "samples");
    for (int i = first; i < last; i++)
        for (int k = 0; k < g->at[i]->n_samples; k++)
            buf_printf(out, "%s %s", k || i > first ? "," : "", t->data.sample[g->at[i]->source[k]].id);
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

typedef struct StepReport {
    Metrics m;
    double grad_norm, learning_rate, seconds;
    int64_t slots; /* with packing: rows there is room for */
} StepReport;

static int not_finite(const Trainer *t, const GlobalBatch *g, int first, int last, const char *what, Err *err)
{
    Buf names = {0};
    name_samples(&names, t, g, first, last);
    err_set(err, "step %lld: the %s is not finite; %s", (long long)t->state.step + 1, what, names.data);
    buf_release(&names);
    return err_hint(
        err,
        "nothing was overwritten; look at these samples, or lower learning_rate and start from the last checkpoint");
}

/* Scores one micro-batch and adds its gradients. */
static void micro_step(Trainer *t, const Batch *b, double scale, uint64_t dropout_key, Metrics *m)
{
    Engine *e = &t->engine;
    engine_dropout(e, dropout_key);
    const float *logp = engine_score(e, b, true, true, NULL);
    float *dlogp = arena_alloc(&e->step, sizeof *dlogp * (size_t)b->n_targets);
    t->method->loss(&(LossInput){logp, b, scale, t->o, t->reference.logp}, dlogp, m);
    if (isfinite(m->loss)) engine_backward(e, dlogp);
    engine_release(e);
    m->tokens += b->n;
    m->targets += b->n_targets;
    m->samples += b->n_samples;
    m->flops += train_flops_encoded(e->model, b, engine_encoded(e));
}

/* A function of what the numbers are for, never 0. */
static uint64_t dropout_key(const Trainer *t, int micro)
{
    Rng r = rng_at((uint64_t)t->o->seed, RNG_DROPOUT, (uint32_t)t->state.step, (uint32_t)micro, 0);
    uint64_t high = rng_u32(&r);
    return high << 32 | rng_u32(&r) | 1;
}

static int forward_backward(Trainer *t, const GlobalBatch *g, StepReport *r, Err *err)
{
    engine_zero_grads(&t->engine);
    for (int i = 0; i < g->n; i++) {
        micro_step(t, g->at[i], 1 / g->weight, dropout_key(t, i), &r->m);
        if (!isfinite(r->m.loss)) return not_finite(t, g, i, i + 1, "loss", err);
    }
    r->grad_norm = optimizer_grad_norm(&t->opt);
    return isfinite(r->grad_norm) ? 0 : not_finite(t, g, 0, g->n, "gradient", err);
}

/* 1, 0 at the end of the data, -1. */
static int train_step(Trainer *t, StepReport *r, Err *err)
{
    GlobalBatch g;
    double start = now_seconds();
    *r = (StepReport){0};
    int rc = global_gather(&g, t, err);
    if (rc <= 0) return rc;
    rc = forward_backward(t, &g, r, err);
    bool images = g.images;
    if (t->o->packing) r->slots = g.n * t->o->max_length;
    global_release(&g);
    if (rc) return -1;
    double factor = schedule_factor(&t->schedule, t->state.step);
    optimizer_step(&t->opt, r->grad_norm, factor, images);
    r->learning_rate = t->o->learning_rate * factor;
    r->seconds = now_seconds() - start;

    TrainState *s = &t->state;
    s->step++;
    s->loader = loader_state(t->loader);
    s->epoch = (double)s->loader.epoch + (double)(s->loader.position - s->loader.n_waiting) / t->data.n;
    s->loss = r->m.loss;
    s->tokens += r->m.tokens;
    return 1;
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

static json_t *rounded(double x, double unit)
{
    return json_real(round(x / unit) * unit);
}

static int log_step(Trainer *t, const StepReport *r, Err *err)
{
    const TrainState *s = &t->state;
    double rate = (double)r->m.tokens / r->seconds, share = 100 * r->m.flops / r->seconds / t->peak;
    progress_update(&t->bar, s->step, "loss %.4f, %.0f tokens/s, %.0f%% of peak, %.1f GiB", r->m.loss, rate, share,
                    gib((double)memory_resident()));
    if (s->step % t->o->logging_steps) return 0;
    json_t *line =
        json_pack("{s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "step", (json_int_t)s->step, "epoch",
                  s->epoch, "loss", r->m.loss, "grad_norm", r->grad_norm, "learning_rate", r->learning_rate, "tokens",
                  (json_int_t)r->m.tokens, "target_tokens", (json_int_t)r->m.targets, "total_tokens",
                  (json_int_t)s->tokens, "samples_skipped", (json_int_t)json_array_size(s->skipped) + t->data.n_bad,
                  "tokens_per_second", rounded(rate, 0.1), "percent_of_peak", rounded(share, 0.01), "peak_rss_gib",
                  rounded(gib((double)memory_peak()), 0.001));
    if (r->slots)
        json_object_set_new(line, "percent_of_slots", rounded(100.0 * (double)r->m.tokens / (double)r->slots, 0.01));
    if (t->method->report) t->method->report(line, &r->m);
    return train_log_write(&t->log, s->step, line, err);
}

/* ---- evaluation -------------------------------------------------------------------------------------------------- */

/* Adds a batch's loss, not normalised, to m. */
static void eval_batch(Trainer *t, const Batch *b, Metrics *m)
{
    Engine *e = &t->engine;
    engine_dropout(e, 0);
    const float *logp = engine_score(e, b, false, true, NULL);
    float *dlogp = arena_alloc(&e->step, sizeof *dlogp * (size_t)b->n_targets);
    t->method->loss(&(LossInput){logp, b, 1, t->o, t->eval_reference.logp}, dlogp, m);
    engine_release(e);
    m->targets += b->n_targets;
}

/* What the method reports, as eval_... */
static void report_evaluation(const Trainer *t, json_t *line, const Metrics *m)
{
    if (!t->method->report) return;
    json_t *own = json_object(), *v;
    const char *key;
    t->method->report(own, m);
    json_object_foreach(own, key, v)
    {
        char *name = xasprintf("eval_%s", key);
        json_object_set(line, name, v);
        free(name);
    }
    json_decref(own);
}

/* The method's loss over the evaluation data: a mean over its targets, or its pairs. */
static int evaluate(Trainer *t, Err *err)
{
    Loader *l = trainer_loader(t, true, err);
    if (!l) return -1;
    double start = now_seconds(), weight = 0;
    Metrics m = {0};
    Batch *b;
    int rc;
    while ((rc = loader_next(l, &b, err)) == 1) {
        weight += t->method->weight(b);
        eval_batch(t, b, &m);
        batch_free(b);
    }
    loader_free(l);
    if (rc) return err_context(err, "eval_data");
    t->state.evaluated = t->state.step;
    double loss = m.loss / weight;
    log_note("step %lld: evaluation loss %.4f", (long long)t->state.step, loss);
    json_t *line = json_pack("{s:I, s:f, s:o, s:I, s:o}", "step", (json_int_t)t->state.step, "epoch", t->state.epoch,
                             "eval_loss", isfinite(loss) ? json_real(loss) : json_null(), "eval_target_tokens",
                             (json_int_t)m.targets, "eval_seconds", rounded(now_seconds() - start, 0.001));
    report_evaluation(t, line, &m);
    return train_log_write(&t->log, t->state.step, line, err);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static int save_checkpoint(Trainer *t, Err *err)
{
    t->state.log_lines = t->log.lines;
    Checkpoint c = {t->engine.model, &t->opt, &t->state, t->settings};
    if (train_log_sync(&t->log, err) || checkpoint_save(t->o->output_dir, &c, t->o->save_total_limit, err)) return -1;
    t->saved = t->state.step;
    return 0;
}

static bool due(int64_t every, int64_t step)
{
    return every > 0 && step % every == 0;
}

static int train_loop(Trainer *t, Err *err)
{
    const TrainOptions *o = t->o;
    const TrainState *s = &t->state;
    while (s->step < t->total && !interrupted) {
        StepReport r;
        int rc = train_step(t, &r, err);
        if (rc == 0) break; /* samples were left out, so the data ends before the plan does */
        if (rc < 0 || log_step(t, &r, err)) return -1;
        if (t->eval.n && due(o->eval_steps, s->step) && evaluate(t, err)) return -1;
        if (due(o->save_steps, s->step) && save_checkpoint(t, err)) return -1;
    }
    return 0;
}

static int stop_early(Trainer *t, Err *err)
{
    if (t->saved != t->state.step && save_checkpoint(t, err)) return -1;
    err_set(err, "stopped by %s after step %lld of %lld", interrupted == SIGINT ? "SIGINT" : "SIGTERM",
            (long long)t->state.step, (long long)t->total);
    return err_hint(err, "the same command goes on from there");
}

static int finish(Trainer *t, Err *err)
{
    const TrainOptions *o = t->o;
    if (t->eval.n && t->state.evaluated != t->state.step && evaluate(t, err)) return -1;
    if (o->save_steps && t->saved != t->state.step && save_checkpoint(t, err)) return -1;
    if (checkpoint_save_model(o->output_dir, t->engine.model, &t->opt, err)) return -1;
    if (trainer_manifest(t, true, err)) return -1;
    log_note("%s in %s after %lld steps, loss %.4f", t->engine.model->peft ? "adapter" : "model", o->output_dir,
             (long long)t->state.step, t->state.loss);
    log_note("memory: %.2f GiB at the peak, %.2f GiB planned", gib((double)memory_peak()), gib((double)t->plan.total));
    return 0;
}

int train_run(const TrainOptions *o, Err *err)
{
    Trainer t;
    struct sigaction before[2];
    catch_signals(before);
    int rc = trainer_open(&t, o, stop_asked, err);
    if (rc == 0) {
        progress_start_at(&t.bar, t.method->name, t.state.step, t.total, "step");
        rc = train_loop(&t, err);
        progress_end(&t.bar);
        if (rc == 0) rc = interrupted && t.state.step < t.total ? stop_early(&t, err) : finish(&t, err);
    }
    trainer_close(&t);
    restore_signals(before);
    return rc;
}
