/*
 * report.h - a run as one page of HTML that needs nothing but itself.
 *
 * Tables with intervals, drawn scores, votes, the difference to the baseline, and the responses with their images, to be
 * filtered by verdict and group; the responses to one question stand together.  Sizes are limited: the first
 * REPORT_SAMPLES responses, long texts cut, pictures of at most REPORT_PIXELS a side (small files as they are),
 * REPORT_IMAGE_BYTES of them in all; what was left out is said on the page.  tools/check_report.sh looks at a page in a
 * browser.
 */
#ifndef OSLER_EVAL_REPORT_H
#define OSLER_EVAL_REPORT_H

#include "eval/summary.h"

enum {
    REPORT_SAMPLES = 2000,
    REPORT_TEXT_BYTES = 6000,
    REPORT_PIXELS = 448,
    REPORT_FILE_BYTES = 64 << 10,
    REPORT_IMAGE_BYTES = 24 << 20
};

void report_html(Buf *out, const EvalRun *run, const Summary *s, const Comparison *versus);

#endif
