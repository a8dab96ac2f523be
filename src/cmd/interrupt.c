#include "cmd/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t noted;
static struct sigaction before;

static void note(int signal)
{
    (void)signal;
    noted = 1;
}

void interrupt_begin(void)
{
    struct sigaction a = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    noted = 0;
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, &before);
}

bool interrupted(void)
{
    return noted;
}

bool interrupt_end(void)
{
    sigaction(SIGINT, &before, NULL);
    return noted;
}
