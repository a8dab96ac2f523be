/* PEFT configurations: the same targets, ranks and scales as PEFT finds, refusals, and writing. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "scratch.h"
#include "weights/peft.h"

/* ---- against PEFT itself ----------------------------------------------------------------------------------------- */

/* cfg against what PEFT said: {"module": [r, scale]} for each target. */
static void expect_targets(const PeftConfig *cfg, const json_t *modules, const json_t *targets, size_t which)
{
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const char *module = json_string_value(json_array_get(modules, i));
        const json_t *want = json_object_get(targets, module);
        PeftTarget got;
        Err err = {0};
        int hit = peft_target(&got, cfg, module, &err);
        if (hit != (want != NULL)) fail_msg("case %zu, %s: %d, PEFT says %d %s", which, module, hit, !hit, err.msg);
        if (!want) continue;
        assert_int_equal(got.r, json_integer_value(json_array_get(want, 0)));
        double scale = json_number_value(json_array_get(want, 1));
        assert_true(fabs(got.scale - scale) <= 1e-15 * fabs(scale));
    }
}

/* Every case as parsed, and again after it was written and read back. */
static void test_same_as_peft(void **state)
{
    (void)state;
    Err err = {0};
    json_t *root = json_load_path("tests/data/weights/peft_targets.json", 1 << 20, &err);
    if (!root) fail_msg("%s", err.msg);
    const json_t *modules = json_object_get(root, "modules"), *cases = json_object_get(root, "cases");
    char *dir = scratch_new();
    size_t n_targets = 0;
    assert_true(json_array_size(cases) >= 20);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *targets = json_object_get(c, "targets");
        char *text = json_dumps(json_object_get(c, "config"), 0);
        PeftConfig cfg, again;
        if (peft_config_parse(&cfg, text, strlen(text), &err)) fail_msg("case %zu: %s", i, err.msg);
        expect_targets(&cfg, modules, targets, i);
        assert_int_equal(peft_config_save(&cfg, dir, &err), 0);
        if (peft_config_load(&again, dir, &err)) fail_msg("case %zu: %s", i, err.msg);
        expect_targets(&again, modules, targets, i);
        assert_true(again.lora_dropout == cfg.lora_dropout);
        peft_config_release(&again);
        peft_config_release(&cfg);
        n_targets += json_object_size(targets);
        free(text);
    }
    assert_true(n_targets > 200);
    scratch_free(dir);
    json_decref(root);
}

static void test_all_linear(void **state)
{
    (void)state;
    static const char *const SPELLING[] = {"all-linear", "All-Linear", "all"};
    for (int i = 0; i < 3; i++) {
        PeftConfig cfg;
        PeftTarget t;
        Err err = {0};
        assert_int_equal(peft_config_init(&cfg, &SPELLING[i], 1, &err), 0);
        assert_int_equal(peft_target(&t, &cfg, "model.language_model.layers.0.mlp.up_proj", &err), 1);
        assert_int_equal(peft_target(&t, &cfg, "model.visual.merger.mlp.2", &err), 1);
        assert_int_equal(peft_target(&t, &cfg, "model.visual.blocks.3.attn.proj", &err), 1);
        assert_int_equal(peft_target(&t, &cfg, "lm_head", &err), 0);
        assert_int_equal(peft_target(&t, &cfg, "model.visual.patch_embed.proj", &err), 0);
        assert_int_equal(peft_target(&t, &cfg, "model.language_model.embed_tokens", &err), 0);
        peft_config_release(&cfg);
    }
}

static void test_init(void **state)
{
    (void)state;
    static const char *const LIST[] = {"q_proj", "v_proj"}, *const ONE[] = {"q_proj"}, *const REGEX[] = {".*q_proj"};
    PeftConfig cfg;
    PeftTarget t;
    Err err = {0};
    assert_int_equal(peft_config_init(&cfg, LIST, 2, &err), 0);
    cfg.r = 16;
    cfg.lora_alpha = 24;
    assert_int_equal(peft_target(&t, &cfg, "a.v_proj", &err), 1);
    assert_int_equal(t.r, 16);
    assert_true(t.scale == 1.5);
    assert_int_equal(peft_target(&t, &cfg, "a.xv_proj", &err), 0);
    peft_config_release(&cfg);
    assert_int_equal(peft_config_init(&cfg, ONE, 1, &err), 0);
    assert_null(cfg.target.regex);
    peft_config_release(&cfg);
    assert_int_equal(peft_config_init(&cfg, REGEX, 1, &err), 0);
    assert_int_equal(peft_target(&t, &cfg, "a.xq_proj", &err), 1);
    peft_config_release(&cfg);
    static const char *const BAD[] = {"(q_proj"};
    assert_int_equal(peft_config_init(&cfg, BAD, 1, &err), -1);
    assert_non_null(strstr(err.msg, "(q_proj"));
}

/* A regular expression that would run for hours ends in an error. */
static void test_runaway_regex(void **state)
{
    (void)state;
    static const char *const BAD[] = {"(([a-z]+)+\\.?)+[0-9]"};
    PeftConfig cfg;
    PeftTarget t;
    Err err = {0};
    assert_int_equal(peft_config_init(&cfg, BAD, 1, &err), 0);
    assert_int_equal(peft_target(&t, &cfg, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &err), -1);
    assert_non_null(strstr(err.msg, "too many steps"));
    peft_config_release(&cfg);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

#define LORA "\"peft_type\":\"LORA\",\"target_modules\":[\"q_proj\"]"

static int parse(const char *text, Err *err)
{
    PeftConfig cfg;
    *err = (Err){0};
    int rc = peft_config_parse(&cfg, text, strlen(text), err);
    peft_config_release(&cfg);
    return rc;
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"", "not valid JSON"},
        {"[]", "expected an object"},
        {"{}", "\"peft_type\" is missing"},
        {"{\"peft_type\":\"IA3\"}", "only LORA"},
        {"{\"peft_type\":\"LORA\"}", "\"target_modules\" is missing"},
        {"{\"peft_type\":\"LORA\",\"target_modules\":[]}", "\"target_modules\" is missing or empty"},
        {"{\"peft_type\":\"LORA\",\"target_modules\":5}", "\"target_modules\" must be a string or a list"},
        {"{\"peft_type\":\"LORA\",\"target_modules\":[5]}", "names must be strings"},
        {"{\"peft_type\":\"LORA\",\"target_modules\":\"(x\"}", "\"target_modules\": regular expression \"(x\""},
        {"{\"peft_type\":\"LORA\",\"target_modules\":\"x{,3}\"}", "{,n} is not supported"},
        {"{" LORA ",\"exclude_modules\":\"[\"}", "regular expression \"[\""},
        {"{" LORA ",\"r\":0}", "\"r\" is 0"},
        {"{" LORA ",\"r\":-8}", "\"r\" is -8"},
        {"{" LORA ",\"r\":100000}", "\"r\" is 100000"},
        {"{" LORA ",\"r\":8.0}", "\"r\" must be an integer"},
        {"{" LORA ",\"lora_alpha\":\"16\"}", "\"lora_alpha\" must be a number"},
        {"{" LORA ",\"lora_dropout\":1}", "\"lora_dropout\" is 1"},
        {"{" LORA ",\"lora_dropout\":-0.1}", "\"lora_dropout\" is -0.1"},
        {"{" LORA ",\"use_rslora\":1}", "\"use_rslora\" must be true or false"},
        {"{" LORA ",\"bias\":\"all\"}", "\"bias\" is \"all\""},
        {"{" LORA ",\"use_dora\":true}", "\"use_dora\" is not supported"},
        {"{" LORA ",\"lora_bias\":true}", "\"lora_bias\" is not supported"},
        {"{" LORA ",\"fan_in_fan_out\":true}", "\"fan_in_fan_out\" is not supported"},
        {"{" LORA ",\"modules_to_save\":[\"lm_head\"]}", "\"modules_to_save\" is not supported"},
        {"{" LORA ",\"layer_replication\":[[0,4]]}", "\"layer_replication\" is not supported"},
        {"{" LORA ",\"trainable_token_indices\":[1]}", "\"trainable_token_indices\" is not supported"},
        {"{" LORA ",\"target_parameters\":[\"w\"]}", "\"target_parameters\" is not supported"},
        {"{" LORA ",\"init_lora_weights\":\"pissa\"}", "alters the base weights"},
        {"{" LORA ",\"init_lora_weights\":\"pissa_niter_4\"}", "alters the base weights"},
        {"{" LORA ",\"init_lora_weights\":\"olora\"}", "alters the base weights"},
        {"{" LORA ",\"init_lora_weights\":3}", "must be true, false or a string"},
        {"{" LORA ",\"rank_pattern\":[]}", "\"rank_pattern\" must be an object"},
        {"{" LORA ",\"rank_pattern\":{\"q\":0}}", "\"rank_pattern\": \"q\" must be an integer from 1"},
        {"{" LORA ",\"rank_pattern\":{\"q\":2.5}}", "\"rank_pattern\": \"q\" must be an integer from 1"},
        {"{" LORA ",\"rank_pattern\":{\"(\":2}}", "\"rank_pattern\": regular expression"},
        {"{" LORA ",\"alpha_pattern\":{\"q\":\"2\"}}", "\"alpha_pattern\": \"q\" must be a number"},
        {"{" LORA ",\"layers_pattern\":\"layers\"}", "\"layers_pattern\" needs \"layers_to_transform\""},
        {"{" LORA ",\"layers_to_transform\":[0,\"1\"]}", "\"layers_to_transform\" must be an integer or a list"},
        {"{" LORA ",\"layers_to_transform\":{}}", "\"layers_to_transform\" must be an integer or a list"},
        {"{" LORA ",\"layers_to_transform\":[0],\"layers_pattern\":[1]}", "\"layers_pattern\" must be a string"},
        {"{\"peft_type\":\"LORA\",\"target_modules\":\"q\",\"layers_to_transform\":0}", "cannot go with a regular"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        Err err;
        int rc = parse(BAD[i][0], &err);
        if (rc == 0 || !strstr(err.msg, BAD[i][1]))
            fail_msg("%s\n  rc %d, \"%s\"\n  expected \"%s\"", BAD[i][0], rc, err.msg, BAD[i][1]);
    }
}

static void test_harmless_keys(void **state)
{
    (void)state;
    static const char *const GOOD[] = {
        "{" LORA "}",
        "{" LORA ",\"modules_to_save\":[],\"use_dora\":false,\"layer_replication\":null,\"target_parameters\":null}",
        "{" LORA ",\"init_lora_weights\":\"gaussian\",\"inference_mode\":true,\"revision\":\"main\"}",
        "{" LORA ",\"init_lora_weights\":\"eva\",\"eva_config\":{\"rho\":2.0}}",
        "{" LORA ",\"init_lora_weights\":false,\"loftq_config\":{},\"megatron_core\":\"megatron.core\"}",
        "{" LORA ",\"qalora_group_size\":16,\"peft_version\":\"0.21.2\",\"auto_mapping\":{\"a\":\"b\"}}",
        "{" LORA ",\"layers_to_transform\":[],\"layers_pattern\":[],\"bias\":null,\"exclude_modules\":\"\"}",
        "{" LORA ",\"a_key_of_the_future\":{\"x\":1}}",
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        Err err;
        if (parse(GOOD[i], &err)) fail_msg("%s: %s", GOOD[i], err.msg);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void test_load_errors_and_failed_save(void **state)
{
    (void)state;
    static const char *const TARGET[] = {"q_proj"};
    char *dir = scratch_new(), *path = path_join(dir, "adapter_config.json");
    PeftConfig cfg, again;
    Err err = {0};
    assert_int_equal(peft_config_load(&cfg, dir, &err), -1);
    assert_non_null(strstr(err.msg, path));
    err = (Err){0};
    assert_int_equal(file_save(path, "{\n\"r\": }", 8, &err), 0);
    assert_int_equal(peft_config_load(&cfg, dir, &err), -1);
    assert_non_null(strstr(err.msg, path));
    assert_non_null(strstr(err.msg, "line 2"));
    err = (Err){0};
    assert_int_equal(peft_config_init(&cfg, TARGET, 1, &err), 0);
    assert_int_equal(peft_config_save(&cfg, dir, &err), 0);
    cfg.r = 99;
    for (int n = 1; n <= 4; n++) {
        err = (Err){0};
        file_inject_failure(n, EIO);
        assert_int_equal(peft_config_save(&cfg, dir, &err), -1);
        file_inject_failure(0, 0);
        err = (Err){0};
        assert_int_equal(peft_config_load(&again, dir, &err), 0);
        assert_int_equal(again.r, 8);
        peft_config_release(&again);
    }
    peft_config_release(&cfg);
    free(path);
    scratch_free(dir);
}

static void test_saved_text(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":6,\"lora_dropout\":0.05,\"target_modules\":"
        "[\"b\",\"a\"],\"rank_pattern\":{\"a\":2},\"alpha_pattern\":{\"a\":0.5},"
        "\"layers_to_transform\":3,\"layers_pattern\":\"h\",\"task_type\":\"CAUSAL_LM\","
        "\"base_model_name_or_path\":\"some/model\",\"use_rslora\":true}";
    char *dir = scratch_new(), *path = path_join(dir, "adapter_config.json");
    PeftConfig cfg;
    Err err = {0};
    Buf b = {0};
    if (peft_config_parse(&cfg, TEXT, strlen(TEXT), &err)) fail_msg("%s", err.msg);
    assert_int_equal(peft_config_save(&cfg, dir, &err), 0);
    assert_int_equal(file_read(&b, path, 4096, &err), 0);
    assert_string_equal(b.data, "{\n"
                                "  \"alpha_pattern\": {\n    \"a\": 0.5\n  },\n"
                                "  \"base_model_name_or_path\": \"some/model\",\n"
                                "  \"bias\": \"none\",\n"
                                "  \"fan_in_fan_out\": false,\n"
                                "  \"inference_mode\": true,\n"
                                "  \"init_lora_weights\": true,\n"
                                "  \"layers_pattern\": [\n    \"h\"\n  ],\n"
                                "  \"layers_to_transform\": [\n    3\n  ],\n"
                                "  \"lora_alpha\": 6,\n"
                                "  \"lora_dropout\": 0.05,\n"
                                "  \"modules_to_save\": null,\n"
                                "  \"peft_type\": \"LORA\",\n"
                                "  \"r\": 4,\n"
                                "  \"rank_pattern\": {\n    \"a\": 2\n  },\n"
                                "  \"target_modules\": [\n    \"b\",\n    \"a\"\n  ],\n"
                                "  \"task_type\": \"CAUSAL_LM\",\n"
                                "  \"use_dora\": false,\n"
                                "  \"use_rslora\": true\n"
                                "}\n");
    buf_release(&b);
    peft_config_release(&cfg);
    free(path);
    scratch_free(dir);
}

static void test_keys(void **state)
{
    (void)state;
    char *key = peft_key("model.visual.blocks.0.attn.qkv", LORA_B);
    assert_string_equal(key, "base_model.model.model.visual.blocks.0.attn.qkv.lora_B.weight");
    LoraPart part = LORA_A;
    char *module = peft_key_module(key, &part);
    assert_string_equal(module, "model.visual.blocks.0.attn.qkv");
    assert_int_equal(part, LORA_B);
    free(module);
    free(key);
    module = peft_key_module("base_model.model.visual.merger.mlp.0.lora_A.weight", &part);
    assert_string_equal(module, "visual.merger.mlp.0");
    assert_int_equal(part, LORA_A);
    free(module);
    static const char *const BAD[] = {"",
                                      "lm_head.weight",
                                      "base_model.model.",
                                      "base_model.model..lora_A.weight.x",
                                      "base_model.model.lora_A.weight",
                                      "base_model.model.x.lora_C.weight",
                                      "base_model.model.x.lora_A.bias",
                                      "base_model.model.x.lora_magnitude_vector.weight",
                                      "x.lora_A.weight"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) assert_null(peft_key_module(BAD[i], &part));
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_peft),
        cmocka_unit_test(test_all_linear),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_runaway_regex),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_harmless_keys),
        cmocka_unit_test(test_load_errors_and_failed_save),
        cmocka_unit_test(test_saved_text),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
