/*
 * train_fixture.h - training runs as a user would start them, and what they wrote.
 *
 *   const char *args[] = {"max_steps=4", NULL};
 *   train_golden(&g, out_dir, args, &err);              model, data and the golden's own settings, then args
 *   json_t *log = log_read(out_dir);                      the lines of trainer_log.jsonl
 *   double loss = log_value(log, 0, "loss");
 */
#ifndef OSLER_TESTS_TRAIN_FIXTURE_H
#define OSLER_TESTS_TRAIN_FIXTURE_H

#include "base/log.h"
#include "parity/golden.h"
#include "train/trainer.h"

/* model=..., data=... and the settings of the golden's "train" entry; `args` override them. Returns train_run's. */
static inline int train_golden(const Golden *g, const char *out_dir, const char *const *args, Err *err)
{
    char *data = golden_path(g, "data.jsonl");
    StrList word = {0}, rest = {0};
    static const char *const SETTINGS[] = {"dtype=f32",
                                           "shuffle=false",
                                           "learning_rate=2e-3",
                                           "weight_decay=0.1",
                                           "lr_scheduler_type=cosine",
                                           "warmup_steps=2",
                                           "max_steps=10",
                                           "batch_size=2",
                                           "gradient_accumulation_steps=2",
                                           "freeze_vision=no",
                                           "freeze_merger=no",
                                           "max_grad_norm=1",
                                           "threads=2"};
    char *first[] = {xasprintf("model=%s", g->model), xasprintf("data=%s", data), xasprintf("output_dir=%s", out_dir),
                     g->adapter ? xasprintf("adapter=%s", g->adapter) : xstrdup("method=sft")};
    for (int i = 0; i < 4; i++) strlist_add(&word, first[i]), free(first[i]);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) strlist_add(&word, SETTINGS[i]);
    for (int i = 0; args && args[i]; i++) strlist_add(&word, args[i]);
    TrainOptions o = {0};
    int rc = train_options_parse(&o, word.n, word.at, &rest, err);
    if (rc == 0) rc = train_run(&o, err);
    train_options_release(&o);
    strlist_release(&word);
    strlist_release(&rest);
    free(data);
    return rc;
}

/* The lines of trainer_log.jsonl, an array of objects. */
static inline json_t *log_read(const char *out_dir)
{
    Err err = {0};
    Buf text = {0};
    json_t *lines = json_array();
    char *path = path_join(out_dir, "trainer_log.jsonl");
    CHECK(file_read(&text, path, (size_t)1 << 24, &err) == 0, "%s", err.msg);
    for (char *p = text.data, *nl; p && (nl = strchr(p, '\n')); p = nl + 1) {
        json_t *line = json_parse(p, (size_t)(nl - p), &err);
        CHECK(line, "%s: %s", path, err.msg);
        json_array_append_new(lines, line);
    }
    free(path);
    buf_release(&text);
    return lines;
}

static inline double log_value(const json_t *lines, size_t i, const char *key)
{
    const json_t *v = json_object_get(json_array_get(lines, i), key);
    CHECK(json_is_number(v), "line %zu of the log has no number \"%s\"", i + 1, key);
    return json_number_value(v);
}

/* Removes what depends on the clock and the machine's state. */
static inline void log_strip(json_t *lines)
{
    static const char *const KEY[] = {"tokens_per_second", "percent_of_peak", "peak_rss_gib", "eval_seconds"};
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) for (int k = 0; k < 4; k++) json_object_del(line, KEY[k]);
}

/* Fails where two runs differ in a logged number or in a byte of what they trained. */
static inline void assert_same_run(const char *what, const char *dir_a, const char *dir_b)
{
    static const char *const FILE_NAME[] = {"model.safetensors", "adapter_model.safetensors"};
    json_t *a = log_read(dir_a), *b = log_read(dir_b);
    log_strip(a);
    log_strip(b);
    if (json_array_size(a) != json_array_size(b))
        fail_msg("%s: %zu and %zu log lines", what, json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++) {
        char *x = json_dumps(json_array_get(a, i), 0), *y = json_dumps(json_array_get(b, i), 0);
        if (strcmp(x, y)) fail_msg("%s: log line %zu:\n%s\n%s", what, i + 1, x, y);
        free(x);
        free(y);
    }
    json_decref(a);
    json_decref(b);
    int found = 0;
    for (int i = 0; i < 2; i++) {
        Err err = {0};
        FileMap x, y;
        char *path_a = path_join(dir_a, FILE_NAME[i]), *path_b = path_join(dir_b, FILE_NAME[i]);
        if (file_exists(path_a)) {
            if (file_map(&x, path_a, &err) || file_map(&y, path_b, &err)) fail_msg("%s: %s", what, err.msg);
            if (x.size != y.size || memcmp(x.data, y.data, x.size)) fail_msg("%s: %s differs", what, FILE_NAME[i]);
            file_unmap(&x);
            file_unmap(&y);
            found++;
        }
        free(path_a);
        free(path_b);
    }
    if (!found) fail_msg("%s: %s holds no weights", what, dir_a);
}

#endif
