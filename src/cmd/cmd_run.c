/* osler run: the stages of a pipeline, one after the other; what is done is not done again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "cmd/pipeline.h"
#include "cmd/pipeline_report.h"

typedef struct RunOpts {
    StrList set; /* "key=value" */
    bool dry_run;
} RunOpts;

static const Opt TABLE[] = {
    {"dry_run", OPT_BOOL, offsetof(RunOpts, dry_run), .def = "false",
     .help = "print what would be done, and for training what it would take"},
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

/* ---- what is known of a stage: stage.json in its folder ---------------------------------------------------------- */

typedef enum StageState { STAGE_NEW, STAGE_BEGUN, STAGE_DONE, STAGE_OTHER, STAGE_FOREIGN } StageState;

static StageState stage_state(const Stage *s, const char *key)
{
    char *path = path_join(s->folder, "stage.json");
    Err none = {0};
    StageState is = dir_exists(s->folder) ? STAGE_FOREIGN : STAGE_NEW;
    json_t *j = file_exists(path) ? json_load_path(path, 1 << 20, &none) : NULL;
    if (j) {
        const char *was = json_string_value(json_object_get(j, "key"));
        bool finished = json_is_true(json_object_get(j, "finished"));
        is = !was || strcmp(was, key) ? STAGE_OTHER : finished ? STAGE_DONE : STAGE_BEGUN;
    }
    json_decref(j);
    free(path);
    return is;
}

static int note_stage(const Stage *s, const char *key, bool finished, double seconds, Err *err)
{
    json_t *options = json_object(), *j;
    for (int i = 0; i < s->key.n; i++) json_object_set_new(options, s->key.at[i], json_string(s->value.at[i]));
    j = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:o, s:b, s:f}", "osler", OSLER_VERSION, "key", key, "verb",
                  s->verb->name, "do", s->task, "recipe", s->recipe, "with", options, "finished", finished, "seconds",
                  seconds);
    char *text = json_dumps(j, JSON_INDENT(2)), *path = path_join(s->folder, "stage.json");
    int rc = dir_create(s->folder, err) || file_save(path, text, strlen(text), err) ? -1 : 0;
    free(path);
    free(text);
    json_decref(j);
    return rc;
}

/* ---- a stage in a process of its own ----------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;
static volatile pid_t child; /* 0: none */

/* The stage ends in its own way, and its end is waited for; a Ctrl-C has reached it already. */
static void on_signal(int sig)
{
    interrupted = sig;
    if (child && sig == SIGTERM) kill(child, sig);
}

/* osler VERB [RECIPE] key=value ... out=FOLDER [more] */
static char **command_of(const Stage *s, const char *more)
{
    char **argv = xcalloc((size_t)s->key.n + 7, sizeof *argv);
    int n = 0;
    argv[n++] = xstrdup("osler");
    argv[n++] = xstrdup(s->verb->name);
    if (s->recipe) argv[n++] = xstrdup(s->recipe);
    if (s->task) argv[n++] = xstrdup(s->task);
    for (int i = 0; i < s->key.n; i++) argv[n++] = xasprintf("%s=%s", s->key.at[i], s->value.at[i]);
    argv[n++] = xasprintf("out=%s", s->folder);
    if (more) argv[n++] = xstrdup(more);
    return argv;
}

/* The exit status of the program under these words; -1 with err where it could not be started. */
static int run_child(char **argv, Err *err)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) return err_errno(err, "fork");
    if (pid == 0) {
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    int status;
    child = pid;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return err_errno(err, "waitpid");
    child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_command(const Stage *s, const char *more, Err *err)
{
    char **argv = command_of(s, more);
    int status = run_child(argv, err);
    for (int i = 0; argv[i]; i++) free(argv[i]);
    free(argv);
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
    if (clear_folder(s, is, err) || note_stage(s, key, false, 0, err)) return -1;
    double begin = now_seconds();
    int status = run_command(s, NULL, err);
    if (status < 0) return -1;
    if (status == 0 && note_stage(s, key, true, now_seconds() - begin, err)) return -1;
    if (status == 0 && !interrupted) return 0;
    if (status) err_set(err, "stage %s ended with status %d", s->name, status);
    else err_set(err, "stopped by a signal after stage %s", s->name);
    return err_hint(err, "the same command goes on from there");
}

/* ---- the pipeline ------------------------------------------------------------------------------------------------ */

static int run_stages(const Pipeline *p, char (*key)[SHA256_HEX], Err *err)
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

/* True where everything that the stage reads is there already. */
static bool is_ready(const Pipeline *p, int stage, char (*key)[SHA256_HEX])
{
    const Stage *s = &p->stage[stage];
    for (int k = 0; k < s->key.n; k++) {
        int from = stage_of(p, stage, s->value.at[k]);
        if (from >= 0 && stage_state(&p->stage[from], key[from]) != STAGE_DONE) return false;
    }
    return true;
}

static void print_stage(const Pipeline *p, int i, StageState is)
{
    static const char *const SAYS[] = {[STAGE_NEW] = "to do",
                                       [STAGE_BEGUN] = "begun",
                                       [STAGE_DONE] = "done",
                                       [STAGE_OTHER] = "to do again: its inputs have changed",
                                       [STAGE_FOREIGN] = "its folder was not made by a pipeline"};
    const Stage *s = &p->stage[i];
    printf("%d. %s: osler %s", i + 1, s->name, s->verb->name);
    if (s->recipe) printf(" %s", s->recipe);
    if (s->task) printf(" %s", s->task);
    for (int k = 0; k < s->key.n; k++) printf(" %s=%s", s->key.at[k], s->value.at[k]);
    printf(" out=%s\n   %s\n", s->folder, SAYS[is]);
}

static int print_plan(const Pipeline *p, char (*key)[SHA256_HEX], Err *err)
{
    if (*p->about) printf("%s\n", p->about);
    for (int i = 0; i < p->stages; i++) {
        const Stage *s = &p->stage[i];
        if (stage_key(key[i], p, i, key, err)) return -1;
        StageState is = stage_state(s, key[i]);
        print_stage(p, i, is);
        if (is == STAGE_DONE || s->verb != &VERB_TRAIN) continue;
        if (!is_ready(p, i, key)) printf("   what it takes is known when the stages before it are done\n");
        else if (run_command(s, "plan=true", err) < 0) return -1;
    }
    return 0;
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
    int rc = o->dry_run ? print_plan(&p, key, err) : run_stages(&p, key, err);
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
