/* Pieces of the report pages. */
#ifndef OSLER_EVAL_HTML_H
#define OSLER_EVAL_HTML_H

#include "base/buf.h"
#include "eval/score_stats.h"

/* Text, with what HTML reads as markup escaped. */
void html_text(Buf *b, const char *s);
/* A score as a bar with its interval, drawn 0 to 100 %. */
void html_score_bar(Buf *b, double value, Interval ci);

/* The unchanging parts of a page (report_page.c): up to the looks of the responses, those with the end of the head, and
   the script that lists them. */
extern const char REPORT_HEAD[], REPORT_CARDS[], REPORT_TAIL[];

#endif
