/*
 * json.h - reading JSON with messages a user can act on.
 *
 * Values are jansson's json_t; this header adds loading with file and line, and getters that say which key of which
 * object was wrong.  Getters return 0 and leave *out alone when the key is absent and `required` is false.
 *
 *   json_t *root = json_load_path(path, MAX, err);              free with json_decref
 *   if (!root || json_get_int(root, "hidden_size", &d, true, err)) ...
 */
#ifndef OSLER_BASE_JSON_H
#define OSLER_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Parses a whole file of at most max_bytes. NULL on error; the message carries path:line:column. */
json_t *json_load_path(const char *path, size_t max_bytes, Err *err);
/* Parses n bytes; the message carries line and column only. Nesting is limited by jansson (2048). */
json_t *json_parse(const char *text, size_t n, Err *err);

/* As json_parse, of text that was read from path: the message carries path:line:column. */
json_t *json_parse_file(const char *text, size_t n, const char *path, Err *err);

int json_get_int(const json_t *obj, const char *key, int *out, bool required, Err *err);
int json_get_i64(const json_t *obj, const char *key, int64_t *out, bool required, Err *err);
int json_get_num(const json_t *obj, const char *key, double *out, bool required, Err *err);
int json_get_bool(const json_t *obj, const char *key, bool *out, bool required, Err *err);
/* Borrows the string from obj. */
int json_get_str(const json_t *obj, const char *key, const char **out, bool required, Err *err);
/* Borrows obj[key] and checks that it is an array / object. *out = NULL when absent and not required. */
int json_get_array(const json_t *obj, const char *key, const json_t **out, bool required, Err *err);
int json_get_object(const json_t *obj, const char *key, const json_t **out, bool required, Err *err);

/* "object", "array", "string", "integer", "real", "true or false", "null" */
const char *json_kind(const json_t *v);

/* Appends v as one line of JSON: keys in insertion order, UTF-8 kept, floats with enough digits to round-trip. */
void json_append(Buf *b, const json_t *v);
/* Length of the valid UTF-8 sequence at s, of at most n bytes; 0 where there is none. */
size_t utf8_len(const char *s, size_t n);
/* Appends s as a JSON string with quotes; bytes that are no UTF-8 become U+FFFD. */
void json_append_str(Buf *b, const char *s, size_t n);

#endif
