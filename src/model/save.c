/* Weights out: a checkpoint directory in the source's layout, dtype and shards; a PEFT adapter directory. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/model.h"
#include "weights/hf_dir.h"

/* Where a tensor's values come from when the writer asks for them. */
typedef struct Source {
    const void *data;
    DType from, to;
    int64_t count;
} Source;

static void fill_item(void *dst, const void *arg)
{
    const Source *s = arg;
    dtype_convert(dst, s->to, s->data, s->from, (size_t)s->count);
}

typedef struct Items {
    StItem *item;
    Source *source;
    WeightRow *row;
    int n;
} Items;

static void items_new(Items *it, int cap)
{
    it->item = xcalloc((size_t)cap, sizeof *it->item);
    it->source = xcalloc((size_t)cap, sizeof *it->source);
    it->row = xcalloc((size_t)cap, sizeof *it->row);
    it->n = 0;
}

static void items_release(Items *it)
{
    for (int i = 0; i < it->n; i++) free((char *)(uintptr_t)it->item[i].name);
    free(it->item);
    free(it->source);
    free(it->row);
}

/* Appends a tensor under its file name (taken over); `master` is its f32 master or NULL. */
static StItem *items_add(Items *it, const Param *p, char *file_name, DType to, const float *master)
{
    Source *s = &it->source[it->n];
    *s = (Source){master ? (const void *)master : p->t->data, master ? DT_F32 : p->t->dtype, to, tensor_count(p->t)};
    StItem *item = &it->item[it->n];
    *item = (StItem){.name = file_name, .dtype = to, .n_dims = p->n_dims, .fill = fill_item, .arg = s};
    it->row[it->n] = (WeightRow){.name = p->name, .n_dims = p->n_dims};
    memcpy(item->dim, p->dim, sizeof item->dim);
    memcpy(it->row[it->n].dim, p->dim, sizeof p->dim);
    it->n++;
    return item;
}

static void collect_weights(Items *it, const Model *m, float *const *master)
{
    items_new(it, m->param.n);
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (p->adapter) continue;
        char *name = names_to_file(m->layout, p->name);
        const StTensor *f = m->files.n ? st_find(&m->files, name) : NULL;
        StItem *item = items_add(it, p, name, f ? f->dtype : m->cfg.file_dtype, master ? master[i] : NULL);
        if (!f) continue;
        if (m->files.sharded) item->shard = path_basename(f->file);
        if (!p->t->needs_grad) item->data = f->data;
    }
}

int model_save(const Model *m, const char *dir, float *const *master, Err *err)
{
    if (dir_create(dir, err) || (m->dir && hf_dir_carry(dir, m->dir, err))) return -1;
    Items it;
    collect_weights(&it, m, master);
    int64_t shard_bytes = m->files.n ? 0 : INT64_C(5) << 30;
    int rc = st_save_dir(dir, "model", it.item, it.n, shard_bytes, err);
    if (rc == 0) rc = weights_verify(dir, it.row, it.n, m->layout, err);
    items_release(&it);
    return rc;
}

void model_read_f32(const Model *m, int param, float *dst)
{
    if (m->arena.dry) return;
    const Param *p = &m->param.at[param];
    char *name = names_to_file(m->layout, p->name);
    const StTensor *f = m->files.n && !p->adapter ? st_find(&m->files, name) : NULL;
    free(name);
    size_t n = (size_t)tensor_count(p->t);
    if (p->adapter) memcpy(dst, p->f32, n * sizeof *dst);
    else dtype_convert(dst, DT_F32, f ? f->data : p->t->data, f ? f->dtype : p->t->dtype, n);
}

/* An adapter's matrix: its master where it is being trained, else the values it came with. */
static void add_adapter_item(Items *it, const Param *p, const float *master)
{
    items_add(it, p, xstrdup(p->name), DT_F32, master ? master : p->f32);
}

/* Reads back what was written: every matrix with its shape, and nothing else. */
static int verify_adapter(const char *dir, const Items *it, Err *err)
{
    SafeTensors st;
    int rc = st_open_dir(&st, dir, "adapter_model", err);
    if (rc == 0 && st.n != it->n) rc = err_set(err, "%s: %d tensors were written, %d are there", dir, it->n, st.n);
    for (int i = 0; rc == 0 && i < it->n; i++) {
        const StItem *want = &it->item[i];
        const StTensor *f = st_find(&st, want->name);
        if (!f || f->n_dims != 2 || f->dim[0] != want->dim[0] || f->dim[1] != want->dim[1])
            rc = err_set(err, "%s: tensor \"%s\" was not written as it should be", dir, want->name);
    }
    st_close(&st);
    return rc;
}

int model_save_adapter(const Model *m, const char *dir, float *const *master, Err *err)
{
    CHECK(m->peft, "the model has no adapter");
    if (dir_create(dir, err) || peft_config_save(m->peft, dir, err)) return -1;
    Items it;
    items_new(&it, m->param.n);
    for (int i = 0; i < m->param.n; i++)
        if (m->param.at[i].adapter) add_adapter_item(&it, &m->param.at[i], master ? master[i] : NULL);
    int rc = st_save_dir(dir, "adapter_model", it.item, it.n, 0, err);
    if (rc == 0) rc = verify_adapter(dir, &it, err);
    items_release(&it);
    return rc;
}
