/* osler run: the stages of a pipeline, one after the other; what is done is not done again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"
#include "cmd/pipeline_plan.h"
#include "cmd/pipeline_report.h"
#include "cmd/stage.h"

typedef struct RunOpts {
    StrList set; /* "key=value" */
    bool dry_run;
} RunOpts;

static const Opt TABLE[] = {
    {"dry_run", OPT_BOOL, offsetof(RunOpts, dry_run), .def = "false",
     .help = "print what would be done, and what it would take"},
    {0},
};

/* key=value are the pipeline's variables, not options. */
static int parse(void *opts, int argc, char **argv, StrList *operands, Err *err)
{
    RunOpts *o = opts;
    (void)err;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
            strlist_release(&o->set);
            return 1;
        }
        if (!strcmp(word, "--dry-run") || !strcmp(word, "--dry_run")) {
            o->dry_run = true;
            continue;
        }
        while (*word == '-') word++;
        if (strchr(word, '=')) strlist_add(&o->set, word);
        else if (word != argv[i] && i + 1 < argc) { /* --key value */
            char *joined = xasprintf("%s=%s", word, argv[++i]);
            strlist_add(&o->set, joined);
            free(joined);
        } else strlist_add(operands, argv[i]);
    }
    return 0;
}

static volatile sig_atomic_t interrupted;

/* The stage ends in its own way, and its end is waited for; a Ctrl-C has reached it already. */
static void on_signal(int sig)
{
    interrupted = sig;
    if (stage_child() && sig == SIGTERM) kill(stage_child(), sig);
}

/* ---- a stage ----------------------------------------------------------------------------------------------------- */

static int run_command(const Stage *s, Err *err)
{
    StrList words = {0};
    stage_command(&words, s);
    int status = stage_start(&words, -1, err) ? -1 : stage_wait(err);
    strlist_release(&words);
    return status;
}

static int clear_folder(const Stage *s, StageState is, Err *err)
{
    if (is == STAGE_FOREIGN) {
        err_set(err, "stage %s: %s is there and was not made by a pipeline", s->name, s->folder);
        return err_hint(err, "move it away, or give another out=");
    }
    if (is != STAGE_OTHER) return 0;
    log_note("its inputs have changed: %s is emptied", s->folder);
    return dir_remove(s->folder, err);
}

static int run_stage(const Pipeline *p, int i, const char *key, StageState is, Err *err)
{
    const Stage *s = &p->stage[i];
    log_note("stage %d of %d, %s: osler %s%s", i + 1, p->stages, s->name, s->verb->name,
             is == STAGE_BEGUN ? ", going on" : "");
    if (clear_folder(s, is, err) || stage_note(s, key, false, 0, err)) return -1;
    double begin = now_seconds();
    int status = run_command(s, err);
    if (status < 0) return -1;
    if (status == 0 && stage_note(s, key, true, now_seconds() - begin, err)) return -1;
    if (status == 0 && !interrupted) return 0;
    if (status) err_set(err, "stage %s ended with status %d", s->name, status);
    else err_set(err, "stopped by a signal after stage %s", s->name);
    return err_hint(err, "the same command goes on from there");
}

/* ---- the pipeline ------------------------------------------------------------------------------------------------ */

static int run_stages(Pipeline *p, char (*key)[SHA256_HEX], Err *err)
{
    if (dir_create(p->out, err) || dir_lock(p->out, err) < 0) return -1; /* the lock goes with the process */
    for (int i = 0; i < p->stages; i++) {
        const Stage *s = &p->stage[i];
        if (stage_key(key[i], p, i, key, err)) return -1;
        StageState is = stage_state(s, key[i]);
        if (is == STAGE_DONE) log_note("stage %d of %d, %s: done before", i + 1, p->stages, s->name);
        else if (run_stage(p, i, key[i], is, err)) return -1;
    }
    return pipeline_report(p, err);
}

static int run(void *opts, const StrList *operands, Err *err)
{
    RunOpts *o = opts;
    Pipeline p;
    if (operands->n != 1) return usage_error(err, "give one pipeline file");
    if (pipeline_load(&p, operands->at[0], &o->set, err)) {
        strlist_release(&o->set);
        return -1;
    }
    char(*key)[SHA256_HEX] = xcalloc((size_t)p.stages, sizeof *key);
    struct sigaction stop = {.sa_handler = on_signal};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    int rc = o->dry_run ? pipeline_plan(&p, key, err) : run_stages(&p, key, err);
    free(key);
    pipeline_release(&p);
    strlist_release(&o->set);
    return rc;
}

const Verb VERB_RUN = {
    .name = "run",
    .about = "runs a pipeline of stages; a finished stage is not done again",
    .usage = "osler run PIPELINE.yaml [key=value] ... [--dry-run]",
    .details = "key=value replaces a variable that the file sets, for example model, seed or out.",
    .table = TABLE,
    .size = sizeof(RunOpts),
    .run = run,
    .parse = parse,
};
