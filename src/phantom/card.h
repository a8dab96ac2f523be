/*
 * card.h - the data set's card: counts, answer balance, and how far one gets without looking.
 *
 * Two readers who see no picture: the constant one gives the same answer to all questions of a kind; the question-only
 * one knows the question, its options and the kind of patient and gives what is most often right there (a number: the
 * one with most answers within the tolerance; a question it never met: the constant answer).  Both learn from one half
 * of the cases and are counted on the other, then the reverse, so that a small set flatters them no more than a large
 * one.  The halves are every other case of a family.
 *
 *   Card card = {0};
 *   CardRow row = card_row(&c);           may run in any thread
 *   card_add(&card, &row);                in order
 *   card_print(&text, &card, &spec);
 *   card_row_release(&row), card_release(&card);
 */
#ifndef OSLER_PHANTOM_CARD_H
#define OSLER_PHANTOM_CARD_H

#include "base/map.h"
#include "phantom/phantom.h"

typedef struct CardRow {
    const Family *family;
    int level;
    AskKind kind;
    char *question;          /* family, ask, group */
    char *answer, *text;     /* owned; as Case.answer, Case.answer_text */
    double value, tolerance; /* of a number */
    int half;                /* 0 or 1; set by card_add */
} CardRow;

typedef struct Card {
    VEC(CardRow) rows;
} Card;

CardRow card_row(const Case *c);
void card_row_release(CardRow *row);
/* Takes what the row owns. */
void card_add(Card *card, CardRow *row);
/* Cases that a reader gets right who sees no picture. */
int card_constant(const Card *card);
int card_question_only(const Card *card);
void card_print(Buf *out, const Card *card, const SplitSpec *spec);
void card_release(Card *card);

#endif
