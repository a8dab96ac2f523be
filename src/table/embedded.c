#include "table/embedded.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "table/quoted_list.h"

/* Base64 of a picture is never as short as this, and paths without any '.', '_' or '-' are hardly ever as long. */
enum { SHORTEST_BASE64 = 64, MAX_IDLE = 16 };

/* ---- pictures in cells ------------------------------------------------------------------------------------------- */

/* What stands behind "data:...;base64,", or the text itself. */
static bool find_base64(const char **text, size_t *n)
{
    const char *comma = *n > 5 && !memcmp(*text, "data:", 5) ? memchr(*text, ',', *n < 128 ? *n : 128) : NULL;
    if (!comma) return *n >= SHORTEST_BASE64 && base64_match(*text, *n);
    *n -= (size_t)(comma + 1 - *text);
    *text = comma + 1;
    return true;
}

/* A list of nothing but base64. */
static bool match_list(const Cell *c)
{
    QuotedList l = quoted_list(c->text, c->n);
    Buf item = {0};
    int rc, n = 0;
    bool match = true;
    while (match && (rc = quoted_list_next(&l, &item)) != 0) {
        const char *text = item.data;
        match = rc == 1 && text && find_base64(&text, &(size_t){item.len});
        n++;
    }
    buf_release(&item);
    return match && n > 0;
}

bool embedded_match(const Cell *c)
{
    const char *text = c->text;
    size_t n = c->n;
    const Cell *bytes = cell_field(c, "bytes");
    if (c->kind == CELL_BYTES) return true;
    if (c->kind == CELL_STRUCT) return bytes && (bytes->kind == CELL_BYTES || bytes->kind == CELL_NULL);
    if (c->kind == CELL_TEXT) return quoted_list_match(text, n) ? match_list(c) : find_base64(&text, &n);
    bool match = c->kind == CELL_LIST && c->n > 0;
    for (size_t i = 0; match && i < c->n; i++) match = c->item[i].kind != CELL_LIST && embedded_match(&c->item[i]);
    return match;
}

bool embedded_is_list(const Cell *c)
{
    return c->kind == CELL_LIST || (c->kind == CELL_TEXT && quoted_list_match(c->text, c->n));
}

int embedded_count(const Cell *c)
{
    if (c->kind == CELL_NULL) return 0;
    if (c->kind == CELL_LIST) return c->n < INT_MAX ? (int)c->n : INT_MAX;
    if (!embedded_is_list(c)) return 1;
    QuotedList l = quoted_list(c->text, c->n);
    Buf item = {0};
    int rc, n = 0;
    while ((rc = quoted_list_next(&l, &item)) == 1) n++;
    buf_release(&item);
    return rc == 0 ? n : 1;
}

/* A name that a reference can carry: '%', '&' and '#' written %25, %26, %23. */
static void add_escaped(Buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '%' || *s == '&' || *s == '#') buf_printf(b, "%%%02x", (unsigned)*s);
        else buf_byte(b, (unsigned char)*s);
    }
}

char *embedded_ref(const char *file, int64_t row, const char *column, int item)
{
    Buf b = {0};
    buf_printf(&b, "%s#row=%lld&column=", file, (long long)row);
    add_escaped(&b, column);
    if (item > 0) buf_printf(&b, "&item=%d", item);
    return buf_take(&b);
}

/* ---- open tables ------------------------------------------------------------------------------------------------- */

typedef struct OpenTable {
    Table *table;
    FileStamp stamp;
    int64_t row;            /* that was read last */
    struct OpenTable *next; /* used longer ago */
} OpenTable;

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static OpenTable *idle_first;

static void open_table_free(OpenTable *o)
{
    table_close(o->table);
    free(o);
}

/* The one that stands nearest to the row, which it may have in memory; NULL where none is idle. */
static OpenTable *take_idle(const char *path, const FileStamp *stamp, int64_t row)
{
    pthread_mutex_lock(&idle_lock);
    OpenTable **best = NULL;
    for (OpenTable **at = &idle_first; *at; at = &(*at)->next) {
        OpenTable *o = *at;
        if (strcmp(table_path(o->table), path) || memcmp(&o->stamp, stamp, sizeof *stamp)) continue;
        if (!best || llabs(o->row - row) < llabs((*best)->row - row)) best = at;
    }
    OpenTable *found = best ? *best : NULL;
    if (found) *best = found->next;
    pthread_mutex_unlock(&idle_lock);
    return found;
}

/* Closes the tables behind the first `keep` ones. */
static void close_idle(int keep)
{
    pthread_mutex_lock(&idle_lock);
    OpenTable **at = &idle_first;
    while (*at && keep-- > 0) at = &(*at)->next;
    OpenTable *rest = *at;
    *at = NULL;
    pthread_mutex_unlock(&idle_lock);
    while (rest) {
        OpenTable *o = rest;
        rest = o->next;
        open_table_free(o);
    }
}

static OpenTable *open_table(const char *path, int64_t row, Err *err)
{
    FileStamp stamp;
    if (file_stamp(&stamp, path, err)) return NULL;
    OpenTable *o = take_idle(path, &stamp, row);
    if (o) return o;
    Table *t = table_open(path, err);
    if (!t) return NULL;
    o = xcalloc(1, sizeof *o);
    *o = (OpenTable){.table = t, .stamp = stamp};
    return o;
}

void embedded_clear(void)
{
    close_idle(0);
}

/* ---- getting one ------------------------------------------------------------------------------------------------- */

/* A path in a cell is relative to the table's folder. */
static void take_path(Embedded *e, const char *text, size_t n)
{
    char *dir = path_dirname(table_path(e->table->table)), *name = xstrndup(text, n);
    e->path = path_join(dir, name);
    free(dir);
    free(name);
}

static int take_text(Embedded *e, const char *text, size_t n, Err *err)
{
    if (!find_base64(&text, &n)) {
        if (n == 0) return err_set(err, "the cell is empty");
        take_path(e, text, n);
        return 0;
    }
    e->own = base64_decode(text, n, &e->n, err);
    e->bytes = e->own;
    return e->own ? 0 : -1;
}

static int take_listed(Embedded *e, const Cell *c, int item, Err *err)
{
    QuotedList l = quoted_list(c->text, c->n);
    Buf text = {0};
    int rc = 1;
    for (int i = 0; i <= item && rc == 1; i++) rc = quoted_list_next(&l, &text);
    rc = rc == 1 ? take_text(e, text.data ? text.data : "", text.len, err) : err_set(err, "there is no item %d", item);
    buf_release(&text);
    return rc;
}

static int take_cell(Embedded *e, const Cell *c, int item, Err *err)
{
    if (c->kind == CELL_TEXT && quoted_list_match(c->text, c->n)) return take_listed(e, c, item, err);
    if (c->kind == CELL_LIST) {
        if ((size_t)item >= c->n) return err_set(err, "item %d of %zu (they count from 0)", item, c->n);
        return take_cell(e, &c->item[item], 0, err);
    }
    if (item > 0) return err_set(err, "item %d of a cell that is no list", item);
    const Cell *bytes = cell_field(c, "bytes"), *path = cell_field(c, "path");
    if (bytes && bytes->kind == CELL_BYTES) c = bytes;
    else if (path && path->kind == CELL_TEXT && path->n > 0) {
        take_path(e, path->text, path->n);
        return 0;
    }
    if (c->kind == CELL_TEXT) return take_text(e, c->text, c->n, err);
    if (c->kind != CELL_BYTES) return err_set(err, "there is no picture but %s", cell_kind_name(c->kind));
    e->bytes = (const unsigned char *)c->text;
    e->n = c->n;
    return 0;
}

int embedded_get(Embedded *e, const char *path, int64_t row, const char *column, int item, Err *err)
{
    *e = (Embedded){.table = open_table(path, row, err)};
    if (!e->table) return -1;
    Table *t = e->table->table;
    Cell cell;
    int number;
    e->table->row = row;
    int rc = table_find(t, column, &number, err);
    if (rc == 0 && table_read(t, row, &number, 1, &cell, err)) rc = table_context(t, row, err);
    if (rc == 0 && take_cell(e, &cell, item, err)) {
        err_context(err, "column %s", column);
        rc = table_context(t, row, err);
    }
    if (rc) embedded_put(e);
    return rc;
}

void embedded_put(Embedded *e)
{
    if (e->table) {
        pthread_mutex_lock(&idle_lock);
        e->table->next = idle_first;
        idle_first = e->table;
        pthread_mutex_unlock(&idle_lock);
        close_idle(MAX_IDLE);
    }
    free(e->own);
    free(e->path);
    *e = (Embedded){0};
}
