/* Runs that must not differ: other micro-batches, checkpointing, threads; what a run refuses, skips, leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>

#include "scratch.h"
#include "train_fixture.h"

static const char TIED[] = "tests/data/goldens/small_tied", LORA[] = "tests/data/goldens/small_lora",
                  BF16[] = "tests/data/goldens/small_bf16";

static void run(const char *golden, const char *out, const char *const *args)
{
    Err err = {0};
    Golden g;
    if (golden_open(&g, golden, &err) || train_golden(&g, out, args, &err)) fail_msg("%s: %s", golden, err.msg);
    golden_close(&g);
}

/* Runs that must end in an error; returns the message, the caller's to free. */
static char *refused(const char *golden, const char *out, const char *const *args)
{
    Err err = {0};
    Golden g;
    if (golden_open(&g, golden, &err)) fail_msg("%s: %s", golden, err.msg);
    if (train_golden(&g, out, args, &err) != -1) fail_msg("%s: the run should have failed", golden);
    golden_close(&g);
    return xstrdup(err.msg);
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.9g is not %.9g", a, b);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Two runs of a golden with different arguments, to the same bits. */
static void same(const char *golden, const char *what, const char *const *args_a, const char *const *args_b)
{
    char *a = scratch_new(), *b = scratch_new();
    run(golden, a, args_a);
    run(golden, b, args_b);
    assert_same_run(what, a, b);
    scratch_free(a);
    scratch_free(b);
}

static void again_is_same(void **state)
{
    (void)state;
    same(TIED, "a second run", ARGS("max_steps=4", "shuffle=true"), ARGS("max_steps=4", "shuffle=true"));
}

static void checkpointing_is_same(void **state)
{
    (void)state;
    same(TIED, "checkpointing", ARGS("max_steps=3", "gradient_checkpointing=true"),
         ARGS("max_steps=3", "gradient_checkpointing=false"));
    same(TIED, "checkpointing", ARGS("max_steps=3", "gradient_checkpointing=auto"),
         ARGS("max_steps=3", "gradient_checkpointing=false"));
    same(LORA, "checkpointing", ARGS("max_steps=3", "gradient_checkpointing=true"),
         ARGS("max_steps=3", "gradient_checkpointing=false"));
}

static void threads_are_same(void **state)
{
    (void)state;
    same(TIED, "threads", ARGS("max_steps=3", "threads=1"), ARGS("max_steps=3", "threads=2"));
    same(BF16, "threads", ARGS("max_steps=3", "threads=1", "dtype=bf16"),
         ARGS("max_steps=3", "threads=3", "dtype=bf16"));
}

/* ---- accumulation ------------------------------------------------------------------------------------------------ */

/* Largest difference of two checkpoints' weights, relative to the largest weight. */
static double weight_difference(const char *a, const char *b)
{
    Err err = {0};
    SafeTensors x, y;
    double diff = 0, most = 0;
    assert_int_equal(st_open_dir(&x, a, "model", &err) | st_open_dir(&y, b, "model", &err), 0);
    for (int i = 0; i < x.n; i++) {
        const float *p = (const float *)(const void *)x.tensor[i].data,
                    *q = (const float *)(const void *)y.tensor[i].data;
        for (int64_t k = 0; k < st_count(&x.tensor[i]); k++) {
            diff = fmax(diff, fabs((double)p[k] - (double)q[k]));
            most = fmax(most, fabs((double)p[k]));
        }
    }
    st_close(&x);
    st_close(&y);
    return diff / most;
}

/* Plain rounding is all that may differ, so the rate is small and epsilon large: Adam divides by the gradient. */
static void accumulation_is_same(void **state)
{
    (void)state;
    char *out[3];
    const char *split[3][2] = {{"batch_size=1", "gradient_accumulation_steps=4"},
                               {"batch_size=4", "gradient_accumulation_steps=1"},
                               {"batch_size=2", "gradient_accumulation_steps=2"}};
    for (int i = 0; i < 3; i++) {
        out[i] = scratch_new();
        run(TIED, out[i],
            ARGS(split[i][0], split[i][1], "max_steps=4", "lr=1e-3", "adam_epsilon=1e-3", "warmup_steps=0"));
    }
    for (int i = 1; i < 3; i++) {
        json_t *a = log_read(out[0]), *b = log_read(out[i]);
        for (size_t k = 0; k < 4; k++) {
            double x = log_value(a, k, "loss"), y = log_value(b, k, "loss");
            if (fabs(x - y) > 1e-6 * x) fail_msg("%s: step %zu: loss %.9f and %.9f", split[i][0], k + 1, x, y);
            x = log_value(a, k, "grad_norm"), y = log_value(b, k, "grad_norm");
            if (fabs(x - y) > 1e-5 * x) fail_msg("%s: step %zu: grad_norm %.9f and %.9f", split[i][0], k + 1, x, y);
        }
        json_decref(a);
        json_decref(b);
        double diff = weight_difference(out[0], out[i]);
        if (diff > 1e-6) fail_msg("%s: the weights differ by %.1e", split[i][0], diff);
    }
    for (int i = 0; i < 3; i++) scratch_free(out[i]);
}

/* ---- resume ------------------------------------------------------------------------------------------------------ */

/* Six steps at once, and three and then the rest from the checkpoint. */
static void resume_is_same(const char *golden, const char *const *args)
{
    char *eval = xasprintf("eval_data=%s/data.jsonl", golden), *a = scratch_new(), *b = scratch_new();
    const char *all[16] = {"lr_scheduler_type=constant", "save_steps=3", "eval_steps=2", eval};
    int n = 4;
    while (*args) all[n++] = *args++;
    all[n] = "max_steps=6", run(golden, a, all);
    all[n] = "max_steps=3", run(golden, b, all);
    all[n] = "max_steps=6", run(golden, b, all);
    assert_same_run("resumed", a, b);
    json_t *log = log_read(a);
    assert_int_equal(json_array_size(log), 9); /* six steps, evaluated after 2, 4 and 6 */
    json_decref(log);
    free(eval);
    scratch_free(a);
    scratch_free(b);
}

static void resumed_is_same(void **state)
{
    (void)state;
    resume_is_same(TIED, ARGS("shuffle=true"));
    resume_is_same(LORA, ARGS("packing=true", "max_length=512"));
    resume_is_same(TIED, ARGS("finetuning_type=lora", "lora_dropout=0.2", "lora_rank=3"));
    resume_is_same(BF16, ARGS("dtype=bf16"));
}

static void dropout_is_drawn_for_its_step(void **state)
{
    (void)state;
    char *out[3];
    double loss[3];
    for (int i = 0; i < 3; i++) {
        const char *dropout[3] = {"lora_dropout=0", "lora_dropout=0.3", "lora_dropout=0.3"};
        out[i] = scratch_new();
        run(TIED, out[i],
            ARGS(dropout[i], i == 2 ? "seed=7" : "seed=8", "finetuning_type=lora", "max_steps=4", "warmup_steps=0",
                 "learning_rate=1e-2", "eval_steps=0"));
        json_t *log = log_read(out[i]);
        loss[i] = log_value(log, 3, "loss");
        json_decref(log);
        scratch_free(out[i]);
    }
    assert_true(fabs(loss[0] - loss[1]) > 1e-4 && fabs(loss[1] - loss[2]) > 1e-4);
}

static void resume_refuses_other_settings(void **state)
{
    (void)state;
    char *out = scratch_new(), *msg;
    run(TIED, out, ARGS("max_steps=2"));
    msg = refused(TIED, out, ARGS("max_steps=2", "learning_rate=1e-3"));
    assert_contains(msg, "learning_rate (was 0.002, is 0.001)");
    free(msg);
    msg = refused(TIED, out, ARGS("max_steps=4"));
    assert_contains(msg, "total_steps (was 2, is 4)");
    free(msg);
    run(TIED, out, ARGS("max_steps=1", "learning_rate=1e-3", "resume=false"));
    char *old = path_join(out, "checkpoint-2"), *new = path_join(out, "checkpoint-1");
    assert_false(dir_exists(old));
    assert_true(dir_exists(new));
    free(old);
    free(new);
    scratch_free(out);
}

static void damaged_checkpoint_is_passed_over(void **state)
{
    (void)state;
    Err err = {0};
    char *a = scratch_new(), *b = scratch_new();
    run(TIED, a, ARGS("max_steps=4", "save_steps=2"));
    run(TIED, b, ARGS("max_steps=4", "save_steps=2"));
    char *path = path_join(b, "checkpoint-4/optimizer.safetensors");
    assert_int_equal(file_save(path, "half", 4, &err), 0);
    run(TIED, b, ARGS("max_steps=4", "save_steps=2"));
    assert_same_run("damaged", a, b);
    free(path);
    scratch_free(a);
    scratch_free(b);
}

static void keeps_the_newest(void **state)
{
    (void)state;
    Err err = {0};
    char *out = scratch_new(), **name;
    int n, found = 0;
    run(TIED, out, ARGS("max_steps=5", "save_steps=1", "save_total_limit=2"));
    assert_int_equal(dir_list(out, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) {
        if (!strncmp(name[i], "checkpoint-", 11))
            found += !strcmp(name[i], "checkpoint-4") || !strcmp(name[i], "checkpoint-5") ? 1 : 100;
        free(name[i]);
    }
    free(name);
    assert_int_equal(found, 2);
    scratch_free(out);
}

/* ---- what comes out ---------------------------------------------------------------------------------------------- */

/* Loads a finished run's folder as a user would, and scores the data with it: the loss of the last evaluation. */
static void result_is_loadable(const char *golden, const char *const *args, bool adapter)
{
    Err err = {0};
    Golden g;
    Engine e;
    char *eval = xasprintf("eval_data=%s/data.jsonl", golden), *out = scratch_new();
    const char *all[8] = {"max_steps=5", "max_grad_norm=0", eval};
    for (int n = 3; *args; n++) all[n] = *args++;
    run(golden, out, all);
    json_t *log = log_read(out);
    assert_int_equal(golden_open(&g, golden, &err), 0);
    EngineOptions o = {.model = adapter ? g.model : out, .adapter = adapter ? out : NULL, .dtype = DT_F32};
    if (engine_open(&e, &o, &err)) fail_msg("%s", err.msg);
    Batch *b = golden_batch(&g, &e, 0, g.data.n, &err);
    const float *logp = engine_score(&e, b, false, true, NULL);
    double sum = 0;
    for (int i = 0; i < b->n_targets; i++) sum -= (double)logp[i];
    assert_near(sum / b->n_targets, log_value(log, 5, "eval_loss"), 1e-5);
    assert_true(sum / b->n_targets < log_value(log, 0, "loss") - 0.1);
    batch_free(b);
    engine_close(&e);
    golden_close(&g);
    json_decref(log);
    free(eval);
    scratch_free(out);
}

static void result_loads(void **state)
{
    (void)state;
    result_is_loadable(TIED, ARGS("freeze_vision=true"), false);
    result_is_loadable(LORA, ARGS("shuffle=true"), true);
    result_is_loadable(TIED, ARGS("finetuning_type=lora", "learning_rate=1e-2"), true);
}

/* After a run every weight but those of tower and projector has changed, and of those no bit. */
static void only_language_changes(const char *const *args)
{
    Err err = {0};
    Golden g;
    SafeTensors before, after;
    char *out = scratch_new();
    run(TIED, out, args);
    assert_int_equal(golden_open(&g, TIED, &err), 0);
    assert_int_equal(st_open_dir(&before, g.model, "model", &err) | st_open_dir(&after, out, "model", &err), 0);
    assert_int_equal(before.n, after.n);
    for (int i = 0; i < before.n; i++) {
        const StTensor *a = &before.tensor[i], *b = st_find(&after, a->name);
        bool same = b && !memcmp(a->data, b->data, a->bytes), frozen = strstr(a->name, "visual");
        if (same != frozen) fail_msg("%s %s", a->name, same ? "did not change" : "changed");
    }
    st_close(&before);
    st_close(&after);
    golden_close(&g);
    scratch_free(out);
}

static void learning_rates_by_part(void **state)
{
    (void)state;
    only_language_changes(ARGS("max_steps=2", "warmup_steps=0", "vision_lr=0", "freeze_merger=true"));
}

/* Text alone, tower and projector frozen: the first stage of MedE2. */
static void text_leaves_the_tower(void **state)
{
    (void)state;
    static const char ROW[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"Pain?\"}, {\"role\": "
                              "\"assistant\", \"content\": \"None since noon.\"}]}\n";
    Err err = {0};
    char *dir = scratch_new(), *rows = path_join(dir, "text.jsonl"), *data = xasprintf("data=%s", rows);
    assert_int_equal(file_save(rows, ROW, sizeof ROW - 1, &err), 0);
    only_language_changes(ARGS(data, "max_steps=2", "warmup_steps=0", "batch_size=1", "gradient_accumulation_steps=1",
                               "freeze_vision=true", "freeze_merger=true", "weight_decay=0.1"));
    free(data), free(rows);
    scratch_free(dir);
}

static void writes_recipe_and_manifest(void **state)
{
    (void)state;
    Err err = {0};
    char *out = scratch_new(), *recipe = path_join(out, "recipe.yaml"), *path = path_join(out, "manifest.json");
    run(TIED, out, ARGS("max_steps=1"));
    json_t *m = json_load_path(path, 1 << 20, &err), *data = json_object_get(json_object_get(m, "inputs"), "data");
    assert_int_equal(strlen(json_string_value(json_object_get(json_array_get(data, 0), "sha256"))), 64);
    assert_true(json_is_string(json_object_get(m, "finished")));
    json_decref(m);
    TrainOptions o = {0};
    StrList rest = {0};
    assert_int_equal(train_options_parse(&o, 1, &recipe, &rest, &err), 0);
    assert_near(o.weight_decay, 0.1, 0);
    assert_int_equal(o.accumulation, 2);
    train_options_release(&o);
    free(recipe);
    free(path);
    scratch_free(out);
}

/* ---- data -------------------------------------------------------------------------------------------------------- */

/* Three good rows and one whose image is missing. */
static char *data_with_a_bad_row(const char *dir)
{
    static const char ROWS[] = "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"Is the heart "
                               "enlarged?\"}, {\"role\": \"assistant\", \"content\": \"No.\"}]}\n"
                               "{\"id\": \"b\", \"messages\": [{\"role\": \"user\", \"content\": \"<image>What?\"}, "
                               "{\"role\": \"assistant\", \"content\": \"A chest.\"}], \"images\": [\"gone.png\"]}\n"
                               "{\"id\": \"c\", \"messages\": [{\"role\": \"user\", \"content\": \"Which side?\"}, "
                               "{\"role\": \"assistant\", \"content\": \"The left side.\"}]}\n"
                               "{\"id\": \"d\", \"messages\": [{\"role\": \"user\", \"content\": \"Does it "
                               "suffice?\"}, {\"role\": \"assistant\", \"content\": \"It does not.\"}]}\n";
    Err err = {0};
    char *path = path_join(dir, "rows.jsonl");
    assert_int_equal(file_save(path, ROWS, strlen(ROWS), &err), 0);
    return path;
}

static void bad_samples_are_skipped(void **state)
{
    (void)state;
    char *in = scratch_new(), *a = scratch_new(), *b = scratch_new(), *path = data_with_a_bad_row(in);
    char *data = xasprintf("data=%s", path);
    char *msg = refused(TIED, a, ARGS(data, "max_steps=4", "max_bad_samples=0"));
    assert_contains(msg, "gone.png");
    free(msg);
    run(TIED, a, ARGS(data, "max_steps=6", "save_steps=0", "lr_scheduler_type=constant"));
    json_t *log = log_read(a);
    assert_near(log_value(log, 5, "samples_skipped"), 1, 0);
    json_decref(log);
    run(TIED, b, ARGS(data, "max_steps=4", "save_steps=4", "lr_scheduler_type=constant"));
    run(TIED, b, ARGS(data, "max_steps=6", "save_steps=4", "lr_scheduler_type=constant"));
    assert_same_run("with a bad sample", a, b);
    free(data);
    free(path);
    scratch_free(in);
    scratch_free(a);
    scratch_free(b);
}

/* Steps and the last rate come out of the epochs, also where batches are packed. */
static void epochs_end_where_planned(void **state)
{
    (void)state;
    const char *split[3] = {"packing=false", "packing=true", "batch_size=3"};
    for (int i = 0; i < 3; i++) {
        char *out = scratch_new();
        run(TIED, out,
            ARGS(split[i], "max_steps=0", "num_train_epochs=1.5", "max_length=300", "save_steps=0", "warmup_steps=0",
                 "lr_scheduler_type=linear"));
        json_t *log = log_read(out);
        size_t n = json_array_size(log);
        assert_in_range(n, 2, 6);
        assert_near(log_value(log, n - 1, "learning_rate"), 2e-3 / (double)n, 1e-9);
        assert_near(log_value(log, n - 1, "epoch"), 1.5, 1e-9);
        json_decref(log);
        scratch_free(out);
    }
}

static void divergence_is_fatal(void **state)
{
    (void)state;
    char *out = scratch_new();
    char *msg = refused(TIED, out,
                        ARGS("max_steps=60", "learning_rate=10", "weight_decay=10", "warmup_steps=0",
                             "lr_scheduler_type=constant", "save_steps=2"));
    assert_contains(msg, "is not finite; samples s");
    char *kept = path_join(out, "checkpoint-2/trainer_state.json");
    assert_true(file_exists(kept));
    free(kept);
    free(msg);
    scratch_free(out);
}

static void refuses_its_own_model(void **state)
{
    (void)state;
    char *msg = refused(TIED, "tests/data/goldens/small_tied/model", ARGS("max_steps=1"));
    assert_contains(msg, "is the folder that the run starts from");
    free(msg);
}

/* ---- a full disk ------------------------------------------------------------------------------------------------- */

/* The checkpoint before the one that could not be written is there, and no half of the new one. */
static void assert_previous_stands(const char *out, const char *msg)
{
    char *state = path_join(out, "checkpoint-1/trainer_state.json"), **name;
    int n;
    Err err = {0};
    if (strstr(msg, "checkpoint-2 could not be written")) assert_true(file_exists(state));
    assert_int_equal(dir_list(out, &name, &n, &err), 0);
    for (int i = 0; i < n; i++) {
        if (strstr(name[i], ".tmp")) fail_msg("%s was left behind", name[i]);
        free(name[i]);
    }
    free(name);
    free(state);
}

/* Whatever write fails, the run says so, and the same command ends as if nothing had been. */
static void failing_writes_lose_nothing(void **state)
{
    (void)state;
    const char *const *args =
        ARGS("max_steps=2", "save_steps=1", "save_total_limit=1", "batch_size=1", "gradient_accumulation_steps=1");
    char *whole = scratch_new();
    run(LORA, whole, args);
    bool failed = true;
    for (int n = 1; failed; n += n < 8 ? 7 : 1) {
        Err err = {0};
        Golden g;
        char *out = scratch_new();
        assert_int_equal(golden_open(&g, LORA, &err), 0);
        file_inject_failure(n, ENOSPC);
        failed = train_golden(&g, out, args, &err) != 0;
        file_inject_failure(0, 0);
        if (!failed && err.msg[0]) fail_msg("the run went on over an error: %s", err.msg);
        if (!failed) assert_true(n > 50); /* every write had its turn */
        if (failed) {
            assert_contains(err.msg, "No space left on device");
            assert_previous_stands(out, err.msg);
            run(LORA, out, args);
        }
        assert_same_run("after a failed write", whole, out);
        golden_close(&g);
        scratch_free(out);
    }
    scratch_free(whole);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(again_is_same),
        cmocka_unit_test(checkpointing_is_same),
        cmocka_unit_test(threads_are_same),
        cmocka_unit_test(accumulation_is_same),
        cmocka_unit_test(resumed_is_same),
        cmocka_unit_test(dropout_is_drawn_for_its_step),
        cmocka_unit_test(resume_refuses_other_settings),
        cmocka_unit_test(damaged_checkpoint_is_passed_over),
        cmocka_unit_test(keeps_the_newest),
        cmocka_unit_test(result_loads),
        cmocka_unit_test(learning_rates_by_part),
        cmocka_unit_test(text_leaves_the_tower),
        cmocka_unit_test(writes_recipe_and_manifest),
        cmocka_unit_test(bad_samples_are_skipped),
        cmocka_unit_test(epochs_end_where_planned),
        cmocka_unit_test(divergence_is_fatal),
        cmocka_unit_test(refuses_its_own_model),
        cmocka_unit_test(failing_writes_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
