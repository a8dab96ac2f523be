#include "reward/claims.h"

#include <stdlib.h>
#include <string.h>

int lexicon_find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end)
{
    return i >= 0 && i < t->n ? lex->find(lex, t, i, mode, end) : -1;
}

/* ---- words that only look like denials --------------------------------------------------------------------------- */

static void mark_idle(Claims *c, const Lexicon *lex, const Lexemes *t)
{
    /* the answer to "which statement is incorrect?" may be called so */
    static const char ASKED[] =
        "incorrect|false|wrong|least|unlikely|contraindicated|inappropriate|avoid|avoided|absent|"
        "excluded|inconsistent|untrue|错|误";
    static const char *const IDIOM[] = {
        "not only|just|merely|surprisingly|unexpectedly|to mention",
        "no|any|without|little doubt",
        "without a doubt",
        "beyond any|a doubt",
        "no question",
        "nothing but",
        "none other than",
        "no other option|choice|answer",
        "no longer",
        "no wait",
        "not unlike",
        "if not",
        "whether or not",
        "not to mention",
        "no wonder",
        "false|true positive|negative|positives|negatives",
        "yes|true|no|false / no|false|yes|true :",
        NULL,
    };
    c->idle = xcalloc((size_t)t->n + 1, sizeof *c->idle);
    for (int i = 0; i < t->n; i++) {
        int n = lexemes_match_any(t, i, IDIOM);
        for (int k = 0; k < n; k++) c->idle[i + k] = true;
        for (int k = 0; lex->question && lexeme_is(t, i, ASKED) && k < lex->question->n; k++)
            c->idle[i] |= lexeme_same(&t->at[i], &lex->question->at[k]);
    }
}

/* ---- cues -------------------------------------------------------------------------------------------------------- */

/* Words between a cue and its value that change nothing. */
static const char FILLER[] =
    "be|is|are|was|to|the|this|that|these|question|option|options|choice|choices|letter|letters|most|likely|probably|"
    "probable|definitely|certainly|clearly|therefore|thus|indeed|simply|just|would|should|must|have|actually|in|fact|"
    "following|given|as|it|it's|its|i|think|believe|say|with|for|on|and|so|then|still|only|both|either|between|number|"
    "correct|right|best|answer|one|obviously|undoubtedly|no|doubt|without|a|perhaps|maybe|possibly|surely|really|again|"
    "final|being|by|of|above|case|patient|image|here|image|my|我|认|为|应|该|是|为|选|项|最|可|能|择|的|正|确|答|案";

enum { MAX_CLAIMS = 400 }; /* a text with more says nothing clearly */

typedef struct Cue {
    const char *pattern;
    ClaimStrength strength;
    const char *rule;
    bool near; /* its value must follow at once (fillers allowed) */
} Cue;

static const Cue CUE[] = {
    {"final answer|choice|decision|diagnosis", CLAIM_FINAL, "final_answer", false},
    {"最 终 答 案", CLAIM_FINAL, "final_answer", false},
    {"the|my|correct|best|right|true|so|answer answer|answers|ans", CLAIM_CUE, "answer_is", false},
    {"answer|answers|ans is|are|was|would|should|must|will|may|might|could|seems|appears|:|=|-|has|to|choice|option",
     CLAIM_CUE, "answer_is", false},
    {"correct|best|right|true|appropriate|likely|selected|accurate|suitable "
     "option|choice|one|letter|response|selection|"
     "alternative|statement|diagnosis|description|finding|interpretation is|are|:|would|must|should|-|=",
     CLAIM_CUE, "answer_is", false},
    {"correct option|choice|answer", CLAIM_CUE, "answer_is", true},
    {"the best|correct|right is|was|would", CLAIM_CUE, "answer_is", true},
    {"choose|chose|choosing|select|selected|selecting|pick|picked|picking", CLAIM_CUE, "chosen", true},
    {"go|going|went with|for", CLAIM_CUE, "chosen", true},
    {"opt|vote|opting|settle|settled for|on", CLAIM_CUE, "chosen", true},
    {"lean|leaning toward|towards|to", CLAIM_CUE, "chosen", true},
    {"points|point|pointing to|towards|toward", CLAIM_OPENING, "mention", true},
    {"it|this|that is|was", CLAIM_CUE, "answer_is", true},
    {"it's|that's", CLAIM_CUE, "answer_is", true},
    {"must|should|would|will|has|have|to be", CLAIM_CUE, "answer_is", true},
    {"conclude|concluded|concluding", CLAIM_CUE, "chosen", true},
    {"leaving|leaves|left us|me|only|with", CLAIM_CUE, "chosen", true},
    {"wait|actually|correction|oops|rather|sorry", CLAIM_CUE, "chosen", true},
    {"scratch|make that", CLAIM_CUE, "chosen", true},
    {"no ,", CLAIM_CUE, "chosen", true},
    {"i mean|meant", CLAIM_CUE, "chosen", true},
    {"leaving|leaves", CLAIM_CUE, "chosen", true},
    {"i|we think|believe|guess|suspect|say|d", CLAIM_CUE, "chosen", true},
    {"i'd|i'll|would|will say|go|guess|choose|pick|answer", CLAIM_CUE, "chosen", true},
    {"so|therefore|thus|hence|conclusion|overall|consequently|accordingly|ultimately|finally|ergo", CLAIM_CUE,
     "conclusion", true},
    {"most likely|probable|plausible|consistent|appropriate", CLAIM_CUE, "answer_is", true},
    {"答 案", CLAIM_CUE, "answer_is", false},
    {"正 确 选 项", CLAIM_CUE, "answer_is", false},
    {"正 确 的 是", CLAIM_CUE, "answer_is", false},
    {"选 择", CLAIM_CUE, "chosen", true},
    {"选", CLAIM_CUE, "chosen", true},
    {"应 该 是|为", CLAIM_CUE, "answer_is", true},
    {"应 是|为", CLAIM_CUE, "answer_is", true},
    {"改 为|选|成", CLAIM_CUE, "chosen", true},
    {"因 此", CLAIM_CUE, "conclusion", true},
    {"所 以", CLAIM_CUE, "conclusion", true},
    {"故", CLAIM_CUE, "conclusion", true},
};
enum { CUES = sizeof CUE / sizeof *CUE, CUE_REACH = 14 };

/* "cannot answer", "to answer the question": no cue */
static bool is_noun_use(const Lexemes *t, int i)
{
    if (!lexeme_is(t, i, "answer|answers")) return true;
    return !lexeme_is(t, i - 1, "cannot|can't|to|not|will|could|couldn't|unable|should|would|please|i");
}

static const Cue *cue_at(const Lexemes *t, int i, int *n)
{
    const Cue *best = NULL;
    *n = 0;
    for (int k = 0; k < CUES; k++) {
        int len = lexemes_match(t, i, CUE[k].pattern);
        if (len > *n || (len && len == *n && best && CUE[k].strength > best->strength)) *n = len, best = &CUE[k];
    }
    if (best && !is_noun_use(t, i)) best = NULL;
    /* "Answer B", "Answer (B)" */
    static const Cue PLAIN = {"answer", CLAIM_CUE, "answer_is", true};
    if (!best && lexeme_is(t, i, "answer|ans") && is_noun_use(t, i)) *n = 1, best = &PLAIN;
    return best;
}

/* "The ratio is", "Rate:" where the question asks for the ratio, the rate. Numbers only: names are asked for otherwise. */
static const Cue *asked_cue(const Lexicon *lex, const Lexemes *t, int i, int *n)
{
    static const Cue ASKED = {NULL, CLAIM_OPENING, "asked", true};
    bool word = lex->numbers && t->at[i].kind == LEXEME_WORD && t->at[i].low[1] && t->at[i].low[2];
    if (!word || !(lexeme_is(t, i + 1, "is|was|equals|measures") || lexeme_is_mark(t, i + 1, ":="))) return NULL;
    *n = 2;
    if (lexeme_is(t, i, "total|sum|count|result")) return &ASKED;
    for (int k = 0; lex->question && k < lex->question->n; k++)
        if (lexeme_same(&lex->question->at[k], &t->at[i])) return &ASKED;
    return NULL;
}

static void add_claim(Claims *c, const Lexicon *lex, const Lexemes *t, int value, int first, int end, const Cue *cue)
{
    if (c->claim.n == MAX_CLAIMS) return;
    Claim claim = {value, first, end, cue->strength, claim_denied(c, lex, t, first, end), cue->rule};
    vec_push(&c->claim, claim);
}

/* Whether another value follows as an alternative or an addition: "or B", ", B", "/B", "and (B)". */
static int next_in_list(const Lexicon *lex, const Lexemes *t, int j, int *value, int *end)
{
    bool joined = false;
    int k = j;
    for (; k < t->n && k < j + 8; k++) {
        static const char *const BOTH[] = {"as well as", "along|together with", "in addition to", "plus", NULL};
        int both = lexemes_match_any(t, k, BOTH);
        if (lex->labels && k == j && lexeme_is(t, k, "to|through|thru")) both = 1;
        if (both) joined = true, k += both - 1;
        else if (lexeme_is_mark(t, k, ",/&+") || lexeme_is(t, k, "or|and|和|或|与|及|者|vs|versus|alternatively"))
            joined = true;
        else if (!lexeme_is_mark(t, k, ")]([\"'") &&
                 !lexeme_is(t, k,
                            "option|choice|even|possibly|maybe|perhaps|also|the|answer|either|else|possibly|could|be"))
            break;
    }
    int after;
    *value = joined && k < t->n ? lexicon_find(lex, t, k, FIND_CUED, &after) : -1;
    if (*value < 0) return -1;
    *end = after;
    return k;
}

/* Alternatives are no choice: "either A or B, but I lean toward B" */
static void weaken_alternatives(Claims *c, const Lexemes *t, int from)
{
    bool alternatives = false;
    for (int k = from; k + 1 < c->claim.n; k++)
        for (int i = c->claim.at[k].end; i < c->claim.at[k + 1].first; i++) alternatives |= lexeme_is(t, i, "or|或");
    for (int k = from; alternatives && k < c->claim.n; k++)
        if (c->claim.at[k].strength == CLAIM_CUE) c->claim.at[k].strength = CLAIM_OPENING;
}

/* The value at `first` and those listed with it. Returns the token after them. */
static int claim_list(Claims *c, const Lexicon *lex, const Lexemes *t, int value, int first, int end, const Cue *cue)
{
    int from = c->claim.n;
    while (value != -1) {
        add_claim(c, lex, t, value, first, end, cue);
        first = next_in_list(lex, t, end, &value, &end);
        if (first < 0) break;
    }
    weaken_alternatives(c, t, from);
    return end;
}

/* Looks behind a cue for its value. Denied values are passed: "the answer is not A but B". */
static void read_cue(Claims *c, const Lexicon *lex, const Lexemes *t, int i, int n, const Cue *cue)
{
    int sentence = t->at[i].sentence, j = i + n, seen = 0;
    bool colon = lexeme_is_mark(t, j - 1, ":") || lexeme_is_mark(t, j, ":"), far = false;
    for (; j < t->n && seen < CUE_REACH; j++) {
        if (t->at[j].kind == LEXEME_BREAK && seen == 0 && (colon || t->at[j].sentence == sentence)) {
            sentence = j + 1 < t->n ? t->at[j + 1].sentence : sentence;
            continue;
        }
        if (t->at[j].sentence != sentence) return;
        int end, value = lexicon_find(lex, t, j, far ? FIND_FREE : FIND_CUED, &end);
        if (value != -1 && !(value == -2 && far)) {
            int first = c->claim.n, after = claim_list(c, lex, t, value, j, end, cue);
            if (first == c->claim.n) return;
            for (int k = i; k < i + n; k++) c->idle[k] = true;
            if (!c->claim.at[first].denied) return;
            j = after - 1, seen = 0;
            continue;
        }
        if (lexeme_is_mark(t, j, "([\"':-=.,~>")) continue;
        seen++;
        if (denial_at(t, j) || lexeme_is(t, j, "but|rather|instead|而")) continue;
        if (lexeme_is(t, j, FILLER)) continue;
        if (cue->near || lexeme_is(t, j, "because|since|that|which")) return;
        far = true;
    }
}

/* ---- what is said behind a value --------------------------------------------------------------------------------- */

static ClaimStrength affirmed_after(const Lexemes *t, int end)
{
    static const char *const STRONG[] = {"correct|right|true|answer|✓|correctly",
                                         "best|correct|right|most|final answer|option|choice|diagnosis|description",
                                         "the answer",
                                         "best",
                                         "better answer|option|choice|fit|explanation|match",
                                         "most appropriate|likely|accurate|probable|consistent|suitable|plausible",
                                         "正 确",
                                         "对",
                                         NULL};
    static const char *const WEAK[] = {"fits|fit|matches|match|explains|yes|likely|consistent|supported|remains", NULL};
    static const char LINK[] =
        "is|are|was|be|would|should|must|seems|appears|looks|as|the|my|a|an|clearly|definitely|"
        "therefore|thus|most|more|that|which|it|only|indeed|probably|option|choice|one|also|since|"
        "both|will|是|最|为|选|项|项|being|single|remaining";
    int j = end;
    for (int seen = 0; seen < 9 && j < t->n; seen++, j++) {
        if (t->at[j].kind == LEXEME_BREAK) return 0;
        int strong = lexemes_match_any(t, j, STRONG);
        if (strong) return lexeme_is(t, j + strong, "is|was|would") ? 0 : CLAIM_CUE; /* "of A and B, the best is B" */
        if (lexemes_match_any(t, j, WEAK)) return CLAIM_OPENING;
        if (lexeme_is_mark(t, j, ".") && j + 1 < t->n && t->at[j + 1].sentence == t->at[j].sentence) continue;
        if (!lexeme_is_mark(t, j, ")]:-,\"'([") && !lexeme_is(t, j, LINK)) return 0;
    }
    return 0;
}

/* "it could also be B": names a rival, however weakly. */
static bool names_rival(const Lexemes *t, int i)
{
    static const char *const RIVAL[] = {"could|might|may also",
                                        "also could|might|may",
                                        "alternatively",
                                        "or maybe|possibly|perhaps",
                                        "also possible|plausible",
                                        "as likely|plausible|probable|possible as",
                                        "equally",
                                        NULL};
    for (int k = i - 1; k >= 0 && k > i - 8 && t->at[k].sentence == t->at[i].sentence; k--)
        if (lexemes_match_any(t, k, RIVAL)) return true;
    return false;
}

/* "C is also possible" */
static bool rivals_after(const Lexemes *t, int end)
{
    static const char *const RIVAL[] = {"is|are|seems|remains|could|might|may also",
                                        "is|are|seems equally|possible|plausible too|as",
                                        "is|are|seems as|equally likely|plausible|probable|possible",
                                        "is|are|seems just as|equally",
                                        "as well",
                                        NULL};
    while (lexeme_is_mark(t, end, ")]\"'")) end++;
    return lexemes_match_any(t, end, RIVAL) > 0 &&
           !lexeme_is(t, end + 2, "wrong|incorrect|unlikely|excluded|not|ruled");
}

/* ---- values without a cue ---------------------------------------------------------------------------------------- */

/* A line (between breaks) that holds nothing but values and what joins them. */
static bool bare_line(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int last)
{
    int values = 0;
    for (int i = first; i < last;) {
        if (c->idle[i]) {
            i++;
            continue;
        }
        int end, value = lexicon_find(lex, t, i, FIND_WHOLE, &end);
        if (value >= 0 && end <= last) {
            values++, i = end;
            continue;
        }
        if (lexeme_is(t, i, "✓|✗")) return false;
        if (t->at[i].kind != LEXEME_MARK && !lexeme_is(t, i,
                                                       "or|and|option|choice|letter|either|both|maybe|perhaps|probably|"
                                                       "possibly|项|选|选项|或|和|与|answer|the"))
            return false;
        i++;
    }
    return values > 0;
}

static void read_bare_line(Claims *c, const Lexicon *lex, const Lexemes *t, int first, int last)
{
    static const Cue BARE = {NULL, CLAIM_CUE, "bare", false};
    for (int i = first; i < last;) {
        int end, value = c->idle[i] ? -1 : lexicon_find(lex, t, i, FIND_WHOLE, &end);
        if (value >= 0 && c->claim.n < MAX_CLAIMS) {
            Claim claim = {value, i, end, BARE.strength, false, BARE.rule};
            vec_push(&c->claim, claim);
        }
        for (int k = i; value >= 0 && k < end; k++) c->idle[k] = true;
        i = value >= 0 ? end : i + 1;
    }
}

/* A line with one label and no more, or with "Answer: B": the end of a list of options is none. */
static bool label_only(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int last)
{
    int words = 0;
    for (int i = first; i < last; i++)
        words += t->at[i].kind < LEXEME_MARK && !lexeme_is(t, i, "answer|the|option|choice");
    return words == 1 && bare_line(c, lex, t, first, last);
}

/* The first and the last line that are not empty. */
static void read_bare_lines(Claims *c, const Lexicon *lex, const Lexemes *t)
{
    int first = 0, last = t->n;
    while (first < last && t->at[first].kind == LEXEME_BREAK) first++;
    while (last > first && t->at[last - 1].kind == LEXEME_BREAK) last--;
    int end = first, begin = last;
    while (end < last && t->at[end].kind != LEXEME_BREAK) end++;
    while (begin > first && t->at[begin - 1].kind != LEXEME_BREAK) begin--;
    int next = end, after;
    while (next < last && t->at[next].kind != LEXEME_WORD) next++;
    bool listed = next < last && lexeme_begins_line(t, next) && lexicon_find(lex, t, next, FIND_FREE, &after) >= 0;
    if (first < last && !listed && bare_line(c, lex, t, first, end)) read_bare_line(c, lex, t, first, end);
    if (begin >= end && !listed && bare_line(c, lex, t, begin, last)) read_bare_line(c, lex, t, begin, last);
    else if (listed && begin >= end && label_only(c, lex, t, begin, last)) read_bare_line(c, lex, t, begin, last);
}

static bool claimed(const Claims *c, int first, int end)
{
    for (int i = 0; i < c->claim.n; i++)
        if (first < c->claim.at[i].end && c->claim.at[i].first < end) return true;
    return false;
}

/* "B. ...", "(B) ...", "The spleen, ...", "B because": a value that a line begins with. */
static bool opens(const Lexemes *t, int first, int end)
{
    bool article = lexeme_is(t, first - 1, "a|an|the") && t->at[first].kind == LEXEME_WORD && t->at[first].low[1];
    if (!lexeme_begins_line(t, article ? first - 1 : first)) return false;
    return end >= t->n || t->at[end].kind >= LEXEME_MARK || lexeme_is(t, end, "because|since|as|given|due|,");
}

static void read_free(Claims *c, const Lexicon *lex, const Lexemes *t)
{
    int text_begin = 0;
    while (text_begin < t->n && t->at[text_begin].kind == LEXEME_BREAK) text_begin++;
    for (int i = 0; i < t->n;) {
        int end, value = c->idle[i] ? -1 : lexicon_find(lex, t, i, FIND_FREE, &end);
        if (value < 0) {
            i++;
            continue;
        }
        if (!claimed(c, i, end)) {
            Cue how = {NULL, CLAIM_MENTION, "mention", false};
            /* "2 right" is a side, "2 is right" a verdict */
            bool judged = !lex->numbers || lexeme_is(t, end, "is|was|would|seems|must");
            ClaimStrength after = judged ? affirmed_after(t, end) : 0;
            bool first = i == text_begin || (i > 0 && lexeme_is_mark(t, i - 1, "([\"") && i - 1 == text_begin);
            if (!lex->labels && !lex->numbers) how = (Cue){NULL, CLAIM_CUE, "opening", false};
            else if (lexeme_is_mark(t, i - 1, ":") && lexeme_ends_line(t, end - 1))
                how = (Cue){NULL, CLAIM_OPENING, "opening", false};
            else if (opens(t, i, end)) how = (Cue){NULL, first ? CLAIM_CUE : CLAIM_OPENING, "opening", false};
            if (after > how.strength) how = (Cue){NULL, after, "is_correct", false};
            if (exception_at(c, lex, t, i, end) == EXCEPTION_MEANT) how = (Cue){NULL, CLAIM_OPENING, "only", false};
            if (names_rival(t, i) || rivals_after(t, end)) how = (Cue){NULL, CLAIM_CUE, "rival", false};
            add_claim(c, lex, t, value, i, end, &how);
        }
        i = end;
    }
}

/*
 * Lines that each begin with another value, or values that each have a colon behind them, are a list of the options, not
 * an answer; what is said about them counts as a mention.
 */
static void demote_list(Claims *c, const Lexemes *t)
{
    int values = 0;
    bool seen[64] = {false}, headed = c->claim.n > 0 && lexeme_is_mark(t, c->claim.at[0].end, ":");
    for (int i = 0; i < c->claim.n; i++) {
        const Claim *k = &c->claim.at[i];
        bool item = !strcmp(k->rule, "opening");
        if (headed && !strcmp(k->rule, "mention")) item = !k->denied && lexeme_is_mark(t, k->end, ":");
        if (!item || k->value < 0 || k->value >= 64 || seen[k->value]) continue;
        seen[k->value] = true;
        values++;
    }
    for (int i = 0; i < c->claim.n && values > 1; i++)
        if (!strcmp(c->claim.at[i].rule, "opening")) c->claim.at[i].strength = CLAIM_MENTION;
}

/* Values listed with an opening: "B or C". They are as strong as what they stand beside. */
static void level_lists(Claims *c, const Lexicon *lex, const Lexemes *t)
{
    for (int i = 0; i + 1 < c->claim.n; i++)
        for (int k = 0; k < c->claim.n; k++) {
            int value, end;
            if (next_in_list(lex, t, c->claim.at[i].end, &value, &end) != c->claim.at[k].first) continue;
            if (c->claim.at[k].strength < c->claim.at[i].strength) c->claim.at[k].strength = c->claim.at[i].strength;
            if (c->claim.at[i].strength < c->claim.at[k].strength) c->claim.at[i].strength = c->claim.at[k].strength;
        }
}

static int find_nothing(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end)
{
    (void)lex, (void)t, (void)mode;
    *end = i;
    return -1;
}

/*
 * "B. Pneumonia" where pneumonia is A: label and text disagree, so the text is as strong as the label.  Only where
 * nothing else is said about the text: "B. Pneumonia is unlikely" is another sentence.
 */
static void level_meanings(Claims *c, const Lexemes *t)
{
    for (int i = 0; i < c->claim.n; i++)
        for (int k = 0; k < c->claim.n; k++) {
            Claim *label = &c->claim.at[i], *text = &c->claim.at[k];
            if (text->first < label->end || text->first > label->end + 3 || text->strength >= label->strength) continue;
            bool only_marks = true;
            for (int j = label->end; j < text->first; j++) only_marks &= lexeme_is_mark(t, j, ".:)]-(\"'");
            bool ends = text->end >= t->n || t->at[text->end].kind >= LEXEME_MARK;
            if (only_marks && ends) text->strength = label->strength;
        }
}

bool word_denied(const Lexemes *t, int first, int end)
{
    const Lexicon none = {.find = find_nothing, .labels = true};
    Claims c = {0};
    mark_idle(&c, &none, t);
    bool denied = claim_denied(&c, &none, t, first, end);
    claims_release(&c);
    return denied;
}

void claims_read(Claims *c, const Lexicon *lex, const Lexemes *t)
{
    mark_idle(c, lex, t);
    read_bare_lines(c, lex, t);
    for (int i = 0; i < t->n;) {
        int n;
        const Cue *cue = cue_at(t, i, &n);
        if (!cue) cue = asked_cue(lex, t, i, &n);
        if (cue) read_cue(c, lex, t, i, n, cue);
        i += cue ? n : 1;
    }
    read_free(c, lex, t);
    level_lists(c, lex, t);
    demote_list(c, t);
    if (lex->labels) level_meanings(c, t);
}

void claims_release(Claims *c)
{
    free(c->claim.at);
    free(c->idle);
    *c = (Claims){0};
}

/* ---- decision ---------------------------------------------------------------------------------------------------- */

/* Something between the two takes the first one back. */
static bool taken_back(const Lexemes *t, int from, int to)
{
    static const char *const BACK[] = {"wait",
                                       "actually",
                                       "correction",
                                       "sorry",
                                       "oops",
                                       "mistake",
                                       "my mistake",
                                       "scratch that",
                                       "on second thought|thoughts",
                                       "on reflection",
                                       "i mean",
                                       "let me correct|reconsider|re|rethink|revise|change",
                                       "i was wrong",
                                       "reconsidering",
                                       "revised",
                                       "upon reconsideration|reflection|review",
                                       "changed my",
                                       "change my",
                                       "hmm",
                                       "hold on",
                                       "looking again|closer",
                                       "closer look|inspection|examination",
                                       "now think|believe",
                                       "不 对",
                                       "等 等",
                                       NULL};
    for (int i = from; i < to; i++) {
        if (lexemes_match_any(t, i, BACK)) return true;
        if (lexeme_is(t, i, "no") && lexeme_is_mark(t, i + 1, ",.:;!-")) return true;
    }
    return false;
}

static const Claim *last_claim(const Claims *c, ClaimStrength strength)
{
    const Claim *last = NULL;
    for (int i = 0; i < c->claim.n; i++) {
        const Claim *k = &c->claim.at[i];
        if (!k->denied && k->strength == strength && (!last || k->first > last->first)) last = k;
    }
    return last;
}

int claims_decide(const Claims *c, const Lexemes *t, const char **rule)
{
    ClaimStrength best = 0;
    for (int i = 0; i < c->claim.n; i++)
        if (!c->claim.at[i].denied && c->claim.at[i].strength > best) best = c->claim.at[i].strength;
    *rule = "nothing";
    if (best == 0) return CLAIM_NONE;
    const Claim *last = last_claim(c, best);
    *rule = last->rule;
    for (int i = 0; i < c->claim.n; i++) {
        const Claim *k = &c->claim.at[i];
        if (k->denied || k->strength != best || k->value == last->value) continue;
        if (k->first < last->first && taken_back(t, k->end, last->first)) continue;
        *rule = "conflict";
        return CLAIM_CONFLICT;
    }
    if (last->value == -2) *rule = "no_such_option";
    return last->value >= 0 ? last->value : CLAIM_NONE;
}
