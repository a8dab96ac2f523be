/* The keys of `osler train`: defaults that depend on other keys, other spellings, contradictions, adapter targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/train_options.h"
#include "weights/peft.h"

/* Parses the words after the required ones. */
static int parse(TrainOptions *o, const char *const *more, Err *err)
{
    StrList word = {0}, rest = {0};
    strlist_add(&word, "model=m");
    strlist_add(&word, "data=a.jsonl,b.jsonl#500");
    strlist_add(&word, "output_dir=o");
    while (*more) strlist_add(&word, *more++);
    *o = (TrainOptions){0};
    *err = (Err){0};
    int rc = train_options_parse(o, word.n, word.at, &rest, err);
    strlist_release(&word);
    strlist_release(&rest);
    return rc;
}
#define PARSE(o, err, ...) parse(o, (const char *const[]){__VA_ARGS__, NULL}, err)

static void defaults(void **state)
{
    (void)state;
    TrainOptions o;
    Err err;
    assert_int_equal(PARSE(&o, &err, "seed=1"), 0);
    assert_int_equal(o.finetuning_type, FINETUNE_FULL);
    assert_true(o.learning_rate > 0.99e-5 && o.learning_rate < 1.01e-5);
    assert_true(o.vision_learning_rate == o.learning_rate && o.merger_learning_rate == o.learning_rate);
    assert_true(!o.freeze_vision && !o.freeze_merger && !o.freeze_language);
    assert_int_equal(train_dtype(&o), DT_BF16);
    assert_int_equal(o.data.n, 2);
    train_options_release(&o);
    assert_int_equal(PARSE(&o, &err, "finetuning_type=lora", "lora_r=16", "vision_lr=0"), 0);
    assert_true(o.learning_rate > 0.99e-4 && o.learning_rate < 1.01e-4);
    assert_true(o.freeze_vision && o.freeze_merger && !o.freeze_language);
    assert_true(o.lora_alpha == 32 && o.vision_learning_rate == 0 && o.merger_learning_rate == o.learning_rate);
    train_options_release(&o);
    assert_int_equal(PARSE(&o, &err, "adapter=x"), 0);
    assert_int_equal(o.finetuning_type, FINETUNE_LORA);
    train_options_release(&o);
}

static void other_spellings(void **state)
{
    (void)state;
    TrainOptions o;
    Err err;
    assert_int_equal(PARSE(&o, &err, "stage=sft", "cutoff_len=77", "num_epochs=2", "lr=0.5", "target_modules=q_proj",
                           "freeze_vision_tower=false", "freeze_multi_modal_projector=false",
                           "freeze_language_model=true", "image_max_pixels=100000", "bf16=false",
                           "resume_from_checkpoint=false", "max_steps=-1"),
                     0);
    assert_int_equal(o.max_length, 77);
    assert_true(o.epochs == 2 && o.learning_rate == 0.5 && !o.freeze_vision && !o.freeze_merger && o.freeze_language);
    assert_int_equal(o.max_pixels, 100000);
    assert_int_equal(train_dtype(&o), DT_F32);
    assert_false(o.resume);
    assert_int_equal(o.max_steps, 0);
    assert_string_equal(o.lora_target.at[0], "q_proj");
    train_options_release(&o);
    assert_int_equal(PARSE(&o, &err, "torch_dtype=float32"), 0);
    assert_int_equal(train_dtype(&o), DT_F32);
    train_options_release(&o);
}

static void assert_refused(const char *a, const char *b, const char *why)
{
    TrainOptions o;
    Err err;
    assert_int_equal(PARSE(&o, &err, "freeze_vision=true", "freeze_merger=true", a, b), -1);
    assert_true(err.usage);
    if (!strstr(err.msg, why)) fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
}

static void contradictions(void **state)
{
    (void)state;
    assert_refused("bf16=true", "dtype=f32", "contradict");
    assert_refused("bf16=maybe", "seed=1", "neither true nor false");
    assert_refused("adapter=x", "finetuning_type=full", "cannot start from an adapter");
    assert_refused("freeze_language=true", "seed=1", "nothing to train");
    assert_refused("max_steps=0", "num_train_epochs=0", "both 0");
    assert_refused("min_pixels=100000", "max_pixels=90000", "min_pixels");
    assert_refused("learning_rates=1", "seed=1", "unknown option");
}

/* The recipe that is saved reads back to the same recipe. */
static void recipe_reads_back(void **state)
{
    (void)state;
    TrainOptions o, again = {0};
    Err err;
    StrList rest = {0};
    Buf first = {0}, second = {0};
    char *path = xstrdup("/tmp/osler-recipe-XXXXXX.yaml");
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    assert_int_equal(PARSE(&o, &err, "finetuning_type=lora", "bf16=false", "lora_target=q_proj,v_proj"), 0);
    opt_print(&first, TRAIN_OPTIONS, &o);
    FILE *f = fdopen(fd, "w");
    fwrite(first.data, 1, first.len, f);
    fclose(f);
    if (train_options_parse(&again, 1, &path, &rest, &err)) fail_msg("%s", err.msg);
    opt_print(&second, TRAIN_OPTIONS, &again);
    assert_string_equal(first.data, second.data);
    remove(path);
    free(path);
    buf_release(&first);
    buf_release(&second);
    train_options_release(&o);
    train_options_release(&again);
}

static void settings_leave_out_what_does_not_matter(void **state)
{
    (void)state;
    TrainOptions o;
    Err err;
    assert_int_equal(PARSE(&o, &err, "save_steps=7", "threads=3"), 0);
    json_t *a = train_settings(&o);
    train_options_release(&o);
    assert_int_equal(PARSE(&o, &err, "logging_steps=2", "gradient_checkpointing=false", "max_steps=9",
                           "vision_cache=/x", "vision_cache_gib=0.5"),
                     0);
    json_t *b = train_settings(&o);
    train_options_release(&o);
    assert_true(json_equal(a, b));
    assert_string_equal(json_string_value(json_object_get(a, "adam_beta2")), "0.999");
    assert_string_equal(json_string_value(json_object_get(a, "lr_scheduler_type")), "cosine");
    assert_int_equal(PARSE(&o, &err, "weight_decay=0.5"), 0);
    json_t *c = train_settings(&o);
    train_options_release(&o);
    assert_false(json_equal(a, c));
    json_decref(a);
    json_decref(b);
    json_decref(c);
}

/* ---- adapter targets --------------------------------------------------------------------------------------------- */

static bool hits(const PeftConfig *cfg, const char *module)
{
    PeftTarget t;
    Err err = {0};
    int hit = peft_target(&t, cfg, module, &err);
    assert_true(hit >= 0);
    return hit;
}

/* Which modules a fresh adapter goes to: want[] for language q and up, vision qkv and up, merger, head, patch. */
static void assert_targets(const char *const *args, const bool want[7])
{
    static const char *const MODULE[7] = {"model.language_model.layers.3.self_attn.q_proj",
                                          "model.language_model.layers.3.mlp.up_proj",
                                          "model.visual.blocks.0.attn.qkv",
                                          "model.visual.blocks.0.mlp.up_proj",
                                          "model.visual.merger.mlp.0",
                                          "lm_head",
                                          "model.visual.patch_embed.proj"};
    TrainOptions o;
    Err err;
    PeftConfig cfg;
    StrList target = {0};
    assert_int_equal(parse(&o, args, &err), 0);
    train_lora_target(&o, &target);
    assert_int_equal(peft_config_init(&cfg, (const char *const *)target.at, target.n, &err), 0);
    for (int i = 0; i < 7; i++)
        if (hits(&cfg, MODULE[i]) != want[i])
            fail_msg("%s: %s is %sa target", args[1], MODULE[i], want[i] ? "not " : "");
    peft_config_release(&cfg);
    strlist_release(&target);
    train_options_release(&o);
}
#define ARGS(...) ((const char *const[]){"finetuning_type=lora", __VA_ARGS__, NULL})
#define WANT(...) ((const bool[7]){__VA_ARGS__})

static void adapter_targets(void **state)
{
    (void)state;
    assert_targets(ARGS("seed=1"), WANT(1, 1));
    assert_targets(ARGS("lora_target=all", "freeze_vision=false"), WANT(1, 1, 1, 1));
    assert_targets(ARGS("lora_target=all-linear", "freeze_vision=false", "freeze_merger=false"), WANT(1, 1, 1, 1, 1));
    assert_targets(ARGS("lora_target=all", "freeze_language=true", "freeze_vision=false"), WANT(0, 0, 1, 1));
    assert_targets(ARGS("lora_target=q_proj,up_proj"), WANT(1, 1));
    assert_targets(ARGS("lora_target=up_proj", "freeze_vision=false"), WANT(0, 1, 0, 1));
    assert_targets(ARGS("lora_target=up_proj,lm_head"), WANT(0, 1, 0, 0, 0, 1));
    assert_targets(ARGS("lora_target=.*visual\\.blocks.*(qkv|proj)"), WANT(0, 0, 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(other_spellings),
        cmocka_unit_test(contradictions),
        cmocka_unit_test(recipe_reads_back),
        cmocka_unit_test(settings_leave_out_what_does_not_matter),
        cmocka_unit_test(adapter_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
