/* Readers of the benchmarks that ask about pictures. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "eval/benchmark_impl.h"
#include "table/quoted_list.h"

bool in_list(const char *const *list, const char *s)
{
    while (*list && (!s || strcasecmp(*list, s))) list++;
    return *list != NULL;
}

/*
 * The authors' file.  Its test split is every row whose phrase_type begins with "test"; some answers are numbers, some
 * values end in a blank ("CLOSED ").
 */
int read_vqa_rad(Reader *r, Err *err)
{
    char *phrase = row_text(r, "phrase_type");
    bool test = !phrase || !strncmp(phrase, "test", 4);
    free(phrase);
    if (!test) return ROW_PASSED;
    row_id(r, "qid");
    row_take_question(r, row_text(r, "question"));
    row_take_gold(r, row_text(r, "answer"));
    row_kind(r, row_text_is(r, "answer_type", "closed"));
    row_group(r, "question_type", "question_type");
    row_group(r, "organ", "image_organ");
    row_group(r, "phrase", "phrase_type");
    char *file = row_text(r, "image_name");
    int rc = file ? row_named_picture(r, file, err) : row_pictures(r, "image", err);
    free(file);
    return rc;
}

int read_slake(Reader *r, Err *err)
{
    static const char *const LANGUAGE[][2] = {{"slake-en", "en"}, {"slake-zh", "zh"}};
    for (size_t i = 0; i < 2; i++)
        if (!strcmp(r->b->name, LANGUAGE[i][0]) && !row_text_is(r, "q_lang", LANGUAGE[i][1])) return ROW_PASSED;
    row_id(r, "qid");
    row_take_question(r, row_text(r, "question"));
    row_take_gold(r, row_text(r, "answer"));
    row_kind(r, row_text_is(r, "answer_type", "closed"));
    row_group(r, "language", "q_lang");
    row_group(r, "modality", "modality");
    row_group(r, "organ", "location");
    row_group(r, "question_type", "content_type");
    char *file = row_text(r, "img_name");
    int rc = file ? row_named_picture(r, file, err) : row_pictures(r, "image", err);
    free(file);
    return rc;
}

/* Hugging Face's copies of VQA-RAD and PathVQA: image, question, answer, and nothing that says open or closed. */
int read_hf_vqa(Reader *r, Err *err)
{
    row_take_question(r, row_text(r, "question"));
    row_take_gold(r, row_text(r, "answer"));
    row_kind(r, false);
    if (table_look(r->table, "image") < 0) return err_set(err, "there is no column \"image\"");
    row_picture_ref(r, "image", r->row);
    return ROW_TAKEN;
}

/*
 * test_clean.csv: options begin with their letters ("B:Focal uptake"), Answer is an option's text and Answer_label the
 * letter.  test_2.csv: Answer is the letter.
 */
int read_pmc_vqa(Reader *r, Err *err)
{
    row_take_question(r, row_text(r, "Question"));
    row_option_columns(r, "Choice %c", 'A', 4);
    row_take_gold(r, row_text(r, row_cell(r, "Answer_label") ? "Answer_label" : "Answer"));
    char *file = row_text(r, "Figure_path");
    if (!file) return err_set(err, "\"Figure_path\" is missing");
    int rc = row_named_picture(r, file, err);
    free(file);
    return rc;
}

/* The gold answer is an option's text; a row of Chest CT Scan.json says "modality" for "modality_type". */
int read_omnimedvqa(Reader *r, Err *err)
{
    row_id(r, "question_id");
    row_take_question(r, row_text(r, "question"));
    row_option_columns(r, "option_%c", 'A', 4);
    row_take_gold(r, row_text(r, "gt_answer"));
    Question *q = &r->item.q;
    for (int i = 0; i < q->n_options; i++) {
        if (!q->gold || strcmp(q->gold, q->option[i])) continue;
        row_take_gold(r, xasprintf("%c", 'A' + i));
        break;
    }
    row_group(r, "question_type", "question_type");
    row_group(r, "modality", row_cell(r, "modality_type") ? "modality_type" : "modality");
    row_group(r, "dataset", "dataset");
    char *file = row_text(r, "image_path");
    if (!file) return err_set(err, "\"image_path\" is missing");
    int rc = row_named_picture(r, file, err);
    free(file);
    return rc;
}

/* The question repeats the options ("Answer Choices: (A) ..."): they are cut off it, as the prompt lists them. */
int read_medxpertqa(Reader *r, Err *err)
{
    row_id(r, "id");
    row_take_question(r, row_text(r, "question"));
    if (row_options(r, "options", err)) return -1;
    row_cut_choices(r);
    row_take_gold(r, row_text(r, "label"));
    row_group(r, "question_type", "question_type");
    row_group(r, "task", "medical_task");
    row_group(r, "system", "body_system");
    return row_pictures(r, "images", err);
}

/* ---- MMMU -------------------------------------------------------------------------------------------------------- */

const char *const MMMU_SUBJECTS[] = {"Basic_Medical_Science",
                                     "Clinical_Medicine",
                                     "Diagnostics_and_Laboratory_Medicine",
                                     "Pharmacy",
                                     "Public_Health",
                                     NULL};

/* The answers of the test split are "?" in its tables; they came later, in a file of their own. */
int open_mmmu(Reader *r, Err *err)
{
    static const char *const NAME[] = {"answer_dict_test.json", "mmmu/answer_dict_test.json"};
    if (r->side) return 0;
    char *path = reader_find_beside(r, NAME, 2);
    if (path) r->side = json_load_path(path, (size_t)64 << 20, err);
    bool bad = path && !r->side;
    free(path);
    return bad ? -1 : 0;
}

/* "Pharmacy" of "validation_Pharmacy_26", or the column "subject" (MMMU-Pro). */
static char *mmmu_subject(const Reader *r)
{
    char *subject = row_text(r, "subject");
    if (subject || !r->item.id) return subject;
    const char *first = strchr(r->item.id, '_'), *last = strrchr(r->item.id, '_');
    return first && last > first ? xstrndup(first + 1, (size_t)(last - first - 1)) : NULL;
}

/* Several answers may be right: "['9', 'nine']"; the first stands for all. */
static char *first_answer(char *gold)
{
    size_t n = gold ? strlen(gold) : 0;
    if (!n || !quoted_list_match(gold, n)) return gold;
    QuotedList l = quoted_list(gold, n);
    Buf item = {0};
    if (quoted_list_next(&l, &item) == 1 && item.data) {
        free(gold);
        gold = text_stripped(item.data, item.len);
    }
    buf_release(&item);
    return gold;
}

static int mmmu_gold(Reader *r, Err *err)
{
    char *gold = row_text(r, "answer");
    const json_t *answer = NULL;
    if (r->side && r->item.id) answer = json_object_get(json_object_get(r->side, r->item.id), "ground_truth");
    if (json_is_array(answer)) answer = json_array_get(answer, 0);
    if (gold && !strcmp(gold, "?") && json_is_string(answer)) {
        free(gold);
        gold = text_stripped(json_string_value(answer), json_string_length(answer));
    }
    if (!gold || !strcmp(gold, "?")) {
        free(gold);
        err_set(err, "the table does not hold the answers of the %s split", r->b->split);
        return err_hint(err, "they are in answer_dict_test.json, in the folder mmmu of MMMU-Benchmark/MMMU on GitHub: "
                             "put it beside the subjects' folders");
    }
    row_take_gold(r, first_answer(gold));
    return 0;
}

/* A number is right where it is after rounding to two decimals, as in the authors' scoring. */
static void mmmu_open_kind(Question *q)
{
    char *end;
    double value = strtod(q->gold, &end);
    q->kind = end != q->gold && !*end && value - value == 0 ? ANSWER_NUMBER : ANSWER_SHORT;
    if (q->kind == ANSWER_NUMBER) q->tolerance = 0.005;
}

int read_mmmu(Reader *r, Err *err)
{
    row_id(r, "id");
    char *subject = mmmu_subject(r);
    bool ours = in_list(MMMU_SUBJECTS, subject);
    if (ours) item_add_group(&r->item, "subject", subject);
    free(subject);
    if (!ours) return ROW_PASSED;
    if (mmmu_gold(r, err)) return -1;
    row_take_question(r, row_text(r, "question"));
    bool open = row_text_is(r, "question_type", "open") || row_text_is(r, "question_type", "short-answer");
    if (open) mmmu_open_kind(&r->item.q);
    else if (row_options(r, "options", err)) return -1;
    row_group(r, "level", "topic_difficulty");
    row_group(r, "subfield", "subfield");
    for (int i = 1; i <= 7; i++) {
        char column[] = {'i', 'm', 'a', 'g', 'e', '_', (char)('0' + i), 0};
        int before = r->item.n_images;
        if (row_pictures(r, column, err)) return -1;
        if (r->item.n_images == before) break; /* numbered without gaps */
    }
    return ROW_TAKEN;
}

/* ---- VLMEvalKit -------------------------------------------------------------------------------------------------- */

/* index, image (base64, a list of it, or another row's index) or image_path, question, hint, A.., answer, category. */
int read_vlmevalkit(Reader *r, Err *err)
{
    static const char *const GROUP[] = {"l2-category", "split",      "modality",          "department",
                                        "type",        "difficulty", "clinical vqa task", "perceptual granularity"};
    row_id(r, "index");
    char *hint = row_text(r, "hint"), *question = row_text(r, "question");
    row_take_question(r, hint && question ? xasprintf("%s\n%s", hint, question) : question ? xstrdup(question) : NULL);
    free(hint);
    free(question);
    row_option_columns(r, "%c", 'A', ANSWER_MAX_OPTIONS);
    row_take_gold(r, row_text(r, "answer"));
    if (!r->item.q.n_options) row_kind(r, false);
    row_group(r, NULL, "category");
    for (size_t i = 0; i < sizeof GROUP / sizeof *GROUP; i++) row_group(r, GROUP[i], GROUP[i]);
    char *paths = row_text(r, "image_path");
    if (row_pictures(r, "image", err) == 0 && !r->item.n_images && paths) {
        free(paths);
        return row_pictures(r, "image_path", err);
    }
    free(paths);
    return *err->msg ? -1 : ROW_TAKEN;
}
