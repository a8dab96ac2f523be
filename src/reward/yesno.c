/* Yes, no, maybe: as words, and as statements that say so. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/readers_impl.h"

enum { YES, NO, MAYBE };
static const char *const VALUE[] = {"yes", "no", "maybe"};

/* Words that are an answer by themselves, English first. Chinese, Japanese and Korean ones are divided by character. */
static const char YES_WORDS[] = "yes|yeah|yep|yup|sí|si|oui|ja|sim|да|نعم|हाँ";
static const char NO_WORDS[] = "no|nope|nah|non|nein|não|nao|нет|لا|नहीं";

static const char *const WORDS[3][40] = {
    {YES_WORDS,    "y",         "correct",    "true",  "affirmative", "indeed",
     "absolutely", "certainly", "definitely", "sure",  "of course",   "that is|was correct|true|right",
     "是",         "是 的",     "对",         "对 的", "有",          "有 的",
     "存 在",      "正 确",     "会",         "能",    "可 以",       "は い",
     "예",         "네",        NULL},
    {NO_WORDS,
     "n",
     "incorrect",
     "false",
     "negative",
     "absolutely|certainly|definitely|probably|likely not",
     "of course not",
     "not at all",
     "not really|present|seen|visible|likely|necessarily|true|correct|identified|noted",
     "absent",
     "none",
     "none seen|present|visible|identified|detected|noted|found",
     "that is|was incorrect|false|wrong",
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
     "未 见",
     "い い え",
     "아 니 요",
     "아 니 오",
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
    if (lexeme_is_mark(t, i, "-")) return t->at[i].spaced; /* "non-displaced" */
    return i >= t->n || t->at[i].kind == LEXEME_BREAK || lexeme_is_mark(t, i, ",.:;!?()[]\"'");
}

/* Whether a yes or no in running text is an answer rather than "no fracture", "a true lumen". */
static bool in_answer_place(const Lexemes *t, int i, int end, int value)
{
    static const char SUBJECT[] = "there|hay|it|this|that|the|i|they|he|she|we|these|those|because|since|based|not";
    static const char ADVERB[] = "undoubtedly|definitely|certainly|clearly|surely|probably|likely|obviously|absolutely|"
                                 "most|very|oh|well|ok|okay|sure|hmm|simply|just|unequivocally|unfortunately";
    static const char VERB[] = "would|is|means|indicates|or|and|requires|needs|was|answer|can|could|should|if";
    static const char LEADS_TO[] = "so|but|fact|then|therefore|hence|thus|not|say|be|actually";
    bool plain =
        lexeme_is(t, i, YES_WORDS) || lexeme_is(t, i, NO_WORDS) || lexeme_is(t, i, "maybe|是|否|不|对|没|有|无");
    int begin = i;
    while (lexeme_is(t, begin - 1, ADVERB)) begin--;
    if (begin < i && plain && sentence_begins(t, begin) && stops(t, end)) return true;
    if (sentence_begins(t, i)) {
        /* "有骨折", "没有骨折", but not "无法确定" */
        if (lexeme_is(t, i, "有|没|无|未|存") && !lexeme_is(t, end, "法|限")) return true;
        if (lexemes_match(t, i, "不 存 在")) return true;
        if (stops(t, end)) return true;
        if (value == YES && lexeme_is(t, i, YES_WORDS) && !lexeme_is(t, end, VERB)) return true;
        return value == NO && lexeme_is(t, i, "no|nope") && lexeme_is(t, end, SUBJECT) && !lexeme_is(t, end, "not");
    }
    if (plain && lexeme_is(t, i - 1, LEADS_TO) && (stops(t, end) || lexeme_is(t, end, "but"))) return true;
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

/* What a question turns on: tokens [first, end) of it; first < 0 where it is not found. */
typedef struct Key {
    const Lexemes *in;
    int first, end;
} Key;

/* "是否有骨折", "肺部健康吗": what is asked for stands behind the first or before the second. */
static Key chinese_key(const Lexemes *q)
{
    static const char *const ASKS[] = {"是 否", "有 没 有", "有 无", "是 不 是", "能 否", NULL};
    Key key = {q, -1, -1};
    for (int i = 0; i < q->n; i++) {
        int n = lexemes_match_any(q, i, ASKS);
        if (n) key.first = i + n;
        if (lexeme_is(q, i, "吗") && key.first < 0 && i > 1) key.first = i - 2;
    }
    while (key.first >= 0 && lexeme_is(q, key.first, "有|存|在|为|是|可|见|显|示|出|现")) key.first++;
    if (key.first < 0 || key.first >= q->n || q->at[key.first].kind != LEXEME_CJK) return (Key){q, -1, -1};
    for (key.end = key.first; key.end < q->n && q->at[key.end].kind == LEXEME_CJK && !lexeme_is(q, key.end, "吗|呢");)
        key.end++;
    if (key.end > key.first + 4) key.first = key.end - 2; /* a long phrase: its head comes last */
    return key.end > key.first ? key : (Key){q, -1, -1};
}

/* The last content word before the first place or time that is told. */
static Key key_word(const Lexemes *q)
{
    int key = -1;
    for (int i = 0; i < q->n; i++) {
        if (lexeme_is(q, i, PREPOSITION) && key >= 0) break;
        if (q->at[i].kind == LEXEME_WORD && !lexeme_is(q, i, STOPWORDS)) key = i;
    }
    /* "Is this a CT?": what is passed over elsewhere */
    for (int i = q->n - 1; i >= 0 && key < 0; i--)
        if (lexeme_is(q, i, "ct|ray|film|scan|abnormal|abnormality|evidence")) key = i;
    return key < 0 ? chinese_key(q) : (Key){q, key, key + 1};
}

static bool same_stem(const char *a, const char *b)
{
    size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    size_t need = n < 4 ? n : n > 6 ? n - 2 : n - 1;
    size_t longer = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
    return !strncmp(a, b, need) && longer - n < 4;
}

/* Whether the key stands at token i. */
static bool key_at(const Lexemes *t, int i, Key key)
{
    const Lexeme *word = &key.in->at[key.first];
    if (word->kind == LEXEME_WORD) return t->at[i].kind == LEXEME_WORD && same_stem(t->at[i].low, word->low);
    for (int k = key.first; k < key.end; k++)
        if (i + k - key.first >= t->n || strcmp(t->at[i + k - key.first].low, key.in->at[k].low)) return false;
    return true;
}

/* YES or NO: how the sentence speaks of the key; -1: not at all; -2: both ways. */
static int key_polarity(const Lexemes *t, int first, int last, Key key)
{
    int says = -1;
    for (int i = first; i < last; i++) {
        if (!key_at(t, i, key)) continue;
        int here = word_denied(t, i, i + key.end - key.first) || lexeme_is(t, i - 1, "未|見|见") ? NO : YES;
        says = says == -1 || says == here ? here : -2;
    }
    return says;
}

/* "may be", "whether": says neither yes nor no. */
static bool doubtful(const Lexemes *t, int first, int last)
{
    static const char *const DOUBT[] = {"not|isn't true|correct|absent|without",
                                        "may|might|could",
                                        "cannot|can't|not rule|exclude|confirm",
                                        "cannot|can't be excluded|ruled|determined|confirmed|assessed",
                                        "not be excluded|ruled",
                                        "not ruled|excluded",
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
           (words == 2 || lexeme_is(t, first + 2, "not|none|any"));
}

static void read_statements(Answer *a, const Question *q, const Lexemes *t)
{
    Lexemes question = {0};
    if (q->question) lexemes_read(&question, q->question, strlen(q->question));
    Key key = key_word(&question);
    int verdict = -1;
    for (int first = 0, last; first < t->n; first = last) {
        for (last = first; last < t->n && t->at[last].sentence == t->at[first].sentence;) last++;
        if (lexeme_is_mark(t, last - 1, "?")) continue;
        int says = key.first >= 0 ? key_polarity(t, first, last, key) : -1;
        if ((key.first < 0 && existential(t, first, last)) || echo(t, first, last))
            says = sentence_polarity(t, first, last);
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

/* "Not yes": the other of the two, where nothing but one of them is denied. */
static int opposite(const Claims *c)
{
    int denied = -1;
    for (int i = 0; i < c->claim.n; i++) {
        const Claim *k = &c->claim.at[i];
        if (!k->denied || k->value < 0 || k->value == MAYBE || (denied >= 0 && k->value != denied)) return CLAIM_NONE;
        denied = k->value;
    }
    return denied < 0 ? CLAIM_NONE : denied == YES ? NO : YES;
}

void read_yesno(Answer *a, const Question *q, const Lexemes *t)
{
    Lexicon lex = {.find = find};
    Claims c = {0};
    const char *rule;
    claims_read(&c, &lex, t);
    int value = claims_decide(&c, t, &rule);
    bool named = c.claim.n > 0;
    if (value == CLAIM_NONE && named && !text_declines(t) && (value = opposite(&c)) >= 0) rule = "denied";
    claims_release(&c);
    if (value == CLAIM_CONFLICT) answer_none(a, ANSWER_ABSTAINED, rule);
    else if (value >= 0) answer_given(a, xstrdup(VALUE[value]), rule);
    else if (named || text_declines(t)) answer_missing(a, t, rule);
    else read_statements(a, q, t);
}
