#include "cmd/pipeline.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"

/* ---- variables --------------------------------------------------------------------------------------------------- */

static const char *look_up(const Pipeline *p, const char *name, size_t n)
{
    for (int i = p->name.n - 1; i >= 0; i--)
        if (strlen(p->name.at[i]) == n && !memcmp(p->name.at[i], name, n)) return p->value.at[i];
    return NULL;
}

static void define(Pipeline *p, const char *name, const char *value)
{
    strlist_add(&p->name, name);
    strlist_add(&p->value, value);
}

static int place(Err *err, const Pipeline *p, int line)
{
    return err_context(err, "%s:%d", p->path, line);
}

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* The name that follows a dollar, and the text behind it. */
static const char *read_name(const char *s, const char **name, size_t *n)
{
    bool braced = *s == '{';
    *name = s += braced;
    while (in_name(*s)) s++;
    *n = (size_t)(s - *name);
    return braced ? *s == '}' ? s + 1 : NULL : s;
}

static int unknown_name(Err *err, const Pipeline *p, const char *name, size_t n)
{
    char *word = xasprintf("%.*s", (int)n, name);
    err_set(err, "$%s is neither a variable nor an earlier stage", word);
    const char *near = nearest_word(word, (const char *const *)p->name.at, p->name.n);
    free(word);
    return near ? err_hint(err, "did you mean $%s?", near) : err_hint(err, "a dollar itself is written $$");
}

/* Adds the text with its variables replaced. */
static int expand(Buf *out, const Pipeline *p, const char *s, Err *err)
{
    while (*s) {
        if (*s != '$') {
            buf_byte(out, (unsigned char)*s++);
        } else if (s[1] == '$') {
            buf_byte(out, '$');
            s += 2;
        } else {
            const char *name, *value;
            size_t n;
            s = read_name(s + 1, &name, &n);
            if (!s || !n) return err_set(err, "a dollar without a name");
            if (!(value = look_up(p, name, n))) return unknown_name(err, p, name, n);
            buf_str(out, value);
        }
    }
    return 0;
}

/* An item of a list on the command line: its commas are escaped. */
static void add_item(Buf *out, const char *item)
{
    for (; *item; item++) {
        if (*item == ',') buf_byte(out, '\\');
        buf_byte(out, (unsigned char)*item);
    }
}

/* A scalar, or a list with commas between its items. */
static int expand_value(Buf *out, const Pipeline *p, const Yaml *y, Err *err)
{
    if (y->kind == YAML_TEXT) return expand(out, p, y->text, err) ? place(err, p, y->line) : 0;
    if (y->kind == YAML_MAP) {
        err_set(err, "a value or a list of values is wanted here");
        return place(err, p, y->line);
    }
    for (int i = 0; i < y->n; i++) {
        Buf item = {0};
        if (y->item[i]->kind != YAML_TEXT) err_set(err, "a list of lists");
        else if (expand(&item, p, y->item[i]->text, err) == 0) {
            if (i) buf_byte(out, ',');
            add_item(out, item.data ? item.data : "");
            buf_release(&item);
            continue;
        }
        buf_release(&item);
        return place(err, p, y->item[i]->line);
    }
    return 0;
}

/* ---- stages ------------------------------------------------------------------------------------------------------ */

static int need_text(const char **text, const Pipeline *p, const Yaml *stage, const char *key, Err *err)
{
    const Yaml *y = yaml_get(stage, key);
    if (!y || y->kind != YAML_TEXT || !*y->text) {
        err_set(err, "a stage needs a %s", key);
        return place(err, p, stage->line);
    }
    *text = y->text;
    return 0;
}

static int check_keys(const Pipeline *p, const Yaml *map, const char *const *known, int n, Err *err)
{
    for (int i = 0; i < map->n; i++) {
        bool found = false;
        for (int k = 0; k < n; k++) found |= !strcmp(map->key[i], known[k]);
        if (found) continue;
        const char *near = nearest_word(map->key[i], known, n);
        err_set(err, "unknown key '%s'", map->key[i]);
        if (near) err_hint(err, "did you mean %s?", near);
        return place(err, p, map->item[i]->line);
    }
    return 0;
}

static int check_name(const Pipeline *p, const Yaml *stage, const char *name, Err *err)
{
    size_t n = 0;
    while (in_name(name[n])) n++;
    if (name[n]) err_set(err, "'%s': a stage's name has letters, digits, _ and -", name);
    else if (look_up(p, name, n)) err_set(err, "'%s' names something else already", name);
    else return 0;
    return place(err, p, stage->line);
}

static int read_options(Stage *s, const Pipeline *p, const Yaml *with, Err *err)
{
    if (!with) return 0;
    if (with->kind != YAML_MAP) {
        err_set(err, "with: holds options of the verb, key: value");
        return place(err, p, with->line);
    }
    for (int i = 0; i < with->n; i++) {
        Buf value = {0};
        if (!strcmp(with->key[i], "out") || !strcmp(with->key[i], "output_dir")) {
            err_set(err, "a stage writes into its own folder, %s", s->folder);
            return place(err, p, with->item[i]->line);
        }
        int rc = expand_value(&value, p, with->item[i], err);
        if (rc == 0) {
            strlist_add(&s->key, with->key[i]);
            strlist_add(&s->value, value.data ? value.data : "");
        }
        buf_release(&value);
        if (rc) return -1;
    }
    return 0;
}

/* A text that may be absent. */
static int read_text(char **text, const Pipeline *p, const Yaml *y, Err *err)
{
    if (!y) return 0;
    Buf b = {0};
    int rc = expand_value(&b, p, y, err);
    if (rc == 0) *text = xstrdup(b.data ? b.data : "");
    buf_release(&b);
    return rc;
}

static int read_count(int64_t *n, const Pipeline *p, const Yaml *y, Err *err)
{
    char *text = NULL, *end;
    if (read_text(&text, p, y, err)) return -1;
    *n = strtoll(text, &end, 10);
    bool good = *text && !*end && *n >= 0 && *n <= 1000000000;
    free(text);
    if (good) return 0;
    err_set(err, "a number from 0 to 1000000000 is wanted here");
    return place(err, p, y->line);
}

static int read_expect(Expect *e, const Pipeline *p, const Yaml *y, Err *err)
{
    static const char *const KEY[] = {"samples", "prompt", "answer", "pictures", "pixels", "requests"};
    int64_t *const field[] = {&e->samples, &e->prompt, &e->answer, &e->pictures, &e->pixels, &e->requests};
    if (!y) return 0;
    if (y->kind != YAML_MAP) {
        err_set(err, "expect: holds numbers, key: value");
        return place(err, p, y->line);
    }
    if (check_keys(p, y, KEY, 6, err)) return -1;
    for (int k = 0; k < 6; k++) {
        const Yaml *n = yaml_get(y, KEY[k]);
        if (n && read_count(field[k], p, n, err)) return -1;
    }
    return 0;
}

static int read_stage(Stage *s, Pipeline *p, const Yaml *y, Err *err)
{
    static const char *const KEY[] = {"name", "verb", "do", "recipe", "with", "expect"};
    const char *name, *verb;
    *s = (Stage){.line = y->line};
    if (y->kind != YAML_MAP) {
        err_set(err, "a stage is a map with name, verb and with");
        return place(err, p, y->line);
    }
    if (check_keys(p, y, KEY, 6, err) || need_text(&name, p, y, "name", err) || need_text(&verb, p, y, "verb", err) ||
        check_name(p, y, name, err))
        return -1;
    if (!(s->verb = find_verb(verb, err))) return place(err, p, y->line);
    s->name = xstrdup(name);
    s->folder = path_join(p->out, name);
    if (read_text(&s->task, p, yaml_get(y, "do"), err) || read_text(&s->recipe, p, yaml_get(y, "recipe"), err) ||
        read_options(s, p, yaml_get(y, "with"), err) || read_expect(&s->expect, p, yaml_get(y, "expect"), err))
        return -1;
    define(p, s->name, s->folder);
    return 0;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* "key=value" replaces a variable that the file sets. */
static int assign(Pipeline *p, const char *word, Err *err)
{
    size_t n = strcspn(word, "=");
    for (int i = 0; i < p->name.n; i++)
        if (strlen(p->name.at[i]) == n && !memcmp(p->name.at[i], word, n)) {
            free(p->value.at[i]);
            p->value.at[i] = xstrdup(word + n + 1);
            return 0;
        }
    err->usage = 1;
    return unknown_name(err, p, word, n);
}

static bool is_assigned(const StrList *set, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < set->n; i++)
        if (!strncmp(set->at[i], key, n) && set->at[i][n] == '=') return true;
    return false;
}

/* Variables in the order of the file; one may use those before it. */
static int read_variables(Pipeline *p, const Yaml *vars, const StrList *set, Err *err)
{
    const char *base = path_basename(p->path);
    char *out = xasprintf("runs/%.*s", (int)strcspn(base, "."), base);
    define(p, "out", out);
    free(out);
    for (int i = 0; vars && i < vars->n; i++) {
        Buf value = {0};
        int rc = is_assigned(set, vars->key[i]) ? 0 : expand_value(&value, p, vars->item[i], err);
        if (rc == 0) define(p, vars->key[i], value.data ? value.data : "");
        buf_release(&value);
        if (rc) return -1;
        for (int k = 0; k < set->n; k++) /* at once, for those that use it */
            if (is_assigned(&(StrList){&set->at[k], 1}, vars->key[i]) && assign(p, set->at[k], err)) return -1;
    }
    for (int k = 0; k < set->n; k++)
        if (assign(p, set->at[k], err)) return -1;
    p->out = xstrdup(look_up(p, "out", 3));
    return 0;
}

static int read_file(Pipeline *p, const Yaml *y, const StrList *set, Err *err)
{
    static const char *const KEY[] = {"about", "set", "stages"};
    const Yaml *about = yaml_get(y, "about"), *vars = yaml_get(y, "set"), *stages = yaml_get(y, "stages");
    if (check_keys(p, y, KEY, 3, err)) return -1;
    if (!stages || stages->kind != YAML_LIST || !stages->n)
        return err_set(err, "%s: stages: a list of at least one stage is missing", p->path);
    if (vars && vars->kind != YAML_MAP) {
        err_set(err, "set: holds variables, key: value");
        return place(err, p, vars->line);
    }
    p->about = xstrdup(about && about->kind == YAML_TEXT ? about->text : "");
    if (read_variables(p, vars, set, err)) return -1;
    p->stage = xcalloc((size_t)stages->n, sizeof *p->stage);
    for (int i = 0; i < stages->n; i++) {
        p->stages++;
        if (read_stage(&p->stage[i], p, stages->item[i], err)) return -1;
    }
    return 0;
}

int pipeline_load(Pipeline *p, const char *path, const StrList *set, Err *err)
{
    *p = (Pipeline){.path = xstrdup(path)};
    Yaml *y = yaml_load(path, err);
    int rc = y ? read_file(p, y, set, err) : -1;
    yaml_tree_free(y);
    if (rc) pipeline_release(p);
    return rc;
}

void pipeline_release(Pipeline *p)
{
    for (int i = 0; i < p->stages; i++) {
        Stage *s = &p->stage[i];
        free(s->name);
        free(s->folder);
        free(s->task);
        free(s->recipe);
        strlist_release(&s->key);
        strlist_release(&s->value);
    }
    free(p->stage);
    free(p->path);
    free(p->about);
    free(p->out);
    strlist_release(&p->name);
    strlist_release(&p->value);
    strlist_release(&p->hashed);
    strlist_release(&p->hash);
    *p = (Pipeline){0};
}
