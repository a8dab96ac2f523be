#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define IM_START     "<|im_start|>"
#define IM_END       "<|im_end|>"
#define VISION_START "<|vision_start|>"
#define VISION_END   "<|vision_end|>"
#define IMAGE_PAD    "<|image_pad|>"
#define VIDEO_PAD    "<|video_pad|>"
#define ASSISTANT    "assistant"

/* ---- the model's side ---- */

int chat_tokens(ChatTokens *c, const Tokenizer *t, Err *err)
{
    const struct {
        const char *name;
        int *id;
    } need[] = {{IM_START, &c->im_start},     {IM_END, &c->im_end},       {VISION_START, &c->vision_start},
                {VISION_END, &c->vision_end}, {IMAGE_PAD, &c->image_pad}, {VIDEO_PAD, &c->video_pad}};
    for (size_t i = 0; i < sizeof need / sizeof *need; i++) {
        *need[i].id = tokenizer_id(t, need[i].name);
        if (*need[i].id >= 0) continue;
        err_set(err, "the tokenizer has no token %s", need[i].name);
        return err_hint(err,
                        "conversations are written in ChatML as Qwen2.5-VL has it; this model's format is another");
    }
    return 0;
}

/* A template is a string or a list of {"name", "template"}; all of them must be ChatML. */
static int check_template(const json_t *v, const char *path, Err *err)
{
    if (json_is_object(v)) v = json_object_get(v, "template");
    for (size_t i = 0; i < json_array_size(v); i++)
        if (check_template(json_array_get(v, i), path, err)) return -1;
    if (!json_is_string(v) || strstr(json_string_value(v), IM_START)) return 0;
    err_set(err, "%s: the chat template is not ChatML: it never writes " IM_START, path);
    return err_hint(err, "only models that speak ChatML as Qwen2.5-VL does are supported");
}

int chat_check_template(const char *model_dir, Err *err)
{
    static const char *const names[] = {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"};
    enum { MAX_BYTES = 64 << 20 };
    int rc = 0;
    for (int i = 0; i < 3 && !rc; i++) {
        char *path = path_join(model_dir, names[i]);
        json_t *v = NULL;
        Buf text = {0};
        if (!file_exists(path)) rc = 0;
        else if (i > 0) rc = (v = json_load_path(path, MAX_BYTES, err)) ? 0 : -1;
        else if (!(rc = file_read(&text, path, MAX_BYTES, err))) v = json_stringn_nocheck(text.data, text.len);
        if (!rc) rc = check_template(i ? json_object_get(v, "chat_template") : v, path, err);
        json_decref(v);
        buf_release(&text);
        free(path);
    }
    return rc;
}

/* ---- rendering ---- */

typedef struct Span {
    int begin, end;
} Span;

typedef struct Render {
    Buf text;
    VEC(Span) message; /* in the text, one per message given */
    VEC(Span) target;
    VEC(Span) image; /* from vision_start to behind vision_end */
    int prompt_end;  /* where the first target's body starts; -1 */
    const int *image_tokens;
} Render;

static void render_body(Render *r, const char *content)
{
    for (const char *marker; (marker = strstr(content, IMAGE_MARKER)); content = marker + strlen(IMAGE_MARKER)) {
        buf_add(&r->text, content, (size_t)(marker - content));
        Span s = {(int)r->text.len, 0};
        buf_str(&r->text, VISION_START);
        for (int k = 0; k < r->image_tokens[r->image.n]; k++) buf_str(&r->text, IMAGE_PAD);
        buf_str(&r->text, VISION_END);
        s.end = (int)r->text.len;
        vec_push(&r->image, s);
    }
    buf_str(&r->text, content);
}

static void render_message(Render *r, const char *role, const char *content, bool target)
{
    buf_printf(&r->text, IM_START "%s\n", role);
    Span s = {(int)r->text.len, 0};
    render_body(r, content);
    buf_str(&r->text, IM_END);
    s.end = (int)r->text.len;
    if (target && r->prompt_end < 0) r->prompt_end = s.begin;
    if (target) vec_push(&r->target, s);
    buf_str(&r->text, "\n");
}

static int check_messages(const Message *m, int n, const int *image_tokens, int n_images, Err *err)
{
    size_t bytes = 0;
    if (n == 0) return err_set(err, "a conversation without messages");
    for (int i = 0; i < n; i++) {
        bytes += strlen(m[i].content);
        if (!strcmp(m[i].role, "system") || !strcmp(m[i].role, "user") || !strcmp(m[i].role, ASSISTANT)) continue;
        err_set(err, "message %d: role \"%s\" is not supported", i + 1, m[i].role);
        return err_hint(err, "roles are system, user and assistant");
    }
    int markers = chat_count_images(m, n);
    if (markers != n_images) {
        err_set(err, "%d " IMAGE_MARKER " marker%s but %d image%s", markers, markers == 1 ? "" : "s", n_images,
                n_images == 1 ? "" : "s");
        return err_hint(err, "write " IMAGE_MARKER " once for every image, where it belongs");
    }
    for (int k = 0; k < n_images; k++) {
        CHECK(image_tokens[k] > 0, "image %d has %d tokens", k, image_tokens[k]);
        bytes += (size_t)image_tokens[k] * strlen(IMAGE_PAD);
    }
    if (bytes > TEXT_MAX_BYTES / 2) return err_set(err, "a conversation of %zu bytes is too long", bytes);
    return 0;
}

static void render_text(Render *r, const Message *m, int n, bool generate)
{
    if (strcmp(m[0].role, "system")) render_message(r, "system", DEFAULT_SYSTEM, false);
    for (int i = 0; i < n; i++) {
        bool assistant = !strcmp(m[i].role, ASSISTANT);
        if (generate && assistant) break;
        Span s = {(int)r->text.len, 0};
        render_message(r, m[i].role, m[i].content, assistant && m[i].loss);
        s.end = (int)r->text.len;
        vec_push(&r->message, s);
    }
    if (generate) buf_str(&r->text, IM_START ASSISTANT "\n");
}

/* ---- from the text to tokens ---- */

static int stray_token(const Render *r, const Tokenizer *t, const Message *m, int id, int at, Err *err)
{
    Buf name = {0};
    int i = 0;
    while (i + 1 < r->message.n && at >= r->message.at[i].end) i++;
    tokenizer_decode(t, &id, 1, false, &name);
    err_set(err, "message %d (%s): %s stands in the text", i + 1, m[i].role, name.data);
    buf_release(&name);
    return err_hint(err, "write " IMAGE_MARKER " where an image belongs; its tokens are put there by themselves");
}

/* Finds every image's first pad; image and video tokens may stand nowhere else. */
static int locate_images(Rendered *out, const Render *r, const Tokenizer *t, const TokenList *l, const Message *m,
                         Err *err)
{
    ChatTokens c;
    if (chat_tokens(&c, t, err)) return -1;
    out->n_images = r->image.n;
    out->image_at = xmalloc((size_t)(r->image.n + 1) * sizeof *out->image_at);
    int k = 0, pads = 0;
    for (int i = 0; i < l->n; i++) {
        int id = l->id[i];
        if (id != c.vision_start && id != c.vision_end && id != c.image_pad && id != c.video_pad) continue;
        if (k == r->image.n || l->begin[i] < r->image.at[k].begin || id == c.video_pad)
            return stray_token(r, t, m, id, l->begin[i], err);
        if (id == c.image_pad && pads++ == 0) out->image_at[k] = i;
        if (id != c.vision_end) continue;
        if (pads != r->image_tokens[k]) return err_set(err, "image %d: %d of its tokens came out", k + 1, pads);
        k++;
        pads = 0;
    }
    return k == r->image.n ? 0 : err_set(err, "the tokens of image %d did not come out", k + 1);
}

static void mark_targets(Rendered *out, const Render *r, const TokenList *l)
{
    int k = 0;
    out->prompt_len = l->n;
    for (int i = l->n; r->prompt_end >= 0 && i-- > 0 && l->begin[i] >= r->prompt_end;) out->prompt_len = i;
    for (int i = 0; i < l->n; i++) {
        while (k < r->target.n && l->end[i] > r->target.at[k].end) k++;
        out->target[i] = k < r->target.n && l->begin[i] >= r->target.at[k].begin;
    }
}

int chat_render(Rendered *out, const Tokenizer *t, const Message *m, int n_messages, const int *image_tokens,
                int n_images, bool generate, Err *err)
{
    *out = (Rendered){0};
    if (check_messages(m, n_messages, image_tokens, n_images, err)) return -1;
    Render r = {.prompt_end = -1, .image_tokens = image_tokens};
    TokenList l = {0};
    render_text(&r, m, n_messages, generate);
    tokenizer_encode(t, r.text.data, r.text.len, &l);
    int rc = locate_images(out, &r, t, &l, m, err);
    if (!rc) {
        out->n = l.n;
        out->target = xcalloc((size_t)l.n, 1);
        mark_targets(out, &r, &l);
        out->id = l.id;
        l.id = NULL;
    } else rendered_release(out);
    tokens_release(&l);
    buf_release(&r.text);
    free(r.message.at);
    free(r.target.at);
    free(r.image.at);
    return rc;
}

void rendered_release(Rendered *r)
{
    free(r->id);
    free(r->target);
    free(r->image_at);
    *r = (Rendered){0};
}

int chat_count_images(const Message *m, int n_messages)
{
    int n = 0;
    for (int i = 0; i < n_messages; i++)
        for (const char *s = m[i].content; (s = strstr(s, IMAGE_MARKER)); s += strlen(IMAGE_MARKER)) n++;
    return n;
}
