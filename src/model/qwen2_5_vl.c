/*
 * qwen2_5_vl.c - the forward pass of Qwen2.5-VL, and nothing else (docs/models/qwen2_5_vl.md).
 *
 * Vision: patches -> blocks of window or full attention with 2-D rotation -> norm -> four neighbours merged by an MLP.
 * Language: embeddings, image rows replaced by merged patches -> blocks of causal grouped-query attention with M-RoPE
 * -> norm -> head.  Source: transformers' modeling_qwen2_5_vl.py (5.x), Bai et al. 2025 (arXiv 2502.13923).
 */
#include <string.h>

#include "model/geometry.h"
#include "model/model.h"

/* The norms of the vision tower have this epsilon whatever the config says. */
static const float VISION_EPS = 1e-6f;

/* ---- vision tower ------------------------------------------------------------------------------------------------ */

typedef struct VisionArg {
    const VisionBlock *b;
    const VisionConfig *cfg;
    const Attn *attn;
    RopeTable rope;
    Recompute recompute;
} VisionArg;

static Tensor *vision_mlp(Ctx *c, const void *arg, Tensor *x) /* x, result: [patches, d] */
{
    const VisionBlock *b = ((const VisionArg *)arg)->b;
    return op_mlp(c, op_rmsnorm(c, x, b->n2, VISION_EPS), &b->mlp, x);
}

static Tensor *vision_block(Ctx *c, const void *arg, Tensor *x) /* x, result: [patches, d] */
{
    const VisionArg *a = arg;
    const VisionBlock *b = a->b;
    int d = a->cfg->d, h = a->cfg->h, hd = d / h;
    Tensor *qkv = op_linear(c, op_rmsnorm(c, x, b->n1, VISION_EPS), &b->qkv, NULL);
    Tensor *q = op_rope(c, tensor_cols(c->arena, qkv, 0, d), a->rope, h, hd);
    Tensor *k = op_rope(c, tensor_cols(c->arena, qkv, d, d), a->rope, h, hd);
    Tensor *v = tensor_cols(c->arena, qkv, 2 * d, d);
    x = op_linear(c, op_attention(c, q, k, v, a->attn, 0), &b->proj, x);
    return op_block(c, vision_mlp, a, x, b->trainable, a->recompute == RECOMPUTE_MLP);
}

static Recompute block_recompute(const Ctx *c, int block)
{
    return c->recompute ? c->recompute[block] : RECOMPUTE_NOTHING;
}

/* The pixels in the compute format. */
static Tensor *pixel_tensor(Ctx *c, const Batch *b)
{
    Tensor *x = tensor_new(c->arena, c->k->dtype, b->n_patches, b->patch_dim);
    c->k->from_f32(x->data, b->pixels, tensor_count(x));
    return x;
}

Tensor *model_vision(Ctx *c, const Model *m, const Batch *b)
{
    if (!b->n_images) return NULL;
    const VisionConfig *cfg = &m->cfg.vision;
    int unit = cfg->merge * cfg->merge;
    VisionPlan *plan = arena_alloc(c->arena, sizeof *plan);
    VisionArg *arg = arena_alloc(c->arena, sizeof *arg * (size_t)cfg->l);
    vision_plan(plan, c->arena, cfg, b->image, b->n_images);
    Tensor *x = op_linear(c, pixel_tensor(c, b), &m->vision.patch, NULL);
    x = op_gather(c, x, plan->patch_at, b->n_patches);
    for (int i = 0; i < cfg->l; i++) {
        Recompute r = block_recompute(c, i);
        arg[i] = (VisionArg){&m->vision.block[i], cfg, cfg->full[i] ? &plan->full : &plan->window, plan->rope, r};
        x = op_block(c, vision_block, &arg[i], x, m->vision.block[i].trainable, r == RECOMPUTE_BLOCK);
    }
    x = op_rmsnorm(c, x, m->vision.norm, VISION_EPS);
    x = op_reshape(c, x, b->n_patches / unit, cfg->d * unit);
    x = op_linear(c, op_gelu(c, op_linear(c, x, &m->vision.fc1, NULL)), &m->vision.fc2, NULL);
    return op_gather(c, x, plan->merged_at, b->n_patches / unit);
}

/* ---- language model ---------------------------------------------------------------------------------------------- */

typedef struct DecoderArg {
    const DecoderBlock *b;
    const ModelConfig *cfg;
    const Attn *attn;
    RopeTable rope;
    int layer;
    Recompute recompute;
} DecoderArg;

static Tensor *decoder_mlp(Ctx *c, const void *arg, Tensor *x) /* x, result: [n, d] */
{
    const DecoderArg *a = arg;
    return op_mlp(c, op_rmsnorm(c, x, a->b->n2, (float)a->cfg->eps), &a->b->mlp, x);
}

static Tensor *decoder_block(Ctx *c, const void *arg, Tensor *x) /* x, result: [n, d] */
{
    const DecoderArg *a = arg;
    const DecoderBlock *b = a->b;
    const ModelConfig *cfg = a->cfg;
    float eps = (float)cfg->eps;
    Tensor *y = op_rmsnorm(c, x, b->n1, eps);
    Tensor *q = op_rope(c, op_linear(c, y, &b->q, NULL), a->rope, cfg->h, cfg->hd);
    Tensor *k = op_rope(c, op_linear(c, y, &b->k, NULL), a->rope, cfg->hk, cfg->hd);
    Tensor *v = op_linear(c, y, &b->v, NULL);
    x = op_linear(c, op_attention(c, q, k, v, a->attn, a->layer), &b->o, x);
    return op_block(c, decoder_mlp, a, x, b->trainable, a->recompute == RECOMPUTE_MLP);
}

Tensor *model_decode(Ctx *c, const Model *m, const int *ids, const int *pos, int n, Tensor *feats, const Attn *attn)
{
    const ModelConfig *cfg = &m->cfg;
    DecoderArg *arg = arena_alloc(c->arena, sizeof *arg * (size_t)cfg->l);
    RopeTable rope = mrope_table(c->arena, cfg, pos, n);
    Tensor *x = op_embed(c, m->embed, feats, ids, n);
    for (int i = 0; i < cfg->l; i++) {
        Recompute r = block_recompute(c, cfg->vision.l + i);
        arg[i] = (DecoderArg){&m->block[i], cfg, attn, rope, i, r};
        x = op_block(c, decoder_block, &arg[i], x, m->block[i].trainable, r == RECOMPUTE_BLOCK);
    }
    return x;
}

Tensor *model_forward(Ctx *c, const Model *m, const Batch *b, Tensor *feats)
{
    Attn *attn = arena_alloc(c->arena, sizeof *attn);
    *attn = (Attn){.h = m->cfg.h, .hk = m->cfg.hk, .hd = m->cfg.hd};
    attn_from_segments(attn, c->arena, b->seg, b->n_seg);
    return model_decode(c, m, b->ids, b->pos, b->n, feats, attn);
}

Tensor *model_logprob(Ctx *c, const Model *m, Tensor *x, const Batch *b, float *entropy)
{
    Tensor *y = op_gather(c, x, b->target_row, b->n_targets);
    return op_logprob(c, op_rmsnorm(c, y, m->norm, (float)m->cfg.eps), &m->head, b->target_id, entropy);
}

Tensor *model_logits(Ctx *c, const Model *m, Tensor *x)
{
    return op_logits(c, op_rmsnorm(c, x, m->norm, (float)m->cfg.eps), &m->head);
}

/* ---- what it costs ----------------------------------------------------------------------------------------------- */

static double attention_pairs(const AttnPlan *p)
{
    double pairs = 0;
    for (int i = 0; i < p->n_seg; i++) {
        const AttnSeg *s = &p->seg[i];
        double keys = 0, nq = s->nq;
        for (int j = 0; j < s->n_span; j++) keys += p->span[s->span + j].len;
        pairs += p->causal ? nq * keys - nq * (nq - 1) / 2 : nq * keys;
    }
    return pairs;
}

static double vision_flops(const VisionConfig *v, const Batch *b)
{
    Arena a;
    VisionPlan plan;
    arena_init(&a, "flops", (size_t)1 << 34);
    vision_plan(&plan, &a, v, b->image, b->n_images);
    double d = v->d, p = b->n_patches, flops = 2 * p * d * b->patch_dim;
    double window = attention_pairs(&plan.window.plan), full = attention_pairs(&plan.full.plan);
    for (int i = 0; i < v->l; i++) flops += 2 * p * (4 * d * d + 3 * d * v->f) + 4 * d * (v->full[i] ? full : window);
    double unit = v->merge * v->merge, wide = d * unit;
    arena_free(&a);
    return flops + 2 * p / unit * (wide * wide + wide * v->out);
}

double model_flops(const Model *m, const Batch *b)
{
    const ModelConfig *c = &m->cfg;
    Arena a;
    Attn attn = {0};
    arena_init(&a, "flops", (size_t)1 << 32);
    attn_from_segments(&attn, &a, b->seg, b->n_seg);
    double d = c->d, q = (double)c->h * c->hd, kv = (double)c->hk * c->hd;
    double block = 2.0 * b->n * (2 * d * q + 2 * d * kv + 3 * d * c->f) + 4 * q * attention_pairs(&attn.plan);
    arena_free(&a);
    double vision = b->n_images ? vision_flops(&c->vision, b) : 0;
    return vision + c->l * block + 2.0 * b->n_targets * d * c->v;
}
