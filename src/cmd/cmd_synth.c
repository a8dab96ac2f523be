/* osler synth: training data out of models' answers. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "synth/prefer.h"

typedef struct SynthOpts {
    Common common;
    char *data, *samples, *blind, *out;
    StrList without;
    int64_t n, gap;
    double bad_reasoning, length_ratio, length_balance, min_pass, max_pass, max_blind;
} SynthOpts;

#define AT(field) offsetof(SynthOpts, field)
static const Opt TABLE[] = {
    {"data", OPT_PATH, AT(data), .required = true, .help = "cases with their findings: data.jsonl of osler phantom"},
    {"samples", OPT_PATH, AT(samples), .required = true, .help = "answers to them: samples.jsonl of osler eval --n K"},
    {"without", OPT_LIST, AT(without),
     .help = "criteria that do not count: consistency, image_use, no_hallucination, reflection"},
    {"out", OPT_PATH, AT(out), .help = "folder to write: judge scores.jsonl; prefer data.jsonl, report.json"},
    {"blind", OPT_PATH, AT(blind), .group = "Pairs (prefer only)",
     .help = "answers to the same cases without their pictures: what they get right needs no picture"},
    {"n", OPT_INT, AT(n), .def = "1500", .min = 1, .max = 1e8, .help = "pairs at most"},
    {"gap", OPT_INT, AT(gap), .def = "2", .min = 1, .max = 8, .help = "points between chosen and rejected, at least"},
    {"bad_reasoning", OPT_REAL, AT(bad_reasoning), .def = "0.3", .min = 0, .max = 1,
     .help = "share of pairs that reject a right answer for its reasoning, where there are such"},
    {"length_ratio", OPT_REAL, AT(length_ratio), .def = "0.5", .min = 0, .max = 1,
     .help = "greatest difference of a pair's lengths, as a share of the longer"},
    {"length_balance", OPT_REAL, AT(length_balance), .def = "0.1", .min = 0, .max = 1e6,
     .help = "greatest difference of the mean lengths, as a share"},
    {"min_pass", OPT_REAL, AT(min_pass), .def = "0.125", .min = 0, .max = 1,
     .help = "right answers to a case, at least"},
    {"max_pass", OPT_REAL, AT(max_pass), .def = "0.875", .min = 0, .max = 1, .help = "at most"},
    {"max_blind", OPT_REAL, AT(max_blind), .def = "0.75", .min = 0, .max = 1,
     .help = "right answers without the picture from which on a case is left out"},
    SEED_ROW(SynthOpts),
    GENERAL_ROWS(SynthOpts),
    {0},
};

static int read_criteria(unsigned *mask, const StrList *without, Err *err)
{
    *mask = MMRP_ALL;
    for (int i = 0; i < without->n; i++) {
        int k = 0;
        while (k < MMRP_CRITERIA && strcmp(without->at[i], MMRP_NAME[k])) k++;
        if (k == MMRP_CRITERIA) {
            const char *near = nearest_word(without->at[i], MMRP_NAME, MMRP_CRITERIA);
            usage_error(err, "unknown criterion '%s'", without->at[i]);
            return near ? err_hint(err, "did you mean %s?", near) : -1;
        }
        *mask &= ~(1u << k);
    }
    return *mask ? 0 : usage_error(err, "without: no criterion is left");
}

/* ---- judge ------------------------------------------------------------------------------------------------------- */

static void print_means(const Candidates *c, unsigned mask)
{
    double sum[MMRP_CRITERIA] = {0};
    int n = 0, right = 0, cases = 0;
    for (int i = 0; i < c->n; i++) {
        cases += c->at[i].answer.n > 0;
        right += candidates_right(&c->at[i]);
        for (int a = 0; a < c->at[i].answer.n; a++, n++)
            for (int k = 0; k < MMRP_CRITERIA; k++) sum[k] += c->at[i].answer.at[a].score.score[k];
    }
    double all = 0;
    printf("%-17s %7d to %d cases, %.1f %% right\n", "answers", n, cases, n ? 100.0 * right / n : 0);
    for (int k = 0; k < MMRP_CRITERIA; k++) {
        if (!(mask >> k & 1)) continue;
        all += n ? sum[k] / n : 0;
        printf("%-17s %7.3f of 2\n", MMRP_NAME[k], n ? sum[k] / n : 0);
    }
    printf("%-17s %7.3f\n", "sum", all);
}

/* ---- prefer ------------------------------------------------------------------------------------------------------ */

static void print_pairs(const PreferResult *r)
{
    int right = 0;
    for (int i = 0; i < r->n; i++) right += r->pair[i].right;
    printf("%-22s %6d from %d cases, %d of them reject a right answer\n", "pairs", r->n, r->cases, right);
    for (int i = 0; i < PREFER_DROPS; i++)
        if (r->dropped[i]) printf("%-22s %6d\n", PREFER_DROP_NAME[i], r->dropped[i]);
    printf("%-22s %6.1f chosen, %.1f rejected\n", "mean length", r->length[0], r->length[1]);
}

static int prefer(const SynthOpts *o, const Candidates *c, unsigned mask, Err *err)
{
    Candidates blind;
    PreferResult r;
    if (!o->out) return usage_error(err, "prefer needs --out DIR");
    if (o->blind && candidates_load(&blind, o->data, o->blind, err)) return -1;
    PreferOptions p = {.n = (int)o->n,
                       .criteria = mask,
                       .gap = (int)o->gap,
                       .bad_reasoning = o->bad_reasoning,
                       .length_ratio = o->length_ratio,
                       .length_balance = o->length_balance,
                       .min_pass = o->min_pass,
                       .max_pass = o->max_pass,
                       .max_blind = o->max_blind,
                       .seed = (uint64_t)o->common.seed};
    prefer_pairs(&r, c, o->blind ? &blind : NULL, &p);
    int rc = prefer_write(o->out, &r, c, err);
    if (rc == 0) print_pairs(&r);
    prefer_release(&r);
    if (o->blind) candidates_release(&blind);
    return rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const SynthOpts *o = opts;
    unsigned mask;
    Candidates c;
    const char *task = operands->n == 1 ? operands->at[0] : "";
    bool pairs = !strcmp(task, "prefer");
    if (!pairs && strcmp(task, "judge")) return usage_error(err, "say what: osler synth judge, or osler synth prefer");
    if (read_criteria(&mask, &o->without, err) || candidates_load(&c, o->data, o->samples, err)) return -1;
    int rc = 0;
    if (pairs) rc = prefer(o, &c, mask, err);
    else if (o->out) rc = candidates_write(o->out, &c, err);
    if (rc == 0 && !pairs) print_means(&c, mask);
    candidates_release(&c);
    return rc;
}

const Verb VERB_SYNTH = {
    .name = "synth",
    .about = "judges models' answers and makes training data out of them",
    .usage = "osler synth judge|prefer --data CASES.jsonl --samples SAMPLES.jsonl [--out DIR]",
    .details = "judge scores reasoning by the four criteria of MMRP; prefer makes preference pairs for osler train "
               "method=dpo.",
    .table = TABLE,
    .size = sizeof(SynthOpts),
    .run = run,
};
