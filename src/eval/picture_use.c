#include "eval/picture_use.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "image/image.h"

const char *picture_use_name(PictureUse u)
{
    static const char *const NAME[PICTURE_USES] = {"given", "other", "gray", "none"};
    return NAME[u];
}

/* The items with n pictures, in random order. Returns their number. */
static int shuffled_items(int *order, const EvalRun *run, int n, uint64_t seed)
{
    Rng rng = rng_at(seed, RNG_SHUFFLE, (uint32_t)n, 0, 0);
    int count = 0;
    for (int i = 0; i < run->item.n; i++) {
        if (run->item.at[i].n_images != n) continue;
        int k = (int)rng_below(&rng, (uint32_t)++count);
        order[count - 1] = order[k];
        order[k] = i;
    }
    return count;
}

/* Each gets those of the next in a random circle, so none keeps its own. */
static void exchange_pictures(EvalRun *run, uint64_t seed)
{
    int most = 0, *order = xcalloc((size_t)run->item.n + 1, sizeof *order);
    for (int i = 0; i < run->item.n; i++)
        if (run->item.at[i].n_images > most) most = run->item.at[i].n_images;
    for (int n = 1; n <= most; n++) {
        int count = shuffled_items(order, run, n, seed);
        char **first = count ? run->item.at[order[0]].images : NULL;
        for (int k = 0; k + 1 < count; k++) run->item.at[order[k]].images = run->item.at[order[k + 1]].images;
        if (count) run->item.at[order[count - 1]].images = first;
    }
    free(order);
}

/* dir/gray-WxH.png; the caller frees the name. NULL on error. */
static char *gray_picture(const char *ref, const char *dir, Err *err)
{
    Image im = {0};
    if (image_size(&im.w, &im.h, ref, err)) return NULL;
    char *name = xasprintf("%s/gray-%dx%d.png", dir, im.w, im.h);
    size_t bytes = 3 * (size_t)im.w * (size_t)im.h;
    im.rgb = memset(xmalloc(bytes), 128, bytes);
    int rc = file_exists(name) ? 0 : image_save(&im, name, err);
    image_release(&im);
    if (rc == 0) return name;
    free(name);
    return NULL;
}

static int gray_pictures(EvalRun *run, const char *dir, Err *err)
{
    if (dir_create(dir, err)) return -1;
    for (int i = 0; i < run->item.n; i++)
        for (int k = 0; k < run->item.at[i].n_images; k++) {
            char **image = &run->item.at[i].images[k], *gray = gray_picture(*image, dir, err);
            if (!gray) return -1;
            free(*image);
            *image = gray;
        }
    return 0;
}

static void remove_pictures(EvalRun *run)
{
    for (int i = 0; i < run->item.n; i++) {
        EvalItem *item = &run->item.at[i];
        for (int k = 0; k < item->n_images; k++) free(item->images[k]);
        item->n_images = 0;
    }
}

int change_pictures(EvalRun *run, PictureUse use, const char *dir, uint64_t seed, Err *err)
{
    if (use == PICTURES_OTHER) exchange_pictures(run, seed);
    if (use == PICTURES_NONE) remove_pictures(run);
    return use == PICTURES_GRAY ? gray_pictures(run, dir, err) : 0;
}
