#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/yaml.h"

/* ---- lists ------------------------------------------------------------------------------------------------------- */

void strlist_add(StrList *l, const char *s)
{
    l->at = xrealloc(l->at, (size_t)(l->n + 1) * sizeof *l->at);
    l->at[l->n++] = xstrdup(s);
}

void strlist_release(StrList *l)
{
    for (int i = 0; i < l->n; i++) free(l->at[i]);
    free(l->at);
    *l = (StrList){0};
}

/* Adds the items of "a, b,c" to l; spaces around items and empty items are dropped, "\," is a comma within an item. */
static void add_items(StrList *l, const char *text)
{
    Buf item = {0};
    for (const char *s = text;; s++) {
        if (*s == '\\' && s[1] == ',') {
            buf_byte(&item, (unsigned char)*++s);
            continue;
        }
        if (*s && *s != ',') {
            if (item.len || *s != ' ') buf_byte(&item, (unsigned char)*s);
            continue;
        }
        while (item.len && item.data[item.len - 1] == ' ') item.data[--item.len] = 0;
        if (item.len) strlist_add(l, item.data);
        buf_clear(&item);
        if (!*s) break;
    }
    buf_release(&item);
}

/* ---- which options were given, from opt_parse to opt_release ----------------------------------------------------- */

typedef struct Given {
    const void *opts;
    bool *row; /* per row of the table */
    struct Given *next;
} Given;

static Given *all_given;

static void given_forget(const void *opts)
{
    for (Given **p = &all_given; *p; p = &(*p)->next)
        if ((*p)->opts == opts) {
            Given *g = *p;
            *p = g->next;
            free(g->row);
            free(g);
            return;
        }
}

static bool *given_new(const void *opts, int n_rows)
{
    given_forget(opts);
    Given *g = xmalloc(sizeof *g);
    *g = (Given){opts, xcalloc((size_t)n_rows, sizeof *g->row), all_given};
    all_given = g;
    return g->row;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* '-' and '_' are the same letter. */
static char fold(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static bool same_word(const char *a, size_t na, const char *b, size_t nb)
{
    if (na != nb) return false;
    for (size_t i = 0; i < na; i++)
        if (fold(a[i]) != fold(b[i])) return false;
    return true;
}

/* The index of `word` in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *word, size_t n)
{
    for (int k = 0; choices; k++) {
        size_t len = strcspn(choices, "|");
        if (same_word(choices, len, word, n)) return k;
        choices = choices[len] ? choices + len + 1 : NULL;
    }
    return -1;
}

static int row_count(const Opt *table)
{
    int n = 0;
    while (table[n].name) n++;
    return n;
}

static const Opt *row_find(const Opt *table, const char *word, size_t n)
{
    for (const Opt *o = table; o->name; o++)
        if (same_word(o->name, strlen(o->name), word, n) || choice_index(o->alias, word, n) >= 0) return o;
    return NULL;
}

bool opt_given(const Opt *table, const void *opts, const char *name)
{
    const Opt *o = row_find(table, name, strlen(name));
    CHECK(o, "no option is called %s", name);
    for (const Given *g = all_given; g; g = g->next)
        if (g->opts == opts) return g->row[o - table];
    return false;
}

/*
 * Damerau-Levenshtein distance (optimal string alignment) of a and b, or `limit` where it is at least that.
 * row[i % 3][j] = distance of the first i letters of a to the first j letters of b.
 */
static int edit_distance(const char *a, const char *b, int limit)
{
    enum { LONGEST = 64 };
    int na = (int)strlen(a), nb = (int)strlen(b), row[3][LONGEST + 1];
    if (na > LONGEST || nb > LONGEST) return limit;
    for (int i = 0; i <= na; i++) {
        int *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= nb; j++) {
            if (i == 0) {
                now[j] = j;
                continue;
            }
            bool same = fold(a[i - 1]) == fold(b[j - 1]);
            int best = up[j - 1] + !same;
            if (up[j] + 1 < best) best = up[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
            if (swapped && up2[j - 2] + 1 < best) best = up2[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[na % 3][nb] < limit ? row[na % 3][nb] : limit;
}

const char *nearest_word(const char *word, const char *const *known, int n)
{
    int limit = (int)strlen(word) / 3 + 2; /* "near": at most one edit, and one more for every three letters */
    const char *best = NULL;
    for (int i = 0; i < n; i++) {
        int d = edit_distance(word, known[i], limit);
        if (d >= limit) continue;
        limit = d;
        best = known[i];
    }
    return best;
}

/* Adds the words of "a|b|c" to l. */
static void add_choices(StrList *l, const char *choices)
{
    while (choices) {
        size_t len = strcspn(choices, "|");
        char *word = xstrndup(choices, len);
        strlist_add(l, word);
        free(word);
        choices = choices[len] ? choices + len + 1 : NULL;
    }
}

static int unknown_key(const Opt *table, const char *word, size_t n, Err *err)
{
    char *key = xstrndup(word, n);
    StrList known = {0};
    for (const Opt *o = table; o->name; o++) {
        strlist_add(&known, o->name);
        add_choices(&known, o->alias);
    }
    const char *near = nearest_word(key, (const char *const *)known.at, known.n);
    err_set(err, "unknown option '%s'", key);
    if (near) err_hint(err, "did you mean %s?", row_find(table, near, strlen(near))->name);
    else err_hint(err, "--help lists the options");
    strlist_release(&known);
    free(key);
    return -1;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static void *field(const Opt *o, void *opts)
{
    return (char *)opts + o->offset;
}

static int check_range(const Opt *o, double x, const char *text, Err *err)
{
    if ((o->min == 0 && o->max == 0) || (x >= o->min && x <= o->max)) return 0;
    if (isinf(o->max)) return err_set(err, "%s: %s is too small (at least %.15g)", o->name, text, o->min);
    return err_set(err, "%s: %s is out of range (%.15g to %.15g)", o->name, text, o->min, o->max);
}

static int set_int(const Opt *o, int64_t *out, const char *text, Err *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text))
        return err_set(err, "%s: '%s' is not a whole number", o->name, text);
    if (errno) return err_set(err, "%s: %s is too large", o->name, text);
    if (check_range(o, (double)v, text, err)) return -1;
    *out = v;
    return 0;
}

static int set_real(const Opt *o, double *out, const char *text, Err *err)
{
    char *end;
    double v = strtod(text, &end);
    bool decimal =
        strspn(text, "+-.0123456789eE") == strlen(text); /* strtod also reads nan, infinity and hexadecimal */
    if (end == text || *end || !decimal) return err_set(err, "%s: '%s' is not a number", o->name, text);
    if (!isfinite(v)) return err_set(err, "%s: %s is too large", o->name, text);
    if (check_range(o, v, text, err)) return -1;
    *out = v;
    return 0;
}

/* 1, 0, or -1 where the word is neither yes nor no. */
static int truth(const char *word)
{
    static const char *const WORD[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (int i = 0; i < 8; i++)
        if (!strcasecmp(word, WORD[i])) return i & 1;
    return -1;
}

static int set_bool(const Opt *o, bool *out, const char *text, Err *err)
{
    int v = truth(text);
    if (v < 0) return err_set(err, "%s: '%s' is neither true nor false", o->name, text);
    *out = v;
    return 0;
}

static int set_enum(const Opt *o, int *out, const char *text, Err *err)
{
    int v = choice_index(o->choices, text, strlen(text));
    if (v >= 0) {
        *out = v;
        return 0;
    }
    StrList known = {0};
    add_choices(&known, o->choices);
    const char *near = nearest_word(text, (const char *const *)known.at, known.n);
    err_set(err, "%s: '%s' is none of %s", o->name, text, o->choices);
    if (near) err_hint(err, "did you mean %s?", near);
    strlist_release(&known);
    return -1;
}

static void set_text(char **out, const char *text)
{
    char *fresh = text ? xstrdup(text) : NULL; /* text may be *out itself */
    free(*out);
    *out = fresh;
}

static int set_value(const Opt *o, void *opts, const char *text, Err *err)
{
    void *out = field(o, opts);
    switch (o->type) {
    case OPT_BOOL: return set_bool(o, out, text, err);
    case OPT_INT: return set_int(o, out, text, err);
    case OPT_REAL: return set_real(o, out, text, err);
    case OPT_ENUM: return set_enum(o, out, text, err);
    case OPT_TEXT: set_text(out, text); return 0;
    case OPT_PATH: set_text(out, text[0] ? text : NULL); return 0;
    case OPT_LIST: add_items(out, text); return 0;
    }
    CHECK(0, "%s has type %d", o->name, (int)o->type);
    return -1;
}

static void set_defaults(const Opt *table, void *opts)
{
    for (const Opt *o = table; o->name; o++) {
        Err err = {0};
        CHECK(!o->def || !set_value(o, opts, o->def, &err), "default of %s: %s", o->name, err.msg);
    }
}

void opt_release(const Opt *table, void *opts)
{
    for (const Opt *o = table; o->name; o++) {
        if (o->type == OPT_LIST) strlist_release(field(o, opts));
        if (o->type == OPT_TEXT || o->type == OPT_PATH) set_text(field(o, opts), NULL);
    }
    given_forget(opts);
}

/* ---- the recipe -------------------------------------------------------------------------------------------------- */

static bool is_null(const Yaml *v)
{
    return v->kind == YAML_TEXT && !v->quoted && !v->text[0];
}

static int set_list(const Opt *o, void *opts, const Yaml *v, Err *err)
{
    StrList *l = field(o, opts);
    strlist_release(l);
    if (v->kind == YAML_TEXT) return set_value(o, opts, v->text, err);
    for (int i = 0; i < v->n; i++) {
        if (v->item[i]->kind != YAML_TEXT || is_null(v->item[i]))
            return err_set(err, "%s: item %d is not text", o->name, i + 1);
        strlist_add(l, v->item[i]->text);
    }
    return 0;
}

/* Sets a row from a value of the recipe. A null empties texts and lists. */
static int set_from_recipe(const Opt *o, void *opts, const Yaml *v, Err *err)
{
    static const char *const WANT[] = {"true or false", "a whole number", "a number", "text",
                                       "a path",        "a word",         "a list"};
    bool can_be_null = o->type == OPT_TEXT || o->type == OPT_PATH || o->type == OPT_LIST;
    if (is_null(v) && !can_be_null) {
        err_set(err, "%s has no value, expected %s", o->name, WANT[o->type]);
        return err_hint(err, "leave the line out for the default");
    }
    if (o->type == OPT_LIST && v->kind != YAML_MAP) return set_list(o, opts, v, err);
    if (v->kind != YAML_TEXT)
        return err_set(err, "%s must be %s, not a %s", o->name, WANT[o->type],
                       v->kind == YAML_LIST ? "list" : "mapping");
    if (!is_null(v)) return set_value(o, opts, v->text, err);
    set_text(field(o, opts), NULL);
    return 0;
}

static int read_recipe(const Opt *table, void *opts, bool *given, const char *path, Err *err)
{
    Yaml *y = yaml_load(path, err);
    if (!y) return -1;
    int rc = 0;
    for (int i = 0; rc == 0 && i < y->n; i++) {
        const char *key = y->key[i];
        const Opt *o = row_find(table, key, strlen(key));
        if (!o) rc = unknown_key(table, key, strlen(key), err);
        else if (given[o - table]) rc = err_set(err, "'%s': %s was already given", key, o->name);
        else rc = set_from_recipe(o, opts, y->item[i], err);
        if (o) given[o - table] = true;
        if (rc) err_context(err, "%s:%d", path, y->item[i]->line);
    }
    yaml_tree_free(y);
    return rc;
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

typedef struct Setting {
    const Opt *row;
    const char *text;
} Setting;

typedef struct CommandLine {
    VEC(Setting) set;
    VEC(const char *) operand;
    bool help;
} CommandLine;

/* Length of the key where word is "key=value" with a key made of letters, digits, '_' and '-'; 0 otherwise. */
static size_t assigned_key(const char *word)
{
    size_t n = 0;
    while (isalnum((unsigned char)word[n]) || word[n] == '_' || word[n] == '-') n++;
    return word[n] == '=' ? n : 0;
}

/* May `--name` stand alone for "true"?  Not where what follows is a value of it. */
static bool is_switch(const Opt *o, const char *next)
{
    if (o->type == OPT_BOOL) return !(next && truth(next) >= 0);
    if (o->type != OPT_ENUM || choice_index(o->choices, "true", 4) < 0) return false;
    return !(next && choice_index(o->choices, next, strlen(next)) >= 0);
}

/* Reads "--key=value", "--key value", "--switch" at argv[i]. Returns how many words it took, -1 on error. */
static int read_flag(const Opt *table, CommandLine *c, int argc, char **argv, int i, Err *err)
{
    const char *key = argv[i] + 2;
    size_t n = strcspn(key, "=");
    const Opt *o = row_find(table, key, n);
    if (!o) return unknown_key(table, key, n, err);
    Setting s = {o, key + n + 1};
    const char *next = i + 1 < argc ? argv[i + 1] : NULL;
    int used = 1;
    if (key[n] != '=' && is_switch(o, next)) {
        s.text = "true";
    } else if (key[n] != '=') {
        if (!next || (next[0] == '-' && next[1] == '-')) {
            err_set(err, "%s needs a value", argv[i]);
            return next ? err_hint(err, "write %s=VALUE for a value that starts with --", argv[i]) : -1;
        }
        s.text = next;
        used = 2;
    }
    vec_push(&c->set, s);
    return used;
}

static int read_assignment(const Opt *table, CommandLine *c, const char *word, size_t key_len, Err *err)
{
    const Opt *o = row_find(table, word, key_len);
    if (!o) return unknown_key(table, word, key_len, err);
    Setting s = {o, word + key_len + 1};
    vec_push(&c->set, s);
    return 1;
}

static int read_words(const Opt *table, CommandLine *c, int argc, char **argv, Err *err)
{
    bool only_operands = false;
    for (int i = 0, used; i < argc; i += used) {
        const char *w = argv[i];
        size_t key_len = assigned_key(w);
        used = 1;
        if (only_operands) vec_push(&c->operand, w);
        else if (!strcmp(w, "--")) only_operands = true;
        else if (!strcmp(w, "--help") || !strcmp(w, "-h")) c->help = true;
        else if (w[0] == '-' && w[1] == '-') used = read_flag(table, c, argc, argv, i, err);
        else if (w[0] == '-' && w[1]) used = unknown_key(table, w, strlen(w), err);
        else if (key_len) used = read_assignment(table, c, w, key_len, err);
        else vec_push(&c->operand, w);
        if (used < 0) return -1;
    }
    return 0;
}

static bool is_recipe(const char *path)
{
    size_t n = strlen(path);
    return (n > 5 && !strcmp(path + n - 5, ".yaml")) || (n > 4 && !strcmp(path + n - 4, ".yml"));
}

/* The command line wins over the recipe: the first value of a list replaces what the recipe gave, further ones add. */
static int apply_settings(const Opt *table, void *opts, bool *given, const CommandLine *c, Err *err)
{
    int n = row_count(table), rc = 0;
    bool *here = xcalloc((size_t)n, sizeof *here);
    for (int i = 0; rc == 0 && i < c->set.n; i++) {
        const Opt *o = c->set.at[i].row;
        if (o->type == OPT_LIST && !here[o - table]) strlist_release(field(o, opts));
        here[o - table] = given[o - table] = true;
        rc = set_value(o, opts, c->set.at[i].text, err);
    }
    free(here);
    if (rc) err->usage = 1;
    return rc;
}

static int check_required(const Opt *table, const bool *given, Err *err)
{
    for (const Opt *o = table; o->name; o++) {
        if (!o->required || given[o - table]) continue;
        err->usage = 1;
        return err_set(err, "%s is missing (%s)", o->name, o->help);
    }
    return 0;
}

int opt_parse(const Opt *table, void *opts, int argc, char **argv, bool allow_recipe, StrList *operands, Err *err)
{
    CommandLine c = {0};
    bool *given = given_new(opts, row_count(table));
    set_defaults(table, opts);
    int rc = read_words(table, &c, argc, argv, err);
    if (rc) err->usage = 1;
    if (rc == 0 && c.help) rc = 1;
    int first = allow_recipe && c.operand.n > 0 && is_recipe(c.operand.at[0]);
    if (rc == 0 && first) rc = read_recipe(table, opts, given, c.operand.at[0], err);
    if (rc == 0) rc = apply_settings(table, opts, given, &c, err);
    if (rc == 0) rc = check_required(table, given, err);
    if (rc == 0)
        for (int i = first; i < c.operand.n; i++) strlist_add(operands, c.operand.at[i]);
    else opt_release(table, opts);
    free(c.set.at);
    free(c.operand.at);
    return rc;
}
