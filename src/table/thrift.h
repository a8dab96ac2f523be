/*
 * thrift.h - reading Thrift's compact protocol, in which parquet files describe themselves.
 *
 * What is broken stays broken: after the first violation every call gives zeros and no more fields, so a caller reads
 * a whole structure and asks once, at the end.  Nothing is allocated, and no count is believed that the bytes left
 * cannot hold.
 *
 *   Thrift t = {.at = bytes, .end = bytes + n};
 *   for (ThriftField f = {0}; thrift_field(&t, &f);) {
 *       if (f.id == 1) version = thrift_int(&t, f.type);
 *       else thrift_skip(&t, f.type);
 *   }
 *   if (t.broken) ...
 *
 * Source: the Apache Thrift specification, thrift-compact-protocol.md.
 */
#ifndef OSLER_TABLE_THRIFT_H
#define OSLER_TABLE_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Thrift {
    const unsigned char *at, *end;
    bool broken;
} Thrift;

typedef enum ThriftType {
    THRIFT_STOP,
    THRIFT_TRUE,
    THRIFT_FALSE,
    THRIFT_BYTE,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_BINARY,
    THRIFT_LIST,
    THRIFT_SET,
    THRIFT_MAP,
    THRIFT_STRUCT
} ThriftType;

typedef struct ThriftField {
    int id, type;
} ThriftField;

/* The next field of a structure; f begins as zero. False at its end. The field's value must then be read or skipped. */
bool thrift_field(Thrift *t, ThriftField *f);
void thrift_skip(Thrift *t, int type);

/* Values; `type` is the field's, and one that does not fit breaks t. */
int64_t thrift_int(Thrift *t, int type);
int thrift_i32(Thrift *t, int type);
bool thrift_bool(Thrift *t, int type);
/* Borrows n bytes; NULL where broken. */
const char *thrift_binary(Thrift *t, int type, size_t *n);
/* The number of elements, which are to be read one after the other; *element is their type. */
int thrift_list(Thrift *t, int type, int *element);
/* Begins a structure's fields: checks the type only. */
bool thrift_struct(Thrift *t, int type);

/* A number of seven bits a byte, least significant first; also parquet's own. */
uint64_t thrift_varint(Thrift *t);
/* 0, 1, 2, 3, 4 ... to 0, -1, 1, -2, 2 ... */
static inline int64_t thrift_zigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

#endif
