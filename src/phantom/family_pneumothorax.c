/*
 * pneumothorax: air beside the lung on a frontal chest film.
 *
 * The rim of air is measured between the chest wall and the edge of the lung at the level of the hilum; 2 cm or more is
 * large.  Rule: a large pneumothorax, or one that makes the patient breathless, is drained; a small one without
 * breathlessness is observed.  Source: MacDuff, Arnold, Harvey: Management of spontaneous pneumothorax: British
 * Thoracic Society pleural disease guideline 2010, Thorax 2010;65(Suppl 2):ii18.  "Drained" stands for any way of
 * letting the air out: there the first try is a needle where the lungs were healthy, a chest drain where they were not.
 *
 * The 2023 guideline (Roberts et al., Thorax 2023;78:1143) goes by symptoms first: with hardly any, observing can be
 * considered at any size, and about 2 cm is what it takes for safe access.  The rule here is that of 2010; the words of
 * the cases say so.
 */
#include "phantom/chest_film.h"
#include "phantom/families.h"

#include <string.h>

enum { RIM, SIDE };        /* quantities: cm, 0 none; SIDE_... */
enum { CALM, BREATHLESS }; /* groups */
enum { SIDE_RIGHT, SIDE_LEFT };
enum { SMALL, LARGE, NONE }; /* sizes */
#define BOTH (1u << CALM | 1u << BREATHLESS)

static const Cutoffs SIZE = {
    .name = "rim of air at the hilum",
    .unit = "cm",
    .format = "%.1f",
    .step = 0.1,
    .lo = 0.8,
    .hi = 4.6,
    .margin = 0.4,
    .error = 0.2,
    .n = 1,
    .limit = {2.0},
    .label = {"a small pneumothorax", "a large pneumothorax"},
    .rule = "A pneumothorax with a rim of 2 cm or more at the level of the hilum is large (BTS 2010)."};

static const Group GROUP[] = {
    [CALM] = {.name = "adult, not breathless",
              .male = "man",
              .female = "woman",
              .youngest = 18,
              .oldest = 48,
              .age_unit = "year",
              .complaint = {"sharp chest pain without breathlessness", "a stitch in the chest; breathing is easy",
                            "pain under the ribs, not breathless", "chest pain since the morning, breathing freely",
                            "a sudden pain in the chest; not breathless"},
              .fact = {"There is no fever.", "Smokes.", "Is tall and slim.", "The blood pressure is normal.",
                       "The lungs were healthy until now.", "Takes no medicines.", "It began at rest.",
                       "There was no injury."}},
    [BREATHLESS] = {.name = "adult, breathless",
                    .male = "man",
                    .female = "woman",
                    .youngest = 18,
                    .oldest = 48,
                    .age_unit = "year",
                    .complaint = {"chest pain and breathlessness", "breathlessness since the morning",
                                  "sudden breathlessness", "breathlessness on talking", "pain and shortness of breath"},
                    .fact = {"There is no fever.", "Smokes.", "Is tall and slim.", "The blood pressure is normal.",
                             "The lungs were healthy until now.", "Takes no medicines.", "It began at rest.",
                             "There was no injury."}},
};

#define RIM_PHRASES                                                                                                    \
    .phrase = {"How wide is the rim of air at the level of the hilum, in cm?",                                         \
               "Measure the gap between chest wall and lung at the hilum, in cm.",                                     \
               "How far is the edge of the lung from the chest wall at the hilum, in cm?"}

static const Ask ASK[] = {
    {.name = "present",
     .level = 1,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Is there a pneumothorax?", "Does the film show a pneumothorax?",
                "Is there air between lung and chest wall?"}},
    {.name = "side",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = BOTH,
     .classes = 2,
     .answer = {"right", "left"},
     .phrase = {"On which side of the patient is the pneumothorax?", "Which of the patient's lungs has collapsed?",
                "On which side of the patient is there air beside the lung?"}},
    {.name = "rim",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = BOTH,
     .classes = 6,
     .quantity = RIM,
     .format = "%.1f",
     .tolerance = 0.4,
     RIM_PHRASES},
    {.name = "rim-choice",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 6,
     .quantity = RIM,
     .format = "%.1f",
     .step = 1.1,
     RIM_PHRASES},
    {.name = "large",
     .level = 2,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Is the pneumothorax large by the 2 cm rule?", "Does this pneumothorax count as large (BTS 2010)?",
                "Is this a large pneumothorax?"}},
    {.name = "size-and-side",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 5,
     .answer = {"small, on the patient's right", "large, on the patient's right", "small, on the patient's left",
                "large, on the patient's left", "no pneumothorax"},
     .phrase = {"Which describes the pneumothorax?", "Choose the right description of the pneumothorax."}},
    {.name = "drain",
     .level = 3,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BOTH,
     .classes = 2,
     .phrase = {"Should air be drained from this patient's chest (BTS 2010)?",
                "By the BTS guideline of 2010, does this patient need a drain?",
                "Is draining air the right treatment for this patient (BTS 2010)?"}},
    {.name = "plan",
     .level = 4,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << CALM,
     .classes = 4,
     .answer = {"drain the air on the patient's right", "drain the air on the patient's left",
                "observe: the pneumothorax is small", "look for another cause: there is no pneumothorax"},
     .phrase = {"What should be done (BTS 2010)?", "Which plan fits the film and the patient (BTS 2010)?"}},
    {.name = "two-films",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = BOTH,
     .classes = 4,
     .answer = {"on neither film", "on the first film only", "on the second film only", "on both films"},
     .phrase = {"There are two films of this patient. On which is the pneumothorax large (BTS 2010)?",
                "Compare the two films: on which is the rim at the hilum 2 cm or more?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

static int size_of(const double *q)
{
    return q[RIM] > 0 ? cutoffs_class(&SIZE, q[RIM]) : NONE;
}

static double draw_rim(int size, Rng *rng)
{
    return size == NONE ? 0 : cutoffs_draw(&SIZE, size, rng);
}

/* Level 3: the small ones mean opposite things to the two groups.  Nothing drains where there is nothing. */
static int draw_size_for_drain(const Truth *t, bool drain, Rng *rng)
{
    if (t->group == BREATHLESS) return !drain ? NONE : rng_below(rng, 3) ? SMALL : LARGE;
    return drain ? LARGE : rng_below(rng, 3) ? SMALL : NONE;
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    static const int PLAN_SIZE[] = {LARGE, LARGE, SMALL, NONE};
    double side = rng_below(rng, 2), rim[MAX_IMAGES] = {0, 0};
    for (int i = 0; i < t->images; i++) {
        if (asks(ask, "rim") || asks(ask, "rim-choice")) rim[i] = cutoffs_draw_bin(&SIZE, class, ask->classes, rng);
        else if (asks(ask, "present")) rim[i] = draw_rim(class ? NONE : (int)rng_below(rng, 2), rng);
        else if (asks(ask, "side")) rim[i] = draw_rim((int)rng_below(rng, 2), rng), side = class;
        else if (asks(ask, "large")) rim[i] = draw_rim(1 - class, rng);
        else if (asks(ask, "size-and-side")) {
            rim[i] = draw_rim(class == 4 ? NONE : class & 1, rng);
            if (class < 4) side = class >> 1;
        } else if (asks(ask, "drain")) rim[i] = draw_rim(draw_size_for_drain(t, !class, rng), rng);
        else if (asks(ask, "plan")) {
            rim[i] = draw_rim(PLAN_SIZE[class], rng);
            if (class < 2) side = class;
        } else rim[i] = draw_rim(class >> i & 1, rng);
    }
    for (int i = 0; i < t->images; i++) t->q[i][RIM] = rim[i], t->q[i][SIDE] = side;
}

static int judge(const Truth *t, const Ask *ask)
{
    int size = size_of(t->q[0]), left = t->q[0][SIDE] > 0;
    if (asks(ask, "present")) return size == NONE;
    if (asks(ask, "side")) return left;
    if (asks(ask, "large")) return size != LARGE;
    if (asks(ask, "size-and-side")) return size == NONE ? 4 : size + 2 * left;
    if (asks(ask, "drain")) return !(size == LARGE || (size == SMALL && t->group == BREATHLESS));
    if (asks(ask, "plan")) return size == NONE ? 3 : size == SMALL ? 2 : left;
    return (size == LARGE) + 2 * (size_of(t->q[1]) == LARGE);
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    ChestFilm f = chest_film_draw(rng, draw_between(rng, 0, 0.2));
    f.ratio = draw_between(rng, 0.40, 0.48); /* young and slim */
    double cm = draw_between(rng, 2.8, 3.2); /* units */
    f.rim = t->q[image][RIM] * cm;
    f.rim_way = t->q[image][SIDE] > 0 ? 1 : -1;
    chest_film_render(c, &f, s, rng);
    canvas_scale_bar(c, 14, 107.5, 5 * cm, "5 CM", GRAY(0.05));
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static const char *side_word(const double *q)
{
    return q[SIDE] > 0 ? "left" : "right";
}

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"A frontal chest film", "A chest film from the front",
                                       "A frontal film of the chest", NULL};
    Buf b = {0};
    buf_printf(&b, "%s with a scale bar.", t->images > 1 ? "Two frontal chest films" : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        const double *q = t->q[i];
        buf_printf(&b, " %s", t->images == 1 ? "" : i ? "Second film: " : "First film: ");
        if (q[RIM] > 0) {
            finding_number(c, i, SIZE.name, "%.1f", q[RIM], "cm");
            finding_word(c, i, "pneumothorax on the patient's", side_word(q));
            buf_printf(&b, "There is a pneumothorax on the patient's %s; its rim at the hilum is %.1f cm wide.",
                       side_word(q), q[RIM]);
        } else {
            finding_word(c, i, "air beside the lung", "none");
            buf_str(&b, "Both lungs reach the chest wall; there is no pneumothorax.");
        }
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static void add_sight(Case *c, Thought *h, const double *q)
{
    if (size_of(q) == NONE) thought_step(h, "No pleural line is seen; the vessels reach out on both sides.");
    else
        thought_step(h,
                     case_say(c,
                              "A pleural line is seen at the %s edge of the film, which is the patient's %s, with no "
                              "vessels beyond it.",
                              q[SIDE] > 0 ? "right" : "left", side_word(q)));
}

static void add_size(Case *c, Thought *h, const double *q)
{
    if (size_of(q) != NONE)
        thought_step(h, case_say(c, "The rim of air at the hilum is %.1f cm, %s 2.0: %s.", q[RIM],
                                 size_of(q) == LARGE ? "above" : "below", SIZE.label[size_of(q)]));
}

static const char *say_check(Case *c, const double *q)
{
    if (size_of(q) == NONE) return "Both lungs were followed from top to bottom; no line was missed.";
    double off = q[RIM] > 2 ? q[RIM] - 2 : 2 - q[RIM];
    return case_say(c,
                    "The R marks the patient's right, and %.1f is %.1f away from 2.0; a small error changes nothing.",
                    q[RIM], off);
}

/* Whether there is any, and where. */
static void think_presence(Case *c, Thought *h, const double *q)
{
    static const char *const NAME[] = {"a pneumothorax on the patient's right", "a pneumothorax on the patient's left",
                                       "no pneumothorax"};
    bool none = size_of(q) == NONE;
    h->rule = "A pneumothorax shows a thin white line at the edge of the lung and no vessels beyond it.";
    h->check = "The R marks the patient's right; a fold of skin would have vessels beyond it.";
    add_sight(c, h, q);
    thought_candidates(h, NAME, 3, none ? 2 : q[SIDE] > 0,
                       none ? "both lungs reach the chest wall" : "the line is there",
                       none ? "no pleural line is seen" : case_say(c, "the pleural line is on the %s", side_word(q)));
}

/* Presence, side and size at once. */
static void think_description(Case *c, Thought *h, const double *q, const Ask *ask, int class)
{
    bool none = size_of(q) == NONE;
    h->rule = SIZE.rule;
    h->check = say_check(c, q);
    add_sight(c, h, q);
    add_size(c, h, q);
    const char *seen = none ? "no pleural line is seen" : case_say(c, "%.1f cm on the %s", q[RIM], side_word(q));
    thought_candidates(h, ask->answer, ask->classes, class, seen, seen);
}

/* Size, and what it means to this patient. */
static void think_drain(Case *c, Thought *h, const Truth *t)
{
    const double *q = t->q[0];
    bool breathless = t->group == BREATHLESS;
    const char *name[] = {[SMALL] = breathless ? "a small pneumothorax, drained because of the breathlessness"
                                               : "a small pneumothorax, observed",
                          [LARGE] = "a large pneumothorax, drained",
                          [NONE] = "no pneumothorax, nothing to drain"};
    h->rule =
        "By BTS 2010 a pneumothorax of 2 cm or more at the hilum, or one with breathlessness, is drained; else it "
        "is observed.";
    h->check = say_check(c, q);
    add_sight(c, h, q);
    add_size(c, h, q);
    thought_step(h, breathless ? "The patient is breathless." : "The patient is not breathless.");
    const char *seen = size_of(q) == NONE ? "no pleural line is seen" : case_say(c, "the rim is %.1f cm", q[RIM]);
    thought_candidates(h, name, 3, size_of(q), seen, seen);
}

static const char *say_conclusion(Case *c, const Truth *t, const Ask *ask, int class)
{
    const double *q = t->q[0];
    if (asks(ask, "drain")) return class ? "Nothing is drained." : "The air should be drained.";
    if (asks(ask, "plan")) return case_say(c, "The plan: %s.", ask->answer[class]);
    if (asks(ask, "two-films")) return case_say(c, "The pneumothorax is large %s.", ask->answer[class]);
    if (size_of(q) == NONE) return "There is no pneumothorax.";
    if (asks(ask, "rim") || asks(ask, "rim-choice")) return case_say(c, "The rim is %.1f cm wide.", q[RIM]);
    if (ask->level == 1) return case_say(c, "There is a pneumothorax on the patient's %s.", side_word(q));
    return case_say(c, "There is %s on the patient's %s.", SIZE.label[size_of(q)], side_word(q));
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const double *q = t->q[0];
    h->conclusion = say_conclusion(c, t, ask, class);
    h->problem = ask->level < 3 ? "the pneumothorax and its size" : "a pneumothorax and what to do about it";
    if (asks(ask, "drain") || asks(ask, "plan")) think_drain(c, h, t);
    else if (asks(ask, "two-films")) {
        cutoffs_think_pair(c, h, &SIZE, (const double[]){q[RIM], t->q[1][RIM]}, ask, class);
    } else if (asks(ask, "rim") || asks(ask, "rim-choice")) {
        h->problem = "the width of the rim of air";
        value_think(c, h, &SIZE, q[RIM],
                    "The rim runs from the chest wall to the edge of the lung at the hilum; the "
                    "scale bar is 5 cm long.");
    } else if (asks(ask, "size-and-side")) think_description(c, h, q, ask, class);
    else if (ask->level == 1) think_presence(c, h, q);
    else {
        cutoffs_think(c, h, &SIZE, q[RIM]);
        thought_step(h, case_say(c, "It lies at the %s edge of the film, the patient's %s.",
                                 q[SIDE] > 0 ? "right" : "left", side_word(q)));
    }
}

const Family FAMILY_PNEUMOTHORAX = {.name = "pneumothorax",
                                    .specialty = "adult medicine",
                                    .picture = "film",
                                    .channels = 1,
                                    .ask = ASK,
                                    .asks = sizeof ASK / sizeof *ASK,
                                    .group = GROUP,
                                    .draw = draw,
                                    .judge = judge,
                                    .render = render,
                                    .describe = describe,
                                    .think = think};
