#include "eval/leak.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/sha256.h"
#include "data/readers.h"
#include "image/image.h"
#include "image/image_ref.h"
#include "reward/lexemes.h"
#include "table/json_rows.h"

/* ---- samples: what is said and what is shown --------------------------------------------------------------------- */

typedef VEC(char *) Strings;

typedef struct LeakSample {
    char *id, *place;
    Strings turn, image;
} LeakSample;

static void strings_release(Strings *s)
{
    for (int i = 0; i < s->n; i++) free(s->at[i]);
    free(s->at);
    *s = (Strings){0};
}

static void leak_sample_release(LeakSample *s)
{
    free(s->id);
    free(s->place);
    strings_release(&s->turn);
    strings_release(&s->image);
}

static void add_turn(LeakSample *s, const char *text)
{
    if (text && *text) vec_push(&s->turn, text_normal(text, strlen(text)));
}

/* A row of an evaluation: question, options, images. */
static void read_question_row(LeakSample *s, const json_t *row, const char *dir)
{
    const json_t *options = json_object_get(row, "options"), *images = json_object_get(row, "images"), *v;
    add_turn(s, json_string_value(json_object_get(row, "question")));
    Buf text = {0};
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)options, key, v) if (json_is_string(v))
        buf_printf(&text, "%s ", json_string_value(v));
    for (size_t i = 0; i < json_array_size(options); i++)
        if (json_is_string(json_array_get(options, i)))
            buf_printf(&text, "%s ", json_string_value(json_array_get(options, i)));
    add_turn(s, text.data);
    buf_release(&text);
    for (size_t i = 0; i < json_array_size(images); i++)
        if (json_is_string(json_array_get(images, i)))
            vec_push(&s->image, path_join(dir, json_string_value(json_array_get(images, i))));
    v = json_object_get(row, "id");
    if (json_is_string(v)) s->id = xstrdup(json_string_value(v));
}

static int read_chat_row(LeakSample *s, const json_t *row, const char *dir, RowPlace at, int *layout, Err *err)
{
    Sample sample = {.at = at};
    if (sample_read(&sample, row, dir, layout, err)) return -1;
    s->id = xstrdup(sample.id);
    for (int i = 0; i < sample.n_msgs; i++)
        if (strcmp(sample.msg[i].role, "system")) add_turn(s, sample.msg[i].content);
    add_turn(s, sample.chosen);
    for (int i = 0; i < sample.n_images; i++) vec_push(&s->image, xstrdup(sample.images[i]));
    sample_release(&sample);
    return 0;
}

typedef struct Corpus {
    VEC(LeakSample) sample;
} Corpus;

static void corpus_release(Corpus *c)
{
    for (int i = 0; i < c->sample.n; i++) leak_sample_release(&c->sample.at[i]);
    free(c->sample.at);
}

static int corpus_row(Corpus *c, const json_t *row, const char *dir, RowPlace at, int *layout, Err *err)
{
    LeakSample s = {0};
    char place[512];
    row_place(place, sizeof place, at);
    bool chat = json_object_get(row, "messages") || json_object_get(row, "conversations") ||
                json_object_get(row, "prompt") || json_object_get(row, "image_name");
    int rc = 0;
    if (!chat && json_is_string(json_object_get(row, "question"))) read_question_row(&s, row, dir);
    else rc = read_chat_row(&s, row, dir, at, layout, err);
    s.place = xstrdup(place);
    if (!s.id) s.id = xstrdup(place);
    if (rc) leak_sample_release(&s);
    else vec_push(&c->sample, s);
    return rc;
}

static int corpus_load(Corpus *c, const char *path, Err *err)
{
    FileMap file = {0};
    JsonRows rows;
    json_t *row;
    Err why = {0};
    char place[512];
    int layout = -1, more = 0;
    if (file_map(&file, path, err)) return -1;
    char *dir = path_dirname(path);
    int rc = json_rows_open(&rows, path, (const char *)file.data, file.size, err);
    while (rc == 0 && (more = json_rows_next(&rows, &row, &why, err)) == 1) {
        rc = row ? corpus_row(c, row, dir, rows.at, &layout, err) : err_set(err, "%s", why.msg);
        if (rc) err_context(err, "%s", row_place(place, sizeof place, rows.at));
        json_decref(row);
    }
    free(dir);
    file_unmap(&file);
    return rc || more < 0 ? -1 : 0;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* Where a run of words, or a whole turn, stands in the test data: a chain of items per hash. */
typedef struct Place {
    int item, next;
} Place;

typedef struct Runs {
    Map index; /* hash -> first place, -1 once it has been found */
    VEC(Place) place;
} Runs;

typedef enum RunKind { RUN_SHORT, RUN_LONG, RUN_TURN, RUN_KINDS } RunKind;

static void runs_add(Runs *r, uint64_t hash, int item)
{
    int64_t head = -1;
    map_get(&r->index, (const char *)&hash, sizeof hash, &head);
    if (head >= 0 && r->place.at[head].item == item) return;
    vec_push(&r->place, ((Place){item, (int)head}));
    map_set(&r->index, (const char *)&hash, sizeof hash, r->place.n - 1);
}

typedef void RunUser(void *context, RunKind kind, uint64_t hash);

/* Hashes of every run of n words of a normal text. */
static void each_run(const char *text, int n, RunKind kind, RunUser *use, void *context)
{
    const char *begin[LEAK_LONG], *p = text;
    for (int words = 0; *p; words++) {
        begin[words % n] = p;
        const char *end = p + strcspn(p, " ");
        if (words + 1 >= n) {
            const char *first = begin[(words + 1) % n];
            use(context, kind, hash_bytes(HASH_INIT, first, (size_t)(end - first)));
        }
        p = end + (*end == ' ');
    }
}

static int count_words(const char *text)
{
    int n = *text != 0;
    for (; *text; text++) n += *text == ' ';
    return n;
}

static void each_run_of(const LeakSample *s, RunUser *use, void *context)
{
    enum { SHORTEST_TURN = 5 }; /* "yes" and "Is there a fracture?" say nothing about where they come from */
    for (int i = 0; i < s->turn.n; i++) {
        const char *text = s->turn.at[i];
        each_run(text, LEAK_SHORT, RUN_SHORT, use, context);
        each_run(text, LEAK_LONG, RUN_LONG, use, context);
        if (count_words(text) >= SHORTEST_TURN) use(context, RUN_TURN, hash_bytes(HASH_INIT, text, strlen(text)));
    }
}

typedef struct WordIndex {
    Runs runs[RUN_KINDS];
    LeakReport *report;
    int item;          /* while the index is filled */
    const char *place; /* while it is searched */
} WordIndex;

static void index_run(void *context, RunKind kind, uint64_t hash)
{
    WordIndex *x = context;
    int before = x->runs[kind].place.n;
    runs_add(&x->runs[kind], hash, x->item);
    if (kind == RUN_SHORT) x->report->item[x->item].grams8 += x->runs[kind].place.n > before;
}

static void search_run(void *context, RunKind kind, uint64_t hash)
{
    WordIndex *x = context;
    Runs *r = &x->runs[kind];
    int64_t head;
    if (!map_get(&r->index, (const char *)&hash, sizeof hash, &head) || head < 0) return;
    for (int k = (int)head; k >= 0; k = r->place.at[k].next) {
        LeakItem *item = &x->report->item[r->place.at[k].item];
        if (kind == RUN_SHORT) item->found8++;
        else if (kind == RUN_LONG && !item->ngram13) item->ngram13 = xstrdup(x->place);
        else if (kind == RUN_TURN && !item->same_text) item->same_text = xstrdup(x->place);
    }
    map_set(&r->index, (const char *)&hash, sizeof hash, -1);
}

static void compare_words(LeakReport *r, const Corpus *test, const Corpus *train)
{
    WordIndex x = {.report = r};
    for (x.item = 0; x.item < test->sample.n; x.item++) each_run_of(&test->sample.at[x.item], index_run, &x);
    for (int i = 0; i < train->sample.n; i++) {
        x.place = train->sample.at[i].place;
        each_run_of(&train->sample.at[i], search_run, &x);
    }
    for (int k = 0; k < RUN_KINDS; k++) {
        map_release(&x.runs[k].index);
        free(x.runs[k].place.at);
    }
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

typedef struct Picture {
    char *ref;
    const char *place; /* of the first sample that shows it */
    char sha[SHA256_HEX];
    PictureHash hash;
    bool readable, flat;
} Picture;

typedef struct Pictures {
    VEC(Picture) picture;
    Map by_ref;
} Pictures;

static void pictures_collect(Pictures *p, const Corpus *c)
{
    for (int i = 0; i < c->sample.n; i++)
        for (int k = 0; k < c->sample.at[i].image.n; k++) {
            const char *ref = c->sample.at[i].image.at[k];
            int64_t known;
            if (map_get_str(&p->by_ref, ref, &known)) continue;
            map_set_str(&p->by_ref, ref, p->picture.n);
            vec_push(&p->picture, ((Picture){.ref = xstrdup(ref), .place = c->sample.at[i].place}));
        }
}

static void read_picture(void *context, int i)
{
    Picture *p = &((Pictures *)context)->picture.at[i];
    static const PictureHash NONE;
    Image im = {0};
    ImageRef ref = {0};
    Err err = {0};
    if (image_ref_parse(&ref, p->ref, &err)) return;
    bool hashed = sha256_file(p->sha, ref.path, &err) == 0;
    image_ref_release(&ref);
    if (!hashed || image_load(&im, p->ref, &err)) return;
    p->hash = picture_hash(im.rgb, im.w, im.h);
    p->flat = picture_distance(&p->hash, &NONE) < LEAK_FLAT;
    p->readable = true;
    image_release(&im);
}

/* File and view: the hash, and what follows '#'. */
static char *exact_key(const Picture *p)
{
    const char *view = strrchr(p->ref, '#');
    return xasprintf("%s#%s", p->sha, view ? view + 1 : "");
}

typedef struct Search {
    const Pictures *test, *train;
    int *nearest, *distance; /* [test pictures] */
} Search;

static void search_near(void *context, int i)
{
    Search *s = context;
    const Picture *p = &s->test->picture.at[i];
    s->nearest[i] = -1;
    s->distance[i] = LEAK_NEAR + 1;
    for (int k = 0; p->readable && !p->flat && k < s->train->picture.n; k++) {
        const Picture *q = &s->train->picture.at[k];
        if (!q->readable || q->flat) continue;
        int d = picture_distance(&p->hash, &q->hash);
        if (d < s->distance[i]) s->distance[i] = d, s->nearest[i] = k;
    }
}

static void note_pictures(LeakReport *r, const Corpus *test, const Search *s, const Map *exact)
{
    for (int i = 0; i < test->sample.n; i++)
        for (int k = 0; k < test->sample.at[i].image.n; k++) {
            int64_t at = -1, same = -1;
            if (!map_get_str(&s->test->by_ref, test->sample.at[i].image.at[k], &at)) continue;
            const Picture *p = &s->test->picture.at[at];
            char *key = exact_key(p);
            LeakItem *item = &r->item[i];
            if (p->readable && map_get_str(exact, key, &same) && !item->same_file)
                item->same_file = xstrdup(s->train->picture.at[same].place);
            free(key);
            if (s->nearest[at] < 0 || (item->near_image && item->near_bits <= s->distance[at])) continue;
            free(item->near_image);
            item->near_image = xstrdup(s->train->picture.at[s->nearest[at]].place);
            item->near_bits = s->distance[at];
        }
}

static void pictures_release(Pictures *p)
{
    for (int i = 0; i < p->picture.n; i++) free(p->picture.at[i].ref);
    free(p->picture.at);
    map_release(&p->by_ref);
}

static int count_unreadable(const Pictures *p)
{
    int n = 0;
    for (int i = 0; i < p->picture.n; i++) n += !p->picture.at[i].readable;
    return n;
}

static void compare_pictures(LeakReport *r, const Corpus *test, const Corpus *train)
{
    Pictures a = {0}, b = {0};
    Map exact = {0};
    pictures_collect(&a, test);
    pictures_collect(&b, train);
    pool_run(a.picture.n, read_picture, &a);
    pool_run(b.picture.n, read_picture, &b);
    for (int k = 0; k < b.picture.n; k++) {
        char *key = exact_key(&b.picture.at[k]);
        int64_t known;
        if (b.picture.at[k].readable && !map_get_str(&exact, key, &known)) map_set_str(&exact, key, k);
        free(key);
    }
    Search s = {&a, &b, xcalloc((size_t)a.picture.n + 1, sizeof(int)), xcalloc((size_t)a.picture.n + 1, sizeof(int))};
    pool_run(a.picture.n, search_near, &s);
    note_pictures(r, test, &s, &exact);
    r->test_images = a.picture.n, r->train_images = b.picture.n;
    r->unreadable = count_unreadable(&a) + count_unreadable(&b);
    free(s.nearest);
    free(s.distance);
    map_release(&exact);
    pictures_release(&a);
    pictures_release(&b);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void count_items(LeakReport *r)
{
    int64_t grams = 0, found = 0;
    for (int i = 0; i < r->n; i++) {
        const LeakItem *item = &r->item[i];
        r->same_file += item->same_file != NULL;
        r->near_image += item->near_image != NULL;
        r->same_text += item->same_text != NULL;
        r->ngram13 += item->ngram13 != NULL;
        grams += item->grams8, found += item->found8;
    }
    r->share8 = grams ? (double)found / (double)grams : 0;
}

int leak_check(LeakReport *r, char *const *train_files, int n_train, const char *test_file, Err *err)
{
    Corpus test = {0}, train = {0};
    *r = (LeakReport){0};
    int rc = corpus_load(&test, test_file, err);
    for (int i = 0; rc == 0 && i < n_train; i++) rc = corpus_load(&train, train_files[i], err);
    if (rc == 0) {
        r->n = test.sample.n, r->train_samples = train.sample.n;
        r->item = xcalloc((size_t)r->n + 1, sizeof *r->item);
        for (int i = 0; i < r->n; i++) {
            r->item[i].id = xstrdup(test.sample.at[i].id);
            r->item[i].place = xstrdup(test.sample.at[i].place);
        }
        compare_words(r, &test, &train);
        compare_pictures(r, &test, &train);
        count_items(r);
    }
    corpus_release(&test);
    corpus_release(&train);
    return rc;
}

void leak_release(LeakReport *r)
{
    for (int i = 0; i < r->n; i++) {
        LeakItem *item = &r->item[i];
        char *const owned[] = {item->id,         item->place,     item->same_file,
                               item->near_image, item->same_text, item->ngram13};
        for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
    }
    free(r->item);
    *r = (LeakReport){0};
}
