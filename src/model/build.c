/* The registry: every tensor of a Qwen2.5-VL with its name, shape and place, from the config alone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/build.h"

const char *const PART_NAME[PART_COUNT] = {"vision", "merger", "language"};

/* Registers a tensor; its memory comes later. Dims after the first are the columns. */
static Tensor *add_param(Model *m, Part part, const char *name, int n_dims, const int64_t *dim)
{
    Tensor *t = arena_alloc(&m->arena, sizeof *t);
    int64_t cols = 1;
    for (int i = n_dims > 1 ? 1 : 0; i < n_dims; i++) cols *= dim[i];
    int rows = n_dims > 1 ? (int)dim[0] : 1;
    *t = (Tensor){.rows = rows, .cols = (int)cols, .ld = (int)cols, .dtype = m->dev.k.dtype, .is_param = true};
    Param p = {.name = xstrdup(name), .t = t, .part = part, .n_dims = n_dims};
    memcpy(p.dim, dim, sizeof *dim * (size_t)n_dims);
    vec_push(&m->param, p);
    return t;
}

static Tensor *add_vector(Model *m, Part part, const char *name, int n)
{
    return add_param(m, part, name, 1, (int64_t[]){n});
}

/* name without ".weight"; the module can carry an adapter. */
static void add_linear(Model *m, Linear *l, Part part, const char *name, int out, int in, bool bias)
{
    char full[256];
    snprintf(full, sizeof full, "%s.weight", name);
    l->w = add_param(m, part, full, 2, (int64_t[]){out, in});
    snprintf(full, sizeof full, "%s.bias", name);
    l->bias = bias ? add_vector(m, part, full, out) : NULL;
    vec_push(&m->module, ((Module){xstrdup(name), l, part}));
}

/* "<prefix>.<i>.<name>" */
static const char *at(char *buf, size_t cap, const char *prefix, int i, const char *name)
{
    snprintf(buf, cap, "%s.%d.%s", prefix, i, name);
    return buf;
}
#define AT(name) at(buf, sizeof buf, prefix, i, name)

static void build_vision_block(Model *m, VisionBlock *b, int i)
{
    static const char prefix[] = "model.visual.blocks";
    const VisionConfig *v = &m->cfg.vision;
    char buf[128];
    b->n1 = add_vector(m, PART_VISION, AT("norm1.weight"), v->d);
    b->n2 = add_vector(m, PART_VISION, AT("norm2.weight"), v->d);
    add_linear(m, &b->qkv, PART_VISION, AT("attn.qkv"), 3 * v->d, v->d, true);
    add_linear(m, &b->proj, PART_VISION, AT("attn.proj"), v->d, v->d, true);
    add_linear(m, &b->mlp.gate, PART_VISION, AT("mlp.gate_proj"), v->f, v->d, true);
    add_linear(m, &b->mlp.up, PART_VISION, AT("mlp.up_proj"), v->f, v->d, true);
    add_linear(m, &b->mlp.down, PART_VISION, AT("mlp.down_proj"), v->d, v->f, true);
}

static void build_decoder_block(Model *m, DecoderBlock *b, int i)
{
    static const char prefix[] = "model.language_model.layers";
    const ModelConfig *c = &m->cfg;
    int q = c->h * c->hd, kv = c->hk * c->hd;
    char buf[128];
    b->n1 = add_vector(m, PART_LANGUAGE, AT("input_layernorm.weight"), c->d);
    b->n2 = add_vector(m, PART_LANGUAGE, AT("post_attention_layernorm.weight"), c->d);
    add_linear(m, &b->q, PART_LANGUAGE, AT("self_attn.q_proj"), q, c->d, true);
    add_linear(m, &b->k, PART_LANGUAGE, AT("self_attn.k_proj"), kv, c->d, true);
    add_linear(m, &b->v, PART_LANGUAGE, AT("self_attn.v_proj"), kv, c->d, true);
    add_linear(m, &b->o, PART_LANGUAGE, AT("self_attn.o_proj"), c->d, q, false);
    add_linear(m, &b->mlp.gate, PART_LANGUAGE, AT("mlp.gate_proj"), c->f, c->d, false);
    add_linear(m, &b->mlp.up, PART_LANGUAGE, AT("mlp.up_proj"), c->f, c->d, false);
    add_linear(m, &b->mlp.down, PART_LANGUAGE, AT("mlp.down_proj"), c->d, c->f, false);
}

static void build_vision(Model *m)
{
    const VisionConfig *v = &m->cfg.vision;
    int wide = v->d * v->merge * v->merge;
    m->vision.patch.w = add_param(m, PART_VISION, "model.visual.patch_embed.proj.weight", 5,
                                  (int64_t[]){v->d, v->channels, v->temporal, v->patch, v->patch});
    m->vision.block = arena_zalloc(&m->arena, sizeof *m->vision.block * (size_t)v->l);
    for (int i = 0; i < v->l; i++) build_vision_block(m, &m->vision.block[i], i);
    m->vision.norm = add_vector(m, PART_MERGER, "model.visual.merger.ln_q.weight", v->d);
    add_linear(m, &m->vision.fc1, PART_MERGER, "model.visual.merger.mlp.0", wide, wide, true);
    add_linear(m, &m->vision.fc2, PART_MERGER, "model.visual.merger.mlp.2", v->out, wide, true);
}

void model_build(Model *m)
{
    const ModelConfig *c = &m->cfg;
    m->embed = add_param(m, PART_LANGUAGE, "model.language_model.embed_tokens.weight", 2, (int64_t[]){c->v, c->d});
    m->block = arena_zalloc(&m->arena, sizeof *m->block * (size_t)c->l);
    for (int i = 0; i < c->l; i++) build_decoder_block(m, &m->block[i], i);
    m->norm = add_vector(m, PART_LANGUAGE, "model.language_model.norm.weight", c->d);
    build_vision(m);
    m->head.w = c->tied ? m->embed : add_param(m, PART_LANGUAGE, "lm_head.weight", 2, (int64_t[]){c->v, c->d});
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void param_own(Model *m, Param *p, bool train)
{
    p->t->data = arena_alloc(&m->arena, tensor_bytes(p->t));
    if (!train) return;
    p->t->needs_grad = true;
    p->t->grad = arena_zalloc(&m->arena, sizeof(float) * (size_t)tensor_count(p->t));
}

/* The kernel's view of a linear's weight. */
static void finish_linear(Linear *l)
{
    l->kw = (Weight){.data = l->w->data, .out = l->w->rows, .in = l->w->cols};
}

static bool linear_trained(const Linear *l)
{
    return l->w->needs_grad || (l->bias && l->bias->needs_grad) || (l->lora && l->lora->a->needs_grad);
}

void model_mark_trainable(Model *m)
{
    for (int i = 0; i < m->cfg.l; i++) {
        DecoderBlock *b = &m->block[i];
        b->trainable = b->n1->needs_grad || linear_trained(&b->q) || linear_trained(&b->k) || linear_trained(&b->v) ||
                       linear_trained(&b->o) || linear_trained(&b->mlp.gate) || linear_trained(&b->mlp.up) ||
                       linear_trained(&b->mlp.down);
    }
    for (int i = 0; i < m->cfg.vision.l; i++) {
        VisionBlock *b = &m->vision.block[i];
        b->trainable = b->n1->needs_grad || linear_trained(&b->qkv) || linear_trained(&b->proj) ||
                       linear_trained(&b->mlp.gate) || linear_trained(&b->mlp.up) || linear_trained(&b->mlp.down);
    }
}

void model_finish(Model *m)
{
    for (int i = 0; i < m->module.n; i++) finish_linear(m->module.at[i].l);
    finish_linear(&m->vision.patch);
    finish_linear(&m->head);
    model_mark_trainable(m);
}

Model *model_new(const ModelConfig *cfg, DType dtype, bool dry)
{
    Model *m = xcalloc(1, sizeof *m);
    m->cfg = *cfg;
    if (dry) {
        device_init_dry(&m->dev, dtype);
        arena_init_dry(&m->arena, "dry model", (size_t)1 << 42);
    } else {
        device_init(&m->dev, dtype);
        arena_init(&m->arena, "model", (size_t)1 << 42);
    }
    return m;
}

void model_free(Model *m)
{
    if (!m) return;
    for (int i = 0; i < m->module.n; i++) free(m->module.at[i].name);
    for (int i = 0; i < m->param.n; i++) free(m->param.at[i].name);
    free(m->param.at);
    free(m->module.at);
    if (m->peft) peft_config_release(m->peft);
    free(m->peft);
    st_close(&m->files);
    free(m->dir);
    arena_free(&m->arena);
    free(m);
}

int model_blocks(const Model *m)
{
    return m->cfg.vision.l + m->cfg.l;
}

int model_tape_cap(const Model *m)
{
    return 64 + 32 * model_blocks(m);
}

int64_t model_count(const Model *m, bool trained_only)
{
    int64_t n = 0;
    for (int i = 0; i < m->param.n; i++)
        if (!trained_only || m->param.at[i].t->needs_grad) n += tensor_count(m->param.at[i].t);
    return n;
}
