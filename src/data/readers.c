#include "data/readers.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"

typedef VEC(char *) PathList;

/* A sample while its row is read. */
typedef struct Draft {
    const char *dir;
    VEC(Message) msg;
    PathList images; /* in the order of their markers */
    PathList listed; /* by "images"; from index `next` on not yet claimed by a marker */
    int next, markers;
} Draft;

typedef struct Layout {
    DataFormat format;
    const char *keys[3]; /* a row that has all of them has this layout */
    int (*read)(Draft *d, const json_t *row, Err *err);
} Layout;

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool present(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return v && !json_is_null(v);
}

static bool is_blank(const char *s)
{
    return s[strspn(s, " \t\r\n")] == 0;
}

static char *stripped(const char *s)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r\n", s[n - 1])) n--;
    return xstrndup(s, n);
}

/* C strings end at the first NUL; JSON's do not. */
static int check_no_nul(const json_t *string, const char *what, Err *err)
{
    if (strlen(json_string_value(string)) == json_string_length(string)) return 0;
    return err_set(err, "%s holds a NUL character", what);
}

/* The text of row[key]; numbers become text. *out is NULL where the key is absent and not required. */
static int read_text(char **out, const json_t *row, const char *key, bool required, Err *err)
{
    const json_t *v = json_object_get(row, key);
    *out = NULL;
    if (!v || json_is_null(v)) return required ? err_set(err, "\"%s\" is missing", key) : 0;
    if (json_is_integer(v)) *out = xasprintf("%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) {
        Buf b = {0};
        buf_real(&b, json_real_value(v));
        *out = buf_take(&b);
    } else if (!json_is_string(v)) return err_set(err, "\"%s\" must be text or a number, got %s", key, json_kind(v));
    else if (check_no_nul(v, key, err)) return -1;
    else *out = xstrdup(json_string_value(v));
    return 0;
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

static int add_image(PathList *list, const char *dir, const char *ref, Err *err)
{
    if (!strncmp(ref, "data:", 5) || !strncmp(ref, "http://", 7) || !strncmp(ref, "https://", 8)) {
        err_set(err, "the image is a \"%.*s\" address, not a file", (int)strcspn(ref, ":"), ref);
        return err_hint(err, "save the image beside the data file and name its path");
    }
    if (!strncmp(ref, "file://", 7)) ref += 7;
    if (is_blank(ref)) return err_set(err, "the path of an image is empty");
    vec_push(list, path_join(dir, ref));
    return 0;
}

/* "path", {"path": ...} or {"url": ...} */
static int image_ref(const char **ref, const json_t *v, const char *what, Err *err)
{
    if (json_is_object(v)) v = present(v, "path") ? json_object_get(v, "path") : json_object_get(v, "url");
    if (!json_is_string(v)) return err_set(err, "%s must be the path of an image, got %s", what, json_kind(v));
    *ref = json_string_value(v);
    return check_no_nul(v, what, err);
}

static int list_image(Draft *d, const json_t *v, Err *err)
{
    const char *ref;
    if (image_ref(&ref, v, "an element of \"images\"", err)) return -1;
    return add_image(&d->listed, d->dir, ref, err);
}

static int read_images(Draft *d, const json_t *row, Err *err)
{
    if (present(row, "images") && present(row, "image")) return err_set(err, "both \"images\" and \"image\" are given");
    const json_t *v = json_object_get(row, present(row, "images") ? "images" : "image");
    if (!v || json_is_null(v)) return 0;
    if (!json_is_array(v)) return list_image(d, v, err);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (list_image(d, json_array_get(v, i), err)) return -1;
    return 0;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static const char *role_name(const char *word)
{
    static const struct {
        const char *word, *role;
    } ROLE[] = {{"system", "system"}, {"user", "user"},         {"assistant", "assistant"},
                {"human", "user"},    {"gpt", "assistant"},     {"model", "assistant"},
                {"bot", "assistant"}, {"chatgpt", "assistant"}, {"bing", "assistant"}};
    for (size_t i = 0; i < sizeof ROLE / sizeof *ROLE; i++)
        if (!strcmp(word, ROLE[i].word)) return ROLE[i].role;
    return NULL;
}

/* Takes `content`. Markers claim the listed images in order; `own` of them have claimed theirs already. */
static int add_message(Draft *d, const char *role, char *content, bool loss, int own, Err *err)
{
    bool system = !strcmp(role, "system");
    const Message m = {.role = xstrdup(role), .content = content, .loss = loss && !strcmp(role, "assistant")};
    vec_push(&d->msg, m);
    if (!system && is_blank(content)) return err_set(err, "the %s message is empty", role);
    if (system && d->msg.n > 1) {
        err_set(err, "a system message is allowed only once, as the first message");
        return err_hint(err, "join the system messages into one, or make this one a user message");
    }
    int markers = chat_count_images(&m, 1);
    d->markers += markers;
    for (int k = own; k < markers && d->next < d->listed.n; k++) {
        vec_push(&d->images, d->listed.at[d->next]);
        d->listed.at[d->next++] = NULL;
    }
    return 0;
}

/* A part of OpenAI's content list. Images named in the part are added at once; `own` counts them. */
static int read_part(Draft *d, Buf *text, const json_t *part, int *own, Err *err)
{
    const char *type = NULL, *ref = NULL;
    if (json_get_str(part, "type", &type, true, err)) return -1;
    if (!strcmp(type, "text")) {
        const json_t *v = json_object_get(part, "text");
        if (!json_is_string(v)) return err_set(err, "\"text\" must be a string, got %s", json_kind(v));
        if (check_no_nul(v, "\"text\"", err)) return -1;
        buf_str(text, json_string_value(v));
        return 0;
    }
    if (strcmp(type, "image_url") && strcmp(type, "image")) {
        err_set(err, "content of type \"%s\" cannot be used", type);
        return err_hint(err, "the types are text, image_url and image");
    }
    if (present(part, type)) {
        if (image_ref(&ref, json_object_get(part, type), type, err)) return -1;
        if (add_image(&d->images, d->dir, ref, err)) return -1;
        ++*own;
    } else if (!strcmp(type, "image_url")) {
        return err_set(err, "\"image_url\" is missing");
    }
    buf_str(text, IMAGE_MARKER);
    return 0;
}

/*
 * A string or a list of parts.  In a list, an image part without a path is a marker that claims a listed image; that
 * and parts with paths do not mix within one message, because then the order of the images would be a guess.
 */
static int read_content(Draft *d, char **out, const json_t *v, int *own, Err *err)
{
    if (json_is_string(v)) {
        if (check_no_nul(v, "the content", err)) return -1;
        *out = xstrdup(json_string_value(v));
        return 0;
    }
    if (!v || json_is_null(v)) return err_set(err, "the content is missing");
    if (!json_is_array(v)) return err_set(err, "the content must be a string or a list of parts, got %s", json_kind(v));
    Buf text = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(v); i++) rc = read_part(d, &text, json_array_get(v, i), own, err);
    *out = rc ? NULL : text.data ? buf_take(&text) : xstrdup("");
    buf_release(&text);
    if (rc == 0 && *own > 0) {
        int markers = chat_count_images(&(Message){.role = "", .content = *out}, 1);
        if (*own != markers) rc = err_set(err, "some images of the content have a path of their own and some have not");
    }
    return rc;
}

/* {"role" or "from", "content" or "value", "loss"?} */
static int read_turn(Draft *d, const json_t *turn, Err *err)
{
    const char *word = NULL;
    char *content = NULL;
    int own = 0;
    bool loss = true;
    if (!json_is_object(turn)) return err_set(err, "a message must be an object, got %s", json_kind(turn));
    if (json_get_str(turn, present(turn, "from") ? "from" : "role", &word, true, err)) return -1;
    const char *role = role_name(word);
    if (!role) {
        err_set(err, "unknown role \"%.40s\"", word);
        return err_hint(err, "the roles are system, user and assistant (also human and gpt)");
    }
    if (json_get_bool(turn, "loss", &loss, false, err)) return -1;
    const json_t *v = json_object_get(turn, present(turn, "value") ? "value" : "content");
    if (read_content(d, &content, v, &own, err)) {
        free(content);
        return -1;
    }
    return add_message(d, role, content, loss, own, err);
}

static int read_turns(Draft *d, const json_t *row, const char *key, Err *err)
{
    const json_t *list = NULL;
    if (json_get_array(row, key, &list, true, err)) return -1;
    if (json_array_size(list) == 0) return err_set(err, "\"%s\" is empty", key);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_turn(d, json_array_get(list, i), err)) return err_context(err, "%s[%zu]", key, i);
    return 0;
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

/* Adds row[key] as a message; nothing where the key is absent. */
static int add_text(Draft *d, const json_t *row, const char *key, const char *role, bool required, Err *err)
{
    char *text;
    if (read_text(&text, row, key, required, err)) return -1;
    return text ? add_message(d, role, text, true, 0, err) : 0;
}

/* A user message; the listed images go in front of it where it has no markers of its own. Takes `text`. */
static int add_question(Draft *d, char *text, Err *err)
{
    if (strstr(text, IMAGE_MARKER) || d->listed.n == d->next || is_blank(text))
        return add_message(d, "user", text, true, 0, err);
    Buf b = {0};
    for (int i = d->next; i < d->listed.n; i++) buf_str(&b, IMAGE_MARKER);
    buf_str(&b, text);
    free(text);
    return add_message(d, "user", buf_take(&b), true, 0, err);
}

static int read_messages(Draft *d, const json_t *row, Err *err)
{
    return read_images(d, row, err) ? -1 : read_turns(d, row, "messages", err);
}

static int read_prompt(Draft *d, const json_t *row, Err *err)
{
    if (read_images(d, row, err)) return -1;
    if (json_is_array(json_object_get(row, "prompt"))) return read_turns(d, row, "prompt", err);
    return add_text(d, row, "prompt", "user", true, err);
}

/* An empty "system" beside a conversation means that there is none. */
static int add_system(Draft *d, const json_t *row, Err *err)
{
    char *text;
    if (read_text(&text, row, "system", false, err)) return -1;
    if (text && !is_blank(text)) return add_message(d, "system", text, true, 0, err);
    free(text);
    return 0;
}

static int read_conversations(Draft *d, const json_t *row, Err *err)
{
    if (read_images(d, row, err) || add_system(d, row, err)) return -1;
    return read_turns(d, row, "conversations", err);
}

static int read_problem(Draft *d, const json_t *row, const char *answer, Err *err)
{
    char *problem;
    if (read_images(d, row, err) || read_text(&problem, row, "problem", true, err)) return -1;
    if (add_question(d, problem, err)) return -1;
    return add_text(d, row, answer, "assistant", true, err);
}

static int read_r1v(Draft *d, const json_t *row, Err *err)
{
    return read_problem(d, row, "solution", err);
}

static int read_easyr1(Draft *d, const json_t *row, Err *err)
{
    return read_problem(d, row, "answer", err);
}

/* [["question", "answer"], ...] before the instruction */
static int add_history(Draft *d, const json_t *row, Err *err)
{
    const json_t *history = NULL;
    if (json_get_array(row, "history", &history, false, err)) return -1;
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *pair = json_array_get(history, i);
        if (!json_is_array(pair) || json_array_size(pair) != 2)
            return err_set(err, "history[%zu] is not a list of question and answer", i);
        for (size_t k = 0; k < 2; k++) {
            const json_t *text = json_array_get(pair, k);
            if (!json_is_string(text)) return err_set(err, "history[%zu][%zu] is not a string", i, k);
            if (check_no_nul(text, "\"history\"", err)) return -1;
            const char *role = k ? "assistant" : "user";
            if (add_message(d, role, xstrdup(json_string_value(text)), true, 0, err)) return -1;
        }
    }
    return 0;
}

static int read_alpaca(Draft *d, const json_t *row, Err *err)
{
    char *instruction = NULL, *input = NULL;
    if (read_images(d, row, err) || add_system(d, row, err) || add_history(d, row, err)) return -1;
    if (read_text(&instruction, row, "instruction", true, err)) return -1;
    if (read_text(&input, row, "input", false, err)) {
        free(instruction);
        return -1;
    }
    const char *more = input ? input : "", *between = is_blank(more) || is_blank(instruction) ? "" : "\n";
    char *question = is_blank(more) ? xstrdup(instruction) : xasprintf("%s%s%s", instruction, between, more);
    free(instruction);
    free(input);
    if (add_question(d, question, err)) return -1;
    return add_text(d, row, "output", "assistant", false, err);
}

/* The public file keeps its images in images/, or the user put them beside it. */
static int read_vqarad(Draft *d, const json_t *row, Err *err)
{
    const char *name = NULL;
    char *question = NULL, *answer = NULL;
    if (json_get_str(row, "image_name", &name, true, err)) return -1;
    if (check_no_nul(json_object_get(row, "image_name"), "\"image_name\"", err)) return -1;
    char *folder = path_join(d->dir, "images"), *inside = path_join(folder, name), *beside = path_join(d->dir, name);
    bool use_beside = !file_exists(inside) && file_exists(beside);
    int rc = add_image(&d->listed, use_beside ? d->dir : folder, name, err);
    free(folder);
    free(inside);
    free(beside);
    if (rc || read_text(&question, row, "question", true, err)) return -1;
    rc = add_question(d, stripped(question), err);
    free(question);
    if (rc || read_text(&answer, row, "answer", true, err)) return -1;
    rc = add_message(d, "assistant", stripped(answer), true, 0, err);
    free(answer);
    return rc;
}

static const Layout LAYOUT[] = {
    {DATA_MESSAGES, {"messages"}, read_messages},
    {DATA_MESSAGES, {"prompt", "chosen", "rejected"}, read_prompt},
    {DATA_LLAVA, {"conversations", "image"}, read_conversations},
    {DATA_SHAREGPT, {"conversations"}, read_conversations},
    {DATA_VQARAD, {"image_name", "question", "answer"}, read_vqarad},
    {DATA_R1V, {"image", "problem", "solution"}, read_r1v},
    {DATA_EASYR1, {"problem", "answer"}, read_easyr1},
    {DATA_R1V, {"problem", "solution"}, read_r1v},
    {DATA_ALPACA, {"instruction"}, read_alpaca},
};
enum { LAYOUTS = sizeof LAYOUT / sizeof *LAYOUT, MAX_KEYS = sizeof LAYOUT->keys / sizeof *LAYOUT->keys };

static bool recognise(const Layout *l, const json_t *row)
{
    for (int k = 0; k < MAX_KEYS && l->keys[k]; k++)
        if (!present(row, l->keys[k])) return false;
    return true;
}

static int unknown_layout(const json_t *row, Err *err)
{
    Buf keys = {0};
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)row, key, v)
    {
        if (keys.len < 200) buf_printf(&keys, "%s\"%.40s\"", keys.len ? ", " : "", key);
    }
    err_set(err, "no known layout has the keys %s", keys.len ? keys.data : "of an empty object");
    buf_release(&keys);
    return err_hint(err, "the layouts are messages, ShareGPT and LLaVA (conversations), R1-V (problem, solution), "
                         "EasyR1 (problem, answer), alpaca (instruction) and VQA-RAD (image_name, question, answer)");
}

static int find_layout(const json_t *row, int before, Err *err)
{
    for (int i = 0; i < LAYOUTS; i++)
        if (recognise(&LAYOUT[i], row)) return i;
    return before >= 0 ? before : unknown_layout(row, err);
}

/* ---- the sample as a whole --------------------------------------------------------------------------------------- */

/* "text", a message, or a list with one assistant message */
static int read_answer(char **out, const json_t *row, const char *key, Err *err)
{
    const json_t *v = json_object_get(row, key);
    if (json_is_array(v) && json_array_size(v) == 1) v = json_array_get(v, 0);
    if (json_is_object(v)) {
        const char *word = NULL;
        if (json_get_str(v, present(v, "from") ? "from" : "role", &word, true, err)) return err_context(err, "%s", key);
        const char *role = role_name(word);
        if (!role || strcmp(role, "assistant")) return err_set(err, "%s: the role must be assistant", key);
        v = json_object_get(v, present(v, "value") ? "value" : "content");
    }
    if (!json_is_string(v)) return err_set(err, "\"%s\" must be a string or one message, got %s", key, json_kind(v));
    if (check_no_nul(v, key, err)) return -1;
    if (is_blank(json_string_value(v))) return err_set(err, "\"%s\" is empty", key);
    if (strstr(json_string_value(v), IMAGE_MARKER)) return err_set(err, "\"%s\" holds an " IMAGE_MARKER " marker", key);
    *out = xstrdup(json_string_value(v));
    return 0;
}

static int read_preference(Sample *s, const Draft *d, const json_t *row, Err *err)
{
    if (!present(row, "chosen") && !present(row, "rejected")) return 0;
    if (read_answer(&s->chosen, row, "chosen", err) || read_answer(&s->rejected, row, "rejected", err)) return -1;
    if (!strcmp(d->msg.at[d->msg.n - 1].role, "user")) return 0;
    err_set(err, "the conversation before \"chosen\" and \"rejected\" must end with the user's message");
    return err_hint(err, "leave the answer out of the messages; it stands in \"chosen\"");
}

static int read_id(Sample *s, const json_t *row, Err *err)
{
    const char *key = present(row, "id") || s->format != DATA_VQARAD ? "id" : "qid";
    if (read_text(&s->id, row, key, false, err)) return -1;
    if (!s->id) s->id = xasprintf("%s:%d", path_basename(s->at.file), s->at.line);
    return 0;
}

static int check_draft(const Draft *d, Err *err)
{
    if (d->msg.n == 0 || (d->msg.n == 1 && !strcmp(d->msg.at[0].role, "system")))
        return err_set(err, "there is no user or assistant message");
    int images = d->images.n + d->listed.n - d->next;
    if (images == d->markers) return 0;
    err_set(err, "%d " IMAGE_MARKER " marker%s but %d image%s", d->markers, d->markers == 1 ? "" : "s", images,
            images == 1 ? "" : "s");
    return err_hint(err, "every image needs one " IMAGE_MARKER " in the messages, at the place where it belongs");
}

static void draft_release(Draft *d)
{
    for (int i = 0; i < d->listed.n; i++) free(d->listed.at[i]);
    free(d->listed.at);
}

int sample_read(Sample *s, const json_t *row, const char *dir, int *layout, Err *err)
{
    if (!json_is_object(row)) return err_set(err, "a row must be an object, got %s", json_kind(row));
    int found = find_layout(row, *layout, err);
    if (found < 0) return -1;
    *layout = found;
    s->format = LAYOUT[found].format;
    Draft d = {.dir = dir};
    int rc = LAYOUT[found].read(&d, row, err);
    if (rc == 0) rc = check_draft(&d, err);
    if (rc == 0) rc = read_preference(s, &d, row, err);
    if (rc == 0) rc = read_id(s, row, err);
    s->msg = d.msg.at, s->n_msgs = d.msg.n;
    s->images = d.images.at, s->n_images = d.images.n;
    draft_release(&d);
    if (rc) sample_release(s);
    return rc;
}
