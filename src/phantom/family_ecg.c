/*
 * ecg-adult and ecg-infant: the heart rate on a rhythm strip.
 *
 * Paper runs at 25 mm/s: a small square of 1 mm is 0.04 s, a large one of 5 mm 0.2 s, and the rate per minute is 300
 * over the large squares between two R waves.  Adults: 60 to 100 is normal by convention (Liu, Chen, Gao, J Insur Med
 * 2012;43:102 say how thin the evidence is; life support works with 50 for slow); tachyarrhythmias typically have 150
 * or more (AHA 2020, adult tachycardia with a pulse).  Infants: 100 to 160 is a round range of the first year;
 * measured centiles differ with the month and from one another (Fleming et al., Lancet 2011;377:1011, PMC3789232);
 * from 220 on supraventricular tachycardia is probable (AHA 2020, paediatric tachycardia with a pulse).
 */
#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <string.h>

enum { RR_MM, SQUARES, RATE }; /* quantities */
enum { ADULT, INFANT };        /* groups */
enum { SLOW, NORMAL, FAST, VERY_FAST };
#define BOTH (1u << ADULT | 1u << INFANT)

static const Cutoffs HEART_RATE[] = {
    [ADULT] = {.name = "heart rate",
               .unit = "per minute",
               .format = "%.0f",
               .step = 1,
               .lo = 40,
               .hi = 200,
               .margin = 6,
               .error = 3,
               .n = 3,
               .limit = {60, 100, 150},
               .label = {"a slow rate", "a normal rate", "a fast rate", "a very fast rate"},
               .rule = "In an adult 60 to 100 per minute is normal, up to 150 fast, and more than 150 very fast."},
    [INFANT] = {.name = "heart rate",
                .unit = "per minute",
                .format = "%.0f",
                .step = 1,
                .lo = 70,
                .hi = 255,
                .margin = 8,
                .error = 4,
                .n = 3,
                .limit = {100, 160, 220},
                .label = {"a slow rate", "a normal rate", "a fast rate", "a very fast rate"},
                .rule = "In an infant 100 to 160 per minute is normal, up to 220 fast, and more than 220 very fast."},
};
static const Cutoffs INTERVAL = {
    .name = "number of large squares between two R waves", .unit = "", .format = "%.1f", .step = 0.1, .error = 0.1};

static const Group GROUP[] = {
    [ADULT] = {.name = "adult",
               .male = "man",
               .female = "woman",
               .youngest = 20,
               .oldest = 85,
               .age_unit = "year",
               .complaint = {"palpitations", "dizziness", "a faint", "tiredness", "chest discomfort",
                             "a check before an operation", "breathlessness on stairs"},
               .fact = {"There is no fever.", "The blood pressure is normal.", "Takes no medicines.",
                        "The skin is warm.", "Coffee twice a day.", "There is no chest pain now.",
                        "The pulse is regular.", "The father had heart trouble."}},
    [INFANT] = {.name = "infant",
                .male = "boy",
                .female = "girl",
                .youngest = 2,
                .oldest = 11,
                .age_unit = "month",
                .complaint = {"poor feeding", "a pale spell", "fast breathing", "a murmur", "unrest at night",
                              "a check after a cold"},
                .fact = {"There is no fever.", "The skin is warm.", "Drinks well.", "The weight is as expected.",
                         "The pulse is regular.", "Born at term.", "Takes no medicines.", "Is awake and calm."}},
};

#define FOUR_RATES .answer = {"slow", "normal", "fast", "very fast"}
#define SQUARES_PHRASES                                                                                                \
    .phrase = {"How many large squares lie between two R waves?",                                                      \
               "Count the large squares from one R wave to the next.",                                                 \
               "What is the distance between two R waves in large squares?"}
#define RATE_PHRASES                                                                                                   \
    .phrase = {"What is the heart rate per minute?", "How fast is the heart beating, per minute?",                     \
               "Work out the heart rate per minute."}
#define NORMAL_PHRASES                                                                                                 \
    .phrase = {"Is the heart rate normal for this patient?", "Is this heart rate within the normal range for the "     \
                                                             "age?"}

#define ASKS(own)                                                                                                      \
    {                                                                                                                  \
        {.name = "squares",                                                                                            \
         .level = 1,                                                                                                   \
         .images = 1,                                                                                                  \
         .kind = ASK_NUMBER,                                                                                           \
         .groups = own,                                                                                                \
         .classes = 8,                                                                                                 \
         .quantity = SQUARES,                                                                                          \
         .format = "%.1f",                                                                                             \
         .tolerance = 0.3,                                                                                             \
         SQUARES_PHRASES},                                                                                             \
            {.name = "squares-choice",                                                                                 \
             .level = 1,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_CHOICE,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 8,                                                                                             \
             .quantity = SQUARES,                                                                                      \
             .format = "%.1f",                                                                                         \
             .step = 1.2,                                                                                              \
             SQUARES_PHRASES},                                                                                         \
            {.name = "rate",                                                                                           \
             .level = 2,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_NUMBER,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 8,                                                                                             \
             .quantity = RATE,                                                                                         \
             .format = "%.0f",                                                                                         \
             .tolerance = 8,                                                                                           \
             RATE_PHRASES},                                                                                            \
            {.name = "class",                                                                                          \
             .level = 2,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_CHOICE,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 4,                                                                                             \
             FOUR_RATES,                                                                                               \
             .phrase = {"How is the heart rate?", "Which word fits the heart rate of this patient?"}},                 \
            {.name = "normal",                                                                                         \
             .level = 2,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_YESNO,                                                                                        \
             .groups = own,                                                                                            \
             .classes = 2,                                                                                             \
             NORMAL_PHRASES},                                                                                          \
            {.name = "normal-by-age",                                                                                  \
             .level = 3,                                                                                               \
             .images = 1,                                                                                              \
             .kind = ASK_YESNO,                                                                                        \
             .groups = BOTH,                                                                                           \
             .classes = 2,                                                                                             \
             NORMAL_PHRASES},                                                                                          \
            {.name = "two-strips",                                                                                     \
             .level = 4,                                                                                               \
             .images = 2,                                                                                              \
             .kind = ASK_CHOICE,                                                                                       \
             .groups = own,                                                                                            \
             .classes = 4,                                                                                             \
             .answer = {"on both strips", "on the second strip only", "on the first strip only", "on neither strip"},  \
             .phrase = {"There are two strips of this patient. On which is the heart rate normal?",                    \
                        "Compare the two strips: where is the heart rate normal for this patient?"}},                  \
    }
static const Ask ADULT_ASK[] = ASKS(1u << ADULT), INFANT_ASK[] = ASKS(1u << INFANT);
enum { N_ASKS = sizeof ADULT_ASK / sizeof *ADULT_ASK };

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

static void set_interval(double *q, double mm)
{
    q[RR_MM] = mm;
    q[SQUARES] = round_to(mm / 5, 0.1);
    q[RATE] = round_to(1500 / mm, 1);
}

/* Half millimetres, so that the large squares have one decimal; still half the margin away from every limit. */
static void draw_rate(double *q, const Cutoffs *k, int class, Rng *rng)
{
    bool clear;
    do {
        set_interval(q, round_to(1500 / cutoffs_draw(k, class, rng), 0.5));
        clear = cutoffs_class(k, q[RATE]) == class;
        for (int i = 0; i < k->n; i++) {
            double off = q[RATE] - k->limit[i];
            clear = clear && off * off >= k->margin * k->margin / 4;
        }
    } while (!clear);
}

static void draw_bin(double *q, const Cutoffs *k, int bin, int bins, Rng *rng)
{
    double lo = 1500 / k->hi, width = (1500 / k->lo - lo) / (double)bins;
    set_interval(q, round_to(lo + width * ((double)bin + rng_uniform(rng)), 0.5));
}

/* Abnormal at level 3: half of them would be normal in the other group. */
static int draw_abnormal(const Truth *t, const Ask *ask, Rng *rng)
{
    static const int OTHER[] = {SLOW, FAST, VERY_FAST}, CONTESTED[] = {[ADULT] = FAST, [INFANT] = SLOW};
    if (ask->level == 3 && rng_below(rng, 2)) return CONTESTED[t->group];
    return OTHER[rng_below(rng, 3)];
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    const Cutoffs *k = &HEART_RATE[t->group];
    for (int i = 0; i < t->images; i++) {
        if (asks(ask, "class")) draw_rate(t->q[i], k, class, rng);
        else if (ask->kind == ASK_YESNO || ask->images == 2) {
            bool abnormal = ask->images == 2 ? class >> i & 1 : class;
            draw_rate(t->q[i], k, abnormal ? draw_abnormal(t, ask, rng) : NORMAL, rng);
        } else draw_bin(t->q[i], k, class, ask->classes, rng);
    }
}

static int judge(const Truth *t, const Ask *ask)
{
    int first = cutoffs_class(&HEART_RATE[t->group], t->q[0][RATE]);
    if (asks(ask, "class")) return first;
    if (ask->images == 1) return first != NORMAL;
    return (first != NORMAL) + 2 * (cutoffs_class(&HEART_RATE[t->group], t->q[1][RATE]) != NORMAL);
}

/* ---- the strip -------------------------------------------------------------------------------------------------- */

#define MM 2.0 /* units */

typedef struct Beat {
    double rr, first;           /* mm */
    double p, q, r, s, t, wide; /* heights in mm, width of the QRS complex */
} Beat;

static Beat draw_beat(double rr, Rng *rng)
{
    Beat b = {.rr = rr};
    b.first = draw_between(rng, 3, rr < 12 ? 3 + rr : 11);
    b.p = draw_between(rng, 0.9, 1.6);
    b.q = draw_between(rng, -1.2, -0.3);
    b.r = draw_between(rng, 8.5, 11);
    b.s = draw_between(rng, -3, -1);
    b.t = draw_between(rng, 1.6, 3);
    b.wide = draw_between(rng, 0.4, 0.5);
    return b;
}

static double bump(double x, double at, double sigma)
{
    double z = (x - at) / sigma;
    return z * z > 40 ? 0 : det_exp(-0.5 * z * z);
}

/* Height of the trace in mm, x mm after an R wave. */
static double beat_height(const Beat *b, double x)
{
    double back = b->rr < 13 ? 0.3 * b->rr : 4, ahead = b->rr < 16 ? 0.4 * b->rr : 6.4;
    double sigma = ahead / 5;
    return b->p * bump(x, -back, 0.2 * back) + b->q * bump(x, -1.6 * b->wide, 0.6 * b->wide) +
           b->r * bump(x, 0, b->wide) + b->s * bump(x, 1.8 * b->wide, 0.7 * b->wide) +
           b->t * bump(x, ahead, x < ahead ? 1.2 * sigma : 0.8 * sigma);
}

static double strip_height(const Beat *b, double x)
{
    double sum = 0;
    int k = det_floor((x - b->first) / b->rr);
    for (int i = k - 1; i <= k + 2; i++) sum += beat_height(b, x - b->first - (double)i * b->rr);
    return sum;
}

/* How much of the pixel a line of the grid covers: lines every `every` units, `width` pixels wide at least. */
static double grid_line(const Canvas *c, double at, double every, double width)
{
    double off = at - every * (double)det_floor(at / every + 0.5), scale = c->scale * c->zoom;
    return det_clamp(width * scale / 2 + 0.5 - (off < 0 ? -off : off) * scale, 0, 1) *
           (width * scale < 1 ? width * scale : 1);
}

static void draw_paper(Canvas *c)
{
    const double paper[3] = {1.0, 0.955, 0.94}, line[3] = {0.90, 0.42, 0.42};
    for (int py = 0; py < c->size; py++)
        for (int px = 0; px < c->size; px++) {
            double x, y;
            canvas_unit(c, px, py, &x, &y);
            double small = grid_line(c, x, MM, 0.3) + grid_line(c, y, MM, 0.3);
            double large = grid_line(c, x, 5 * MM, 0.75) + grid_line(c, y, 5 * MM, 0.75);
            double a = det_clamp(0.45 * small + 0.75 * large, 0, 0.8);
            for (int k = 0; k < 3; k++)
                c->at[3 * ((size_t)py * (size_t)c->size + (size_t)px) + (size_t)k] =
                    paper[k] + a * (line[k] - paper[k]);
        }
}

/* One lead: the trace about the height base, gain tells the lead. */
static void draw_lead(Canvas *c, const Beat *b, double base, double gain, double wander)
{
    enum { STEPS = 320 };
    double xy[2 * STEPS];
    for (int i = 0; i < STEPS; i++) {
        double mm = -4 + 0.2 * (double)i;
        xy[2 * i] = mm * MM;
        xy[2 * i + 1] = base - MM * (gain * strip_height(b, mm) + wander * det_sin(mm * 0.11));
    }
    mask_polyline(c, xy, STEPS, 0.9);
    canvas_paint(c, INK(0.06, 0.06, 0.10), 1);
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    Beat b = draw_beat(t->q[image][RR_MM], rng);
    double dx = draw_between(rng, -1, 1), dy = draw_between(rng, -1, 1);
    canvas_place(c, 0.3 * s->angle, s->zoom, dx, dy);
    draw_paper(c);
    for (int lead = 0; lead < 2; lead++) {
        double gain = lead ? draw_between(rng, 0.6, 0.85) : draw_between(rng, 0.9, 1.15);
        draw_lead(c, &b, (lead ? 46 : 20) * MM, gain, draw_between(rng, 0, 0.5));
        canvas_text(c, 3, lead ? 56 : 3, 7, lead ? "V5" : "II", GRAY(0.2));
    }
    canvas_text(c, 66, 103, 7, "25 MM/S", GRAY(0.2));
    camera_develop(c, s, 0.012, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"A rhythm strip at 25 mm/s.", "An ECG strip on squared paper at 25 mm/s.",
                                       "Two leads of an ECG, 25 mm/s.", NULL};
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two rhythm strips at 25 mm/s." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        finding_number(c, i, "R-R interval", "%.1f", t->q[i][RR_MM], "mm");
        finding_number(c, i, "large squares between R waves", "%.1f", t->q[i][SQUARES], "");
        buf_printf(&b, " %sThe R waves are %.1f mm apart, %.1f large squares, and the rhythm is regular.",
                   t->images == 1 ? ""
                   : i            ? "Second strip: "
                                  : "First strip: ",
                   t->q[i][RR_MM], t->q[i][SQUARES]);
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static void add_interval(Case *c, Thought *h, const double *q, const char *where)
{
    thought_step(h, case_say(c, "%s R waves are %.1f mm apart, which is %.1f large squares, and 300 / %.1f = %.0f.",
                             where, q[RR_MM], q[SQUARES], q[SQUARES], q[RATE]));
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    const Cutoffs *k = &HEART_RATE[t->group];
    const char *who = GROUP[t->group].name;
    const double *q = t->q[0], rates[] = {q[RATE], t->q[1][RATE]};
    h->problem = case_say(c, "the heart rate of an %s", who);
    if (ask->level == 1) {
        h->problem = "the distance between two R waves";
        value_think(c, h, &INTERVAL, q[SQUARES], "A large square is 5 mm, from one thick line to the next.");
        h->conclusion = case_say(c, "There are %.1f large squares between two R waves.", q[SQUARES]);
    } else if (ask->images == 2) {
        add_interval(c, h, q, "On the first strip the");
        add_interval(c, h, t->q[1], "On the second strip the");
        cutoffs_think_pair(c, h, k, rates, ask, class);
        h->conclusion = case_say(c, "The rate is normal %s.", ask->answer[class]);
    } else if (ask->kind == ASK_NUMBER) { /* not classed: the rate may lie on a limit */
        add_interval(c, h, q, "The");
        value_think(c, h, k, q[RATE], "At 25 mm/s the rate per minute is 300 over the large squares between R waves.");
        h->conclusion = case_say(c, "The heart beats %.0f times per minute.", q[RATE]);
    } else {
        const char *label = k->label[cutoffs_class(k, q[RATE])];
        add_interval(c, h, q, "The");
        cutoffs_think(c, h, k, q[RATE]);
        h->conclusion = case_say(c, "For an %s %.0f per minute is %s.", who, q[RATE], label);
    }
}

#define ECG(family, field, questions)                                                                                  \
    {                                                                                                                  \
        .name = family, .specialty = field, .picture = "strip", .channels = 3, .ask = questions, .asks = N_ASKS,       \
        .group = GROUP, .draw = draw, .judge = judge, .render = render, .describe = describe, .think = think           \
    }
const Family FAMILY_ECG_ADULT = ECG("ecg-adult", "adult medicine", ADULT_ASK);
const Family FAMILY_ECG_INFANT = ECG("ecg-infant", "paediatrics", INFANT_ASK);
