#include "base/chat_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static void write_part(Buf *b, const ChatPart *p)
{
    const char *value = p->text ? p->text : p->image;
    buf_str(b, p->text ? "{\"type\": \"text\", \"text\": " : "{\"type\": \"image_url\", \"image_url\": {\"url\": ");
    json_append_str(b, value, strlen(value));
    buf_str(b, p->text ? "}" : "}}");
}

static void write_content(Buf *b, const ChatPart *part, int n)
{
    if (n == 1 && part->text) {
        json_append_str(b, part->text, strlen(part->text));
        return;
    }
    for (int i = 0; i < n; i++) {
        buf_str(b, i ? ", " : "[");
        write_part(b, &part[i]);
    }
    buf_byte(b, ']');
}

static void write_request(Buf *b, const ChatApi *api, const ChatPart *part, int n, uint64_t seed)
{
    buf_byte(b, '{');
    if (api->model) {
        buf_str(b, "\"model\": ");
        json_append_str(b, api->model, strlen(api->model));
        buf_str(b, ", ");
    }
    buf_str(b, "\"messages\": [{\"role\": \"user\", \"content\": ");
    write_content(b, part, n);
    buf_printf(b, "}], \"max_tokens\": %d, \"temperature\": ", api->max_tokens);
    buf_real(b, api->temperature);
    if (api->temperature > 0) {
        buf_str(b, ", \"top_p\": ");
        buf_real(b, api->top_p);
        buf_printf(b, ", \"seed\": %lld", (long long)(seed & INT32_MAX));
    }
    buf_byte(b, '}');
}

/* choices[0] and its message.content, borrowed from root; NULL with err where it is not there. */
static const char *find_content(const json_t **choice, const json_t *root, Err *err)
{
    const json_t *choices = NULL, *message = NULL;
    const char *content = NULL;
    if (!json_is_object(root)) {
        err_set(err, "expected an object, got %s", json_kind(root));
        return NULL;
    }
    if (json_get_array(root, "choices", &choices, true, err)) return NULL;
    *choice = json_array_get(choices, 0);
    if (!json_is_object(*choice)) {
        err_set(err, "\"choices\" has no answer");
        return NULL;
    }
    if (json_get_object(*choice, "message", &message, true, err)) return NULL;
    if (json_is_null(json_object_get(message, "content"))) return ""; /* it ended before it said anything */
    return json_get_str(message, "content", &content, true, err) ? NULL : content;
}

static int64_t count_of(const json_t *root, const char *name)
{
    const json_t *n = json_object_get(json_object_get(root, "usage"), name);
    return json_is_integer(n) && json_integer_value(n) >= 0 ? json_integer_value(n) : -1;
}

static int read_reply(ChatReply *reply, const char *body, size_t n, Err *err)
{
    json_t *root = json_parse(body, n, err);
    const json_t *choice = NULL;
    const char *content = root ? find_content(&choice, root, err) : NULL;
    buf_clear(&reply->text);
    if (content) {
        const char *ending = json_string_value(json_object_get(choice, "finish_reason"));
        buf_str(&reply->text, content);
        reply->cut = ending && !strcmp(ending, "length");
        reply->prompt_tokens = count_of(root, "prompt_tokens");
        reply->tokens = count_of(root, "completion_tokens");
    }
    json_decref(root);
    return content ? 0 : -1;
}

void chat_reply_release(ChatReply *r)
{
    buf_release(&r->text);
    *r = (ChatReply){0};
}

int chat_api_ask(ChatReply *reply, Http *h, const ChatApi *api, const ChatPart *part, int n, uint64_t seed, Err *err)
{
    static const char PATH[] = "/chat/completions";
    Buf body = {0}, got = {0};
    size_t length = strlen(api->url);
    while (length > 0 && api->url[length - 1] == '/') length--;
    char *base = xstrndup(api->url, length), *url = xasprintf("%s%s", base, str_ends_with(base, PATH) ? "" : PATH);
    write_request(&body, api, part, n, seed);
    int rc = http_post(h, &got, url, body.data, body.len, err);
    if (rc == 0) {
        reply->sent = (int64_t)body.len;
        reply->received = (int64_t)got.len;
        rc = read_reply(reply, got.data ? got.data : "", got.len, err);
        if (rc) err_context(err, "%.200s: not the answer of a chat server", url);
    }
    free(base);
    free(url);
    buf_release(&body);
    buf_release(&got);
    return rc;
}
