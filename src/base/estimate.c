#include "base/estimate.h"

#include <stdio.h>

#include "base/arena.h"

void duration_text(char *buf, size_t cap, double seconds)
{
    if (seconds < 90) snprintf(buf, cap, "%.3g s", seconds);
    else if (seconds < 90 * 60) snprintf(buf, cap, "%.0f min", seconds / 60);
    else if (seconds < 48 * 3600) snprintf(buf, cap, "%.1f h", seconds / 3600);
    else snprintf(buf, cap, "%.1f days", seconds / 86400);
}

void estimate_print(const Estimate *e)
{
    char text[32];
    duration_text(text, sizeof text, e->seconds);
    printf("run      %.3g tokens, %s (%.6g s), %.2f GiB\n", e->tokens, text, e->seconds, e->gib);
}

void memory_print_head(void)
{
    printf("memory             GiB\n");
}

void memory_print(const char *kind, size_t bytes, const char *what)
{
    printf("  %-12s %9.3f  %s\n", kind, gib((double)bytes), what);
}

bool estimate_read(Estimate *e, const char *line)
{
    return sscanf(line, "run %lf tokens, %*[^(](%lf s), %lf GiB", &e->tokens, &e->seconds, &e->gib) == 3;
}
