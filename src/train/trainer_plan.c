/* What a run takes, with an engine without values; and where it does not fit, what would. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "train/trainer.h"
#include "train/trainer_impl.h"

static size_t memory_limit(const TrainOptions *o)
{
    if (o->max_memory > 0) return (size_t)(o->max_memory * (1 << 30));
    return (size_t)(0.9 * (double)(memory_available() + memory_resident()));
}

/* The plan of t's data under o. */
static int plan_under(Plan *p, const Trainer *t, const TrainOptions *o, bool timed, Err *err)
{
    Trainer dry = *t;
    dry.o = o;
    int rc = trainer_open_engine(&dry, true, err);
    if (rc == 0) {
        PlanInput in = {.engine = &dry.engine,
                        .opt = &dry.opt,
                        .data = &t->data,
                        .encoder = &dry.encoder,
                        .loader = trainer_loader_options(&dry, false),
                        .accumulation = (int)o->accumulation,
                        .steps = o->max_steps,
                        .checkpointing = (Checkpointing)o->gradient_checkpointing,
                        .limit = memory_limit(o),
                        .timed = timed};
        rc = plan_make(p, &in, err);
    }
    trainer_close_engine(&dry);
    return rc;
}

/* ---- the nearest setting that fits ------------------------------------------------------------------------------- */

/* A step towards less memory, with what has to be set for it in `text`; false where there is none left. */
typedef bool Change(TrainOptions *o, Buf *text);

static bool recompute_more(TrainOptions *o, Buf *text)
{
    if (o->gradient_checkpointing != CHECKPOINT_NONE) return false;
    o->gradient_checkpointing = CHECKPOINT_AUTO;
    buf_printf(text, "gradient_checkpointing=auto");
    return true;
}

static bool smaller_batch(TrainOptions *o, Buf *text)
{
    if (o->packing || o->batch_size == 1) return false;
    int64_t half = o->batch_size / 2;
    o->accumulation = (o->accumulation * o->batch_size + half - 1) / half;
    o->batch_size = half;
    buf_printf(text, "per_device_train_batch_size=%lld gradient_accumulation_steps=%lld", (long long)half,
               (long long)o->accumulation);
    return true;
}

/* Packs of half the length; single samples that are too long are left out. */
static bool shorter(TrainOptions *o, Buf *text)
{
    if (o->max_length < 512) return false;
    o->max_length /= 2;
    buf_printf(text, "max_length=%lld", (long long)o->max_length);
    return true;
}

static bool smaller_pictures(TrainOptions *o, Buf *text)
{
    enum { MOST = 1 << 20, LEAST = 1 << 16 };
    int64_t half = o->max_pixels && o->max_pixels < 2 * MOST ? o->max_pixels / 2 : MOST;
    if (half < LEAST || half < o->min_pixels) return false;
    o->max_pixels = half;
    buf_printf(text, "max_pixels=%lld", (long long)half);
    return true;
}

static bool half_precision(TrainOptions *o, Buf *text)
{
    if (o->dtype == COMPUTE_BF16) return false;
    o->dtype = COMPUTE_BF16;
    buf_printf(text, "dtype=bf16");
    return true;
}

static bool adapter_only(TrainOptions *o, Buf *text)
{
    if (o->finetuning_type == FINETUNE_LORA) return false;
    o->finetuning_type = FINETUNE_LORA;
    o->freeze_vision = o->freeze_merger = true;
    buf_printf(text, "finetuning_type=lora");
    return true;
}

static Change *const CHANGE[] = {recompute_more, smaller_batch,  smaller_pictures,
                                 shorter,        half_precision, adapter_only};
enum { CHANGES = sizeof CHANGE / sizeof *CHANGE };

/* Takes the steps of one change until it fits; `text` holds the last. */
static bool change_fits(TrainOptions *o, Buf *text, const Trainer *t, Change *change)
{
    size_t start = text->len;
    Buf step = {0};
    bool fits = false, usable = true;
    while (!fits && usable && change(o, &step)) {
        Plan p;
        Err why = {0};
        text->len = start;
        buf_printf(text, "%s%s", start ? " " : "", step.data);
        buf_clear(&step);
        usable = plan_under(&p, t, o, false, &why) == 0; /* samples that are too long may leave nothing of the data */
        if (!usable) break;
        fits = p.total <= p.limit;
        plan_release(&p);
    }
    buf_release(&step);
    return fits;
}

/* One kind of change alone, then one after the other. */
static bool find_nearest(Buf *text, const Trainer *t)
{
    TrainOptions o;
    for (int i = 0; i < CHANGES; i++) {
        o = *t->o;
        buf_clear(text);
        if (change_fits(&o, text, t, CHANGE[i])) return true;
    }
    o = *t->o;
    buf_clear(text);
    for (int i = 0; i < CHANGES; i++)
        if (CHANGE[i] != shorter && change_fits(&o, text, t, CHANGE[i])) return true;
    return false;
}

static int refuse(const Trainer *t, Err *err)
{
    const Plan *p = &t->plan;
    Buf text = {0};
    err_set(err, "the run needs %.2f GiB, the limit is %.2f GiB", gib((double)p->total), gib((double)p->limit));
    if (find_nearest(&text, t)) err_hint(err, "it fits with %s", text.data);
    else err_hint(err, "no setting makes it fit; max_memory is the limit, if the machine has more");
    buf_release(&text);
    return -1;
}

int trainer_plan(Trainer *t, bool timed, Err *err)
{
    if (plan_under(&t->plan, t, t->o, timed, err)) return -1;
    return t->plan.total <= t->plan.limit ? 0 : refuse(t, err);
}

int train_plan(const TrainOptions *o, Err *err)
{
    Trainer t;
    int rc = trainer_prepare(&t, o, err);
    if (rc == 0) rc = trainer_plan(&t, true, err);
    if (t.plan.total) plan_print(&t.plan);
    trainer_close(&t);
    return rc;
}
