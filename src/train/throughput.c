#include "train/throughput.h"

#include "kernels/ceilings.h"

/* Forward passes that a training step of this part is worth. `below`: something in front of the part trains. */
static double passes(const Model *m, Part part, bool below)
{
    bool weights = false, adapters = false;
    for (int i = 0; i < m->param.n; i++) {
        const Param *p = &m->param.at[i];
        if (p->part != part || !p->t->needs_grad) continue;
        if (p->adapter) adapters = true;
        else weights = true;
    }
    return weights ? 3 : adapters || below ? 2 : 1;
}

static bool part_trains(const Model *m, Part part)
{
    return passes(m, part, false) > 1;
}

double train_flops_encoded(const Model *m, const Batch *b, double encoded)
{
    Batch text = *b;
    text.n_images = 0;
    double language = model_flops(m, &text), vision = b->n_images ? model_flops(m, b) - language : 0;
    bool below = part_trains(m, PART_VISION) || part_trains(m, PART_MERGER);
    return encoded * vision * passes(m, PART_VISION, false) + language * passes(m, PART_LANGUAGE, below);
}

double train_flops(const Model *m, const Batch *b)
{
    return train_flops_encoded(m, b, 1);
}

double machine_peak(DType dtype)
{
    static double known[DT_COUNT];
    if (!(known[dtype] > 0)) known[dtype] = 1e9 * ceilings_gflops(dtype);
    return known[dtype];
}
