#include "synth/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "synth/json_cases.h"

/* ---- cases ------------------------------------------------------------------------------------------------------- */

typedef struct Loading {
    Candidates *c;
    int cap;
    bool model_judges;
    Map by_id;
} Loading;

static int take_case(void *arg, json_t *row, Err *err)
{
    Loading *l = arg;
    const char *id = row_need_text(row, "id", err);
    if (!id) return -1;
    if (l->c->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 256;
        l->c->at = xrealloc(l->c->at, (size_t)l->cap * sizeof *l->c->at);
    }
    map_set_str(&l->by_id, id, l->c->n);
    l->c->at[l->c->n++] = (CandidateCase){.row = json_incref(row)};
    return 0;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static int judge_candidate(Candidate *a, const CandidateCase *c, bool model_judges, Err *err)
{
    KnownFinding finding[16];
    Question q;
    if (row_question(&q, c->row, "answer", err)) return -1;
    if (model_judges && !json_object_get(c->row, "findings")) {
        a->score.correct = match_response(&q, a->text);
        return 0;
    }
    int n = known_findings(finding, 16, c->row, err);
    if (n < 0) return -1;
    rule_judge(&a->score, &(KnownCase){&q, finding, n}, a->text, strlen(a->text));
    a->has_rule = true;
    return 0;
}

static int take_answer(void *arg, json_t *row, Err *err)
{
    Loading *l = arg;
    int64_t at;
    const char *id = row_need_text(row, "id", err), *text = id ? row_need_text(row, "response", err) : NULL;
    const char *prompt = json_string_value(json_object_get(row, "prompt"));
    if (!text) return -1;
    if (!map_get_str(&l->by_id, id, &at)) return err_set(err, "an answer to \"%s\", which is not in the data", id);
    CandidateCase *c = &l->c->at[at];
    if (prompt && !c->prompt) c->prompt = xstrdup(prompt);
    const json_t *tokens = json_object_get(row, "tokens");
    Candidate a = {.text = xstrdup(text),
                   .draw = (int)json_integer_value(json_object_get(row, "draw")),
                   .length = tokens ? (int)json_integer_value(tokens) : (int)strlen(text)};
    vec_push(&c->answer, a);
    return judge_candidate(&c->answer.at[c->answer.n - 1], c, l->model_judges, err);
}

int candidates_load(Candidates *c, const char *data, const char *samples, bool model_judges, Err *err)
{
    char *whole = realpath(data, NULL);
    *c = (Candidates){.folder = path_dirname(whole ? whole : data)};
    free(whole);
    Loading l = {.c = c, .model_judges = model_judges};
    int rc = rows_each(data, take_case, &l, err);
    if (rc == 0) rc = rows_each(samples, take_answer, &l, err);
    map_release(&l.by_id);
    if (rc) candidates_release(c);
    return rc;
}

void candidates_release(Candidates *c)
{
    for (int i = 0; i < c->n; i++) {
        CandidateCase *k = &c->at[i];
        for (int a = 0; a < k->answer.n; a++) {
            free(k->answer.at[a].text);
            mmrp_release(&k->answer.at[a].score);
            mmrp_release(&k->answer.at[a].by_rule);
        }
        free(k->answer.at);
        free(k->prompt);
        json_decref(k->row);
    }
    free(c->at);
    free(c->folder);
    *c = (Candidates){0};
}

static void add_scores(json_t *j, const MmrpScore *s)
{
    for (int k = 0; k < MMRP_CRITERIA; k++) {
        json_object_set_new(j, MMRP_NAME[k], json_integer(s->score[k]));
        if (!s->span[k]) continue;
        char *key = xasprintf("%s_span", MMRP_NAME[k]);
        json_object_set_new(j, key, json_string(s->span[k]));
        free(key);
    }
}

json_t *candidate_scores(const Candidate *a)
{
    json_t *j = json_object();
    add_scores(j, &a->score);
    json_object_set_new(j, "correct", json_boolean(a->score.correct));
    json_object_set_new(j, "draw", json_integer(a->draw));
    return j;
}

int candidates_write(const char *dir, const Candidates *c, Err *err)
{
    FileWriter w;
    if (json_lines_create(&w, dir, "scores.jsonl", err)) return -1;
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->at[i].answer.n; k++) {
            const Candidate *a = &c->at[i].answer.at[k];
            json_t *row = candidate_scores(a);
            json_object_set(row, "id", json_object_get(c->at[i].row, "id"));
            if (a->has_rule && c->judged_by_model) {
                json_t *rule = json_object();
                add_scores(rule, &a->by_rule);
                json_object_set_new(row, "by_rule", rule);
            }
            write_json_line(&w, row);
        }
    return file_commit(&w, err);
}

int candidates_right(const CandidateCase *c)
{
    int right = 0;
    for (int i = 0; i < c->answer.n; i++) right += c->answer.at[i].score.correct;
    return right;
}
