/*
 * atlas.c - the demo's data and its score: questions about a real brain whose answers an atlas knows.
 *
 *   atlas make DIR [SEED]     reads Debian's mricron-data (the T1 volume ch2 and the AAL labels on the same grid), writes
 *                             PNG files to DIR/images and DIR/{orient,region}_{train,test}.jsonl
 *   atlas score DATA.jsonl ANSWERS.jsonl      accuracy with 95 % Wilson intervals beside the best constant answer
 *   atlas report LOG.jsonl... > report.html   loss curves as one self-contained page
 *
 * Every picture is a slice with one ring drawn around a labelled voxel.  Two tasks: `orient` asks for the plane of the
 * slice and the patient's side of the ring, `region` for the lobe in the ring.  Slices are split by position in blocks of
 * ten: five for training, one unused, three for testing, one unused, so that no test slice is a neighbour of a training
 * slice.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/map.h"
#include "base/rng.h"
#include "image/image.h"

static const char VOLUME[] = "/usr/share/mricron/templates/ch2.nii.gz";
static const char LABELS[] = "/usr/share/mricron/templates/aal.nii.gz";
static const char NAMES[] = "/usr/share/mricron/templates/aal.nii.txt";

enum { MARKS_PER_SLICE = 36, MAX_LABEL = 256, MIN_LABELLED = 400, RING = 11 };

/* ---- what a label means --------------------------------------------------------------------------------------------- */

typedef struct Label {
    const char *region; /* NULL: not asked for */
    char side;          /* 'L', 'R' or 0 */
} Label;

static const struct {
    const char *prefix, *region;
} REGION[] = {{"Frontal", "frontal"},        {"Precentral", "frontal"},   {"Rectus", "frontal"},
              {"Supp_Motor", "frontal"},     {"Parietal", "parietal"},    {"Postcentral", "parietal"},
              {"SupraMarginal", "parietal"}, {"Angular", "parietal"},     {"Precuneus", "parietal"},
              {"Temporal", "temporal"},      {"Heschl", "temporal"},      {"Occipital", "occipital"},
              {"Calcarine", "occipital"},    {"Cuneus", "occipital"},     {"Lingual", "occipital"},
              {"Cerebelum", "cerebellum"},   {"Vermis", "cerebellum"},    {"Caudate", "deep nuclei"},
              {"Putamen", "deep nuclei"},    {"Pallidum", "deep nuclei"}, {"Thalamus", "deep nuclei"}};

static int read_labels(Label label[MAX_LABEL], Err *err)
{
    FILE *f = fopen(NAMES, "r");
    if (!f) return err_errno(err, "%s", NAMES);
    char line[256], name[128];
    int number;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%d %127s", &number, name) != 2 || number < 1 || number >= MAX_LABEL) continue;
        for (size_t i = 0; i < sizeof REGION / sizeof *REGION; i++)
            if (!strncmp(name, REGION[i].prefix, strlen(REGION[i].prefix))) label[number].region = REGION[i].region;
        size_t n = strlen(name);
        if (n > 2 && name[n - 2] == '_' && (name[n - 1] == 'L' || name[n - 1] == 'R')) label[number].side = name[n - 1];
    }
    fclose(f);
    return 0;
}

/* ---- pictures ------------------------------------------------------------------------------------------------------- */

typedef struct Plane {
    const char *name;
    int first, last;
    bool has_side; /* the two sides stand beside each other in the picture */
} Plane;
static const Plane PLANE[] = {{"axial", 14, 150, true}, {"coronal", 24, 200, true}, {"sagittal", 24, 156, false}};

/* A red ring: gray pictures hold nothing like it. */
static void draw_ring(Image *im, int cx, int cy)
{
    for (int y = cy - RING - 2; y <= cy + RING + 2; y++)
        for (int x = cx - RING - 2; x <= cx + RING + 2; x++) {
            if (x < 0 || y < 0 || x >= im->w || y >= im->h) continue;
            double r = hypot(x - cx, y - cy);
            if (fabs(r - RING) > 2.5) continue;
            unsigned char *p = im->rgb + 3 * ((size_t)y * (size_t)im->w + (size_t)x);
            p[0] = 255;
            p[1] = p[2] = 0;
        }
}

typedef struct Slice {
    const Plane *plane;
    int number;
    Image mri, labels;
} Slice;

static int load_slice(Slice *s, const Plane *p, int number, Err *err)
{
    *s = (Slice){.plane = p, .number = number};
    char ref[256];
    snprintf(ref, sizeof ref, "%s#%s=%d", VOLUME, p->name, number);
    if (image_load(&s->mri, ref, err)) return -1;
    snprintf(ref, sizeof ref, "%s#%s=%d&window=128,256", LABELS, p->name, number); /* the window that keeps values */
    if (image_load(&s->labels, ref, err)) {
        image_release(&s->mri);
        return -1;
    }
    return 0;
}

static void release_slice(Slice *s)
{
    image_release(&s->mri);
    image_release(&s->labels);
}

/* ---- questions ------------------------------------------------------------------------------------------------------ */

typedef struct Writer {
    const char *dir;
    Label label[MAX_LABEL];
    FileWriter orient[2], region[2]; /* train, test */
    uint64_t seed;
    int n_images;
} Writer;

static void write_sample(FileWriter *w, const char *image, const char *kind, const char *question, const char *answer)
{
    file_printf(
        w,
        "{\"id\": \"%s/%s\", \"kind\": \"%s\", \"messages\": [{\"role\": \"user\", \"content\": \"<image>%s\"}, "
        "{\"role\": \"assistant\", \"content\": \"%s\"}], \"images\": [\"images/%s\"], \"answer\": \"%s\"}\n",
        image, kind, kind, question, answer, image, answer);
}

/* A voxel whose label is asked for; each region is equally likely, so that no answer is a good guess. */
static bool pick_voxel(const Writer *w, const Slice *s, Rng *r, int *at)
{
    static const char *const KIND[] = {"frontal", "parietal", "temporal", "occipital", "cerebellum", "deep nuclei"};
    const char *want = KIND[rng_below(r, 6)];
    int n = s->labels.w * s->labels.h;
    for (int attempt = 0; attempt < 4000; attempt++) {
        *at = (int)rng_below(r, (uint32_t)n);
        const Label *l = &w->label[s->labels.rgb[3 * *at]];
        if (l->region && !strcmp(l->region, want)) return true;
    }
    return false;
}

static int write_mark(Writer *w, const Slice *s, int mark, bool test, Err *err)
{
    int at;
    Rng r = rng_at(w->seed, RNG_TEST, (uint32_t)(s->plane - PLANE), (uint32_t)s->number, (uint32_t)mark);
    if (!pick_voxel(w, s, &r, &at)) return 0;
    Image im = {s->mri.w, s->mri.h, xmalloc(3 * (size_t)s->mri.w * (size_t)s->mri.h)};
    memcpy(im.rgb, s->mri.rgb, 3 * (size_t)im.w * (size_t)im.h);
    draw_ring(&im, at % im.w, at / im.w);
    char name[64], path[512];
    snprintf(name, sizeof name, "%s-%03d-%02d.png", s->plane->name, s->number, mark);
    snprintf(path, sizeof path, "%s/images/%s", w->dir, name);
    int rc = image_save(&im, path, err);
    image_release(&im);
    const Label *l = &w->label[s->labels.rgb[3 * at]];
    write_sample(&w->region[test], name, "region", "Which region is marked?", l->region);
    if (s->plane->has_side && l->side)
        write_sample(&w->orient[test], name, "side", "On which side of the patient is the mark?",
                     l->side == 'L' ? "left" : "right");
    if (mark % 2 == 0) write_sample(&w->orient[test], name, "plane", "Which plane is shown?", s->plane->name);
    w->n_images++;
    return rc;
}

static int write_slice(Writer *w, const Plane *p, int number, Err *err)
{
    int phase = number % 10;
    if (phase == 5 || phase == 9) return 0;
    bool test = phase > 5;
    Slice s;
    if (load_slice(&s, p, number, err)) return -1;
    int labelled = 0, rc = 0;
    for (int i = 0; i < s.labels.w * s.labels.h; i++) labelled += w->label[s.labels.rgb[3 * i]].region != NULL;
    int marks = test ? MARKS_PER_SLICE / 9 : MARKS_PER_SLICE;
    for (int m = 0; labelled >= MIN_LABELLED && m < marks && rc == 0; m++) rc = write_mark(w, &s, m, test, err);
    release_slice(&s);
    return rc;
}

static int open_files(Writer *w, Err *err)
{
    static const char *const SPLIT[] = {"train", "test"};
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/orient_%s.jsonl", w->dir, SPLIT[i]);
        if (file_create(&w->orient[i], path, err)) return -1;
        snprintf(path, sizeof path, "%s/region_%s.jsonl", w->dir, SPLIT[i]);
        if (file_create(&w->region[i], path, err)) return -1;
    }
    return 0;
}

static int make(const char *dir, uint64_t seed, Err *err)
{
    Writer w = {.dir = dir, .seed = seed};
    char *images = path_join(dir, "images");
    int rc = dir_create(images, err);
    free(images);
    if (rc || read_labels(w.label, err)) return err_hint(err, "install Debian's package mricron-data");
    if (open_files(&w, err)) return -1;
    for (size_t p = 0; p < sizeof PLANE / sizeof *PLANE; p++)
        for (int k = PLANE[p].first; k <= PLANE[p].last; k++)
            if (write_slice(&w, &PLANE[p], k, err)) return -1;
    for (int i = 0; i < 2; i++)
        if (file_commit(&w.orient[i], err) || file_commit(&w.region[i], err)) return -1;
    printf("%d images in %s\n", w.n_images, dir);
    return 0;
}

/* ---- score ---------------------------------------------------------------------------------------------------------- */

typedef struct Tally {
    char kind[32];
    int n, right;
    Map answers;
} Tally;

/* 95 % interval of a proportion (Wilson 1927). */
static void wilson(int right, int n, double *lo, double *hi)
{
    double z = 1.959964, p = n ? (double)right / n : 0, nn = n ? n : 1, d = 1 + z * z / nn;
    double mid = (p + z * z / (2 * nn)) / d, half = z * sqrt(p * (1 - p) / nn + z * z / (4 * nn * nn)) / d;
    *lo = mid - half;
    *hi = mid + half;
}

static Tally *tally_of(Tally *t, int *n, const char *kind)
{
    for (int i = 0; i < *n; i++)
        if (!strcmp(t[i].kind, kind)) return &t[i];
    snprintf(t[*n].kind, sizeof t[*n].kind, "%s", kind);
    return &t[(*n)++];
}

static int read_answers(Map *by_id, Buf *texts, const char *path, Err *err)
{
    Buf b = {0};
    if (file_read(&b, path, (size_t)1 << 30, err)) return -1;
    int rc = 0;
    for (char *line = b.data, *end; rc == 0 && line && *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        json_t *o = json_parse(line, (size_t)(end - line), err);
        const char *id, *text;
        rc = !o || json_get_str(o, "id", &id, true, err) || json_get_str(o, "text", &text, true, err) ? -1 : 0;
        if (rc == 0) {
            map_set_str(by_id, id, (int64_t)texts->len);
            buf_add(texts, text, strlen(text) + 1);
        }
        json_decref(o);
    }
    buf_release(&b);
    return rc ? err_context(err, "%s", path) : 0;
}

static int count_answer(Tally *t, int *n_kinds, const json_t *o, const Map *by_id, const Buf *texts, Err *err)
{
    const char *id, *kind, *answer;
    if (json_get_str(o, "id", &id, true, err) || json_get_str(o, "kind", &kind, true, err) ||
        json_get_str(o, "answer", &answer, true, err))
        return -1;
    Tally *row = tally_of(t, n_kinds, kind);
    int64_t at, times = 0;
    map_get_str(&row->answers, answer, &times);
    map_set_str(&row->answers, answer, times + 1);
    row->n++;
    row->right += map_get_str(by_id, id, &at) && !strcmp(texts->data + at, answer);
    return 0;
}

static int score(const char *data, const char *answers, Err *err)
{
    Map by_id = {0};
    Buf texts = {0}, b = {0};
    Tally t[8] = {0};
    int n = 0;
    if (read_answers(&by_id, &texts, answers, err) || file_read(&b, data, (size_t)1 << 30, err)) return -1;
    for (char *line = b.data, *end; *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        json_t *o = json_parse(line, (size_t)(end - line), err);
        if (!o || count_answer(t, &n, o, &by_id, &texts, err)) return -1;
        json_decref(o);
    }
    for (int i = 0; i < n; i++) {
        double lo, hi;
        int64_t best = 0;
        const char *constant = "";
        for (int k = 0; k < t[i].answers.n; k++)
            if (t[i].answers.entry[k].value > best)
                best = t[i].answers.entry[k].value, constant = t[i].answers.entry[k].key;
        wilson(t[i].right, t[i].n, &lo, &hi);
        printf("  %-8s %4d questions   accuracy %5.1f %% [%5.1f, %5.1f]   always \"%s\": %5.1f %%\n", t[i].kind, t[i].n,
               100.0 * t[i].right / t[i].n, 100 * lo, 100 * hi, constant, 100.0 * (double)best / t[i].n);
        map_release(&t[i].answers);
    }
    map_release(&by_id);
    buf_release(&texts);
    buf_release(&b);
    return 0;
}

/* ---- report --------------------------------------------------------------------------------------------------------- */

enum { PLOT_W = 640, PLOT_H = 240 };

static int plot(const char *path, Err *err)
{
    Buf b = {0};
    VEC(double) loss = {0};
    if (file_read(&b, path, (size_t)1 << 28, err)) return -1;
    double top = 0;
    for (char *line = b.data, *end; *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        json_t *o = json_parse(line, (size_t)(end - line), err);
        double y;
        if (!o) return err_context(err, "%s", path);
        if (json_object_get(o, "loss") && json_get_num(o, "loss", &y, true, err) == 0) {
            vec_push(&loss, y);
            top = fmax(top, y);
        }
        json_decref(o);
    }
    printf("<h2>%s</h2><svg viewBox='0 0 %d %d' width='%d'><rect width='100%%' height='100%%' fill='#f6f6f6'/>"
           "<polyline fill='none' stroke='#0a58a6' points='",
           path, PLOT_W, PLOT_H, PLOT_W);
    for (int i = 0; i < loss.n; i++)
        printf("%.1f,%.1f ", 10 + (PLOT_W - 20) * (double)i / (loss.n > 1 ? loss.n - 1 : 1),
               PLOT_H - 10 - (PLOT_H - 20) * loss.at[i] / top);
    printf("'/></svg><p>%d steps, loss %.3f at the start, %.3f at the end</p>\n", loss.n, loss.n ? loss.at[0] : 0,
           loss.n ? loss.at[loss.n - 1] : 0);
    free(loss.at);
    buf_release(&b);
    return 0;
}

static int report(char **logs, int n, Err *err)
{
    printf("<!doctype html><meta charset='utf-8'><title>Osler demo</title><body "
           "style='font-family:sans-serif;max-width:700px;margin:2em auto'>"
           "<h1>Osler demo: loss curves</h1>\n");
    for (int i = 0; i < n; i++)
        if (plot(logs[i], err)) return -1;
    printf("</body>\n");
    return 0;
}

int main(int argc, char **argv)
{
    Err err = {0};
    int rc;
    if (argc >= 3 && !strcmp(argv[1], "make")) rc = make(argv[2], argc > 3 ? strtoull(argv[3], NULL, 10) : 1, &err);
    else if (argc == 4 && !strcmp(argv[1], "score")) rc = score(argv[2], argv[3], &err);
    else if (argc >= 3 && !strcmp(argv[1], "report")) rc = report(argv + 2, argc - 2, &err);
    else {
        fprintf(stderr, "usage: atlas make DIR [SEED] | score DATA.jsonl ANSWERS.jsonl | report LOG.jsonl...\n");
        return 2;
    }
    if (rc) err_print(&err);
    return rc ? 1 : 0;
}
