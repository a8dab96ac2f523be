#include "reward/answer_prompt.h"

#include <stdint.h>
#include <string.h>

/* The words of one language: how to answer, by kind, and what a style adds to that. */
typedef struct Wording {
    const char *how[ANSWER_KINDS];
    const char *maybe;  /* in place of how[ANSWER_YESNO] where maybe is offered, too */
    const char *either; /* in place of how[ANSWER_CHOICE] after thinking, which arrives at a text */
    const char *style[PROMPT_STYLES];
} Wording;

static const Wording ENGLISH = {
    .how = {[ANSWER_CHOICE] = "Answer with the letter of the right option.",
            [ANSWER_YESNO] = "Answer with yes or no.",
            [ANSWER_SHORT] = "Answer with a word or a short phrase.",
            [ANSWER_NUMBER] = "Answer with a number.",
            [ANSWER_OPEN] = "Answer briefly."},
    .maybe = "Answer with yes, no or maybe.",
    .either = "Answer with the letter or the text of the right option.",
    .style = {[PROMPT_DIRECT] = "",
              [PROMPT_THINK] =
                  " Think first, between <think> and </think>; put the answer between <answer> and </answer>.",
              [PROMPT_BOXED] = " Reason step by step, and put the final answer in \\boxed{}."},
};

/* A model that is asked in Chinese how to answer answers open questions in Chinese, as their gold answers are. */
static const Wording CHINESE = {
    .how = {[ANSWER_CHOICE] = "请用正确选项的字母回答。",
            [ANSWER_YESNO] = "请回答“是”或“否”。",
            [ANSWER_SHORT] = "请用一个词或短语回答。",
            [ANSWER_NUMBER] = "请用一个数字回答。",
            [ANSWER_OPEN] = "请简要回答。"},
    .maybe = "请回答“是”、“否”或“不确定”。",
    .either = "请用正确选项的字母或内容回答。",
    .style = {[PROMPT_DIRECT] = "",
              [PROMPT_THINK] = "请先在<think>和</think>之间思考，再把答案写在<answer>和</answer>之间。",
              [PROMPT_BOXED] = "请逐步推理，并把最终答案写在\\boxed{}中。"},
};

const char *prompt_style_name(PromptStyle s)
{
    static const char *const NAME[PROMPT_STYLES] = {"direct", "think", "boxed"};
    return NAME[s];
}

/* Chinese characters (U+4E00 to U+9FFF) at least half as many as Latin letters, which stand in names and units. */
static const Wording *wording(const char *text)
{
    int chinese = 0, latin = 0;
    for (const unsigned char *s = (const unsigned char *)(text ? text : ""); *s; s++) {
        latin += (*s | 32) >= 'a' && (*s | 32) <= 'z';
        chinese += *s >= 0xe4 && *s <= 0xe9 && (s[1] & 0xc0) == 0x80 && (*s > 0xe4 || s[1] >= 0xb8);
    }
    return chinese > 0 && 2 * chinese >= latin ? &CHINESE : &ENGLISH;
}

/* ---- markers ----------------------------------------------------------------------------------------------------- */

enum { MAX_NUMBER = 63 };

typedef struct Markers {
    int images, used;
    uint64_t seen; /* bit N: "<image N>" was met */
} Markers;

size_t image_marker_at(const char *s, int *number)
{
    static const char BEGIN[] = "<image";
    if (strncmp(s, BEGIN, sizeof BEGIN - 1)) return 0;
    const char *p = s + sizeof BEGIN - 1;
    *number = 0;
    if (*p == '>') return (size_t)(p + 1 - s);
    if (*p != ' ' && *p != '_') return 0;
    while (*++p >= '0' && *p <= '9' && *number <= MAX_NUMBER) *number = 10 * *number + *p - '0';
    return *p == '>' && *number > 0 && *number <= MAX_NUMBER ? (size_t)(p + 1 - s) : 0;
}

/* Appends text with its markers resolved; a NULL `out` only counts. */
static void add_text(Buf *out, Markers *m, const char *text)
{
    for (const char *s = text; *s;) {
        int number;
        size_t n = image_marker_at(s, &number);
        const char *next = strchr(s + (n == 0), '<');
        size_t plain = n ? 0 : next ? (size_t)(next - s) : strlen(s);
        bool first = n && m->used < m->images && !(number && m->seen >> number & 1);
        if (first) m->used++, m->seen |= number ? UINT64_C(1) << number : 0;
        if (out && first) buf_str(out, "<image>");
        else if (out && n && number) buf_printf(out, "image %d", number);
        else if (out && n) buf_str(out, "image");
        else if (out) buf_add(out, s, plain);
        s += n + plain;
    }
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

void answer_prompt(Buf *out, const Question *q, int images, PromptStyle style)
{
    const Wording *words = wording(q->question);
    const char *question = q->question ? q->question : "";
    int options = q->kind == ANSWER_CHOICE ? q->n_options : 0;
    Markers count = {.images = images}, m = {.images = images};
    add_text(NULL, &count, question);
    for (int i = 0; i < options; i++) add_text(NULL, &count, q->option[i]);
    for (int i = count.used; i < images; i++) buf_str(out, "<image>\n");
    m.used = images - count.used;
    add_text(out, &m, question);
    for (int i = 0; i < options; i++) {
        buf_printf(out, "\n%c. ", 'A' + i);
        add_text(out, &m, q->option[i]);
    }
    bool maybe = q->kind == ANSWER_YESNO && q->n_options > 2;
    bool either = q->kind == ANSWER_CHOICE && style == PROMPT_THINK;
    const char *how = maybe ? words->maybe : either ? words->either : words->how[q->kind];
    buf_printf(out, "\n%s%s", how, words->style[style]);
}
