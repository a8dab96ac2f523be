#include "eval/answering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "data/pack.h"
#include "text/unicode.h"
#include "weights/hf_dir.h"

/* What ends a thinking that is over its budget, and opens the answer. */
static const char *forced_text(PromptStyle style)
{
    return style == PROMPT_BOXED ? "</think>\n\\boxed{" : "</think>\n<answer>";
}

/* An answer whose thinking may go over its budget, while it grows. */
typedef struct Watch {
    Buf text;
    int tokens;
    bool settled; /* it may go on to its end */
} Watch;

/* A thinking that was cut: the tokens before the cut. */
typedef struct Cut {
    int item, draw;
    int *id, n;
} Cut;

/* A prompt that was given to generate(). */
typedef struct Asked {
    int item, n_tokens;
    int *draw, n; /* [n] draws that are wanted */
    Watch *watch; /* [n]; NULL: without a budget, or behind a cut */
    Cut cut;      /* id NULL: the question itself */
} Asked;

typedef struct Job {
    const EvalRun *run;
    const AnsweringOptions *o;
    Engine *e;
    AnswerStore *store;
    AnsweringStats *stats;
    Encoder enc;
    int next; /* item */
    VEC(Asked) asked;
    VEC(Cut) cut; /* wait to be continued, from first_cut on */
    int first_cut;
    TokenList forced;
    Progress progress;
    double started;
} Job;

/* ---- prompts ----------------------------------------------------------------------------------------------------- */

void put_questions(EvalRun *run, const AnsweringOptions *o)
{
    for (int i = 0; i < run->item.n; i++) {
        EvalItem *item = &run->item.at[i];
        Buf text = {0};
        answer_prompt(&text, &item->q, item->n_images, o->style);
        free(item->prompt);
        item->prompt = buf_take(&text);
    }
}

Sample question_sample(Message msg[2], const EvalItem *item, const AnsweringOptions *o)
{
    static char system[] = "system", user[] = "user";
    int n = 0;
    if (o->system) msg[n++] = (Message){system, (char *)(uintptr_t)o->system, false};
    msg[n++] = (Message){user, item->prompt, false};
    return (Sample){.msg = msg, .n_msgs = n, .images = item->images, .n_images = item->n_images};
}

static int check_length(const Encoded *x, int context, Err *err)
{
    if (x->n < context) return 0;
    err_set(err, "a prompt of %d tokens leaves no room in the model's context of %d", x->n, context);
    return err_hint(err, "lower --max_pixels so that images need fewer tokens");
}

static void append_tokens(Encoded *x, const int *id, int n)
{
    x->id = xrealloc(x->id, sizeof *x->id * (size_t)(x->n + n));
    x->target = xrealloc(x->target, (size_t)(x->n + n));
    memcpy(x->id + x->n, id, sizeof *id * (size_t)n);
    memset(x->target + x->n, 0, (size_t)n);
    x->n += n;
}

static int encode_question(Encoded *x, Job *j, const EvalItem *item, const Cut *cut, Err *err)
{
    Message msg[2];
    const Sample s = question_sample(msg, item, j->o);
    if (encode_sample(x, &j->enc, &s, ENCODE_PROMPT, err)) return -1;
    if (check_length(x, j->e->model->cfg.max_positions, err) == 0 && encode_pixels(x, &j->enc, &s, err) == 0) {
        if (cut->id) append_tokens(x, cut->id, cut->n), append_tokens(x, j->forced.id, j->forced.n);
        return 0;
    }
    encoded_release(x);
    return -1;
}

/* The random numbers of a question are named after its id, so that they stay with it in any selection. */
static uint32_t stream_of(const EvalItem *item)
{
    uint64_t hash = hash_bytes(HASH_INIT, item->id, strlen(item->id));
    return (uint32_t)(hash ^ hash >> 32);
}

static Batch *ask(Job *j, Asked a, Err *err)
{
    const EvalItem *item = &j->run->item.at[a.item];
    Encoded x;
    vec_push(&j->asked, a);
    if (encode_question(&x, j, item, &a.cut, err)) {
        char place[512];
        err_context(err, "%s, id %.60s", row_place(place, sizeof place, item->at), item->id);
        return NULL;
    }
    BatchBuilder bb;
    batch_begin(&bb, &j->e->proc);
    batch_add_prompt(&bb, &x, a.item);
    j->asked.at[j->asked.n - 1].n_tokens = x.n;
    encoded_release(&x);
    return batch_finish(&bb);
}

/* What was cut goes on first, while the prompt it continues is still in the cache. */
static Batch *next_prompt(void *arg, Err *err)
{
    Job *j = arg;
    if (j->first_cut < j->cut.n) {
        Asked a = {.cut = j->cut.at[j->first_cut++], .n = 1};
        a.item = a.cut.item;
        a.draw = xmalloc(sizeof *a.draw);
        a.draw[0] = a.cut.draw;
        return ask(j, a, err);
    }
    for (; j->next < j->run->item.n; j->next++) {
        Asked a = {.item = j->next, .draw = xmalloc(sizeof *a.draw * (size_t)j->store->n)};
        for (int d = 0; d < j->store->n; d++)
            if (!answer_store_has(j->store, a.item, d)) a.draw[a.n++] = d;
        if (a.n == 0) {
            free(a.draw);
            continue;
        }
        if (j->o->think_budget > 0) a.watch = xcalloc((size_t)a.n, sizeof *a.watch);
        j->next++;
        return ask(j, a, err);
    }
    return NULL;
}

static void plan_prompt(void *arg, int prompt, PromptPlan *p)
{
    const Job *j = arg;
    const Asked *a = &j->asked.at[prompt];
    p->stream = stream_of(&j->run->item.at[a->item]);
    p->draw = a->draw;
    p->n = a->n;
    p->position = a->cut.n;
    p->max_new_tokens -= a->cut.n;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static Watch *watch_of(const Asked *a, int draw)
{
    for (int i = 0; a->watch && i < a->n; i++)
        if (a->draw[i] == draw) return &a->watch[i];
    return NULL;
}

static void watch_text(void *arg, int prompt, int draw, const char *bytes, size_t n)
{
    const Job *j = arg;
    Watch *w = watch_of(&j->asked.at[prompt], draw);
    if (w && !w->settled) buf_add(&w->text, bytes, n);
}

/* Asked before every step of an answer but the first: then it has one token more than it was asked about. */
static Verdict verdict(void *arg, int prompt, int draw)
{
    const Job *j = arg;
    if (j->o->stop && j->o->stop()) return END_ALL;
    Watch *w = watch_of(&j->asked.at[prompt], draw);
    if (!w || w->settled || ++w->tokens < j->o->think_budget) return GO_ON;
    if (answer_span(w->text.data ? w->text.data : "", w->text.len).unended) return END_ANSWER;
    w->settled = true;
    return GO_ON;
}

static void asked_release(Asked *a)
{
    for (int i = 0; a->watch && i < a->n; i++) buf_release(&a->watch[i].text);
    free(a->watch);
    free(a->draw);
    free(a->cut.id);
    *a = (Asked){0};
}

/* The text of a forced answer: thinking, its end, and what came then. */
static char *forced_answer(const Job *j, const Cut *cut, const Completion *c)
{
    Buf raw = {0}, text = {0};
    tokenizer_decode(j->e->tok, cut->id, cut->n, true, &raw);
    if (raw.len) utf8_repair(&text, NULL, raw.data, raw.len);
    buf_str(&text, forced_text(j->o->style));
    buf_add(&text, c->text, c->text_len);
    buf_release(&raw);
    return buf_take(&text);
}

/* A thinking over its budget is cut and waits; false where the context has no room for more than it. */
static bool cut_thinking(Job *j, const Asked *a, const Completion *c)
{
    int n = j->o->think_budget;
    if (strcmp(c->finish_reason, "cancelled")) return false;
    if (a->n_tokens + n + j->forced.n >= j->e->model->cfg.max_positions) return false;
    Cut cut = {a->item, c->draw, xmalloc(sizeof *cut.id * (size_t)n), n};
    memcpy(cut.id, c->id, sizeof *cut.id * (size_t)n);
    vec_push(&j->cut, cut);
    return true;
}

static int take_answer(void *arg, const Completion *c, Err *err)
{
    Job *j = arg;
    const Asked *a = &j->asked.at[c->prompt];
    Watch *w = watch_of(a, c->draw);
    if (w) buf_release(&w->text);
    if (cut_thinking(j, a, c)) return 0;
    bool forced = a->cut.id != NULL;
    GivenAnswer given = {.text = forced ? forced_answer(j, &a->cut, c) : xstrndup(c->text, c->text_len),
                         .tokens = a->cut.n + c->n,
                         .finish_reason = strcmp(c->finish_reason, "cancelled") ? c->finish_reason : "length",
                         .forced = forced};
    if (answer_store_add(j->store, a->item, c->draw, given, err)) return -1;
    j->stats->answers++;
    j->stats->tokens += given.tokens;
    double seconds = now_seconds() - j->started;
    progress_update(&j->progress, j->store->given, "%.0f token/s",
                    seconds > 0 ? (double)j->stats->tokens / seconds : 0.0);
    return 0;
}

int answer_questions(AnsweringStats *stats, AnswerStore *store, Engine *e, const EvalRun *run,
                     const AnsweringOptions *o, Err *err)
{
    Job j = {.run = run, .o = o, .e = e, .store = store, .stats = stats, .started = now_seconds()};
    *stats = (AnsweringStats){0};
    if (encoder_init(&j.enc, e->tok, &e->proc, 0, err)) return -1;
    const char *forced = forced_text(o->style);
    tokenizer_encode(e->tok, forced, strlen(forced), &j.forced);
    progress_start_at(&j.progress, "eval", store->given, (int64_t)run->item.n * store->n, "sample");
    const GenerateIo io = {.next = next_prompt,
                           .plan = plan_prompt,
                           .done = take_answer,
                           .stream = o->think_budget > 0 ? watch_text : NULL,
                           .verdict = verdict,
                           .arg = &j};
    int rc = generate(e, &o->generate, &io, err);
    progress_end(&j.progress);
    stats->seconds = now_seconds() - j.started;
    for (int i = 0; i < j.asked.n; i++) asked_release(&j.asked.at[i]);
    for (int i = j.first_cut; i < j.cut.n; i++) free(j.cut.at[i].id);
    free(j.asked.at);
    free(j.cut.at);
    tokens_release(&j.forced);
    encoder_release(&j.enc);
    return rc;
}

/* ---- what decides the answers ------------------------------------------------------------------------------------ */

/* Ids, what is asked, and what is to be read from the answers; where files lie is nothing that counts. */
static void digest_questions(char hex[SHA256_HEX], const EvalRun *run)
{
    Sha256 s;
    sha256_init(&s);
    for (int i = 0; i < run->item.n; i++) {
        const EvalItem *item = &run->item.at[i];
        char images[16];
        snprintf(images, sizeof images, "%d", item->n_images);
        sha256_add(&s, item->id, strlen(item->id) + 1);
        sha256_add(&s, images, strlen(images) + 1);
        sha256_add(&s, item->prompt, strlen(item->prompt) + 1);
    }
    sha256_hex(&s, hex);
}

json_t *answering_header(const AnsweringOptions *o, const EngineOptions *e, const EvalRun *run, Err *err)
{
    static const char *const WEIGHTS[] = {"bf16", "int8", "int4"};
    char model[SHA256_HEX], adapter[SHA256_HEX], questions[SHA256_HEX];
    const GenerateOptions *g = &o->generate;
    if (hf_dir_digest(model, e->model, err) || (e->adapter && hf_dir_digest(adapter, e->adapter, err))) return NULL;
    digest_questions(questions, run);
    json_t *stop = json_array();
    for (int i = 0; g->stop && i < g->stop->n; i++) json_array_append_new(stop, json_string(g->stop->at[i]));
    json_t *h = json_pack(
        "{s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:i, s:I, s:f, s:f, s:i, s:f, s:f, s:i, s:i, s:o, s:I, s:I, s:s, s:s}",
        "osler", OSLER_VERSION, "model", model, "adapter", e->adapter ? adapter : NULL, "questions", questions,
        "prompt", prompt_style_name(o->style), "pictures", picture_use_name(o->pictures), "system", o->system, "n",
        g->n, "seed", (json_int_t)g->sampling.seed, "temperature", g->sampling.temperature, "top_p", g->sampling.top_p,
        "top_k", g->sampling.top_k, "min_p", g->sampling.min_p, "repetition_penalty", g->sampling.repetition_penalty,
        "max_new_tokens", g->max_new_tokens, "think_budget", o->think_budget, "stop", stop, "min_pixels",
        (json_int_t)e->min_pixels, "max_pixels", (json_int_t)e->max_pixels, "dtype", dtype_name(e->dtype),
        "decode_weights", WEIGHTS[e->decode_weights]);
    if (!h) err_set(err, "a text of the options is not UTF-8");
    return h;
}

void answers_to_run(EvalRun *run, const AnswerStore *store, const json_t *header)
{
    json_t *how = json_copy((json_t *)(uintptr_t)header);
    int64_t tokens = 0, forced = 0;
    for (int i = 0; i < run->item.n; i++)
        for (int d = 0; d < store->n; d++) {
            const GivenAnswer *a = answer_store_get(store, i, d);
            run_add_response(run, i, a->text, JUDGED_NOT);
            EvalResponse *r = &run->response.at[run->response.n - 1];
            r->tokens = a->tokens;
            r->finish_reason = a->finish_reason;
            r->forced = a->forced;
            tokens += a->tokens;
            forced += a->forced;
        }
    json_object_set_new(how, "tokens", json_integer(tokens));
    json_object_set_new(how, "forced", json_integer(forced));
    Buf text = {0};
    answer_header_append(&text, how);
    free(run->generation);
    run->generation = buf_take(&text);
    json_decref(how);
}
