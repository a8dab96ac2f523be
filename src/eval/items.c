#include "eval/items.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "reward/compat.h"
#include "reward/lexemes.h"
#include "table/json_rows.h"

const char *scoring_name(Scoring s)
{
    return s == SCORING_MEDEVALKIT ? "compat:medevalkit" : "strict";
}

static char *copy(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

static void drop(const char *s)
{
    free((void *)(uintptr_t)s);
}

void item_release(EvalItem *item)
{
    free(item->id);
    drop(item->q.question);
    drop(item->q.gold);
    for (int i = 0; i < item->q.n_options; i++) drop(item->q.option[i]);
    for (int i = 0; i < item->n_groups; i++) free(item->groups[i]);
    for (int i = 0; i < item->n_images; i++) free(item->images[i]);
    free(item->groups);
    free(item->images);
    free(item->prompt);
    *item = (EvalItem){0};
}

void run_release(EvalRun *run)
{
    for (int i = 0; i < run->item.n; i++) item_release(&run->item.at[i]);
    for (int i = 0; i < run->response.n; i++) {
        free(run->response.at[i].text);
        free(run->response.at[i].vote);
        free(run->response.at[i].judge_text);
        answer_release(&run->response.at[i].answer);
    }
    for (int i = 0; i < run->kept.n; i++) free(run->kept.at[i]);
    free(run->item.at);
    free(run->response.at);
    free(run->kept.at);
    free(run->name);
    free(run->generation);
    free(run->judge);
    map_release(&run->by_id);
    *run = (EvalRun){0};
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Text, a number or a truth value as text; *out is NULL where the key is absent or null. */
static int read_scalar(char **out, const json_t *row, const char *key, bool required, Err *err)
{
    const json_t *v = json_object_get(row, key);
    *out = NULL;
    if (json_is_string(v)) *out = xstrdup(json_string_value(v));
    else if (json_is_integer(v)) *out = xasprintf("%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) *out = xasprintf("%.10g", json_real_value(v));
    else if (json_is_boolean(v)) *out = xstrdup(json_is_true(v) ? "true" : "false");
    else if (v && !json_is_null(v)) return err_set(err, "\"%s\" must be text or a number, got %s", key, json_kind(v));
    else if (required) return err_set(err, "\"%s\" is missing", key);
    return 0;
}

static int add_option(Question *q, const json_t *text, Err *err)
{
    if (q->n_options == ANSWER_MAX_OPTIONS) return err_set(err, "more than %d options", ANSWER_MAX_OPTIONS);
    if (json_is_integer(text)) q->option[q->n_options++] = xasprintf("%lld", (long long)json_integer_value(text));
    else if (json_is_real(text)) q->option[q->n_options++] = xasprintf("%.10g", json_real_value(text));
    else if (json_is_string(text)) q->option[q->n_options++] = xstrdup(json_string_value(text));
    else return err_set(err, "an option must be text, got %s", json_kind(text));
    return 0;
}

/* {"A": ..., "B": ...} in the order of the letters, without gaps, or a list. */
static int read_options(Question *q, const json_t *row, Err *err)
{
    const json_t *v = json_object_get(row, "options");
    if (!v || json_is_null(v)) return 0;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            if (add_option(q, json_array_get(v, i), err)) return -1;
        return 0;
    }
    if (!json_is_object(v)) return err_set(err, "\"options\" must be an object or a list, got %s", json_kind(v));
    const char *key;
    json_t *one;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)v, key, one) n += !json_is_null(one); /* columns of a table may be null */
    for (size_t i = 0; i < n; i++) {
        const char upper[2] = {(char)('A' + i), 0}, lower[2] = {(char)('a' + i), 0};
        const json_t *text = i < ANSWER_MAX_OPTIONS ? json_object_get(v, upper) : NULL;
        if (!text && i < ANSWER_MAX_OPTIONS) text = json_object_get(v, lower);
        if (!text || json_is_null(text)) {
            err_set(err, "\"options\" has %zu entries but none called %s", n, upper);
            return err_hint(err, "name them A, B, C, ... without gaps, or give a list");
        }
        if (add_option(q, text, err)) return -1;
    }
    return 0;
}

static int read_kind(Question *q, const json_t *row, Err *err)
{
    const char *name = NULL;
    if (json_get_str(row, "kind", &name, false, err)) return -1;
    int kind = name ? answer_kind_parse(name) : q->n_options ? ANSWER_CHOICE : -1;
    q->kind = kind < 0 ? ANSWER_OPEN : (AnswerKind)kind;
    if (kind >= 0) return 0;
    if (name) err_set(err, "unknown kind \"%.40s\"", name);
    else err_set(err, "\"kind\" is missing");
    return err_hint(err, "the kinds are choice, yesno, short, number and open");
}

static int read_question(Question *q, const json_t *row, Err *err)
{
    char *question, *gold;
    if (read_scalar(&question, row, "question", false, err)) return -1;
    q->question = question;
    if (read_scalar(&gold, row, "answer", true, err)) return -1;
    q->gold = gold;
    if (read_options(q, row, err) || read_kind(q, row, err)) return -1;
    return json_get_num(row, "tolerance", &q->tolerance, false, err);
}

void item_add_group(EvalItem *item, const char *key, const char *value)
{
    if (!value || !*value) return;
    item->groups = xrealloc(item->groups, (size_t)(item->n_groups + 1) * sizeof *item->groups);
    item->groups[item->n_groups++] = key ? xasprintf("%s:%s", key, value) : xstrdup(value);
}

static int read_groups(EvalItem *item, const json_t *row, Err *err)
{
    static const char *const KEY[] = {"category", "family",   "specialty",     "level",   "split",
                                      "subject",  "modality", "question_type", "language"};
    for (size_t i = 0; i < sizeof KEY / sizeof *KEY; i++) {
        char *value;
        if (read_scalar(&value, row, KEY[i], false, err)) return -1;
        item_add_group(item, i ? KEY[i] : NULL, value);
        free(value);
    }
    return 0;
}

void item_add_image(EvalItem *item, char *ref)
{
    item->images = xrealloc(item->images, (size_t)(item->n_images + 1) * sizeof *item->images);
    item->images[item->n_images++] = ref;
}

static int add_image(EvalItem *item, const json_t *v, const char *dir, Err *err)
{
    if (!json_is_string(v)) return err_set(err, "an image must be a path, got %s", json_kind(v));
    item_add_image(item, path_join(dir, json_string_value(v)));
    return 0;
}

static int read_images(EvalItem *item, const json_t *row, const char *dir, Err *err)
{
    const json_t *v = json_object_get(row, "images");
    if (!v) v = json_object_get(row, "image");
    if (!v || json_is_null(v)) return 0;
    if (!json_is_array(v)) return add_image(item, v, dir, err);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (add_image(item, json_array_get(v, i), dir, err)) return -1;
    return 0;
}

static bool same_string(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_question(const Question *a, const Question *b)
{
    if (a->kind != b->kind || a->n_options != b->n_options || !same_string(a->gold, b->gold)) return false;
    if (!same_string(a->question, b->question)) return false;
    for (int i = 0; i < a->n_options; i++)
        if (!same_string(a->option[i], b->option[i])) return false;
    return true;
}

int item_from_json(EvalItem *item, const json_t *row, const char *dir, Err *err)
{
    if (!json_is_object(row)) return err_set(err, "a row must be an object, got %s", json_kind(row));
    if (read_scalar(&item->id, row, "id", false, err) || read_question(&item->q, row, err)) return -1;
    return read_groups(item, row, err) || read_images(item, row, dir, err) ? -1 : 0;
}

int run_add(EvalRun *run, EvalItem *item, Err *err)
{
    int64_t known = -1;
    int rc = question_check(&item->q, err);
    if (rc == 0 && map_get_str(&run->by_id, item->id, &known)) {
        const EvalItem *first = &run->item.at[known];
        if (!same_question(&first->q, &item->q)) {
            rc = err_set(err, "id \"%.60s\" stands for another question in line %d", item->id, first->at.line);
            err_hint(err, "rows with the same id are draws of one question: same kind, options and answer");
        }
    }
    if (rc || known >= 0) {
        item_release(item);
        return rc ? -1 : (int)known;
    }
    item_add_group(item, "kind", answer_kind_name(item->q.kind));
    map_set_str(&run->by_id, item->id, run->item.n);
    vec_push(&run->item, *item);
    *item = (EvalItem){0};
    return run->item.n - 1;
}

int run_add_item(EvalRun *run, const json_t *row, const char *dir, RowPlace at, Err *err)
{
    EvalItem item = {.at = at};
    if (item_from_json(&item, row, dir, err)) {
        item_release(&item);
        return -1;
    }
    if (!item.id) item.id = xasprintf("%s:%d", path_basename(at.file), at.line);
    return run_add(run, &item, err);
}

const char *run_keep_name(EvalRun *run, const char *name)
{
    vec_push(&run->kept, xstrdup(name));
    return run->kept.at[run->kept.n - 1];
}

/* ---- responses --------------------------------------------------------------------------------------------------- */

static char *vote_of(const EvalItem *item, const Answer *a)
{
    if (!a->text) return NULL;
    if (item->q.kind == ANSWER_SHORT || item->q.kind == ANSWER_OPEN) return text_normal(a->text, strlen(a->text));
    return xstrdup(a->text);
}

void run_add_response(EvalRun *run, int i, const char *text, Judged judged)
{
    EvalItem *item = &run->item.at[i];
    EvalResponse r = {.item = i, .draw = item->n_responses++, .text = copy(text)};
    size_t n = strlen(text);
    if (run->scoring == SCORING_MEDEVALKIT) {
        bool right = medevalkit_judge(&r.answer, &item->q, text, n);
        r.match = match_answer(&item->q, &r.answer);
        r.match.correct = right;
    } else {
        answer_extract(&r.answer, &item->q, text, n);
        r.match = match_answer(&item->q, &r.answer);
    }
    r.vote = vote_of(item, &r.answer);
    vec_push(&run->response, r);
    run_judge_response(run, run->response.n - 1, judged);
}

/* An answer counts once, be it right by comparison or by the judge. */
void run_judge_response(EvalRun *run, int response, Judged judged)
{
    EvalResponse *r = &run->response.at[response];
    if (judged == JUDGED_NOT || !item_is_open(&run->item.at[r->item]) || !r->answer.text) return;
    r->match.correct = judged == JUDGED_RIGHT;
    r->answer.rule = "judge";
}

void run_keep_items(EvalRun *run, const bool *keep)
{
    int n = 0;
    map_release(&run->by_id);
    for (int i = 0; i < run->item.n; i++) {
        if (!keep[i]) {
            item_release(&run->item.at[i]);
            continue;
        }
        run->item.at[n] = run->item.at[i];
        map_set_str(&run->by_id, run->item.at[n].id, n);
        n++;
    }
    run->item.n = n;
}

static int read_response(EvalRun *run, const json_t *row, const char *dir, RowPlace at, Err *err)
{
    const char *text = NULL;
    bool verdict = false;
    if (!json_is_object(row)) return err_set(err, "a row must be an object, got %s", json_kind(row));
    if (!json_is_null(json_object_get(row, "response")) && json_get_str(row, "response", &text, true, err)) {
        err_hint(err, "\"response\" is the text that the model gave; null where it gave none");
        return -1;
    }
    if (json_object_get(row, "judged") && json_get_bool(row, "judged", &verdict, true, err)) return -1;
    int item = run_add_item(run, row, dir, at, err);
    if (item < 0) return -1;
    Judged judged = !json_object_get(row, "judged") ? JUDGED_NOT : verdict ? JUDGED_RIGHT : JUDGED_WRONG;
    run_add_response(run, item, text ? text : "", judged);
    return 0;
}

int run_load_responses(EvalRun *run, const char *path, Err *err)
{
    FileMap file = {0};
    JsonRows rows;
    json_t *row;
    Err why = {0};
    if (file_map(&file, path, err)) return -1;
    char *dir = path_dirname(path), place[512];
    int more = 0, rc = json_rows_open(&rows, path, (const char *)file.data, file.size, err);
    while (rc == 0 && (more = json_rows_next(&rows, &row, &why, err)) == 1) {
        rc = row ? read_response(run, row, dir, rows.at, err) : err_set(err, "%s", why.msg);
        if (rc) err_context(err, "%s", row_place(place, sizeof place, rows.at));
        json_decref(row);
    }
    if (rc == 0 && more < 0) rc = -1;
    if (rc == 0 && run->response.n == 0) rc = err_set(err, "%s: there is no row", path);
    free(dir);
    file_unmap(&file);
    return rc;
}
