/* Taking the dress off a text: markup first, byte by byte; then Unicode, character by character. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "reward/lexemes.h"

/* ---- markup ------------------------------------------------------------------------------------------------------ */

typedef struct Markup {
    const char *p, *end;
    Buf out;
} Markup;

static bool begins(const Markup *m, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(m->end - m->p) >= n && !memcmp(m->p, word, n);
}

static char last_byte(const Markup *m)
{
    return m->out.len ? m->out.data[m->out.len - 1] : '\n';
}

/* <b>, </p>, <br/>, <|im_end|>: at most 40 bytes without another '<'. */
static bool skip_tag(Markup *m)
{
    const char *p = m->p + 1;
    if (p < m->end && *p == '/') p++;
    if (p == m->end || !(isalpha((unsigned char)*p) || *p == '|')) return false;
    bool letter = p + 1 < m->end && isupper((unsigned char)*p) && p[1] == '>'; /* <B> may be bold, or an answer */
    if (letter && !memmem(p, (size_t)(m->end - p), "</", 2) && p == m->p + 1) return false;
    for (int i = 0; i < 40 && p < m->end && *p != '<' && *p != '\n'; i++, p++)
        if (*p == '>') {
            buf_byte(&m->out, !strncmp(m->p, "<br", 3) || !strncmp(m->p, "<p", 2) ? '\n' : ' ');
            m->p = p + 1;
            return true;
        }
    return false;
}

/* The place after the '}' that closes the '{' at p; NULL where there is none. */
static const char *after_braces(const char *p, const char *end)
{
    int depth = 0;
    for (; p < end; p++) {
        if (*p == '{') depth++;
        if (*p == '}' && --depth == 0) return p + 1;
    }
    return NULL;
}

/* \frac{a}{b} becomes a/b. */
static bool fraction(Markup *m, const char *args)
{
    if (args == m->end || *args != '{') return false;
    const char *middle = after_braces(args, m->end);
    if (!middle || middle == m->end || *middle != '{') return false;
    const char *end = after_braces(middle, m->end);
    if (!end || end - args > 64) return false;
    buf_byte(&m->out, ' ');
    for (const char *p = args; p < end; p++) {
        if (p == middle) buf_byte(&m->out, '/');
        if (!strchr("{}", *p)) buf_byte(&m->out, (unsigned char)*p);
    }
    buf_byte(&m->out, ' ');
    m->p = end;
    return true;
}

/* What a LaTeX command stands for; those that only say how something looks stand for nothing. */
static const struct {
    const char *name, *text;
} COMMAND[] = {
    {"times", " x "},
    {"cdot", " x "},
    {"approx", " ~ "},
    {"sim", " ~ "},
    {"le", " <= "},
    {"leq", " <= "},
    {"ge", " >= "},
    {"geq", " >= "},
    {"lt", " < "},
    {"gt", " > "},
    {"circ", "\u00b0"},
    {"degree", "\u00b0"},
    {"mu", "\u03bc"},
    {"quad", " "},
    {"qquad", " "},
    {"pm", " +/- "},
    {"rightarrow", " : "},
    {"to", " : "},
    {"text", ""},
    {"textbf", ""},
    {"textit", ""},
    {"textrm", ""},
    {"mathbf", ""},
    {"mathrm", ""},
    {"mathit", ""},
    {"mathsf", ""},
    {"boxed", " "},
    {"fbox", " "},
    {"mbox", ""},
    {"left", ""},
    {"right", ""},
    {"bf", ""},
    {"rm", ""},
    {"emph", ""},
    {"underline", ""},
    {"displaystyle", ""},
    {"operatorname", ""},
    {"mathtt", ""},
    {"texttt", ""},
    {"boldsymbol", ""},
    {"Large", ""},
    {"large", ""},
};

static void latex(Markup *m)
{
    const char *p = m->p + 1, *name = p;
    while (p < m->end && isalpha((unsigned char)*p)) p++;
    size_t n = (size_t)(p - name);
    if (n == 0) { /* \% \, \( \\ */
        if (p < m->end && strchr("%$&#_{}", *p)) buf_byte(&m->out, (unsigned char)*p);
        else buf_byte(&m->out, ' ');
        m->p = p < m->end && (unsigned char)*p < 0x80 ? p + 1 : p;
        return;
    }
    if (((n == 4 && !memcmp(name, "frac", 4)) || (n == 5 && !memcmp(name + 1, "frac", 4))) && fraction(m, p)) return;
    m->p = p;
    bool environment = (n == 5 && !memcmp(name, "begin", 5)) || (n == 3 && !memcmp(name, "end", 3));
    while (environment && m->p < m->end && *m->p == '{') { /* \begin{array}{c} */
        const char *behind = after_braces(m->p, m->end);
        if (!behind) break;
        m->p = behind;
    }
    if (environment && m->p > p) return;
    for (size_t i = 0; i < sizeof COMMAND / sizeof *COMMAND; i++)
        if (strlen(COMMAND[i].name) == n && !memcmp(COMMAND[i].name, name, n)) {
            buf_str(&m->out, COMMAND[i].text);
            return;
        }
    buf_byte(&m->out, ' ');
    buf_add(&m->out, name, n); /* not LaTeX: a path, or "\n" that was written out */
}

/* ~~struck out~~ is taken back by who wrote it. */
static bool skip_struck(Markup *m)
{
    for (const char *p = m->p + 2; p + 1 < m->end && *p != '\n'; p++)
        if (p[0] == '~' && p[1] == '~') {
            m->p = p + 2;
            buf_byte(&m->out, ' ');
            return true;
        }
    return false;
}

static void asterisk(Markup *m)
{
    bool product = isdigit((unsigned char)last_byte(m)) && m->p + 1 < m->end && isdigit((unsigned char)m->p[1]);
    bool bullet = last_byte(m) == '\n' && m->p + 1 < m->end && m->p[1] == ' ';
    if (product) buf_str(&m->out, " x ");
    else if (bullet) buf_byte(&m->out, '-');
    m->p++;
}

static void markup_byte(Markup *m)
{
    char c = *m->p;
    if (c == '<' && skip_tag(m)) return;
    if (c == '\\') {
        latex(m);
        return;
    }
    if (begins(m, "~~") && skip_struck(m)) return;
    if (c == '*') {
        asterisk(m);
        return;
    }
    if (c == '#' && (last_byte(m) == '\n' || last_byte(m) == '#')) c = '\n';
    if (strchr("`{}$", c)) c = 0;
    if (c == '_') c = ' ';
    if (c == '|') c = strchr(" \n", last_byte(m)) ? ':' : ';'; /* a table's cell, or "A|C" */
    if (c == '\t' || c == '\f' || c == '\v') c = ' ';
    if (c == '\r') c = '\n';
    if (c && ((unsigned char)c >= 0x20 || c == '\n')) buf_byte(&m->out, (unsigned char)c);
    m->p++;
}

/* ---- characters -------------------------------------------------------------------------------------------------- */

/* Before NFKC, which would run them into the digits before them. */
static const struct {
    int32_t c;
    const char *text;
} EARLY[] = {
    {0xbc, " 1/4"},   {0xbd, " 1/2"},   {0xbe, " 3/4"}, {0x2153, " 1/3"}, {0x2154, " 2/3"},
    {0x215b, " 1/8"}, {0xba, "\u00b0"}, {0xb2, "^2"},   {0xb3, "^3"},     {0xb9, "^1"},
    {0x2070, "^0"},   {0x2074, "^4"},   {0x2075, "^5"}, {0x2076, "^6"},   {0x2077, "^7"},
    {0x2078, "^8"},   {0x2079, "^9"},   {0x207b, "^-"}, {0x00d7, " x "},  {0x2212, "-"},
    {0x2009, " "},    {0x202f, " "},    {0x2026, ". "}, {0xfe0f, ""},     {0xb1, " +/- "},
};

/* After NFKC. Quotes and brackets of all scripts are one kind each; an arrow says what a colon says. */
static const struct {
    int32_t first, last;
    const char *text;
} LATE[] = {
    {0x3002, 0x3002, ". "},
    {0x3001, 0x3001, ", "},
    {0x300c, 0x300f, "\""},
    {0x3008, 0x300b, "\""},
    {0x3010, 0x3010, "["},
    {0x3011, 0x3011, "]"},
    {0x3014, 0x3014, "["},
    {0x3015, 0x3015, "]"},
    {0x201c, 0x201f, "\""},
    {0xab, 0xab, "\""},
    {0xbb, 0xbb, "\""},
    {0x2018, 0x201b, "'"},
    {0x2032, 0x2032, "'"},
    {0x2010, 0x2012, "-"},
    {0x2013, 0x2015, "-"},
    {0x2022, 0x2022, "-"},
    {0xb7, 0xb7, " "},
    {0x25cf, 0x25cf, "-"},
    {0x2248, 0x2248, "~"},
    {0x223c, 0x223c, "~"},
    {0x2264, 0x2264, "<="},
    {0x2265, 0x2265, ">="},
    {0x2190, 0x2194, ":"},
    {0x21d2, 0x21d2, ":"},
    {0x2713, 0x2714, " \u2713 "},
    {0x2705, 0x2705, " \u2713 "},
    {0x2717, 0x2718, " \u2717 "},
    {0x274c, 0x274c, " \u2717 "},
    {0x2715, 0x2716, " \u2717 "},
    {0x2044, 0x2044, "/"},
    {0xa0, 0xa0, " "},
    {0x3000, 0x3000, " "},
    {0x200b, 0x200f, ""},
    {0x2028, 0x2029, "\n"},
    {0xfeff, 0xfeff, ""},
};

static void add_char(Buf *b, int32_t c)
{
    utf8proc_uint8_t bytes[4];
    buf_add(b, bytes, (size_t)utf8proc_encode_char(c, bytes));
}

/* Negative circled and squared letters have no compatibility form: 🅐 🅰. */
static int32_t plain_letter(int32_t c)
{
    if (c >= 0x1f150 && c <= 0x1f169) return 'A' + (c - 0x1f150);
    if (c >= 0x1f170 && c <= 0x1f189) return 'A' + (c - 0x1f170);
    return c;
}

static void early_char(Buf *out, int32_t c)
{
    bool times = (c == 0xb7 || c == 0x22c5) && out->len && isdigit((unsigned char)out->data[out->len - 1]);
    if (times) {
        buf_str(out, " x ");
        return;
    }
    for (size_t i = 0; i < sizeof EARLY / sizeof *EARLY; i++)
        if (EARLY[i].c == c) {
            /* ^-^3 and ^1^0 are one exponent */
            bool exponent = EARLY[i].text[0] == '^' && out->len > 1 && strchr("-0123456789", out->data[out->len - 1]) &&
                            memchr(out->data + (out->len > 3 ? out->len - 3 : 0), '^', out->len > 3 ? 3 : out->len);
            buf_str(out, EARLY[i].text + (exponent ? 1 : 0));
            return;
        }
    add_char(out, plain_letter(c));
}

static void late_char(Buf *out, int32_t c)
{
    for (size_t i = 0; c >= 0x80 && i < sizeof LATE / sizeof *LATE; i++)
        if (c >= LATE[i].first && c <= LATE[i].last) {
            buf_str(out, LATE[i].text);
            return;
        }
    add_char(out, c);
}

static void each_char(Buf *out, const char *s, size_t n, void (*use)(Buf *, int32_t))
{
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &c);
        use(out, k > 0 ? c : 0xfffd);
        i += k > 0 ? (size_t)k : 1;
    }
}

char *text_fold(const char *s, size_t n)
{
    Markup m = {.p = s, .end = s + n};
    Buf early = {0}, out = {0};
    while (m.p < m.end) markup_byte(&m);
    if (m.out.len) each_char(&early, m.out.data, m.out.len, early_char);
    utf8proc_uint8_t *nfkc = NULL;
    utf8proc_ssize_t len = 0;
    if (early.len)
        len = utf8proc_map((const utf8proc_uint8_t *)early.data, (utf8proc_ssize_t)early.len, &nfkc,
                           UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (len > 0) each_char(&out, (const char *)nfkc, (size_t)len, late_char);
    free(nfkc);
    buf_release(&m.out);
    buf_release(&early);
    return out.data ? buf_take(&out) : xstrdup("");
}
