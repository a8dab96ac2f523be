/* osler inspect: looks into checkpoints, adapters, loss masks, images and kernels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/model_opts.h"
#include "table/table.h"
#include "text/unicode.h"
#include "weights/names.h"

typedef struct InspectOpts {
    Common common;
    ModelOpts model;
    char *masks, *image, *out;
    bool kernels, tensors;
} InspectOpts;

#define AT(field) offsetof(InspectOpts, field)
static const Opt TABLE[] = {
    {"tensors", OPT_BOOL, AT(tensors), .def = "false",
     .help = "of a directory: every tensor instead of a line per kind"},
    {"masks", OPT_PATH, AT(masks), .help = "dataset file: prints each sample's tokens, targets marked; needs model"},
    {"model", OPT_PATH, AT(model.dir),
     .help = "checkpoint directory whose tokenizer and processor masks are made with"},
    {"image", OPT_TEXT, AT(image), .help = "image reference: decodes it as the model's resizer will get it"},
    {"out", OPT_PATH, AT(out), .help = "where the image goes: a .png, .ppm or .pgm file"},
    {"kernels", OPT_BOOL, AT(kernels), .def = "false", .help = "which variant computes what on this machine"},
    PIXEL_ROWS(InspectOpts),
    GENERAL_ROWS(InspectOpts),
    {0},
};

/* ---- a directory of tensors ------------------------------------------------------------------------------------- */

/* Tensors that differ in one number of their names only. */
typedef struct Kind {
    const StTensor *first;
    char *pattern; /* the name with its first number replaced by '#' */
    int low, high, n;
} Kind;

/* The pattern of a name, and its first number between dots (-1: none). */
static char *name_pattern(const char *name, int *number)
{
    *number = -1;
    for (const char *s = name; (s = strchr(s, '.')) != NULL; s++) {
        size_t digits = strspn(s + 1, "0123456789");
        if (!digits || digits > 6 || (s[1 + digits] != '.' && s[1 + digits])) continue;
        *number = atoi(s + 1);
        return xasprintf("%.*s.#%s", (int)(s - name), name, s + 1 + digits);
    }
    return xstrdup(name);
}

static bool same_shape(const StTensor *a, const StTensor *b)
{
    if (a->dtype != b->dtype || a->n_dims != b->n_dims) return false;
    for (int i = 0; i < a->n_dims; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

static void print_tensor(const StTensor *t, const char *name, int n)
{
    printf("  %-64s %-4s [", name, dtype_name(t->dtype));
    for (int i = 0; i < t->n_dims; i++) printf(i ? ", %lld" : "%lld", (long long)t->dim[i]);
    printf(n > 1 ? "] x %d\n" : "]\n", n);
}

static void print_kinds(Kind *kind, int n)
{
    for (int i = 0; i < n; i++) {
        const char *hash = strchr(kind[i].pattern, '#');
        char *name = hash && kind[i].n > 1 ? xasprintf("%.*s{%d..%d}%s", (int)(hash - kind[i].pattern), kind[i].pattern,
                                                       kind[i].low, kind[i].high, hash + 1)
                                           : xstrdup(kind[i].first->name);
        print_tensor(kind[i].first, name, kind[i].n);
        free(name);
        free(kind[i].pattern);
    }
}

static void print_grouped(const SafeTensors *st)
{
    VEC(Kind) kinds = {0};
    for (int i = 0; i < st->n; i++) {
        const StTensor *t = &st->tensor[i];
        int number, k = 0;
        char *pattern = name_pattern(t->name, &number);
        while (k < kinds.n && (strcmp(kinds.at[k].pattern, pattern) || !same_shape(kinds.at[k].first, t))) k++;
        if (k == kinds.n) {
            vec_push(&kinds, ((Kind){t, pattern, number, number, 1}));
            continue;
        }
        free(pattern);
        Kind *kind = &kinds.at[k];
        if (number < kind->low) kind->low = number;
        if (number > kind->high) kind->high = number;
        kind->n++;
    }
    print_kinds(kinds.at, kinds.n);
    free(kinds.at);
}

static void print_size(const char *what, int64_t count, int64_t bytes)
{
    printf("  %-10s %15lld weights  %10.3f GiB\n", what, (long long)count, gib((double)bytes));
}

/* Weights and bytes of each part; parts are told apart by name. */
static void print_sizes(const SafeTensors *st)
{
    int64_t count[3] = {0}, bytes[3] = {0}, all = 0, all_bytes = 0;
    for (int i = 0; i < st->n; i++) {
        const StTensor *t = &st->tensor[i];
        int part = strstr(t->name, "visual.merger.") ? 1 : strstr(t->name, "visual.") ? 0 : 2;
        count[part] += st_count(t);
        bytes[part] += (int64_t)t->bytes;
        all += st_count(t);
        all_bytes += (int64_t)t->bytes;
    }
    for (int i = 0; i < 3; i++)
        if (count[i]) print_size((const char *const[]){"vision", "merger", "language"}[i], count[i], bytes[i]);
    print_size("all", all, all_bytes);
}

/* c: the model that the tensors must make up; NULL: an adapter's. */
static int inspect_tensors(const char *dir, const char *base, bool every, const ModelConfig *c, Err *err)
{
    SafeTensors st;
    if (st_open_dir(&st, dir, base, err)) return -1;
    printf("%d tensors in %d file%s\n", st.n, st.n_shards, st.n_shards == 1 ? "" : "s");
    print_sizes(&st);
    for (int i = 0; every && i < st.n; i++) print_tensor(&st.tensor[i], st.tensor[i].name, 1);
    if (!every) print_grouped(&st);
    int rc = c ? model_match(c, &st, err) : 0;
    st_close(&st);
    return rc;
}

static void print_config(const ModelConfig *c)
{
    const VisionConfig *v = &c->vision;
    printf("Qwen2.5-VL, weights in %s\n", dtype_name(c->file_dtype));
    printf("  language   %d blocks, width %d, ffn %d, %d heads, %d kv heads of %d, vocabulary %d%s, context %d\n", c->l,
           c->d, c->f, c->h, c->hk, c->hd, c->v, c->tied ? " (head tied)" : "", c->max_positions);
    printf("  vision     %d blocks, width %d, ffn %d, %d heads, patch %d, window %d, full attention in", v->l, v->d,
           v->f, v->h, v->patch, v->window);
    for (int i = 0; i < v->l; i++)
        if (v->full[i]) printf(" %d", i);
    printf("\n  tokens     image %d, video %d, end", c->image_token, c->video_token);
    for (int i = 0; i < c->n_eos; i++) printf(" %d", c->eos[i]);
    printf("\n");
}

static void print_select(const char *what, const PeftSelect *s)
{
    if (!s->regex && !s->all_linear && !s->n) return;
    printf("  %-10s %s", what, s->all_linear ? "all-linear" : s->regex ? s->regex : "");
    for (int i = 0; i < s->n; i++) printf(i ? ", %s" : "%s", s->name[i]);
    printf("\n");
}

static int inspect_adapter(const char *dir, bool every, Err *err)
{
    PeftConfig p;
    if (peft_config_load(&p, dir, err)) return -1;
    printf("LoRA adapter, r %d, alpha %g%s, dropout %g\n", p.r, p.lora_alpha, p.use_rslora ? " (rslora)" : "",
           p.lora_dropout);
    if (p.base_model) printf("  base       %s\n", p.base_model);
    print_select("targets", &p.target);
    print_select("excluded", &p.exclude);
    peft_config_release(&p);
    return inspect_tensors(dir, "adapter_model", every, NULL, err);
}

static int inspect_dir(const char *dir, bool every, Err *err)
{
    if (!dir_exists(dir)) return err_set(err, "%s: no such directory", dir);
    char *adapter = path_join(dir, "adapter_config.json");
    bool is_adapter = file_exists(adapter);
    free(adapter);
    if (is_adapter) return inspect_adapter(dir, every, err);
    ModelConfig c;
    if (config_load(&c, dir, err)) return -1;
    print_config(&c);
    return inspect_tensors(dir, "model", every, &c, err);
}

/* ---- masks ------------------------------------------------------------------------------------------------------ */

/* The text of ids [from, to), in colour or brackets where they are targets. */
static void print_run(const Tokenizer *t, const int *id, int n, bool target)
{
    static const char *const ON[] = {"[[", "\033[1;32m"}, *const OFF[] = {"]]", "\033[0m"};
    int tty = isatty(STDOUT_FILENO);
    Buf raw = {0}, text = {0};
    tokenizer_decode(t, id, n, false, &raw);
    if (raw.len) utf8_repair(&text, NULL, raw.data, raw.len);
    printf("%s%s%s", target ? ON[tty] : "", text.data ? text.data : "", target ? OFF[tty] : "");
    buf_release(&raw);
    buf_release(&text);
}

static void print_masked(const Encoder *enc, const Encoded *x)
{
    for (int i = 0, j; i < x->n; i = j) {
        bool image = x->id[i] < 0;
        for (j = i + 1; j < x->n && (x->id[j] < 0) == image && x->target[j] == x->target[i]; j++) continue;
        if (image) printf("<|image_pad|> x %d", j - i);
        else print_run(enc->tokenizer, x->id + i, j - i, x->target[i]);
    }
}

static int print_sample(Encoder *enc, const Sample *s, Err *err)
{
    Encoded x;
    if (encode_sample(&x, enc, s, ENCODE_CHAT, err)) return sample_context(s, err);
    printf("--- %s: %d tokens, %d targets, %d of images\n", s->id, x.n, x.n_targets, x.n_image_tokens);
    print_masked(enc, &x);
    encoded_release(&x);
    return 0;
}

static int inspect_masks(const InspectOpts *o, Err *err)
{
    const StrList file = {(char *[]){o->masks}, 1};
    Dataset d;
    Inputs in;
    if (open_dataset(&d, &file, 0, err)) return -1;
    int rc = inputs_open(&in, &o->model, err);
    if (rc == 0) {
        for (int i = 0; rc == 0 && i < d.n; i++) rc = print_sample(&in.enc, &d.sample[i], err);
        inputs_close(&in);
    }
    dataset_release(&d);
    return rc;
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static int inspect_image(const InspectOpts *o, Err *err)
{
    Image im;
    if (image_load(&im, o->image, err)) return -1;
    int rc = o->out ? image_save(&im, o->out, err) : 0;
    if (rc == 0) printf("%s: %d x %d\n", o->image, im.w, im.h);
    image_release(&im);
    return rc;
}

static int inspect_table(const char *path, Err *err)
{
    Table *t = table_open(path, err);
    if (!t) return -1;
    Buf b = {0};
    table_describe(&b, t);
    fputs(b.data, stdout);
    buf_release(&b);
    table_close(t);
    return 0;
}

static int inspect_kernels(void)
{
    enum { CAP = 64 };
    KernelRow bf16_row[CAP], f32_row[CAP];
    Kernels k;
    kernels_cpu(&k, DT_BF16);
    int n = kernels_list(&k, bf16_row, CAP);
    kernels_cpu(&k, DT_F32);
    kernels_list(&k, f32_row, CAP);
    printf("%-16s %-12s %s\n", "", "bf16", "f32");
    for (int i = 0; i < n && i < CAP; i++)
        printf("%-16s %-12s %s\n", bf16_row[i].slot, bf16_row[i].variant, f32_row[i].variant);
    return 0;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const InspectOpts *o = opts;
    int asked = (o->masks != NULL) + (o->image != NULL) + o->kernels + operands->n;
    if (asked != 1) return usage_error(err, "inspect needs one of DIR, TABLE, masks, image and kernels");
    if (o->masks && !o->model.dir) return usage_error(err, "model is missing (masks are made with its tokenizer)");
    if (o->masks) return inspect_masks(o, err);
    if (o->image) return inspect_image(o, err);
    if (o->kernels) return inspect_kernels();
    if (file_exists(operands->at[0]) && !dir_exists(operands->at[0])) return inspect_table(operands->at[0], err);
    return inspect_dir(operands->at[0], o->tensors, err);
}

const Verb VERB_INSPECT = {
    .name = "inspect",
    .about = "looks into a checkpoint, an adapter, a table, loss masks, an image or the kernels",
    .usage = "osler inspect DIR | TABLE | --masks FILE --model DIR | --image REF --out X.png | --kernels",
    .details = "TABLE is a parquet, CSV, TSV or JSON file: its rows and columns are printed.\n"
               "Masks: targets are green on a terminal and stand in [[ ]] elsewhere.",
    .table = TABLE,
    .size = sizeof(InspectOpts),
    .run = run,
};
