#include "train/tensorboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records and protocol buffers are little-endian");

uint32_t crc32c(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* TFRecord stores checksums rotated and shifted by a constant, so that a file of files has no odd ones. */
static uint32_t masked_crc(const void *bytes, size_t n)
{
    uint32_t crc = crc32c(bytes, n);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void add_record(Buf *out, const Buf *event)
{
    uint64_t n = event->len;
    uint32_t head = masked_crc(&n, sizeof n), body = masked_crc(event->data, event->len);
    buf_add(out, &n, sizeof n);
    buf_add(out, &head, sizeof head);
    buf_add(out, event->data, event->len);
    buf_add(out, &body, sizeof body);
}

/* ---- protocol buffers -------------------------------------------------------------------------------------------- */

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Field numbers of event.proto and summary.proto. */
enum {
    EVENT_WALL_TIME = 1,
    EVENT_STEP = 2,
    EVENT_FILE_VERSION = 3,
    EVENT_SUMMARY = 5,
    EVENT_SESSION_LOG = 7,
    SUMMARY_VALUE = 1,
    VALUE_TAG = 1,
    VALUE_SIMPLE = 2,
    SESSION_LOG_STATUS = 1,
    SESSION_START = 1
};

static void put_varint(Buf *b, uint64_t x)
{
    for (; x >= 0x80; x >>= 7) buf_byte(b, (unsigned char)(x | 0x80));
    buf_byte(b, (unsigned char)x);
}

static void put_key(Buf *b, int field, int wire)
{
    put_varint(b, (uint64_t)(field << 3 | wire));
}

static void put_bytes(Buf *b, int field, const void *bytes, size_t n)
{
    put_key(b, field, WIRE_BYTES);
    put_varint(b, n);
    buf_add(b, bytes, n);
}

/* Begins an Event: when, and at which step. */
static Buf *begin_event(TensorBoard *tb, int64_t step)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    Buf *b = &tb->event;
    buf_clear(b);
    put_key(b, EVENT_WALL_TIME, WIRE_64);
    buf_add(b, &seconds, sizeof seconds);
    put_key(b, EVENT_STEP, WIRE_VARINT);
    put_varint(b, (uint64_t)step);
    return b;
}

void tb_restart(TensorBoard *tb, int64_t step)
{
    const unsigned char start[] = {SESSION_LOG_STATUS << 3 | WIRE_VARINT, SESSION_START};
    Buf *b = begin_event(tb, step);
    put_bytes(b, EVENT_SESSION_LOG, start, sizeof start);
    add_record(&tb->pending, b);
}

void tb_scalar(TensorBoard *tb, int64_t step, const char *tag, double value)
{
    Buf inner = {0}, summary = {0};
    float f = (float)value;
    put_bytes(&inner, VALUE_TAG, tag, strlen(tag));
    put_key(&inner, VALUE_SIMPLE, WIRE_32);
    buf_add(&inner, &f, sizeof f);
    put_bytes(&summary, SUMMARY_VALUE, inner.data, inner.len);
    Buf *b = begin_event(tb, step);
    put_bytes(b, EVENT_SUMMARY, summary.data, summary.len);
    add_record(&tb->pending, b);
    buf_release(&inner);
    buf_release(&summary);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* A name that is new, also where a run starts twice within a second. */
static int create_file(TensorBoard *tb, const char *dir, Err *err)
{
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    long long seconds = (long long)time(NULL);
    for (int k = 0;; k++) {
        char *name = xasprintf("events.out.tfevents.%010lld.%s.%ld", seconds + k, host, (long)getpid());
        tb->path = path_join(dir, name);
        free(name);
        tb->fd = open(tb->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
        if (tb->fd >= 0) return 0;
        if (errno != EEXIST) return err_errno(err, "%s: cannot write", tb->path);
        free(tb->path);
    }
}

int tb_open(TensorBoard *tb, const char *dir, Err *err)
{
    static const char VERSION[] = "brain.Event:2";
    *tb = (TensorBoard){.fd = -1};
    if (dir_create(dir, err) || create_file(tb, dir, err)) {
        tb_close(tb);
        return -1;
    }
    Buf *b = begin_event(tb, 0);
    put_bytes(b, EVENT_FILE_VERSION, VERSION, strlen(VERSION));
    add_record(&tb->pending, b);
    return tb_flush(tb, err);
}

/* Readers stop for good at half a record, so one that could not be written whole is taken back. */
int tb_flush(TensorBoard *tb, Err *err)
{
    int rc = 0;
    for (size_t done = 0; done < tb->pending.len && rc == 0;) {
        ssize_t n = write(tb->fd, tb->pending.data + done, tb->pending.len - done);
        if (n >= 0) done += (size_t)n;
        else if (errno != EINTR) rc = err_errno(err, "%s: cannot write", tb->path);
    }
    if (rc == 0) tb->size += (int64_t)tb->pending.len;
    else if (ftruncate(tb->fd, tb->size)) err_hint(err, "the file ends in half a record now: TensorBoard stops there");
    buf_clear(&tb->pending);
    return rc;
}

void tb_close(TensorBoard *tb)
{
    Err ignored = {0};
    if (tb->fd >= 0 && tb->path) {
        tb_flush(tb, &ignored);
        close(tb->fd);
    }
    free(tb->path);
    buf_release(&tb->pending);
    buf_release(&tb->event);
    *tb = (TensorBoard){.fd = -1};
}
