#include "model/geometry.h"

#include <math.h>

#include "base/err.h"

/* ---- vision ------------------------------------------------------------------------------------------------------ */

typedef struct PlanBuilder {
    VisionPlan *plan;
    Span *window, *image;
    int n_windows, n_images;
    int row; /* next sorted row, in patches */
} PlanBuilder;

/* Appends the merged patches of one window of an image. Patches of one merged patch are neighbours in the input. */
static void add_window(PlanBuilder *b, int first_patch, int unit, int mw, int y0, int y1, int x0, int x1)
{
    int start = b->row;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            int merged = first_patch / unit + y * mw + x;
            b->plan->merged_at[merged] = b->row / unit;
            for (int k = 0; k < unit; k++) b->plan->patch_at[b->row++] = merged * unit + k;
        }
    b->window[b->n_windows++] = (Span){start, b->row - start};
}

static void add_image(PlanBuilder *b, const VisionConfig *v, const BatchImage *im)
{
    int unit = v->merge * v->merge, mh = im->grid_h / v->merge, mw = im->grid_w / v->merge,
        side = v->window / v->patch / v->merge;
    int start = b->row;
    for (int y = 0; y < mh; y += side)
        for (int x = 0; x < mw; x += side)
            add_window(b, im->first_patch, unit, mw, y, y + side < mh ? y + side : mh, x,
                       x + side < mw ? x + side : mw);
    b->image[b->n_images++] = (Span){start, b->row - start};
}

/* One non-causal segment per span, seeing just itself. */
static void attn_from_spans(Attn *attn, Arena *a, const VisionConfig *v, const Span *span, int n)
{
    AttnSeg *seg = arena_alloc(a, sizeof *seg * (size_t)(n + 1));
    int *group = arena_alloc(a, sizeof *group * (size_t)(n + 1));
    for (int i = 0; i < n; i++) seg[i] = (AttnSeg){span[i].start, span[i].len, i, 1};
    for (int i = 0; i <= n; i++) group[i] = i;
    *attn = (Attn){.plan = {seg, span, n, false, group, n}, .h = v->h, .hk = v->h, .hd = v->d / v->h};
}

/* Row and column of a patch in its image; patches come merged-patch by merged-patch. */
static void patch_position(const VisionConfig *v, const BatchImage *im, int patch, int *y, int *x)
{
    int unit = v->merge * v->merge, mw = im->grid_w / v->merge, k = patch - im->first_patch, merged = k / unit,
        in = k % unit;
    *y = merged / mw * v->merge + in / v->merge;
    *x = merged % mw * v->merge + in % v->merge;
}

static RopeTable vision_rope(Arena *a, const VisionConfig *v, const VisionPlan *p, const BatchImage *image,
                             int n_images)
{
    int hd = v->d / v->h, quarter = hd / 4, half = 2 * quarter, n = 0;
    for (int i = 0; i < n_images; i++) n += image[i].grid_h * image[i].grid_w;
    float *c = arena_alloc(a, sizeof(float) * (size_t)(n * half + 1)),
          *s = arena_alloc(a, sizeof(float) * (size_t)(n * half + 1));
    int row = 0;
    for (int i = 0; i < n_images; i++)
        for (int k = 0; k < image[i].grid_h * image[i].grid_w; k++, row++) {
            int y, x;
            patch_position(v, &image[i], p->patch_at[row], &y, &x);
            for (int j = 0; j < half; j++) {
                float inv = 1 / powf(10000, (float)(2 * (j % quarter)) / (float)half);
                float angle = (float)(j < quarter ? y : x) * inv;
                c[row * half + j] = cosf(angle);
                s[row * half + j] = sinf(angle);
            }
        }
    return (RopeTable){c, s};
}

void vision_plan(VisionPlan *p, Arena *a, const VisionConfig *v, const BatchImage *image, int n_images)
{
    int patches = 0, unit = v->merge * v->merge;
    for (int i = 0; i < n_images; i++) {
        CHECK(image[i].first_patch == patches && image[i].grid_h % v->merge == 0 && image[i].grid_w % v->merge == 0,
              "image %d: grid %d x %d at patch %d", i, image[i].grid_h, image[i].grid_w, image[i].first_patch);
        patches += image[i].grid_h * image[i].grid_w;
    }
    p->patch_at = arena_alloc(a, sizeof(int) * (size_t)patches);
    p->merged_at = arena_alloc(a, sizeof(int) * (size_t)(patches / unit));
    PlanBuilder b = {.plan = p};
    b.window = arena_alloc(a, sizeof(Span) * (size_t)(patches / unit));
    b.image = arena_alloc(a, sizeof(Span) * (size_t)n_images);
    for (int i = 0; i < n_images; i++) add_image(&b, v, &image[i]);
    attn_from_spans(&p->window, a, v, b.window, b.n_windows);
    attn_from_spans(&p->full, a, v, b.image, b.n_images);
    p->rope = vision_rope(a, v, p, image, n_images);
}

/* ---- language ---------------------------------------------------------------------------------------------------- */

RopeTable mrope_table(Arena *a, const ModelConfig *cfg, const int *pos, int n)
{
    int half = cfg->hd / 2;
    float *c = arena_alloc(a, sizeof(float) * (size_t)n * (size_t)half),
          *s = arena_alloc(a, sizeof(float) * (size_t)n * (size_t)half);
    for (int j = 0; j < half; j++) {
        int axis = j < cfg->mrope[0] ? 0 : j < cfg->mrope[0] + cfg->mrope[1] ? 1 : 2;
        float inv = 1 / powf((float)cfg->theta, (float)(2 * j) / (float)cfg->hd);
        for (int i = 0; i < n; i++) {
            float angle = (float)pos[axis * n + i] * inv;
            c[i * half + j] = cosf(angle);
            s[i * half + j] = sinf(angle);
        }
    }
    return (RopeTable){c, s};
}

static int chain_length(const Segment *seg, int i)
{
    int n = 1;
    for (int p = seg[i].prefix; p >= 0; p = seg[p].prefix) n++;
    return n;
}

/* Group starts: segment i begins a group where no later segment continues an earlier one than i. */
static int find_groups(int *group, const Segment *seg, int n)
{
    int n_group = 0, lowest = n;
    for (int i = n - 1; i >= 0; i--) {
        int reach = seg[i].prefix >= 0 ? seg[i].prefix : i;
        if (reach < lowest) lowest = reach;
        if (lowest == i) group[n_group++] = i;
    }
    for (int i = 0; i < n_group / 2; i++) {
        int t = group[i];
        group[i] = group[n_group - 1 - i];
        group[n_group - 1 - i] = t;
    }
    group[n_group] = n;
    return n_group;
}

void attn_from_segments(Attn *attn, Arena *a, const Segment *seg, int n_seg)
{
    int n_span = 0;
    for (int i = 0; i < n_seg; i++) n_span += chain_length(seg, i);
    AttnSeg *as = arena_alloc(a, sizeof *as * (size_t)n_seg);
    Span *span = arena_alloc(a, sizeof *span * (size_t)n_span);
    int *group = arena_alloc(a, sizeof *group * (size_t)(n_seg + 1));
    int at = 0;
    for (int i = 0; i < n_seg; i++) {
        CHECK(seg[i].prefix < i, "segment %d continues segment %d, which is not before it", i, seg[i].prefix);
        int n = chain_length(seg, i), k = n;
        for (int p = i; p >= 0; p = seg[p].prefix) span[at + --k] = (Span){seg[p].start, seg[p].len};
        as[i] = (AttnSeg){seg[i].start, seg[i].len, at, n};
        at += n;
    }
    int n_group = find_groups(group, seg, n_seg);
    attn->plan = (AttnPlan){as, span, n_seg, true, group, n_group};
    attn->kv_row = NULL;
}
