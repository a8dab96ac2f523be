#include "reward/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum Dimension {
    LENGTH,
    AREA,
    VOLUME,
    MASS,
    TIME,
    RATE,
    RATIO,
    DENSITY,
    PRESSURE,
    ANGLE,
    HEAT,
    SPEED,
    LEVEL
} Dimension;

/* The first name of a unit is the one that is written. `scale` leads to the dimension's first row. */
static const struct {
    const char *names; /* patterns of tokens, divided by ';' */
    Dimension dimension;
    double scale;
} UNIT[] = {
    {"mm;millimeter|millimeters|millimetre|millimetres;毫 米", LENGTH, 1},
    {"cm;centimeter|centimeters|centimetre|centimetres;厘 米;公 分", LENGTH, 10},
    {"m;meter|meters|metre|metres;米", LENGTH, 1000},
    {"μm;um;micron|microns;micrometer|micrometers|micrometre|micrometres;微 米", LENGTH, 0.001},
    {"inch;inches;in", LENGTH, 25.4},
    {"mm^2;mm ^ 2;sq mm;square millimeters|millimetres", AREA, 1},
    {"cm^2;cm ^ 2;sq cm;square centimeters|centimetres", AREA, 100},
    {"ml;cc;milliliter|milliliters|millilitre|millilitres;cm ^ 3;毫 升", VOLUME, 1},
    {"l;liter|liters|litre|litres;升", VOLUME, 1000},
    {"dl", VOLUME, 100},
    {"mm^3;mm ^ 3", VOLUME, 0.001},
    {"mg;milligram|milligrams;毫 克", MASS, 1},
    {"g;gram|grams;克", MASS, 1000},
    {"kg;kilogram|kilograms;公 斤;千 克", MASS, 1e6},
    {"μg;ug|mcg;microgram|micrograms;微 克", MASS, 0.001},
    {"s;sec|secs|second|seconds;秒", TIME, 1},
    {"ms;msec|millisecond|milliseconds;毫 秒", TIME, 0.001},
    {"min;mins|minute|minutes;分 钟", TIME, 60},
    {"h;hr|hrs|hour|hours;小 时", TIME, 3600},
    {"day|days;天", TIME, 86400},
    {"week;weeks|wk|wks;周", TIME, 604800},
    {"month;months|mo;个 月;月", TIME, 2629746},
    {"year;years|yr|yrs|y;岁;年", TIME, 31556952},
    {"bpm;beats per|a|/ minute|min;beats / min|minute;/ min|minute;per minute|min;breaths per|/ minute|min;次 / 分",
     RATE, 1},
    {"hz;hertz", RATE, 60},
    {"%;percent;per cent;pct", RATIO, 0.01},
    {"hu;hounsfield units|unit", DENSITY, 1},
    {"mmhg;mm hg", PRESSURE, 1},
    {"kpa", PRESSURE, 7.50062},
    {"°;degree|degrees;deg", ANGLE, 1},
    {"°c;degrees|degree c|celsius;celsius", HEAT, 1},
    {"mm/s;mm / s|sec|second", SPEED, 1},
    {"cm/s;cm / s|sec|second", SPEED, 10},
    {"m/s;m / s|sec|second", SPEED, 1000},
    {"mg/dl;mg / dl", LEVEL, 1},
    {"mmol/l;mmol / l", LEVEL, 1e9}, /* depends on the substance: never equal to another level */
    {"g/dl;g / dl", LEVEL, 1000},
    {"ng/ml;ng / ml", LEVEL, 1e-4},
};
enum { UNITS = sizeof UNIT / sizeof *UNIT };

/* The unit that begins at token i and the token after it; the longest name wins. */
static int unit_at(const Lexemes *t, int i, int *end)
{
    int best = -1, longest = 0;
    for (int u = 0; u < UNITS; u++)
        for (const char *p = UNIT[u].names; *p;) {
            char pattern[96];
            size_t n = strcspn(p, ";");
            memcpy(pattern, p, n);
            pattern[n] = 0;
            int len = lexemes_match(t, i, pattern);
            if (len > longest) longest = len, best = u;
            p += n + (p[n] == ';');
        }
    /* "in" is a unit only glued or at an end: "2 in the left lung" */
    if (best >= 0 && lexeme_is(t, i, "in|a|y|d|m|l|g|s|h") && t->at[i].spaced && longest == 1 && i + 1 < t->n &&
        t->at[i + 1].kind < LEXEME_MARK)
        best = -1;
    *end = i + longest;
    return best;
}

/* "1,234", "1.234,5", "1,5" */
static double decimal(const char *s)
{
    const char *comma = strrchr(s, ','), *point = strrchr(s, '.');
    bool comma_decimal;
    if (comma && point) comma_decimal = comma > point;
    else comma_decimal = comma && (strlen(comma + 1) != 3 || s[0] == '0' || comma - s > 3) && strchr(s, ',') == comma;
    double whole = 0, unit = 1;
    bool after = false;
    for (; *s; s++) {
        if (isdigit((unsigned char)*s)) {
            whole = whole * 10 + (*s - '0');
            if (after) unit *= 10;
        } else if ((*s == ',') == comma_decimal && (s == comma || s == point)) {
            after = !(*s == '.' && comma_decimal);
        }
    }
    return whole / unit;
}

static bool is_number(const Lexemes *t, int i)
{
    return i >= 0 && i < t->n && t->at[i].kind == LEXEME_NUMBER;
}

/* 5 of 10^5, -3 of e-3: the exponent that begins at i; 0 tokens where there is none. */
static int exponent_at(const Lexemes *t, int i, double *power)
{
    if (lexeme_is(t, i, "x") && is_number(t, i + 1) && !strcmp(t->at[i + 1].low, "10") &&
        lexeme_is_mark(t, i + 2, "^")) {
        int minus = lexeme_is_mark(t, i + 3, "-");
        if (!is_number(t, i + 3 + minus)) return 0;
        *power = decimal(t->at[i + 3 + minus].low) * (minus ? -1 : 1);
        return 4 + minus;
    }
    if (i >= t->n || t->at[i].spaced || t->at[i].low[0] != 'e') return 0;
    if (t->at[i].kind == LEXEME_WORD && isdigit((unsigned char)t->at[i].low[1]) && strlen(t->at[i].low) < 4) {
        *power = atoi(t->at[i].low + 1);
        return 1;
    }
    bool glued = lexeme_is(t, i, "e") && lexeme_is_mark(t, i + 1, "-+") && is_number(t, i + 2) && !t->at[i + 2].spaced;
    if (!glued) return 0;
    *power = decimal(t->at[i + 2].low) * (lexeme_is_mark(t, i + 1, "-") ? -1 : 1);
    return 3;
}

static int word_value(const Lexemes *t, int i)
{
    static const char *const WORD[] = {"zero",     "one",     "two",     "three",     "four",     "five",    "six",
                                       "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
                                       "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const TENS[] = {"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};
    for (int k = 0; k < 20; k++)
        if (lexeme_is(t, i, WORD[k])) return k;
    for (int k = 0; k < 8; k++)
        if (lexeme_is(t, i, TENS[k])) return 20 + 10 * k;
    static const char CJK[] = "零|一|二|三|四|五|六|七|八|九|十";
    if (lexeme_is(t, i, CJK) && (i + 1 >= t->n || !lexeme_is(t, i + 1, CJK))) {
        int k = 0;
        for (const char *p = CJK; strncmp(p, t->at[i].low, 3); p += 4) k++;
        return k;
    }
    return lexeme_is(t, i, "两") ? 2 : -1;
}

/* "one third", "three quarters": 2 and the value divided, or 0. */
static int fraction_word(const Lexemes *t, int i, double *value)
{
    static const struct {
        const char *word;
        double divisor;
    } PART[] = {{"half|halves", 2},
                {"third|thirds", 3},
                {"quarter|quarters|fourth|fourths", 4},
                {"fifth|fifths", 5},
                {"tenth|tenths", 10}};
    int v = word_value(t, i);
    for (size_t k = 0; v > 0 && v < 10 && k < sizeof PART / sizeof *PART; k++)
        if (lexeme_is(t, i + 1, PART[k].word)) {
            *value = v / PART[k].divisor;
            return 2;
        }
    return 0;
}

/* "1.5 million": 1 and the value multiplied, or 0. */
static int scale_word(const Lexemes *t, int i, double *value)
{
    static const struct {
        const char *word;
        double factor;
    } SCALE[] = {{"thousand|千", 1e3}, {"万", 1e4}, {"million", 1e6}, {"billion", 1e9}};
    for (size_t k = 0; k < sizeof SCALE / sizeof *SCALE; k++)
        if (lexeme_is(t, i, SCALE[k].word)) {
            *value *= SCALE[k].factor;
            return 1;
        }
    return 0;
}

/* "three", "twenty-five". One is a pronoun as often as a number, so it counts only where a unit or the end follows. */
static int words_at(const Lexemes *t, int i, double *value)
{
    int v = word_value(t, i), end = i + 1, unit_end, part = fraction_word(t, i, value);
    if (part || v < 0) return part;
    if (v == 1 && i + 1 < t->n && !lexeme_is(t, i + 1, "hundred|thousand|million") && t->at[i + 1].kind < LEXEME_MARK &&
        unit_at(t, i + 1, &unit_end) < 0)
        return 0;
    if (v >= 20) {
        int k = lexeme_is_mark(t, end, "-") ? end + 1 : end, ones = word_value(t, k);
        if (ones > 0 && ones < 10) v += ones, end = k + 1;
    }
    *value = v;
    if (lexeme_is(t, end, "hundred")) {
        int k = lexeme_is(t, end + 1, "and") ? end + 2 : end + 1, rest = word_value(t, k);
        *value *= 100;
        end++;
        if (rest > 0) *value += rest, end = k + 1;
        int ones = rest >= 20 ? word_value(t, lexeme_is_mark(t, end, "-") ? end + 1 : end) : 0;
        if (ones > 0 && ones < 10) *value += ones, end += 1 + lexeme_is_mark(t, end, "-");
    }
    end += scale_word(t, end, value);
    int half = lexemes_match(t, end, "and a half");
    if (half) *value += 0.5;
    return end + half - i;
}

/* Digits that belong to a name: T-1, COVID-19, 18F, 2D, 3rd. */
static bool in_name(const Lexemes *t, int i)
{
    if (!t->at[i].spaced && i > 0) {
        if (t->at[i - 1].kind == LEXEME_WORD) return true;
        if (lexeme_is_mark(t, i - 1, "-/#") && i > 1 && !t->at[i - 1].spaced && t->at[i - 2].kind == LEXEME_WORD)
            return true;
    }
    int end;
    double power;
    if (i + 1 >= t->n || t->at[i + 1].spaced || exponent_at(t, i + 1, &power)) return false;
    if (t->at[i + 1].kind == LEXEME_WORD) return unit_at(t, i + 1, &end) < 0;
    bool hyphen =
        lexeme_is_mark(t, i + 1, "-") && i + 2 < t->n && !t->at[i + 2].spaced && t->at[i + 2].kind == LEXEME_WORD;
    return hyphen && unit_at(t, i + 2, &end) < 0;
}

/* "1. The heart ...": the number of a line, not of a thing. */
static bool numbers_line(const Lexemes *t, int i)
{
    return lexeme_begins_line(t, i) && lexeme_is_mark(t, i + 1, ".)") && i + 2 < t->n &&
           t->at[i + 2].kind < LEXEME_MARK && strlen(t->at[i].low) < 3;
}

/* The 000 of "1 000 000". */
static bool digit_group(const Lexemes *t, int i)
{
    return is_number(t, i) && is_number(t, i - 1) && strspn(t->at[i].low, "0123456789") == 3 && !t->at[i].low[3] &&
           !strpbrk(t->at[i - 1].low, ".,");
}

/* A number without sign, bound or unit. Returns the tokens it takes. */
static int value_at(const Lexemes *t, int i, double *value)
{
    if (!is_number(t, i)) return words_at(t, i, value);
    if (in_name(t, i) || numbers_line(t, i)) return 0;
    *value = decimal(t->at[i].low);
    int end = i + 1;
    for (; strlen(t->at[i].low) < 4 && digit_group(t, end); end++) *value = *value * 1000 + decimal(t->at[end].low);
    double power;
    bool mixed = is_number(t, i + 1) && lexeme_is_mark(t, i + 2, "/") && is_number(t, i + 3) && !t->at[i + 3].spaced;
    if (mixed && decimal(t->at[i + 3].low) > 0) {
        *value += decimal(t->at[i + 1].low) / decimal(t->at[i + 3].low);
        end = i + 4;
    } else if (lexeme_is_mark(t, i + 1, "/") && is_number(t, i + 2) && decimal(t->at[i + 2].low) > 0) {
        *value /= decimal(t->at[i + 2].low);
        end = i + 3;
    }
    int minus = lexeme_is_mark(t, end + 1, "-");
    bool raised = lexeme_is_mark(t, end, "^") && !t->at[end].spaced && is_number(t, end + 1 + minus);
    if (raised && decimal(t->at[end + 1 + minus].low) < 100) {
        *value = pow(*value, decimal(t->at[end + 1 + minus].low) * (minus ? -1 : 1));
        end += 2 + minus;
    }
    int n = exponent_at(t, end, &power);
    if (n && fabs(power) < 300) *value *= pow(10, power), end += n;
    return end + scale_word(t, end, value) - i;
}

static bool minus_before(const Lexemes *t, int i)
{
    if (lexeme_is(t, i - 1, "minus|负")) return true;
    if (!lexeme_is_mark(t, i - 1, "-") || t->at[i].spaced) return false;
    return t->at[i - 1].spaced || lexeme_is_mark(t, i - 2, "(:=~<>,");
}

static char bound_before(const Lexemes *t, int i)
{
    static const char *const BELOW[] = {
        "less|fewer|smaller|lower than", "under", "below", "at most", "up to", "no more than", "not more than", NULL};
    static const char *const ABOVE[] = {
        "more|greater|larger|higher than", "over", "above", "at least", "exceeds|exceeding", NULL};
    for (int k = i - 1; k >= 0 && k >= i - 3; k--) {
        if (lexeme_is_mark(t, k, "<")) return '<';
        if (lexeme_is_mark(t, k, ">")) return '>';
        for (int back = 0; back < 2; back++) {
            int n = lexemes_match_any(t, k - back, BELOW);
            if (n && k - back + n == k + 1) return '<';
            n = lexemes_match_any(t, k - back, ABOVE);
            if (n && k - back + n == k + 1) return '>';
        }
        if (!lexeme_is_mark(t, k, "=-~") && !lexeme_is(t, k, "minus")) return 0;
    }
    return 0;
}

static int skip_unit(const Lexemes *t, int i, int *unit)
{
    int end, hyphen = lexeme_is_mark(t, i, "-") && i + 1 < t->n && !t->at[i + 1].spaced;
    int u = unit_at(t, i + hyphen, &end);
    if (u < 0) return i;
    *unit = u;
    return end;
}

/* The quantity that begins at token i. */
static bool quantity_at(Quantity *q, const Lexemes *t, int i)
{
    double value, other;
    int n = value_at(t, i, &value);
    if (!n) return false;
    if (minus_before(t, i)) value = -value;
    *q = (Quantity){.lo = value, .hi = value, .bound = bound_before(t, i), .unit = -1, .first = i};
    int end = skip_unit(t, i + n, &q->unit);
    bool between = lexeme_is(t, i - 1, "between") && lexeme_is(t, end, "and");
    bool joined = between || lexeme_is_mark(t, end, "-") || (lexeme_is_mark(t, end, "~") && !t->at[end].spaced) ||
                  lexeme_is(t, end, "to|至|到");
    if (lexeme_is_mark(t, end, "+") && lexeme_is_mark(t, end + 1, "/") && lexeme_is_mark(t, end + 2, "-") &&
        (n = value_at(t, end + 3, &other)) > 0) {
        end = skip_unit(t, end + 3 + n, &q->unit);
    } else if (joined && (n = value_at(t, end + 1, &other)) > 0) {
        if (!minus_before(t, end + 1) || lexeme_is_mark(t, end, "-~")) q->hi = other;
        else q->hi = -other;
        end = skip_unit(t, end + 1 + n, &q->unit);
        if (q->hi < q->lo) other = q->lo, q->lo = q->hi, q->hi = other;
    }
    q->end = end;
    return true;
}

void quantities_read(Quantities *out, const Lexemes *t)
{
    for (int i = 0; i < t->n;) {
        Quantity q;
        if (!quantity_at(&q, t, i)) {
            i++;
            continue;
        }
        vec_push(out, q);
        i = q.end;
    }
}

bool quantity_parse(Quantity *out, const char *s)
{
    Lexemes t;
    Quantities all = {0};
    lexemes_read(&t, s, strlen(s));
    quantities_read(&all, &t);
    bool one = all.n == 1;
    if (one) *out = all.at[0];
    free(all.at);
    lexemes_release(&t);
    return one;
}

/* ---- equality ---------------------------------------------------------------------------------------------------- */

static bool near(double a, double b, double tolerance)
{
    double slack = 1e-9 * (fabs(a) > fabs(b) ? fabs(a) : fabs(b));
    return fabs(a - b) <= tolerance + slack;
}

static bool equal_scaled(const Quantity *x, double scale, const Quantity *gold, double tolerance)
{
    double lo = x->lo * scale, hi = x->hi * scale;
    if (near(lo, gold->lo, tolerance) && near(hi, gold->hi, tolerance)) return true;
    bool within = gold->lo < gold->hi && !(lo < hi) && !x->bound;
    return within && lo >= gold->lo - tolerance && lo <= gold->hi + tolerance;
}

bool quantity_equal(const Quantity *x, const Quantity *gold, double tolerance)
{
    if (x->bound != gold->bound) return false;
    bool x_percent = x->unit >= 0 && UNIT[x->unit].dimension == RATIO;
    bool gold_percent = gold->unit >= 0 && UNIT[gold->unit].dimension == RATIO;
    if (x->unit < 0 || gold->unit < 0) {
        if (gold_percent && x->unit < 0)
            return equal_scaled(x, 1, gold, tolerance) || equal_scaled(x, 100, gold, tolerance);
        if (x_percent && gold->unit < 0) return equal_scaled(x, 0.01, gold, tolerance);
        return equal_scaled(x, 1, gold, tolerance);
    }
    if (UNIT[x->unit].dimension != UNIT[gold->unit].dimension) return false;
    return equal_scaled(x, UNIT[x->unit].scale / UNIT[gold->unit].scale, gold, tolerance);
}

char *quantity_text(const Quantity *x)
{
    Buf b = {0};
    if (x->bound) buf_byte(&b, (unsigned char)x->bound);
    buf_printf(&b, "%.10g", x->lo);
    if (x->lo < x->hi) buf_printf(&b, "-%.10g", x->hi);
    if (x->unit >= 0) {
        const char *names = UNIT[x->unit].names;
        buf_printf(&b, "%s%.*s", names[0] == '%' ? "" : " ", (int)strcspn(names, ";|"), names);
    }
    return buf_take(&b);
}
