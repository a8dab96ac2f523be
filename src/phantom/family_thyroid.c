/*
 * thyroid: a nodule on a transverse ultrasound of one lobe of the thyroid.
 *
 * ACR TI-RADS (Tessler et al., J Am Coll Radiol 2017;14:587-595) gives points for composition (cystic 0, mixed 1,
 * solid 2), echogenicity (anechoic 0, hyperechoic 1, hypoechoic 2, very hypoechoic 3), shape (taller than wide 3),
 * margin (irregular 2) and echogenic foci (large calcification 1, rim calcification 2, punctate 3).  0: TR1, 2: TR2,
 * 3: TR3, 4 to 6: TR4, 7 and more: TR5.  Fine needle aspiration (FNA) | follow-up ultrasound by the largest diameter:
 *   TR3 25 | 15 mm     TR4 15 | 10 mm     TR5 10 | 5 mm     TR1, TR2 neither
 * A nodule with focal uptake of FDG on PET is punctured from 10 mm on, however it looks (Haugen et al., 2015 American
 * Thyroid Association guidelines, Thyroid 2016;26:1-133, recommendation 5A); TI-RADS is not meant for those.
 *
 * Left out, because 112 pixels do not show them: very hypoechoic mixed, spongiform, isoechoic, ill-defined and
 * extrathyroidal nodules, comet-tail artefacts; several kinds of foci at once.
 */
#include "phantom/thyroid_scan.h"

#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <string.h>

enum { SIZE, COMPOSITION, ECHO, TALL, IRREGULAR, FOCI, POINTS }; /* quantities */
enum { FOUND, FDG };                                             /* groups */
enum { TR1, TR2, TR3, TR4, TR5 };
enum { PUNCTURE, WATCH, NEITHER };
#define BOTH  (1u << FOUND | 1u << FDG)
#define LEAST 6  /* mm */
#define MOST  31 /* mm */

static const char *const LEVEL[] = {"TR1", "TR2", "TR3", "TR4", "TR5"};
static const char *const COMPOSITION_WORD[] = {"cystic", "mixed", "solid"};
static const char *const ECHO_WORD[] = {"anechoic", "hyperechoic", "hypoechoic", "very hypoechoic"};
static const char *const SHAPE_WORD[] = {"wider than tall", "taller than wide"};
static const char *const MARGIN_WORD[] = {"smooth", "irregular"};
static const char *const FOCI_WORD[] = {"none", "large calcification", "rim calcification", "punctate"};

static const Cutoffs DIAMETER = {.name = "nodule diameter",
                                 .unit = "mm",
                                 .format = "%.0f",
                                 .step = 1,
                                 .lo = LEAST,
                                 .hi = MOST,
                                 .error = 0.8,
                                 .n = 0};

static const Group GROUP[] = {
    [FOUND] = {.name = "adult",
               .male = "man",
               .female = "woman",
               .youngest = 24,
               .oldest = 78,
               .age_unit = "year",
               .complaint = {"a lump in the neck", "a nodule seen on a scan of the carotids", "a feeling of a lump",
                             "a nodule felt at a check", "hoarseness that has gone", "tiredness"},
               .fact = {"The thyroid hormones are normal.", "No lymph node is enlarged.", "The voice is normal.",
                        "Swallowing is normal.", "The neck was never irradiated.", "There is no pain.",
                        "No relative had thyroid cancer."}},
    [FDG] = {.name = "adult with FDG uptake",
             .male = "man whose thyroid nodule takes up FDG on PET",
             .female = "woman whose thyroid nodule takes up FDG on PET",
             .youngest = 24,
             .oldest = 78,
             .age_unit = "year",
             .complaint = {"an ultrasound of the thyroid", "a look at the thyroid", "advice about a thyroid nodule",
                           "a thyroid nodule seen on PET"},
             .fact = {"The thyroid hormones are normal.", "No lymph node is enlarged.", "The voice is normal.",
                      "Swallowing is normal.", "The neck was never irradiated.", "There is no pain.",
                      "The PET was made for a lymphoma that is gone."}},
};

#define ASK_SIZE                                                                                                       \
    .phrase = {"What is the largest diameter of the nodule in mm?", "How large is the nodule, in mm?",                 \
               "Measure the nodule with the scale bar. What is its largest diameter in mm?"}

static const Ask ASK[] = {
    {.name = "size",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = BOTH,
     .classes = 6,
     .quantity = SIZE,
     .format = "%.0f",
     .tolerance = 3,
     ASK_SIZE},
    {.name = "composition",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = BOTH,
     .classes = 3,
     .answer = {"cystic", "mixed", "solid"},
     .phrase = {"Is the nodule cystic, mixed or solid?", "What is the nodule made of: cystic, mixed or solid?"}},
    {.name = "shape",
     .level = 1,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Is the nodule taller than wide?", "Is the nodule higher than it is wide?"}},
    {.name = "echogenicity",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 3,
     .answer = {"hyperechoic", "hypoechoic", "very hypoechoic"},
     .extra = {"anechoic"},
     .phrase = {"How bright is the nodule compared with the thyroid?", "What is the echogenicity of the nodule?"}},
    {.name = "foci",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 4,
     .answer = {"none", "large calcification", "rim calcification", "punctate"},
     .phrase = {"Which echogenic foci does the nodule have?", "What kind of bright spots does the nodule show?"}},
    {.name = "level",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 5,
     .answer = {"TR1", "TR2", "TR3", "TR4", "TR5"},
     .phrase = {"What is the ACR TI-RADS level?", "Which ACR TI-RADS level does the nodule have?"}},
    {.name = "points",
     .level = 2,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = BOTH,
     .classes = 5,
     .quantity = POINTS,
     .format = "%.0f",
     .tolerance = 0.5,
     .phrase = {"How many ACR TI-RADS points does the nodule get?", "What is the sum of the ACR TI-RADS points?"}},
    {.name = "puncture",
     .level = 3,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Is fine needle aspiration recommended for this patient?",
                "Should this patient's nodule be punctured with a fine needle?"}},
    {.name = "management",
     .level = 4,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << FOUND,
     .classes = 3,
     .answer = {"fine needle aspiration", "follow-up ultrasound", "neither aspiration nor follow-up"},
     .phrase = {"What does ACR TI-RADS recommend?", "What follows from the ACR TI-RADS level and the size?"}},
    {.name = "two-nodules",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = 1u << FOUND,
     .classes = 4,
     .answer = {"neither nodule", "the first nodule only", "the second nodule only", "both nodules"},
     .phrase = {"The two scans show two nodules. For which is fine needle aspiration recommended by ACR TI-RADS?",
                "Two nodules were scanned. Which should be punctured by ACR TI-RADS?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the rule --------------------------------------------------------------------------------------------------- */

static int points_of(const double *q)
{
    return (int)q[COMPOSITION] + (int)q[ECHO] + 3 * (int)q[TALL] + 2 * (int)q[IRREGULAR] + (int)q[FOCI];
}

static int level_of(const double *q)
{
    int p = points_of(q);
    return p < 2 ? TR1 : p == 2 ? TR2 : p == 3 ? TR3 : p <= 6 ? TR4 : TR5;
}

/* mm, by level; 0: never */
static const double FNA_FROM[] = {0, 0, 25, 15, 10}, WATCH_FROM[] = {0, 0, 15, 10, 5};

static int action_of(const double *q)
{
    int level = level_of(q);
    if (level < TR3) return NEITHER;
    return q[SIZE] >= FNA_FROM[level] ? PUNCTURE : q[SIZE] >= WATCH_FROM[level] ? WATCH : NEITHER;
}

#define FDG_FROM 10 /* mm */
static bool punctured(const Truth *t, int image)
{
    return t->group == FDG ? t->q[image][SIZE] >= FDG_FROM : action_of(t->q[image]) == PUNCTURE;
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

/* What TI-RADS calls cystic gets no further points. */
static void draw_features(double *q, int composition, Rng *rng)
{
    q[COMPOSITION] = composition;
    q[ECHO] = q[TALL] = q[IRREGULAR] = q[FOCI] = 0;
    if (composition == 0) return;
    q[ECHO] = 1 + (double)rng_below(rng, composition == 2 ? 3 : 2);
    q[TALL] = rng_below(rng, 3) == 0;
    q[IRREGULAR] = rng_below(rng, 3) == 0;
    if (rng_below(rng, 2)) q[FOCI] = 1 + (double)rng_below(rng, 3);
}

static void draw_level(double *q, int level, Rng *rng)
{
    do draw_features(q, level == TR1 ? 0 : 1 + (int)rng_below(rng, 2), rng);
    while (level_of(q) != level);
}

static double draw_size(double lo, double hi, Rng *rng)
{
    double n = hi - lo + 1;
    return lo + (double)rng_below(rng, (uint32_t)(int)n);
}

/* A tenth away from every limit. */
static double draw_size_for(int level, int action, Rng *rng)
{
    if (level < TR3) return draw_size(LEAST, MOST, rng);
    double fna = FNA_FROM[level], watch = WATCH_FROM[level];
    if (action == PUNCTURE) return draw_size((double)det_floor(1.1 * fna + 1), MOST, rng);
    if (action == WATCH) return draw_size((double)det_floor(1.1 * watch + 1), (double)det_floor(0.9 * fna), rng);
    return draw_size(LEAST, (double)det_floor(0.9 * watch), rng);
}

/* A nodule for which ACR TI-RADS recommends the action. */
static void draw_action(double *q, int action, Rng *rng)
{
    int level = action == NEITHER ? TR1 + (int)rng_below(rng, 4) : TR3 + (int)rng_below(rng, 3);
    draw_level(q, level, rng);
    q[SIZE] = draw_size_for(level, action, rng);
}

/* With FDG uptake half of the punctured nodules would not be punctured by their level. */
static void draw_puncture(const Truth *t, double *q, bool yes, Rng *rng)
{
    if (t->group == FOUND) draw_action(q, yes ? PUNCTURE : WATCH + (int)rng_below(rng, 2), rng);
    else {
        bool contested = yes && rng_below(rng, 2);
        draw_level(q, contested ? TR2 + (int)rng_below(rng, 2) : TR2 + (int)rng_below(rng, 4), rng);
        q[SIZE] = yes ? draw_size(12, contested ? 22 : MOST, rng) : draw_size(LEAST, 8, rng);
    }
}

static void draw_seen(double *q, const Ask *ask, int class, Rng *rng)
{
    int drawn = 1 + (int)rng_below(rng, 2);
    draw_features(q, asks(ask, "composition") ? class : asks(ask, "echogenicity") ? 2 : drawn, rng);
    if (asks(ask, "shape")) q[TALL] = class == 0;
    if (asks(ask, "echogenicity")) q[ECHO] = 1 + class;
    if (asks(ask, "foci")) q[FOCI] = class;
    q[SIZE] = asks(ask, "size") ? cutoffs_draw_bin(&DIAMETER, class, 6, rng) : draw_size(10, 28, rng);
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    for (int i = 0; i < t->images; i++) {
        double *q = t->q[i];
        if (ask->level == 1) draw_seen(q, ask, class, rng);
        else if (ask->level == 2) {
            draw_level(q, class, rng);
            q[SIZE] = draw_size(10, 28, rng);
        } else if (asks(ask, "puncture")) draw_puncture(t, q, class == 0, rng);
        else if (asks(ask, "management")) draw_action(q, class, rng);
        else draw_action(q, class >> i & 1 ? PUNCTURE : WATCH + (int)rng_below(rng, 2), rng);
        q[POINTS] = points_of(q);
    }
}

static int judge(const Truth *t, const Ask *ask)
{
    const double *q = t->q[0];
    if (asks(ask, "composition")) return (int)q[COMPOSITION];
    if (asks(ask, "shape")) return q[TALL] > 0 ? 0 : 1;
    if (asks(ask, "echogenicity")) return (int)q[ECHO] - 1;
    if (asks(ask, "foci")) return (int)q[FOCI];
    if (asks(ask, "level")) return level_of(q);
    if (asks(ask, "puncture")) return !punctured(t, 0);
    if (asks(ask, "management")) return action_of(q);
    return punctured(t, 0) + 2 * punctured(t, 1);
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    const double *q = t->q[image];
    ThyroidScan scan = thyroid_scan_draw(q[SIZE], rng);
    scan.composition = (int)q[COMPOSITION], scan.echo = (int)q[ECHO], scan.foci = (int)q[FOCI];
    scan.tall = q[TALL] > 0, scan.irregular = q[IRREGULAR] > 0;
    thyroid_scan_render(c, &scan, s, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"A transverse ultrasound of the thyroid.",
                                       "Ultrasound of one lobe of the thyroid, transverse.",
                                       "A thyroid scan in the transverse plane.", NULL};
    static const char *const NUMBER[] = {"", "First scan: ", "Second scan: "};
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two transverse ultrasound scans of the thyroid." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        const double *q = t->q[i];
        const char *composition = COMPOSITION_WORD[(int)q[COMPOSITION]], *echo = ECHO_WORD[(int)q[ECHO]];
        const char *shape = SHAPE_WORD[(int)q[TALL]], *margin = MARGIN_WORD[(int)q[IRREGULAR]];
        const char *foci = FOCI_WORD[(int)q[FOCI]];
        finding_number(c, i, "nodule diameter", "%.0f", q[SIZE], "mm");
        finding_word(c, i, "composition", composition);
        finding_word(c, i, "echogenicity", echo);
        finding_word(c, i, "shape", shape);
        finding_word(c, i, "margin", margin);
        finding_word(c, i, "echogenic foci", foci);
        buf_printf(&b, " %sThe nodule measures %.0f mm. It is %s, %s, %s, with %s margin; echogenic foci: %s.",
                   NUMBER[t->images > 1 ? i + 1 : 0], q[SIZE], composition, echo, shape,
                   q[IRREGULAR] > 0 ? "an irregular" : "a smooth", foci);
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

/* "On the first scan solid 2, hypoechoic 2, ... : 4 points, TR4." */
static void add_points(Case *c, Thought *h, const double *q, const char *where)
{
    int level = level_of(q);
    thought_step(h, case_say(c, "%s%s %d, %s %d, %s %d, %s %d, foci %s %d.", where,
                             COMPOSITION_WORD[(int)q[COMPOSITION]], (int)q[COMPOSITION], ECHO_WORD[(int)q[ECHO]],
                             (int)q[ECHO], SHAPE_WORD[(int)q[TALL]], 3 * (int)q[TALL], MARGIN_WORD[(int)q[IRREGULAR]],
                             2 * (int)q[IRREGULAR], FOCI_WORD[(int)q[FOCI]], (int)q[FOCI]));
    thought_step(h, case_say(c, "The sum is %d: %s.", points_of(q), LEVEL[level]));
}

static const char *say_action(Case *c, const double *q)
{
    int level = level_of(q), action = action_of(q);
    static const char *const ACTION[] = {"aspiration", "follow-up", "neither"};
    if (level < TR3) return case_say(c, "%s needs neither aspiration nor follow-up.", LEVEL[level]);
    return case_say(c, "At %s aspiration from %.0f mm, follow-up from %.0f mm; here %.0f mm: %s.", LEVEL[level],
                    FNA_FROM[level], WATCH_FROM[level], q[SIZE], ACTION[action]);
}

#define POINT_RULE "ACR TI-RADS points: 0 TR1, 2 TR2, 3 TR3, 4 to 6 TR4, 7 or more TR5."
#define SIZE_RULE  "Aspiration from 25 mm at TR3, 15 mm at TR4, 10 mm at TR5; follow-up from 15, 10 and 5 mm."

static void think_seen(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const double *q = t->q[0];
    const char *seen = "the scan shows it", *not_seen = "the scan does not show it";
    h->check = "The rest of the lobe, looked at again, serves as a comparison.";
    if (asks(ask, "composition")) {
        h->problem = "what the nodule is made of";
        h->rule = "Fluid is black without echoes, solid tissue has echoes.";
        thought_step(h, case_say(c, "The nodule is %s.", COMPOSITION_WORD[class]));
        thought_candidates(h, COMPOSITION_WORD, 3, class, seen, not_seen);
    } else if (asks(ask, "shape")) {
        h->problem = "the shape of the nodule";
        h->rule = "Height is along the beam, width across it.";
        thought_step(h, case_say(c, "The nodule is %s.", SHAPE_WORD[(int)q[TALL]]));
        thought_candidates(h, SHAPE_WORD, 2, (int)q[TALL], seen, not_seen);
    } else if (asks(ask, "echogenicity")) {
        h->problem = "the echogenicity of the nodule";
        h->rule =
            "Hyperechoic is brighter than the thyroid, hypoechoic darker, very hypoechoic darker than the muscles.";
        thought_step(h, case_say(c, "The solid part is %s.", ECHO_WORD[class + 1]));
        thought_candidates(h, ECHO_WORD + 1, 3, class, seen, not_seen);
    } else {
        h->problem = "echogenic foci in the nodule";
        h->rule = "A large calcification casts a shadow, a rim lies at the border, punctate foci are fine dots.";
        thought_step(h, case_say(c, "Echogenic foci: %s.", FOCI_WORD[class]));
        thought_candidates(h, FOCI_WORD, 4, class, seen, not_seen);
    }
    h->conclusion = h->step[0];
}

static void think_level(Case *c, Thought *h, const Truth *t)
{
    const double *q = t->q[0];
    h->problem = "the ACR TI-RADS level of a thyroid nodule";
    h->rule = POINT_RULE;
    add_points(c, h, q, "Points: ");
    thought_candidates(h, LEVEL, 5, level_of(q), case_say(c, "the sum is %d", points_of(q)),
                       case_say(c, "the sum of %d does not fit", points_of(q)));
    h->check = "Added up again, the points are the same.";
    h->conclusion = case_say(c, "The nodule has %d points and is %s.", points_of(q), LEVEL[level_of(q)]);
}

static void think_puncture(Case *c, Thought *h, const Truth *t)
{
    static const char *const NAME[] = {"aspiration recommended", "no aspiration"};
    const double *q = t->q[0];
    bool yes = punctured(t, 0);
    h->problem = "whether the nodule should be punctured";
    add_points(c, h, q, "Points: ");
    if (t->group == FDG) {
        h->rule = "A nodule that takes up FDG is punctured from 10 mm on, whatever its TI-RADS level.";
        thought_step(h, case_say(c, "It takes up FDG, so 10 mm counts; here %.0f mm.", q[SIZE]));
    } else {
        h->rule = POINT_RULE " " SIZE_RULE;
        thought_step(h, say_action(c, q));
    }
    thought_candidates(h, NAME, 2, yes ? 0 : 1, "level, size and history agree", "the size tells against it");
    h->check = case_say(c, "%.0f mm is more than a tenth away from the limit.", q[SIZE]);
    if (t->group == FOUND && level_of(q) < TR3) h->check = "At this level size does not matter.";
    h->conclusion = yes ? "Fine needle aspiration is recommended." : "Fine needle aspiration is not recommended.";
}

static void think_several(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    static const char *const WHERE[] = {"First nodule: ", "Second nodule: "};
    h->problem = t->images > 1 ? "which of two nodules to puncture" : "what to do about a thyroid nodule";
    h->rule = POINT_RULE " " SIZE_RULE;
    for (int i = 0; i < t->images; i++) {
        add_points(c, h, t->q[i], t->images > 1 ? WHERE[i] : "Points: ");
        thought_step(h, say_action(c, t->q[i]));
    }
    thought_candidates(h, ask->answer, ask->classes, class, "level and size agree with it",
                       "level and size tell against it");
    h->check = "The sizes are more than a tenth away from the limits that count.";
    h->conclusion = t->images > 1 ? case_say(c, "Aspiration is recommended for %s.", ask->answer[class])
                                  : case_say(c, "ACR TI-RADS recommends %s.", ask->answer[class]);
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    if (asks(ask, "size")) {
        value_think(c, h, &DIAMETER, t->q[0][SIZE], "The largest diameter is compared with the scale bar of 10 mm.");
        h->problem = "the size of the nodule";
        h->conclusion = case_say(c, "The nodule measures %.0f mm.", t->q[0][SIZE]);
    } else if (ask->level == 1) think_seen(c, h, t, ask, class);
    else if (ask->level == 2) think_level(c, h, t);
    else if (ask->level == 3) think_puncture(c, h, t);
    else think_several(c, h, t, ask, class);
}

const Family FAMILY_THYROID = {.name = "thyroid",
                               .specialty = "oncology and surgery",
                               .picture = "scan",
                               .channels = 1,
                               .ask = ASK,
                               .asks = sizeof ASK / sizeof *ASK,
                               .group = GROUP,
                               .draw = draw,
                               .judge = judge,
                               .render = render,
                               .describe = describe,
                               .think = think};
