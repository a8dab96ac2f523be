/*
 * Bytes that begin with '{' are a tokenizer.json: it loads or says why not, and what loads encodes and decodes.
 * Any others are a text: its tokens cover it in order and decode to its normal form, alone and as a chat message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/chat.h"
#include "text/unicode.h"

static void read_file_bytes(const char *json, size_t n)
{
    static const char text[] = "The heart's 12 cm\n\n  wide <|im_end|> e\xcc\x81\xe6\xbc\xa2 \xf0\x9f\x91";
    Err err = {0};
    Tokenizer *t = tokenizer_parse(json, n, &err);
    CHECK(t || err.msg[0], "a failure without a message");
    if (!t) return;
    TokenList l = {0};
    Buf b = {0};
    tokenizer_encode(t, text, sizeof text - 1, &l);
    for (int i = 0; i < l.n; i++) CHECK(l.id[i] >= 0 && l.id[i] < tokenizer_size(t), "id %d", l.id[i]);
    tokenizer_decode(t, l.id, l.n, false, &b);
    tokens_release(&l);
    buf_release(&b);
    tokenizer_free(t);
}

/* The text the tokens of `text` stand for, where no added token cuts it: repaired, then normalised. */
static void normal_form(Buf *out, const char *text, size_t n)
{
    Buf repaired = {0};
    utf8_repair(&repaired, NULL, text, n);
    if (repaired.len && !nfc(out, NULL, repaired.data, repaired.len)) buf_add(out, repaired.data, repaired.len);
    buf_release(&repaired);
}

static void encode_text(const Tokenizer *t, const char *text, size_t n)
{
    TokenList l = {0};
    Buf got = {0}, want = {0};
    bool added = false;
    tokenizer_encode(t, text, n, &l);
    for (int i = 0; i < l.n; i++) {
        CHECK(l.begin[i] < l.end[i] && (size_t)l.end[i] <= n, "token %d: %d-%d", i, l.begin[i], l.end[i]);
        CHECK(i == 0 || (l.begin[i] >= l.begin[i - 1] && l.begin[i] <= l.end[i - 1]), "token %d leaves a hole", i);
        added = added || l.id[i] >= tokenizer_id(t, "<|endoftext|>");
    }
    CHECK(n == 0 || (l.begin[0] == 0 && (size_t)l.end[l.n - 1] == n), "the tokens do not cover the text");
    tokenizer_decode(t, l.id, l.n, false, &got);
    normal_form(&want, text, n);
    CHECK(added || (got.len == want.len && (!got.len || !memcmp(got.data, want.data, got.len))), "decoded otherwise");
    tokens_release(&l);
    buf_release(&got);
    buf_release(&want);
}

static void render_text(const Tokenizer *t, const char *text, size_t n)
{
    char *content = xstrndup(text, n), role[][10] = {"user", "assistant"};
    Message m[] = {{role[0], content, true}, {role[1], content, true}};
    int images = chat_count_images(m, 2), *tokens = xmalloc((size_t)(images + 1) * sizeof *tokens);
    for (int i = 0; i < images; i++) tokens[i] = 1 + i % 3;
    Err err = {0};
    Rendered r;
    if (chat_render(&r, t, m, 2, tokens, images, n % 2, &err)) CHECK(err.msg[0], "a failure without a message");
    else CHECK(r.n_images == (n % 2 ? images / 2 : images), "%d images", r.n_images);
    rendered_release(&r);
    free(tokens);
    free(content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Tokenizer *t;
    Err err = {0};
    if (!t) t = tokenizer_load("tests/data/text/qwen2", &err);
    CHECK(t, "%s", err.msg);
    const char *text = (const char *)data;
    if (size && text[0] == '{') {
        read_file_bytes(text, size);
    } else {
        encode_text(t, text, size);
        render_text(t, text, size);
    }
    return 0;
}
