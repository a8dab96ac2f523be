/* osler bench: how fast, and what part of what the machine could do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/bench.h"

#define AT(field) offsetof(BenchOpts, field)
static const Opt TABLE[] = {
    {"config", OPT_PATH, AT(config), .help = "peers, scaling, quant: config.json; weights are random"},
    {"case", OPT_ENUM, AT(what), .def = "lora", .choices = BENCH_CASES, .alias = "task",
     .help = "peers, scaling: what to time"},
    {"batch", OPT_INT, AT(batch), .def = "1", .min = 1, .max = 4096, .help = "decode: sequences that grow together"},
    {"shared", OPT_BOOL, AT(shared), .def = "false", .help = "decode: all of them answer one prompt"},
    {"repeated", OPT_BOOL, AT(repeated), .def = "false",
     .help = "dpo, grpo: the prompt stands before every answer, as where nothing shares it"},
    {"answer", OPT_INT, AT(answer), .def = "0", .min = 0, .max = 1e5,
     .help = "dpo, grpo: tokens of each answer; 0: as other programs are timed"},
    {"new", OPT_INT, AT(new_tokens), .def = "64", .min = 1, .max = 1e5, .help = "decode: tokens per sequence"},
    {"vision_cache", OPT_PATH, AT(vision_cache),
     .help = "peers, scaling: folder that keeps what the vision tower makes of an image; the first step fills it"},
    {"ckpt", OPT_BOOL, AT(ckpt), .def = "false", .help = "peers, scaling: activation checkpointing"},
    {"reps", OPT_INT, AT(reps), .def = "3", .min = 1, .max = 1e6, .help = "timed steps, after one that is not"},
    {"threads_max", OPT_INT, AT(threads_max), .def = "0", .min = 0, .max = 1024,
     .help = "scaling: up to so many threads; 0: one per core"},
    {"slot", OPT_TEXT, AT(slot), .help = "kernels: only slots whose name holds this word"},
    {"model", OPT_PATH, AT(model), .help = "first-token, quant: checkpoint directory"},
    {"data", OPT_LIST, AT(data), .help = "quant: samples whose answers are scored with --model"},
    {"image", OPT_PATH, AT(image), .help = "first-token: an image before the prompt"},
    {"images", OPT_PATH, AT(images), .help = "images: folder of image files"},
    {"max_pixels", OPT_INT, AT(max_pixels), .def = "0", .min = 0, .max = 1e9,
     .help = "images: larger ones are reduced; 0: Qwen2.5-VL's 1003520"},
    {"json", OPT_BOOL, AT(json), .def = "false", .help = "one JSON object a line, with all figures"},
    COMPUTE_ROWS(BenchOpts),
    DECODE_ROW(BenchOpts),
    SEED_ROW(BenchOpts),
    GENERAL_ROWS(BenchOpts),
    {0},
};

enum { PEERS = 1, KERNELS = 2, SCALING = 4, FIRST_TOKEN = 8, IMAGES = 16, QUANT = 32 };

static const struct {
    const char *name;
    int bit;
    int (*run)(const BenchOpts *o, Err *err);
} BENCH[] = {{"peers", PEERS, bench_peers},       {"kernels", KERNELS, bench_kernels},
             {"scaling", SCALING, bench_scaling}, {"first-token", FIRST_TOKEN, bench_first_token},
             {"images", IMAGES, bench_images},    {"quant", QUANT, bench_quant}};
enum { N_BENCHES = sizeof BENCH / sizeof *BENCH };

/* Options that are not for every benchmark. */
static const struct {
    const char *name;
    int benches;
} ONLY[] = {{"config", PEERS | SCALING | QUANT},
            {"case", PEERS | SCALING},
            {"batch", PEERS | SCALING},
            {"shared", PEERS | SCALING},
            {"repeated", PEERS | SCALING},
            {"answer", PEERS | SCALING},
            {"decode_weights", PEERS | SCALING},
            {"new", PEERS | SCALING},
            {"ckpt", PEERS | SCALING},
            {"vision_cache", PEERS | SCALING},
            {"seed", PEERS | SCALING | QUANT},
            {"threads_max", SCALING},
            {"slot", KERNELS},
            {"model", FIRST_TOKEN | QUANT},
            {"data", QUANT},
            {"image", FIRST_TOKEN},
            {"reps", PEERS | SCALING | FIRST_TOKEN | IMAGES},
            {"threads", ~SCALING},
            {"images", IMAGES},
            {"max_pixels", IMAGES},
            {"dtype", ~IMAGES}};

static int check_options(const BenchOpts *o, const char *name, int bit, Err *err)
{
    for (size_t i = 0; i < sizeof ONLY / sizeof *ONLY; i++)
        if (!(ONLY[i].benches & bit) && opt_given(TABLE, o, ONLY[i].name))
            return usage_error(err, "bench %s has no use for '%s'", name, ONLY[i].name);
    if ((bit & (PEERS | SCALING)) && !o->config) return usage_error(err, "bench %s needs --config", name);
    if ((bit & FIRST_TOKEN) && !o->model) return usage_error(err, "bench %s needs --model", name);
    if ((bit & QUANT) && (!o->model == !o->config || !o->model != !o->data.n))
        return usage_error(err, "bench quant needs either --config, or --model and --data");
    if ((bit & IMAGES) && !o->images) return usage_error(err, "bench images needs --images");
    if (o->shared && o->what != CASE_DECODE) return usage_error(err, "--shared goes with --case decode");
    if ((o->repeated || o->answer) && o->what != CASE_DPO && o->what != CASE_GRPO)
        return usage_error(err, "--repeated and --answer go with --case dpo and grpo");
    if (o->vision_cache && o->what > CASE_SCORE)
        return usage_error(err, "--vision_cache goes with training and scoring");
    if (o->decode_weights && o->what != CASE_DECODE)
        return usage_error(err, "--decode_weights goes with --case decode");
    return 0;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const char *what = operands->n == 1 ? operands->at[0] : "";
    for (int i = 0; i < N_BENCHES; i++) {
        if (strcmp(what, BENCH[i].name)) continue;
        return check_options(opts, what, BENCH[i].bit, err) ? -1 : BENCH[i].run(opts, err);
    }
    usage_error(err, "bench needs one of 'peers', 'kernels', 'scaling', 'first-token', 'images' and 'quant'");
    return err_hint(err, "osler bench peers --config C.json --case " BENCH_CASES);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

Timing timing_of(double *seconds, int n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    return (Timing){seconds[0], (seconds[(n - 1) / 2] + seconds[n / 2]) / 2, seconds[n - 1]};
}

void timing_add(json_t *row, const Timing *t)
{
    json_object_update_new(row,
                           json_pack("{s:f, s:f, s:f}", "best_s", t->best, "median_s", t->median, "worst_s", t->worst));
}

void bench_print_row(json_t *row)
{
    Buf line = {0};
    json_append(&line, row);
    puts(line.data);
    fflush(stdout); /* a row may take minutes */
    buf_release(&line);
    json_decref(row);
}

const Verb VERB_BENCH = {
    .name = "bench",
    .about = "times whole steps, single kernels, threads, the first token and images",
    .usage = "osler bench peers --config C.json --case " BENCH_CASES "\n"
             "       osler bench scaling --config C.json --case CASE [--threads_max N]\n"
             "       osler bench kernels [--slot WORD] [--dtype f32]\n"
             "       osler bench first-token --model DIR [--image REF]\n"
             "       osler bench images --images DIR [--max_pixels N]\n"
             "       osler bench quant (--config C.json | --model DIR --data F)",
    .details =
        "peers: whole steps of a model with random weights, as other programs are timed. A prompt is an image of 256\n"
        "tokens and 48 tokens of text. lora, full, score: four samples with answers of 8 to 160 tokens; dpo: a pair;\n"
        "grpo: eight answers to a prompt; decode: 64 tokens after the prompt; prefill: a prompt of 304 tokens of "
        "text;\n"
        "load: a checkpoint from the page cache. Prints useful tokens per second, a shared prompt counted with every\n"
        "answer, and a note on what part that is of the machine's best: the operations of forward and of needed\n"
        "backward passes against matrix products; for decode and load the bytes that must be read against reading.\n"
        "scaling: a case with 1, 2, ... threads. kernels: every kernel in every variant at the sizes of real models;\n"
        "%: of what memory or products allow, above 100 out of caches. first-token: from the start of the program to\n"
        "the end of a one-token answer. images: all files of a folder decoded, resized and cut into patches.\n"
        "quant: what answers' log-probabilities lose where all weights are read from copies in 8 and in 4 bits.",
    .table = TABLE,
    .size = sizeof(BenchOpts),
    .run = run,
};
