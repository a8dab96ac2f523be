/* The contact sheet: cases of each family in a row, what is asked and the answer under each. */
#include <stdlib.h>
#include <string.h>

#include "phantom/family.h"

enum { LABEL_LINES = 6, LINE_UNITS = 9, LINE_CHARS = 18, GAP = 4 };

typedef struct Sheet {
    Image im;
    int size, columns;
} Sheet;

static void blit(Sheet *s, int x0, int y0, const unsigned char *rgb, int rows)
{
    for (int y = 0; y < rows; y++)
        memcpy(s->im.rgb + 3 * ((size_t)(y0 + y) * (size_t)s->im.w + (size_t)x0), rgb + 3 * (size_t)y * (size_t)s->size,
               3 * (size_t)s->size);
}

static int label_height(int size)
{
    return size * LABEL_LINES * LINE_UNITS / CANVAS_UNITS;
}

static void blit_label(Sheet *s, int x0, int y0, const char *text)
{
    Canvas c;
    unsigned char *rgb = xmalloc(3 * (size_t)s->size * (size_t)s->size);
    canvas_init(&c, s->size, 1, GRAY(1));
    for (int line = 0; line < LABEL_LINES && *text; line++) {
        char row[LINE_CHARS + 1];
        size_t n = strcspn(text, "\n"), cut = n < LINE_CHARS ? n : LINE_CHARS;
        if (n > LINE_CHARS) /* break at the last blank */
            for (size_t k = cut; k > LINE_CHARS / 2; k--)
                if (text[k] == ' ') {
                    cut = k;
                    break;
                }
        memcpy(row, text, cut);
        row[cut] = 0;
        canvas_text(&c, 1, 1 + LINE_UNITS * (double)line, 7, row, GRAY(0));
        text += cut;
        text += *text == '\n' || *text == ' ';
    }
    canvas_rgb(&c, rgb);
    blit(s, x0, y0, rgb, label_height(s->size));
    canvas_release(&c);
    free(rgb);
}

/* The spec's number-th case with pictures [first, ...) that fit; returns how many columns it took. */
static int blit_case(Sheet *s, const CaseSpec *spec, int column, int y0)
{
    Case c;
    case_make(&c, spec);
    int took = 0;
    for (; took < c.images && column + took < s->columns; took++)
        blit(s, (column + took) * (s->size + GAP), y0, c.image[took].rgb, s->size);
    char *text = xasprintf("%s %u L%d\n%s: %s", c.family->name, spec->number, c.level, c.ask, c.answer_text);
    Buf b = {0};
    buf_str(&b, text);
    for (int i = 0; i < c.findings; i++) buf_printf(&b, "\n%s", c.finding[i].text);
    blit_label(s, column * (s->size + GAP), y0 + s->size, b.data);
    buf_release(&b);
    free(text);
    case_release(&c);
    return took;
}

int sheet_write(const char *path, const CaseSpec *first, int columns, Err *err)
{
    int rows = 1, row_height = first->size + label_height(first->size) + GAP;
    if (!first->family)
        for (rows = 0; FAMILIES[rows]; rows++) continue;
    Sheet s = {.size = first->size, .columns = columns};
    s.im = (Image){columns * (s.size + GAP), rows * row_height, NULL};
    size_t bytes = 3 * (size_t)s.im.w * (size_t)s.im.h;
    s.im.rgb = xmalloc(bytes);
    memset(s.im.rgb, 255, bytes);
    for (int r = 0; r < rows; r++) {
        CaseSpec spec = *first;
        if (!spec.family) spec.family = FAMILIES[r];
        for (int column = 0; column < columns; spec.number++) column += blit_case(&s, &spec, column, r * row_height);
    }
    int rc = image_save(&s.im, path, err);
    image_release(&s.im);
    return rc;
}
