#include "weights/hf_dir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/piece_hash.h"

/* Weights, optimizer and loader states, in the formats found on the hub. */
static const char *const WEIGHT_ENDING[] = {".safetensors", ".safetensors.index.json",
                                            ".bin",         ".bin.index.json",
                                            ".pt",          ".pth",
                                            ".ckpt",        ".gguf",
                                            ".h5",          ".h5.index.json",
                                            ".msgpack",     ".msgpack.index.json",
                                            ".onnx",        ".onnx_data",
                                            ".npz",         ".tflite"};

/* What a run or an adapter leaves in its folder. An adapter_config.json would make transformers take dst for an
   adapter. */
static const char *const RUN_FILE[] = {"trainer_log.jsonl", "trainer_state.json",  "completions.jsonl", "manifest.json",
                                       "report.html",       "adapter_config.json", "recipe.yaml"};
static const char *const RUN_PREFIX[] = {"events.out.tfevents.", "checkpoint-"};

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

bool hf_dir_carries(const char *name)
{
    if (name[0] == '.') return false;
    for (int i = 0; i < COUNT(WEIGHT_ENDING); i++)
        if (str_ends_with(name, WEIGHT_ENDING[i])) return false;
    for (int i = 0; i < COUNT(RUN_FILE); i++)
        if (!strcmp(name, RUN_FILE[i])) return false;
    for (int i = 0; i < COUNT(RUN_PREFIX); i++)
        if (!strncmp(name, RUN_PREFIX[i], strlen(RUN_PREFIX[i]))) return false;
    return !strstr(name, ".tmp."); /* a write that was cut off */
}

/* Copies one name where it is a file to carry. */
static int carry(const char *dst, const char *src, const char *name, Err *err)
{
    struct stat st;
    if (!hf_dir_carries(name)) return 0;
    char *from = path_join(src, name), *to = path_join(dst, name);
    int rc = 0;
    if (stat(from, &st)) rc = err_errno(err, "%s", from);
    else if (S_ISREG(st.st_mode)) rc = file_copy(to, from, err);
    free(to);
    free(from);
    return rc;
}

int hf_dir_carry(const char *dst, const char *src, Err *err)
{
    struct stat a, b;
    if (stat(src, &a)) return err_errno(err, "%s", src);
    if (dir_create(dst, err)) return -1;
    if (stat(dst, &b)) return err_errno(err, "%s", dst);
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
        err_set(err, "%s: the output folder is the model's own", dst);
        return err_hint(err, "give another output folder; the model that is trained from stays as it is");
    }
    char **name;
    int n, rc = 0;
    if (dir_list(src, &name, &n, err)) return -1;
    for (int i = 0; i < n; i++) {
        if (rc == 0) rc = carry(dst, src, name[i], err);
        free(name[i]);
    }
    free(name);
    return rc;
}

/* ---- digest ------------------------------------------------------------------------------------------------------ */

static const char *const READ_FILE[] = {"adapter_config.json",   "chat_template.jinja",    "chat_template.json",
                                        "config.json",           "generation_config.json", "preprocessor_config.json",
                                        "processor_config.json", "tokenizer.json",         "tokenizer_config.json"};

static bool is_read(const char *name)
{
    for (int i = 0; i < COUNT(READ_FILE); i++)
        if (!strcmp(name, READ_FILE[i])) return true;
    return name[0] != '.' && str_ends_with(name, ".safetensors");
}

int hf_dir_digest(char hex[SHA256_HEX], const char *dir, Err *err)
{
    Buf text = {0};
    Pieces pieces = {0};
    char **name;
    int n, rc = 0;
    if (dir_list(dir, &name, &n, err)) return -1;
    FileMap *map = xcalloc((size_t)n + 1, sizeof *map);
    for (int i = 0; i < n; i++) {
        if (rc == 0 && is_read(name[i])) {
            char *path = path_join(dir, name[i]);
            rc = file_map(&map[i], path, err);
            free(path);
            buf_printf(&text, "%s %zu\n", name[i], map[i].size);
            pieces_add(&pieces, map[i].data, map[i].size);
        }
        free(name[i]);
    }
    free(name);
    pieces_hash(hex, &text, &pieces);
    for (int i = 0; i < n; i++) file_unmap(&map[i]);
    free(map);
    return rc;
}
