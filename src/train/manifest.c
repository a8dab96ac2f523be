#include "train/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/sha256.h"

void time_now(char out[32])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* ---- digests ----------------------------------------------------------------------------------------------------- */

/* Appends {"file", "bytes", "sha256"} of a whole file. */
static json_t *add_file(json_t *list, const char *path, Err *err)
{
    FileMap m;
    char hex[SHA256_HEX];
    if (file_map(&m, path, err)) return NULL;
    json_int_t bytes = (json_int_t)m.size;
    file_unmap(&m);
    if (sha256_file(hex, path, err)) return NULL;
    json_t *item = json_pack("{s:s, s:I, s:s}", "file", path, "bytes", bytes, "sha256", hex);
    if (!item) err_set(err, "%s: the path is not UTF-8", path);
    else json_array_append_new(list, item);
    return item;
}

/* The same of a shard's header; st_open has checked its length. */
static void add_header(json_t *list, const char *path, const FileMap *shard)
{
    Sha256 s;
    uint64_t header = 0;
    char hex[SHA256_HEX];
    for (int i = 7; i >= 0; i--) header = header << 8 | shard->data[i];
    sha256_init(&s);
    sha256_add(&s, shard->data, (size_t)header + 8);
    sha256_hex(&s, hex);
    json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:s}", "file", path, "bytes", (json_int_t)shard->size,
                                          "sha256", hex, "hashed", "header"));
}

static json_t *digest_files(const char *dir, const char *const *name, int n, Err *err)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        char *path = path_join(dir, name[i]);
        bool ok = !file_exists(path) || add_file(list, path, err);
        free(path);
        if (ok) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *digest_model(const Model *m, Err *err)
{
    static const char *const NAME[] = {"config.json", "tokenizer.json", "tokenizer_config.json",
                                       "preprocessor_config.json"};
    json_t *list = digest_files(m->dir, NAME, sizeof NAME / sizeof *NAME, err);
    for (int i = 0; list && i < m->files.n_shards; i++) add_header(list, m->files.shard_path[i], &m->files.shard[i]);
    return list;
}

static json_t *digest_adapter(const char *dir, Err *err)
{
    static const char *const NAME[] = {"adapter_config.json", "adapter_model.safetensors"};
    return dir ? digest_files(dir, NAME, sizeof NAME / sizeof *NAME, err) : json_array();
}

/* `spec` are the files with their "#500" or "@0.3", which the digest remembers as "taken". */
static json_t *digest_data(const Dataset *d, const StrList *spec, Err *err)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n_files; i++) {
        json_t *item = add_file(list, d->file[i], err);
        if (!item) {
            json_decref(list);
            return NULL;
        }
        const char *taken = spec->at[i] + strlen(d->file[i]);
        if (*taken) json_object_set_new(item, "taken", json_string(taken));
    }
    return list;
}

json_t *inputs_digest(const TrainOptions *o, const Model *m, const Dataset *data, const Dataset *eval, Err *err)
{
    json_t *model = digest_model(m, err);
    json_t *adapter = model ? digest_adapter(o->adapter, err) : NULL;
    json_t *train = adapter ? digest_data(data, &o->data, err) : NULL;
    json_t *test = train ? digest_data(eval, &o->eval_data, err) : NULL;
    if (test)
        return json_pack("{s:o, s:o, s:o, s:o}", "model", model, "adapter", adapter, "data", train, "eval_data", test);
    json_decref(model);
    json_decref(adapter);
    json_decref(train);
    return NULL;
}

/* One hash over the digests of a list. */
static json_t *summary(const json_t *list)
{
    Sha256 s;
    char hex[SHA256_HEX];
    size_t i;
    json_t *item;
    sha256_init(&s);
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *taken = json_string_value(json_object_get(item, "taken"));
        sha256_add(&s, json_string_value(json_object_get(item, "sha256")), SHA256_HEX);
        if (taken) sha256_add(&s, taken, strlen(taken) + 1);
    }
    sha256_hex(&s, hex);
    return json_string(hex);
}

void inputs_add_settings(json_t *settings, const json_t *inputs)
{
    static const char *const KEY[] = {"model", "adapter", "data"};
    for (int i = 0; i < 3; i++) {
        const json_t *list = json_object_get(inputs, KEY[i]);
        if (json_array_size(list)) json_object_set_new(settings, KEY[i], summary(list));
    }
}

/* ---- manifest.json ----------------------------------------------------------------------------------------------- */

static json_t *machine(void)
{
    static const char *const FEATURE[] = {"avx2", "avx512", "avx512_bf16", "amx"};
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    json_t *list = json_array();
    for (int i = 0; i < 4; i++)
        if (cpu_features() & 1u << i) json_array_append_new(list, json_string(FEATURE[i]));
    return json_pack("{s:s, s:s, s:o, s:i, s:f}", "host", host, "cpu", cpu_name(), "features", list, "threads",
                     pool_threads(), "memory_gib",
                     gib((double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE)));
}

int manifest_save(const Manifest *m, Err *err)
{
    Buf recipe = {0};
    opt_print(&recipe, TRAIN_OPTIONS, m->o);
    json_t *j =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s?, s:o, s:O, s:s%}", "program", "osler", "version", OSLER_VERSION,
                  "seed", (json_int_t)m->o->seed, "parameters", (json_int_t)model_count(m->model, false),
                  "trained_parameters", (json_int_t)model_count(m->model, true), "started", m->started, "finished",
                  m->finished, "machine", machine(), "inputs", m->inputs, "recipe", recipe.data, recipe.len);
    int rc = j ? 0 : err_set(err, "manifest.json: an option or a path is not UTF-8");
    char *path = path_join(m->o->output_dir, "manifest.json"), *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    if (rc == 0) rc = file_save(path, text, strlen(text), err);
    free(text);
    free(path);
    json_decref(j);
    buf_release(&recipe);
    return rc;
}
