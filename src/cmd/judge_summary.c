#include "cmd/judge_summary.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "synth/json_cases.h"

/* ---- an earlier judging ------------------------------------------------------------------------------------------ */

typedef struct Earlier {
    unsigned mask;
    Map of; /* id -> number in sum */
    struct CaseSum {
        double all;
        int n;
    } * sum;
    int n;
} Earlier;

static int take_row(void *arg, json_t *row, Err *err)
{
    Earlier *e = arg;
    int64_t at = e->n;
    const char *id = row_need_text(row, "id", err);
    if (!id) return -1;
    if (!map_get_str(&e->of, id, &at)) {
        e->sum = xrealloc(e->sum, sizeof *e->sum * (size_t)(e->n + 1));
        e->sum[e->n++] = (struct CaseSum){0};
        map_set_str(&e->of, id, at);
    }
    e->sum[at].n++;
    for (int k = 0; k < MMRP_CRITERIA; k++) {
        int score;
        if (!(e->mask >> k & 1)) continue;
        if (json_get_int(row, MMRP_NAME[k], &score, true, err)) return -1;
        e->sum[at].all += score;
    }
    return 0;
}

static int earlier_load(Earlier *e, const char *dir, unsigned mask, Err *err)
{
    *e = (Earlier){.mask = mask};
    char *path = path_join(dir, "scores.jsonl");
    int rc = rows_each(path, take_row, e, err);
    free(path);
    return rc ? err_context(err, "baseline") : 0;
}

/* ---- means ------------------------------------------------------------------------------------------------------- */

static double case_mean(const CandidateCase *c, unsigned mask)
{
    double all = 0;
    for (int a = 0; a < c->answer.n; a++) all += mmrp_sum(&c->answer.at[a].score, mask);
    return all / c->answer.n;
}

static void count(JudgeSummary *s, const Candidates *c)
{
    for (int i = 0; i < c->n; i++) {
        s->cases += c->at[i].answer.n > 0;
        s->right += candidates_right(&c->at[i]);
        for (int a = 0; a < c->at[i].answer.n; a++, s->answers++)
            for (int k = 0; k < MMRP_CRITERIA; k++) s->mean[k] += c->at[i].answer.at[a].score.score[k];
    }
    for (int k = 0; s->answers && k < MMRP_CRITERIA; k++) s->mean[k] /= s->answers;
    if (s->answers) s->right /= s->answers;
}

/* x: room for the number of every case. */
static void compare(JudgeSummary *s, double *x, const Candidates *c, const Earlier *e, uint64_t seed)
{
    s->common = 0;
    for (int i = 0; i < c->n; i++) {
        const char *id = json_string_value(json_object_get(c->at[i].row, "id"));
        int64_t at;
        if (!c->at[i].answer.n || !id || !map_get_str(&e->of, id, &at)) continue;
        x[s->common++] = case_mean(&c->at[i], e->mask) - e->sum[at].all / e->sum[at].n;
    }
    s->difference = paired_bootstrap(x, s->common, seed);
}

int judge_summary(JudgeSummary *s, const Candidates *c, unsigned mask, const char *baseline, uint64_t seed, Err *err)
{
    Earlier e = {0};
    *s = (JudgeSummary){.common = -1};
    if (baseline && earlier_load(&e, baseline, mask, err)) {
        map_release(&e.of);
        free(e.sum);
        return -1;
    }
    double *x = xcalloc((size_t)c->n + 1, sizeof *x);
    int n = 0;
    count(s, c);
    for (int i = 0; i < c->n; i++)
        if (c->at[i].answer.n) x[n++] = case_mean(&c->at[i], mask);
    s->sum = paired_bootstrap(x, n, seed);
    if (baseline) compare(s, x, c, &e, seed);
    map_release(&e.of);
    free(e.sum);
    free(x);
    return 0;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static json_t *mean_of(const Paired *p)
{
    return json_pack("{s:f, s:[f, f]}", "mean", p->mean, "ci95", p->ci.lo, p->ci.hi);
}

int judge_summary_write(const char *dir, const JudgeSummary *s, unsigned mask, Err *err)
{
    json_t *j = json_pack("{s:i, s:i, s:f}", "answers", s->answers, "cases", s->cases, "right", s->right);
    for (int k = 0; k < MMRP_CRITERIA; k++)
        if (mask >> k & 1) json_object_set_new(j, MMRP_NAME[k], json_real(s->mean[k]));
    json_object_set_new(j, "sum", mean_of(&s->sum));
    if (s->common >= 0) {
        json_object_set_new(j, "difference", mean_of(&s->difference));
        json_object_set_new(j, "common_cases", json_integer(s->common));
    }
    return json_save(dir, "summary.json", j, err);
}

void judge_summary_print(const JudgeSummary *s, unsigned mask)
{
    printf("%-17s %7d to %d cases, %.1f %% right\n", "answers", s->answers, s->cases, 100 * s->right);
    for (int k = 0; k < MMRP_CRITERIA; k++)
        if (mask >> k & 1) printf("%-17s %7.3f of 2\n", MMRP_NAME[k], s->mean[k]);
    printf("%-17s %7.3f  [%.3f, %.3f]\n", "sum", s->sum.mean, s->sum.ci.lo, s->sum.ci.hi);
    if (s->common >= 0)
        printf("against the baseline: %+.3f [%+.3f, %+.3f] (%d common cases)\n", s->difference.mean,
               s->difference.ci.lo, s->difference.ci.hi, s->common);
}
