/*
 * piece_hash.h - one SHA-256 over much data, by all threads.
 *
 *   Pieces p = {0};
 *   Buf text = {0};
 *   pieces_add(&p, weights, bytes);                    borrowed until the hash is taken
 *   buf_str(&text, "of what these are the weights");
 *   pieces_hash(hex, &text, &p);                       releases both
 *
 * The data is cut into pieces of PIECE_BYTES; the result is the hash of the text and then of the digits of the pieces'
 * own hashes.  Where one addition ends and the next begins counts, too.
 */
#ifndef OSLER_BASE_PIECE_HASH_H
#define OSLER_BASE_PIECE_HASH_H

#include "base/buf.h"
#include "base/sha256.h"

enum { PIECE_BYTES = 1 << 18 };

typedef struct Piece {
    const char *data;
    size_t n;
    char hex[SHA256_HEX];
} Piece;
typedef VEC(Piece) Pieces;

void pieces_add(Pieces *p, const void *data, size_t n);
void pieces_hash(char hex[SHA256_HEX], Buf *text, Pieces *p);

#endif
