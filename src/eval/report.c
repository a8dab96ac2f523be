#include "eval/report.h"

#include <stdlib.h>
#include <string.h>

#include "eval/html.h"
#include "eval/results.h"
#include "image/data_uri.h"

static void tally_row(Buf *b, const char *name, const Tally *t)
{
    buf_str(b, "<tr><th scope=\"row\">");
    html_text(b, name);
    buf_printf(b,
               "</th><td class=\"num\">%d</td><td class=\"num\">%.1f</td><td class=\"num ci\">%.1f&ndash;%.1f</td><td "
               "class=\"draw\">",
               t->n, 100 * t->accuracy, 100 * t->ci.lo, 100 * t->ci.hi);
    html_score_bar(b, t->accuracy, t->ci);
    buf_printf(b, "</td><td class=\"num\">%d</td><td class=\"num\">%d</td><td class=\"num\">%d</td></tr>\n",
               t->unparsed, t->abstained, t->unended);
}

/* Groups by name: those of one dimension ("family:nodule", "family:growth") stand under its name. */
static void group_rows(Buf *b, const Summary *s)
{
    const char *last = "";
    size_t n_last = 0;
    for (int i = 0; i < s->group.n; i++) {
        const char *name = s->group.at[i].name;
        size_t n = strcspn(name, ":");
        if (!name[n]) n = 0;
        if (n && (n != n_last || memcmp(name, last, n))) {
            char *dimension = xstrndup(name, n);
            buf_str(b, "<tr class=\"dim\"><th scope=\"rowgroup\" colspan=\"8\">");
            html_text(b, dimension);
            buf_str(b, "</th></tr>\n");
            free(dimension);
        }
        tally_row(b, n ? name + n + 1 : name, &s->group.at[i].tally);
        last = name, n_last = n;
    }
}

static const char TALLY_HEAD[] = "<div class=\"scroll\"><table class=\"scores\"><thead><tr><th scope=\"col\"></th><th "
                                 "scope=\"col\">n</th><th scope=\"col\">right&nbsp;%</th>"
                                 "<th scope=\"col\">95&nbsp;% interval</th><th scope=\"col\" class=\"draw\"><span "
                                 "class=\"sr\">drawn</span></th><th scope=\"col\">unparsed</th>"
                                 "<th scope=\"col\">abstained</th><th scope=\"col\">unended</th></tr></thead><tbody>\n";

static void card(Buf *b, const char *name, const char *value, const char *note)
{
    buf_printf(b, "<div class=\"card\"><dt>%s</dt><dd>%s</dd><p>%s</p></div>\n", name, value, note);
}

static void add_cards(Buf *b, const Summary *s)
{
    char value[64], note[128];
    const Tally *t = &s->all;
    buf_str(b, "<dl class=\"cards\">\n");
    snprintf(value, sizeof value, "%.1f&thinsp;%%", 100 * t->accuracy);
    snprintf(note, sizeof note, "%d of %d right; 95&nbsp;%% interval %.1f&ndash;%.1f", t->correct, t->n, 100 * t->ci.lo,
             100 * t->ci.hi);
    card(b, t->n > t->items ? "accuracy (mean over draws)" : "accuracy", value, note);
    const struct {
        const char *name, *note;
        int n;
    } rate[] = {{"unparsed", "nothing could be read as an answer", t->unparsed},
                {"abstained", "refused, hedged or contradicted itself", t->abstained},
                {"unended", "thinking that never ended", t->unended}};
    for (int i = 0; i < 3; i++) {
        snprintf(value, sizeof value, "%.1f&thinsp;%%", t->n ? 100.0 * rate[i].n / t->n : 0);
        snprintf(note, sizeof note, "%d: %s", rate[i].n, rate[i].note);
        card(b, rate[i].name, value, note);
    }
    buf_str(b, "</dl>\n");
}

static void add_scores(Buf *b, const Summary *s)
{
    buf_str(b, "<section><h2>Scores</h2>\n");
    buf_str(b, TALLY_HEAD);
    tally_row(b, "all", &s->all);
    if (s->closed.n && s->open.n) {
        tally_row(b, "closed", &s->closed);
        tally_row(b, "open", &s->open);
    }
    group_rows(b, s);
    buf_str(b, "</tbody></table></div>\n");
    if (s->open.n)
        buf_printf(b,
                   "<p>Open answers: exact %.1f&nbsp;%%, token F1 %.1f, BLEU-1 %.1f (means, in percent). Right means "
                   "exact, or a "
                   "judge's verdict where there is one.</p>\n",
                   100 * s->exact, 100 * s->f1, 100 * s->bleu1);
    buf_str(b, "</section>\n");
}

/* The difference and its interval on an axis that is half as long again as it must be. */
static void draw_difference(Buf *b, const Comparison *c)
{
    double lo = 100 * c->difference.ci.lo, hi = 100 * c->difference.ci.hi, reach = 1;
    double farthest = -lo > hi ? -lo : hi;
    while (reach < 1.2 * farthest) reach *= 2;
    double scale = 150 / reach;
    buf_printf(
        b,
        "<svg class=\"diff\" viewBox=\"-170 0 340 44\" role=\"img\" aria-label=\"difference and interval on an axis "
        "from "
        "-%g to %g points\"><path class=\"axis\" d=\"M-150 14H150M0 4V24M-150 9V19M150 9V19\"/><path class=\"span\" "
        "d=\"M%.2f 14H%.2f\"/><circle cx=\"%.2f\" cy=\"14\" r=\"3.5\"/>",
        reach, reach, scale * lo, scale * hi, scale * 100 * c->difference.mean);
    buf_printf(b,
               "<text x=\"-150\" y=\"38\" class=\"mid\">&minus;%g</text><text x=\"0\" y=\"38\" "
               "class=\"mid\">0</text><text x=\"150\" "
               "y=\"38\" class=\"mid\">+%g</text></svg>\n",
               reach, reach);
}

/* +1.5, −0.3 */
static void points(Buf *b, double share)
{
    double value = 100 * share;
    buf_printf(b, "%s%.1f", value <= -0.05 ? "&minus;" : "+", value < 0 ? -value : value);
}

static void add_comparison(Buf *b, const Comparison *c)
{
    double lo = c->difference.ci.lo, hi = c->difference.ci.hi;
    const char *says = lo > 0 ? "better than" : hi < 0 ? "worse than" : "not told apart from";
    buf_str(b, "<section><h2>Against the baseline</h2><p class=\"lead\">");
    points(b, c->difference.mean);
    buf_str(b, " points (95&nbsp;% interval ");
    points(b, lo);
    buf_str(b, " to ");
    points(b, hi);
    buf_printf(b, "): %s the baseline.</p>\n", says);
    draw_difference(b, c);
    buf_printf(b,
               "<p>%.1f&nbsp;%% here, %.1f&nbsp;%% there, on %d common questions; %d gained, %d lost, McNemar's exact "
               "p = %.3g. "
               "Interval: paired bootstrap, %d draws.",
               100 * c->here, 100 * c->baseline, c->common, c->gained, c->lost, c->p, c->difference.draws);
    if (c->only_here || c->only_baseline)
        buf_printf(b, " %d questions only here and %d only there are left out.", c->only_here, c->only_baseline);
    buf_str(b, "</p></section>\n");
}

static void vote_line(Buf *b, const Summary *s, int which, const char *class)
{
    int n = s->vote.n;
    buf_printf(b, "<polyline class=\"%s\" points=\"", class);
    for (int i = 0; i < n; i++) {
        const Vote *v = &s->vote.at[i];
        double y = which == 0 ? v->avg : which == 1 ? v->maj : v->pass;
        buf_printf(b, "%.1f,%.1f ", 40 + 320.0 * i / (n - 1), 150 - 130 * y);
    }
    buf_str(b, "\"/>");
}

static void add_votes(Buf *b, const Summary *s)
{
    static const char *const NAME[] = {"avg", "maj", "pass"};
    if (s->vote.n < 2) return;
    buf_str(b, "<section><h2>Votes</h2>\n<svg class=\"votes\" viewBox=\"0 0 400 180\" role=\"img\" aria-label=\"share "
               "right over the "
               "number of draws; the numbers stand in the table below\">");
    for (int y = 0; y <= 100; y += 25)
        buf_printf(b, "<path class=\"grid\" d=\"M40 %.1fH360\"/><text x=\"34\" y=\"%.1f\" class=\"end\">%d</text>",
                   150 - 1.3 * y, 154 - 1.3 * y, y);
    for (int i = 0; i < s->vote.n; i++)
        buf_printf(b, "<text x=\"%.1f\" y=\"170\" class=\"mid\">%d</text>", 40 + 320.0 * i / (s->vote.n - 1),
                   s->vote.at[i].k);
    for (int w = 0; w < 3; w++) vote_line(b, s, w, NAME[w]);
    buf_str(b, "</svg>\n<p class=\"key\"><span class=\"avg\">avg: mean of single draws</span> <span class=\"maj\">maj: "
               "most frequent "
               "answer</span> <span class=\"pass\">pass: at least one right</span></p>\n<div "
               "class=\"scroll\"><table><thead><tr><th "
               "scope=\"col\">draws</th><th scope=\"col\">questions</th><th scope=\"col\">avg&nbsp;%</th><th "
               "scope=\"col\">maj&nbsp;%"
               "</th><th scope=\"col\">pass&nbsp;%</th></tr></thead><tbody>\n");
    for (int i = 0; i < s->vote.n; i++) {
        const Vote *v = &s->vote.at[i];
        buf_printf(b, "<tr><th scope=\"row\">%d</th><td class=\"num\">%d</td>", v->k, v->items);
        const double value[3] = {v->avg, v->maj, v->pass};
        const Interval ci[3] = {v->avg_ci, v->maj_ci, v->pass_ci};
        for (int w = 0; w < 3; w++)
            buf_printf(b, "<td class=\"num\">%.1f <span class=\"ci\">%.1f&ndash;%.1f</span></td>", 100 * value[w],
                       100 * ci[w].lo, 100 * ci[w].hi);
        buf_str(b, "</tr>\n");
    }
    buf_str(b, "</tbody></table></div></section>\n");
}

static void add_rules(Buf *b, const Summary *s)
{
    buf_str(
        b,
        "<section><h2>How answers were read</h2>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">rule</th>"
        "<th scope=\"col\">responses</th><th scope=\"col\">share&nbsp;%</th><th "
        "scope=\"col\">right&nbsp;%</th></tr></thead>"
        "<tbody>\n");
    for (int i = 0; i < s->rule.n; i++) {
        const Tally *t = &s->rule.at[i].tally;
        buf_str(b, "<tr><th scope=\"row\">");
        html_text(b, s->rule.at[i].name);
        buf_printf(b, "</th><td class=\"num\">%d</td><td class=\"num\">%.1f</td><td class=\"num\">%.1f</td></tr>\n",
                   t->n, 100.0 * t->n / s->all.n, 100 * t->accuracy);
    }
    buf_str(b, "</tbody></table></div></section>\n");
}

/* ---- the samples, as JSON for the page's script ------------------------------------------------------------------ */

/* A JSON string that may stand in a <script>: '<' is written as an escape. At most REPORT_TEXT_BYTES, whole characters. */
static void script_text(Buf *b, const char *s)
{
    size_t n = strlen(s), cut = n;
    if (n > REPORT_TEXT_BYTES)
        for (cut = REPORT_TEXT_BYTES; cut > 0 && (s[cut] & 0xc0) == 0x80;) cut--;
    Buf json = {0};
    json_append_str(&json, s, cut);
    if (cut < n) {
        json.len--;
        buf_str(&json, " [cut]\"");
    }
    for (size_t i = 0; i < json.len; i++) {
        if (json.data[i] == '<') buf_str(b, "\\u003c");
        else buf_byte(b, (unsigned char)json.data[i]);
    }
    buf_release(&json);
}

typedef struct Pictures {
    Map index;
    Buf uris; /* JSON strings, divided by commas */
    int n, left_out;
} Pictures;

/* The number of a picture on the page, -1 where it is not shown. */
static int picture(Pictures *p, const char *ref)
{
    int64_t at;
    if (map_get_str(&p->index, ref, &at)) return (int)at;
    Buf uri = {0};
    Err why = {0};
    at = -1;
    if (p->uris.len < REPORT_IMAGE_BYTES && image_data_uri(&uri, ref, REPORT_FILE_BYTES, REPORT_PIXELS, &why) == 0) {
        at = p->n++;
        buf_printf(&p->uris, "%s\"%s\"", at ? ",\n" : "", uri.data);
    } else {
        p->left_out++;
    }
    buf_release(&uri);
    map_set_str(&p->index, ref, at);
    return (int)at;
}

static void add_sample(Buf *b, Pictures *pictures, const EvalRun *run, const EvalResponse *r)
{
    const EvalItem *item = &run->item.at[r->item];
    char *gold = question_gold(&item->q);
    buf_str(b, "{\"id\":");
    script_text(b, item->id);
    buf_printf(b, ",\"draw\":%d,\"ok\":%d,\"state\":\"%s\",\"rule\":\"%s\",\"q\":", r->draw, r->match.correct,
               answer_state_name(r->answer.state), r->answer.rule);
    script_text(b, item->q.question ? item->q.question : "");
    buf_str(b, ",\"gold\":");
    script_text(b, gold ? gold : "");
    buf_str(b, ",\"read\":");
    script_text(b, r->answer.text ? r->answer.text : "");
    buf_str(b, ",\"text\":");
    script_text(b, r->text);
    if (r->forced) buf_str(b, ",\"forced\":1");
    if (r->judge_text) {
        buf_str(b, ",\"judge\":");
        script_text(b, r->judge_text);
    }
    buf_str(b, ",\"opt\":[");
    for (int i = 0; i < item->q.n_options; i++) {
        if (i) buf_byte(b, ',');
        script_text(b, item->q.option[i]);
    }
    buf_str(b, "],\"by\":[");
    for (int i = 0; i < item->n_groups; i++) {
        if (i) buf_byte(b, ',');
        script_text(b, item->groups[i]);
    }
    buf_str(b, "],\"img\":[");
    for (int i = 0; i < item->n_images; i++) buf_printf(b, "%s%d", i ? "," : "", picture(pictures, item->images[i]));
    buf_str(b, "]}");
    free(gold);
}

static void add_samples(Buf *b, const EvalRun *run)
{
    Pictures pictures = {0};
    int shown = run->response.n < REPORT_SAMPLES ? run->response.n : REPORT_SAMPLES;
    Buf rows = {0};
    for (int i = 0; i < shown; i++) {
        buf_str(&rows, i ? ",\n" : "");
        add_sample(&rows, &pictures, run, &run->response.at[i]);
    }
    buf_str(b, "<section><h2>Responses</h2>\n");
    if (shown < run->response.n)
        buf_printf(b, "<p>The first %d of %d are here; samples.jsonl holds all.</p>\n", shown, run->response.n);
    if (pictures.left_out)
        buf_printf(b, "<p>%d images are not shown: unreadable, or beyond this page's size.</p>\n", pictures.left_out);
    buf_str(
        b,
        "<form id=\"filter\" hidden><label>Verdict <select id=\"verdict\"><option value=\"\">all</option><option "
        "value=\"wrong\">"
        "wrong</option><option value=\"right\">right</option><option value=\"unparsed\">unparsed</option><option "
        "value=\"abstained\">abstained</option><option value=\"unended\">unended</option></select></label><label>Group "
        "<select "
        "id=\"group\"><option value=\"\">all</option></select></label><label>Text <input id=\"find\" type=\"search\" "
        "autocomplete=\"off\"></label><output id=\"count\" aria-live=\"polite\"></output></form>\n<noscript><p>The "
        "list of "
        "responses needs JavaScript; samples.jsonl holds the same.</p></noscript>\n<div id=\"list\"></div>\n<button "
        "id=\"more\" "
        "type=\"button\" hidden>Show more</button>\n</section>\n<script type=\"application/json\" "
        "id=\"data\">\n{\"samples\":[\n");
    buf_add(b, rows.data ? rows.data : "", rows.len);
    buf_str(b, "],\n\"images\":[\n");
    buf_add(b, pictures.uris.data ? pictures.uris.data : "", pictures.uris.len);
    buf_str(b, "]}\n</script>\n");
    buf_release(&rows);
    buf_release(&pictures.uris);
    map_release(&pictures.index);
}

void report_html(Buf *out, const EvalRun *run, const Summary *s, const Comparison *versus)
{
    buf_str(out, REPORT_HEAD);
    buf_str(out, REPORT_CARDS);
    buf_str(out, "<header><h1>");
    html_text(out, run->name ? run->name : "Evaluation");
    buf_printf(out,
               "</h1><p>%d questions, %d responses; scoring: %s. Research software; not for clinical "
               "use.</p></header>\n<main>\n",
               s->all.items, s->all.n, scoring_name(run->scoring));
    add_cards(out, s);
    if (versus) add_comparison(out, versus);
    add_scores(out, s);
    add_votes(out, s);
    add_rules(out, s);
    add_samples(out, run);
    buf_str(out, REPORT_TAIL);
}
