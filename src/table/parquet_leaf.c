#include <limits.h>
#include <stdlib.h>

#include "base/gzip.h"
#include "table/parquet_impl.h"

typedef enum PageKind { PAGE_DATA, PAGE_INDEX, PAGE_DICTIONARY, PAGE_DATA_V2, PAGE_KINDS } PageKind;

typedef struct PageHeader {
    int kind;
    int64_t size, packed_size; /* bytes, before and after compression */
    bool has_crc;
    uint32_t crc;
    int64_t values; /* entries, nulls among them */
    int encoding;
    int def_encoding, rep_encoding;     /* v1 */
    int64_t rows, def_bytes, rep_bytes; /* v2; rows are -1 elsewhere */
    bool compressed;
    const unsigned char *body;
} PageHeader;

/* ---- headers ----------------------------------------------------------------------------------------------------- */

static void read_data_header(Thrift *t, PageHeader *h)
{
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        switch (f.id) {
        case 1: h->values = thrift_i32(t, f.type); break;
        case 2: h->encoding = thrift_i32(t, f.type); break;
        case 3: h->def_encoding = thrift_i32(t, f.type); break;
        case 4: h->rep_encoding = thrift_i32(t, f.type); break;
        default: thrift_skip(t, f.type);
        }
    }
}

static void read_dictionary_header(Thrift *t, PageHeader *h)
{
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        switch (f.id) {
        case 1: h->values = thrift_i32(t, f.type); break;
        case 2: h->encoding = thrift_i32(t, f.type); break;
        default: thrift_skip(t, f.type);
        }
    }
}

static void read_data_header_v2(Thrift *t, PageHeader *h)
{
    h->rows = 0;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        switch (f.id) {
        case 1: h->values = thrift_i32(t, f.type); break;
        case 3: h->rows = thrift_i32(t, f.type); break;
        case 4: h->encoding = thrift_i32(t, f.type); break;
        case 5: h->def_bytes = thrift_i32(t, f.type); break;
        case 6: h->rep_bytes = thrift_i32(t, f.type); break;
        case 7: h->compressed = thrift_bool(t, f.type); break;
        default: thrift_skip(t, f.type);
        }
    }
}

static void read_header(Thrift *t, PageHeader *h)
{
    *h = (PageHeader){.kind = -1, .size = -1, .packed_size = -1, .values = -1, .rows = -1, .compressed = true};
    h->def_encoding = h->rep_encoding = PQ_RLE;
    for (ThriftField f = {0}; thrift_field(t, &f);) {
        if (f.id == 1) h->kind = thrift_i32(t, f.type);
        else if (f.id == 2) h->size = thrift_i32(t, f.type);
        else if (f.id == 3) h->packed_size = thrift_i32(t, f.type);
        else if (f.id == 4) h->has_crc = true, h->crc = (uint32_t)thrift_i32(t, f.type);
        else if (f.id == 5 && thrift_struct(t, f.type)) read_data_header(t, h);
        else if (f.id == 7 && thrift_struct(t, f.type)) read_dictionary_header(t, h);
        else if (f.id == 8 && thrift_struct(t, f.type)) read_data_header_v2(t, h);
        else thrift_skip(t, f.type);
    }
}

/* The header of the page at l->at and its body, which lies within the chunk. */
static int next_header(PqLeaf *l, PageHeader *h, Err *err)
{
    Thrift t = {.at = l->at, .end = l->end};
    read_header(&t, h);
    bool counted = h->kind == PAGE_INDEX || (h->values >= 0 && h->kind >= 0 && h->kind < PAGE_KINDS);
    if (t.broken || !counted || h->size < 0 || h->packed_size < 0) return err_set(err, "a page's header is broken");
    if (h->packed_size > l->end - t.at)
        return err_set(err, "a page of %lld bytes where %lld are left", (long long)h->packed_size,
                       (long long)(l->end - t.at));
    bool v2 = h->kind == PAGE_DATA_V2;
    if (!v2) { /* whatever a header of the second version beside its own says */
        h->def_bytes = h->rep_bytes = 0;
        h->rows = -1;
        h->compressed = true;
    }
    if (v2 && (h->def_bytes < 0 || h->rep_bytes < 0 || h->def_bytes > h->packed_size - h->rep_bytes ||
               h->def_bytes > h->size - h->rep_bytes || h->rows < (h->values > 0) || h->rows > h->values))
        return err_set(err, "a page's header is broken");
    h->body = t.at;
    l->at = t.at + h->packed_size;
    return 0;
}

static const PqChunk *leaf_chunk(const Parquet *p, const PqLeaf *l)
{
    return &p->group[l->group].chunk[l->node->leaf];
}

/* The body without the levels of v2, decompressed where it was compressed. */
static int read_body(PqBody *b, const Parquet *p, const PqLeaf *l, const PageHeader *h, Err *err)
{
    size_t levels = (size_t)(h->def_bytes + h->rep_bytes), packed = (size_t)h->packed_size - levels;
    PqCodec codec = h->compressed ? leaf_chunk(p, l)->codec : PQ_NONE;
    *b = (PqBody){.stored = h->body, .bytes = h->body + levels, .n = (size_t)h->size - levels};
    if (h->has_crc && !gzip_crc_match(h->crc, h->body, (size_t)h->packed_size)) {
        err_set(err, "a page's checksum is wrong");
        return err_hint(err, "the file is damaged; fetch it again");
    }
    if (!page_size_plausible(b->n, codec, packed))
        return err_set(err, "a page claims %zu bytes of %zu (%s)", b->n, packed, codec_name(codec));
    if (codec == PQ_NONE || b->n == 0) return 0;
    b->own = xmalloc(b->n);
    if (page_expand(b->own, b->n, codec, b->bytes, packed, err)) {
        free(b->own);
        *b = (PqBody){0};
        return -1;
    }
    b->bytes = b->own;
    return 0;
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

static int load_dictionary(const Parquet *p, PqLeaf *l, const PageHeader *h, Err *err)
{
    PqBody b;
    if (l->dictionary.bytes) return err_set(err, "a second dictionary");
    if (h->encoding != PQ_PLAIN && h->encoding != PQ_PLAIN_DICTIONARY)
        return err_set(err, "a dictionary in the encoding %s, which is not read here", encoding_name(h->encoding));
    if (read_body(&b, p, l, h, err)) return -1;
    l->dictionary.own = b.own;
    return dictionary_open(&l->dictionary, l->node, b.bytes, b.n, h->values, err);
}

static int bits_of(int level)
{
    int bits = 0;
    while (level >> bits) bits++;
    return bits;
}

/* Cuts one kind of levels of v1 off the front: a length and then runs. */
static int cut_levels(PqRuns *r, int most, int encoding, const unsigned char **bytes, size_t *n, Err *err)
{
    if (most == 0) return 0;
    if (encoding != PQ_RLE)
        return err_set(err, "levels in the encoding %s, which is not read here", encoding_name(encoding));
    if (*n < 4 || pq_u32(*bytes) > *n - 4) return err_set(err, "the page is shorter than its levels");
    size_t len = pq_u32(*bytes);
    runs_open(r, *bytes + 4, len, bits_of(most));
    *bytes += 4 + len;
    *n -= 4 + len;
    return 0;
}

/* Cells may lie in what the leaf holds, so it is kept until they are forgotten. */
static void retire(Parquet *p, unsigned char **own)
{
    if (*own) vec_push(&p->retired, *own);
    *own = NULL;
}

static int load_page(Parquet *p, PqLeaf *l, const PageHeader *h, Err *err)
{
    const PqNode *node = l->node;
    if (l->body.stored != h->body) {
        retire(p, &l->body.own);
        if (read_body(&l->body, p, l, h, err)) return -1;
    }
    const unsigned char *bytes = l->body.bytes;
    size_t n = l->body.n;
    if (h->kind == PAGE_DATA_V2) {
        runs_open(&l->reps, h->body, (size_t)h->rep_bytes, bits_of(node->rep));
        runs_open(&l->defs, h->body + h->rep_bytes, (size_t)h->def_bytes, bits_of(node->def));
    } else if (cut_levels(&l->reps, node->rep, h->rep_encoding, &bytes, &n, err) ||
               cut_levels(&l->defs, node->def, h->def_encoding, &bytes, &n, err)) {
        return -1;
    }
    l->page_left = h->values;
    l->page_rows = h->rows;
    return values_open(&l->values, node, (PqEncoding)h->encoding, bytes, n, err);
}

/* Rows that a page says it holds, -1 where it does not say. */
static int64_t header_rows(const PqLeaf *l, const PageHeader *h)
{
    return l->node->rep == 0 ? h->values : h->rows;
}

static void remember_start(PqLeaf *l, PqPageStart start)
{
    start.row = l->row;
    if (l->start.n == 0 || l->start.at[l->start.n - 1].row < l->row) vec_push(&l->start, start);
}

/*
 * Goes to the next data page with entries, or sets l->ended.  Pages that end before the row `want` are passed over
 * where their headers say how many rows they hold.
 */
static int next_page(Parquet *p, PqLeaf *l, int64_t want, Err *err)
{
    PageHeader h;
    if (l->page_rows > 0) return err_set(err, "fewer rows in a page than its header counts");
    while (l->page_left == 0) {
        if (l->values_left == 0) {
            l->ended = true;
            return 0;
        }
        const PqPageStart here = {.at = l->at, .values_left = l->values_left};
        if (next_header(l, &h, err)) return -1;
        if (h.kind == PAGE_DICTIONARY && load_dictionary(p, l, &h, err)) return -1;
        if (h.kind == PAGE_DICTIONARY || h.kind == PAGE_INDEX) continue;
        if (h.values > l->values_left) return err_set(err, "more values in its pages than the footer counts");
        l->values_left -= h.values;
        int64_t rows = header_rows(l, &h);
        if (rows >= 0 && rows <= want - l->row) {
            remember_start(l, here);
            l->row += rows;
            continue;
        }
        l->page_start = here;
        if (load_page(p, l, &h, err)) return -1;
    }
    return 0;
}

static int next_level(PqRuns *r, int most, int *level, Err *err)
{
    uint32_t v = 0;
    if (most > 0 && runs_next(r, &v)) return err_set(err, "the page is shorter than its levels");
    if (v > (uint32_t)most) return err_set(err, "level %u of at most %d", v, most);
    *level = (int)v;
    return 0;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static int peek(Parquet *p, PqLeaf *l, int64_t want, Err *err)
{
    if (l->peeked || l->ended) return 0;
    l->rep = 0;
    l->def = -1;
    bool first = l->page_left == 0;
    if (first && next_page(p, l, want, err)) return -1;
    if (l->ended) return 0;
    if (next_level(&l->reps, l->node->rep, &l->rep, err) || next_level(&l->defs, l->node->def, &l->def, err)) return -1;
    bool begins = l->rep == 0, v2 = l->page_rows >= 0;
    if (!begins && ((first && v2) || l->row == p->group[l->group].first_row))
        return err_set(err, "a page begins within a row");
    if (begins && v2 && --l->page_rows < 0) return err_set(err, "more rows in a page than its header counts");
    if (begins && first) remember_start(l, l->page_start);
    l->peeked = true;
    return 0;
}

static int leaf_context(const PqLeaf *l, Err *err)
{
    return err_context(err, "column %s, row group %d", l->node->name, l->group);
}

int leaf_peek(Parquet *p, PqLeaf *l, Err *err)
{
    return peek(p, l, l->row, err) ? leaf_context(l, err) : 0;
}

void leaf_drop(PqLeaf *l)
{
    l->row += l->rep == 0;
    l->peeked = false;
    l->page_left--;
}

int leaf_take(PqLeaf *l, PqValue *v, Err *err)
{
    leaf_drop(l);
    return values_next(&l->values, &l->dictionary, v, err) ? leaf_context(l, err) : 0;
}

/* ---- seeking ----------------------------------------------------------------------------------------------------- */

static int find_group(const Parquet *p, int64_t row)
{
    int low = 0, high = p->n_groups - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (p->group[middle].first_row + p->group[middle].rows > row) high = middle;
        else low = middle + 1;
    }
    return low;
}

static void go_to_page(PqLeaf *l, PqPageStart start)
{
    l->at = start.at;
    l->row = start.row;
    l->values_left = start.values_left;
    l->page_left = 0;
    l->page_rows = -1;
    l->peeked = l->ended = false;
}

/* Forgets the position, so that the next reading begins anew. */
void leaf_close(Parquet *p, PqLeaf *l)
{
    retire(p, &l->body.own);
    l->body = (PqBody){0};
    retire(p, &l->dictionary.own);
    dictionary_release(&l->dictionary);
    l->start.n = 0;
    l->group = -1;
}

static void open_chunk(Parquet *p, PqLeaf *l, int group)
{
    const PqGroup *g = &p->group[group];
    const PqChunk *c = &g->chunk[l->node->leaf];
    leaf_close(p, l);
    l->group = group;
    l->end = p->bytes + c->at + c->bytes;
    go_to_page(l, (PqPageStart){.at = p->bytes + c->at, .row = g->first_row, .values_left = c->values});
}

/* The last page known to begin at the row or before it, if that saves reading. */
static void jump(Parquet *p, PqLeaf *l, int64_t row)
{
    int k = l->start.n;
    while (k > 0 && l->start.at[k - 1].row > row) k--;
    if (k > 0 && (row < l->row || l->start.at[k - 1].row > l->row)) go_to_page(l, l->start.at[k - 1]);
    else if (row < l->row) open_chunk(p, l, l->group);
}

static int skip_entry(PqLeaf *l, Err *err)
{
    PqValue v;
    if (l->def == l->node->def) return leaf_take(l, &v, err);
    leaf_drop(l);
    return 0;
}

int leaf_seek(Parquet *p, PqLeaf *l, int64_t row, Err *err)
{
    int group = find_group(p, row);
    if (group != l->group) open_chunk(p, l, group);
    else jump(p, l, row);
    for (;;) {
        if (peek(p, l, row, err)) return leaf_context(l, err);
        if (l->ended) {
            err_set(err, "the column ends before row %lld", (long long)row);
            return leaf_context(l, err);
        }
        if (l->rep == 0 && l->row == row) return 0;
        if (skip_entry(l, err)) return -1;
    }
}

void leaf_release(PqLeaf *l)
{
    free(l->body.own);
    free(l->start.at);
    buf_release(&l->values.last);
    dictionary_release(&l->dictionary);
}
