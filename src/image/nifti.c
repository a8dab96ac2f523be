#include <stdlib.h>
#include <string.h>

#include "base/gzip.h"
#include "image/decoder.h"
#include "image/gray_window.h"
#include "image/volume.h"

bool nifti_match(const unsigned char *bytes, size_t n)
{
    if (!gzip_match(bytes, n)) return nifti_header_match(bytes, n);
    unsigned char head[NIFTI_HEADER_BYTES];
    size_t got = gzip_prefix(head, sizeof head, bytes, n);
    return HAVE_ZLIB ? nifti_header_match(head, got) : true;
}

/* How a plane is drawn: the patient axis it is cut across, the one that runs along the rows, the one down the columns.
   Both run backwards: the right edge is the patient's left (or posterior), the bottom is posterior (or inferior). */
static const struct {
    const char *name;
    NiftiAxis cut, across, down;
} PLANES[] = {
    [PLANE_AXIAL] = {"axial", AXIS_S, AXIS_R, AXIS_A},
    [PLANE_CORONAL] = {"coronal", AXIS_A, AXIS_R, AXIS_S},
    [PLANE_SAGITTAL] = {"sagittal", AXIS_R, AXIS_A, AXIS_S},
};

static int64_t axis_size(const NiftiHeader *h, NiftiAxis a)
{
    return h->dim[h->axis[a]];
}

static int plane_check(const NiftiHeader *h, const ImageView *view, Err *err)
{
    if (view->plane == PLANE_NONE) {
        err_set(err, "a NIfTI volume needs a plane");
        return err_hint(err, "add #axial=K (0..%lld), #coronal=K (0..%lld) or #sagittal=K (0..%lld) to the name",
                        (long long)axis_size(h, AXIS_S) - 1, (long long)axis_size(h, AXIS_A) - 1,
                        (long long)axis_size(h, AXIS_R) - 1);
    }
    int64_t n = axis_size(h, PLANES[view->plane].cut);
    if (view->index < n) return 0;
    return err_set(err, "%s=%d: the volume has planes 0 to %lld", PLANES[view->plane].name, view->index,
                   (long long)n - 1);
}

/* The voxel distance of a step along a patient axis, towards R, A or S. */
static ptrdiff_t axis_step(const NiftiHeader *h, NiftiAxis a)
{
    ptrdiff_t step = 1;
    for (int i = 0; i < h->axis[a]; i++) step *= (ptrdiff_t)h->dim[i];
    return h->flip[a] ? -step : step;
}

/* Where index `index` along a patient axis, counted towards R, A or S, lies: an offset in voxels. */
static ptrdiff_t axis_place(const NiftiHeader *h, NiftiAxis a, int64_t index)
{
    ptrdiff_t step = axis_step(h, a);
    return step * (ptrdiff_t)(h->flip[a] ? index - (axis_size(h, a) - 1) : index);
}

static int plane_draw(Image *im, const Volume *v, const ImageView *view, Err *err)
{
    const NiftiHeader *h = &v->header;
    if (plane_check(h, view, err)) return -1;
    NiftiAxis cut = PLANES[view->plane].cut, across = PLANES[view->plane].across, down = PLANES[view->plane].down;
    int64_t w = axis_size(h, across), rows = axis_size(h, down);
    if (image_alloc(im, w, rows, err)) return -1;
    GrayWindow g = view->given & VIEW_WINDOW ? gray_window(view->centre, view->width) : gray_window_range(v->lo, v->hi);
    double *line = xmalloc(sizeof *line * (size_t)w);
    for (int64_t y = 0; y < rows; y++) {
        ptrdiff_t first =
            axis_place(h, cut, view->index) + axis_place(h, down, rows - 1 - y) + axis_place(h, across, w - 1);
        volume_values(v, line, (size_t)first, -axis_step(h, across), (size_t)w);
        unsigned char *rgb = im->rgb + 3 * (size_t)w * (size_t)y;
        for (int64_t x = 0; x < w; x++, rgb += 3) memset(rgb, gray_window_apply(&g, line[x]), 3);
    }
    free(line);
    return 0;
}

int nifti_decode(Image *im, const ImageSource *src, Err *err)
{
    if (src->path) {
        const Volume *v = volume_get(src->path, src->view.volume, err);
        if (!v) return -1;
        int rc = plane_draw(im, v, &src->view, err);
        volume_put(v);
        return rc;
    }
    Volume v;
    if (volume_open_memory(&v, src->bytes, src->n, src->view.volume, err)) return -1;
    int rc = plane_draw(im, &v, &src->view, err);
    volume_close(&v);
    return rc;
}

int nifti_measure(int *w, int *h, const ImageSource *src, Err *err)
{
    NiftiHeader header;
    if (volume_header(&header, src->path, src->bytes, src->n, err) || plane_check(&header, &src->view, err)) return -1;
    *w = (int)axis_size(&header, PLANES[src->view.plane].across);
    *h = (int)axis_size(&header, PLANES[src->view.plane].down);
    return 0;
}
