#include "synth/json_cases.h"

#include <stdlib.h>
#include <string.h>

#include "table/json_rows.h"

int rows_each(const char *path, TakeRow *take, void *arg, Err *err)
{
    FileMap m;
    JsonRows rows;
    if (file_map(&m, path, err)) return -1;
    int rc = json_rows_open(&rows, path, (const char *)m.data, m.size, err);
    json_t *row;
    Err why = {0};
    while (rc == 0 && (rc = json_rows_next(&rows, &row, &why, err)) == 1) {
        char place[512];
        if (!row) *err = why;
        rc = row ? take(arg, row, err) : -1;
        json_decref(row);
        if (rc) err_context(err, "%s", row_place(place, sizeof place, rows.at));
    }
    file_unmap(&m);
    return rc;
}

const char *row_need_text(const json_t *row, const char *key, Err *err)
{
    const char *s = json_string_value(json_object_get(row, key));
    if (!s) err_set(err, "\"%s\" is missing or no text", key);
    return s;
}

int row_question(Question *q, const json_t *row, const char *gold, Err *err)
{
    const char *kind = row_need_text(row, "kind", err), *answer = kind ? row_need_text(row, gold, err) : NULL;
    if (!answer) return -1;
    int known = answer_kind_parse(kind);
    if (known < 0) return err_set(err, "unknown kind \"%s\"", kind);
    *q = (Question){.kind = (AnswerKind)known,
                    .question = json_string_value(json_object_get(row, "question")),
                    .gold = answer,
                    .tolerance = json_number_value(json_object_get(row, "tolerance"))};
    for (char letter[2] = "A"; q->n_options < ANSWER_MAX_OPTIONS; letter[0]++) {
        const char *text = json_string_value(json_object_get(json_object_get(row, "options"), letter));
        if (!text) break;
        q->option[q->n_options++] = text;
    }
    return question_check(q, err);
}

int json_lines_create(FileWriter *w, const char *dir, const char *name, Err *err)
{
    if (dir_create(dir, err)) return -1;
    char *path = path_join(dir, name);
    int rc = file_create(w, path, err);
    free(path);
    return rc;
}

void write_json_line(FileWriter *w, json_t *j)
{
    char *line = json_dumps(j, JSON_COMPACT);
    file_printf(w, "%s\n", line);
    free(line);
    json_decref(j);
}

int json_save(const char *dir, const char *name, json_t *j, Err *err)
{
    char *path = path_join(dir, name), *json = json_dumps(j, JSON_INDENT(2)), *text = xasprintf("%s\n", json);
    int rc = file_save(path, text, strlen(text), err);
    free(text);
    free(json);
    free(path);
    json_decref(j);
    return rc;
}
