#include "data/encode.h"

#include <stdlib.h>
#include <string.h>

int encoder_init(Encoder *e, const Tokenizer *t, const ImageProcessor *p, int max_length, Err *err)
{
    *e = (Encoder){.tokenizer = t, .processor = p, .max_length = max_length};
    if (chat_tokens(&e->special, t, err)) return -1;
    int rc = pthread_mutex_init(&e->lock, NULL);
    CHECK(rc == 0, "pthread_mutex_init: %d", rc);
    return 0;
}

void encoder_release(Encoder *e)
{
    map_release(&e->sizes);
    pthread_mutex_destroy(&e->lock);
}

void encoded_release(Encoded *x)
{
    free(x->id);
    free(x->target);
    free(x->plan);
    free(x->chosen.id);
    free(x->rejected.id);
    free(x->pixels);
    *x = (Encoded){0};
}

/* ---- images ------------------------------------------------------------------------------------------------------ */

int encoder_image_size(int *w, int *h, Encoder *e, const char *ref, Err *err)
{
    int64_t packed;
    pthread_mutex_lock(&e->lock);
    bool known = map_get_str(&e->sizes, ref, &packed);
    pthread_mutex_unlock(&e->lock);
    if (known) {
        *w = (int)(packed >> 32);
        *h = (int)(packed & INT32_MAX);
        return 0;
    }
    if (image_size(w, h, ref, err)) return -1;
    pthread_mutex_lock(&e->lock);
    map_set_str(&e->sizes, ref, (int64_t)*w << 32 | *h);
    pthread_mutex_unlock(&e->lock);
    return 0;
}

/* Plans the first n_images images of the sample. */
static int plan_images(Encoded *x, Encoder *e, const Sample *s, Err *err)
{
    int64_t patches = 0;
    x->plan = xcalloc((size_t)x->n_images, sizeof *x->plan);
    for (int k = 0; k < x->n_images; k++) {
        int w, h;
        if (encoder_image_size(&w, &h, e, s->images[k], err)) return -1;
        if (image_plan(&x->plan[k], e->processor, w, h, err)) return err_context(err, "%s", s->images[k]);
        x->n_image_tokens += x->plan[k].tokens;
        patches += (int64_t)x->plan[k].grid_w * x->plan[k].grid_h;
        if (patches > INT32_MAX) return err_set(err, "the images of the sample have too many patches");
    }
    x->n_patches = (int)patches;
    return 0;
}

size_t encoded_pixel_bytes(const Encoded *x)
{
    size_t bytes = 0;
    for (int k = 0; k < x->n_images; k++) bytes += image_plan_bytes(&x->plan[k]);
    return bytes;
}

int encode_pixels(Encoded *x, const Encoder *e, const Sample *s, Err *err)
{
    if (x->n_images == 0 || x->pixels) return 0;
    size_t at = 0;
    unsigned char *pixels = malloc(encoded_pixel_bytes(x));
    if (!pixels) {
        err_set(err, "not enough memory for %d image patches", x->n_patches);
        return err_hint(err, "lower max_pixels");
    }
    for (int k = 0; k < x->n_images; k++) {
        if (image_load_planned(pixels + at, e->processor, &x->plan[k], s->images[k], err)) {
            free(pixels);
            return -1;
        }
        at += image_plan_bytes(&x->plan[k]);
    }
    x->pixels = pixels;
    return 0;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

void encode_answer(AnswerTokens *a, const Encoder *e, const char *text)
{
    TokenList tokens = {0};
    tokenizer_encode(e->tokenizer, text, strlen(text), &tokens);
    a->n = tokens.n + 1;
    a->id = xmalloc((size_t)a->n * sizeof *a->id);
    if (tokens.n) memcpy(a->id, tokens.id, (size_t)tokens.n * sizeof *a->id);
    a->id[tokens.n] = e->special.im_end;
    tokens_release(&tokens);
}

/* What is rendered of a sample: its first n messages with the images in them. */
typedef struct Script {
    const Message *msg;
    int n;
    bool generate;
} Script;

/* The number of messages before the first assistant message. */
static int prompt_messages(const Sample *s)
{
    int n = 0;
    while (n < s->n_msgs && strcmp(s->msg[n].role, "assistant")) n++;
    return n;
}

/*
 * A reply's prompt may hold earlier answers, where rendering for generation would stop.  So it is rendered with a
 * stand-in for the answer, the only target, and ends where that begins; no tokeniser joins its letter to the line break
 * before it.
 */
static Message *with_stand_in(const Sample *s)
{
    Message *m = xcalloc((size_t)s->n_msgs + 1, sizeof *m);
    for (int i = 0; i < s->n_msgs; i++) m[i] = (Message){.role = s->msg[i].role, .content = s->msg[i].content};
    static char role[] = "assistant", content[] = "x";
    m[s->n_msgs] = (Message){.role = role, .content = content, .loss = true};
    return m;
}

/* Takes over the rendered ids, with image tokens replaced by the rows of their features. */
static void take_rendered(Encoded *x, Rendered *r, bool targets)
{
    x->id = r->id, x->target = r->target, x->n = targets ? r->n : r->prompt_len;
    r->id = NULL, r->target = NULL;
    for (int k = 0, row = 0; k < x->n_images; k++)
        for (int j = 0; j < x->plan[k].tokens; j++) {
            x->id[r->image_at[k] + j] = -1 - row++;
            x->target[r->image_at[k] + j] = 0;
        }
    if (x->n > 0) x->target[0] = 0; /* nothing stands before the first token to predict it from */
    for (int i = 0; i < x->n; i++) x->n_targets += x->target[i];
    rendered_release(r);
}

/* Plans the script's images and tokenises it. */
static int encode_script(Encoded *x, Encoder *e, const Sample *s, const Script *script, bool targets, Err *err)
{
    x->n_images = chat_count_images(script->msg, script->n);
    CHECK(x->n_images <= s->n_images, "%d markers for %d images", x->n_images, s->n_images);
    if (plan_images(x, e, s, err)) return -1;
    int *tokens = xcalloc((size_t)x->n_images, sizeof *tokens);
    for (int k = 0; k < x->n_images; k++) tokens[k] = x->plan[k].tokens;
    Rendered r = {0};
    int rc = chat_render(&r, e->tokenizer, script->msg, script->n, tokens, x->n_images, script->generate, err);
    free(tokens);
    if (rc == 0) take_rendered(x, &r, targets);
    return rc;
}

static int encode_reply(Encoded *x, Encoder *e, const Sample *s, Err *err)
{
    Message *m = with_stand_in(s);
    int rc = encode_script(x, e, s, &(Script){.msg = m, .n = s->n_msgs + 1}, false, err);
    free(m);
    return rc;
}

static int encode_pair(Encoded *x, Encoder *e, const Sample *s, Err *err)
{
    if (!s->chosen || !s->rejected) {
        err_set(err, "the sample is no preference pair");
        return err_hint(err, "preference data has \"chosen\" and \"rejected\" beside the messages");
    }
    if (encode_reply(x, e, s, err)) return -1;
    encode_answer(&x->chosen, e, s->chosen);
    encode_answer(&x->rejected, e, s->rejected);
    return 0;
}

static int check_length(const Encoded *x, const Encoder *e, Err *err)
{
    int answer = x->chosen.n > x->rejected.n ? x->chosen.n : x->rejected.n, total = x->n + answer;
    if (e->max_length == 0 || total <= e->max_length) return 0;
    err_set(err, "%d tokens (%d of %d image%s, %d of text) are more than max_length %d", total, x->n_image_tokens,
            x->n_images, x->n_images == 1 ? "" : "s", total - x->n_image_tokens, e->max_length);
    if (x->n_image_tokens > total / 2)
        return err_hint(err, "raise max_length to %d, or lower max_pixels so that images need fewer tokens", total);
    return err_hint(err, "raise max_length to %d, or shorten the text; nothing is cut silently", total);
}

static int encode_as(Encoded *x, Encoder *e, const Sample *s, EncodeAs as, Err *err)
{
    switch (as) {
    case ENCODE_CHAT: return encode_script(x, e, s, &(Script){.msg = s->msg, .n = s->n_msgs}, true, err);
    case ENCODE_PROMPT: return encode_script(x, e, s, &(Script){s->msg, prompt_messages(s), true}, true, err);
    case ENCODE_REPLY: return encode_reply(x, e, s, err);
    default: return encode_pair(x, e, s, err);
    }
}

int encode_sample(Encoded *x, Encoder *e, const Sample *s, EncodeAs as, Err *err)
{
    *x = (Encoded){0};
    if (encode_as(x, e, s, as, err) == 0 && check_length(x, e, err) == 0) return 0;
    encoded_release(x);
    return -1;
}

/* ---- positions --------------------------------------------------------------------------------------------------- */

int mrope_positions(int (*pos)[3], const int *id, int n, const ImagePlan *plan, int n_images, int merge, int start)
{
    int next = start, image = 0;
    for (int i = 0; i < n;) {
        if (id[i] >= 0) {
            pos[i][0] = pos[i][1] = pos[i][2] = next++;
            i++;
            continue;
        }
        CHECK(image < n_images, "image token at %d, but only %d images", i, n_images);
        int rows = plan[image].grid_h / merge, columns = plan[image].grid_w / merge;
        CHECK(n - i >= rows * columns, "image %d needs %d tokens, %d are left", image, rows * columns, n - i);
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < columns; x++, i++) {
                pos[i][0] = next;
                pos[i][1] = next + y;
                pos[i][2] = next + x;
            }
        next += rows > columns ? rows : columns;
        image++;
    }
    return next;
}
