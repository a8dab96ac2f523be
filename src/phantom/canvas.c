#include "phantom/canvas.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "phantom/deterministic.h"

static void mask_empty(Canvas *c)
{
    c->x0 = c->y0 = c->size;
    c->x1 = c->y1 = 0;
}

void canvas_init(Canvas *c, int size, int channels, Ink background)
{
    CHECK(size > 0 && (channels == 1 || channels == 3), "canvas of %d, %d channels", size, channels);
    size_t n = (size_t)size * (size_t)size;
    *c = (Canvas){.size = size, .channels = channels, .scale = (double)size / CANVAS_UNITS};
    c->at = xmalloc(n * (size_t)channels * sizeof *c->at);
    c->mask = xcalloc(n, sizeof *c->mask);
    c->spare = xmalloc(n * sizeof *c->spare);
    for (size_t i = 0; i < n * (size_t)channels; i++) c->at[i] = background.v[i % (size_t)channels];
    mask_empty(c);
    canvas_place(c, 0, 1, 0, 0);
}

void canvas_release(Canvas *c)
{
    free(c->at);
    free(c->mask);
    free(c->spare);
    *c = (Canvas){0};
}

void canvas_place(Canvas *c, double angle_degrees, double zoom, double dx, double dy)
{
    const double mid = CANVAS_UNITS / 2.0, a = angle_degrees * (DET_PI / 180);
    double cs = det_cos(a) * zoom * c->scale, sn = det_sin(a) * zoom * c->scale;
    c->zoom = zoom;
    c->m[0] = cs, c->m[1] = -sn, c->m[2] = (mid + dx) * c->scale - cs * mid + sn * mid;
    c->m[3] = sn, c->m[4] = cs, c->m[5] = (mid + dy) * c->scale - sn * mid - cs * mid;
}

static void to_pixels(const Canvas *c, double x, double y, double *px, double *py)
{
    *px = c->m[0] * x + c->m[1] * y + c->m[2];
    *py = c->m[3] * x + c->m[4] * y + c->m[5];
}

void canvas_unit(const Canvas *c, int px, int py, double *x, double *y)
{
    double u = (double)px + 0.5 - c->m[2], v = (double)py + 0.5 - c->m[5];
    double det = c->m[0] * c->m[4] - c->m[1] * c->m[3];
    *x = (c->m[4] * u - c->m[1] * v) / det;
    *y = (c->m[0] * v - c->m[3] * u) / det;
}

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

typedef struct Box {
    int x0, y0, x1, y1;
} Box;

/* The pixels that a shape between these pixel positions can touch; the mask's own part grows by them. */
static Box mask_reach(Canvas *c, double x0, double y0, double x1, double y1)
{
    double n = (double)c->size;
    Box b = {det_floor(det_clamp(x0 - 1, 0, n)), det_floor(det_clamp(y0 - 1, 0, n)), det_floor(det_clamp(x1 + 2, 0, n)),
             det_floor(det_clamp(y1 + 2, 0, n))};
    if (b.x0 < c->x0) c->x0 = b.x0;
    if (b.y0 < c->y0) c->y0 = b.y0;
    if (b.x1 > c->x1) c->x1 = b.x1;
    if (b.y1 > c->y1) c->y1 = b.y1;
    return b;
}

static void cover(Canvas *c, int x, int y, double coverage)
{
    double *m = &c->mask[(size_t)y * (size_t)c->size + (size_t)x];
    if (coverage > *m) *m = coverage > 1 ? 1 : coverage;
}

/* A capsule; coverage = the part of the pixel's width that lies within, by the distance of its centre.  A line thinner
   than a pixel covers in proportion. */
static void pixel_line(Canvas *c, double ax, double ay, double bx, double by, double width)
{
    double r = width / 2, dx = bx - ax, dy = by - ay, len2 = dx * dx + dy * dy;
    double most = width < 1 ? width : 1, reach = r < 0.5 ? 1 : r + 0.5;
    if (r < 0.5) r = 0.5;
    Box b = mask_reach(c, (ax < bx ? ax : bx) - reach, (ay < by ? ay : by) - reach, (ax > bx ? ax : bx) + reach,
                       (ay > by ? ay : by) + reach);
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++) {
            double px = (double)x + 0.5 - ax, py = (double)y + 0.5 - ay;
            double t = len2 > 0 ? det_clamp((px * dx + py * dy) / len2, 0, 1) : 0;
            double ex = px - t * dx, ey = py - t * dy, d2 = ex * ex + ey * ey;
            if (d2 < reach * reach) cover(c, x, y, most * det_clamp(r + 0.5 - sqrt(d2), 0, 1));
        }
}

void mask_line(Canvas *c, double x0, double y0, double x1, double y1, double width)
{
    double ax, ay, bx, by;
    to_pixels(c, x0, y0, &ax, &ay);
    to_pixels(c, x1, y1, &bx, &by);
    pixel_line(c, ax, ay, bx, by, width * c->scale * c->zoom);
}

void mask_polyline(Canvas *c, const double *xy, int n, double width)
{
    for (int i = 0; i + 1 < n; i++) mask_line(c, xy[2 * i], xy[2 * i + 1], xy[2 * i + 2], xy[2 * i + 3], width);
}

/* Adds the horizontal run [x0, x1) at a quarter of a pixel's weight. */
static void span_add(double *row, int size, double x0, double x1)
{
    x0 = det_clamp(x0, 0, (double)size), x1 = det_clamp(x1, 0, (double)size);
    for (int x = det_floor(x0); x < size && (double)x < x1; x++) {
        double lo = x0 > (double)x ? x0 : (double)x, hi = x1 < (double)x + 1 ? x1 : (double)x + 1;
        if (hi > lo) row[x] += 0.25 * (hi - lo);
    }
}

/* Where the edges of a polygon cross the line at height y, sorted; at most `most` of them. */
static int crossings(double *at, int most, const double *xy, int n, double y)
{
    int count = 0;
    for (int i = 0, j = n - 1; i < n; j = i++) {
        double ya = xy[2 * j + 1], yb = xy[2 * i + 1];
        if ((ya <= y) == (yb <= y) || count == most) continue;
        double x = xy[2 * j] + (y - ya) / (yb - ya) * (xy[2 * i] - xy[2 * j]);
        int k = count++;
        for (; k > 0 && at[k - 1] > x; k--) at[k] = at[k - 1];
        at[k] = x;
    }
    return count;
}

void mask_polygon(Canvas *c, const double *xy, int n)
{
    enum { MOST = 64 };
    double *p = xmalloc(sizeof *p * 2 * (size_t)n), *row = xmalloc(sizeof *row * (size_t)c->size), at[MOST];
    double lo[2] = {1e9, 1e9}, hi[2] = {-1e9, -1e9};
    for (int i = 0; i < n; i++) {
        to_pixels(c, xy[2 * i], xy[2 * i + 1], &p[2 * i], &p[2 * i + 1]);
        for (int k = 0; k < 2; k++) {
            if (p[2 * i + k] < lo[k]) lo[k] = p[2 * i + k];
            if (p[2 * i + k] > hi[k]) hi[k] = p[2 * i + k];
        }
    }
    Box b = mask_reach(c, lo[0], lo[1], hi[0], hi[1]);
    for (int y = b.y0; y < b.y1; y++) {
        for (int x = b.x0; x < b.x1; x++) row[x] = 0;
        for (int s = 0; s < 4; s++) { /* four lines a pixel, exact along each */
            int k = crossings(at, MOST, p, n, (double)y + 0.125 + 0.25 * (double)s);
            for (int i = 0; i + 1 < k; i += 2) span_add(row, c->size, at[i], at[i + 1]);
        }
        for (int x = b.x0; x < b.x1; x++) cover(c, x, y, row[x]);
    }
    free(p);
    free(row);
}

/* Distance from the edge to first order: (q - 1) / |grad q| with q = |(u / rx, v / ry)|. */
void mask_ellipse(Canvas *c, double x, double y, double rx, double ry, double angle)
{
    double cx, cy, k = c->scale * c->zoom, a = angle * (DET_PI / 180);
    to_pixels(c, x, y, &cx, &cy);
    double ux = (det_cos(a) * c->m[0] + det_sin(a) * c->m[1]) / k,
           uy = (det_cos(a) * c->m[3] + det_sin(a) * c->m[4]) / k;
    rx *= k, ry *= k;
    double r = rx > ry ? rx : ry;
    Box b = mask_reach(c, cx - r, cy - r, cx + r, cy + r);
    for (int py = b.y0; py < b.y1; py++)
        for (int px = b.x0; px < b.x1; px++) {
            double dx = (double)px + 0.5 - cx, dy = (double)py + 0.5 - cy;
            double u = (dx * ux + dy * uy) / rx, v = (dy * ux - dx * uy) / ry, q = sqrt(u * u + v * v);
            double slope = q > 1e-9 ? sqrt(u * u / (rx * rx) + v * v / (ry * ry)) / q : 1;
            double d = q > 1e-9 ? (1 - q) / slope : r;
            cover(c, px, py, det_clamp(d + 0.5, 0, 1));
        }
}

/* ---- blurring --------------------------------------------------------------------------------------------------- */

enum { MOST_TAPS = 255 };

/* Half of a Gaussian kernel, tap[0] in the middle; returns its reach. */
static int gaussian(double *tap, double sigma)
{
    int reach = det_floor(3 * sigma + 0.999);
    if (reach > MOST_TAPS - 1) reach = MOST_TAPS - 1;
    double sum = 0;
    for (int i = 0; i <= reach; i++) {
        tap[i] = det_exp(-0.5 * (double)(i * i) / (sigma * sigma));
        sum += i ? 2 * tap[i] : tap[i];
    }
    for (int i = 0; i <= reach; i++) tap[i] /= sum;
    return reach;
}

static int edge(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* One row or column of n values `step` apart, through line. */
static void blur_line(double *at, size_t step, int n, const double *tap, int reach, double *line)
{
    for (int i = -reach; i < n + reach; i++) line[i + reach] = at[(size_t)edge(i, n) * step];
    for (int i = 0; i < n; i++) {
        const double *p = line + i + reach;
        double sum = tap[0] * p[0];
        for (int k = 1; k <= reach; k++) sum += tap[k] * (p[-k] + p[k]);
        at[(size_t)i * step] = sum;
    }
}

/* The part [x0, x1) x [y0, y1) of a plane of rows `stride` long with values `step` apart; sigmas in pixels. */
static void plane_blur(double *at, size_t stride, size_t step, Box b, double sx, double sy)
{
    double tap[MOST_TAPS];
    int w = b.x1 - b.x0, h = b.y1 - b.y0;
    if (w <= 0 || h <= 0) return;
    double *line = xmalloc(sizeof *line * (size_t)((w > h ? w : h) + 2 * MOST_TAPS));
    at += (size_t)b.y0 * stride + (size_t)b.x0 * step;
    int reach = sx > 0.05 ? gaussian(tap, sx) : 0;
    for (int y = 0; reach && y < h; y++) blur_line(at + (size_t)y * stride, step, w, tap, reach, line);
    reach = sy > 0.05 ? gaussian(tap, sy) : 0;
    for (int x = 0; reach && x < w; x++) blur_line(at + (size_t)x * step, stride, h, tap, reach, line);
    free(line);
}

void mask_blur(Canvas *c, double sigma)
{
    if (c->x0 >= c->x1) return;
    double s = sigma * c->scale * c->zoom, r = 3 * s;
    Box b = mask_reach(c, (double)c->x0 - r, (double)c->y0 - r, (double)c->x1 + r, (double)c->y1 + r);
    plane_blur(c->mask, (size_t)c->size, 1, b, s, s);
}

void canvas_blur(Canvas *c, double sigma_x, double sigma_y)
{
    size_t ch = (size_t)c->channels;
    Box all = {0, 0, c->size, c->size};
    for (size_t k = 0; k < ch; k++)
        plane_blur(c->at + k, ch * (size_t)c->size, ch, all, sigma_x * c->scale, sigma_y * c->scale);
}

/* ---- painting --------------------------------------------------------------------------------------------------- */

/* value += coverage * (towards * (ink - value) + (1 - towards) * ink), and the mask is empty again */
static void mask_spend(Canvas *c, Ink ink, double opacity, double towards)
{
    for (int y = c->y0; y < c->y1; y++)
        for (int x = c->x0; x < c->x1; x++) {
            size_t i = (size_t)y * (size_t)c->size + (size_t)x;
            double a = c->mask[i] * opacity;
            c->mask[i] = 0;
            if (a <= 0) continue;
            for (int k = 0; k < c->channels; k++) {
                double *v = &c->at[i * (size_t)c->channels + (size_t)k];
                *v += a * (ink.v[k] - towards * *v);
            }
        }
    mask_empty(c);
}

void canvas_paint(Canvas *c, Ink ink, double opacity)
{
    mask_spend(c, ink, opacity, 1);
}

void canvas_add(Canvas *c, Ink ink)
{
    mask_spend(c, ink, 1, 0);
}

void curve_points(double *xy, int n, const double from[2], const double bend[2], const double to[2])
{
    for (int i = 0; i < n; i++) {
        double t = n > 1 ? (double)i / (double)(n - 1) : 0, s = 1 - t;
        for (int k = 0; k < 2; k++) xy[2 * i + k] = s * s * from[k] + 2 * s * t * bend[k] + t * t * to[k];
    }
}

void canvas_rgb(const Canvas *c, unsigned char *rgb)
{
    size_t n = (size_t)c->size * (size_t)c->size, ch = (size_t)c->channels;
    for (size_t i = 0; i < 3 * n; i++) {
        double v = c->at[ch == 3 ? i : i / 3];
        rgb[i] = (unsigned char)(int)(det_clamp(v, 0, 1) * 255 + 0.5);
    }
}
