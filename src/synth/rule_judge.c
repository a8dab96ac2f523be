/* Reasoning about a case whose findings are known, judged by fixed rules. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "synth/mmrp.h"

enum { MAX_KNOWN = 16 };

int known_findings(KnownFinding *out, int max, const json_t *row, Err *err)
{
    const json_t *list = json_object_get(row, "findings"), *f;
    size_t i;
    int n = 0;
    if (!json_is_array(list)) {
        err_set(err, "the row has no \"findings\"");
        return err_hint(err, "only cases whose findings are known can be judged by rules: osler phantom makes such");
    }
    json_array_foreach((json_t *)(uintptr_t)list, i, f)
    {
        const char *name = json_string_value(json_object_get(f, "name"));
        const json_t *value = json_object_get(f, "value");
        if (!name || (!json_is_number(value) && !json_is_string(value)) || n == max)
            return err_set(err, "findings[%zu] is not a finding", i);
        out[n++] = (KnownFinding){.name = name,
                                  .word = json_string_value(value),
                                  .value = json_number_value(value),
                                  .image = (int)json_integer_value(json_object_get(f, "image"))};
    }
    return n;
}

/* ---- clauses ----------------------------------------------------------------------------------------------------- */

/* A stretch of text; not terminated. */
typedef struct Text {
    const char *at;
    size_t n;
} Text;

static bool ends_clause(const char *s, const char *end)
{
    if (*s == ';' || *s == '\n') return true;
    return strchr(".?!", *s) && (s + 1 == end || isspace((unsigned char)s[1]));
}

/* The next clause of `rest`, which moves behind it: up to a semicolon, the end of the sentence or of the line. */
static bool next_clause(Text *clause, Text *rest)
{
    const char *end = rest->at + rest->n, *s = rest->at;
    while (s < end && (isspace((unsigned char)*s) || ends_clause(s, end))) s++;
    if (s == end) return false;
    const char *begin = s;
    while (s < end && !ends_clause(s, end)) s++;
    *clause = (Text){begin, (size_t)(s - begin)};
    *rest = (Text){s, (size_t)(end - s)};
    return true;
}

static bool begins_with(Text t, const char *word)
{
    size_t n = strlen(word);
    return t.n >= n && !strncasecmp(t.at, word, n);
}

static const char *find(Text t, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= t.n; i++)
        if (!strncasecmp(t.at + i, word, n)) return t.at + i;
    return NULL;
}

/* t from `at` on, without spaces at its begin */
static Text from(Text t, const char *at)
{
    const char *end = t.at + t.n;
    while (at < end && *at == ' ') at++;
    return (Text){at, (size_t)(end - at)};
}

static char *copy(Text t)
{
    return xasprintf("%.*s", (int)(t.n > 200 ? 200 : t.n), t.at);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* A number at the begin of t, a unit behind it passed over where `unit`; t moves behind it. */
static bool take_number(Text *t, double *value)
{
    char digits[32];
    size_t n = 0;
    while (n < t->n && n + 1 < sizeof digits &&
           (isdigit((unsigned char)t->at[n]) || t->at[n] == '.' || t->at[n] == '-'))
        digits[n] = t->at[n], n++;
    while (n > 0 && digits[n - 1] == '.') n--;
    digits[n] = 0;
    char *end;
    *value = strtod(digits, &end);
    if (!n || *end) return false;
    *t = from(*t, t->at + n);
    return true;
}

static void skip_unit(Text *t)
{
    static const char *const UNIT[] = {"mm", "cm3", "cm", "kg", "per minute", "percent", "%"};
    for (size_t i = 0; i < sizeof UNIT / sizeof *UNIT; i++)
        if (begins_with(*t, UNIT[i])) {
            *t = from(*t, t->at + strlen(UNIT[i]));
            return;
        }
}

static bool take_word(Text *t, const char *word)
{
    if (!begins_with(*t, word)) return false;
    *t = from(*t, t->at + strlen(word));
    return true;
}

/* ---- comparisons: "0.53 is not above 0.50" ----------------------------------------------------------------------- */

/* 1 true, 0 false, -1 none. `t` begins at a number. */
static int comparison(Text t)
{
    double x, lo, hi;
    if (!take_number(&t, &x)) return -1;
    skip_unit(&t);
    take_word(&t, ", which ");
    if (!take_word(&t, "is ")) return -1;
    bool no = take_word(&t, "not "), holds;
    if (take_word(&t, "above ") && take_number(&t, &lo)) holds = x > lo;
    else if (take_word(&t, "below ") && take_number(&t, &hi)) holds = x < hi;
    else if (take_word(&t, "between ") && take_number(&t, &lo) && (skip_unit(&t), take_word(&t, "and ")) &&
             take_number(&t, &hi))
        holds = x >= lo && x <= hi;
    else return -1;
    return holds != no;
}

/* The first comparison of a clause that is false. */
static bool false_comparison(Text clause)
{
    for (size_t i = 0; i < clause.n; i++) {
        bool starts = isdigit((unsigned char)clause.at[i]) &&
                      (i == 0 || (!isdigit((unsigned char)clause.at[i - 1]) && clause.at[i - 1] != '.'));
        if (starts && comparison(from(clause, clause.at + i)) == 0) return true;
    }
    return false;
}

/* ---- statements of findings -------------------------------------------------------------------------------------- */

/* What a response has said of a finding so far. */
typedef struct Said {
    bool named, measured;
    double value;
} Said;

typedef struct Reading {
    const KnownCase *c;
    Said said[MAX_KNOWN];
    int right, wrong, slips; /* slips: false comparisons and findings with two values */
    Text wrong_at, slip_at;
} Reading;

/* Candidates and what is weighed of them are no statements: "(2) against: ...", "First, ...: dropped", probabilities. */
static bool is_hypothesis(Text clause)
{
    static const char *const OPEN[] = {
        "(", "first, ", "next, ", "problem:", "hypotheses", "before the picture", "likelihood", "after it"};
    for (size_t i = 0; i < sizeof OPEN / sizeof *OPEN; i++)
        if (begins_with(clause, OPEN[i])) return true;
    return find(clause, ") against: ") || find(clause, ") for: ");
}

/* 0, 1, or -1 where the clause does not say which picture it is of. */
static int picture_of(Text clause)
{
    if (find(clause, "second ")) return 1;
    return find(clause, "first ") ? 0 : -1;
}

/* The clause behind its last label ("first film: ") and article. */
static Text statement_of(Text clause)
{
    for (size_t i = clause.n; i > 1; i--)
        if (clause.at[i - 2] == ':' && clause.at[i - 1] == ' ') {
            clause = from(clause, clause.at + i);
            break;
        }
    if (begins_with(clause, "on the ")) {
        const char *the = find(from(clause, clause.at + 7), " the ");
        if (the) clause = from(clause, the + 5);
    }
    take_word(&clause, "the ");
    return clause;
}

static bool same_word(Text t, const char *word)
{
    return begins_with(t, word) && (t.n == strlen(word) || !isalnum((unsigned char)t.at[strlen(word)]));
}

static bool near_truth(const KnownFinding *f, double value)
{
    return fabs(value - f->value) <= READING_ERROR * fabs(f->value) + 1e-9;
}

static void add_number(Reading *r, int i, double value, Text clause)
{
    Said *s = &r->said[i];
    bool right = near_truth(&r->c->finding[i], value);
    if (s->measured && s->value != value && !r->slips++) r->slip_at = clause;
    *s = (Said){true, true, value};
    if (right) r->right++;
    else if (!r->wrong++) r->wrong_at = clause;
}

static bool skip_verb(Text *value)
{
    static const char *const VERB[] = {"is ", "are ", "was ", "were ", "of ", "lies ", "measures ", "measured "};
    for (size_t i = 0; i < sizeof VERB / sizeof *VERB; i++)
        if (take_word(value, VERB[i])) return true;
    return false;
}

/* A word that follows the name at once is the finding's; behind a verb it may be what follows from it ("the last weight
   is below the 2nd centile"), so there only the right one counts. */
static void add_value(Reading *r, int i, Text value, Text clause)
{
    const KnownFinding *f = &r->c->finding[i];
    double number;
    r->said[i].named = true;
    bool prose = skip_verb(&value);
    if (!f->word) {
        if (take_number(&value, &number)) add_number(r, i, number, clause);
    } else if (same_word(value, f->word)) {
        r->said[i].measured = true;
        r->right++;
    } else if (value.n && isalnum((unsigned char)*value.at) && !prose && !r->wrong++) {
        r->wrong_at = clause;
    }
}

/* What follows a finding's name is true of it. */
static bool agrees(const KnownFinding *f, Text value)
{
    double number;
    skip_verb(&value);
    return f->word ? same_word(value, f->word) : take_number(&value, &number) && near_truth(f, number);
}

/* Of two pictures' findings of one name, where the clause does not say which: the one that it is true of. */
static int meant_finding(const Reading *r, int first, Text value)
{
    for (int i = first; i < r->c->findings; i++)
        if (!strcmp(r->c->finding[i].name, r->c->finding[first].name) && agrees(&r->c->finding[i], value)) return i;
    return first;
}

static void read_statement(Reading *r, Text clause)
{
    Text t = statement_of(clause);
    int picture = picture_of(clause), best = -1;
    size_t longest = 0;
    for (int i = 0; i < r->c->findings; i++) {
        const KnownFinding *f = &r->c->finding[i];
        size_t n = strlen(f->name);
        if (!begins_with(t, f->name) || n < longest || (picture >= 0 && f->image != picture && n == longest)) continue;
        if (n == longest && picture < 0) continue;
        best = i, longest = n;
    }
    if (best < 0) return;
    Text value = from(t, t.at + longest);
    if (picture < 0) best = meant_finding(r, best, value);
    add_value(r, best, value, clause);
}

static void read_clauses(Reading *r, Text text)
{
    for (Text clause; next_clause(&clause, &text);) {
        if (false_comparison(clause) && !r->slips++) r->slip_at = clause;
        if (!is_hypothesis(clause)) read_statement(r, clause);
    }
}

/* ---- the four criteria ------------------------------------------------------------------------------------------- */

/* The reasoning: what stands before the last container of an answer, without marks of thinking. */
static Text thinking_of(Buf *out, const char *response, size_t n)
{
    static const char *const MARK[] = {"<think>", "</think>", "<answer>"};
    AnswerSpan a = answer_span(response, n);
    Text rest = {response, a.container ? (size_t)(a.at - response) : n};
    while (rest.n) {
        size_t skip = 0;
        for (int k = 0; k < 3; k++)
            if (begins_with(rest, MARK[k])) skip = strlen(MARK[k]);
        buf_byte(out, skip ? '\n' : (unsigned char)*rest.at);
        rest = (Text){rest.at + (skip ? skip : 1), rest.n - (skip ? skip : 1)};
    }
    return (Text){out->data, out->len};
}

/* True where the reasoning ends with another answer than the response. */
static bool other_answer(const KnownCase *c, Text thinking, const Answer *final)
{
    Answer own;
    Question same = *c->question;
    same.gold = final->text;
    answer_extract(&own, c->question, thinking.n ? thinking.at : "", thinking.n);
    bool other = own.text && final->text && !match_answer(&same, &own).correct;
    answer_release(&own);
    return other;
}

static void judge_consistency(MmrpScore *s, const Reading *r, Text thinking, const Answer *final)
{
    bool follows = s->correct || !r->right || r->wrong;
    int *score = &s->score[MMRP_CONSISTENCY];
    *score = r->slips ? 1 : 2;
    if (r->slips && !s->correct) *score = 0;
    if (r->slips) s->span[MMRP_CONSISTENCY] = copy(r->slip_at);
    if (follows && !other_answer(r->c, thinking, final)) return;
    *score = 0;
    if (!s->span[MMRP_CONSISTENCY]) s->span[MMRP_CONSISTENCY] = xstrdup(final->text ? final->text : "");
}

static void judge_image_use(MmrpScore *s, const Reading *r)
{
    int named = 0, measured = 0;
    for (int i = 0; i < r->c->findings; i++) named += r->said[i].named, measured += r->said[i].measured;
    s->score[MMRP_IMAGE_USE] = measured ? 2 : named ? 1 : 0;
}

static void judge_hallucination(MmrpScore *s, const Reading *r)
{
    s->score[MMRP_NO_HALLUCINATION] = !r->wrong ? 2 : s->correct ? 1 : 0;
    if (r->wrong) s->span[MMRP_NO_HALLUCINATION] = copy(r->wrong_at);
}

/* A line or a clause that looks again, and whether it names a number or a finding. */
static void judge_reflection(MmrpScore *s, const KnownCase *c, Text text)
{
    static const char *const AGAIN[] = {"re-check",        "recheck",        "the check",   "double-check",
                                        "looked at again", "measured again", "check again", "added up again"};
    for (Text clause; next_clause(&clause, &text);) {
        bool again = false, named = false;
        for (size_t k = 0; k < sizeof AGAIN / sizeof *AGAIN; k++) again |= find(clause, AGAIN[k]) != NULL;
        if (!again) continue;
        for (size_t i = 0; i < clause.n; i++) named |= isdigit((unsigned char)clause.at[i]) != 0;
        for (int i = 0; i < c->findings; i++) named |= find(clause, c->finding[i].name) != NULL;
        int score = named ? 2 : 1;
        if (score > s->score[MMRP_REFLECTION]) s->score[MMRP_REFLECTION] = score;
    }
}

void rule_judge(MmrpScore *s, const KnownCase *c, const char *response, size_t n)
{
    CHECK(c->findings <= MAX_KNOWN, "%d findings", c->findings);
    *s = (MmrpScore){0};
    Answer final;
    Reading r = {.c = c};
    Buf text = {0};
    Text thinking = thinking_of(&text, response, n);
    answer_extract(&final, c->question, response, n);
    s->correct = match_answer(c->question, &final).correct;
    read_clauses(&r, thinking);
    judge_consistency(s, &r, thinking, &final);
    judge_image_use(s, &r);
    judge_hallucination(s, &r);
    judge_reflection(s, c, thinking);
    answer_release(&final);
    buf_release(&text);
}
