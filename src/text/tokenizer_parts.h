/*
 * tokenizer_parts.h - what a Tokenizer is made of; for tokenizer.c (text to ids and back) and tokenizer_file.c (from
 * tokenizer.json) alone.
 *
 * Lifetime: everything is owned by the Tokenizer, written while it loads and only read afterwards.
 */
#ifndef OSLER_TEXT_TOKENIZER_PARTS_H
#define OSLER_TEXT_TOKENIZER_PARTS_H

#include "base/map.h"
#include "text/added.h"
#include "text/merges.h"
#include "text/split.h"
#include "text/tokenizer.h"

/* Where a token's decoded bytes lie in `bytes`. */
typedef struct TokenBytes {
    size_t at;
    int len;       /* -1: no token has this id */
    bool in_vocab; /* false: an added token the vocabulary does not have */
    bool special;
} TokenBytes;

struct Tokenizer {
    Map id_of; /* token as written in the file -> id */
    Buf bytes;
    TokenBytes *token; /* [size] by id */
    int size;
    int byte_id[256]; /* the token of each single byte */
    Merges merges;
    bool ignore_merges; /* a word that is a token as a whole is not merged */
    bool nfc;
    Splitter *splitter; /* NULL: pieces are not split */
    AddedSet added;
};

/*
 * The byte-level alphabet writes every byte as one printable character: '!'..'~', U+00A1..U+00AC and U+00AE..U+00FF
 * stand for themselves, the other 68 bytes, in order, for U+0100 and up.
 */
int byte_char(int byte);                                      /* byte -> code point */
void byte_level_write(Buf *out, const char *bytes, size_t n); /* bytes -> the token as the file writes it */
void byte_level_read(Buf *out, const char *token,
                     size_t n); /* back; a token with any other character is its own bytes */

#endif
