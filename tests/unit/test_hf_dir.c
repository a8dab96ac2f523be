/* What is carried from a checkpoint directory into the one a run writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "weights/hf_dir.h"

static void put(const char *dir, const char *name, const char *text)
{
    char *path = path_join(dir, name), *parent = path_dirname(path);
    Err err = {0};
    assert_int_equal(dir_create(parent, &err), 0);
    assert_int_equal(file_save(path, text, strlen(text), &err), 0);
    free(parent);
    free(path);
}

static void expect_text(const char *dir, const char *name, const char *text)
{
    char *path = path_join(dir, name);
    Buf b = {0};
    Err err = {0};
    assert_int_equal(file_read(&b, path, 1000, &err), 0);
    assert_string_equal(b.data, text);
    buf_release(&b);
    free(path);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const YES[] = {"config.json",
                                      "generation_config.json",
                                      "tokenizer.json",
                                      "vocab.json",
                                      "merges.txt",
                                      "chat_template.jinja",
                                      "tokenizer.model",
                                      "LICENSE",
                                      "README.md",
                                      "preprocessor_config.json",
                                      "special_tokens_map.json",
                                      "chat_template.json",
                                      "video_preprocessor_config.json"};
    static const char *const NO[] = {"model.safetensors",
                                     "model-00001-of-00002.safetensors",
                                     "model.safetensors.index.json",
                                     "pytorch_model.bin",
                                     "pytorch_model.bin.index.json",
                                     "optimizer.pt",
                                     "rng_state.pth",
                                     "tf_model.h5",
                                     "flax_model.msgpack",
                                     "model.onnx",
                                     "model-q4.gguf",
                                     "consolidated.00.pth",
                                     "training_args.bin",
                                     ".gitattributes",
                                     ".cache",
                                     "trainer_log.jsonl",
                                     "trainer_state.json",
                                     "manifest.json",
                                     "report.html",
                                     "checkpoint-10",
                                     "adapter_config.json",
                                     "adapter_model.safetensors",
                                     "completions.jsonl",
                                     "events.out.tfevents.17.host.1",
                                     "config.json.tmp.12"};
    for (size_t i = 0; i < sizeof YES / sizeof *YES; i++)
        if (!hf_dir_carries(YES[i])) fail_msg("%s is not carried", YES[i]);
    for (size_t i = 0; i < sizeof NO / sizeof *NO; i++)
        if (hf_dir_carries(NO[i])) fail_msg("%s is carried", NO[i]);
}

static void test_carry(void **state)
{
    (void)state;
    char *root = scratch_new(), *src = path_join(root, "src"), *dst = path_join(root, "out/deep");
    Err err = {0};
    put(src, "config.json", "{}");
    put(src, "tokenizer.json", "{\"a\": 1}");
    put(src, "model.safetensors", "weights");
    put(src, "runs/events", "x");
    put(src, "1_Pooling/config.json", "x");
    put(root, "blob", "linked");
    char *link = path_join(src, "merges.txt");
    assert_int_equal(symlink("../blob", link), 0);
    put(dst, "config.json", "old");
    put(dst, "trainer_log.jsonl", "mine");
    assert_int_equal(hf_dir_carry(dst, src, &err), 0);
    char **name;
    int n;
    assert_int_equal(dir_list(dst, &name, &n, &err), 0);
    static const char *const WANT[] = {"config.json", "merges.txt", "tokenizer.json", "trainer_log.jsonl"};
    assert_int_equal(n, 4);
    for (int i = 0; i < n; i++) {
        assert_string_equal(name[i], WANT[i]);
        free(name[i]);
    }
    free(name);
    expect_text(dst, "config.json", "{}");
    expect_text(dst, "merges.txt", "linked");
    expect_text(dst, "trainer_log.jsonl", "mine");
    char *copy = path_join(dst, "merges.txt"), target[8];
    assert_int_equal(readlink(copy, target, sizeof target), -1); /* a file, no link */
    free(copy);
    free(link);
    free(dst);
    free(src);
    scratch_free(root);
}

static void test_refusals(void **state)
{
    (void)state;
    char *root = scratch_new(), *src = path_join(root, "src"), *alias = path_join(root, "alias");
    Err err = {0};
    put(src, "config.json", "{}");
    assert_int_equal(hf_dir_carry(src, src, &err), -1);
    assert_non_null(strstr(err.msg, "the model's own"));
    assert_int_equal(symlink("src", alias), 0);
    err = (Err){0};
    assert_int_equal(hf_dir_carry(alias, src, &err), -1);
    assert_non_null(strstr(err.msg, "the model's own"));
    expect_text(src, "config.json", "{}");
    char *gone = path_join(root, "gone"), *dst = path_join(root, "dst"), *dangling = path_join(src, "merges.txt");
    err = (Err){0};
    assert_int_equal(hf_dir_carry(dst, gone, &err), -1);
    assert_non_null(strstr(err.msg, gone));
    assert_false(dir_exists(dst));
    assert_int_equal(symlink("nowhere", dangling), 0);
    err = (Err){0};
    assert_int_equal(hf_dir_carry(dst, src, &err), -1);
    assert_non_null(strstr(err.msg, "merges.txt"));
    free(dangling);
    free(dst);
    free(gone);
    free(alias);
    free(src);
    scratch_free(root);
}

static void test_failed_write(void **state)
{
    (void)state;
    char *root = scratch_new(), *src = path_join(root, "src"), *dst = path_join(root, "dst");
    put(src, "a.json", "1");
    put(src, "b.json", "2");
    for (int n = 1; n <= 8; n++) {
        Err err = {0};
        file_inject_failure(n, ENOSPC);
        assert_int_equal(hf_dir_carry(dst, src, &err), -1);
        file_inject_failure(0, 0);
        assert_non_null(strstr(err.msg, n <= 4 ? "a.json" : "b.json"));
    }
    free(dst);
    free(src);
    scratch_free(root);
}

static void digest(char hex[SHA256_HEX], const char *dir)
{
    Err err = {0};
    if (hf_dir_digest(hex, dir, &err)) fail_msg("%s", err.msg);
}

/* The same where a model computes the same, another where it may not. */
static void test_digest(void **state)
{
    (void)state;
    char *a = scratch_new(), *b = scratch_new(), one[SHA256_HEX], two[SHA256_HEX];
    const char *dir[] = {a, b};
    for (int i = 0; i < 2; i++) {
        put(dir[i], "config.json", "{}");
        put(dir[i], "model-1.safetensors", "weights");
        put(dir[i], "model-2.safetensors", "");
    }
    put(b, "README.md", "a word");
    put(b, "checkpoint-1/model.safetensors", "older");
    digest(one, a);
    digest(two, b);
    assert_string_equal(one, two);
    put(b, "model-1.safetensors", "weightS");
    digest(two, b);
    assert_string_not_equal(one, two);
    put(b, "model-1.safetensors", "weight");
    put(b, "model-2.safetensors", "s");
    digest(two, b);
    assert_string_not_equal(one, two);
    put(a, "tokenizer.json", "{}");
    digest(two, a);
    assert_string_not_equal(one, two);
    Err err = {0};
    assert_int_equal(hf_dir_digest(one, "no/such/folder", &err), -1);
    scratch_free(a);
    scratch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_carry),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_digest), cmocka_unit_test(test_failed_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
