#include "eval/benchmark.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "eval/benchmark_impl.h"

/* A split as Hugging Face keeps it. */
#define HF(split) "data/" split "-*.parquet", split "-*.parquet", "default/" split "/*.parquet", split "*.parquet"

static const char *const MMLU_COLUMNS[] = {"question", "A", "B", "C", "D", "answer", NULL};

static const Benchmark TABLE[] = {
    {.name = "vqa-rad",
     .title = "VQA-RAD",
     .split = "test",
     .n = 451,
     .source = "osf.io/89kps: \"VQA_RAD Dataset Public.json\" and the image folder, or flaviagiammarino/vqa-rad on "
               "Hugging Face",
     .note = "its test questions are about the pictures of its training part: training on that is leakage by image",
     .files = {"VQA_RAD Dataset Public.json", "VQA_RAD_Dataset_Public.json", HF("test")},
     .folders = {"images", "VQA_RAD Image Folder", "VQA_RAD_Image_Folder", "."},
     .read = read_vqa_rad},
    {.name = "slake",
     .title = "SLAKE",
     .split = "test, English and Chinese",
     .n = 2094,
     .source = "BoKelvin/SLAKE on Hugging Face: test.json and imgs.zip, unpacked to imgs/",
     .note = "published scores are of both languages or of English alone (slake-en); they differ",
     .files = {"test.json"},
     .folders = {"imgs", "images", "."},
     .read = read_slake},
    {.name = "slake-en",
     .title = "SLAKE (English)",
     .split = "test, q_lang en",
     .n = 1061,
     .source = "BoKelvin/SLAKE on Hugging Face: test.json and imgs.zip, unpacked to imgs/",
     .files = {"test.json"},
     .folders = {"imgs", "images", "."},
     .read = read_slake},
    {.name = "slake-zh",
     .title = "SLAKE (Chinese)",
     .split = "test, q_lang zh",
     .n = 1033,
     .source = "BoKelvin/SLAKE on Hugging Face: test.json and imgs.zip, unpacked to imgs/",
     .files = {"test.json"},
     .folders = {"imgs", "images", "."},
     .read = read_slake},
    {.name = "path-vqa",
     .title = "PathVQA",
     .split = "test",
     .n = 6719,
     .source = "flaviagiammarino/path-vqa on Hugging Face",
     .files = {HF("test")},
     .read = read_hf_vqa},
    {.name = "pmc-vqa",
     .title = "PMC-VQA (test_2)",
     .split = "test_2.csv",
     .source = "RadGenome/PMC-VQA on Hugging Face: test_2.csv and images_2.zip, unpacked",
     .note = "scores on test_2 and on the clean 2,000 (pmc-vqa-clean) cannot be compared",
     .files = {"test_2.csv"},
     .folders = {"figures", "images_2", "images", "images_2/figures", "."},
     .read = read_pmc_vqa},
    {.name = "pmc-vqa-clean",
     .title = "PMC-VQA (clean)",
     .split = "test_clean.csv",
     .n = 2000,
     .source = "RadGenome/PMC-VQA on Hugging Face: test_clean.csv and images.zip, unpacked",
     .files = {"test_clean.csv"},
     .folders = {"images", "figures", "images/figures", "."},
     .read = read_pmc_vqa},
    {.name = "omnimedvqa",
     .title = "OmniMedVQA (open access)",
     .split = "open access",
     .n = 88996,
     .source = "foreverbeliever/OmniMedVQA on Hugging Face, OmniMedVQA.zip, unpacked",
     .files = {"QA_information/Open-access/*.json", "Open-access/*.json",
               "OmniMedVQA/QA_information/Open-access/*.json"},
     .folders = {"../..", "..", "."},
     .read = read_omnimedvqa},
    {.name = "medxpertqa-mm",
     .title = "MedXpertQA MM",
     .split = "test",
     .n = 2000,
     .options = 5,
     .source = "TsinghuaC3I/MedXpertQA on Hugging Face: MM/test.jsonl and images.zip, unpacked to images/",
     .files = {"MM/test.jsonl", "test.jsonl", "MM/test-*.parquet", "MM/test/*.parquet"},
     .folders = {"../images", "images", "."},
     .read = read_medxpertqa},
    {.name = "mmmu-hm-val",
     .title = "MMMU Health & Medicine (validation)",
     .split = "validation",
     .n = 150,
     .source = "MMMU/MMMU on Hugging Face",
     .note = "150 questions: the interval is wide; five of them are open",
     .parts = MMMU_SUBJECTS,
     .files = {"%s/validation-*.parquet", "%s/validation/*.parquet", HF("validation")},
     .read = read_mmmu},
    {.name = "mmmu-hm-test",
     .title = "MMMU Health & Medicine (test)",
     .split = "test",
     .n = 1752,
     .source = "MMMU/MMMU on Hugging Face; its answers are answer_dict_test.json of MMMU-Benchmark/MMMU on GitHub",
     .parts = MMMU_SUBJECTS,
     .files = {"%s/test-*.parquet", "%s/test/*.parquet", HF("test")},
     .open = open_mmmu,
     .read = read_mmmu},
    {.name = "mmmu-pro-health",
     .title = "MMMU-Pro Health & Medicine (standard, 10 options)",
     .split = "test, five subjects",
     .n = 286,
     .source = "MMMU/MMMU_Pro on Hugging Face, \"standard (10 options)\"",
     .note = "up to ten options; scores with four options or of the vision setting cannot be compared",
     .files = {"standard (10 options)/test-*.parquet", "standard (10 options)/test/*.parquet", "test-*.parquet"},
     .read = read_mmmu},
    {.name = "gmai-mmbench",
     .title = "GMAI-MMBench (validation)",
     .split = "val",
     .n = 4550,
     .source = "OpenGVLab/GMAI-MMBench or VLMEval/GMAI-MMBench on Hugging Face, GMAI-MMBench_VAL.tsv",
     .files = {"GMAI-MMBench_VAL.tsv", "GMAI_mm_bench_VAL.tsv", "GMAI-MMBench_VAL_new.tsv"},
     .read = read_vlmevalkit},
    {.name = "medqa",
     .title = "MedQA (USMLE, 4 options)",
     .split = "test",
     .n = 1273,
     .options = 4,
     .source = "GBaker/MedQA-USMLE-4-options or bigbio/med_qa on Hugging Face, or jind11/MedQA on GitHub",
     .note = "the same questions with five options (medqa-5) are harder",
     .files = {"phrases_no_exclude_test.jsonl", "questions/US/4_options/phrases_no_exclude_test.jsonl",
               "data_clean/questions/US/4_options/phrases_no_exclude_test.jsonl", HF("test"),
               "med_qa_en_4options_source/test-*.parquet", "med_qa_en_4options_source/test/*.parquet", "test.jsonl"},
     .read = read_medqa},
    {.name = "medqa-5",
     .title = "MedQA (USMLE, 5 options)",
     .split = "test",
     .n = 1273,
     .options = 5,
     .source = "bigbio/med_qa on Hugging Face, or jind11/MedQA on GitHub (questions/US/test.jsonl)",
     .files = {"questions/US/test.jsonl", "data_clean/questions/US/test.jsonl", "med_qa_en_source/test-*.parquet",
               "med_qa_en_source/test/*.parquet", "US/test.jsonl", "test.jsonl"},
     .read = read_medqa},
    {.name = "medbullets-4",
     .title = "Medbullets (4 options)",
     .split = "all",
     .n = 308,
     .options = 4,
     .source = "HanjieChen/ChallengeClinicalQA on GitHub, medbullets/medbullets_op4.csv",
     .files = {"medbullets_op4.csv", "medbullets/medbullets_op4.csv", "medbullets_op4.jsonl", "op4_test.jsonl",
               "op4_test-*.parquet", "data/op4_test-*.parquet"},
     .read = read_medqa},
    {.name = "medbullets-5",
     .title = "Medbullets (5 options)",
     .split = "all",
     .n = 308,
     .options = 5,
     .source = "HanjieChen/ChallengeClinicalQA on GitHub, medbullets/medbullets_op5.csv",
     .files = {"medbullets_op5.csv", "medbullets/medbullets_op5.csv", "medbullets_op5.jsonl", "op5_test.jsonl",
               "op5_test-*.parquet", "data/op5_test-*.parquet"},
     .read = read_medqa},
    {.name = "medmcqa",
     .title = "MedMCQA (validation)",
     .split = "validation",
     .n = 4183,
     .options = 4,
     .source = "openlifescienceai/medmcqa on Hugging Face, or medmcqa/medmcqa on GitHub (dev.json)",
     .note = "scores are of the validation split: the answers of the test split are not public",
     .files = {"dev.json", "data/dev.json", "medmcqa_dev.jsonl", "dev.jsonl", HF("validation")},
     .open = open_medmcqa,
     .read = read_medmcqa},
    {.name = "mmlu-medical",
     .title = "MMLU (six medical subjects)",
     .split = "test",
     .n = 1089,
     .options = 4,
     .source = "cais/mmlu on Hugging Face, or the authors' data.tar",
     .note = "six subjects; other lists of medical subjects have three to nine",
     .parts = MMLU_SUBJECTS,
     .files = {"%s/test-*.parquet", "%s/test/*.parquet", "test/%s_test.csv", "data/test/%s_test.csv", "%s_test.csv",
               "all/test-*.parquet", "all/test/*.parquet"},
     .headless = MMLU_COLUMNS,
     .read = read_mmlu},
    {.name = "pubmedqa",
     .title = "PubMedQA (labelled)",
     .split = "test",
     .n = 500,
     .source = "pubmedqa/pubmedqa on GitHub (data/), or qiaojin/PubMedQA, pqa_labeled, on Hugging Face",
     .files = {"ori_pqal.json", "data/ori_pqal.json", "test_set.json", "pqa_labeled/train-*.parquet",
               "pqa_labeled/train/*.parquet", "train-*.parquet"},
     .open = open_pubmedqa,
     .read = read_pubmedqa},
    {.name = "phantom",
     .title = "Phantom clinic",
     .split = "as made",
     .source = "osler phantom --out DIR",
     .files = {"data.jsonl"},
     .read = read_questions},
    {.name = "questions",
     .split = "as given",
     .source = "a file of your own: JSON lines, JSON, parquet, CSV or TSV with question, kind, options, answer, images",
     .files = {"data.jsonl", "test.jsonl", "questions.jsonl", HF("test")},
     .read = read_questions},
    {.name = "vlmevalkit",
     .split = "as given",
     .source = "a TSV file as VLMEvalKit reads it",
     .files = {"data.tsv", "*.tsv"},
     .folders = {".", "images"},
     .read = read_vlmevalkit},
};
enum { BENCHMARKS = sizeof TABLE / sizeof *TABLE };

/* ---- the table --------------------------------------------------------------------------------------------------- */

const Benchmark *benchmark_find(const char *name)
{
    for (int i = 0; i < BENCHMARKS; i++)
        if (!strcmp(TABLE[i].name, name)) return &TABLE[i];
    return NULL;
}

const char *benchmark_title(const Benchmark *b)
{
    return b->title ? b->title : b->name;
}

void benchmark_list(Buf *out)
{
    for (int i = 0; i < BENCHMARKS; i++) {
        const Benchmark *b = &TABLE[i];
        char n[16] = "-";
        if (b->n) snprintf(n, sizeof n, "%d", b->n);
        buf_printf(out, "%-16s %6s  %-26s %s\n", b->name, n, b->split, b->source);
    }
}

static int unknown_name(const char *name, Err *err)
{
    Buf names = {0};
    for (int i = 0; i < BENCHMARKS; i++) buf_printf(&names, "%s%s", i ? ", " : "", TABLE[i].name);
    err_set(err, "there is no benchmark called \"%.60s\"", name);
    err_hint(err, "the benchmarks are %s", names.data);
    buf_release(&names);
    return -1;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* What was read so far. */
typedef struct Loading {
    int64_t rows, bad; /* questions, and those among them that cannot be asked */
    int64_t number;    /* of the row within its part */
    Map repeats;       /* how often an id came, of those that came more than once */
    Err first;         /* what is wrong with the first bad one */
} Loading;

/* Pictures are read one by one, and only those that are asked for. */
static bool holds_pictures(const char *column)
{
    return !strcmp(column, "image") || !strcmp(column, "images") ||
           (!strncmp(column, "image_", 6) && column[6] >= '0' && column[6] <= '9');
}

static void choose_columns(Reader *r)
{
    int n = table_columns(r->table);
    r->column = xrealloc(r->column, (size_t)(n + 1) * sizeof *r->column);
    r->cell = xrealloc(r->cell, (size_t)(n + 1) * sizeof *r->cell);
    r->columns = 0;
    for (int i = 0; i < n; i++)
        if (!holds_pictures(table_column_name(r->table, i))) r->column[r->columns++] = i;
}

/* An id of its own: the row's, else its number within its part; a repeated one gets a number behind it. */
static void give_id(Reader *r, Loading *l)
{
    EvalItem *item = &r->item;
    int64_t known, times = 1;
    if (!item->id && r->part) item->id = xasprintf("%s-%lld", r->part, (long long)l->number);
    if (!item->id) item->id = xasprintf("%lld", (long long)l->number);
    if (!map_get_str(&r->run->by_id, item->id, &known)) return;
    char *first = item->id;
    map_get_str(&l->repeats, first, &times);
    do {
        if (item->id != first) free(item->id);
        item->id = xasprintf("%s#%lld", first, (long long)++times);
    } while (map_get_str(&r->run->by_id, item->id, &known));
    map_set_str(&l->repeats, first, times);
    free(first);
}

static int check_item(const Reader *r, Err *err)
{
    const Question *q = &r->item.q;
    if (!q->question && !r->item.n_images) return err_set(err, "there is no question");
    if (r->b->options && q->n_options != r->b->options)
        return err_set(err, "the question has %d options, those of %s have %d", q->n_options, r->b->title,
                       r->b->options);
    return question_check(q, err);
}

static int take_item(Reader *r, Loading *l, Err *err)
{
    Err why = {0};
    l->rows++;
    item_order_images(&r->item);
    if (check_item(r, &why)) {
        table_context(r->table, r->row, &why);
        if (!l->bad++) l->first = why;
        return 0;
    }
    r->item.at = table_place(r->table, r->row);
    r->item.at.file = r->run->kept.at[r->run->kept.n - 1];
    give_id(r, l);
    return run_add(r->run, &r->item, err) < 0 ? -1 : 0;
}

static int read_row(Reader *r, Loading *l, Err *err)
{
    if (table_read(r->table, r->row, r->column, r->columns, r->cell, err)) return table_context(r->table, r->row, err);
    int rc = r->b->read(r, err);
    if (rc < 0) table_context(r->table, r->row, err);
    else if (rc == ROW_TAKEN) rc = take_item(r, l, err);
    item_release(&r->item);
    l->number++;
    return rc < 0 ? -1 : 0;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int read_table(Reader *r, Loading *l, const BenchmarkFile *file, Err *err)
{
    int names = 0;
    while (r->b->headless && r->b->headless[names]) names++;
    if (r->part != file->part) l->number = 0;
    r->part = file->part;
    r->table = names ? table_open_headless(file->path, r->b->headless, names, err) : table_open(file->path, err);
    if (!r->table) return -1;
    r->dir = path_dirname(file->path);
    run_keep_name(r->run, file->path);
    choose_columns(r);
    int rc = r->b->open ? r->b->open(r, err) : 0;
    for (r->row = 0; rc == 0 && r->row < table_rows(r->table); r->row++) rc = read_row(r, l, err);
    table_close(r->table);
    map_release(&r->rows);
    free(r->dir);
    r->dir = NULL;
    return rc;
}

/*
 * Published files hold a few rows whose answer is none of their options.  One bad row must not cost a benchmark, and
 * many mean that the file is another one.
 */
static int judge_loading(const Benchmark *b, const Loading *l, const char *path, Err *err)
{
    if (l->rows == 0) {
        err_set(err, "%s: no question of it is in %s", benchmark_title(b), path);
        return err_hint(err, "its questions are those of the split \"%s\"", b->split);
    }
    if (l->bad * 100 > l->rows) {
        err_set(err, "%s: %lld of %lld questions cannot be asked; the first: %s", benchmark_title(b), (long long)l->bad,
                (long long)l->rows, l->first.msg);
        return err_hint(err, "is this the file of the split \"%s\"?", b->split);
    }
    if (l->bad)
        log_warn("%s: %lld of %lld questions are left out; the first: %s", benchmark_title(b), (long long)l->bad,
                 (long long)l->rows, l->first.msg);
    if (b->n && l->rows != b->n)
        log_warn("%s has %d questions (%s), these files have %lld", b->title, b->n, b->split, (long long)l->rows);
    if (b->note) log_note("%s: %s", b->title, b->note);
    return 0;
}

int benchmark_load(EvalRun *run, const char *name, const char *path, Err *err)
{
    const Benchmark *b = benchmark_find(name);
    if (!b) return unknown_name(name, err);
    BenchmarkFiles files;
    Loading l = {0};
    int rc = benchmark_find_files(&files, b, path, err);
    char *root = dir_exists(path) ? xstrdup(path) : path_dirname(path);
    Reader r = {.b = b, .run = run, .root = root};
    for (int i = 0; rc == 0 && i < files.n; i++) rc = read_table(&r, &l, &files.at[i], err);
    if (rc == 0) rc = judge_loading(b, &l, path, err);
    if (rc == 0 && !run->name && b->title) run->name = xstrdup(b->title);
    json_decref(r.side);
    map_release(&l.repeats);
    free(r.column);
    free(r.cell);
    free(root);
    benchmark_files_release(&files);
    return rc;
}
