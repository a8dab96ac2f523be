/*
 * unicode.h - UTF-8 and the Unicode rules the tokenizer needs.
 *
 * Malformed UTF-8 is repaired as everywhere in the Hugging Face stack: each longest piece that begins like a character
 * but is none becomes one U+FFFD (the Unicode standard's "substitution of maximal subparts").  nfc() gives what the
 * `tokenizers` library gives, which knows the marks of Unicode 9 and leaves later ones where they stand.
 *
 * Both functions that change text can say where each byte of their output comes from:
 *
 *   Alignment a = {0};
 *   Buf out = {0};
 *   if (nfc(&out, &a, s, n)) begin = align_begin(&a, begin), end = align_end(&a, end);
 *   buf_release(&out), alignment_release(&a);
 *
 * A decoder that streams holds back the bytes after utf8_complete(): the next token may finish the character.
 */
#ifndef OSLER_TEXT_UNICODE_H
#define OSLER_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Runs of output in order, ended by one at the output's end. A copied run maps byte by byte, another as a whole. */
typedef struct AlignedRun {
    int at, from; /* where the run starts in the output, and in the input */
    bool copied;
} AlignedRun;
typedef VEC(AlignedRun) Alignment;
void alignment_release(Alignment *a);
int align_begin(const Alignment *a, int begin); /* offset of an output byte in the input */
int align_end(const Alignment *a, int end);     /* offset after the output byte end - 1, in the input */

/* Bytes of the character at s, stored in *c; 0 where there is none. n > 0. */
size_t utf8_next(const char *s, size_t n, int32_t *c);
bool utf8_valid(const char *s, size_t n);
/* Length of s without a last character whose end is missing. Malformed bytes elsewhere count as they are. */
size_t utf8_complete(const char *s, size_t n);
/* Appends s with U+FFFD for what is malformed. `a` may be NULL. */
void utf8_repair(Buf *out, Alignment *a, const char *s, size_t n);

/* Brings valid UTF-8 to NFC. False: s is NFC already and nothing was appended. */
bool nfc(Buf *out, Alignment *a, const char *s, size_t n);

bool char_is_space(int32_t c); /* White_Space */
bool char_is_word(int32_t c);  /* \w: Alphabetic, M, Nd, Pc, Join_Control */

#endif
