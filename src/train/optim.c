#include "train/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *master_new(Model *m, int param)
{
    const Tensor *t = m->param.at[param].t;
    if (t->dtype == DT_F32) return t->data;
    float *master = arena_alloc(&m->arena, sizeof *master * (size_t)tensor_count(t));
    model_read_f32(m, param, master);
    return master;
}

void optimizer_init(Optimizer *opt, Model *m, const OptimOptions *o)
{
    *opt = (Optimizer){.o = *o, .k = &m->dev.k};
    opt->at = xcalloc((size_t)m->param.n, sizeof *opt->at);
    opt->master = xcalloc((size_t)m->param.n, sizeof *opt->master);
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (!p->t->needs_grad) continue;
        size_t bytes = sizeof(float) * (size_t)tensor_count(p->t);
        opt->master[i] = master_new(m, i);
        opt->at[opt->n++] =
            (OptimParam){p, opt->master[i], arena_zalloc(&m->arena, bytes), arena_zalloc(&m->arena, bytes)};
    }
}

void optimizer_release(Optimizer *opt)
{
    free(opt->at);
    free(opt->master);
    *opt = (Optimizer){0};
}

double optimizer_grad_norm(const Optimizer *opt)
{
    double sum = 0;
    for (int i = 0; i < opt->n; i++) sum += opt->k->sum_squares(opt->at[i].p->t->grad, tensor_count(opt->at[i].p->t));
    return sqrt(sum);
}

/* torch.nn.utils.clip_grad_norm_: max / (norm + 1e-6), at most 1. */
static double clip_scale(double grad_norm, double max_norm)
{
    double scale = max_norm / (grad_norm + 1e-6);
    return max_norm > 0 && scale < 1 ? scale : 1;
}

void optimizer_step(Optimizer *opt, double grad_norm, double factor, bool images)
{
    const OptimOptions *o = &opt->o;
    AdamWArgs args = {
        .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps, .grad_scale = clip_scale(grad_norm, o->max_grad_norm)};
    for (int part = 0; part < PART_COUNT; part++)
        if (images || part == PART_LANGUAGE) opt->steps[part]++;
    for (int i = 0; i < opt->n; i++) {
        const OptimParam *q = &opt->at[i];
        Part part = q->p->part;
        if (!images && part != PART_LANGUAGE) continue;
        args.bias1 = 1 - pow(o->beta1, (double)opt->steps[part]);
        args.bias2 = 1 - pow(o->beta2, (double)opt->steps[part]);
        args.lr = o->lr[part] * factor;
        args.weight_decay = q->p->n_dims > 1 ? o->weight_decay : 0;
        opt->k->adamw(q->master, q->p->t->data, q->p->t->grad, q->m, q->v, tensor_count(q->p->t), &args);
    }
}

/* ---- on disk ----------------------------------------------------------------------------------------------------- */

enum { ARRAYS = 3 };
static const char *const ARRAY_NAME[ARRAYS] = {"master", "exp_avg", "exp_avg_sq"}; /* torch's names for the moments */

static float *array_of(const OptimParam *q, int array)
{
    float *at[ARRAYS] = {q->master, q->m, q->v};
    return at[array];
}

int optimizer_save(const Optimizer *opt, const char *dir, Err *err)
{
    int n = 0;
    StItem *item = xcalloc((size_t)opt->n * ARRAYS + 1, sizeof *item);
    item[n] = (StItem){.name = xstrdup("steps"), .dtype = DT_I64, .n_dims = 1, .dim = {PART_COUNT}, .data = opt->steps};
    n++;
    for (int a = 0; a < ARRAYS; a++)
        for (int i = 0; i < opt->n; i++) {
            const OptimParam *q = &opt->at[i];
            item[n] = (StItem){.dtype = DT_F32, .n_dims = q->p->n_dims, .data = array_of(q, a)};
            item[n].name = xasprintf("%s.%s", ARRAY_NAME[a], q->p->name);
            memcpy(item[n++].dim, q->p->dim, sizeof item->dim);
        }
    char *path = path_join(dir, "optimizer.safetensors");
    int rc = st_save(path, item, n, err);
    for (int i = 0; i < n; i++) free((char *)(uintptr_t)item[i].name);
    free(item);
    free(path);
    return rc;
}

static int read_array(const OptimParam *q, int array, const SafeTensors *st, Err *err)
{
    char *name = xasprintf("%s.%s", ARRAY_NAME[array], q->p->name);
    const StTensor *f = st_find(st, name);
    int rc = 0;
    if (!f) rc = err_set(err, "tensor \"%s\" is missing", name);
    else if (f->dtype != DT_F32 || st_count(f) != tensor_count(q->p->t))
        rc = err_set(err, "tensor \"%s\" does not fit the model", name);
    else memcpy(array_of(q, array), f->data, f->bytes);
    for (int64_t i = 0; rc == 0 && i < tensor_count(q->p->t); i++)
        if (!isfinite(array_of(q, array)[i])) rc = err_set(err, "tensor \"%s\" holds NaN or infinity", name);
    free(name);
    return rc;
}

static int read_steps(Optimizer *opt, const SafeTensors *st, Err *err)
{
    const StTensor *f = st_find(st, "steps");
    if (!f || f->dtype != DT_I64 || st_count(f) != PART_COUNT) return err_set(err, "tensor \"steps\" is missing");
    memcpy(opt->steps, f->data, sizeof opt->steps);
    return 0;
}

int optimizer_load(Optimizer *opt, const char *dir, Err *err)
{
    SafeTensors st;
    char *path = path_join(dir, "optimizer.safetensors");
    int rc = st_open(&st, path, err);
    if (rc == 0 && read_steps(opt, &st, err)) rc = err_context(err, "%s", path);
    for (int i = 0; rc == 0 && i < opt->n; i++) {
        const OptimParam *q = &opt->at[i];
        for (int a = 0; rc == 0 && a < ARRAYS; a++) rc = read_array(q, a, &st, err);
        if (rc) err_context(err, "%s", path);
        else if (q->p->t->dtype != DT_F32) opt->k->from_f32(q->p->t->data, q->master, tensor_count(q->p->t));
    }
    if (rc) err_hint(err, "remove %s to go on from the checkpoint before it", dir);
    st_close(&st);
    free(path);
    return rc;
}
