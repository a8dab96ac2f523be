#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 32 };

typedef struct Reader {
    yaml_parser_t parser;
    const char *name; /* of the file, for messages */
    int depth;
    Err *err;
} Reader;

static int line_of(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

static int fail_at(Reader *r, yaml_mark_t mark, const char *what)
{
    return err_set(r->err, "%s:%d: %s", r->name, line_of(mark), what);
}

static int next_event(Reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e)) return 0;
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not valid YAML";
    err_set(r->err, "%s:%d:%d: not valid YAML: %s%s%s", r->name, line_of(p->problem_mark),
            (int)p->problem_mark.column + 1, problem, p->context ? " " : "", p->context ? p->context : "");
    return err_hint(r->err, "indent with spaces, and put text with a colon or a leading special character in quotes");
}

static Yaml *node_new(YamlKind kind, yaml_mark_t mark)
{
    Yaml *y = xcalloc(1, sizeof *y);
    y->kind = kind;
    y->line = line_of(mark);
    return y;
}

/* Grown by doubling; the counts at which that happens are the powers of two. */
static void add_item(Yaml *y, char *key, Yaml *item)
{
    if ((y->n & (y->n - 1)) == 0) {
        size_t cap = y->n ? 2 * (size_t)y->n : 1;
        y->item = xrealloc(y->item, cap * sizeof *y->item);
        if (y->kind == YAML_MAP) y->key = xrealloc(y->key, cap * sizeof *y->key);
    }
    if (y->kind == YAML_MAP) y->key[y->n] = key;
    y->item[y->n++] = item;
}

static bool is_null(const char *s)
{
    return !s[0] || !strcmp(s, "~") || !strcmp(s, "null") || !strcmp(s, "Null") || !strcmp(s, "NULL");
}

static int check_scalar(Reader *r, const yaml_event_t *e)
{
    if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
        return fail_at(r, e->start_mark, "text holds a NUL character");
    return 0;
}

static Yaml *read_text(Reader *r, const yaml_event_t *e)
{
    if (check_scalar(r, e)) return NULL;
    Yaml *y = node_new(YAML_TEXT, e->start_mark);
    const char *s = (const char *)e->data.scalar.value;
    y->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    y->text = xstrdup(!y->quoted && is_null(s) ? "" : s);
    return y;
}

static Yaml *read_node(Reader *r, const yaml_event_t *e);

static Yaml *read_list(Reader *r, const yaml_event_t *start)
{
    Yaml *list = node_new(YAML_LIST, start->start_mark);
    for (;;) {
        yaml_event_t e;
        if (next_event(r, &e)) goto fail;
        bool end = e.type == YAML_SEQUENCE_END_EVENT;
        Yaml *item = end ? NULL : read_node(r, &e);
        yaml_event_delete(&e);
        if (end) return list;
        if (!item) goto fail;
        add_item(list, NULL, item);
    }
fail:
    yaml_tree_free(list);
    return NULL;
}

/* A fresh copy of the key that event e holds, added to `seen`; NULL on error. */
static char *read_key(Reader *r, const yaml_event_t *e, Map *seen)
{
    if (e->type != YAML_SCALAR_EVENT) {
        fail_at(r, e->start_mark, "a key must be a word, not an alias, a list or a mapping");
        return NULL;
    }
    const char *key = (const char *)e->data.scalar.value;
    int64_t line;
    if (check_scalar(r, e)) return NULL;
    if (e->data.scalar.anchor || e->data.scalar.tag) fail_at(r, e->start_mark, "anchors and tags are not supported");
    else if (!key[0]) fail_at(r, e->start_mark, "a key is empty");
    else if (!strcmp(key, "<<")) fail_at(r, e->start_mark, "merge keys (<<) are not supported; write the keys out");
    else if (map_get_str(seen, key, &line))
        err_set(r->err, "%s:%d: '%s' was already given in line %d", r->name, line_of(e->start_mark), key, (int)line);
    else {
        map_set_str(seen, key, line_of(e->start_mark));
        return xstrdup(key);
    }
    return NULL;
}

static Yaml *read_value(Reader *r)
{
    yaml_event_t e;
    if (next_event(r, &e)) return NULL;
    Yaml *y = read_node(r, &e);
    yaml_event_delete(&e);
    return y;
}

static Yaml *read_map(Reader *r, const yaml_event_t *start)
{
    Yaml *map = node_new(YAML_MAP, start->start_mark);
    Map seen = {0}; /* key -> line */
    for (;;) {
        yaml_event_t e;
        if (next_event(r, &e)) break;
        bool end = e.type == YAML_MAPPING_END_EVENT;
        char *key = end ? NULL : read_key(r, &e, &seen);
        yaml_event_delete(&e);
        Yaml *value = key ? read_value(r) : NULL;
        if (!value) {
            free(key);
            if (!end) break;
            map_release(&seen);
            return map;
        }
        add_item(map, key, value);
    }
    map_release(&seen);
    yaml_tree_free(map);
    return NULL;
}

/* The node that event e starts; reads on to the node's end. NULL on error. e stays the caller's. */
static Yaml *read_node(Reader *r, const yaml_event_t *e)
{
    Yaml *y = NULL;
    bool decorated = false;
    if (e->type == YAML_ALIAS_EVENT) {
        fail_at(r, e->start_mark, "aliases (*name) are not supported; quote text that starts with *");
        return NULL;
    }
    if (e->type == YAML_SCALAR_EVENT) decorated = e->data.scalar.anchor || e->data.scalar.tag;
    else if (e->type == YAML_SEQUENCE_START_EVENT)
        decorated = e->data.sequence_start.anchor || e->data.sequence_start.tag;
    else if (e->type == YAML_MAPPING_START_EVENT) decorated = e->data.mapping_start.anchor || e->data.mapping_start.tag;
    if (decorated) {
        fail_at(r, e->start_mark, "anchors (&name) and tags (!name) are not supported; quote text that starts so");
        return NULL;
    }
    if (++r->depth > MAX_DEPTH) fail_at(r, e->start_mark, "nested too deeply");
    else if (e->type == YAML_SCALAR_EVENT) y = read_text(r, e);
    else if (e->type == YAML_SEQUENCE_START_EVENT) y = read_list(r, e);
    else if (e->type == YAML_MAPPING_START_EVENT) y = read_map(r, e);
    else fail_at(r, e->start_mark, "a value is missing");
    r->depth--;
    return y;
}

/* stream start, at most one document, stream end */
static Yaml *read_stream(Reader *r)
{
    Yaml *root = NULL;
    for (;;) {
        yaml_event_t e;
        if (next_event(r, &e)) break;
        yaml_event_type_t type = e.type;
        yaml_mark_t mark = e.start_mark;
        bool first = !root;
        if (type == YAML_MAPPING_START_EVENT) root = read_node(r, &e);
        yaml_event_delete(&e);
        if (type == YAML_STREAM_END_EVENT) return root ? root : node_new(YAML_MAP, mark);
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT) continue;
        if (type == YAML_DOCUMENT_START_EVENT && first) continue;
        if (type == YAML_MAPPING_START_EVENT && root) continue;
        if (type == YAML_DOCUMENT_START_EVENT) fail_at(r, mark, "a second document (---) is not supported");
        else fail_at(r, mark, "expected `key: value` lines");
        break;
    }
    yaml_tree_free(root);
    return NULL;
}

Yaml *yaml_parse(const char *text, size_t n, const char *name, Err *err)
{
    if (n > MAX_BYTES) {
        err_set(err, "%s: larger than %d bytes", name, MAX_BYTES);
        return NULL;
    }
    Reader r = {.name = name, .err = err};
    if (!yaml_parser_initialize(&r.parser)) {
        err_set(err, "%s: out of memory", name);
        return NULL;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    Yaml *root = read_stream(&r);
    yaml_parser_delete(&r.parser);
    return root;
}

Yaml *yaml_load(const char *path, Err *err)
{
    Buf b = {0};
    Yaml *y = file_read(&b, path, MAX_BYTES, err) ? NULL : yaml_parse(b.data, b.len, path, err);
    buf_release(&b);
    return y;
}

void yaml_tree_free(Yaml *y)
{
    if (!y) return;
    for (int i = 0; i < y->n; i++) {
        if (y->key) free(y->key[i]);
        yaml_tree_free(y->item[i]);
    }
    free(y->key);
    free(y->item);
    free(y->text);
    free(y);
}

const Yaml *yaml_get(const Yaml *map, const char *key)
{
    for (int i = 0; map->kind == YAML_MAP && i < map->n; i++)
        if (!strcmp(map->key[i], key)) return map->item[i];
    return NULL;
}
