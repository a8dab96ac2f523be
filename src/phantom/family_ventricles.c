/*
 * ventricles: the size of the ventricles on a head CT.
 *
 * Evans index = greatest width of the frontal horns / greatest inner diameter of the skull on the same slice; above
 * 0.30 the ventricles are enlarged (Evans, Arch Neurol Psychiatry 1942;47:931; a review: doi
 * 10.3389/fnagi.2021.783092). One limit for all ages is the custom: in one series normal ageing stays below it
 * (Missori et al., doi 10.18632/oncotarget.7644), in another healthy people of seventy had 0.281 +- 0.027 (Ambarki et
 * al., Neurosurgery 2010;67:94), and other limits for the old have been proposed (Brix et al., doi
 * 10.1016/j.ejrad.2017.07.013).
 *
 * What enlarged ventricles mean depends on the patient (Relkin et al., Diagnosing idiopathic normal-pressure
 * hydrocephalus, Neurosurgery 2005;57(3 Suppl):S4; the criteria also in PMC9096647, table 1): idiopathic
 * normal-pressure hydrocephalus is likely where the index is above 0.30, the enlargement is not due to loss of brain
 * tissue (wide sulci here), the patient is above 40, the gait has worsened slowly for at least 3 months together with
 * memory or bladder, and no earlier disease explains it (meningitis, bleeding, head injury: secondary hydrocephalus).
 */
#include "phantom/deterministic.h"
#include "phantom/families.h"
#include "phantom/head_ct.h"

#include <string.h>

enum { EVANS, HORNS, SKULL, WIDE_SULCI, HEAD }; /* quantities; HEAD: which anatomy */
enum { SIGNS, OTHER, EARLIER };                 /* groups */
#define ALL (1u << SIGNS | 1u << OTHER | 1u << EARLIER)

static const Cutoffs SIZE = {.name = "Evans index",
                             .unit = "",
                             .format = "%.2f",
                             .step = 0.01,
                             .lo = 0.20,
                             .hi = 0.44,
                             .margin = 0.02,
                             .error = 0.01,
                             .n = 1,
                             .limit = {0.30},
                             .label = {"ventricles of normal size", "enlarged ventricles"},
                             .rule = "An Evans index above 0.30 means enlarged ventricles."};

static const Group GROUP[] = {
    [SIGNS] = {.name = "gait, memory and bladder",
               .male = "man",
               .female = "woman",
               .youngest = 60,
               .oldest = 86,
               .age_unit = "year",
               .complaint = {"a shuffling gait and poor memory for a year",
                             "a gait of small steps and loss of urine for eight months",
                             "slow walking, forgetfulness and loss of urine for two years",
                             "feet that stick to the floor and slow thinking for a year",
                             "a gait that slowly got worse and urgency for nine months",
                             "unsteady turns, poor memory and urgency for half a year"},
               .fact = {"There was no head injury.", "There was never meningitis.", "There is no fever.",
                        "The blood pressure is treated.", "The hands do not shake.", "There is no headache.",
                        "Muscle strength is normal.", "Takes one tablet a day."}},
    [OTHER] = {.name = "no such signs",
               .male = "man",
               .female = "woman",
               .youngest = 42,
               .oldest = 86,
               .age_unit = "year",
               .complaint = {"headache for a week", "a first seizure", "a short spell of double vision",
                             "dizziness on standing up", "ringing in one ear", "loss of smell",
                             "a fall on ice without loss of consciousness"},
               .fact = {"Walks as ever.", "Memory is good.", "Holds urine without trouble.", "There is no fever.",
                        "The blood pressure is treated.", "There was never meningitis.", "Muscle strength is normal.",
                        "Takes one tablet a day."}},
    [EARLIER] = {.name = "an earlier disease",
                 .male = "man",
                 .female = "woman",
                 .youngest = 42,
                 .oldest = 80,
                 .age_unit = "year",
                 .complaint = {"a slow gait and poor memory since meningitis last year",
                               "small steps and loss of urine since a bleed around the brain",
                               "unsteady walking and slow thinking since a severe head injury",
                               "a shuffling gait and urgency after bacterial meningitis",
                               "poor memory and falls half a year after a burst aneurysm"},
                 .fact = {"There is no fever now.", "The blood pressure is treated.", "Muscle strength is normal.",
                          "There is no headache.", "Was in hospital for weeks then.", "Takes one tablet a day.",
                          "The hands do not shake."}},
};

#define EVANS_PHRASES                                                                                                  \
    .phrase = {"What is the Evans index?", "How large is the Evans index on this CT?",                                 \
               "Measure the Evans index: frontal horns over inner skull."}
#define PATTERN_PHRASES                                                                                                \
    .phrase = {"What fits picture and patient best?", "How do you explain the ventricles of this patient?"}
#define IDIOPATHIC  "idiopathic normal-pressure hydrocephalus"
#define SECONDARY   "hydrocephalus after an earlier disease"
#define SYMPTOMLESS "large ventricles without signs of hydrocephalus"
#define TISSUE      "enlargement from loss of brain tissue"
#define NORMAL      "ventricles of normal size"

static const Ask ASK[] = {
    {.name = "index",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = ALL,
     .classes = 6,
     .quantity = EVANS,
     .format = "%.2f",
     .tolerance = 0.03,
     EVANS_PHRASES},
    {.name = "index-choice",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = ALL,
     .classes = 6,
     .quantity = EVANS,
     .format = "%.2f",
     .step = 0.06,
     EVANS_PHRASES},
    {.name = "sulci",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = ALL,
     .classes = 2,
     .answer = {"narrow", "wide"},
     .phrase = {"Are the sulci narrow or wide?", "How are the furrows of the brain, narrow or wide?"}},
    {.name = "enlarged",
     .level = 2,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = ALL,
     .classes = 2,
     .phrase = {"Are the ventricles enlarged?", "Does the CT show enlarged ventricles?",
                "Is the Evans index abnormal?"}},
    {.name = "size-and-sulci",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = ALL,
     .classes = 4,
     .answer = {"ventricles of normal size, narrow sulci", "enlarged ventricles, narrow sulci",
                "ventricles of normal size, wide sulci", "enlarged ventricles, wide sulci"},
     .phrase = {"Which describes the CT?", "Choose the right description of the CT."}},
    {.name = "pattern-signs",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << SIGNS,
     .classes = 3,
     .answer = {IDIOPATHIC, TISSUE, NORMAL},
     .extra = {SECONDARY, SYMPTOMLESS},
     PATTERN_PHRASES},
    {.name = "pattern-other",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << OTHER,
     .classes = 3,
     .answer = {SYMPTOMLESS, TISSUE, NORMAL},
     .extra = {IDIOPATHIC, SECONDARY},
     PATTERN_PHRASES},
    {.name = "pattern-earlier",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << EARLIER,
     .classes = 3,
     .answer = {SECONDARY, TISSUE, NORMAL},
     .extra = {IDIOPATHIC, SYMPTOMLESS},
     PATTERN_PHRASES},
    {.name = "two-slices",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = ALL,
     .classes = 4,
     .answer = {"on neither CT", "on the first CT only", "on the second CT only", "on both CTs"},
     .phrase = {"There are two CTs of this patient, a year apart. On which are the ventricles enlarged?",
                "Compare the two CTs, taken a year apart: where are the ventricles enlarged?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

/* The horns in whole mm: over a skull of more than 100 mm they give back the index, which has two decimals. */
static void set_index(double *q, double index)
{
    q[EVANS] = index;
    q[HORNS] = round_to(index * q[SKULL], 1);
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    double skull = 124 + (double)rng_below(rng, 17), head = (double)rng_u32(rng);
    bool wide = rng_below(rng, 2), free = asks(ask, "sulci");
    if (free) wide = class == 1;
    if (asks(ask, "size-and-sulci")) wide = class >= 2;
    if (ask->level == 3 && class < 2) wide = class == 1;
    for (int i = 0; i < t->images; i++) {
        double *q = t->q[i];
        bool large = rng_below(rng, 2);
        q[SKULL] = skull, q[HEAD] = head, q[WIDE_SULCI] = wide;
        if (ask->kind == ASK_YESNO) large = class == 0;
        if (asks(ask, "size-and-sulci")) large = class & 1;
        if (ask->level == 3) large = class < 2;
        if (ask->images == 2) large = class >> i & 1;
        if (asks(ask, "index") || asks(ask, "index-choice"))
            set_index(q, cutoffs_draw_bin(&SIZE, class, ask->classes, rng));
        else set_index(q, cutoffs_draw(&SIZE, large, rng));
    }
}

static int judge(const Truth *t, const Ask *ask)
{
    int large = cutoffs_class(&SIZE, t->q[0][EVANS]), wide = t->q[0][WIDE_SULCI] > 0;
    if (asks(ask, "sulci")) return wide;
    if (asks(ask, "size-and-sulci")) return large + 2 * wide;
    if (ask->images == 2) return large + 2 * cutoffs_class(&SIZE, t->q[1][EVANS]);
    if (ask->level == 3) return large ? wide : 2;
    return 1 - large;
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    const double *q = t->q[image];
    Rng anatomy = rng_at((uint64_t)q[HEAD], RNG_PHANTOM, 0, 0, 0);
    HeadCt h = head_ct_draw(&anatomy);
    double part = draw_between(rng, 0, 0.15);
    head_ct_widen(&h, q[SKULL]);
    h.horns = q[HORNS];
    h.sulci = q[WIDE_SULCI] > 0 ? 1 - part : part;
    head_ct_render(c, &h, s, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"An axial CT of the head.", "A head CT at the level of the frontal horns.",
                                       "A slice of a head CT, brain window.", NULL};
    static const char *const WHICH[] = {"First CT: the", "Second CT: the"};
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two axial CTs of the head." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        const double *q = t->q[i];
        const char *sulci = q[WIDE_SULCI] > 0 ? "wide" : "narrow";
        finding_number(c, i, "Evans index", "%.2f", q[EVANS], "");
        finding_number(c, i, "frontal horns", "%.0f", q[HORNS], "mm");
        finding_number(c, i, "inner skull", "%.0f", q[SKULL], "mm");
        finding_word(c, i, "sulci", sulci);
        buf_printf(&b,
                   " %s frontal horns are %.0f mm wide and the skull %.0f mm inside, an Evans index of %.2f; the sulci "
                   "are %s.",
                   t->images == 1 ? "The" : WHICH[i], q[HORNS], q[SKULL], q[EVANS], sulci);
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static void add_index(Case *c, Thought *h, const double *q, const char *where)
{
    thought_step(h, case_say(c, "%s frontal horns are %.0f mm wide and the skull %.0f mm inside: %.0f / %.0f = %.2f.",
                             where, q[HORNS], q[SKULL], q[HORNS], q[SKULL], q[EVANS]));
}

static void add_sulci(Thought *h, bool wide)
{
    thought_step(h, wide ? "The furrows at the surface are broad and dark: wide sulci."
                         : "The furrows at the surface are thin lines: narrow sulci.");
}

static void think_sulci(Thought *h, bool wide)
{
    static const char *const NAME[] = {"narrow sulci", "wide sulci"};
    h->rule = "Wide sulci are dark furrows of several mm; narrow ones are thin lines.";
    h->check = "Both sides of the brain look alike.";
    add_sulci(h, wide);
    thought_candidates(h, NAME, 2, wide, wide ? "the furrows are broad and dark" : "the furrows are thin lines",
                       "the furrows at the surface tell against it");
}

/* Why an explanation falls, given the index, the sulci and the patient. */
static const char *evidence_against(Case *c, const Truth *t, const char *name, bool large, bool wide)
{
    static const char *const PATIENT[] = {[SIGNS] = "gait, memory and bladder have failed slowly without another cause",
                                          [OTHER] = "gait, memory and bladder are not what the patient came for",
                                          [EARLIER] = "the signs began after another disease"};
    double index = t->q[0][EVANS];
    if (!strcmp(name, NORMAL)) return case_say(c, "%.2f is above 0.30", index);
    if (!large) return case_say(c, "%.2f is not above 0.30", index);
    if (!strcmp(name, TISSUE)) return "the sulci are narrow";
    return wide ? "the sulci are wide too" : PATIENT[t->group];
}

/* Level 3: the same picture means another thing in another patient. */
static void think_pattern(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    static const char *const PATIENT[] = {
        [SIGNS] = "The gait got worse slowly, with memory or bladder, and nothing before explains it.",
        [OTHER] = "The patient did not come for gait, memory or bladder.",
        [EARLIER] = "The signs began after meningitis, a bleed or an injury."};
    bool large = t->q[0][EVANS] > SIZE.limit[0], wide = t->q[0][WIDE_SULCI] > 0;
    h->rule = "An Evans index above 0.30 with narrow sulci is " IDIOPATHIC " only where the gait and memory or bladder "
              "got worse slowly without an earlier disease; wide sulci speak for loss of brain tissue.";
    thought_step(h, case_say(c, "%.2f is %s 0.30.", t->q[0][EVANS], large ? "above" : "below"));
    thought_step(h, wide ? "The sulci are wide." : "The sulci are narrow.");
    thought_step(h, PATIENT[t->group]);
    for (int i = 0; i < 5; i++) {
        const char *name = i < 3 ? ask->answer[i] : ask->extra[i - 3];
        bool holds = i == class;
        thought_hypothesis(h, (Hypothesis){.name = name,
                                           .pro = holds ? "index, sulci and story agree with it" : "",
                                           .contra = holds ? "" : evidence_against(c, t, name, large, wide),
                                           .prior = 0.2,
                                           .likelihood = holds ? 0.9 : 0.03,
                                           .holds = holds});
    }
    h->check = case_say(c, "The index is clearly %s 0.30, and the story was read twice.", large ? "above" : "below");
    h->conclusion = case_say(c, "Picture and patient fit %s.", ask->answer[class]);
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const double *q = t->q[0];
    h->problem = ask->level == 1 ? "reading the Evans index" : "the size of the ventricles";
    if (asks(ask, "sulci")) {
        h->problem = "the width of the sulci";
        think_sulci(h, class == 1);
        h->conclusion = case_say(c, "The sulci are %s.", ask->answer[class]);
        return;
    }
    add_index(c, h, q, ask->images == 2 ? "On the first CT the" : "The");
    if (ask->level == 1) {
        value_think(c, h, &SIZE, q[EVANS],
                    "The Evans index is the greatest width of the frontal horns over that of the skull inside.");
        h->conclusion = case_say(c, "The Evans index is %.2f.", q[EVANS]);
    } else if (ask->images == 2) {
        add_index(c, h, t->q[1], "On the second CT the");
        cutoffs_think_pair(c, h, &SIZE, (const double[]){q[EVANS], t->q[1][EVANS]}, ask, class);
        h->conclusion = case_say(c, "The ventricles are enlarged %s.", ask->answer[class]);
    } else if (ask->level == 3) {
        h->problem = "what the ventricles mean in this patient";
        think_pattern(c, h, t, ask, class);
    } else {
        const char *size = SIZE.label[cutoffs_class(&SIZE, q[EVANS])];
        cutoffs_think(c, h, &SIZE, q[EVANS]);
        h->conclusion = case_say(c, "An Evans index of %.2f means %s.", q[EVANS], size);
        if (!asks(ask, "size-and-sulci")) return;
        add_sulci(h, q[WIDE_SULCI] > 0);
        h->hypotheses = 0; /* the four answers instead */
        thought_candidates(h, ask->answer, 4, class, "index and sulci agree with it", "index or sulci tell against it");
        h->conclusion = case_say(c, "%s The sulci are %s.", h->conclusion, q[WIDE_SULCI] > 0 ? "wide" : "narrow");
    }
}

const Family FAMILY_VENTRICLES = {.name = "ventricles",
                                  .specialty = "brain and senses",
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
