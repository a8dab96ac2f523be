/* text/chat: the rendered text word for word, targets from the structure, images where the markers are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "scratch.h"
#include "text/chat.h"

#define SYS(text)  "<|im_start|>system\n" text "<|im_end|>\n"
#define USER(text) "<|im_start|>user\n" text "<|im_end|>\n"
#define BOT(text)  "<|im_start|>assistant\n" text "<|im_end|>\n"
#define HELPFUL    SYS("You are a helpful assistant.")
#define PADS2      "<|vision_start|><|image_pad|><|image_pad|><|vision_end|>"
#define PADS3      "<|vision_start|><|image_pad|><|image_pad|><|image_pad|><|vision_end|>"

static Tokenizer *tok;

static int setup(void **state)
{
    (void)state;
    Err err = {0};
    tok = tokenizer_load("tests/data/text/qwen2", &err);
    return tok ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tokenizer_free(tok);
    return 0;
}

static Message say(const char *role, const char *content)
{
    return (Message){(char *)(uintptr_t)role, (char *)(uintptr_t)content, true};
}

/* Renders and compares with the ids of `text`; `target` is the text of the target tokens with '|' between stretches. */
static void check(const Message *m, int n, const int *images, int n_images, bool generate, const char *text,
                  const char *target)
{
    Err err = {0};
    Rendered r;
    TokenList want = {0};
    Buf got = {0};
    if (chat_render(&r, tok, m, n, images, n_images, generate, &err)) fail_msg("%s", err.msg);
    tokenizer_encode(tok, text, strlen(text), &want);
    assert_int_equal(r.n, want.n);
    assert_memory_equal(r.id, want.id, (size_t)r.n * sizeof *r.id);
    for (int i = 0; i < r.n; i++) {
        if (!r.target[i]) continue;
        if (got.len && !r.target[i - 1]) buf_byte(&got, '|');
        tokenizer_decode(tok, &r.id[i], 1, false, &got);
    }
    assert_string_equal(got.data ? got.data : "", target);
    int first = 0;
    while (first < r.n && !r.target[first]) first++;
    if (!*target) assert_int_equal(r.prompt_len, r.n);
    else assert_int_equal(r.prompt_len, first);
    tokens_release(&want);
    rendered_release(&r);
    buf_release(&got);
}

static void text_is_the_templates(void **state)
{
    (void)state;
    Message one[] = {say("user", "Is it clear?"), say("assistant", "Yes.")};
    check(one, 2, NULL, 0, false, HELPFUL USER("Is it clear?") BOT("Yes."), "Yes.<|im_end|>");
    Message many[] = {say("system", "Be brief."), say("user", "A?"), say("assistant", "B."), say("user", " C \n"),
                      say("assistant", "")};
    check(many, 5, NULL, 0, false, SYS("Be brief.") USER("A?") BOT("B.") USER(" C \n") BOT(""),
          "B.<|im_end|>|<|im_end|>");
    Message late[] = {say("user", "A?"), say("system", "Be brief."), say("assistant", "B.")};
    check(late, 3, NULL, 0, false, HELPFUL USER("A?") SYS("Be brief.") BOT("B."), "B.<|im_end|>");
    Message none[] = {say("user", "A?")};
    check(none, 1, NULL, 0, false, HELPFUL USER("A?"), "");
}

static void generation_stops_before_the_answer(void **state)
{
    (void)state;
    Message m[] = {say("user", "A?"), say("assistant", "B."), say("user", "C?")};
    check(m, 3, NULL, 0, true, HELPFUL USER("A?") "<|im_start|>assistant\n", "");
    check(m, 1, NULL, 0, true, HELPFUL USER("A?") "<|im_start|>assistant\n", "");
    check(m + 1, 2, NULL, 0, true, HELPFUL "<|im_start|>assistant\n", "");
}

static void loss_false_is_no_target(void **state)
{
    (void)state;
    Message m[] = {say("user", "A?"), say("assistant", "B."), say("user", "C?"), say("assistant", "D.")};
    m[1].loss = false;
    check(m, 4, NULL, 0, false, HELPFUL USER("A?") BOT("B.") USER("C?") BOT("D."), "D.<|im_end|>");
    m[3].loss = false;
    check(m, 4, NULL, 0, false, HELPFUL USER("A?") BOT("B.") USER("C?") BOT("D."), "");
}

/* "\n\n" after "assistant" is one token: half header, half answer, so no target. */
static void a_token_across_the_border_is_no_target(void **state)
{
    (void)state;
    Message m[] = {say("user", "A?"), say("assistant", "\nB.\n")};
    check(m, 2, NULL, 0, false, HELPFUL USER("A?") BOT("\nB.\n"), "B.\n<|im_end|>");
    m[1].content = (char[]){"e\xcc\x81"}; /* normalised to one character, still wholly inside */
    check(m, 2, NULL, 0, false, HELPFUL USER("A?") BOT("\xc3\xa9"), "\xc3\xa9<|im_end|>");
}

static void special_tokens_in_text_are_tokens(void **state)
{
    (void)state;
    Message m[] = {say("user", "A<|im_end|>\n<|im_start|>user\nB"), say("assistant", "C<|im_end|>D")};
    check(m, 2, NULL, 0, false, HELPFUL USER("A") USER("B") BOT("C<|im_end|>D"), "C<|im_end|>D<|im_end|>");
}

static void images_stand_at_their_markers(void **state)
{
    (void)state;
    Err err = {0};
    Rendered r;
    static const int pads[] = {2, 3, 2};
    Message m[] = {say("user", "<image> or <image>?"), say("assistant", "See <image>")};
    check(m, 2, pads, 3, false, HELPFUL USER(PADS2 " or " PADS3 "?") BOT("See " PADS2), "See " PADS2 "<|im_end|>");
    assert_int_equal(chat_count_images(m, 2), 3);
    assert_int_equal(chat_render(&r, tok, m, 2, pads, 3, true, &err), 0);
    assert_int_equal(r.n_images, 2);
    int pad = tokenizer_id(tok, "<|image_pad|>"), start = tokenizer_id(tok, "<|vision_start|>");
    for (int k = 0; k < 2; k++) {
        assert_int_equal(r.id[r.image_at[k] - 1], start);
        assert_int_equal(r.id[r.image_at[k]], pad);
        assert_int_equal(r.id[r.image_at[k] + pads[k] - 1], pad);
    }
    assert_true(r.image_at[0] < r.image_at[1]);
    rendered_release(&r);
}

static void wrong_conversations_are_refused(void **state)
{
    (void)state;
    static const int pads[] = {2, 2};
    const struct {
        const char *role, *content;
        int n_images;
        const char *message;
    } row[] = {{"tool", "x", 0, "\"tool\""},
               {"observation", "x", 0, "\"observation\""},
               {"User", "x", 0, "\"User\""},
               {"", "x", 0, "role"},
               {"user", "<image>", 0, "1 <image> marker but 0 images"},
               {"user", "x", 1, "0 <image> markers but 1 image"},
               {"user", "<image><image><image>", 2, "3 <image> markers but 2 images"},
               {"user", "a<|image_pad|>", 0, "message 2 (user): <|image_pad|>"},
               {"user", "<image><|image_pad|>", 1, "<|image_pad|>"},
               {"user", "<|vision_start|><image>", 1, "<|vision_start|>"},
               {"user", "<image><|vision_end|>", 1, "<|vision_end|>"},
               {"user", "<|video_pad|>", 0, "<|video_pad|>"},
               {"assistant", "<|vision_start|>", 0, "(assistant)"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err err = {0};
        Rendered r;
        Message m[] = {say("system", "s"), say(row[i].role, row[i].content), say("assistant", "b")};
        assert_int_equal(chat_render(&r, tok, m, 3, pads, row[i].n_images, false, &err), -1);
        if (!strstr(err.msg, row[i].message)) fail_msg("row %zu: %s", i, err.msg);
        assert_true(err.hint[0]);
        assert_true(!r.id && !r.target && !r.image_at);
    }
    Err err = {0};
    Rendered r;
    assert_int_equal(chat_render(&r, tok, NULL, 0, NULL, 0, false, &err), -1);
}

static void other_templates_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool good;
    } row[] = {{"chat_template.jinja", "{{ '<|im_start|>' + role }}", true},
               {"chat_template.jinja", "[INST] {{ content }} [/INST]", false},
               {"chat_template.json", "{\"chat_template\": \"<|im_start|>{{ role }}\"}", true},
               {"chat_template.json", "{\"chat_template\": \"<|user|>{{ content }}\"}", false},
               {"chat_template.json", "{", false},
               {"tokenizer_config.json", "{}", true},
               {"tokenizer_config.json", "{\"chat_template\": null}", true},
               {"tokenizer_config.json", "{\"chat_template\": \"USER: {{ content }}\"}", false},
               {"tokenizer_config.json",
                "{\"chat_template\": [{\"name\": \"default\", \"template\": \"<|im_start|>\"}, "
                "{\"name\": \"rag\", \"template\": \"### {{ content }}\"}]}",
                false}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Err err = {0};
        char *dir = scratch_new(), *path = path_join(dir, row[i].name);
        assert_int_equal(chat_check_template(dir, &err), 0);
        assert_int_equal(file_save(path, row[i].text, strlen(row[i].text), &err), 0);
        assert_int_equal(chat_check_template(dir, &err), row[i].good ? 0 : -1);
        if (!row[i].good) assert_non_null(strstr(err.msg, row[i].name));
        if (!row[i].good && row[i].text[1]) assert_non_null(strstr(err.msg, "not ChatML"));
        scratch_free(dir);
        free(path);
    }
}

static void a_tokenizer_without_chatml_is_refused(void **state)
{
    (void)state;
    Err err = {0};
    Buf b = {0};
    assert_int_equal(file_read(&b, "tests/data/text/qwen2/tokenizer.json", (size_t)1 << 24, &err), 0);
    char *name = strstr(b.data, "<|video_pad|>");
    name[2] = 'V';
    Tokenizer *t = tokenizer_parse(b.data, b.len, &err);
    assert_non_null(t);
    ChatTokens c;
    assert_int_equal(chat_tokens(&c, t, &err), -1);
    assert_non_null(strstr(err.msg, "<|video_pad|>"));
    Message m = say("user", "A?");
    Rendered r;
    err_clear(&err);
    assert_int_equal(chat_render(&r, t, &m, 1, NULL, 0, false, &err), -1);
    tokenizer_free(t);
    buf_release(&b);
}

/* ---- samples that transformers encoded ---- */

typedef VEC(int) Ints;

/* Lengths of the runs of `pad`; every image has one. */
static Ints pad_runs(const json_t *ids, int pad)
{
    Ints runs = {0};
    bool inside = false;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        bool is_pad = json_integer_value(json_array_get(ids, i)) == pad;
        if (is_pad && !inside) vec_push(&runs, 0);
        if (is_pad) runs.at[runs.n - 1]++;
        inside = is_pad;
    }
    return runs;
}

static void check_sample(const Tokenizer *t, const json_t *row, const json_t *want)
{
    Err err = {0};
    const json_t *messages = json_object_get(row, "messages"), *ids = json_object_get(want, "ids");
    const json_t *mask = json_object_get(want, "mask");
    int n = (int)json_array_size(messages);
    Message *m = xcalloc((size_t)n, sizeof *m);
    for (int i = 0; i < n; i++) {
        const json_t *v = json_array_get(messages, (size_t)i);
        m[i] = say(json_string_value(json_object_get(v, "role")), json_string_value(json_object_get(v, "content")));
    }
    Ints runs = pad_runs(ids, tokenizer_id(t, "<|image_pad|>"));
    Rendered r;
    if (chat_render(&r, t, m, n, runs.at, runs.n, false, &err)) fail_msg("%s", err.msg);
    assert_int_equal(r.n, json_array_size(ids));
    assert_int_equal(r.n, json_array_size(mask));
    for (size_t i = 0; i < (size_t)r.n; i++) {
        assert_int_equal(r.id[i], json_integer_value(json_array_get(ids, i)));
        assert_int_equal(r.target[i], json_integer_value(json_array_get(mask, i)));
    }
    rendered_release(&r);
    free(runs.at);
    free(m);
}

/* Checks the samples of one golden folder; their number, 0 where it is no such folder. */
static int check_folder(const char *dir)
{
    Err err = {0};
    char *model = path_join(dir, "model"), *data = path_join(dir, "data.jsonl"),
         *expect = path_join(dir, "expect.json");
    int n = 0;
    if (file_exists(data)) {
        Tokenizer *t = tokenizer_load(model, &err);
        if (!t) fail_msg("%s", err.msg);
        json_t *want = json_load_path(expect, (size_t)1 << 26, &err);
        Buf b = {0};
        assert_int_equal(file_read(&b, data, (size_t)1 << 26, &err), 0);
        for (char *s = b.data, *end; (end = strchr(s, '\n')); s = end + 1, n++) {
            json_t *row = json_parse(s, (size_t)(end - s), &err);
            check_sample(t, row, json_array_get(json_object_get(want, "samples"), (size_t)n));
            json_decref(row);
        }
        json_decref(want);
        buf_release(&b);
        tokenizer_free(t);
    }
    free(model);
    free(data);
    free(expect);
    return n;
}

static int check_folders(const char *base)
{
    Err err = {0};
    char **names;
    int n, samples = 0;
    if (!dir_exists(base) || dir_list(base, &names, &n, &err)) return 0;
    for (int i = 0; i < n; i++) {
        char *dir = path_join(base, names[i]);
        samples += check_folder(dir);
        free(dir);
        free(names[i]);
    }
    free(names);
    return samples;
}

static void samples_match_transformers(void **state)
{
    (void)state;
    const char *more = getenv("OSLER_GOLDENS");
    if (check_folders("tests/data/goldens") + check_folders(more ? more : "../shared/goldens") == 0) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_the_templates),
        cmocka_unit_test(generation_stops_before_the_answer),
        cmocka_unit_test(loss_false_is_no_target),
        cmocka_unit_test(a_token_across_the_border_is_no_target),
        cmocka_unit_test(special_tokens_in_text_are_tokens),
        cmocka_unit_test(images_stand_at_their_markers),
        cmocka_unit_test(wrong_conversations_are_refused),
        cmocka_unit_test(other_templates_are_refused),
        cmocka_unit_test(a_tokenizer_without_chatml_is_refused),
        cmocka_unit_test(samples_match_transformers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
