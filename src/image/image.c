#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/decoder.h"
#include "table/embedded.h"

typedef struct ImageFormat {
    const char *name;
    unsigned keys; /* VIEW_* that a reference may carry */
    ImageMatch *match;
    ImageDecode *decode;
    ImageMeasure *measure;
} ImageFormat;

/* DICOM comes before TIFF: a file can be both, with the one's header in the other's preamble. */
static const ImageFormat FORMATS[] = {
    {"JPEG", 0, jpeg_match, jpeg_decode, jpeg_measure},
    {"PNG", 0, png_match, png_decode, png_measure},
    {"WebP", 0, webp_match, webp_decode, webp_measure},
    {"NIfTI", VIEW_PLANE | VIEW_WINDOW | VIEW_VOLUME, nifti_match, nifti_decode, nifti_measure},
    {"DICOM", VIEW_FRAME | VIEW_WINDOW, dicom_match, dicom_decode, dicom_measure},
    {"TIFF", 0, tiff_match, tiff_decode, tiff_measure},
};
enum { N_FORMATS = sizeof FORMATS / sizeof FORMATS[0] };

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

/* The data half of a NIfTI pair has no mark of its own; its name leads to the header. */
static bool is_nifti_data(const char *path)
{
    return path && (ends_with(path, ".img") || ends_with(path, ".img.gz"));
}

static const ImageFormat *source_format(const ImageSource *src, Err *err)
{
    const ImageFormat *f = NULL;
    for (int i = 0; i < N_FORMATS && !f; i++) {
        if (FORMATS[i].match(src->bytes, src->n)) f = &FORMATS[i];
        if (!f && FORMATS[i].decode == nifti_decode && is_nifti_data(src->path)) f = &FORMATS[i];
    }
    if (!f) {
        err_set(err, src->n ? "not a picture of a known format" : "empty file");
        if (src->n >= 4 && !memcmp(src->bytes, "PAR1", 4))
            err_hint(err, "a parquet file; one picture in it is FILE#row=0&column=image");
        err_hint(err, "JPEG, PNG, WebP, TIFF, DICOM and NIfTI are read");
        return NULL;
    }
    return image_view_check(&src->view, f->keys, f->name, err) ? NULL : f;
}

static int source_decode(Image *im, const ImageSource *src, Err *err)
{
    const ImageFormat *f = source_format(src, err);
    return f ? f->decode(im, src, err) : -1;
}

int image_decode(Image *im, const unsigned char *bytes, size_t n, const char *fragment, const char *name, Err *err)
{
    *im = (Image){0};
    ImageSource src = {.bytes = bytes, .n = n};
    if (image_view_parse(&src.view, fragment, err) || source_decode(im, &src, err)) {
        return err_context(err, "%s", name);
    }
    return 0;
}

/* What a reference leads to, while it is read. */
typedef struct OpenRef {
    ImageRef ref;
    FileMap map;       /* of the picture's own file */
    Embedded embedded; /* of a cell */
    ImageSource src;
} OpenRef;

static void ref_close(OpenRef *o)
{
    file_unmap(&o->map);
    embedded_put(&o->embedded);
    image_ref_release(&o->ref);
}

/* Opens the file or the cell of a reference. After 0 the caller closes it. */
static int ref_open(OpenRef *o, const char *text, Err *err)
{
    *o = (OpenRef){0};
    if (image_ref_parse(&o->ref, text, err)) return -1;
    const ImageCell *cell = &o->ref.cell;
    const char *path = o->ref.path;
    int rc = cell->column ? embedded_get(&o->embedded, path, cell->row, cell->column, cell->item, err) : 0;
    if (cell->column) path = o->embedded.path;
    if (rc == 0 && path) rc = file_map(&o->map, path, err);
    if (rc) {
        ref_close(o);
        return -1;
    }
    o->src = (ImageSource){.bytes = o->map.data, .n = o->map.size, .path = path, .view = o->ref.view};
    if (!path) o->src.bytes = o->embedded.bytes, o->src.n = o->embedded.n;
    return 0;
}

int image_load(Image *im, const char *text, Err *err)
{
    *im = (Image){0};
    OpenRef o;
    if (ref_open(&o, text, err)) return -1;
    int rc = source_decode(im, &o.src, err);
    if (rc) err_context(err, "%s", text);
    ref_close(&o);
    return rc;
}

int image_size(int *w, int *h, const char *text, Err *err)
{
    OpenRef o;
    if (ref_open(&o, text, err)) return -1;
    const ImageFormat *f = source_format(&o.src, err);
    int rc = f ? f->measure(w, h, &o.src, err) : -1;
    if (rc == 0) rc = image_check_size(*w, *h, err);
    if (rc) err_context(err, "%s", text);
    ref_close(&o);
    return rc;
}

int image_load_planned(unsigned char *rgb, const ImageProcessor *p, const ImagePlan *plan, const char *ref, Err *err)
{
    Image im;
    ImagePlan now;
    if (image_load(&im, ref, err)) return -1;
    int rc = image_plan(&now, p, im.w, im.h, err);
    if (rc == 0 && (now.w != plan->w || now.h != plan->h))
        rc = err_set(err, "decodes to %d x %d pixels, which is not what its header said", im.w, im.h);
    if (rc == 0) rc = image_resize_to(rgb, plan->w, plan->h, &im, err);
    image_release(&im);
    return rc ? err_context(err, "%s", ref) : 0;
}

int image_check_size(int64_t w, int64_t h, Err *err)
{
    if (w < 1 || h < 1) return err_set(err, "an empty picture of %lld x %lld", (long long)w, (long long)h);
    if (w > IMAGE_MAX_PIXELS || h > IMAGE_MAX_PIXELS / w) {
        err_set(err, "%lld x %lld pixels are too many", (long long)w, (long long)h);
        return err_hint(err, "at most %d pixels are read", IMAGE_MAX_PIXELS);
    }
    return 0;
}

int image_alloc(Image *im, int64_t w, int64_t h, Err *err)
{
    *im = (Image){0};
    if (image_check_size(w, h, err)) return -1;
    im->rgb = xmalloc((size_t)(3 * w * h));
    im->w = (int)w;
    im->h = (int)h;
    return 0;
}

void image_release(Image *im)
{
    free(im->rgb);
    *im = (Image){0};
}
