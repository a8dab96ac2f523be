/* osler eval: how good answers are, and how sure that is. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "eval/leak.h"
#include "eval/results.h"
#include "reward/self_test.h"

typedef struct EvalOpts {
    Common common;
    char *responses, *out, *baseline, *benchmark, *data;
    StrList leak;
    int scoring;
    bool self_test;
} EvalOpts;

#define AT(field) offsetof(EvalOpts, field)
static const Opt TABLE[] = {
    {"responses", OPT_PATH, AT(responses), .group = "Scoring",
     .help = "answers that were given: JSON lines with id, question, kind, options, answer, response"},
    {"out", OPT_PATH, AT(out), .help = "folder for results.json, samples.jsonl and report.html"},
    {"baseline", OPT_PATH, AT(baseline), .help = "the out folder of an earlier run, to compare with"},
    {"scoring", OPT_ENUM, AT(scoring), .def = "strict", .choices = "strict|compat:medevalkit",
     .help = "strict abstains where readings compete; compat:medevalkit guesses as that tool does"},
    {"benchmark", OPT_TEXT, AT(benchmark), .help = "name that the results carry"},
    {"leak", OPT_LIST, AT(leak), .group = "Leakage",
     .help = "training files; with data: which test samples recur in them, into out/leak.json"},
    {"data", OPT_PATH, AT(data), .help = "with leak: the test file"},
    {"self_test", OPT_BOOL, AT(self_test), .def = "false", .group = "Checking",
     .help = "runs the adversarial cases of the answer reader"},
    SEED_ROW(EvalOpts),
    GENERAL_ROWS(EvalOpts),
    {0},
};

static void print_tally(const char *name, const Tally *t)
{
    printf("%-24s %6d %6.1f  [%5.1f, %5.1f]", name, t->n, 100 * t->accuracy, 100 * t->ci.lo, 100 * t->ci.hi);
    printf("  unparsed %d, abstained %d, unended %d\n", t->unparsed, t->abstained, t->unended);
}

static void print_summary(const Summary *s, const Comparison *versus)
{
    printf("%-24s %6s %6s  %s\n", "", "n", "right", "95 % interval");
    print_tally("all", &s->all);
    if (s->closed.n && s->open.n) {
        print_tally("closed", &s->closed);
        print_tally("open", &s->open);
    }
    for (int i = 0; i < s->group.n; i++) print_tally(s->group.at[i].name, &s->group.at[i].tally);
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

static int score_responses(const EvalOpts *o, Err *err)
{
    EvalRun run = {.scoring = (Scoring)o->scoring, .seed = (uint64_t)o->common.seed};
    Summary s = {0};
    Comparison versus;
    if (o->benchmark) run.name = xstrdup(o->benchmark);
    int rc = run_load_responses(&run, o->responses, err);
    if (rc == 0) summary_fill(&s, &run);
    if (rc == 0 && o->baseline) rc = compare_with(&versus, &run, o->baseline, err);
    if (rc == 0) rc = results_write(o->out, &run, &s, o->baseline ? &versus : NULL, err);
    if (rc == 0) print_summary(&s, o->baseline ? &versus : NULL);
    summary_release(&s);
    run_release(&run);
    return rc;
}

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

static int run(void *opts, const StrList *operands, Err *err)
{
    const EvalOpts *o = opts;
    if (no_operands(operands, err)) return -1;
    if (o->self_test) return answer_self_test(stdout) > 0;
    if (!o->responses == !o->leak.n) {
        usage_error(err, o->responses ? "eval takes responses or leak, not both" : "eval: what is to be evaluated?");
        return err_hint(err, "--responses F.jsonl, or --leak TRAIN.jsonl --data TEST.jsonl, or --self-test");
    }
    if (!o->out) return usage_error(err, "eval needs --out DIR for its results");
    if (o->responses) return score_responses(o, err);
    if (!o->data) return usage_error(err, "leak needs --data TEST.jsonl, the file that is searched for");
    return check_leakage(o, err);
}

const Verb VERB_EVAL = {
    .name = "eval",
    .about = "scores answers, with intervals, votes and a report",
    .usage = "osler eval --responses F.jsonl --out DIR [--baseline DIR] [--scoring strict|compat:medevalkit]",
    .details = "A line of responses: {\"id\", \"question\", \"kind\": \"choice|yesno|short|number|open\", \"options\": "
               "{\"A\": ...},\n"
               "\"answer\", \"tolerance\", \"response\"}; an id that repeats is another draw of its question.\n\n"
               "osler eval --leak TRAIN.jsonl --data TEST.jsonl --out DIR looks for test samples in training data.\n"
               "osler eval --self-test asks the answer reader the questions that it must not get wrong.",
    .table = TABLE,
    .size = sizeof(EvalOpts),
    .run = run,
};
