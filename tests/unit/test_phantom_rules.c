/*
 * The phantom clinic's rules, worked out a second time: from nothing but a case's findings and the patient in its words
 * every answer is computed again, by thresholds written down here anew, and compared.  Then what words must keep:
 * every style quotes every finding, options differ, twins tell all and show nothing, and levels mean what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "phantom_cases.h"

enum { CASES = 20000, FAMILIES_NOW = 12 };

/* What the answer must be: a text, or where that is empty a number. */
typedef struct Want {
    char text[120];
    double number;
} Want;

static Want want_number(double x)
{
    return (Want){"", x};
}

static Want want(const char *fmt, ...) PRINTF_LIKE(1, 2);
static Want want(const char *fmt, ...)
{
    Want w = {"", 0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w.text, sizeof w.text, fmt, ap);
    va_end(ap);
    return w;
}

static Want want_yes(bool yes)
{
    return want("%s", yes ? "yes" : "no");
}

/* "on the first film only" */
static Want want_which(bool first, bool second, const char *picture, const char *both)
{
    if (first && second) return want("on both %s", both);
    if (!first && !second) return want("on neither %s", picture);
    return want("on the %s %s only", first ? "first" : "second", picture);
}

static double value(const Case *c, const char *name, int image)
{
    const Finding *f = finding_of(c, name, image);
    if (!f) fail_msg("%s has no finding '%s'", c->id, name);
    return f->value;
}

static bool word_is(const Case *c, const char *name, int image, const char *word)
{
    const Finding *f = finding_of(c, name, image);
    if (!f) fail_msg("%s has no finding '%s'", c->id, name);
    return !strcmp(f->word, word);
}

static bool asks(const Case *c, const char *ask)
{
    return !strcmp(c->ask, ask);
}

static bool told(const Case *c, const char *words)
{
    return strstr(c->vignette, words) != NULL;
}

/* ---- the rules -------------------------------------------------------------------------------------------------- */

static Want rule_heart(const Case *c)
{
    bool newborn = told(c, "-day-old") || told(c, "day old") || told(c, "days old");
    double ratio = value(c, "cardiothoracic ratio", 0), limit = newborn ? 0.60 : 0.50;
    const char *side = finding_of(c, "apex of the heart", 0)->word;
    if (asks(c, "ratio") || asks(c, "ratio-choice")) return want_number(ratio);
    if (asks(c, "side")) return want("%s", side);
    if (asks(c, "two-films"))
        return want_which(ratio > limit, value(c, "cardiothoracic ratio", 1) > limit, "film", "films");
    if (asks(c, "size-and-side"))
        return want("%s, apex to the patient's %s", ratio > limit ? "enlarged" : "normal size", side);
    return want_yes(ratio > limit);
}

static int rate_class(double rate, bool infant)
{
    static const double LIMIT[2][3] = {{60, 100, 150}, {100, 160, 220}};
    int class = rate >= LIMIT[infant][0];
    for (int i = 1; i < 3; i++) class += rate > LIMIT[infant][i];
    return class;
}

static Want rule_ecg(const Case *c)
{
    static const char *const CLASS[] = {"slow", "normal", "fast", "very fast"};
    bool infant = told(c, "-month-old") || told(c, "month old") || told(c, "months old");
    double mm = value(c, "R-R interval", 0), rate = 60 * 25 / mm;
    if (asks(c, "squares") || asks(c, "squares-choice")) return want_number(mm / 5);
    if (asks(c, "rate")) return want_number(floor(rate + 0.5));
    if (asks(c, "class")) return want("%s", CLASS[rate_class(rate, infant)]);
    bool normal = rate_class(rate, infant) == 1;
    if (!asks(c, "two-strips")) return want_yes(normal);
    return want_which(normal, rate_class(60 * 25 / value(c, "R-R interval", 1), infant) == 1, "strip", "strips");
}

static Want rule_pneumothorax(const Case *c)
{
    const Finding *f = finding_of(c, "rim of air at the hilum", 0), *g = finding_of(c, "rim of air at the hilum", 1);
    const Finding *s = finding_of(c, "pneumothorax on the patient's", 0);
    const char *side = s ? s->word : "";
    bool large = f && f->value >= 2, small = f && !large;
    bool calm = told(c, "without breathlessness") || told(c, "not breathless") || told(c, "breathing is easy") ||
                told(c, "breathing freely");
    if (asks(c, "present")) return want_yes(f);
    if (asks(c, "side")) return want("%s", side);
    if (asks(c, "rim") || asks(c, "rim-choice")) return want_number(f->value);
    if (asks(c, "large")) return want_yes(large);
    if (asks(c, "two-films")) return want_which(large, g && g->value >= 2, "film", "films");
    if (asks(c, "size-and-side"))
        return f ? want("%s, on the patient's %s", large ? "large" : "small", side) : want("no pneumothorax");
    if (asks(c, "drain")) return want_yes(large || (small && !calm));
    if (!f) return want("look for another cause: there is no pneumothorax");
    return large || !calm ? want("drain the air on the patient's %s", side)
                          : want("observe: the pneumothorax is small");
}

static int centile_space(const Case *c, const char *name, int image)
{
    static const char *const FROM[] = {"below the 0.4th",  "between the 0.4th", "between the 2nd",  "between the 9th",
                                       "between the 25th", "between the 50th",  "between the 75th", "between the 91st",
                                       "between the 98th", "above the 99.6th"};
    const char *word = finding_of(c, name, image)->word;
    for (int i = 0; i < 10; i++)
        if (!strncmp(word, FROM[i], strlen(FROM[i]))) return i;
    fail_msg("'%s' is no centile space", word);
    return -1;
}

static int fall(const Case *c, int image)
{
    return centile_space(c, "first weight", image) - centile_space(c, "last weight", image);
}

static Want rule_growth(const Case *c)
{
    int down = fall(c, 0), limit = told(c, "weight below the 9th") ? 1 : told(c, "weight above the 91st") ? 3 : 2;
    bool low = centile_space(c, "last weight", 0) < 2;
    if (asks(c, "course")) return want("%s", down > 0 ? "falls" : down < 0 ? "rises" : "follows");
    if (asks(c, "lines")) return want_number(down > 0 ? down : 0);
    if (asks(c, "weight")) return want_number(value(c, "weight at the last point", 0));
    if (asks(c, "last-centile")) return want("%s", finding_of(c, "last weight", 0)->word);
    if (asks(c, "two-charts")) return want_which(down >= limit, fall(c, 1) >= limit, "chart", "charts");
    if (asks(c, "reasons"))
        return want("%s", low && down >= limit ? "both the fall and the last weight below the 2nd centile"
                          : low                ? "the last weight, below the 2nd centile, alone"
                          : down >= limit      ? "the fall alone"
                                               : "neither the fall nor the last weight");
    if (asks(c, "meaning"))
        return want("%s", down >= limit ? "faltering growth"
                          : down > 0    ? "a fall, but not enough for faltering growth"
                          : down < 0    ? "catch-up growth: the weight rises across lines"
                                        : "the weight follows its centile");
    return want_yes(down >= limit);
}

static Want rule_ventricles(const Case *c)
{
    double index = value(c, "Evans index", 0), horns = value(c, "frontal horns", 0) / value(c, "inner skull", 0);
    bool large = index > 0.30, wide = word_is(c, "sulci", 0, "wide");
    assert_true(fabs(index - horns) <= 0.0051);
    if (asks(c, "index") || asks(c, "index-choice")) return want_number(index);
    if (asks(c, "sulci")) return want("%s", wide ? "wide" : "narrow");
    if (asks(c, "enlarged")) return want_yes(large);
    if (asks(c, "two-slices")) return want_which(large, value(c, "Evans index", 1) > 0.30, "CT", "CTs");
    if (asks(c, "size-and-sulci"))
        return want("%s, %s sulci", large ? "enlarged ventricles" : "ventricles of normal size",
                    wide ? "wide" : "narrow");
    if (!large) return want("ventricles of normal size");
    if (wide) return want("enlargement from loss of brain tissue");
    if (!strcmp(c->group, "an earlier disease")) return want("hydrocephalus after an earlier disease");
    return want("%s", strcmp(c->group, "no such signs") ? "idiopathic normal-pressure hydrocephalus"
                                                        : "large ventricles without signs of hydrocephalus");
}

static Want rule_growing_haematoma(const Case *c)
{
    double was = value(c, "thickness", 0), now = value(c, "thickness", 1);
    if (fabs(now - was) < 2) return want("it has not changed");
    if (now < was) return want("it has become smaller");
    return want("%s", now > 10 || value(c, "midline shift", 1) > 5 ? "it has grown and must now be evacuated"
                                                                   : "it has grown but stays within the limits");
}

static Want rule_haematoma(const Case *c)
{
    bool lens = word_is(c, "shape", 0, "lens"), awake = !strcmp(c->group, "awake");
    double thick = value(c, "thickness", 0), shift = value(c, "midline shift", 0);
    double volume = lens ? floor(value(c, "length", 0) * thick * value(c, "height", 0) / 2000 + 0.5) : 0;
    const char *side = finding_of(c, "side", 0)->word;
    bool over = thick > (lens ? 15 : 10), off = shift > 5;
    if (asks(c, "side")) return want("%s", side);
    if (asks(c, "shape")) return want("%s", lens ? "lens" : "crescent");
    if (asks(c, "thickness") || asks(c, "thickness-choice")) return want_number(thick);
    if (asks(c, "shift")) return want_number(shift);
    if (asks(c, "space")) return want("%s, on the patient's %s", lens ? "epidural" : "subdural", side);
    if (asks(c, "evacuate")) return want_yes(over || off);
    if (asks(c, "watch")) return want_yes(!over && !off && (!lens || (volume < 30 && awake)));
    if (asks(c, "volume")) return want_number(volume);
    if (asks(c, "volume-limit")) return want_yes(volume > 30);
    if (asks(c, "growth")) return rule_growing_haematoma(c);
    if (over && off) return want("thickness and midline shift, whatever the GCS");
    if (over || off) return want("the %s, whatever the GCS", over ? "thickness" : "midline shift");
    return awake ? want("nothing does: watch and repeat the CT") : want("the fall of the GCS alone");
}

static Want rule_optic_disc(const Case *c)
{
    double ratio = value(c, "vertical cup-to-disc ratio", 0), other = told(c, "eye: 0.30)") ? 0.30 : 0.50;
    const char *eye = finding_of(c, "eye", 0)->word;
    bool two = c->ask[0] && (asks(c, "suspect-of-two") || asks(c, "why"));
    if (two) other = value(c, "vertical cup-to-disc ratio", 1);
    bool known = two || asks(c, "suspect-by-other-eye");
    bool large = ratio >= 0.7 || (known && other >= 0.7), apart = known && fabs(ratio - other) > 0.2;
    if (asks(c, "ratio") || asks(c, "ratio-choice")) return want_number(ratio);
    if (asks(c, "eye")) return want("%s", eye);
    if (asks(c, "cup-and-eye")) return want("%s eye, %s", eye, large ? "glaucoma suspected" : "usual cup");
    if (!asks(c, "why")) return want_yes(large || apart);
    return want("%s", large && apart ? "both a ratio of 0.7 or more and a difference of more than 0.2"
                      : large        ? "only a ratio of 0.7 or more"
                      : apart        ? "only a difference of more than 0.2 between the eyes"
                                     : "none");
}

static Want rule_nodule(const Case *c)
{
    double mm = value(c, "nodule diameter", 0);
    bool smoker = told(c, "smoked two packs");
    if (asks(c, "diameter") || asks(c, "diameter-choice")) return want_number(mm);
    if (asks(c, "side")) return want("%s", finding_of(c, "side of the nodule", 0)->word);
    if (asks(c, "early")) return want_yes(mm > 8);
    if (asks(c, "size")) return want("%s", mm < 6 ? "smaller than 6 mm" : mm <= 8 ? "6 to 8 mm" : "larger than 8 mm");
    if (asks(c, "growth")) {
        double now = value(c, "nodule diameter", 1);
        return want("%s, %s", now - mm >= 2 ? "growth" : "no growth", now > 8 ? "larger than 8 mm" : "8 mm or smaller");
    }
    if (mm > 8) return want("consider CT at 3 months, PET/CT or tissue sampling");
    if (mm < 6) return want("%s", smoker ? "optional CT at 12 months" : "no routine follow-up");
    return want("CT at 6 to 12 months, then %sCT at 18 to 24 months", smoker ? "" : "consider ");
}

static Want rule_response(const Case *c)
{
    double was = value(c, "target lesion diameter", 0);
    if (asks(c, "diameter") || asks(c, "diameter-choice")) return want_number(was);
    if (asks(c, "side")) return want("%s", finding_of(c, "side of the lesion", 0)->word);
    double now = value(c, "target lesion diameter", 1), before = told(c, "measured 40 mm before") ? 40 : was;
    if (asks(c, "larger")) return want_yes(now > was);
    if (asks(c, "change")) return want_number(floor(100 * (now - was) / was + 0.5));
    bool worse = word_is(c, "new lesion", 1, "yes") || (now - was >= 5 && (now - was) / was >= 0.2);
    const char *is = worse                            ? "progressive disease"
                     : now <= 0                       ? "complete response"
                     : (before - now) / before >= 0.3 ? "partial response"
                                                      : "stable disease";
    if (asks(c, "progression")) return want_yes(worse);
    if (asks(c, "partial-by-baseline")) return want_yes(!strcmp(is, "partial response"));
    return want("%s", is);
}

static int rank_of(const Case *c, const char *name, int image, const char *const word[4])
{
    for (int i = 0; i < 4 && word[i]; i++)
        if (word_is(c, name, image, word[i])) return i;
    fail_msg("%s: unknown %s", c->id, name);
    return -1;
}

static int thyroid_points(const Case *c, int image)
{
    static const char *const MADE_OF[4] = {"cystic", "mixed", "solid"};
    static const char *const ECHO[4] = {"anechoic", "hyperechoic", "hypoechoic", "very hypoechoic"};
    static const char *const FOCI[4] = {"none", "large calcification", "rim calcification", "punctate"};
    return rank_of(c, "composition", image, MADE_OF) + rank_of(c, "echogenicity", image, ECHO) +
           rank_of(c, "echogenic foci", image, FOCI) + (word_is(c, "shape", image, "taller than wide") ? 3 : 0) +
           (word_is(c, "margin", image, "irregular") ? 2 : 0);
}

/* 2 aspiration, 1 follow-up, 0 neither */
static int thyroid_action(const Case *c, int image)
{
    int p = thyroid_points(c, image);
    double mm = value(c, "nodule diameter", image);
    double needle = p >= 7 ? 10 : p >= 4 ? 15 : p == 3 ? 25 : 1e9, watch = p >= 7 ? 5 : p >= 4 ? 10 : p == 3 ? 15 : 1e9;
    return mm >= needle ? 2 : mm >= watch;
}

static Want rule_thyroid(const Case *c)
{
    static const char *const ACTION[] = {"neither aspiration nor follow-up", "follow-up ultrasound",
                                         "fine needle aspiration"};
    int p = thyroid_points(c, 0);
    if (asks(c, "size")) return want_number(value(c, "nodule diameter", 0));
    if (asks(c, "composition") || asks(c, "echogenicity")) return want("%s", finding_of(c, c->ask, 0)->word);
    if (asks(c, "foci")) return want("%s", finding_of(c, "echogenic foci", 0)->word);
    if (asks(c, "shape")) return want_yes(word_is(c, "shape", 0, "taller than wide"));
    if (asks(c, "points")) return want_number(p);
    if (asks(c, "level")) return want("TR%d", p >= 7 ? 5 : p >= 4 ? 4 : p >= 3 ? 3 : p >= 2 ? 2 : 1);
    if (asks(c, "management")) return want("%s", ACTION[thyroid_action(c, 0)]);
    if (asks(c, "puncture"))
        return want_yes(told(c, "takes up FDG") ? value(c, "nodule diameter", 0) >= 10 : thyroid_action(c, 0) == 2);
    bool first = thyroid_action(c, 0) == 2, second = thyroid_action(c, 1) == 2;
    return want("%s", first && second ? "both nodules"
                      : first         ? "the first nodule only"
                      : second        ? "the second nodule only"
                                      : "neither nodule");
}

static Want (*const RULE[FAMILIES_NOW])(const Case *) = {
    rule_heart,      rule_heart,     rule_ecg,        rule_ecg,    rule_pneumothorax, rule_growth,
    rule_ventricles, rule_haematoma, rule_optic_disc, rule_nodule, rule_response,     rule_thyroid};

static void make_twin(Case *c, int i, Split split)
{
    CaseSpec s = spec_of(family_name(i % FAMILIES_NOW), (uint32_t)i, 112);
    s.twin = true, s.split = split;
    case_make(c, &s);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void test_answers_follow_from_findings(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        Case c;
        make_twin(&c, i, SPLIT_RL);
        Want w = RULE[i % FAMILIES_NOW](&c);
        const char *dot = strchr(c.answer_text, '.');
        double half = dot ? 0.51 * pow(0.1, (double)strlen(dot + 1)) : 0.01;
        bool right = *w.text ? !strcmp(w.text, c.answer_text) : fabs(strtod(c.answer_text, NULL) - w.number) <= half;
        if (!right) fail_msg("%s %s: '%s', but by the rule '%s' or %g", c.id, c.ask, c.answer_text, w.text, w.number);
        case_release(&c);
    }
}

static void check_options(const Case *c)
{
    int right = 0;
    assert_true(c->kind == ASK_CHOICE ? c->options >= 3 && c->options <= 5 : c->options == 0);
    for (int i = 0; i < c->options; i++) {
        right += !strcmp(c->option[i], c->answer_text);
        for (int k = 0; k < i; k++) assert_string_not_equal(c->option[i], c->option[k]);
    }
    if (c->options) assert_int_equal(right, 1);
}

/* Every style quotes every finding; a twin tells them all, with which picture they are of, and shows none. */
static void check_quotes(const Case *c)
{
    Buf prompt = {0};
    case_prompt(&prompt, c, true);
    assert_null(strstr(prompt.data, "<image>"));
    assert_int_equal(c->images, 0);
    assert_null(c->image[0].rgb);
    buf_release(&prompt);
    for (int k = 0; k < c->findings; k++) {
        const Finding *f = &c->finding[k];
        assert_non_null(strstr(c->question, f->text));
        assert_non_null(strstr(c->question, f->label));
        for (int s = 0; s < N_STYLES; s++)
            if (!strstr(c->reasoning[s], f->text)) fail_msg("%s: %s does not say '%s'", c->id, STYLE_NAME[s], f->text);
    }
}

static void test_words_hold(void **state)
{
    (void)state;
    static const char *const NEVER[] = {"(null)", "nan", " inf ", "  ", " .", "..", ",,", "-0 ", "-0.0"};
    for (int i = 0; i < CASES / 2; i++) {
        Case c;
        make_twin(&c, i, i % 2 ? SPLIT_TEXT : SPLIT_SFT);
        check_options(&c);
        check_quotes(&c);
        for (size_t k = 0; k < sizeof NEVER / sizeof *NEVER; k++) {
            assert_null(strstr(c.question, NEVER[k]));
            assert_null(strstr(c.caption, NEVER[k]));
            for (int s = 0; s < N_STYLES; s++)
                if (strstr(c.reasoning[s], NEVER[k])) fail_msg("%s: '%s' in %s", c.id, NEVER[k], c.reasoning[s]);
        }
        case_release(&c);
    }
}

/* What an exercise in reading asks for stands in its text. */
static void check_reading(const Case *c, Rng *rng)
{
    Buf ask = {0}, answer = {0};
    case_messages(&ask, &answer, c, STYLE_READING, rng);
    if (strstr(ask.data, "Put the answer")) {
        char *marked = xasprintf("<answer>%s</answer>", c->answer);
        assert_string_equal(answer.data, marked);
        free(marked);
        assert_non_null(strstr(ask.data, c->answer_text));
    } else if (strstr(ask.data, "What follows?")) {
        assert_non_null(strstr(ask.data, c->conclusion));
        assert_non_null(strstr(answer.data, c->answer_text));
    } else if (strstr(ask.data, "Write each "))
        for (int i = 0; i < c->options; i++) {
            bool first = strstr(ask.data, "Write each letter") != NULL;
            char *both =
                first ? xasprintf("%c. %s", 'A' + i, c->option[i]) : xasprintf("%s (%c)", c->option[i], 'A' + i);
            assert_non_null(strstr(answer.data, both));
            free(both);
        }
    else assert_non_null(strstr(answer.data, c->finding[0].text));
    buf_release(&ask);
    buf_release(&answer);
}

/* Notes are some reasoning's sentences but for the last, which gives the answer; a list of findings has them all. */
static void check_notes(const Case *c, Rng *rng)
{
    Buf ask = {0}, notes = {0}, list = {0};
    case_messages(&ask, &notes, c, STYLE_NOTES, rng);
    assert_non_null(strstr(ask.data, c->question));
    assert_null(strstr(notes.data, "So the answer is"));
    assert_null(strstr(notes.data, "The answer is"));
    assert_null(strstr(notes.data, "Answer:"));
    bool whole = false;
    size_t length = notes.len - (notes.data[0] == '<' ? strlen("<think>\n\n</think>") : 0);
    for (int s = 0; s < N_STYLES; s++) {
        size_t rest = strlen(c->reasoning[s]) - length; /* the last sentence and the space before it */
        whole |= rest > 6 && rest < 150 && strlen(c->reasoning[s]) > length;
    }
    assert_true(whole);
    case_messages(&ask, &list, c, STYLE_MEASURE, rng);
    for (int k = 0; k < c->findings; k++) {
        assert_non_null(strstr(notes.data, c->finding[k].text));
        assert_non_null(strstr(list.data, c->finding[k].text));
    }
    buf_release(&ask);
    buf_release(&notes);
    buf_release(&list);
}

static void test_notes_hold(void **state)
{
    (void)state;
    Rng rng = rng_at(1, RNG_PHANTOM, 0, 0, 0);
    for (int i = 0; i < CASES / 4; i++) {
        Case c;
        make_twin(&c, i, SPLIT_BASE);
        check_notes(&c, &rng);
        check_reading(&c, &rng);
        case_release(&c);
    }
}

/* How many sets of findings of a family have more than one answer at a level. */
static int count_contested(const char *family, int level, int n)
{
    Map first = {0}, more = {0};
    for (int i = 0; i < n; i++) {
        Case c;
        CaseSpec s = spec_of(family, (uint32_t)i, 112);
        s.twin = true, s.level = level;
        case_make(&c, &s);
        Buf key = {0};
        buf_str(&key, level == 3 ? KIND_NAME[c.kind] : c.ask);
        for (int k = 0; k < c.findings; k++) buf_printf(&key, "|%s", c.finding[k].text);
        int64_t was, is = (int64_t)hash_bytes(HASH_INIT, c.answer_text, strlen(c.answer_text));
        if (!map_get_str(&first, key.data, &was)) map_set_str(&first, key.data, is);
        else if (was != is) map_set_str(&more, key.data, 1);
        buf_release(&key);
        case_release(&c);
    }
    int contested = more.n;
    map_release(&first);
    map_release(&more);
    return contested;
}

/* Up to level 2 what is seen settles the answer; at level 3 the same findings mean different things to different
   patients. */
static void test_levels_mean_what_they_say(void **state)
{
    (void)state;
    for (int f = 0; f < FAMILIES_NOW; f++) {
        const char *family = family_name(f);
        int contested[4] = {0};
        for (int level = 1; level <= 3; level++) contested[level] = count_contested(family, level, 1500);
        print_message("%s: %d findings of two answers at level 3\n", family, contested[3]);
        assert_int_equal(contested[1], 0);
        assert_int_equal(contested[2], 0);
        assert_true(contested[3] >= 10);
    }
}

/* No id twice, and no patient in two splits. */
static void test_splits_share_nothing(void **state)
{
    (void)state;
    Map ids = {0}, patients = {0};
    int with_patient = 0, met = 0;
    for (int split = 0; split < N_SPLITS; split++)
        for (int i = 0; i < 1200; i++) {
            Case c;
            int64_t was;
            make_twin(&c, i, (Split)split);
            assert_false(map_get_str(&ids, c.id, &was));
            map_set_str(&ids, c.id, 1);
            if (*c.vignette) { /* patient and findings */
                with_patient++;
                met += map_get_str(&patients, c.question, &was) && was != split;
                map_set_str(&patients, c.question, split);
            }
            case_release(&c);
        }
    print_message("%d of %d patients met in two splits\n", met, with_patient);
    assert_int_equal(met, 0);
    map_release(&ids);
    map_release(&patients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_follow_from_findings),
        cmocka_unit_test(test_words_hold),
        cmocka_unit_test(test_notes_hold),
        cmocka_unit_test(test_levels_mean_what_they_say),
        cmocka_unit_test(test_splits_share_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
