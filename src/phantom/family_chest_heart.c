/*
 * chest-heart and chest-heart-newborn: the size of the heart on a frontal chest film.
 *
 * Cardiothoracic ratio = greatest width of the heart / greatest inner width of the chest, an old index (Danzer 1919,
 * Am J Med Sci 157:513, whose own limit was higher).  Above 0.50 the heart of an adult counts as enlarged: today's
 * usual limit, though a weak test (Simkus et al., Insights Imaging 2021, doi 10.1186/s13244-021-01097-0).  In a
 * newborn up to 0.60 is normal: the usual teaching value (elearnrad.com, Neonate chest); other texts go to 0.66, and
 * 1,000 films of the first day ranged from 0.44 to 0.74.  The same picture can therefore be abnormal in one
 * and normal in the other.
 */
#include "phantom/chest_film.h"
#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <string.h>

enum { RATIO, MIRRORED }; /* quantities */
enum { ADULT, NEWBORN };  /* groups */
#define BOTH (1u << ADULT | 1u << NEWBORN)

static const Cutoffs SIZE[] = {
    [ADULT] = {.name = "cardiothoracic ratio",
               .unit = "",
               .format = "%.2f",
               .step = 0.01,
               .lo = 0.38,
               .hi = 0.68,
               .margin = 0.03,
               .error = 0.015,
               .n = 1,
               .limit = {0.50},
               .label = {"a heart of normal size", "an enlarged heart"},
               .rule = "In an adult a cardiothoracic ratio above 0.50 means an enlarged heart."},
    [NEWBORN] = {.name = "cardiothoracic ratio",
                 .unit = "",
                 .format = "%.2f",
                 .step = 0.01,
                 .lo = 0.44,
                 .hi = 0.72,
                 .margin = 0.03,
                 .error = 0.015,
                 .n = 1,
                 .limit = {0.60},
                 .label = {"a heart of normal size", "an enlarged heart"},
                 .rule = "In a newborn a cardiothoracic ratio up to 0.60 is normal; above it the heart is enlarged."},
};

static const Group GROUP[] = {
    [ADULT] = {.name = "adult",
               .male = "man",
               .female = "woman",
               .youngest = 25,
               .oldest = 88,
               .age_unit = "year",
               .complaint = {"breathlessness on stairs", "a cough for two weeks", "swollen ankles", "tiredness",
                             "chest discomfort", "a check before an operation", "palpitations"},
               .fact = {"The blood pressure is raised.", "There is no fever.", "The ankles are a little swollen.",
                        "The lungs are clear on listening.", "There is a soft murmur.", "Stopped smoking years ago.",
                        "Takes a water tablet.", "Sleeps on two pillows."}},
    [NEWBORN] = {.name = "newborn",
                 .male = "boy",
                 .female = "girl",
                 .youngest = 1,
                 .oldest = 14,
                 .age_unit = "day",
                 .complaint = {"fast breathing", "poor feeding", "a murmur", "a blue tinge around the mouth",
                               "sweating at feeds", "a routine check"},
                 .fact = {"Born at term.", "The birth was without trouble.", "The weight is as expected.",
                          "There is a soft murmur.", "There is no fever.", "The pulses are felt in both groins.",
                          "The skin is warm.", "Feeds every three hours."}},
};

#define SIZE_PHRASES                                                                                                   \
    .phrase = {"Is the heart enlarged?", "Does the film show an enlarged heart?",                                      \
               "Is the heart too large for this patient?"}
#define RATIO_PHRASES                                                                                                  \
    .phrase = {"What is the cardiothoracic ratio?", "How large is the cardiothoracic ratio on this film?",             \
               "Estimate the cardiothoracic ratio."}
#define BOTH_FILMS                                                                                                     \
    .phrase = {"There are two films of this patient. On which is the heart enlarged?",                                 \
               "Compare the two films: where is the heart too large for this patient?"}
#define SIDE_PHRASES                                                                                                   \
    .phrase = {"To which side of the patient does the apex of the heart point?",                                       \
               "On which side of the patient does most of the heart lie?"}
#define FILM_ANSWERS .answer = {"on neither film", "on the first film only", "on the second film only", "on both films"}
#define LIES_ANSWERS                                                                                                   \
    .answer = {"normal size, apex to the patient's left", "enlarged, apex to the patient's left",                      \
               "normal size, apex to the patient's right", "enlarged, apex to the patient's right"}

/* The questions of either family: `own` are the patients it is about. */
#define ASKS(own)                                                                                                      \
    {                                                                                                                  \
        {.name = "ratio",                                                                                              \
         .level = 1,                                                                                                   \
         .images = 1,                                                                                                  \
         .kind = ASK_NUMBER,                                                                                           \
         .groups = own,                                                                                                \
         .classes = 6,                                                                                                 \
         .quantity = RATIO,                                                                                            \
         .format = "%.2f",                                                                                             \
         .tolerance = 0.04,                                                                                            \
         RATIO_PHRASES},                                                                                               \
            {.name = "ratio-choice",                                                                                   \
             .level = 1,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_CHOICE,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 6,                                                                                             \
             .quantity = RATIO,                                                                                        \
             .format = "%.2f",                                                                                         \
             .step = 0.08,                                                                                             \
             RATIO_PHRASES},                                                                                           \
            {.name = "side",                                                                                           \
             .level = 1,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_SHORT,                                                                                        \
             .groups = own,                                                                                            \
             .classes = 2,                                                                                             \
             .answer = {"left", "right"},                                                                              \
             SIDE_PHRASES},                                                                                            \
            {.name = "enlarged",                                                                                       \
             .level = 2,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_YESNO,                                                                                        \
             .groups = own,                                                                                            \
             .classes = 2,                                                                                             \
             SIZE_PHRASES},                                                                                            \
            {.name = "size-and-side",                                                                                  \
             .level = 2,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_CHOICE,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 4,                                                                                             \
             LIES_ANSWERS,                                                                                             \
             .phrase = {"Which describes the heart?", "Choose the right description of the heart."}},                  \
            {.name = "enlarged-by-age",                                                                                \
             .level = 3,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_YESNO,                                                                                        \
             .groups = BOTH,                                                                                           \
             .classes = 2,                                                                                             \
             SIZE_PHRASES},                                                                                            \
            {.name = "two-films",                                                                                      \
             .level = 4,                                                                                               \
             .images = 2,                                                                                              \
             .kind = ASK_CHOICE,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 4,                                                                                             \
             FILM_ANSWERS,                                                                                             \
             BOTH_FILMS},                                                                                              \
    }
static const Ask ADULT_ASK[] = ASKS(1u << ADULT), NEWBORN_ASK[] = ASKS(1u << NEWBORN);
enum { N_ASKS = sizeof ADULT_ASK / sizeof *ADULT_ASK };

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* At level 3 half of the ratios lie between the two groups' limits, where the same picture means different things. */
static double draw_ratio(const Truth *t, const Ask *ask, int class, Rng *rng)
{
    static const Cutoffs BETWEEN = {.step = 0.01, .lo = 0.53, .hi = 0.57};
    bool contested = ask->level == 3 && class == (t->group == ADULT) && rng_below(rng, 2);
    return contested ? round_to(draw_between(rng, BETWEEN.lo, BETWEEN.hi), BETWEEN.step)
                     : cutoffs_draw(&SIZE[t->group], class, rng);
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    bool sided = asks(ask, "side") || asks(ask, "size-and-side");
    bool mirrored = asks(ask, "side") ? class == 1 : asks(ask, "size-and-side") ? class >= 2 : rng_below(rng, 8) == 0;
    for (int i = 0; i < t->images; i++) {
        double *q = t->q[i];
        q[MIRRORED] = mirrored;
        if (ask->kind == ASK_NUMBER || asks(ask, "ratio-choice"))
            q[RATIO] = cutoffs_draw_bin(&SIZE[t->group], class, ask->classes, rng);
        else if (asks(ask, "side")) q[RATIO] = cutoffs_draw(&SIZE[t->group], (int)rng_below(rng, 2), rng);
        else if (sided) q[RATIO] = cutoffs_draw(&SIZE[t->group], class & 1, rng);
        else if (ask->images == 2) q[RATIO] = cutoffs_draw(&SIZE[t->group], class >> i & 1, rng);
        else q[RATIO] = draw_ratio(t, ask, 1 - class, rng); /* yes is class 0 */
    }
}

static int judge(const Truth *t, const Ask *ask)
{
    int large = cutoffs_class(&SIZE[t->group], t->q[0][RATIO]), mirrored = t->q[0][MIRRORED] > 0;
    if (asks(ask, "side")) return mirrored;
    if (asks(ask, "size-and-side")) return large + 2 * mirrored;
    if (ask->images == 2) return large + 2 * cutoffs_class(&SIZE[t->group], t->q[1][RATIO]);
    return 1 - large;
}

/* Newborn and adult films overlap in shape, as they must for the same picture to mean different things. */
static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    ChestFilm f = chest_film_draw(rng, t->group == NEWBORN ? draw_between(rng, 0.3, 1) : draw_between(rng, 0, 0.5));
    f.ratio = t->q[image][RATIO];
    f.mirrored = t->q[image][MIRRORED] > 0;
    chest_film_render(c, &f, s, rng);
}

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"A frontal chest film", "A chest film from the front",
                                       "A frontal film of the chest", NULL};
    Buf b = {0};
    buf_printf(&b, "%s.", t->images > 1 ? "Two frontal chest films" : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        const char *side = t->q[i][MIRRORED] > 0 ? "right" : "left";
        finding_number(c, i, "cardiothoracic ratio", "%.2f", t->q[i][RATIO], "");
        finding_word(c, i, "apex of the heart", side);
        buf_printf(&b, " %sThe cardiothoracic ratio is %.2f and the apex of the heart points to the patient's %s.",
                   t->images == 1 ? ""
                   : i            ? "Second film: "
                                  : "First film: ",
                   t->q[i][RATIO], side);
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static const char *const POINTS_TO[] = {"the apex to the patient's left", "the apex to the patient's right"};

static void think_side(Case *c, Thought *h, const Truth *t)
{
    bool right = t->q[0][MIRRORED] > 0;
    const char *side = right ? "right" : "left", *seen = right ? "left" : "right";
    thought_step(h, case_say(c, "The apex points to the %s edge of the film, which is the patient's %s.", seen, side));
    if (h->rule) return; /* one of two steps */
    h->rule = "The patient's left is at the right edge of the film.";
    h->check = "The R marks the patient's right.";
    thought_candidates(h, POINTS_TO, 2, right, case_say(c, "the apex lies towards the %s edge", seen),
                       "most of the heart lies on the other side");
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const Cutoffs *k = &SIZE[t->group];
    const char *who = GROUP[t->group].name;
    double ratio = t->q[0][RATIO];
    h->problem = case_say(c, "the size of the heart, patient: %s", who);
    if (asks(ask, "side")) {
        h->problem = "the side of the heart";
        think_side(c, h, t);
        h->conclusion = case_say(c, "The apex points to the patient's %s.", ask->answer[class]);
    } else if (ask->level == 1) {
        h->problem = "reading the cardiothoracic ratio";
        value_think(c, h, k, ratio,
                    "The cardiothoracic ratio is the width of the heart over the inner width of the chest.");
        h->conclusion = case_say(c, "The heart takes up %.2f of the width of the chest.", ratio);
    } else if (ask->images == 2) {
        cutoffs_think_pair(c, h, k, (const double[]){ratio, t->q[1][RATIO]}, ask, class);
        h->conclusion = case_say(c, "The heart is enlarged %s.", ask->answer[class]);
    } else {
        cutoffs_think(c, h, k, ratio);
        h->conclusion = case_say(c, "In this patient (%s) a ratio of %.2f means %s.", who, ratio,
                                 k->label[cutoffs_class(k, ratio)]);
        if (!asks(ask, "size-and-side")) return;
        think_side(c, h, t);
        h->hypotheses = 0; /* the four answers instead */
        thought_candidates(h, ask->answer, 4, class, "ratio and side agree with it", "ratio or side tells against it");
        h->conclusion = case_say(c, "%s The apex points to the patient's %s.", h->conclusion,
                                 t->q[0][MIRRORED] > 0 ? "right" : "left");
    }
}

#define CHEST_HEART(family, field, questions)                                                                          \
    {                                                                                                                  \
        .name = family, .specialty = field, .picture = "film", .channels = 1, .ask = questions, .asks = N_ASKS,        \
        .group = GROUP, .draw = draw, .judge = judge, .render = render, .describe = describe, .think = think           \
    }
const Family FAMILY_CHEST_HEART = CHEST_HEART("chest-heart", "adult medicine", ADULT_ASK);
const Family FAMILY_CHEST_HEART_NEWBORN = CHEST_HEART("chest-heart-newborn", "paediatrics", NEWBORN_ASK);
