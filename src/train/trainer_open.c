/* How a run begins and ends: folder, data, model, where to go on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "train/manifest.h"
#include "train/throughput.h"
#include "train/trainer_impl.h"

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static int choose_method(Trainer *t, Err *err)
{
    const TrainOptions *o = t->o;
    if (o->device != 0) return err_set(err, "device cuda is not available in this build");
    if (o->method == TRAIN_GRPO) return err_set(err, "method grpo is not available in this build");
    t->method = o->method == TRAIN_DPO ? &METHOD_DPO : &METHOD_SFT;
    return 0;
}

static bool same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return a && !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Creates output_dir and keeps other runs out of it; the lock goes with the process. */
static int take_folder(Trainer *t, Err *err)
{
    const TrainOptions *o = t->o;
    if (dir_create(o->output_dir, err)) return -1;
    if (same_folder(o->model, o->output_dir) || same_folder(o->adapter, o->output_dir)) {
        err_set(err, "output_dir %s is the folder that the run starts from", o->output_dir);
        return err_hint(err, "give another output_dir; what is trained from stays as it is");
    }
    t->lock = dir_lock(o->output_dir, err);
    if (t->lock < 0) return -1;
    return checkpoint_clean(o->output_dir, err);
}

/* ---- data -------------------------------------------------------------------------------------------------------- */

static int load_rows(Dataset *d, const StrList *files, const TrainOptions *o, Err *err)
{
    if (dataset_load(d, files->at, files->n, (uint64_t)o->seed, err)) return -1;
    for (int i = 0; i < d->n_bad && i < 10; i++) {
        char place[512];
        log_warn("left out: %s: %s", row_place(place, sizeof place, d->bad[i].at), d->bad[i].reason);
    }
    if (d->n_bad > 10) log_warn("left out: %d rows in all", d->n_bad);
    if (d->n_bad <= o->max_bad_samples) return 0;
    err_set(err, "%d rows cannot be used, max_bad_samples is %lld", d->n_bad, (long long)o->max_bad_samples);
    return err_hint(err, "`osler data check FILE` lists them");
}

static int check_text_only(const Dataset *d, Err *err)
{
    char place[512];
    for (int i = 0; i < d->n; i++) {
        if (!d->sample[i].n_images) continue;
        err_set(err, "%s: a sample with a picture, and text_only is set",
                row_place(place, sizeof place, d->sample[i].at));
        return err_hint(err, "leave the sample out, or text_only away");
    }
    return 0;
}

static int open_data(Trainer *t, Err *err)
{
    const TrainOptions *o = t->o;
    if (load_rows(&t->data, &o->data, o, err)) return err_context(err, "data");
    if (o->eval_data.n && load_rows(&t->eval, &o->eval_data, o, err)) return err_context(err, "eval_data");
    if (o->text_only && (check_text_only(&t->data, err) || check_text_only(&t->eval, err))) return -1;
    if (t->data.n) return 0;
    err_set(err, "the training data has no usable sample");
    return err_hint(err, "`osler data check FILE` lists the reasons");
}

/* Positions in the order of samples after which the data ends; 0: never, the steps are counted. */
static int64_t sample_limit(const Trainer *t)
{
    return t->o->max_steps ? 0 : (int64_t)ceil(t->o->epochs * t->data.n);
}

LoaderOptions trainer_loader_options(const Trainer *t, bool eval)
{
    const TrainOptions *o = t->o;
    LoaderOptions l = {
        .as = t->method->as,
        .batch_size = (int)o->batch_size,
        .packing = o->packing,
        .seed = (uint64_t)o->seed,
        .threads = pool_threads() < 8 ? pool_threads() : 8,
    };
    const Dataset *d = eval ? &t->eval : &t->data;
    l.max_bad_samples = (int)o->max_bad_samples - d->n_bad;
    l.samples = eval ? d->n : sample_limit(t);
    if (!eval) l.shuffle = o->shuffle, l.start = t->state.loader;
    return l;
}

Loader *trainer_loader(Trainer *t, bool eval, Err *err)
{
    LoaderOptions l = trainer_loader_options(t, eval);
    return loader_new(eval ? &t->eval : &t->data, &t->encoder, &l, err);
}

/* ---- model ------------------------------------------------------------------------------------------------------- */

static PeftConfig *fresh_adapter(const TrainOptions *o, Err *err)
{
    StrList target = {0};
    PeftConfig *cfg = xcalloc(1, sizeof *cfg);
    train_lora_target(o, &target);
    if (peft_config_init(cfg, (const char *const *)target.at, target.n, err)) {
        err_context(err, "lora_target");
        free(cfg);
        cfg = NULL;
    } else {
        cfg->r = (int)o->lora_rank;
        cfg->lora_alpha = o->lora_alpha;
        cfg->lora_dropout = o->lora_dropout;
        cfg->use_rslora = o->use_rslora;
        cfg->base_model = xstrdup(o->model);
    }
    strlist_release(&target);
    return cfg;
}

int trainer_open_engine(Trainer *t, bool dry, Err *err)
{
    const TrainOptions *o = t->o;
    bool full = o->finetuning_type == FINETUNE_FULL;
    EngineOptions e = {
        .model = o->model,
        .adapter = o->adapter,
        .dtype = train_dtype(o),
        .train = {[PART_VISION] = full && !o->freeze_vision,
                  [PART_MERGER] = full && !o->freeze_merger,
                  [PART_LANGUAGE] = full && !o->freeze_language},
        .train_adapter = !full,
        .dry = dry,
        .min_pixels = o->min_pixels,
        .max_pixels = o->max_pixels,
        .seed = (uint64_t)o->seed,
        .vision_cache = dry ? NULL : o->vision_cache,
        .vision_cache_bytes = (int64_t)(o->vision_cache_gib * (1 << 30)),
    };
    if (!full && !o->adapter && !(e.new_adapter = fresh_adapter(o, err))) return -1;
    if (engine_open(&t->engine, &e, err)) return -1;
    if (encoder_init(&t->encoder, t->engine.tok, &t->engine.proc, (int)o->max_length, err)) return -1;
    optimizer_init(&t->opt, t->engine.model,
                   &(OptimOptions){.lr = {[PART_VISION] = o->vision_learning_rate,
                                          [PART_MERGER] = o->merger_learning_rate,
                                          [PART_LANGUAGE] = o->learning_rate},
                                   .beta1 = o->adam_beta1,
                                   .beta2 = o->adam_beta2,
                                   .eps = o->adam_epsilon,
                                   .weight_decay = o->weight_decay,
                                   .max_grad_norm = o->max_grad_norm});
    return 0;
}

void trainer_close_engine(Trainer *t)
{
    optimizer_release(&t->opt);
    encoder_release(&t->encoder);
    engine_close(&t->engine);
}

/* ---- length ------------------------------------------------------------------------------------------------------ */

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int plan_steps(Trainer *t, Err *err)
{
    const TrainOptions *o = t->o;
    t->total = o->max_steps;
    if (!o->max_steps) {
        LoaderOptions l = trainer_loader_options(t, false);
        int64_t rows, batches = loader_count(&t->data, &t->encoder, &l, &rows, err);
        if (batches < 0) return -1;
        if (l.packing)
            log_note("packing: %lld batches of %lld rows, %.1f%% of them used", (long long)batches,
                     (long long)o->max_length, 100.0 * (double)rows / ((double)batches * (double)o->max_length));
        t->total = divide_up(batches, o->accumulation);
    }
    t->schedule =
        (Schedule){(ScheduleType)o->scheduler, schedule_warmup(o->warmup_steps, o->warmup_ratio, t->total), t->total};
    return 0;
}

/* ---- the reference ----------------------------------------------------------------------------------------------- */

/* Batches of the run that the reference has to see; 0: all.  With packing a sample waits for up to a window of packs. */
static int64_t reference_batches(const Trainer *t)
{
    const TrainOptions *o = t->o;
    return o->max_steps ? t->total * o->accumulation + (o->packing ? PACK_WINDOW : 0) : 0;
}

static int make_reference(Trainer *t, bool eval, Err *err)
{
    int64_t batches = eval ? 0 : reference_batches(t);
    char *path = path_join(t->o->output_dir, eval ? "reference-eval.jsonl" : "reference.jsonl");
    json_t *inputs = json_pack("{s:O, s:I}", "settings", t->settings, "batches", (json_int_t)batches);
    ReferenceJob job = {.engine = &t->engine,
                        .lora = t->o->reference == REFERENCE_START,
                        .data = eval ? &t->eval : &t->data,
                        .encoder = &t->encoder,
                        .loader = trainer_loader_options(t, eval),
                        .batches = batches,
                        .path = path,
                        .inputs = inputs,
                        .stop = t->stop};
    int rc = reference_make(eval ? &t->eval_reference : &t->reference, &job, err);
    json_decref(inputs);
    free(path);
    return rc;
}

/* While the engine still stands where the run begins. */
static int make_references(Trainer *t, Err *err)
{
    if (!t->method->reference) return 0;
    return make_reference(t, false, err) || (t->eval.n && make_reference(t, true, err)) ? -1 : 0;
}

/* ---- where to go on ---------------------------------------------------------------------------------------------- */

static void add_number(json_t *settings, const char *key, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    json_object_set_new(settings, key, json_string(text));
}

/* A constant rate does not know how long the run is, so such a run may be made longer. */
static int collect_settings(Trainer *t, Err *err)
{
    t->inputs = inputs_digest(t->o, t->engine.model, &t->data, &t->eval, err);
    if (!t->inputs) return -1;
    t->settings = train_settings(t->o);
    inputs_add_settings(t->settings, t->inputs);
    add_number(t->settings, "warmup", t->schedule.warmup);
    if (t->schedule.type != SCHEDULE_CONSTANT) add_number(t->settings, "total_steps", t->total);
    return 0;
}

static int find_state(Trainer *t, Err *err)
{
    const char *output_dir = t->o->output_dir;
    t->state.skipped = json_array();
    if (!t->o->resume) return checkpoint_remove_all(output_dir, err);
    char *dir;
    TrainState found;
    int rc = checkpoint_find(&dir, &found, output_dir, t->settings, err);
    if (rc <= 0) return rc;
    json_decref(t->state.skipped);
    t->state = found;
    t->saved = found.step;
    log_note("going on from %s", dir);
    rc = optimizer_load(&t->opt, dir, err);
    free(dir);
    return rc;
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

static int save_recipe(const Trainer *t, Err *err)
{
    Buf b = {0};
    char *path = path_join(t->o->output_dir, "recipe.yaml");
    opt_print(&b, TRAIN_OPTIONS, t->o);
    int rc = file_save(path, b.data, b.len, err);
    free(path);
    buf_release(&b);
    return rc;
}

int trainer_manifest(const Trainer *t, bool finished, Err *err)
{
    char now[32];
    time_now(now);
    return manifest_save(&(Manifest){t->o, t->engine.model, t->inputs, t->started, finished ? now : NULL}, err);
}

static void announce(const Trainer *t)
{
    const Model *m = t->engine.model;
    log_note("%s: %d samples, %lld steps of %lld x %lld; %lld of %lld parameters are trained", t->method->name,
             t->data.n, (long long)t->total, (long long)t->o->accumulation, (long long)t->o->batch_size,
             (long long)model_count(m, true), (long long)model_count(m, false));
    char again[96];
    plan_recompute_text(again, sizeof again, &t->plan);
    log_note("memory: %.2f GiB planned, %.2f GiB is the limit; %s", gib((double)t->plan.total),
             gib((double)t->plan.limit), again);
}

int trainer_prepare(Trainer *t, const TrainOptions *o, Err *err)
{
    *t = (Trainer){.o = o, .lock = -1, .log.fd = -1};
    time_now(t->started);
    pool_start((int)o->threads);
    return choose_method(t, err) || open_data(t, err) ? -1 : 0;
}

int trainer_open(Trainer *t, const TrainOptions *o, bool (*stop)(void), Err *err)
{
    if (trainer_prepare(t, o, err)) return -1;
    t->stop = stop;
    if (take_folder(t, err) || trainer_plan(t, false, err)) return -1;
    if (trainer_open_engine(t, false, err)) return -1;
    plan_apply(&t->plan, &t->engine);
    if (plan_steps(t, err) || collect_settings(t, err)) return -1;
    if (make_references(t, err) || find_state(t, err)) return -1;
    if (save_recipe(t, err) || trainer_manifest(t, false, err)) return -1;
    if (train_log_open(&t->log, o->output_dir, t->state.log_lines, t->state.step, err)) return -1;
    t->loader = trainer_loader(t, false, err);
    if (!t->loader) return -1;
    t->peak = machine_peak(train_dtype(o));
    announce(t);
    return 0;
}

void trainer_close(Trainer *t)
{
    loader_free(t->loader);
    train_log_close(&t->log);
    trainer_close_engine(t);
    plan_release(&t->plan);
    reference_release(&t->eval_reference);
    reference_release(&t->reference);
    dataset_release(&t->eval);
    dataset_release(&t->data);
    json_decref(t->state.skipped);
    json_decref(t->settings);
    json_decref(t->inputs);
    if (t->lock >= 0) close(t->lock);
}
