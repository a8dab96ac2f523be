#include "base/piece_hash.h"

#include <stdlib.h>

#include "base/pool.h"

void pieces_add(Pieces *p, const void *data, size_t n)
{
    for (const char *at = data; n > 0;) {
        size_t k = n < PIECE_BYTES ? n : PIECE_BYTES;
        vec_push(p, ((Piece){.data = at, .n = k}));
        at += k, n -= k;
    }
}

static void hash_piece(void *arg, int task)
{
    Piece *p = (Piece *)arg + task;
    Sha256 s;
    sha256_init(&s);
    sha256_add(&s, p->data, p->n);
    sha256_hex(&s, p->hex);
}

void pieces_hash(char hex[SHA256_HEX], Buf *text, Pieces *p)
{
    Sha256 s;
    pool_run(p->n, hash_piece, p->at);
    sha256_init(&s);
    sha256_add(&s, text->data, text->len);
    for (int i = 0; i < p->n; i++) sha256_add(&s, p->at[i].hex, SHA256_HEX - 1);
    sha256_hex(&s, hex);
    buf_release(text);
    free(p->at);
    *p = (Pieces){0};
}
