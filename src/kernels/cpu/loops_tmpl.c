#include "kernels/kernels_impl.h"
#define CAT2(a, b) a##b
#define CAT(a, b) CAT2(a, b)
void CAT(kernels_fill, SUFFIX)(Kernels *k)
{
    (void)k;
}
