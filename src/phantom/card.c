#include "phantom/card.h"

#include <stdlib.h>
#include <string.h>

#include "phantom/family.h"

CardRow card_row(const Case *c)
{
    CardRow row = {.family = c->family, .level = c->level, .kind = c->kind, .tolerance = c->tolerance};
    row.question = xasprintf("%s/%s/%s", c->family->name, c->ask, c->group);
    row.answer = xstrdup(c->answer);
    row.text = xstrdup(c->answer_text);
    if (c->kind == ASK_NUMBER) row.value = strtod(c->answer, NULL);
    return row;
}

void card_row_release(CardRow *row)
{
    free(row->question);
    free(row->answer);
    free(row->text);
    *row = (CardRow){0};
}

void card_add(Card *card, CardRow *row)
{
    vec_push(&card->rows, *row);
    *row = (CardRow){0};
}

void card_release(Card *card)
{
    for (int i = 0; i < card->rows.n; i++) card_row_release(&card->rows.at[i]);
    free(card->rows.at);
    *card = (Card){0};
}

/* ---- guessing --------------------------------------------------------------------------------------------------- */

typedef const CardRow *RowRef;

static int by_value(const void *a, const void *b)
{
    double x = (*(RowRef const *)a)->value, y = (*(RowRef const *)b)->value;
    return (x > y) - (x < y);
}

static int by_answer(const void *a, const void *b)
{
    return strcmp((*(RowRef const *)a)->answer, (*(RowRef const *)b)->answer);
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(RowRef const *)a)->text, (*(RowRef const *)b)->text);
}

/* The longest run of equals after sorting, and one of them. */
static int longest_run(RowRef *row, int n, int (*order)(const void *, const void *), RowRef *which)
{
    int best = 0;
    qsort(row, (size_t)n, sizeof *row, order);
    for (int i = 0, start = 0; i < n; i++) {
        if (order(&row[i], &row[start])) start = i;
        if (i - start + 1 > best) best = i - start + 1, *which = row[i];
    }
    return best;
}

/* Numbers: a guess v is right for all answers within the tolerance, a window twice as wide. */
static int widest_window(RowRef *row, int n, RowRef *which)
{
    int best = 0;
    qsort(row, (size_t)n, sizeof *row, by_value);
    for (int i = 0, start = 0; i < n; i++) {
        while (row[i]->value - row[start]->value > 2 * row[i]->tolerance + 1e-9) start++;
        if (i - start + 1 > best) best = i - start + 1, *which = row[(i + start) / 2];
    }
    return best;
}

/* How many of the rows one answer gets right; *which: a row with that answer. */
static int best_guess(RowRef *row, int n, bool texts, RowRef *which)
{
    if (!n) return 0;
    if (row[0]->kind == ASK_NUMBER) return widest_window(row, n, which);
    int letters = longest_run(row, n, by_answer, which);
    RowRef other;
    int words = texts ? longest_run(row, n, by_text, &other) : 0;
    return words > letters ? words : letters;
}

static int constant_of_kind(const Card *card, AskKind kind, int *n, RowRef *which)
{
    RowRef *row = xmalloc(sizeof *row * (size_t)(card->rows.n + 1));
    *n = 0;
    for (int i = 0; i < card->rows.n; i++)
        if (card->rows.at[i].kind == kind) row[(*n)++] = &card->rows.at[i];
    int best = best_guess(row, *n, false, which);
    free(row);
    return best;
}

int card_constant(const Card *card)
{
    int sum = 0, n;
    RowRef which;
    for (int k = 0; k < N_KINDS; k++) sum += constant_of_kind(card, (AskKind)k, &n, &which);
    return sum;
}

static int by_question(const void *a, const void *b)
{
    return strcmp((*(RowRef const *)a)->question, (*(RowRef const *)b)->question);
}

/* Over the rows of one family, or of all. */
static int question_only(const Card *card, const Family *family, int *n)
{
    RowRef *row = xmalloc(sizeof *row * (size_t)(card->rows.n + 1)), which;
    int sum = 0, end;
    *n = 0;
    for (int i = 0; i < card->rows.n; i++)
        if (!family || card->rows.at[i].family == family) row[(*n)++] = &card->rows.at[i];
    qsort(row, (size_t)*n, sizeof *row, by_question);
    for (int i = 0; i < *n; i = end) {
        for (end = i; end < *n && !strcmp(row[end]->question, row[i]->question);) end++;
        sum += best_guess(row + i, end - i, true, &which);
    }
    free(row);
    return sum;
}

int card_question_only(const Card *card)
{
    int n;
    return question_only(card, NULL, &n);
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static double percent(int part, int whole)
{
    return whole ? 100.0 * part / whole : 0;
}

static void print_families(Buf *out, const Card *card)
{
    buf_str(out, "| family | specialty | cases | level 1 | 2 | 3 | 4 | question-only answer |\n"
                 "|---|---|---:|---:|---:|---:|---:|---:|\n");
    for (int f = 0; FAMILIES[f]; f++) {
        int level[5] = {0}, n;
        for (int i = 0; i < card->rows.n; i++)
            if (card->rows.at[i].family == FAMILIES[f]) level[card->rows.at[i].level]++;
        int right = question_only(card, FAMILIES[f], &n);
        if (n)
            buf_printf(out, "| %s | %s | %d | %d | %d | %d | %d | %.1f %% |\n", FAMILIES[f]->name,
                       FAMILIES[f]->specialty, n, level[1], level[2], level[3], level[4], percent(right, n));
    }
}

/* Every answer of a kind with its share; numbers are too many to list. */
static void print_balance(Buf *out, const Card *card, AskKind kind)
{
    Map count = {0};
    int n = 0;
    for (int i = 0; i < card->rows.n; i++) {
        const CardRow *r = &card->rows.at[i];
        int64_t v = 0;
        if (r->kind != kind) continue;
        n++;
        map_get_str(&count, r->answer, &v);
        map_set_str(&count, r->answer, v + 1);
    }
    for (int i = 0; i < count.n; i++)
        buf_printf(out, "%s%s %.1f %%", i ? ", " : "", count.entry[i].key, percent((int)count.entry[i].value, n));
    map_release(&count);
}

static void print_kinds(Buf *out, const Card *card)
{
    buf_str(out, "| kind | cases | best constant answer | right | answers |\n|---|---:|---|---:|---|\n");
    for (int k = 0; k < N_KINDS; k++) {
        int n;
        RowRef which = NULL;
        int right = constant_of_kind(card, (AskKind)k, &n, &which);
        if (!which) continue;
        buf_printf(out, "| %s | %d | %s | %.1f %% | ", KIND_NAME[k], n, which->answer, percent(right, n));
        if (k == ASK_NUMBER) buf_str(out, "numbers");
        else print_balance(out, card, (AskKind)k);
        buf_str(out, " |\n");
    }
}

void card_print(Buf *out, const Card *card, const SplitSpec *s)
{
    const CaseSpec *f = &s->first;
    int n = card->rows.n;
    bool twin = f->twin || f->split == SPLIT_TEXT, shift = f->shift || f->split == SPLIT_TEST_SHIFT;
    buf_printf(out, "# Phantom clinic, split %s\n\n", SPLIT_NAME[f->split]);
    buf_printf(out,
               "%d cases, seed %llu, %s. **Synthetic, not for clinical use.** Pictures are drawn by a program and\n"
               "answers follow from published thresholds; no patient was involved.\n\n",
               n, (unsigned long long)f->seed, twin ? "text twins (findings in words, no picture)" : "with pictures");
    if (!twin) buf_printf(out, "Pictures: PNG, %d x %d%s.\n\n", f->size, f->size, shift ? ", shifted scanner" : "");
    buf_str(out, "## Families\n\n");
    print_families(out, card);
    buf_str(out, "\n## Answers\n\n");
    print_kinds(out, card);
    buf_printf(out,
               "\nWithout looking: the best constant answer of each kind is right in %.1f %% of the cases, the best\n"
               "answer from question, options and age group alone in %.1f %% (both fitted to these very cases).\n",
               percent(card_constant(card), n), percent(card_question_only(card), n));
    buf_printf(out, "\n## Made with\n\n```\nosler phantom --split %s --n %d --seed %llu --size %d%s%s%s",
               SPLIT_NAME[f->split], s->n, (unsigned long long)f->seed, f->size, f->family ? " --family " : "",
               f->family ? f->family->name : "", f->shift ? " --shift" : "");
    buf_printf(out, "%s", f->twin ? " --twin" : "");
    if (f->level) buf_printf(out, " --level %d", f->level);
    buf_str(out, "\n```\n\nThe same command gives the same cases, bit for bit, on any machine. Licence: Apache-2.0, as "
                 "the program.\n");
}
