/* What the user asks about a case and what the assistant says, by style. */
#include <string.h>

#include "phantom/family.h"

static void add_markers(Buf *ask, const Case *c)
{
    for (int i = 0; i < c->images; i++) buf_str(ask, "<image>\n");
}

/* The space makes the answer's tokens those of the words before it: "... is a small one.</think><answer> a small one". */
static void answer_case(Buf *ask, Buf *answer, const Case *c, int style)
{
    case_prompt(ask, c, style != STYLE_DIRECT);
    if (style == STYLE_DIRECT) buf_str(answer, c->answer);
    else buf_printf(answer, "<think>\n%s\n</think>\n<answer> %s</answer>", c->reasoning[style], c->answer_text);
}

static void describe_case(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    static const char *const ASK_FOR[] = {"Describe the picture.", "What does the picture show?",
                                          "Describe what you see.", NULL};
    add_markers(ask, c);
    buf_str(ask, draw_phrase(rng, ASK_FOR));
    buf_str(answer, c->caption);
}

/* Of a twin the findings are read in its words. */
static void measure_case(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    static const char *const ASK_FOR[] = {"List the findings.", "What is measured on the picture?",
                                          "Which findings are there?", NULL};
    add_markers(ask, c);
    if (!c->images) buf_printf(ask, "%s\n", c->question);
    buf_str(ask, draw_phrase(rng, ASK_FOR));
    findings_list(answer, c);
    buf_byte(answer, '.');
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void add_options(Buf *ask, const Case *c)
{
    for (int i = 0; i < c->options; i++) buf_printf(ask, "\n%c. %s", 'A' + i, c->option[i]);
}

/* Every option's text with its letter, in any order. */
static void read_letters(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    int left[MAX_OPTIONS];
    buf_str(ask, c->question);
    add_options(ask, c);
    buf_str(ask, "\nWrite each option with its letter behind it.");
    for (int i = 0; i < c->options; i++) left[i] = i;
    for (int n = c->options; n > 0; n--) {
        int k = (int)rng_below(rng, (uint32_t)n);
        buf_printf(answer, "%s (%c)%s", c->option[left[k]], 'A' + left[k], n > 1 ? "; " : ".");
        left[k] = left[n - 1];
    }
}

/* The answer to the question by a sentence that states it. */
static void read_conclusion(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    buf_str(ask, c->question);
    add_options(ask, c);
    buf_printf(ask, "\n%s What follows?", c->conclusion);
    commit_sentence(answer, c, true, rng);
}

/* The sentence that gives the answer; the answer goes between its marks. */
static void read_answer(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    commit_sentence(ask, c, true, rng);
    buf_str(ask, "\nPut the answer between <answer> and </answer>.");
    buf_printf(answer, "<answer>%s</answer>", c->answer);
}

static void read_case(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    uint32_t exercise = rng_below(rng, 4);
    if (exercise == 0) read_answer(ask, answer, c, rng);
    else if (exercise == 1) read_conclusion(ask, answer, c, rng);
    else if (exercise == 2 || !c->options) measure_case(ask, answer, c, rng);
    else read_letters(ask, answer, c, rng);
}

/* ---- notes ------------------------------------------------------------------------------------------------------ */

/* The end of the sentence at `s`: behind its full stop, or at the end of its line. */
static const char *sentence_end(const char *s)
{
    while (*s && *s != '\n' && !(s[0] == '.' && (s[1] == ' ' || s[1] == '\n' || !s[1]))) s++;
    return *s == '.' ? s + 1 : s;
}

typedef struct Span {
    const char *at;
    int n;
} Span;

static int split_sentences(Span *span, int max, const char *text)
{
    int n = 0;
    for (const char *s = text; *s;) {
        const char *end = sentence_end(s);
        CHECK(n < max, "more than %d sentences: %s", max, text);
        span[n++] = (Span){s, (int)(end - s)};
        for (s = end; *s == ' ' || *s == '\n';) s++;
    }
    return n;
}

/* The sentences of some reasoning about the case in random order, all but the last one, which gives the answer: words
   and comparisons, but neither a train of thought nor where it leads.  Half of them between the marks of thinking. */
static void note_case(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    enum { MAX_SENTENCES = 64 };
    Span span[MAX_SENTENCES];
    bool marked = rng_below(rng, 2);
    add_markers(ask, c);
    buf_str(ask, c->question);
    add_options(ask, c);
    buf_str(ask, marked ? "\nWrite notes between <think> and </think>." : "\nWrite notes.");
    if (marked) buf_str(answer, "<think>\n");
    int n = split_sentences(span, MAX_SENTENCES, c->reasoning[rng_below(rng, N_STYLES)]) - 1;
    for (const char *gap = ""; n > 0; n--, gap = " ") {
        int k = (int)rng_below(rng, (uint32_t)n);
        buf_printf(answer, "%s%.*s", gap, span[k].n, span[k].at);
        span[k] = span[n - 1];
    }
    if (marked) buf_str(answer, "\n</think>");
}

/* ---- all ---------------------------------------------------------------------------------------------------------- */

static int pick_style(const Case *c, int style, Rng *rng)
{
    if (style == STYLE_MIXED) return (int)rng_below(rng, N_STYLES);
    if (style == STYLE_SIGHT) return c->images && rng_below(rng, 2) ? STYLE_CAPTION : STYLE_DIRECT;
    return style;
}

void case_messages(Buf *ask, Buf *answer, const Case *c, int style, Rng *rng)
{
    style = pick_style(c, style, rng);
    if (style == STYLE_CAPTION) describe_case(ask, answer, c, rng);
    else if (style == STYLE_READING) read_case(ask, answer, c, rng);
    else if (style == STYLE_MEASURE) measure_case(ask, answer, c, rng);
    else if (style == STYLE_NOTES) note_case(ask, answer, c, rng);
    else answer_case(ask, answer, c, style);
}
