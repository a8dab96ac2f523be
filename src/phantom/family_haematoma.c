/*
 * haematoma: blood between skull and brain on a head CT, and whether it must be evacuated.
 *
 * A lens is epidural, a crescent subdural.  Evacuate (Bullock et al., Guidelines for the surgical management of
 * traumatic brain injury, Neurosurgery 2006;58(3 Suppl), Brain Trauma Foundation):
 *   acute subdural (S16)  thicker than 10 mm or midline shift above 5 mm: whatever the GCS.  Smaller ones in coma (GCS
 *                         below 9): if the GCS fell by 2 or more since the injury, a pupil is wide and fixed, or the
 *                         pressure in the head exceeds 20 mmHg; otherwise the pressure is monitored
 *   acute epidural (S7)   above 30 cm3: whatever the GCS.  Managed without an operation only if below 30 cm3, thinner
 *                         than 15 mm, shift below 5 mm, GCS above 8 and no focal deficit
 * Two answers are our reading of that: a lens that misses one of the conditions for watching is operated on here,
 * where the guideline only does not offer to watch it; and less than 2 mm between two CTs is no change.
 * Volume = A B C / 2: the greatest length on the slice, the thickness across it, and the height over all slices
 * (Kothari et al., Stroke 1996;27:1304; its variants on epidural haematomas: PeerJ 2016, doi 10.7717/peerj.1921).
 * The height is told on the picture: H 45 MM.
 */
#include "phantom/deterministic.h"
#include "phantom/families.h"
#include "phantom/head_ct.h"

#include <string.h>

enum { RIGHT, LENS, THICK, SHIFT, LENGTH, HEIGHT, VOLUME, HEAD }; /* quantities; HEAD: which anatomy */
enum { ALERT, COMA, FALLEN };                                     /* groups */
#define ALL (1u << ALERT | 1u << COMA | 1u << FALLEN)
enum { OVER_THICK = 1, OVER_SHIFT = 2 };

/* Limits on mm, of a crescent and of a lens. */
static const Cutoffs THICKNESS[] = {{.name = "thickness",
                                     .unit = "mm",
                                     .format = "%.0f",
                                     .step = 1,
                                     .lo = 4,
                                     .hi = 22,
                                     .margin = 2,
                                     .error = 1,
                                     .n = 1,
                                     .limit = {10},
                                     .label = {"within the limit", "too thick"}},
                                    {.name = "thickness",
                                     .unit = "mm",
                                     .format = "%.0f",
                                     .step = 1,
                                     .lo = 6,
                                     .hi = 26,
                                     .margin = 2,
                                     .error = 1,
                                     .n = 1,
                                     .limit = {15},
                                     .label = {"within the limit", "too thick"}}};
static const Cutoffs SHIFTED = {.name = "midline shift",
                                .unit = "mm",
                                .format = "%.0f",
                                .step = 1,
                                .lo = 0,
                                .hi = 14,
                                .margin = 2,
                                .error = 1,
                                .n = 1,
                                .limit = {5},
                                .label = {"within the limit", "too much"}};
static const Cutoffs CONTENT = {.name = "volume",
                                .unit = "cm3",
                                .format = "%.0f",
                                .step = 1,
                                .lo = 6,
                                .hi = 72,
                                .margin = 7,
                                .error = 3,
                                .n = 1,
                                .limit = {30},
                                .label = {"a haematoma that may be watched by its volume", "a haematoma to evacuate"},
                                .rule = "An epidural haematoma above 30 cm3 is evacuated whatever the GCS; its volume "
                                        "is length x thickness x height / 2."};
#define SUBDURAL_RULE                                                                                                  \
    "A crescent is subdural: it is evacuated if thicker than 10 mm or with a midline shift above 5 mm, whatever the "  \
    "GCS."

#define ADULTS .male = "man", .female = "woman", .youngest = 18, .oldest = 79, .age_unit = "year"
static const Group GROUP[] = {
    [ALERT] = {.name = "awake",
               ADULTS,
               .complaint = {"a fall down the stairs, GCS 15 ever since", "a blow to the head, GCS 14 since then",
                             "a bicycle accident, GCS 15 and no deficit", "a fall from a ladder, GCS 14 and steady",
                             "a kick by a horse, GCS 15 all the time", "a road accident, GCS 15, pupils equal",
                             "a fall on ice, GCS 14 and talking"},
               .fact = {"The blood pressure is normal.", "The pupils are equal.", "Moves all limbs.",
                        "There is a graze on the scalp.", "Takes no blood thinners.", "Was sick once.",
                        "The neck is not tender.", "Clotting is normal."}},
    [COMA] = {.name = "in coma, stable",
              ADULTS,
              .complaint = {"a road accident, GCS 7 at the scene and now, pupils equal, pressure in the head 12 mmHg",
                            "a fall from a roof, GCS 6 then and now, pupils equal, pressure in the head 10 mmHg",
                            "a motorcycle accident, GCS 8 throughout, pupils equal, pressure in the head 14 mmHg",
                            "a fall down the stairs, GCS still 7, pupils equal, pressure in the head 11 mmHg"},
              .fact = {"The blood pressure is normal.", "Is ventilated.", "There is a graze on the scalp.",
                       "Takes no blood thinners.", "Oxygen is well.", "The neck is in a collar.",
                       "Clotting is normal."}},
    [FALLEN] = {.name = "in coma, getting worse",
                ADULTS,
                .complaint = {"a road accident, GCS 12 at the scene and 7 now", "a fall from a roof, GCS 13 and then 6",
                              "a motorcycle accident, GCS fallen from 11 to 7", "a fall down the stairs, GCS 14, now 8",
                              "a blow to the head, GCS 12 on the way and 6 now"},
                .fact = {"The blood pressure is raised.", "Is ventilated.", "There is a graze on the scalp.",
                         "Takes no blood thinners.", "Oxygen is well.", "The neck is in a collar.",
                         "Clotting is normal."}},
};

#define LEFT_EDGE "The patient's right is at the left edge of the picture. "
#define THICK_PHRASES                                                                                                  \
    .phrase = {"How thick is the haematoma, in mm?", "What is the greatest thickness of the haematoma in mm?",         \
               "Measure the thickness of the haematoma in mm."}
#define REASON_PHRASES                                                                                                 \
    .phrase = {"What calls for evacuation in this patient?", "Why is this haematoma to be evacuated, if at all?"}
#define WATCH     "nothing does: watch and repeat the CT"
#define GCS_ALONE "the fall of the GCS alone"
#define REASONS(first, other)                                                                                          \
    .answer = {first, "the thickness, whatever the GCS", "the midline shift, whatever the GCS",                        \
               "thickness and midline shift, whatever the GCS"},                                                       \
    .extra = {other}

static const Ask ASK[] = {
    {.name = "side",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = ALL,
     .classes = 2,
     .answer = {"left", "right"},
     .phrase = {LEFT_EDGE "On which side of the patient is the haematoma?",
                LEFT_EDGE "Is the haematoma on the patient's left or right?"}},
    {.name = "shape",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = ALL,
     .classes = 2,
     .answer = {"crescent", "lens"},
     .phrase = {"What is the shape of the haematoma, lens or crescent?", "Is the haematoma a crescent or a lens?"}},
    {.name = "thickness",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = ALL,
     .classes = 6,
     .quantity = THICK,
     .format = "%.0f",
     .tolerance = 2,
     THICK_PHRASES},
    {.name = "thickness-choice",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = ALL,
     .classes = 6,
     .quantity = THICK,
     .format = "%.0f",
     .step = 4,
     THICK_PHRASES},
    {.name = "shift",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = ALL,
     .classes = 5,
     .quantity = SHIFT,
     .format = "%.0f",
     .tolerance = 2,
     .phrase = {"By how many mm is the midline shifted?", "What is the midline shift in mm?",
                "Measure the shift of the midline in mm."}},
    {.name = "space",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = ALL,
     .classes = 4,
     .answer = {"subdural, on the patient's left", "epidural, on the patient's left",
                "subdural, on the patient's right", "epidural, on the patient's right"},
     .phrase = {LEFT_EDGE "Which describes the haematoma?", LEFT_EDGE "What kind of haematoma is it, and where?"}},
    {.name = "evacuate",
     .level = 2,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = ALL,
     .classes = 2,
     .phrase = {"Must the haematoma be evacuated by this CT alone, whatever the GCS?",
                "Does the CT alone call for evacuation, whatever the GCS?"}},
    {.name = "watch",
     .level = 3,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = 1u << ALERT | 1u << COMA,
     .classes = 2,
     .phrase = {"Can this patient be managed without an operation for now?",
                "May one wait and watch here, without an operation?"}},
    {.name = "reason-awake",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << ALERT,
     .classes = 4,
     REASONS(WATCH, GCS_ALONE),
     REASON_PHRASES},
    {.name = "reason-fallen",
     .level = 3,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << FALLEN,
     .classes = 4,
     REASONS(GCS_ALONE, WATCH),
     REASON_PHRASES},
    {.name = "volume",
     .level = 4,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = ALL,
     .classes = 5,
     .quantity = VOLUME,
     .format = "%.0f",
     .tolerance = 6,
     .phrase = {"H is the height of the haematoma over all slices. What is its volume in cm3, by A B C / 2?",
                "Estimate the volume of the haematoma in cm3; its height over all slices is given as H."}},
    {.name = "volume-limit",
     .level = 4,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = ALL,
     .classes = 2,
     .phrase = {"H is the height of the haematoma over all slices. Must it be evacuated by its volume?",
                "By volume, must this haematoma be evacuated? Its height over all slices is given as H."}},
    {.name = "growth",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = 1u << ALERT,
     .classes = 4,
     .answer = {"it has grown and must now be evacuated", "it has grown but stays within the limits",
                "it has not changed", "it has become smaller"},
     .phrase = {"There are two CTs of this patient, six hours apart. What has become of the haematoma?",
                "Compare the two CTs, taken six hours apart. How has the haematoma changed?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

static int over_limits(const double *q)
{
    return (cutoffs_class(&THICKNESS[q[LENS] > 0], q[THICK]) ? OVER_THICK : 0) |
           (cutoffs_class(&SHIFTED, q[SHIFT]) ? OVER_SHIFT : 0);
}

/* Length and height of a lens of known thickness.  Longer ones would be so curved as to have no bulge: the hollow of
   the skull behind a chord A is about A^2 / 8 R, R at least 60 mm; 2 mm of bulge stay. */
static void draw_extent(double *q, Rng *rng)
{
    double most = 480 * (q[THICK] - 2), longest = 28, shortest = 2.2 * q[THICK] > 28 ? 2.2 * q[THICK] : 28;
    while (longest < 90 && (longest + 1) * (longest + 1) < most) longest++;
    q[LENGTH] = round_to(draw_between(rng, shortest, longest > shortest ? longest : shortest + 1), 1);
    q[HEIGHT] = 20 + 5 * (double)rng_below(rng, 12);
    q[VOLUME] = round_to(q[LENGTH] * q[THICK] * q[HEIGHT] / 2000, 1);
}

static void draw_crescent(double *q, int over, Rng *rng)
{
    q[LENS] = q[LENGTH] = q[VOLUME] = 0;
    q[THICK] = cutoffs_draw(&THICKNESS[0], over & OVER_THICK ? 1 : 0, rng);
    q[SHIFT] = cutoffs_draw(&SHIFTED, over & OVER_SHIFT ? 1 : 0, rng);
    q[HEIGHT] = 60 + 5 * (double)rng_below(rng, 9);
}

/* A lens with or without a reason to operate on an awake patient, clear of every limit. */
static void draw_lens(double *q, bool operate, Rng *rng)
{
    int over = operate ? 1 + (int)rng_below(rng, 3) : 0;
    q[LENS] = 1;
    q[THICK] = cutoffs_draw(&THICKNESS[1], over & OVER_THICK ? 1 : 0, rng);
    q[SHIFT] = cutoffs_draw(&SHIFTED, over & OVER_SHIFT ? 1 : 0, rng);
    double off;
    do {
        draw_extent(q, rng);
        off = q[VOLUME] - CONTENT.limit[0];
    } while (off > -CONTENT.margin && (off < CONTENT.margin || !(over & OVER_THICK)));
}

/* A lens whose volume lies between lo and hi. */
static void draw_content(double *q, double lo, double hi, Rng *rng)
{
    q[LENS] = 1;
    q[SHIFT] = cutoffs_draw(&SHIFTED, (int)rng_below(rng, 2), rng);
    do {
        q[THICK] = cutoffs_draw(&THICKNESS[1], (int)rng_below(rng, 2), rng);
        draw_extent(q, rng);
    } while (q[VOLUME] < lo || q[VOLUME] > hi);
}

/* Any haematoma; what is asked for is set afterwards. */
static void draw_any(double *q, Rng *rng)
{
    int over = (int)rng_below(rng, 4);
    if (rng_below(rng, 2)) draw_lens(q, over > 0, rng);
    else draw_crescent(q, over, rng);
}

static void draw_growth(Truth *t, int class, Rng *rng)
{
    double *first = t->q[0], *second = t->q[1];
    draw_crescent(first, 0, rng);
    memcpy(second, first, sizeof t->q[0]);
    if (class == 0) draw_crescent(second, rng_below(rng, 2) ? OVER_THICK : OVER_THICK | OVER_SHIFT, rng);
    if (class == 1) first[THICK] = 4, second[THICK] = 8;
    if (class == 3) first[THICK] = 8, second[THICK] = 4;
}

/* The answer no at level 3: an awake patient has a large one, a comatose one any lens or a large crescent. */
static void draw_watch(Truth *t, bool operate, Rng *rng)
{
    double *q = t->q[0];
    int over = operate ? 1 + (int)rng_below(rng, 3) : 0;
    bool lens = rng_below(rng, 2);
    if (t->group == COMA && lens && operate) draw_lens(q, rng_below(rng, 3) == 0, rng);
    else if (t->group == ALERT && lens) draw_lens(q, operate, rng);
    else draw_crescent(q, over, rng);
}

static void draw_measured(double *q, const Ask *ask, int class, Rng *rng)
{
    draw_any(q, rng);
    if (asks(ask, "shift")) q[SHIFT] = cutoffs_draw_bin(&SHIFTED, class, ask->classes, rng);
    else {
        q[THICK] = cutoffs_draw_bin(&THICKNESS[q[LENS] > 0], class, ask->classes, rng);
        if (q[LENS] > 0) draw_extent(q, rng);
    }
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    double *q = t->q[0], head = (double)rng_u32(rng), side = (double)rng_below(rng, 2);
    double part = (CONTENT.hi - CONTENT.lo) / 5;
    if (asks(ask, "side")) draw_any(q, rng), side = (double)class;
    else if (asks(ask, "shape") || asks(ask, "space")) {
        int over = (int)rng_below(rng, 4);
        if (class & 1) draw_lens(q, over > 0, rng);
        else draw_crescent(q, over, rng);
        if (asks(ask, "space")) side = class >= 2;
    } else if (asks(ask, "evacuate")) draw_crescent(q, class ? 0 : 1 + (int)rng_below(rng, 3), rng);
    else if (asks(ask, "watch")) draw_watch(t, class == 1, rng);
    else if (ask->level == 3) draw_crescent(q, class, rng);
    else if (asks(ask, "volume"))
        draw_content(q, CONTENT.lo + part * (double)class, CONTENT.lo + part * (double)(class + 1), rng);
    else if (asks(ask, "volume-limit"))
        draw_content(q, class ? CONTENT.lo : CONTENT.limit[0] + CONTENT.margin,
                     class ? CONTENT.limit[0] - CONTENT.margin : CONTENT.hi, rng);
    else if (asks(ask, "growth")) draw_growth(t, class, rng);
    else draw_measured(q, ask, class, rng);
    for (int i = 0; i < t->images; i++) t->q[i][HEAD] = head, t->q[i][RIGHT] = side;
}

/* Why an operation is needed: by size, or for a lens because of the GCS. */
static bool needs_operation(const double *q, int group)
{
    bool large = over_limits(q) || (q[LENS] > 0 && cutoffs_class(&CONTENT, q[VOLUME]));
    return large || group == FALLEN || (q[LENS] > 0 && group == COMA);
}

static int judge_growth(const Truth *t)
{
    double more = t->q[1][THICK] - t->q[0][THICK];
    if (more < 2 && more > -2) return 2;
    if (more < 0) return 3;
    return over_limits(t->q[1]) ? 0 : 1;
}

static int judge(const Truth *t, const Ask *ask)
{
    const double *q = t->q[0];
    int lens = q[LENS] > 0, right = q[RIGHT] > 0;
    if (asks(ask, "side")) return right;
    if (asks(ask, "shape")) return lens;
    if (asks(ask, "space")) return lens + 2 * right;
    if (asks(ask, "evacuate")) return !over_limits(q);
    if (asks(ask, "watch")) return needs_operation(q, t->group);
    if (asks(ask, "volume-limit")) return !cutoffs_class(&CONTENT, q[VOLUME]);
    return asks(ask, "growth") ? judge_growth(t) : over_limits(q);
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    const double *q = t->q[image];
    Rng anatomy = rng_at((uint64_t)q[HEAD], RNG_PHANTOM, 0, 0, 0);
    HeadCt h = head_ct_draw(&anatomy);
    h.shift = q[SHIFT];
    h.height = q[HEIGHT];
    h.clot.thick = q[THICK], h.clot.length = q[LENGTH];
    h.clot.lens = q[LENS] > 0, h.clot.right = q[RIGHT] > 0;
    head_ct_render(c, &h, s, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static const char *side_of(const double *q)
{
    return q[RIGHT] > 0 ? "right" : "left";
}

static void describe_one(Case *c, Buf *b, const double *q, int i)
{
    const char *shape = q[LENS] > 0 ? "lens" : "crescent";
    finding_word(c, i, "side", side_of(q));
    finding_word(c, i, "shape", shape);
    finding_number(c, i, "thickness", "%.0f", q[THICK], "mm");
    finding_number(c, i, "midline shift", "%.0f", q[SHIFT], "mm");
    if (q[LENS] > 0) finding_number(c, i, "length", "%.0f", q[LENGTH], "mm");
    finding_number(c, i, "height", "%.0f", q[HEIGHT], "mm");
    buf_printf(b, " %s the patient's %s lies blood in the shape of a %s, %.0f mm thick", i ? "Second CT: on" : "On",
               side_of(q), shape, q[THICK]);
    if (q[LENS] > 0) buf_printf(b, " and %.0f mm long", q[LENGTH]);
    if (q[SHIFT] > 0) buf_printf(b, "; the midline is shifted by %.0f mm.", q[SHIFT]);
    else buf_str(b, "; the midline is not shifted.");
}

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"An axial CT of the head.", "A head CT at the level of the frontal horns.",
                                       "A slice of a head CT, brain window.", NULL};
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two axial CTs of the head." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) describe_one(c, &b, t->q[i], i);
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static void think_place(Case *c, Thought *h, const double *q, const Ask *ask, int class)
{
    static const char *const SIDE[] = {"on the patient's left", "on the patient's right"};
    static const char *const SHAPE[] = {"a crescent", "a lens"};
    const char *edge = q[RIGHT] > 0 ? "left" : "right", *bulge;
    bool lens = q[LENS] > 0;
    bulge = lens ? "its inner border bulges towards the brain" : "its inner border follows the brain's surface";
    h->problem = "where the haematoma lies and what shape it has";
    if (!asks(ask, "shape"))
        thought_step(h, case_say(c, "The bright rim is at the %s edge, which is the patient's %s.", edge, side_of(q)));
    if (!asks(ask, "side")) thought_step(h, case_say(c, "It is %s: %s.", SHAPE[lens], bulge));
    if (asks(ask, "space")) {
        h->rule = "A lens is epidural, a crescent subdural; the patient's right is at the left edge of the picture.";
        thought_candidates(h, ask->answer, 4, class, "side and shape agree with it", "side or shape tells against it");
        h->check = "The R marks the patient's right, and the inner border was followed from end to end.";
        h->conclusion = case_say(c, "The haematoma is %s.", ask->answer[class]);
    } else if (asks(ask, "side")) {
        h->rule = "The patient's right is at the left edge of the picture.";
        thought_candidates(h, SIDE, 2, class, case_say(c, "the blood lies at the %s edge", edge),
                           "no blood lies there");
        h->check = "The R marks the patient's right.";
        h->conclusion = case_say(c, "The haematoma is on the patient's %s.", ask->answer[class]);
    } else {
        h->rule = "A lens bulges towards the brain between its ends; a crescent follows the brain's surface.";
        thought_candidates(h, SHAPE, 2, class, bulge, case_say(c, "%s", bulge));
        h->check = "The inner border was followed from end to end.";
        h->conclusion = case_say(c, "The haematoma is a %s.", ask->answer[class]);
    }
}

static const char *compare(Case *c, const Cutoffs *k, double value)
{
    bool over = cutoffs_class(k, value);
    return case_say(c, "The %s is %.0f mm, %s %.0f mm.", k->name, value, over ? "above" : "not above", k->limit[0]);
}

static void add_limits(Case *c, Thought *h, const double *q)
{
    thought_step(h, q[LENS] > 0 ? "The haematoma is a lens: epidural." : "The haematoma is a crescent: subdural.");
    thought_step(h, compare(c, &THICKNESS[q[LENS] > 0], q[THICK]));
    thought_step(h, compare(c, &SHIFTED, q[SHIFT]));
}

static void add_content(Case *c, Thought *h, const double *q)
{
    thought_step(h, case_say(c, "The volume is %.0f x %.0f x %.0f / 2 mm3, about %.0f cm3, %s 30.", q[LENGTH], q[THICK],
                             q[HEIGHT], q[VOLUME], q[VOLUME] > CONTENT.limit[0] ? "above" : "not above"));
}

static void think_limits(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    static const char *const WHICH[] = {"no limit is passed", "only the thickness is too much",
                                        "only the shift is too much", "thickness and shift are too much"};
    const double *q = t->q[0];
    int over = over_limits(q);
    add_limits(c, h, q);
    h->check = "Neither thickness nor shift is within 1 mm of its limit.";
    if (ask->kind == ASK_YESNO) {
        h->rule = SUBDURAL_RULE;
        thought_candidates(h, WHICH, 4, over, "both measures agree with it", "a measure tells against it");
        h->conclusion = over ? "The CT alone calls for evacuation." : "The CT alone does not call for evacuation.";
        return;
    }
    h->rule = SUBDURAL_RULE " A smaller one is evacuated in coma if the GCS fell by 2 or more, and else watched.";
    thought_step(h, t->group == ALERT ? "The patient is awake and steady."
                                      : "The patient is in coma and the GCS fell by more than 2.");
    const char *names[] = {ask->answer[0], ask->answer[1], ask->answer[2], ask->answer[3], ask->extra[0]};
    thought_candidates(h, names, 5, class, "measures and GCS agree with it", "a measure or the GCS tells against it");
    h->conclusion = case_say(c, "What calls for evacuation: %s.", ask->answer[class]);
}

static void think_watch(Case *c, Thought *h, const Truth *t, int class)
{
    static const char *const NAME[] = {"waiting without an operation", "an operation for the size",
                                       "an operation because a lens in coma is not watched"};
    const double *q = t->q[0];
    bool lens = q[LENS] > 0, large = needs_operation(q, ALERT);
    h->rule = lens ? "A lens is epidural: it is watched only if below 30 cm3, thinner than 15 mm, with a shift below 5 "
                     "mm and a GCS above 8."
                   : SUBDURAL_RULE " A smaller one in coma is watched with the pressure monitored, unless the GCS "
                                   "falls, a pupil widens or the pressure exceeds 20 mmHg.";
    add_limits(c, h, q);
    if (lens) add_content(c, h, q);
    thought_step(h, t->group == ALERT ? "The GCS is above 8."
                                      : "The GCS is below 9 but steady, pupils are equal, the pressure is below 20.");
    thought_candidates(h, NAME, 3,
                       large   ? 1
                       : class ? 2
                               : 0,
                       "shape, size and GCS agree with it", "the rule leads elsewhere");
    h->check = "No measure is close to its limit.";
    h->conclusion = class ? "This patient needs an operation." : "This patient can be watched for now.";
}

static void think_volume(Case *c, Thought *h, const double *q, const Ask *ask, int class)
{
    add_content(c, h, q);
    if (ask->kind == ASK_NUMBER) {
        value_think(c, h, &CONTENT, q[VOLUME], "The volume is length x thickness x height / 2, all in cm.");
        h->conclusion = case_say(c, "The haematoma has about %.0f cm3.", q[VOLUME]);
    } else {
        cutoffs_think(c, h, &CONTENT, q[VOLUME]);
        h->conclusion = class ? "Its volume does not call for evacuation." : "By its volume it must be evacuated.";
    }
}

static void think_growth(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const double *a = t->q[0], *b = t->q[1];
    h->problem = "how the haematoma changed";
    h->rule = SUBDURAL_RULE " Less than 2 mm of difference is no change.";
    thought_step(h, case_say(c, "On the first CT it is %.0f mm thick with a shift of %.0f mm.", a[THICK], a[SHIFT]));
    thought_step(h, case_say(c, "On the second CT it is %.0f mm thick with a shift of %.0f mm.", b[THICK], b[SHIFT]));
    thought_step(h, over_limits(b) ? "The second is beyond the limits of 10 and 5 mm."
                                   : "The second is within the limits of 10 and 5 mm.");
    thought_candidates(h, ask->answer, 4, class, "both CTs agree with it",
                       "the thickness on the two CTs tells against it");
    h->check = "Both CTs were measured at the thickest place.";
    h->conclusion = case_say(c, "Between the CTs: %s.", ask->answer[class]);
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const double *q = t->q[0];
    h->problem = "whether the haematoma must be evacuated";
    if (asks(ask, "side") || asks(ask, "shape") || asks(ask, "space")) think_place(c, h, q, ask, class);
    else if (asks(ask, "shift")) {
        h->problem = "the shift of the midline";
        value_think(c, h, &SHIFTED, q[SHIFT],
                    "The midline shift is the distance of the septum between the frontal horns from the middle.");
        h->conclusion = case_say(c, "The midline is shifted by %.0f mm.", q[SHIFT]);
    } else if (ask->level == 1) {
        h->problem = "the thickness of the haematoma";
        value_think(c, h, &THICKNESS[0], q[THICK],
                    "The thickness is measured from the skull to the brain where it is greatest; the bar is 5 cm.");
        h->conclusion = case_say(c, "The haematoma is %.0f mm thick.", q[THICK]);
    } else if (asks(ask, "watch")) think_watch(c, h, t, class);
    else if (asks(ask, "growth")) think_growth(c, h, t, ask, class);
    else if (ask->level == 4) think_volume(c, h, q, ask, class);
    else think_limits(c, h, t, ask, class);
}

const Family FAMILY_HAEMATOMA = {.name = "haematoma",
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
