/* Weights in: from a checkpoint directory, or random. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/rng.h"
#include "model/build.h"

enum { CHUNK = 1 << 18 }; /* elements per task */

static int chunks(int64_t count)
{
    return (int)((count + CHUNK - 1) / CHUNK);
}

static size_t chunk_len(int64_t count, int task)
{
    int64_t left = count - (int64_t)task * CHUNK;
    return (size_t)(left < CHUNK ? left : CHUNK);
}

/* ---- from files -------------------------------------------------------------------------------------------------- */

typedef struct Scan {
    const unsigned char *data;
    DType dtype;
    int64_t count;
    atomic_bool bad;
} Scan;

/* All exponent bits of a number, in each number of a word. */
static uint64_t exponent_mask(DType t)
{
    if (t == DT_F32) return UINT64_C(0x7f8000007f800000);
    return t == DT_BF16 ? UINT64_C(0x7f807f807f807f80) : UINT64_C(0x7c007c007c007c00);
}

/*
 * Notes where a value of the chunk is infinite or not a number: all its exponent bits are set, so that they become 0 in
 * `left`.  A number is 0 exactly where subtracting 1 from each sets a highest bit that was not set before.
 */
static void scan_chunk(void *arg, int task)
{
    Scan *s = arg;
    size_t bytes = chunk_len(s->count, task) * dtype_size(s->dtype), i = 0;
    const unsigned char *data = s->data + (size_t)task * CHUNK * dtype_size(s->dtype);
    uint64_t mask = exponent_mask(s->dtype), zero = 0;
    uint64_t ones = s->dtype == DT_F32 ? UINT64_C(0x0000000100000001) : UINT64_C(0x0001000100010001);
    for (; i < bytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, bytes - i < 8 ? bytes - i : 8);
        uint64_t left = (word & mask) ^ mask;
        zero |= (left - ones) & ~left;
    }
    if (zero & (ones << (s->dtype == DT_F32 ? 31 : 15))) atomic_store(&s->bad, true);
}

static bool all_finite(const void *data, DType t, int64_t count)
{
    Scan s = {.data = data, .dtype = t, .count = count};
    pool_run(chunks(count), scan_chunk, &s);
    return !atomic_load(&s.bad);
}

static int not_finite(const char *file, const char *tensor, Err *err)
{
    err_set(err, "%s: tensor \"%s\" holds NaN or infinity", file, tensor);
    return err_hint(err, "the checkpoint is damaged or its training diverged");
}

int model_check_finite(const Model *m, Err *err)
{
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (!all_finite(p->t->data, p->t->dtype, tensor_count(p->t))) return not_finite(m->dir, p->name, err);
    }
    return 0;
}

typedef struct Convert {
    void *dst;
    const unsigned char *src;
    DType to, from;
    int64_t count;
} Convert;

static void convert_chunk(void *arg, int task)
{
    Convert *c = arg;
    size_t first = (size_t)task * CHUNK;
    dtype_convert((char *)c->dst + first * dtype_size(c->to), c->to, c->src + first * dtype_size(c->from), c->from,
                  chunk_len(c->count, task));
}

/* Has the file's tensor the parameter's shape, and numbers that can be computed with? */
static int check_tensor(const Param *p, const StTensor *f, Err *err)
{
    bool same = p->n_dims == f->n_dims;
    for (int i = 0; same && i < p->n_dims; i++) same = p->dim[i] == f->dim[i];
    if (!same) {
        char want[128] = "", have[128] = "";
        for (int i = 0; i < p->n_dims; i++)
            snprintf(want + strlen(want), sizeof want - strlen(want), "%s%lld", i ? ", " : "", (long long)p->dim[i]);
        for (int i = 0; i < f->n_dims; i++)
            snprintf(have + strlen(have), sizeof have - strlen(have), "%s%lld", i ? ", " : "", (long long)f->dim[i]);
        err_set(err, "%s: tensor \"%s\" has shape [%s], config.json asks for [%s]", f->file, f->name, have, want);
        return err_hint(err, "config.json and the weights belong to different models");
    }
    if (f->dtype != DT_F32 && f->dtype != DT_BF16 && f->dtype != DT_F16)
        return err_set(err, "%s: tensor \"%s\" is %s; F32, BF16 or F16 is needed", f->file, f->name,
                       dtype_name(f->dtype));
    return 0;
}

/* Frozen weights of the compute format stay in the mapping. */
int param_load(Model *m, Param *p, const StTensor *f, const ModelOptions *o, Err *err)
{
    if (check_tensor(p, f, err)) return -1;
    bool train = o->train[p->part], aligned = (uintptr_t)f->data % dtype_size(f->dtype) == 0;
    bool mapped = !train && f->dtype == p->t->dtype && aligned, later = o->dry || (mapped && o->check_later);
    if (!later && !all_finite(f->data, f->dtype, tensor_count(p->t))) return not_finite(f->file, f->name, err);
    if (mapped) {
        p->t->data = (void *)(uintptr_t)f->data;
        return 0;
    }
    param_own(m, p, train);
    if (o->dry) return 0;
    Convert c = {p->t->data, f->data, p->t->dtype, f->dtype, tensor_count(p->t)};
    pool_run(chunks(c.count), convert_chunk, &c);
    return 0;
}

static const StTensor *find_tensor(const SafeTensors *st, NameLayout layout, const Param *p, Err *err)
{
    char *name = names_to_file(layout, p->name);
    const StTensor *f = st_find(st, name);
    if (!f) {
        err_set(err, "%s: tensor \"%s\" is missing", st->shard_path[0], name);
        err_hint(err, "config.json and the weights belong to different models, or the download is not complete");
    }
    free(name);
    return f;
}

static int load_params(Model *m, const ModelOptions *o, Err *err)
{
    for (int i = 0; i < m->param.n; i++) {
        Param *p = &m->param.at[i];
        const StTensor *f = find_tensor(&m->files, m->layout, p, err);
        if (!f || param_load(m, p, f, o, err)) return -1;
    }
    return 0;
}

/* Tensors that nothing reads would be missing from what is saved. A head beside a tied embedding is no loss. */
static void warn_unused(const Model *m)
{
    const char *first = NULL;
    int n = 0;
    Map known = {0};
    for (int i = 0; i < m->param.n; i++) map_set_str(&known, m->param.at[i].name, i);
    if (m->cfg.tied) map_set_str(&known, "lm_head.weight", -1);
    for (int i = 0; i < m->files.n; i++) {
        int64_t unused;
        char *name = names_from_file(m->files.tensor[i].name);
        if (!map_get_str(&known, name, &unused) && n++ == 0) first = m->files.tensor[i].name;
        free(name);
    }
    if (n)
        log_warn("%s: %d tensors belong to no part of the model and are left out, first \"%.200s\"", m->dir, n, first);
    map_release(&known);
}

int model_match(const ModelConfig *cfg, const SafeTensors *st, Err *err)
{
    Model *m = model_new(cfg, DT_F32, true);
    NameLayout layout = names_detect(st);
    int rc = 0;
    model_build(m);
    for (int i = 0; rc == 0 && i < m->param.n; i++) {
        const StTensor *f = find_tensor(st, layout, &m->param.at[i], err);
        rc = f ? check_tensor(&m->param.at[i], f, err) : -1;
    }
    model_free(m);
    return rc;
}

/* A dry model needs no weights: config.json says what they will be. */
static bool only_configured(const char *dir, const ModelOptions *o)
{
    return o->dry && !st_in_dir(dir, "model");
}

/* Frozen parameters lie in files that are still to come; the others have room of their own. */
static void shape_params(Model *m, const ModelOptions *o)
{
    m->layout = NAMES_NESTED;
    for (int i = 0; i < m->param.n; i++)
        if (o->train[m->param.at[i].part]) param_own(m, &m->param.at[i], true);
}

Model *model_load(const char *dir, const ModelOptions *o, Err *err)
{
    ModelConfig cfg;
    if (config_load(&cfg, dir, err)) return NULL;
    Model *m = model_new(&cfg, o->dtype, o->dry);
    m->dir = xstrdup(dir);
    model_build(m);
    if (only_configured(dir, o)) {
        shape_params(m, o);
    } else {
        if (st_open_dir(&m->files, dir, "model", err)) goto fail;
        m->layout = names_detect(&m->files);
        if (load_params(m, o, err)) goto fail;
        warn_unused(m);
    }
    model_finish(m);
    return m;
fail:
    model_free(m);
    return NULL;
}

size_t model_file_bytes(const Model *m)
{
    size_t bytes = 0;
    for (int i = 0; i < m->files.n; i++) bytes += m->files.tensor[i].bytes;
    for (int i = 0; !m->files.n && i < m->param.n; i++)
        if (!m->param.at[i].adapter) bytes += dtype_size(DT_BF16) * (size_t)tensor_count(m->param.at[i].t);
    return bytes;
}

/* ---- random ------------------------------------------------------------------------------------------------------ */

typedef struct Fill {
    Tensor *t;
    uint64_t seed;
    uint32_t param;
    float std;
} Fill;

static void fill_chunk(void *arg, int task)
{
    const Fill *f = arg;
    Rng r = rng_at(f->seed, RNG_INIT, f->param, (uint32_t)task, 0);
    size_t n = chunk_len(tensor_count(f->t), task), first = (size_t)task * CHUNK;
    float buf[256];
    for (size_t i = 0; i < n; i += 256) {
        size_t k = n - i < 256 ? n - i : 256;
        for (size_t j = 0; j < 256; j += 2) rng_normal_pair(buf + j, &r);
        for (size_t j = 0; j < k; j++) buf[j] *= f->std;
        dtype_convert((char *)f->t->data + (first + i) * dtype_size(f->t->dtype), f->t->dtype, buf, DT_F32, k);
    }
}

/* Weights are normal with the config's initializer_range as deviation, biases 0, norms 1. */
static void fill_param(const Param *p, double std, uint64_t seed, uint32_t number)
{
    Fill f = {p->t, seed, number, (float)std};
    if (p->n_dims > 1) {
        pool_run(chunks(tensor_count(p->t)), fill_chunk, &f);
        return;
    }
    float value = str_ends_with(p->name, ".bias") ? 0 : 1;
    for (int i = 0; i < p->t->cols; i++)
        dtype_convert((char *)p->t->data + (size_t)i * dtype_size(p->t->dtype), p->t->dtype, &value, DT_F32, 1);
}

Model *model_random(const ModelConfig *cfg, const ModelOptions *o, uint64_t seed)
{
    Model *m = model_new(cfg, o->dtype, o->dry);
    m->layout = NAMES_ORIGINAL;
    model_build(m);
    for (int i = 0; i < m->param.n; i++) {
        param_own(m, &m->param.at[i], o->train[m->param.at[i].part]);
        if (!o->dry) fill_param(&m->param.at[i], cfg->init_std, seed, (uint32_t)i);
    }
    model_finish(m);
    return m;
}
