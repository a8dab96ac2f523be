#include "infer/prefix.h"

#include <stdlib.h>
#include <string.h>

typedef struct Kept {
    int seq;
    PromptKey key;
    int64_t used; /* when it was last */
} Kept;

struct PrefixIndex {
    Session *s;
    VEC(Kept) kept;
    int64_t clock;
};

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static void hash_image(char hex[SHA256_HEX], const Batch *b, int i)
{
    const BatchImage *image = &b->image[i];
    size_t patches = (size_t)image->grid_h * (size_t)image->grid_w, dim = (size_t)b->patch_dim;
    const int grid[2] = {image->grid_h, image->grid_w};
    Sha256 h;
    sha256_init(&h);
    sha256_add(&h, grid, sizeof grid);
    sha256_add(&h, b->pixels + (size_t)image->first_patch * dim, patches * dim * sizeof *b->pixels);
    sha256_hex(&h, hex);
}

PromptKey prompt_key(const Batch *b)
{
    PromptKey k = {.n = b->n, .n_images = b->n_images};
    k.id = xmalloc(sizeof *k.id * (size_t)b->n);
    k.image = xmalloc(sizeof *k.image * (size_t)(b->n_images + 1));
    memcpy(k.id, b->ids, sizeof *k.id * (size_t)b->n);
    for (int i = 0; i < b->n_images; i++) hash_image(k.image[i], b, i);
    return k;
}

void prompt_key_release(PromptKey *k)
{
    free(k->id);
    free(k->image);
    *k = (PromptKey){0};
}

/* Rows that both begin with: an image, which is a run of image tokens between others, counts where it is the same and
   whole. */
static int common_rows(const PromptKey *a, const PromptKey *b)
{
    int most = a->n < b->n ? a->n : b->n, images = 0, i = 0;
    while (i < most && a->id[i] == b->id[i]) {
        if (a->id[i] >= 0) {
            i++;
            continue;
        }
        int end = i;
        if (strcmp(a->image[images], b->image[images])) return i;
        while (end < most && a->id[end] < 0 && b->id[end] < 0) end++;
        bool whole = (end == a->n || a->id[end] >= 0) && (end == b->n || b->id[end] >= 0);
        if (!whole) return i;
        images++;
        i = end;
    }
    return i;
}

/* ---- the index -------------------------------------------------------------------------------------------------- */

PrefixIndex *prefix_new(Session *s)
{
    PrefixIndex *p = xcalloc(1, sizeof *p);
    p->s = s;
    return p;
}

static void drop_at(PrefixIndex *p, int i)
{
    session_close(p->s, p->kept.at[i].seq);
    prompt_key_release(&p->kept.at[i].key);
    p->kept.at[i] = p->kept.at[--p->kept.n];
}

void prefix_free(PrefixIndex *p)
{
    if (!p) return;
    while (p->kept.n) drop_at(p, p->kept.n - 1);
    free(p->kept.at);
    free(p);
}

int prefix_find(PrefixIndex *p, const PromptKey *k, int *rows)
{
    Kept *best = NULL;
    *rows = SESSION_PAGE - 1;
    for (int i = 0; i < p->kept.n; i++) {
        int n = common_rows(&p->kept.at[i].key, k);
        if (n == k->n) n--;                /* the last row gives the logits */
        while (n > 0 && k->id[n] < 0) n--; /* it is an image's */
        if (n <= *rows) continue;
        best = &p->kept.at[i];
        *rows = n;
    }
    if (!best) *rows = 0;
    else best->used = ++p->clock;
    return best ? best->seq : -1;
}

void prefix_add(PrefixIndex *p, int seq, PromptKey *k)
{
    vec_push(&p->kept, ((Kept){session_fork(p->s, seq), *k, ++p->clock}));
    *k = (PromptKey){0};
}

bool prefix_drop(PrefixIndex *p)
{
    int oldest = 0;
    for (int i = 1; i < p->kept.n; i++)
        if (p->kept.at[i].used < p->kept.at[oldest].used) oldest = i;
    if (!p->kept.n) return false;
    drop_at(p, oldest);
    return true;
}
