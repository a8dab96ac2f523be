/* Copies of weights in fewer bits. */
#include "base/pool.h"
#include "kernels/quant.h"
#include "model/model.h"

typedef struct Quantising {
    const Linear *l;
    QuantType type;
    void *copy;
} Quantising;

static void quantise_block(void *arg, int block)
{
    const Quantising *q = arg;
    const Tensor *w = q->l->w;
    quant_outs(q->copy, q->type, w->data, w->dtype, w->rows, w->cols, block);
}

static void quantise(Model *m, Linear *l, QuantType type)
{
    int out = l->w->rows, in = l->w->cols;
    Quantising q = {l, type, arena_alloc(&m->arena, quant_bytes(type, out, in))};
    WeightQuant *quant = arena_alloc(&m->arena, sizeof *quant);
    pool_run(quant_blocks(out), quantise_block, &q);
    *quant = (WeightQuant){type, q.copy};
    l->kw.quant = quant;
}

void model_quantise(Model *m, DecodeWeights w)
{
    if (w == DECODE_PLAIN) return;
    QuantType type = w == DECODE_INT8 ? QUANT_INT8 : QUANT_INT4;
    for (int i = 0; i < m->module.n; i++)
        if (m->module.at[i].part == PART_LANGUAGE) quantise(m, m->module.at[i].l, type);
    quantise(m, &m->head, QUANT_INT8);
}

static int64_t read_bytes(const Linear *l)
{
    const Weight *w = &l->kw;
    return w->quant ? (int64_t)quant_bytes(w->quant->type, w->out, w->in) : (int64_t)tensor_bytes(l->w);
}

int64_t model_decode_bytes(const Model *m)
{
    int64_t bytes = read_bytes(&m->head);
    for (int i = 0; i < m->module.n; i++)
        if (m->module.at[i].part == PART_LANGUAGE) bytes += read_bytes(m->module.at[i].l);
    return bytes;
}
