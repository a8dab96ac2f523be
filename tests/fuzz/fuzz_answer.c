/*
 * Any bytes as a response; the first byte says to which question: no crash, the same answer twice, a text where and only
 * where one was given, never a letter beyond the options, and measures between 0 and 1.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reward/compat.h"
#include "reward/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Question QUESTION[] = {
    {.kind = ANSWER_CHOICE,
     .n_options = 4,
     .option = {"Pneumonia", "Pleural effusion", "E. coli", "5 mm"},
     .gold = "B"},
    {.kind = ANSWER_CHOICE, .n_options = 2, .option = {"Yes", "No"}, .gold = "A"},
    {.kind = ANSWER_YESNO, .question = "Is there a fracture?", .gold = "no"},
    {.kind = ANSWER_NUMBER, .gold = "10-12 mm", .tolerance = 0.5},
    {.kind = ANSWER_SHORT, .gold = "left lung"},
    {.kind = ANSWER_OPEN, .gold = "The heart is enlarged."},
    {.kind = ANSWER_CHOICE,
     .question = "Which is least likely?",
     .n_options = 5,
     .option = {"I", "II", "Left kidney", "Right kidney", "None of the above"},
     .gold = "A"},
    {.kind = ANSWER_NUMBER, .question = "How many nodules are there?", .gold = "0"},
    {.kind = ANSWER_YESNO, .question = "是否有骨折？", .gold = "no"},
};

static void read_as(const Question *q, const char *s, size_t n)
{
    Answer a, again;
    answer_extract(&a, q, s, n);
    answer_extract(&again, q, s, n);
    CHECK(a.state == again.state && a.rule == again.rule, "read twice, two answers");
    CHECK(!a.text == !again.text && (!a.text || !strcmp(a.text, again.text)), "read twice, two texts");
    CHECK((a.state == ANSWER_GIVEN) == (a.text != NULL), "state %d", a.state);
    if (q->kind == ANSWER_CHOICE && a.text)
        CHECK(strlen(a.text) == 1 && a.text[0] >= 'A' && a.text[0] < 'A' + q->n_options, "option %s", a.text);
    Match m = match_answer(q, &a);
    CHECK(m.f1 >= 0 && m.f1 <= 1 && m.bleu1 >= 0 && m.bleu1 <= 1, "F1 %g, BLEU-1 %g", m.f1, m.bleu1);
    CHECK(a.text || !m.correct, "no answer, but right");
    answer_release(&a);
    answer_release(&again);
    if (n < 2000) medevalkit_judge(&a, q, s, n);
    else a = (Answer){0};
    answer_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { QUESTIONS = sizeof QUESTION / sizeof *QUESTION };
    if (size == 0 || size > 1 << 14) return 0;
    read_as(&QUESTION[data[0] % QUESTIONS], (const char *)data + 1, size - 1);
    return 0;
}
