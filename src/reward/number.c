/* The number a text answers with. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/quantity.h"
#include "reward/readers_impl.h"

/* The first quantity that is equal to the k-th: its value. */
static int value_of(const Quantities *all, int k)
{
    for (int i = 0; i < k; i++)
        if (quantity_equal(&all->at[k], &all->at[i], 0) && quantity_equal(&all->at[i], &all->at[k], 0)) return i;
    return k;
}

static bool holds_unbounded(const Quantities *all)
{
    for (int i = 0; i < all->n; i++)
        if (!all->at[i].bound) return true;
    return false;
}

static int find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end)
{
    const Quantities *all = lex->context;
    (void)t;
    int lo = 0, hi = all->n;
    while (lo < hi) { /* the first quantity at or after token i */
        int mid = (lo + hi) / 2;
        if (all->at[mid].first < i) lo = mid + 1;
        else hi = mid;
    }
    if (lo == all->n || all->at[lo].first != i) return -1;
    /* "0.56, which is greater than 0.50": beside a value, a bound is what it is compared with */
    if (mode == FIND_FREE && all->at[lo].bound && holds_unbounded(all)) return -1;
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

void read_number(Answer *a, const Lexemes *t)
{
    enum { MAX_QUANTITIES = 300 }; /* a text with more gives no single answer */
    Quantities all = {0};
    quantities_read(&all, t);
    Lexicon lex = {.find = find, .context = &all, .numbers = true};
    Claims c = {0};
    const char *rule = "conflict";
    int value = CLAIM_CONFLICT;
    if (all.n <= MAX_QUANTITIES) {
        claims_read(&c, &lex, t);
        value = claims_decide(&c, t, &rule);
        claims_release(&c);
    }
    int result =
        !strcmp(rule, "conflict") || !strcmp(rule, "mention") || !strcmp(rule, "opening") ? after_equals(&all, t) : -1;
    if (result >= 0) value = result, rule = "equals";
    if (value == CLAIM_CONFLICT) answer_none(a, ANSWER_ABSTAINED, rule);
    else if (value < 0) answer_missing(a, t, rule);
    else if (all.at[value].lo < all.at[value].hi && lexeme_is(t, all.at[value].first - 1, "either"))
        answer_none(a, ANSWER_ABSTAINED, rule);
    else answer_given(a, quantity_text(&all.at[with_unit(&all, value)]), rule);
    free(all.at);
}
