/*
 * parquet_impl.h - what the files of the parquet reader share.
 *
 *   parquet.c          opening, closing, describing
 *   parquet_footer.c   the footer: schema and row groups
 *   parquet_codec.c    a page's bytes, decompressed
 *   parquet_values.c   encodings: bytes to levels and values, one at a time
 *   parquet_leaf.c     a leaf column: row groups, pages, where a row begins
 *   parquet_rows.c     leaves to cells
 *
 * Levels (Dremel): every entry of a leaf has a definition level, how many of the optional and repeated fields on the
 * way to it are there, and a repetition level, at which repeated field the entry continues a list; 0 begins a row.
 * An entry whose definition level is the leaf's own has a value.
 *
 * All readers of bytes go forward one entry at a time and expand nothing in advance: a count that lies costs nothing.
 */
#ifndef OSLER_TABLE_PARQUET_IMPL_H
#define OSLER_TABLE_PARQUET_IMPL_H

#include "base/file.h"
#include "table/parquet.h"
#include "table/thrift.h"

typedef enum PqType {
    PQ_BOOLEAN,
    PQ_INT32,
    PQ_INT64,
    PQ_INT96,
    PQ_FLOAT,
    PQ_DOUBLE,
    PQ_BYTE_ARRAY,
    PQ_FIXED,
    PQ_TYPES
} PqType;

/* What the values of a type mean. */
typedef enum PqMeaning {
    PQ_AS_IS,
    PQ_TEXT,
    PQ_UNSIGNED,
    PQ_DECIMAL,
    PQ_HALF, /* a float of 16 bits */
    PQ_LIST,
    PQ_MAP
} PqMeaning;

typedef enum PqEncoding {
    PQ_PLAIN = 0,
    PQ_PLAIN_DICTIONARY = 2,
    PQ_RLE = 3,
    PQ_BIT_PACKED = 4,
    PQ_DELTA_BINARY_PACKED = 5,
    PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    PQ_DELTA_BYTE_ARRAY = 7,
    PQ_RLE_DICTIONARY = 8,
    PQ_BYTE_STREAM_SPLIT = 9
} PqEncoding;

typedef enum PqCodec { PQ_NONE, PQ_SNAPPY, PQ_GZIP, PQ_LZO, PQ_BROTLI, PQ_LZ4, PQ_ZSTD, PQ_LZ4_RAW, PQ_CODECS } PqCodec;
const char *codec_name(PqCodec c);

static inline uint32_t pq_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- the schema -------------------------------------------------------------------------------------------------- */

/* Nodes stand in the file's order, a group before its fields: the first field of node i is i + 1. */
typedef struct PqNode {
    char *name;
    bool optional, repeated;
    bool group;
    int next;     /* the node after this one and all beneath it */
    int def, rep; /* levels of an entry in which this node is there */
    int leaf;     /* the first leaf at or beneath this node */
    int n_leaves;
    PqType type; /* of a leaf */
    PqMeaning meaning;
    int width; /* bytes of a value of a fixed-width type; else 0 */
    int scale; /* of a decimal */
} PqNode;

typedef struct PqChunk {
    int64_t at, bytes, values; /* first page; all pages; entries */
    PqCodec codec;
    unsigned encodings; /* bits 1 << PqEncoding */
    bool elsewhere;     /* in another file */
} PqChunk;

typedef struct PqGroup {
    int64_t first_row, rows;
    PqChunk *chunk; /* [n_leaves] */
} PqGroup;

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Runs of equal numbers and runs of packed ones (the format's "RLE / bit-packing hybrid"). */
typedef struct PqRuns {
    const unsigned char *at, *end;
    int width;                   /* bits of a number; at most 32 */
    uint64_t left;               /* numbers left in the run */
    uint32_t value;              /* of a run of equal numbers */
    const unsigned char *packed; /* of a packed run, else NULL */
    size_t packed_bytes;
    uint64_t packed_at; /* numbers that were taken from it */
} PqRuns;
void runs_open(PqRuns *r, const unsigned char *bytes, size_t n, int width);
/* -1 where the bytes end. */
int runs_next(PqRuns *r, uint32_t *v);

/* DELTA_BINARY_PACKED */
typedef struct PqDelta {
    Thrift in; /* its varints */
    uint64_t left, per_mini, in_mini;
    int minis, mini;
    const unsigned char *widths, *packed;
    int width;
    uint64_t value, min_delta;
    bool first;
} PqDelta;

/* One value: bytes that lie in the page, or in `own`, or are gone with the next value. */
typedef struct PqValue {
    const unsigned char *bytes;
    size_t n;
    bool stays; /* as long as the page does */
    unsigned char own[16];
} PqValue;

/* A dictionary page's values. */
typedef struct PqDictionary {
    const unsigned char *bytes;
    uint32_t n;
    int width;          /* 0: at[i], len[i] */
    uint32_t *at, *len; /* [n] */
    unsigned char *own; /* where it was decompressed */
} PqDictionary;
int dictionary_open(PqDictionary *d, const PqNode *leaf, const unsigned char *bytes, size_t n, int64_t count, Err *err);
void dictionary_release(PqDictionary *d);

typedef struct PqValues {
    const PqNode *leaf;
    PqEncoding encoding;
    const unsigned char *at, *end;
    uint64_t taken;
    PqRuns runs;
    PqDelta delta, suffix;
    Buf last; /* DELTA_BYTE_ARRAY */
} PqValues;
/* Begins the values of a page; v->last is kept. */
int values_open(PqValues *v, const PqNode *leaf, PqEncoding e, const unsigned char *bytes, size_t n, Err *err);
int values_next(PqValues *v, const PqDictionary *d, PqValue *out, Err *err);
const char *encoding_name(int e);

/* ---- pages and leaves -------------------------------------------------------------------------------------------- */

/* Exactly `size` bytes of out. */
int page_expand(unsigned char *out, size_t size, PqCodec codec, const unsigned char *bytes, size_t n, Err *err);
/* Whether n compressed bytes can hold so many. */
bool page_size_plausible(size_t size, PqCodec codec, size_t n);

typedef struct PqPageStart {
    const unsigned char *at;
    int64_t row, values_left;
} PqPageStart;

/* A page's values, and the levels of v1. */
typedef struct PqBody {
    const unsigned char *stored; /* where they lie in the file */
    unsigned char *own;          /* where they were decompressed; NULL: they were not compressed */
    const unsigned char *bytes;
    size_t n;
} PqBody;

/* Where the reading of a leaf stands. */
typedef struct PqLeaf {
    const PqNode *node;
    int group;                     /* of the page, -1 at first */
    const unsigned char *at, *end; /* the next page of the chunk */
    int64_t values_left;           /* entries of the chunk in pages that are not begun */
    VEC(PqPageStart) start;        /* pages of the chunk that begin with a row, in order */
    PqDictionary dictionary;

    PqBody body; /* of the page, kept for going back in it */
    PqPageStart page_start;
    int64_t page_left; /* entries of the page that were not taken */
    int64_t page_rows; /* rows that the page's header claims and that have not begun; -1: no claim */
    PqRuns reps, defs;
    PqValues values;

    int64_t row; /* which is the next to begin */
    bool peeked; /* rep and def are those of the next entry */
    bool ended;  /* there is no next entry in the chunk */
    int rep, def;
} PqLeaf;

struct Parquet {
    FileMap map; /* of a file */
    const unsigned char *bytes;
    size_t n; /* up to the footer */
    int64_t rows;
    PqNode *node;
    int n_nodes;
    int *column; /* [n_columns] nodes under the root */
    int n_columns, n_leaves;
    PqNode **leaf_node; /* [n_leaves] */
    PqGroup *group;
    int n_groups;
    PqChunk *chunk;               /* of all groups */
    PqLeaf *leaf;                 /* [n_leaves] */
    VEC(unsigned char *) retired; /* pages that cells may lie in */
    Arena arena;                  /* cells of the row */
};

/* How a node holds a list: -1 it is none, 1 the repeated field wraps the elements, 0 it is the element. */
int list_wraps(const Parquet *p, int i);
int footer_read(Parquet *p, const unsigned char *bytes, size_t n, Err *err);
/* Leads the leaf to the first entry of a row. */
int leaf_seek(Parquet *p, PqLeaf *l, int64_t row, Err *err);
/* Fills rep and def of the next entry, or sets `ended` (rep 0, def -1) at the end of the chunk. */
int leaf_peek(Parquet *p, PqLeaf *l, Err *err);
/* Takes the entry that was peeked, which has no value ... */
void leaf_drop(PqLeaf *l);
/* ... or has one. */
int leaf_take(PqLeaf *l, PqValue *v, Err *err);
/* Forgets the position, so that the next reading begins anew: after an error. */
void leaf_close(Parquet *p, PqLeaf *l);
void leaf_release(PqLeaf *l);

#endif
