/* A teacher behind an address. */
#include <stdlib.h>
#include <string.h>

#include "base/chat_api.h"
#include "base/rng.h"
#include "image/data_uri.h"
#include "infer/teacher_impl.h"

enum { MAX_THREADS = 64, PICTURE_BYTES = 4 << 20, PICTURE_PIXELS = 2048 };

/* What is asked, in pieces: text and pictures in turn. */
typedef struct Parts {
    VEC(ChatPart) part;
    VEC(char *) owned;
} Parts;

static void add_text(Parts *p, const char *text, size_t n)
{
    if (n == 0) return;
    char *piece = xstrndup(text, n);
    vec_push(&p->owned, piece);
    vec_push(&p->part, (ChatPart){.text = piece});
}

static int add_image(Parts *p, const char *ref, Err *err)
{
    Buf uri = {0};
    if (image_data_uri(&uri, ref, PICTURE_BYTES, PICTURE_PIXELS, err)) return -1;
    char *piece = buf_take(&uri);
    vec_push(&p->owned, piece);
    vec_push(&p->part, (ChatPart){.image = piece});
    return 0;
}

static int cut_in_parts(Parts *p, const TeacherQuestion *q, Err *err)
{
    const char *text = q->text;
    for (int i = 0; i < q->n_images; i++) {
        const char *marker = strstr(text, IMAGE_MARKER);
        if (!marker) return err_set(err, "%d images but %d markers", q->n_images, i);
        add_text(p, text, (size_t)(marker - text));
        if (add_image(p, q->image[i], err)) return -1;
        text = marker + strlen(IMAGE_MARKER);
    }
    add_text(p, text, strlen(text));
    return 0;
}

static int ask(ChatReply *reply, Http *h, const Teacher *t, TeacherTask task, Err *err)
{
    const TeacherOptions *o = &t->o;
    const SamplerOptions *s = &o->generate.sampling;
    const ChatApi api = {o->where, o->model, o->generate.max_new_tokens, s->temperature, s->top_p};
    Parts p = {0};
    int rc = cut_in_parts(&p, &t->question.at[task.question], err);
    if (rc == 0) rc = chat_api_ask(reply, h, &api, p.part.at, p.part.n, s->seed + (uint64_t)task.draw, err);
    for (int i = 0; i < p.owned.n; i++) free(p.owned.at[i]);
    free(p.owned.at);
    free(p.part.at);
    return rc;
}

static int take(Teacher *t, TeacherTask task, const ChatReply *r, Err *err)
{
    t->count.sent += r->sent;
    t->count.received += r->received;
    if (r->prompt_tokens > 0) t->count.prompt_tokens += r->prompt_tokens;
    return teacher_take(t, task, (TeacherReply){r->text.data ? r->text.data : (char[]){""}, r->tokens, r->cut}, err);
}

/* One of the threads that ask: until there is nothing to ask, or something went wrong. */
static void *ask_on(void *arg)
{
    Teacher *t = arg;
    Err err = {0};
    ChatReply reply = {0};
    TeacherTask task;
    const HttpOptions ho = teacher_http(&t->o);
    Http *h = http_open(&ho, &err);
    pthread_mutex_lock(&t->lock);
    while (!err.msg[0] && !t->err.msg[0] && teacher_next(t, &task)) {
        pthread_mutex_unlock(&t->lock);
        int rc = ask(&reply, h, t, task, &err);
        pthread_mutex_lock(&t->lock);
        if (rc == 0) take(t, task, &reply, &err);
    }
    if (err.msg[0] && !t->err.msg[0]) t->err = err;
    pthread_mutex_unlock(&t->lock);
    http_close(h);
    chat_reply_release(&reply);
    return NULL;
}

int teacher_by_server(Teacher *t, Err *err)
{
    pthread_t thread[MAX_THREADS];
    int n = t->o.parallel < MAX_THREADS ? t->o.parallel : MAX_THREADS, started = 0;
    t->err = (Err){0};
    while (started < n && pthread_create(&thread[started], NULL, ask_on, t) == 0) started++;
    if (started == 0) ask_on(t);
    for (int i = 0; i < started; i++) pthread_join(thread[i], NULL);
    if (t->o.stop && t->o.stop()) return 1;
    if (!t->err.msg[0]) return 0;
    *err = t->err;
    return -1;
}
