#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "eval/leak.h"

static void add_place(Buf *b, const char *key, const char *place)
{
    buf_printf(b, ", \"%s\": ", key);
    if (place) json_append_str(b, place, strlen(place));
    else buf_str(b, "null");
}

/* leak.json: the counts, and a line for every test sample of which anything recurs. */
int leak_write(const char *dir, const LeakReport *r, Err *err)
{
    Buf b = {0};
    if (dir_create(dir, err)) return -1;
    buf_printf(&b,
               "{\"test_samples\": %d, \"train_samples\": %d, \"test_images\": %d, \"train_images\": %d, "
               "\"unreadable_images\": %d,\n"
               " \"same_file\": %d, \"near_image\": %d, \"same_text\": %d, \"ngram13\": %d, \"share8\": %.6f,\n "
               "\"samples\": [",
               r->n, r->train_samples, r->test_images, r->train_images, r->unreadable, r->same_file, r->near_image,
               r->same_text, r->ngram13, r->share8);
    bool any = false;
    for (int i = 0; i < r->n; i++) {
        const LeakItem *item = &r->item[i];
        if (!item->same_file && !item->near_image && !item->same_text && !item->ngram13 && !item->found8) continue;
        buf_str(&b, any ? ",\n  {\"id\": " : "\n  {\"id\": ");
        any = true;
        json_append_str(&b, item->id, strlen(item->id));
        add_place(&b, "place", item->place);
        add_place(&b, "same_file", item->same_file);
        add_place(&b, "near_image", item->near_image);
        if (item->near_image) buf_printf(&b, ", \"near_bits\": %d", item->near_bits);
        add_place(&b, "same_text", item->same_text);
        add_place(&b, "ngram13", item->ngram13);
        buf_printf(&b, ", \"share8\": %.6f}", item->grams8 ? (double)item->found8 / item->grams8 : 0);
    }
    buf_str(&b, "]}\n");
    char *path = path_join(dir, "leak.json");
    int rc = file_save(path, b.data, b.len, err);
    free(path);
    buf_release(&b);
    return rc;
}
