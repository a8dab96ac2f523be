/*
 * http.h - JSON sent to a server by HTTP or HTTPS, patiently.
 *
 *   HttpOptions o = HTTP_DEFAULTS;
 *   o.key = getenv("OSLER_API_KEY");
 *   Http *h = http_open(&o, err);
 *   Buf reply = {0};
 *   if (http_post(h, &reply, "https://host/v1/chat/completions", body, n, err)) ...
 *   http_close(h);
 *
 * A try that is answered with 408, 425, 429 or 5xx, or fails on the way (no connection, cut off, too slow), is
 * repeated: after wait_s, then twice as long each time, at most HTTP_WAIT_MAX_S; after as long as the server says where
 * it sends Retry-After.  Every other status is an error at once.
 *
 * What comes from the network is not trusted: a reply of more than max_bytes is an error, redirects are not followed,
 * nothing but http and https is spoken, replies are not unpacked, certificates are checked.  The key goes into the
 * Authorization header and nowhere else: messages show it as "***".  An address with a password in it is refused.
 *
 * An Http is used by one thread at a time and keeps its connection open between requests; threads have one each.
 * Without libcurl (CURL=0) http_open is an error.
 */
#ifndef OSLER_BASE_HTTP_H
#define OSLER_BASE_HTTP_H

#include <stdbool.h>

#include "base/buf.h"

enum { HTTP_WAIT_MAX_S = 60 };

typedef struct HttpOptions {
    const char *key;  /* borrowed; NULL or "": none */
    double timeout_s; /* of a try */
    double wait_s;    /* before the second one */
    int tries;
    size_t max_bytes;   /* of a reply */
    bool (*stop)(void); /* asked often: true ends the request with an error; NULL: never */
} HttpOptions;
#define HTTP_DEFAULTS                                                                                                  \
    {                                                                                                                  \
        .timeout_s = 120, .wait_s = 1, .tries = 6, .max_bytes = 8 << 20                                                \
    }

typedef struct Http Http;

Http *http_open(const HttpOptions *o, Err *err);
void http_close(Http *h); /* NULL is fine */

/* Whether a request may go there: http or https, a host, no password. */
int http_check_url(const char *url, Err *err);
/* Sends body [n] as application/json; the body of the reply, whose status is 2xx, replaces what *reply holds. */
int http_post(Http *h, Buf *reply, const char *url, const char *body, size_t n, Err *err);

#endif
