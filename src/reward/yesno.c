/* Yes, no, maybe: as words, and as statements that say so. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/readers_impl.h"

enum { YES, NO, MAYBE };
static const char *const VALUE[] = {"yes", "no", "maybe"};

static const char *const WORDS[3][40] = {
    {"yes",       "yeah",
     "yep",       "yup",
     "y",         "correct",
     "true",      "affirmative",
     "indeed",    "absolutely",
     "certainly", "definitely",
     "of course", "是",
     "是 的",     "对",
     "对 的",     "有",
     "有 的",     "存 在",
     "正 确",     "会",
     "能",        "可 以",
     "sure",      "that is|was correct|true|right",
     NULL},
    {"no",
     "nope",
     "nah",
     "n",
     "incorrect",
     "false",
     "negative",
     "absolutely|certainly|definitely|probably|likely not",
     "of course not",
     "not at all",
     "not really|present|seen|visible|likely|necessarily|true|correct|identified|noted",
     "否",
     "不",
     "不 是",
     "不 是 的",
     "没 有",
     "没",
     "无",
     "不 存 在",
     "不 对",
     "不 会",
     "不 能",
     "不 可 以",
     "错",
     "absent",
     "none",
     "none seen|present|visible|identified|detected|noted|found",
     "未 见",
     "that is|was incorrect|false|wrong",
     NULL},
    {"maybe", "perhaps", "possibly", "uncertain", "unclear", "inconclusive", "equivocal", "it depends", "depends",
     "可 能", "也 许", "不 确 定", NULL},
};

/* The longest word of the three lists at i. */
static int word_at(const Lexemes *t, int i, int *n)
{
    int value = -1;
    *n = 0;
    for (int v = 0; v < 3; v++) {
        int len = lexemes_match_any(t, i, WORDS[v]);
        if (len > *n) *n = len, value = v;
    }
    return value;
}

static bool sentence_begins(const Lexemes *t, int i)
{
    int k = i;
    while (k > 0 && t->at[k - 1].kind == LEXEME_MARK && t->at[k - 1].sentence == t->at[i].sentence &&
           !lexeme_is_mark(t, k - 1, ","))
        k--;
    return k == 0 || t->at[k - 1].sentence != t->at[i].sentence;
}

static bool stops(const Lexemes *t, int i)
{
    return i >= t->n || t->at[i].kind == LEXEME_BREAK || lexeme_is_mark(t, i, ",.:;!?-()[]\"'");
}

/* Whether a yes or no in running text is an answer rather than "no fracture", "a true lumen". */
static bool in_answer_place(const Lexemes *t, int i, int end, int value)
{
    static const char SUBJECT[] = "there|it|this|that|the|i|they|he|she|we|these|those|because|since|based|not";
    static const char ADVERB[] = "undoubtedly|definitely|certainly|clearly|surely|probably|likely|obviously|absolutely|"
                                 "most|very|oh|well|ok|okay|sure|hmm|simply|just|unequivocally|unfortunately";
    static const char VERB[] = "would|is|means|indicates|or|and|requires|needs|was|answer|can|could|should|if";
    bool plain = lexeme_is(t, i, "yes|yeah|yep|yup|no|nope|nah|maybe|是|否|不|对|没|有|无");
    int begin = i;
    while (lexeme_is(t, begin - 1, ADVERB)) begin--;
    if (begin < i && plain && sentence_begins(t, begin) && stops(t, end)) return true;
    if (sentence_begins(t, i)) {
        /* "有骨折", "没有骨折", but not "无法确定" */
        if (lexeme_is(t, i, "有|没|无|未|存") && !lexeme_is(t, end, "法|限")) return true;
        if (lexemes_match(t, i, "不 存 在")) return true;
        if (stops(t, end)) return true;
        if (value == YES && lexeme_is(t, i, "yes|yeah|yep|yup") && !lexeme_is(t, end, VERB)) return true;
        return value == NO && lexeme_is(t, i, "no|nope") && lexeme_is(t, end, SUBJECT) && !lexeme_is(t, end, "not");
    }
    return plain && lexeme_is_mark(t, i - 1, ",:-\"'(") && stops(t, end);
}

static int find(const Lexicon *lex, const Lexemes *t, int i, FindMode mode, int *end)
{
    (void)lex;
    int n, value = word_at(t, i, &n);
    if (value < 0) return -1;
    *end = i + n;
    bool single = lexeme_is(t, i, "y|n|sure|none|absent|true|correct");
    if (mode == FIND_FREE && (single ? !(i == 0 && stops(t, *end)) : !in_answer_place(t, i, *end, value))) return -1;
    /* "the answer is no fracture": not the word no */
    if (mode == FIND_CUED && !stops(t, *end) &&
        !lexeme_is(t, *end, "because|since|as|and|or|there|it|the|given|based|but|for"))
        return lexeme_is(t, i, "yes|no") && t->at[*end].kind == LEXEME_CJK ? value : -1;
    if (mode == FIND_CUED && single && !lexeme_is(t, i, "true|correct|y|n")) return -1;
    return value;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static const char STOPWORDS[] =
    "is|are|was|were|do|does|did|has|have|had|there|any|a|an|the|of|this|that|these|those|it|can|could|be|been|being|"
    "see|"
    "seen|shown|show|shows|evidence|sign|signs|image|picture|scan|visible|present|appear|appears|you|in|on|or|and|to|"
    "patient|patient's|both|some|presence|abnormal|abnormality|either|noted|identified|demonstrated|detected|suggest|"
    "suggests|suggestive|indicate|indicates|located|film|study|x|ray|ct|which|what|will|would|should|not|no|with";
static const char PREPOSITION[] =
    "in|on|at|within|near|along|throughout|from|to|by|for|during|after|before|with|of|than";

/* The word the question turns on: the last content word before the first place or time that is told. */
static int key_word(const Lexemes *q)
{
    int key = -1;
    for (int i = 0; i < q->n; i++) {
        if (lexeme_is(q, i, PREPOSITION) && key >= 0) break;
        if (q->at[i].kind == LEXEME_WORD && !lexeme_is(q, i, STOPWORDS)) key = i;
    }
    return key;
}

static bool same_stem(const char *a, const char *b)
{
    size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    size_t need = n < 4 ? n : n > 6 ? n - 2 : n - 1;
    size_t longer = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
    return !strncmp(a, b, need) && longer - n < 4;
}

/* YES or NO: how the sentence speaks of the key word; -1: not at all; -2: both ways. */
static int key_polarity(const Lexemes *t, int first, int last, const char *key)
{
    int says = -1;
    for (int i = first; i < last; i++) {
        if (t->at[i].kind != LEXEME_WORD || !same_stem(t->at[i].low, key)) continue;
        int here = word_denied(t, i, i + 1) ? NO : YES;
        says = says == -1 || says == here ? here : -2;
    }
    return says;
}

/* "may be", "whether": says neither yes nor no. */
static bool doubtful(const Lexemes *t, int first, int last)
{
    static const char *const DOUBT[] = {"not|isn't true|correct|absent|without",
                                        "may|might|could",
                                        "cannot|can't be excluded|ruled|determined|confirmed|assessed",
                                        "not be excluded|ruled",
                                        "whether",
                                        "if",
                                        "可 能",
                                        NULL};
    for (int i = first; i < last; i++)
        if (lexemes_match_any(t, i, DOUBT)) return true;
    return false;
}

/* YES or NO: whether the sentence denies anything. */
static int sentence_polarity(const Lexemes *t, int first, int last)
{
    for (int i = first; i < last; i++)
        if (denial_at(t, i) || lexeme_is(t, i, "absent|none") || lexemes_match(t, i, "ruled out")) return NO;
    return YES;
}

static bool existential(const Lexemes *t, int first, int last)
{
    static const char *const FORM[] = {"there is|are|was|were|isn't|aren't",
                                       "there appears|seems",
                                       "there's",
                                       "no evidence|sign|signs",
                                       "no",
                                       "absence of",
                                       "neither",
                                       NULL};
    int k = first;
    while (k < last && (t->at[k].kind >= LEXEME_MARK || lexeme_is(t, k, "overall|in|this|image|the|on"))) k++;
    return k < last && lexemes_match_any(t, k, FORM) > 0;
}

/* "It is.", "They are not.", "There isn't." */
static bool echo(const Lexemes *t, int first, int last)
{
    int words = 0;
    for (int i = first; i < last; i++) words += t->at[i].kind < LEXEME_MARK;
    return words >= 2 && words <= 3 && lexeme_is(t, first, "it|there|they|this|he|she|these") &&
           lexeme_is(t, first + 1, "is|are|does|do|has|have|was|were|isn't|aren't|doesn't|don't|hasn't|can") &&
           (words == 2 || lexeme_is(t, first + 2, "not|none"));
}

static void read_statements(Answer *a, const Question *q, const Lexemes *t)
{
    Lexemes question = {0};
    if (q->question) lexemes_read(&question, q->question, strlen(q->question));
    int key = key_word(&question), verdict = -1;
    for (int first = 0, last; first < t->n; first = last) {
        for (last = first; last < t->n && t->at[last].sentence == t->at[first].sentence;) last++;
        if (lexeme_is_mark(t, last - 1, "?")) continue;
        int says = key >= 0 ? key_polarity(t, first, last, question.at[key].low) : -1;
        if ((key < 0 && existential(t, first, last)) || echo(t, first, last)) says = sentence_polarity(t, first, last);
        if (says >= 0 && doubtful(t, first, last)) says = -2;
        if (says != -1) verdict = verdict == -1 || verdict == says ? says : -2;
    }
    bool negated_question = false;
    for (int i = 0; i < question.n; i++) negated_question |= denial_at(&question, i) > 0;
    lexemes_release(&question);
    if (verdict == -1 || negated_question) answer_missing(a, t, "nothing");
    else if (verdict == -2) answer_none(a, ANSWER_ABSTAINED, "conflict");
    else answer_given(a, xstrdup(VALUE[verdict]), "statement");
}

void read_yesno(Answer *a, const Question *q, const Lexemes *t)
{
    Lexicon lex = {.find = find};
    Claims c = {0};
    const char *rule;
    claims_read(&c, &lex, t);
    int value = claims_decide(&c, t, &rule);
    bool named = c.claim.n > 0;
    claims_release(&c);
    if (value == CLAIM_CONFLICT) answer_none(a, ANSWER_ABSTAINED, rule);
    else if (value >= 0) answer_given(a, xstrdup(VALUE[value]), rule);
    else if (named || text_declines(t)) answer_missing(a, t, rule);
    else read_statements(a, q, t);
}
