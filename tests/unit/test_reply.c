/* Text that grows token by token: stop strings, characters in pieces, nothing ever taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "infer/reply.h"

static Tokenizer *tok;

/* Grows `text` token by token under up to two stop strings; the final text, and whether it stopped, come back. */
static char *grow(const char *text, const char *stop0, const char *stop1, bool *stopped)
{
    char *at[] = {(char *)(uintptr_t)stop0, (char *)(uintptr_t)stop1};
    const StrList stop = {at, stop1 ? 2 : stop0 ? 1 : 0};
    Reply r = {.tok = tok, .stop = &stop};
    TokenList t = {0};
    Buf shown = {0}, whole = {0};
    tokenizer_encode(tok, text, strlen(text), &t);
    *stopped = false;
    for (int i = 0; i < t.n && !*stopped; i++) {
        *stopped = reply_add(&r, t.id[i]);
        reply_show(&r, *stopped, &shown);
        size_t n = shown.len < strlen(text) ? shown.len : strlen(text);
        if (n) assert_memory_equal(shown.data, text, n); /* pieces are whole characters of the text */
    }
    reply_show(&r, true, &shown);
    reply_text(&r, &whole);
    assert_string_equal(shown.data ? shown.data : "", whole.data ? whole.data : "");
    buf_release(&shown);
    tokens_release(&t);
    reply_release(&r);
    buf_str(&whole, "");
    return whole.data ? buf_take(&whole) : xstrdup("");
}

static void expect(const char *text, const char *stop0, const char *stop1, const char *want, bool want_stop)
{
    bool stopped;
    char *got = grow(text, stop0, stop1, &stopped);
    assert_string_equal(got, want);
    assert_int_equal(stopped, want_stop);
    free(got);
}

static void text_without_stop(void **state)
{
    (void)state;
    expect("The heart — naïve 🩻 正常。", NULL, NULL, "The heart — naïve 🩻 正常。", false);
}

static void stop_strings_cut(void **state)
{
    (void)state;
    expect("Answer: yes. Then more.", "Then", NULL, "Answer: yes. ", true);
    expect("Answer: yes. Then more.", "more", "yes", "Answer: ", true);
    expect("Answer: yes. Then more.", "Answer", NULL, "", true);
    expect("Answer: yes. Then more.", "never said", NULL, "Answer: yes. Then more.", false);
    expect("aaab", "aab", NULL, "a", true);
    expect("ababac", "abac", NULL, "ab", true);
    expect("正常。患者", "。患", NULL, "正常", true);
    expect("the end", "endless", NULL, "the end", false); /* held back, then given */
}

/* Every stop string that stands in a text cuts it where strstr finds it. */
static void stops_anywhere(void **state)
{
    (void)state;
    const char *text = "No — re-check the costophrenic angles 🩻, max 24 mg/day.";
    size_t n = strlen(text);
    for (size_t from = 0; from < n; from++)
        for (size_t len = 1; len <= 7 && from + len <= n; len++) {
            if ((text[from] & 0xc0) == 0x80 || (text[from + len] & 0xc0) == 0x80) continue;
            char *stop = xstrndup(text + from, len);
            char *want = xstrndup(text, (size_t)(strstr(text, stop) - text));
            expect(text, stop, NULL, want, true);
            free(stop);
            free(want);
        }
}

static void special_tokens_leave_no_text(void **state)
{
    (void)state;
    Reply r = {.tok = tok};
    Buf out = {0};
    assert_false(reply_add(&r, tokenizer_id(tok, "<|im_end|>")));
    reply_show(&r, true, &out);
    assert_int_equal(out.len, 0);
    reply_release(&r);
}

/* A lone byte of a character is shown at the end, as U+FFFD. */
static void broken_characters(void **state)
{
    (void)state;
    TokenList t = {0};
    Buf out = {0};
    Reply r = {.tok = tok};
    tokenizer_encode(tok, "🩻", 4, &t);
    assert_true(t.n > 1);
    for (int i = 0; i + 1 < t.n; i++) {
        assert_false(reply_add(&r, t.id[i]));
        reply_show(&r, false, &out);
        assert_int_equal(out.len, 0);
    }
    reply_show(&r, true, &out);
    assert_string_equal(out.data, "\xef\xbf\xbd");
    buf_release(&out);
    tokens_release(&t);
    reply_release(&r);
}

int main(void)
{
    Err err = {0};
    tok = tokenizer_load("tests/data/goldens/small_tied/model", &err);
    if (!tok) {
        err_print(&err);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_stop), cmocka_unit_test(stop_strings_cut),
        cmocka_unit_test(stops_anywhere),    cmocka_unit_test(special_tokens_leave_no_text),
        cmocka_unit_test(broken_characters),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tokenizer_free(tok);
    return rc;
}
