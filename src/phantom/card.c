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

/* Every other case of a family, which the numbers alone do not tell where families take turns. */
void card_add(Card *card, CardRow *row)
{
    row->half = 0;
    for (int i = card->rows.n - 1; i >= 0; i--)
        if (card->rows.at[i].family == row->family) {
            row->half = 1 - card->rows.at[i].half;
            break;
        }
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

typedef struct RowList {
    RowRef *row;
    int n;
} RowList;

typedef enum GuessBy { GUESS_NOTHING, GUESS_ANSWER, GUESS_TEXT, GUESS_VALUE } GuessBy;

typedef struct Guess {
    RowRef like; /* the answer is that of this row */
    GuessBy by;
    int right; /* of the rows it was fitted to */
} Guess;

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

static int by_question(const void *a, const void *b)
{
    return strcmp((*(RowRef const *)a)->question, (*(RowRef const *)b)->question);
}

/* The longest run of equals after sorting. */
static Guess longest_run(RowList l, int (*order)(const void *, const void *), GuessBy by)
{
    Guess best = {.by = by};
    qsort(l.row, (size_t)l.n, sizeof *l.row, order);
    for (int i = 0, start = 0; i < l.n; i++) {
        if (order(&l.row[i], &l.row[start])) start = i;
        if (i - start + 1 > best.right) best.right = i - start + 1, best.like = l.row[i];
    }
    return best;
}

/* Numbers: a guess v is right for all answers within the tolerance, a window twice as wide. */
static Guess widest_window(RowList l)
{
    Guess best = {.by = GUESS_VALUE};
    qsort(l.row, (size_t)l.n, sizeof *l.row, by_value);
    for (int i = 0, start = 0; i < l.n; i++) {
        while (l.row[i]->value - l.row[start]->value > 2 * l.row[i]->tolerance + 1e-9) start++;
        if (i - start + 1 > best.right) best.right = i - start + 1, best.like = l.row[(i + start) / 2];
    }
    return best;
}

/* The one answer that is right most often in rows of one kind.  texts: an option's text may be it, not only a letter. */
static Guess best_guess(RowList l, bool texts)
{
    if (!l.n) return (Guess){0};
    if (l.row[0]->kind == ASK_NUMBER) return widest_window(l);
    Guess letter = longest_run(l, by_answer, GUESS_ANSWER), text = {0};
    if (texts) text = longest_run(l, by_text, GUESS_TEXT);
    return text.right > letter.right ? text : letter;
}

static bool guess_is_right(const Guess *g, RowRef r)
{
    if (g->by == GUESS_VALUE) {
        double off = g->like->value - r->value;
        return off <= r->tolerance + 1e-9 && off >= -r->tolerance - 1e-9;
    }
    if (g->by == GUESS_TEXT) return !strcmp(g->like->text, r->text);
    return g->by == GUESS_ANSWER && !strcmp(g->like->answer, r->answer);
}

/* half: 0, 1, or -1 for both; family NULL: all; kind N_KINDS: all.  Free the list's rows. */
static RowList rows_of(const Card *card, const Family *family, AskKind kind, int half)
{
    RowList l = {xmalloc(sizeof *l.row * (size_t)(card->rows.n + 1)), 0};
    for (int i = 0; i < card->rows.n; i++) {
        RowRef r = &card->rows.at[i];
        bool fits = (!family || r->family == family) && (kind == N_KINDS || r->kind == kind);
        if (fits && (half < 0 || r->half == half)) l.row[l.n++] = r;
    }
    return l;
}

/* The answer that is most often right to questions of a kind; *n: how many there are. */
static Guess constant_of_kind(const Card *card, AskKind kind, int half, int *n)
{
    RowList l = rows_of(card, NULL, kind, half);
    Guess g = best_guess(l, false);
    *n = l.n;
    free(l.row);
    return g;
}

int card_constant(const Card *card)
{
    int sum = 0, n;
    for (int half = 0; half < 2; half++)
        for (int k = 0; k < N_KINDS; k++) {
            Guess g = constant_of_kind(card, (AskKind)k, 1 - half, &n);
            RowList judged = rows_of(card, NULL, (AskKind)k, half);
            for (int i = 0; i < judged.n; i++) sum += guess_is_right(&g, judged.row[i]);
            free(judged.row);
        }
    return sum;
}

/* The part of a list sorted by question that holds r's question. */
static RowList same_question(RowList l, RowRef r)
{
    int lo = 0, hi = l.n, end;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (by_question(&l.row[mid], &r) < 0) lo = mid + 1;
        else hi = mid;
    }
    for (end = lo; end < l.n && !by_question(&l.row[end], &r);) end++;
    return (RowList){l.row + lo, end - lo};
}

/* What one half of the cases teaches, counted on the other half. */
static int question_only_half(const Card *card, const Family *family, int half)
{
    RowList fit = rows_of(card, family, N_KINDS, 1 - half), judged = rows_of(card, family, N_KINDS, half);
    Guess constant[N_KINDS];
    int sum = 0, n;
    for (int k = 0; k < N_KINDS; k++) constant[k] = constant_of_kind(card, (AskKind)k, 1 - half, &n);
    qsort(fit.row, (size_t)fit.n, sizeof *fit.row, by_question);
    qsort(judged.row, (size_t)judged.n, sizeof *judged.row, by_question);
    for (int i = 0, end; i < judged.n; i = end) {
        Guess g = best_guess(same_question(fit, judged.row[i]), true);
        if (!g.like) g = constant[judged.row[i]->kind]; /* a question that was not asked before */
        for (end = i; end < judged.n && !by_question(&judged.row[end], &judged.row[i]); end++)
            sum += guess_is_right(&g, judged.row[end]);
    }
    free(fit.row);
    free(judged.row);
    return sum;
}

static int question_only(const Card *card, const Family *family)
{
    return question_only_half(card, family, 0) + question_only_half(card, family, 1);
}

int card_question_only(const Card *card)
{
    return question_only(card, NULL);
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
        int level[5] = {0}, n = 0;
        for (int i = 0; i < card->rows.n; i++)
            if (card->rows.at[i].family == FAMILIES[f]) level[card->rows.at[i].level]++, n++;
        int right = question_only(card, FAMILIES[f]);
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
    buf_str(out, "| kind | cases | most frequent answer | its share | answers |\n|---|---:|---|---:|---|\n");
    for (int k = 0; k < N_KINDS; k++) {
        int n;
        Guess g = constant_of_kind(card, (AskKind)k, -1, &n);
        if (!n) continue;
        buf_printf(out, "| %s | %d | %s | %.1f %% | ", KIND_NAME[k], n, g.like->answer, percent(g.right, n));
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
    buf_printf(
        out,
        "\nWithout looking: the best constant answer of each kind is right in %.1f %% of the cases, the best\n"
        "answer from question, options and kind of patient alone in %.1f %%. Both are held out: every other case\n"
        "of a family teaches, the rest is judged, and the reverse.\n",
        percent(card_constant(card), n), percent(card_question_only(card), n));
    buf_printf(out, "\n## Made with\n\n```\nosler phantom --split %s --n %d --seed %llu --size %d%s%s%s",
               SPLIT_NAME[f->split], s->n, (unsigned long long)f->seed, f->size, f->family ? " --family " : "",
               f->family ? f->family->name : "", f->shift ? " --shift" : "");
    buf_printf(out, "%s", f->twin ? " --twin" : "");
    if (f->level) buf_printf(out, " --level %d", f->level);
    buf_str(out, "\n```\n\nThe same command gives the same cases, bit for bit, on any machine. Licence: Apache-2.0, as "
                 "the program.\n");
}
