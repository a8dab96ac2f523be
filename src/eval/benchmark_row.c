/* What a row of a benchmark's table holds, as parts of an EvalItem. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "eval/benchmark_impl.h"
#include "reward/answer_prompt.h"
#include "table/embedded.h"
#include "table/quoted_list.h"

/* ---- text -------------------------------------------------------------------------------------------------------- */

const Cell *row_cell(const Reader *r, const char *column)
{
    for (int i = 0; i < r->columns; i++)
        if (!strcasecmp(table_column_name(r->table, r->column[i]), column))
            return r->cell[i].kind == CELL_NULL ? NULL : &r->cell[i];
    return NULL;
}

char *text_stripped(const char *s, size_t n)
{
    while (n > 0 && isspace((unsigned char)*s)) s++, n--;
    while (n > 0 && isspace((unsigned char)s[n - 1])) n--;
    return n > 0 ? xstrndup(s, n) : NULL;
}

static char *cell_stripped(const Cell *c)
{
    if (!c || c->kind == CELL_NULL) return NULL;
    char *text = cell_str(c), *bare = text_stripped(text, strlen(text));
    free(text);
    return bare;
}

char *row_text(const Reader *r, const char *column)
{
    return cell_stripped(row_cell(r, column));
}

bool row_text_is(const Reader *r, const char *column, const char *text)
{
    char *value = row_text(r, column);
    bool same = value && !strcasecmp(value, text);
    free(value);
    return same;
}

static void replace(const char **at, char *text)
{
    free((void *)(uintptr_t)*at);
    *at = text;
}

void row_take_question(Reader *r, char *text)
{
    replace(&r->item.q.question, text);
}

void row_take_gold(Reader *r, char *text)
{
    replace(&r->item.q.gold, text);
}

void row_group(Reader *r, const char *key, const char *column)
{
    char *value = row_text(r, column);
    item_add_group(&r->item, key, value);
    free(value);
}

void row_id(Reader *r, const char *column)
{
    free(r->item.id);
    r->item.id = row_text(r, column);
}

/* "Yes", "no.": what every list of questions means by a yes/no question; Chinese ones say it in more ways. */
static bool gold_is_yes_no(const Question *q)
{
    Question ask = {.kind = ANSWER_YESNO, .gold = q->gold};
    Err none = {0};
    size_t n = strcspn(q->gold, ".");
    if ((unsigned char)q->gold[0] >= 0x80) return question_check(&ask, &none) == 0;
    bool word = (n == 3 && !strncasecmp(q->gold, "yes", 3)) || (n == 2 && !strncasecmp(q->gold, "no", 2));
    return word && !q->gold[n + (q->gold[n] == '.')];
}

void row_kind(Reader *r, bool closed)
{
    Question *q = &r->item.q;
    bool ascii = q->gold && (unsigned char)q->gold[0] < 0x80;
    if (q->gold && (closed || ascii) && gold_is_yes_no(q)) q->kind = ANSWER_YESNO;
    else q->kind = closed ? ANSWER_SHORT : ANSWER_OPEN;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

void row_take_option(Reader *r, char *text)
{
    Question *q = &r->item.q;
    q->kind = ANSWER_CHOICE;
    if (q->n_options < ANSWER_MAX_OPTIONS) q->option[q->n_options++] = text ? text : xstrdup("");
    else free(text);
}

static void drop_empty_options(Question *q)
{
    while (q->n_options > 0 && !*q->option[q->n_options - 1]) replace(&q->option[--q->n_options], NULL);
}

/* "B: Focal uptake" of option B is "Focal uptake". */
static char *without_letter(char *text, char letter)
{
    if (!text || text[0] != letter || text[1] != ':') return text;
    char *bare = text_stripped(text + 2, strlen(text + 2));
    free(text);
    return bare;
}

void row_option_columns(Reader *r, const char *format, char first, int n)
{
    const char *at = strstr(format, "%c");
    for (int i = 0; i < n; i++) {
        char *name = xasprintf("%.*s%c%s", (int)(at - format), format, first + i, at + 2);
        row_take_option(r, without_letter(row_text(r, name), (char)('A' + i)));
        free(name);
    }
    drop_empty_options(&r->item.q);
}

static int listed_options(Reader *r, const Cell *c, Err *err)
{
    QuotedList l = quoted_list(c->text, c->n);
    Buf item = {0};
    int rc;
    while ((rc = quoted_list_next(&l, &item)) == 1)
        row_take_option(r, text_stripped(item.data ? item.data : "", item.len));
    buf_release(&item);
    return rc == 0 ? 0 : err_set(err, "the options are no list: %.*s", c->n < 80 ? (int)c->n : 80, c->text);
}

int row_options(Reader *r, const char *column, Err *err)
{
    const Cell *c = row_cell(r, column);
    if (!c) return 0;
    bool list = c->kind == CELL_LIST, text = c->kind == CELL_TEXT && quoted_list_match(c->text, c->n);
    if (!list && !text && c->kind != CELL_STRUCT) return err_set(err, "\"%s\" is no list of options", column);
    if (text && listed_options(r, c, err)) return -1;
    for (size_t i = 0; !text && i < c->n; i++) {
        const Cell *one = &c->item[i], *value = cell_field(one, "value");
        if (list) row_take_option(r, cell_stripped(value ? value : one));
        else if (one->name && one->name[0] && !one->name[1]) row_take_option(r, cell_stripped(one));
    }
    drop_empty_options(&r->item.q);
    return 0;
}

/* Where "(X) " stands, at the begin or behind a blank. */
static const char *find_label(const char *s, char letter)
{
    const char label[] = {'(', letter, ')', 0};
    for (const char *at = s; (at = strstr(at, label)); at++)
        if (at == s || isspace((unsigned char)at[-1])) return at;
    return NULL;
}

static void take_choices(Reader *r, const char *s)
{
    for (char letter = 'A'; letter <= 'Z' && s; letter++) {
        const char *next = letter < 'Z' ? find_label(s + 3, (char)(letter + 1)) : NULL;
        row_take_option(r, text_stripped(s + 3, next ? (size_t)(next - s - 3) : strlen(s + 3)));
        s = next;
    }
}

void row_cut_choices(Reader *r)
{
    static const char HEAD[] = "Answer Choices:";
    const char *question = r->item.q.question, *last = NULL;
    for (const char *at = question; at && (at = strstr(at, HEAD)); at++) last = at;
    const char *first = last ? find_label(last + strlen(HEAD), 'A') : NULL;
    if (!first) return;
    if (!r->item.q.n_options) take_choices(r, first);
    row_take_question(r, text_stripped(question, (size_t)(last - question)));
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

void row_picture_ref(Reader *r, const char *column, int64_t row)
{
    item_add_image(&r->item, embedded_ref(table_path(r->table), row, column, 0));
}

/* The file itself, or the one before "#frame=3" and the like. */
static bool picture_exists(const char *ref)
{
    const char *hash = strrchr(ref, '#');
    if (file_exists(ref) || !hash) return file_exists(ref);
    char *path = xstrndup(ref, (size_t)(hash - ref));
    bool found = file_exists(path);
    free(path);
    return found;
}

/* A picture's file in one of the benchmark's folders. */
static int add_file(Reader *r, const char *name, size_t n, Err *err)
{
    static const char *const HERE[] = {".", NULL};
    const char *const *folder = r->b->folders[0] ? r->b->folders : HERE;
    char *bare = xstrndup(name, n);
    Buf looked = {0};
    for (int i = 0; i < MAX_FOLDERS && folder[i]; i++) {
        bool here = !strcmp(folder[i], ".");
        char *dir = here ? xstrdup(r->dir) : path_join(r->dir, folder[i]), *path = path_join(dir, bare);
        bool found = picture_exists(path);
        if (found) item_add_image(&r->item, path);
        else free(path);
        buf_printf(&looked, "%s%s", i ? ", " : "", dir);
        free(dir);
        if (!found) continue;
        buf_release(&looked);
        free(bare);
        return 0;
    }
    err_set(err, "there is no picture \"%.200s\"", bare);
    if (r->b->title)
        buf_printf(&looked, "; %s keeps its pictures in an archive of its own, to be unpacked there", r->b->title);
    err_hint(err, "looked in %s", looked.data);
    buf_release(&looked);
    free(bare);
    return -1;
}

int row_named_picture(Reader *r, const char *name, Err *err)
{
    return add_file(r, name, strlen(name), err);
}

/* Rows of a VLMEvalKit table by their index. */
static int map_rows(Reader *r, Err *err)
{
    int index = table_look(r->table, "index");
    Cell c;
    for (int64_t row = 0; index >= 0 && row < table_rows(r->table); row++) {
        if (table_read(r->table, row, &index, 1, &c, err)) return -1;
        char *text = cell_str(&c);
        map_set_str(&r->rows, text, row);
        free(text);
    }
    return 0;
}

/* A picture that is named: the index of another row that holds it, or a file. */
static int add_named(Reader *r, const char *column, const char *text, size_t n, Err *err)
{
    int64_t row;
    bool digits = n > 0 && n < 20 && strspn(text, "0123456789") >= n;
    if (digits && !r->rows.n) {
        char *copy = xstrndup(text, n); /* the row's cells end here */
        int rc = map_rows(r, err);
        rc = rc == 0 && map_get(&r->rows, copy, n, &row) ? 1 : rc;
        if (rc == 1) row_picture_ref(r, column, row);
        else if (rc == 0) rc = add_file(r, copy, n, err);
        free(copy);
        return rc < 0 ? -1 : 0;
    }
    if (digits && map_get(&r->rows, text, n, &row)) {
        row_picture_ref(r, column, row);
        return 0;
    }
    return add_file(r, text, n, err);
}

static int add_listed(Reader *r, const Cell *c, Err *err)
{
    QuotedList l = quoted_list(c->text, c->n);
    Buf item = {0};
    int rc, bad = 0;
    while (!bad && (rc = quoted_list_next(&l, &item)) == 1)
        bad = add_file(r, item.data ? item.data : "", item.len, err);
    buf_release(&item);
    return bad;
}

static int add_pictures(Reader *r, const char *column, const Cell *c, Err *err)
{
    if (c->kind == CELL_NULL) return 0;
    if (embedded_match(c)) {
        int n = embedded_count(c);
        for (int k = 0; k < n; k++) item_add_image(&r->item, embedded_ref(table_path(r->table), r->row, column, k));
        return 0;
    }
    if (c->kind == CELL_INT) {
        char *digits = cell_str(c);
        int rc = add_named(r, column, digits, strlen(digits), err);
        free(digits);
        return rc;
    }
    if (c->kind == CELL_TEXT && quoted_list_match(c->text, c->n)) return add_listed(r, c, err);
    if (c->kind == CELL_TEXT) return add_named(r, column, c->text, c->n, err);
    if (c->kind != CELL_LIST) return err_set(err, "column %s: a picture cannot be %s", column, cell_kind_name(c->kind));
    for (size_t i = 0; i < c->n; i++) {
        if (c->item[i].kind != CELL_TEXT)
            return err_set(err, "column %s: a picture's name cannot be %s", column, cell_kind_name(c->item[i].kind));
        if (add_file(r, c->item[i].text, c->item[i].n, err)) return -1;
    }
    return 0;
}

int row_pictures(Reader *r, const char *column, Err *err)
{
    for (int i = 0; i < table_columns(r->table); i++) {
        const char *name = table_column_name(r->table, i);
        Cell c;
        if (strcasecmp(name, column)) continue;
        if (table_read(r->table, r->row, &i, 1, &c, err)) return -1;
        return add_pictures(r, name, &c, err);
    }
    return 0;
}

/* ---- markers ----------------------------------------------------------------------------------------------------- */

enum { MAX_MENTIONS = 64 };

typedef struct Mentions {
    int place[MAX_MENTIONS]; /* of image N in the new order, from 1; 0: not mentioned */
    int n, images;
} Mentions;

static void find_mentions(Mentions *m, const char *text)
{
    int number;
    for (const char *s = text; (s = strstr(s, "<image")); s++)
        if (image_marker_at(s, &number) && number > 0 && number <= m->images && !m->place[number])
            m->place[number] = ++m->n;
}

static char *renumbered(const Mentions *m, const char *text)
{
    Buf b = {0};
    for (const char *s = text; *s;) {
        int number = 0;
        size_t n = image_marker_at(s, &number);
        if (!n || !number) buf_byte(&b, (unsigned char)*s++);
        else if (number <= m->images) buf_printf(&b, "<image %d>", m->place[number]);
        else buf_printf(&b, "image %d", number);
        s += number ? n : 0;
    }
    return b.data ? buf_take(&b) : xstrdup("");
}

/*
 * A file numbers its images; the texts mention them in any order (options are shuffled), and those that none mentions
 * belong to the explanation.  Where nothing is mentioned all images count.
 */
void item_order_images(EvalItem *item)
{
    Question *q = &item->q;
    Mentions m = {.images = item->n_images < MAX_MENTIONS ? item->n_images : MAX_MENTIONS - 1};
    if (q->question) find_mentions(&m, q->question);
    for (int i = 0; i < q->n_options; i++) find_mentions(&m, q->option[i]);
    if (!m.n) return;
    char **images = xcalloc((size_t)m.n, sizeof *images);
    for (int i = 0; i < item->n_images; i++) {
        int place = i + 1 < MAX_MENTIONS ? m.place[i + 1] : 0;
        if (place) images[place - 1] = item->images[i];
        else free(item->images[i]);
    }
    free(item->images);
    item->images = images;
    item->n_images = m.n;
    if (q->question) replace(&q->question, renumbered(&m, q->question));
    for (int i = 0; i < q->n_options; i++) replace(&q->option[i], renumbered(&m, q->option[i]));
}
