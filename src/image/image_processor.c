#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "image/decoder.h"
#include "image/image.h"

enum { CONFIG_MAX_BYTES = 1 << 20, BICUBIC = 3, MAX_ASPECT = 200 };

void image_processor_default(ImageProcessor *p)
{
    *p = (ImageProcessor){
        .min_pixels = 56 * 56,
        .max_pixels = 28 * 28 * 1280,
        .patch = 14,
        .temporal = 2,
        .merge = 2,
        .mean = {0.48145466, 0.4578275, 0.40821073},
        .std = {0.26862954, 0.26130258, 0.27577711},
        .rescale = 1 / 255.0,
    };
}

static int read_channels(const json_t *obj, const char *key, double out[3], Err *err)
{
    const json_t *list;
    if (json_get_array(obj, key, &list, false, err)) return -1;
    if (!list) return 0;
    if (json_array_size(list) != 3) return err_set(err, "\"%s\" does not have three numbers", key);
    for (size_t c = 0; c < 3; c++) {
        const json_t *v = json_array_get(list, c);
        if (!json_is_number(v)) return err_set(err, "\"%s\" does not have three numbers", key);
        out[c] = json_number_value(v);
    }
    return 0;
}

/* min_pixels / max_pixels win over size.shortest_edge / longest_edge, as in transformers; a null is an absent key. */
static int read_limit(const json_t *obj, const json_t *size, const char *key, const char *edge, int64_t *out, Err *err)
{
    if (size && !json_is_null(json_object_get(size, edge)) && json_get_i64(size, edge, out, false, err)) return -1;
    if (size && !json_is_null(json_object_get(size, key)) && json_get_i64(size, key, out, false, err)) return -1;
    if (json_is_null(json_object_get(obj, key))) return 0;
    return json_get_i64(obj, key, out, false, err);
}

/* Steps that the config may switch off or change, and that Osler always does in one way. */
static int check_steps(const json_t *obj, Err *err)
{
    static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize"};
    for (int i = 0; i < 3; i++) {
        if (json_is_false(json_object_get(obj, steps[i])))
            return err_set(err, "\"%s\": false is not supported", steps[i]);
    }
    int resample = BICUBIC;
    if (json_get_int(obj, "resample", &resample, false, err)) return -1;
    if (resample != BICUBIC) return err_set(err, "\"resample\": %d is not supported, only 3 (bicubic)", resample);
    return 0;
}

static int check_values(const ImageProcessor *p, Err *err)
{
    bool sizes = p->patch >= 1 && p->patch <= 256 && p->merge >= 1 && p->merge <= 16;
    if (!sizes || p->temporal < 1 || p->temporal > 16) {
        return err_set(err, "patch_size %d, merge_size %d, temporal_patch_size %d are out of range", p->patch, p->merge,
                       p->temporal);
    }
    if (p->min_pixels < 1 || p->max_pixels < p->min_pixels || p->max_pixels > IMAGE_MAX_PIXELS) {
        return err_set(err, "min_pixels %lld and max_pixels %lld are out of range", (long long)p->min_pixels,
                       (long long)p->max_pixels);
    }
    bool scales = isfinite(p->rescale);
    for (int c = 0; c < 3; c++) scales = scales && isfinite(p->mean[c]) && p->std[c] > 0;
    return scales ? 0 : err_set(err, "image_mean, image_std or rescale_factor are out of range");
}

static int processor_read(ImageProcessor *p, const json_t *obj, Err *err)
{
    const json_t *size = json_object_get(obj, "size");
    if (size && !json_is_object(size)) size = NULL;
    if (read_limit(obj, size, "min_pixels", "shortest_edge", &p->min_pixels, err) ||
        read_limit(obj, size, "max_pixels", "longest_edge", &p->max_pixels, err) ||
        json_get_int(obj, "patch_size", &p->patch, false, err) ||
        json_get_int(obj, "temporal_patch_size", &p->temporal, false, err) ||
        json_get_int(obj, "merge_size", &p->merge, false, err) || read_channels(obj, "image_mean", p->mean, err) ||
        read_channels(obj, "image_std", p->std, err) || json_get_num(obj, "rescale_factor", &p->rescale, false, err) ||
        check_steps(obj, err)) {
        return -1;
    }
    return check_values(p, err);
}

int image_processor_limit(ImageProcessor *p, int64_t min_pixels, int64_t max_pixels, Err *err)
{
    if (min_pixels) p->min_pixels = min_pixels;
    if (max_pixels) p->max_pixels = max_pixels;
    if (p->min_pixels <= p->max_pixels) return 0;
    err_set(err, "min_pixels %lld is more than max_pixels %lld", (long long)p->min_pixels, (long long)p->max_pixels);
    return err_hint(err, "the one that is not given is the checkpoint's; give both");
}

/* Reads a config file, or its object `inside`. 1: there is no such file or object. */
static int config_read(ImageProcessor *p, const char *dir, const char *name, const char *inside, Err *err)
{
    char *path = path_join(dir, name);
    int rc = 1;
    if (file_exists(path)) {
        json_t *root = json_load_path(path, CONFIG_MAX_BYTES, err);
        const json_t *obj = root && inside ? json_object_get(root, inside) : root;
        if (!root) rc = -1;
        else if (json_is_object(obj)) rc = processor_read(p, obj, err) ? err_context(err, "%s", path) : 0;
        else if (!inside) rc = err_set(err, "%s: not an object", path);
        json_decref(root);
    }
    free(path);
    return rc;
}

int image_processor_load(ImageProcessor *p, const char *model_dir, Err *err)
{
    image_processor_default(p);
    int rc = config_read(p, model_dir, "processor_config.json", "image_processor", err);
    if (rc == 1) rc = config_read(p, model_dir, "preprocessor_config.json", NULL, err);
    if (rc != 1) return rc;
    err_set(err, "%s: no preprocessor_config.json", model_dir);
    return err_hint(err, "it belongs to the checkpoint: image sizes, mean and deviation are read from it");
}

/* transformers' smart_resize: multiples of `factor` near the picture's size, with min_pixels <= w * h <= max_pixels. */
int image_plan(ImagePlan *plan, const ImageProcessor *p, int w, int h, Err *err)
{
    if (image_check_size(w, h, err)) return -1;
    double factor = p->patch * p->merge, wide = w, high = h;
    if (fmax(wide, high) / fmin(wide, high) > MAX_ASPECT) {
        err_set(err, "a picture of %d x %d is too long for its width", w, h);
        return err_hint(err, "the longer side may be %d times the shorter one", MAX_ASPECT);
    }
    double w_bar = nearbyint(wide / factor) * factor, h_bar = nearbyint(high / factor) * factor;
    if (w_bar * h_bar > (double)p->max_pixels) {
        double beta = sqrt(wide * high / (double)p->max_pixels);
        h_bar = fmax(factor, floor(high / beta / factor) * factor);
        w_bar = fmax(factor, floor(wide / beta / factor) * factor);
    } else if (w_bar * h_bar < (double)p->min_pixels) {
        double beta = sqrt((double)p->min_pixels / (wide * high));
        h_bar = ceil(high * beta / factor) * factor;
        w_bar = ceil(wide * beta / factor) * factor;
    }
    if (image_check_size((int64_t)w_bar, (int64_t)h_bar, err)) return -1;
    *plan =
        (ImagePlan){.w = (int)w_bar, .h = (int)h_bar, .grid_w = (int)w_bar / p->patch, .grid_h = (int)h_bar / p->patch};
    plan->tokens = plan->grid_w / p->merge * (plan->grid_h / p->merge);
    return 0;
}
