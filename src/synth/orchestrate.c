#include "synth/orchestrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "reward/answer_prompt.h"
#include "synth/json_cases.h"
#include "synth/overlap.h"

const char *const ORCHESTRATE_DROP_NAME[ORCHESTRATE_DROPS] = {
    [TRACE_CUT] = "cut off",
    [TRACE_FORM] = "no thinking or no answer",
    [TRACE_WRONG] = "another answer than the key",
    [TRACE_SHORT] = "too short",
    [TRACE_LONG] = "too long",
    [TRACE_UNCHECKED] = "no re-check",
    [TRACE_LEAK] = "speaks of the key",
    [TRACE_REPEATS] = "repeats itself",
    [TRACE_SCRIPT] = "another script",
    [QUESTION_EASY] = "too easy",
    [QUESTION_HARD] = "too hard",
    [QUESTION_IMAGE] = "needs a picture",
    [QUESTION_OPEN] = "open answer",
    [QUESTION_TEST] = "in a test file",
    [QUESTION_GROUP] = "group is full",
    [QUESTION_SURPLUS] = "not needed",
};

/* ---- questions --------------------------------------------------------------------------------------------------- */

typedef struct Gathering {
    Orchestrate *r;
    int cap;
    Map by_id;
} Gathering;

static int take_sample(void *arg, json_t *row, Err *err)
{
    Gathering *g = arg;
    int64_t at;
    const char *id = row_need_text(row, "id", err);
    if (!id) return -1;
    if (!map_get_str(&g->by_id, id, &at)) {
        Question q;
        if (row_question(&q, row, "gold", err)) return -1;
        if (g->r->n == g->cap) {
            g->cap = g->cap ? 2 * g->cap : 256;
            g->r->at = xrealloc(g->r->at, (size_t)g->cap * sizeof *g->r->at);
        }
        at = g->r->n++;
        g->r->at[at] = (StageQuestion){.row = json_incref(row), .asked = -1};
        map_set_str(&g->by_id, id, at);
    }
    g->r->at[at].answers++;
    g->r->at[at].right += json_is_true(json_object_get(row, "correct"));
    return 0;
}

static void drop(StageQuestion *s, OrchestrateDrop why)
{
    s->taken = true;
    s->drop = why;
}

static Question question_of(const StageQuestion *s)
{
    Question q;
    Err never = {0};
    CHECK(row_question(&q, s->row, "gold", &never) == 0, "a question was sound when it was read: %s", never.msg);
    return q;
}

/* What needs no teacher to be left out. */
static void sift(StageQuestion *s, const Overlap *tests, const OrchestrateOptions *o)
{
    const Question q = question_of(s);
    const char *prompt = json_string_value(json_object_get(s->row, "prompt"));
    double pass = (double)s->right / s->answers;
    if (q.kind == ANSWER_OPEN) drop(s, QUESTION_OPEN);
    else if (prompt && strstr(prompt, "<image>")) drop(s, QUESTION_IMAGE);
    else if (pass < o->min_pass) drop(s, QUESTION_HARD);
    else if (pass > o->max_pass) drop(s, QUESTION_EASY);
    else if (overlap_found(tests, q.question ? q.question : "")) drop(s, QUESTION_TEST);
}

/* The first group that is not the kind of question; "" where there is none. */
static const char *group_of(const StageQuestion *s)
{
    const json_t *groups = json_object_get(s->row, "groups");
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const char *name = json_string_value(json_array_get(groups, i));
        if (name && strncmp(name, "kind:", 5)) return name;
    }
    return "";
}

static int *shuffled(int n, uint64_t seed)
{
    int *order = xmalloc(sizeof *order * (size_t)(n + 1));
    Rng rng = rng_at(seed, RNG_SHUFFLE, 0, 0, 0);
    for (int i = 0; i < n; i++) {
        int k = (int)rng_below(&rng, (uint32_t)i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    return order;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

typedef struct Rounds {
    Orchestrate *r;
    const OrchestrateOptions *o;
    Teacher *teacher;
    int *order, next;
    Map in_group; /* kept or asked now */
} Rounds;

static bool group_has_room(const Rounds *w, const char *group)
{
    int64_t have = 0;
    int room = (int)(w->o->max_share * w->o->n);
    if (!*group || w->o->max_share >= 1) return true;
    return !map_get_str(&w->in_group, group, &have) || have < (room > 0 ? room : 1);
}

static void count_group(Rounds *w, const char *group, int by)
{
    int64_t have = 0;
    map_get_str(&w->in_group, group, &have);
    map_set_str(&w->in_group, group, have + by);
}

static int ask_teacher(Rounds *w, StageQuestion *s, Err *err)
{
    const Question q = question_of(s);
    char *prompt = orchestrate_prompt(&q);
    s->asked = teacher_ask(w->teacher, prompt, NULL, 0, err);
    free(prompt);
    count_group(w, group_of(s), 1);
    return s->asked < 0 ? -1 : 0;
}

/* As many questions as are missing, and some for those that will fail. Their number; -1 on error. */
static int ask_some(Rounds *w, Err *err)
{
    int missing = w->o->n - w->r->kept, want = missing + missing / 4 + 1, asked = 0;
    for (; w->next < w->r->n && asked < want; w->next++) {
        StageQuestion *s = &w->r->at[w->order[w->next]];
        if (s->taken) continue;
        if (!group_has_room(w, group_of(s))) {
            drop(s, QUESTION_GROUP);
            continue;
        }
        if (ask_teacher(w, s, err)) return -1;
        asked++;
    }
    return asked;
}

/* The thinking in its canonical form, before the answer in its own. */
static char *written_out(const Question *q, const char *trace)
{
    const char *begin = strstr(trace, "<think>") + strlen("<think>"), *end = strstr(begin, "</think>");
    while (*begin == '\n' || *begin == ' ') begin++;
    while (end > begin && (end[-1] == '\n' || end[-1] == ' ')) end--;
    char *gold = question_gold(q);
    char *text = xasprintf("<think>\n%.*s\n</think>\n<answer>%s</answer>", (int)(end - begin), begin, gold);
    free(gold);
    return text;
}

static void settle(Rounds *w, StageQuestion *s)
{
    const Question q = question_of(s);
    int best = -1;
    s->taken = true;
    for (int d = 0; d < w->o->teacher.generate.n; d++) {
        const TeacherReply *reply = teacher_reply(w->teacher, s->asked, d);
        int fault = orchestrate_fault(&q, reply->text, reply->cut, w->o);
        if (fault < 0) {
            s->text = written_out(&q, reply->text);
            s->draw = d;
            w->r->kept++;
            return;
        }
        if (fault > best) best = fault;
    }
    s->drop = (OrchestrateDrop)best;
    count_group(w, group_of(s), -1);
}

/* In the order in which they were asked, until there are enough. */
static void settle_round(Rounds *w)
{
    for (int i = 0; i < w->next; i++) {
        StageQuestion *s = &w->r->at[w->order[i]];
        if (s->taken || s->asked < 0) continue;
        if (w->r->kept < w->o->n) settle(w, s);
        else drop(s, QUESTION_SURPLUS);
    }
}

static int run_rounds(Rounds *w, Err *err)
{
    int asked = 0, rc = 0;
    while (rc == 0 && w->r->kept < w->o->n && (asked = ask_some(w, err)) > 0) {
        rc = teacher_answer(w->teacher, err);
        if (rc == 0) settle_round(w);
    }
    return asked < 0 ? -1 : rc;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static int sift_all(Orchestrate *r, const OrchestrateOptions *o, Err *err)
{
    Overlap tests = {0};
    int rc = 0;
    for (int i = 0; o->against && i < o->against->n && rc == 0; i++)
        rc = overlap_add_file(&tests, o->against->at[i], err);
    for (int i = 0; i < r->n && rc == 0; i++) sift(&r->at[i], &tests, o);
    overlap_release(&tests);
    return rc;
}

static int teach(Orchestrate *r, const OrchestrateOptions *o, Err *err)
{
    Rounds w = {.r = r, .o = o, .teacher = teacher_open(&o->teacher, err)};
    if (!w.teacher) return -1;
    w.order = shuffled(r->n, o->seed);
    int rc = run_rounds(&w, err);
    r->teacher = xstrdup(teacher_identity(w.teacher));
    r->count = teacher_count(w.teacher);
    teacher_close(w.teacher);
    map_release(&w.in_group);
    free(w.order);
    return rc;
}

int orchestrate(Orchestrate *r, const char *samples, const OrchestrateOptions *o, Err *err)
{
    Gathering g = {.r = r};
    *r = (Orchestrate){0};
    int rc = rows_each(samples, take_sample, &g, err);
    map_release(&g.by_id);
    if (rc == 0) rc = sift_all(r, o, err);
    if (rc == 0) rc = teach(r, o, err);
    for (int i = 0; i < r->n; i++) {
        if (!r->at[i].taken) drop(&r->at[i], QUESTION_SURPLUS);
        if (!r->at[i].text) r->dropped[r->at[i].drop]++;
    }
    return rc;
}

void orchestrate_release(Orchestrate *r)
{
    for (int i = 0; i < r->n; i++) {
        json_decref(r->at[i].row);
        free(r->at[i].text);
    }
    free(r->at);
    free(r->teacher);
    *r = (Orchestrate){0};
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static json_t *sample_row(const StageQuestion *s, const Orchestrate *r, const OrchestrateOptions *o)
{
    const Question q = question_of(s);
    Buf prompt = {0};
    answer_prompt(&prompt, &q, 0, PROMPT_THINK);
    const char *group = group_of(s);
    json_t *row =
        json_pack("{s:O, s:[{s:s, s:s}, {s:s, s:s}], s:[], s:{s:s, s:s?, s:i, s:i, s:i, s:s}}", "id",
                  json_object_get(s->row, "id"), "messages", "role", "user", "content", prompt.data, "role",
                  "assistant", "content", s->text, "images", "provenance", "teacher", r->teacher, "model",
                  o->teacher.model, "draw", s->draw, "right", s->right, "answers", s->answers, "group", group);
    buf_release(&prompt);
    return row;
}

static int save_samples(const char *dir, const Orchestrate *r, const OrchestrateOptions *o, Err *err)
{
    FileWriter w;
    if (json_lines_create(&w, dir, "data.jsonl", err)) return -1;
    for (int i = 0; i < r->n; i++)
        if (r->at[i].text) write_json_line(&w, sample_row(&r->at[i], r, o));
    return file_commit(&w, err);
}

int orchestrate_write(const char *dir, const Orchestrate *r, const OrchestrateOptions *o, Err *err)
{
    if (save_samples(dir, r, o, err)) return -1;
    json_t *dropped = json_object();
    for (int i = 0; i < ORCHESTRATE_DROPS; i++)
        json_object_set_new(dropped, ORCHESTRATE_DROP_NAME[i], json_integer(r->dropped[i]));
    json_t *report =
        json_pack("{s:i, s:i, s:o, s:{s:s, s:s?, s:i, s:i, s:I, s:I, s:I, s:I}}", "questions", r->n, "kept", r->kept,
                  "dropped", dropped, "teacher", "who", r->teacher ? r->teacher : "", "model", o->teacher.model,
                  "replies", r->count.replies, "asked_now", r->count.asked, "prompt_tokens",
                  (json_int_t)r->count.prompt_tokens, "tokens", (json_int_t)r->count.tokens, "bytes_sent",
                  (json_int_t)r->count.sent, "bytes_received", (json_int_t)r->count.received);
    return json_save(dir, "report.json", report, err);
}
