#include "train/train_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

/* Bytes of the first `keep` whole lines; *lines = how many there are. */
static size_t kept_bytes(const FileMap *m, int64_t keep, int64_t *lines)
{
    size_t end = 0;
    *lines = 0;
    while (*lines < keep && end < m->size) {
        const unsigned char *nl = memchr(m->data + end, '\n', m->size - end);
        if (!nl) break;
        end = (size_t)(nl - m->data) + 1;
        ++*lines;
    }
    return end;
}

static int cut_file(TrainLog *l, int64_t keep, Err *err)
{
    FileMap m;
    if (!file_exists(l->path)) return keep ? err_set(err, "%s is gone", l->path) : 0;
    if (file_map(&m, l->path, err)) return -1;
    size_t bytes = kept_bytes(&m, keep, &l->lines);
    int rc = bytes == m.size ? 0 : file_save(l->path, m.data, bytes, err);
    file_unmap(&m);
    return rc;
}

int train_log_open(TrainLog *l, const char *dir, int64_t keep, int64_t step, Err *err)
{
    *l = (TrainLog){.path = path_join(dir, "trainer_log.jsonl"), .fd = -1};
    Err lost = {0};
    if (cut_file(l, keep, &lost)) {
        if (file_exists(l->path)) return err_set(err, "%s", lost.msg);
        log_warn("%s; the log begins again here", lost.msg);
    }
    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (l->fd < 0) return err_errno(err, "%s", l->path);
    if (tb_open(&l->board, dir, err)) return -1;
    if (step > 0) tb_restart(&l->board, step + 1);
    return 0;
}

static int append(TrainLog *l, const char *p, size_t n, Err *err)
{
    while (n > 0) {
        ssize_t k = write(l->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_errno(err, "%s: cannot write", l->path);
        p += k, n -= (size_t)k;
    }
    return 0;
}

/* "loss" becomes "train/loss", "eval_loss" "eval/loss". */
static void send_to_board(TrainLog *l, int64_t step, const json_t *line)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)line, key, v)
    {
        if (!json_is_number(v) || !strcmp(key, "step")) continue;
        bool eval = !strncmp(key, "eval_", 5);
        char *tag = xasprintf("%s/%s", eval ? "eval" : "train", eval ? key + 5 : key);
        tb_scalar(&l->board, step, tag, json_number_value(v));
        free(tag);
    }
}

int train_log_write(TrainLog *l, int64_t step, json_t *line, Err *err)
{
    CHECK(line, "a log line at step %lld that jansson cannot hold", (long long)step);
    /* nine digits tell any two f32 apart */
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9)), *with_end = xasprintf("%s\n", text);
    int rc = append(l, with_end, strlen(with_end), err);
    l->lines += rc == 0;
    if (rc == 0) send_to_board(l, step, line);
    if (rc == 0) rc = tb_flush(&l->board, err);
    free(with_end);
    free(text);
    json_decref(line);
    return rc;
}

int train_log_sync(TrainLog *l, Err *err)
{
    return fsync(l->fd) && errno != EINVAL ? err_errno(err, "%s: cannot write", l->path) : 0;
}

void train_log_close(TrainLog *l)
{
    tb_close(&l->board);
    if (l->fd >= 0) close(l->fd);
    free(l->path);
    *l = (TrainLog){.fd = -1};
}
