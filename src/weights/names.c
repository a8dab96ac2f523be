#include "weights/names.h"

#include <string.h>

/* How each layout calls the two towers; every other name is the same in both. */
static const struct {
    const char *original, *nested;
} PREFIX[] = {
    {"visual.", "model.visual."},
    {"model.", "model.language_model."},
};
enum { N_PREFIXES = sizeof PREFIX / sizeof *PREFIX };

static const char ADAPTER[] = "base_model.model.";

/* What follows the prefix, or NULL where s does not start with it. */
static const char *after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) ? NULL : s + n;
}

static bool is_nested(const char *name)
{
    for (int i = 0; i < N_PREFIXES; i++)
        if (after(name, PREFIX[i].nested)) return true;
    return false;
}

NameLayout names_detect(const SafeTensors *st)
{
    for (int i = 0; i < st->n; i++) {
        const char *inner = after(st->tensor[i].name, ADAPTER);
        if (is_nested(inner ? inner : st->tensor[i].name)) return NAMES_NESTED;
    }
    return NAMES_ORIGINAL;
}

char *names_to_file(NameLayout layout, const char *canonical)
{
    for (int i = 0; i < N_PREFIXES && layout == NAMES_ORIGINAL; i++) {
        const char *rest = after(canonical, PREFIX[i].nested);
        if (rest) return xasprintf("%s%s", PREFIX[i].original, rest);
    }
    return xstrdup(canonical);
}

char *names_from_file(const char *name)
{
    for (int i = 0; i < N_PREFIXES && !is_nested(name); i++) {
        const char *rest = after(name, PREFIX[i].original);
        if (rest) return xasprintf("%s%s", PREFIX[i].nested, rest);
    }
    return xstrdup(name);
}
