#include "cmd/pipeline_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/estimate.h"
#include "base/file.h"
#include "cmd/stage.h"
#include "cmd/stand_in.h"

typedef struct Planner {
    Pipeline *p;
    char (*key)[SHA256_HEX];
    char *dir; /* of stand-ins */
    Estimate sum;
    int64_t requests;
} Planner;

/* ---- what is not there yet --------------------------------------------------------------------------------------- */

/* The earlier stage that still has to make this path; -1: none has. */
static int maker(const Planner *q, int stage, const char *path)
{
    int from = stage_of(q->p, stage, path);
    return from >= 0 && stage_state(&q->p->stage[from], q->key[from]) != STAGE_DONE ? from : -1;
}

static bool is_text(const char *a, const char *b)
{
    return a && !strcmp(a, b);
}

static bool trains_adapter(const Stage *s)
{
    char *type = stage_option(s, "finetuning_type"), *adapter = stage_option(s, "adapter");
    bool is = adapter || is_text(type, "lora");
    free(adapter);
    free(type);
    return is;
}

/* The checkpoint that the stage's model will be trained from, a fresh string. */
static char *root_model(const Planner *q, int stage)
{
    char *model = stage_option(&q->p->stage[stage], "model");
    int from = model ? stage_of(q->p, stage, model) : -1;
    if (from < 0) return model ? model : xstrdup("");
    free(model);
    return root_model(q, from);
}

/* A fresh adapter of the rank that the missing one will have. */
static void add_adapter(StrList *argv, const Stage *s, const Stage *from)
{
    if (strcmp(s->verb->name, "train")) return;
    char *rank = stage_option(from, "lora_rank");
    stage_argument(argv, "finetuning_type", "lora");
    if (rank) stage_argument(argv, "lora_rank", rank);
    free(rank);
}

static int add_data(StrList *argv, const Planner *q, const Stage *s, Err *err)
{
    char *method = stage_option(s, "method"), *path = path_join(q->dir, "data.jsonl");
    int rc = stand_in_write(q->dir, &s->expect, is_text(method, "dpo"), err);
    if (rc == 0) stage_argument(argv, "data", path);
    free(path);
    free(method);
    return rc;
}

/* Adds an option as it is, or what stands in for what it names; 1 where nothing can. */
static int add_option(StrList *argv, const Planner *q, int stage, int i, Err *err)
{
    const Stage *s = &q->p->stage[stage];
    const char *key = s->key.at[i], *value = s->value.at[i];
    int from = maker(q, stage, value);
    if (from < 0) {
        stage_argument(argv, key, value);
    } else if (!strcmp(key, "model")) {
        char *root = root_model(q, from);
        stage_argument(argv, key, root);
        free(root);
        if (trains_adapter(&q->p->stage[from])) add_adapter(argv, s, &q->p->stage[from]);
    } else if (!strcmp(key, "adapter")) {
        add_adapter(argv, s, &q->p->stage[from]);
    } else if (!strcmp(key, "data")) {
        return s->expect.samples ? add_data(argv, q, s, err) : 1;
    }
    return 0;
}

/* Stand-ins are read as plain questions, whatever the layout of what they stand for. */
static bool names_layout(const Planner *q, int stage, int i)
{
    const Stage *s = &q->p->stage[stage];
    if (strcmp(s->key.at[i], "benchmark")) return false;
    char *data = stage_option(s, "data");
    bool is = data && maker(q, stage, data) >= 0;
    free(data);
    return is;
}

/* The command that plans the stage; 1 where too little is known. */
static int plan_command(StrList *argv, const Planner *q, int stage, Err *err)
{
    const Stage *s = &q->p->stage[stage];
    int rc = 0;
    strlist_add(argv, "osler");
    strlist_add(argv, s->verb->name);
    if (s->recipe) strlist_add(argv, s->recipe);
    for (int i = 0; i < s->key.n && rc == 0; i++)
        if (!names_layout(q, stage, i)) rc = add_option(argv, q, stage, i, err);
    if (s->expect.answer && s->verb == &VERB_EVAL) {
        char *tokens = xasprintf("%lld", (long long)s->expect.answer);
        stage_argument(argv, "plan_tokens", tokens);
        free(tokens);
    }
    stage_argument(argv, "out", s->folder);
    stage_argument(argv, "plan", "true");
    return rc;
}

/* ---- a stage ----------------------------------------------------------------------------------------------------- */

static void add_estimate(Planner *q, const Estimate *e)
{
    q->sum.tokens += e->tokens;
    q->sum.seconds += e->seconds;
    if (e->gib > q->sum.gib) q->sum.gib = e->gib;
}

/* Prints what the command prints, and adds up its estimates. */
static int run_plan(Planner *q, const StrList *argv, Err *err)
{
    int end[2];
    if (pipe(end)) return err_errno(err, "pipe");
    int rc = stage_start(argv, end[1], err);
    close(end[1]);
    FILE *f = fdopen(end[0], "r");
    char *line = NULL;
    size_t cap = 0;
    while (rc == 0 && f && getline(&line, &cap, f) > 0) {
        Estimate e;
        printf("   %s", line);
        if (estimate_read(&e, line)) add_estimate(q, &e);
    }
    free(line);
    if (f) fclose(f);
    return rc ? rc : stage_wait(err) < 0 ? -1 : 0; /* a plan that does not fit has said so, and the others go on */
}

static void print_stage(const Stage *s, int number, StageState is)
{
    static const char *const SAYS[] = {[STAGE_NEW] = "to do",
                                       [STAGE_BEGUN] = "begun",
                                       [STAGE_DONE] = "done",
                                       [STAGE_OTHER] = "to do again: its inputs have changed",
                                       [STAGE_FOREIGN] = "its folder was not made by a pipeline"};
    StrList words = {0};
    stage_command(&words, s);
    printf("%d. %s:", number, s->name);
    for (int i = 0; i < words.n; i++) printf(" %s", words.at[i]);
    printf("\n   %s\n", SAYS[is]);
    strlist_release(&words);
}

static void plan_requests(Planner *q, const Expect *e)
{
    if (!e->requests) return;
    double tokens = (double)e->requests * (double)(e->prompt + e->answer);
    printf("   %lld requests of about %lld tokens, with replies of %lld: %.3g tokens\n", (long long)e->requests,
           (long long)e->prompt, (long long)e->answer, tokens);
    q->requests += e->requests;
    q->sum.tokens += tokens;
}

static int plan_stage(Planner *q, int stage, Err *err)
{
    const Stage *s = &q->p->stage[stage];
    plan_requests(q, &s->expect);
    if (s->verb != &VERB_TRAIN && s->verb != &VERB_EVAL) return 0;
    char *model = stage_option(s, "model");
    StrList argv = {0};
    int rc = model ? plan_command(&argv, q, stage, err) : 0;
    if (rc == 1) printf("   what it takes is known when the stages before it are done, or where `expect` says more\n");
    else if (rc == 0 && model) rc = run_plan(q, &argv, err);
    strlist_release(&argv);
    free(model);
    return rc < 0 ? -1 : 0;
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

static int plan_stages(Planner *q, Err *err)
{
    Pipeline *p = q->p;
    if (*p->about) printf("%s\n", p->about);
    for (int i = 0; i < p->stages; i++) {
        if (stage_key(q->key[i], p, i, q->key, err)) return -1;
        StageState is = stage_state(&p->stage[i], q->key[i]);
        print_stage(&p->stage[i], i + 1, is);
        if (is != STAGE_DONE && plan_stage(q, i, err)) return -1;
    }
    char text[32];
    duration_text(text, sizeof text, q->sum.seconds);
    if (!(q->sum.seconds > 0)) return 0;
    printf("in all   %.3g tokens, %s, at most %.2f GiB", q->sum.tokens, text, q->sum.gib);
    if (q->requests) printf("; and %lld requests to servers", (long long)q->requests);
    putchar('\n');
    return 0;
}

int pipeline_plan(Pipeline *p, char (*key)[SHA256_HEX], Err *err)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = xasprintf("%s/osler-plan-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        err_errno(err, "%s", dir);
        free(dir);
        return -1;
    }
    Planner q = {.p = p, .key = key, .dir = dir};
    int rc = plan_stages(&q, err);
    Err none = {0};
    dir_remove(dir, &none);
    free(dir);
    return rc;
}
