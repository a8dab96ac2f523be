/*
 * tokenizer.h - byte-level BPE from a Hugging Face tokenizer.json, exact to the token.
 *
 * Text is cut at added tokens (leftmost, then longest), each piece is brought to NFC, split by the file's regular
 * expression (PCRE2 with Unicode properties), its bytes mapped to the byte-level alphabet and merged by rank.  What is
 * read from the file: model (type BPE, vocab, merges in both layouts, ignore_merges), added_tokens, normalizer (NFC,
 * none, Sequence), pre_tokenizer (Split + ByteLevel as Qwen2, Llama 3 and GPT-2 have them), decoder.  Anything else
 * is an error that names it, never a silent difference.
 *
 * Not read, as they do not change which tokens a text has: post_processor (it adds tokens around a text, which is the
 * chat template's work, and trims offsets), truncation, padding.
 *
 *   Tokenizer *t = tokenizer_load("Qwen2.5-VL-3B-Instruct", err);
 *   TokenList ids = {0};
 *   tokenizer_encode(t, "No effusion.", 12, &ids);
 *   ...
 *   tokens_release(&ids), tokenizer_free(t);
 *
 * A Tokenizer is read-only after loading and may be used by many threads.
 */
#ifndef OSLER_TEXT_TOKENIZER_H
#define OSLER_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

typedef struct Tokenizer Tokenizer;

#define TEXT_MAX_BYTES ((size_t)1 << 29) /* of one text */

/* A run of token ids, with the byte range of the text each came from. */
typedef struct TokenList {
    int *id;
    int *begin, *end;
    int n, cap;
} TokenList;
void tokens_release(TokenList *t);
void tokens_add(TokenList *t, int id, int begin, int end);

/* Reads model_dir/tokenizer.json (and tokenizer_config.json for added tokens that stand only there). NULL on error. */
Tokenizer *tokenizer_load(const char *model_dir, Err *err);
/* From the bytes of a tokenizer.json (for the fuzzer and the library). */
Tokenizer *tokenizer_parse(const char *json, size_t n, Err *err);
void tokenizer_free(Tokenizer *t);

/*
 * Appends the ids of text[0..n), n <= TEXT_MAX_BYTES.  Added tokens written in the text are recognised as such.
 * begin/end are byte offsets into `text`; where NFC changed characters that belong together, a token that came from
 * any of them has the range of all.  Malformed UTF-8 is replaced by U+FFFD first (unicode.h).
 */
void tokenizer_encode(const Tokenizer *t, const char *text, size_t n, TokenList *out);

/*
 * Appends the bytes of the tokens to out; skip_special leaves out special added tokens.  Unknown ids add nothing.
 * Tokens may end inside a character: unicode.h has utf8_repair for the whole and utf8_complete for a stream.
 */
void tokenizer_decode(const Tokenizer *t, const int *ids, int n, bool skip_special, Buf *out);

int tokenizer_id(const Tokenizer *t, const char *token); /* added or vocabulary token as written in the file; -1 */
int tokenizer_size(const Tokenizer *t);                  /* largest id + 1 */
bool tokenizer_is_special(const Tokenizer *t, int id);

#endif
