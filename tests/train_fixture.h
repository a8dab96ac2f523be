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

#endif
