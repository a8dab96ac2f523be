/* osler VERB [RECIPE.yaml] [--key value | key=value] ... */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "cmd/cmd.h"

/* In the order of the help. */
static const Verb *const VERB[] = {
    &VERB_TRAIN,      &VERB_GENERATE, &VERB_CHAT,    &VERB_SCORE,  &VERB_EVAL,
    &VERB_DATA,       &VERB_TOKENIZE, &VERB_PHANTOM, &VERB_SYNTH,  &VERB_RUN,
    &VERB_PREPROCESS, &VERB_INSPECT,  &VERB_INIT,    &VERB_DOCTOR, &VERB_BENCH,
};
enum { N_VERBS = sizeof VERB / sizeof *VERB };

int usage_error(Err *err, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err->usage = 1;
    return err_set(err, "%s", text);
}

int no_operands(const StrList *operands, Err *err)
{
    return operands->n ? usage_error(err, "unexpected argument '%s'", operands->at[0]) : 0;
}

static void print_help(FILE *f)
{
    fprintf(f, "usage: osler VERB [RECIPE.yaml] [--key value | key=value] ...\n\n"
               "Post-trains Qwen2.5-VL medical vision-language models.\n\n");
    for (int i = 0; i < N_VERBS; i++) fprintf(f, "  %-12s %s\n", VERB[i]->name, VERB[i]->about);
    fprintf(f, "\nosler VERB --help     the options of a verb\nosler --version\n");
}

const Verb *find_verb(const char *name, Err *err)
{
    const char *known[N_VERBS];
    for (int i = 0; i < N_VERBS; i++) {
        if (!strcmp(VERB[i]->name, name)) return VERB[i];
        known[i] = VERB[i]->name;
    }
    const char *near = nearest_word(name, known, N_VERBS);
    usage_error(err, "unknown verb '%s'", name);
    if (near) err_hint(err, "did you mean %s?", near);
    else err_hint(err, "osler --help lists the verbs");
    return NULL;
}

static int apply_common(const Common *c, Err *err)
{
    if (c->quiet) log_level(LOG_WARN);
    else if (c->verbose) log_level(LOG_DEBUG);
    if (c->device) {
        err_set(err, "this build computes on the CPU only");
        return err_hint(err, "leave --device away, or use a build with CUDA");
    }
    pool_start((int)c->threads);
    return 0;
}

static void verb_help(const Verb *v)
{
    char *about = v->details ? xasprintf("%s.\n\n%s", v->about, v->details) : xasprintf("%s.", v->about);
    opt_help(stdout, v->usage, about, v->table);
    free(about);
}

static int run_verb(const Verb *v, int argc, char **argv, Err *err)
{
    StrList operands = {0};
    void *opts = xcalloc(1, v->size);
    int rc = v->parse ? v->parse(opts, argc, argv, &operands, err)
                      : opt_parse(v->table, opts, argc, argv, v->recipe, &operands, err);
    if (rc == 0) {
        rc = v->parse ? 0 : apply_common(opts, err);
        if (rc == 0) rc = v->run(opts, &operands, err);
        opt_release(v->table, opts);
    } else if (rc == 1) {
        verb_help(v);
        rc = 0;
    }
    strlist_release(&operands);
    free(opts);
    return rc;
}

int main(int argc, char **argv)
{
    Err err = {0};
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("osler " OSLER_VERSION);
        return 0;
    }
    const Verb *v = find_verb(argv[1], &err);
    int rc = v ? run_verb(v, argc - 2, argv + 2, &err) : -1;
    if (rc == 0 && (fflush(stdout) || ferror(stdout))) rc = err_errno(&err, "standard output");
    pool_stop();
    if (rc < 0) err_print(&err);
    return rc == 0 ? 0 : rc < 0 && err.usage ? 2 : 1;
}
