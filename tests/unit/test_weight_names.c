/* The two layouts of tensor names, and the check of what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "weights/verify.h"

static const struct {
    const char *original, *nested;
} PAIR[] = {
    {"visual.blocks.0.attn.qkv.weight", "model.visual.blocks.0.attn.qkv.weight"},
    {"visual.patch_embed.proj.weight", "model.visual.patch_embed.proj.weight"},
    {"model.embed_tokens.weight", "model.language_model.embed_tokens.weight"},
    {"model.layers.11.mlp.up_proj.weight", "model.language_model.layers.11.mlp.up_proj.weight"},
    {"model.norm.weight", "model.language_model.norm.weight"},
    {"model.layers.0.self_attn.q_proj", "model.language_model.layers.0.self_attn.q_proj"},
    {"lm_head.weight", "lm_head.weight"},
    {"something.else", "something.else"},
    {"", ""},
};
enum { N_PAIRS = sizeof PAIR / sizeof *PAIR };

static void expect_taken(char *got, const char *want)
{
    assert_string_equal(got, want);
    free(got);
}

static void test_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < N_PAIRS; i++) {
        expect_taken(names_from_file(PAIR[i].original), PAIR[i].nested);
        expect_taken(names_from_file(PAIR[i].nested), PAIR[i].nested);
        expect_taken(names_to_file(NAMES_ORIGINAL, PAIR[i].nested), PAIR[i].original);
        expect_taken(names_to_file(NAMES_NESTED, PAIR[i].nested), PAIR[i].nested);
    }
}

static NameLayout layout_of(const char *a, const char *b)
{
    StTensor t[2] = {{.name = (char *)(uintptr_t)a}, {.name = (char *)(uintptr_t)b}};
    return names_detect(&(SafeTensors){.tensor = t, .n = 2});
}

static void test_detect(void **state)
{
    (void)state;
    assert_int_equal(layout_of("lm_head.weight", "model.layers.0.mlp.up_proj.weight"), NAMES_ORIGINAL);
    assert_int_equal(layout_of("model.embed_tokens.weight", "visual.merger.ln_q.weight"), NAMES_ORIGINAL);
    assert_int_equal(layout_of("lm_head.weight", "model.visual.merger.ln_q.weight"), NAMES_NESTED);
    assert_int_equal(layout_of("lm_head.weight", "model.language_model.norm.weight"), NAMES_NESTED);
    assert_int_equal(layout_of("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight",
                               "base_model.model.visual.blocks.0.attn.qkv.lora_A.weight"),
                     NAMES_ORIGINAL);
    assert_int_equal(layout_of("base_model.model.model.language_model.layers.0.mlp.up_proj.lora_A.weight", "x"),
                     NAMES_NESTED);
}

/* ---- verify ------------------------------------------------------------------------------------------------------ */

static const float ZERO[64];

static void expect_verify(const char *dir, const WeightRow *row, int n, NameLayout layout, const char *words)
{
    Err err = {0};
    int rc = weights_verify(dir, row, n, layout, &err);
    if (words ? rc == 0 || !strstr(err.msg, words) || !strstr(err.msg, dir) : rc != 0)
        fail_msg("rc %d, \"%s\", expected \"%s\"", rc, err.msg, words ? words : "");
}

static void test_verify(void **state)
{
    (void)state;
    const StItem item[] = {
        {.name = "visual.patch_embed.proj.weight", .dtype = DT_F32, .n_dims = 5, .dim = {2, 3, 2, 1, 1}, .data = ZERO},
        {.name = "model.norm.weight", .dtype = DT_F32, .n_dims = 1, .dim = {8}, .data = ZERO},
        {.name = "model.embed_tokens.weight", .dtype = DT_BF16, .n_dims = 2, .dim = {4, 8}, .data = ZERO},
    };
    WeightRow row[] = {
        {"model.language_model.embed_tokens.weight", 2, {4, 8}},
        {"model.language_model.norm.weight", 1, {8}},
        {"model.visual.patch_embed.proj.weight", 5, {2, 3, 2, 1, 1}},
        {"lm_head.weight", 2, {4, 8}},
    };
    char *dir = scratch_new();
    Err err = {0};
    expect_verify(dir, row, 3, NAMES_ORIGINAL, "model.safetensors");
    assert_int_equal(st_save_dir(dir, "model", item, 3, 0, &err), 0);
    expect_verify(dir, row, 3, NAMES_ORIGINAL, NULL);
    expect_verify(dir, row, 3, NAMES_NESTED, "\"model.language_model.embed_tokens.weight\" is missing");
    expect_verify(dir, row, 4, NAMES_ORIGINAL, "\"lm_head.weight\" is missing");
    expect_verify(dir, row, 2, NAMES_ORIGINAL, "\"visual.patch_embed.proj.weight\" does not belong");
    row[0].dim[1] = 9;
    expect_verify(dir, row, 3, NAMES_ORIGINAL, "\"model.embed_tokens.weight\" has shape [4, 8], expected [4, 9]");
    row[0].dim[1] = 8;
    row[2].n_dims = 4;
    expect_verify(dir, row, 3, NAMES_ORIGINAL, "has shape [2, 3, 2, 1, 1], expected [2, 3, 2, 1]");
    scratch_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_detect),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
