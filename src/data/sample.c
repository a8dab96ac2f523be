#include "data/sample.h"

#include <stdlib.h>

static const char *const FORMAT_NAME[DATA_FORMATS] = {
    [DATA_MESSAGES] = "messages", [DATA_SHAREGPT] = "ShareGPT", [DATA_LLAVA] = "LLaVA",    [DATA_R1V] = "R1-V",
    [DATA_EASYR1] = "EasyR1",     [DATA_ALPACA] = "alpaca",     [DATA_VQARAD] = "VQA-RAD",
};

const char *data_format_name(DataFormat f)
{
    return FORMAT_NAME[f];
}

void sample_release(Sample *s)
{
    for (int i = 0; i < s->n_msgs; i++) {
        free(s->msg[i].role);
        free(s->msg[i].content);
    }
    for (int i = 0; i < s->n_images; i++) free(s->images[i]);
    free(s->msg);
    free(s->images);
    free(s->id);
    free(s->chosen);
    free(s->rejected);
    *s = (Sample){0};
}

int sample_context(const Sample *s, Err *err)
{
    char where[512];
    return err_context(err, "%s, id %s", row_place(where, sizeof where, s->at), s->id);
}

void sample_copy(Sample *dst, const Sample *src)
{
    *dst = *src;
    dst->id = xstrdup(src->id);
    dst->msg = xcalloc((size_t)src->n_msgs, sizeof *dst->msg);
    for (int i = 0; i < src->n_msgs; i++) {
        const Message *m = &src->msg[i];
        dst->msg[i] = (Message){.role = xstrdup(m->role), .content = xstrdup(m->content), .loss = m->loss};
    }
    dst->images = src->n_images ? xcalloc((size_t)src->n_images, sizeof *dst->images) : NULL;
    for (int i = 0; i < src->n_images; i++) dst->images[i] = xstrdup(src->images[i]);
    dst->chosen = src->chosen ? xstrdup(src->chosen) : NULL;
    dst->rejected = src->rejected ? xstrdup(src->rejected) : NULL;
}

BadRow bad_row(RowPlace at, const Err *why)
{
    return (BadRow){.at = at, .reason = xstrdup(why->msg), .hint = why->hint[0] ? xstrdup(why->hint) : NULL};
}

void bad_row_release(BadRow *b)
{
    free(b->reason);
    free(b->hint);
}

void bad_row_print(FILE *f, const BadRow *b)
{
    char where[512];
    fprintf(f, "%s: %s\n", row_place(where, sizeof where, b->at), b->reason);
    if (b->hint) fprintf(f, "  hint: %s\n", b->hint);
}
