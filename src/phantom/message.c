/* What the user asks about a case and what the assistant says, by style. */
#include <string.h>

#include "phantom/family.h"

static void add_markers(Buf *ask, const Case *c)
{
    for (int i = 0; i < c->images; i++) buf_str(ask, "<image>\n");
}

static void answer_case(Buf *ask, Buf *answer, const Case *c, int style)
{
    case_prompt(ask, c, style != STYLE_DIRECT);
    if (style == STYLE_DIRECT) buf_str(answer, c->answer);
    else buf_printf(answer, "<think>\n%s\n</think>\n<answer>%s</answer>", c->reasoning[style], c->answer);
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

/* A line each. */
static void add_options(Buf *b, const Case *c)
{
    for (int i = 0; i < c->options; i++) buf_printf(b, "%s%c. %s", i ? "\n" : "", 'A' + i, c->option[i]);
}

static void ask_question(Buf *ask, const Case *c)
{
    buf_printf(ask, "%s%s", c->question, c->options ? "\n" : "");
    add_options(ask, c);
}

/* The question, every other time its options alone. */
static void ask_some(Buf *ask, const Case *c, Rng *rng)
{
    if (!c->options || rng_below(rng, 2)) ask_question(ask, c);
    else add_options(ask, c);
}

static void copy_options(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    ask_some(ask, c, rng);
    buf_str(ask, "\nCopy the options.");
    add_options(answer, c);
}

/* The answer by a sentence that states it. */
static void read_conclusion(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    ask_some(ask, c, rng);
    buf_printf(ask, "\n%s What follows?", c->conclusion);
    commit_answer(answer, c, rng);
}

/* The sentence that gives the answer; the answer goes between its marks. */
static void read_answer(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    commit_answer(ask, c, rng);
    buf_str(ask, "\nPut the answer between <answer> and </answer>.");
    buf_printf(answer, "<answer>%s</answer>", c->answer);
}

static void read_case(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    uint32_t exercise = rng_below(rng, 4);
    if (exercise == 0) read_answer(ask, answer, c, rng);
    else if (exercise == 1) read_conclusion(ask, answer, c, rng);
    else if (exercise == 2 || !c->options) measure_case(ask, answer, c, rng);
    else copy_options(ask, answer, c, rng);
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

/* The pieces in random order: sentences in a row, the list of options on lines of its own. */
static void shuffle_pieces(Buf *b, Span *piece, int n, const char *list, Rng *rng)
{
    for (const char *gap = ""; n > 0; n--) {
        int k = (int)rng_below(rng, (uint32_t)n);
        bool lines = piece[k].at == list;
        buf_printf(b, "%s%.*s", lines && *gap ? "\n" : gap, piece[k].n, piece[k].at);
        gap = lines ? "\n" : " ";
        piece[k] = piece[n - 1];
    }
}

/* The sentences of some reasoning about the case, and its options, in random order, without the answer: words and
   comparisons, but neither a train of thought nor where it leads.  Half of them between the marks of thinking. */
static void note_case(Buf *ask, Buf *answer, const Case *c, Rng *rng)
{
    enum { MAX_SENTENCES = 64 };
    Span piece[MAX_SENTENCES + 1];
    Buf text = {0}, list = {0};
    bool marked = rng_below(rng, 2);
    add_markers(ask, c);
    ask_question(ask, c);
    buf_str(ask, marked ? "\nWrite notes between <think> and </think>." : "\nWrite notes.");
    int style = (int)rng_below(rng, N_STYLES);
    buf_add(&text, c->reasoning[style], c->committed[style]);
    int n = split_sentences(piece, MAX_SENTENCES, text.data);
    add_options(&list, c);
    if (list.len) piece[n++] = (Span){list.data, (int)list.len};
    if (marked) buf_str(answer, "<think>\n");
    shuffle_pieces(answer, piece, n, list.data, rng);
    if (marked) buf_str(answer, "\n</think>");
    buf_release(&list);
    buf_release(&text);
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
