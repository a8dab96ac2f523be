#include "eval/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "reward/lexemes.h"
#include "table/json_rows.h"

/* ---- tallies ----------------------------------------------------------------------------------------------------- */

static void tally_add(Tally *t, const EvalResponse *r)
{
    t->n++;
    t->items += r->draw == 0;
    t->correct += r->match.correct;
    t->unparsed += r->answer.state == ANSWER_UNPARSED;
    t->abstained += r->answer.state == ANSWER_ABSTAINED;
    t->unended += r->answer.state == ANSWER_UNENDED;
}

static void tally_finish(Tally *t)
{
    t->accuracy = t->n ? (double)t->correct / t->n : 0;
    t->ci = wilson_interval(t->accuracy * t->items, t->items);
}

static Tally *named(Named **list, int *n, Map *index, const char *name)
{
    int64_t at;
    if (!map_get_str(index, name, &at)) {
        at = *n;
        map_set_str(index, name, at);
        *list = xrealloc(*list, (size_t)(*n + 1) * sizeof **list);
        (*list)[(*n)++] = (Named){.name = xstrdup(name)};
    }
    return &(*list)[at].tally;
}

static void fill_tallies(Summary *s, const EvalRun *run)
{
    Map groups = {0}, rules = {0};
    for (int i = 0; i < run->response.n; i++) {
        const EvalResponse *r = &run->response.at[i];
        const EvalItem *item = &run->item.at[r->item];
        bool open = item_is_open(item);
        tally_add(&s->all, r);
        tally_add(open ? &s->open : &s->closed, r);
        for (int g = 0; g < item->n_groups; g++)
            tally_add(named(&s->group.at, &s->group.n, &groups, item->groups[g]), r);
        tally_add(named(&s->rule.at, &s->rule.n, &rules, r->answer.rule), r);
        if (!open) continue;
        s->exact += r->match.exact;
        s->f1 += r->match.f1;
        s->bleu1 += r->match.bleu1;
    }
    tally_finish(&s->all);
    tally_finish(&s->closed);
    tally_finish(&s->open);
    for (int i = 0; i < s->group.n; i++) tally_finish(&s->group.at[i].tally);
    for (int i = 0; i < s->rule.n; i++) {
        s->rule.at[i].tally.items = s->rule.at[i].tally.n; /* a question may be read by several rules */
        tally_finish(&s->rule.at[i].tally);
    }
    int n = s->open.n ? s->open.n : 1;
    s->exact /= n, s->f1 /= n, s->bleu1 /= n;
    map_release(&groups);
    map_release(&rules);
}

/* ---- votes ------------------------------------------------------------------------------------------------------- */

/* Responses of each item: index[first[i] .. first[i + 1]) in the order of the draws. */
typedef struct Draws {
    int *first, *index;
} Draws;

static Draws draws_of(const EvalRun *run)
{
    Draws d = {xcalloc((size_t)run->item.n + 1, sizeof(int)), xcalloc((size_t)run->response.n + 1, sizeof(int))};
    for (int i = 0; i < run->item.n; i++) d.first[i + 1] = d.first[i] + run->item.at[i].n_responses;
    for (int i = 0; i < run->response.n; i++) d.index[d.first[run->response.at[i].item] + run->response.at[i].draw] = i;
    return d;
}

/* Whether the most frequent vote among the first k draws of an item is right. */
static bool majority_right(const EvalRun *run, const int *index, int k)
{
    int best = -1, most = 0;
    for (int i = 0; i < k; i++) {
        const EvalResponse *r = &run->response.at[index[i]];
        int votes = 0;
        for (int j = 0; r->vote && j < k; j++) {
            const char *other = run->response.at[index[j]].vote;
            votes += other && !strcmp(other, r->vote);
        }
        if (votes > most) most = votes, best = i;
    }
    return best >= 0 && run->response.at[index[best]].match.correct;
}

static int count_right(const EvalRun *run, const int *index, int n)
{
    int right = 0;
    for (int i = 0; i < n; i++) right += run->response.at[index[i]].match.correct;
    return right;
}

static Vote vote_over(const EvalRun *run, const Draws *d, int k)
{
    Vote v = {.k = k};
    for (int i = 0; i < run->item.n; i++) {
        int n = run->item.at[i].n_responses;
        if (n < k) continue;
        const int *index = d->index + d->first[i];
        int right = count_right(run, index, n);
        v.items++;
        v.avg += (double)right / n;
        v.maj += majority_right(run, index, k);
        v.pass += pass_at_k(n, right, k);
    }
    v.avg_ci = wilson_interval(v.avg, v.items);
    v.maj_ci = wilson_interval(v.maj, v.items);
    v.pass_ci = wilson_interval(v.pass, v.items);
    int n = v.items ? v.items : 1;
    v.avg /= n, v.maj /= n, v.pass /= n;
    return v;
}

static void fill_votes(Summary *s, const EvalRun *run)
{
    int most = 0;
    for (int i = 0; i < run->item.n; i++)
        if (run->item.at[i].n_responses > most) most = run->item.at[i].n_responses;
    if (most < 2) return;
    Draws d = draws_of(run);
    for (int k = 1; k < most; k *= 2) vec_push(&s->vote, vote_over(run, &d, k));
    vec_push(&s->vote, vote_over(run, &d, most));
    free(d.first);
    free(d.index);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const Named *)x)->name, ((const Named *)y)->name);
}

/* The most frequent first. */
static int by_count(const void *x, const void *y)
{
    const Named *a = x, *b = y;
    return a->tally.n != b->tally.n ? (a->tally.n < b->tally.n ? 1 : -1) : strcmp(a->name, b->name);
}

void summary_fill(Summary *s, const EvalRun *run)
{
    *s = (Summary){0};
    fill_tallies(s, run);
    fill_votes(s, run);
    if (s->group.n) qsort(s->group.at, (size_t)s->group.n, sizeof *s->group.at, by_name);
    if (s->rule.n) qsort(s->rule.at, (size_t)s->rule.n, sizeof *s->rule.at, by_count);
}

void summary_release(Summary *s)
{
    for (int i = 0; i < s->group.n; i++) free(s->group.at[i].name);
    for (int i = 0; i < s->rule.n; i++) free(s->rule.at[i].name);
    free(s->group.at);
    free(s->rule.at);
    free(s->vote.at);
    *s = (Summary){0};
}

/* ---- against a baseline ------------------------------------------------------------------------------------------ */

void run_verdicts(ItemVerdict *out, const EvalRun *run)
{
    Draws d = draws_of(run);
    for (int i = 0; i < run->item.n; i++) {
        int n = run->item.at[i].n_responses;
        const int *index = d.index + d.first[i];
        out[i] = (ItemVerdict){n ? (double)count_right(run, index, n) / n : 0, majority_right(run, index, n)};
    }
    free(d.first);
    free(d.index);
}

/* A line of samples.jsonl: as much of it as verdicts need. */
static int add_sample(EvalRun *run, const json_t *row, Err *err)
{
    const char *id = NULL, *extracted = NULL;
    bool correct = false;
    if (!json_is_object(row)) return err_set(err, "a row must be an object, got %s", json_kind(row));
    if (json_get_str(row, "id", &id, true, err) || json_get_bool(row, "correct", &correct, true, err)) return -1;
    if (json_is_string(json_object_get(row, "extracted")))
        extracted = json_string_value(json_object_get(row, "extracted"));
    int64_t at = run->item.n;
    if (!map_get_str(&run->by_id, id, &at)) {
        map_set_str(&run->by_id, id, at);
        vec_push(&run->item, ((EvalItem){.id = xstrdup(id)}));
    }
    EvalResponse r = {.item = (int)at, .draw = run->item.at[at].n_responses++, .match.correct = correct};
    if (extracted) r.vote = text_normal(extracted, strlen(extracted));
    vec_push(&run->response, r);
    return 0;
}

static int load_samples(EvalRun *run, const char *path, Err *err)
{
    FileMap file = {0};
    JsonRows rows;
    json_t *row;
    Err why = {0};
    if (file_map(&file, path, err)) return err_hint(err, "the baseline is the --out folder of an earlier run");
    int more = 0, rc = json_rows_open(&rows, path, (const char *)file.data, file.size, err);
    char place[512];
    while (rc == 0 && (more = json_rows_next(&rows, &row, &why, err)) == 1) {
        rc = row ? add_sample(run, row, err) : err_set(err, "%s", why.msg);
        if (rc) err_context(err, "%s", row_place(place, sizeof place, rows.at));
        json_decref(row);
    }
    file_unmap(&file);
    return rc || more < 0 ? -1 : 0;
}

static void compare_runs(Comparison *c, const EvalRun *run, const EvalRun *base)
{
    ItemVerdict *here = xcalloc((size_t)run->item.n + 1, sizeof *here),
                *there = xcalloc((size_t)base->item.n + 1, sizeof *there);
    double *diff = xcalloc((size_t)run->item.n + 1, sizeof *diff);
    run_verdicts(here, run);
    run_verdicts(there, base);
    for (int i = 0; i < run->item.n; i++) {
        int64_t k;
        if (!map_get_str(&base->by_id, run->item.at[i].id, &k)) continue;
        c->here += here[i].share;
        c->baseline += there[k].share;
        c->gained += here[i].majority && !there[k].majority;
        c->lost += !here[i].majority && there[k].majority;
        diff[c->common++] = here[i].share - there[k].share;
    }
    c->only_here = run->item.n - c->common;
    c->only_baseline = base->item.n - c->common;
    if (c->common) c->here /= c->common, c->baseline /= c->common;
    c->difference = paired_bootstrap(diff, c->common, run->seed);
    c->p = mcnemar_exact(c->gained, c->lost);
    free(here);
    free(there);
    free(diff);
}

int compare_with(Comparison *c, const EvalRun *run, const char *dir, Err *err)
{
    EvalRun base = {0};
    *c = (Comparison){0};
    char *path = path_join(dir, "samples.jsonl");
    int rc = load_samples(&base, path, err);
    if (rc == 0) compare_runs(c, run, &base);
    if (rc == 0 && c->common == 0) {
        err_set(err, "%s: no id of the baseline occurs in this run", path);
        rc = err_hint(err, "a baseline has answered the same questions");
    }
    free(path);
    run_release(&base);
    return rc;
}
