/* osler eval: answers of a model, or of others; how good they are, and how sure that is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rng.h"
#include "cmd/interrupt.h"
#include "cmd/model_opts.h"
#include "eval/answering.h"
#include "eval/answering_plan.h"
#include "eval/benchmark.h"
#include "eval/judge.h"
#include "eval/leak.h"
#include "eval/picture_use.h"
#include "eval/results.h"
#include "reward/self_test.h"
#include "weights/peft.h"

typedef struct EvalOpts {
    Common common;
    ModelOpts model;
    SamplingOpts sampling;
    char *responses, *out, *baseline, *benchmark, *data, *system, *judge, *judge_model;
    StrList leak;
    int64_t limit, think_budget, judge_tokens, judge_parallel, plan_tokens;
    double judge_timeout;
    int scoring, prompt, limit_by, pictures, decode_weights;
    bool self_test, overwrite, plan;
} EvalOpts;

enum { LIMIT_FIRST, LIMIT_SEED };
/* Many greedy answers to one question are one answer many times. */
static const double MANY_TEMPERATURE = 0.7;

#define AT(field) offsetof(EvalOpts, field)
static const Opt TABLE[] = {
    CHECKPOINT_ROWS(EvalOpts, false),
    {"benchmark", OPT_TEXT, AT(benchmark), .group = "Questions",
     .help = "a public benchmark by name (docs/benchmarks.md); with responses: the name that the results carry"},
    {"data", OPT_PATH, AT(data),
     .help = "the benchmark's file or folder; without one, JSON lines with question, kind, options, answer, images"},
    {"limit", OPT_INT, AT(limit), .def = "0", .min = 0, .max = 1e9, .help = "at most so many questions; 0: all"},
    {"limit_by", OPT_ENUM, AT(limit_by), .def = "first", .choices = "first|seed",
     .help = "which: the first ones, or a sample that the seed decides"},
    {"prompt", OPT_ENUM, AT(prompt), .def = "direct", .choices = PROMPT_CHOICES,
     .help = "the answer at once, after thinking in <think>, or after reasoning in \\boxed{}"},
    {"pictures", OPT_ENUM, AT(pictures), .def = "given", .choices = PICTURE_USE_CHOICES,
     .help = "what the model is shown: the question's own, another question's, gray ones, none; does it look at them?"},
    {"system", OPT_TEXT, AT(system), .help = "system prompt; where not given, the template's"},
    {"think_budget", OPT_INT, AT(think_budget), .def = "0", .min = 0, .max = 1e6,
     .help = "tokens after which thinking that has no end is ended, and the answer asked for; 0: never"},
    {"out", OPT_PATH, AT(out), .group = "Results", .help = "folder for results.json, samples.jsonl and report.html"},
    {"overwrite", OPT_BOOL, AT(overwrite), .def = "false",
     .help = "forget the answers that an interrupted run has left in out; else the same command goes on after them"},
    {"baseline", OPT_PATH, AT(baseline), .help = "the out folder of an earlier run, to compare with"},
    {"plan", OPT_BOOL, AT(plan), .def = "false",
     .help = "print the memory and the time that the answers would take, and end"},
    {"plan_tokens", OPT_INT, AT(plan_tokens), .def = "0", .min = 0, .max = 1e6,
     .help = "with plan: how long answers will be on average; 0: max_new_tokens"},
    {"scoring", OPT_ENUM, AT(scoring), .def = "strict", .choices = "strict|compat:medevalkit",
     .help = "strict abstains where readings compete; compat:medevalkit guesses as that tool does"},
    {"judge", OPT_TEXT, AT(judge), .group = "Judge",
     .help =
         "who decides on open answers that differ from gold: an OpenAI-compatible address (the key is read from the "
         "environment variable OSLER_API_KEY) or a checkpoint directory"},
    {"judge_model", OPT_TEXT, AT(judge_model), .help = "the server's name for the model"},
    {"judge_tokens", OPT_INT, AT(judge_tokens), .def = "512", .min = 1, .max = 1e6, .help = "the longest reply"},
    {"judge_parallel", OPT_INT, AT(judge_parallel), .def = "8", .min = 1, .max = 64,
     .help = "requests to a server at a time"},
    {"judge_timeout", OPT_REAL, AT(judge_timeout), .def = "120", .min = 0.1, .max = 3600,
     .help = "seconds that a server has for a reply; then it is asked again"},
    {"responses", OPT_PATH, AT(responses), .group = "Without a model",
     .help = "answers that were given: JSON lines with id, question, kind, options, answer, response"},
    {"leak", OPT_LIST, AT(leak),
     .help = "training files; with data: which test samples recur in them, into out/leak.json"},
    {"self_test", OPT_BOOL, AT(self_test), .def = "false", .help = "runs the adversarial cases of the answer reader"},
    SAMPLING_ROWS(EvalOpts),
    MANY_ROWS(EvalOpts),
    COMPUTE_ROWS(EvalOpts),
    DECODE_ROW(EvalOpts),
    SEED_ROW(EvalOpts),
    GENERAL_ROWS(EvalOpts),
    {0},
};

static void print_tally(const char *name, const Tally *t)
{
    printf("%-24s %6d %6.1f  [%5.1f, %5.1f]", name, t->n, 100 * t->accuracy, 100 * t->ci.lo, 100 * t->ci.hi);
    printf("  unparsed %d, abstained %d, unended %d\n", t->unparsed, t->abstained, t->unended);
}

static void print_summary(const EvalOpts *o, const EvalRun *run, const Summary *s, const Comparison *versus)
{
    printf("%-24s %6s %6s  %s\n", "", "n", "right", "95 % interval");
    print_tally("all", &s->all);
    if (s->closed.n && s->open.n) {
        print_tally("closed", &s->closed);
        print_tally("open", &s->open);
    }
    for (int i = 0; i < s->group.n; i++) print_tally(s->group.at[i].name, &s->group.at[i].tally);
    int forced = 0;
    for (int i = 0; i < run->response.n; i++) forced += run->response.at[i].forced;
    if (o->think_budget) printf("thinking ended at its budget: %d of %d\n", forced, run->response.n);
    if (s->open.n) printf("open: exact %.1f, F1 %.1f, BLEU-1 %.1f\n", 100 * s->exact, 100 * s->f1, 100 * s->bleu1);
    for (int i = 0; i < s->vote.n; i++) {
        const Vote *v = &s->vote.at[i];
        printf("draws %-3d  avg %.1f  maj %.1f  pass %.1f  (%d questions)\n", v->k, 100 * v->avg, 100 * v->maj,
               100 * v->pass, v->items);
    }
    if (versus)
        printf(
            "against the baseline: %+.1f points [%+.1f, %+.1f], gained %d, lost %d, p = %.3g (%d common questions)\n",
            100 * versus->difference.mean, 100 * versus->difference.ci.lo, 100 * versus->difference.ci.hi,
            versus->gained, versus->lost, versus->p, versus->common);
}

static TeacherOptions judge_options(const EvalOpts *o)
{
    TeacherOptions t = TEACHER_DEFAULTS;
    t.name = "judge";
    t.where = o->judge;
    t.model = o->judge_model;
    t.key = getenv("OSLER_API_KEY");
    t.parallel = (int)o->judge_parallel;
    t.timeout_s = o->judge_timeout;
    t.generate.max_new_tokens = (int)o->judge_tokens;
    t.generate.max_batch = (int)o->sampling.max_batch;
    t.engine = (EngineOptions){.dtype = common_dtype(&o->common), .check_later = true};
    t.stop = interrupted;
    return t;
}

static int ask_judge(const EvalOpts *o, EvalRun *run, Err *err)
{
    JudgeCount count;
    const TeacherOptions jo = judge_options(o);
    interrupt_begin();
    int rc = judge_responses(&count, run, o->out, &jo, err);
    interrupt_end();
    if (rc > 0) log_warn("interrupted: the judge's replies so far are kept; the same command goes on");
    if (rc == 0)
        log_note("judge: %d open answers (%d asked now), %d replies that say neither right nor wrong", count.responses,
                 count.asked, count.unread);
    return rc;
}

/* Judges and sums up what the run holds, compares, writes and prints it. */
static int conclude(const EvalOpts *o, EvalRun *run, Err *err)
{
    Summary s = {0};
    Comparison versus;
    int rc = o->judge ? ask_judge(o, run, err) : 0;
    if (rc) return rc;
    summary_fill(&s, run);
    rc = o->baseline ? compare_with(&versus, run, o->baseline, err) : 0;
    if (rc == 0) rc = results_write(o->out, run, &s, o->baseline ? &versus : NULL, err);
    if (rc == 0) print_summary(o, run, &s, o->baseline ? &versus : NULL);
    summary_release(&s);
    return rc;
}

static int score_responses(const EvalOpts *o, Err *err)
{
    EvalRun run = {.scoring = (Scoring)o->scoring, .seed = (uint64_t)o->common.seed};
    if (o->benchmark) run.name = xstrdup(o->benchmark);
    int rc = run_load_responses(&run, o->responses, err);
    if (rc == 0) rc = conclude(o, &run, err);
    run_release(&run);
    return rc;
}

/* ---- with a model ------------------------------------------------------------------------------------------------ */

static int load_questions(const EvalOpts *o, EvalRun *run, Err *err)
{
    if (benchmark_load(run, o->benchmark ? o->benchmark : "questions", o->data, err)) return -1;
    if (run->item.n == 0) return err_set(err, "%s: there is no question", o->data);
    if (o->limit == 0 || o->limit >= run->item.n) return 0;
    bool *keep = xcalloc((size_t)run->item.n, sizeof *keep);
    Rng r = rng_at((uint64_t)o->common.seed, RNG_SUBSET, 0, 0, 0);
    int wanted = (int)o->limit;
    for (int i = 0; i < run->item.n; i++) {
        keep[i] = o->limit_by == LIMIT_FIRST ? wanted > 0 : (int)rng_below(&r, (uint32_t)(run->item.n - i)) < wanted;
        wanted -= keep[i];
    }
    run_keep_items(run, keep);
    free(keep);
    return 0;
}

static AnsweringOptions answering_options(const EvalOpts *o)
{
    AnsweringOptions a = {
        .style = (PromptStyle)o->prompt, .system = o->system, .pictures = (PictureUse)o->pictures, .stop = interrupted};
    a.generate = generate_options(&o->sampling, (uint64_t)o->common.seed);
    a.think_budget = (int)o->think_budget;
    if (a.generate.n > 1 && !opt_given(TABLE, o, "temperature")) a.generate.sampling.temperature = MANY_TEMPERATURE;
    return a;
}

static int answer_open_questions(const EvalOpts *o, AnswerStore *store, const EvalRun *run, const AnsweringOptions *a,
                                 const EngineOptions *eo, Err *err)
{
    Engine e;
    AnsweringStats stats;
    if (engine_open(&e, eo, err)) return -1;
    interrupt_begin();
    int rc = answer_questions(&stats, store, &e, run, a, err);
    interrupt_end();
    engine_close(&e);
    double s = stats.seconds > 0 ? stats.seconds : 1;
    if (stats.answers)
        log_note("%lld answers, %lld tokens in %.1f s: %.2f samples/s, %.0f tokens/s", (long long)stats.answers,
                 (long long)stats.tokens, stats.seconds, (double)stats.answers / s, (double)stats.tokens / s);
    if (rc > 0)
        log_warn("interrupted: %lld of %lld answers are kept in %s; the same command goes on", (long long)store->given,
                 (long long)run->item.n * store->n, o->out);
    return rc;
}

static int print_plan(const EvalOpts *o, const EvalRun *run, const AnsweringOptions *a, const EngineOptions *eo,
                      Err *err)
{
    AnsweringPlan p;
    int64_t tokens = o->plan_tokens ? o->plan_tokens : o->sampling.max_new_tokens;
    if (answering_plan(&p, run, a, eo, (int)tokens, err)) return -1;
    answering_plan_print(&p);
    return 0;
}

static int answer_and_conclude(const EvalOpts *o, EvalRun *run, const AnsweringOptions *a, const EngineOptions *eo,
                               Err *err)
{
    AnswerStore store;
    json_t *header = answering_header(a, eo, run, err);
    if (!header) return -1;
    int rc = answer_store_open(&store, o->out, header, run, a->generate.n, o->overwrite, err);
    if (rc == 0) {
        if (store.resumed) log_note("%lld answers are there already", (long long)store.resumed);
        if (!answer_store_complete(&store)) rc = answer_open_questions(o, &store, run, a, eo, err);
        if (rc == 0) {
            answers_to_run(run, &store, header);
            rc = conclude(o, run, err);
        }
        if (answer_store_close(&store, rc == 0, err)) rc = -1;
    }
    json_decref(header);
    return rc;
}

static int run_model(const EvalOpts *o, EvalRun *run, Err *err)
{
    const AnsweringOptions a = answering_options(o);
    EngineOptions eo = engine_options(&o->common, &o->model);
    eo.check_later = true;
    eo.decode_weights = (DecodeWeights)o->decode_weights;
    put_questions(run, &a);
    return o->plan ? print_plan(o, run, &a, &eo, err) : answer_and_conclude(o, run, &a, &eo, err);
}

static int evaluate_model(const EvalOpts *o, Err *err)
{
    if (o->think_budget >= o->sampling.max_new_tokens) {
        usage_error(err, "think_budget must be below max_new_tokens, which counts the answer, too");
        return err_hint(err, "--max_new_tokens %lld leaves 64 tokens for it", (long long)o->think_budget + 64);
    }
    EvalRun run = {.scoring = (Scoring)o->scoring, .seed = (uint64_t)o->common.seed};
    int rc = load_questions(o, &run, err);
    PictureUse use =
        o->plan && o->pictures == PICTURES_GRAY ? PICTURES_GIVEN : (PictureUse)o->pictures; /* of one size */
    if (rc == 0) rc = change_pictures(&run, use, o->out, (uint64_t)o->common.seed, err);
    if (rc == 0) rc = run_model(o, &run, err);
    run_release(&run);
    return rc;
}

/* ---- leakage ----------------------------------------------------------------------------------------------------- */

static int check_leakage(const EvalOpts *o, Err *err)
{
    LeakReport r;
    if (leak_check(&r, o->leak.at, o->leak.n, o->data, err)) return -1;
    int rc = leak_write(o->out, &r, err);
    if (rc == 0) {
        printf("test samples %d, training samples %d, images %d and %d", r.n, r.train_samples, r.test_images,
               r.train_images);
        printf(r.unreadable ? ", %d of them unreadable\n" : "\n", r.unreadable);
        printf("same image file          %6d\n", r.same_file);
        printf("near image               %6d\n", r.near_image);
        printf("%d words in a row recur  %6d\n", LEAK_LONG, r.ngram13);
        printf("same question text       %6d\n", r.same_text);
        printf("runs of %d words that recur  %.1f %%\n", LEAK_SHORT, 100 * r.share8);
    }
    leak_release(&r);
    return rc;
}

static int list_benchmarks(void)
{
    Buf b = {0};
    benchmark_list(&b);
    fputs(b.data, stdout);
    buf_release(&b);
    return 0;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    EvalOpts *o = opts;
    if (no_operands(operands, err) || peft_resolve(&o->model.dir, &o->model.adapter, err)) return -1;
    if (o->self_test) return answer_self_test(stdout) > 0;
    if (o->benchmark && !strcmp(o->benchmark, "list")) return list_benchmarks();
    if (!!o->responses + !!o->leak.n + !!o->model.dir != 1) {
        bool none = !o->responses && !o->leak.n && !o->model.dir;
        usage_error(err, none ? "eval: what is to be evaluated?" : "eval takes one of model, responses and leak");
        return err_hint(err,
                        "--model DIR --data F.jsonl, or --responses F.jsonl, or --leak TRAIN.jsonl --data TEST.jsonl, "
                        "or --self-test");
    }
    if (!o->out) return usage_error(err, "eval needs --out DIR for its results");
    const TeacherOptions jo = judge_options(o);
    if (o->judge && teacher_check(&jo, err)) return -1;
    if (o->responses) return score_responses(o, err);
    if (!o->data)
        return usage_error(err, o->leak.n ? "leak needs --data TEST.jsonl, the file that is searched for"
                                          : "a model needs --data PATH, the questions");
    return o->leak.n ? check_leakage(o, err) : evaluate_model(o, err);
}

const Verb VERB_EVAL = {
    .name = "eval",
    .about = "how good a model's answers are, with intervals, votes and a report",
    .usage =
        "osler eval --model DIR [--adapter DIR] [--benchmark NAME] --data PATH [--prompt think] [--n N] --out DIR\n"
        "       osler eval --responses F.jsonl --out DIR",
    .details =
        "A line of questions: {\"id\", \"question\", \"kind\": \"choice|yesno|short|number|open\", \"options\": "
        "{\"A\": ...},\n"
        "\"answer\", \"tolerance\", \"images\": [...]}; of --responses also \"response\", and an id that repeats is\n"
        "another draw of its question.\n\n"
        "A run that was stopped goes on with the same command: finished answers are kept in out, and the results\n"
        "are those of a run that was not stopped. With --n above 1 the temperature is 0.7 where none is given, and\n"
        "draws are voted on.\n\n"
        "osler eval --benchmark list names the benchmarks.\n"
        "osler eval --leak TRAIN.jsonl --data TEST.jsonl --out DIR looks for test samples in training data.\n"
        "osler eval --self-test asks the answer reader the questions that it must not get wrong.",
    .table = TABLE,
    .size = sizeof(EvalOpts),
    .run = run,
};
