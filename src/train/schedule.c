#include "train/schedule.h"

#include <math.h>

static double at_least_1(int64_t n)
{
    return n > 1 ? (double)n : 1;
}

double schedule_factor(const Schedule *s, int64_t step)
{
    const double pi = 3.14159265358979323846;
    if (step < s->warmup) return (double)step / at_least_1(s->warmup);
    double span = at_least_1(s->total - s->warmup);
    switch (s->type) {
    case SCHEDULE_LINEAR: return fmax(0, (double)(s->total - step) / span);
    case SCHEDULE_COSINE: return fmax(0, 0.5 * (1 + cos(pi * (double)(step - s->warmup) / span)));
    case SCHEDULE_CONSTANT: break;
    }
    return 1;
}

int64_t schedule_warmup(int64_t steps, double ratio, int64_t total)
{
    return steps > 0 ? steps : (int64_t)ceil(ratio * (double)total);
}
