/* Readers of the benchmarks without pictures, and of plain lists of questions. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "eval/benchmark_impl.h"

/* ---- examinations ------------------------------------------------------------------------------------------------ */

/* MedQA and Medbullets: options as a structure, as a list of {key, value}, or in columns opa, opb, ... */
int read_medqa(Reader *r, Err *err)
{
    row_take_question(r, row_text(r, "question"));
    if (row_options(r, "options", err)) return -1;
    if (!r->item.q.n_options) row_option_columns(r, "op%c", 'a', 5);
    row_take_gold(r, row_text(r, row_cell(r, "answer_idx") ? "answer_idx" : "answer"));
    row_group(r, "level", "meta_info");
    return ROW_TAKEN;
}

const char *const MMLU_SUBJECTS[] = {
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "medical_genetics", "professional_medicine",
    NULL};

/* Hugging Face: subject, choices, answer from 0.  The authors' CSV files have no header and a letter. */
int read_mmlu(Reader *r, Err *err)
{
    char *subject = row_text(r, "subject");
    if (!subject && r->part) subject = xstrdup(r->part);
    bool ours = !subject || in_list(MMLU_SUBJECTS, subject);
    item_add_group(&r->item, "subject", subject);
    free(subject);
    if (!ours || (r->row == 0 && row_text_is(r, "answer", "answer"))) return ROW_PASSED;
    row_take_question(r, row_text(r, "question"));
    if (row_options(r, "choices", err)) return -1;
    if (!r->item.q.n_options) row_option_columns(r, "%c", 'A', 4);
    const Cell *answer = row_cell(r, "answer");
    int64_t number = -1;
    if (answer && answer->kind == CELL_INT) number = answer->i;
    row_take_gold(r, number >= 0 && number < 4 ? xasprintf("%c", (int)('A' + number)) : row_text(r, "answer"));
    return ROW_TAKEN;
}

/* "cop" counts from 1 in the authors' JSON and from 0 in Hugging Face's parquet: 0 and 4 tell. */
int open_medmcqa(Reader *r, Err *err)
{
    int column = table_look(r->table, "cop");
    bool zero = false, four = false;
    for (int64_t row = 0; column >= 0 && row < table_rows(r->table); row++) {
        Cell c;
        if (table_read(r->table, row, &column, 1, &c, err)) return -1;
        int64_t cop = -1;
        Err none = {0};
        if (c.kind != CELL_NULL && cell_int(&cop, &c, &none)) continue;
        zero |= cop == 0;
        four |= cop == 4;
    }
    if (zero && four) return err_set(err, "%s: \"cop\" is 0 in some rows and 4 in others", table_path(r->table));
    const char *path = table_path(r->table);
    r->first_option = zero ? 0 : four || !str_ends_with(path, ".parquet");
    return 0;
}

int read_medmcqa(Reader *r, Err *err)
{
    static const char *const LABEL[] = {"label", "answer", "answer_idx"};
    row_id(r, "id");
    row_take_question(r, row_text(r, "question"));
    row_option_columns(r, "op%c", 'a', 4);
    if (!r->item.q.n_options && row_options(r, "options", err)) return -1;
    row_cut_choices(r);
    const Cell *cop = row_cell(r, "cop"), *label = NULL;
    int64_t number;
    if (cop && cell_int(&number, cop, err)) return -1;
    for (int i = 0; i < 3 && !label; i++) label = row_cell(r, LABEL[i]);
    if (label && label->kind == CELL_LIST && label->n == 1) label = label->item;
    if (cop) number -= r->first_option;
    if (cop && number >= 0 && number < 4) row_take_gold(r, xasprintf("%c", (int)('A' + number)));
    else if (!cop && label) row_take_gold(r, cell_str(label));
    row_group(r, "subject", "subject_name");
    return ROW_TAKEN;
}

/* ---- PubMedQA ---------------------------------------------------------------------------------------------------- */

/* The official test split is the 500 ids of test_ground_truth.json; without that file every row is taken. */
int open_pubmedqa(Reader *r, Err *err)
{
    static const char *const NAME[] = {"test_ground_truth.json", "data/test_ground_truth.json"};
    if (r->side) return 0;
    char *path = reader_find_beside(r, NAME, 2);
    if (!path) log_note("PubMedQA: no test_ground_truth.json beside the data, so all of it is asked");
    else r->side = json_load_path(path, (size_t)16 << 20, err);
    bool bad = path && !r->side;
    free(path);
    return bad ? -1 : 0;
}

/* The abstract without its conclusion, then the question. */
static char *with_context(const Cell *contexts, char *question)
{
    Buf b = {0};
    for (size_t i = 0; contexts && contexts->kind == CELL_LIST && i < contexts->n; i++) {
        cell_text(&b, &contexts->item[i]);
        buf_byte(&b, '\n');
    }
    if (contexts && contexts->kind == CELL_TEXT) buf_add(&b, contexts->text, contexts->n), buf_byte(&b, '\n');
    if (question) buf_str(&b, question);
    free(question);
    return b.data ? buf_take(&b) : NULL;
}

int read_pubmedqa(Reader *r, Err *err)
{
    (void)err;
    row_id(r, row_cell(r, "key") ? "key" : row_cell(r, "pubid") ? "pubid" : "id");
    if (r->side && r->item.id && !json_object_get(r->side, r->item.id)) return ROW_PASSED;
    const Cell *context = row_cell(r, "CONTEXTS");
    if (!context) context = row_cell(r, "context");
    const Cell *inner = context ? cell_field(context, "contexts") : NULL;
    row_take_question(r, with_context(inner ? inner : context, row_text(r, "QUESTION")));
    row_take_gold(r, row_text(r, "final_decision"));
    static const char *const OFFERED[] = {"yes", "no", "maybe"};
    for (int i = 0; i < 3; i++) row_take_option(r, xstrdup(OFFERED[i]));
    r->item.q.kind = ANSWER_YESNO;
    return ROW_TAKEN;
}

/* ---- lists of questions ------------------------------------------------------------------------------------------ */

static int put_cell(json_t *row, const Reader *r, const char *column, Err *err)
{
    const Cell *c = row_cell(r, column);
    if (!c) return 0;
    json_t *value = cell_json(c, err);
    if (!value) return err_context(err, "\"%s\"", column);
    json_object_set_new(row, column, value);
    return 0;
}

/* The layout of `osler eval --responses`, without the responses. */
int read_questions(Reader *r, Err *err)
{
    static const char *const KEY[] = {"id",        "question", "kind",          "options",   "answer",
                                      "tolerance", "category", "family",        "specialty", "level",
                                      "split",     "subject",  "question_type", "modality",  "language"};
    json_t *row = json_object();
    int rc = 0;
    for (size_t i = 0; i < sizeof KEY / sizeof *KEY && rc == 0; i++) rc = put_cell(row, r, KEY[i], err);
    /* CSV and TSV hold lists of options as text */
    const json_t *options = json_object_get(row, "options");
    bool text = json_is_string(options);
    if (text) json_object_del(row, "options");
    if (rc == 0) rc = item_from_json(&r->item, row, r->dir, err);
    if (rc == 0 && text) rc = row_options(r, "options", err);
    json_decref(row);
    if (rc == 0) rc = row_pictures(r, "images", err);
    if (rc == 0 && !r->item.n_images) rc = row_pictures(r, "image", err);
    return rc;
}
