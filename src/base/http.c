#include "base/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

int http_check_url(const char *url, Err *err)
{
    size_t scheme = !strncasecmp(url, "http://", 7) ? 7 : !strncasecmp(url, "https://", 8) ? 8 : 0;
    const char *host = url + scheme;
    size_t n = strcspn(host, "/?#");
    if (!scheme || n == 0) {
        err_set(err, "\"%.200s\" is no address of a server", scheme ? url : "it");
        return err_hint(err, "it begins with http:// or https:// and a host's name");
    }
    for (const char *s = url; *s; s++)
        if (!isgraph((unsigned char)*s)) return err_set(err, "an address may not have blanks or control characters");
    if (!memchr(host, '@', n)) return 0;
    err_set(err, "an address may not hold a name and a password");
    return err_hint(err, "give the key in the environment variable OSLER_API_KEY");
}

#if HAVE_CURL

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/progress.h"

struct Http {
    HttpOptions o;
    CURL *curl;
    struct curl_slist *header;
    char why[CURL_ERROR_SIZE];
    Buf *reply; /* of the request that is on */
    bool too_long;
};

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    Http *h = arg;
    size_t total = size * n;
    h->too_long = total > h->o.max_bytes - h->reply->len;
    if (h->too_long) return 0;
    buf_add(h->reply, bytes, total);
    return total;
}

static int look_for_stop(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    const Http *h = arg;
    return h->o.stop && h->o.stop();
}

/* Appends a header line; the list is a copy of it. */
static void add_header(Http *h, const char *line)
{
    struct curl_slist *list = curl_slist_append(h->header, line);
    CHECK(list, "out of memory");
    h->header = list;
}

static void set_up(Http *h)
{
    CURL *c = h->curl;
    add_header(h, "Content-Type: application/json");
    add_header(h, "Expect:"); /* no waiting for "100 Continue" */
    if (h->o.key && *h->o.key) {
        char *line = xasprintf("Authorization: Bearer %s", h->o.key);
        add_header(h, line);
        free(line);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->header);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "osler/" OSLER_VERSION);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->why);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(1000 * h->o.timeout_s));
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * h->o.timeout_s));
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, look_for_stop);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

Http *http_open(const HttpOptions *o, Err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    for (const char *s = o->key; s && *s; s++)
        if (!isgraph((unsigned char)*s)) {
            err_set(err, "the key holds blanks or control characters");
            return NULL;
        }
    Http *h = xcalloc(1, sizeof *h);
    h->o = *o;
    h->curl = curl_easy_init();
    CHECK(h->curl, "curl_easy_init failed");
    set_up(h);
    return h;
}

void http_close(Http *h)
{
    if (!h) return;
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->header);
    free(h);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* The begin of what the server said, on one line and without the key. */
static void add_excerpt(Buf *out, const Http *h, const char *text, size_t n)
{
    size_t key = h->o.key ? strlen(h->o.key) : 0, limit = out->len + 300;
    for (size_t i = 0; i < n && out->len < limit;) {
        if (key && n - i >= key && !memcmp(text + i, h->o.key, key)) {
            buf_str(out, "***");
            i += key;
            continue;
        }
        unsigned char c = (unsigned char)text[i++];
        buf_byte(out, c < 32 || c == 127 ? ' ' : c);
    }
}

typedef enum Outcome { DONE, AGAIN, FAILED } Outcome;

static Outcome judge_status(const Http *h, const char *url, long status, Err *err)
{
    if (status >= 200 && status < 300) return DONE;
    Buf said = {0};
    if (h->reply->len) add_excerpt(&said, h, h->reply->data, h->reply->len);
    err_set(err, "%.200s: status %ld%s%s", url, status, said.len ? ": " : "", said.len ? said.data : "");
    buf_release(&said);
    if (status == 401 || status == 403) err_hint(err, "the key is read from the environment variable OSLER_API_KEY");
    if (status == 404) err_hint(err, "the address is that of the API, as in https://api.openai.com/v1");
    return status == 408 || status == 425 || status == 429 || status >= 500 ? AGAIN : FAILED;
}

static Outcome try_once(Http *h, const char *url, Err *err)
{
    long status = 0;
    err_clear(err);
    buf_clear(h->reply);
    h->too_long = false;
    h->why[0] = 0;
    CURLcode rc = curl_easy_perform(h->curl);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK) return judge_status(h, url, status, err);
    if (rc == CURLE_ABORTED_BY_CALLBACK) err_set(err, "stopped");
    else if (h->too_long) err_set(err, "%.200s: the reply is longer than %zu bytes", url, h->o.max_bytes);
    else err_set(err, "%.200s: %s", url, h->why[0] ? h->why : curl_easy_strerror(rc));
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return AGAIN;
    default: return FAILED;
    }
}

/* False where `stop` ends it. */
static bool wait_for(const Http *h, double seconds)
{
    static const struct timespec nap = {0, 20000000};
    for (double end = now_seconds() + seconds; now_seconds() < end;) {
        if (h->o.stop && h->o.stop()) return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

int http_post(Http *h, Buf *reply, const char *url, const char *body, size_t n, Err *err)
{
    if (http_check_url(url, err)) return -1;
    h->reply = reply;
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body);
    double wait = h->o.wait_s;
    for (int left = h->o.tries;; left--) {
        Err why = {0};
        Outcome outcome = try_once(h, url, &why);
        if (outcome == DONE) return 0;
        if (outcome == FAILED || left <= 1) {
            err_set(err, "%s", why.msg);
            if (outcome == AGAIN) err_context(err, "after %d tries", h->o.tries);
            if (why.hint[0]) err_hint(err, "%s", why.hint);
            return -1;
        }
        curl_off_t asked = 0;
        curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &asked);
        double pause = asked > 0 ? (double)asked : wait;
        if (pause > HTTP_WAIT_MAX_S) pause = HTTP_WAIT_MAX_S;
        log_debug("%s; again in %.1f s", why.msg, pause);
        if (!wait_for(h, pause)) return err_set(err, "stopped");
        wait *= 2;
    }
}

#else

Http *http_open(const HttpOptions *o, Err *err)
{
    (void)o;
    err_set(err, "this build cannot speak to servers: libcurl is missing");
    err_hint(err, "install libcurl4-openssl-dev and build again, or use a local model");
    return NULL;
}

void http_close(Http *h)
{
    (void)h;
}

int http_post(Http *h, Buf *reply, const char *url, const char *body, size_t n, Err *err)
{
    (void)h, (void)reply, (void)url, (void)body, (void)n;
    return err_set(err, "this build cannot speak to servers: libcurl is missing");
}

#endif
