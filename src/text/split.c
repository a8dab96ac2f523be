#include "text/split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct Splitter {
    pcre2_code *code;
    pcre2_match_context *limits;
};

#define WHITE_SPACE                                                                                                    \
    "\\x{9}-\\x{d}\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
/* Letters and numbers of Unicode 15 and 16, for a PCRE2 whose tables are older (10.42: Unicode 14). */
#define LETTERS                                                                                                        \
    "\\p{L}\\x{1c89}-\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}\\x{10d4a}-\\x{10d65}"        \
    "\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}"         \
    "\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}\\x{113d3}\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}"          \
    "\\x{11f12}-\\x{11f33}\\x{1342f}\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}"                   \
    "\\x{16d40}-\\x{16d6c}\\x{18cff}\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}\\x{1e030}-\\x{1e06d}"                    \
    "\\x{1e4d0}-\\x{1e4eb}\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}"
#define NUMBERS                                                                                                        \
    "\\p{N}\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}"                       \
    "\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}"                             \
    "\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}"

/* ---- translation ---- */

typedef struct Reader {
    const char *at, *end, *start;
    Buf *out;
} Reader;

static int refuse(const Reader *r, const char *what, Err *err)
{
    err_set(err, "split pattern, byte %d: %s is not supported", (int)(r->at - r->start) + 1, what);
    return err_hint(err, "supported are the pre-tokenisers of Qwen2, Llama 3 and GPT-2");
}

static bool reads(Reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n)) return false;
    r->at += n;
    return true;
}

/* One literal byte; the bytes of a longer character follow one by one. */
static void put_literal(Reader *r)
{
    unsigned char c = (unsigned char)*r->at++;
    if (c < 0x20 || c == 0x7f) buf_printf(r->out, "\\x{%x}", c);
    else buf_byte(r->out, c);
}

/* After a backslash, inside a set or outside. */
static int translate_escape(Reader *r, bool in_set, Err *err)
{
    static const struct {
        const char *name, *members, *set;
    } table[] = {{"s", WHITE_SPACE, "[" WHITE_SPACE "]"},
                 {"p{L}", LETTERS, "[" LETTERS "]"},
                 {"p{N}", NUMBERS, "[" NUMBERS "]"},
                 {"S", NULL, "[^" WHITE_SPACE "]"},
                 {"r", "\\x{d}", "\\x{d}"},
                 {"n", "\\x{a}", "\\x{a}"},
                 {"t", "\\x{9}", "\\x{9}"}};
    r->at++;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *as = in_set ? table[i].members : table[i].set;
        if (!as || !reads(r, table[i].name)) continue;
        buf_str(r->out, as);
        return 0;
    }
    if (r->at == r->end || !*r->at || !strchr("'\"/.-+*?()[]{}|^$\\", *r->at)) return refuse(r, "this escape", err);
    buf_byte(r->out, '\\');
    buf_byte(r->out, (unsigned char)*r->at++);
    return 0;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* [...] without nested sets, set operators or POSIX names; a hyphen stands between two ASCII letters or digits. */
static int translate_set(Reader *r, Err *err)
{
    bool single = false; /* the item before can begin a range */
    put_literal(r);
    if (reads(r, "^")) buf_byte(r->out, '^');
    if (r->at < r->end && *r->at == ']') return refuse(r, "an empty set", err);
    while (r->at < r->end && *r->at != ']') {
        if (*r->at == '[') return refuse(r, "[ inside a set", err);
        if (r->end - r->at > 1 && !memcmp(r->at, "&&", 2)) return refuse(r, "&& inside a set", err);
        if (*r->at == '\\') {
            if (translate_escape(r, true, err)) return -1;
            single = false;
        } else if (*r->at == '-') {
            if (!single || r->end - r->at < 2 || !is_alnum(r->at[1])) return refuse(r, "this hyphen", err);
            put_literal(r);
            put_literal(r);
            single = false;
        } else {
            single = is_alnum(*r->at);
            put_literal(r);
        }
    }
    if (r->at == r->end) return refuse(r, "a set without its end", err);
    put_literal(r);
    return 0;
}

/* The inside of (?i:...): ASCII words, where caseless means the same everywhere. */
static int translate_caseless(Reader *r, Err *err)
{
    static const char folding_pairs[] = "ss ff fi fl st";
    buf_str(r->out, "(?i:");
    for (char before = 0; r->at < r->end && *r->at != ')'; before = *r->at++) {
        char c = *r->at, pair[3] = {(char)(before | 0x20), (char)(c | 0x20), 0};
        bool letter = pair[1] >= 'a' && pair[1] <= 'z';
        if (!letter && c != '\'' && c != '|') return refuse(r, "this character under (?i:", err);
        if (letter && before && strstr(folding_pairs, pair))
            return refuse(r, "a pair of letters that folds to one character under (?i:", err);
        buf_byte(r->out, (unsigned char)c);
    }
    return 0;
}

/* ? * + {n} {n,} {n,m}, lazy and (but for braces) possessive. */
static int translate_quantifier(Reader *r, Err *err)
{
    bool braces = *r->at == '{';
    if (braces) {
        const char *p = r->at + 1;
        if (p == r->end || *p < '0' || *p > '9') return refuse(r, "this {", err);
        while (p < r->end && ((*p >= '0' && *p <= '9') || *p == ',')) p++;
        if (p == r->end || *p != '}') return refuse(r, "this {", err);
        buf_add(r->out, r->at, (size_t)(p - r->at) + 1);
        r->at = p + 1;
    } else {
        buf_byte(r->out, (unsigned char)*r->at++);
        if (reads(r, "?")) buf_byte(r->out, '?');
        else if (reads(r, "+")) buf_byte(r->out, '+');
    }
    if (r->at < r->end && strchr("*+?{", *r->at)) return refuse(r, "a quantifier after a quantifier", err);
    return 0;
}

static int translate_group(Reader *r, Err *err)
{
    static const char *const open[] = {"(?:", "(?=", "(?!"};
    if (reads(r, "(?i:")) return translate_caseless(r, err);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (reads(r, open[i])) return buf_str(r->out, open[i]), 0;
    return refuse(r, "this group", err);
}

static int translate(Reader *r, Err *err)
{
    while (r->at < r->end) {
        char c = *r->at;
        int rc = 0;
        if (c == '[') rc = translate_set(r, err);
        else if (c == '\\') rc = translate_escape(r, false, err);
        else if (c == '(') rc = translate_group(r, err);
        else if (c && strchr("*+?{", c)) rc = translate_quantifier(r, err);
        else if (c && strchr("^$.", c)) rc = refuse(r, c == '.' ? "." : "an anchor", err);
        else put_literal(r);
        if (rc) return -1;
        if (c == ')' && r->at < r->end && *r->at && strchr("*+?{", *r->at)) return refuse(r, "a quantified group", err);
    }
    return 0;
}

/* ---- matching ---- */

Splitter *splitter_new(const char *pattern, size_t n, Err *err)
{
    Buf b = {0};
    Reader r = {pattern, pattern + n, pattern, &b};
    Splitter *s = xcalloc(1, sizeof *s);
    if (translate(&r, err)) goto fail;
    int code;
    size_t at;
    s->code = pcre2_compile((PCRE2_SPTR)(b.data ? b.data : ""), b.len, PCRE2_UTF, &code, &at, NULL);
    if (!s->code) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(code, why, sizeof why);
        err_set(err, "split pattern: %s", (const char *)why);
        goto fail;
    }
    uint32_t empty = 1;
    pcre2_pattern_info(s->code, PCRE2_INFO_MATCHEMPTY, &empty);
    if (empty) {
        err_set(err, "split pattern: it can match nothing at all");
        goto fail;
    }
    pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE); /* without JIT, pcre2_match interprets */
    s->limits = pcre2_match_context_create(NULL);
    CHECK(s->limits, "out of memory");
    pcre2_set_match_limit(s->limits, UINT32_MAX);
    pcre2_set_depth_limit(s->limits, UINT32_MAX);
    buf_release(&b);
    return s;
fail:
    buf_release(&b);
    splitter_free(s);
    return NULL;
}

void splitter_free(Splitter *s)
{
    if (!s) return;
    pcre2_code_free(s->code);
    pcre2_match_context_free(s->limits);
    free(s);
}

void splitter_run(const Splitter *s, const char *text, size_t n, void (*word)(void *arg, size_t begin, size_t end),
                  void *arg)
{
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    CHECK(match, "out of memory");
    const size_t *range = pcre2_get_ovector_pointer(match);
    for (size_t at = 0; at < n;) {
        PCRE2_SPTR p = (PCRE2_SPTR)text;
        int rc = pcre2_match(s->code, p, n, at, PCRE2_NO_UTF_CHECK, match, s->limits);
        /* the JIT's stack is small and fixed; the interpreter's grows */
        if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
            rc = pcre2_match(s->code, p, n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match, s->limits);
        CHECK(rc >= 0 || rc == PCRE2_ERROR_NOMATCH, "pcre2_match: %d", rc);
        size_t begin = rc < 0 ? n : range[0], end = rc < 0 ? n : range[1];
        if (at < begin) word(arg, at, begin);
        if (begin < end) word(arg, begin, end);
        at = end;
    }
    pcre2_match_data_free(match);
}
