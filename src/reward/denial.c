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
    "while",
    "although|though",
    "despite",
    "doubt|doubts|doubtful",
    "initially",
    "tempting|tempted",
    "might|may|would have seem|think|thought|appear",
    "wrong|incorrect|false answer|answers|option|options|choice|choices|one|ones|to",
    "unlikely",
    "disagree|disagrees with",
    "avoid|avoids|avoiding",
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
    "less likely|probable|consistent|plausible|typical|suitable|appropriate",
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

static bool denied_before(const Claims *c, const Lexemes *t, int first, int end)
{
    bool subject = is_verb(t, end) && !lexeme_is(t, first - 1, "or|nor"), comma = false;
    for (int k = first - 1, seen = 0; k >= 0 && seen < 40; k--, seen++) {
        if (t->at[k].sentence != t->at[first].sentence) return false;
        if (c->idle[k]) continue;
        int n = denial_at(t, k);
        if (n && k + n <= first) {
            bool short_reach = lexeme_is(t, k, SHORT_REACH) && !lexeme_is(t, k + 1, "not");
            if (!(comma && short_reach)) return true;
        }
        if (lexeme_is(t, k, "but") && lexeme_is(t, k - 1, "anything|everything|all|any|every")) return true;
        if (lexeme_is(t, k, BOUNDARY) || (lexeme_is(t, k, "rather|instead") && !lexeme_is(t, k + 1, "than|of")))
            return false;
        if (subject && lexeme_is(t, k, "and")) return false;
        if (lexeme_is_mark(t, k, ",")) {
            if (comma_ends(t, k, first, subject)) return false;
            comma = true;
        }
        if (lexeme_is_mark(t, k, ":") || (lexeme_is_mark(t, k, "-") && t->at[k].spaced)) return false;
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
        if (lexeme_is(t, j, "not|no|never|neither")) return aux;
        if (!lexeme_is(t, j, AUXILIARY)) return false;
        aux = true;
    }
    return false;
}

/* "B over A", "B to A" after "prefer": the first is meant. */
static bool is_second_choice(const Lexicon *lex, const Lexemes *t, int first)
{
    int end, k = first - 1;
    while (lexeme_is(t, k, "option|choice") || lexeme_is_mark(t, k, "(\"")) k--;
    if (lexeme_is(t, k, "over")) {
        int before = k - 1;
        while (lexeme_is_mark(t, before, ")\"")) before--;
        return before >= 0 && lexicon_find(lex, t, before, FIND_CUED, &end) >= 0;
    }
    if (!lexeme_is(t, k, "to")) return false;
    for (int back = 1; back < 6; back++)
        if (lexeme_is(t, k - back, "prefer|preferred|preferable|superior")) return true;
    return false;
}

/* A question asserts nothing, unless a yes follows: "A? No. B? Yes." */
static bool only_asked(const Lexemes *t, int end)
{
    int k = end, sentence = end > 0 ? t->at[end - 1].sentence : 0;
    while (k < t->n && t->at[k].sentence == sentence) k++;
    if (!lexeme_is_mark(t, k - 1, "?")) return false;
    while (k < t->n && t->at[k].kind >= LEXEME_MARK) k++;
    return !lexeme_is(t, k, "yes|correct|right|true|exactly|是|对");
}

bool claim_denied(const Claims *c, const Lexicon *lex, const Lexemes *t, int first, int end)
{
    if (lex->numbers) {
        static const char *const NEAR[] = {"not", "rather than", "instead of", "unlike", "不 是", NULL};
        for (int k = first - 1; k >= 0 && k >= first - 2; k--)
            if (lexemes_match_any(t, k, NEAR) || negative_contraction(t->at[k].low)) return true;
        return false;
    }
    if (!lex->labels) return denied_before(c, t, first, end);
    return denied_before(c, t, first, end) || denied_after(c, lex, t, end) || is_second_choice(lex, t, first) ||
           only_asked(t, end);
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
        "no idea",
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
