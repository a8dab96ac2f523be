#include "eval/answer_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/progress.h"

static const char NAME[] = "answers.partial.jsonl";

static void append_value(Buf *b, const json_t *v)
{
    if (json_is_real(v)) buf_real(b, json_real_value(v));
    else json_append(b, v);
}

void answer_header_append(Buf *b, const json_t *header)
{
    const char *key, *between = "{";
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)header, key, value)
    {
        buf_printf(b, "%s\"%s\": ", between, key);
        append_value(b, value);
        between = ", ";
    }
    buf_byte(b, '}');
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The static text that a finish_reason is; NULL where it is none. */
static const char *finish_reason(const char *name)
{
    static const char *const REASON[] = {"stop", "length", "cancelled"};
    for (size_t i = 0; name && i < sizeof REASON / sizeof *REASON; i++)
        if (!strcmp(name, REASON[i])) return REASON[i];
    return NULL;
}

/* Takes a line's answer in; false where it is none of this run's. */
static bool take_line(AnswerStore *s, const char *text, size_t n)
{
    Err why = {0};
    json_t *row = json_parse(text, n, &why);
    const char *id = NULL, *response = NULL, *finish = NULL;
    int draw = -1, tokens = 0;
    int64_t item = -1;
    bool forced = false;
    bool ok = row && !json_get_str(row, "id", &id, true, &why) && !json_get_int(row, "draw", &draw, true, &why) &&
              !json_get_str(row, "response", &response, true, &why) &&
              !json_get_str(row, "finish_reason", &finish, true, &why) &&
              !json_get_int(row, "tokens", &tokens, true, &why) && !json_get_bool(row, "forced", &forced, true, &why) &&
              finish_reason(finish) && map_get_str(&s->run->by_id, id, &item) && draw >= 0 && draw < s->n;
    if (ok && !answer_store_has(s, (int)item, draw)) {
        *answer_store_get(s, (int)item, draw) = (GivenAnswer){xstrdup(response), tokens, finish_reason(finish), forced};
        s->given++;
    }
    json_decref(row);
    return ok;
}

/* Reads the answers behind the header; the bytes that are sound, header and all. */
static size_t take_lines(AnswerStore *s, const char *text, size_t n, size_t at)
{
    while (at < n) {
        const char *end = memchr(text + at, '\n', n - at);
        if (!end || !take_line(s, text + at, (size_t)(end - text) - at)) break;
        at = (size_t)(end - text) + 1;
    }
    return at;
}

/* Names the first option in which two headers differ. */
static int other_run(const char *path, const json_t *mine, const char *line, size_t n, Err *err)
{
    Err why = {0};
    json_t *old = json_parse(line, n, &why), *value;
    const char *key;
    Buf a = {0}, b = {0};
    err_set(err, "%s was begun with other options", path);
    json_object_foreach((json_t *)(uintptr_t)mine, key, value)
    {
        json_t *before = json_object_get(old, key);
        if (json_equal(before, value) || err->hint[0]) continue;
        if (before) append_value(&a, before);
        append_value(&b, value);
        err_hint(err,
                 "\"%s\" was %.80s and is now %.80s; repeat the first command, take another --out, or begin anew "
                 "with --overwrite",
                 key, a.data ? a.data : "not there", b.data);
    }
    err_hint(err, "repeat the first command, take another --out, or begin anew with --overwrite");
    buf_release(&a);
    buf_release(&b);
    json_decref(old);
    return -1;
}

/* Reads what is there: *keep is the number of bytes to go on after, 0 where there is no whole header. */
static int read_store(AnswerStore *s, size_t *keep, const json_t *header, const Buf *line, Err *err)
{
    FileMap m = {0};
    *keep = 0;
    if (file_map(&m, s->path, err)) return -1;
    const char *text = (const char *)m.data, *end = m.size ? memchr(text, '\n', m.size) : NULL;
    int rc = 0;
    if (end) {
        size_t n = (size_t)(end - text);
        if (n + 1 == line->len && !memcmp(text, line->data, n)) *keep = take_lines(s, text, m.size, n + 1);
        else rc = other_run(s->path, header, text, n, err);
    }
    /* A line without its end is what a killed run leaves; anything else is damage. */
    if (rc == 0 && end && *keep < m.size && memchr(text + *keep, '\n', m.size - *keep))
        log_warn("%s: what follows byte %zu is damaged, and answered again", s->path, *keep);
    file_unmap(&m);
    return rc;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int write_line(AnswerStore *s, Err *err)
{
    for (size_t at = 0; at < s->line.len;) {
        ssize_t k = write(s->fd, s->line.data + at, s->line.len - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_errno(err, "%s", s->path);
        at += (size_t)k;
    }
    double now = now_seconds();
    if (now - s->synced < STORE_SYNC_SECONDS) return 0;
    s->synced = now;
    return fsync(s->fd) ? err_errno(err, "%s", s->path) : 0;
}

int answer_store_add(AnswerStore *s, int item, int draw, GivenAnswer a, Err *err)
{
    const char *id = s->run->item.at[item].id;
    *answer_store_get(s, item, draw) = a;
    s->given++;
    buf_clear(&s->line);
    buf_str(&s->line, "{\"id\": ");
    json_append_str(&s->line, id, strlen(id));
    buf_printf(&s->line, ", \"draw\": %d, \"response\": ", draw);
    json_append_str(&s->line, a.text, strlen(a.text));
    buf_printf(&s->line, ", \"tokens\": %d, \"finish_reason\": \"%s\", \"forced\": %s}\n", a.tokens, a.finish_reason,
               a.forced ? "true" : "false");
    return write_line(s, err);
}

static int take_file(AnswerStore *s, const char *dir, Err *err)
{
    s->fd = open(s->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (s->fd < 0) return err_errno(err, "%s", s->path);
    if (flock(s->fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return err_errno(err, "%s", s->path);
    err_set(err, "another run is writing to %s", dir);
    return err_hint(err, "wait for it, stop it, or give another --out");
}

int answer_store_open(AnswerStore *s, const char *dir, const json_t *header, const EvalRun *run, int n, bool overwrite,
                      Err *err)
{
    size_t keep = 0;
    *s = (AnswerStore){.run = run, .n = n, .fd = -1, .synced = now_seconds()};
    if (dir_create(dir, err)) return -1;
    s->path = path_join(dir, NAME);
    s->at = xcalloc((size_t)run->item.n * (size_t)n + 1, sizeof *s->at);
    answer_header_append(&s->line, header);
    buf_byte(&s->line, '\n');
    int rc = take_file(s, dir, err);
    if (rc == 0 && !overwrite) rc = read_store(s, &keep, header, &s->line, err);
    if (rc == 0 && ftruncate(s->fd, (off_t)keep)) rc = err_errno(err, "%s", s->path);
    if (rc == 0 && keep == 0) rc = write_line(s, err);
    s->resumed = s->given;
    if (rc) answer_store_close(s, false, err);
    return rc;
}

int answer_store_close(AnswerStore *s, bool finished, Err *err)
{
    int rc = 0;
    if (finished && unlink(s->path)) rc = err_errno(err, "%s", s->path);
    if (!finished && s->fd >= 0 && fsync(s->fd)) rc = err_errno(err, "%s", s->path);
    if (s->fd >= 0) close(s->fd);
    for (int64_t i = 0; i < (int64_t)s->run->item.n * s->n; i++) free(s->at[i].text);
    free(s->at);
    free(s->path);
    buf_release(&s->line);
    *s = (AnswerStore){.fd = -1};
    return rc;
}
