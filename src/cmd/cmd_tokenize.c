/* osler tokenize: text to ids and back, line by line. */
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/output.h"
#include "table/json_rows.h"
#include "text/unicode.h"

typedef struct TokenizeOpts {
    Common common;
    char *model, *in, *out;
} TokenizeOpts;

#define AT(field) offsetof(TokenizeOpts, field)
static const Opt TABLE[] = {
    {"model", OPT_PATH, AT(model), .required = true, .help = "directory with tokenizer.json"},
    {"in", OPT_PATH, AT(in), .required = true, .help = "JSON lines: {\"text\": ...} or {\"ids\": [...]}"},
    {"out", OPT_PATH, AT(out), .help = "JSON lines; stdout where not given"},
    GENERAL_ROWS(TokenizeOpts),
    {0},
};

static int encode_row(Buf *line, const Tokenizer *t, const json_t *text)
{
    TokenList tokens = {0};
    tokenizer_encode(t, json_string_value(text), json_string_length(text), &tokens);
    buf_byte(line, '{');
    json_append_ints(line, "ids", tokens.id, tokens.n);
    buf_byte(line, '}');
    tokens_release(&tokens);
    return 0;
}

static int decode_row(Buf *line, const Tokenizer *t, const json_t *ids, Err *err)
{
    Buf raw = {0}, text = {0};
    int rc = 0;
    for (size_t i = 0; i < json_array_size(ids) && rc == 0; i++) {
        const json_t *v = json_array_get(ids, i);
        json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || id >= tokenizer_size(t)) rc = err_set(err, "\"ids\"[%zu] is no token id", i);
        else tokenizer_decode(t, &(int){(int)id}, 1, false, &raw);
    }
    if (raw.len) utf8_repair(&text, NULL, raw.data, raw.len);
    buf_str(line, "{\"text\": ");
    json_append_str(line, text.data ? text.data : "", text.len);
    buf_byte(line, '}');
    buf_release(&raw);
    buf_release(&text);
    return rc;
}

static int convert_row(Buf *line, const Tokenizer *t, const json_t *row, Err *err)
{
    const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids");
    if (json_is_string(text) && !ids) return encode_row(line, t, text);
    if (json_is_array(ids) && !text) return decode_row(line, t, ids, err);
    err_set(err, "the row is neither {\"text\": \"...\"} nor {\"ids\": [...]}");
    return err_hint(err, "one of the two keys a row; text becomes ids, ids become text");
}

static int convert_rows(Output *out, const Tokenizer *t, JsonRows *rows, Err *err)
{
    json_t *row;
    Err why = {0};
    Buf line = {0};
    int more, rc = 0;
    while (rc == 0 && (more = json_rows_next(rows, &row, &why, err)) == 1) {
        if (row) rc = convert_row(&line, t, row, err);
        else rc = err_set(err, "%s", why.msg);
        char place[512];
        if (rc) err_context(err, "%s", row_place(place, sizeof place, rows->at));
        else output_line(out, &line);
        json_decref(row);
    }
    buf_release(&line);
    return more < 0 ? -1 : rc;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const TokenizeOpts *o = opts;
    if (no_operands(operands, err)) return -1;
    Tokenizer *t = tokenizer_load(o->model, err);
    if (!t) return -1;
    FileMap file = {0};
    JsonRows rows;
    Output out;
    int rc = file_map(&file, o->in, err);
    if (rc == 0) rc = json_rows_open(&rows, o->in, (const char *)file.data, file.size, err);
    if (rc == 0) rc = output_open(&out, o->out, err);
    if (rc == 0) rc = output_close(&out, convert_rows(&out, t, &rows, err), err);
    file_unmap(&file);
    tokenizer_free(t);
    return rc;
}

const Verb VERB_TOKENIZE = {
    .name = "tokenize",
    .about = "text to token ids and back",
    .usage = "osler tokenize --model DIR --in F.jsonl [--out O.jsonl]",
    .details =
        "A line {\"text\": s} becomes {\"ids\": [...]}, a line {\"ids\": [...]} becomes {\"text\": s}. Special tokens\n"
        "written in the text are recognised as such.",
    .table = TABLE,
    .size = sizeof(TokenizeOpts),
    .run = run,
};
