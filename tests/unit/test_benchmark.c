/* Named benchmarks from files in their authors' formats (tools/make_benchmark_samples.py); how questions are put. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "eval/benchmark.h"
#include "image/image.h"
#include "phantom/phantom.h"
#include "reward/answer_prompt.h"
#include "scratch.h"
#include "table/embedded.h"
#include "table/table.h"
#include "text/chat.h"

#define DIR "tests/data/benchmarks/"

static EvalRun load(const char *name, const char *path)
{
    EvalRun run = {0};
    Err err = {0};
    if (benchmark_load(&run, name, path, &err)) fail_msg("%s: %s (%s)", name, err.msg, err.hint);
    return run;
}

/* The run is released by the caller's forgetting it: it must be sound after an error, too. */
static void expect_error(const char *name, const char *path, const char *msg, const char *hint)
{
    EvalRun run = {0};
    Err err = {0};
    assert_int_equal(benchmark_load(&run, name, path, &err), -1);
    if (!strstr(err.msg, msg) || !strstr(err.hint, hint)) fail_msg("%s: \"%s\" (%s)", name, err.msg, err.hint);
    run_release(&run);
}

static bool has_group(const EvalItem *item, const char *group)
{
    for (int i = 0; i < item->n_groups; i++)
        if (!strcmp(item->groups[i], group)) return true;
    return false;
}

/* ---- formats ----------------------------------------------------------------------------------------------------- */

typedef struct Want {
    const char *name, *path;
    int n, item;
    const char *id, *kind, *gold;
    int options;
    const char *group;
    int shade[3]; /* of its pictures; 0: no more */
} Want;

static const Want WANT[] = {
    {"vqa-rad", "vqa_rad", 4, 0, "0", "yesno", "Yes", 0, "organ:HEAD", {10}},
    {"vqa-rad", "vqa_rad", 4, 1, "1", "open", "2", 0, "question_type:PRES", {10}},
    {"vqa-rad", "vqa_rad", 4, 2, "2", "short", "MRI", 0, "phrase:test_para", {10}},
    {"vqa-rad", "vqa_rad/VQA_RAD Dataset Public.json", 4, 3, "4", "yesno", "no", 0, "organ:CHEST", {10}},
    {"vqa-rad", "vqa_rad_hf", 4, 1, "1", "open", "the spleen", 0, "kind:open", {21}},
    {"vqa-rad", "vqa_rad_hf", 4, 2, "2", "yesno", "no", 0, "kind:yesno", {22}},
    {"slake", "slake", 6, 0, "11", "yesno", "Yes", 0, "language:en", {30}},
    {"slake", "slake", 6, 2, "13", "short", "Axial", 0, "question_type:Plane", {30}},
    {"slake", "slake", 6, 3, "21", "yesno", "没有", 0, "language:zh", {30}},
    {"slake", "slake", 6, 5, "23", "open", "无", 0, "modality:MRI", {30}},
    {"slake-en", "slake", 3, 1, "12", "open", "MRI", 0, "organ:Abdomen", {30}},
    {"slake-zh", "slake/test.json", 3, 1, "22", "open", "肝脏", 0, "language:zh", {30}},
    {"path-vqa", "path_vqa", 3, 0, "0", "yesno", "Yes.", 0, "kind:yesno", {40}},
    {"path-vqa", "path_vqa", 3, 2, "2", "open", "no man's land", 0, "kind:open", {42}},
    {"pmc-vqa", "pmc_vqa", 2, 0, "0", "choice", "B", 4, "kind:choice", {50}},
    {"pmc-vqa", "pmc_vqa", 2, 1, "1", "choice", "C", 4, "kind:choice", {51}},
    {"pmc-vqa-clean", "pmc_vqa", 1, 0, "0", "choice", "B", 4, "kind:choice", {50}},
    {"omnimedvqa", "omnimedvqa", 3, 0, "ACRIMA_0000", "choice", "B", 2, "modality:Fundus Photography", {60}},
    {"omnimedvqa", "omnimedvqa", 3, 1, "ACRIMA_0001", "choice", "C", 4, "dataset:ACRIMA", {60}},
    {"omnimedvqa", "omnimedvqa", 3, 2, "ACRIMA_0000#2", "choice", "B", 4, "modality:CT(Computed Tomography)", {60}},
    {"medxpertqa-mm", "medxpertqa", 2, 0, "MM-26", "choice", "E", 5, "question_type:Reasoning", {70, 71}},
    {"medxpertqa-mm", "medxpertqa", 2, 1, "MM-27", "choice", "A", 5, "question_type:Understanding", {71}},
    {"mmmu-hm-val",
     "mmmu",
     8,
     1,
     "validation_Clinical_Medicine_1",
     "choice",
     "B",
     3,
     "subject:Clinical_Medicine",
     {81}},
    {"mmmu-hm-val", "mmmu", 8, 4, "validation_Pharmacy_2", "choice", "A", 3, "level:Hard", {3, 1, 2}},
    {"mmmu-hm-val", "mmmu", 8, 5, "validation_Pharmacy_3", "number", "2", 0, "subfield:Field", {4}},
    {"mmmu-hm-val", "mmmu", 8, 6, "validation_Pharmacy_4", "choice", "A", 2, "level:Medium", {6}},
    {"mmmu-hm-test", "mmmu", 8, 0, "test_Basic_Medical_Science_1", "choice", "C", 3, "level:Easy", {80}},
    {"mmmu-hm-test", "mmmu", 8, 5, "test_Pharmacy_3", "short", "Transformation", 0, "subject:Pharmacy", {4}},
    {"mmmu-hm-test",
     "mmmu/Pharmacy/test-00000-of-00001.parquet",
     4,
     1,
     "test_Pharmacy_2",
     "choice",
     "B",
     3,
     "level:Hard",
     {3, 1, 2}},
    {"mmmu-pro-health", "mmmu_pro", 1, 0, "validation_Pharmacy_9", "choice", "J", 10, "subject:Pharmacy", {8}},
    {"medqa", "medqa", 2, 0, "0", "choice", "C", 4, "level:step1", {0}},
    {"medqa", "medqa_hf", 2, 1, "1", "choice", "A", 4, "level:step2&3", {0}},
    {"medqa", "medqa_bigbio", 1, 0, "0", "choice", "C", 4, "level:step1", {0}},
    {"medbullets-4", "medbullets", 1, 0, "0", "choice", "B", 4, "kind:choice", {0}},
    {"medbullets-5", "medbullets", 1, 0, "0", "choice", "E", 5, "kind:choice", {0}},
    {"gmai-mmbench", "gmai", 3, 0, "100", "choice", "B", 3, "Cell", {90}},
    {"gmai-mmbench", "gmai", 3, 1, "101", "choice", "E", 5, "l2-category:DD", {90}},
    {"vlmevalkit", "gmai", 3, 2, "102", "choice", "A", 2, "split:val", {93, 92}},
    {"vlmevalkit", "vlmevalkit", 2, 0, "0", "yesno", "No", 0, "x", {94}},
    {"vlmevalkit", "vlmevalkit", 2, 1, "1", "open", "the shade", 0, "y", {94, 95}},
    {"pubmedqa", "pubmedqa", 2, 0, "102", "yesno", "maybe", 3, "kind:yesno", {0}},
    {"pubmedqa", "pubmedqa/data/ori_pqal.json", 2, 1, "103", "yesno", "no", 3, "kind:yesno", {0}},
    {"pubmedqa", "pubmedqa_hf", 2, 1, "102", "yesno", "maybe", 3, "kind:yesno", {0}},
    {"mmlu-medical", "mmlu_csv", 12, 2, "clinical_knowledge-0", "choice", "B", 4, "subject:clinical_knowledge", {0}},
    {"mmlu-medical",
     "mmlu_csv/test/college_medicine_test.csv",
     2,
     1,
     "college_medicine-1",
     "choice",
     "D",
     4,
     "subject:college_medicine",
     {0}},
    {"mmlu-medical",
     "mmlu_hf",
     6,
     5,
     "professional_medicine-0",
     "choice",
     "B",
     4,
     "subject:professional_medicine",
     {0}},
    {"medmcqa", "medmcqa", 2, 0, "x1", "choice", "A", 4, "subject:Anatomy", {0}},
    {"medmcqa", "medmcqa", 2, 1, "x4", "choice", "D", 4, "subject:Anatomy", {0}},
    {"medmcqa", "medmcqa_small", 1, 0, "x2", "choice", "B", 4, "subject:Anatomy", {0}},
    {"medmcqa", "medmcqa_hf", 2, 1, "x3", "choice", "C", 4, "subject:Anatomy", {0}},
    {"questions", "questions", 2, 0, "a", "choice", "B", 2, "level:2", {96}},
    {"questions", "questions", 2, 1, "b", "number", "12", 0, "kind:number", {96}},
    {"questions", "questions_parquet", 1, 0, "0", "choice", "right", 2, "kind:choice", {97, 98}},
};

static void check_pictures(const EvalItem *item, const int shade[3])
{
    int n = 0;
    while (n < 3 && shade[n]) n++;
    assert_int_equal(item->n_images, n);
    for (int i = 0; i < n; i++) {
        Image im = {0};
        Err err = {0};
        if (image_load(&im, item->images[i], &err)) fail_msg("%s", err.msg);
        assert_int_equal(im.rgb[0], shade[i]);
        image_release(&im);
    }
}

static void check_item(const EvalItem *item, const Want *w)
{
    Err err = {0};
    assert_string_equal(item->id, w->id);
    assert_string_equal(answer_kind_name(item->q.kind), w->kind);
    assert_string_equal(item->q.gold, w->gold);
    assert_int_equal(item->q.n_options, w->options);
    assert_int_equal(question_check(&item->q, &err), 0);
    assert_true(has_group(item, w->group));
    assert_true(file_exists(item->at.file));
    check_pictures(item, w->shade);
    Buf text = {0};
    answer_prompt(&text, &item->q, item->n_images, PROMPT_DIRECT);
    assert_int_equal(chat_count_images(&(Message){.role = "user", .content = text.data}, 1), item->n_images);
    buf_release(&text);
}

static void test_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WANT / sizeof *WANT; i++) {
        const Want *w = &WANT[i];
        char *path = path_join(DIR, w->path);
        EvalRun run = load(w->name, path);
        print_message("%s of %s, item %d\n", w->name, path, w->item);
        assert_int_equal(run.item.n, w->n);
        check_item(&run.item.at[w->item], w);
        run_release(&run);
        free(path);
    }
    embedded_clear();
}

static void expect_texts(const char *name, const char *path, int item, const char *question, const char *option)
{
    EvalRun run = load(name, path);
    const Question *q = &run.item.at[item].q;
    assert_string_equal(q->question, question);
    if (option) assert_string_equal(q->option[1], option);
    run_release(&run);
}

/* What is cut off, put in front, kept. */
static void test_texts(void **state)
{
    (void)state;
    expect_texts("vqa-rad", DIR "vqa_rad", 1, "How many lesions are there?", NULL);
    expect_texts("pmc-vqa", DIR "pmc_vqa", 0, "Which view?", "coronal");
    expect_texts("pmc-vqa", DIR "pmc_vqa", 1, "What does \"MR\" mean?", "nan");
    expect_texts("medxpertqa-mm", DIR "medxpertqa", 0, "A patient, 26 years old. What next?", "option 26B");
    expect_texts("mmmu-hm-val", DIR "mmmu", 0, "Which one is <image 1>?", "don't");
    expect_texts("mmmu-hm-val", DIR "mmmu", 4, "Which ring is it?", "<image 2>");
    expect_texts("mmmu-hm-val", DIR "mmmu", 6, "What does <image 1> explain, after <image 1>?", "no");
    expect_texts("medbullets-4", DIR "medbullets", 0, "A child, \"fair\", has a rash.\nWhich test?", "None");
    expect_texts("vlmevalkit", DIR "vlmevalkit", 0, "Look at the left.\nIs it there?", NULL);
    expect_texts("pubmedqa", DIR "pubmedqa", 0, "Some background.\nSome results.\nIs it safe?", "no");
    expect_texts("mmlu-medical", DIR "mmlu_csv", 0, "Which is \"it\", here?", "two");
}

static void test_table(void **state)
{
    (void)state;
    Buf b = {0};
    benchmark_list(&b);
    assert_non_null(strstr(b.data, "slake-en           1061"));
    buf_release(&b);
    assert_null(benchmark_find("slak"));
    assert_string_equal(benchmark_title(benchmark_find("slake-en")), "SLAKE (English)");
    assert_string_equal(benchmark_title(benchmark_find("questions")), "questions");
    EvalRun run = load("slake-en", DIR "slake");
    assert_string_equal(run.name, "SLAKE (English)");
    run_release(&run);
    run = load("questions", DIR "questions");
    assert_null(run.name);
    run_release(&run);
}

/* ---- what is wrong ----------------------------------------------------------------------------------------------- */

static char *write_text(const char *dir, const char *name, const char *text)
{
    Err err = {0};
    char *path = path_join(dir, name), *folder = path_dirname(path);
    if (dir_create(folder, &err) || file_save(path, text, strlen(text), &err)) fail_msg("%s", err.msg);
    free(folder);
    return path;
}

static void copy_file(const char *dir, const char *name, const char *from)
{
    Err err = {0};
    char *path = write_text(dir, name, "");
    if (file_copy(path, from, &err)) fail_msg("%s", err.msg);
    free(path);
}

static void test_missing_files(void **state)
{
    (void)state;
    char *dir = scratch_new();
    expect_error("slak", DIR "slake", "no benchmark called \"slak\"", "slake-en");
    expect_error("slake", DIR "nowhere", "there is no " DIR "nowhere", "BoKelvin/SLAKE");
    expect_error("slake", dir, "none of its files is in", "Looked for: test.json");
    expect_error("mmmu-hm-val", dir, "none of its files", "%s/validation-*.parquet");
    copy_file(dir, "mmmu/Pharmacy/validation-00000-of-00001.parquet",
              DIR "mmmu/Pharmacy/validation-00000-of-00001.parquet");
    char *mmmu = path_join(dir, "mmmu"), *rad = path_join(dir, "rad");
    expect_error("mmmu-hm-val", mmmu, "no file of Basic_Medical_Science", "every subject");
    copy_file(dir, "mmmu/Pharmacy/test-00000-of-00001.parquet", DIR "mmmu/Pharmacy/test-00000-of-00001.parquet");
    char *test = path_join(mmmu, "Pharmacy/test-00000-of-00001.parquet");
    expect_error("mmmu-hm-test", test, "does not hold the answers", "answer_dict_test.json");
    copy_file(dir, "rad/data/test-00001-of-00002-e5.parquet",
              DIR "vqa_rad_hf/data/test-00001-of-00002-e5bc3d208bb4deeb.parquet");
    expect_error("vqa-rad", rad, "one of 2 files, but 1 are there", "all parts");
    copy_file(dir, "slake/test.json", DIR "slake/test.json");
    char *slake = path_join(dir, "slake");
    expect_error("slake", slake, "no picture \"xmlab1/source.png\"", "slake/imgs");
    free(mmmu);
    free(rad);
    free(test);
    free(slake);
    scratch_free(dir);
}

#define OP4_HEAD "question,opa,opb,opc,opd,answer_idx\n"

static char *write_op4(const char *dir, int good, const char *bad)
{
    Buf b = {0};
    buf_str(&b, OP4_HEAD);
    for (int i = 0; i < good; i++) buf_printf(&b, "Question %d?,one,two,three,four,B\n", i);
    buf_str(&b, bad);
    char *path = write_text(dir, "medbullets_op4.csv", b.data);
    buf_release(&b);
    return path;
}

/* A few rows that cannot be asked are left out; more than one in a hundred mean that the file is another one. */
static void test_bad_rows(void **state)
{
    (void)state;
    char *dir = scratch_new(), *path = write_op4(dir, 199, "Bad?,one,two,three,four,F\n");
    EvalRun run = load("medbullets-4", path);
    assert_int_equal(run.item.n, 199);
    run_release(&run);
    free(path);
    path = write_op4(dir, 99, "Bad?,one,two,three,four,F\nWorse?,one,two,three,four,\n");
    expect_error("medbullets-4", path, "2 of 101 questions cannot be asked", "the split \"all\"");
    free(path);
    path = write_op4(dir, 0, "Bad?,one,two,three,four,B,more\n");
    expect_error("medbullets-4", path, "medbullets_op4.csv:2: ", "");
    free(path);
    path = write_op4(dir, 0, "");
    expect_error("medbullets-4", path, "no question of it", "split \"all\"");
    free(path);
    expect_error("medbullets-4", DIR "medbullets/medbullets_op5.csv", "csv:2: the question has 5 options",
                 "is this the file of");
    path = write_text(dir, "dev.json",
                      "{\"question\":\"Q?\",\"opa\":\"a\",\"opb\":\"b\",\"opc\":\"c\",\"opd\":\"d\",\"cop\":0}\n"
                      "{\"question\":\"Q?\",\"opa\":\"a\",\"opb\":\"b\",\"opc\":\"c\",\"opd\":\"d\",\"cop\":4}\n");
    expect_error("medmcqa", path, "\"cop\" is 0 in some rows and 4 in others", "");
    free(path);
    scratch_free(dir);
}

static void test_repeated_ids(void **state)
{
    (void)state;
    static const char *const WANT_ID[] = {"a", "a#2", "a#3", "a#3#2", "3"};
    char *dir = scratch_new();
    char *path = write_text(dir, "data.jsonl",
                            "{\"id\": \"a\", \"question\": \"1?\", \"kind\": \"open\", \"answer\": \"x\"}\n"
                            "{\"id\": \"a\", \"question\": \"1?\", \"kind\": \"open\", \"answer\": \"x\"}\n"
                            "{\"id\": \"a\", \"question\": \"2?\", \"kind\": \"short\", \"answer\": \"y\"}\n"
                            "{\"id\": \"a#3\", \"question\": \"3?\", \"kind\": \"short\", \"answer\": \"y\"}\n"
                            "{\"id\": 3, \"question\": \"4?\", \"kind\": \"short\", \"answer\": \"y\"}\n");
    EvalRun run = load("questions", path);
    assert_int_equal(run.item.n, 5);
    for (int i = 0; i < 5; i++) assert_string_equal(run.item.at[i].id, WANT_ID[i]);
    run_release(&run);
    free(path);
    scratch_free(dir);
}

static void test_cut_choices(void **state)
{
    (void)state;
    char *dir = scratch_new();
    char *path =
        write_text(dir, "dev.jsonl",
                   "{\"id\": \"1\", \"question\": \"Not (A) true?\\nAnswer Choices: (A) one (2) (B) two\\nlines (C) "
                   "three (D) vitamin (A)\", \"label\": [\"D\"]}\n");
    EvalRun run = load("medmcqa", path);
    const Question *q = &run.item.at[0].q;
    assert_string_equal(q->question, "Not (A) true?");
    assert_int_equal(q->n_options, 4);
    assert_string_equal(q->option[0], "one (2)");
    assert_string_equal(q->option[1], "two\nlines");
    assert_string_equal(q->option[3], "vitamin (A)");
    assert_string_equal(q->gold, "D");
    run_release(&run);
    free(path);
    scratch_free(dir);
}

/* ---- prompts ----------------------------------------------------------------------------------------------------- */

static void expect_prompt(const Question *q, int images, PromptStyle style, const char *want)
{
    Buf b = {0};
    answer_prompt(&b, q, images, style);
    assert_string_equal(b.data, want);
    buf_release(&b);
}

static void test_prompts(void **state)
{
    (void)state;
    Question q = {.kind = ANSWER_CHOICE, .question = "Which?", .option = {"left", "right"}, .n_options = 2};
    expect_prompt(&q, 1, PROMPT_DIRECT,
                  "<image>\nWhich?\nA. left\nB. right\nAnswer with the letter of the right option.");
    expect_prompt(&q, 0, PROMPT_THINK,
                  "Which?\nA. left\nB. right\nAnswer with the letter or the text of the right option. Think first, "
                  "between <think> and "
                  "</think>; put the answer between <answer> and </answer>.");
    q.kind = ANSWER_OPEN; /* options are of a choice alone */
    expect_prompt(&q, 0, PROMPT_BOXED,
                  "Which?\nAnswer briefly. Reason step by step, and put the final answer in \\boxed{}.");
    q.kind = ANSWER_SHORT;
    expect_prompt(&q, 2, PROMPT_DIRECT, "<image>\n<image>\nWhich?\nAnswer with a word or a short phrase.");
    q.kind = ANSWER_NUMBER;
    expect_prompt(&q, 0, PROMPT_DIRECT, "Which?\nAnswer with a number.");
    q.kind = ANSWER_YESNO;
    expect_prompt(&q, 0, PROMPT_DIRECT, "Which?\nAnswer with yes or no.");
    q.n_options = 3;
    expect_prompt(&q, 0, PROMPT_DIRECT, "Which?\nAnswer with yes, no or maybe.");
    q.question = "图中MRI有肝脏吗?";
    expect_prompt(&q, 0, PROMPT_DIRECT, "图中MRI有肝脏吗?\n请回答“是”、“否”或“不确定”。");
    q.question = "Is the sign 肝 shown?";
    expect_prompt(&q, 0, PROMPT_DIRECT, "Is the sign 肝 shown?\nAnswer with yes, no or maybe.");
    assert_string_equal(prompt_style_name(PROMPT_BOXED), "boxed");
}

static void test_markers(void **state)
{
    (void)state;
    Question q = {.kind = ANSWER_SHORT, .question = "Is <image 1> as <image 2>, or <image 1> < 3?"};
    expect_prompt(&q, 2, PROMPT_DIRECT,
                  "Is <image> as <image>, or image 1 < 3?\nAnswer with a word or a short phrase.");
    expect_prompt(&q, 3, PROMPT_DIRECT,
                  "<image>\nIs <image> as <image>, or image 1 < 3?\nAnswer with a word or a short phrase.");
    expect_prompt(&q, 0, PROMPT_DIRECT,
                  "Is image 1 as image 2, or image 1 < 3?\nAnswer with a word or a short phrase.");
    q.question = "See <image>, <image> and <images>.";
    expect_prompt(&q, 1, PROMPT_DIRECT, "See <image>, image and <images>.\nAnswer with a word or a short phrase.");
    q = (Question){.kind = ANSWER_CHOICE, .question = "Which?", .option = {"<image 1>", "<image 2>"}, .n_options = 2};
    expect_prompt(&q, 2, PROMPT_DIRECT, "Which?\nA. <image>\nB. <image>\nAnswer with the letter of the right option.");
    int number = -1;
    assert_int_equal(image_marker_at("<image 12> ", &number), 10);
    assert_int_equal(number, 12);
    assert_int_equal(image_marker_at("<image 64>", &number), 0);
    assert_int_equal(image_marker_at("<image 0>", &number), 0);
    assert_int_equal(image_marker_at("<image 1", &number), 0);
    assert_int_equal(image_marker_at("<image", &number), 0);
}

/* The user's message of row i of a phantom split. */
static char *user_text(Table *t, int64_t row)
{
    Err err = {0};
    Cell c;
    int column = table_look(t, "messages");
    if (table_read(t, row, &column, 1, &c, &err)) fail_msg("%s", err.msg);
    return cell_str(cell_field(&c.item[0], "content"));
}

/* A model that was trained on the phantom clinic is asked in the words of its training. */
static void test_phantom(void **state)
{
    (void)state;
    enum { N = 40 };
    for (int think = 0; think < 2; think++) {
        char *dir = scratch_new(), *path = path_join(dir, "data.jsonl");
        Err err = {0};
        SplitSpec spec = {
            .first = {.split = SPLIT_DEV, .seed = 3, .size = 112}, .n = N, .style = think ? STYLE_PLAIN : STYLE_DIRECT};
        if (split_write(dir, &spec, &err)) fail_msg("%s", err.msg);
        EvalRun run = load("phantom", dir);
        assert_int_equal(run.item.n, N);
        Table *t = table_open(path, &err);
        assert_non_null(t);
        for (int i = 0; i < N; i++) {
            const EvalItem *item = &run.item.at[i];
            char *text = user_text(t, i);
            expect_prompt(&item->q, item->n_images, think ? PROMPT_THINK : PROMPT_DIRECT, text);
            assert_true(item->n_images > 0 && file_exists(item->images[0]));
            assert_true(item->n_groups >= 4); /* family, specialty, level, kind */
            free(text);
        }
        table_close(t);
        run_release(&run);
        free(path);
        scratch_free(dir);
    }
}

/* ---- real files -------------------------------------------------------------------------------------------------- */

static char *real_file(const char *name)
{
    const char *base = getenv("OSLER_DATA");
    char *path = path_join(base && *base ? base : "../shared/data", name);
    if (file_exists(path)) return path;
    free(path);
    return NULL;
}

static void test_real_vqa_rad(void **state)
{
    (void)state;
    char *path = real_file("vqa-rad/VQA_RAD Dataset Public.json");
    if (!path) skip();
    EvalRun run = load("vqa-rad", path);
    int kinds[ANSWER_KINDS] = {0};
    for (int i = 0; i < run.item.n; i++) {
        const EvalItem *item = &run.item.at[i];
        kinds[item->q.kind]++;
        assert_int_equal(item->n_images, 1);
        assert_true(has_group(item, "phrase:test_freeform") || has_group(item, "phrase:test_para"));
        assert_true(item->q.gold[0] != ' ' && !str_ends_with(item->q.gold, " "));
    }
    /* those rows of the test split that the file holds */
    assert_int_equal(run.item.n, 354);
    assert_int_equal(kinds[ANSWER_YESNO], 190);
    assert_int_equal(kinds[ANSWER_SHORT], 20);
    assert_int_equal(kinds[ANSWER_OPEN], 144);
    int w, h;
    Err err = {0};
    assert_int_equal(image_size(&w, &h, run.item.at[0].images[0], &err), 0);
    run_release(&run);
    free(path);
}

static void test_real_text(void **state)
{
    (void)state;
    char *medmcqa = real_file("text/medmcqa_dev.jsonl"), *pubmedqa = real_file("text/pubmedqa_train.json");
    if (!medmcqa || !pubmedqa) skip();
    EvalRun run = load("medmcqa", medmcqa);
    assert_int_equal(run.item.n, 4183);
    for (int i = 0; i < run.item.n; i++) {
        const Question *q = &run.item.at[i].q;
        assert_int_equal(q->n_options, 4);
        assert_null(strstr(q->question, "Answer Choices:"));
        assert_true(*q->option[0] && *q->option[1]);
    }
    run_release(&run);
    run = load("pubmedqa", pubmedqa);
    assert_int_equal(run.item.n, 500);
    for (int i = 0; i < run.item.n; i++) assert_true(strlen(run.item.at[i].q.question) > 100);
    run_release(&run);
    free(medmcqa);
    free(pubmedqa);
}

int main(void)
{
    log_level(LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_texts),        cmocka_unit_test(test_table),
        cmocka_unit_test(test_missing_files), cmocka_unit_test(test_bad_rows),     cmocka_unit_test(test_cut_choices),
        cmocka_unit_test(test_repeated_ids),  cmocka_unit_test(test_prompts),      cmocka_unit_test(test_markers),
        cmocka_unit_test(test_phantom),       cmocka_unit_test(test_real_vqa_rad), cmocka_unit_test(test_real_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
