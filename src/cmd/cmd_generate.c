/* osler generate: answers to the prompts of a dataset, or to one prompt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "cmd/interrupt.h"
#include "cmd/model_opts.h"
#include "cmd/output.h"
#include "data/pack.h"
#include "weights/peft.h"

typedef struct GenerateOpts {
    Common common;
    ModelOpts model;
    SamplingOpts sampling;
    StrList data, image;
    char *out, *prompt, *system;
    bool logp;
    int decode_weights;
} GenerateOpts;

#define AT(field) offsetof(GenerateOpts, field)
static const Opt TABLE[] = {
    MODEL_ROWS(GenerateOpts),
    {"data", OPT_LIST, AT(data), .group = "Prompts",
     .help = "files of samples; a prompt is everything before the first assistant message"},
    {"prompt", OPT_TEXT, AT(prompt), .help = "one prompt, instead of data"},
    {"image", OPT_LIST, AT(image),
     .help = "images of the prompt; <image> in the text says where, else they come first"},
    {"system", OPT_TEXT, AT(system), .help = "system prompt of the prompt"},
    {"out", OPT_PATH, AT(out),
     .help = "JSON lines {id, n, ids, text, finish_reason}; where not given, stdout (the text alone for --prompt)"},
    MANY_ROWS(GenerateOpts),
    {"logp", OPT_BOOL, AT(logp), .def = "false", .help = "add each token's log-probability under the model"},
    SAMPLING_ROWS(GenerateOpts),
    COMPUTE_ROWS(GenerateOpts),
    DECODE_ROW(GenerateOpts),
    SEED_ROW(GenerateOpts),
    GENERAL_ROWS(GenerateOpts),
    {0},
};

typedef struct Job {
    Engine *e;
    Encoder enc;
    const Dataset *d;
    int asked; /* prompts given */
    Output out;
    Buf line;
    int n;
    int64_t total, done, written; /* answers */
    char **ready;                 /* [total] lines that wait for earlier ones */
    bool text_only;               /* a single prompt's answers, as text on stdout */
    Progress progress;
} Job;

static int check_length(const Encoded *x, int context, Err *err)
{
    if (x->n < context) return 0;
    err_set(err, "a prompt of %d tokens leaves no room in the model's context of %d", x->n, context);
    return err_hint(err, "shorten the text, or lower max_pixels so that images need fewer tokens");
}

static Batch *next_prompt(void *arg, Err *err)
{
    Job *j = arg;
    if (j->asked == j->d->n) return NULL;
    const Sample *s = &j->d->sample[j->asked];
    Encoded x;
    Batch *b = NULL;
    int rc = encode_sample(&x, &j->enc, s, ENCODE_PROMPT, err);
    if (rc == 0) {
        rc = check_length(&x, j->e->model->cfg.max_positions, err);
        if (rc == 0) rc = encode_pixels(&x, &j->enc, s, err);
        if (rc == 0) {
            BatchBuilder bb;
            batch_begin(&bb, &j->e->proc);
            batch_add_prompt(&bb, &x, j->asked++);
            b = batch_finish(&bb);
        }
        encoded_release(&x);
    }
    if (rc && s->at.file) sample_context(s, err);
    return b;
}

static char *answer_line(const Sample *s, const Completion *c)
{
    Buf b = {0};
    buf_str(&b, "{\"id\": ");
    json_append_str(&b, s->id, strlen(s->id));
    buf_printf(&b, ", \"n\": %d, ", c->draw);
    json_append_ints(&b, "ids", c->id, c->n);
    buf_str(&b, ", \"text\": ");
    json_append_str(&b, c->text, c->text_len);
    buf_printf(&b, ", \"finish_reason\": \"%s\"", c->finish_reason);
    if (c->logp) {
        buf_str(&b, ", \"logp\": [");
        for (int i = 0; i < c->n; i++) buf_printf(&b, i ? ", %.9g" : "%.9g", (double)c->logp[i]);
        buf_byte(&b, ']');
    }
    buf_byte(&b, '}');
    return buf_take(&b);
}

static void write_answer(Job *j, int64_t i)
{
    buf_str(&j->line, j->ready[i]);
    output_line(&j->out, &j->line);
    free(j->ready[i]);
    j->ready[i] = NULL;
}

/* Answers finish in any order and are written in the order of the prompts. */
static int take_answer(void *arg, const Completion *c, Err *err)
{
    (void)err;
    Job *j = arg;
    progress_update(&j->progress, ++j->done, "%s", "");
    j->ready[(int64_t)c->prompt * j->n + c->draw] =
        j->text_only ? xstrndup(c->text, c->text_len) : answer_line(&j->d->sample[c->prompt], c);
    for (; j->written < j->total && j->ready[j->written]; j->written++) write_answer(j, j->written);
    return 0;
}

static Verdict verdict(void *arg, int prompt, int draw)
{
    (void)arg, (void)prompt, (void)draw;
    return interrupted() ? END_ALL : GO_ON;
}

static void stream_text(void *arg, int prompt, int draw, const char *bytes, size_t n)
{
    (void)arg, (void)prompt, (void)draw;
    fwrite(bytes, 1, n, stdout);
    fflush(stdout);
}

/* A single answer as text appears as it comes. */
static int stream_end(void *arg, const Completion *c, Err *err)
{
    (void)arg, (void)c, (void)err;
    putchar('\n');
    return 0;
}

static int answer_all(Job *j, const GenerateOpts *o, Err *err)
{
    GenerateOptions go = generate_options(&o->sampling, (uint64_t)o->common.seed);
    go.logp = o->logp;
    GenerateIo io = {.next = next_prompt, .verdict = verdict, .arg = j};
    if (j->text_only && j->n == 1) {
        io.done = stream_end;
        io.stream = stream_text;
        return generate(j->e, &go, &io, err);
    }
    if (output_open(&j->out, o->out, err)) return -1;
    j->total = (int64_t)j->d->n * j->n;
    j->ready = xcalloc((size_t)j->total + 1, sizeof *j->ready);
    progress_start(&j->progress, "generate", j->total, "answer");
    io.done = take_answer;
    int rc = generate(j->e, &go, &io, err);
    progress_end(&j->progress);
    for (int64_t i = j->written; i < j->total; i++)
        if (j->ready[i] && rc > 0) write_answer(j, i); /* behind one that did not finish */
    for (int64_t i = 0; i < j->total; i++) free(j->ready[i]);
    free(j->ready);
    buf_release(&j->line);
    return output_close(&j->out, rc < 0 ? rc : 0, err) ? -1 : rc;
}

/* Answers until Ctrl-C: then what is finished stays, and the exit status says that something is missing. */
static int answer_some(Job *j, const GenerateOpts *o, Err *err)
{
    interrupt_begin();
    int rc = answer_all(j, o, err);
    interrupt_end();
    if (rc > 0 && !j->text_only) log_warn("interrupted: %lld of %lld answers", (long long)j->done, (long long)j->total);
    return rc;
}

/* The command line's prompt as a dataset of one sample, without a place in a file. */
static void prompt_dataset(Dataset *d, const GenerateOpts *o)
{
    *d = (Dataset){.sample = xcalloc(1, sizeof *d->sample), .n = 1};
    Sample *s = d->sample;
    s->id = xstrdup("prompt");
    s->msg = xcalloc(2, sizeof *s->msg);
    if (o->system) s->msg[s->n_msgs++] = (Message){xstrdup("system"), xstrdup(o->system), false};
    const Message bare = {(char[]){"user"}, o->prompt, false};
    Buf text = {0};
    for (int i = chat_count_images(&bare, 1); i < o->image.n; i++) buf_str(&text, IMAGE_MARKER);
    buf_str(&text, o->prompt);
    s->msg[s->n_msgs++] = (Message){xstrdup("user"), buf_take(&text), false};
    s->images = xcalloc((size_t)o->image.n + 1, sizeof *s->images);
    for (int i = 0; i < o->image.n; i++) s->images[s->n_images++] = xstrdup(o->image.at[i]);
}

static int check_opts(const GenerateOpts *o, const StrList *operands, Err *err)
{
    if (no_operands(operands, err)) return -1;
    if (!o->data.n && !o->prompt) return usage_error(err, "one of data and prompt is needed");
    if (o->data.n && (o->prompt || o->image.n || o->system))
        return usage_error(err, "prompt, image and system do not go together with data");
    return 0;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    GenerateOpts *o = opts;
    Dataset d;
    Engine e;
    if (check_opts(o, operands, err) || peft_resolve(&o->model.dir, &o->model.adapter, err)) return -1;
    if (o->prompt) prompt_dataset(&d, o);
    else if (open_dataset(&d, &o->data, (uint64_t)o->common.seed, err)) return -1;
    EngineOptions eo = engine_options(&o->common, &o->model);
    eo.check_later = true;
    eo.decode_weights = (DecodeWeights)o->decode_weights;
    int rc = engine_open(&e, &eo, err);
    if (rc == 0) {
        Job j = {.e = &e, .d = &d, .n = (int)o->sampling.n, .text_only = o->prompt && !o->out};
        rc = encoder_init(&j.enc, e.tok, &e.proc, 0, err);
        if (rc == 0) {
            rc = answer_some(&j, o, err);
            encoder_release(&j.enc);
        }
        engine_close(&e);
    }
    dataset_release(&d);
    return rc;
}

const Verb VERB_GENERATE = {
    .name = "generate",
    .about = "answers to the prompts of a dataset, or to one prompt",
    .usage = "osler generate --model DIR [--adapter DIR] (--data F --out O.jsonl | --prompt TEXT [--image REF])",
    .table = TABLE,
    .size = sizeof(GenerateOpts),
    .run = run,
};
