/* A teacher that is a checkpoint. */
#include <stdlib.h>
#include <string.h>

#include "data/pack.h"
#include "infer/teacher_impl.h"

/* A question with the draws that are wanted. */
typedef struct Asked {
    int question, *draw, n;
} Asked;

typedef struct Class {
    Teacher *t;
    Engine e;
    Encoder enc;
    VEC(Asked) asked;
    TeacherTask waiting; /* the first draw of the next question */
    bool more;
} Class;

static Asked collect_draws(Class *c)
{
    Asked a = {.question = c->waiting.question, .draw = xcalloc((size_t)c->t->o.generate.n, sizeof *a.draw)};
    while (c->more && c->waiting.question == a.question) {
        a.draw[a.n++] = c->waiting.draw;
        c->more = teacher_next(c->t, &c->waiting);
    }
    return a;
}

static Batch *next_prompt(void *arg, Err *err)
{
    Class *c = arg;
    if (!c->more) return NULL;
    Asked a = collect_draws(c);
    const TeacherQuestion *q = &c->t->question.at[a.question];
    vec_push(&c->asked, a);
    Message msg = {(char[]){"user"}, q->text, false};
    const Sample s = {.msg = &msg, .n_msgs = 1, .images = q->image, .n_images = q->n_images};
    Encoded x;
    if (encode_sample(&x, &c->enc, &s, ENCODE_PROMPT, err)) return NULL;
    if (encode_pixels(&x, &c->enc, &s, err)) {
        encoded_release(&x);
        return NULL;
    }
    BatchBuilder bb;
    batch_begin(&bb, &c->e.proc);
    batch_add_prompt(&bb, &x, c->asked.n - 1);
    encoded_release(&x);
    return batch_finish(&bb);
}

/* Random numbers are named after the question, whatever else is asked. */
static void plan_prompt(void *arg, int prompt, PromptPlan *p)
{
    const Class *c = arg;
    const Asked *a = &c->asked.at[prompt];
    const char *key = c->t->question.at[a->question].key;
    uint64_t hash = hash_bytes(HASH_INIT, key, strlen(key));
    p->stream = (uint32_t)(hash ^ hash >> 32);
    p->draw = a->draw;
    p->n = a->n;
}

static int take_answer(void *arg, const Completion *k, Err *err)
{
    Class *c = arg;
    const TeacherTask task = {c->asked.at[k->prompt].question, k->draw};
    char *text = xstrndup(k->text, k->text_len);
    int rc = teacher_take(c->t, task, (TeacherReply){text, k->n, !strcmp(k->finish_reason, "length")}, err);
    free(text);
    return rc;
}

static Verdict verdict(void *arg, int prompt, int draw)
{
    (void)prompt, (void)draw;
    const Class *c = arg;
    return c->t->o.stop && c->t->o.stop() ? END_ALL : GO_ON;
}

int teacher_by_folder(Teacher *t, Err *err)
{
    Class c = {.t = t};
    EngineOptions eo = t->o.engine;
    eo.model = t->o.where;
    if (engine_open(&c.e, &eo, err)) return -1;
    const GenerateIo io = {
        .next = next_prompt, .plan = plan_prompt, .done = take_answer, .verdict = verdict, .arg = &c};
    int rc = encoder_init(&c.enc, c.e.tok, &c.e.proc, 0, err);
    if (rc == 0) {
        c.more = teacher_next(t, &c.waiting);
        rc = generate(&c.e, &t->o.generate, &io, err);
        encoder_release(&c.enc);
    }
    for (int i = 0; i < c.asked.n; i++) free(c.asked.at[i].draw);
    free(c.asked.at);
    engine_close(&c.e);
    return rc;
}
