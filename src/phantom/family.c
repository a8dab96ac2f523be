/* What families share: strings, findings, cut-offs. */
#include "phantom/family.h"

#include <stdio.h>

#include "phantom/deterministic.h"

const char *case_say(Case *c, const char *fmt, ...)
{
    Buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    if (!b.data) buf_reserve(&b, 1), b.data[0] = 0;
    char *text = buf_take(&b);
    vec_push(&c->text, text);
    return text;
}

const char *draw_phrase(Rng *rng, const char *const *phrase)
{
    uint32_t n = 0;
    while (phrase[n]) n++;
    return phrase[rng_below(rng, n)];
}

double round_to(double x, double step)
{
    /* through whole numbers of 1 / step where that is whole: 57 / 100 is 0.57, 57 * 0.01 is not */
    double per = 1 / step, whole = (double)det_floor(per + 0.5);
    if (per - whole < 1e-6 && whole - per < 1e-6) return (double)det_floor(x * whole + 0.5) / whole;
    return (double)det_floor(x / step + 0.5) * step;
}

/* ---- findings --------------------------------------------------------------------------------------------------- */

static Finding *finding_new(Case *c, int image, const char *name)
{
    CHECK(c->findings < MAX_FINDINGS, "more than %d findings", MAX_FINDINGS);
    Finding *f = &c->finding[c->findings++];
    *f = (Finding){.name = name, .unit = "", .image = image, .label = ""};
    if (c->images > 1) f->label = case_say(c, "%s %s", image ? "second" : "first", c->family->picture);
    return f;
}

/* The family's format holds exactly one %f-like conversion. */
static void print_value(char text[40], const char *format, double value)
{
    int (*print)(char *, size_t, const char *, ...) = snprintf;
    print(text, 40, format, value);
}

void finding_number(Case *c, int image, const char *name, const char *format, double value, const char *unit)
{
    char text[40];
    print_value(text, format, value);
    Finding *f = finding_new(c, image, name);
    f->value = value;
    f->unit = unit;
    f->text = case_say(c, "%s %s%s%s", name, text, *unit ? " " : "", unit);
}

void finding_word(Case *c, int image, const char *name, const char *word)
{
    Finding *f = finding_new(c, image, name);
    f->word = word;
    f->text = case_say(c, "%s %s", name, word);
}

/* ---- thoughts --------------------------------------------------------------------------------------------------- */

void thought_step(Thought *h, const char *sentence)
{
    CHECK(h->steps < MAX_STEPS, "more than %d steps", MAX_STEPS);
    h->step[h->steps++] = sentence;
}

void thought_hypothesis(Thought *h, Hypothesis hyp)
{
    CHECK(h->hypotheses < MAX_HYPOTHESES, "more than %d hypotheses", MAX_HYPOTHESES);
    h->hypothesis[h->hypotheses++] = hyp;
}

void thought_candidates(Thought *h, const char *const *name, int n, int holds, const char *pro, const char *contra)
{
    for (int i = 0; i < n; i++)
        thought_hypothesis(h, (Hypothesis){.name = name[i],
                                           .pro = i == holds ? pro : "",
                                           .contra = i == holds ? "" : contra,
                                           .prior = 1 / (double)n,
                                           .likelihood = i == holds ? 0.94 : 0.02,
                                           .holds = i == holds});
}

/* ---- cut-offs --------------------------------------------------------------------------------------------------- */

int cutoffs_class(const Cutoffs *k, double value)
{
    int class = 0;
    while (class < k->n && value > k->limit[class]) class ++;
    return class;
}

static double lower_edge(const Cutoffs *k, int class)
{
    return class ? k->limit[class - 1] + k->margin : k->lo;
}

static double upper_edge(const Cutoffs *k, int class)
{
    return class < k->n ? k->limit[class] - k->margin : k->hi;
}

double cutoffs_draw(const Cutoffs *k, int class, Rng *rng)
{
    double v = round_to(draw_between(rng, lower_edge(k, class), upper_edge(k, class)), k->step);
    return det_clamp(v, k->lo, k->hi);
}

double cutoffs_draw_bin(const Cutoffs *k, int bin, int bins, Rng *rng)
{
    double width = (k->hi - k->lo) / (double)bins, from = k->lo + (double)bin * width;
    double v = draw_between(rng, from, from + width);
    int class = cutoffs_class(k, v);
    return round_to(det_clamp(v, lower_edge(k, class), upper_edge(k, class)), k->step);
}

/* How likely it is to read `value` where the truth lies between the class's limits: two logistic edges as wide as the
   reader's error. */
static double class_likelihood(const Cutoffs *k, int class, double value)
{
    double p = 1;
    if (class) p *= 1 / (1 + det_exp(-1.7 * (value - k->limit[class - 1]) / k->error));
    if (class < k->n) p *= 1 / (1 + det_exp(1.7 * (value - k->limit[class]) / k->error));
    return det_clamp(p, 0.01, 0.99);
}

static const char *say_number(Case *c, const Cutoffs *k, double value)
{
    char text[40];
    print_value(text, k->format, value);
    return case_say(c, "%s", text);
}

static const char *say_value(Case *c, const Cutoffs *k, double value)
{
    return case_say(c, "%s%s%s", say_number(c, k, value), *k->unit ? " " : "", k->unit);
}

/* Where a class lies: "below 60", "between 60 and 100", "above 100" */
static const char *say_place(Case *c, const Cutoffs *k, int class)
{
    if (class == 0) return case_say(c, "below %s", say_number(c, k, k->limit[0]));
    const char *lo = say_number(c, k, k->limit[class - 1]);
    if (class == k->n) return case_say(c, "above %s", lo);
    return case_say(c, "between %s and %s", lo, say_number(c, k, k->limit[class]));
}

static double nearest_limit(const Cutoffs *k, double value)
{
    double best = k->limit[0];
    for (int i = 1; i < k->n; i++) {
        double d = value - k->limit[i], e = value - best;
        if (d * d < e * e) best = k->limit[i];
    }
    return best;
}

/* The steps of one value: "The heart rate is 110 per minute." "110 is above 100: a fast rate." */
static void add_steps(Case *c, Thought *h, const Cutoffs *k, double value, const char *where)
{
    int class = cutoffs_class(k, value);
    thought_step(h, case_say(c, "%s %s is %s.", where, k->name, say_value(c, k, value)));
    thought_step(h, case_say(c, "%s is %s: %s.", say_number(c, k, value), say_place(c, k, class), k->label[class]));
}

static const char *say_check(Case *c, const Cutoffs *k, double value)
{
    double limit = nearest_limit(k, value), off = value > limit ? value - limit : limit - value;
    return case_say(c, "%s is %s away from the nearest limit, %s; a small error of reading changes nothing.",
                    say_number(c, k, value), say_number(c, k, round_to(off, k->step)), say_number(c, k, limit));
}

void cutoffs_think(Case *c, Thought *h, const Cutoffs *k, double value)
{
    int class = cutoffs_class(k, value);
    h->rule = k->rule;
    add_steps(c, h, k, value, "The");
    for (int i = 0; i <= k->n; i++) {
        const char *place = say_place(c, k, i), *number = say_number(c, k, value);
        thought_hypothesis(h, (Hypothesis){.name = k->label[i],
                                           .pro = i == class ? case_say(c, "%s is %s", number, place) : "",
                                           .contra = i == class ? "" : case_say(c, "%s is not %s", number, place),
                                           .prior = 1 / (double)(k->n + 1),
                                           .likelihood = class_likelihood(k, i, value),
                                           .holds = i == class});
    }
    h->check = say_check(c, k, value);
}

void cutoffs_think_pair(Case *c, Thought *h, const Cutoffs *k, const double value[2], const Ask *ask, int class)
{
    static const char *const WHICH[] = {"", "first", "second", "first and the second"};
    const char *picture = c->family->picture, *off[2];
    h->rule = k->rule;
    for (int i = 0; i < 2; i++) {
        add_steps(c, h, k, value[i], case_say(c, "On the %s %s the", WHICH[i + 1], picture));
        off[i] = say_check(c, k, value[i]);
    }
    for (int i = 0; i < 4; i++) {
        const char *against = case_say(c, "the %s %s tells against it", WHICH[i ^ class], picture);
        thought_hypothesis(h, (Hypothesis){.name = ask->answer[i],
                                           .pro = i == class ? "both pictures agree with it" : "",
                                           .contra = i == class ? "" : against,
                                           .prior = 0.25,
                                           .likelihood = i == class         ? 0.97
                                                         : (i ^ class) == 3 ? 0.01
                                                                            : 0.02,
                                           .holds = i == class});
    }
    h->check = case_say(c, "%s %s", off[0], off[1]);
}

void value_think(Case *c, Thought *h, const Cutoffs *k, double value, const char *how)
{
    h->rule = how;
    thought_step(h, case_say(c, "The %s is %s.", k->name, say_value(c, k, value)));
    const double off = 4 * k->error;
    const int n = round_to(value - off, k->step) < 0 ? 2 : 3; /* no value below 0 */
    for (int i = 1; i >= -1; i--) {
        double v = round_to(value + (double)i * off, k->step);
        if (i < 0 && n == 2) continue;
        thought_hypothesis(h, (Hypothesis){.name = case_say(c, "%s %s", k->name, say_value(c, k, v)),
                                           .pro = i ? "" : "it is what was measured",
                                           .contra = i > 0   ? "the measured value is smaller"
                                                     : i < 0 ? "the measured value is larger"
                                                             : "",
                                           .prior = 1 / (double)n,
                                           .likelihood = i ? 0.02 : 0.9,
                                           .holds = i == 0});
    }
    h->check = "Measured again, the value is the same.";
}
