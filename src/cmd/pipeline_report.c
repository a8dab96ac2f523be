#include "cmd/pipeline_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "eval/html.h"

/* What is to be said of a stage. */
typedef struct Outcome {
    double seconds;
    bool scored;
    double accuracy;
    Interval ci;
    int n;
    char *benchmark, *text; /* "" where there is nothing */
} Outcome;

static json_t *load_in(const Stage *s, const char *name)
{
    Err none = {0};
    char *path = path_join(s->folder, name);
    json_t *j = file_exists(path) ? json_load_path(path, (size_t)1 << 26, &none) : NULL;
    free(path);
    return j;
}

static double number(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

static void take_score(Outcome *o, const json_t *results)
{
    const json_t *ci = json_object_get(results, "ci95");
    const char *benchmark = json_string_value(json_object_get(results, "benchmark"));
    o->scored = true;
    o->accuracy = number(results, "accuracy");
    o->n = (int)number(results, "n");
    o->ci = (Interval){json_number_value(json_array_get(ci, 0)), json_number_value(json_array_get(ci, 1))};
    o->benchmark = xstrdup(benchmark ? benchmark : "");
}

/* The last line of a training's log. */
static char *training_text(const Stage *s)
{
    Buf log = {0};
    Err none = {0};
    char *path = path_join(s->folder, "trainer_log.jsonl"), *text = NULL;
    if (file_exists(path) && file_read(&log, path, (size_t)1 << 30, &none) == 0 && log.len > 1) {
        size_t begin = log.len - 1;
        while (begin > 0 && log.data[begin - 1] != '\n') begin--;
        json_t *line = json_parse(log.data + begin, log.len - begin, &none);
        if (json_object_get(line, "loss"))
            text = xasprintf("%.0f steps, loss %.4f", number(line, "step"), number(line, "loss"));
        json_decref(line);
    }
    buf_release(&log);
    free(path);
    return text ? text : xstrdup("");
}

static void add_interval(Buf *b, const json_t *mean)
{
    const json_t *ci = json_object_get(mean, "ci95");
    buf_printf(b, " [%.3f, %.3f]", json_number_value(json_array_get(ci, 0)), json_number_value(json_array_get(ci, 1)));
}

/* What a judge found: summary.json. */
static char *judge_text(const Stage *s)
{
    json_t *j = load_in(s, "summary.json"), *sum = json_object_get(j, "sum"), *d = json_object_get(j, "difference");
    Buf b = {0};
    if (sum) {
        buf_printf(&b, "MMRP %.3f", number(sum, "mean"));
        add_interval(&b, sum);
    }
    if (d) {
        buf_printf(&b, ", %+.3f", number(d, "mean"));
        add_interval(&b, d);
        buf_str(&b, " against the baseline");
    }
    json_decref(j);
    return b.len ? buf_take(&b) : NULL;
}

/* How many samples came out: report.json of prefer and of orchestrate. */
static char *data_text(const Stage *s)
{
    json_t *j = load_in(s, "report.json");
    char *text = NULL;
    if (json_object_get(j, "pairs"))
        text = xasprintf("%.0f pairs from %.0f cases", number(j, "pairs"), number(j, "cases"));
    else if (json_object_get(j, "kept"))
        text = xasprintf("%.0f of %.0f questions kept", number(j, "kept"), number(j, "questions"));
    json_decref(j);
    return text;
}

/* Of an evaluation: many answers to a question, and the baseline. */
static char *eval_text(const json_t *results)
{
    const json_t *votes = json_object_get(results, "votes"), *d = json_object_get(results, "baseline");
    const json_t *last = json_array_get(votes, json_array_size(votes) - 1);
    Buf b = {0};
    if (json_array_size(votes) > 1)
        buf_printf(&b, " avg@%.0f %.1f, maj@%.0f %.1f", number(last, "k"), 100 * number(last, "avg"), number(last, "k"),
                   100 * number(last, "maj"));
    if (d) buf_printf(&b, " %+.1f against the baseline", 100 * number(d, "difference"));
    return b.len ? buf_take(&b) : NULL;
}

static char *text_of(const Stage *s, const json_t *results)
{
    char *text = results ? eval_text(results) : NULL;
    if (!text) text = judge_text(s);
    if (!text) text = data_text(s);
    return text ? text : training_text(s);
}

static Outcome outcome_of(const Stage *s)
{
    Outcome o = {0};
    json_t *stage = load_in(s, "stage.json"), *results = load_in(s, "results.json");
    o.seconds = number(stage, "seconds");
    if (results) take_score(&o, results);
    else o.benchmark = xstrdup("");
    o.text = text_of(s, results);
    json_decref(results);
    json_decref(stage);
    return o;
}

static void add_row(Buf *page, const Stage *s, const Outcome *o)
{
    char *own = path_join(s->folder, "report.html");
    buf_str(page, "<tr><th scope=\"row\">");
    if (file_exists(own)) buf_printf(page, "<a href=\"%s/report.html\">", s->name);
    html_text(page, s->name);
    buf_printf(page, "%s</th><td>%s</td><td>%.0f:%02d</td><td>", file_exists(own) ? "</a>" : "", s->verb->name,
               (double)((int)o->seconds / 60), (int)o->seconds % 60);
    if (o->scored)
        buf_printf(page, "%.1f <span class=\"ci\">%.1f&ndash;%.1f</span>", 100 * o->accuracy, 100 * o->ci.lo,
                   100 * o->ci.hi);
    html_text(page, o->text);
    buf_str(page, "</td><td class=\"draw\">");
    if (o->scored) html_score_bar(page, o->accuracy, o->ci);
    buf_str(page, "</td></tr>\n");
    free(own);
}

static void print_outcome(const Stage *s, const Outcome *o)
{
    if (o->scored)
        printf("%-24s %5.1f  [%5.1f, %5.1f]  of %d, %s\n", s->name, 100 * o->accuracy, 100 * o->ci.lo, 100 * o->ci.hi,
               o->n, o->benchmark);
    else if (*o->text) printf("%-24s %s\n", s->name, o->text);
}

int pipeline_report(const Pipeline *p, Err *err)
{
    Buf page = {0};
    buf_printf(&page, "%s%s<header><h1>", REPORT_HEAD, REPORT_CARDS);
    html_text(&page, *p->about ? p->about : path_basename(p->path));
    buf_str(&page, "</h1><p>Stages of a pipeline; scores in per cent with 95&nbsp;% Wilson intervals. Research "
                   "software; not for clinical use.</p></header>\n<main><section><div class=\"scroll\"><table "
                   "class=\"scores\"><thead><tr><th scope=\"col\">stage</th><th scope=\"col\">verb</th><th "
                   "scope=\"col\">min:s</th><th scope=\"col\">outcome</th><th scope=\"col\" class=\"draw\"></th></tr>"
                   "</thead><tbody>\n");
    for (int i = 0; i < p->stages; i++) {
        Outcome o = outcome_of(&p->stage[i]);
        add_row(&page, &p->stage[i], &o);
        print_outcome(&p->stage[i], &o);
        free(o.benchmark);
        free(o.text);
    }
    buf_str(&page, "</tbody></table></div></section></main></body></html>\n");
    char *path = path_join(p->out, "report.html");
    int rc = file_save(path, page.data, page.len, err);
    if (rc == 0) printf("%s\n", path);
    free(path);
    buf_release(&page);
    return rc;
}
