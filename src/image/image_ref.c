#include "image/image_ref.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const struct {
    const char *name;
    unsigned bit;
    ImagePlane plane;
} KEYS[] = {
    {"frame", VIEW_FRAME, PLANE_NONE},        {"window", VIEW_WINDOW, PLANE_NONE},
    {"axial", VIEW_PLANE, PLANE_AXIAL},       {"coronal", VIEW_PLANE, PLANE_CORONAL},
    {"sagittal", VIEW_PLANE, PLANE_SAGITTAL}, {"volume", VIEW_VOLUME, PLANE_NONE},
};
enum { N_KEYS = sizeof KEYS / sizeof KEYS[0] };

static int parse_index(int *out, const char *key, const char *value, Err *err)
{
    char *end;
    errno = 0;
    long v = strtol(value, &end, 10);
    bool digits = value[0] >= '0' && value[0] <= '9';
    if (!digits || *end || errno || v > INT_MAX) {
        return err_set(err, "%s=%s: not a whole number from 0", key, value);
    }
    *out = (int)v;
    return 0;
}

static bool parse_number(double *out, const char *text, char stop, const char **rest)
{
    char *end;
    if (*text == ' ' || *text == '\0') return false;
    *out = strtod(text, &end);
    if (end == text || *end != stop || !isfinite(*out)) return false;
    *rest = stop ? end + 1 : end;
    return true;
}

static int parse_window(ImageView *view, const char *value, Err *err)
{
    const char *at = value;
    if (!parse_number(&view->centre, at, ',', &at) || !parse_number(&view->width, at, '\0', &at)) {
        err_set(err, "window=%s: not two numbers", value);
        return err_hint(err, "window=CENTRE,WIDTH, for example window=40,80");
    }
    if (view->width < 1) {
        err_set(err, "window=%s: the width must be at least 1", value);
        return err_hint(err, "DICOM's linear window function (PS3.3 C.11.2.1.2.1) is defined from a width of 1 on");
    }
    return 0;
}

static int view_set(ImageView *view, int k, const char *value, Err *err)
{
    if (view->given & KEYS[k].bit) {
        if (KEYS[k].bit != VIEW_PLANE) return err_set(err, "'%s' is given twice", KEYS[k].name);
        err_set(err, "'%s' is a second plane", KEYS[k].name);
        return err_hint(err, "give one of axial=K, coronal=K, sagittal=K");
    }
    view->given |= KEYS[k].bit;
    switch (KEYS[k].bit) {
    case VIEW_WINDOW: return parse_window(view, value, err);
    case VIEW_FRAME: return parse_index(&view->frame, KEYS[k].name, value, err);
    case VIEW_VOLUME: return parse_index(&view->volume, KEYS[k].name, value, err);
    default: view->plane = KEYS[k].plane; return parse_index(&view->index, KEYS[k].name, value, err);
    }
}

/* %25 and the like in place. */
static int unescape(char *s, Err *err)
{
    char *out = s;
    for (const char *in = s; *in; out++) {
        char hex[3] = {0}, *end = hex;
        if (*in == '%') memcpy(hex, in + 1, in[1] ? 2 : 1);
        long v = *in == '%' ? strtol(hex, &end, 16) : *in;
        if (*in == '%' && (end != hex + 2 || v <= 0)) return err_set(err, "column=%s: '%%' is written %%25", s);
        in += *in == '%' ? 3 : 1;
        *out = (char)v;
    }
    *out = '\0';
    return 0;
}

static int cell_set(ImageCell *cell, unsigned key, const char *name, const char *value, Err *err)
{
    if (cell->given & key) return err_set(err, "'%s' is given twice", name);
    cell->given |= key;
    if (key == CELL_ROW) return parse_index(&cell->row, name, value, err);
    if (key == CELL_ITEM) return parse_index(&cell->item, name, value, err);
    cell->column = xstrdup(value);
    return unescape(cell->column, err);
}

/* `cell` is NULL where no table can be meant. */
static int parse_pair(ImageView *view, ImageCell *cell, char *pair, Err *err)
{
    static const char *const CELL_KEY[] = {"row", "column", "item"};
    char *eq = strchr(pair, '=');
    if (eq) *eq = '\0';
    int k = 0, in_cell = 0;
    while (k < N_KEYS && strcmp(KEYS[k].name, pair) != 0) k++;
    while (in_cell < 3 && (!cell || strcmp(CELL_KEY[in_cell], pair) != 0)) in_cell++;
    if (k == N_KEYS && in_cell == 3) {
        err_set(err, "unknown key '%s' after '#'", pair);
        return err_hint(err, "known keys: frame, window, axial, coronal, sagittal, volume%s",
                        cell ? "; of a cell of a table: row, column, item" : "");
    }
    if (!eq) return err_set(err, "'%s' after '#' has no value", pair);
    if (in_cell < 3) return cell_set(cell, 1u << in_cell, pair, eq + 1, err);
    return view_set(view, k, eq + 1, err);
}

static int parse_fragment(ImageView *view, ImageCell *cell, const char *fragment, Err *err)
{
    *view = (ImageView){0};
    if (!*fragment) return 0;
    char *text = xstrdup(fragment), *at = text;
    int rc = 0;
    while (rc == 0 && at) {
        char *next = strchr(at, '&');
        if (next) *next++ = '\0';
        rc = parse_pair(view, cell, at, err);
        at = next;
    }
    free(text);
    return rc;
}

int image_view_parse(ImageView *view, const char *fragment, Err *err)
{
    return parse_fragment(view, NULL, fragment, err);
}

int image_view_check(const ImageView *view, unsigned allowed, const char *format, Err *err)
{
    unsigned extra = view->given & ~allowed;
    for (int k = 0; k < N_KEYS; k++) {
        if (!(extra & KEYS[k].bit)) continue;
        if (KEYS[k].bit == VIEW_PLANE && KEYS[k].plane != view->plane) continue;
        return err_set(err, "a %s file takes no '%s'", format, KEYS[k].name);
    }
    return 0;
}

int image_ref_parse(ImageRef *ref, const char *text, Err *err)
{
    *ref = (ImageRef){0};
    const char *hash = strrchr(text, '#');
    if (!hash || file_exists(text)) {
        ref->path = xstrdup(text);
        return 0;
    }
    int rc = parse_fragment(&ref->view, &ref->cell, hash + 1, err);
    if (rc == 0 && ref->cell.given && (~ref->cell.given & (CELL_ROW | CELL_COLUMN))) {
        rc = err_set(err, "a cell of a table needs both row and column");
        err_hint(err, "for example test.parquet#row=12&column=image");
    }
    if (rc) {
        image_ref_release(ref);
        return err_context(err, "%s", text);
    }
    ref->path = xstrndup(text, (size_t)(hash - text));
    return 0;
}

void image_ref_release(ImageRef *ref)
{
    free(ref->path);
    free(ref->cell.column);
    *ref = (ImageRef){0};
}
