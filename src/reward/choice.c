/* Options: their letters and their texts. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/readers_impl.h"

typedef struct Options {
    int n;
    Lexemes text[ANSWER_MAX_OPTIONS];
} Options;

/* Marks that mean something within an option's text; all others are passed over. */
static bool counts(const Lexemes *t, int i)
{
    if (t->at[i].kind == LEXEME_BREAK) return false;
    return t->at[i].kind != LEXEME_MARK || lexeme_is_mark(t, i, "<>%=+");
}

static int next_counted(const Lexemes *t, int i)
{
    while (i < t->n && !counts(t, i)) i++;
    return i;
}

static bool is_article(const Lexemes *t, int i)
{
    /* "4 to 5" is 4-5 */
    if (lexeme_is(t, i, "to") && i > 0 && i + 1 < t->n)
        return t->at[i - 1].kind == LEXEME_NUMBER && t->at[i + 1].kind == LEXEME_NUMBER;
    return lexeme_is(t, i, "a|an|the") && next_counted(t, i + 1) < t->n;
}

/* "lung" and "lungs" */
static bool same_but_plural(const Lexeme *a, const Lexeme *b)
{
    size_t n = strlen(a->low), m = strlen(b->low);
    const char *longer = n > m ? a->low : b->low;
    size_t least = n < m ? n : m, more = (n > m ? n : m) - least;
    bool words = a->kind == LEXEME_WORD && b->kind == LEXEME_WORD;
    return words && least > 3 && !strncmp(a->low, b->low, least) &&
           (!more || !strcmp(longer + least, "s") || !strcmp(longer + least, "es"));
}

/*
 * The token after the option's text where it stands at i, else 0.  Articles and marks do not count; neither does the
 * option's last word where `headless`: "viral" of "viral or bacterial pneumonia".
 */
static int text_end(const Lexemes *option, const Lexemes *t, int i, bool plural, bool headless)
{
    int words = 0, last = 0;
    for (int k = next_counted(option, 0), next; k < option->n; k = next) {
        next = next_counted(option, k + 1);
        if (is_article(option, k)) continue;
        if (headless && next >= option->n) break;
        while (words && (i = next_counted(t, i)) < t->n && is_article(t, i) && !lexeme_same(&option->at[k], &t->at[i]))
            i++;
        if (i >= t->n || t->at[i].kind == LEXEME_BREAK) return 0;
        const Lexeme *want = &option->at[k], *is = &t->at[i];
        if (!lexeme_same(want, is) && !(plural && same_but_plural(want, is))) return 0;
        last = ++i;
        words++;
    }
    return last;
}

/* Options that speak of the others are known by any of their names. */
static int kind_of_all(const Lexemes *t, int i, int *end)
{
    static const char *const KIND_OF[2][5] = {{"none|neither of the above|these|them|options|choices|answers|others",
                                               "none|neither of these|them|those", "none", NULL},
                                              {"all of the above|these|them|options|choices|answers|others",
                                               "all of these|them|those", "all above", "all the above", NULL}};
    for (int kind = 0; kind < 2; kind++) {
        int n = lexemes_match_any(t, i, KIND_OF[kind]);
        *end = i + n;
        if (n > 1 || (n == 1 && (*end >= t->n || t->at[*end].kind >= LEXEME_MARK))) return kind;
    }
    return -1;
}

static int summary_option(const Options *o, const Lexemes *t, int i, int *end)
{
    int said = kind_of_all(t, i, end), last;
    for (int k = 0; said >= 0 && k < o->n; k++) {
        const Lexemes *option = &o->text[k];
        if (kind_of_all(option, next_counted(option, 0), &last) == said && next_counted(option, last) >= option->n)
            return k;
    }
    return -1;
}

/* The option whose text stands at i, the longest of several. */
static int option_at(const Options *o, const Lexemes *t, int i, int *end)
{
    int best = -1;
    *end = 0;
    for (int plural = 0; plural < 2 && best < 0; plural++)
        for (int k = 0; k < o->n; k++) {
            int e = text_end(&o->text[k], t, i, plural, false);
            if (e > *end) *end = e, best = k;
        }
    return best < 0 ? summary_option(o, t, i, end) : best;
}

static const Lexeme *last_counted(const Lexemes *t)
{
    int i = t->n - 1;
    while (i >= 0 && !counts(t, i)) i--;
    return i < 0 ? NULL : &t->at[i];
}

/* "viral" of "viral or bacterial pneumonia", where both are options. */
static int coordinated(const Options *o, const Lexemes *t, int i, int *end)
{
    for (int k = 0; k < o->n; k++) {
        int e = text_end(&o->text[k], t, i, false, true), other_end;
        if (!e || !(lexeme_is(t, e, "or|and|或|和") || lexeme_is_mark(t, e, "/"))) continue;
        int other = option_at(o, t, e + 1, &other_end);
        const Lexeme *head = last_counted(&o->text[k]);
        if (other < 0 || other == k || !same_but_plural(head, last_counted(&o->text[other]))) continue;
        *end = e;
        return k;
    }
    return -1;
}

/* "ventricle" of "left atrium or ventricle": as many words as the option before, the same but for the last. */
static int completed(const Options *o, const Lexemes *t, int i, int *end)
{
    if (i < 3 || !lexeme_is(t, i - 1, "or|and")) return -1;
    for (int k = 0; k < o->n; k++) {
        const Lexemes *before = &o->text[k];
        int from = i - 1 - before->n;
        if (before->n < 2 || from < 0 || text_end(before, t, from, false, false) != i - 1) continue;
        for (int m = 0; m < o->n; m++) {
            const Lexemes *option = &o->text[m];
            bool same = m != k && option->n == before->n && lexeme_same(&option->at[option->n - 1], &t->at[i]);
            for (int w = 0; same && w < option->n - 1; w++) same = lexeme_same(&option->at[w], &before->at[w]);
            if (!same) continue;
            *end = i + 1;
            return m;
        }
    }
    return -1;
}

/* ---- letters ----------------------------------------------------------------------------------------------------- */

static const char NAMED_BEFORE[] =
    "plan|version|sample|specimen|series|hepatitis|vitamin|vitamins|type|types|group|stage|grade|class|influenza|"
    "factor|protein|proteins|lead|leads|zone|"
    "level|segment|figure|fig|panel|part|point|kerley|hemophilia|haemophilia|strep|streptococcus|phase|category|"
    "appendix|arm|cohort|immunoglobulin|ig|amphotericin|cyclosporin|cyclosporine|cyclin|coenzyme|chain|subtype|"
    "cell|wave|sign|line|region|site|area|arrow|structure|labeled|labelled|child|pugh|stanford|weber|variant|blood|row|"
    "column|image|picture|view|section|plate|table|box|patient|drug|and|&";
static const char NAMED_AFTER[] =
    "cell|cells|line|lines|virus|antigen|antibody|wave|waves|lymphocyte|lymphocytes|ray|rays|"
    "mode|scan|toxin|protein|strain|complex|band|bands|fibers|fibres|type|group|segment";
static const char VERB_AFTER[] =
    "is|was|would|seems|appears|fits|matches|because|since|and|or|but|not|should|must|isn't|if|when|plus|through|thru|"
    "along|together|"
    "does|describes|represents|looks|remains|wins|as|over|instead|rather|cannot|can't|can|could|"
    "nor|doesn't|wasn't|then|only|also|option|best|correct|incorrect|wrong|right|too|alone|vs|"
    "versus|definitely|for|being|shows|explains|，";

static bool ends_here(const Lexemes *t, int i)
{
    return i >= t->n || t->at[i].kind == LEXEME_BREAK || t->at[i].kind == LEXEME_CJK ||
           lexeme_is_mark(t, i, ".,;:!?)]\"'&=✓✗") || (lexeme_is_mark(t, i, "-") && t->at[i].spaced) ||
           (lexeme_is_mark(t, i, "/(") && (t->at[i].spaced || lexeme_is_mark(t, i, "(")));
}

static bool single(const Lexemes *t, int i)
{
    return t->at[i].kind == LEXEME_WORD && !t->at[i].low[1];
}

/* Part of a longer thing: B-lines, anti-B, 2D, A/a gradient, C+ */
static bool glued(const Lexemes *t, int i)
{
    const Lexeme *k = &t->at[i];
    if (!k->spaced && i > 0) {
        if (t->at[i - 1].kind <= LEXEME_NUMBER) return true;
        if (lexeme_is_mark(t, i - 1, "-'+") && i > 1 && !t->at[i - 1].spaced && t->at[i - 2].kind <= LEXEME_NUMBER)
            return true;
        if (lexeme_is_mark(t, i - 1, ".") && i > 1 && !t->at[i - 1].spaced && single(t, i - 2)) return true; /* B.C. */
    }
    if (i > 0 && t->at[i - 1].kind == LEXEME_NUMBER && lexeme_is(t, i, "c|f")) return true; /* 37 C */
    if (i + 1 >= t->n || t->at[i + 1].spaced) return false;
    if (t->at[i + 1].kind <= LEXEME_NUMBER || lexeme_is_mark(t, i + 1, "+")) return true;
    /* U.S., e.g. */
    if (lexeme_is_mark(t, i + 1, ".") && i + 2 < t->n && !t->at[i + 2].spaced && t->at[i + 2].kind == LEXEME_WORD &&
        !t->at[i + 2].low[1])
        return true;
    return lexeme_is_mark(t, i + 1, "-") && i + 2 < t->n && !t->at[i + 2].spaced && t->at[i + 2].kind <= LEXEME_NUMBER;
}

/* Letters with slashes between: true where each is a label, "A/B" but not "n/a". */
static bool slash_list(const Options *o, const Lexemes *t, int i)
{
    for (int side = -1; side <= 1; side += 2) {
        if (!lexeme_is_mark(t, i + side, "/&") || t->at[side < 0 ? i : i + 1].spaced) continue;
        int k = i + 2 * side;
        if (k < 0 || k >= t->n || t->at[k].kind != LEXEME_WORD || t->at[k].low[1]) return false;
        if (t->at[k].low[0] >= 'a' + o->n || t->at[k].low[0] < 'a' || t->at[k].upper != t->at[i].upper) return false;
    }
    return true;
}

static bool bracketed(const Lexemes *t, int i)
{
    return lexeme_is_mark(t, i - 1, "([") && lexeme_is_mark(t, i + 1, ")]");
}

/* "E. coli", "C. difficile": a genus, unless an option's text follows or a new thought. */
static bool abbreviates(const Options *o, const Lexemes *t, int i)
{
    static const char THOUGHT[] =
        "the|it|its|it's|this|that|there|because|since|as|based|given|due|with|i|so|not|no|a|an|"
        "most|which|in|on|these|is|and|or|but";
    int end;
    if (!lexeme_is_mark(t, i + 1, ".") || i + 2 >= t->n || t->at[i].upper == false) return false;
    const Lexeme *next = &t->at[i + 2];
    if (next->kind != LEXEME_WORD || next->upper || lexeme_is(t, i + 2, THOUGHT)) return false;
    return option_at(o, t, i + 2, &end) < 0;
}

/* "A: B", "Q: ... A: no": the mark of an answer, not the option A. */
static bool marks_answer(const Options *o, const Lexemes *t, int i)
{
    if (!lexeme_is(t, i, "a") || !t->at[i].upper || !lexeme_begins_line(t, i) || !lexeme_is_mark(t, i + 1, ":"))
        return false;
    int k = lexeme_is_mark(t, i + 2, "([\"") ? i + 3 : i + 2;
    bool letter = k < t->n && t->at[k].kind == LEXEME_WORD && !t->at[k].low[1];
    if (letter && t->at[k].upper && t->at[k].low[0] < 'a' + o->n && ends_here(t, k + 1)) return true;
    for (k = i - 1; k >= 0; k--)
        if (lexeme_is(t, k, "q|question") && lexeme_begins_line(t, k) && lexeme_is_mark(t, k + 1, ":")) return true;
    return false;
}

/* Whether a letter stands for an option rather than for an article, a pronoun or a part of a name. */
static bool is_label(const Options *o, const Lexemes *t, int i, FindMode mode)
{
    if (bracketed(t, i)) return !lexeme_is(t, i - 2, NAMED_BEFORE) || lexeme_is(t, i - 2, "and|&");
    if (glued(t, i) || !slash_list(o, t, i) || abbreviates(o, t, i) || marks_answer(o, t, i)) return false;
    if (lexeme_is_mark(t, i - 1, ".") && lexeme_is(t, i - 2, "dr|mr|mrs|ms|prof|fig")) return false;
    bool named = lexeme_is(t, i - 1, "option|options|choice|choices|letter|alternative|选|项|案|择|answer");
    bool ends = ends_here(t, i + 1), article = lexeme_is(t, i, "a|i");
    if (mode == FIND_WHOLE) return true;
    if (lexeme_is(t, i + 1, NAMED_AFTER) && !named) return false;
    if (!named && lexeme_is(t, i - 1, NAMED_BEFORE) && !(lexeme_is(t, i - 1, "and|&|patient|image|site|point")))
        return false;
    if (lexeme_is(t, i, "i"))
        return (ends && !lexeme_is_mark(t, i + 1, ",")) || (t->at[i].upper && lexeme_is(t, i + 1, "is|or"));
    bool range = lexeme_is(t, i + 1, "to") && i + 2 < t->n && single(t, i + 2) && t->at[i + 2].upper;
    if (article) return ends || range || ((t->at[i].upper || named) && lexeme_is(t, i + 1, VERB_AFTER));
    if (t->at[i].upper || named) return true;
    if (mode == FIND_CUED) return ends || lexeme_is(t, i + 1, VERB_AFTER);
    if (lexeme_is(t, i - 1, "but") && lexeme_is(t, i - 3, "not") && single(t, i - 2)) return ends; /* "not a but b" */
    return lexeme_begins_line(t, i) && lexeme_is_mark(t, i + 1, ").:");
}

/* A label with its own text behind it is one thing: "B. Pneumonia", "(B) pneumonia", "B: Pneumonia". */
static int label_end(const Options *o, const Lexemes *t, int i, int value)
{
    int k = i + 1;
    while (k < t->n && k < i + 4 && lexeme_is_mark(t, k, ".):]-(\"'")) k++;
    int end;
    if (k < t->n && option_at(o, t, k, &end) == value) return end;
    return i + 1;
}

static int find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end)
{
    const Options *o = lex->context;
    int text = option_at(o, t, i, end);
    const Lexeme *k = &t->at[i];
    bool letter = k->kind == LEXEME_WORD && k->low[0] >= 'a' && k->low[0] <= 'z' && !k->low[1];
    if (text >= 0 && !(letter && *end == i + 1)) return text;
    if (text < 0 && (text = coordinated(o, t, i, end)) >= 0) return text;
    if (text < 0 && (text = completed(o, t, i, end)) >= 0) return text;
    if (!letter) return -1;
    int value = k->low[0] - 'a';
    /* a letter that is an option's text and no label: blood group O, grade I */
    if (value >= o->n && text >= 0) return lexeme_is(t, i - 1, NAMED_BEFORE) || is_label(o, t, i, mode) ? text : -1;
    if (!is_label(o, t, i, mode)) return -1;
    if (value >= o->n) {
        *end = i + 1;
        bool plain = mode == FIND_CUED && k->upper && (ends_here(t, i + 1) || bracketed(t, i));
        return plain ? -2 : -1;
    }
    *end = label_end(o, t, i, value);
    return value;
}

/* ---- whole texts ------------------------------------------------------------------------------------------------- */

/* The option whose normal text is the normal text of all of t. */
static int exact_option(const Question *q, const Lexemes *t)
{
    char *all = text_normal(t->text, strlen(t->text));
    int found = -1;
    for (int k = 0; k < q->n_options; k++) {
        char *one = text_normal(q->option[k], strlen(q->option[k]));
        bool label = one[0] >= 'a' && one[0] < 'a' + q->n_options && !one[1];
        if (*one && !label && !strcmp(one, all)) found = found < 0 ? k : CLAIM_CONFLICT;
        free(one);
    }
    free(all);
    return found;
}

/* "ABD", "AC": several labels in a word. */
static bool label_word(const Options *o, const Lexemes *t)
{
    int words = 0, at = -1;
    for (int i = 0; i < t->n; i++)
        if (t->at[i].kind < LEXEME_MARK) words++, at = i;
    if (words != 1 || !t->at[at].upper) return false;
    const char *s = t->text + t->at[at].begin;
    int n = t->at[at].end - t->at[at].begin;
    for (int i = 0; i < n; i++)
        if (s[i] < 'A' || s[i] >= 'A' + o->n || (i && s[i] <= s[i - 1])) return false;
    return n > 1;
}

/* Options that are the words yes, no, maybe are read as such: "No, there is no fracture." */
static bool as_yesno(Answer *a, const Question *q, const Lexemes *t)
{
    static const char *const WORD[] = {"yes", "no", "maybe"};
    int option_of[3] = {-1, -1, -1}, known = 0;
    for (int k = 0; k < q->n_options; k++) {
        char *one = text_normal(q->option[k], strlen(q->option[k]));
        for (int w = 0; w < 3; w++)
            if (!strcmp(one, WORD[w])) option_of[w] = k, known++;
        free(one);
    }
    if (known != q->n_options) return false;
    const Question yesno = {.kind = ANSWER_YESNO, .question = q->question};
    Answer read = {0};
    read_yesno(&read, &yesno, t);
    int option = -1;
    for (int w = 0; w < 3 && read.text; w++)
        if (!strcmp(read.text, WORD[w])) option = option_of[w];
    if (option >= 0) answer_given(a, xasprintf("%c", 'A' + option), read.rule);
    answer_release(&read);
    return option >= 0;
}

static void decide(Answer *a, const Question *q, const Options *o, const Lexemes *t)
{
    Lexemes question = {0};
    if (q->question) lexemes_read(&question, q->question, strlen(q->question));
    Lexicon lex = {.find = find, .context = o, .labels = true, .question = &question};
    Claims c = {0};
    const char *rule;
    claims_read(&c, &lex, t);
    int value = claims_decide(&c, t, &rule);
    bool weak = value >= 0 && !strcmp(rule, "mention") && !text_declines(&o->text[value]);
    claims_release(&c);
    lexemes_release(&question);
    if (value == CLAIM_CONFLICT) answer_none(a, ANSWER_ABSTAINED, rule);
    else if (weak && text_declines(t)) answer_none(a, ANSWER_ABSTAINED, "refusal");
    else if (value >= 0) answer_given(a, xasprintf("%c", 'A' + value), rule);
    else if (!as_yesno(a, q, t)) answer_missing(a, t, rule);
}

void read_choice(Answer *a, const Question *q, const Lexemes *t)
{
    Options o = {.n = q->n_options};
    for (int k = 0; k < o.n; k++) lexemes_read(&o.text[k], q->option[k], strlen(q->option[k]));
    int exact = exact_option(q, t);
    if (exact >= 0) answer_given(a, xasprintf("%c", 'A' + exact), "option_text");
    else if (exact == CLAIM_CONFLICT) answer_none(a, ANSWER_ABSTAINED, "conflict");
    else if (label_word(&o, t)) answer_none(a, ANSWER_ABSTAINED, "conflict");
    else decide(a, q, &o, t);
    for (int k = 0; k < o.n; k++) lexemes_release(&o.text[k]);
}
