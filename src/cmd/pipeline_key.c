/* What decides the outcome of a stage, as one hash. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/pipeline.h"

static void add_text(Sha256 *s, const char *text)
{
    sha256_add(s, text, strlen(text) + 1);
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

static int add_contents(Sha256 *s, const char *path, Err *err);

/* Names in their order, each with its contents. */
static int add_folder(Sha256 *s, const char *path, Err *err)
{
    char **name;
    int n, rc = 0;
    if (dir_list(path, &name, &n, err)) return -1;
    for (int i = 0; i < n; i++) {
        char *inner = path_join(path, name[i]);
        add_text(s, name[i]);
        if (rc == 0) rc = add_contents(s, inner, err);
        free(inner);
        free(name[i]);
    }
    free(name);
    return rc;
}

static int add_contents(Sha256 *s, const char *path, Err *err)
{
    char hex[SHA256_HEX];
    if (dir_exists(path)) return add_folder(s, path, err);
    if (sha256_file(hex, path, err)) return -1;
    add_text(s, hex);
    return 0;
}

/* The same, of a path that the stages of a run name again and again. */
static int add_outside(Sha256 *s, Pipeline *p, const char *path, Err *err)
{
    char hex[SHA256_HEX];
    Sha256 own;
    for (int i = 0; i < p->hashed.n; i++)
        if (!strcmp(p->hashed.at[i], path)) {
            add_text(s, p->hash.at[i]);
            return 0;
        }
    sha256_init(&own);
    if (add_contents(&own, path, err)) return -1;
    sha256_hex(&own, hex);
    strlist_add(&p->hashed, path);
    strlist_add(&p->hash, hex);
    add_text(s, hex);
    return 0;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

int stage_of(const Pipeline *p, int stage, const char *path)
{
    for (int i = 0; i < stage; i++) {
        size_t n = strlen(p->stage[i].folder);
        if (!strncmp(path, p->stage[i].folder, n) && (path[n] == '/' || !path[n])) return i;
    }
    return -1;
}

/* A path with the ending that says how many samples, "#500" or "@0.3", cut off where it is no file's own name. */
static char *cut_share(const char *item)
{
    char *path = xstrdup(item), *end = path + strcspn(path, "#@");
    for (char *c = end; *c; c++)
        if (*c == '#' || *c == '@') end = c;
    if (*end && !file_exists(path) && !dir_exists(path)) *end = 0;
    return path;
}

/* What an item of a path or of a list says, and what lies there. */
static int add_item(Sha256 *s, Pipeline *p, int stage, const char *item, char (*key)[SHA256_HEX], Err *err)
{
    int from = stage_of(p, stage, item), rc = 0;
    if (from >= 0) {
        add_text(s, key[from]);
        add_text(s, item + strlen(p->stage[from].folder));
        return 0;
    }
    char *path = cut_share(item);
    add_text(s, item);
    if (*path && (file_exists(path) || dir_exists(path))) rc = add_outside(s, p, path, err);
    free(path);
    return rc;
}

static const Opt *find_option(const Verb *v, const char *name)
{
    for (const Opt *o = v->table; o->name; o++) {
        size_t n = strlen(name);
        if (!strcmp(o->name, name)) return o;
        for (const char *a = o->alias; a && *a; a += strcspn(a, "|"), a += *a == '|')
            if (!strncmp(a, name, n) && (a[n] == '|' || !a[n])) return o;
    }
    return NULL;
}

static int add_option(Sha256 *s, Pipeline *p, int stage, int i, char (*key)[SHA256_HEX], Err *err)
{
    const Stage *g = &p->stage[stage];
    const Opt *o = find_option(g->verb, g->key.at[i]);
    const char *value = g->value.at[i];
    add_text(s, g->key.at[i]);
    if (!o || (o->type != OPT_PATH && o->type != OPT_LIST)) {
        add_text(s, value);
        return 0;
    }
    char *rest = xstrdup(value);
    int rc = 0;
    for (char *item = rest, *next; item && rc == 0; item = next) {
        next = strchr(item, ',');
        if (next) *next++ = 0;
        rc = add_item(s, p, stage, item, key, err);
    }
    free(rest);
    return rc ? err_context(err, "stage %s: %s", g->name, g->key.at[i]) : 0;
}

int stage_key(char hex[SHA256_HEX], Pipeline *p, int stage, char (*key)[SHA256_HEX], Err *err)
{
    const Stage *g = &p->stage[stage];
    Sha256 s;
    sha256_init(&s);
    add_text(&s, OSLER_VERSION);
    add_text(&s, g->verb->name);
    if (g->task) add_text(&s, g->task);
    if (g->recipe && add_item(&s, p, stage, g->recipe, key, err)) return err_context(err, "stage %s: recipe", g->name);
    for (int i = 0; i < g->key.n; i++)
        if (add_option(&s, p, stage, i, key, err)) return -1;
    sha256_hex(&s, hex);
    return 0;
}
