#include "text/tokenizer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer_parts.h"
#include "text/unicode.h"

/* ---- the byte-level alphabet ---- */

static bool byte_is_plain(int b)
{
    return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
}

int byte_char(int byte)
{
    if (byte_is_plain(byte)) return byte;
    if (byte <= ' ') return 0x100 + byte;
    return byte == 0xad ? 0x143 : 0x121 + byte - 0x7f;
}

/* code point -> byte, -1 where it is not in the alphabet */
static int char_byte(int32_t c)
{
    if (c < 0x100) return byte_is_plain((int)c) ? (int)c : -1;
    if (c <= 0x120) return (int)c - 0x100;
    return c == 0x143 ? 0xad : c < 0x143 ? (int)c - 0x121 + 0x7f : -1;
}

void byte_level_write(Buf *out, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int c = byte_char((unsigned char)bytes[i]);
        if (c < 0x80) {
            buf_byte(out, (unsigned char)c);
            continue;
        }
        buf_byte(out, (unsigned char)(0xc0 | c >> 6));
        buf_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
    }
}

void byte_level_read(Buf *out, const char *token, size_t n)
{
    size_t start = out->len;
    int32_t c = 0;
    for (size_t i = 0, k; i < n; i += k) {
        k = utf8_next(token + i, n - i, &c);
        int b = k ? char_byte(c) : -1;
        if (b < 0) {
            out->len = start;
            buf_add(out, token, n);
            return;
        }
        buf_byte(out, (unsigned char)b);
    }
}

/* ---- token lists ---- */

void tokens_release(TokenList *t)
{
    free(t->id);
    free(t->begin);
    free(t->end);
    *t = (TokenList){0};
}

void tokens_add(TokenList *t, int id, int begin, int end)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        size_t bytes = (size_t)t->cap * sizeof *t->id;
        t->id = xrealloc(t->id, bytes);
        t->begin = xrealloc(t->begin, bytes);
        t->end = xrealloc(t->end, bytes);
    }
    t->id[t->n] = id;
    t->begin[t->n] = begin;
    t->end[t->n++] = end;
}

/* Brings the offsets of the tokens from `first` on back through an alignment (NULL: none) and adds `base`. */
static void tokens_align(TokenList *t, int first, const Alignment *a, int base)
{
    for (int i = first; i < t->n; i++) {
        t->begin[i] = base + (a ? align_begin(a, t->begin[i]) : t->begin[i]);
        t->end[i] = base + (a ? align_end(a, t->end[i]) : t->end[i]);
    }
}

/* ---- encoding ---- */

typedef struct Encoder {
    const Tokenizer *t;
    TokenList *out;
    Word word;
    Buf name;         /* a word in the byte-level alphabet */
    const char *text; /* the normalised piece at work */
    size_t base;      /* where in it the text given to the splitter starts */
} Encoder;

static void encode_word(void *arg, size_t begin, size_t end)
{
    Encoder *e = arg;
    const char *bytes = e->text + e->base + begin;
    int n = (int)(end - begin), at = (int)(e->base + begin);
    int64_t whole;
    if (e->t->ignore_merges) {
        buf_clear(&e->name);
        byte_level_write(&e->name, bytes, (size_t)n);
        if (map_get(&e->t->id_of, e->name.data, e->name.len, &whole) && e->t->token[whole].in_vocab) {
            tokens_add(e->out, (int)whole, at, at + n);
            return;
        }
    }
    Word *w = &e->word;
    word_start(w, n);
    for (int i = 0; i < n; i++) w->id[i] = e->t->byte_id[(unsigned char)bytes[i]];
    merge_word(&e->t->merges, w);
    for (int i = 0; i < n; i = w->next[i]) tokens_add(e->out, w->id[i], at + i, at + w->next[i]);
}

/* Text without added tokens, normalised: e->text[begin..end). */
static void encode_plain(Encoder *e, size_t begin, size_t end)
{
    if (begin >= end) return;
    e->base = begin;
    if (e->t->splitter) splitter_run(e->t->splitter, e->text + begin, end - begin, encode_word, e);
    else encode_word(e, 0, end - begin);
}

/* A piece between added tokens of the raw text; `base` is where it stands there. */
static void encode_piece(Encoder *e, const char *text, size_t n, size_t base)
{
    if (!n) return;
    Buf normal = {0};
    Alignment a = {0};
    int first = e->out->n;
    bool changed = e->t->nfc && nfc(&normal, &a, text, n);
    e->text = changed ? normal.data : text;
    size_t len = changed ? normal.len : n, done = 0;
    for (AddedMatch m = {0}; added_next(&e->t->added, true, e->text, len, &m); done = m.end) {
        encode_plain(e, done, m.begin);
        tokens_add(e->out, e->t->added.token.at[m.token].id, (int)m.begin, (int)m.end);
    }
    encode_plain(e, done, len);
    tokens_align(e->out, first, changed ? &a : NULL, (int)base);
    alignment_release(&a);
    buf_release(&normal);
}

static void encode_valid(const Tokenizer *t, const char *text, size_t n, TokenList *out)
{
    Encoder e = {.t = t, .out = out};
    size_t done = 0;
    for (AddedMatch m = {0}; added_next(&t->added, false, text, n, &m); done = m.end) {
        if (done < m.begin) encode_piece(&e, text + done, m.begin - done, done);
        tokens_add(out, t->added.token.at[m.token].id, (int)m.begin, (int)m.end);
    }
    encode_piece(&e, text + done, n - done, done);
    word_release(&e.word);
    buf_release(&e.name);
}

void tokenizer_encode(const Tokenizer *t, const char *text, size_t n, TokenList *out)
{
    CHECK(n <= TEXT_MAX_BYTES, "a text of %zu bytes", n);
    if (utf8_valid(text, n)) {
        encode_valid(t, text, n, out);
        return;
    }
    Buf repaired = {0};
    Alignment a = {0};
    int first = out->n;
    utf8_repair(&repaired, &a, text, n);
    encode_valid(t, repaired.data, repaired.len, out);
    tokens_align(out, first, &a, 0);
    alignment_release(&a);
    buf_release(&repaired);
}

/* ---- decoding ---- */

void tokenizer_decode(const Tokenizer *t, const int *ids, int n, bool skip_special, Buf *out)
{
    for (int i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= t->size || t->token[ids[i]].len < 0) continue;
        const TokenBytes *b = &t->token[ids[i]];
        if (!(skip_special && b->special)) buf_add(out, t->bytes.data + b->at, (size_t)b->len);
    }
}

int tokenizer_id(const Tokenizer *t, const char *token)
{
    int64_t id;
    return map_get_str(&t->id_of, token, &id) ? (int)id : -1;
}

int tokenizer_size(const Tokenizer *t)
{
    return t->size;
}

bool tokenizer_is_special(const Tokenizer *t, int id)
{
    return id >= 0 && id < t->size && t->token[id].special;
}

void tokenizer_free(Tokenizer *t)
{
    if (!t) return;
    map_release(&t->id_of);
    buf_release(&t->bytes);
    free(t->token);
    merges_release(&t->merges);
    splitter_free(t->splitter);
    added_release(&t->added);
    free(t);
}
