#include "infer/teacher.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "image/image_ref.h"
#include "infer/teacher_impl.h"
#include "text/unicode.h"
#include "weights/hf_dir.h"

/* Counts up where the way questions are asked changes. */
static const char FORMAT[] = "osler teacher 1\n";

bool teacher_is_server(const char *where)
{
    return !strncasecmp(where, "http://", 7) || !strncasecmp(where, "https://", 8);
}

HttpOptions teacher_http(const TeacherOptions *o)
{
    HttpOptions h = HTTP_DEFAULTS;
    h.key = o->key;
    h.timeout_s = o->timeout_s;
    h.stop = o->stop;
    return h;
}

int teacher_check(const TeacherOptions *o, Err *err)
{
    if (!teacher_is_server(o->where)) {
        if (dir_exists(o->where)) return 0;
        err_set(err, "%s: \"%s\" is neither an address nor a folder", o->name, o->where);
        return err_hint(err, "an address begins with http:// or https://");
    }
    const HttpOptions ho = teacher_http(o);
    Http *h = http_check_url(o->where, err) ? NULL : http_open(&ho, err);
    http_close(h);
    return h ? 0 : err_context(err, "%s", o->name);
}

/* ---- who is asked, and how --------------------------------------------------------------------------------------- */

static char *find_identity(const TeacherOptions *o, Err *err)
{
    char model[SHA256_HEX], adapter[SHA256_HEX];
    if (teacher_is_server(o->where)) return xstrdup(o->where);
    if (hf_dir_digest(model, o->where, err)) return NULL;
    if (!o->engine.adapter) return xstrdup(model);
    return hf_dir_digest(adapter, o->engine.adapter, err) ? NULL : xasprintf("%s+%s", model, adapter);
}

static char *describe_how(const TeacherOptions *o, const char *identity)
{
    const GenerateOptions *g = &o->generate;
    const SamplerOptions *s = &g->sampling;
    Buf b = {0};
    buf_printf(&b, "%s%s\n%d %.17g", FORMAT, identity, g->max_new_tokens, s->temperature);
    if (s->temperature > 0) buf_printf(&b, " %.17g %llu", s->top_p, (unsigned long long)s->seed);
    if (teacher_is_server(o->where)) buf_printf(&b, "\n%s\n", o->model ? o->model : "");
    else
        buf_printf(&b, " %.17g %.17g %d\n%s %lld %lld %d\n", s->min_p, s->repetition_penalty, s->top_k,
                   dtype_name(o->engine.dtype), (long long)o->engine.min_pixels, (long long)o->engine.max_pixels,
                   (int)o->engine.decode_weights);
    return buf_take(&b);
}

Teacher *teacher_open(const TeacherOptions *o, Err *err)
{
    char *identity = find_identity(o, err);
    if (!identity) {
        err_context(err, "%s", o->name);
        return NULL;
    }
    Teacher *t = xcalloc(1, sizeof *t);
    *t = (Teacher){.o = *o, .identity = identity, .how = describe_how(o, identity), .fd = -1};
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void teacher_close(Teacher *t)
{
    if (!t) return;
    for (int i = 0; i < t->question.n; i++) {
        TeacherQuestion *q = &t->question.at[i];
        for (int d = 0; q->reply && d < t->o.generate.n; d++) free(q->reply[d].text);
        for (int k = 0; k < q->n_images; k++) free(q->image[k]);
        free(q->reply);
        free(q->image);
        free(q->text);
    }
    free(t->question.at);
    map_release(&t->by_key);
    if (t->fd >= 0) close(t->fd);
    pthread_mutex_destroy(&t->lock);
    free(t->identity);
    free(t->how);
    free(t);
}

const char *teacher_identity(const Teacher *t)
{
    return t->identity;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

/* The file that a picture lies in, and which of its pictures is meant. */
static int add_picture(Sha256 *s, const char *ref, Err *err)
{
    ImageRef r;
    FileMap m;
    if (image_ref_parse(&r, ref, err)) return -1;
    int rc = file_map(&m, r.path, err);
    if (rc == 0) {
        const char *view = ref + strlen(r.path);
        sha256_add(s, m.data, m.size);
        sha256_add(s, view, strlen(view) + 1);
        file_unmap(&m);
    }
    image_ref_release(&r);
    return rc;
}

static int find_key(TeacherQuestion *q, const Teacher *t, Err *err)
{
    Sha256 s;
    sha256_init(&s);
    sha256_add(&s, t->how, strlen(t->how) + 1);
    sha256_add(&s, q->text, strlen(q->text) + 1);
    for (int i = 0; i < q->n_images; i++)
        if (add_picture(&s, q->image[i], err)) return -1;
    sha256_hex(&s, q->key);
    return 0;
}

int teacher_ask(Teacher *t, const char *text, char *const *image, int n_images, Err *err)
{
    TeacherQuestion q = {.text = xstrdup(text), .n_images = n_images, .same_as = -1};
    q.image = xcalloc((size_t)n_images + 1, sizeof *q.image);
    for (int i = 0; i < n_images; i++) q.image[i] = xstrdup(image[i]);
    int rc = find_key(&q, t, err);
    int64_t same;
    if (rc == 0 && map_get_str(&t->by_key, q.key, &same)) {
        q.same_as = (int)same;
    } else if (rc == 0) {
        map_set_str(&t->by_key, q.key, t->question.n);
        q.reply = xcalloc((size_t)t->o.generate.n, sizeof *q.reply);
    }
    vec_push(&t->question, q);
    return rc ? err_context(err, "%s", t->o.name) : t->question.n - 1;
}

void teacher_quote(Buf *out, const char *text, size_t max_bytes)
{
    size_t n = strlen(text);
    if (n > max_bytes) n = utf8_complete(text, max_bytes);
    for (size_t i = 0; i < n; i++) {
        buf_byte(out, (unsigned char)text[i] < ' ' ? ' ' : (unsigned char)text[i]);
        if (text[i] == '<' && (text[i + 1] == '|' || !strncmp(text + i + 1, "image", 5))) buf_byte(out, ' ');
    }
}

const TeacherReply *teacher_reply(const Teacher *t, int question, int draw)
{
    const TeacherQuestion *q = &t->question.at[question];
    return &t->question.at[q->same_as < 0 ? question : q->same_as].reply[draw];
}

TeacherCount teacher_count(const Teacher *t)
{
    TeacherCount c = t->count;
    c.replies = t->by_key.n * t->o.generate.n;
    return c;
}

/* ---- the cache --------------------------------------------------------------------------------------------------- */

static void take_line(Teacher *t, const char *text, size_t n)
{
    Err why = {0};
    json_t *row = json_parse(text, n, &why);
    const char *key = NULL, *reply = NULL;
    int64_t i, draw = json_integer_value(json_object_get(row, "draw"));
    if (row && !json_get_str(row, "key", &key, true, &why) && !json_get_str(row, "reply", &reply, true, &why) &&
        map_get_str(&t->by_key, key, &i) && draw >= 0 && draw < t->o.generate.n) {
        TeacherReply *r = &t->question.at[i].reply[draw];
        const json_t *tokens = json_object_get(row, "tokens");
        if (!r->text) {
            *r = (TeacherReply){xstrdup(reply), json_is_integer(tokens) ? json_integer_value(tokens) : -1,
                                json_is_true(json_object_get(row, "cut"))};
            t->known++;
        }
    }
    json_decref(row);
}

/* Reads what was said before to the questions there are now; lines that are damaged count for nothing. */
static int read_cache(Teacher *t, Err *err)
{
    FileMap m = {0};
    if (t->fd < 0) t->fd = open(t->o.cache, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (t->fd < 0) return err_errno(err, "%s", t->o.cache);
    if (file_map(&m, t->o.cache, err)) return -1;
    const char *text = (const char *)m.data, *end = text + m.size;
    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end) line_end = end;
        take_line(t, text, (size_t)(line_end - text));
        text = line_end + 1;
    }
    bool torn = m.size && m.data[m.size - 1] != '\n';
    file_unmap(&m);
    return torn && write(t->fd, "\n", 1) != 1 ? err_errno(err, "%s", t->o.cache) : 0;
}

int teacher_take(Teacher *t, TeacherTask task, TeacherReply reply, Err *err)
{
    TeacherQuestion *q = &t->question.at[task.question];
    Buf line = {0};
    q->reply[task.draw] = (TeacherReply){xstrdup(reply.text), reply.tokens, reply.cut};
    buf_printf(&line, "{\"key\": \"%s\", \"draw\": %d, \"tokens\": %lld, \"cut\": %s, \"reply\": ", q->key, task.draw,
               (long long)reply.tokens, reply.cut ? "true" : "false");
    json_append_str(&line, reply.text, strlen(reply.text));
    buf_str(&line, "}\n");
    bool ok = write(t->fd, line.data, line.len) == (ssize_t)line.len;
    buf_release(&line);
    t->count.asked++;
    if (reply.tokens > 0) t->count.tokens += reply.tokens;
    progress_update(&t->progress, ++t->known, "%s", "");
    return ok ? 0 : err_errno(err, "%s", t->o.cache);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

bool teacher_next(Teacher *t, TeacherTask *task)
{
    for (; t->next.question < t->question.n; t->next = (TeacherTask){t->next.question + 1, 0}) {
        const TeacherQuestion *q = &t->question.at[t->next.question];
        while (q->same_as < 0 && t->next.draw < t->o.generate.n) {
            *task = t->next;
            t->next.draw++;
            if (!q->reply[task->draw].text) return true;
        }
    }
    return false;
}

int teacher_answer(Teacher *t, Err *err)
{
    if (read_cache(t, err)) return err_context(err, "%s", t->o.name);
    int64_t wanted = (int64_t)t->by_key.n * t->o.generate.n;
    if (t->known == wanted) return 0;
    t->next = (TeacherTask){0};
    progress_start_at(&t->progress, t->o.name, t->known, wanted, "answer");
    int rc = teacher_is_server(t->o.where) ? teacher_by_server(t, err) : teacher_by_folder(t, err);
    progress_end(&t->progress);
    return rc < 0 ? err_context(err, "%s", t->o.name) : rc;
}
