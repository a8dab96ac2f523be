/*
 * teacher.h - questions to another model: a checkpoint's folder, or a server that speaks OpenAI's language.
 *
 *   TeacherOptions o = TEACHER_DEFAULTS;
 *   o.where = "http://127.0.0.1:8080/v1", o.key = getenv("OSLER_API_KEY"), o.cache = "runs/traces/teacher.jsonl";
 *   Teacher *t = teacher_open(&o, err);
 *   int k = teacher_ask(t, "<image>\nDescribe the film.", images, 1, err);     as many as there are
 *   if (teacher_answer(t, err) == 0) puts(teacher_reply(t, k, 0)->text);
 *   teacher_close(t);
 *
 * What is the same is asked once.  The file `cache` keeps every reply under a hash of all that decides it: who is
 * asked and how, the text, the bytes of the pictures, the number of the draw.  What was asked once is not asked again,
 * not by a run that goes on, and not by one that is repeated; damaged lines of the file count for nothing.
 *
 * A server is asked `parallel` times at once, pictures as data URIs; a folder answers many questions together, and its
 * engine lives only while it does.  A server that refuses a question, after all tries (base/http.h), ends it all, with
 * what was said until then kept.
 */
#ifndef OSLER_INFER_TEACHER_H
#define OSLER_INFER_TEACHER_H

#include "infer/generate.h"

typedef struct TeacherOptions {
    const char *name;  /* in messages: "judge", "teacher" */
    const char *where; /* http(s) address, or a folder */
    const char *model; /* the server's name for it; NULL: the server has one */
    const char *key;   /* of the server; NULL: none */
    int parallel;
    double timeout_s;         /* of a try */
    GenerateOptions generate; /* n, sampling, max_new_tokens; of a server temperature, top_p and seed alone */
    EngineOptions engine;     /* of a folder, which replaces its model */
    const char *cache;        /* file, made where there is none */
    bool (*stop)(void);       /* asked now and then: true ends it; NULL: never */
} TeacherOptions;
#define TEACHER_DEFAULTS                                                                                               \
    {                                                                                                                  \
        .name = "teacher", .parallel = 8, .timeout_s = 120, .generate = GENERATE_DEFAULTS                              \
    }

typedef struct TeacherReply {
    char *text;
    int64_t tokens; /* -1: the server does not say */
    bool cut;       /* ended by max_new_tokens */
} TeacherReply;

/* What this run asked for; bytes of a server's requests and replies. */
typedef struct TeacherCount {
    int replies, asked; /* asked: not in the cache */
    int64_t prompt_tokens, tokens, sent, received;
} TeacherCount;

typedef struct Teacher Teacher;

/* An address, and no folder. */
bool teacher_is_server(const char *where);
/* Whether there can be such a teacher: before hours are spent on other things. */
int teacher_check(const TeacherOptions *o, Err *err);

/* Borrows what the options point to. */
Teacher *teacher_open(const TeacherOptions *o, Err *err);
void teacher_close(Teacher *t); /* NULL is fine */
/* Who is asked: the address, or the digest of the folder. */
const char *teacher_identity(const Teacher *t);

/* The question's number; -1 on error. text has a marker for every image; both are copied. */
int teacher_ask(Teacher *t, const char *text, char *const *image, int n_images, Err *err);
/* Everything asked is answered: 0; 1 where `stop` ended it; -1 on error. */
int teacher_answer(Teacher *t, Err *err);
/* draw: 0 to generate.n - 1. Owned by the teacher. */
const TeacherReply *teacher_reply(const Teacher *t, int question, int draw);
TeacherCount teacher_count(const Teacher *t);

/* Text of others for a question: cut to max_bytes, on one line, and harmless: no special token or image marker in it. */
void teacher_quote(Buf *out, const char *text, size_t max_bytes);

#endif
