/*
 * quoted_list.h - a list of strings written as text, in Python's way or JSON's: "['Yes', \"Don't\", 'No']".
 *
 * Tables hold such text where a list was printed into a column (options, several pictures).
 *
 *   QuotedList l = quoted_list(text, n);
 *   while ((rc = quoted_list_next(&l, &item)) == 1) ... item.data, item.len ...      0: the end, -1: no such list
 *   buf_release(&item);
 */
#ifndef OSLER_TABLE_QUOTED_LIST_H
#define OSLER_TABLE_QUOTED_LIST_H

#include "base/buf.h"

typedef struct QuotedList {
    const char *at, *end;
    bool begun, ended;
} QuotedList;

/* Whether text looks like a list: [ and ] around it. */
bool quoted_list_match(const char *text, size_t n);
QuotedList quoted_list(const char *text, size_t n);
/* Replaces `item`. Words without quotes (numbers, None, true) are given as they are. */
int quoted_list_next(QuotedList *l, Buf *item);

#endif
