/* The patient's story: age, sex, complaint, relevant and irrelevant facts.  Nothing in it depends on the answer. */
#include "phantom/family.h"

#include <string.h>

static const char *const IRRELEVANT_ADULT[] = {"Works in an office.",
                                               "Lives with a partner.",
                                               "Has a cat at home.",
                                               "Likes to cook.",
                                               "Moved house last year.",
                                               "Wears glasses.",
                                               "Plays cards on Sundays.",
                                               "Broke a wrist as a child.",
                                               "Drinks tea every morning.",
                                               "Came by bus today.",
                                               NULL};
static const char *const IRRELEVANT_CHILD[] = {"Has an older sister who is well.",
                                               "Lives with both parents.",
                                               "The family has a dog.",
                                               "Is the second child.",
                                               "The grandmother came along.",
                                               "Was born on a Tuesday.",
                                               "The father is a teacher.",
                                               "The family came by train.",
                                               NULL};

/* "a 8" is "an 8": eight, eleven, eighteen and the eighties. */
static bool takes_an(int age)
{
    return age == 8 || age == 11 || age == 18 || (age >= 80 && age <= 89);
}

static const char *say_opening(Case *c, const Group *g, Rng *rng)
{
    int age = g->youngest + (int)rng_below(rng, (uint32_t)(g->oldest - g->youngest + 1));
    const char *noun = rng_below(rng, 2) ? g->male : g->female, *complaint = draw_phrase(rng, g->complaint);
    const char *a = takes_an(age) ? "n" : "";
    switch (rng_below(rng, 4)) {
    case 0: return case_say(c, "A%s %d-%s-old %s was sent for %s.", a, age, g->age_unit, noun, complaint);
    case 1: return case_say(c, "A%s %d-%s-old %s is seen for %s.", a, age, g->age_unit, noun, complaint);
    case 2:
        return case_say(c, "Patient: %s, %d %s%s old. Reason for coming: %s.", noun, age, g->age_unit,
                        age == 1 ? "" : "s", complaint);
    default: return case_say(c, "The patient is a%s %d-%s-old %s, here for %s.", a, age, g->age_unit, noun, complaint);
    }
}

/* n different ones of a NULL-ended list of at most 32. */
static void add_facts(Buf *b, const char *const *fact, int n, Rng *rng)
{
    uint32_t used = 0, count = 0;
    while (fact[count]) count++;
    for (int i = 0; i < n && (uint32_t)i < count; i++) {
        uint32_t k = rng_below(rng, count);
        while (used >> k & 1) k = (k + 1) % count;
        used |= UINT32_C(1) << k;
        buf_printf(b, " %s", fact[k]);
    }
}

const char *vignette_make(Case *c, const Group *g, Rng *rng)
{
    Buf b = {0};
    bool adult = !strcmp(g->age_unit, "year") && g->youngest >= 18;
    buf_str(&b, say_opening(c, g, rng));
    add_facts(&b, g->fact, 2 + (int)rng_below(rng, 2), rng);
    add_facts(&b, adult ? IRRELEVANT_ADULT : IRRELEVANT_CHILD, 1 + (int)rng_below(rng, 2), rng);
    const char *text = case_say(c, "%s", b.data);
    buf_release(&b);
    return text;
}
