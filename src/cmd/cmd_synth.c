/* osler synth: training data out of models' answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/interrupt.h"
#include "cmd/judge_summary.h"
#include "synth/model_judge.h"
#include "synth/orchestrate.h"
#include "synth/prefer.h"

typedef struct SynthOpts {
    Common common;
    char *data, *samples, *blind, *baseline, *out, *teacher, *judge, *server_model;
    StrList without, against;
    int64_t n, gap, traces, max_new_tokens, max_batch, parallel, min_words, max_words;
    double temperature, top_p, timeout, max_share;
    double bad_reasoning, length_ratio, length_balance, min_pass, max_pass, max_blind;
} SynthOpts;

#define AT(field) offsetof(SynthOpts, field)
static const Opt TABLE[] = {
    {"samples", OPT_PATH, AT(samples), .required = true,
     .help = "a model's answers: samples.jsonl of osler eval --n K"},
    {"data", OPT_PATH, AT(data), .help = "judge, prefer: the cases with their findings, data.jsonl of osler phantom"},
    {"out", OPT_PATH, AT(out),
     .help = "folder to write: data.jsonl and report.json; of judge scores.jsonl and summary.json"},
    {"n", OPT_INT, AT(n), .def = "0", .min = 0, .max = 1e8,
     .help = "samples at most; 0: orchestrate 2000, prefer 1500"},
    {"min_pass", OPT_REAL, AT(min_pass), .def = "0.125", .min = 0, .max = 1,
     .help = "right answers to a question, at least"},
    {"max_pass", OPT_REAL, AT(max_pass), .def = "-1", .min = -1, .max = 1,
     .help = "at most; -1: orchestrate 0.75, prefer 0.875"},
    {"teacher", OPT_TEXT, AT(teacher), .group = "Another model",
     .help = "orchestrate: who reasons: http(s)://... of an OpenAI-compatible server (the key is read from the "
             "environment variable OSLER_API_KEY), or a checkpoint directory"},
    {"judge", OPT_TEXT, AT(judge),
     .help = "judge, prefer: a multimodal model, given likewise, whose scores decide in place of the rules'"},
    {"server_model", OPT_TEXT, AT(server_model), .help = "the server's name for the model"},
    {"traces", OPT_INT, AT(traces), .def = "1", .min = 1, .max = 64, .help = "orchestrate: tries at a question"},
    {"temperature", OPT_REAL, AT(temperature), .def = "0.7", .min = 0, .max = 100,
     .help = "of the teacher; 0: greedy. A judge is greedy"},
    {"top_p", OPT_REAL, AT(top_p), .def = "0.95", .min = 1e-6, .max = 1, .help = "of the teacher"},
    {"max_new_tokens", OPT_INT, AT(max_new_tokens), .def = "4096", .min = 1, .max = 1e6, .help = "of a reply"},
    {"max_batch", OPT_INT, AT(max_batch), .def = "32", .min = 1, .max = 4096,
     .help = "replies of a checkpoint that grow together"},
    {"parallel", OPT_INT, AT(parallel), .def = "8", .min = 1, .max = 64, .help = "requests to a server at once"},
    {"timeout", OPT_REAL, AT(timeout), .def = "600", .min = 0.1, .max = 3600, .help = "seconds of a request"},
    {"min_words", OPT_INT, AT(min_words), .def = "200", .min = 0, .max = 1e6, .group = "Traces (orchestrate)",
     .help = "of the thinking, at least"},
    {"max_words", OPT_INT, AT(max_words), .def = "2200", .min = 1, .max = 1e6, .help = "at most"},
    {"max_share", OPT_REAL, AT(max_share), .def = "0.15", .min = 0, .max = 1, .help = "of a subject; 1: no limit"},
    {"against", OPT_LIST, AT(against),
     .help = "test files: questions that share 13 words in a row with them are left out"},
    {"without", OPT_LIST, AT(without), .group = "Judging (judge, prefer)",
     .help = "criteria that do not count: consistency, image_use, no_hallucination, reflection"},
    {"baseline", OPT_PATH, AT(baseline), .help = "judge: the out folder of an earlier judging, to compare with"},
    {"blind", OPT_PATH, AT(blind), .group = "Pairs (prefer)",
     .help = "answers to the same cases without their pictures: what they get right needs no picture"},
    {"gap", OPT_INT, AT(gap), .def = "2", .min = 1, .max = 8, .help = "points between chosen and rejected, at least"},
    {"bad_reasoning", OPT_REAL, AT(bad_reasoning), .def = "0.3", .min = 0, .max = 1,
     .help = "share of pairs that reject a right answer for its reasoning, where there are such"},
    {"length_ratio", OPT_REAL, AT(length_ratio), .def = "0.5", .min = 0, .max = 1,
     .help = "greatest difference of a pair's lengths, as a share of the longer"},
    {"length_balance", OPT_REAL, AT(length_balance), .def = "0.1", .min = 0, .max = 1e6,
     .help = "greatest difference of the mean lengths, as a share"},
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

/* The options of a teacher or a judge at `where`; of a judge n 1 and temperature 0. */
static TeacherOptions teacher_options(const SynthOpts *o, const char *name, const char *where, const char *cache)
{
    bool judge = !strcmp(name, "judge");
    TeacherOptions t = TEACHER_DEFAULTS;
    t.name = name;
    t.where = where;
    t.model = o->server_model;
    t.key = getenv("OSLER_API_KEY");
    t.parallel = (int)o->parallel;
    t.timeout_s = o->timeout;
    t.generate.n = judge ? 1 : (int)o->traces;
    t.generate.max_new_tokens = (int)o->max_new_tokens;
    t.generate.max_batch = (int)o->max_batch;
    t.generate.sampling.temperature = judge ? 0 : o->temperature;
    t.generate.sampling.top_p = o->top_p;
    t.generate.sampling.seed = (uint64_t)o->common.seed;
    t.engine = (EngineOptions){.dtype = common_dtype(&o->common), .check_later = true};
    t.cache = cache;
    t.stop = interrupted;
    return t;
}

/* ---- judge ------------------------------------------------------------------------------------------------------- */

static void print_agreement(const JudgeReport *r)
{
    printf("%-17s %7d answers, %d replies could not be read\n", "judge", r->answers, r->unread);
    for (int k = 0; r->both && k < MMRP_CRITERIA; k++)
        printf("%-17s %7.3f kappa with the rules\n", MMRP_NAME[k], r->kappa[k]);
}

static int ask_judge(const SynthOpts *o, Candidates *c, Err *err)
{
    JudgeReport r;
    char *cache = path_join(o->out, "judge.jsonl");
    const TeacherOptions t = teacher_options(o, "judge", o->judge, cache);
    int rc = dir_create(o->out, err);
    interrupt_begin();
    if (rc == 0) rc = judge_by_model(&r, c, &t, err);
    interrupt_end();
    if (rc > 0) log_warn("interrupted: the judge's replies so far are kept; the same command goes on");
    if (rc == 0) rc = judge_report_write(o->out, &r, &t, err);
    if (rc == 0) print_agreement(&r);
    free(cache);
    return rc;
}

/* What is left of the answers has its scores. */
static int judge(const SynthOpts *o, const Candidates *c, unsigned mask, Err *err)
{
    JudgeSummary s;
    if (judge_summary(&s, c, mask, o->baseline, (uint64_t)o->common.seed, err)) return -1;
    if (o->out && (candidates_write(o->out, c, err) || judge_summary_write(o->out, &s, mask, err))) return -1;
    judge_summary_print(&s, mask);
    return 0;
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
    if (o->blind && candidates_load(&blind, o->data, o->blind, o->judge, err)) return -1;
    PreferOptions p = {.n = o->n ? (int)o->n : 1500,
                       .criteria = mask,
                       .gap = (int)o->gap,
                       .bad_reasoning = o->bad_reasoning,
                       .length_ratio = o->length_ratio,
                       .length_balance = o->length_balance,
                       .min_pass = o->min_pass,
                       .max_pass = o->max_pass < 0 ? 0.875 : o->max_pass,
                       .max_blind = o->max_blind,
                       .seed = (uint64_t)o->common.seed};
    prefer_pairs(&r, c, o->blind ? &blind : NULL, &p);
    int rc = prefer_write(o->out, &r, c, err);
    if (rc == 0) print_pairs(&r);
    prefer_release(&r);
    if (o->blind) candidates_release(&blind);
    return rc;
}

/* ---- orchestrate ------------------------------------------------------------------------------------------------- */

static void print_kept(const Orchestrate *r)
{
    printf("%-27s %6d of %d questions\n", "kept", r->kept, r->n);
    for (int i = 0; i < ORCHESTRATE_DROPS; i++)
        if (r->dropped[i]) printf("%-27s %6d\n", ORCHESTRATE_DROP_NAME[i], r->dropped[i]);
    printf("%-27s %6d, %d of them asked for now, %lld tokens\n", "traces", r->count.replies, r->count.asked,
           (long long)r->count.tokens);
}

static int teach(const SynthOpts *o, const OrchestrateOptions *t, Err *err)
{
    Orchestrate r;
    interrupt_begin();
    int rc = orchestrate(&r, o->samples, t, err);
    interrupt_end();
    if (rc > 0) log_warn("interrupted: the teacher's replies so far are kept; the same command goes on");
    if (rc == 0) rc = orchestrate_write(o->out, &r, t, err);
    if (rc == 0) print_kept(&r);
    if (rc == 0 && r.kept < t->n) log_warn("%d samples were wanted, and %d are there", t->n, r.kept);
    orchestrate_release(&r);
    return rc;
}

static int run_orchestrate(const SynthOpts *o, Err *err)
{
    if (!o->out || !o->teacher) return usage_error(err, "orchestrate needs --teacher WHERE and --out DIR");
    char *cache = path_join(o->out, "teacher.jsonl");
    const OrchestrateOptions t = {.teacher = teacher_options(o, "teacher", o->teacher, cache),
                                  .n = o->n ? (int)o->n : 2000,
                                  .min_pass = o->min_pass,
                                  .max_pass = o->max_pass < 0 ? 0.75 : o->max_pass,
                                  .max_share = o->max_share,
                                  .min_words = (int)o->min_words,
                                  .max_words = (int)o->max_words,
                                  .against = &o->against,
                                  .seed = (uint64_t)o->common.seed};
    int rc = teacher_check(&t.teacher, err) || dir_create(o->out, err) ? -1 : teach(o, &t, err);
    free(cache);
    return rc;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static int judge_or_prefer(const SynthOpts *o, Candidates *c, bool pairs, unsigned mask, Err *err)
{
    int rc = o->judge ? ask_judge(o, c, err) : 0;
    if (rc) return rc;
    if (pairs) return prefer(o, c, mask, err);
    return judge(o, c, mask, err);
}

static int run_judging(const SynthOpts *o, bool pairs, Err *err)
{
    unsigned mask;
    Candidates c;
    if (!o->data) return usage_error(err, "judge and prefer need --data CASES.jsonl");
    if ((pairs || o->judge) && !o->out) return usage_error(err, "%s needs --out DIR", pairs ? "prefer" : "a judge");
    if (o->judge) {
        const TeacherOptions t = teacher_options(o, "judge", o->judge, NULL);
        if (teacher_check(&t, err)) return -1;
    }
    if (read_criteria(&mask, &o->without, err) || candidates_load(&c, o->data, o->samples, o->judge, err)) return -1;
    int rc = judge_or_prefer(o, &c, pairs, mask, err);
    candidates_release(&c);
    return rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const SynthOpts *o = opts;
    const char *task = operands->n == 1 ? operands->at[0] : "";
    if (!strcmp(task, "orchestrate")) return run_orchestrate(o, err);
    bool pairs = !strcmp(task, "prefer");
    if (!pairs && strcmp(task, "judge")) return usage_error(err, "say what: osler synth orchestrate, judge or prefer");
    return run_judging(o, pairs, err);
}

const Verb VERB_SYNTH = {
    .name = "synth",
    .about = "judges models' answers and makes training data out of them",
    .usage = "osler synth orchestrate|judge|prefer --samples SAMPLES.jsonl [--data CASES.jsonl] [--out DIR]",
    .details = "orchestrate has a teacher write worked reasoning for questions of text; judge scores reasoning by the "
               "four criteria of MMRP; prefer makes preference pairs for osler train "
               "method=dpo.",
    .table = TABLE,
    .size = sizeof(SynthOpts),
    .run = run,
};
