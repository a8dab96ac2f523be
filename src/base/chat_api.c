#include "base/chat_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static void write_request(Buf *b, const ChatApi *api, const char *text)
{
    buf_byte(b, '{');
    if (api->model) {
        buf_str(b, "\"model\": ");
        json_append_str(b, api->model, strlen(api->model));
        buf_str(b, ", ");
    }
    buf_str(b, "\"messages\": [{\"role\": \"user\", \"content\": ");
    json_append_str(b, text, strlen(text));
    buf_printf(b, "}], \"max_tokens\": %d, \"temperature\": 0}", api->max_tokens);
}

/* choices[0].message.content, borrowed from root; NULL with err where it is not there. */
static const char *find_content(const json_t *root, Err *err)
{
    const json_t *choices = NULL, *message = NULL;
    const char *content = NULL;
    if (!json_is_object(root)) {
        err_set(err, "expected an object, got %s", json_kind(root));
        return NULL;
    }
    if (json_get_array(root, "choices", &choices, true, err)) return NULL;
    const json_t *first = json_array_get(choices, 0);
    if (!json_is_object(first)) {
        err_set(err, "\"choices\" has no answer");
        return NULL;
    }
    if (json_get_object(first, "message", &message, true, err)) return NULL;
    if (json_is_null(json_object_get(message, "content"))) return ""; /* it ended before it said anything */
    return json_get_str(message, "content", &content, true, err) ? NULL : content;
}

int chat_api_ask(Buf *reply, Http *h, const ChatApi *api, const char *text, Err *err)
{
    static const char PATH[] = "/chat/completions";
    Buf body = {0}, got = {0};
    size_t n = strlen(api->url);
    while (n > 0 && api->url[n - 1] == '/') n--;
    char *base = xstrndup(api->url, n), *url = xasprintf("%s%s", base, str_ends_with(base, PATH) ? "" : PATH);
    write_request(&body, api, text);
    int rc = http_post(h, &got, url, body.data, body.len, err);
    if (rc == 0) {
        json_t *root = json_parse(got.data ? got.data : "", got.len, err);
        const char *content = root ? find_content(root, err) : NULL;
        buf_clear(reply);
        if (content) buf_str(reply, content);
        else rc = err_context(err, "%.200s: not the answer of a chat server", url);
        json_decref(root);
    }
    free(base);
    free(url);
    buf_release(&body);
    buf_release(&got);
    return rc;
}
