/* osler preprocess: images to the patches that the vision tower reads. */
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "cmd/model_opts.h"
#include "weights/safetensors.h"

typedef struct PreprocessOpts {
    Common common;
    ModelOpts model;
    char *out;
} PreprocessOpts;

static const Opt TABLE[] = {
    {"model", OPT_PATH, offsetof(PreprocessOpts, model.dir), .required = true,
     .help = "directory with preprocessor_config.json"},
    {"out", OPT_PATH, offsetof(PreprocessOpts, out), .required = true, .help = "safetensors file"},
    PIXEL_ROWS(PreprocessOpts),
    GENERAL_ROWS(PreprocessOpts),
    {0},
};

typedef struct Picture {
    const char *ref;
    ImagePlan plan;
    unsigned char *rgb; /* at its planned size */
    size_t at;          /* of its patches in pixel_values, in bytes */
    Err err;
} Picture;

typedef struct Pictures {
    ImageProcessor proc;
    Picture *at;
    int n;
    char *out; /* pixel_values */
} Pictures;

static int load_picture(Picture *p, const ImageProcessor *proc, Err *err)
{
    int w, h;
    if (image_size(&w, &h, p->ref, err)) return -1;
    if (image_plan(&p->plan, proc, w, h, err)) return err_context(err, "%s", p->ref);
    p->rgb = xmalloc(image_plan_bytes(&p->plan));
    return image_load_planned(p->rgb, proc, &p->plan, p->ref, err);
}

static void load_task(void *arg, int task)
{
    Pictures *p = arg;
    load_picture(&p->at[task], &p->proc, &p->at[task].err);
}

static void fill_task(void *arg, int task)
{
    const Pictures *p = arg;
    const Picture *pic = &p->at[task];
    image_patches((float *)(void *)(p->out + pic->at), &p->proc, &pic->plan, pic->rgb);
}

/* pixel_values: the patches of all pictures behind one another. */
static void fill_pixels(void *dst, const void *arg)
{
    Pictures p = *(const Pictures *)arg;
    p.out = dst;
    pool_run(p.n, fill_task, &p);
}

static int save(Pictures *p, const char *path, Err *err)
{
    int64_t *grid = xmalloc(sizeof *grid * 3 * (size_t)p->n), rows = 0;
    for (int i = 0; i < p->n; i++) {
        const ImagePlan *plan = &p->at[i].plan;
        p->at[i].at = (size_t)rows * (size_t)image_patch_dim(&p->proc) * sizeof(float);
        rows += (int64_t)plan->grid_h * plan->grid_w;
        grid[3 * i] = 1;
        grid[3 * i + 1] = plan->grid_h;
        grid[3 * i + 2] = plan->grid_w;
    }
    const StItem item[] = {
        {.name = "image_grid_thw", .dtype = DT_I64, .n_dims = 2, .dim = {p->n, 3}, .data = grid},
        {.name = "pixel_values",
         .dtype = DT_F32,
         .n_dims = 2,
         .dim = {rows, image_patch_dim(&p->proc)},
         .fill = fill_pixels,
         .arg = p},
    };
    int rc = st_save(path, item, 2, err);
    free(grid);
    return rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const PreprocessOpts *o = opts;
    if (operands->n == 0) return usage_error(err, "which images?");
    Pictures p = {.n = operands->n};
    if (open_processor(&p.proc, &o->model, err)) return -1;
    p.at = xcalloc((size_t)p.n, sizeof *p.at);
    for (int i = 0; i < p.n; i++) p.at[i].ref = operands->at[i];
    pool_run(p.n, load_task, &p);
    for (int i = 0; i < p.n && !err->msg[0]; i++)
        if (p.at[i].err.msg[0]) *err = p.at[i].err;
    int rc = err->msg[0] ? -1 : save(&p, o->out, err);
    for (int i = 0; i < p.n; i++) free(p.at[i].rgb);
    free(p.at);
    return rc;
}

const Verb VERB_PREPROCESS = {
    .name = "preprocess",
    .about = "images to normalised patches, as the vision tower reads them",
    .usage = "osler preprocess --model DIR --out X.safetensors REF...",
    .details =
        "Writes pixel_values, f32 [patches, 1176], and image_grid_thw, i64 [images, 3]. REF is an image reference:\n"
        "path, path#frame=K&window=C,W (DICOM), path#axial=K (NIfTI).",
    .table = TABLE,
    .size = sizeof(PreprocessOpts),
    .run = run,
};
