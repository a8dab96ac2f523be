#include "cmd/stand_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "image/image.h"

/* A word that is one token to every tokenizer, so many times. */
static char *words(int64_t n)
{
    Buf b = {0};
    for (int64_t i = 0; i < n; i++) buf_str(&b, i ? " the" : "the");
    return buf_take(&b);
}

static int write_picture(const char *dir, int64_t pixels, Err *err)
{
    int side = (int)sqrt((double)(pixels ? pixels : 1 << 20));
    size_t bytes = 3 * (size_t)side * (size_t)side;
    Image im = {.w = side, .h = side, .rgb = xmalloc(bytes)};
    memset(im.rgb, 128, bytes);
    char *path = path_join(dir, "picture.png");
    int rc = image_save(&im, path, err);
    free(path);
    free(im.rgb);
    return rc;
}

/* {"id", "messages", "images", "chosen", "rejected", "question", "kind", "answer"}: every reader takes what it knows. */
static json_t *make_row(const Expect *e, int64_t number, const char *prompt, const char *answer)
{
    json_t *images = json_array(), *messages = json_array();
    Buf marked = {0};
    for (int64_t i = 0; i < e->pictures; i++) {
        buf_str(&marked, "<image>\n");
        json_array_append_new(images, json_string("picture.png"));
    }
    buf_str(&marked, prompt);
    char *id = xasprintf("stand-in-%lld", (long long)number);
    json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "user", "content", marked.data));
    json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "assistant", "content", answer));
    json_t *row = json_pack("{s:s, s:o, s:o, s:s, s:s, s:s}", "id", id, "messages", messages, "images", images,
                            "question", prompt, "kind", "short", "answer", "the");
    free(id);
    buf_release(&marked);
    return row;
}

/* Of a preference the messages end before the answer. */
static void make_pair(json_t *row, const char *answer)
{
    json_array_remove(json_object_get(row, "messages"), 1);
    json_object_set_new(row, "chosen", json_string(answer));
    json_object_set_new(row, "rejected", json_string(answer));
}

int stand_in_write(const char *dir, const Expect *e, bool pairs, Err *err)
{
    char *path = path_join(dir, "data.jsonl"), *prompt = words(e->prompt), *answer = words(e->answer ? e->answer : 1);
    Buf all = {0};
    for (int64_t i = 0; i < e->samples; i++) {
        json_t *row = make_row(e, i, prompt, answer);
        if (pairs) make_pair(row, answer);
        char *line = json_dumps(row, JSON_COMPACT);
        buf_str(&all, line);
        buf_byte(&all, '\n');
        free(line);
        json_decref(row);
    }
    int rc = file_save(path, all.data, all.len, err);
    if (rc == 0 && e->pictures) rc = write_picture(dir, e->pixels, err);
    buf_release(&all);
    free(answer);
    free(prompt);
    free(path);
    return rc;
}
