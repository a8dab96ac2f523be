/*
 * growth: a child's weights on a chart with centile lines.
 *
 * The chart has the nine lines of the UK-WHO charts, 0.4th to 99.6th centile, two thirds of a standard deviation apart;
 * the space between two neighbours is a centile space.  Faltering growth: a fall across two or more centile spaces; one
 * is enough where the birth weight was below the 9th centile, and three it takes where that was above the 91st; a
 * weight below the 2nd centile is a concern whatever the birth weight (NICE guideline NG75, Faltering growth, 2017,
 * recommendations 1.2).  Points keep to the middle of their space and a fall of n lines is one of at least n whole
 * spaces, so counting lines and measuring spaces agree.
 *
 * Medians and coefficients of variation are those of the WHO Child Growth Standards (2006), weight for age, the mean of
 * boys and girls, with the skewness left out: the chart is one for both sexes.
 */
#include "phantom/deterministic.h"
#include "phantom/families.h"

#include <stdio.h>
#include <string.h>

/* Quantities: spaces of the first and the last point (0 below the lowest line, 9 above the highest), where in them
   (-0.5 lower line .. 0.5 upper line), lines crossed downwards, last weight in kg, ages in months. */
enum { FIRST, LAST, FIRST_AT, LAST_AT, CROSSED, WEIGHT, FIRST_AGE, LAST_AGE };
enum { BORN_SMALL, BORN_MIDDLE, BORN_LARGE, TODDLER }; /* groups */
enum { FOLLOWS, FALLS, RISES };                        /* courses */
enum { BELOW_2ND = 1, TOP_SPACE = 8 };                 /* spaces in use */
#define BORN_ANY (1u << BORN_SMALL | 1u << BORN_MIDDLE | 1u << BORN_LARGE)

static const char *const SPACE_NAME[] = {
    "below the 0.4th centile",           "between the 0.4th and 2nd centile", "between the 2nd and 9th centile",
    "between the 9th and 25th centile",  "between the 25th and 50th centile", "between the 50th and 75th centile",
    "between the 75th and 91st centile", "between the 91st and 98th centile", "between the 98th and 99.6th centile",
    "above the 99.6th centile",
};
static const char *const COURSE_NAME[] = {"follows", "falls", "rises"};

/* Spaces that it takes, by birth weight. */
static const int LIMIT[] = {[BORN_SMALL] = 1, [BORN_MIDDLE] = 2, [BORN_LARGE] = 3, [TODDLER] = 2};
static const char *const BORN[] = {[BORN_SMALL] = "below the 9th centile",
                                   [BORN_MIDDLE] = "between the 9th and the 91st centile",
                                   [BORN_LARGE] = "above the 91st centile",
                                   [TODDLER] = "between the 9th and the 91st centile"};
static const char *const LIMIT_WORDS[] = {"", "one", "two", "three"};

#define COMPLAINTS                                                                                                     \
    .complaint = {"a routine check", "slow feeding",         "small meals", "a check of the weight",                   \
                  "broken nights",   "a rash on the cheeks", "a cough"}
#define FACTS                                                                                                          \
    .fact = {"Born at term.",                                                                                          \
             "There is no fever.",                                                                                     \
             "Eats what the family eats.",                                                                             \
             "Is lively and smiles.",                                                                                  \
             "Vaccinations are up to date.",                                                                           \
             "Nobody in the family is ill.",                                                                           \
             "Stools are normal.",                                                                                     \
             "The parents are of middle height."}
#define INFANTS .youngest = 12, .oldest = 13, .age_unit = "month", COMPLAINTS, FACTS
static const Group GROUP[] = {
    [BORN_SMALL] = {.name = "birth weight below the 9th centile",
                    .male = "boy with a birth weight below the 9th centile",
                    .female = "girl with a birth weight below the 9th centile",
                    INFANTS},
    [BORN_MIDDLE] = {.name = "birth weight between the 9th and the 91st centile",
                     .male = "boy with a birth weight between the 9th and the 91st centile",
                     .female = "girl with a birth weight between the 9th and the 91st centile",
                     INFANTS},
    [BORN_LARGE] = {.name = "birth weight above the 91st centile",
                    .male = "boy with a birth weight above the 91st centile",
                    .female = "girl with a birth weight above the 91st centile",
                    INFANTS},
    [TODDLER] = {.name = "toddler, birth weight between the 9th and the 91st centile",
                 .male = "boy with a birth weight between the 9th and the 91st centile",
                 .female = "girl with a birth weight between the 9th and the 91st centile",
                 .youngest = 24,
                 .oldest = 24,
                 .age_unit = "month",
                 COMPLAINTS,
                 FACTS},
};

#define FALTERING_PHRASES                                                                                              \
    .phrase = {"Is this faltering growth by the fall in weight (NICE NG75)?",                                          \
               "Does the fall on the chart mean faltering growth in this child (NICE NG75)?",                          \
               "Has the weight fallen through enough centile lines for faltering growth (NICE NG75)?"}

static const Ask ASK[] = {
    {.name = "course",
     .level = 1,
     .images = 1,
     .kind = ASK_SHORT,
     .groups = BORN_ANY,
     .classes = 3,
     .answer = {"follows", "falls", "rises"},
     .phrase =
         {"Does the weight follow its centile, or does it fall or rise across lines? Say follows, falls or rises.",
          "How does the weight run against the centile lines: follows, falls or rises?"}},
    {.name = "lines",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = BORN_ANY,
     .classes = 5,
     .quantity = CROSSED,
     .format = "%.0f",
     .tolerance = 0.4, /* whole numbers */
     .phrase = {"Through how many centile lines does the weight fall?",
                "How many centile lines lie between the first and the last point?",
                "Count the centile lines that the weight crosses downwards."}},
    {.name = "weight",
     .level = 1,
     .images = 1,
     .kind = ASK_NUMBER,
     .groups = BORN_ANY,
     .classes = 8,
     .quantity = WEIGHT,
     .format = "%.1f",
     .tolerance = 0.4,
     .phrase = {"What is the last weight on the chart, in kg?", "How heavy is the child at the last point, in kg?"}},
    {.name = "last-centile",
     .level = 1,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BORN_ANY,
     .classes = 5,
     .answer = {"between the 2nd and 9th centile", "between the 9th and 25th centile",
                "between the 25th and 50th centile", "between the 50th and 75th centile",
                "between the 75th and 91st centile"},
     .phrase = {"Where is the last weight?", "Between which centile lines does the last point lie?"}},
    {.name = "faltering",
     .level = 2,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = 1u << BORN_MIDDLE,
     .classes = 2,
     FALTERING_PHRASES},
    {.name = "meaning",
     .level = 2,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = 1u << BORN_MIDDLE,
     .classes = 4,
     .answer = {"the weight follows its centile", "a fall, but not enough for faltering growth", "faltering growth",
                "catch-up growth: the weight rises across lines"},
     .phrase = {"What does the chart show (NICE NG75)?", "How is this course of the weight called (NICE NG75)?"}},
    {.name = "faltering-by-birth-weight",
     .level = 3,
     .images = 1,
     .kind = ASK_YESNO,
     .groups = BORN_ANY,
     .classes = 2,
     FALTERING_PHRASES},
    {.name = "reasons",
     .level = 4,
     .images = 1,
     .kind = ASK_CHOICE,
     .groups = BORN_ANY,
     .classes = 4,
     .answer = {"neither the fall nor the last weight", "the fall alone",
                "the last weight, below the 2nd centile, alone",
                "both the fall and the last weight below the 2nd centile"},
     .phrase = {"Which reason for concern does the chart give for this child (NICE NG75)?",
                "What on the chart reaches a threshold for concern in this child (NICE NG75)?"}},
    {.name = "two-charts",
     .level = 4,
     .images = 2,
     .kind = ASK_CHOICE,
     .groups = 1u << TODDLER,
     .classes = 4,
     .answer = {"on neither chart", "on the first chart only", "on the second chart only", "on both charts"},
     .phrase = {"The charts show the first and the second year. On which is the fall enough for faltering growth (NICE "
                "NG75)?",
                "Compare first and second year: on which chart does the weight fall through enough lines for faltering "
                "growth (NICE NG75)?"}},
};

static bool asks(const Ask *ask, const char *name)
{
    return !strcmp(ask->name, name);
}

/* ---- the truth -------------------------------------------------------------------------------------------------- */

/* WHO weight for age from 3 months on: median in kg, coefficient of variation. */
enum { TABLE_FIRST = 3, TABLE_LAST = 24 };
static const double MEDIAN[] = {6.111, 6.713, 7.205,  7.615,  7.970,  8.282,  8.563,  8.822,  9.066,  9.298,  9.522,
                                9.741, 9.956, 10.168, 10.377, 10.585, 10.791, 10.996, 11.201, 11.406, 11.610, 11.814};
static const double SPREAD[] = {0.1217, 0.1186, 0.1168, 0.1158, 0.1154, 0.1153, 0.1154, 0.1156, 0.1158, 0.1160, 0.1162,
                                0.1163, 0.1165, 0.1167, 0.1169, 0.1171, 0.1174, 0.1177, 0.1180, 0.1183, 0.1187, 0.1191};

static double look_up(const double *table, double age)
{
    double at = det_clamp(age, TABLE_FIRST, TABLE_LAST) - TABLE_FIRST;
    int i = det_floor(at);
    if (i >= TABLE_LAST - TABLE_FIRST) return table[TABLE_LAST - TABLE_FIRST];
    return table[i] + (at - (double)i) * (table[i + 1] - table[i]);
}

/* kg at a place counted in spaces: 4.5 is the 50th centile, k + 0.5 the line above space k. */
static double weight_at(double age, double place)
{
    return look_up(MEDIAN, age) * det_exp(look_up(SPREAD, age) * (place - 4.5) * (2.0 / 3));
}

/* The place of line k, 0 the 0.4th centile .. 8 the 99.6th. */
static double line_place(int k)
{
    return (double)k + 0.5;
}

static int crossed_of(const double *q)
{
    return (int)q[FIRST] - (int)q[LAST];
}

static bool is_faltering(const Truth *t, const double *q)
{
    return crossed_of(q) >= LIMIT[t->group];
}

static bool is_low(const double *q)
{
    return q[LAST] <= BELOW_2ND;
}

/* A fall is never less than its lines, a rise never less than its own; the same space is left at the same height. */
static void draw_places(double *q, Rng *rng)
{
    int crossed = crossed_of(q);
    double high = draw_between(rng, 0, 0.15), low = draw_between(rng, -0.15, 0), any = draw_between(rng, -0.1, 0.1);
    q[FIRST_AT] = crossed > 0 ? high : crossed < 0 ? low : any;
    q[LAST_AT] = crossed > 0 ? low : crossed < 0 ? high : any;
}

static void settle(double *q, Rng *rng)
{
    q[CROSSED] = crossed_of(q) > 0 ? crossed_of(q) : 0;
    double young = draw_between(rng, 3.6, 4.4);
    q[FIRST_AGE] = young;
    q[LAST_AGE] = draw_between(rng, 11.7, 12.2);
    q[WEIGHT] = round_to(weight_at(q[LAST_AGE], q[LAST] + q[LAST_AT]), 0.1);
}

/* A course through `crossed` lines that ends in one of the spaces [lo, hi]. */
static void draw_course(double *q, int crossed, int lo, int hi, Rng *rng)
{
    if (lo + crossed < BELOW_2ND) lo = BELOW_2ND - crossed;
    if (hi + crossed > TOP_SPACE) hi = TOP_SPACE - crossed;
    q[LAST] = lo + (int)rng_below(rng, (uint32_t)(hi - lo + 1));
    q[FIRST] = q[LAST] + crossed;
    draw_places(q, rng);
    settle(q, rng);
}

/* Lines crossed, enough for the limit or not; most are contested between the groups. */
static int draw_crossed(int limit, bool enough, Rng *rng)
{
    return enough ? limit + (int)rng_below(rng, 2) : (int)rng_below(rng, (uint32_t)limit);
}

/* Two years: the second starts where the first ended.  The larger falls fit because no year has more than three. */
static void draw_years(Truth *t, int class, Rng *rng)
{
    int crossed[2];
    for (int i = 0; i < 2; i++) crossed[i] = draw_crossed(LIMIT[TODDLER], class >> i & 1, rng);
    draw_course(t->q[0], crossed[0], BELOW_2ND + 1 + crossed[1], TOP_SPACE, rng);
    double *q = t->q[1];
    q[FIRST] = t->q[0][LAST];
    q[LAST] = q[FIRST] - crossed[1];
    draw_places(q, rng);
    settle(q, rng);
    q[FIRST_AGE] += 9; /* 12.6 to 13.4 */
    q[LAST_AGE] = 23.8;
    q[WEIGHT] = round_to(weight_at(q[LAST_AGE], q[LAST] + q[LAST_AT]), 0.1);
}

static void draw(Truth *t, const Ask *ask, int class, Rng *rng)
{
    const int low = BELOW_2ND + 1, limit = LIMIT[t->group];
    double *q = t->q[0];
    int some = 1 + (int)rng_below(rng, 3); /* lines */
    if (asks(ask, "course")) draw_course(q, class == FALLS ? some : class == RISES ? -some : 0, low, TOP_SPACE, rng);
    else if (asks(ask, "lines")) draw_course(q, class, low, TOP_SPACE, rng);
    else if (asks(ask, "weight"))
        draw_course(q, class + BELOW_2ND + some > TOP_SPACE ? 0 : some, class + BELOW_2ND, class + BELOW_2ND, rng);
    else if (asks(ask, "last-centile")) draw_course(q, some - 1, class + low, class + low, rng);
    else if (asks(ask, "meaning")) {
        static const int LINES[] = {0, 1, 2, -1};
        int more = class >= 2 ? (int)rng_below(rng, 2) : 0;
        draw_course(q, LINES[class] + (class == 3 ? -more : more), low, TOP_SPACE, rng);
    } else if (asks(ask, "reasons"))
        draw_course(q, draw_crossed(limit, class & 1, rng), class & 2 ? BELOW_2ND : low,
                    class & 2 ? BELOW_2ND : TOP_SPACE, rng);
    else if (ask->images == 2) draw_years(t, class, rng);
    else draw_course(q, draw_crossed(limit, !class, rng), low, TOP_SPACE, rng); /* yes is class 0 */
}

static int judge(const Truth *t, const Ask *ask)
{
    const double *q = t->q[0];
    int crossed = crossed_of(q);
    if (asks(ask, "course")) return crossed > 0 ? FALLS : crossed < 0 ? RISES : FOLLOWS;
    if (asks(ask, "last-centile")) return (int)q[LAST] - BELOW_2ND - 1;
    if (asks(ask, "meaning")) return crossed < 0 ? 3 : is_faltering(t, q) ? 2 : crossed > 0;
    if (asks(ask, "reasons")) return is_faltering(t, q) + 2 * is_low(q);
    if (ask->images == 2) return is_faltering(t, q) + 2 * is_faltering(t, t->q[1]);
    return !is_faltering(t, q);
}

/* ---- the chart -------------------------------------------------------------------------------------------------- */

typedef struct Chart {
    double age0, age1, kg0, kg1; /* what the axes span */
} Chart;
static const Chart FIRST_YEAR = {3, 13, 4, 13.5}, SECOND_YEAR = {12, 24, 6, 17};

enum { LEFT = 13, RIGHT = 98, TOP = 5, BOTTOM = 99 }; /* the plot, in units */

static double chart_x(const Chart *k, double age)
{
    return LEFT + (RIGHT - LEFT) * (age - k->age0) / (k->age1 - k->age0);
}

static double chart_y(const Chart *k, double kg)
{
    return BOTTOM - (BOTTOM - TOP) * (kg - k->kg0) / (k->kg1 - k->kg0);
}

/* Text where the chart was placed: right of, or left of (side -1) or below (side 0) a point, on whole units, where its
   dots are sharpest. */
static void chart_text(Canvas *c, double x, double y, const char *text, int side)
{
    const double height = 7, wide = canvas_text_width(height, text) - 1; /* without the last gap */
    double px = (c->m[0] * x + c->m[1] * y + c->m[2]) / c->scale, py = (c->m[3] * x + c->m[4] * y + c->m[5]) / c->scale;
    px -= side > 0 ? 0 : side < 0 ? wide : wide / 2;
    py -= side ? height / 2 : 0;
    canvas_text(c, det_floor(px + 0.5), det_floor(py + 0.5), height, text, GRAY(0.2));
}

static void draw_grid(Canvas *c, const Chart *k)
{
    for (int age = (int)k->age0; age <= (int)k->age1; age++)
        mask_line(c, chart_x(k, age), TOP, chart_x(k, age), BOTTOM, 0.4);
    for (int kg = (int)k->kg0; kg <= (int)k->kg1; kg++) mask_line(c, LEFT, chart_y(k, kg), RIGHT, chart_y(k, kg), 0.4);
    canvas_paint(c, INK(0.72, 0.72, 0.80), 1);
    mask_line(c, LEFT, TOP, LEFT, BOTTOM, 0.8);
    mask_line(c, LEFT, BOTTOM, RIGHT, BOTTOM, 0.8);
    canvas_paint(c, GRAY(0.25), 1);
}

static void draw_axis_text(Canvas *c, const Chart *k)
{
    char text[12];
    for (int kg = (int)k->kg0 + 2; kg < (int)k->kg1; kg += 2) {
        snprintf(text, sizeof text, "%d", kg);
        chart_text(c, LEFT - 1, chart_y(k, kg), text, -1);
    }
    for (int age = (int)k->age0 + 3; age < (int)k->age1; age += 3) {
        snprintf(text, sizeof text, "%d", age);
        chart_text(c, chart_x(k, age), BOTTOM + 2, text, 0);
    }
    chart_text(c, LEFT + 2, TOP + 4, "KG", 1);
    chart_text(c, RIGHT, BOTTOM + 5.5, "MO", 1);
}

/* One centile line; every second one is broken, as on the printed charts. */
static void draw_centile(Canvas *c, const Chart *k, int line)
{
    enum { N = 61 };
    double xy[2 * N];
    bool broken = line % 2 == 0;
    for (int i = 0; i < N; i++) {
        double age = k->age0 + (k->age1 - k->age0) * (double)i / (N - 1);
        xy[2 * i] = chart_x(k, age), xy[2 * i + 1] = chart_y(k, weight_at(age, line_place(line)));
    }
    for (int i = 0; i + 3 < N; i += broken ? 4 : 3) mask_polyline(c, xy + 2 * i, broken ? 3 : 4, broken ? 0.7 : 0.75);
}

static void draw_centiles(Canvas *c, const Chart *k)
{
    static const char *const LABEL[] = {NULL, "2", NULL, "25", NULL, "75", NULL, "98", NULL};
    for (int line = 0; line < 9; line++) draw_centile(c, k, line);
    canvas_paint(c, INK(0.30, 0.62, 0.64), 1);
    for (int line = 0; line < 9; line++)
        if (LABEL[line]) chart_text(c, RIGHT + 1, chart_y(k, weight_at(k->age1, line_place(line))), LABEL[line], 1);
}

/* The first point, three to five on the way, the last one; the fall takes place between two ages in the middle. */
static void draw_points(Canvas *c, const Chart *k, const double *q, Rng *rng)
{
    int n = 5 + (int)rng_below(rng, 3);
    double from = draw_between(rng, 0, 0.35), to = draw_between(rng, 0.65, 1);
    double first = q[FIRST] + q[FIRST_AT], last = q[LAST] + q[LAST_AT];
    for (int i = 0; i < n; i++) {
        double way = (double)i / (double)(n - 1), jitter = draw_between(rng, -0.06, 0.06);
        double early = draw_between(rng, -0.2, 0.2) / (double)(n - 1);
        bool end = i == 0 || i == n - 1;
        double t = end ? way : way + early;
        double age = q[FIRST_AGE] + t * (q[LAST_AGE] - q[FIRST_AGE]);
        double place = first + (last - first) * det_step(t, from, to) + (end ? 0 : jitter);
        mask_ellipse(c, chart_x(k, age), chart_y(k, weight_at(age, place)), 2.1, 2.1, 0);
    }
    canvas_paint(c, INK(0.80, 0.05, 0.10), 1);
}

static void render(Canvas *c, const Truth *t, int image, const Scanner *s, Rng *rng)
{
    const Chart *k = image ? &SECOND_YEAR : &FIRST_YEAR;
    double dx = draw_between(rng, -0.6, 0.6), dy = draw_between(rng, -0.6, 0.6);
    for (size_t i = 0; i < 3 * (size_t)c->size * (size_t)c->size; i++) c->at[i] = i % 3 == 2 ? 0.95 : 0.98;
    canvas_place(c, 0.3 * s->angle, s->zoom, dx, dy);
    draw_grid(c, k);
    draw_centiles(c, k);
    draw_axis_text(c, k);
    draw_points(c, k, t->q[image], rng);
    camera_develop(c, s, 0.012, rng);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static const char *course_word(const double *q)
{
    return COURSE_NAME[crossed_of(q) > 0 ? FALLS : crossed_of(q) < 0 ? RISES : FOLLOWS];
}

static void describe(Case *c, const Truth *t, Rng *rng)
{
    static const char *const OPEN[] = {"A weight chart with nine centile lines.", "A growth chart: weight for age.",
                                       "A chart of weight by age with centile lines.", NULL};
    Buf b = {0};
    buf_str(&b, t->images > 1 ? "Two weight charts, first and second year." : draw_phrase(rng, OPEN));
    for (int i = 0; i < t->images; i++) {
        const double *q = t->q[i];
        finding_word(c, i, "first weight", SPACE_NAME[(int)q[FIRST]]);
        finding_word(c, i, "last weight", SPACE_NAME[(int)q[LAST]]);
        finding_number(c, i, "centile lines crossed downwards", "%.0f", q[CROSSED], "");
        finding_word(c, i, "course of the weight", course_word(q));
        finding_number(c, i, "weight at the last point", "%.1f", q[WEIGHT], "kg");
        buf_printf(&b, " %sThe weight starts %s and ends %s, at %.1f kg; it crosses %.0f centile line%s downwards.",
                   t->images == 1 ? ""
                   : i            ? "Second chart: "
                                  : "First chart: ",
                   SPACE_NAME[(int)q[FIRST]], SPACE_NAME[(int)q[LAST]], q[WEIGHT], q[CROSSED],
                   q[CROSSED] == 1 ? "" : "s");
    }
    c->caption = case_say(c, "%s", b.data);
    buf_release(&b);
}

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

static void add_course(Case *c, Thought *h, const double *q, const char *where)
{
    thought_step(h, case_say(c, "%s first weight lies %s, the last %s.", where, SPACE_NAME[(int)q[FIRST]],
                             SPACE_NAME[(int)q[LAST]]));
    thought_step(h,
                 case_say(c, "So the weight %s and crosses %.0f centile line%s downwards.",
                          crossed_of(q) ? course_word(q) : "keeps to its space", q[CROSSED], plural((int)q[CROSSED])));
}

static const char *say_rule(Case *c, int group)
{
    return case_say(c, "By NICE NG75 a child born %s falters when the weight falls across %s or more centile spaces.",
                    BORN[group], LIMIT_WORDS[LIMIT[group]]);
}

static void add_comparison(Case *c, Thought *h, const Truth *t, const double *q)
{
    thought_step(h, case_say(c, "%.0f is %s the %d that it takes: %s.", q[CROSSED],
                             is_faltering(t, q) ? "not less than" : "less than", LIMIT[t->group],
                             is_faltering(t, q) ? "faltering growth" : "not faltering growth"));
}

static const char *say_lines(Case *c, const double *q)
{
    int crossed = crossed_of(q), n = crossed < 0 ? -crossed : crossed;
    if (!n) return "first and last point lie in the same space";
    return case_say(c, "the last point lies %d line%s %s the first", n, plural(n), crossed > 0 ? "below" : "above");
}

static void think_reading(Case *c, Thought *h, const Truth *t, const Ask *ask)
{
    const double *q = t->q[0];
    h->check = "The points lie well inside their spaces, so the lines are counted right.";
    h->conclusion = case_say(c, "The weight %s.", crossed_of(q) ? course_word(q) : "follows its centile");
    h->rule = "A weight that keeps to its centile space follows it; each line in between is one crossed.";
    if (asks(ask, "weight")) {
        static const Cutoffs LAST_WEIGHT = {
            .name = "weight at the last point", .unit = "kg", .format = "%.1f", .step = 0.1, .error = 0.2};
        h->problem = "reading the last weight";
        value_think(c, h, &LAST_WEIGHT, q[WEIGHT], "The last point is read against the kilograms at the left.");
        h->conclusion = case_say(c, "The last weight is %.1f kg.", q[WEIGHT]);
    } else if (asks(ask, "last-centile")) {
        h->problem = "the centile of the last weight";
        h->rule = "From below the lines are the 0.4th, 2nd, 9th, 25th, 50th, 75th, 91st, 98th and 99.6th centile.";
        thought_step(h, case_say(c, "%d lines lie below the last point.", (int)q[LAST]));
        thought_step(h, case_say(c, "That is %s.", SPACE_NAME[(int)q[LAST]]));
        thought_candidates(h, ask->answer, ask->classes, judge(t, ask), "the count of lines below fits",
                           "the count of lines below does not fit");
        h->conclusion = case_say(c, "The last weight lies %s.", SPACE_NAME[(int)q[LAST]]);
    } else {
        static const char *const COURSES[] = {"a weight that follows its centile", "a weight that falls across lines",
                                              "a weight that rises across lines"};
        int crossed = crossed_of(q);
        h->problem = "the course of the weight";
        add_course(c, h, q, "The");
        thought_candidates(h, COURSES, 3,
                           crossed > 0   ? FALLS
                           : crossed < 0 ? RISES
                                         : FOLLOWS,
                           say_lines(c, q), say_lines(c, q));
        if (asks(ask, "lines"))
            h->conclusion = case_say(c, "The weight falls through %.0f line%s.", q[CROSSED], plural((int)q[CROSSED]));
    }
}

static const char *say_conclusion(Case *c, const Truth *t, const Ask *ask, int class)
{
    if (asks(ask, "reasons")) return case_say(c, "What reaches a threshold: %s.", ask->answer[class]);
    if (ask->images == 2) return case_say(c, "The fall is enough for faltering growth %s.", ask->answer[class]);
    if (asks(ask, "meaning")) return case_say(c, "The chart shows this: %s.", ask->answer[class]);
    return is_faltering(t, t->q[0]) ? "This is faltering growth." : "This is not faltering growth.";
}

static void think(Case *c, Thought *h, const Truth *t, const Ask *ask, int class)
{
    static const char *const FALTERING[] = {"faltering growth", "growth that does not falter"};
    if (ask->level == 1) {
        think_reading(c, h, t, ask);
        return;
    }
    h->problem = "whether the growth falters";
    h->rule = say_rule(c, t->group);
    h->conclusion = say_conclusion(c, t, ask, class);
    for (int i = 0; i < t->images; i++) {
        add_course(c, h, t->q[i], t->images == 1 ? "The" : i ? "On the second chart the" : "On the first chart the");
        add_comparison(c, h, t, t->q[i]);
    }
    const char *pro = case_say(c, "%s", say_lines(c, t->q[0])), *contra = pro;
    if (asks(ask, "reasons")) {
        h->rule = case_say(c, "%s A weight below the 2nd centile is a concern whatever the birth weight.", h->rule);
        thought_step(h, is_low(t->q[0]) ? "The last weight is below the 2nd centile."
                                        : "The last weight is not below the 2nd centile.");
        pro = "both rules agree with it", contra = "a rule tells against it";
    } else if (t->images == 2) pro = "both charts agree with it", contra = "a chart tells against it";
    if (ask->kind == ASK_YESNO) thought_candidates(h, FALTERING, 2, class, pro, contra);
    else thought_candidates(h, ask->answer, ask->classes, class, pro, contra);
    h->check = case_say(c, "The birth weight was %s, so %s space%s it is; the points lie well inside their spaces.",
                        BORN[t->group], LIMIT_WORDS[LIMIT[t->group]], plural(LIMIT[t->group]));
}

const Family FAMILY_GROWTH = {.name = "growth",
                              .specialty = "paediatrics",
                              .picture = "chart",
                              .channels = 3,
                              .ask = ASK,
                              .asks = sizeof ASK / sizeof *ASK,
                              .group = GROUP,
                              .draw = draw,
                              .judge = judge,
                              .render = render,
                              .describe = describe,
                              .think = think};
