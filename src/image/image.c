#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/decoder.h"

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

/* Opens the file of a reference. After 0 the caller unmaps and releases. */
static int source_open(ImageSource *src, FileMap *map, ImageRef *ref, const char *text, Err *err)
{
    if (image_ref_parse(ref, text, err)) return -1;
    if (file_map(map, ref->path, err)) {
        image_ref_release(ref);
        return -1;
    }
    *src = (ImageSource){.bytes = map->data, .n = map->size, .path = ref->path, .view = ref->view};
    return 0;
}

int image_load(Image *im, const char *text, Err *err)
{
    *im = (Image){0};
    ImageSource src;
    FileMap map;
    ImageRef ref;
    if (source_open(&src, &map, &ref, text, err)) return -1;
    int rc = source_decode(im, &src, err);
    if (rc) err_context(err, "%s", text);
    file_unmap(&map);
    image_ref_release(&ref);
    return rc;
}

int image_size(int *w, int *h, const char *text, Err *err)
{
    ImageSource src;
    FileMap map;
    ImageRef ref;
    if (source_open(&src, &map, &ref, text, err)) return -1;
    const ImageFormat *f = source_format(&src, err);
    int rc = f ? f->measure(w, h, &src, err) : -1;
    if (rc == 0) rc = image_check_size(*w, *h, err);
    if (rc) err_context(err, "%s", text);
    file_unmap(&map);
    image_ref_release(&ref);
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
