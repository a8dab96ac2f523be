/*
 * canvas.h - deterministic drawing for the phantom's pictures.
 *
 * Positions and lengths are in units: a picture is CANVAS_UNITS (112) units wide at any size, so the same case is the
 * same drawing at 112, 224 and 896 pixels; at 112 a unit is a pixel.  x runs right, y down, (0, 0) is the top left
 * corner.  canvas_place turns, scales and moves what is drawn afterwards, about the picture's centre.
 *
 * Values are doubles with one channel (film, CT, ultrasound: any physical quantity) or three (line art, fundus: 0 .. 1
 * of red, green, blue).  A shape is drawn in two steps: shapes gather as coverage 0 .. 1 in the mask, overlapping ones
 * by the greater, then the mask is painted and empty again:
 *
 *   Canvas c;
 *   canvas_init(&c, size, 3, INK(0.98, 0.96, 0.92));
 *   mask_polyline(&c, xy, n, 0.8);                     n points x, y, x, y ... a line 0.8 units wide with round joints
 *   mask_blur(&c, 0.5);                                 optional: a soft edge
 *   canvas_paint(&c, INK(0.1, 0.1, 0.1), 1);            blends towards the ink;  canvas_add adds ink * coverage
 *   canvas_rgb(&c, rgb);                                0 .. 1 to 0 .. 255
 *   canvas_release(&c);
 *
 * Everything is + - * / sqrt on doubles in a fixed order (deterministic.h): the same bits everywhere.
 */
#ifndef OSLER_PHANTOM_CANVAS_H
#define OSLER_PHANTOM_CANVAS_H

enum { CANVAS_UNITS = 112 };

typedef struct Ink {
    double v[3];
} Ink;
#define INK(r, g, b) ((Ink){{r, g, b}})
#define GRAY(x)      ((Ink){{x, x, x}})

typedef struct Canvas {
    int size, channels;
    double scale;         /* pixels per unit, without canvas_place */
    double zoom;          /* of canvas_place */
    double m[6];          /* px = m0 x + m1 y + m2, py = m3 x + m4 y + m5 */
    double *at;           /* [size][size][channels] */
    double *mask, *spare; /* [size][size] */
    int x0, y0, x1, y1;   /* the part of the mask that may not be 0 */
} Canvas;

void canvas_init(Canvas *c, int size, int channels, Ink background);
void canvas_release(Canvas *c);
void canvas_place(Canvas *c, double angle_degrees, double zoom, double dx, double dy);
/* The point (in units, as placed) whose value pixel (px, py) shows. */
void canvas_unit(const Canvas *c, int px, int py, double *x, double *y);

void mask_line(Canvas *c, double x0, double y0, double x1, double y1, double width);
void mask_polyline(Canvas *c, const double *xy, int n, double width);
void mask_polygon(Canvas *c, const double *xy, int n); /* even-odd, closed by itself */
/* Half axes rx along angle (degrees, clockwise on the screen) and ry across it. */
void mask_ellipse(Canvas *c, double x, double y, double rx, double ry, double angle);
void mask_blur(Canvas *c, double sigma);

void canvas_paint(Canvas *c, Ink ink, double opacity);
void canvas_add(Canvas *c, Ink ink);
/* Gaussian of standard deviations in units, along x and y; edges are continued. */
void canvas_blur(Canvas *c, double sigma_x, double sigma_y);

/* Points of a quadratic Bezier curve into xy [2 * n]. */
void curve_points(double *xy, int n, const double from[2], const double bend[2], const double to[2]);

/* Text of letters, digits and .,:-+%<>=/()' with its top left corner at (x, y), not placed; small letters show as
   capitals.  height is that of a capital. */
void canvas_text(Canvas *c, double x, double y, double height, const char *text, Ink ink);
double canvas_text_width(double height, const char *text);
/* A bar as long as `length` placed units with end ticks and a label above, its left end at (x, y), not placed, made
   whole. */
void canvas_scale_bar(Canvas *c, double x, double y, double length, const char *label, Ink ink);

/* [size][size][3] */
void canvas_rgb(const Canvas *c, unsigned char *rgb);

#endif
