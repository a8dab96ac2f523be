#include "table/thrift.h"

#include <limits.h>

enum { MAX_DEPTH = 32 };

static size_t bytes_left(const Thrift *t)
{
    return t->broken ? 0 : (size_t)(t->end - t->at);
}

static unsigned read_byte(Thrift *t)
{
    if (bytes_left(t) == 0) {
        t->broken = true;
        return 0;
    }
    return *t->at++;
}

uint64_t thrift_varint(Thrift *t)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        unsigned b = read_byte(t);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) return t->broken ? 0 : v;
    }
    t->broken = true;
    return 0;
}

bool thrift_field(Thrift *t, ThriftField *f)
{
    unsigned head = read_byte(t);
    f->type = head & 15;
    if (t->broken || f->type == THRIFT_STOP) return false;
    int64_t id = head >> 4 ? f->id + (int)(head >> 4) : thrift_zigzag(thrift_varint(t));
    if (id < 0 || id > INT16_MAX || f->type > THRIFT_STRUCT) t->broken = true;
    f->id = (int)id;
    return !t->broken;
}

int64_t thrift_int(Thrift *t, int type)
{
    if (type == THRIFT_BYTE) return (int8_t)read_byte(t);
    if (type == THRIFT_I16 || type == THRIFT_I32 || type == THRIFT_I64) return thrift_zigzag(thrift_varint(t));
    t->broken = true;
    return 0;
}

int thrift_i32(Thrift *t, int type)
{
    int64_t v = thrift_int(t, type);
    if (v < INT32_MIN || v > INT32_MAX) t->broken = true;
    return t->broken ? 0 : (int)v;
}

bool thrift_bool(Thrift *t, int type)
{
    if (type != THRIFT_TRUE && type != THRIFT_FALSE) t->broken = true;
    return !t->broken && type == THRIFT_TRUE;
}

static const unsigned char *take(Thrift *t, uint64_t n)
{
    if (n > bytes_left(t)) {
        t->broken = true;
        return NULL;
    }
    const unsigned char *p = t->at;
    t->at += n;
    return p;
}

const char *thrift_binary(Thrift *t, int type, size_t *n)
{
    if (type != THRIFT_BINARY) t->broken = true;
    uint64_t len = thrift_varint(t);
    const unsigned char *p = take(t, len);
    *n = p ? (size_t)len : 0;
    return (const char *)p;
}

/* A count of things of which each takes a byte or more. */
static int read_count(Thrift *t, uint64_t n)
{
    if (n > bytes_left(t) || n > INT_MAX) t->broken = true;
    return t->broken ? 0 : (int)n;
}

int thrift_list(Thrift *t, int type, int *element)
{
    if (type != THRIFT_LIST && type != THRIFT_SET) t->broken = true;
    unsigned head = read_byte(t);
    *element = head & 15;
    return read_count(t, head >> 4 == 15 ? thrift_varint(t) : head >> 4);
}

bool thrift_struct(Thrift *t, int type)
{
    if (type != THRIFT_STRUCT) t->broken = true;
    return !t->broken;
}

static void skip_value(Thrift *t, int type, bool in_list, int depth);

static void skip_map(Thrift *t, int depth)
{
    uint64_t claimed = thrift_varint(t);
    int n = read_count(t, claimed);
    if (n == 0) return;
    unsigned types = read_byte(t);
    for (int i = 0; i < n && !t->broken; i++) {
        skip_value(t, (int)(types >> 4), true, depth + 1);
        skip_value(t, (int)(types & 15), true, depth + 1);
    }
}

static void skip_list(Thrift *t, int type, int depth)
{
    int element, n = thrift_list(t, type, &element);
    for (int i = 0; i < n && !t->broken; i++) skip_value(t, element, true, depth + 1);
}

static void skip_struct(Thrift *t, int depth)
{
    for (ThriftField f = {0}; thrift_field(t, &f);) skip_value(t, f.type, false, depth + 1);
}

/* A truth value is in a field's head, but a byte of its own in a list. */
static void skip_value(Thrift *t, int type, bool in_list, int depth)
{
    size_t n;
    if (depth > MAX_DEPTH) t->broken = true;
    if (t->broken) return;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (in_list) read_byte(t);
        break;
    case THRIFT_BYTE: read_byte(t); break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: thrift_varint(t); break;
    case THRIFT_DOUBLE: take(t, 8); break;
    case THRIFT_BINARY: thrift_binary(t, type, &n); break;
    case THRIFT_LIST:
    case THRIFT_SET: skip_list(t, type, depth); break;
    case THRIFT_MAP: skip_map(t, depth); break;
    case THRIFT_STRUCT: skip_struct(t, depth); break;
    default: t->broken = true;
    }
}

void thrift_skip(Thrift *t, int type)
{
    skip_value(t, type, false, 0);
}
