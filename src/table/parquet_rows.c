#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "table/parquet_impl.h"

/* ---- values to cells --------------------------------------------------------------------------------------------- */

/* A whole number of n bytes, most significant first, in two's complement. */
static double real_from_big_endian(const unsigned char *bytes, size_t n)
{
    double v = n && bytes[0] & 0x80 ? -1 : 0;
    for (size_t i = 0; i < n; i++) v = v * 256 + bytes[i];
    return v;
}

static uint64_t read_number(const PqValue *v)
{
    uint64_t x = 0;
    for (size_t i = 0; i < v->n && i < 8; i++) x |= (uint64_t)v->bytes[i] << 8 * i;
    return x;
}

static Cell integer_cell(const PqNode *n, uint64_t x)
{
    bool narrow = n->type == PQ_INT32;
    int64_t i = narrow ? (int32_t)(uint32_t)x : (int64_t)x;
    if (n->meaning == PQ_DECIMAL) return (Cell){.kind = CELL_REAL, .real = (double)i / pow(10, n->scale)};
    if (n->meaning != PQ_UNSIGNED) return (Cell){.kind = CELL_INT, .i = i};
    if (narrow) x &= UINT32_MAX;
    if (x > INT64_MAX) return (Cell){.kind = CELL_REAL, .real = (double)x};
    return (Cell){.kind = CELL_INT, .i = (int64_t)x};
}

static int array_cell(Cell *c, Parquet *p, const PqNode *n, const PqValue *v, Err *err)
{
    if (n->meaning == PQ_DECIMAL) {
        *c = (Cell){.kind = CELL_REAL, .real = real_from_big_endian(v->bytes, v->n) / pow(10, n->scale)};
        return 0;
    }
    if (n->meaning == PQ_HALF && v->n == 2) {
        *c = (Cell){.kind = CELL_REAL, .real = (double)f16_to_f32((uint16_t)read_number(v))};
        return 0;
    }
    const void *bytes = v->bytes;
    if (!v->stays) {
        void *copy = cell_alloc(&p->arena, v->n, err);
        if (!copy) return -1;
        if (v->n) memcpy(copy, v->bytes, v->n);
        bytes = copy;
    }
    *c = (Cell){.kind = n->meaning == PQ_TEXT ? CELL_TEXT : CELL_BYTES, .text = bytes, .n = v->n};
    return 0;
}

static int value_cell(Cell *c, Parquet *p, const PqNode *n, const PqValue *v, Err *err)
{
    uint64_t x = read_number(v);
    float f;
    switch (n->type) {
    case PQ_BOOLEAN: *c = (Cell){.kind = CELL_BOOL, .i = x & 1}; return 0;
    case PQ_INT32:
    case PQ_INT64: *c = integer_cell(n, x); return 0;
    case PQ_FLOAT: {
        uint32_t bits = (uint32_t)x;
        memcpy(&f, &bits, sizeof f);
        *c = (Cell){.kind = CELL_REAL, .real = (double)f};
        return 0;
    }
    case PQ_DOUBLE:
        c->kind = CELL_REAL;
        memcpy(&c->real, &x, sizeof c->real);
        return 0;
    default: return array_cell(c, p, n, v, err);
    }
}

/* ---- entries to cells -------------------------------------------------------------------------------------------- */

/* Whether the next entries of all leaves beneath a node have something there; 1, 0, or -1 where they disagree. */
static int node_present(Parquet *p, const PqNode *n, Err *err)
{
    int present = 0;
    for (int k = 0; k < n->n_leaves; k++) {
        PqLeaf *l = &p->leaf[n->leaf + k];
        if (leaf_peek(p, l, err)) return -1;
        bool here = l->def >= n->def;
        if (l->ended || (k > 0 && here != present)) return err_set(err, "column %s: its parts disagree", n->name);
        present = here;
    }
    return present;
}

/* Whether the next entries go on with the list of a repeated node; as above. */
static int node_continues(Parquet *p, const PqNode *n, Err *err)
{
    int goes_on = 0;
    for (int k = 0; k < n->n_leaves; k++) {
        PqLeaf *l = &p->leaf[n->leaf + k];
        if (leaf_peek(p, l, err)) return -1;
        bool more = l->rep == n->rep;
        if (l->rep > n->rep || (k > 0 && more != goes_on))
            return err_set(err, "column %s: its parts disagree", n->name);
        goes_on = more;
    }
    return goes_on;
}

static void node_drop(Parquet *p, const PqNode *n)
{
    for (int k = 0; k < n->n_leaves; k++) leaf_drop(&p->leaf[n->leaf + k]);
}

static int read_node(Parquet *p, Cell *c, int i, Err *err);
static int read_content(Parquet *p, Cell *c, int i, Err *err);

/* Node i is repeated, or the LIST above it is; elements are node i itself, or the one field that it wraps. */
static int read_list(Parquet *p, Cell *c, int i, bool wraps, Err *err)
{
    const PqNode *n = &p->node[i];
    CellList list = {0};
    int more = node_present(p, n, err);
    if (more == 0) node_drop(p, n);
    while (more > 0) {
        Cell item;
        if (wraps ? read_node(p, &item, i + 1, err) : read_content(p, &item, i, err)) return -1;
        item.name = NULL;
        if (cell_list_add(&list, item, &p->arena, err)) return -1;
        more = node_continues(p, n, err);
    }
    *c = (Cell){.kind = CELL_LIST, .item = list.item, .n = list.n};
    return more;
}

static int read_struct(Parquet *p, Cell *c, int i, Err *err)
{
    size_t n = 0;
    for (int k = i + 1; k < p->node[i].next; k = p->node[k].next) n++;
    Cell *field = cell_alloc(&p->arena, n * sizeof *field, err);
    if (!field) return -1;
    *c = (Cell){.kind = CELL_STRUCT, .item = field, .n = n};
    for (int k = i + 1; k < p->node[i].next; k = p->node[k].next, field++) {
        if (read_node(p, field, k, err)) return -1;
        field->name = p->node[k].name;
    }
    return 0;
}

/* Node i is there; what is in it? */
static int read_content(Parquet *p, Cell *c, int i, Err *err)
{
    const PqNode *n = &p->node[i];
    PqValue v;
    *c = (Cell){0};
    if (n->group)
        return list_wraps(p, i) < 0 ? read_struct(p, c, i, err) : read_list(p, c, i + 1, list_wraps(p, i), err);
    PqLeaf *l = &p->leaf[n->leaf];
    if (leaf_peek(p, l, err)) return -1;
    if (l->ended || l->def != n->def) return err_set(err, "column %s: its parts disagree", n->name);
    return leaf_take(l, &v, err) ? -1 : value_cell(c, p, n, &v, err);
}

static int read_node(Parquet *p, Cell *c, int i, Err *err)
{
    const PqNode *n = &p->node[i];
    *c = (Cell){0};
    if (n->repeated) return read_list(p, c, i, false, err);
    int present = n->optional ? node_present(p, n, err) : 1;
    if (present == 0) node_drop(p, n);
    return present > 0 ? read_content(p, c, i, err) : present;
}

/*
 * How node i holds a list: -1 it is none, 1 its repeated field wraps the elements, 0 the repeated field is the element.
 * The last is what old writers did (parquet-format, LogicalTypes.md, backward-compatibility rules), and a map.
 */
int list_wraps(const Parquet *p, int i)
{
    const PqNode *n = &p->node[i], *r = n + 1;
    bool list = n->group && (n->meaning == PQ_LIST || n->meaning == PQ_MAP) && r->repeated && r->next == n->next;
    if (!list) return -1;
    if (n->meaning == PQ_MAP || !r->group || p->node[i + 2].next != r->next) return 0;
    size_t len = strlen(n->name);
    bool tuple = !strncmp(r->name, n->name, len) && !strcmp(r->name + len, "_tuple");
    return strcmp(r->name, "array") != 0 && !tuple;
}

int parquet_read(Parquet *p, Cell *out, int64_t row, int column, Err *err)
{
    CHECK(column >= 0 && column < p->n_columns, "column %d of %d", column, p->n_columns);
    *out = (Cell){0};
    if (row < 0 || row >= p->rows)
        return err_set(err, "there are only %lld rows (they count from 0)", (long long)p->rows);
    int i = p->column[column], rc = 0;
    const PqNode *n = &p->node[i];
    for (int k = 0; k < n->n_leaves && rc == 0; k++) rc = leaf_seek(p, &p->leaf[n->leaf + k], row, err);
    if (rc == 0) rc = read_node(p, out, i, err);
    if (rc == 0) return 0;
    for (int k = 0; k < n->n_leaves; k++) leaf_close(p, &p->leaf[n->leaf + k]);
    *out = (Cell){0};
    return -1;
}
