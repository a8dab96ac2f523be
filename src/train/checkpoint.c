#include "train/checkpoint.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

enum { MAX_STATE_BYTES = 1 << 26 };
static const char PREFIX[] = "checkpoint-", TEMPORARY[] = ".tmp-";

/* ---- folders ----------------------------------------------------------------------------------------------------- */

/* N of "checkpoint-N", -1 for other names. */
static int64_t step_of(const char *name)
{
    size_t n = strlen(PREFIX);
    if (strncmp(name, PREFIX, n) || !name[n] || strlen(name + n) > 15 || name[n + strspn(name + n, "0123456789")])
        return -1;
    return strtoll(name + n, NULL, 10);
}

static bool is_temporary(const char *name)
{
    return !strncmp(name, PREFIX, strlen(PREFIX)) && strstr(name, TEMPORARY);
}

static char *folder_name(const char *output_dir, int64_t step)
{
    char name[48];
    snprintf(name, sizeof name, "%s%lld", PREFIX, (long long)step);
    return path_join(output_dir, name);
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Steps of the checkpoints in output_dir, newest first; free *step. */
static int list_steps(int64_t **step, int *n, const char *output_dir, Err *err)
{
    char **name;
    int n_names;
    *step = NULL, *n = 0;
    if (!dir_exists(output_dir)) return 0;
    if (dir_list(output_dir, &name, &n_names, err)) return -1;
    *step = xmalloc(sizeof **step * (size_t)(n_names + 1));
    for (int i = 0; i < n_names; i++) {
        if (step_of(name[i]) >= 0) (*step)[(*n)++] = step_of(name[i]);
        free(name[i]);
    }
    free(name);
    qsort(*step, (size_t)*n, sizeof **step, newest_first);
    return 0;
}

int checkpoint_clean(const char *output_dir, Err *err)
{
    char **name;
    int n, rc = 0;
    if (!dir_exists(output_dir)) return 0;
    if (dir_list(output_dir, &name, &n, err)) return -1;
    for (int i = 0; i < n; i++) {
        char *path = path_join(output_dir, name[i]);
        if (rc == 0 && is_temporary(name[i])) rc = dir_remove(path, err);
        free(path);
        free(name[i]);
    }
    free(name);
    return rc;
}

/* Takes the name away first, so that a removal that is cut off leaves no half checkpoint behind. */
static int remove_folder(const char *path, Err *err)
{
    char *tmp = xasprintf("%s%sold-%ld", path, TEMPORARY, (long)getpid());
    int rc = rename(path, tmp) ? err_errno(err, "%s: cannot remove", path) : dir_remove(tmp, err);
    free(tmp);
    return rc;
}

/* Removes all checkpoints but the newest `keep`. */
static int remove_older(const char *output_dir, int64_t keep, Err *err)
{
    int64_t *step;
    int n, rc = 0;
    if (list_steps(&step, &n, output_dir, err)) return -1;
    for (int i = n - 1; rc == 0 && i >= keep; i--) {
        char *path = folder_name(output_dir, step[i]);
        rc = remove_folder(path, err);
        free(path);
    }
    free(step);
    return rc;
}

int checkpoint_remove_all(const char *output_dir, Err *err)
{
    return remove_older(output_dir, 0, err);
}

/* ---- trainer_state.json ------------------------------------------------------------------------------------------ */

static json_t *loader_to_json(const LoaderState *l)
{
    json_t *waiting = json_array();
    for (int i = 0; i < l->n_waiting; i++) json_array_append_new(waiting, json_integer(l->behind[i]));
    return json_pack("{s:I, s:I, s:o}", "epoch", (json_int_t)l->epoch, "position", (json_int_t)l->position, "waiting",
                     waiting);
}

static int loader_from_json(LoaderState *l, const json_t *j, Err *err)
{
    const json_t *waiting, *v;
    size_t i;
    if (json_get_i64(j, "epoch", &l->epoch, true, err) || json_get_i64(j, "position", &l->position, true, err) ||
        json_get_array(j, "waiting", &waiting, true, err))
        return -1;
    if (json_array_size(waiting) > PACK_WINDOW) return err_set(err, "more than %d samples are waiting", PACK_WINDOW);
    json_array_foreach((json_t *)(uintptr_t)waiting, i, v)
    {
        json_int_t behind = json_integer_value(v);
        if (behind < 1 || behind > INT_MAX) return err_set(err, "waiting[%zu] is not how far a sample is behind", i);
        l->behind[l->n_waiting++] = (int)behind;
    }
    return 0;
}

static json_t *state_to_json(const TrainState *s, const json_t *settings)
{
    return json_pack("{s:I, s:f, s:f, s:I, s:I, s:I, s:o, s:O, s:O}", "global_step", (json_int_t)s->step, "epoch",
                     s->epoch, "loss", s->loss, "evaluated", (json_int_t)s->evaluated, "tokens", (json_int_t)s->tokens,
                     "log_lines", (json_int_t)s->log_lines, "loader", loader_to_json(&s->loader), "skipped", s->skipped,
                     "settings", settings);
}

static int state_from_json(TrainState *s, const json_t **settings, const json_t *j, Err *err)
{
    const json_t *loader, *skipped;
    *s = (TrainState){0};
    if (json_get_i64(j, "global_step", &s->step, true, err) || json_get_num(j, "epoch", &s->epoch, true, err) ||
        json_get_num(j, "loss", &s->loss, true, err) || json_get_i64(j, "evaluated", &s->evaluated, true, err) ||
        json_get_i64(j, "tokens", &s->tokens, true, err) || json_get_i64(j, "log_lines", &s->log_lines, true, err) ||
        json_get_object(j, "loader", &loader, true, err) || json_get_array(j, "skipped", &skipped, true, err) ||
        json_get_object(j, "settings", settings, true, err) || loader_from_json(&s->loader, loader, err))
        return -1;
    s->skipped = json_deep_copy(skipped);
    return 0;
}

static int save_state(const char *dir, const TrainState *s, const json_t *settings, Err *err)
{
    char *path = path_join(dir, "trainer_state.json");
    json_t *j = state_to_json(s, settings);
    CHECK(j, "a TrainState without `skipped`");
    char *text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    int rc = file_save(path, text, strlen(text), err);
    free(text);
    json_decref(j);
    free(path);
    return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

int checkpoint_save_model(const char *dir, const Model *m, const Optimizer *opt, Err *err)
{
    return m->peft ? model_save_adapter(m, dir, opt->master, err) : model_save(m, dir, opt->master, err);
}

static int write_folder(const char *dir, const Checkpoint *c, Err *err)
{
    if (dir_create(dir, err) || checkpoint_save_model(dir, c->model, c->opt, err)) return -1;
    return optimizer_save(c->opt, dir, err) || save_state(dir, c->state, c->settings, err) ? -1 : 0;
}

int checkpoint_save(const char *output_dir, const Checkpoint *c, int64_t limit, Err *err)
{
    char *path = folder_name(output_dir, c->state->step);
    char *tmp = xasprintf("%s%s%ld", path, TEMPORARY, (long)getpid());
    int rc = write_folder(tmp, c, err);
    if (rc == 0 && dir_exists(path)) rc = remove_folder(path, err); /* a damaged one that was passed over */
    if (rc == 0) rc = dir_commit(tmp, path, err);
    if (rc) {
        Err other = {0};
        dir_remove(tmp, &other);
        err_context(err, "%s could not be written", path_basename(path));
        err_hint(err,
                 "earlier checkpoints are untouched; make room and run the same command again to go on from there");
    }
    Err old = {0};
    if (rc == 0 && limit > 0 && remove_older(output_dir, limit, &old)) log_warn("an old checkpoint stays: %s", old.msg);
    free(tmp);
    free(path);
    return rc;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* "learning_rate (was 1e-05, is 0.0001), seed (was 1, is 2)" */
static void add_difference(Buf *b, const char *key, const json_t *was, const json_t *is)
{
    const char *old = json_string_value(was), *new = json_string_value(is);
    if (b->len) buf_str(b, ", ");
    buf_printf(b, "%s (was %.60s, is %.60s)", key, old ? old : "not set", new ? new : "not set");
}

static int compare_settings(const json_t *was, const json_t *is, Err *err)
{
    Buf b = {0};
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)is, key, v)
    {
        if (!json_equal(json_object_get(was, key), v)) add_difference(&b, key, json_object_get(was, key), v);
    }
    json_object_foreach((json_t *)(uintptr_t)was, key, v)
    {
        if (!json_object_get(is, key)) add_difference(&b, key, v, NULL);
    }
    int rc = 0;
    if (b.len) {
        rc = err_set(err, "the checkpoint was made with other settings: %s", b.data);
        err_hint(err, "resume=false starts over and removes the old checkpoints; another output_dir keeps them");
    }
    buf_release(&b);
    return rc;
}

/* Numbers that no run writes. */
static int check_state(const TrainState *s, int64_t step, const char *path, Err *err)
{
    size_t i;
    json_t *place;
    bool ok = s->step == step && s->log_lines >= 0 && s->loader.epoch >= 0 && s->loader.position >= 0;
    json_array_foreach(s->skipped, i, place) ok = ok && json_is_string(place);
    return ok ? 0 : err_set(err, "%s: its numbers do not belong to this folder", path);
}

/* checkpoint-<step>. 1: whole, with its state and settings (a new reference). 0: damaged, with the reason in `why`. */
static int read_folder(const char *dir, int64_t step, TrainState *state, json_t **settings, Err *why)
{
    SafeTensors st;
    const json_t *own;
    char *path = path_join(dir, "trainer_state.json"), *tensors = path_join(dir, "optimizer.safetensors");
    json_t *j = json_load_path(path, MAX_STATE_BYTES, why);
    int ok = j && state_from_json(state, &own, j, why) == 0;
    if (ok && (check_state(state, step, path, why) || st_open(&st, tensors, why))) {
        json_decref(state->skipped);
        ok = 0;
    } else if (ok) {
        st_close(&st);
        *settings = json_incref((json_t *)(uintptr_t)own);
    }
    json_decref(j);
    free(tensors);
    free(path);
    return ok;
}

int checkpoint_find(char **dir, TrainState *state, const char *output_dir, const json_t *settings, Err *err)
{
    int64_t *step;
    int n, rc = 0;
    json_t *own = NULL;
    if (list_steps(&step, &n, output_dir, err)) return -1;
    for (int i = 0; rc == 0 && i < n; i++) {
        Err why = {0};
        *dir = folder_name(output_dir, step[i]);
        rc = read_folder(*dir, step[i], state, &own, &why);
        if (rc) break;
        log_warn("passing over a damaged checkpoint: %s", why.msg);
        free(*dir);
    }
    free(step);
    if (rc == 0) return 0;
    if (compare_settings(own, settings, err)) {
        rc = err_context(err, "%s", *dir);
        json_decref(state->skipped);
        free(*dir);
    }
    json_decref(own);
    return rc;
}
