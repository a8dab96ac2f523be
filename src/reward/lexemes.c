#include "reward/lexemes.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef struct Reader {
    const char *text;
    int len, p;
    VEC(Lexeme) token;
    Buf lows;
    VEC(int) low_at; /* offsets, because lows moves while it grows */
} Reader;

static int32_t char_at(const Reader *r, int p, int *bytes)
{
    utf8proc_int32_t c = 0;
    *bytes = p < r->len ? (int)utf8proc_iterate((const utf8proc_uint8_t *)r->text + p, r->len - p, &c) : 0;
    if (*bytes < 1) *bytes = p < r->len, c = p < r->len ? 0xfffd : 0;
    return c;
}

static bool is_cjk(int32_t c)
{
    return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
}

static bool is_word(int32_t c)
{
    if (c < 0x80) return c > 0 && isalnum((int)c);
    if (is_cjk(c)) return false;
    utf8proc_category_t k = utf8proc_category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO) || c == 0xb0;
}

static void add_token(Reader *r, LexemeKind kind, int begin, int end)
{
    bool upper = r->text[begin] >= 'A' && r->text[begin] <= 'Z';
    bool spaced = begin == 0 || r->text[begin - 1] == ' ' || r->text[begin - 1] == '\n';
    int at = (int)r->lows.len, bytes;
    for (int p = begin; p < end; p += bytes) {
        utf8proc_uint8_t out[4];
        utf8proc_ssize_t k = utf8proc_encode_char(utf8proc_tolower(char_at(r, p, &bytes)), out);
        buf_add(&r->lows, out, (size_t)k);
    }
    buf_byte(&r->lows, 0);
    Lexeme t = {.kind = kind, .begin = begin, .end = end, .upper = upper, .spaced = spaced};
    vec_push(&r->token, t);
    vec_push(&r->low_at, at);
}

/* Digits, and points or commas between digits. */
static int number_end(const Reader *r, int p)
{
    while (p < r->len && isdigit((unsigned char)r->text[p])) {
        p++;
        if (p + 1 < r->len && strchr(".,", r->text[p]) && isdigit((unsigned char)r->text[p + 1])) p++;
    }
    return p;
}

/* ".75" */
static bool bare_fraction(const Reader *r, int p)
{
    if (r->text[p] != '.' || p + 1 >= r->len || !isdigit((unsigned char)r->text[p + 1])) return false;
    return p == 0 || strchr(" \n(<>=~-", r->text[p - 1]);
}

/* Letters and digits; an apostrophe between letters belongs to the word. */
static int word_end(const Reader *r, int p)
{
    int bytes, more;
    for (;;) {
        int32_t c = char_at(r, p, &bytes);
        if (bytes && is_word(c)) p += bytes;
        else if (c == '\'' && is_word(char_at(r, p + 1, &more))) p++;
        else return p;
    }
}

static void next_token(Reader *r)
{
    int bytes, begin = r->p;
    int32_t c = char_at(r, begin, &bytes);
    r->p += bytes;
    if (c == ' ') return;
    if (c == '\n') {
        add_token(r, LEXEME_BREAK, begin, r->p);
    } else if (is_cjk(c)) {
        add_token(r, LEXEME_CJK, begin, r->p);
    } else if (c < 0x80 && (isdigit((int)c) || bare_fraction(r, begin))) {
        r->p = number_end(r, begin + (c == '.'));
        add_token(r, LEXEME_NUMBER, begin, r->p);
    } else if (is_word(c)) {
        r->p = word_end(r, begin);
        add_token(r, LEXEME_WORD, begin, r->p);
    } else {
        while (r->p < r->len && c == '.' && r->text[r->p] == '.') r->p++;
        add_token(r, LEXEME_MARK, begin, r->p);
    }
}

/* ---- sentences --------------------------------------------------------------------------------------------------- */

static bool single_letter(const Lexeme *k)
{
    return k->kind == LEXEME_WORD && k->end - k->begin == 1 && isalpha((unsigned char)k->low[0]);
}

/* Words after which a label's point is the end of a thought: "the answer is a. it shows ..." */
static const char FUNCTION_WORDS[] = "the|it|its|it's|this|that|these|there|because|since|as|i|we|my|so|because|in|on|"
                                     "with|for|and|but|or|not|is|he|she|they|if|when|while|based|given|due";

static bool ends_sentence(const Lexemes *t, int i)
{
    if (t->at[i].kind == LEXEME_BREAK) return true;
    if (t->at[i].kind != LEXEME_MARK) return false;
    /* "the answer to 'is it?' is yes" */
    if (lexeme_is_mark(t, i, "!?") && lexeme_is_mark(t, i + 1, "\"')") && i + 2 < t->n)
        return t->at[i + 2].kind != LEXEME_WORD || t->at[i + 2].upper;
    if (lexeme_is_mark(t, i, "!?;")) return true;
    if (t->at[i].low[0] != '.') return false;
    if (i + 1 == t->n || t->at[i + 1].kind == LEXEME_BREAK || i == 0) return true;
    const Lexeme *before = &t->at[i - 1];
    if (single_letter(before)) {
        if (lexeme_begins_line(t, i - 1)) return false;
        return t->at[i + 1].upper || t->at[i + 1].kind != LEXEME_WORD || lexeme_is(t, i + 1, FUNCTION_WORDS);
    }
    if (lexeme_is(t, i - 1, "vs|e|g|dr|mr|mrs|fig|approx|ca|cf|eg|ie|prof|st|resp")) return false;
    return t->at[i + 1].spaced || t->at[i + 1].kind != LEXEME_WORD;
}

void lexemes_read(Lexemes *t, const char *s, size_t n)
{
    char *text = text_fold(s, n);
    Reader r = {.text = text, .len = (int)strlen(text)};
    while (r.p < r.len) next_token(&r);
    *t = (Lexemes){.text = text, .at = r.token.at, .n = r.token.n, .lows = r.lows.data};
    for (int i = 0; i < t->n; i++) t->at[i].low = t->lows + r.low_at.at[i];
    free(r.low_at.at);
    int sentence = 0;
    for (int i = 0; i < t->n; i++) {
        t->at[i].sentence = sentence;
        sentence += ends_sentence(t, i);
    }
}

void lexemes_release(Lexemes *t)
{
    free(t->text);
    free(t->at);
    free(t->lows);
    *t = (Lexemes){0};
}

/* ---- patterns ---------------------------------------------------------------------------------------------------- */

/* Whether `low` is one of the words "a|b|c" that end at a space or at the text's end. */
static bool in_words(const char *low, const char *words)
{
    for (const char *p = words;; p++) {
        const char *s = low;
        while (*s && *s == *p) s++, p++;
        bool ends = *p == '|' || *p == ' ' || !*p;
        if (ends && !*s) return true;
        p += strcspn(p, "| ");
        if (*p != '|') return false;
    }
}

int lexemes_match(const Lexemes *t, int i, const char *pattern)
{
    int first = i;
    for (const char *p = pattern; *p; i++) {
        if (i < 0 || i >= t->n || !in_words(t->at[i].low, p)) return 0;
        while (*p && *p != ' ') p++;
        p += *p == ' ';
    }
    return i - first;
}

int lexemes_match_any(const Lexemes *t, int i, const char *const *patterns)
{
    int best = 0;
    for (; *patterns; patterns++) {
        int n = lexemes_match(t, i, *patterns);
        if (n > best) best = n;
    }
    return best;
}

bool lexeme_is(const Lexemes *t, int i, const char *words)
{
    return i >= 0 && i < t->n && in_words(t->at[i].low, words);
}

bool lexeme_is_mark(const Lexemes *t, int i, const char *any_of)
{
    return i >= 0 && i < t->n && t->at[i].kind == LEXEME_MARK && strchr(any_of, t->at[i].low[0]);
}

bool lexeme_begins_line(const Lexemes *t, int i)
{
    while (i > 0 && lexeme_is_mark(t, i - 1, "-([\"'>:")) i--;
    return i == 0 || t->at[i - 1].kind == LEXEME_BREAK;
}

bool lexeme_ends_line(const Lexemes *t, int i)
{
    while (i + 1 < t->n && t->at[i + 1].kind == LEXEME_MARK) i++;
    return i + 1 >= t->n || t->at[i + 1].kind == LEXEME_BREAK;
}

/* ---- normal text ------------------------------------------------------------------------------------------------- */

/* Digits as one writes them who groups nothing and leaves no zeros behind: 1,000 and 2.50 become 1000 and 2.5. */
static void plain_digits(Buf *out, const char *low)
{
    const char *comma = strchr(low, ','), *point = strchr(low, '.');
    bool grouped = comma && comma > low && comma - low < 4 && low[0] != '0';
    for (const char *p = comma; grouped && p && *p == ','; p += 4)
        grouped = strspn(p + 1, "0123456789") == 3 && (!p[4] || strchr(",.", p[4]));
    bool fraction = point && !strchr(point + 1, '.') && (!comma || grouped);
    if (fraction && point == low) buf_byte(out, '0');
    for (; *low; low++)
        if (!(grouped && *low == ',')) buf_byte(out, (unsigned char)*low);
    while (fraction && strchr("0.", out->data[out->len - 1]))
        if (out->data[--out->len] == '.') break;
}

static const char *number_word(const char *low);

/* One is a pronoun as often as a number. */
static const char *plain_word(const Lexeme *k)
{
    return strcmp(k->low, "one") ? number_word(k->low) : k->low;
}

bool lexeme_same(const Lexeme *a, const Lexeme *b)
{
    if (a->kind != LEXEME_NUMBER || b->kind != LEXEME_NUMBER) return !strcmp(plain_word(a), plain_word(b));
    Buf x = {0}, y = {0};
    plain_digits(&x, a->low);
    plain_digits(&y, b->low);
    bool same = x.len == y.len && !memcmp(x.data, y.data, x.len);
    buf_release(&x);
    buf_release(&y);
    return same;
}

static const char *number_word(const char *low)
{
    static const char *const WORD[] = {"zero",  "one",   "two",  "three", "four",   "five",  "six",
                                       "seven", "eight", "nine", "ten",   "eleven", "twelve"};
    static const char *const DIGIT[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"};
    for (size_t i = 0; i < sizeof WORD / sizeof *WORD; i++)
        if (!strcmp(low, WORD[i])) return DIGIT[i];
    return strcmp(low, "percent") ? low : "%";
}

char *text_normal(const char *s, size_t n)
{
    Lexemes t;
    Buf out = {0};
    lexemes_read(&t, s, n);
    for (int i = 0; i < t.n; i++) {
        bool kept = t.at[i].kind != LEXEME_BREAK && (t.at[i].kind != LEXEME_MARK || lexeme_is_mark(&t, i, "<>%=+"));
        bool sign = lexeme_is_mark(&t, i, "-") && t.at[i].spaced && i + 1 < t.n && t.at[i + 1].kind == LEXEME_NUMBER &&
                    !t.at[i + 1].spaced;
        if (!kept && !sign) continue;
        if (lexeme_is(&t, i, "a|an|the") && i + 1 < t.n && t.at[i + 1].kind < LEXEME_MARK) continue;
        if (out.len && out.data[out.len - 1] != '-') buf_byte(&out, ' ');
        if (t.at[i].kind == LEXEME_NUMBER) plain_digits(&out, t.at[i].low);
        else buf_str(&out, number_word(t.at[i].low));
    }
    lexemes_release(&t);
    return out.data ? buf_take(&out) : xstrdup("");
}
