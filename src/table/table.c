#include "table/table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/opt.h"
#include "table/delimited.h"
#include "table/parquet.h"

typedef struct JsonRow {
    const char *text; /* n bytes, NULL where the row is a member of Table.keyed: */
    size_t n;
    int line;
    const char *key;
    const json_t *object;
} JsonRow;

struct Table {
    char *path;
    FileMap map; /* of a file */
    const char *text;
    size_t n;
    const struct TableFormat *format;
    int64_t rows;
    char **name;
    int n_columns;
    Map column;  /* name -> number */
    Arena arena; /* cells of the row that was read last */

    Parquet *parquet;
    Delimited delimited;
    bool headless;
    VEC(JsonRow) json_row;
    json_t *keyed; /* an object of objects */
    json_t *row;   /* the JSON row that was read last */
};

typedef struct TableFormat {
    const char *name;
    int (*open)(Table *t, Err *err);
    int (*read)(Table *t, int64_t row, const int *column, int n, Cell *cell, Err *err);
} TableFormat;

/* ---- columns ----------------------------------------------------------------------------------------------------- */

/* Takes `name`. */
static void add_column(Table *t, char *name)
{
    t->name = xrealloc(t->name, (size_t)(t->n_columns + 1) * sizeof *t->name);
    t->name[t->n_columns] = name;
    map_set_str(&t->column, name, t->n_columns++);
}

int table_look(const Table *t, const char *name)
{
    int64_t i;
    return map_get_str(&t->column, name, &i) ? (int)i : -1;
}

int table_find(const Table *t, const char *name, int *column, Err *err)
{
    *column = table_look(t, name);
    if (*column >= 0) return 0;
    err_set(err, "%s: there is no column \"%s\"", t->path, name);
    const char *near = nearest_word(name, (const char *const *)t->name, t->n_columns);
    if (near) return err_hint(err, "did you mean \"%s\"?", near);
    Buf all = {0};
    for (int i = 0; i < t->n_columns && all.len < 400; i++) buf_printf(&all, "%s%.80s", i ? ", " : "", t->name[i]);
    err_hint(err, "its columns are %s", all.data ? all.data : "none");
    buf_release(&all);
    return -1;
}

/* ---- parquet ----------------------------------------------------------------------------------------------------- */

static int open_parquet(Table *t, Err *err)
{
    t->parquet = parquet_open_memory(t->path, (const unsigned char *)t->text, t->n, err);
    if (!t->parquet) return -1;
    t->rows = parquet_rows(t->parquet);
    for (int i = 0; i < parquet_columns(t->parquet); i++) add_column(t, xstrdup(parquet_column_name(t->parquet, i)));
    return 0;
}

static int read_parquet(Table *t, int64_t row, const int *column, int n, Cell *cell, Err *err)
{
    parquet_forget(t->parquet);
    for (int i = 0; i < n; i++)
        if (parquet_read(t->parquet, &cell[i], row, column[i], err)) return -1;
    return 0;
}

/* ---- CSV and TSV ------------------------------------------------------------------------------------------------- */

static bool is_tsv(const Table *t)
{
    if (str_ends_with(t->path, ".tsv") || str_ends_with(t->path, ".csv")) return str_ends_with(t->path, ".tsv");
    size_t head = 0;
    while (head < t->n && t->text[head] != '\n') head++;
    return memchr(t->text, '\t', head) != NULL;
}

static int name_columns(Table *t, Err *err)
{
    CellList head;
    if (delimited_read(&t->delimited, 0, &head, &t->arena, err))
        return err_context(err, "%s:%lld", t->path, (long long)t->delimited.row.at[0].line);
    for (size_t i = 0; i < head.n; i++) {
        char *name = cell_str(&head.item[i]);
        bool again = *name && table_look(t, name) >= 0;
        add_column(t, name);
        if (again) return err_set(err, "%s: two columns are called \"%s\"", t->path, name);
    }
    return 0;
}

static int open_delimited(Table *t, Err *err)
{
    t->delimited = (Delimited){.name = t->path, .text = t->text, .n = t->n, .separator = is_tsv(t) ? '\t' : ','};
    if (delimited_find_rows(&t->delimited, err)) return -1;
    if (t->delimited.row.n == 0) return err_set(err, "%s: the file is empty", t->path);
    t->rows = t->delimited.row.n - !t->headless;
    return t->headless ? 0 : name_columns(t, err);
}

static int read_delimited(Table *t, int64_t row, const int *column, int n, Cell *cell, Err *err)
{
    CellList fields;
    int k = (int)row + !t->headless;
    if (delimited_read(&t->delimited, k, &fields, &t->arena, err)) return -1;
    if ((int64_t)fields.n != t->n_columns) {
        err_set(err, "%zu fields for %d columns", fields.n, t->n_columns);
        return err_hint(err, "a field with separators or line breaks in it must stand in quotes");
    }
    for (int i = 0; i < n; i++) cell[i] = fields.item[column[i]];
    return 0;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static void add_keys(Table *t, const json_t *row)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)row, key, value)
    {
        if (table_look(t, key) < 0) add_column(t, xstrdup(key));
    }
}

static bool is_keyed(const json_t *v)
{
    const char *key;
    json_t *value;
    bool objects = json_object_size(v) > 0;
    json_object_foreach((json_t *)(uintptr_t)v, key, value) objects = objects && json_is_object(value);
    return objects;
}

/* {"id": {...}, ...} as the whole file; false where it is something else. */
static bool open_keyed(Table *t)
{
    const char *key;
    json_t *value;
    bool bom = t->n >= 3 && !memcmp(t->text, "\xef\xbb\xbf", 3);
    t->keyed = json_loadb(t->text + 3 * bom, t->n - 3 * bom, JSON_ROW_FLAGS, NULL);
    if (!is_keyed(t->keyed)) {
        json_decref(t->keyed);
        t->keyed = NULL;
        return false;
    }
    add_column(t, xstrdup("key"));
    json_object_foreach(t->keyed, key, value)
    {
        add_keys(t, value);
        vec_push(&t->json_row, ((JsonRow){.key = key, .object = value}));
    }
    return true;
}

static int add_json_row(Table *t, const JsonRows *rows, const json_t *row, const Err *why, Err *err)
{
    char where[512];
    row_place(where, sizeof where, rows->at);
    if (!row) return err_set(err, "%s: %s", where, why->msg);
    if (!json_is_object(row)) return err_set(err, "%s: a row must be an object, got %s", where, json_kind(row));
    add_keys(t, row);
    vec_push(&t->json_row, ((JsonRow){.text = rows->text, .n = rows->n, .line = rows->at.text_line}));
    return 0;
}

static int read_json_rows(Table *t, JsonRows *rows, Err *err)
{
    json_t *row;
    Err why = {0};
    int more;
    while ((more = json_rows_next(rows, &row, &why, err)) == 1) {
        int rc = add_json_row(t, rows, row, &why, err);
        json_decref(row);
        if (rc) return -1;
    }
    return more;
}

/* An object of objects is the one JSON that either ends behind its first row or has no row on its first line. */
static int open_json(Table *t, Err *err)
{
    JsonRows rows;
    json_t *row;
    Err why = {0};
    if (json_rows_open(&rows, t->path, t->text, t->n, err)) return -1;
    JsonRows ahead = rows;
    bool keyed = false;
    if (!rows.array && json_rows_next(&ahead, &row, &why, err) == 1) {
        json_t *second = NULL;
        bool alone = is_keyed(row) && json_rows_next(&ahead, &second, &why, err) == 0;
        json_decref(second);
        keyed = (!row || alone) && open_keyed(t);
        json_decref(row);
    }
    int rc = keyed ? 0 : read_json_rows(t, &rows, err);
    t->rows = t->json_row.n;
    return rc;
}

static int read_json(Table *t, int64_t row, const int *column, int n, Cell *cell, Err *err)
{
    const JsonRow *r = &t->json_row.at[row];
    const json_t *object = r->object;
    json_decref(t->row);
    t->row = NULL;
    if (!object) {
        json_error_t e;
        object = t->row = json_loadb(r->text, r->n, JSON_ROW_FLAGS, &e);
        if (!object) return err_set(err, "not valid JSON: %s", e.text);
    }
    for (int i = 0; i < n; i++) {
        if (r->key && column[i] == 0) cell[i] = (Cell){.kind = CELL_TEXT, .text = r->key, .n = strlen(r->key)};
        else if (cell_from_json(&cell[i], json_object_get(object, t->name[column[i]]), &t->arena, err)) return -1;
    }
    return 0;
}

/* ---- any file ---------------------------------------------------------------------------------------------------- */

static const TableFormat PARQUET = {"parquet", open_parquet, read_parquet}, JSON = {"JSON", open_json, read_json},
                         CSV = {"CSV", open_delimited, read_delimited}, TSV = {"TSV", open_delimited, read_delimited};

static const TableFormat *find_format(const Table *t)
{
    if (parquet_match((const unsigned char *)t->text, t->n)) return &PARQUET;
    size_t at = t->n >= 3 && !memcmp(t->text, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (at < t->n && strchr(" \t\r\n", t->text[at])) at++;
    if (at < t->n && (t->text[at] == '{' || t->text[at] == '[')) return &JSON;
    return is_tsv(t) ? &TSV : &CSV;
}

/* Takes `map`, if the text lies in one. */
static Table *open_text(const char *path, FileMap map, const char *text, size_t n, const char *const *name, int n_names,
                        Err *err)
{
    Table *t = xcalloc(1, sizeof *t);
    t->path = xstrdup(path);
    t->map = map;
    t->text = text ? text : "";
    t->n = n;
    t->format = find_format(t);
    arena_init(&t->arena, "table row", CELL_MAX_BYTES);
    t->headless = name != NULL && t->format->open == open_delimited;
    for (int i = 0; t->headless && i < n_names; i++) add_column(t, xstrdup(name[i]));
    if (t->format->open(t, err) == 0) return t;
    table_close(t);
    return NULL;
}

Table *table_open_headless(const char *path, const char *const *name, int n, Err *err)
{
    FileMap map;
    if (file_map(&map, path, err)) return NULL;
    return open_text(path, map, (const char *)map.data, map.size, name, n, err);
}

Table *table_open(const char *path, Err *err)
{
    return table_open_headless(path, NULL, 0, err);
}

Table *table_open_memory(const char *name, const char *bytes, size_t n, Err *err)
{
    return open_text(name, (FileMap){0}, bytes, n, NULL, 0, err);
}

void table_close(Table *t)
{
    if (!t) return;
    parquet_close(t->parquet);
    delimited_release(&t->delimited);
    json_decref(t->keyed);
    json_decref(t->row);
    free(t->json_row.at);
    for (int i = 0; i < t->n_columns; i++) free(t->name[i]);
    free(t->name);
    map_release(&t->column);
    arena_free(&t->arena);
    file_unmap(&t->map);
    free(t->path);
    free(t);
}

const char *table_path(const Table *t)
{
    return t->path;
}

int64_t table_rows(const Table *t)
{
    return t->rows;
}

int table_columns(const Table *t)
{
    return t->n_columns;
}

const char *table_column_name(const Table *t, int column)
{
    return t->name[column];
}

int table_read(Table *t, int64_t row, const int *column, int n, Cell *cell, Err *err)
{
    for (int i = 0; i < n; i++) CHECK(column[i] >= 0 && column[i] < t->n_columns, "column %d", column[i]);
    if (row < 0 || row >= t->rows)
        return err_set(err, "there are only %lld rows (they count from 0)", (long long)t->rows);
    arena_release(&t->arena, 0);
    return t->format->read(t, row, column, n, cell, err);
}

RowPlace table_place(const Table *t, int64_t row)
{
    int64_t line = 0;
    int number = (int)(row < INT_MAX ? row : INT_MAX);
    if (row < t->json_row.n) line = t->json_row.at[row].line;
    if (row + !t->headless < t->delimited.row.n) line = t->delimited.row.at[row + !t->headless].line;
    int text_line = (int)(line < INT_MAX ? line : INT_MAX);
    return (RowPlace){.file = t->path, .line = text_line ? text_line : number, .text_line = text_line};
}

int table_context(const Table *t, int64_t row, Err *err)
{
    char where[512];
    return err_context(err, "%s", row_place(where, sizeof where, table_place(t, row)));
}

void table_describe(Buf *out, const Table *t)
{
    if (t->parquet) {
        parquet_describe(out, t->parquet);
        return;
    }
    buf_printf(out, "%s, %lld rows, %d column%s\n", t->format->name, (long long)t->rows, t->n_columns,
               t->n_columns == 1 ? "" : "s");
    for (int i = 0; i < t->n_columns; i++) buf_printf(out, "  %s\n", t->name[i]);
}
