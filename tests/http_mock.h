/*
 * http_mock.h - a server of a few lines on a local port, for the tests of what speaks to servers.
 *
 *   HttpMock m;
 *   mock_start(&m, answer, &state);          answer(arg, request number, body) -> the bytes to send, or NULL: hang up
 *   ... m.url ...                            "http://127.0.0.1:PORT/v1"
 *   mock_stop(&m);
 *
 * One thread takes one request after the other and closes each connection.  The bytes are freed by the mock.
 */
#ifndef OSLER_TESTS_HTTP_MOCK_H
#define OSLER_TESTS_HTTP_MOCK_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"

typedef struct HttpMock {
    int fd, wake[2];
    char url[64];
    pthread_t thread;
    char *(*answer)(void *arg, int request, const char *head, const char *body);
    void *arg;
    int requests;
} HttpMock;

/* A reply with a status line, more headers (each with its line end) and a body. */
static inline char *mock_reply(const char *status, const char *headers, const char *body)
{
    return xasprintf(
        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s", status,
        strlen(body), headers, body);
}

/* What a chat server says. */
static inline char *mock_chat(const char *text)
{
    Buf b = {0};
    buf_str(&b, "{\"id\": \"x\", \"choices\": [{\"index\": 0, \"message\": {\"role\": \"assistant\", \"content\": ");
    json_append_str(&b, text, strlen(text));
    buf_str(&b, "}, \"finish_reason\": \"stop\"}]}");
    char *reply = mock_reply("200 OK", "", b.data);
    buf_release(&b);
    return reply;
}

/* The whole request, head and body; NULL where the client went away. */
static inline char *mock_read(int fd)
{
    Buf b = {0};
    char piece[4096];
    for (;;) {
        const char *end = b.data ? strstr(b.data, "\r\n\r\n") : NULL;
        const char *length = end ? strcasestr(b.data, "content-length:") : NULL;
        if (end && b.len >= (size_t)(end + 4 - b.data) + (size_t)(length ? atoll(length + 15) : 0)) return buf_take(&b);
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0) break;
        buf_add(&b, piece, (size_t)n);
    }
    buf_release(&b);
    return NULL;
}

static inline void mock_serve(HttpMock *m, int fd)
{
    char *request = mock_read(fd);
    if (request) {
        char *body = strstr(request, "\r\n\r\n");
        *body = 0;
        char *reply = m->answer(m->arg, m->requests++, request, body + 4);
        for (size_t at = 0, n = reply ? strlen(reply) : 0; at < n;) {
            ssize_t k = send(fd, reply + at, n - at, MSG_NOSIGNAL);
            if (k <= 0) break;
            at += (size_t)k;
        }
        free(reply);
    }
    free(request);
    close(fd);
}

static inline void *mock_run(void *arg)
{
    HttpMock *m = arg;
    struct pollfd p[2] = {{.fd = m->fd, .events = POLLIN}, {.fd = m->wake[0], .events = POLLIN}};
    while (poll(p, 2, -1) > 0 && !p[1].revents)
        if (p[0].revents) mock_serve(m, accept(m->fd, NULL, NULL));
    return NULL;
}

static inline void mock_start(HttpMock *m, char *(*answer)(void *, int, const char *, const char *), void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *m = (HttpMock){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .answer = answer, .arg = arg};
    CHECK(m->fd >= 0 && !bind(m->fd, (struct sockaddr *)&a, n) && !listen(m->fd, 64) &&
              !getsockname(m->fd, (struct sockaddr *)&a, &n) && !pipe(m->wake),
          "no local port");
    snprintf(m->url, sizeof m->url, "http://127.0.0.1:%d/v1", ntohs(a.sin_port));
    unsetenv("http_proxy");
    CHECK(pthread_create(&m->thread, NULL, mock_run, m) == 0, "no thread");
}

static inline void mock_stop(HttpMock *m)
{
    CHECK(write(m->wake[1], "", 1) == 1, "no pipe");
    pthread_join(m->thread, NULL);
    close(m->fd);
    close(m->wake[0]);
    close(m->wake[1]);
}

#endif
