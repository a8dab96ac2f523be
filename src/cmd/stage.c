#include "cmd/stage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"

/* ---- what is known of a stage: stage.json in its folder ---------------------------------------------------------- */

StageState stage_state(const Stage *s, const char *key)
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

int stage_note(const Stage *s, const char *key, bool finished, double seconds, Err *err)
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

/* ---- options ----------------------------------------------------------------------------------------------------- */

char *stage_option(const Stage *s, const char *name)
{
    for (int i = s->key.n - 1; i >= 0; i--)
        if (!strcmp(s->key.at[i], name)) return xstrdup(s->value.at[i]);
    Err none = {0};
    Yaml *y = s->recipe ? yaml_load(s->recipe, &none) : NULL;
    const Yaml *v = y ? yaml_get(y, name) : NULL;
    char *value = v && v->kind == YAML_TEXT ? xstrdup(v->text) : NULL;
    yaml_tree_free(y);
    return value;
}

/* ---- in a process of its own -------------------------------------------------------------------------------------- */

static volatile pid_t child; /* 0: none */

pid_t stage_child(void)
{
    return child;
}

/* osler VERB [RECIPE] key=value ... out=FOLDER */
void stage_command(StrList *argv, const Stage *s)
{
    strlist_add(argv, "osler");
    strlist_add(argv, s->verb->name);
    if (s->recipe) strlist_add(argv, s->recipe);
    if (s->task) strlist_add(argv, s->task);
    for (int i = 0; i < s->key.n; i++) stage_argument(argv, s->key.at[i], s->value.at[i]);
    stage_argument(argv, "out", s->folder);
}

void stage_argument(StrList *argv, const char *key, const char *value)
{
    char *word = xasprintf("%s=%s", key, value);
    strlist_add(argv, word);
    free(word);
}

/* The child's side: never returns.  A stage does not outlive its pipeline, which may be killed. */
static void become(const StrList *words, int out, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    char **argv = xcalloc((size_t)words->n + 1, sizeof *argv);
    for (int i = 0; i < words->n; i++) argv[i] = words->at[i];
    if (out >= 0 && dup2(out, STDOUT_FILENO) < 0) _exit(127);
    execv("/proc/self/exe", argv);
    _exit(127);
}

int stage_start(const StrList *words, int out, Err *err)
{
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return err_errno(err, "fork");
    if (pid == 0) become(words, out, parent);
    child = pid;
    return 0;
}

int stage_wait(Err *err)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return err_errno(err, "waitpid");
    child = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
