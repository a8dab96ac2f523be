/*
 * atlas.c - the slices' data and their score: questions about a real brain whose answers an atlas knows.
 *
 *   atlas make DIR [SEED]     reads Debian's mricron-data (the T1 volume ch2 and the AAL labels on its grid); writes
 *                             DIR/{t1,inverted}_{train,test}.jsonl and their PNG files
 *   atlas score DATA.jsonl ANSWERS.jsonl      accuracy with 95 % Wilson intervals beside the best constant answer
 *   atlas report LOG.jsonl... > report.html   loss curves as one self-contained page
 *
 * A picture is a part of one slice.  Three kinds of question: the plane of the slice; which of the patient's halves is
 * shown, where it is only one; whether a region is in the picture, by the labels in it.  The `inverted` files hold the
 * same slices as another scanner might show them: brightness turned round.  Slices are split by position in blocks of
 * ten: five for training, one unused, three for testing, one unused, so that no test slice is a neighbour of a training
 * slice.  A training sample asks three questions about one picture, a test sample asks one.
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

enum { TRAIN_VIEWS = 14, TEST_VIEWS = 4, MAX_LABEL = 256, MIN_LABELLED = 400, QUESTIONS = 3 };

/* ---- what a label means ------------------------------------------------------------------------------------------ */

/* The regions that are asked for; a label belongs to the region whose prefix its name has. */
static const struct {
    const char *name, *prefix[2];
} REGION[] = {{"cerebellum", {"Cerebelum", "Vermis"}},
              {"occipital lobe", {"Occipital", "Calcarine"}},
              {"frontal lobe", {"Frontal", "Rectus"}},
              {"temporal lobe", {"Temporal", "Heschl"}},
              {"thalamus", {"Thalamus", "Thalamus"}}};
enum { N_REGIONS = sizeof REGION / sizeof *REGION };

/* region[label] = number of its region, -1 where it is not asked for */
static int read_labels(int region[MAX_LABEL], Err *err)
{
    FILE *f = fopen(NAMES, "r");
    if (!f) return err_errno(err, "%s", NAMES);
    for (int i = 0; i < MAX_LABEL; i++) region[i] = -1;
    char line[256], name[128];
    int label;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%d %127s", &label, name) != 2 || label < 1 || label >= MAX_LABEL) continue;
        for (int r = 0; r < N_REGIONS; r++)
            for (int k = 0; k < 2; k++)
                if (!strncmp(name, REGION[r].prefix[k], strlen(REGION[r].prefix[k]))) region[label] = r;
    }
    fclose(f);
    return 0;
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

typedef struct Plane {
    const char *name;
    int first, last;
    bool has_side; /* the patient's halves stand beside each other in the picture */
} Plane;
static const Plane PLANE[] = {{"axial", 14, 150, true}, {"coronal", 24, 200, true}, {"sagittal", 24, 156, false}};
enum { N_PLANES = sizeof PLANE / sizeof *PLANE };

typedef struct Slice {
    const Plane *plane;
    int number;
    Image mri, labels; /* of the same size */
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

/* A part of a slice and what an atlas knows of it. */
typedef struct View {
    int x, y, w, h;
    const char *side;        /* "left", "right"; NULL where both halves are in it */
    double share[N_REGIONS]; /* of the picture's area */
} View;

/* Half of the views of a plane with two sides show one half only; radiological display: the right one on the left. */
static View pick_view(const Slice *s, const int region[MAX_LABEL], Rng *r)
{
    int w = s->mri.w, h = s->mri.h, jitter = 16;
    View v = {.x = (int)rng_below(r, (uint32_t)jitter), .y = (int)rng_below(r, (uint32_t)jitter)};
    v.w = w - v.x - (int)rng_below(r, (uint32_t)jitter);
    v.h = h - v.y - (int)rng_below(r, (uint32_t)jitter);
    if (s->plane->has_side && rng_below(r, 2)) {
        bool right = rng_below(r, 2);
        v.side = right ? "right" : "left";
        v.w = w / 2 - v.x;
        if (!right) v.x = w - w / 2;
    }
    for (int y = v.y; y < v.y + v.h; y++)
        for (int x = v.x; x < v.x + v.w; x++) {
            int k = region[s->labels.rgb[3 * (y * w + x)]];
            if (k >= 0) v.share[k] += 1.0 / (v.w * v.h);
        }
    return v;
}

static int save_view(const Slice *s, const View *v, bool inverted, const char *path, Err *err)
{
    Image im = {v->w, v->h, xmalloc(3 * (size_t)v->w * (size_t)v->h)};
    for (int y = 0; y < v->h; y++)
        memcpy(im.rgb + 3 * (size_t)y * (size_t)v->w,
               s->mri.rgb + 3 * ((size_t)(v->y + y) * (size_t)s->mri.w + (size_t)v->x), 3 * (size_t)v->w);
    for (int i = 0; inverted && i < 3 * v->w * v->h; i++) im.rgb[i] = (unsigned char)(255 - im.rgb[i]);
    int rc = image_save(&im, path, err);
    image_release(&im);
    return rc;
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

typedef struct Question {
    const char *kind, *answer;
    char text[96];
} Question;

/* Yes and no are equally likely before the picture is seen: first the answer is drawn, then a region that has it. */
static bool ask_region(Question *q, const View *v, Rng *r)
{
    bool yes = rng_below(r, 2);
    for (int attempt = 0; attempt < 20; attempt++) {
        int k = (int)rng_below(r, N_REGIONS);
        bool clear = yes ? v->share[k] > 0.02 : v->share[k] <= 0;
        if (!clear) continue;
        *q = (Question){.kind = "region", .answer = yes ? "yes" : "no"};
        snprintf(q->text, sizeof q->text, "Is the %s in the picture?", REGION[k].name);
        return true;
    }
    return false;
}

/* The questions of a view in random order; returns how many. */
static int ask(Question q[QUESTIONS], const Slice *s, const View *v, Rng *r)
{
    int n = 0;
    q[n++] = (Question){"plane", s->plane->name, "Which plane is shown?"};
    if (v->side) q[n++] = (Question){"side", v->side, "Which side of the patient is shown?"};
    while (n < QUESTIONS && ask_region(&q[n], v, r)) n++;
    for (int i = n - 1; i > 0; i--) {
        int k = (int)rng_below(r, (uint32_t)i + 1);
        Question t = q[i];
        q[i] = q[k];
        q[k] = t;
    }
    return n;
}

static void write_turn(FileWriter *w, const char *marker, const Question *q)
{
    file_printf(w, "{\"role\": \"user\", \"content\": \"%s%s\"}, {\"role\": \"assistant\", \"content\": \"%s\"}",
                marker, q->text, q->answer);
}

/* Training: all questions as turns of one sample. */
static void write_training(FileWriter *w, const char *image, const Question *q, int n)
{
    file_printf(w, "{\"id\": \"%s\", \"messages\": [", image);
    for (int i = 0; i < n; i++) {
        if (i) file_printf(w, ", ");
        write_turn(w, i ? "" : "<image>", &q[i]);
    }
    file_printf(w, "], \"images\": [\"%s\"]}\n", image);
}

/* Testing: one sample a question. */
static void write_test(FileWriter *w, const char *image, const Question *q, int n)
{
    for (int i = 0; i < n; i++) {
        file_printf(w, "{\"id\": \"%s/%d\", \"kind\": \"%s\", \"answer\": \"%s\", \"messages\": [", image, i, q[i].kind,
                    q[i].answer);
        write_turn(w, "<image>", &q[i]);
        file_printf(w, "], \"images\": [\"%s\"]}\n", image);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static const char *const LOOK[] = {"t1", "inverted"}, *const SPLIT[] = {"train", "test"};

typedef struct Writer {
    const char *dir;
    int region[MAX_LABEL];
    FileWriter file[2][2]; /* [look][split] */
    uint64_t seed;
    int n_images;
} Writer;

static int write_view(Writer *w, const Slice *s, int number, bool test, Err *err)
{
    for (int look = 0; look < 2; look++) {
        Rng r = rng_at(w->seed + (uint64_t)look, RNG_TEST, (uint32_t)(s->plane - PLANE), (uint32_t)s->number,
                       (uint32_t)number);
        View v = pick_view(s, w->region, &r);
        Question q[QUESTIONS];
        int n = ask(q, s, &v, &r);
        char name[96], path[512];
        snprintf(name, sizeof name, "%s/%s-%03d-%02d.png", LOOK[look], s->plane->name, s->number, number);
        snprintf(path, sizeof path, "%s/%s", w->dir, name);
        if (save_view(s, &v, look, path, err)) return -1;
        if (test) write_test(&w->file[look][1], name, q, n);
        else write_training(&w->file[look][0], name, q, n);
        w->n_images++;
    }
    return 0;
}

static int write_slice(Writer *w, const Plane *p, int number, Err *err)
{
    int phase = number % 10;
    if (phase == 5 || phase == 9) return 0;
    bool test = phase > 5;
    Slice s;
    if (load_slice(&s, p, number, err)) return -1;
    int labelled = 0, rc = 0;
    for (int i = 0; i < s.labels.w * s.labels.h; i++) labelled += w->region[s.labels.rgb[3 * i]] >= 0;
    int views = labelled < MIN_LABELLED ? 0 : test ? TEST_VIEWS : TRAIN_VIEWS;
    for (int k = 0; k < views && rc == 0; k++) rc = write_view(w, &s, k, test, err);
    release_slice(&s);
    return rc;
}

static int open_files(Writer *w, Err *err)
{
    for (int look = 0; look < 2; look++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", w->dir, LOOK[look]);
        if (dir_create(path, err)) return -1;
        for (int split = 0; split < 2; split++) {
            snprintf(path, sizeof path, "%s/%s_%s.jsonl", w->dir, LOOK[look], SPLIT[split]);
            if (file_create(&w->file[look][split], path, err)) return -1;
        }
    }
    return 0;
}

static int make(const char *dir, uint64_t seed, Err *err)
{
    Writer w = {.dir = dir, .seed = seed};
    if (read_labels(w.region, err)) return err_hint(err, "install Debian's package mricron-data");
    if (open_files(&w, err)) return -1;
    for (int p = 0; p < N_PLANES; p++)
        for (int k = PLANE[p].first; k <= PLANE[p].last; k++)
            if (write_slice(&w, &PLANE[p], k, err)) return -1;
    for (int i = 0; i < 4; i++)
        if (file_commit(&w.file[i / 2][i % 2], err)) return -1;
    printf("%d images in %s\n", w.n_images, dir);
    return 0;
}

/* ---- score ------------------------------------------------------------------------------------------------------- */

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

/* ---- report ------------------------------------------------------------------------------------------------------ */

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
    printf("<!doctype html><meta charset='utf-8'><title>Osler: brain slices</title><body "
           "style='font-family:sans-serif;max-width:700px;margin:2em auto'>"
           "<h1>Brain slices: loss curves</h1>\n");
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
