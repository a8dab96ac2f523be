/*
 * nodule: a single solid lung nodule on chest CT and its follow-up.
 *
 * Fleischner Society 2017 (MacMahon et al., Radiology 2017;284:228-243), single solid nodule found by chance in an
 * adult of 35 years or more without cancer or a weak immune system; low | high risk:
 *   smaller than 6 mm   no routine follow-up | optional CT at 12 months
 *   6 to 8 mm           CT at 6 to 12 months, then consider CT at 18 to 24 months | ... then CT at 18 to 24 months
 *   larger than 8 mm    consider CT at 3 months, PET/CT or tissue sampling (both)
 * The diameter is the mean of the longest and the shortest on one slice.  Growth is an increase by 2 mm or more: what
 * rulers can tell from their own error, as advised by Bankier et al. (Radiology 2017;285:584-600, whose text could not
 * be looked up for this).  Diameters are printed to 0.1 mm but never fall into another class when rounded to the whole
 * millimetre, as the guideline wants them.
 */
#include "phantom/chest_ct.h"
#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <string.h>

enum { DIAMETER, LEFT, SEED }; /* quantities; SEED: of the patient's anatomy */
enum { LOW_RISK, HIGH_RISK };  /* groups */
enum { SMALL, MIDDLE, LARGE }; /* classes of SIZE */
#define BOTH (1u << LOW_RISK | 1u << HIGH_RISK)

static const Cutoffs SIZE = {
    .name = "nodule diameter",
    .unit = "mm",
    .format = "%.1f",
    .step = 0.1,
    .lo = 3.4,
    .hi = 14,
    .margin = 0.6,
    .error = 0.3,
    .n = 2,
    .limit = {6, 8},
    .label = {"a nodule smaller than 6 mm", "a nodule of 6 to 8 mm", "a nodule larger than 8 mm"},
    .rule = "The Fleischner guideline divides solid nodules at 6 mm and at 8 mm."};

static const Cutoffs GROWTH = {.name = "growth",
                               .unit = "mm",
                               .format = "%.1f",
                               .step = 0.1,
                               .margin = 0.7,
                               .error = 0.4,
                               .n = 1,
                               .limit = {2},
                               .label = {"no growth", "growth"}};

static const Group GROUP[] = {
    [LOW_RISK] = {.name = "adult at low risk",
                  .male = "man who never smoked",
                  .female = "woman who never smoked",
                  .youngest = 36,
                  .oldest = 50,
                  .age_unit = "year",
                  .complaint = {"a CT after a fall", "chest pain that has gone", "a check of the heart's arteries",
                                "a cough that is getting better", "a CT before an operation", "a traffic accident"},
                  .fact = {"Has never had cancer.", "No relative had lung cancer.", "The nodule was found by chance.",
                           "There is no fever.", "The weight is steady.", "The immune system is healthy."}},
    [HIGH_RISK] = {.name = "adult at high risk",
                   .male = "man who smoked two packs a day for 30 years",
                   .female = "woman who smoked two packs a day for 30 years",
                   .youngest = 58,
                   .oldest = 79,
                   .age_unit = "year",
                   .complaint = {"a CT after a fall", "chest pain that has gone", "a check of the heart's arteries",
                                 "a cough that is getting better", "a CT before an operation", "a traffic accident"},
                   .fact = {"Has never had cancer.", "A brother had lung cancer.", "The nodule was found by chance.",
                            "There is no fever.", "The weight is steady.", "The immune system is healthy."}},
};

#define NONE     "no routine follow-up"
#define OPTIONAL "optional CT at 12 months"
#define CONSIDER "CT at 6 to 12 months, then consider CT at 18 to 24 months"
#define TWICE    "CT at 6 to 12 months, then CT at 18 to 24 months"
#define EARLY    "consider CT at 3 months, PET/CT or tissue sampling"

#define ASK_DIAMETER                                                                                                   \
    .phrase = {"What is the diameter of the nodule in mm?", "How large is the nodule, in mm?",                         \
               "Measure the nodule with the scale bar. What is its diameter in mm?"}
#define ASK_FOLLOW                                                                                                     \
    .phrase = {"What does the Fleischner guideline recommend for this patient?",                                       \
               "Which follow-up fits this patient and this nodule?"}

static const Ask ASK[] = {
    {.name = "diameter",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = BOTH,
     .classes = 6,
     .quantity = DIAMETER,
     .format = "%.1f",
     .tolerance = 1,
     ASK_DIAMETER},
    {.name = "diameter-choice",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 6,
     .quantity = DIAMETER,
     .format = "%.1f",
     .step = 2,
     ASK_DIAMETER},
    {.name = "side",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = BOTH,
     .classes = 2,
     .answer = {"right", "left"},
     .phrase = {"In which lung of the patient is the nodule?", "On which side of the patient is the nodule?"}},
    {.name = "size",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 3,
     .answer = {"smaller than 6 mm", "6 to 8 mm", "larger than 8 mm"},
     .phrase = {"Into which size class of the Fleischner guideline does the nodule fall?",
                "Which size class does this nodule belong to?"}},
    {.name = "early",
     .level = 2,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Should a CT at 3 months, PET/CT or tissue sampling be considered?",
                "Is the nodule so large that PET/CT or tissue sampling comes into question?"}},
    {.name = "follow-up-low",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << LOW_RISK,
     .classes = 3,
     .answer = {NONE, CONSIDER, EARLY},
     .extra = {OPTIONAL, TWICE},
     ASK_FOLLOW},
    {.name = "follow-up-high",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << HIGH_RISK,
     .classes = 3,
     .answer = {OPTIONAL, TWICE, EARLY},
     .extra = {NONE, CONSIDER},
     ASK_FOLLOW},
    {.name = "growth",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 4,
     .answer = {"no growth, 8 mm or smaller", "growth, 8 mm or smaller", "no growth, larger than 8 mm",
                "growth, larger than 8 mm"},
     .phrase = {"The second CT was made 12 months after the first. What is true of the nodule now?",
                "Two CTs, 12 months apart, show the same nodule. How is it on the second one?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

/* Class bit 0: grown; bit 1: now larger than 8 mm. */
static void draw_growth(Truth *t, int class, Rng *rng)
{
    bool grown = class & 1, large = class >> 1;
    double now = large   ? draw_between(rng, SIZE.limit[1] + (grown ? 0.6 : 1.4), 13.6)
                 : grown ? draw_between(rng, 6.7, 7.4)
                         : draw_between(rng, 4, 7.4);
    double most = now - SIZE.lo < 5 ? now - SIZE.lo : 5;
    double gain = grown ? draw_between(rng, GROWTH.limit[0] + GROWTH.margin, most) : draw_between(rng, -0.6, 0.7);
    t->q[1][DIAMETER] = round_to(now, 0.1);
    t->q[0][DIAMETER] = round_to(t->q[1][DIAMETER] - gain, 0.1);
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    double left = asks(ask, "side") ? class : (double)rng_below(rng, 2), seed = (double)rng_u32(rng);
    double *q = t->q[0];
    if (asks(ask, "growth")) draw_growth(t, class, rng);
    else if (asks(ask, "early")) q[DIAMETER] = cutoffs_draw(&SIZE, class ? (int)rng_below(rng, 2) : LARGE, rng);
    else if (ask->level > 1) q[DIAMETER] = cutoffs_draw(&SIZE, class, rng);
    else q[DIAMETER] = cutoffs_draw_bin(&SIZE, asks(ask, "side") ? (int)rng_below(rng, 6) : class, 6, rng);
    for (int i = 0; i < t->images; i++) t->q[i][LEFT] = left, t->q[i][SEED] = seed;
}

static double gain_of(const Truth *t)
{
    return round_to(t->q[1][DIAMETER] - t->q[0][DIAMETER], 0.1);
}

static int judge(const Truth *t, const Ask *ask)
{
    int size = cutoffs_class(&SIZE, t->q[0][DIAMETER]);
    if (asks(ask, "side")) return t->q[0][LEFT] > 0;
    if (asks(ask, "early")) return size != LARGE;
    if (asks(ask, "growth"))
        return (gain_of(t) >= GROWTH.limit[0]) + 2 * (cutoffs_class(&SIZE, t->q[1][DIAMETER]) == LARGE);
    return size;
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    static const ChestView VIEW = {.magnification = 2, .bar = 10, .label = "10 mm"};
    const double *q = t->q[image];
    Rng body = rng_at((uint64_t)q[SEED], RNG_PHANTOM, 0, 0, 0);
    ChestCt ct = chest_ct_draw(&body);
    chest_ct_add(&ct, q[LEFT] > 0, 14, &body);
    ct.lesion[0].length = 2 * q[DIAMETER] / (1 + ct.lesion[0].slim);
    chest_ct_render(c, &ct, &VIEW, s, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"An axial chest CT in the lung window with a magnified view.",
                                       "A slice of a chest CT in the lung window, a part of it magnified.",
                                       "Chest CT, lung window, with a magnified detail.", NULL};
    const char *side = t->q[0][LEFT] > 0 ? "left" : "right";
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two chest CTs in the lung window, 12 months apart." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        double d = t->q[i][DIAMETER];
        finding_number(c, i, "nodule diameter", "%.1f", d, "mm");
        finding_word(c, i, "side of the nodule", side);
        if (i) buf_printf(&b, " On the second it measures %.1f mm.", d);
        else buf_printf(&b, " The patient's %s lung holds a solid nodule with a diameter of %.1f mm.", side, d);
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static void think_growth(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    double was = t->q[0][DIAMETER], now = t->q[1][DIAMETER], gain = gain_of(t);
    bool grown = class & 1, large = class >> 1;
    h->problem = "growth and size of the nodule";
    h->rule = "An increase by 2 mm or more is growth; above 8 mm the nodule is large.";
    thought_step(h, case_say(c, "The diameter was %.1f mm and is %.1f mm.", was, now));
    thought_step(h, case_say(c, "%.1f - %.1f = %.1f, which is %s 2: %s.", now, was, gain, grown ? "above" : "below",
                             GROWTH.label[grown]));
    thought_step(h, case_say(c, "%.1f is %s 8.", now, large ? "above" : "below"));
    for (int i = 0; i < 4; i++) {
        bool size = (i ^ class) & 2, both = (i ^ class) == 3;
        const char *against = size ? case_say(c, "%.1f mm is %s 8 mm", now, large ? "above" : "below")
                                   : case_say(c, "the change is %.1f mm", gain);
        thought_hypothesis(h, (Hypothesis){.name = ask->answer[i],
                                           .pro = i == class ? "size and change agree with it" : "",
                                           .contra = i == class ? "" : against,
                                           .prior = 0.25,
                                           .likelihood = i == class ? 0.95
                                                         : both     ? 0.01
                                                                    : 0.03,
                                           .holds = i == class});
    }
    h->check = case_say(c, "The change is %.1f mm away from 2 mm and the size %.1f mm away from 8 mm.",
                        grown ? gain - 2 : 2 - gain, large ? now - 8 : 8 - now);
    h->conclusion = case_say(c, "On the second CT the nodule shows %s.", ask->answer[class]);
}

static void think_follow_up(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    static const char *const RULE[] = {
        [LOW_RISK] = "At low risk: below 6 mm " NONE "; 6 to 8 mm " CONSIDER "; above 8 mm " EARLY ".",
        [HIGH_RISK] = "At high risk: below 6 mm " OPTIONAL "; 6 to 8 mm " TWICE "; above 8 mm " EARLY "."};
    cutoffs_think(c, h, &SIZE, t->q[0][DIAMETER]);
    h->problem = "the follow-up of a solid lung nodule";
    h->rule = RULE[t->group];
    thought_step(h, t->group == HIGH_RISK ? "Heavy smoking and age mean high risk."
                                          : "A patient who never smoked and is not old is at low risk.");
    h->conclusion = case_say(c, "For an %s this means: %s.", GROUP[t->group].name, ask->answer[class]);
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    double d = t->q[0][DIAMETER];
    if (asks(ask, "side")) chest_ct_think_side(c, h, "nodule", t->q[0][LEFT] > 0);
    else if (asks(ask, "growth")) think_growth(c, h, t, ask, class);
    else if (ask->level == 3) think_follow_up(c, h, t, ask, class);
    else if (ask->level == 2) {
        cutoffs_think(c, h, &SIZE, d);
        h->problem = "the size class of a solid lung nodule";
        if (asks(ask, "early")) h->rule = "Above 8 mm a CT at 3 months, PET/CT or tissue sampling is considered.";
        h->conclusion = case_say(c, "With %.1f mm it is %s.", d, SIZE.label[cutoffs_class(&SIZE, d)]);
    } else {
        value_think(c, h, &SIZE, d, "The diameter is read off the magnified view with the scale bar of 10 mm.");
        h->problem = "the diameter of the nodule";
        h->conclusion = case_say(c, "The nodule measures %.1f mm.", d);
    }
}

const Family FAMILY_NODULE = {.name = "nodule",
                              .specialty = "oncology and surgery",
                              .picture = "CT",
                              .channels = 1,
                              .ask = ASK,
                              .asks = sizeof ASK / sizeof *ASK,
                              .group = GROUP,
                              .draw = draw,
                              .judge = judge,
                              .render = render,
                              .describe = describe,
                              .think = think};
