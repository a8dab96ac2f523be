#include "eval/results.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "eval/report.h"

const char *answer_state_name(AnswerState s)
{
    static const char *const NAME[] = {"given", "abstained", "unparsed", "unended"};
    return NAME[s];
}

static void add_key(Buf *b, const char *key)
{
    json_append_str(b, key, strlen(key));
    buf_str(b, ": ");
}

/* Text, or null. */
static void add_text(Buf *b, const char *key, const char *text)
{
    buf_str(b, ", ");
    add_key(b, key);
    if (text) json_append_str(b, text, strlen(text));
    else buf_str(b, "null");
}

static void add_interval(Buf *b, Interval ci)
{
    buf_printf(b, "[%.6f, %.6f]", ci.lo, ci.hi);
}

static void add_tally(Buf *b, const Tally *t)
{
    buf_printf(b, "\"n\": %d, \"items\": %d, \"correct\": %d, \"accuracy\": %.6f, \"ci95\": ", t->n, t->items,
               t->correct, t->accuracy);
    add_interval(b, t->ci);
    buf_printf(b, ", \"unparsed\": %d, \"abstained\": %d, \"unended\": %d", t->unparsed, t->abstained, t->unended);
}

static void add_named(Buf *b, const char *key, const Named *list, int n)
{
    buf_printf(b, ",\n  \"%s\": {", key);
    for (int i = 0; i < n; i++) {
        buf_str(b, i ? ",\n    " : "\n    ");
        add_key(b, list[i].name);
        buf_byte(b, '{');
        add_tally(b, &list[i].tally);
        buf_byte(b, '}');
    }
    buf_str(b, "}");
}

static void add_votes(Buf *b, const Summary *s)
{
    buf_str(b, ",\n  \"votes\": [");
    for (int i = 0; i < s->vote.n; i++) {
        const Vote *v = &s->vote.at[i];
        buf_printf(b, "%s{\"k\": %d, \"items\": %d, \"avg\": %.6f, \"avg_ci95\": ", i ? ",\n    " : "\n    ", v->k,
                   v->items, v->avg);
        add_interval(b, v->avg_ci);
        buf_printf(b, ", \"maj\": %.6f, \"maj_ci95\": ", v->maj);
        add_interval(b, v->maj_ci);
        buf_printf(b, ", \"pass\": %.6f, \"pass_ci95\": ", v->pass);
        add_interval(b, v->pass_ci);
        buf_byte(b, '}');
    }
    buf_str(b, "]");
}

static void add_comparison(Buf *b, const Comparison *c)
{
    buf_printf(b,
               ",\n  \"baseline\": {\"items\": %d, \"only_here\": %d, \"only_baseline\": %d, \"accuracy\": %.6f, "
               "\"baseline_accuracy\": %.6f, \"difference\": %.6f, \"ci95\": ",
               c->common, c->only_here, c->only_baseline, c->here, c->baseline, c->difference.mean);
    add_interval(b, c->difference.ci);
    buf_printf(b, ", \"bootstrap_draws\": %d, \"gained\": %d, \"lost\": %d, \"mcnemar_p\": %.6g}", c->difference.draws,
               c->gained, c->lost, c->p);
}

static void results_json(Buf *b, const EvalRun *run, const Summary *s, const Comparison *versus)
{
    buf_str(b, "{\"benchmark\": ");
    if (run->name) json_append_str(b, run->name, strlen(run->name));
    else buf_str(b, "null");
    add_text(b, "scoring", scoring_name(run->scoring));
    if (run->generation) buf_printf(b, ",\n  \"generation\": %s", run->generation);
    if (run->judge) buf_printf(b, ",\n  \"judge\": %s", run->judge);
    buf_str(b, ",\n  ");
    add_tally(b, &s->all);
    buf_str(b, ",\n  \"closed\": {");
    add_tally(b, &s->closed);
    buf_str(b, "},\n  \"open\": {");
    add_tally(b, &s->open);
    if (s->open.n) buf_printf(b, ", \"exact\": %.6f, \"f1\": %.6f, \"bleu1\": %.6f", s->exact, s->f1, s->bleu1);
    buf_str(b, "}");
    add_named(b, "by", s->group.at, s->group.n);
    add_named(b, "rules", s->rule.at, s->rule.n);
    if (s->vote.n) add_votes(b, s);
    if (versus) add_comparison(b, versus);
    buf_str(b, "}\n");
}

/* What is known of an answer that a model gave here. */
static void add_origin(Buf *b, const EvalResponse *r)
{
    buf_printf(b, ", \"tokens\": %d", r->tokens);
    add_text(b, "finish_reason", r->finish_reason);
    buf_printf(b, ", \"forced\": %s", r->forced ? "true" : "false");
}

/* What the question allows, so that a line can be scored again without the file that it came from. */
static void add_frame(Buf *b, const EvalItem *item)
{
    for (int i = 0; i < item->q.n_options; i++) {
        buf_printf(b, "%s\"%c\": ", i ? ", " : ", \"options\": {", 'A' + i);
        json_append_str(b, item->q.option[i], strlen(item->q.option[i]));
    }
    if (item->q.n_options) buf_byte(b, '}');
    if (item->q.kind == ANSWER_NUMBER) {
        buf_str(b, ", \"tolerance\": ");
        buf_real(b, item->q.tolerance);
    }
    for (int i = 0; i < item->n_groups; i++) {
        buf_str(b, i ? ", " : ", \"groups\": [");
        json_append_str(b, item->groups[i], strlen(item->groups[i]));
    }
    if (item->n_groups) buf_byte(b, ']');
}

static void sample_line(Buf *b, const EvalRun *run, const EvalResponse *r)
{
    const EvalItem *item = &run->item.at[r->item];
    char *gold = question_gold(&item->q);
    buf_str(b, "{\"id\": ");
    json_append_str(b, item->id, strlen(item->id));
    buf_printf(b, ", \"draw\": %d", r->draw);
    add_text(b, "kind", answer_kind_name(item->q.kind));
    add_text(b, "question", item->q.question);
    add_frame(b, item);
    if (item->prompt) add_text(b, "prompt", item->prompt);
    add_text(b, "gold", gold);
    add_text(b, "response", r->text);
    add_text(b, "extracted", r->answer.text);
    add_text(b, "rule", r->answer.rule);
    add_text(b, "state", answer_state_name(r->answer.state));
    buf_printf(b, ", \"correct\": %s", r->match.correct ? "true" : "false");
    if (item_is_open(item)) buf_printf(b, ", \"f1\": %.6f, \"bleu1\": %.6f", r->match.f1, r->match.bleu1);
    if (!strcmp(r->answer.rule, "judge")) buf_printf(b, ", \"judged\": %s", r->match.correct ? "true" : "false");
    if (r->judge_text) add_text(b, "judge_text", r->judge_text);
    if (r->finish_reason) add_origin(b, r);
    buf_str(b, "}\n");
    free(gold);
}

static int save(const char *dir, const char *name, const Buf *b, Err *err)
{
    char *path = path_join(dir, name);
    int rc = file_save(path, b->data ? b->data : "", b->len, err);
    free(path);
    return rc;
}

int results_write(const char *dir, const EvalRun *run, const Summary *s, const Comparison *versus, Err *err)
{
    Buf b = {0};
    if (dir_create(dir, err)) return -1;
    for (int i = 0; i < run->response.n; i++) sample_line(&b, run, &run->response.at[i]);
    int rc = save(dir, "samples.jsonl", &b, err);
    buf_clear(&b);
    if (rc == 0) report_html(&b, run, s, versus);
    if (rc == 0) rc = save(dir, "report.html", &b, err);
    buf_clear(&b);
    results_json(&b, run, s, versus);
    if (rc == 0) rc = save(dir, "results.json", &b, err);
    buf_release(&b);
    return rc;
}
