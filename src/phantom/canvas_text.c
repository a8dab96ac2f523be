/* The small bitmap font of scale labels and contact sheets. */
#include "phantom/canvas.h"

#include <string.h>

#include "phantom/deterministic.h"

enum { GLYPH_W = 5, GLYPH_H = 7, ADVANCE = 6 };

typedef struct Glyph {
    char c;
    unsigned char row[GLYPH_H]; /* top first, bit 4 left */
} Glyph;

static const Glyph GLYPH[] = {
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},      {'2', {14, 17, 1, 2, 4, 8, 31}},
    {'3', {31, 2, 4, 2, 1, 17, 14}},     {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},       {'8', {14, 17, 17, 14, 17, 17, 14}},
    {'9', {14, 17, 17, 15, 1, 2, 12}},   {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {28, 18, 17, 17, 17, 18, 28}}, {'E', {31, 16, 16, 30, 16, 16, 31}},
    {'F', {31, 16, 16, 30, 16, 16, 16}}, {'G', {14, 17, 16, 23, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},      {'K', {17, 18, 20, 24, 20, 18, 17}},
    {'L', {16, 16, 16, 16, 16, 16, 31}}, {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 17, 25, 21, 19, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}}, {'Q', {14, 17, 17, 17, 21, 18, 13}},
    {'R', {30, 17, 17, 30, 20, 18, 17}}, {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 17, 10, 4}},  {'W', {17, 17, 17, 21, 21, 27, 17}},
    {'X', {17, 17, 10, 4, 10, 17, 17}},  {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'.', {0, 0, 0, 0, 0, 12, 12}},      {',', {0, 0, 0, 0, 12, 4, 8}},       {':', {0, 12, 12, 0, 12, 12, 0}},
    {'-', {0, 0, 0, 31, 0, 0, 0}},       {'+', {0, 4, 4, 31, 4, 4, 0}},       {'%', {24, 25, 2, 4, 8, 19, 3}},
    {'<', {2, 4, 8, 16, 8, 4, 2}},       {'>', {8, 4, 2, 1, 2, 4, 8}},        {'=', {0, 0, 31, 0, 31, 0, 0}},
    {'/', {0, 1, 2, 4, 8, 16, 0}},       {'(', {2, 4, 8, 8, 8, 4, 2}},        {')', {8, 4, 2, 2, 2, 4, 8}},
    {'\'', {4, 4, 8, 0, 0, 0, 0}},
};

static const Glyph *glyph_of(char c)
{
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    for (size_t i = 0; i < sizeof GLYPH / sizeof *GLYPH; i++)
        if (GLYPH[i].c == c) return &GLYPH[i];
    return NULL;
}

double canvas_text_width(double height, const char *text)
{
    return height / GLYPH_H * (double)(ADVANCE * strlen(text));
}

/* A dot of the font is a rectangle of the canvas. */
static void mask_dot(Canvas *c, double x, double y, double dot)
{
    const double xy[] = {x, y, x + dot, y, x + dot, y + dot, x, y + dot};
    mask_polygon(c, xy, 4);
}

void canvas_text(Canvas *c, double x, double y, double height, const char *text, Ink ink)
{
    Canvas placed = *c;
    canvas_place(c, 0, 1, 0, 0);
    double dot = height / GLYPH_H;
    for (; *text; text++, x += dot * ADVANCE) {
        const Glyph *g = glyph_of(*text);
        for (int r = 0; g && r < GLYPH_H; r++)
            for (int k = 0; k < GLYPH_W; k++)
                if (g->row[r] >> (GLYPH_W - 1 - k) & 1) mask_dot(c, x + dot * (double)k, y + dot * (double)r, dot);
    }
    canvas_paint(c, ink, 1);
    memcpy(c->m, placed.m, sizeof c->m);
    c->zoom = placed.zoom;
}

void canvas_scale_bar(Canvas *c, double x, double y, double length, const char *label, Ink ink)
{
    Canvas placed = *c;
    /* whole units: at 112 pixels the bar is one row, and two rows lie between the label and the ticks */
    double left = (double)det_floor(x), base = (double)det_floor(y), end = left + 0.5 + length * c->zoom;
    canvas_place(c, 0, 1, 0, 0);
    mask_line(c, left + 0.5, base + 0.5, end, base + 0.5, 1);
    mask_line(c, left + 0.5, base - 0.5, left + 0.5, base + 1.5, 1);
    mask_line(c, end, base - 0.5, end, base + 1.5, 1);
    canvas_paint(c, ink, 1);
    canvas_text(c, left + 1, base - 10, 7, label, ink);
    memcpy(c->m, placed.m, sizeof c->m);
    c->zoom = placed.zoom;
}
