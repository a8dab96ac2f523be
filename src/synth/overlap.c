#include "synth/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "reward/lexemes.h"
#include "synth/json_cases.h"

/* take(hash) of every run of words, or of the whole text where it is shorter, until it says true. */
static bool each_run(const char *text, bool (*take)(void *arg, uint64_t hash), void *arg)
{
    char *normal = text_normal(text, strlen(text));
    size_t n = strlen(normal);
    const char *begin[OVERLAP_WORDS + 1]; /* of the last words, in a ring */
    int words = 0;
    bool done = false;
    for (size_t at = 0; at < n && !done; at += strcspn(normal + at, " ") + 1) {
        begin[words % OVERLAP_WORDS] = normal + at;
        if (++words < OVERLAP_WORDS) continue;
        const char *first = begin[words % OVERLAP_WORDS], *end = normal + at + strcspn(normal + at, " ");
        done = take(arg, hash_bytes(HASH_INIT, first, (size_t)(end - first)));
    }
    if (words > 1 && words < OVERLAP_WORDS) done = take(arg, hash_bytes(HASH_INIT, normal, n));
    free(normal);
    return done;
}

static bool add_run(void *arg, uint64_t hash)
{
    map_set(arg, (const char *)&hash, sizeof hash, 1);
    return false;
}

static bool find_run(void *arg, uint64_t hash)
{
    int64_t v;
    return map_get(arg, (const char *)&hash, sizeof hash, &v);
}

void overlap_add(Overlap *o, const char *text)
{
    each_run(text, add_run, &o->run);
}

bool overlap_found(const Overlap *o, const char *text)
{
    return o->run.n > 0 && each_run(text, find_run, (void *)(uintptr_t)&o->run);
}

static void add_all(Overlap *o, const json_t *value)
{
    const char *key;
    json_t *member;
    if (json_is_string(value)) overlap_add(o, json_string_value(value));
    for (size_t i = 0; i < json_array_size(value); i++) add_all(o, json_array_get(value, i));
    if (json_is_object(value)) json_object_foreach((json_t *)(uintptr_t)value, key, member) add_all(o, member);
}

static int add_row(void *arg, json_t *row, Err *err)
{
    (void)err;
    add_all(arg, row);
    return 0;
}

int overlap_add_file(Overlap *o, const char *path, Err *err)
{
    FileMap m;
    Err why = {0};
    if (file_map(&m, path, err)) return -1;
    json_t *whole = json_parse((const char *)m.data, m.size, &why); /* one value, as PubMedQA's, or lines */
    file_unmap(&m);
    if (!whole) return rows_each(path, add_row, o, err);
    add_all(o, whole);
    json_decref(whole);
    return 0;
}

void overlap_release(Overlap *o)
{
    map_release(&o->run);
}
