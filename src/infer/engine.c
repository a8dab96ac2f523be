#include "infer/engine.h"

#include <stdlib.h>
#include <string.h>

static int open_model(Engine *e, const EngineOptions *o, Err *err)
{
    ModelOptions mo = {.dtype = o->dtype, .check_later = o->check_later, .dry = o->dry};
    memcpy(mo.train, o->train, sizeof mo.train);
    e->model = model_load(o->model, &mo, err);
    if (!e->model && o->new_adapter) {
        peft_config_release(o->new_adapter);
        free(o->new_adapter);
    }
    if (!e->model) return -1;
    if (o->new_adapter) return model_add_adapter(e->model, o->new_adapter, o->train_adapter, o->seed, err);
    return o->adapter ? model_load_adapter(e->model, o->adapter, o->train_adapter, err) : 0;
}

static int open_inputs(Engine *e, const EngineOptions *o, Err *err)
{
    e->tok = tokenizer_load(o->model, err);
    if (!e->tok || chat_check_template(o->model, err) || chat_tokens(&e->chat, e->tok, err) ||
        image_processor_load(&e->proc, o->model, err) ||
        image_processor_limit(&e->proc, o->min_pixels, o->max_pixels, err))
        return -1;
    const ModelConfig *c = &e->model->cfg;
    if (e->chat.image_pad != c->image_token)
        return err_set(err, "%s: <|image_pad|> is token %d, config.json says %d", o->model, e->chat.image_pad,
                       c->image_token);
    if (tokenizer_size(e->tok) > c->v)
        return err_set(err, "%s: the tokenizer has %d tokens, the model %d", o->model, tokenizer_size(e->tok), c->v);
    if (e->proc.patch != c->vision.patch || e->proc.merge != c->vision.merge || e->proc.temporal != c->vision.temporal)
        return err_set(err, "%s: preprocessor_config.json and config.json disagree on the patch size", o->model);
    return 0;
}

/* What a step needs beside the model. */
static void prepare(Engine *e, bool checkpoint)
{
    if (e->model->arena.dry) arena_init_dry(&e->step, "dry step", (size_t)1 << 42);
    else arena_init(&e->step, "step", (size_t)1 << 42);
    e->tape.cap = model_tape_cap(e->model);
    e->tape.node = xmalloc(sizeof *e->tape.node * (size_t)e->tape.cap);
    e->recompute = xmalloc(sizeof *e->recompute * (size_t)model_blocks(e->model));
    for (int i = 0; i < model_blocks(e->model); i++) e->recompute[i] = checkpoint ? RECOMPUTE_BLOCK : RECOMPUTE_NOTHING;
    e->ctx = (Ctx){.k = &e->model->dev.k, .arena = &e->step, .lora = true, .recompute = e->recompute};
}

int engine_open(Engine *e, const EngineOptions *o, Err *err)
{
    *e = (Engine){0};
    if (open_model(e, o, err) || open_inputs(e, o, err)) {
        engine_close(e);
        return -1;
    }
    prepare(e, o->checkpoint);
    model_quantise(e->model, o->decode_weights);
    if (o->vision_cache && engine_cache_vision(e, o->vision_cache, o->vision_cache_bytes, err)) {
        engine_close(e);
        return -1;
    }
    return 0;
}

void engine_adopt(Engine *e, Model *m, bool checkpoint)
{
    *e = (Engine){.model = m};
    prepare(e, checkpoint);
}

void engine_close(Engine *e)
{
    vision_cache_free(e->images);
    tokenizer_free(e->tok);
    model_free(e->model);
    free(e->tape.node);
    free(e->recompute);
    arena_free(&e->step);
    *e = (Engine){0};
}

int engine_cache_vision(Engine *e, const char *dir, int64_t cap_bytes, Err *err)
{
    CHECK(!e->images, "the engine has a vision cache already");
    e->images = vision_cache_new(e->model, dir, cap_bytes, err);
    return e->images ? 0 : -1;
}

Tensor *engine_vision(Engine *e, Ctx *c, const Batch *b)
{
    return e->images ? vision_cache_features(e->images, c, b) : model_vision(c, e->model, b);
}

double engine_encoded(const Engine *e)
{
    return e->images ? vision_cache_count(e->images).encoded : 1;
}

const float *engine_score(Engine *e, const Batch *b, bool record, bool lora, float *entropy)
{
    CHECK(!e->logp, "engine_score before engine_release");
    e->tape.n = 0;
    e->ctx.tape = record ? &e->tape : NULL;
    e->ctx.lora = lora;
    Tensor *x = model_forward(&e->ctx, e->model, b, engine_vision(e, &e->ctx, b));
    e->logp = model_logprob(&e->ctx, e->model, x, b, entropy);
    return e->logp->data;
}

void engine_backward(Engine *e, const float *dlogp)
{
    CHECK(e->logp && e->ctx.tape, "engine_backward without a recorded engine_score");
    float *g = tensor_grad_zeroed(&e->step, e->logp);
    arena_copy(&e->step, g, dlogp, tensor_bytes(e->logp));
    tape_backward(&e->ctx, 0);
    e->ctx.tape = NULL;
}

void engine_release(Engine *e)
{
    e->logp = NULL;
    e->ctx.tape = NULL;
    arena_release(&e->step, 0);
}

void engine_dropout(Engine *e, uint64_t key)
{
    e->ctx.dropout_key = key;
}

void engine_zero_grads(Engine *e)
{
    for (int i = 0; i < e->model->param.n; i++) {
        Tensor *t = e->model->param.at[i].t;
        if (t->needs_grad) memset(t->grad, 0, sizeof(float) * (size_t)tensor_count(t));
    }
}
