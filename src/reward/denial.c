/* "Not A but B": which words deny, and how far they reach. */
#include <string.h>

#include "reward/claims.h"

static const char *const FORWARD[] = {
    "not",
    "never",
    "no",
    "nor",
    "neither",
    "without",
    "cannot",
    "none",
    "except",
    "exclude|excludes|excluded|excluding",
    "rule|rules|ruled|ruling out",
    "eliminate|eliminates|eliminated|eliminating",
    "discard|discards|discarded|dismiss|dismisses|dismissed|reject|rejects|rejected|rejecting",
    "rather than",
    "instead of",
    "other than",
    "as opposed to",
    "unlike",
    "against",
    "inconsistent with",
    "absence|lack of",
    "free of|from",
    "lacks|lacking|denies",
    "negative for",
    "at first",
    "was|were going|about|inclined|tempted to",
    "while",
    "although|though",
    "despite",
    "doubt|doubts|doubtful",
    "initially",
    "tempting|tempted",
    "might|may|would have seem|think|thought|appear",
    "many|most|some|others|people|students|one might|may|would|could|will say|think|choose|pick|argue|answer",
    "wrong|incorrect|false answer|answers|option|options|choice|choices|one|ones|to",
    "least likely|probable|plausible|consistent|appropriate|suitable",
    "unlikely",
    "disagree|disagrees with",
    "avoid|avoids|avoiding",
    "cross|crossed|crossing|strike|struck out|off",
    "除 了",
    "不 是",
    "不",
    "并 非",
    "非",
    "排 除",
    "没 有",
    "没",
    "無",
    "无",
    "错 误 的|答|选",
    NULL,
};

/* These reach to the next comma only: "instead of A, choose B". */
static const char SHORT_REACH[] =
    "while|although|though|despite|rather|instead|other|as|unlike|against|except|without|unlikely";

static const char *const BACKWARD[] = {
    "impossible|invalid|inaccurate|untenable|unsuitable|improper",
    "incorrect|wrong|false|unlikely|implausible|improbable|inconsistent|incompatible|inappropriate|untrue",
    "excluded|eliminated|rejected|dismissed|discarded|contraindicated|absent|unsupported|irrelevant",
    "ruled out",
    "not seen|present|visible|identified|detected|evident|noted|found|likely|possible",
    "less|least likely|probable|consistent|plausible|typical|suitable|appropriate",
    "cannot",
    "fails",
    "lacks|lack",
    "out",
    "tempting",
    "✗",
    "错",
    "错 误",
    "不",
    "排 除",
    "可 以 排 除",
    "被 排 除",
    NULL,
};

/* What may stand between a value and the word that denies or affirms it. */
static const char AUXILIARY[] =
    "is|are|was|were|be|been|being|can|could|would|should|may|might|will|must|do|does|did|has|have|had|seems|seem|"
    "appears|appear|looks|look|therefore|also|clearly|definitely|very|quite|highly|most|more|simply|thus|both|all|then|"
    "probably|likely|the|a|an|effectively|already|safely|所|以|是|可|能|option|choice|answer|one|here|it|you|we|i|"
    "easily|"
    "confidently|reasonably|obviously|certainly|now|now|still|just|somewhat|much|far";

static const char VERBS[] =
    "is|are|was|were|fits|fit|matches|seems|appears|looks|would|should|must|can|will|remains|best|"
    "explains|accounts|represents|describes";

static const char BOUNDARY[] =
    "but|however|although|though|whereas|while|yet|therefore|so|thus|hence|because|since|then|"
    "whereby|leaving|leaves|但|而|所|故";

static const char CLAUSE_WORDS[] =
    "it|its|it's|this|that|i|i'd|i'm|i'll|we|so|therefore|is|are|was|were|has|shows|show|choose|select|pick|answer|"
    "hence|thus|then|the|there|actually|rather|instead|likely|probably|most|must|which|should|would|go|leaving|only|"
    "consider|definitely|clearly|correct|see|seen|he|she|they|you|see|think|believe|是|选|答";

enum { LIST_MAX = 26 };

static bool negative_contraction(const char *low)
{
    size_t n = strlen(low);
    return n > 3 && !strcmp(low + n - 3, "n't");
}

int denial_at(const Lexemes *t, int i)
{
    if (i < 0 || i >= t->n) return 0;
    if (negative_contraction(t->at[i].low)) return 1;
    int n = lexemes_match_any(t, i, FORWARD);
    /* "A不正确，B正确": said of what stands before it */
    static const char *const PREDICATE[] = {"不 正 确|对", "不 成 立", "不 合 理|适", "不 恰 当",
                                            "不 可 能",    "不 对",    NULL};
    int said = lexemes_match_any(t, i, PREDICATE);
    if (said && (i + said == t->n || t->at[i + said].kind >= LEXEME_MARK)) return 0;
    /* "No, it is B": an answer to something else */
    if (n == 1 && lexeme_is(t, i, "no") && (i + 1 == t->n || lexeme_is_mark(t, i + 1, ",.:;!"))) return 0;
    return n;
}

static bool is_verb(const Lexemes *t, int i)
{
    return lexeme_is(t, i, VERBS);
}

/* Whether the comma at k ends the clause of the value that begins at i. */
static bool comma_ends(const Lexemes *t, int k, int i, bool subject)
{
    if (subject) return true;
    int words = 0;
    for (int j = k + 1; j < i; j++) {
        if (lexeme_is(t, j, CLAUSE_WORDS)) return true;
        if (lexeme_is_mark(t, j, ",")) return false; /* an earlier comma of the list has been looked at */
        words += t->at[j].kind < LEXEME_MARK;
    }
    return words > 5;
}

/* "Incorrect: A, C", "Ruled out: A": what stands before the colon is said of all behind it. */
static bool denied_heading(const Lexemes *t, int colon)
{
    static const char HEADING[] = "incorrect|wrong|false|excluded|eliminated|rejected|dismissed|unlikely|out|错|误";
    return lexeme_is(t, colon - 1, HEADING) ||
           (lexeme_is(t, colon - 1, "answers|options|choices|option|choice|ones") && lexeme_is(t, colon - 2, HEADING));
}

/* "Not A, not B, C": where each has its own, a denial reaches to its comma. */
static bool repeated(const Lexemes *t, int denial)
{
    for (int k = denial - 1; k >= 0 && t->at[k].sentence == t->at[denial].sentence; k--)
        if (!strcmp(t->at[k].low, t->at[denial].low)) return true;
    return false;
}

/* "Not A, B." without an "or" is no list: the last is set against the first. */
static bool contrasted(const Lexemes *t, int denial, int first, int end)
{
    if (!lexeme_is(t, denial, "not") && !negative_contraction(t->at[denial].low)) return false;
    for (int k = denial; k < first; k++)
        if (lexeme_is(t, k, "or|nor|and")) return false;
    while (end < t->n && t->at[end].kind == LEXEME_MARK && !lexeme_is_mark(t, end, ",")) end++;
    return end >= t->n || t->at[end].sentence != t->at[first].sentence;
}

static bool denied_before(const Claims *c, const Lexemes *t, int first, int end)
{
    bool subject = is_verb(t, end) && !lexeme_is(t, first - 1, "or|nor"), comma = false, verb = false;
    for (int k = first - 1, seen = 0; k >= 0 && seen < 40; k--, seen++) {
        if (t->at[k].sentence != t->at[first].sentence) return false;
        if (c->idle[k]) continue;
        verb |= is_verb(t, k);
        int n = denial_at(t, k);
        if (n && k + n <= first) {
            bool short_reach = lexeme_is(t, k, SHORT_REACH) && !lexeme_is(t, k + 1, "not");
            if (lexeme_is_mark(t, first - 1, ",") && (repeated(t, k) || contrasted(t, k, first, end))) return false;
            if (!(comma && short_reach) && !(verb && lexeme_is(t, k, "without"))) return true;
        }
        if (lexeme_is(t, k, BOUNDARY) || (lexeme_is(t, k, "rather|instead") && !lexeme_is(t, k + 1, "than|of")))
            return false;
        if (subject && lexeme_is(t, k, "and")) return false;
        if (lexeme_is_mark(t, k, ",")) {
            if (comma_ends(t, k, first, subject)) return false;
            comma = true;
        }
        if (lexeme_is_mark(t, k, ":")) return denied_heading(t, k);
        if (lexeme_is_mark(t, k, "-") && t->at[k].spaced) return false;
    }
    return false;
}

/* "(pneumonia)" after a label: the token after the closing bracket. */
static int skip_brackets(const Lexemes *t, int j)
{
    while (lexeme_is_mark(t, j, ")]\"'")) j++;
    if (!lexeme_is_mark(t, j, "([")) return j;
    for (int k = j + 1; k < t->n && k < j + 14 && t->at[k].kind != LEXEME_BREAK; k++)
        if (lexeme_is_mark(t, k, ")]")) return k + 1;
    return j;
}

/* Over "and B, C or (D)": the token after the last value of the list. */
static int skip_list(const Lexicon *lex, const Lexemes *t, int j)
{
    for (int more = 0; more < LIST_MAX; more++) {
        int k = j, end;
        bool joined = false;
        while (lexeme_is_mark(t, k, ",/&([\"'") || lexeme_is(t, k, "and|or|nor|option|choice|both|和|或|与|、")) {
            joined |= !lexeme_is_mark(t, k, "([\"'");
            k++;
        }
        if (!joined || lexicon_find(lex, t, k, FIND_CUED, &end) < 0) return j;
        j = skip_brackets(t, end);
    }
    return j;
}

static bool denied_after(const Claims *c, const Lexicon *lex, const Lexemes *t, int end)
{
    if (lexeme_is_mark(t, end, "(") && lexemes_match_any(t, end + 1, BACKWARD)) return true;
    int j = skip_list(lex, t, skip_brackets(t, end));
    if (lexemes_match(t, end, "or not")) return true;
    bool aux = false, comma = false;
    if (lexeme_is_mark(t, j, ".") && j + 1 < t->n && t->at[j + 1].sentence == t->at[j].sentence) aux = true, j++;
    for (; lexeme_is_mark(t, j, ":-(") || lexeme_is(t, j, "which|that"); j++) aux |= lexeme_is_mark(t, j, ":-");
    if (lexeme_is_mark(t, j, ",") && lexemes_match_any(t, j + 1, BACKWARD)) comma = true, j++;
    for (int seen = 0; seen < 8 && j < t->n; seen++, j++) {
        if (c->idle[j]) return false;
        if (lexemes_match_any(t, j, BACKWARD)) return !(comma && lexeme_is(t, j, "不"));
        if (negative_contraction(t->at[j].low)) return true;
        if (lexeme_is(t, j, "no") && lexeme_ends_line(t, j)) return true;
        if (lexemes_match(t, j, "not wrong|incorrect|false|bad")) return false;
        if (lexeme_is(t, j, "not|no|never|neither")) return aux;
        if (!lexeme_is(t, j, AUXILIARY)) return false;
        aux = true;
    }
    return false;
}

/* The token before the list whose last value begins at i: that of "over" in "over A, C and D". */
static int before_list(const Lexicon *lex, const Lexemes *t, int i)
{
    int k = i - 1, end;
    for (int more = 0; more < LIST_MAX; more++) {
        int begin = k;
        while (lexeme_is(t, k, "option|options|choice|either|and|or|also|和|或") || lexeme_is_mark(t, k, "([)]\",/&"))
            k--;
        if (begin == k || k < 0 || lexicon_find(lex, t, k, FIND_CUED, &end) < 0) break;
        k--;
    }
    return k;
}

/* "B over A and C", "better than A", "B to A" after "prefer", "from A to B": the other is meant. */
static bool is_second_choice(const Lexicon *lex, const Lexemes *t, int first, int end)
{
    int after, k = before_list(lex, t, first);
    if (lexeme_is(t, k, "beats|outweighs|trumps")) return true;
    if (lexeme_is(t, k, "over")) {
        if (lexeme_is(t, k - 1, "preferred|favored|favoured|chosen|preferable")) return true;
        int before = k - 1;
        while (lexeme_is_mark(t, before, ")\"")) before--;
        return before >= 0 && lexicon_find(lex, t, before, FIND_CUED, &after) >= 0;
    }
    if (lexeme_is(t, k, "than")) {
        for (int back = 1; back < 8 && k - back >= 0 && t->at[k - back].sentence == t->at[k].sentence; back++)
            if (lexeme_is(t, k - back, "less|worse|nothing|none|no|other")) return false;
        return true;
    }
    while (lexeme_is_mark(t, end, ")]\"")) end++;
    if (lexeme_is(t, k, "from"))
        return lexeme_is(t, end, "to") && lexicon_find(lex, t, end + 1, FIND_CUED, &after) >= 0;
    if (!lexeme_is(t, k, "to")) return false;
    for (int back = 1; back < 6; back++)
        if (lexeme_is(t, k - back, "prefer|preferred|preferable|superior")) return true;
    return false;
}

/* A question asserts nothing, unless a yes follows: "A? No. B? Yes." */
static bool only_asked(const Lexemes *t, int first, int end)
{
    /* "B. Shall I explain?", "Why B?" */
    if ((lexeme_begins_line(t, first) && lexeme_is_mark(t, end, ".):")) || lexeme_is(t, first - 1, "why")) return false;
    int k = end, sentence = t->at[first].sentence;
    while (k < t->n && t->at[k].sentence == sentence) k++;
    if (!lexeme_is_mark(t, k - 1, "?")) return false;
    while (k < t->n && t->at[k].kind >= LEXEME_MARK) k++;
    return !lexeme_is(t, k, "yes|correct|right|true|exactly|是|对");
}

/* Whether there is another sentence. */
static bool goes_on(const Lexemes *t, int i)
{
    int last = t->n - 1;
    while (last > i && t->at[last].kind >= LEXEME_MARK) last--;
    return t->at[last].sentence != t->at[i].sentence;
}

Exception exception_at(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int end)
{
    static const char *const EXCEPT[] = {"except|excepting|but|besides|save", "other than", "apart from", NULL};
    int k = first - 1;
    while (lexeme_is(t, k, "option|choice|for") || lexeme_is_mark(t, k, "(\"")) k--;
    bool found = lexemes_match_any(t, k, EXCEPT) == 1 || lexemes_match_any(t, k - 1, EXCEPT) == 2;
    for (int back = 1; found && back < 8 && k - back >= 0 && t->at[k - back].sentence == t->at[first].sentence;
         back++) {
        /* "everything else is possible, but A is best": another clause */
        if (lexeme_is(t, k, "but") && (lexeme_is_mark(t, k - back, ",") || is_verb(t, k - back))) break;
        bool none = lexeme_is(t, k - back, "none|no|nothing|neither");
        if (none || lexeme_is(t, k - back, "all|every|everything|any|anything"))
            return none != denied_after(c, lex, t, end) ? EXCEPTION_MEANT : EXCEPTION_DENIED;
    }
    return EXCEPTION_NOT;
}

bool claim_denied(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int end)
{
    if (lex->numbers) {
        static const char *const NEAR[] = {"not", "rather than", "instead of", "unlike", "不 是", NULL};
        for (int k = first - 1; k >= 0 && k >= first - 2; k--)
            if (lexemes_match_any(t, k, NEAR) || negative_contraction(t->at[k].low)) return true;
        return only_asked(t, first, end);
    }
    if (!lex->labels) return denied_before(c, t, first, end) || (only_asked(t, first, end) && goes_on(t, first));
    Exception exception = exception_at(c, lex, t, first, end);
    if (exception != EXCEPTION_NOT) return exception == EXCEPTION_DENIED;
    return denied_before(c, t, first, end) || denied_after(c, lex, t, end) || is_second_choice(lex, t, first, end) ||
           only_asked(t, first, end);
}

bool text_declines(const Lexemes *t)
{
    static const char *const DECLINE[] = {
        "can't|cannot|couldn't determine|answer|tell|say|provide|diagnose|identify|assist|help|see|view|assess|decide|"
        "interpret|analyze|analyse|give|measure|estimate|calculate|quantify|comment|make|evaluate|choose|pick|select",
        "can|could not "
        "determine|answer|tell|say|provide|diagnose|identify|assist|help|see|view|assess|decide|interpret|"
        "analyze|analyse|give|measure|estimate|calculate|quantify|comment|make|evaluate|choose|pick|select",
        "can't|cannot be determined|answered|assessed|told|known|established|identified|evaluated",
        "unable to",
        "not able to",
        "don't|didn't know",
        "do not know",
        "not|isn't sure",
        "no idea|comment",
        "no image|picture|information|answer is|was|provided|given|available|attached",
        "not certain",
        "not enough|sufficient information|data|evidence|context|detail",
        "insufficient information|data|evidence|context|detail",
        "impossible to",
        "difficult|hard to say|tell|determine|know",
        "as an ai|llm",
        "as a language|large",
        "i'm sorry",
        "i am sorry",
        "sorry",
        "i apologize|apologise|refuse|decline",
        "not a doctor|physician|radiologist|medical",
        "consult a|your|with|an",
        "none of the|these|them above|options|choices|answers",
        "none of them|these",
        "无 法",
        "不 确 定",
        "不 知 道",
        "抱 歉",
        "不 清 楚",
        "不 能 确 定",
        NULL,
    };
    for (int i = 0; i < t->n; i++)
        if (lexemes_match_any(t, i, DECLINE)) return true;
    int first = 0;
    while (first < t->n && t->at[first].kind == LEXEME_BREAK) first++;
    return lexeme_is(t, first, "unknown|n|none|unclear|undetermined|indeterminate|unsure|idk|uncertain") &&
           t->n - first < 6;
}
