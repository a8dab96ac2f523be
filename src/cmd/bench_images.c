/* osler bench images: from image files to the patches that the vision tower reads. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "cmd/bench.h"

typedef struct Pictures {
    char **path;
    int n;
    ImageProcessor proc;
    Err *err; /* [n] */
} Pictures;

static void decode_task(void *arg, int task)
{
    const Pictures *p = arg;
    Image im;
    if (image_load(&im, p->path[task], &p->err[task]) == 0) image_release(&im);
}

static int write_patches(const ImageProcessor *proc, const char *path, Err *err)
{
    int w, h;
    ImagePlan plan;
    if (image_size(&w, &h, path, err) || image_plan(&plan, proc, w, h, err)) return -1;
    unsigned char *rgb = xmalloc(image_plan_bytes(&plan));
    float *patches = xmalloc(image_patch_bytes(proc, &plan));
    int rc = image_load_planned(rgb, proc, &plan, path, err);
    if (rc == 0) image_patches(patches, proc, &plan, rgb);
    free(patches);
    free(rgb);
    return rc;
}

static void patches_task(void *arg, int task)
{
    const Pictures *p = arg;
    write_patches(&p->proc, p->path[task], &p->err[task]);
}

/* One run that does not count, then `reps` that do. */
static int repeat(Pictures *p, void (*fn)(void *, int), int reps, Timing *t, Err *err)
{
    double *seconds = xmalloc(sizeof *seconds * (size_t)reps);
    for (int i = -1; i < reps; i++) {
        double start = now_seconds();
        pool_run(p->n, fn, p);
        if (i >= 0) seconds[i] = now_seconds() - start;
    }
    *t = timing_of(seconds, reps);
    free(seconds);
    for (int i = 0; i < p->n; i++)
        if (p->err[i].msg[0]) {
            *err = p->err[i];
            return -1;
        }
    return 0;
}

static void print_result(const BenchOpts *o, const Pictures *p, const Timing *all, const Timing *decode)
{
    double rate = p->n / all->best, decoded = p->n / decode->best;
    if (!o->json) {
        printf("images osler files=%d threads=%d max_pixels=%lld: %.1f images/s, decoding alone %.1f, spread %.2f\n",
               p->n, pool_threads(), (long long)p->proc.max_pixels, rate, decoded, all->worst / all->best);
        return;
    }
    json_t *row = json_pack("{s:s, s:i, s:i, s:I, s:I, s:f, s:f}", "bench", "images", "files", p->n, "threads",
                            pool_threads(), "max_pixels", (json_int_t)p->proc.max_pixels, "reps", (json_int_t)o->reps,
                            "images_per_second", rate, "decoded_per_second", decoded);
    timing_add(row, all);
    bench_print_row(row);
}

static int bench_files(const BenchOpts *o, Pictures *p, Err *err)
{
    Timing all, decode;
    image_processor_default(&p->proc);
    if (image_processor_limit(&p->proc, 0, o->max_pixels, err)) return -1;
    if (repeat(p, decode_task, (int)o->reps, &decode, err) || repeat(p, patches_task, (int)o->reps, &all, err))
        return -1;
    print_result(o, p, &all, &decode);
    return 0;
}

int bench_images(const BenchOpts *o, Err *err)
{
    Pictures p = {0};
    char **name;
    if (dir_list(o->images, &name, &p.n, err)) return -1;
    p.path = xcalloc((size_t)p.n, sizeof *p.path);
    p.err = xcalloc((size_t)p.n, sizeof *p.err);
    for (int i = 0; i < p.n; i++) p.path[i] = path_join(o->images, name[i]);
    int rc = p.n ? bench_files(o, &p, err) : err_set(err, "%s: no files", o->images);
    for (int i = 0; i < p.n; i++) {
        free(p.path[i]);
        free(name[i]);
    }
    free(name);
    free(p.path);
    free(p.err);
    return rc;
}
