#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "table/parquet_impl.h"

/* ---- bits -------------------------------------------------------------------------------------------------------- */

/* `width` (0 to 64) bits from bit `at` on, least significant first; what lies behind the n bytes is zero. */
static uint64_t bits_at(const unsigned char *bytes, size_t n, uint64_t at, int width)
{
    size_t from = (size_t)(at >> 3);
    int shift = (int)(at & 7), got = 8 - shift;
    uint64_t v = from < n ? (uint64_t)bytes[from] >> shift : 0;
    for (size_t i = from + 1; got < width; i++, got += 8) v |= (i < n ? (uint64_t)bytes[i] : 0) << got;
    return width < 64 ? v & (((uint64_t)1 << width) - 1) : v;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

void runs_open(PqRuns *r, const unsigned char *bytes, size_t n, int width)
{
    *r = (PqRuns){.at = bytes, .end = bytes + n, .width = width};
}

static int runs_begin(PqRuns *r)
{
    Thrift in = {.at = r->at, .end = r->end};
    uint64_t head = thrift_varint(&in);
    size_t rest = (size_t)(in.end - in.at), value_bytes = (size_t)(r->width + 7) / 8;
    if (in.broken || head >> 1 > UINT32_MAX) return -1;
    r->packed = NULL;
    if (head & 1) {
        /* Eight numbers take `width` bytes. The last run may be cut off where its numbers are not needed. */
        uint64_t want = (head >> 1) * (uint64_t)r->width;
        r->left = (head >> 1) * 8;
        r->packed_bytes = want < rest ? (size_t)want : rest;
        if (r->width && r->packed_bytes < want) r->left = (uint64_t)r->packed_bytes * 8 / (uint64_t)r->width;
        r->packed = in.at;
        r->packed_at = 0;
        in.at += r->packed_bytes;
    } else {
        if (rest < value_bytes) return -1;
        r->left = head >> 1;
        r->value = (uint32_t)bits_at(in.at, value_bytes, 0, r->width);
        in.at += value_bytes;
    }
    r->at = in.at;
    return 0;
}

int runs_next(PqRuns *r, uint32_t *v)
{
    while (r->left == 0)
        if (runs_begin(r)) return -1;
    r->left--;
    if (r->packed) *v = (uint32_t)bits_at(r->packed, r->packed_bytes, r->packed_at++ * (uint64_t)r->width, r->width);
    else *v = r->value;
    return 0;
}

/* ---- deltas ------------------------------------------------------------------------------------------------------ */

static int delta_open(PqDelta *d, const unsigned char *bytes, const unsigned char *end)
{
    *d = (PqDelta){.in = {.at = bytes, .end = end}, .first = true};
    uint64_t block = thrift_varint(&d->in), minis = thrift_varint(&d->in);
    d->left = thrift_varint(&d->in);
    d->value = (uint64_t)thrift_zigzag(thrift_varint(&d->in));
    if (d->in.broken || block > 1 << 20 || minis == 0 || minis > block || block % (8 * minis)) return -1;
    d->minis = d->mini = (int)minis;
    d->per_mini = d->in_mini = block / minis;
    return 0;
}

static int delta_next_mini(PqDelta *d)
{
    if (d->mini == d->minis) {
        d->min_delta = (uint64_t)thrift_zigzag(thrift_varint(&d->in));
        if (d->in.broken || d->in.end - d->in.at < d->minis) return -1;
        d->widths = d->in.at;
        d->in.at += d->minis;
        d->mini = 0;
    }
    d->width = d->widths[d->mini++];
    uint64_t size = d->per_mini / 8 * (uint64_t)d->width;
    if (d->width > 64 || size > (uint64_t)(d->in.end - d->in.at)) return -1;
    d->packed = d->in.at;
    d->in.at += size;
    d->in_mini = 0;
    return 0;
}

static int delta_next(PqDelta *d, uint64_t *v)
{
    if (d->left == 0) return -1;
    if (!d->first) {
        if (d->in_mini == d->per_mini && delta_next_mini(d)) return -1;
        size_t size = (size_t)(d->per_mini / 8) * (size_t)d->width;
        d->value += d->min_delta + bits_at(d->packed, size, d->in_mini++ * (uint64_t)d->width, d->width);
    }
    d->first = false;
    d->left--;
    *v = d->value;
    return 0;
}

/* Where the bytes of all the numbers end; NULL where they are cut off. */
static const unsigned char *delta_end(const PqDelta *from)
{
    PqDelta d = *from;
    uint64_t left = d.left > 0 ? d.left - 1 : 0; /* the first one stands in the header */
    while (left > 0) {
        if (delta_next_mini(&d)) return NULL;
        left -= left < d.per_mini ? left : d.per_mini;
    }
    return d.in.at;
}

/* A length or -1. */
static int64_t delta_length(PqDelta *d)
{
    uint64_t v;
    return delta_next(d, &v) || v > INT32_MAX ? -1 : (int64_t)v;
}

/* ---- dictionaries ------------------------------------------------------------------------------------------------ */

static int too_short(Err *err)
{
    return err_set(err, "the page is shorter than its values");
}

/* Finds byte arrays that stand behind their lengths. */
static int find_arrays(PqDictionary *d, size_t n, Err *err)
{
    d->at = xcalloc((size_t)d->n + 1, sizeof *d->at);
    d->len = xcalloc((size_t)d->n + 1, sizeof *d->len);
    size_t at = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        if (n - at < 4 || pq_u32(d->bytes + at) > n - at - 4) return too_short(err);
        d->len[i] = pq_u32(d->bytes + at);
        d->at[i] = (uint32_t)(at + 4);
        at += 4 + (size_t)d->len[i];
    }
    return 0;
}

int dictionary_open(PqDictionary *d, const PqNode *leaf, const unsigned char *bytes, size_t n, int64_t count, Err *err)
{
    d->bytes = bytes;
    d->width = leaf->width;
    size_t least = leaf->width ? (size_t)leaf->width : 4;
    if (leaf->type == PQ_BOOLEAN) return err_set(err, "a dictionary of truth values");
    if (count < 0 || n > UINT32_MAX || (uint64_t)count > n / least) return too_short(err);
    d->n = (uint32_t)count;
    return leaf->width ? 0 : find_arrays(d, n, err);
}

void dictionary_release(PqDictionary *d)
{
    free(d->at);
    free(d->len);
    free(d->own);
    *d = (PqDictionary){0};
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

const char *encoding_name(int e)
{
    static const char *const NAME[] = {
        "PLAIN",          "GROUP_VAR_INT",       "PLAIN_DICTIONARY",        "RLE",
        "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
        "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};
    return e >= 0 && e < (int)(sizeof NAME / sizeof *NAME) ? NAME[e] : "unknown";
}

static int open_dictionary_indices(PqValues *v, Err *err)
{
    if (v->at == v->end) return 0; /* all entries are null */
    int width = *v->at++;
    if (width > 32) return err_set(err, "dictionary indices of %d bits", width);
    runs_open(&v->runs, v->at, (size_t)(v->end - v->at), width);
    return 0;
}

/* Truth values: a length, then runs of one bit. */
static int open_runs(PqValues *v, Err *err)
{
    size_t n = (size_t)(v->end - v->at);
    if (n == 0) return 0;
    if (n < 4 || pq_u32(v->at) > n - 4) return too_short(err);
    runs_open(&v->runs, v->at + 4, pq_u32(v->at), 1);
    return 0;
}

/* Lengths, then (of prefixed arrays) the lengths of what follows the prefix, then the bytes. */
static int open_lengths(PqValues *v, Err *err)
{
    if (v->at == v->end) return 0;
    const unsigned char *at = delta_open(&v->delta, v->at, v->end) ? NULL : delta_end(&v->delta);
    if (at && v->encoding == PQ_DELTA_BYTE_ARRAY)
        at = delta_open(&v->suffix, at, v->end) ? NULL : delta_end(&v->suffix);
    if (!at) return err_set(err, "the lengths of the values are broken");
    v->at = at;
    return 0;
}

static bool encoding_fits(PqEncoding e, const PqNode *leaf)
{
    bool array = leaf->type == PQ_BYTE_ARRAY;
    switch (e) {
    case PQ_PLAIN: return true;
    case PQ_PLAIN_DICTIONARY:
    case PQ_RLE_DICTIONARY: return leaf->type != PQ_BOOLEAN;
    case PQ_RLE: return leaf->type == PQ_BOOLEAN;
    case PQ_DELTA_BINARY_PACKED: return leaf->type == PQ_INT32 || leaf->type == PQ_INT64;
    case PQ_DELTA_LENGTH_BYTE_ARRAY: return array;
    case PQ_DELTA_BYTE_ARRAY: return array || leaf->type == PQ_FIXED;
    case PQ_BYTE_STREAM_SPLIT: return leaf->width > 0 && leaf->width <= 16;
    default: return false;
    }
}

int values_open(PqValues *v, const PqNode *leaf, PqEncoding e, const unsigned char *bytes, size_t n, Err *err)
{
    Buf last = v->last;
    if (last.data) buf_clear(&last);
    *v = (PqValues){.leaf = leaf, .encoding = e, .at = bytes, .end = bytes + n, .last = last};
    if (!encoding_fits(e, leaf))
        return err_set(err, "values in the encoding %s, which is not read here", encoding_name((int)e));
    switch (e) {
    case PQ_PLAIN_DICTIONARY:
    case PQ_RLE_DICTIONARY: return open_dictionary_indices(v, err);
    case PQ_RLE: return open_runs(v, err);
    case PQ_DELTA_BINARY_PACKED:
        if (n && delta_open(&v->delta, bytes, v->end)) return err_set(err, "the header of the values is broken");
        return 0;
    case PQ_DELTA_LENGTH_BYTE_ARRAY:
    case PQ_DELTA_BYTE_ARRAY: return open_lengths(v, err);
    default: return 0;
    }
}

static void own_number(PqValue *out, uint64_t x, size_t n)
{
    *out = (PqValue){.n = n};
    for (size_t i = 0; i < n; i++) out->own[i] = (unsigned char)(x >> 8 * i & 0xff);
    out->bytes = out->own;
}

static int next_plain(PqValues *v, PqValue *out, Err *err)
{
    size_t rest = (size_t)(v->end - v->at), n = (size_t)v->leaf->width;
    if (v->leaf->type == PQ_BOOLEAN) {
        if (v->taken / 8 >= rest) return too_short(err);
        own_number(out, v->at[v->taken / 8] >> (v->taken % 8) & 1, 1);
        v->taken++;
        return 0;
    }
    if (v->leaf->type == PQ_BYTE_ARRAY) {
        if (rest < 4) return too_short(err);
        n = pq_u32(v->at);
        v->at += 4;
        rest -= 4;
    }
    if (n > rest) return too_short(err);
    *out = (PqValue){.bytes = v->at, .n = n, .stays = true};
    v->at += n;
    return 0;
}

static int next_index(PqValues *v, const PqDictionary *d, PqValue *out, Err *err)
{
    uint32_t i;
    if (runs_next(&v->runs, &i)) return too_short(err);
    if (i >= d->n) return err_set(err, "value %u of a dictionary of %u", i, d->n);
    *out = (PqValue){.stays = true};
    out->bytes = d->bytes + (d->width ? (size_t)i * (size_t)d->width : (size_t)d->at[i]);
    out->n = d->width ? (size_t)d->width : d->len[i];
    return 0;
}

/* The k-th bytes of all values stand together. */
static int next_split(PqValues *v, PqValue *out, Err *err)
{
    size_t width = (size_t)v->leaf->width, count = (size_t)(v->end - v->at) / width;
    if (v->taken >= count) return too_short(err);
    *out = (PqValue){.n = width};
    for (size_t k = 0; k < width; k++) out->own[k] = v->at[k * count + v->taken];
    out->bytes = out->own;
    v->taken++;
    return 0;
}

static int next_array(PqValues *v, PqValue *out, Err *err)
{
    bool prefixed = v->encoding == PQ_DELTA_BYTE_ARRAY;
    int64_t prefix = prefixed ? delta_length(&v->delta) : 0, n = delta_length(prefixed ? &v->suffix : &v->delta);
    if (prefix < 0 || n < 0 || n > v->end - v->at) return too_short(err);
    const unsigned char *bytes = v->at;
    v->at += n;
    *out = (PqValue){.bytes = bytes, .n = (size_t)n, .stays = true};
    if (!prefixed) return 0;
    if ((size_t)prefix > v->last.len) return err_set(err, "a value continues more than the one before it holds");
    v->last.len = (size_t)prefix;
    buf_add(&v->last, bytes, (size_t)n);
    if (v->leaf->width && v->last.len != (size_t)v->leaf->width)
        return err_set(err, "a value of %zu bytes instead of %d", v->last.len, v->leaf->width);
    *out = (PqValue){.bytes = (const unsigned char *)v->last.data, .n = v->last.len};
    return 0;
}

int values_next(PqValues *v, const PqDictionary *d, PqValue *out, Err *err)
{
    uint32_t bit;
    uint64_t x;
    switch (v->encoding) {
    case PQ_PLAIN: return next_plain(v, out, err);
    case PQ_PLAIN_DICTIONARY:
    case PQ_RLE_DICTIONARY: return next_index(v, d, out, err);
    case PQ_RLE:
        if (runs_next(&v->runs, &bit)) return too_short(err);
        own_number(out, bit, 1);
        return 0;
    case PQ_DELTA_BINARY_PACKED:
        if (delta_next(&v->delta, &x)) return too_short(err);
        own_number(out, x, (size_t)v->leaf->width);
        return 0;
    case PQ_BYTE_STREAM_SPLIT: return next_split(v, out, err);
    default: return next_array(v, out, err);
    }
}
