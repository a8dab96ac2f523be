/* LoRA adapters on a model: fresh ones, and PEFT directories. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/rng.h"
#include "model/build.h"

/* A's or B's registry row, named by its key in adapter_model.safetensors, with f32 values beside the compute copy. */
static Param *add_matrix(Model *m, const Module *mod, NameLayout layout, LoraPart part, int rows, int cols, bool train)
{
    Tensor *t = arena_alloc(&m->arena, sizeof *t);
    *t = (Tensor){.rows = rows, .cols = cols, .ld = cols, .dtype = m->dev.k.dtype, .is_param = true};
    char *module = names_to_file(layout, mod->name);
    Param p = {
        .name = peft_key(module, part), .t = t, .part = mod->part, .n_dims = 2, .dim = {rows, cols}, .adapter = true};
    free(module);
    p.f32 = arena_zalloc(&m->arena, sizeof(float) * (size_t)tensor_count(t));
    param_own(m, &p, train);
    vec_push(&m->param, p);
    return &m->param.at[m->param.n - 1];
}

/* PEFT's start: A uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5), B zero. */
static void init_matrix(Param *p, LoraPart part, uint64_t seed, uint32_t number)
{
    if (part == LORA_B) return;
    Rng r = rng_at(seed, RNG_INIT, number, 0, 1);
    double bound = 1 / sqrt((double)p->t->cols);
    for (int64_t i = 0; i < tensor_count(p->t); i++) p->f32[i] = (float)((2 * rng_uniform(&r) - 1) * bound);
}

static int check_matrix(const Param *p, const StTensor *f, Err *err)
{
    if (f && f->n_dims == 2 && f->dim[0] == p->t->rows && f->dim[1] == p->t->cols) return 0;
    if (f) err_set(err, "tensor \"%s\" is not [%d, %d]", p->name, p->t->rows, p->t->cols);
    else err_set(err, "tensor \"%s\" is missing", p->name);
    return err_hint(err,
                    "the adapter belongs to another model, or adapter_config.json is not the one it was saved with");
}

static int read_matrix(Param *p, const SafeTensors *st, Err *err)
{
    const StTensor *f = st_find(st, p->name);
    if (check_matrix(p, f, err)) return -1;
    if (f->dtype != DT_F32 && f->dtype != DT_BF16 && f->dtype != DT_F16)
        return err_set(err, "tensor \"%s\" is %s", p->name, dtype_name(f->dtype));
    dtype_convert(p->f32, DT_F32, f->data, f->dtype, (size_t)tensor_count(p->t));
    for (int64_t i = 0; i < tensor_count(p->t); i++)
        if (!isfinite(p->f32[i])) return err_set(err, "tensor \"%s\" holds NaN or infinity", p->name);
    return 0;
}

typedef struct Attach {
    Model *m;
    NameLayout layout;
    const SafeTensors *st; /* NULL: fresh */
    bool train;
    uint64_t seed;
    int n;
} Attach;

static int attach_matrix(Attach *a, Tensor **out, const Module *mod, LoraPart part, int rows, int cols, Err *err)
{
    Param *p = add_matrix(a->m, mod, a->layout, part, rows, cols, a->train);
    *out = p->t;
    if (a->m->arena.dry) return a->st ? check_matrix(p, st_find(a->st, p->name), err) : 0;
    if (a->st && read_matrix(p, a->st, err)) return -1;
    if (!a->st) init_matrix(p, part, a->seed, (uint32_t)a->m->param.n);
    dtype_convert(p->t->data, p->t->dtype, p->f32, DT_F32, (size_t)tensor_count(p->t));
    return 0;
}

/* 1 and *t where the adapter's configuration targets `module`, a canonical name. */
static int targets(PeftTarget *t, const Attach *a, const char *module, Err *err)
{
    char *name = names_to_file(a->layout, module);
    int hit = peft_target(t, a->m->peft, name, err);
    free(name);
    return hit;
}

static int attach_module(Attach *a, const Module *mod, Err *err)
{
    Model *m = a->m;
    PeftTarget target;
    int hit = targets(&target, a, mod->name, err);
    if (hit <= 0) return hit;
    Lora *lora = arena_zalloc(&m->arena, sizeof *lora);
    lora->scale = (float)target.scale;
    lora->dropout = (float)m->peft->lora_dropout;
    lora->id = (uint32_t)++a->n;
    const Tensor *w = mod->l->w;
    if (attach_matrix(a, &lora->a, mod, LORA_A, target.r, w->cols, err) ||
        attach_matrix(a, &lora->b, mod, LORA_B, w->rows, target.r, err))
        return -1;
    mod->l->lora = lora;
    return 0;
}

static int refuse(const Attach *a, const char *module, const char *why, Err *err)
{
    PeftTarget t;
    int hit = targets(&t, a, module, err);
    if (hit <= 0) return hit;
    err_set(err, "the adapter targets \"%s\", %s", module, why);
    return err_hint(err, "narrow lora_target, for example to "
                         "'.*language_model.*\\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)'");
}

/* Modules that PEFT could wrap and Osler does not: better an error than another model than the user asked for. */
static int refuse_others(const Attach *a, Err *err)
{
    static const char *const OTHER[] = {"model.visual.patch_embed.proj", "model.language_model.embed_tokens",
                                        "lm_head"};
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++)
        if (refuse(a, OTHER[i], "which cannot carry one", err)) return -1;
    return 0;
}

static int refuse_container(const Attach *a, Map *seen, const char *module, Err *err)
{
    int64_t known;
    if (map_get_str(seen, module, &known)) return 0;
    map_set_str(seen, module, 1);
    return refuse(a, module, "which is no linear", err);
}

/* Norms, and whatever holds other modules: PEFT refuses an adapter whose pattern matches one, so it would not load. */
static int refuse_containers(const Attach *a, Err *err)
{
    Map seen = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i < a->m->param.n; i++) {
        const Param *p = &a->m->param.at[i];
        char *name = xstrdup(p->name), *dot;
        *strrchr(name, '.') = 0; /* the tensor's own module */
        if (p->n_dims == 1 && !str_ends_with(p->name, ".bias")) rc = refuse_container(a, &seen, name, err);
        while (rc == 0 && (dot = strrchr(name, '.'))) {
            *dot = 0;
            rc = refuse_container(a, &seen, name, err);
        }
        free(name);
    }
    map_release(&seen);
    return rc;
}

static int attach_all(Attach *a, Err *err)
{
    if (refuse_others(a, err) || refuse_containers(a, err)) return -1;
    for (int i = 0; i < a->m->module.n; i++)
        if (attach_module(a, &a->m->module.at[i], err)) return -1;
    if (!a->n) {
        err_set(err, "the adapter targets no linear of this model");
        return err_hint(err, "see the module names with: osler inspect DIR");
    }
    model_mark_trainable(a->m);
    return 0;
}

int model_add_adapter(Model *m, PeftConfig *cfg, bool train, uint64_t seed, Err *err)
{
    CHECK(!m->peft, "the model has an adapter already");
    m->peft = cfg;
    return attach_all(&(Attach){.m = m, .layout = NAMES_NESTED, .train = train, .seed = seed}, err);
}

static int check_no_extra(const Model *m, const SafeTensors *st, Err *err)
{
    for (int i = 0; i < st->n; i++) {
        bool known = false;
        for (int j = 0; j < m->param.n && !known; j++)
            known = m->param.at[j].adapter && !strcmp(m->param.at[j].name, st->tensor[i].name);
        if (!known)
            return err_set(err, "tensor \"%s\" belongs to no target of adapter_config.json", st->tensor[i].name);
    }
    return 0;
}

int model_load_adapter(Model *m, const char *dir, bool train, Err *err)
{
    CHECK(!m->peft, "the model has an adapter already");
    PeftConfig *cfg = xcalloc(1, sizeof *cfg);
    if (peft_config_load(cfg, dir, err)) {
        free(cfg);
        return -1;
    }
    m->peft = cfg;
    SafeTensors st;
    if (st_open_dir(&st, dir, "adapter_model", err)) return -1;
    Attach a = {.m = m, .layout = names_detect(&st), .st = &st, .train = train};
    int rc = attach_all(&a, err);
    if (rc == 0) rc = check_no_extra(m, &st, err);
    if (rc) err_context(err, "%s", dir);
    st_close(&st);
    return rc;
}
