/* The number a text answers with. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/quantity.h"
#include "reward/readers_impl.h"

/* "12 mm (0.5 inch)": rounded into another unit. */
static bool restates(const Quantities *all, int k)
{
    enum { SHARE = 10 }; /* differs by at most a tenth */
    if (k == 0 || all->at[k].first != all->at[k - 1].end + 1 || all->at[k].unit < 0 || all->at[k - 1].unit < 0)
        return false;
    double reach = all->at[k - 1].hi < 0 ? -all->at[k - 1].hi : all->at[k - 1].hi;
    return all->at[k].unit != all->at[k - 1].unit && quantity_equal(&all->at[k], &all->at[k - 1], reach / SHARE);
}

/* The first quantity that is equal to the k-th: its value. */
static int value_of(const Quantities *all, int k)
{
    if (restates(all, k)) k--;
    for (int i = 0; i < k; i++)
        if (quantity_equal(&all->at[k], &all->at[i], 0) && quantity_equal(&all->at[i], &all->at[k], 0)) return i;
    return k;
}

/*
 * "0.56, which is greater than 0.50", "0.56, above the normal limit of 0.5": what a value beside it is
 * compared with; "segment 4": what a thing is called.
 */
static bool compared(const Quantities *all, const Lexemes *t, int k)
{
    static const char LIMIT[] = "limit|threshold|cutoff|cut-off|normal|normally|reference|upper|lower|versus|vs";
    static const char NUMBERED[] =
        "segment|segments|level|slice|slices|step|figure|fig|lead|case|image|rib|page|lobe|zone|"
        "phase|question|item|vertebra|row|section";
    int first = all->at[k].first;
    bool limit = all->at[k].bound != 0 || lexeme_is(t, first - 1, NUMBERED), other = false;
    for (int i = first - 1; i >= 0 && i > first - 6 && t->at[i].sentence == t->at[first].sentence && !limit; i--) {
        if (lexeme_is_mark(t, i, ",;") || t->at[i].kind == LEXEME_NUMBER) break;
        limit = lexeme_is(t, i, LIMIT);
    }
    for (int i = 0; i < all->n && !other; i++) other = i != k && !all->at[i].bound;
    return limit && other;
}

static int find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end)
{
    const Quantities *all = lex->context;
    int lo = 0, hi = all->n;
    while (lo < hi) { /* the first quantity at or after token i */
        int mid = (lo + hi) / 2;
        if (all->at[mid].first < i) lo = mid + 1;
        else hi = mid;
    }
    if (lo == all->n || all->at[lo].first != i) return -1;
    if (mode == FIND_FREE && compared(all, t, lo)) return -1;
    *end = all->at[lo].end;
    return value_of(all, lo);
}

/* "14 / 25 mm = 0.56": what stands behind the last = is the result. */
static int after_equals(const Quantities *all, const Lexemes *t)
{
    for (int k = all->n - 1; k >= 0; k--) {
        int i = all->at[k].first - 1;
        while (lexeme_is_mark(t, i, "~-")) i--;
        if (i > 0 && lexeme_is_mark(t, k > 0 && lexeme_is_mark(t, i + 1, "~") ? i + 1 : i, "=~") &&
            !lexeme_is_mark(t, i - 1, "<>"))
            return k;
    }
    return -1;
}

/* The same value, told with its unit where it is told so anywhere. */
static int with_unit(const Quantities *all, int value)
{
    for (int k = 0; k < all->n; k++)
        if (all->at[value].unit < 0 && all->at[k].unit >= 0 && value_of(all, k) == value_of(all, value)) return k;
    return value;
}

/* "How many ...?" - "None.", "There are no nodules." */
static bool counts_none(const Lexemes *question, const Lexemes *t)
{
    static const char *const ASKS[] = {"how many", "number|count of", "多 少", "几", NULL};
    static const char *const NONE[] = {"no|none|zero", "没 有", "无", "未 见", NULL};
    static const char LEAD[] = "there|are|is|i|see|the|image|shows|film|contains|has|answer|it|图|中|in|this";
    bool asks = false;
    for (int k = 0; k < question->n; k++) asks |= lexemes_match_any(question, k, ASKS) > 0;
    int i = 0;
    while (i < t->n && (t->at[i].kind >= LEXEME_MARK || lexeme_is(t, i, LEAD))) i++;
    return asks && lexemes_match_any(t, i, NONE) > 0 && !lexeme_is(t, i + 1, "idea|way|answer");
}

void read_number(Answer *a, const Question *q, const Lexemes *t)
{
    enum { MAX_QUANTITIES = 300 }; /* a text with more gives no single answer */
    Quantities all = {0};
    quantities_read(&all, t);
    Lexemes question = {0};
    if (q->question) lexemes_read(&question, q->question, strlen(q->question));
    Lexicon lex = {.find = find, .context = &all, .numbers = true, .question = &question};
    Claims c = {0};
    const char *rule = "conflict";
    int value = CLAIM_CONFLICT;
    if (all.n <= MAX_QUANTITIES) {
        claims_read(&c, &lex, t);
        value = claims_decide(&c, t, &rule);
        claims_release(&c);
    }
    bool none = value == CLAIM_NONE && counts_none(&question, t);
    lexemes_release(&question);
    int result =
        !strcmp(rule, "conflict") || !strcmp(rule, "mention") || !strcmp(rule, "opening") ? after_equals(&all, t) : -1;
    if (result >= 0) value = result, rule = "equals";
    if (value == CLAIM_CONFLICT) answer_none(a, ANSWER_ABSTAINED, rule);
    else if (value < 0 && none) answer_given(a, xstrdup("0"), "none");
    else if (value < 0) answer_missing(a, t, rule);
    else if (all.at[value].lo < all.at[value].hi && lexeme_is(t, all.at[value].first - 1, "either"))
        answer_none(a, ANSWER_ABSTAINED, rule);
    else answer_given(a, quantity_text(&all.at[with_unit(&all, value)]), rule);
    free(all.at);
}
