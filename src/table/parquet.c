#include "table/parquet.h"

#include <stdlib.h>
#include <string.h>

#include "table/parquet_impl.h"

/* "PAR1", the pages, the footer, its length in four bytes, "PAR1" */
enum { MAGIC_BYTES = 4, TAIL_BYTES = 8 };

bool parquet_match(const unsigned char *bytes, size_t n)
{
    return n >= MAGIC_BYTES && (!memcmp(bytes, "PAR1", MAGIC_BYTES) || !memcmp(bytes, "PARE", MAGIC_BYTES));
}

static int open_bytes(Parquet *p, const unsigned char *bytes, size_t n, Err *err)
{
    if (!parquet_match(bytes, n)) return err_set(err, "not a parquet file");
    const unsigned char *tail = bytes + n - TAIL_BYTES;
    if (n >= MAGIC_BYTES + TAIL_BYTES && !memcmp(tail + 4, "PARE", MAGIC_BYTES))
        return err_set(err, "the file is encrypted, which Osler does not read");
    if (n < MAGIC_BYTES + TAIL_BYTES || memcmp(tail + 4, "PAR1", MAGIC_BYTES)) {
        err_set(err, "a parquet file without its end");
        return err_hint(err, "the file was cut short; fetch it again");
    }
    size_t footer = pq_u32(tail), room = n - MAGIC_BYTES - TAIL_BYTES;
    if (footer > room) return err_set(err, "a footer of %zu bytes where %zu are", footer, room);
    p->bytes = bytes;
    p->n = n - TAIL_BYTES - footer;
    return footer_read(p, bytes + p->n, footer, err);
}

Parquet *parquet_open_memory(const char *name, const unsigned char *bytes, size_t n, Err *err)
{
    Parquet *p = xcalloc(1, sizeof *p);
    if (open_bytes(p, bytes, n, err) == 0) {
        arena_init(&p->arena, "parquet", CELL_MAX_BYTES);
        return p;
    }
    err_context(err, "%s", name);
    parquet_close(p);
    return NULL;
}

Parquet *parquet_open(const char *path, Err *err)
{
    FileMap map;
    if (file_map(&map, path, err)) return NULL;
    Parquet *p = parquet_open_memory(path, map.data, map.size, err);
    if (p) p->map = map;
    else file_unmap(&map);
    return p;
}

void parquet_forget(Parquet *p)
{
    for (int i = 0; i < p->retired.n; i++) free(p->retired.at[i]);
    p->retired.n = 0;
    arena_release(&p->arena, 0);
}

void parquet_close(Parquet *p)
{
    if (!p) return;
    for (int i = 0; i < p->n_leaves && p->leaf; i++) leaf_release(&p->leaf[i]);
    for (int i = 0; i < p->n_nodes; i++) free(p->node[i].name);
    parquet_forget(p);
    free(p->retired.at);
    arena_free(&p->arena);
    free(p->node);
    free(p->column);
    free(p->leaf_node);
    free(p->leaf);
    free(p->group);
    free(p->chunk);
    file_unmap(&p->map);
    free(p);
}

int64_t parquet_rows(const Parquet *p)
{
    return p->rows;
}

int parquet_columns(const Parquet *p)
{
    return p->n_columns;
}

const char *parquet_column_name(const Parquet *p, int column)
{
    return p->node[p->column[column]].name;
}

/* ---- describing -------------------------------------------------------------------------------------------------- */

static const char *leaf_type(const PqNode *n)
{
    switch (n->type) {
    case PQ_BOOLEAN: return "boolean";
    case PQ_INT32:
    case PQ_INT64:
        if (n->meaning == PQ_DECIMAL) return "decimal";
        return n->meaning == PQ_UNSIGNED ? n->width == 4 ? "uint32" : "uint64" : n->width == 4 ? "int32" : "int64";
    case PQ_FLOAT: return "float";
    case PQ_DOUBLE: return "double";
    default:
        if (n->meaning == PQ_DECIMAL) return "decimal";
        if (n->meaning == PQ_HALF) return "float16";
        return n->meaning == PQ_TEXT ? "text" : "bytes";
    }
}

/* How the leaf is stored: codec and encodings of the first row group. */
static void describe_storage(Buf *out, const Parquet *p, const PqNode *n)
{
    if (p->n_groups == 0) return;
    const PqChunk *c = &p->group[0].chunk[n->leaf];
    buf_printf(out, "  %s", codec_name(c->codec));
    for (int e = 0; e < 32; e++)
        if (c->encodings >> e & 1) buf_printf(out, " %s", encoding_name(e));
}

/* Appends node i and what is beneath it; lists show their elements. */
static void describe_node(Buf *out, const Parquet *p, int i, int depth)
{
    const PqNode *n = &p->node[i];
    Buf type = {0};
    int k = i;
    for (bool more = true; more;) {
        int wraps = list_wraps(p, k);
        more = wraps >= 0;
        if (more || p->node[k].repeated) buf_str(&type, "list of ");
        if (more) k += 1 + wraps;
        if (wraps == 0) break;
    }
    const PqNode *element = &p->node[k];
    buf_str(&type, element->group ? "structure" : leaf_type(element));
    buf_printf(out, "  %*s%-*s %-20s", 2 * depth, "", 28 - 2 * depth, n->name, type.data);
    buf_release(&type);
    if (!element->group) describe_storage(out, p, element);
    while (out->data[out->len - 1] == ' ') out->data[--out->len] = 0;
    buf_byte(out, '\n');
    for (int f = k + 1; element->group && f < element->next; f = p->node[f].next) describe_node(out, p, f, depth + 1);
}

void parquet_describe(Buf *out, const Parquet *p)
{
    buf_printf(out, "parquet, %lld rows in %d row group%s, %d column%s\n", (long long)p->rows, p->n_groups,
               p->n_groups == 1 ? "" : "s", p->n_columns, p->n_columns == 1 ? "" : "s");
    for (int i = 0; i < p->n_columns; i++) describe_node(out, p, p->column[i], 0);
}
