#include "eval/html.h"

void html_text(Buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '<') buf_str(b, "&lt;");
        else if (*s == '>') buf_str(b, "&gt;");
        else if (*s == '&') buf_str(b, "&amp;");
        else if (*s == '"') buf_str(b, "&quot;");
        else buf_byte(b, (unsigned char)*s);
    }
}

void html_score_bar(Buf *b, double value, Interval ci)
{
    buf_printf(b,
               "<svg class=\"bar\" viewBox=\"0 0 200 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
               "<rect class=\"track\" width=\"200\" height=\"14\"/><rect class=\"fill\" width=\"%.1f\" height=\"14\"/>"
               "<path class=\"ci\" d=\"M%.1f 7H%.1fM%.1f 3V11M%.1f 3V11\"/></svg>",
               200 * value, 200 * ci.lo, 200 * ci.hi, 200 * ci.lo, 200 * ci.hi);
}
