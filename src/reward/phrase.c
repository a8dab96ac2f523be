/* Short and open answers: the text itself, without what leads to it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "reward/claims.h"
#include "reward/readers_impl.h"

static const char *const CUE[] = {
    "the|my|final|correct|best|short answer is|was|would|should|:",
    "the|my|final|correct|best|short answer is|was|would|should :|be",
    "final|correct|best|short answer :",
    "final answer",
    "answer|ans :|is|=",
    "answer is :",
    "答 案 是|为|:",
    "答 案 应 为|是",
    NULL,
};

/* What a sentence begins with before it says something. */
static const char *const LEAD_IN[] = {
    "it is|was",
    "it's",
    "this|that is|was",
    "they|these are",
    "i think|believe|guess|suspect",
    "i think|believe that|it's|this|the",
    "so|therefore|thus|hence",
    "the answer is",
    "answer :",
    "probably|likely",
    "most likely",
    "there is|are",
    "it appears to be",
    "the diagnosis|finding|organ|modality|plane|abnormality|condition|structure|lesion|location|side is|was",
    "the correct answer is",
    "是",
    "为",
    NULL,
};

static bool ends_phrase(const Lexemes *t, int i)
{
    return i >= t->n || t->at[i].kind == LEXEME_BREAK;
}

/* The tokens of the answer: [*first, *last). */
static const char *locate(const Lexemes *t, bool open, int *first, int *last)
{
    *first = 0, *last = t->n;
    while (*first < t->n && t->at[*first].kind == LEXEME_BREAK) ++*first;
    for (int i = t->n - 1; i >= 0; i--) {
        int n = lexemes_match_any(t, i, CUE);
        if (!n || lexeme_is(t, i - 1, "the|my|final|correct|best")) continue;
        int k = i + n;
        while (lexeme_is_mark(t, k, ":=-")) k++;
        if (ends_phrase(t, k) && k + 1 < t->n) k++;
        if (k >= t->n) continue;
        *first = k;
        for (*last = k; !ends_phrase(t, *last) && (open || t->at[*last].sentence == t->at[k].sentence);) ++*last;
        return "answer_is";
    }
    if (open) return "text";
    int end = *first, words = 0;
    for (; !ends_phrase(t, end); end++) words += t->at[end].kind < LEXEME_MARK;
    if (words <= 8) *last = end; /* a short first line, and the explanation below it */
    return "text";
}

static int skip_lead_ins(const Lexemes *t, int first, int last)
{
    for (;;) {
        int n = lexemes_match_any(t, first, LEAD_IN);
        if (n && first + n < last) first += n;
        else if (first + 1 < last && lexeme_is_mark(t, first, ":-,\"'(")) first++;
        else return first;
    }
}

void read_phrase(Answer *a, const Lexemes *t, bool open)
{
    int first, last;
    const char *rule = locate(t, open, &first, &last);
    bool cued = strcmp(rule, "text") != 0;
    if (!open) first = skip_lead_ins(t, first, last);
    while (last > first && (t->at[last - 1].kind == LEXEME_BREAK || lexeme_is_mark(t, last - 1, ".,:;!?\"'"))) last--;
    int words = 0;
    for (int i = first; i < last; i++) words += t->at[i].kind < LEXEME_MARK;
    if (words == 0) answer_missing(a, t, "nothing");
    else if (!cued && text_declines(t)) answer_none(a, ANSWER_ABSTAINED, "refusal");
    else if (!open && lexeme_is(t, first, "either")) answer_none(a, ANSWER_ABSTAINED, "conflict");
    else
        answer_given(a, xstrndup(t->text + t->at[first].begin, (size_t)(t->at[last - 1].end - t->at[first].begin)),
                     rule);
}
