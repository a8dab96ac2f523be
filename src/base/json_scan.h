/*
 * json_scan.h - walking over JSON text from left to right, for files with more values than a tree of them should have.
 *
 *   JsonScan s = json_scan(text, n);
 *   json_scan_enter(&s, '{');
 *   while (json_scan_member(&s)) {                      the key is s.string
 *       if (!json_scan_integer(&s, &id)) ...            or _string, _skip, _enter
 *   }
 *   if (s.bad) err_set(err, "line %d: not valid JSON", json_scan_line(&s));
 *   json_scan_release(&s);
 *
 * After the first error s.bad is set, s.at stands there, and every call returns false.  What is skipped is only looked
 * at for brackets and quotes.  The text is borrowed.
 */
#ifndef OSLER_BASE_JSON_SCAN_H
#define OSLER_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct JsonScan {
    const char *text, *at, *end;
    Buf string; /* the last key or string, decoded */
    bool first; /* nothing of the object or array was read yet */
    bool bad;
} JsonScan;

JsonScan json_scan(const char *text, size_t n);
void json_scan_release(JsonScan *s);

/* '{' or '['; without an error where another value begins here. */
bool json_scan_enter(JsonScan *s, char open);
/* To the next value of the object or array that was entered last; false behind its end. */
bool json_scan_member(JsonScan *s);
bool json_scan_element(JsonScan *s);

bool json_scan_string(JsonScan *s); /* into s->string; false without an error where another value begins here */
bool json_scan_integer(JsonScan *s, int64_t *v); /* the same; numbers with a fraction or an exponent are no integers */
bool json_scan_skip(JsonScan *s);
/* Only space is left. */
bool json_scan_done(JsonScan *s);

int json_scan_line(const JsonScan *s);

#endif
