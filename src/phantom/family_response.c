/*
 * response: a lung lesion on two CTs, before and after treatment.
 *
 * RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247), longest diameter of the one target lesion:
 *   complete response    it has disappeared
 *   progressive disease  at least 20 % and at least 5 mm longer than the smallest so far, or any new lesion
 *   partial response     at least 30 % shorter than before treatment
 *   stable disease       neither
 * The first CT is the one before treatment, except in patients whose lesion is said to have measured 40 mm before:
 * there it is the smallest so far, so response and progression are measured against different diameters.
 */
#include "phantom/chest_ct.h"
#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <string.h>

enum { DIAMETER, CHANGE, LEFT, NEW_LESION, SEED }; /* quantities; CHANGE in percent, SEED of the patient's anatomy */
enum { UNTREATED, TREATED };                       /* groups: what the patient was on the first CT */
enum { COMPLETE, PARTIAL, STABLE, PROGRESSION };
#define BOTH   (1u << UNTREATED | 1u << TREATED)
#define BEFORE 40.0 /* mm before treatment, of TREATED */

static const char *const CATEGORY[] = {"complete response", "partial response", "stable disease",
                                       "progressive disease"};

static const Cutoffs LENGTH = {.name = "target lesion diameter",
                               .unit = "mm",
                               .format = "%.0f",
                               .step = 1,
                               .lo = 12,
                               .hi = 31,
                               .error = 0.8,
                               .n = 0};

static const Group GROUP[] = {
    [UNTREATED] = {.name = "patient before treatment",
                   .male = "man whose treatment began after the first CT",
                   .female = "woman whose treatment began after the first CT",
                   .youngest = 38,
                   .oldest = 84,
                   .age_unit = "year",
                   .complaint = {"a lung metastasis of bowel cancer", "lung cancer", "a lung metastasis of melanoma",
                                 "a lung metastasis of kidney cancer", "a lung metastasis of breast cancer"},
                   .fact = {"The tablets are taken well.", "There is some tiredness.", "The weight is steady.",
                            "The blood count is normal.", "There is no fever.", "The appetite is good.",
                            "There is a slight cough.", "The next visit is in six weeks."}},
    [TREATED] = {.name = "patient on treatment",
                 .male = "man under treatment whose lesion measured 40 mm before it",
                 .female = "woman under treatment whose lesion measured 40 mm before it",
                 .youngest = 38,
                 .oldest = 84,
                 .age_unit = "year",
                 .complaint = {"a lung metastasis of bowel cancer", "lung cancer", "a lung metastasis of melanoma",
                               "a lung metastasis of kidney cancer", "a lung metastasis of breast cancer"},
                 .fact = {"The first CT here is the smallest so far.", "There is some tiredness.",
                          "The weight is steady.", "The blood count is normal.", "There is no fever.",
                          "The appetite is good.", "There is a slight cough."}},
};

#define CATEGORIES .answer = {"complete response", "partial response", "stable disease", "progressive disease"}
#define ASK_LENGTH                                                                                                     \
    .phrase = {"What is the longest diameter of the lesion in mm?", "How long is the lesion, in mm?",                  \
               "Measure the lesion with the scale bar. What is its longest diameter in mm?"}

static const Ask ASK[] = {
    {.name = "diameter",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = 1u << UNTREATED,
     .classes = 6,
     .quantity = DIAMETER,
     .format = "%.0f",
     .tolerance = 2,
     ASK_LENGTH},
    {.name = "diameter-choice",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << UNTREATED,
     .classes = 6,
     .quantity = DIAMETER,
     .format = "%.0f",
     .step = 6,
     ASK_LENGTH},
    {.name = "side",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = 1u << UNTREATED,
     .classes = 2,
     .answer = {"right", "left"},
     .phrase = {"In which lung of the patient is the lesion?", "On which side of the patient is the lesion?"}},
    {.name = "larger",
     .level = 1,
     .images = 2,
     .kind = ASK_YESNO,
     .groups = 1u << UNTREATED,
     .classes = 2,
     .phrase = {"Is the lesion larger on the second CT than on the first?",
                "Compare the two CTs: has the lesion become larger?"}},
    {.name = "category",
     .level = 2,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = 1u << UNTREATED,
     .classes = 4,
     CATEGORIES,
     .phrase = {"Which response does the target lesion show by RECIST 1.1?",
                "How is the change of the target lesion classified by RECIST 1.1?"}},
    {.name = "progression",
     .level = 2,
     .images = 2,
     .kind = ASK_YESNO,
     .groups = 1u << UNTREATED,
     .classes = 2,
     .phrase = {"Is this progressive disease by RECIST 1.1?", "Has the lesion grown enough for progressive disease?"}},
    {.name = "change",
     .level = 2,
     .images = 2,
     .kind = ASK_NUMBER,
     .groups = 1u << UNTREATED,
     .classes = 6,
     .quantity = CHANGE,
     .format = "%.0f",
     .tolerance = 10,
     .phrase = {"By how many percent has the diameter of the lesion changed (less than 0: it shrank)?",
                "What is the change of the lesion's diameter in percent of the first one?"}},
    {.name = "partial-by-baseline",
     .level = 3,
     .images = 2,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Is the second CT a partial response by RECIST 1.1?",
                "By RECIST 1.1, does this patient have a partial response on the second CT?"}},
    {.name = "overall",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = 1u << UNTREATED,
     .classes = 4,
     CATEGORIES,
     .phrase = {"Look for new lesions as well. What is the overall response by RECIST 1.1?",
                "Which overall response by RECIST 1.1 do the two slices show, new lesions included?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

/* The target's response: against `before` for shrinking, against `least` for growing. */
static int target_class(double before, double least, double now)
{
    if (now <= 0) return COMPLETE;
    if (now - least >= 5 && now >= 1.2 * least) return PROGRESSION;
    return now <= 0.7 * before ? PARTIAL : STABLE;
}

static double before_of(const Truth *t)
{
    return t->group == TREATED ? BEFORE : t->q[0][DIAMETER];
}

static int class_of(const Truth *t)
{
    return target_class(before_of(t), t->q[0][DIAMETER], t->q[1][DIAMETER]);
}

/* Two diameters of a class with room to every limit; a quarter of the stable ones grew by more than 20 % but by less
   than 5 mm. */
static void draw_pair(double *was, double *now, int class, Rng *rng)
{
    double f = round_to(draw_between(rng, 14, 24), 1), least = f + 7 > 1.28 * f ? f + 7 : 1.28 * f;
    if (class == STABLE && rng_below(rng, 4) == 0) {
        *was = round_to(draw_between(rng, 12, 15), 1);
        *now = *was + 3;
        return;
    }
    if (class == PARTIAL) f = round_to(draw_between(rng, 17, 28), 1);
    double lo = class == PARTIAL ? 0.36 * f : class == STABLE ? 0.8 * f : least;
    double hi = class == PARTIAL ? 0.61 * f : class == STABLE ? 1.11 * f : 31;
    *was = f;
    *now = class == COMPLETE ? 0 : (double)det_floor(draw_between(rng, lo, hi + 0.5));
    if (class == PROGRESSION && *now < least) *now += 1;
    if (class == STABLE && *now < lo) *now += 1;
}

/* Yes: a partial response.  Against 40 mm a lesion that does not change any more still counts as one. */
static void draw_by_baseline(Truth *t, int class, double *was, double *now, Rng *rng)
{
    uint32_t half = rng_below(rng, 2);
    int target = class == 0 ? (t->group == TREATED && half ? STABLE : PARTIAL)
                            : (t->group == UNTREATED && half ? STABLE : PROGRESSION);
    do draw_pair(was, now, target, rng);
    while (t->group == TREATED && class == 0 && *now > 25);
}

/* A change in percent within bin `bin` of `bins` from -65 to 60. */
static void draw_change(int bin, int bins, double *was, double *now, Rng *rng)
{
    double width = 125.0 / (double)bins, change = -65 + width * ((double)bin + rng_uniform(rng));
    double most = change > 0 ? 31 / (1 + change / 100) : 28;
    *was = round_to(draw_between(rng, most < 18 ? most - 3 : 15, most), 1);
    *now = round_to(*was * (1 + change / 100), 1);
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    static const int NOT_WORSE[] = {COMPLETE, PARTIAL, STABLE};
    double left = asks(ask, "side") ? class : (double)rng_below(rng, 2), seed = (double)rng_u32(rng);
    double was = 0, now = 0, change = 0;
    bool fresh = false;
    if (ask->images == 1) {
        int bin = asks(ask, "side") ? (int)rng_below(rng, 6) : class;
        was = cutoffs_draw_bin(&LENGTH, bin, 6, rng);
    } else if (asks(ask, "larger")) draw_pair(&was, &now, class ? PARTIAL : PROGRESSION, rng);
    else if (asks(ask, "progression")) draw_pair(&was, &now, class ? NOT_WORSE[rng_below(rng, 3)] : PROGRESSION, rng);
    else if (asks(ask, "change")) draw_change(class, ask->classes, &was, &now, rng);
    else if (asks(ask, "partial-by-baseline")) draw_by_baseline(t, class, &was, &now, rng);
    else {
        fresh = asks(ask, "overall") && class == PROGRESSION && rng_below(rng, 2);
        draw_pair(&was, &now, fresh ? NOT_WORSE[rng_below(rng, 3)] : class, rng);
    }
    if (ask->images == 2) change = round_to(100 * (now - was) / was, 1);
    for (int i = 0; i < t->images; i++) {
        double *q = t->q[i];
        q[DIAMETER] = i ? now : was, q[CHANGE] = change, q[LEFT] = left, q[SEED] = seed;
        q[NEW_LESION] = i && fresh;
    }
}

static int judge(const Truth *t, const Ask *ask)
{
    if (asks(ask, "side")) return t->q[0][LEFT] > 0;
    if (asks(ask, "larger")) return t->q[1][DIAMETER] <= t->q[0][DIAMETER];
    int class = t->q[1][NEW_LESION] > 0 ? PROGRESSION : class_of(t);
    if (asks(ask, "progression")) return class != PROGRESSION;
    if (asks(ask, "partial-by-baseline")) return class != PARTIAL;
    return class;
}

/* The new lesion's place is found for every patient, so that it changes nothing else. */
static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    static const ChestView VIEW = {.magnification = 1.08, .bar = 20, .label = "20 mm"};
    const double *q = t->q[image];
    Rng body = rng_at((uint64_t)q[SEED], RNG_PHANTOM, 0, 0, 0);
    ChestCt ct = chest_ct_draw(&body);
    chest_ct_add(&ct, q[LEFT] > 0, 20, &body);
    chest_ct_add(&ct, (int)rng_below(&body, 2), 14, &body);
    ct.lesion[0].length = q[DIAMETER];
    ct.lesion[1].length = q[NEW_LESION] > 0 ? draw_between(&body, 17, 22) : 0;
    chest_ct_render(c, &ct, &VIEW, s, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"An axial chest CT in the lung window with a magnified view.",
                                       "A slice of a chest CT in the lung window, a part of it magnified.",
                                       "Chest CT, lung window, with a magnified detail.", NULL};
    const double *q = t->q[1];
    const char *side = t->q[0][LEFT] > 0 ? "left" : "right";
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two chest CTs in the lung window." : draw_phrase(rng, OPEN));
    buf_printf(&b, " The patient's %s lung holds a lesion with a longest diameter of %.0f mm.", side,
               t->q[0][DIAMETER]);
    finding_number(c, 0, "target lesion diameter", "%.0f", t->q[0][DIAMETER], "mm");
    finding_word(c, 0, "side of the lesion", side);
    if (t->images > 1) {
        finding_number(c, 1, "target lesion diameter", "%.0f", q[DIAMETER], "mm");
        finding_word(c, 1, "new lesion", q[NEW_LESION] > 0 ? "yes" : "no");
        if (q[DIAMETER] > 0) buf_printf(&b, " On the second CT it measures %.0f mm.", q[DIAMETER]);
        else buf_str(&b, " On the second CT it has disappeared.");
        if (q[NEW_LESION] > 0) buf_str(&b, " There is a new lesion.");
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

/* Why a category does not hold. */
static const char *say_against(Case *c, const Truth *t, int class)
{
    double now = t->q[1][DIAMETER], gain = now - t->q[0][DIAMETER];
    if (t->q[1][NEW_LESION] > 0) return "there is a new lesion";
    if (now <= 0) return "nothing of the lesion is left";
    if (class_of(t) == PROGRESSION) return case_say(c, "it grew by %.0f mm and %.0f percent", gain, t->q[0][CHANGE]);
    if (class == COMPLETE) return case_say(c, "%.0f mm are left", now);
    if (class == PARTIAL) return case_say(c, "%.0f mm is more than 70 percent of %.0f mm", now, before_of(t));
    if (class == STABLE) return case_say(c, "%.0f mm is 70 percent of %.0f mm or less", now, before_of(t));
    return gain < 5 ? case_say(c, "the increase is %.0f mm, less than 5 mm", gain) : "it grew by less than 20 percent";
}

/* Steps and hypotheses of the four categories. */
static void think_category(Case *c, Thought *h, const Truth *t)
{
    double was = t->q[0][DIAMETER], now = t->q[1][DIAMETER], before = before_of(t);
    int target = class_of(t), overall = t->q[1][NEW_LESION] > 0 ? PROGRESSION : target;
    thought_step(h, case_say(c, "The lesion measured %.0f mm and now measures %.0f mm.", was, now));
    thought_step(h, case_say(c, "%.0f - %.0f = %.0f mm, which is %.0f percent of %.0f mm.", now, was, now - was,
                             t->q[0][CHANGE], was));
    if (t->group == TREATED)
        thought_step(h, case_say(c, "Before treatment it measured %.0f mm; 70 percent of that is %.0f mm.", before,
                                 0.7 * before));
    if (t->q[1][NEW_LESION] > 0)
        thought_step(h, case_say(c, "The lesion alone would be %s, but there is a new lesion.", CATEGORY[target]));
    for (int i = 0; i < 4; i++)
        thought_hypothesis(h, (Hypothesis){.name = CATEGORY[i],
                                           .pro = i == overall ? "size and change agree with it" : "",
                                           .contra = i == overall ? "" : say_against(c, t, i),
                                           .prior = 0.25,
                                           .likelihood = i == overall ? 0.94 : 0.02,
                                           .holds = i == overall});
    h->check = case_say(c, "An error of 1 mm would change the result by %.0f percent; the limits are further away.",
                        100 / was);
    h->conclusion = case_say(c, "By RECIST 1.1 this is %s.", CATEGORY[overall]);
}

static void think_larger(Case *c, Thought *h, const Truth *t)
{
    static const char *const NAME[] = {"a larger lesion", "a smaller lesion"};
    double was = t->q[0][DIAMETER], now = t->q[1][DIAMETER];
    bool smaller = now < was;
    h->problem = "whether the lesion has become larger";
    h->rule = "The longest diameters of both CTs are compared.";
    thought_step(h, case_say(c, "The lesion measured %.0f mm and now measures %.0f mm.", was, now));
    thought_candidates(h, NAME, 2, smaller, case_say(c, "%.0f mm after %.0f mm", now, was),
                       "the diameters say the opposite");
    h->check = "The scale bars of both CTs are of the same length in mm.";
    h->conclusion = case_say(c, "The second CT shows %s.", NAME[smaller]);
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    (void)class;
    if (asks(ask, "side")) chest_ct_think_side(c, h, "lesion", t->q[0][LEFT] > 0);
    else if (asks(ask, "larger")) think_larger(c, h, t);
    else if (ask->images == 1) {
        value_think(c, h, &LENGTH, t->q[0][DIAMETER],
                    "The longest diameter is read off the magnified view with the scale bar of 20 mm.");
        h->problem = "the longest diameter of the lesion";
        h->conclusion = case_say(c, "The lesion measures %.0f mm.", t->q[0][DIAMETER]);
    } else {
        h->problem = "the response of a lung lesion to treatment";
        h->rule =
            "Partial response: 30 percent or more shorter than before treatment. Progression: 20 percent and 5 mm "
            "or more longer than the smallest so far, or a new lesion. Complete response: gone. Else stable.";
        think_category(c, h, t);
        if (asks(ask, "change")) {
            h->problem = "the change of the diameter in percent";
            h->check = "Measured again, both diameters are the same.";
            h->conclusion = case_say(c, "The diameter changed by %.0f percent.", t->q[0][CHANGE]);
        }
    }
}

const Family FAMILY_RESPONSE = {.name = "response",
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
