/*
 * The command line as a user sees it.  Every tests/cli/cases/NAME.sh is a script of `run ARGS` lines (run.bash); what
 * they print (command, stdout, stderr, exit status) must be NAME.expect.  UPDATE=1 in the environment writes the
 * expected files anew: read the difference before it is committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

static const char DIR[] = "tests/cli/cases";

/* Runs a shell command; its exit status. */
static int shell(const char *command)
{
    int status = system(command);
    return status < 0 ? -1 : status >> 8;
}

static void run_case(void **state)
{
    const char *name = *state;
    char *scratch = scratch_new();
    char *command =
        xasprintf("SCRATCH='%s' bash tests/cli/run.bash '%s/%s.sh' >'%s/got' 2>&1", scratch, DIR, name, scratch);
    int rc = shell(command);
    free(command);
    const char *update = getenv("UPDATE") ? "cp \"$1\" \"$2\"" : "diff -u \"$2\" \"$1\"";
    command = xasprintf("set -- '%s/got' '%s/%s.expect'; %s", scratch, DIR, name, update);
    int differs = rc == 77 ? 0 : shell(command);
    free(command);
    scratch_free(scratch);
    if (rc == 77) skip();
    assert_int_equal(rc, 0);
    if (differs) fail_msg("%s.sh prints something else than %s.expect", name, name);
}

int main(void)
{
    Err err = {0};
    char **name;
    int n, cases = 0;
    if (dir_list(DIR, &name, &n, &err)) {
        err_print(&err);
        return 1;
    }
    struct CMUnitTest *test = xcalloc((size_t)n, sizeof *test);
    for (int i = 0; i < n; i++) {
        char *dot = strrchr(name[i], '.');
        if (!dot || strcmp(dot, ".sh")) continue;
        *dot = 0;
        test[cases++] = (struct CMUnitTest){.name = name[i], .test_func = run_case, .initial_state = name[i]};
    }
    int rc = _cmocka_run_group_tests("cli", test, (size_t)cases, NULL, NULL);
    for (int i = 0; i < n; i++) free(name[i]);
    free(name);
    free(test);
    return rc;
}
