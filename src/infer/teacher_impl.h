/* Between teacher.c, which knows what was asked and said, and those who ask. */
#ifndef OSLER_INFER_TEACHER_IMPL_H
#define OSLER_INFER_TEACHER_IMPL_H

#include <pthread.h>

#include "base/http.h"
#include "base/map.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "infer/teacher.h"

typedef struct TeacherQuestion {
    char *text, **image;
    int n_images;
    char key[SHA256_HEX];
    int same_as;         /* an earlier question with the same key, or -1 */
    TeacherReply *reply; /* [n draws]; text NULL: not known yet */
} TeacherQuestion;

/* One reply that is wanted. */
typedef struct TeacherTask {
    int question, draw;
} TeacherTask;

struct Teacher {
    TeacherOptions o;
    char *identity, *how; /* who is asked; and all that decides an answer but the question */
    VEC(TeacherQuestion) question;
    Map by_key;
    int fd;               /* of the cache; -1: not open */
    pthread_mutex_t lock; /* of everything below, and of the replies */
    TeacherTask next;
    int known; /* replies */
    TeacherCount count;
    Err err;
    Progress progress;
};

/* The next reply that is not known; false at the end. The lock is held. */
bool teacher_next(Teacher *t, TeacherTask *task);
/* Takes a reply in, which is copied, and writes it down. The lock is held. */
int teacher_take(Teacher *t, TeacherTask task, TeacherReply reply, Err *err);

HttpOptions teacher_http(const TeacherOptions *o);
int teacher_by_server(Teacher *t, Err *err);
int teacher_by_folder(Teacher *t, Err *err);

#endif
