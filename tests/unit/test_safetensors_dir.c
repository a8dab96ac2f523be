/* Checkpoint directories: shards and their index, one layout over another, and what survives a failure. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "scratch.h"
#include "weights/safetensors.h"

static unsigned char PATTERN[512];

enum { N_LAYERS = 7 };

/* n tensors of 64 bytes, whose content depends on the generation. */
static void layer_items(StItem item[N_LAYERS], char name[N_LAYERS][16], int generation)
{
    for (int i = 0; i < N_LAYERS; i++) {
        snprintf(name[i], 16, "layer.%d", i);
        item[i] = (StItem){.name = name[i], .dtype = DT_F32, .n_dims = 2, .dim = {8, 2}};
        item[i].data = PATTERN + 64 * generation + i;
    }
}

/* The generation that the directory holds, whole; -1 where it cannot be read or is a mixture. */
static int generation_of(const char *dir, const char *base)
{
    SafeTensors st;
    Err err = {0};
    if (st_open_dir(&st, dir, base, &err)) {
        print_message("%s\n", err.msg);
        return -1;
    }
    int generation = -1;
    for (int g = 0; g < 4 && generation < 0; g++) {
        StItem item[N_LAYERS];
        char name[N_LAYERS][16];
        bool same = st.n == N_LAYERS;
        layer_items(item, name, g);
        for (int i = 0; i < N_LAYERS && same; i++) {
            const StTensor *t = st_find(&st, item[i].name);
            same = t && t->bytes == 64 && !memcmp(t->data, item[i].data, 64);
        }
        if (same) generation = g;
    }
    st_close(&st);
    return generation;
}

static void save_generation(const char *dir, const char *base, int generation, int64_t max_bytes)
{
    StItem item[N_LAYERS];
    char name[N_LAYERS][16];
    Err err = {0};
    layer_items(item, name, generation);
    if (st_save_dir(dir, base, item, N_LAYERS, max_bytes, &err)) fail_msg("%s", err.msg);
    assert_int_equal(generation_of(dir, base), generation);
}

static void expect_files(const char *dir, const char *const *want, int n_want)
{
    char **name;
    int n;
    Err err = {0};
    assert_int_equal(dir_list(dir, &name, &n, &err), 0);
    if (n != n_want) fail_msg("%d files, expected %d; the first is %s", n, n_want, n ? name[0] : "none");
    for (int i = 0; i < n; i++) {
        assert_string_equal(name[i], want[i]);
        free(name[i]);
    }
    free(name);
}

static const char *const SINGLE[] = {"model.safetensors"};
static const char *const FOUR[] = {"model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors",
                                   "model-00003-of-00004.safetensors", "model-00004-of-00004.safetensors",
                                   "model.safetensors.index.json"};
static const char *const SEVEN[] = {"model-00001-of-00007.safetensors", "model-00002-of-00007.safetensors",
                                    "model-00003-of-00007.safetensors", "model-00004-of-00007.safetensors",
                                    "model-00005-of-00007.safetensors", "model-00006-of-00007.safetensors",
                                    "model-00007-of-00007.safetensors", "model.safetensors.index.json"};

static void test_layouts_replace_each_other(void **state)
{
    (void)state;
    char *dir = scratch_new();
    static const struct {
        int64_t max;
        const char *const *files;
        int n;
    } STEP[] = {{0, SINGLE, 1},    {128, FOUR, 5}, {128, FOUR, 5}, {1, SEVEN, 8},
                {4096, SINGLE, 1}, {0, SINGLE, 1}, {64, SEVEN, 8}, {191, FOUR, 5}};
    for (int i = 0; i < 8; i++) {
        save_generation(dir, "model", i % 3, STEP[i].max);
        expect_files(dir, STEP[i].files, STEP[i].n);
    }
    scratch_free(dir);
}

/* Only what belongs to the base goes. */
static void test_other_files_stay(void **state)
{
    (void)state;
    static const char *const STRAY[] = {"model-00009-of-00009.safetensors", "model-old.safetensors",
                                        "model.safetensors.tmp.77", "model-00001-of-00002.safetensors.tmp.5"};
    static const char *const KEEP[] = {"adapter_model.safetensors", "config.json", "model.safetensors",
                                       "model_ema.safetensors", "tokenizer.json"};
    char *dir = scratch_new();
    Err err = {0};
    for (int i = 0; i < 9; i++) {
        char *path = path_join(dir, i < 4 ? STRAY[i] : KEEP[i - 4]);
        assert_int_equal(file_save(path, "x", 1, &err), 0);
        free(path);
    }
    save_generation(dir, "model", 1, 0);
    expect_files(dir, KEEP, 5);
    save_generation(dir, "adapter_model", 2, 0);
    expect_files(dir, KEEP, 5);
    assert_int_equal(generation_of(dir, "model"), 1);
    scratch_free(dir);
}

static void test_given_shards(void **state)
{
    (void)state;
    static const char *const FILES[] = {"first.safetensors", "model.safetensors.index.json", "second.safetensors"};
    StItem item[N_LAYERS];
    char name[N_LAYERS][16];
    Err err = {0};
    SafeTensors st;
    char *dir = scratch_new();
    layer_items(item, name, 2);
    for (int i = 0; i < N_LAYERS; i++) item[i].shard = i % 3 ? "first.safetensors" : "second.safetensors";
    for (int round = 0; round < 2; round++) { /* the second over the first */
        assert_int_equal(st_save_dir(dir, "model", item, N_LAYERS, 0, &err), 0);
        expect_files(dir, FILES, 3);
        assert_int_equal(generation_of(dir, "model"), 2);
    }
    assert_int_equal(st_open_dir(&st, dir, "model", &err), 0);
    assert_true(st.sharded);
    for (int i = 0; i < N_LAYERS; i++) assert_string_equal(path_basename(st_find(&st, name[i])->file), item[i].shard);
    st_close(&st);
    save_generation(dir, "model", 0, 0); /* their names go with the index that held them */
    expect_files(dir, SINGLE, 1);
    for (int i = 0; i < N_LAYERS; i++) item[i].shard = "model.safetensors";
    assert_int_equal(st_save_dir(dir, "model", item, N_LAYERS, 0, &err), 0);
    expect_files(dir, SINGLE, 1);
    item[0].shard = "first.safetensors";
    assert_int_equal(st_save_dir(dir, "model", item, N_LAYERS, 0, &err), -1);
    assert_int_equal(generation_of(dir, "model"), 2);
    scratch_free(dir);
}

static void test_index_content(void **state)
{
    (void)state;
    char *dir = scratch_new(), *path = path_join(dir, "model.safetensors.index.json");
    Buf b = {0};
    Err err = {0};
    save_generation(dir, "model", 0, 300);
    assert_int_equal(file_read(&b, path, 1 << 16, &err), 0);
    assert_string_equal(b.data, "{\n"
                                "  \"metadata\": {\n"
                                "    \"total_size\": 448\n"
                                "  },\n"
                                "  \"weight_map\": {\n"
                                "    \"layer.0\": \"model-00001-of-00002.safetensors\",\n"
                                "    \"layer.1\": \"model-00001-of-00002.safetensors\",\n"
                                "    \"layer.2\": \"model-00001-of-00002.safetensors\",\n"
                                "    \"layer.3\": \"model-00001-of-00002.safetensors\",\n"
                                "    \"layer.4\": \"model-00002-of-00002.safetensors\",\n"
                                "    \"layer.5\": \"model-00002-of-00002.safetensors\",\n"
                                "    \"layer.6\": \"model-00002-of-00002.safetensors\"\n"
                                "  }\n"
                                "}\n");
    buf_release(&b);
    free(path);
    scratch_free(dir);
}

static void expect_index_refused(const char *dir, const char *index, const char *words)
{
    char *path = path_join(dir, "model.safetensors.index.json");
    Err err = {0};
    SafeTensors st;
    assert_int_equal(file_save(path, index, strlen(index), &err), 0);
    int rc = st_open_dir(&st, dir, "model", &err);
    if (rc == 0 || !strstr(err.msg, words) || !strstr(err.msg, path))
        fail_msg("%s\n  rc %d, \"%s\"\n  expected \"%s\"", index, rc, err.msg, words);
    assert_int_equal(st.n, 0);
    free(path);
}

static void test_index_refusals(void **state)
{
    (void)state;
    char *dir = scratch_new(), *a = path_join(dir, "a"), *b = path_join(dir, "b"), *outside = path_join(dir, "sub/a");
    const float x[2] = {1, 2};
    StItem item[] = {{.name = "p", .dtype = DT_F32, .n_dims = 1, .dim = {1}, .data = x},
                     {.name = "q", .dtype = DT_F32, .n_dims = 1, .dim = {1}, .data = x + 1}};
    Err err = {0};
    char *sub = path_join(dir, "sub");
    assert_int_equal(dir_create(sub, &err), 0);
    assert_int_equal(st_save(a, item, 1, &err), 0);
    assert_int_equal(st_save(b, item + 1, 1, &err), 0);
    assert_int_equal(st_save(outside, item, 1, &err), 0);
    expect_index_refused(dir, "{", "not valid JSON");
    expect_index_refused(dir, "[]", "expected an object");
    expect_index_refused(dir, "{}", "\"weight_map\" is missing");
    expect_index_refused(dir, "{\"weight_map\":{}}", "\"weight_map\" is empty");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":1}}", "tensor \"p\": expected a file name");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"\"}}", "not the name of a file beside the index");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\".\"}}", "not the name of a file");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"..\"}}", "not the name of a file");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"sub/a\"}}", "not the name of a file");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"../a\"}}", "not the name of a file");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"/etc/passwd\"}}", "not the name of a file");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"a\",\"q\":\"c\"}}", "shard c is missing");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"sub\"}}", "not a regular file");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"a\",\"q\":\"a\"}}", "tensor \"q\" is not in a");
    expect_index_refused(dir, "{\"weight_map\":{\"x\":\"a\"}}", "holds tensor \"p\", which the index does not name");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"b\",\"q\":\"b\"}}", "tensor \"p\" is not in b");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"a\",\"q\":\"a\",\"r\":\"b\"}}", "which the index places in a");
    expect_index_refused(dir, "{\"weight_map\":{\"p\":\"a\",\"p\":\"b\"}}", "duplicate");
    free(sub);
    free(outside);
    free(b);
    free(a);
    scratch_free(dir);
}

static void test_nothing_there(void **state)
{
    (void)state;
    char *dir = scratch_new(), *gone = path_join(dir, "gone");
    Err err = {0};
    SafeTensors st;
    assert_int_equal(st_open_dir(&st, dir, "model", &err), -1);
    assert_non_null(strstr(err.msg, "neither model.safetensors nor model.safetensors.index.json"));
    assert_true(err.hint[0]);
    err = (Err){0};
    assert_int_equal(st_open_dir(&st, gone, "model", &err), -1);
    assert_non_null(strstr(err.msg, "no such folder"));
    err = (Err){0};
    assert_int_equal(st_open(&st, gone, &err), -1);
    assert_non_null(strstr(err.msg, "No such file"));
    free(gone);
    scratch_free(dir);
}

/* ---- failures while writing -------------------------------------------------------------------------------------- */

static void test_failed_save_keeps_the_old_file(void **state)
{
    (void)state;
    char *dir = scratch_new(), *path = path_join(dir, "model.safetensors");
    StItem item[N_LAYERS];
    char name[N_LAYERS][16];
    int failures = 0;
    save_generation(dir, "model", 0, 0);
    layer_items(item, name, 1);
    for (int n = 1;; n++) {
        Err err = {0};
        file_inject_failure(n, ENOSPC);
        int rc = st_save(path, item, N_LAYERS, &err);
        file_inject_failure(0, 0);
        if (rc == 0) break;
        failures++;
        assert_true(err.msg[0]);
        assert_int_equal(generation_of(dir, "model"), 0);
        expect_files(dir, SINGLE, 1);
    }
    assert_true(failures >= 4); /* create, write, fsync, rename */
    assert_int_equal(generation_of(dir, "model"), 1);
    free(path);
    scratch_free(dir);
}

/* Every write of every change of layout fails once: until the call succeeds the old checkpoint is there, whole. */
static void test_failed_save_dir_keeps_the_old_one(void **state)
{
    (void)state;
    static const int64_t MAX[] = {0, 128, 64};
    static const int N_FILES[] = {1, 5, 8};
    static const char *const *const FILES[] = {SINGLE, FOUR, SEVEN};
    int failures = 0;
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            char *dir = scratch_new();
            StItem item[N_LAYERS];
            char name[N_LAYERS][16];
            save_generation(dir, "model", 0, MAX[from]);
            layer_items(item, name, 1);
            for (int n = 1;; n++) {
                Err err = {0};
                file_inject_failure(n, n % 2 ? ENOSPC : EIO);
                int rc = st_save_dir(dir, "model", item, N_LAYERS, MAX[to], &err);
                file_inject_failure(0, 0);
                assert_int_equal(generation_of(dir, "model"), rc ? 0 : 1);
                if (rc == 0) break;
                failures++;
                assert_true(err.msg[0]);
                expect_files(dir, FILES[from], N_FILES[from]);
            }
            save_generation(dir, "model", 2, MAX[to]); /* and nothing stands in the way of the next one */
            expect_files(dir, FILES[to], N_FILES[to]);
            scratch_free(dir);
        }
    assert_true(failures > 100);
}

/* A failure while staged files get their proper names is no failure of the save: the new checkpoint is whole. */
static void test_failure_while_settling(void **state)
{
    (void)state;
    char *dir = scratch_new();
    StItem item[N_LAYERS];
    char name[N_LAYERS][16];
    int unsettled = 0;
    layer_items(item, name, 1);
    for (int n = 1; n < 60; n++) {
        save_generation(dir, "model", 0, 128);
        Err err = {0};
        file_inject_failure(n, ENOSPC);
        int rc = st_save_dir(dir, "model", item, N_LAYERS, 128, &err);
        file_inject_failure(0, 0);
        assert_int_equal(generation_of(dir, "model"), rc ? 0 : 1);
        char *first = path_join(dir, FOUR[0]);
        if (rc == 0 && !file_exists(first)) unsettled++;
        free(first);
    }
    assert_int_equal(unsettled, 4); /* the second index: create, write, fsync, rename */
    save_generation(dir, "model", 2, 128);
    expect_files(dir, FOUR, 5);
    scratch_free(dir);
}

/* A reader that holds the old files goes on seeing them. */
static void test_overwrite_while_open(void **state)
{
    (void)state;
    char *dir = scratch_new();
    StItem item[N_LAYERS];
    char name[N_LAYERS][16];
    Err err = {0};
    SafeTensors st;
    save_generation(dir, "model", 0, 128);
    assert_int_equal(st_open_dir(&st, dir, "model", &err), 0);
    layer_items(item, name, 1);
    for (int i = 0; i < N_LAYERS; i++) item[i].data = st_find(&st, name[(i + 1) % N_LAYERS])->data;
    assert_int_equal(st_save_dir(dir, "model", item, N_LAYERS, 128, &err), 0);
    for (int i = 0; i < N_LAYERS; i++) assert_memory_equal(st_find(&st, name[i])->data, PATTERN + i, 64);
    st_close(&st);
    assert_int_equal(st_open_dir(&st, dir, "model", &err), 0);
    for (int i = 0; i < N_LAYERS; i++)
        assert_memory_equal(st_find(&st, name[i])->data, PATTERN + (i + 1) % N_LAYERS, 64);
    st_close(&st);
    scratch_free(dir);
}

int main(void)
{
    log_level(LOG_QUIET);
    for (size_t i = 0; i < sizeof PATTERN; i++) PATTERN[i] = (unsigned char)(i * 37 + i / 251 + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts_replace_each_other),
        cmocka_unit_test(test_other_files_stay),
        cmocka_unit_test(test_given_shards),
        cmocka_unit_test(test_index_content),
        cmocka_unit_test(test_index_refusals),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_failed_save_keeps_the_old_file),
        cmocka_unit_test(test_failed_save_dir_keeps_the_old_one),
        cmocka_unit_test(test_failure_while_settling),
        cmocka_unit_test(test_overwrite_while_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
