/*
 * optic-disc: the cup of the optic nerve's head on a photograph of the fundus.
 *
 * Vertical cup-to-disc ratio = height of the pale cup / height of the disc.  From 0.7 on, or where the two eyes differ
 * by more than 0.2, glaucoma is suspected.  The International Society of Geographical and Epidemiological Ophthalmology
 * takes the 97.5th percentile of healthy eyes for either (Foster et al.: The definition and classification of glaucoma
 * in prevalence surveys, Br J Ophthalmol 2002;86:238), which differs between peoples and ways of measuring: 0.7 and 0.1
 * on photographs, 0.6 and 0.2 at the slit lamp, in a survey of Nigeria (Kyari et al., BMC Ophthalmol 2015;15:176); 0.59
 * to 0.74, growing with the disc, in Blue Mountains (Crowston et al., Br J Ophthalmol 2004;88:766).  0.7 and 0.2 are
 * round numbers within that range; all discs here are of about one size.
 *
 * A right eye's temporal side, to which the great vessels arch, is at the picture's left.
 */
#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <math.h>
#include <string.h>

enum { RATIO, EYE };                  /* quantities */
enum { RIGHT_EYE, LEFT_EYE };         /* EYE */
enum { ALONE, OTHER_030, OTHER_050 }; /* groups: what is known of the other eye */

static const Cutoffs CUP = {.name = "vertical cup-to-disc ratio",
                            .unit = "",
                            .format = "%.2f",
                            .step = 0.01,
                            .lo = 0.30,
                            .hi = 0.88,
                            .margin = 0.06,
                            .error = 0.03,
                            .n = 1,
                            .limit = {0.70},
                            .label = {"a cup of usual size", "a cup that makes glaucoma suspect"},
                            .rule = "A vertical cup-to-disc ratio of 0.7 or more makes glaucoma suspect."};
static const double MOST_APART = 0.20;

/* Of the eye that is not shown. */
static const double OTHER_RATIO[] = {[ALONE] = -1, [OTHER_030] = 0.30, [OTHER_050] = 0.50};

#define PATIENTS                                                                                                       \
    .youngest = 40, .oldest = 84, .age_unit = "year",                                                                  \
    .complaint = {"new glasses",     "a routine eye check",                                                            \
                  "dry eyes",        "a check because glaucoma runs in the family",                                    \
                  "blurred reading", "floating spots",                                                                 \
                  "watering eyes"},                                                                                    \
    .fact = {"Sees well in the distance.", "The pressure in the eye is 19 mmHg.",                                      \
             "There is no pain.",          "Takes tablets for the blood pressure.",                                    \
             "The mother had glaucoma.",   "There is no diabetes.",                                                    \
             "The lens is clear.",         "Has never had an eye operation."}
static const Group GROUP[] = {
    [ALONE] = {.name = "one eye", .male = "man", .female = "woman", PATIENTS},
    [OTHER_030] = {.name = "other eye 0.30",
                   .male = "man (cup-to-disc ratio of the other eye: 0.30)",
                   .female = "woman (cup-to-disc ratio of the other eye: 0.30)",
                   PATIENTS},
    [OTHER_050] = {.name = "other eye 0.50",
                   .male = "man (cup-to-disc ratio of the other eye: 0.50)",
                   .female = "woman (cup-to-disc ratio of the other eye: 0.50)",
                   PATIENTS},
};

#define RATIO_PHRASES                                                                                                  \
    .phrase = {"What is the vertical cup-to-disc ratio?", "Estimate the vertical cup-to-disc ratio.",                  \
               "How high is the cup in proportion to the disc?"}
#define SUSPECT_PHRASES                                                                                                \
    .phrase = {"Is glaucoma suspected in this patient?", "Does the size of the cup make glaucoma suspect?",            \
               "Should this patient be seen as a glaucoma suspect?"}

static const Ask ASK[] = {
    {.name = "ratio",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = 1u << ALONE,
     .classes = 6,
     .quantity = RATIO,
     .format = "%.2f",
     .tolerance = 0.07,
     RATIO_PHRASES},
    {.name = "ratio-choice",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << ALONE,
     .classes = 6,
     .quantity = RATIO,
     .format = "%.2f",
     .step = 0.15,
     RATIO_PHRASES},
    {.name = "eye",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = 1u << ALONE,
     .classes = 2,
     .answer = {"right", "left"},
     .phrase = {"Is this a right or a left eye?", "Which eye does the photograph show, right or left?"}},
    {.name = "suspect",
     .level = 2,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = 1u << ALONE,
     .classes = 2,
     SUSPECT_PHRASES},
    {.name = "cup-and-eye",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << ALONE,
     .classes = 4,
     .answer = {"right eye, usual cup", "right eye, glaucoma suspected", "left eye, usual cup",
                "left eye, glaucoma suspected"},
     .phrase = {"Which describes the photograph?", "Choose the right description of the photograph."}},
    {.name = "suspect-by-other-eye",
     .level = 3,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = 1u << OTHER_030 | 1u << OTHER_050,
     .classes = 2,
     SUSPECT_PHRASES},
    {.name = "suspect-of-two",
     .level = 4,
     .images = 2,
     .kind = ASK_YESNO,
     .groups = 1u << ALONE,
     .classes = 2,
     .phrase = {"The photographs show both eyes of this patient. Is glaucoma suspected?",
                "Do the two eyes together make glaucoma suspect?"}},
    {.name = "why",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = 1u << ALONE,
     .classes = 4,
     .answer = {"none", "only a ratio of 0.7 or more", "only a difference of more than 0.2 between the eyes",
                "both a ratio of 0.7 or more and a difference of more than 0.2"},
     .phrase = {"The photographs show both eyes. Which sign of glaucoma is there?",
                "Compare the two eyes: what makes glaucoma suspect?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

/* Bit 0: a ratio of 0.7 or more, bit 1: too great a difference. */
static int signs_of(double a, double b)
{
    int large = cutoffs_class(&CUP, a) || (b >= 0 && cutoffs_class(&CUP, b));
    return large + 2 * (b >= 0 && distance(a, b) > MOST_APART);
}

static int signs_of_truth(const Truth *t)
{
    double a = t->q[0][RATIO];
    return signs_of(a, t->images == 2 ? t->q[1][RATIO] : OTHER_RATIO[t->group]);
}

/* Clear of both limits by the margin. */
static bool pair_is_clear(double a, double b)
{
    double apart = distance(a, b);
    return distance(a, CUP.limit[0]) >= CUP.margin - 1e-9 && distance(b, CUP.limit[0]) >= CUP.margin - 1e-9 &&
           distance(apart, MOST_APART) >= CUP.margin - 1e-9;
}

static double draw_any(Rng *rng)
{
    return round_to(draw_between(rng, CUP.lo, CUP.hi), CUP.step);
}

static void draw_two(Truth *t, int signs, Rng *rng)
{
    double a, b;
    do {
        a = draw_any(rng);
        b = draw_any(rng);
    } while (!pair_is_clear(a, b) || signs_of(a, b) != signs);
    int eye = (int)rng_below(rng, 2);
    t->q[0][RATIO] = a, t->q[0][EYE] = eye;
    t->q[1][RATIO] = b, t->q[1][EYE] = 1 - eye;
}

/* Level 3: half lie where the two groups' answers differ, or nearest to it. */
static double draw_beside_other(int group, bool suspect, Rng *rng)
{
    double other = OTHER_RATIO[group], v;
    bool contested = rng_below(rng, 2) && suspect == (group == OTHER_030);
    do v = contested ? round_to(draw_between(rng, 0.56, 0.64), CUP.step) : draw_any(rng);
    while (!pair_is_clear(v, other) || (signs_of(v, other) != 0) != suspect);
    return v;
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    double *q = t->q[0];
    q[EYE] = rng_below(rng, 2);
    if (asks(ask, "why")) draw_two(t, class, rng);
    else if (asks(ask, "suspect-of-two")) {
        int sign = 1 + (int)rng_below(rng, 3);
        draw_two(t, class ? 0 : sign, rng);
    } else if (asks(ask, "suspect-by-other-eye")) q[RATIO] = draw_beside_other(t->group, !class, rng);
    else if (asks(ask, "suspect")) q[RATIO] = cutoffs_draw(&CUP, 1 - class, rng);
    else if (asks(ask, "cup-and-eye")) q[RATIO] = cutoffs_draw(&CUP, class & 1, rng), q[EYE] = class >> 1;
    else if (asks(ask, "eye")) q[RATIO] = cutoffs_draw(&CUP, (int)rng_below(rng, 2), rng), q[EYE] = class;
    else q[RATIO] = cutoffs_draw_bin(&CUP, class, ask->classes, rng);
}

static int judge(const Truth *t, const Ask *ask)
{
    int signs = signs_of_truth(t), left = t->q[0][EYE] > 0;
    if (asks(ask, "eye")) return left;
    if (asks(ask, "cup-and-eye")) return (signs & 1) + 2 * left;
    return asks(ask, "why") ? signs : signs == 0;
}

/* ---- the fundus ------------------------------------------------------------------------------------------------- */

typedef struct Eye {
    double temporal;         /* way of the temporal side: -1 at the picture's left */
    double x, y, rx, ry;     /* disc */
    double cx, cy, crx, cry; /* cup */
    double red;              /* how red the fundus is */
} Eye;

static Eye draw_eye(const double *q, Rng *rng)
{
    Eye e = {.temporal = q[EYE] > 0 ? 1 : -1};
    e.x = 56 - e.temporal * draw_between(rng, 1, 6); /* a little nasal: the macula is what one looks at */
    e.y = 56 + draw_between(rng, -3, 3);
    e.ry = draw_between(rng, 19, 22);
    e.rx = e.ry * draw_between(rng, 0.86, 0.95);
    e.cry = q[RATIO] * e.ry;
    double across = q[RATIO] * draw_between(rng, 0.90, 1.02);
    e.crx = (across > 0.9 ? 0.9 : across) * e.rx;
    e.cx = e.x + e.temporal * draw_between(rng, -0.05, 0.22) * (e.rx - e.crx);
    e.cy = e.y + draw_between(rng, -0.15, 0.15) * (e.ry - e.cry);
    e.red = draw_between(rng, -0.5, 0.5);
    return e;
}

/* Light falls off towards the edge; the temporal side, with its yellow pigment, is darker; round is the aperture. */
static void draw_ground(Canvas *c, const Eye *e)
{
    for (int py = 0; py < c->size; py++)
        for (int px = 0; px < c->size; px++) {
            double x, y, *v = &c->at[3 * ((size_t)py * (size_t)c->size + (size_t)px)];
            canvas_unit(c, px, py, &x, &y);
            double dx = (x - 56) / 54, dy = (y - 56) / 54, r2 = dx * dx + dy * dy;
            double light = 1.02 - 0.30 * r2 - 0.10 * e->temporal * dx, ex = x - e->x, ey = y - e->y;
            light += 0.10 / (1 + (ex * ex + ey * ey) / (30 * 30));
            v[0] = light * (0.80 + 0.06 * e->red);
            v[1] = light * (0.37 - 0.05 * e->red);
            v[2] = light * (0.17 - 0.04 * e->red);
        }
}

static void draw_aperture(Canvas *c)
{
    for (int py = 0; py < c->size; py++)
        for (int px = 0; px < c->size; px++) {
            double x, y, *v = &c->at[3 * ((size_t)py * (size_t)c->size + (size_t)px)];
            canvas_unit(c, px, py, &x, &y);
            double open = det_clamp((53.5 - sqrt((x - 56) * (x - 56) + (y - 56) * (y - 56))) * 1.5, 0, 1);
            for (int k = 0; k < 3; k++) v[k] = 0.012 + open * (v[k] - 0.012);
        }
}

/* The vessels of the choroid shine through, wide and blurred. */
static void draw_choroid(Canvas *c, Rng *rng)
{
    enum { N = 7 };
    double xy[2 * N];
    for (int i = 0; i < 9; i++) {
        double from[2], bend[2], to[2];
        for (int k = 0; k < 2; k++) {
            from[k] = draw_between(rng, 0, 112);
            bend[k] = draw_between(rng, 20, 92);
            to[k] = draw_between(rng, 0, 112);
        }
        curve_points(xy, N, from, bend, to);
        mask_polyline(c, xy, N, 3.5);
    }
    mask_blur(c, 1.6);
    canvas_paint(c, INK(0.90, 0.47, 0.24), 0.22);
}

static void draw_disc(Canvas *c, const Eye *e, Rng *rng)
{
    double crescent = draw_between(rng, 0.3, 1.6);
    mask_ellipse(c, e->x + e->temporal * crescent, e->y, e->rx + 0.6, e->ry + 0.3, 0);
    mask_blur(c, 0.7);
    canvas_paint(c, INK(0.80, 0.55, 0.36), 0.55);
    mask_ellipse(c, e->x, e->y, e->rx, e->ry, 0);
    mask_blur(c, 0.35);
    canvas_paint(c, INK(0.94, 0.61, 0.42), 1);
    mask_ellipse(c, e->x + e->temporal * 0.5 * e->rx, e->y, 0.42 * e->rx, 0.8 * e->ry, 0); /* paler temporal rim */
    mask_blur(c, 1.6);
    canvas_paint(c, INK(0.96, 0.68, 0.48), 0.5);
    mask_ellipse(c, e->cx, e->cy, e->crx, e->cry, 0);
    mask_blur(c, 0.6);
    canvas_paint(c, INK(0.96, 0.84, 0.62), 1);
    mask_ellipse(c, e->cx, e->cy, 0.65 * e->crx, 0.65 * e->cry, 0); /* its floor */
    mask_blur(c, 1.8);
    canvas_paint(c, INK(0.98, 0.92, 0.76), 0.6);
    int pores = 1 + det_floor(20 * e->cry * e->cry / (e->ry * e->ry)); /* of the lamina cribrosa */
    for (int i = 0; i < pores; i++) {
        double angle = draw_between(rng, 0, 2 * DET_PI), off = draw_between(rng, 0.05, 0.6);
        mask_ellipse(c, e->cx + off * e->crx * det_cos(angle), e->cy + off * e->cry * det_sin(angle), 0.45, 0.6, 0);
    }
    canvas_paint(c, INK(0.80, 0.70, 0.58), 0.45);
}

/* ---- vessels ---------------------------------------------------------------------------------------------------- */

typedef struct Vessel {
    bool vein;
    double width;
} Vessel;

/* Tapers from the first point to the last; an artery has a bright line along its middle. */
static void draw_vessel(Canvas *c, const double *xy, int n, Vessel v, double thin)
{
    for (int i = 0; i + 1 < n; i++) {
        double w = v.width * (1 - (1 - thin) * (double)i / (double)(n - 1));
        mask_line(c, xy[2 * i], xy[2 * i + 1], xy[2 * i + 2], xy[2 * i + 3], w);
    }
    mask_blur(c, 0.25);
    canvas_paint(c, v.vein ? INK(0.42, 0.07, 0.07) : INK(0.60, 0.13, 0.09), 0.9);
    if (v.vein || v.width < 1.5) return;
    mask_polyline(c, xy, n, 0.28 * v.width);
    canvas_paint(c, INK(0.86, 0.45, 0.30), 0.6);
}

static void draw_curve(Canvas *c, Vessel v, double thin, const double from[2], const double bend[2], const double to[2])
{
    enum { N = 12 };
    double xy[2 * N];
    curve_points(xy, N, from, bend, to);
    draw_vessel(c, xy, N, v, thin);
}

/* A great vessel: from the nasal wall of the cup steeply over the pole of the disc, then arching around the macula; a
   branch leaves it for the nasal side.  up: -1 the upper, 1 the lower one; aside: artery and vein run side by side. */
static void draw_arcade(Canvas *c, const Eye *e, Vessel v, double up, double aside, Rng *rng)
{
    double way = e->temporal, start = 0.12 * e->rx + 0.40 * e->crx;
    const double root[2] = {e->cx - way * (start + 0.3 * aside), e->cy + up * 0.04 * e->ry};
    double lean = draw_between(rng, 0.20, 0.32);
    const double pole[2] = {e->x - way * (lean * e->rx + aside), e->y + up * (e->ry + 2)};
    const double wall[2] = {e->x - way * (lean + 0.15) * e->rx - way * aside, e->y + up * 0.55 * e->ry};
    draw_curve(c, v, 1, root, wall, pole);
    double rise = draw_between(rng, 16, 22), far = draw_between(rng, 30, 40);
    const double top[2] = {pole[0] + way * (4 + aside), pole[1] + up * rise};
    const double end[2] = {e->x + way * 62, e->y + up * (far + 1.5 * aside)};
    draw_curve(c, v, 0.7, pole, top, end);
    /* the nasal branch leaves just beyond the disc's edge */
    double drop = draw_between(rng, 22, 34);
    const double out[2] = {pole[0] - way * 6, pole[1] + up * 9};
    const double nasal[2] = {e->x - way * 56, e->y + up * (drop + 2 * aside)};
    draw_curve(c, (Vessel){v.vein, 0.7 * v.width}, 0.7, pole, out, nasal);
    /* twigs of the arch, outwards */
    for (int i = 0; i < 2; i++) {
        double t = 0.3 + 0.28 * (double)i, s = 1 - t, reach = draw_between(rng, 12, 20);
        const double from[2] = {s * s * pole[0] + 2 * s * t * top[0] + t * t * end[0],
                                s * s * pole[1] + 2 * s * t * top[1] + t * t * end[1]};
        const double bend[2] = {from[0] + way * 2, from[1] + up * 0.5 * reach};
        const double tip[2] = {from[0] + way * (8 + 3 * aside), from[1] + up * reach};
        draw_curve(c, (Vessel){v.vein, 0.45 * v.width}, 0.6, from, bend, tip);
    }
}

/* Thin ones to the macula, over the temporal rim. */
static void draw_macular(Canvas *c, const Eye *e, Rng *rng)
{
    for (int i = 0; i < 2; i++) {
        double up = i ? 1 : -1, high = draw_between(rng, 0.35, 0.55), far = draw_between(rng, 8, 16);
        const double from[2] = {e->cx + e->temporal * 0.75 * e->crx, e->cy + up * high * e->cry};
        const double bend[2] = {e->x + e->temporal * e->rx, e->y + up * high * e->ry};
        const double to[2] = {e->x + e->temporal * 46, e->y + up * far};
        draw_curve(c, (Vessel){i == 0, 0.9}, 0.5, from, bend, to);
    }
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    Eye e = draw_eye(t->q[image], rng);
    canvas_place(c, s->angle, s->zoom, 0, 0);
    draw_ground(c, &e);
    draw_choroid(c, rng);
    draw_disc(c, &e, rng);
    for (double up = -1; up <= 1; up += 2) {
        double vein = draw_between(rng, 2.3, 2.8), artery = draw_between(rng, 1.6, 2.0);
        draw_arcade(c, &e, (Vessel){true, vein}, up, 2.6, rng);
        draw_arcade(c, &e, (Vessel){false, artery}, up, -2.2, rng);
    }
    draw_macular(c, &e, rng);
    draw_aperture(c);
    camera_develop(c, s, 0.015, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static const char *eye_word(const double *q)
{
    return q[EYE] > 0 ? "left" : "right";
}

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"A photograph of the optic disc.", "A fundus photograph centred on the disc.",
                                       "The optic disc in colour.", NULL};
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Photographs of both optic discs." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        const double *q = t->q[i];
        finding_number(c, i, CUP.name, "%.2f", q[RATIO], "");
        finding_word(c, i, "eye", eye_word(q));
        buf_printf(&b, " %sA %s eye with a vertical cup-to-disc ratio of %.2f.",
                   t->images == 1 ? ""
                   : i            ? "Second photograph: "
                                  : "First photograph: ",
                   eye_word(q), q[RATIO]);
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static void add_eye(Case *c, Thought *h, const double *q)
{
    thought_step(h, case_say(c, "The vessels arch to the %s of the picture, so it is a %s eye.",
                             q[EYE] > 0 ? "right" : "left", eye_word(q)));
}

static void think_eye(Case *c, Thought *h, const double *q)
{
    static const char *const EYE_NAME[] = {"a right eye", "a left eye"};
    bool left = q[EYE] > 0;
    h->rule = "The great vessels arch to the temporal side: at the left of a right eye's picture.";
    add_eye(c, h, q);
    thought_candidates(h, EYE_NAME, 2, left, "the vessels arch that way", "the vessels arch the other way");
    h->check = "The vessels enter at the nasal side of the cup, which agrees.";
}

/* Cup and eye: the hypotheses of cutoffs_think make way for the four answers. */
static void think_cup_and_eye(Case *c, Thought *h, const double *q, const Ask *ask, int class)
{
    cutoffs_think(c, h, &CUP, q[RATIO]);
    add_eye(c, h, q);
    h->hypotheses = 0;
    for (int i = 0; i < ask->classes; i++)
        thought_hypothesis(h, (Hypothesis){.name = ask->answer[i],
                                           .pro = i == class ? "ratio and vessels agree with it" : "",
                                           .contra = i == class        ? ""
                                                     : (i ^ class) & 1 ? "the ratio tells against it"
                                                                       : "the vessels arch the other way",
                                           .prior = 0.25,
                                           .likelihood = i == class         ? 0.96
                                                         : (i ^ class) == 3 ? 0.01
                                                                            : 0.02,
                                           .holds = i == class});
}

/* Both rules on two ratios; the other one is told, or measured as well. */
static void think_signs(Case *c, Thought *h, const Truth *t)
{
    static const char *const NAME[] = {"two usual cups", "a cup of 0.7 or more alone",
                                       "a difference of more than 0.2 alone", "a large cup and a difference"};
    bool both = t->images == 2;
    double a = t->q[0][RATIO], b = both ? t->q[1][RATIO] : OTHER_RATIO[t->group], apart = distance(a, b);
    double larger = a > b ? a : b;
    int signs = signs_of(a, b);
    h->rule =
        "Glaucoma is suspected from a vertical cup-to-disc ratio of 0.7 on, or where the eyes differ by more than "
        "0.2.";
    thought_step(h, both ? case_say(c, "The %s eye has a ratio of %.2f, the %s eye %.2f.", eye_word(t->q[0]), a,
                                    eye_word(t->q[1]), b)
                         : case_say(c, "The ratio is %.2f, that of the other eye %.2f.", a, b));
    thought_step(h, case_say(c, "The larger one, %.2f, is %s 0.70.", larger, signs & 1 ? "above" : "below"));
    thought_step(h, case_say(c, "They differ by %.2f, which is %s 0.20.", apart, signs & 2 ? "above" : "below"));
    const char *pro = case_say(c, "the larger ratio is %.2f and the difference %.2f", larger, apart);
    for (int i = 0; i < 4; i++)
        thought_hypothesis(h, (Hypothesis){.name = NAME[i],
                                           .pro = i == signs ? pro : "",
                                           .contra = i == signs ? ""
                                                     : (i ^ signs) & 1
                                                         ? (signs & 1 ? "a ratio reaches 0.7" : "no ratio reaches 0.7")
                                                     : signs & 2 ? "the difference is above 0.2"
                                                                 : "the difference is not above 0.2",
                                           .prior = 0.25,
                                           .likelihood = i == signs         ? 0.95
                                                         : (i ^ signs) == 3 ? 0.01
                                                                            : 0.02,
                                           .holds = i == signs});
    h->check = case_say(c,
                        "%.2f is %.2f away from 0.70, and %.2f is %.2f away from 0.20; a small error of reading "
                        "changes nothing.",
                        larger, distance(larger, CUP.limit[0]), apart, distance(apart, MOST_APART));
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const double *q = t->q[0];
    h->problem = "whether the optic disc makes glaucoma suspect";
    if (asks(ask, "eye")) {
        h->problem = "right or left eye";
        think_eye(c, h, q);
        h->conclusion = case_say(c, "It is a %s eye.", eye_word(q));
    } else if (ask->level == 1) {
        h->problem = "reading the cup-to-disc ratio";
        value_think(c, h, &CUP, q[RATIO], "The vertical ratio is the height of the pale cup over that of the disc.");
        h->conclusion = case_say(c, "The cup takes up %.2f of the height of the disc.", q[RATIO]);
    } else if (ask->level == 2) {
        if (asks(ask, "cup-and-eye")) think_cup_and_eye(c, h, q, ask, class);
        else cutoffs_think(c, h, &CUP, q[RATIO]);
        h->conclusion = case_say(c, "A ratio of %.2f means %s.", q[RATIO], CUP.label[cutoffs_class(&CUP, q[RATIO])]);
    } else {
        think_signs(c, h, t);
        h->conclusion = asks(ask, "why")    ? case_say(c, "Signs of glaucoma: %s.", ask->answer[class])
                        : signs_of_truth(t) ? "Glaucoma is suspected."
                                            : "Glaucoma is not suspected.";
    }
}

const Family FAMILY_OPTIC_DISC = {.name = "optic-disc",
                                  .specialty = "brain and senses",
                                  .picture = "photograph",
                                  .channels = 3,
                                  .ask = ASK,
                                  .asks = sizeof ASK / sizeof *ASK,
                                  .group = GROUP,
                                  .draw = draw,
                                  .judge = judge,
                                  .render = render,
                                  .describe = describe,
                                  .think = think};
