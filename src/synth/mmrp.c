#include "synth/mmrp.h"

#include <stdlib.h>

const char *const MMRP_NAME[MMRP_CRITERIA] = {"consistency", "image_use", "no_hallucination", "reflection"};

void mmrp_release(MmrpScore *s)
{
    for (int i = 0; i < MMRP_CRITERIA; i++) free(s->span[i]);
    *s = (MmrpScore){0};
}

int mmrp_sum(const MmrpScore *s, unsigned criteria)
{
    int sum = 0;
    for (int i = 0; i < MMRP_CRITERIA; i++)
        if (criteria >> i & 1) sum += s->score[i];
    return sum;
}
