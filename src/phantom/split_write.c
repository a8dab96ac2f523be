/* A split as files: data.jsonl, images/, README.md and on request data.tsv. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/progress.h"
#include "phantom/card.h"
#include "phantom/family.h"

enum { CHUNK = 256 }; /* cases that are made before they are written in order */

typedef struct Row {
    Buf line, tsv;
    CardRow card;
    Err err;
} Row;

typedef struct Chunk {
    const char *dir;
    const SplitSpec *spec;
    int first; /* of the chunk */
    Row *row;
} Chunk;

/* ---- one sample ------------------------------------------------------------------------------------------------- */

static void add_str(Buf *b, const char *key, const char *value)
{
    buf_printf(b, ", \"%s\": ", key);
    json_append_str(b, value, strlen(value));
}

static void add_message(Buf *b, const char *role, const Buf *content, bool last)
{
    buf_printf(b, "{\"role\": \"%s\", \"content\": ", role);
    json_append_str(b, content->data, content->len);
    buf_str(b, last ? "}" : "}, ");
}

static void image_name(char name[128], const Case *c, int image)
{
    if (c->images > 1) snprintf(name, 128, "images/%s-%d.png", c->id, image + 1);
    else snprintf(name, 128, "images/%s.png", c->id);
}

static void add_messages(Buf *b, const Case *c, const SplitSpec *s, uint32_t number)
{
    Rng rng = rng_at(s->first.seed, RNG_PHANTOM, UINT32_MAX, (uint32_t)s->first.split, number);
    Buf ask = {0}, answer = {0};
    case_messages(&ask, &answer, c, s->style, &rng);
    buf_str(b, ", \"messages\": [");
    add_message(b, "user", &ask, false);
    add_message(b, "assistant", &answer, true);
    buf_str(b, "]");
    buf_release(&ask);
    buf_release(&answer);
}

static void add_findings(Buf *b, const Case *c)
{
    buf_str(b, ", \"findings\": [");
    for (int i = 0; i < c->findings; i++) {
        const Finding *f = &c->finding[i];
        buf_str(b, i ? ", {\"name\": " : "{\"name\": ");
        json_append_str(b, f->name, strlen(f->name));
        if (f->word) add_str(b, "value", f->word);
        else buf_printf(b, ", \"value\": %.10g", f->value);
        add_str(b, "unit", f->unit);
        add_str(b, "text", f->text);
        buf_printf(b, ", \"image\": %d}", f->image);
    }
    buf_str(b, "]");
}

static void add_sample(Buf *b, const Case *c, const SplitSpec *s, uint32_t number)
{
    char name[128];
    buf_printf(b, "{\"id\": \"%s\"", c->id);
    add_messages(b, c, s, number);
    buf_str(b, ", \"images\": [");
    for (int i = 0; i < c->images; i++) {
        image_name(name, c, i);
        buf_printf(b, "%s\"%s\"", i ? ", " : "", name);
    }
    buf_str(b, "]");
    add_str(b, "family", c->family->name);
    add_str(b, "specialty", c->family->specialty);
    buf_printf(b, ", \"level\": %d", c->level);
    add_str(b, "kind", KIND_NAME[c->kind]);
    add_str(b, "question", c->question);
    buf_str(b, ", \"options\": {");
    for (int i = 0; i < c->options; i++) {
        buf_printf(b, "%s\"%c\": ", i ? ", " : "", 'A' + i);
        json_append_str(b, c->option[i], strlen(c->option[i]));
    }
    buf_str(b, "}");
    add_str(b, "answer", c->answer);
    if (c->kind == ASK_NUMBER) buf_printf(b, ", \"tolerance\": %.10g", c->tolerance);
    add_findings(b, c);
    add_str(b, "caption", c->caption);
    buf_str(b, ", \"reasoning\": {");
    for (int i = 0; i < N_STYLES; i++) {
        buf_printf(b, "%s\"%s\": ", i ? ", " : "", STYLE_NAME[i]);
        json_append_str(b, c->reasoning[i], strlen(c->reasoning[i]));
    }
    buf_str(b, "}}\n");
}

/* ---- VLMEvalKit's table ----------------------------------------------------------------------------------------- */

static void add_base64(Buf *b, const Buf *bytes)
{
    static const char DIGIT[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes->data;
    for (size_t i = 0; i < bytes->len; i += 3) {
        size_t left = bytes->len - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        buf_byte(b, (unsigned char)DIGIT[v >> 18]);
        buf_byte(b, (unsigned char)DIGIT[v >> 12 & 63]);
        buf_byte(b, (unsigned char)(left > 1 ? DIGIT[v >> 6 & 63] : '='));
        buf_byte(b, (unsigned char)(left > 2 ? DIGIT[v & 63] : '='));
    }
}

#define TSV_HEAD "index\timage\tquestion\tA\tB\tC\tD\tE\tanswer\tcategory\tl2-category\n"

/* Several pictures are a list of texts, as VLMEvalKit reads them.  Cells hold no tab, quote or line break. */
static void add_tsv(Buf *b, const Case *c, const Buf *png, int index)
{
    buf_printf(b, "%d\t", index);
    if (c->images > 1) buf_str(b, "['");
    for (int i = 0; i < c->images; i++) {
        if (i) buf_str(b, "', '");
        add_base64(b, &png[i]);
    }
    if (c->images > 1) buf_str(b, "']");
    buf_printf(b, "\t%s", c->question);
    for (int i = 0; i < MAX_OPTIONS; i++) buf_printf(b, "\t%s", i < c->options ? c->option[i] : "");
    const char *answer = c->kind == ASK_YESNO ? c->answer[0] == 'y' ? "Yes" : "No" : c->answer;
    buf_printf(b, "\t%s\t%s\tlevel %d\n", answer, c->family->name, c->level);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static int write_images(Row *row, const Case *c, const Chunk *k, int index, Err *err)
{
    Buf png[MAX_IMAGES] = {{0}};
    int rc = 0;
    for (int i = 0; i < c->images && rc == 0; i++) {
        char name[128];
        FileWriter w;
        image_name(name, c, i);
        char *path = path_join(k->dir, name);
        rc = image_png(&png[i], &c->image[i], true, err);
        if (rc == 0) rc = file_create(&w, path, err);
        if (rc == 0) {
            file_write(&w, png[i].data, png[i].len);
            rc = file_publish(&w, err);
        }
        free(path);
    }
    if (rc == 0 && k->spec->tsv) add_tsv(&row->tsv, c, png, index);
    for (int i = 0; i < MAX_IMAGES; i++) buf_release(&png[i]);
    return rc;
}

static void make_row(void *arg, int task)
{
    Chunk *k = arg;
    Row *row = &k->row[task];
    CaseSpec spec = k->spec->first;
    int index = k->first + task, families = 0;
    while (FAMILIES[families]) families++;
    spec.number = (uint32_t)index;
    if (!spec.family) spec.family = FAMILIES[index % families];
    Case c;
    case_make(&c, &spec);
    if (write_images(row, &c, k, index, &row->err) == 0) add_sample(&row->line, &c, k->spec, spec.number);
    row->card = card_row(&c);
    case_release(&c);
}

static void row_release(Row *row)
{
    buf_release(&row->line);
    buf_release(&row->tsv);
    card_row_release(&row->card);
    row->err = (Err){0};
}

static int write_rows(FileWriter *lines, FileWriter *tsv, Card *card, Chunk *k, Err *err)
{
    Progress p;
    int n = k->spec->n, rc = 0;
    progress_start(&p, "phantom", n, "case");
    for (k->first = 0; k->first < n && rc == 0; k->first += CHUNK) {
        int count = n - k->first < CHUNK ? n - k->first : CHUNK;
        pool_run(count, make_row, k);
        for (int i = 0; i < count; i++) {
            Row *row = &k->row[i];
            if (*row->err.msg && rc == 0) *err = row->err, rc = -1;
            file_write(lines, row->line.data, row->line.len);
            if (tsv) file_write(tsv, row->tsv.data, row->tsv.len);
            card_add(card, &row->card);
            row_release(row);
        }
        progress_update(&p, k->first + count, "%s", "");
    }
    progress_end(&p);
    return rc;
}

static int open_in(FileWriter *w, const char *dir, const char *name, Err *err)
{
    char *path = path_join(dir, name);
    int rc = file_create(w, path, err);
    free(path);
    return rc;
}

static int write_card(const char *dir, Card *card, const SplitSpec *spec, Err *err)
{
    Buf text = {0};
    card_print(&text, card, spec);
    char *path = path_join(dir, "README.md");
    int rc = file_save(path, text.data, text.len, err);
    free(path);
    buf_release(&text);
    return rc;
}

static int finish(FileWriter *w, int rc, Err *err)
{
    if (rc == 0) return file_commit(w, err);
    file_abandon(w);
    return -1;
}

int split_write(const char *dir, const SplitSpec *spec, Err *err)
{
    FileWriter lines, tsv;
    char *images = path_join(dir, "images");
    int rc = dir_create(images, err);
    free(images);
    if (rc || open_in(&lines, dir, "data.jsonl", err)) return -1;
    if (spec->tsv && open_in(&tsv, dir, "data.tsv", err)) {
        file_abandon(&lines);
        return -1;
    }
    if (spec->tsv) file_printf(&tsv, "%s", TSV_HEAD);
    Card card = {0};
    Chunk k = {.dir = dir, .spec = spec, .row = xcalloc(CHUNK, sizeof *k.row)};
    rc = write_rows(&lines, spec->tsv ? &tsv : NULL, &card, &k, err);
    rc = finish(&lines, rc, err);
    if (spec->tsv) rc = finish(&tsv, rc, err);
    if (rc == 0) rc = write_card(dir, &card, spec, err);
    card_release(&card);
    free(k.row);
    return rc;
}
