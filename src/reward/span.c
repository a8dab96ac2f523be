/* Which part of a response is the answer: thinking off, the last container. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "reward/answer.h"

typedef struct Piece {
    const char *at;
    size_t n;
} Piece;

static const char *const THINK[] = {"think", "thinking", "reasoning", "thought"};
enum { THINKS = sizeof THINK / sizeof *THINK };

/* Length of <name> or </name> at p, 0 where there is none. Case and spaces within do not count. */
static size_t tag_at(const char *p, const char *end, const char *name, bool closing)
{
    const char *s = p;
    if (s == end || *s++ != '<') return 0;
    while (s < end && *s == ' ') s++;
    if (closing) {
        if (s == end || *s++ != '/') return 0;
        while (s < end && *s == ' ') s++;
    }
    size_t n = strlen(name);
    if ((size_t)(end - s) < n || strncasecmp(s, name, n)) return 0;
    s += n;
    while (s < end && *s == ' ') s++;
    return s < end && *s == '>' ? (size_t)(s + 1 - p) : 0;
}

static size_t think_at(const char *p, const char *end, bool closing)
{
    for (int i = 0; i < THINKS; i++) {
        size_t n = tag_at(p, end, THINK[i], closing);
        if (n) return n;
    }
    return 0;
}

/* "and", ",", "or" and the like, but more than space: what stands between two containers makes one list of them. */
static bool joins(const char *p, const char *end)
{
    static const char *const JOINT[] = {"and", "or", ",", "/", "&", "\u3001", "\uff0c", "\u6216", "\u548c"};
    bool joined = false;
    while (p < end) {
        size_t n = strchr(" $\n", *p) ? 1 : 0;
        for (size_t i = 0; !n && i < sizeof JOINT / sizeof *JOINT; i++) {
            size_t len = strlen(JOINT[i]);
            if ((size_t)(end - p) >= len && !memcmp(p, JOINT[i], len)) n = len, joined = true;
        }
        if (!n) return false;
        p += n;
    }
    return joined;
}

/* The last <answer>, with those that are joined to it; an end that is missing is the text's end. */
static bool find_answer(Piece *inner, const char **after, bool *whole, const char *p, const char *end)
{
    const char *open = NULL, *first = NULL, *closed = NULL;
    for (const char *s = p; s < end; s++) {
        size_t n = *s == '<' ? tag_at(s, end, "answer", false) : 0,
               close = *s == '<' ? tag_at(s, end, "answer", true) : 0;
        if (close) closed = s + close;
        if (!n) continue;
        if (!first || !closed || !joins(closed, s)) first = s + n;
        open = s + n, closed = NULL;
    }
    if (!open) return false;
    *whole = false;
    *inner = (Piece){first, (size_t)(end - first)};
    *after = end;
    for (const char *s = open; s < end && !*whole; s++) {
        size_t n = *s == '<' ? tag_at(s, end, "answer", true) : 0;
        if (!n) continue;
        *whole = true;
        inner->n = (size_t)(s - first);
        *after = s + n;
    }
    return true;
}

/* The content of \boxed{...} at p (after the command), braces balanced; without an end, to the line's end. */
static Piece box_content(const char *p, const char *end, const char **after)
{
    while (p < end && *p == ' ') p++;
    if (p == end || *p != '{') { /* \boxed B */
        const char *s = p;
        while (s < end && !isspace((unsigned char)*s) && *s != '$') s++;
        *after = s;
        return (Piece){p, (size_t)(s - p)};
    }
    int depth = 0;
    const char *line = NULL;
    for (const char *s = p; s < end; s++) {
        if (*s == '\n' && !line) line = s;
        if (*s == '{') depth++;
        if (*s == '}' && --depth == 0) {
            *after = s + 1;
            return (Piece){p + 1, (size_t)(s - p - 1)};
        }
    }
    *after = line ? line : end;
    return (Piece){p + 1, (size_t)(*after - p - 1)};
}

/* The last box; of boxes that are joined to a list, all of it. */
static bool find_box(Piece *inner, const char **after, const char *p, const char *end)
{
    /* the last two: the command after a JSON writer that did not know of backslashes */
    static const char *const BOX[] = {"\\boxed", "\\fbox", "boxed{", "\boxed{"};
    bool found = false;
    for (const char *s = p; s < end; s++)
        for (int i = 0; strchr("\\b\b", *s) && *s && i < 4; i++) {
            size_t n = strlen(BOX[i]);
            if ((size_t)(end - s) < n || memcmp(s, BOX[i], n)) continue;
            if (i < 2 && s + n < end && isalpha((unsigned char)s[n])) continue;
            if (i == 2 && s > p && (isalpha((unsigned char)s[-1]) || s[-1] == '\\')) continue;
            if (i > 1) n--; /* the brace is the content's */
            bool listed = found && *after <= s && joins(*after, s);
            Piece box = box_content(s + n, end, after);
            *inner = listed ? (Piece){inner->at, (size_t)(box.at + box.n - inner->at)} : box;
            found = true;
        }
    return found;
}

static bool only_space(const char *p, const char *end)
{
    while (p < end && (isspace((unsigned char)*p) || *p == '.')) p++;
    return p == end || (end - p > 2 && p[0] == '<' && p[1] == '|'); /* an end-of-text token */
}

static bool blank(Piece piece)
{
    for (size_t i = 0; i < piece.n; i++)
        if (!isspace((unsigned char)piece.at[i])) return false;
    return true;
}

/*
 * Cuts the thinking off: [*p, *end) becomes what follows it, or where nothing does, what was said before the last of it.
 * False where the thinking has no end.
 */
static bool skip_thinking(const char **p, const char **end)
{
    const char *open = NULL, *begin = *p;
    Piece said = {*p, 0};
    for (const char *s = *p; s < *end; s++) {
        if (*s != '<') continue;
        size_t closing = think_at(s, *end, true), opening = think_at(s, *end, false);
        Piece before = {begin, (size_t)(s - begin)};
        if (opening && !open && !blank(before)) said = before;
        if (closing) begin = s + closing, open = NULL;
        if (opening) open = s + opening;
    }
    if (open) {
        *p = open;
        return false;
    }
    bool last = !said.n || !blank((Piece){begin, (size_t)(*end - begin)});
    if (!last) *end = said.at + said.n;
    *p = last ? begin : said.at;
    return true;
}

AnswerSpan answer_span(const char *response, size_t n)
{
    const char *p = response, *end = response + n, *after;
    bool ended = skip_thinking(&p, &end), whole = false;
    after = end;
    Piece answer = {0}, box = {0};
    bool tagged = find_answer(&answer, &after, &whole, p, end);
    AnswerSpan s = {.at = p, .n = (size_t)(end - p)};
    if (!ended && !(tagged && whole && only_space(after, end))) {
        s.unended = true;
        return s;
    }
    if (tagged) s = (AnswerSpan){.at = answer.at, .n = answer.n, .container = "answer"};
    const char *box_after = end;
    if (find_box(&box, &box_after, s.at, s.at + s.n)) {
        s = (AnswerSpan){.at = box.at, .n = box.n, .container = "boxed"};
        if (!tagged) after = box_after;
    }
    if (s.container) s.after = after, s.n_after = (size_t)(end - after);
    return s;
}
