#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "table/parquet_impl.h"

enum { MAX_SCHEMA_DEPTH = 64 };

/* The footer while it is read. */
typedef struct Footer {
    VEC(PqNode) node;
    VEC(int) children; /* of each node, as the file says */
    VEC(PqGroup) group;
    VEC(PqChunk) chunk; /* of all groups */
    VEC(int) chunks;    /* of each group */
    int64_t rows;
    bool encrypted;
} Footer;

/* ---- structures of the format ------------------------------------------------------------------------------------ */

/* ConvertedType, the older of the two ways to say what values mean. */
static PqMeaning meaning_from_converted(int c)
{
    enum {
        UTF8 = 0,
        MAP = 1,
        MAP_KEY_VALUE = 2,
        LIST = 3,
        ENUM = 4,
        DECIMAL = 5,
        UINT_8 = 11,
        UINT_64 = 14,
        JSON = 19
    };
    if (c == UTF8 || c == ENUM || c == JSON) return PQ_TEXT;
    if (c == MAP || c == MAP_KEY_VALUE) return PQ_MAP;
    if (c == LIST) return PQ_LIST;
    if (c == DECIMAL) return PQ_DECIMAL;
    return c >= UINT_8 && c <= UINT_64 ? PQ_UNSIGNED : PQ_AS_IS;
}

static void read_decimal(Thrift *t, PqNode *n)
{
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == 1) n->scale = thrift_i32(t, f.type);
        else thrift_skip(t, f.type);
    }
}

/* IntType: whether it is signed. */
static bool read_signed(Thrift *t)
{
    bool is_signed = true;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == 2) is_signed = thrift_bool(t, f.type);
        else thrift_skip(t, f.type);
    }
    return is_signed;
}

/* LogicalType, a union. */
static void read_logical(Thrift *t, PqNode *n)
{
    enum { STRING = 1, MAP = 2, LIST = 3, ENUM = 4, DECIMAL = 5, INTEGER = 10, JSON = 12, FLOAT16 = 15 };
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == STRING || f.id == ENUM || f.id == JSON) n->meaning = PQ_TEXT;
        if (f.id == MAP) n->meaning = PQ_MAP;
        if (f.id == LIST) n->meaning = PQ_LIST;
        if (f.id == FLOAT16) n->meaning = PQ_HALF;
        if (f.id == DECIMAL && thrift_struct(t, f.type)) {
            n->meaning = PQ_DECIMAL;
            read_decimal(t, n);
        } else if (f.id == INTEGER && thrift_struct(t, f.type)) {
            n->meaning = read_signed(t) ? PQ_AS_IS : PQ_UNSIGNED;
        } else {
            thrift_skip(t, f.type);
        }
    }
}

static int read_element(Thrift *t, Footer *ft, Err *err)
{
    PqNode n = {.type = PQ_TYPES};
    int repetition = 0, children = 0, type_length = 0;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        size_t len;
        const char *name;
        switch (f.id) {
        case 1: n.type = (PqType)thrift_i32(t, f.type); break;
        case 2: type_length = thrift_i32(t, f.type); break;
        case 3: repetition = thrift_i32(t, f.type); break;
        case 4:
            name = thrift_binary(t, f.type, &len);
            free(n.name);
            n.name = name ? xstrndup(name, len) : NULL;
            break;
        case 5: children = thrift_i32(t, f.type); break;
        case 6: n.meaning = meaning_from_converted(thrift_i32(t, f.type)); break;
        case 7: n.scale = thrift_i32(t, f.type); break;
        case 10:
            if (thrift_struct(t, f.type)) read_logical(t, &n);
            break;
        default: thrift_skip(t, f.type);
        }
    }
    static const int WIDTH[PQ_TYPES] = {
        [PQ_INT32] = 4, [PQ_INT64] = 8, [PQ_INT96] = 12, [PQ_FLOAT] = 4, [PQ_DOUBLE] = 8};
    n.optional = repetition == 1;
    n.repeated = repetition == 2;
    n.group = n.type == PQ_TYPES;
    if (!n.group && (unsigned)n.type < PQ_TYPES) n.width = n.type == PQ_FIXED ? type_length : WIDTH[n.type];
    vec_push(&ft->node, n);
    vec_push(&ft->children, children);
    if (t->broken || !n.name || repetition < 0 || repetition > 2 || (unsigned)n.type > PQ_TYPES || children < 0)
        return err_set(err, "element %d of the schema is broken", ft->node.n - 1);
    if (!n.group && (children > 0 || (n.type == PQ_FIXED && n.width < 1)))
        return err_set(err, "column %s: its type is broken", n.name);
    return 0;
}

static unsigned read_encodings(Thrift *t, int type)
{
    unsigned bits = 0;
    int element, n = thrift_list(t, type, &element);
    for (int i = 0; i < n && !t->broken; i++) {
        int e = thrift_i32(t, element);
        if (e >= 0 && e < 32) bits |= 1u << e;
    }
    return bits;
}

static void read_column_metadata(Thrift *t, PqChunk *c)
{
    int64_t data = 0, dictionary = 0;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        switch (f.id) {
        case 2: c->encodings = read_encodings(t, f.type); break;
        case 4: c->codec = (PqCodec)thrift_i32(t, f.type); break;
        case 5: c->values = thrift_int(t, f.type); break;
        case 7: c->bytes = thrift_int(t, f.type); break;
        case 9: data = thrift_int(t, f.type); break;
        case 11: dictionary = thrift_int(t, f.type); break;
        default: thrift_skip(t, f.type);
        }
    }
    c->at = dictionary > 0 && dictionary < data ? dictionary : data; /* some writers give 0 for none */
}

static void read_chunk(Thrift *t, Footer *ft)
{
    PqChunk c = {.values = -1};
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == 1) c.elsewhere = true;
        if (f.id == 8) ft->encrypted = true;
        if (f.id == 3 && thrift_struct(t, f.type)) read_column_metadata(t, &c);
        else thrift_skip(t, f.type);
    }
    vec_push(&ft->chunk, c);
}

static void read_group(Thrift *t, Footer *ft)
{
    PqGroup g = {.rows = -1};
    int chunks = 0, element;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == 1) {
            int n = thrift_list(t, f.type, &element);
            for (int i = 0; i < n && thrift_struct(t, element); i++, chunks++) read_chunk(t, ft);
        } else if (f.id == 3) {
            g.rows = thrift_int(t, f.type);
        } else {
            thrift_skip(t, f.type);
        }
    }
    vec_push(&ft->group, g);
    vec_push(&ft->chunks, chunks);
}

static int read_footer(Thrift *t, Footer *ft, Err *err)
{
    int element;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == 2) {
            int n = thrift_list(t, f.type, &element);
            for (int i = 0; i < n && thrift_struct(t, element); i++)
                if (read_element(t, ft, err)) return -1;
        } else if (f.id == 3) {
            ft->rows = thrift_int(t, f.type);
        } else if (f.id == 4) {
            int n = thrift_list(t, f.type, &element);
            for (int i = 0; i < n && thrift_struct(t, element); i++) read_group(t, ft);
        } else {
            ft->encrypted |= f.id == 8;
            thrift_skip(t, f.type);
        }
    }
    if (ft->encrypted) return err_set(err, "the file is encrypted, which Osler does not read");
    return t->broken ? err_set(err, "the footer is broken") : 0;
}

/* ---- making sense of it ------------------------------------------------------------------------------------------ */

/* Sets the levels of node i and of all beneath it. Returns the node after them, -1 where the tree is broken. */
static int link_node(Footer *ft, int i, int def, int rep, int depth, int *leaves)
{
    if (i >= ft->node.n || depth > MAX_SCHEMA_DEPTH) return -1;
    PqNode *n = &ft->node.at[i];
    n->def = def + (n->optional || n->repeated);
    n->rep = rep + n->repeated;
    n->leaf = *leaves;
    int next = i + 1;
    if (!n->group) ++*leaves;
    for (int k = 0; k < ft->children.at[i] && next >= 0; k++)
        next = link_node(ft, next, n->def, n->rep, depth + 1, leaves);
    n->next = next;
    n->n_leaves = *leaves - n->leaf;
    return n->n_leaves ? next : -1; /* a group without columns holds nothing that could be counted */
}

static int link_schema(Parquet *p, Footer *ft, Err *err)
{
    if (ft->node.n > 0) ft->node.at[0].optional = ft->node.at[0].repeated = false;
    if (ft->node.n == 0 || !ft->node.at[0].group || link_node(ft, 0, 0, 0, 0, &p->n_leaves) != ft->node.n)
        return err_set(err, "the schema is broken");
    p->column = xcalloc((size_t)ft->node.n, sizeof *p->column);
    for (int i = 1; i < ft->node.n; i = ft->node.at[i].next) p->column[p->n_columns++] = i;
    p->leaf_node = xcalloc((size_t)p->n_leaves, sizeof(PqNode *));
    p->leaf = xcalloc((size_t)p->n_leaves, sizeof *p->leaf);
    for (int i = 0; i < ft->node.n; i++) {
        if (ft->node.at[i].group) continue;
        PqNode *leaf = &ft->node.at[i];
        p->leaf_node[leaf->leaf] = leaf;
        p->leaf[leaf->leaf] = (PqLeaf){.node = leaf, .group = -1};
    }
    return 0;
}

static int check_chunk(const Parquet *p, const PqChunk *c, const PqGroup *g, Err *err)
{
    bool codec = (unsigned)c->codec < PQ_CODECS;
    bool inside =
        c->at >= 4 && c->bytes >= 0 && (uint64_t)c->at <= p->n && (uint64_t)c->bytes <= p->n - (uint64_t)c->at;
    if (c->elsewhere) return err_set(err, "lies in another file, which Osler does not read");
    if (!codec) return err_set(err, "compressed in an unknown way (%d)", (int)c->codec);
    if (c->values < g->rows) return err_set(err, "%lld values for %lld rows", (long long)c->values, (long long)g->rows);
    if (!inside && c->values > 0) {
        err_set(err, "lies outside of the file (byte %lld, %lld bytes)", (long long)c->at, (long long)c->bytes);
        return err_hint(err, "the file may have been cut short; fetch it again");
    }
    return 0;
}

/* Takes a file's groups: each must have one chunk for every leaf, within the file. */
static int link_groups(Parquet *p, const Footer *ft, Err *err)
{
    PqChunk *chunk = ft->chunk.at;
    for (int i = 0; i < ft->group.n; i++) {
        PqGroup *g = &ft->group.at[i];
        if (ft->chunks.at[i] != p->n_leaves || g->rows < 0 || g->rows > INT64_MAX - p->rows)
            return err_set(err, "row group %d is broken", i);
        g->first_row = p->rows;
        g->chunk = chunk;
        p->rows += g->rows;
        for (int k = 0; k < p->n_leaves; k++, chunk++)
            if (check_chunk(p, chunk, g, err))
                return err_context(err, "row group %d, column %s", i, p->leaf_node[k]->name);
    }
    if (p->rows == ft->rows) return 0;
    return err_set(err, "the footer counts %lld rows, its row groups %lld", (long long)ft->rows, (long long)p->rows);
}

int footer_read(Parquet *p, const unsigned char *bytes, size_t n, Err *err)
{
    Thrift t = {.at = bytes, .end = bytes + n};
    Footer ft = {0};
    int rc = read_footer(&t, &ft, err);
    p->node = ft.node.at;
    p->n_nodes = ft.node.n;
    p->group = ft.group.at;
    p->n_groups = ft.group.n;
    p->chunk = ft.chunk.at;
    if (rc == 0) rc = link_schema(p, &ft, err);
    if (rc == 0) rc = link_groups(p, &ft, err);
    free(ft.children.at);
    free(ft.chunks.at);
    return rc;
}
