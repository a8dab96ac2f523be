/* What a teacher is asked for, and whether it gave that. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "reward/answer_prompt.h"
#include "reward/lexemes.h"
#include "reward/match.h"
#include "synth/orchestrate.h"

enum { REPEAT_WORDS = 20, CHECK_WORDS = 6 };

char *orchestrate_prompt(const Question *q)
{
    Buf b = {0};
    answer_prompt(&b, q, 0, PROMPT_THINK);
    buf_str(&b, "\n\nBetween <think> and </think> go through these steps, a paragraph each, beginning with its name:\n"
                "Problem: what is asked, in your own words.\n"
                "Key findings: what the question tells that matters, present and absent.\n"
                "Hypotheses: three to five answers that could be right, numbered, the likeliest first.\n"
                "Evidence: for each of them what speaks for it and what against it, and what would tell them apart.\n"
                "Re-check: hold the leading one against every finding, and try once to refute it. Say what you found.\n"
                "Commit: your conclusion, and why the others fall.\n"
                "Reason from the question alone. Write in the language of the question.");
    return buf_take(&b);
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* The thinking of a reply; n 0 where it has none. */
static const char *find_thinking(const char *trace, size_t *n)
{
    const char *begin = strstr(trace, "<think>"), *end = begin ? strstr(begin, "</think>") : NULL;
    *n = end ? (size_t)(end - begin) - strlen("<think>") : 0;
    return end ? begin + strlen("<think>") : "";
}

static int count_words(const char *s, size_t n)
{
    int words = 0;
    for (size_t i = 0; i < n; i++)
        words += !isspace((unsigned char)s[i]) && (i == 0 || isspace((unsigned char)s[i - 1]));
    return words;
}

static const char *find_last(const char *text, const char *const *word)
{
    const char *last = NULL;
    for (; *word; word++)
        for (const char *s = text; (s = strcasestr(s, *word)); s++)
            if (!last || s > last) last = s;
    return last;
}

/* A number, or a word of weight, that stands in both. */
static bool share_word(const char *a, const char *b)
{
    Map seen = {0};
    int64_t v;
    bool shared = false;
    Lexemes x, y;
    lexemes_read(&x, a, strlen(a));
    lexemes_read(&y, b, strlen(b));
    for (int i = 0; i < x.n; i++)
        if (x.at[i].kind != LEXEME_MARK && x.at[i].kind != LEXEME_BREAK) map_set_str(&seen, x.at[i].low, 1);
    for (int i = 0; i < y.n && !shared; i++) {
        const Lexeme *l = &y.at[i];
        bool weighs = l->kind == LEXEME_NUMBER || l->kind == LEXEME_CJK || strlen(l->low) >= 6;
        shared = weighs && l->kind != LEXEME_MARK && map_get_str(&seen, l->low, &v);
    }
    lexemes_release(&x);
    lexemes_release(&y);
    map_release(&seen);
    return shared;
}

/* Some words after "re-check" that name something of what went before it. */
static bool checks_itself(const char *thinking)
{
    static const char *const NAME[] = {"re-check",
                                       "recheck",
                                       "re-examin",
                                       "reexamin",
                                       "double-check",
                                       "check again",
                                       "checking again",
                                       "\xe5\xa4\x8d\xe6\xa0\xb8",
                                       "\xe6\xa3\x80\xe6\x9f\xa5",
                                       NULL};
    const char *at = find_last(thinking, NAME);
    if (!at) return false;
    const char *end = strchr(at, '\n');
    char *check = xstrndup(at, end ? (size_t)(end - at) : strlen(at)),
         *before = xstrndup(thinking, (size_t)(at - thinking));
    bool wordy = count_words(check, strlen(check)) >= CHECK_WORDS || strlen(check) > 40;
    bool names = wordy && share_word(before, check + strcspn(check, ": "));
    free(check);
    free(before);
    return names;
}

static bool speaks_of_key(const char *text)
{
    static const char *const PHRASE[] = {"answer key",        "the key says",    "given answer", "provided answer",
                                         "answer provided",   "answer is given", "answer given", "reference answer",
                                         "stated as correct", "ground truth",    "gold answer",  NULL};
    return find_last(text, PHRASE) != NULL;
}

static bool repeats(const char *text)
{
    char *normal = text_normal(text, strlen(text));
    VEC(char *) word = {0};
    Map seen = {0};
    int64_t v;
    bool found = false;
    for (char *w = normal; *w; w += strcspn(w, " "), w += *w == ' ') vec_push(&word, w);
    for (int i = 0; i + REPEAT_WORDS <= word.n && !found; i++) {
        const char *last = word.at[i + REPEAT_WORDS - 1];
        size_t n = (size_t)(last - word.at[i]) + strcspn(last, " ");
        found = map_get(&seen, word.at[i], n, &v);
        map_set(&seen, word.at[i], n, 1);
    }
    map_release(&seen);
    free(word.at);
    free(normal);
    return found;
}

/* The share of characters from U+4000 on in what is written, roughly: three bytes each against one. */
static double share_of_cjk(const char *s)
{
    double cjk = 0, all = 0;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0xe4 && c <= 0xe9) cjk++;
        if (isalpha(c) || c >= 0xc0) all++;
    }
    return all > 0 ? cjk / all : 0;
}

static bool other_script(const char *question, const char *thinking)
{
    double q = share_of_cjk(question), t = share_of_cjk(thinking);
    return (q < 0.05 && t > 0.05) || (q > 0.5 && t < 0.25);
}

int orchestrate_fault(const Question *q, const char *trace, bool cut, const OrchestrateOptions *o)
{
    size_t n;
    const char *at = find_thinking(trace, &n);
    if (cut) return TRACE_CUT;
    if (n == 0 || answer_span(trace, strlen(trace)).unended) return TRACE_FORM;
    if (!match_response(q, trace)) return TRACE_WRONG;
    char *thinking = xstrndup(at, n);
    int words = count_words(thinking, n), fault = -1;
    if (words < o->min_words) fault = TRACE_SHORT;
    else if (words > o->max_words) fault = TRACE_LONG;
    else if (!checks_itself(thinking)) fault = TRACE_UNCHECKED;
    else if (speaks_of_key(thinking)) fault = TRACE_LEAK;
    else if (repeats(thinking)) fault = TRACE_REPEATS;
    else if (other_script(q->question ? q->question : "", thinking)) fault = TRACE_SCRIPT;
    free(thinking);
    return fault;
}
