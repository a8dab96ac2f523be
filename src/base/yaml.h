/*
 * yaml.h - recipes: YAML documents as a tree that remembers lines.
 *
 * Every recipe is one mapping (an empty file: without keys); scalars stay text (opt.h gives them their type).
 * Duplicate keys are errors, and so is what no recipe needs: anchors, aliases, merge keys, tags, a second document,
 * more than 32 levels or 1 MiB.
 *
 *   Yaml *y = yaml_load(path, err);       NULL on error, message with path:line
 *   for (int i = 0; i < y->n; i++) ... y->key[i], y->item[i]->text, y->item[i]->line
 *   yaml_tree_free(y);
 */
#ifndef OSLER_BASE_YAML_H
#define OSLER_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef enum YamlKind { YAML_TEXT, YAML_LIST, YAML_MAP } YamlKind;

typedef struct Yaml {
    YamlKind kind;
    int line;           /* from 1 */
    char *text;         /* YAML_TEXT; "" for a null */
    bool quoted;        /* YAML_TEXT in quotes: never read as null, list or number */
    int n;              /* YAML_LIST, YAML_MAP */
    char **key;         /* YAML_MAP */
    struct Yaml **item; /* YAML_LIST, YAML_MAP */
} Yaml;

Yaml *yaml_load(const char *path, Err *err);
/* Parses n bytes; `name` stands for the path in messages. */
Yaml *yaml_parse(const char *text, size_t n, const char *name, Err *err);
void yaml_tree_free(Yaml *y); /* (libyaml itself has a yaml_free) */
/* The value of a key of a map; NULL where absent. */
const Yaml *yaml_get(const Yaml *map, const char *key);

#endif
