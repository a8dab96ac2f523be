#include "phantom/modality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "phantom/deterministic.h"

double draw_between(Rng *rng, double lo, double hi)
{
    return lo + (hi - lo) * rng_uniform(rng);
}

/* Four bytes: mean 4 * 127.5, variance 4 * (256^2 - 1) / 12. */
double draw_normal(Rng *rng)
{
    uint32_t r = rng_u32(rng);
    int sum = (int)(r & 255) + (int)(r >> 8 & 255) + (int)(r >> 16 & 255) + (int)(r >> 24);
    return ((double)sum - 510) * (1 / 147.8005413);
}

Scanner scanner_draw(Rng *rng, bool shift)
{
    Scanner s;
    s.noise = shift ? draw_between(rng, 1.6, 2.6) : draw_between(rng, 0.6, 1.4);
    s.blur = shift ? draw_between(rng, 0.6, 0.9) : draw_between(rng, 0.25, 0.5);
    s.contrast = shift ? draw_between(rng, 0.65, 0.8) : draw_between(rng, 0.9, 1.1);
    s.brightness = shift ? draw_between(rng, -0.12, 0.12) : draw_between(rng, -0.04, 0.04);
    s.zoom = shift ? draw_between(rng, 0.84, 0.9) : draw_between(rng, 0.94, 1.02);
    s.angle = shift ? draw_between(rng, -5, 5) : draw_between(rng, -2, 2);
    return s;
}

void ellipsoid_turn(Ellipsoid *e, double degrees)
{
    e->cs = det_cos(degrees * (DET_PI / 180));
    e->sn = det_sin(degrees * (DET_PI / 180));
}

double ellipsoid_depth(const Ellipsoid *e, double x, double y)
{
    double dx = x - e->x, dy = y - e->y, u = dx, v = dy, r = e->rx > e->ry ? e->rx : e->ry;
    if (dx < -r || dx > r || dy < -r || dy > r) return 0;
    if (e->cs * e->cs + e->sn * e->sn > 0) u = dx * e->cs + dy * e->sn, v = dy * e->cs - dx * e->sn;
    u /= e->rx, v /= e->ry;
    double rest = 1 - u * u - v * v;
    if (rest <= 0) return 0;
    return e->boxy ? sqrt(sqrt(rest)) : sqrt(rest);
}

void film_ellipsoid(Canvas *c, const Ellipsoid *e, double mu)
{
    for (int py = 0; py < c->size; py++)
        for (int px = 0; px < c->size; px++) {
            double x, y;
            canvas_unit(c, px, py, &x, &y);
            for (int k = 0; k < c->channels; k++)
                c->at[((size_t)py * (size_t)c->size + (size_t)px) * (size_t)c->channels + (size_t)k] +=
                    2 * mu * e->rz * ellipsoid_depth(e, x, y);
        }
}

static size_t value_count(const Canvas *c)
{
    return (size_t)c->size * (size_t)c->size * (size_t)c->channels;
}

static double gray_value(const Scanner *s, double v)
{
    return det_clamp((v - 0.5) * s->contrast + 0.5 + s->brightness, 0, 1);
}

void film_develop(Canvas *c, const Scanner *s, double black, double white, Rng *rng)
{
    const double quanta = 30000 / (s->noise * s->noise);
    canvas_blur(c, s->blur, s->blur);
    size_t n = value_count(c);
    for (size_t i = 0; i < n; i++) {
        double counted = quanta * det_exp(-c->at[i]);
        counted += sqrt(counted) * draw_normal(rng);
        double a = det_log(quanta / (counted < 1 ? 1 : counted));
        c->at[i] = gray_value(s, (a - black) / (white - black));
    }
}

void ct_develop(Canvas *c, const Scanner *s, double centre, double width, Rng *rng)
{
    size_t n = value_count(c);
    canvas_blur(c, s->blur, s->blur);
    /* the grain of a smooth reconstruction: noise blurred by 0.6 pixels, brought back to its strength */
    double *field = xmalloc(n * sizeof *field);
    memcpy(field, c->at, n * sizeof *field);
    for (size_t i = 0; i < n; i++) c->at[i] = draw_normal(rng);
    canvas_blur(c, 0.6 / c->scale, 0.6 / c->scale);
    for (size_t i = 0; i < n; i++) {
        double hu = field[i] + 12 * s->noise * 2.0 * c->at[i];
        c->at[i] = gray_value(s, (hu - centre) / width + 0.5);
    }
    free(field);
}

void ultrasound_develop(Canvas *c, const Scanner *s, double range_db, Rng *rng)
{
    CHECK(c->channels == 1, "ultrasound has one channel");
    size_t n = value_count(c);
    double *echo = xmalloc(n * sizeof *echo), *real = xmalloc(n * sizeof *real);
    memcpy(echo, c->at, n * sizeof *echo);
    for (int part = 0; part < 2; part++) {
        if (part) memcpy(real, c->at, n * sizeof *real);
        for (size_t i = 0; i < n; i++) c->at[i] = echo[i] * c->scale * draw_normal(rng);
        canvas_blur(c, 0.9 + s->blur, 0.5 + 0.5 * s->blur);
    }
    for (size_t i = 0; i < n; i++) c->at[i] = real[i] * real[i] + c->at[i] * c->at[i];
    canvas_blur(c, 0.6, 0.4); /* neighbouring lines are averaged, which fills the black cracks between the grains */
    for (size_t i = 0; i < n; i++) {
        double depth = (double)(i / (size_t)c->size) / (double)c->size;
        double db = 4.342944819 * det_log(c->at[i] * 8 + 1e-9) - 6 * depth * s->noise;
        c->at[i] = gray_value(s, db / range_db + 1);
    }
    free(echo);
    free(real);
}

void camera_develop(Canvas *c, const Scanner *s, double noise, Rng *rng)
{
    canvas_blur(c, s->blur, s->blur);
    size_t n = value_count(c);
    for (size_t i = 0; i < n; i++) c->at[i] = gray_value(s, c->at[i] + noise * s->noise * draw_normal(rng));
}
